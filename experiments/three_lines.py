"""A script for Cornac as people have it, with three lines changed to ask for realism.

The changed lines are marked; the rest is Cornac's. Data come through Cornac's own loader, which
downloads MovieLens-100K where it is not on this machine.

Command: python experiments/three_lines.py
Minutes: 1
"""

import cornac
from cornac.metrics import NDCG, RMSE, Recall
from cornac.models import BPR, EASE, MF, MostPop

from cornac_mle.eval_methods import RatioSplit
from cornac_mle.metrics import PlausibilityKS, UnrealisticUsers

data = cornac.datasets.movielens.load_feedback()
split = RatioSplit(data, test_size=0.2, rating_threshold=4.0, seed=123)
models = [
    MostPop(),
    MF(k=10, seed=123),
    BPR(k=20, learning_rate=0.05, seed=123),
    EASE(lamb=200, verbose=False),
]
metrics = [RMSE(), Recall(k=20), NDCG(k=100)]
metrics += [UnrealisticUsers(alpha=0.05), PlausibilityKS()]  # new

cornac.Experiment(eval_method=split, models=models, metrics=metrics, user_based=True).run()
