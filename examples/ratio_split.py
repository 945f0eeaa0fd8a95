"""Ratings are split at random, as by Cornac's RatioSplit, after some users were set aside."""

import cornac
from cornac.metrics import NDCG, RMSE
from cornac.models import BPR, MF

from cornac_mle.datasets import complete_journey
from cornac_mle.eval_methods import RatioSplit
from cornac_mle.metrics import PlausibilityKS, UnrealisticUsers

feedback = complete_journey.load_feedback()
ratio_split = RatioSplit(feedback, test_size=0.2, rating_threshold=3.0, seed=123)
print(*ratio_split.report.notes, sep="\n")  # how many users are set aside

models = [MF(k=10, seed=123), BPR(k=10, max_iter=20, seed=123)]
metrics = [RMSE(), NDCG(k=100), UnrealisticUsers(alpha=0.05), PlausibilityKS()]

cornac.Experiment(eval_method=ratio_split, models=models, metrics=metrics, user_based=True).run()
