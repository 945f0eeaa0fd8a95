"""Marginal distributions: how popular items are, and how many of them a user has."""

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import jensenshannon

from cornac_mle.metrics.base import SplitMetric
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.splits import Splits
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import MetricNote
from cornac_mle.sparse import FloatArray
from cornac_mle.stats.kolmogorov_smirnov import ks_distance


class PopularityJS(SplitMetric):
    r"""Jensen-Shannon divergence, base 2, between the item popularity of synthetic and real users.

    In [0, 1]; 0 is best. What .31 means the ceiling says: on eight data sets with some hundred
    users it is .03 to .30, the higher the sparser, and everybody holding the most popular items is
    at .22 to .59. It cannot see which items go together. With p and q an item's share of all
    preferences of the real and of the synthetic users, and m = (p + q) / 2,

    .. math:: \frac{1}{2} \sum_i p_i \log_2 \frac{p_i}{m_i} + \frac{1}{2} \sum_i q_i \log_2
        \frac{q_i}{m_i}.

    Two halves of real users differ too, the more the fewer preferences there are, so look at the
    ceiling. The divergence itself: its square root is what scipy calls a distance. A group without
    a single preference is at 1, as far as can be.

    References
    ----------
    Lin (1991), "Divergence measures based on the Shannon entropy", IEEE Transactions on Information
    Theory 37(1).

    Examples
    --------
    The users of the example have the right popularity:

    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = PopularityJS().measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling
    (0.018, 0.022)
    """

    bounds = (0.0, 1.0)
    ideal = 0.0
    note = MetricNote("0", "divergence between item popularity of synthetic and real users")

    def __init__(self) -> None:
        super().__init__(name="PopularityJS")

    def _on_splits(self, evaluator: Evaluator, users: Profiles, splits: Splits) -> FloatArray:
        return np.asarray(
            [
                popularity_divergence(
                    users[split.other].item_counts, evaluator.held_out[split.real].item_counts
                )
                for split in splits
            ]
        )


class ProfileSizeKS(SplitMetric):
    r"""Kolmogorov-Smirnov distance between the profile sizes of synthetic and of real users.

    In [0, 1]; 0 is best. .31 says that some size divides the two groups with a difference of 31
    percentage points: with F and G the distribution functions of the numbers of items,

    .. math:: \max_n |F(n) - G(n)|.

    It cannot see which items are held. Independent popularity has sizes of real users by design, so
    floor and ceiling agree but for chance and there is no normalised value. `per_user` holds the
    sizes.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = ProfileSizeKS().measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling
    (0.08, 0.08)
    """

    bounds = (0.0, 1.0)
    ideal = 0.0
    floor_is_real = True
    note = MetricNote("0", "distance between profile sizes of synthetic and real users")

    def __init__(self) -> None:
        super().__init__(name="ProfileSizeKS")

    def _on_splits(self, evaluator: Evaluator, users: Profiles, splits: Splits) -> FloatArray:
        sizes, real = users.sizes, evaluator.held_out.sizes
        return np.asarray([ks_distance(sizes[s.other], real[s.real]) for s in splits])

    def _per_user(self, evaluator: Evaluator, synthetic: Profiles) -> FloatArray | None:
        return synthetic.sizes.astype(np.float64)


def popularity_divergence(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Jensen-Shannon divergence of two vectors of item counts, base 2, in [0, 1].

    >>> popularity_divergence([1, 0], [0, 1])
    1.0
    >>> popularity_divergence([1, 1], [2, 2])
    0.0
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.sum() == 0 or two.sum() == 0:
        return 0.0 if one.sum() == two.sum() else 1.0
    return float(jensenshannon(one, two, base=2) ** 2)
