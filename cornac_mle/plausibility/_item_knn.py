"""Item nearest neighbours: items vote for the items that the same users hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from cornac_mle.plausibility.predictor import LeaveOneOutPredictor, Scorer
from cornac_mle.sparse import user_of

NEIGHBOURS = (50, 200)
"""Candidates for the number of neighbours that an item keeps."""
SHRINKAGE = 10.0
"""Users added to the denominator of a similarity: few users in common say little."""
BLOCK_ITEMS = 1024
"""Items whose neighbours are sought together; results do not depend on it."""
BLOCK_USERS = 16
"""Users who are scored together, which should fit a processor's cache; results do not depend on
it."""


@dataclass(frozen=True, eq=False)
class ItemKnnPredictor(LeaveOneOutPredictor):
    """Weights B_ij = shrunken cosine of items i and j, for the nearest neighbours i of j only.

    cosine_ij = c_ij / (sqrt(c_i c_j) + shrinkage) with c_ij the users who hold both. Sparse, so
    that it fits any catalogue: n_items x neighbours numbers.

    References
    ----------
    Deshpande & Karypis (2004), "Item-based top-N recommendation algorithms", ACM TOIS 22(1).
    """

    reference: sp.csr_array  # (n_users, n_items) float32 ones
    setting: float  # neighbours of an item
    weights: sp.csr_array  # B, (n_items, n_items), float32

    @classmethod
    def candidates(cls, reference: sp.csr_array) -> list[Self]:
        """Fit with each of `NEIGHBOURS`."""
        return cls.at_each(NEIGHBOURS, reference)

    @classmethod
    def fit(cls, reference: sp.csr_array, neighbours: int) -> Self:
        """Fit with so many neighbours of an item."""
        return cls.at_each([neighbours], reference)[0]

    @classmethod
    def at_each(cls, settings: Sequence[float], reference: sp.csr_array) -> list[Self]:
        """Count who holds which two items, by blocks of items, once for all numbers of neighbours.

        The nearest of many are the nearest of all, but for ties at the last place.
        """
        holders = sp.csr_array(reference.T)  # (n_items, n_users)
        counts = np.diff(holders.indptr).astype(np.float32)
        rows = []
        for start in range(0, holders.shape[0], BLOCK_ITEMS):
            shared = sp.csr_array(holders[start : start + BLOCK_ITEMS] @ reference)
            item = start + user_of(shared)
            shared.data /= np.sqrt(counts[item] * counts[shared.indices]) + np.float32(SHRINKAGE)
            shared.data[item == shared.indices] = 0  # the zero diagonal
            rows.append(_largest_of_rows(shared, int(max(settings))))
        nearest = sp.csr_array(sp.vstack(rows, format="csr"))
        # The neighbours *of j* vote for j: rows become columns.
        return [
            cls(reference, k, sp.csr_array(_largest_of_rows(nearest, int(k)).T)) for k in settings
        ]

    def scorer(self, profiles: sp.csr_array) -> Scorer:
        """Prepare to sum the similarities to the items held, (n_block, n_items)."""

        def scores(rows: slice) -> NDArray[np.float32]:
            block = profiles[rows]
            found = np.zeros(block.shape, dtype=np.float32)
            for first in range(0, len(found), BLOCK_USERS):
                some = slice(first, first + BLOCK_USERS)
                self._add_votes(block[some], found[some].reshape(-1))
            return found

        return scores

    def _add_votes(self, profiles: sp.csr_array, scores: NDArray[np.float32]) -> None:
        """Add the votes for each item to the scores, (n_block * n_items,).

        Faster than a sparse product, of which every item has a score, or nearly so.
        """
        votes = self.weights[profiles.indices]  # (nnz, n_items)
        first = profiles.shape[1] * user_of(profiles)
        place = np.repeat(first, np.diff(votes.indptr)) + votes.indices
        # As a view, because `add.at` takes 30 times as long with the type of unpickled arrays.
        np.add.at(scores, place, votes.data.view(np.float32))


def _largest_of_rows(matrix: sp.csr_array, count: int) -> sp.csr_array:
    """Keep the `count` largest positive values of every row; of ties at the last place, any."""
    kept = matrix.data > 0
    # A loop, because rows are long or few: sorting all rows at once takes several times as long.
    edges = matrix.indptr.tolist()
    for first, last in pairwise(edges):
        if last - first > count:
            smaller = matrix.data[first:last].argpartition(-count)[:-count]
            kept[first:last][smaller] = False
    place = np.flatnonzero(kept)
    largest = sp.csr_array(
        (matrix.data[place], matrix.indices[place], np.searchsorted(place, edges)),
        shape=matrix.shape,
    )
    largest.sort_indices()
    return largest
