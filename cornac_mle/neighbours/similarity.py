"""Closeness of users, block by block: no users x users array is ever held whole.

Users are item sets, close when they share a large part of their items (`JaccardCloseness`), or
vectors, close when their Euclidean distance is small (`EuclideanCloseness`). Both speak of
*closeness*, larger is nearer: Jaccard similarity, or the squared distance with its sign turned.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from typing import final

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from cornac_mle.sparse import Float32Array, FloatArray, IndexArray, IntArray, user_of

BLOCK_BYTES = 8 * 2**20
"""Size of one dense block, which should fit a processor's cache; results do not depend on it."""
HEAD_PAIRS = 0.005
"""Share of pairs of users who both hold an item from which on it counts as one of the head."""
HEAD_ENTRIES = 2**24
"""Numbers of the dense array of the head, at most; results do not depend on it."""
COUNTED_PAIRS = 2**17
"""Pairs of users with an item in common that are counted together, which should fit a processor's
cache; results do not depend on it."""
PAIR_BYTES = 2**20
"""Size of the differences of vectors computed at once."""
LEAST_SIMILARITY = float(np.finfo(np.float32).tiny)
"""Below every positive similarity: users who share no item do not reach it."""
NOT_A_NEIGHBOUR = -1.0
"""Stands for a user's similarity to that very user where nobody is their own neighbour."""
FLOAT32_ROUNDING = 2.0**-24
"""Largest relative error of one float32 operation."""
SMALLEST_SQUARE = 1e-30
"""Squares below may underflow in float32; coordinates are at most 1."""


