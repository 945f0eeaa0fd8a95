"""Nearest neighbours on raw item sets: precision, recall, density and coverage of users.

A user's ball reaches to the k-th nearest neighbour in their own group, and holds whoever is as near
(``<=``). Distance is Jaccard distance of item sets, and users who share no item (distance 1) are
never neighbours: otherwise everybody is in the ball of a user whose k-th neighbour shares nothing.
"""

from abc import abstractmethod

import numpy as np

from cornac_mle.checks import check_count
from cornac_mle.metrics._split_balls import real_similarity, split_counts, split_reach
from cornac_mle.metrics.base import SplitMetric
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.splits import Splits
from cornac_mle.neighbours.balls import Counts
from cornac_mle.neighbours.similarity import LEAST_SIMILARITY
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import MetricNote
from cornac_mle.sparse import FloatArray

POWERLESS_GAP = 0.1
"""Where the ceiling is not this far above the floor, a metric tells nobody apart."""


class NeighbourMetric(SplitMetric):
    """A metric of the k nearest neighbours.

    Parameters
    ----------
    k : int
        Neighbours, at least 1, fewer than half the held-out users.
    """

    def __init__(self, k: int = 5) -> None:
        # Cornac reads `k` as a cut-off of rankings, so the setting has another name here.
        self.n_neighbours = check_count("k", k)
        self.minimum_users = self.n_neighbours + 1
        super().__init__(name=f"{type(self).__name__}@{self.n_neighbours}")

    def caution(self, evaluator: Evaluator) -> str | None:
        """Say how far to trust the metric on these real users; None if nothing is amiss.

        Two things are told: the share of real users who share no item with their k-th neighbour, so
        that their ball holds whoever shares one (a radius of 1); and, as "no power", that real
        users get less than .1 more than independent popularity does.
        """
        size = evaluator.half_size(len(evaluator.held_out))
        splits = evaluator.splits(size, None)
        needed = real_similarity(evaluator, splits, self.n_neighbours)
        kept = np.asarray([row[split.real] for row, split in zip(needed, splits, strict=True)])
        widest = float(np.mean(kept <= LEAST_SIMILARITY))
        ceilings, floors = self.ceiling_and_floor(evaluator, size)
        ceiling, floor = float(np.mean(ceilings)), float(np.mean(floors))
        cautions = []
        if widest > 0:
            nearest = f"{self.n_neighbours} nearest others"
            cautions.append(f"{widest:.1%} of real users share no item with all {nearest}")
        if ceiling - floor < POWERLESS_GAP:
            cautions.append(f"no power: real users get {ceiling:.2f}, popularity {floor:.2f}")
        return "; ".join(cautions) or None


class BallMetric(NeighbourMetric):
    """A metric of how many users the balls hold, counted once for all metrics of the same k."""

    @abstractmethod
    def _values(self, evaluator: Evaluator, counts: list[Counts], splits: Splits) -> FloatArray:
        """Compute the metric on each split, (n_splits,)."""

    def _on_splits(self, evaluator: Evaluator, users: Profiles, splits: Splits) -> FloatArray:
        counts = split_counts(evaluator, users, splits, self.n_neighbours)
        return self._values(evaluator, counts, splits)


class NeighbourPrecision(BallMetric):
    r"""Share of synthetic users who are in the ball of a real user.

    In [0, 1]; best is the ceiling, what other real users get. .31 says that 31 of 100 synthetic
    users have a real user to whom they are at least as near as that user's k-th real neighbour.
    Low: users like no real one. With B(x) the ball of real user x, of n real users x and n
    synthetic users y [1]_,

    .. math:: \frac{1}{n} \#\{j : y_j \in B(x_i) \text{ for some } i\}.

    Blind to missing kinds of users, to copies, and to one user repeated; wide balls of real users
    with rare tastes let nearly anybody pass, so look at the floor and at `caution`.

    Parameters
    ----------
    k : int
        Number of neighbours, at least 1, fewer than half the held-out users.

    Notes
    -----
    Jaccard distance on item sets stands in the place of Euclidean distance in an embedding. Time
    grows with the square of the number of held-out users; memory does not.

    References
    ----------
    .. [1] Kynkäänniemi et al. (2019), "Improved precision and recall metric for assessing
       generative models", NeurIPS.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = NeighbourPrecision(k=5).measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling, found.floor
    (0.86, 0.96, 0.66)
    """

    bounds = (0.0, 1.0)
    is_share = True
    ideal = None
    note = MetricNote("ceiling", "synthetic users as near to a real user as real neighbours")

    def _values(self, evaluator: Evaluator, counts: list[Counts], splits: Splits) -> FloatArray:
        return np.asarray([np.mean(one.of_point > 0) for one in counts])


