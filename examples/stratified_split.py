"""The ratings of each user are split in one proportion, as by Cornac's StratifiedSplit."""

from collections import Counter

import cornac
from cornac.metrics import NDCG
from cornac.models import BPR, MostPop

from cornac_mle.datasets import complete_journey
from cornac_mle.eval_methods import StratifiedSplit
from cornac_mle.metrics import UnrealisticUsers

feedback = complete_journey.load_feedback()
n_ratings = Counter(user for user, _, _ in feedback)
feedback = [row for row in feedback if n_ratings[row[0]] >= 5]  # Cornac cannot split a single one
stratified_split = StratifiedSplit(
    feedback, group_by="user", fmt="UIR", test_size=0.2, rating_threshold=3.0, seed=123
)

models = [MostPop(), BPR(k=10, max_iter=20, seed=123)]
metrics = [NDCG(k=100), UnrealisticUsers(alpha=0.05)]

cornac.Experiment(eval_method=stratified_split, models=models, metrics=metrics).run()
