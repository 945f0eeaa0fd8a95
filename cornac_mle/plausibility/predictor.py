"""What a profile's other items say of each item: the interface of leave-one-out predictors.

A predictor is a linear map of profiles y to scores yB of all items, with a zero diagonal: an item
has no say in its own score, so that the scores at held items are leave-one-out as they stand.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Self, TypeAlias, final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

COUNTED_ENTRIES = 2**17
"""Scores that are counted together, which should fit a processor's cache; results do not depend on
it."""
LEFT_OUT_BITS = 16
"""Bits of a float32 that its bin leaves out: 128 bins for each power of 2. More where there are
fewer than 2,048 items."""
MANY_ZEROS = 8
"""Items for each score of 0, at most, where scores of 0 are counted apart; results do not depend on
it."""
BINNED_POWERS = 20
"""Powers of 2 below the largest score that have bins."""


Scorer: TypeAlias = Callable[[slice], NDArray[np.float32]]


class LeaveOneOutPredictor(ABC):
    """Item-item weights B with a zero diagonal, learnt from reference users.

    Attributes
    ----------
    reference : csr_array, shape (n_users, n_items)
        The profiles that it was fitted on, float32 ones.
    setting : float
        Setting that `candidates` differ in: a ridge, a rank, a number of neighbours.
    """

    reference: sp.csr_array
    setting: float

    @classmethod
    @abstractmethod
    def candidates(cls, reference: sp.csr_array) -> list[Self]:
        """Fit the predictor at each setting that is worth a try."""

    @abstractmethod
    def scorer(self, profiles: sp.csr_array) -> Scorer:
        """Prepare to score all items for profiles (float32 ones), block by block.

        Returns
        -------
        callable
            Maps a slice of the rows of `profiles` to their yB, (n_block, n_items).
        """

    @final
    def scores(self, profiles: sp.csr_array) -> NDArray[np.float32]:
        """Score all items for a block of profiles (float32 ones): yB, (n_block, n_items)."""
        return self.scorer(profiles)(slice(0, profiles.shape[0]))

    @abstractmethod
    def without(self, users: NDArray[np.intp]) -> Self:
        """Give the predictor in which these users (row numbers of `reference`) had no part."""

    @classmethod
    def each_without(cls, predictors: Sequence[Self], users: NDArray[np.intp]) -> Iterable[Self]:
        """Give `without` of predictors that differ in their setting alone, work shared if it can.

        One at a time, so that memory holds one.
        """
        return (predictor.without(users) for predictor in predictors)


def unit_profiles(items: NDArray[np.intp], n_items: int) -> sp.csr_array:
    """Profiles of one item each: their scores are rows of B, (n, n_items)."""
    ones = np.ones(items.size, dtype=np.float32)
    return sp.csr_array((ones, items, np.arange(items.size + 1)), shape=(items.size, n_items))


def held_percentiles(profiles: sp.csr_array, scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Percentile of every held item's score among the m items that the user does not hold.

    ``(#less + #equal / 2 + 1/2) / (m + 1)``, in (0, 1); 1/2 where the user holds all items.

    Parameters
    ----------
    profiles : csr_array, shape (n_block, n_items)
        Block of profiles.
    scores : ndarray, shape (n_block, n_items)
        Score of every item.

    Returns
    -------
    ndarray, shape (nnz,)
        Percentiles, in the order of ``profiles.indices``.

    Notes
    -----
    Nothing is sorted but the scores next to those of held items: scores are counted in narrow bins,
    those of bins that a held item is in one by one.
    """
    n_users, n_items = profiles.shape
    percentiles = np.empty(profiles.nnz)
    step = min(n_users, max(1, COUNTED_ENTRIES // max(1, n_items)))
    work = _Work.empty((step, n_items))
    for first in range(0, n_users, max(1, step)):
        users = slice(first, min(first + step, n_users))
        own = slice(profiles.indptr[users.start], profiles.indptr[users.stop])
        sizes = np.diff(profiles.indptr[users.start : users.stop + 1])
        user = np.repeat(np.arange(len(sizes)), sizes)
        item = profiles.indices[own].astype(np.intp)
        less, at_most = _counts(scores[users], user, item, work.of(len(sizes)))
        percentiles[own] = ((less + at_most) / 2 + 0.5) / (n_items - sizes[user] + 1)
    return percentiles


class _Work(NamedTuple):
    """Arrays to count in, (n_users, n_items) each.

    New ones each time would cost more than the counting, since the system clears their memory.
    """

    bins: NDArray[np.intp]
    bits: NDArray[np.int32]
    signs: NDArray[np.int32]
    near: NDArray[np.bool_]
    counted: NDArray[np.bool_]

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Self:
        integers = np.empty(shape, np.intp), np.empty(shape, np.int32), np.empty(shape, np.int32)
        return cls(*integers, np.empty(shape, np.bool_), np.empty(shape, np.bool_))

    def of(self, n_users: int) -> "_Work":
        some = slice(n_users)
        integers = self.bins[some], self.bits[some], self.signs[some]
        return _Work(*integers, self.near[some], self.counted[some])


def _counts(
    scores: NDArray[np.float32], user: NDArray[np.intp], item: NDArray[np.intp], work: _Work
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count, for every held item, the items not held that score less, and those that score no more.

    Parameters
    ----------
    scores : ndarray, shape (n_users, n_items)
        Score of every item.
    user, item : ndarray, shape (n_held,)
        Held items, in the order of users.
    work : _Work
        Arrays that are written over, of as many users and items.
    """
    n_users, n_items = scores.shape
    bins, middle = work.bins, _bins(scores, work)
    n_bins = 2 * middle + 1
    bins += (n_bins * np.arange(n_users) + middle)[:, np.newaxis]  # those of the first user first
    own_bin = bins[user, item]
    bins = bins.ravel()
    in_bins = np.bincount(bins, minlength=n_users * n_bins)
    below = np.append(0, np.cumsum(in_bins))[own_bin]

    looked_at = np.zeros(n_users * n_bins, dtype=np.bool_)
    looked_at[own_bin] = True
    is_near = looked_at.take(bins, mode="clip", out=work.near.reshape(-1))
    zeros = np.zeros(n_users, dtype=np.int64)[user]
    if in_bins[middle::n_bins].max() > n_items / MANY_ZEROS:  # such zeros need no look
        counted = np.not_equal(scores, 0, out=work.counted)
        zeros = (n_items - np.count_nonzero(counted, axis=1))[user]
        is_near &= counted.ravel()
        zeros[own_bin - user * n_bins != middle] = 0
    near = np.flatnonzero(is_near)
    keys = np.sort(_keys(bins[near], scores.ravel()[near]))
    held = scores[user, item]
    own = _keys(own_bin, held)
    start = below - user * n_items - np.searchsorted(keys, _keys(own_bin))
    less = start + np.searchsorted(keys, own) + np.where(held > 0, zeros, 0)
    at_most = start + np.searchsorted(keys, own, side="right") + np.where(held >= 0, zeros, 0)

    among = np.sort(own)  # held items are no others
    start = np.searchsorted(among, _keys(user * n_bins))
    less -= np.searchsorted(among, own) - start
    at_most -= np.searchsorted(among, own, side="right") - start
    return less, at_most


def _bins(scores: NDArray[np.float32], work: _Work) -> int:
    """Put scores into narrow bins, numbered from -n to n in the order of scores; gives n.

    Bins are the leading bits of a float32, so that their widths grow with the scores. Magnitudes
    far below the largest share bin 0.
    """
    n_items = scores.shape[1]
    left_out = min(23, LEFT_OUT_BITS + max(0, 12 - n_items.bit_length()))
    bits = np.ascontiguousarray(scores, dtype=np.float32).view(np.int32)
    least = scores.min()
    largest = np.float32(max(abs(scores.max()), abs(least)))
    top = int(largest.view(np.int32)) >> left_out
    base = max(0, top - (BINNED_POWERS << (23 - left_out)))
    bins = np.bitwise_and(bits, np.int32(0x7FFFFFFF), out=work.bits)  # no sign
    bins >>= left_out
    bins -= np.int32(base)
    np.maximum(bins, 0, out=bins)
    if least < 0:
        sign = np.right_shift(bits, 31, out=work.signs)  # -1 of negative numbers
        bins ^= sign
        bins -= sign
    work.bins[...] = bins
    return int(top - base)


def _keys(
    bins: NDArray[np.integer[Any]], scores: NDArray[np.float32] | None = None
) -> NDArray[np.int64]:
    """Make integers in the order of bins and, within a bin, of scores; None comes before all."""
    keys = bins.astype(np.int64) << 32
    if scores is None:
        return keys
    bits = (scores.astype(np.float32, copy=False) + np.float32(0)).view(np.int32)  # 0 for -0
    bits ^= (bits >> 31) & np.int32(0x7FFFFFFF)  # the larger, the smaller, of negative numbers
    return keys + (bits.astype(np.int64) + 2**31)
