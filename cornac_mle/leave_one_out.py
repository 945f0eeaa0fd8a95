"""EASE, one held item at a time: what a profile's other items say of it.

A ridge regression of every item on all others (Steck 2019), with users left out in closed form.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import eigh


@dataclass(frozen=True, eq=False)
class RidgeInverse:
    """P = (X'X + ridge I)^-1 of reference users X: a rule that maps a profile y to yP.

    With fewer users than items, P is not built: P = (I - X'MX) / ridge with the dual core
    M = (XX' + ridge I)^-1. The core has as many rows as there are users, else as there are items.
    """

    reference: sp.csr_array  # X, (n_users, n_items) float32 ones
    ridge: float
    core: NDArray[np.float32]  # M, (n_users, n_users), if dual; else P, (n_items, n_items)
    diagonal: NDArray[np.float64]  # of P, (n_items,)
    dual: bool
    left_out: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None  # see `without`

    @classmethod
    def at_each(cls, ridges: Sequence[float], reference: sp.csr_array) -> "list[RidgeInverse]":
        """Compute the inverse at every ridge (> 0) from one eigendecomposition.

        Time min(n_users, n_items)^3.
        """
        dual = reference.shape[0] < reference.shape[1]
        gram = reference @ reference.T if dual else reference.T @ reference
        values, vectors = eigh(gram.toarray().astype(np.float64), overwrite_a=True)
        inverses = []
        for ridge in ridges:
            core = (vectors / (np.maximum(values, 0) + ridge)) @ vectors.T
            diagonal = np.diag(core).copy()
            if dual:
                explained = (reference * (core @ reference)).sum(axis=0)
                diagonal = (1 - explained) / ridge
            inverses.append(cls(reference, ridge, core.astype(np.float32), diagonal, dual))
        return inverses

    def without(self, users: NDArray[np.intp]) -> "RidgeInverse":
        """Give the inverse in which these users (row numbers of X, G of them) had no part; exact.

        Sherman-Morrison-Woodbury: with A = X_G P, the inverse is P + A'(I - A X_G')^-1 A.
        """
        group = self.reference[users]
        mapped = self.apply(group)  # A, (n_left_out, n_items)
        own = np.eye(users.size) - np.asarray(group @ mapped.T, dtype=np.float64).T
        solved = np.linalg.solve(own, mapped).astype(np.float32)
        diagonal = self.diagonal + np.einsum("gi,gi->i", mapped, solved, dtype=np.float64)
        return replace(self, diagonal=diagonal, left_out=(mapped, solved))

    def apply(self, profiles: sp.csr_array) -> NDArray[np.float32]:
        """Map a block of profiles y to dense yP, (n_block, n_items)."""
        if self.dual:
            shared = (profiles @ self.reference.T).toarray()  # items in common, (n_block, n_users)
            image = profiles.toarray() - (self.reference.T @ (shared @ self.core).T).T
            image /= np.float32(self.ridge)
        else:
            image = profiles @ self.core
        if self.left_out is not None:
            mapped, solved = self.left_out
            image = image + (profiles @ mapped.T) @ solved
        return np.asarray(image)


def leave_one_out_scores(profiles: sp.csr_array, inverse: RidgeInverse) -> NDArray[np.float32]:
    """EASE scores yB of all items, (n_block, n_items); at held items they are leave-one-out.

    B_ij = -P_ij / P_jj off the diagonal and 0 on it, so (yB)_j = y_j - (yP)_j / P_jj: an item has
    no say in its own score. Steck (2019), "Embarrassingly Shallow Autoencoders for Sparse Data".
    """
    scores = inverse.apply(profiles)
    scores /= -inverse.diagonal.astype(np.float32)
    scores[user_of(profiles), profiles.indices] += 1
    return scores


def held_percentiles(profiles: sp.csr_array, scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Percentile of every held item's score among the m items that the user does not hold.

    ``(#less + #equal / 2 + 1/2) / (m + 1)``, in (0, 1); 1/2 where the user holds all items.

    Parameters
    ----------
    profiles : (n_block, n_items) profiles.
    scores : (n_block, n_items) a score of every item.

    Returns
    -------
    (profiles.nnz,) in the order of ``profiles.indices``.
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


def user_of(profiles: sp.csr_array) -> NDArray[np.intp]:
    """Row number of every stored entry, (nnz,)."""
    return np.repeat(np.arange(profiles.shape[0]), np.diff(profiles.indptr))
