"""EASE, one held item at a time: a ridge regression of every item on all others (Steck 2019).

Users are left out in closed form, and with fewer users than items no items x items array is built.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack, solve_triangular

from cornac_mle.plausibility.predictor import LeaveOneOutPredictor, Scorer
from cornac_mle.sparse import user_of
from cornac_mle.workers import in_threads

RIDGES = (30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Candidates for the ridge, in users."""
BLOCK_USERS = 128
"""Users who take part in a product of the dual at a time."""
SPARSE_COST = 30
"""Time of a multiplication in a product with a sparse array, in those of a dense product."""
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

    refits: ClassVar[bool] = False
    reference: sp.csr_array  # X, (n_users, n_items) float32 ones
    setting: float  # the ridge, > 0
    core: NDArray[np.float32]  # M, (n_users, n_users), if dual; else P, (n_items, n_items)
    diagonal: NDArray[np.float64]  # of P, (n_items,)
    dual: bool
    holders: sp.csr_array  # X', with zeros for users who are left out, (n_items, n_users)
    left_out: tuple[NDArray[Any], NDArray[np.float32]] | None = None  # see `without`

    @classmethod
    def candidates(cls, reference: sp.csr_array) -> list[Self]:
        """Fit at each of `RIDGES`."""
        return cls.at_each(RIDGES, reference)

    @classmethod
    def at_each(cls, ridges: Sequence[float], reference: sp.csr_array) -> list[Self]:
        """Fit at every ridge (> 0)."""
        dual = reference.shape[0] < reference.shape[1]
        holders = sp.csr_array(reference.T)
        gram = reference @ reference.T if dual else reference.T @ reference
        gram = gram.toarray(order="F").astype(np.float64, order="F")
        predictors = []
        for ridge in ridges:
            core = _inverse(gram, ridge)
            diagonal = (1 - _explained(holders, core)) / ridge if dual else np.diag(core).copy()
            predictors.append(
                cls(reference, ridge, core.astype(np.float32), diagonal, dual, holders)
            )
        return predictors

    def without(self, users: NDArray[np.intp]) -> Self:
        """Give the predictor in which these users (row numbers of X, G of them) had no part; exact.

        Sherman-Morrison-Woodbury: with A = X_G P, the inverse is P + A'(I - A X_G')^-1 A. In the
        dual A = M_G X and I - A X_G' = ridge M_GG, since XX'M = I - ridge M; M without G is M less
        M'_G (M_GG)^-1 M_G.
        """
        if not self.dual:
            group = self.reference[users]
            mapped = self.apply(group)  # A, (n_left_out, n_items)
            own = np.eye(users.size) - np.asarray(group @ mapped.T, dtype=np.float64).T
            solved = np.linalg.inv(own).astype(np.float32) @ mapped
            diagonal = self.diagonal + np.einsum("gi,gi->i", mapped, solved, dtype=np.float64)
            return replace(self, diagonal=diagonal, left_out=(mapped, solved))
        own = self.core[np.ix_(users, users)].astype(np.float64)
        factor = np.linalg.cholesky(own).astype(np.float32)
        mapped = (self.holders @ self.core[:, users]).T  # A, (n_left_out, n_items)
        root = solve_triangular(factor, mapped, lower=True, overwrite_b=True, check_finite=False)
        diagonal = self.diagonal + np.einsum("gi,gi->i", root, root) / self.setting
        inverse = np.linalg.inv(own).astype(np.float32)
        holders = self.holders.copy()
        holders.data[np.isin(holders.indices, users)] = 0
        return replace(self, diagonal=diagonal, holders=holders, left_out=(users, inverse))

    @classmethod
    def each_without(cls, predictors: Sequence[Self], users: NDArray[np.intp]) -> Iterable[Self]:
        """Give `without` of each in closed form, one at a time, so that memory holds one."""
        return (predictor.without(users) for predictor in predictors)

    def scorer(self, profiles: sp.csr_array) -> Scorer:
        """Prepare to score all items: (yB)_j = y_j - (yP)_j / P_jj, (n_block, n_items)."""
        return self._scorer(profiles, None)

    @classmethod
    def scores_of_each(
        cls, predictors: Iterable[Self], profiles: sp.csr_array
    ) -> Iterator[NDArray[np.float32]]:
        """Score by each, counting the items that profiles and users have in common once."""
        common = None
        for each in predictors:
            if each.dual and common is None and not each._by_users(profiles):
                common = (profiles @ each.holders).toarray()
            yield each._scorer(profiles, common)(slice(0, profiles.shape[0]))

    def _scorer(self, profiles: sp.csr_array, common: NDArray[np.float32] | None) -> Scorer:
        image = self._applier(profiles, common)
        divisor = -self.diagonal.astype(np.float32)

        def scores(rows: slice) -> NDArray[np.float32]:
            found, block = image(rows), profiles[rows]
            found /= divisor
            found[user_of(block), block.indices] += 1
            return found

        return scores

    def apply(self, profiles: sp.csr_array) -> NDArray[np.float32]:
        """Map a block of profiles y to dense yP, (n_block, n_items)."""
        return self.applier(profiles)(slice(0, profiles.shape[0]))

    def applier(self, profiles: sp.csr_array) -> Scorer:
        """Prepare to map blocks of profiles y to dense yP, (n_block, n_items)."""
        return self._applier(profiles, None)

    def _applier(self, profiles: sp.csr_array, common: NDArray[np.float32] | None) -> Scorer:
        duals = self._duals(profiles, common) if self.dual else None

        def image(rows: slice) -> NDArray[np.float32]:
            block = profiles[rows]
            if duals is not None:
                found = self._from_duals(duals[rows])
                found[user_of(block), block.indices] += np.float32(1 / self.setting)
                return found
            found = np.asarray(block @ self.core)
            if self.left_out is not None:
                mapped, solved = self.left_out
                found += (block @ mapped.T) @ solved
            return found

        return image

    def _duals(
        self, profiles: sp.csr_array, common: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Compute yX'M, (n_profiles, n_users), in the order of products that takes less time.

        `common` are the numbers of items yX', of the same shape, where they are known.
        """
        n_users, n_profiles = self.reference.shape[0], profiles.shape[0]
        duals = np.empty((n_profiles, n_users), dtype=np.float32)

        def by_users(start: int) -> None:
            some = slice(start, start + BLOCK_USERS)
            duals[:, some] = profiles @ (self.holders @ self.core[:, some])

        def by_profiles(start: int) -> None:
            some = slice(start, start + BLOCK_USERS)
            known = (profiles[some] @ self.holders).toarray() if common is None else common[some]
            duals[some] = known @ self.core

        if self._by_users(profiles):
            in_threads(by_users, range(0, n_users, BLOCK_USERS))
        else:
            in_threads(by_profiles, range(0, n_profiles, BLOCK_USERS))
        if self.left_out is not None:
            users, inverse = self.left_out
            duals -= (duals[:, users] @ inverse) @ self.core[users]
            duals[:, users] = 0
        return duals

    def _by_users(self, profiles: sp.csr_array) -> bool:
        """Whether X'M comes first."""
        dense = self.reference.shape[0] * profiles.shape[0]
        return bool((self.holders.nnz + profiles.nnz) * SPARSE_COST < dense)

    def _from_duals(self, duals: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute -yX'MX / ridge, (n_block, n_items)."""
        image = np.empty((len(duals), self.reference.shape[1]), dtype=np.float32)
        for start in range(0, len(image), BLOCK_USERS):
            some = slice(start, start + BLOCK_USERS)
            turned = self.holders @ duals[some].T  # (n_items, n_block)
            for first in range(0, len(turned), BLOCK_ROWS):
                rows = slice(first, first + BLOCK_ROWS)
                image[some, rows] = turned[rows].T
        image /= np.float32(-self.setting)
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


def _explained(holders: sp.csr_array, core: NDArray[np.float64]) -> NDArray[np.float64]:
    """Diagonal of X'MX: the sum of M over all pairs of holders of each item, (n_items,)."""
    item, user = user_of(holders), holders.indices
    explained = np.zeros(holders.shape[0])
    exact = holders.astype(np.float64)
    for start in range(0, holders.shape[1], BLOCK_USERS):
        mapped = exact @ core[:, start : start + BLOCK_USERS]  # (n_items, n_block)
        own = np.flatnonzero((user >= start) & (user < start + BLOCK_USERS))
        of_pairs = mapped[item[own], user[own] - start]
        explained += np.bincount(item[own], weights=of_pairs, minlength=len(explained))
    return explained
