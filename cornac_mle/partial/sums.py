"""What is known of some synthetic users, such that what is known of more of them is a merge."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from cornac_mle.sparse import FloatArray, IndexArray, IntArray

MOST_WORST = 1000
"""Least plausible users who are kept whole, to be looked at."""


@dataclass(frozen=True, eq=False)
class Kept:
    """Synthetic users who are kept whole.

    Attributes
    ----------
    places : ndarray of int, shape (n_users,)
        Place of each among all compared users, in the order of ids.
    scores : ndarray, shape (n_users,)
        Plausibility.
    user_ids : ndarray of str, shape (n_users,)
    matrix : csr_array, shape (n_users, n_items)
    """

    places: IndexArray
    scores: FloatArray
    user_ids: npt.NDArray[np.object_]
    matrix: sp.csr_array

    def taken(self, rows: IndexArray) -> "Kept":
        """Take some of them."""
        return Kept(self.places[rows], self.scores[rows], self.user_ids[rows], self.matrix[rows])

    def with_others(self, other: "Kept") -> "Kept":
        """Put others beside them."""
        return Kept(
            np.concatenate([self.places, other.places]),
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.user_ids, other.user_ids]),
            sp.csr_array(sp.vstack([self.matrix, other.matrix], format="csr")),
        )

    def worst(self) -> "Kept":
        """Take the least plausible, `MOST_WORST` at most; of equals those of the first ids."""
        return self.taken(np.lexsort((self.places, self.scores))[:MOST_WORST])


@dataclass(frozen=True, eq=False)
class Copying:
    """Whom synthetic users are nearest to, where there are training users.

    Attributes
    ----------
    weights : ndarray, shape (n_train + n_held_out,)
        Sum over synthetic users of the share of their nearest neighbours that each real user is.
    n_train_nearest : float
        Sum of the shares of training users among the nearest.
    similarity : ndarray, shape (n_train + n_held_out,)
        Jaccard similarity of each real user to the nearest synthetic one.
    """

    weights: FloatArray
    n_train_nearest: float
    similarity: FloatArray


@dataclass(frozen=True, eq=False)
class Partial:
    """What is known of the synthetic users of some blocks; `merge` adds other blocks.

    All counts are exact, whatever the order of merges. `Copying.weights` are sums of fractions, and
    agree but for rounding.

    Attributes
    ----------
    scores : mapping of int to ndarray
        Plausibility of the users of each block, by its number: 8 bytes a user, and the one thing
        that grows with the users. The permutation test and the curves ask for it.
    ranks : mapping of (str, str) to ndarray of int, shape (n_held_out + 1,)
        Users by how many held-out users score at most as much, for each judge and tail: p-values
        are these ranks, (1 + rank) / (1 + n), so that the histogram holds all of them exactly.
    item_counts : ndarray of int, shape (n_items,)
        Users who hold each item.
    sizes : ndarray of int
        Users by number of items.
    identical : mapping of str to int
        Users who hold exactly the items of a real user, by group.
    pairs : ndarray of int, shape (n_pairs,)
        Users who hold both items of each pair that real users keep apart.
    copying : Copying or None
        None without training users.
    picked : Kept
        Users whom half-splits take.
    worst : Kept
        The least plausible users.
    """

    scores: Mapping[int, FloatArray]
    ranks: Mapping[tuple[str, str], IntArray]
    item_counts: IntArray
    sizes: IntArray
    identical: Mapping[str, int]
    pairs: IntArray
    copying: Copying | None
    picked: Kept
    worst: Kept

    @property
    def n_users(self) -> int:
        """Users in all blocks."""
        return int(self.sizes.sum())


def merge(one: Partial, other: Partial) -> Partial:
    """Put together what is known of the users of different blocks.

    Raises
    ------
    ValueError
        If a block is in both: its users would count twice.

    Examples
    --------
    >>> from cornac_mle.partial.example import example_blocks
    >>> first, second = example_blocks()
    >>> merge(first, second).n_users == first.n_users + second.n_users
    True
    """
    if one.scores.keys() & other.scores.keys():
        msg = "`other` must be of other blocks; got a block twice."
        raise ValueError(msg)
    return Partial(
        scores={**one.scores, **other.scores},
        ranks={name: count + other.ranks[name] for name, count in one.ranks.items()},
        item_counts=one.item_counts + other.item_counts,
        sizes=_added(one.sizes, other.sizes),
        identical={name: count + other.identical[name] for name, count in one.identical.items()},
        pairs=one.pairs + other.pairs,
        copying=_merged_copying(one.copying, other.copying),
        picked=one.picked.with_others(other.picked),
        worst=one.worst.with_others(other.worst).worst(),
    )


def _added(one: IntArray, other: IntArray) -> IntArray:
    """Add counts of different lengths."""
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    total = longer.copy()
    total[: len(shorter)] += shorter
    return total


def _merged_copying(one: Copying | None, other: Copying | None) -> Copying | None:
    if one is None or other is None:
        return None
    return Copying(
        one.weights + other.weights,
        one.n_train_nearest + other.n_train_nearest,
        np.maximum(one.similarity, other.similarity),
    )


def rank_counts(scores: FloatArray, calibration: FloatArray) -> IntArray:
    """Count users by how many calibration scores are at most theirs, (n + 1,).

    >>> rank_counts(np.array([0.0, 1.0, 9.0]), np.array([1.0, 2.0])).tolist()
    [1, 1, 1]
    """
    ranks = np.searchsorted(np.sort(calibration), scores, side="right")
    return np.bincount(ranks, minlength=len(calibration) + 1)


def p_values_of_ranks(counts: IntArray) -> tuple[FloatArray, FloatArray]:
    """p-value of each rank, and its Benjamini-Hochberg q-value among all users, (n + 1,) each.

    >>> p_values, q_values = p_values_of_ranks(np.array([2, 1, 1]))
    >>> p_values.round(2).tolist(), q_values.round(2).tolist()
    ([0.33, 0.67, 1.0], [0.67, 0.89, 1.0])
    """
    p_values = (1 + np.arange(len(counts))) / len(counts)
    up_to = np.cumsum(counts)
    # As `scipy.stats.false_discovery_control` does, of equal p-values the last one counts.
    raised = np.where(counts > 0, p_values * (up_to[-1] / np.maximum(up_to, 1)), np.inf)
    q_values = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return p_values, q_values


def size_array(counts: IntArray) -> IntArray:
    """Sizes of all users, ascending, from the number of users of each size."""
    return np.repeat(np.arange(len(counts)), counts)
