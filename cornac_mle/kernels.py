"""Similarity of raw item sets, block by block: no users x users array is ever held whole."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

BLOCK_BYTES = 64 * 2**20
"""Size of one dense block; results do not depend on it."""


def jaccard_similarity(rows: sp.csr_array, columns: sp.csr_array) -> npt.NDArray[np.float32]:
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
    shared = (pattern(rows) @ pattern(columns).T).toarray()  # (n_rows, n_columns)
    together = np.diff(rows.indptr)[:, None] + np.diff(columns.indptr)[None, :] - shared
    similarity: npt.NDArray[np.float32] = np.divide(
        shared, together, out=np.zeros_like(shared), where=together > 0
    )
    return similarity


def similarity_blocks(
    rows: sp.csr_array, columns: sp.csr_array
) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
    """Yield the rows of `jaccard_similarity` in blocks: (slice of rows, (block, n_columns))."""
    step = max(1, BLOCK_BYTES // (4 * max(1, columns.shape[0])))
    for start in range(0, rows.shape[0], step):
        block = slice(start, min(start + step, rows.shape[0]))
        yield block, jaccard_similarity(rows[block], columns)


def pattern(matrix: sp.csr_array) -> sp.csr_array:
    """Replace the stored values by 1."""
    ones = np.ones(matrix.nnz, dtype=np.float32)
    return sp.csr_array((ones, matrix.indices, matrix.indptr), shape=matrix.shape)
