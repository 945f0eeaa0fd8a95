"""Search for hyper-parameters on validation users, and the Pareto front."""

from cornac.hyperopt import Continuous, Discrete

from cornac_mle.search.grid_search import GridSearch
from cornac_mle.search.pareto import pareto_front
from cornac_mle.search.random_search import RandomSearch

__all__ = ["Continuous", "Discrete", "GridSearch", "RandomSearch", "pareto_front"]
