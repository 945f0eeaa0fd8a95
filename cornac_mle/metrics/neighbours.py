"""Nearest neighbours on raw item sets: precision, recall, density and coverage of users.

A user's ball reaches to the k-th nearest neighbour in their own group, and holds whoever is as near
(``<=``). Distance is Jaccard distance of item sets, and users who share no item (distance 1) are
never neighbours: otherwise everybody is in the ball of a user whose k-th neighbour shares nothing.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cornac_mle.checks import check_count
from cornac_mle.metrics.base import SplitMetric
from cornac_mle.metrics.evaluator import Evaluator, Split, split_key
from cornac_mle.neighbours.balls import pairs_from
from cornac_mle.neighbours.similarity import LEAST_SIMILARITY, similarity_blocks
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import MetricNote
from cornac_mle.sparse import FloatArray, IntArray

POWERLESS_GAP = 0.1
"""Where the ceiling is not this far above the floor, a metric tells nobody apart."""


@dataclass(frozen=True, eq=False)
class SplitCounts:
    """How many users each ball holds, and how many balls hold each user, on every half-split.

    Attributes
    ----------
    of_real : ndarray of int, shape (n_splits, size)
        Judged users in the ball of each real user.
    of_users : ndarray of int, shape (n_splits, size)
        Real users' balls that hold each judged user.
    of_users_clipped : ndarray of int, shape (n_splits, size)
        The same with no ball wider than the median one of the split.
    in_reach : ndarray of bool, shape (n_splits, size)
        Whether each real user is in the ball of a judged user.
    """

    of_real: IntArray
    of_users: IntArray
    of_users_clipped: IntArray
    in_reach: npt.NDArray[np.bool_]


class NeighbourMetric(SplitMetric):
    """A metric of neighbours; balls are computed once for all metrics of the same k.

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

    @abstractmethod
    def _values(
        self, evaluator: Evaluator, counts: SplitCounts, splits: Sequence[Split]
    ) -> FloatArray:
        """Compute the metric on each split, (n_splits,)."""

    def _on_splits(
        self, evaluator: Evaluator, users: Profiles, splits: Sequence[Split]
    ) -> FloatArray:
        counts = split_counts(evaluator, users, splits, self.n_neighbours)
        return self._values(evaluator, counts, splits)

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


class NeighbourPrecision(NeighbourMetric):
    """Share of synthetic users who are in the ball of a real user.

    In [0, 1]; best is the ceiling, what other real users get. .31 says that 31 of 100 synthetic
    users have a real user to whom they are at least as near as that user's k-th real neighbour.
    Low: users like no real one.

    Blind to missing kinds of users, to copies, and to one user repeated; wide balls of real users
    with rare tastes let nearly anybody pass, so look at the floor and at `caution`.

    Parameters
    ----------
    k : int
        Neighbours, at least 1, fewer than half the held-out users.

    Notes
    -----
    Kynkäänniemi et al. (2019), "Improved precision and recall metric for assessing generative
    models", with Jaccard distance on item sets instead of Euclidean distance in an embedding. Time
    grows with the square of the number of held-out users; memory does not.
    """

    bounds = (0.0, 1.0)
    is_share = True
    ideal = None
    note = MetricNote("ceiling", "synthetic users as near to a real user as real neighbours")

    def _values(
        self, evaluator: Evaluator, counts: SplitCounts, splits: Sequence[Split]
    ) -> FloatArray:
        return np.asarray(np.mean(counts.of_users > 0, axis=1))


class NeighbourRecall(NeighbourMetric):
    """Share of real users who are in the ball of a synthetic user.

    In [0, 1]; best is the ceiling, what other real users get. Low: kinds of real users are missing.
    .31 says that 31 of 100 real users have a synthetic user to whom they are at least as near as
    that one's k-th synthetic neighbour.

    Blind to users like no one, and rewarded by them: a synthetic user far from everybody has a wide
    ball, which holds many real users, so that independent popularity may get more than real users
    do. `NeighbourCoverage` has no such weakness; prefer it. Blind to copies.
    One user repeated has balls of radius 0 and a recall near 0.

    Parameters
    ----------
    k : int
        Neighbours, at least 1, fewer than half the held-out users.

    Notes
    -----
    Kynkäänniemi et al. (2019), as `NeighbourPrecision`. Time grows with the square of the number of
    held-out users; memory does not.
    """

    bounds = (0.0, 1.0)
    is_share = True
    ideal = None
    note = MetricNote("ceiling", "real users as near to a synthetic user as synthetic neighbours")

    def _values(
        self, evaluator: Evaluator, counts: SplitCounts, splits: Sequence[Split]
    ) -> FloatArray:
        return np.asarray(np.mean(counts.in_reach, axis=1))


class NeighbourDensity(NeighbourMetric):
    """Mean number of real users' balls that a synthetic user is in, over k.

    In [0, inf); best is the ceiling, about 1 where there are few ties: ``mean_j #{i: j in ball i} /
    k``. A value of .31 at k = 5 says that a synthetic user is among the 5 nearest of 1.6 real users
    on average. Low: users like no real one. Above the ceiling: users are crowded where real users
    are densest, which the most typical user repeated does to the extreme.

    Blind to missing kinds of users and to copies.

    Parameters
    ----------
    k : int
        Neighbours, at least 1, fewer than half the held-out users.

    Notes
    -----
    Naeem et al. (2020), "Reliable fidelity and diversity metrics for generative models", with
    Jaccard distance. Time grows with the square of the number of held-out users; memory does not.
    """

    bounds = (0.0, np.inf)
    ideal = None
    note = MetricNote("ceiling", "real users' neighbourhoods that a synthetic user is in, over k")

    def _values(
        self, evaluator: Evaluator, counts: SplitCounts, splits: Sequence[Split]
    ) -> FloatArray:
        return np.asarray(np.mean(counts.of_users, axis=1) / self.n_neighbours)


