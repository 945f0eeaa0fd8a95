"""Balls of users on every half-split: how many users each holds, how many hold each user.

All half-splits share one pass over pairs of users. Of a block of similarities only pairs that can
matter on some split are kept, and looked at once for each split. Where the splits take few users
of many, so that together they compare fewer pairs than one pass over all would, each has its own.
"""

from collections.abc import Sequence

import numpy as np

from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.splits import Split, Splits, split_key
from cornac_mle.neighbours.balls import Counts, kth_bound, pairs_from
from cornac_mle.neighbours.similarity import LEAST_SIMILARITY, similarity_blocks
from cornac_mle.profiles import Profiles
from cornac_mle.sparse import BoolArray, Float32Array, IndexArray


def split_counts(evaluator: Evaluator, users: Profiles, splits: Splits, k: int) -> list[Counts]:
    """Count balls of real users on each split, once for all metrics as long as `users` live."""

    def compute() -> list[Counts]:
        needed = real_similarity(evaluator, splits, k)
        return counts_on_splits(evaluator.held_out, users, splits, needed)

    # The same users may come as the rest of the held-out users and as a pool of their own.
    return evaluator.remembered(users, split_counts, k, split_key(splits), compute=compute)


def split_reach(evaluator: Evaluator, users: Profiles, splits: Splits, k: int) -> list[BoolArray]:
    """Tell which real users of each split are in a ball of `users`, once as long as these live."""

    def compute() -> list[BoolArray]:
        judged = [Split(split.other, split.other) for split in splits]
        needed = neighbour_similarity(users, judged, k)
        return reach_on_splits(evaluator.held_out, users, splits, needed)

    return evaluator.remembered(users, split_reach, k, split_key(splits), compute=compute)


def real_similarity(evaluator: Evaluator, splits: Splits, k: int) -> Float32Array:
    """Similarity that it takes to be in each held-out user's ball, once for all models."""
    return evaluator.remembered(
        real_similarity,
        k,
        split_key(splits, real_only=True),
        compute=lambda: neighbour_similarity(evaluator.held_out, splits, k),
    )  # (n_splits, n_held_out)


def neighbour_similarity(users: Profiles, splits: Splits, k: int) -> Float32Array:
    """Similarity of each user's k-th nearest among the other `real` rows of each split.

    Returns
    -------
    ndarray, shape (n_splits, n_users)
        Filled for the rows in `real`, with at least `LEAST_SIMILARITY`; the others are 0.
    """
    kth = np.zeros((len(splits), len(users)), dtype=np.float32)
    for numbers, rows, _ in _passes([Split(split.real, split.real) for split in splits]):
        matrix = users.matrix[rows]
        member = np.asarray([np.isin(rows, splits[number].real) for number in numbers])
        n_nearest = _nearest_sought(k, float(np.min(np.mean(member, axis=1))))
        for block, similarity in similarity_blocks(matrix, matrix, themselves_from=0):
            found = _kth_of_splits(similarity, member, block, k, n_nearest)
            kth[np.ix_(numbers, rows[block])] = found
    return kth


def counts_on_splits(
    real: Profiles, users: Profiles, splits: Splits, needed: Float32Array
) -> list[Counts]:
    """Count, on each split, judged users in the balls of real ones.

    In the `Counts` of a split, balls are those of its `real` users, points its `other` ones.

    Parameters
    ----------
    real, users : Profiles
        `real` and `other` of the splits are their rows.
    splits : sequence of Split
        Half-splits to count on.
    needed : ndarray, shape (n_splits, n_real)
        Similarity it takes to be in a real user's ball, by `neighbour_similarity`.

    Notes
    -----
    Time n_real x n_users, or n_splits times the square of the size of a half if that is less.
    """
    clipped = clipped_similarity(needed, splits)
    counts = [Counts.none(len(split.real), len(split.other)) for split in splits]
    for numbers, rows, columns in _passes(splits):
        at_row, at_column = _places(splits, numbers, rows, columns)
        radii = needed[np.ix_(numbers, rows)]
        lowest = np.where(at_row >= 0, radii, np.inf).min(axis=0)
        matrices = real.matrix[rows], users.matrix[columns]
        for block, similarity in similarity_blocks(*matrices):
            row, column = pairs_from(similarity, lowest[block, np.newaxis])
            value = similarity[row, column]
            row += block.start
            for place, number in enumerate(numbers):
                kept = (value >= radii[place, row]) & (at_row[place, row] >= 0)
                kept = np.flatnonzero(kept & (at_column[place, column] >= 0))
                first, stop = np.searchsorted(
                    splits[number].real, [rows[block.start], rows[block.stop - 1] + 1]
                )
                own = at_row[place, row[kept]]
                inner = value[kept] >= clipped[number, rows[row[kept]]]
                points = at_column[place, column[kept]]
                counts[number].add(slice(first, stop), own - first, points, inner)
    return counts