class NeighbourRecall(NeighbourMetric):
    r"""Share of real users who are in the ball of a synthetic user.

    In [0, 1]; best is the ceiling, what other real users get. Low: kinds of real users are missing.
    .31 says that 31 of 100 real users have a synthetic user to whom they are at least as near as
    that one's k-th synthetic neighbour. With B(y) the ball of synthetic user y, of n real users x
    and n synthetic users y [1]_,

    .. math:: \frac{1}{n} \#\{i : x_i \in B(y_j) \text{ for some } j\}.

    Blind to users like no one, and rewarded by them: a synthetic user far from everybody has a wide
    ball, which holds many real users, so that independent popularity may get more than real users
    do. `NeighbourCoverage` has no such weakness; prefer it. Blind to copies.
    One user repeated has balls of radius 0 and a recall near 0.

    Parameters
    ----------
    k : int
        Number of neighbours, at least 1, fewer than half the held-out users.

    Notes
    -----
    Time grows with the square of the number of held-out users; memory does not.

    References
    ----------
    .. [1] Kynkäänniemi et al. (2019), "Improved precision and recall metric for assessing
       generative models", NeurIPS.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = NeighbourRecall(k=5).measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling, found.floor
    (0.99, 0.97, 0.99)
    """

    bounds = (0.0, 1.0)
    is_share = True
    ideal = None
    note = MetricNote("ceiling", "real users as near to a synthetic user as synthetic neighbours")

    def _on_splits(self, evaluator: Evaluator, users: Profiles, splits: Splits) -> FloatArray:
        reach = split_reach(evaluator, users, splits, self.n_neighbours)
        return np.asarray([np.mean(one) for one in reach])


class NeighbourDensity(BallMetric):
    r"""Mean number of real users' balls that a synthetic user is in, over k.

    In [0, inf); best is the ceiling, about 1 where there are few ties. With B(x) the ball of real
    user x, of n real users x and n synthetic users y [1]_,

    .. math:: \frac{1}{k n} \sum_j \#\{i : y_j \in B(x_i)\}.

    A value of .31 at k = 5 says that a synthetic user is among the 5 nearest of 1.6 real users on
    average. Low: users like no real one. Above the ceiling: users are crowded where real users
    are densest, which the most typical user repeated does to the extreme.

    Blind to missing kinds of users and to copies.

    Parameters
    ----------
    k : int
        Number of neighbours, at least 1, fewer than half the held-out users.

    Notes
    -----
    Time grows with the square of the number of held-out users; memory does not.

    References
    ----------
    .. [1] Naeem et al. (2020), "Reliable fidelity and diversity metrics for generative models",
       ICML.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = NeighbourDensity(k=5).measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling, found.floor
    (0.73, 1.09, 0.26)
    """

    bounds = (0.0, np.inf)
    ideal = None
    note = MetricNote("ceiling", "real users' neighbourhoods that a synthetic user is in, over k")

    def _values(self, evaluator: Evaluator, counts: list[Counts], splits: Splits) -> FloatArray:
        return np.asarray([np.mean(one.of_point) / self.n_neighbours for one in counts])


class NeighbourCoverage(BallMetric):
    r"""Share of real users who have a synthetic user within their k-th real neighbour's distance.

    In [0, 1]; best is the ceiling, which is below 1 because other real users do not cover all
    either. .31 says that 31 of 100 real users have a synthetic user at least as near as their k-th
    real neighbour. Low: the model leaves out kinds of real users, or makes up users like no one.
    With B(x) the ball of real user x, of n real users x and n synthetic users y [1]_,

    .. math:: \frac{1}{n} \#\{i : y_j \in B(x_i) \text{ for some } j\}.

    Blind to copies, and to users like no one as long as there are enough others.

    Parameters
    ----------
    k : int
        Number of neighbours, at least 1, fewer than half the held-out users.

    Notes
    -----
    Time grows with the square of the number of held-out users; memory does not.

    References
    ----------
    .. [1] Naeem et al. (2020), "Reliable fidelity and diversity metrics for generative models",
       ICML.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = NeighbourCoverage(k=5).measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling, found.floor
    (0.96, 0.98, 0.57)
    """

    bounds = (0.0, 1.0)
    is_share = True
    ideal = None
    note = MetricNote("ceiling", "real users with a synthetic user as near as real neighbours")

    def _values(self, evaluator: Evaluator, counts: list[Counts], splits: Splits) -> FloatArray:
        return np.asarray([np.mean(one.of_ball > 0) for one in counts])
