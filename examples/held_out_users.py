"""Whole users are split: models rank for, and are held against, users whom they have not seen."""

import cornac
from cornac.metrics import NDCG, Recall

from cornac_mle import HeldOutUsers, Mixture, Popularity
from cornac_mle.datasets import complete_journey
from cornac_mle.metrics import CopiedUsers, NeighbourCoverage, UnrealisticUsers

# Baskets that hold a product type, counted for each household; three or more are a like.
feedback = complete_journey.load_feedback()
held_out_users = HeldOutUsers(feedback, rating_threshold=3, seed=123)

models = [
    Popularity(),
    Mixture(k=10, n_init=1, seed=123),
    cornac.models.BPR(k=10, max_iter=20, seed=123),  # sampled as it was fitted
]

metrics = [
    Recall(k=20),
    NDCG(k=100),
    UnrealisticUsers(alpha=0.05),  # believable?
    NeighbourCoverage(k=5),  # complete?
    CopiedUsers(),  # nobody's?
]

cornac.Experiment(
    eval_method=held_out_users, models=models, metrics=metrics, show_validation=False
).run()

# The interval of each number, its ceiling (what real users get) and floor (independent popularity):
scores = held_out_users.report.scores.set_index(["metric", "model"])
print(scores[["value", "low", "high", "ceiling", "floor"]].dropna().round(2).sort_index())