def reach_on_splits(
    real: Profiles, users: Profiles, splits: Splits, needed_of_users: Float32Array
) -> list[BoolArray]:
    """Tell, on each split, whether each real user is in the ball of a judged one.

    Parameters
    ----------
    real, users, splits
        As for `counts_on_splits`.
    needed_of_users : ndarray, shape (n_splits, n_users)
        Similarity it takes to be in a judged user's ball.
    """
    reached = [np.zeros(len(split.real), dtype=np.bool_) for split in splits]
    for numbers, rows, columns in _passes(splits):
        at_row, at_column = _places(splits, numbers, rows, columns)
        radii = needed_of_users[np.ix_(numbers, columns)]
        lowest = np.where(at_column >= 0, radii, np.inf).min(axis=0)
        matrices = real.matrix[rows], users.matrix[columns]
        for block, similarity in similarity_blocks(*matrices):
            row, column = pairs_from(similarity, lowest[np.newaxis])
            value = similarity[row, column]
            row += block.start
            for place, number in enumerate(numbers):
                kept = (value >= radii[place, column]) & (at_column[place, column] >= 0)
                own = at_row[place, row[kept]]
                reached[number][own[own >= 0]] = True
    return reached


def clipped_similarity(needed: Float32Array, splits: Splits) -> Float32Array:
    """Similarity that it takes to be in a ball that is no wider than the median ball of its split.

    Returns
    -------
    ndarray, shape (n_splits, n_real)
    """
    medians = [np.median(row[split.real]) for row, split in zip(needed, splits, strict=True)]
    return np.maximum(needed, np.asarray(medians, dtype=np.float32)[:, np.newaxis])


def _passes(splits: Splits) -> list[tuple[IndexArray, IndexArray, IndexArray]]:
    """Numbers of the splits that share a pass, with the rows and columns that any of them has."""
    rows, columns = _union([s.real for s in splits]), _union([s.other for s in splits])
    if len(rows) * len(columns) <= sum(len(s.real) * len(s.other) for s in splits):
        return [(np.arange(len(splits)), rows, columns)]
    return [(np.array([place]), split.real, split.other) for place, split in enumerate(splits)]


def _union(groups: Sequence[IndexArray]) -> IndexArray:
    union: IndexArray = np.unique(np.concatenate(groups))
    return union


def _places(
    splits: Splits, numbers: IndexArray, rows: IndexArray, columns: IndexArray
) -> tuple[IndexArray, IndexArray]:
    """Place of each row in `real`, and of each column in `other`, of each split; -1 of others."""
    places = []
    for known, groups in (
        (rows, [splits[number].real for number in numbers]),
        (columns, [splits[number].other for number in numbers]),
    ):
        at = np.full((len(numbers), len(known)), -1, dtype=np.intp)
        for place, group in enumerate(groups):
            at[place, np.searchsorted(known, group)] = np.arange(len(group))
        places.append(at)
    return places[0], places[1]


def _nearest_sought(k: int, share: float) -> int:
    """Nearest users among which k members, a `share` of all at random, hardly ever fail to be."""
    return int(np.ceil((k + 6 * np.sqrt(k) + 16) / share))


def _kth_of_splits(
    similarity: Float32Array, member: BoolArray, block: slice, k: int, n_nearest: int
) -> Float32Array:
    """Find the k-th nearest member of each split from the nearest of all.

    Parameters
    ----------
    similarity : ndarray, shape (n_block, n_users)
        Similarity of a block of users to all.
    member : ndarray of bool, shape (n_splits, n_users)
        Whether each user is in the split.
    block : slice
        Users that the block is of.
    k : int
        Number of neighbours.
    n_nearest : int
        Nearest users of all that are looked at first; results do not depend on it.

    Returns
    -------
    ndarray, shape (n_splits, n_block)
        At least `LEAST_SIMILARITY`; 0 of users who are not in the split.
    """
    start = np.full(len(similarity), LEAST_SIMILARITY, dtype=np.float32)
    if n_nearest < similarity.shape[1]:
        start = np.maximum(kth_bound(similarity, n_nearest), start)
    row, column = pairs_from(similarity, start[:, np.newaxis])
    value = similarity[row, column]
    order = np.lexsort((-value, row))
    column, value = column[order], value[order]
    edges = np.searchsorted(row, np.arange(len(similarity) + 1))
    kth = np.zeros((len(member), len(similarity)), dtype=np.float32)
    for found, inside in zip(kth, member, strict=True):
        own = np.flatnonzero(inside[block])
        found[own] = LEAST_SIMILARITY
        counted = np.append(0, np.cumsum(inside[column]))  # members among the pairs so far
        wanted = counted[edges[own]] + k
        enough = wanted <= counted[edges[own + 1]]
        found[own[enough]] = value[np.searchsorted(counted, wanted[enough]) - 1]
        for one in own[~enough & (start[own] > LEAST_SIMILARITY)]:  # all members must be looked at
            kth_member = np.partition(similarity[one, inside], -k)[-k]
            found[one] = max(kth_member, np.float32(LEAST_SIMILARITY))
    return kth
