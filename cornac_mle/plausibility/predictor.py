"""What a profile's other items say of each item: the interface of leave-one-out predictors.

A predictor is a linear map of profiles y to scores yB of all items, with a zero diagonal: an item
has no say in its own score, so that the scores at held items are leave-one-out as they stand.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar, Self, TypeAlias, final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

COMPARED_ENTRIES = 2**18
"""Scores that are compared together, which should fit a processor's cache; results do not depend on
it."""
LEAST_LEVEL = np.int32((127 - 20) << 10)
"""Leading bits, the sign left out, of 2^-20 as a float32: exponent, and 10 bits of the fraction."""


Scorer: TypeAlias = Callable[[slice], NDArray[np.float32]]


class LeaveOneOutPredictor(ABC):
    """Item-item weights B with a zero diagonal, learnt from reference users.

    Attributes
    ----------
    reference : csr_array, shape (n_users, n_items)
        The profiles that it was fitted on, float32 ones.
    setting : float
        Setting that `candidates` differ in: a ridge, a rank, a number of neighbours.
    refits : bool
        Whether `without` fits again, which takes longer than to score.
    """

    refits: ClassVar[bool] = True
    reference: sp.csr_array
    setting: float

    @classmethod
    @abstractmethod
    def candidates(cls, reference: sp.csr_array) -> list[Self]:
        """Fit the predictor at each setting that is worth a try."""

    @classmethod
    @abstractmethod
    def at_each(cls, settings: Sequence[float], reference: sp.csr_array) -> list[Self]:
        """Fit at each of these settings, sharing what they have in common."""

    @classmethod
    def together_and_alone(
        cls, settings: Sequence[float], reference: sp.csr_array
    ) -> list[tuple[Self, Self]]:
        """Fit each as `at_each` of all settings does, and as it does of that setting alone."""
        return [(one, one) for one in cls.at_each(settings, reference)]

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

    @classmethod
    def scores_of_each(
        cls, predictors: Iterable[Self], profiles: sp.csr_array
    ) -> Iterator[NDArray[np.float32]]:
        """Score a block of profiles by predictors that differ in their setting alone, in turn."""
        return (each.scores(profiles) for each in predictors)

    def without(self, users: NDArray[np.intp]) -> Self:
        """Give the predictor in which these users (row numbers of `reference`) had no part."""
        return next(iter(self.each_without([self], users)))

    @classmethod
    def each_without(cls, predictors: Sequence[Self], users: NDArray[np.intp]) -> Iterable[Self]:
        """Give `without` of predictors that differ in their setting alone: fit again, together."""
        reference = predictors[0].reference
        kept = np.setdiff1d(np.arange(reference.shape[0]), users)
        return cls.at_each([each.setting for each in predictors], reference[kept])


def unit_profiles(items: NDArray[np.intp], n_items: int) -> sp.csr_array:
    """Profiles of one item each: their scores are rows of B, (n, n_items)."""
    ones = np.ones(items.size, dtype=np.float32)
    return sp.csr_array((ones, items, np.arange(items.size + 1)), shape=(items.size, n_items))


def held_percentiles(profiles: sp.csr_array, scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Percentile of every held item's score among the m items that the user does not hold.

    ``(#less + #equal / 2 + 1/2) / (m + 1)``, in (0, 1); 1/2 where the user holds all items. Scores
    are compared by 11 significant bits (`score_levels`): noise of floating point decides nothing.

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
    16 bits are sorted by their digits, in time n_items for each user.
    """
    n_users, n_items = profiles.shape
    percentiles = np.empty(profiles.nnz)
    step = max(1, COMPARED_ENTRIES // max(1, n_items))
    for first in range(0, n_users, step):
        users = slice(first, min(first + step, n_users))
        own = slice(profiles.indptr[users.start], profiles.indptr[users.stop])
        edges = profiles.indptr[users.start : users.stop + 1] - own.start
        sizes = np.diff(edges)
        user = np.repeat(np.arange(len(sizes)), sizes)
        levels = score_levels(scores[users])
        level = levels[user, profiles.indices[own]]
        levels.sort(axis=1, kind="stable")  # of 16 bits: by digits
        held = (user.astype(np.uint32) << 16) + level
        order = np.argsort(held)
        among = held[order]
        # At most a level is below the next one. Row by row, which a processor's cache holds.
        sought = np.stack([among, among + np.uint32(1)]).astype(np.uint16)  # cuts the user off
        found = np.empty(sought.shape, dtype=np.int64)
        for row, start, stop in zip(levels, edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            found[:, start:stop] = row.searchsorted(sought[:, start:stop])
        found[1, sought[1] == 0] = n_items  # above the largest level
        twice = np.empty(len(among), dtype=np.int64)
        twice[order] = found.sum(axis=0) - _below_and_at_most(among)  # held items are no others
        before = edges[:-1][user]
        percentiles[own] = (twice / 2 + before + 0.5) / (n_items - sizes[user] + 1)
    return percentiles


def _below_and_at_most(ascending: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Count, for each of ascending numbers, those below it and those at most as large, added up.

    >>> _below_and_at_most(np.array([1, 4, 4, 9], dtype=np.uint32)).tolist()
    [1, 4, 4, 7]
    """
    starts = np.flatnonzero(np.append(True, ascending[1:] != ascending[:-1])[: len(ascending)])
    ends = np.append(starts[1:], len(ascending))
    return np.repeat(starts + ends, ends - starts)


def score_levels(scores: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Round scores to 11 significant bits, as integers in their order; of the same shape.

    Scores below 1e-6, in magnitude, are 0: predictions are about 1 for items that are held and 0
    for others, and such differences are the noise of floating point. Those above 4,096 are equal.

    >>> score_levels(np.array([-2.0, -1e-7, 0.0, 1.0, 1.0001, 1.01], dtype=np.float32)).tolist()
    [11264, 32768, 32768, 53248, 53248, 53258]
    """
    bits = np.ascontiguousarray(scores, dtype=np.float32).view(np.int32)
    levels = bits & np.int32(0x7FFFFFFF)  # of magnitudes, in their order
    levels >>= 13
    levels -= LEAST_LEVEL
    levels.clip(0, 2**15 - 1, out=levels)
    sign = bits >> 31  # -1 of negative numbers
    levels ^= sign
    levels -= sign
    levels += 2**15
    return levels.astype(np.uint16)
