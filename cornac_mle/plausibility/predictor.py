"""What a profile's other items say of each item: the interface of leave-one-out predictors.

A predictor is a linear map of profiles y to scores yB of all items, with a zero diagonal: an item
has no say in its own score, so that the scores at held items are leave-one-out as they stand.
"""

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from cornac_mle.sparse import user_of


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
    """
    held = scores[user_of(profiles), profiles.indices]
    others = scores.copy()
    others[user_of(profiles), profiles.indices] = np.inf
    others.sort(axis=1)  # the items not held come first
    percentiles = np.empty(profiles.nnz)
    for user in range(profiles.shape[0]):
        own = slice(profiles.indptr[user], profiles.indptr[user + 1])
        m = profiles.shape[1] - (own.stop - own.start)
        not_held = others[user, :m]
        less = np.searchsorted(not_held, held[own], side="left")
        at_most = np.searchsorted(not_held, held[own], side="right")
        percentiles[own] = ((less + at_most) / 2 + 0.5) / (m + 1)
    return percentiles
