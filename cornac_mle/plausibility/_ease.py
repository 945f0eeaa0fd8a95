"""EASE, one held item at a time: a ridge regression of every item on all others (Steck 2019).

Users are left out in closed form, and with fewer users than items no items x items array is built.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack

from cornac_mle.plausibility.predictor import LeaveOneOutPredictor
from cornac_mle.sparse import user_of

RIDGES = (30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Candidates for the ridge, in users."""
BLOCK_USERS = 256
"""Users who are scored together by the dual; memory, and a little time, depend on it."""
BLOCK_ROWS = 256
"""Rows of a matrix that are transposed together."""


@dataclass(frozen=True, eq=False)
class EasePredictor(LeaveOneOutPredictor):
    """Weights B_ij = -P_ij / P_jj off the diagonal, with P = (X'X + ridge I)^-1 of users X.

    With fewer users than items, P is not built: P = (I - X'MX) / ridge with the dual core
    M = (XX' + ridge I)^-1. The core has as many rows as there are users, else as there are items.

    Notes
    -----
    Time min(n_users, n_items)^3, memory min(n_users, n_items)^2.

    References
    ----------
    Steck (2019), "Embarrassingly Shallow Autoencoders for Sparse Data", WWW.
    """

    reference: sp.csr_array  # X, (n_users, n_items) float32 ones
    setting: float  # the ridge, > 0
    core: NDArray[np.float32]  # M, (n_users, n_users), if dual; else P, (n_items, n_items)
    diagonal: NDArray[np.float64]  # of P, (n_items,)
    dual: bool
    left_out: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None  # see `without`

    @classmethod
    def candidates(cls, reference: sp.csr_array) -> list[Self]:
        """Fit at each of `RIDGES`."""
        return cls.at_each(RIDGES, reference)

    @classmethod
    def at_each(cls, ridges: Sequence[float], reference: sp.csr_array) -> list[Self]:
        """Fit at every ridge (> 0)."""
        dual = reference.shape[0] < reference.shape[1]
        gram = reference @ reference.T if dual else reference.T @ reference
        gram = gram.toarray(order="F").astype(np.float64, order="F")
        predictors = []
        for ridge in ridges:
            core = _inverse(gram, ridge)
            diagonal = (1 - _explained(reference, core)) / ridge if dual else np.diag(core).copy()
            predictors.append(cls(reference, ridge, core.astype(np.float32), diagonal, dual))
        return predictors

    def without(self, users: NDArray[np.intp]) -> Self:
        """Give the predictor in which these users (row numbers of X, G of them) had no part; exact.

        Sherman-Morrison-Woodbury: with A = X_G P, the inverse is P + A'(I - A X_G')^-1 A. In the
        dual, A = M_G X, since X_G X'M = I_G - ridge M_G.
        """
        group = self.reference[users]
        if self.dual:
            mapped = np.ascontiguousarray((self.reference.T @ self.core[:, users]).T)
        else:
            mapped = self.apply(group)  # A, (n_left_out, n_items)
        own = np.eye(users.size) - np.asarray(group @ mapped.T, dtype=np.float64).T
        solved = np.linalg.inv(own).astype(np.float32) @ mapped
        diagonal = self.diagonal + np.einsum("gi,gi->i", mapped, solved, dtype=np.float64)
        return replace(self, diagonal=diagonal, left_out=(mapped, solved))

    def scores(self, profiles: sp.csr_array) -> NDArray[np.float32]:
        """Score all items: (yB)_j = y_j - (yP)_j / P_jj, (n_block, n_items)."""
        scores = self.apply(profiles)
        scores /= -self.diagonal.astype(np.float32)
        scores[user_of(profiles), profiles.indices] += 1
        return scores

    def apply(self, profiles: sp.csr_array) -> NDArray[np.float32]:
        """Map a block of profiles y to dense yP, (n_block, n_items)."""
        if self.dual:
            image = np.empty(profiles.shape, dtype=np.float32)
            for start in range(0, len(image), BLOCK_USERS):
                block = slice(start, start + BLOCK_USERS)
                shared = (self.reference @ profiles[block].T).toarray()  # items in common
                _turn(self.reference.T @ (self.core @ shared), image[block])
            image /= np.float32(-self.setting)
            image[user_of(profiles), profiles.indices] += np.float32(1 / self.setting)
        else:
            image = np.asarray(profiles @ self.core)
        if self.left_out is not None:
            mapped, solved = self.left_out
            image += (profiles @ mapped.T) @ solved
        return image


def _inverse(gram: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """Invert gram + ridge I, by Cholesky."""
    shifted = gram.copy(order="F")
    shifted[np.diag_indices_from(shifted)] += ridge
    factor, _ = lapack.dpotrf(shifted, lower=True, overwrite_a=True)
    inverse, _ = lapack.dpotri(factor, lower=True, overwrite_c=True)
    for start in range(0, len(inverse), BLOCK_ROWS):  # LAPACK fills the lower triangle only
        stop = start + BLOCK_ROWS
        corner = np.tril(inverse[start:stop, start:stop])
        inverse[start:stop, start:stop] = corner + np.tril(corner, -1).T
        inverse[start:stop, stop:] = inverse[stop:, start:stop].T
    return np.asarray(inverse)


def _explained(reference: sp.csr_array, core: NDArray[np.float64]) -> NDArray[np.float64]:
    """Diagonal of X'MX: the sum of M over all pairs of holders of each item, (n_items,)."""
    by_item = reference.T.tocsr()
    holders = np.split(by_item.indices, by_item.indptr[1:-1])
    return np.asarray([core[users[:, np.newaxis], users].sum() for users in holders])


def _turn(matrix: NDArray[np.float32], turned: NDArray[np.float32]) -> None:
    """Transpose into `turned`, a few rows at a time, which a processor's cache holds."""
    for start in range(0, len(matrix), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        turned[:, rows] = matrix[rows].T
