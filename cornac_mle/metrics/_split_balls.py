"""Balls of users on every half-split: how many users each holds, how many hold each user."""

import numpy as np
import numpy.typing as npt

from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.splits import Split, Splits, split_key
from cornac_mle.neighbours.balls import Counts, pairs_from
from cornac_mle.neighbours.similarity import LEAST_SIMILARITY, similarity_blocks
from cornac_mle.profiles import Profiles


def split_counts(evaluator: Evaluator, users: Profiles, splits: Splits, k: int) -> list[Counts]:
    """Count balls and users of each split, once for all metrics as long as `users` live."""

    def compute() -> list[Counts]:
        needed = real_similarity(evaluator, splits, k)
        judged = [Split(split.other, split.other) for split in splits]
        needed_of_users = neighbour_similarity(users, judged, k)
        return counts_on_splits(evaluator.held_out, users, splits, needed, needed_of_users)

    # The same users may come as the rest of the held-out users and as a pool of their own.
    return evaluator.remembered(users, split_counts, k, split_key(splits), compute=compute)


def real_similarity(evaluator: Evaluator, splits: Splits, k: int) -> npt.NDArray[np.float32]:
    """Similarity that it takes to be in each held-out user's ball, once for all models."""
    return evaluator.remembered(
        real_similarity,
        k,
        split_key(splits, real_only=True),
        compute=lambda: neighbour_similarity(evaluator.held_out, splits, k),
    )  # (n_splits, n_held_out)


def neighbour_similarity(users: Profiles, splits: Splits, k: int) -> npt.NDArray[np.float32]:
    """Similarity of each user's k-th nearest among the other `real` rows of each split.

    Returns
    -------
    ndarray, shape (n_splits, n_users)
        Filled for the rows in `real`, with at least `LEAST_SIMILARITY`; the others are 0.
    """
    kth = np.zeros((len(splits), len(users)), dtype=np.float32)
    for rows, block in similarity_blocks(users.matrix, users.matrix, themselves_from=0):
        for place, split in enumerate(splits):
            own = split.real[(split.real >= rows.start) & (split.real < rows.stop)]
            among = block[own - rows.start].take(split.real, axis=1)
            nearest = np.partition(among, -k, axis=1)[:, -k]
            kth[place, own] = np.maximum(nearest, LEAST_SIMILARITY)
    return kth


def counts_on_splits(
    real: Profiles,
    users: Profiles,
    splits: Splits,
    needed: npt.NDArray[np.float32],
    needed_of_users: npt.NDArray[np.float32],
) -> list[Counts]:
    """Count, on each split, judged users in the balls of real ones and the other way round.

    In the `Counts` of a split, balls are those of its `real` users, points its `other` ones.

    Parameters
    ----------
    real, users : Profiles
        `real` and `other` of the splits are their rows.
    splits : sequence of Split
        Half-splits to count on.
    needed, needed_of_users : ndarray, shape (n_splits, n_real) and (n_splits, n_users)
        Similarity it takes to be in a user's ball, by `neighbour_similarity`.

    Notes
    -----
    Time n_real x n_users, and n_splits times the square of the size of a half.
    """
    clipped = clipped_similarity(needed, splits)
    counts = [Counts.none(len(split.real), len(split.other)) for split in splits]
    for rows, block in similarity_blocks(real.matrix, users.matrix):
        for place, split in enumerate(splits):
            first, end = np.searchsorted(split.real, [rows.start, rows.stop])
            own = split.real[first:end]
            near = block[own - rows.start].take(split.other, axis=1)
            row, column = pairs_from(near, needed[place, own][:, np.newaxis])
            inner = near[row, column] >= clipped[place, own[row]]
            counts[place].add(slice(first, end), row, column, inner)
            row, _ = pairs_from(near, needed_of_users[place, split.other][np.newaxis])
            counts[place].in_reach[first + row] = True
    return counts


def clipped_similarity(needed: npt.NDArray[np.float32], splits: Splits) -> npt.NDArray[np.float32]:
    """Similarity that it takes to be in a ball that is no wider than the median ball of its split.

    Returns
    -------
    ndarray, shape (n_splits, n_real)
    """
    medians = [np.median(row[split.real]) for row, split in zip(needed, splits, strict=True)]
    return np.maximum(needed, np.asarray(medians, dtype=np.float32)[:, np.newaxis])
