"""Sparse users x items arrays: array types, and what every room does with them."""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from numpy.typing import NDArray

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
IndexArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]


def pattern(matrix: sp.csr_array) -> sp.csr_array:
    """Replace the stored values by 1."""
    ones = np.ones(matrix.nnz, dtype=np.float32)
    return sp.csr_array((ones, matrix.indices, matrix.indptr), shape=matrix.shape)


def user_of(profiles: sp.csr_array) -> NDArray[np.intp]:
    """Row number of every stored entry, (nnz,)."""
    return np.repeat(np.arange(profiles.shape[0]), np.diff(profiles.indptr))


def item_sets(profiles: sp.csr_array) -> list[bytes]:
    """Each user's items as bytes, equal where the sets are; indices must be sorted.

    >>> one, other, third = item_sets(sp.csr_array([[1, 0, 2], [3, 0, 1], [0, 1, 0]]))
    >>> one == other, one == third
    (True, False)
    """
    items = profiles.indices.astype(np.int64).tobytes()
    edges = (8 * profiles.indptr.astype(np.int64)).tolist()
    return [items[start:stop] for start, stop in pairwise(edges)]


def random_places(profiles: sp.csr_array, rng: np.random.Generator) -> NDArray[np.intp]:
    """Place of every stored entry in a random order of its user's entries, from 0, (nnz,)."""
    user = user_of(profiles)
    places = np.empty(profiles.nnz, dtype=np.intp)
    order = np.lexsort((rng.random(profiles.nnz), user))
    places[order] = np.arange(profiles.nnz) - profiles.indptr[user]
    return places


def coo_to_csr(
    values: npt.NDArray[Any],
    rows: npt.NDArray[np.integer],
    columns: npt.NDArray[np.integer],
    shape: tuple[int, int],
) -> sp.csr_array:
    """Canonical float32 CSR from triplets of distinct pairs."""
    matrix = sp.csr_array((values.astype(np.float32), (rows, columns)), shape=shape)
    matrix.sort_indices()
    return matrix