class Closeness(ABC):
    """Closeness of every row to every column.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns.
    least : float
        Who is less close than this is nobody's neighbour, however wide the ball.
    """

    shape: tuple[int, int]
    least: float

    @final
    def blocks(self) -> list[slice]:
        """Cut the rows into blocks of `BLOCK_BYTES`."""
        n_rows, n_columns = self.shape
        step = max(1, BLOCK_BYTES // (4 * max(1, n_columns)))
        return [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]

    @abstractmethod
    def median(self, closeness: FloatArray) -> float:
        """Return the closeness at the median of the distances of the given ones."""

    @abstractmethod
    def upper(self, rows: slice) -> Float32Array:
        """Compute a new array of upper bounds on the closeness of a block, (block, n_columns)."""

    @abstractmethod
    def slack(self, rows: slice) -> FloatArray:
        """Tell how far below its upper bound a closeness typically is, (block,)."""

    @abstractmethod
    def exact(
        self, rows: slice, upper: Float32Array, row: IntArray, column: IntArray
    ) -> FloatArray:
        """Look up or compute the closeness of single pairs of a block, (n_pairs,)."""

    @abstractmethod
    def reaches(
        self, rows: slice, upper: Float32Array, row: IntArray, column: IntArray, needed: FloatArray
    ) -> npt.NDArray[np.bool_]:
        """Decide for single pairs whether closeness >= needed, (n_pairs,)."""


class JaccardCloseness(Closeness):
    """Jaccard similarity of item sets, |a and b| / |a or b|, in [0, 1]; two empty sets: 0.

    Equal fractions are equal numbers, so ties stay ties. Sets that share no item are not neighbours
    of each other.

    Parameters
    ----------
    rows, columns : csr_array, shape (n_rows, n_items) and (n_columns, n_items)
        Only which entries are stored counts.
    """

    least = LEAST_SIMILARITY

    def __init__(self, rows: sp.csr_array, columns: sp.csr_array) -> None:
        self.shape = (rows.shape[0], columns.shape[0])
        self._row_sizes = np.diff(rows.indptr).astype(np.float32)
        self._column_sizes = np.diff(columns.indptr).astype(np.float32)
        self._no_empty_pair = bool(self._row_sizes.all() or self._column_sizes.all())
        head = _head(rows, columns)
        self._row_head = _items_of(rows, head)
        self._head_holders = _items_of(columns, head).toarray().T  # (n_head, n_columns)
        rest = np.ones(rows.shape[1], dtype=np.bool_)
        rest[head] = False
        rest = np.flatnonzero(rest)
        self._row_tail = _items_of(rows, rest)
        self._tail_holders = _items_of(columns, rest).T.tocsr()  # (n_tail, n_columns), turned once

    def median(self, closeness: FloatArray) -> float:
        """Return the median similarity."""
        return float(np.median(closeness))

    def upper(self, rows: slice) -> Float32Array:
        """Compute the similarity itself, (block, n_columns)."""
        similarity = self._shared(rows)
        together = np.add.outer(self._row_sizes[rows], self._column_sizes)
        together -= similarity
        if not self._no_empty_pair:
            np.maximum(together, 1, out=together)
        similarity /= together
        return similarity

    def _shared(self, rows: slice) -> Float32Array:
        """Count the items that two sets share, (block, n_columns).

        Items of the head by a product of matrices; of any other item each holder is counted.
        """
        shared: Float32Array = self._row_head[rows].toarray() @ self._head_holders
        tail, counts = self._row_tail[rows], shared.reshape(-1)
        holders = np.diff(self._tail_holders.indptr)[tail.indices]  # (nnz,)
        first = user_of(tail) * self.shape[1]
        end = np.cumsum(holders)
        cuts = np.searchsorted(end, range(0, int(holders.sum()), COUNTED_PAIRS))
        for start, stop in pairwise([*cuts, len(end)]):
            place = np.repeat(first[start:stop], holders[start:stop])
            place += self._tail_holders[tail.indices[start:stop]].indices
            np.add.at(counts, place, np.float32(1))
        return shared

    def slack(self, rows: slice) -> FloatArray:
        """Return zeros: nothing is rounded."""
        return np.zeros(rows.stop - rows.start)

    def exact(
        self, rows: slice, upper: Float32Array, row: IntArray, column: IntArray
    ) -> FloatArray:
        """Look up the similarity, (n_pairs,)."""
        return upper[row, column].astype(np.float64)

    def reaches(
        self, rows: slice, upper: Float32Array, row: IntArray, column: IntArray, needed: FloatArray
    ) -> npt.NDArray[np.bool_]:
        """Decide whether similarity >= needed, (n_pairs,)."""
        return np.asarray(upper[row, column] >= needed)


def _head(rows: sp.csr_array, columns: sp.csr_array) -> IndexArray:
    """Items that so many hold, on both sides, that a product of matrices counts them faster."""
    n_rows, n_columns = rows.shape[0], columns.shape[0]
    pairs = np.bincount(rows.indices, minlength=rows.shape[1]).astype(np.float64)
    pairs *= np.bincount(columns.indices, minlength=rows.shape[1])
    popular = np.flatnonzero(pairs > HEAD_PAIRS * n_rows * n_columns)
    most = HEAD_ENTRIES // max(1, n_columns)
    leading = popular[np.argsort(-pairs[popular], kind="stable")[:most]]
    return np.asarray(np.sort(leading), dtype=np.intp)


def _items_of(matrix: sp.csr_array, items: IndexArray) -> sp.csr_array:
    """Give the sets of these items alone, numbered in their order, by ones of float32."""
    number = np.full(matrix.shape[1], -1, dtype=matrix.indices.dtype)
    number[items] = np.arange(len(items))
    column = number[matrix.indices]
    kept = column >= 0
    edges = np.append(0, np.cumsum(kept))[matrix.indptr]
    ones = np.ones(edges[-1], dtype=np.float32)
    return sp.csr_array((ones, column[kept], edges), shape=(matrix.shape[0], len(items)))


class EuclideanCloseness(Closeness):
    """Minus the squared Euclidean distance, at most 0; identical vectors are at 0.

    Blocks are one float32 matrix product each, of which the rounding error is known to stay below
    ``2 (d + 8) 2^-24 (|x|^2 + |y|^2)``. Pairs that this error leaves undecided, few in general, are
    computed anew in float64 as the sum of squared differences, so that decisions are right and ties
    stay ties.

    Parameters
    ----------
    rows, columns : ndarray, shape (n_rows, d) and (n_columns, d), float64
        Coordinates of at most 1 in size.
    """

    least = -np.inf

    def __init__(self, rows: FloatArray, columns: FloatArray) -> None:
        self.shape = (len(rows), len(columns))
        self._rows, self._columns = rows, columns
        centre = columns.mean(axis=0)  # the error is the smaller, the shorter the vectors
        self._error = 2 * (rows.shape[1] + 8) * FLOAT32_ROUNDING
        left, right = rows - centre, columns - centre
        self._row_squares = np.einsum("ij,ij->i", left, left)
        self._column_squares = np.einsum("ij,ij->i", right, right)
        keep = 1 - self._error
        # 2 x'y - keep |x|^2 - keep |y|^2 as one product of vectors with two more coordinates.
        first = SMALLEST_SQUARE - keep * self._row_squares
        self._left = np.column_stack([2 * left, first, np.ones(len(left))]).astype(np.float32)
        last = -keep * self._column_squares
        right = np.column_stack([right, np.ones(len(right)), last])
        self._right = np.ascontiguousarray(right.astype(np.float32).T)

    def median(self, closeness: FloatArray) -> float:
        """Return minus the square of the median distance."""
        return -(float(np.median(np.sqrt(-closeness))) ** 2)

    def upper(self, rows: slice) -> Float32Array:
        """Compute upper bounds on minus the squared distance, (block, n_columns)."""
        return np.asarray(self._left[rows] @ self._right)

    def slack(self, rows: slice) -> FloatArray:
        """Bound the error for columns of average length, (block,)."""
        squares = self._row_squares[rows] + self._column_squares.mean()
        return np.asarray(2 * self._error * squares + SMALLEST_SQUARE)

    def exact(
        self, rows: slice, upper: Float32Array, row: IntArray, column: IntArray
    ) -> FloatArray:
        """Compute minus the sum of squared differences, (n_pairs,)."""
        closeness = np.empty(len(row))
        step = max(1, PAIR_BYTES // (8 * self._rows.shape[1]))
        for start in range(0, len(row), step):
            part = slice(start, start + step)
            gap = self._rows[rows.start + row[part]] - self._columns[column[part]]
            closeness[part] = -np.einsum("ij,ij->i", gap, gap)
        return closeness

    def reaches(
        self, rows: slice, upper: Float32Array, row: IntArray, column: IntArray, needed: FloatArray
    ) -> npt.NDArray[np.bool_]:
        """Decide whether closeness >= needed, (n_pairs,)."""
        squares = self._row_squares[rows][row] + self._column_squares[column]
        lower = upper[row, column] - 2 * self._error * squares - 2 * SMALLEST_SQUARE
        reached = np.asarray(lower >= needed)
        open_ = np.flatnonzero(~reached)
        reached[open_] = self.exact(rows, upper, row[open_], column[open_]) >= needed[open_]
        return reached


def jaccard_similarity(rows: sp.csr_array, columns: sp.csr_array) -> Float32Array:
    """Jaccard similarity of every pair of item sets, |a and b| / |a or b|; two empty sets: 0.

    Parameters
    ----------
    rows, columns : csr_array, shape (n_rows, n_items) and (n_columns, n_items)
        Only which entries are stored counts. Call it on one block of rows.

    Returns
    -------
    ndarray, shape (n_rows, n_columns), float32
        In [0, 1]; equal fractions are equal numbers, so ties stay ties.
    """
    return JaccardCloseness(rows, columns).upper(slice(0, rows.shape[0]))


def similarity_blocks(
    rows: sp.csr_array, columns: sp.csr_array, *, themselves_from: int | None = None
) -> Iterator[tuple[slice, Float32Array]]:
    """Yield the rows of `jaccard_similarity` in blocks: (slice of rows, (block, n_columns)).

    Parameters
    ----------
    rows, columns : csr_array, shape (n_rows, n_items) and (n_columns, n_items)
        Item sets: which entries are stored.
    themselves_from : int, optional
        Column of the first row's user, the other rows' following it, where the rows are among the
        columns: nobody is their own neighbour, and the similarity is -1 there.
    """
    closeness = JaccardCloseness(rows, columns)
    for block in closeness.blocks():
        similarity = closeness.upper(block)
        if themselves_from is not None:
            own = themselves_from + np.arange(block.start, block.stop)
            similarity[np.arange(len(similarity)), own] = NOT_A_NEIGHBOUR
        yield block, similarity
