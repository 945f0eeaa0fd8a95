"""Item nearest neighbours: items vote for the items that the same users hold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
BLOCK_VOTES = 2**18
"""Votes that are added together, which should fit a processor's cache; results do not depend on
it."""
VOTE_COST = 20
"""Time of a vote that is added by itself, in those of a multiplication with dense profiles."""
PRODUCT_USERS = 128
"""Users, and items, that are turned together; results do not depend on it."""


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
        """Count who holds which two items once, for all numbers of neighbours.

        The nearest of many are the nearest of all, but for ties at the last place.
        """
        found = []
        for similarity in _similarities(reference):
            nearest = _largest_of_rows(similarity, int(max(settings)))
            found.append([_largest_of_rows(nearest, int(k)) for k in settings])
        return cls._of_rows(settings, reference, found)

    @classmethod
    def together_and_alone(
        cls, settings: Sequence[float], reference: sp.csr_array
    ) -> list[tuple[Self, Self]]:
        """Fit each as `at_each` of all and of that one, which cut ties at the last place apart."""
        most, together, alone = max(settings), [], []
        fewer = [k for k in settings if k < most]
        for similarity in _similarities(reference):
            nearest = _largest_of_rows(similarity, int(most))
            together.append([_largest_of_rows(nearest, int(k)) for k in settings])
            of_fewer = dict(zip(settings, together[-1], strict=True))
            alone.append([_with_ties_of(similarity, nearest, of_fewer[k], int(k)) for k in fewer])
        found = cls._of_rows(settings, reference, together)
        own = {each.setting: each for each in cls._of_rows(fewer, reference, alone)}
        return [(each, own.get(each.setting, each)) for each in found]

    @classmethod
    def _of_rows(
        cls,
        settings: Sequence[float],
        reference: sp.csr_array,
        blocks: Sequence[Sequence[sp.csr_array]],
    ) -> list[Self]:
        """Join blocks of items, one for each setting; as neighbours vote, rows become columns."""
        rows = (sp.vstack(parts, format="csr") for parts in zip(*blocks, strict=True))
        return [
            cls(reference, k, sp.csr_array(own.T)) for k, own in zip(settings, rows, strict=True)
        ]

    def scorer(self, profiles: sp.csr_array) -> Scorer:
        """Prepare to sum the similarities to the items held, (n_block, n_items)."""

        def scores(rows: slice) -> NDArray[np.float32]:
            block = profiles[rows]
            votes = int(np.diff(self.weights.indptr)[block.indices].sum())
            if votes * VOTE_COST > self.weights.nnz * block.shape[0]:
                return self._products(block)
            found = np.zeros(block.shape, dtype=np.float32)
            step = max(1, BLOCK_VOTES * len(found) // max(1, votes))
            for first in range(0, len(found), step):
                some = slice(first, first + step)
                self._add_votes(block[some], found[some].reshape(-1))
            return found

        return scores

    def _products(self, profiles: sp.csr_array) -> NDArray[np.float32]:
        """Multiply dense profiles; sums are those of `_add_votes`, in the same order, to the bit.

        Faster where users hold so much that the zeros which are added count less.
        """
        found = np.empty(profiles.shape, dtype=np.float32)
        for start in range(0, len(found), PRODUCT_USERS):
            some = slice(start, start + PRODUCT_USERS)
            turned = self.weights.T @ np.ascontiguousarray(profiles[some].toarray().T)
            for first in range(0, len(turned), PRODUCT_USERS):
                items = slice(first, first + PRODUCT_USERS)
                found[some, items] = turned[items].T
        return found

    def _add_votes(self, profiles: sp.csr_array, scores: NDArray[np.float32]) -> None:
        """Add the votes for each item to the scores, (n_block * n_items,).

        Faster than a sparse product, of which every item has a score, or nearly so.
        """
        votes = self.weights[profiles.indices]  # (nnz, n_items)
        first = profiles.shape[1] * user_of(profiles)
        place = np.repeat(first, np.diff(votes.indptr)) + votes.indices
        # As a view, because `add.at` takes 30 times as long with the type of unpickled arrays.
        np.add.at(scores, place, votes.data.view(np.float32))


def _similarities(reference: sp.csr_array) -> Iterator[sp.csr_array]:
    """Similarities of a block of items to all, 0 to themselves, (n_block, n_items)."""
    holders = sp.csr_array(reference.T)  # (n_items, n_users)
    held = np.diff(holders.indptr).astype(np.float32)
    for start in range(0, holders.shape[0], BLOCK_ITEMS):
        shared = sp.csr_array(holders[start : start + BLOCK_ITEMS] @ reference)
        others = np.diff(shared.indptr)
        norm = held[shared.indices]
        norm *= np.repeat(held[start : start + BLOCK_ITEMS], others)
        np.sqrt(norm, out=norm)
        norm += np.float32(SHRINKAGE)
        shared.data /= norm
        item = np.repeat(np.arange(start, start + len(others), dtype=shared.indices.dtype), others)
        shared.data[item == shared.indices] = 0  # the zero diagonal
        yield shared


def _with_ties_of(
    similarity: sp.csr_array, nearest: sp.csr_array, largest: sp.csr_array, count: int
) -> sp.csr_array:
    """Cut ties at the last place as `_largest_of_rows` of the similarities does.

    `nearest` are more than `count` of the largest of each row, `largest` are `count` of these; they
    are those of all but where the next one is as large as the last.
    """
    row, longest = user_of(nearest), int(np.diff(nearest.indptr).max(initial=0))
    values = np.zeros((nearest.shape[0], max(longest, count + 1)), dtype=np.float32)
    values[row, np.arange(nearest.nnz) - nearest.indptr[row]] = nearest.data
    ascending = np.partition(values, (-count - 1, -count), axis=1)
    next_one, last = ascending[:, -count - 1], ascending[:, -count]
    tied = np.flatnonzero((next_one == last) & (last > 0))
    cut = _largest_of_rows(similarity[tied], count)
    place = np.arange(largest.shape[0])
    place[tied] = largest.shape[0] + np.arange(tied.size)
    return sp.csr_array(sp.vstack([largest, cut], format="csr")[place])


def _largest_of_rows(matrix: sp.csr_array, count: int) -> sp.csr_array:
    """Keep the `count` largest positive values of every row; of ties at the last place, any."""
    edges, sizes = matrix.indptr, np.diff(matrix.indptr)
    kept = np.repeat(sizes <= count, sizes)
    longest = int(sizes.max(initial=0))
    if longest > count:  # where rows have been cut before, nearly all are as long as that
        place = edges[:-1][sizes == longest, np.newaxis] + np.arange(longest)
        largest = matrix.data[place].argpartition(-count, axis=1)[:, -count:]
        kept[np.take_along_axis(place, largest, axis=1)] = True
    # A loop, because rows are long or few: sorting all rows at once takes several times as long.
    others = np.flatnonzero((sizes > count) & (sizes < longest))
    for first, last in zip(edges[others].tolist(), edges[others + 1].tolist(), strict=True):
        kept[first:last][matrix.data[first:last].argpartition(-count)[-count:]] = True
    kept &= matrix.data > 0
    place = np.flatnonzero(kept)
    rows = sp.csr_array(
        (matrix.data[place], matrix.indices[place], np.searchsorted(place, edges)),
        shape=matrix.shape,
    )
    rows.sort_indices()
    return rows
