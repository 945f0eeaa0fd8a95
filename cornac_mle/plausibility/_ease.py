"""EASE, one held item at a time: a ridge regression of every item on all others (Steck 2019).

Users are left out in closed form, and with fewer users than items no items x items array is built.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.linalg.lapack import dpotrf, dpotri

from cornac_mle.plausibility.predictor import LeaveOneOutPredictor
from cornac_mle.sparse import user_of

RIDGES = (30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Candidates for the ridge, in users."""


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
        """Fit at every ridge (> 0), from one eigendecomposition."""
        dual = reference.shape[0] < reference.shape[1]
        gram = reference @ reference.T if dual else reference.T @ reference
        values, vectors = eigh(gram.toarray().astype(np.float64), overwrite_a=True)
        predictors = []
        for ridge in ridges:
            core = (vectors / (np.maximum(values, 0) + ridge)) @ vectors.T
            predictors.append(cls._of_core(core, ridge, reference, dual=dual))
        return predictors

    @classmethod
    def at(cls, ridge: float, reference: sp.csr_array) -> Self:
        """Fit at one ridge (> 0), by a Cholesky decomposition: several times as fast."""
        dual = reference.shape[0] < reference.shape[1]
        gram = (reference @ reference.T if dual else reference.T @ reference).toarray()
        gram = gram.astype(np.float64)
        gram[np.diag_indices_from(gram)] += ridge
        # The matrix is positive definite, so that neither call fails.
        upper, _ = dpotri(dpotrf(gram, overwrite_a=True)[0], overwrite_c=True)
        core = np.triu(upper) + np.triu(upper, 1).T
        return cls._of_core(core, ridge, reference, dual=dual)

    @classmethod
    def _of_core(
        cls, core: NDArray[np.float64], ridge: float, reference: sp.csr_array, *, dual: bool
    ) -> Self:
        diagonal = np.diag(core).copy()
        if dual:
            explained = (reference * (core @ reference)).sum(axis=0)
            diagonal = (1 - explained) / ridge
        return cls(reference, ridge, core.astype(np.float32), diagonal, dual)

    def without(self, users: NDArray[np.intp]) -> Self:
        """Give the predictor in which these users (row numbers of X, G of them) had no part; exact.

        Sherman-Morrison-Woodbury: with A = X_G P, the inverse is P + A'(I - A X_G')^-1 A.
        """
        group = self.reference[users]
        mapped = self.apply(group)  # A, (n_left_out, n_items)
        own = np.eye(users.size) - np.asarray(group @ mapped.T, dtype=np.float64).T
        solved = np.linalg.solve(own, mapped).astype(np.float32)
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
            shared = (profiles @ self.reference.T).toarray()  # items in common, (n_block, n_users)
            image = profiles.toarray() - (self.reference.T @ (shared @ self.core).T).T
            image /= np.float32(self.setting)
        else:
            image = profiles @ self.core
        if self.left_out is not None:
            mapped, solved = self.left_out
            image = image + (profiles @ mapped.T) @ solved
        return np.asarray(image)
