"""Whole users are split crosswise: each is held out once."""

import cornac
from cornac.metrics import NDCG

from cornac_mle import HeldOutUsersCV, Mixture, Popularity
from cornac_mle.datasets import complete_journey
from cornac_mle.metrics import UnrealisticUsers

feedback = complete_journey.load_feedback()
folds = HeldOutUsersCV(feedback, n_folds=2, rating_threshold=3, seed=123)

models = [Popularity(), Mixture(k=10, n_init=1, seed=123)]
metrics = [NDCG(k=100), UnrealisticUsers(alpha=0.05)]

# A row for each fold, then their mean and standard deviation.
cornac.Experiment(eval_method=folds, models=models, metrics=metrics).run()
