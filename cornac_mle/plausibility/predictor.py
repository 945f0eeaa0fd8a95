"""What a profile's other items say of each item: the interface of leave-one-out predictors.

A predictor is a linear map of profiles y to scores yB of all items, with a zero diagonal: an item
has no say in its own score, so that the scores at held items are leave-one-out as they stand.
"""

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

COUNTED_ENTRIES = 2**19
"""Scores that are counted together, which should fit a processor's cache; results do not depend on
it."""
MOST_BIN_BITS = 15
"""Leading bits of a float32 that make its bin: 64 bins for each power of 2. Fewer where there are
fewer items."""


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
    def scores(self, profiles: sp.csr_array) -> NDArray[np.float32]:
        """Score all items for a block of profiles (float32 ones): yB, (n_block, n_items)."""

    @abstractmethod
    def without(self, users: NDArray[np.intp]) -> Self:
        """Give the predictor in which these users (row numbers of `reference`) had no part."""


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
    step = max(1, COUNTED_ENTRIES // max(1, n_items))
    for first in range(0, n_users, step):
        users = slice(first, min(first + step, n_users))
        own = slice(profiles.indptr[users.start], profiles.indptr[users.stop])
        sizes = np.diff(profiles.indptr[users.start : users.stop + 1])
        user = np.repeat(np.arange(len(sizes)), sizes)
        less, at_most = _counts(scores[users], user, profiles.indices[own].astype(np.intp))
        percentiles[own] = ((less + at_most) / 2 + 0.5) / (n_items - sizes[user] + 1)
    return percentiles


def _counts(
    scores: NDArray[np.float32], user: NDArray[np.intp], item: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count, for every held item, the items not held that score less, and those that score no more.

    Parameters
    ----------
    scores : ndarray, shape (n_users, n_items)
        Score of every item.
    user, item : ndarray, shape (n_held,)
        Held items, in the order of users.
    """
    n_users, n_items = scores.shape
    order = _ordered_integers(scores)
    held = order[user, item]
    bins = order >> (32 - min(MOST_BIN_BITS, n_items.bit_length() + 1))
    lowest = int(bins.min())
    n_bins = int(bins.max()) - lowest + 1
    bins += (n_bins * np.arange(n_users, dtype=np.int32) - np.int32(lowest))[:, np.newaxis]
    own_bin = bins[user, item]  # bins of the first user come first
    order, bins = order.ravel(), bins.ravel()
    below = np.append(0, np.cumsum(np.bincount(bins, minlength=n_users * n_bins)))

    looked_at = np.zeros(n_users * n_bins, dtype=np.bool_)
    looked_at[own_bin] = True
    # Where most scores are 0, these need no look: 0 is the least of its bin.
    near = np.flatnonzero(looked_at[bins] & (order != 0))
    keys = np.sort(_keys(bins[near], order[near]))
    own = _keys(own_bin, held)
    zeros = np.count_nonzero(scores == 0, axis=1)[user]
    zeros[own_bin - user * n_bins != -lowest] = 0
    start = below[own_bin] - user * n_items - np.searchsorted(keys, _keys(own_bin, None))
    less = start + np.searchsorted(keys, own) + np.where(held > 0, zeros, 0)
    at_most = start + np.searchsorted(keys, own, side="right") + zeros

    among = np.sort(own)  # held items are no others
    start = np.searchsorted(among, _keys(user * n_bins, None))
    less -= np.searchsorted(among, own) - start
    at_most -= np.searchsorted(among, own, side="right") - start
    return less, at_most


def _ordered_integers(scores: NDArray[np.float32]) -> NDArray[np.int32]:
    """Make integers that are in the order of the scores, 0 of 0."""
    order: NDArray[np.int32] = (scores.astype(np.float32, copy=False) + np.float32(0)).view(
        np.int32
    )
    order ^= (order >> 31) & np.int32(0x7FFFFFFF)  # the larger, the smaller, of negative numbers
    return order


def _keys(bins: NDArray[np.integer[Any]], order: NDArray[np.int32] | None) -> NDArray[np.int64]:
    """Make integers in the order of bins and, within a bin, of `order`; None comes before all."""
    keys = bins.astype(np.int64) << 32
    return keys if order is None else keys + (order.astype(np.int64) + 2**31)
