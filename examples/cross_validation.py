"""Ratings are split crosswise, as by Cornac's CrossValidation."""

import cornac
from cornac.metrics import NDCG
from cornac.models import BPR, MostPop

from cornac_mle.datasets import complete_journey
from cornac_mle.eval_methods import CrossValidation
from cornac_mle.metrics import UnrealisticUsers

feedback = complete_journey.load_feedback()
cross_validation = CrossValidation(feedback, n_folds=2, rating_threshold=3.0, seed=123)

models = [MostPop(), BPR(k=10, max_iter=20, seed=123)]
metrics = [NDCG(k=100), UnrealisticUsers(alpha=0.05)]

cornac.Experiment(eval_method=cross_validation, models=models, metrics=metrics).run()