class NeighbourCoverage(NeighbourMetric):
    """Share of real users who have a synthetic user within their k-th real neighbour's distance.

    In [0, 1]; best is the ceiling, which is below 1 because other real users do not cover all
    either. .31 says that 31 of 100 real users have a synthetic user at least as near as their k-th
    real neighbour. Low: the models leave out kinds of real users, or make up users like no one.

    Blind to copies, and to users like no one as long as there are enough others.

    Parameters
    ----------
    k : int
        Neighbours, at least 1, fewer than half the held-out users.

    Notes
    -----
    Naeem et al. (2020), as `NeighbourDensity`. Time grows with the square of the number of held-out
    users; memory does not.
    """

    bounds = (0.0, 1.0)
    is_share = True
    ideal = None
    note = MetricNote("ceiling", "real users with a synthetic user as near as real neighbours")

    def _values(
        self, evaluator: Evaluator, counts: SplitCounts, splits: Sequence[Split]
    ) -> FloatArray:
        return np.asarray(np.mean(counts.of_real > 0, axis=1))


def split_counts(
    evaluator: Evaluator, users: Profiles, splits: Sequence[Split], k: int
) -> SplitCounts:
    """Count balls and users of each split, once for all metrics as long as `users` live."""

    def compute() -> SplitCounts:
        needed = real_similarity(evaluator, splits, k)
        judged = [Split(split.other, split.other) for split in splits]
        needed_of_users = neighbour_similarity(users, judged, k)
        return counts_on_splits(evaluator.held_out, users, splits, needed, needed_of_users)

    # The same users may come as the rest of the held-out users and as a pool of their own.
    return evaluator.remembered(users, split_counts, k, split_key(splits), compute=compute)


def real_similarity(
    evaluator: Evaluator, splits: Sequence[Split], k: int
) -> npt.NDArray[np.float32]:
    """Similarity that it takes to be in each held-out user's ball, once for all models."""
    return evaluator.remembered(
        real_similarity,
        k,
        split_key(splits, real_only=True),
        compute=lambda: neighbour_similarity(evaluator.held_out, splits, k),
    )  # (n_splits, n_held_out)


def neighbour_similarity(
    users: Profiles, splits: Sequence[Split], k: int
) -> npt.NDArray[np.float32]:
    """Similarity of each user's k-th nearest among the other `real` rows of each split.

    Returns
    -------
    ndarray, shape (n_splits, n_users)
        Filled for the rows in `real`, with at least `LEAST_SIMILARITY`; the others are 0.
    """
    kth = np.zeros((len(splits), len(users)), dtype=np.float32)
    for rows, block in similarity_blocks(users.matrix, users.matrix):
        block[np.arange(len(block)), np.arange(rows.start, rows.stop)] = -1.0  # not its own
        for place, split in enumerate(splits):
            own = split.real[(split.real >= rows.start) & (split.real < rows.stop)]
            among = block[own - rows.start].take(split.real, axis=1)
            nearest = np.partition(among, -k, axis=1)[:, -k]
            kth[place, own] = np.maximum(nearest, LEAST_SIMILARITY)
    return kth


def counts_on_splits(
    real: Profiles,
    users: Profiles,
    splits: Sequence[Split],
    needed: npt.NDArray[np.float32],
    needed_of_users: npt.NDArray[np.float32],
) -> SplitCounts:
    """Count, on each split, judged users in the balls of real ones and the other way round.

    Parameters
    ----------
    real, users : Profiles
        `real` and `other` of the splits are their rows.
    splits : sequence of Split
    needed, needed_of_users : ndarray, shape (n_splits, n_real) and (n_splits, n_users)
        Similarity it takes to be in a user's ball, by `neighbour_similarity`.

    Notes
    -----
    Time n_real x n_users, and n_splits times the square of the size of a half.
    """
    size, n_splits = len(splits[0].real), len(splits)
    clipped = clipped_similarity(needed, splits)
    of_real, of_users, of_users_clipped = (
        np.zeros((n_splits, size), dtype=np.intp) for _ in range(3)
    )
    in_reach = np.zeros((n_splits, size), dtype=np.bool_)
    for rows, block in similarity_blocks(real.matrix, users.matrix):
        for place, split in enumerate(splits):
            first, end = np.searchsorted(split.real, [rows.start, rows.stop])
            own = split.real[first:end]
            near = block[own - rows.start].take(split.other, axis=1)
            row, column = pairs_from(near, needed[place, own][:, np.newaxis])
            inner = near[row, column] >= clipped[place, own[row]]
            of_real[place, first:end] = np.bincount(row, minlength=len(own))
            of_users[place] += np.bincount(column, minlength=size)
            of_users_clipped[place] += np.bincount(column[inner], minlength=size)
            row, _ = pairs_from(near, needed_of_users[place, split.other][np.newaxis])
            in_reach[place, first + row] = True
    return SplitCounts(of_real, of_users, of_users_clipped, in_reach)


def clipped_similarity(
    needed: npt.NDArray[np.float32], splits: Sequence[Split]
) -> npt.NDArray[np.float32]:
    """Similarity that it takes to be in a ball that is no wider than the median ball of its split.

    Returns
    -------
    ndarray, shape (n_splits, n_real)
    """
    medians = [np.median(row[split.real]) for row, split in zip(needed, splits, strict=True)]
    return np.maximum(needed, np.asarray(medians, dtype=np.float32)[:, np.newaxis])
