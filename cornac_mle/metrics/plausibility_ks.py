"""Distance between how plausible synthetic and real users are: the primary metric."""

import numpy as np

from cornac_mle.metrics.base import SplitMetric
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.splits import Splits
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import MetricNote
from cornac_mle.sparse import FloatArray
from cornac_mle.stats.kolmogorov_smirnov import ks_distance, ks_permutation_p_value
from cornac_mle.stats.permutations import check_permutations


class PlausibilityKS(SplitMetric):
    r"""Kolmogorov-Smirnov distance between the plausibility of synthetic and of real users.

    In [0, 1]; 0 is best. .31 says that some plausibility divides the two groups with a difference
    of 31 percentage points: so many users, at least, are not as real ones are. With F and G the
    distribution functions of the plausibility scores of synthetic and of real users,

    .. math:: \max_t |F(t) - G(t)|.

    The ceiling is above 0, because two halves of real users differ too (by about 1.2 / sqrt(n), n
    users a half). Two-sided: users who are implausible and users who are too typical both count.
    `p_value` is a permutation p-value over users, all synthetic against all held-out; `per_user`
    holds the plausibility scores. It cannot see copies, nor kinds of users that are missing if they
    are as plausible as others: read `NeighbourCoverage` and `CopiedUsers` beside it.

    Parameters
    ----------
    n_permutations : int
        Number of random relabellings of users; the smallest attainable p-value is
        1 / (n_permutations + 1). Where there are no more relabellings than that, all are taken. At
        most a million.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = PlausibilityKS(n_permutations=99).measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling, found.floor
    (0.17, 0.12, 0.25)
    >>> found.p_value
    0.04
    """

    bounds = (0.0, 1.0)
    ideal = 0.0
    note = MetricNote("0", "distance between plausibility of synthetic and real users")

    def __init__(self, n_permutations: int = 999) -> None:
        self.n_permutations = check_permutations(n_permutations)
        super().__init__(name="PlausibilityKS")

    def _on_splits(self, evaluator: Evaluator, users: Profiles, splits: Splits) -> FloatArray:
        scores, real = evaluator.plausibility(users), evaluator.plausibility(evaluator.held_out)
        return np.asarray([ks_distance(scores[s.other], real[s.real]) for s in splits])

    def _p_value(
        self, evaluator: Evaluator, synthetic: Profiles, rng: np.random.Generator
    ) -> float | None:
        scores = evaluator.plausibility(synthetic)
        real = evaluator.plausibility(evaluator.held_out)
        return ks_permutation_p_value(scores, real, self.n_permutations, rng)

    def _per_user(self, evaluator: Evaluator, synthetic: Profiles) -> FloatArray | None:
        return evaluator.plausibility(synthetic)
