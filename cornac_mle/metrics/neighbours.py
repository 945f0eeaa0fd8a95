"""Nearest neighbours on raw item sets: are real users covered by synthetic ones."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cornac_mle.checks import check_count
from cornac_mle.kernels import similarity_blocks
from cornac_mle.metrics.base import FloatArray, SplitMetric
from cornac_mle.metrics.evaluator import Evaluator, Split
from cornac_mle.profiles import Profiles
from cornac_mle.result import MetricNote


class NeighbourCoverage(SplitMetric):
    """Share of real users who have a synthetic user within their k-th real neighbour's distance.

    In [0, 1]; best is the ceiling, which is below 1 because other real users do not cover all
    either. Coverage of Naeem et al. (2020), with Jaccard distance on item sets instead of
    Euclidean distance in an embedding, ``<=`` for ties, and one rule more: users who share no item
    (distance 1) are never neighbours, without which everybody covers a user whose k-th neighbour
    shares nothing. Low: the models leave out kinds of real users, or make up users like no one.

    Parameters
    ----------
    k : int
        Neighbours, at least 1, fewer than half the held-out users.

    Notes
    -----
    Time grows with the square of the number of held-out users; memory does not.
    """

    bounds = (0.0, 1.0)
    ideal = None
    note = MetricNote("ceiling", "real users with a synthetic user as near as real neighbours")

    def __init__(self, k: int = 5) -> None:
        # Cornac reads `k` as a cut-off of rankings, so the setting has another name here.
        self.n_neighbours = check_count("k", k)
        self.minimum_users = self.n_neighbours + 1
        super().__init__(name=f"NeighbourCoverage@{self.n_neighbours}")

    def _on_splits(
        self, evaluator: Evaluator, users: Profiles, splits: Sequence[Split]
    ) -> FloatArray:
        size = len(splits[0].real)
        needed = evaluator.remember(
            ("neighbour similarity", self.n_neighbours, size),
            lambda: neighbour_similarity(evaluator.held_out, splits, self.n_neighbours),
        )  # (n_splits, n_held_out)
        return coverage(evaluator.held_out, users, splits, needed)


def neighbour_similarity(
    users: Profiles, splits: Sequence[Split], k: int
) -> npt.NDArray[np.float32]:
    """Similarity of each user's k-th nearest among the other `real` rows of each split.

    Returns
    -------
    ndarray, shape (n_splits, n_users)
        Filled for the rows in `real`; the others are 0.
    """
    kth = np.zeros((len(splits), len(users)), dtype=np.float32)
    for rows, block in similarity_blocks(users.matrix, users.matrix):
        block[np.arange(len(block)), np.arange(rows.start, rows.stop)] = -1.0  # not its own
        for place, split in enumerate(splits):
            own = split.real[(split.real >= rows.start) & (split.real < rows.stop)]
            among = block[np.ix_(own - rows.start, split.real)]
            kth[place, own] = np.partition(among, -k, axis=1)[:, -k]
    return kth


def coverage(
    real: Profiles,
    users: Profiles,
    splits: Sequence[Split],
    needed: npt.NDArray[np.float32],
) -> FloatArray:
    """Share of the `real` rows of each split that one of the `other` rows is near enough to."""
    covered = np.zeros(len(splits))
    for rows, block in similarity_blocks(real.matrix, users.matrix):
        for place, split in enumerate(splits):
            own = split.real[(split.real >= rows.start) & (split.real < rows.stop)]
            best = block[np.ix_(own - rows.start, split.other)].max(axis=1, initial=0.0)
            covered[place] += np.sum((best >= needed[place, own]) & (best > 0))
    return covered / len(splits[0].real)
