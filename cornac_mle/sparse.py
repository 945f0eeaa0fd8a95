"""Sparse users x items arrays: array types, and what every room does with them."""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from numpy.typing import NDArray

from cornac_mle.checks import refusal

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
IndexArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

LEAST_VALUE, LARGEST_VALUE = (
    float(np.finfo(np.float32).smallest_subnormal),
    float(np.finfo(np.float32).max),
)
"""Range of the values above 0 that profiles can keep, in 32 bits."""


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


def users_by_items(matrix: Any) -> sp.csr_array:
    """Make canonical CSR of what numpy users call a matrix, in the type of its numbers.

    An entry of 0 of a dense array, and a masked one, is not held; what a sparse array stores stays
    stored, a 0 too. What is canonical CSR already is handed back without a copy.

    Raises
    ------
    TypeError, ValueError
        If it holds no real numbers, or is not two-dimensional.
    """
    if not sp.issparse(matrix):
        dense = np.ma.filled(matrix, 0) if isinstance(matrix, np.ma.MaskedArray) else matrix
        try:
            matrix = np.asarray(dense)
            if matrix.dtype == object:
                matrix = matrix.astype(np.float64)
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:  # torch's own words
            got, advice = type(dense).__name__, " ".join(str(error).split("\n")[:1])
            raise TypeError(refusal("matrix", "be an array of numbers", got, advice)) from None
    if matrix.dtype.kind not in "biuf":
        raise TypeError(refusal("matrix", "be an array of numbers", f"one of {matrix.dtype}"))
    if matrix.ndim != 2:
        rule = "have two dimensions, users x items"
        raise ValueError(refusal("matrix", rule, f"shape {matrix.shape}"))
    if matrix.dtype == np.float16:  # scipy has no sparse arrays of it
        matrix = matrix.astype(np.float32)
    rows = sp.csr_array(matrix)
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    return rows


def held_items(name: str, matrix: Any) -> sp.csr_array:
    """Take the entries above 0 of users x items for held items; a stored 0 is none.

    Raises
    ------
    TypeError, ValueError
        If it is no two-dimensional sparse array of real numbers, or one is negative or not finite.
    """
    if not sp.issparse(matrix):
        got, advice = type(matrix).__name__, "Give the `matrix` of Profiles."
        raise TypeError(refusal(name, "be a scipy sparse array", got, advice))
    if matrix.dtype.kind not in "biuf":
        raise TypeError(refusal(name, "hold real numbers", f"an array of {matrix.dtype}"))
    if matrix.ndim != 2:
        raise ValueError(refusal(name, "have two dimensions", f"shape {matrix.shape}"))
    held = sp.csr_array(matrix)
    if not np.isfinite(held.data).all():
        raise ValueError(refusal(name, "be finite", "NaN or infinity"))
    if (held.data < 0).any():
        raise ValueError(refusal(name, "hold items, entries above 0", held.data.min()))
    if not held.has_canonical_format or (held.data == 0).any():
        held = held.copy()
        held.sum_duplicates()
        held.eliminate_zeros()
    return held


def first_unkept(values: npt.NDArray[Any]) -> int | None:
    """Place of the first value that is not above 0 and finite, or that 32 bits do not keep."""
    wrong = ~((values >= LEAST_VALUE) & (values <= LARGEST_VALUE))  # NaN too
    return int(np.argmax(wrong)) if wrong.any() else None
