"""Clipped density and coverage: neighbour metrics that read as shares of good users."""

import numpy as np

from cornac_mle.metrics._split_balls import counts_on_splits, real_similarity
from cornac_mle.metrics.base import NotMeasurableError
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.neighbours import BallMetric
from cornac_mle.metrics.splits import Split, Splits, split_key
from cornac_mle.neighbours.balls import Counts, clipped_coverage, clipped_density
from cornac_mle.report.measurement import MetricNote
from cornac_mle.sparse import FloatArray, IntArray


class ClippedDensity(BallMetric):
    r"""Share of synthetic users who are among real ones; density made robust and calibrated.

    In [0, 1]; 1 is best. .31 says: as if 31 of 100 synthetic users were like real ones and the
    others like no one. With c_j the number of real users' balls that hold synthetic user j, and r_i
    the number of other real users' balls that hold real user i [1]_,

    .. math:: \min\left(1, \frac{\sum_j \min(c_j / k, 1)}{\sum_i \min(r_i / k, 1)}\right).

    No ball is wider than the median ball, so that real users with rare tastes do not let everybody
    pass, and crowding where real users are densest earns nothing.

    Blind to missing kinds of users, to copies and to one typical user repeated. At most 1, so that
    the mean over half-splits of perfect users, the ceiling, is a little below.

    Parameters
    ----------
    k : int
        Number of neighbours, at least 1, fewer than half the held-out users.

    Notes
    -----
    Jaccard distance on item sets. Time grows with the square of the number of held-out users;
    memory does not.

    References
    ----------
    .. [1] Salvy, Talbot & Thirion (2026), "Enhanced generative model evaluation with clipped
       density and coverage".

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = ClippedDensity(k=5).measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling, found.floor
    (0.64, 0.95, 0.18)
    """

    bounds = (0.0, 1.0)
    ideal = 1.0
    note = MetricNote("1", "synthetic users that are among real ones, as a share of good users")

    def _values(self, evaluator: Evaluator, counts: list[Counts], splits: Splits) -> FloatArray:
        own = own_counts(evaluator, splits, self.n_neighbours)
        if not own.any(axis=1).all():
            msg = f"{self.name}: no real user is near enough to another, they share too few items."
            raise NotMeasurableError(msg)
        return np.asarray(
            [
                clipped_density(one.of_point_clipped, real, self.n_neighbours)
                for one, real in zip(counts, own, strict=True)
            ]
        )


class ClippedCoverage(BallMetric):
    r"""Share of good synthetic users that would cover the real ones as well as these do.

    In [0, 1]; 1 is best. .31 says: real users are as well covered as by 31 good users of 100 and 69
    like no one. With n_i the number of synthetic users, m in all, in the ball of real user i of n,
    and f(g) the expectation of the mean where g of the m follow the distribution of the real users
    and the others are in no ball (n_i is beta-binomial then) [1]_,

    .. math:: \frac{1}{m} f^{-1}\left(\frac{1}{n} \sum_i \min(n_i / k, 1)\right).

    A user repeated, or a kind of user made too often, is worth no more than k.

    Exactly linear in the share of good users where there are no ties. Ties, and real users who
    share no item with their k-th neighbour, shift it: compare with the ceiling. Blind to copies.
    At most 1, so that the mean over half-splits of perfect users, the ceiling, is a little below.

    Parameters
    ----------
    k : int
        Number of neighbours, at least 1, fewer than half the held-out users.

    Notes
    -----
    Jaccard distance on item sets; radii are not clipped here. Time grows with the square of the
    number of held-out users; memory does not.

    References
    ----------
    .. [1] Salvy, Talbot & Thirion (2026), "Enhanced generative model evaluation with clipped
       density and coverage".

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = ClippedCoverage(k=5).measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling, found.floor
    (0.76, 0.99, 0.24)
    """

    bounds = (0.0, 1.0)
    ideal = 1.0
    note = MetricNote("1", "how well real users are covered, as a share of good synthetic users")

    def _values(self, evaluator: Evaluator, counts: list[Counts], splits: Splits) -> FloatArray:
        k = self.n_neighbours
        return np.asarray([clipped_coverage(one.of_ball, len(one.of_point), k) for one in counts])


def own_counts(evaluator: Evaluator, splits: Splits, k: int) -> IntArray:
    """Count other real users' clipped balls around each real user of a split, once for all models.

    Returns
    -------
    ndarray of int, shape (n_splits, size)
    """
    held_out = evaluator.held_out

    def compute() -> IntArray:
        needed = real_similarity(evaluator, splits, k)
        themselves = [Split(split.real, split.real) for split in splits]
        counts = counts_on_splits(held_out, held_out, themselves, needed)
        # Everybody is in their own ball, which does not count; but for those who hold no item.
        return np.asarray(
            [
                one.of_point_clipped - (held_out.sizes[split.real] > 0).astype(np.intp)
                for one, split in zip(counts, splits, strict=True)
            ]
        )

    key = split_key(splits, real_only=True)
    return evaluator.remembered(own_counts, k, key, compute=compute)
