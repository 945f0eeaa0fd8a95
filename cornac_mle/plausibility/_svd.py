"""SVD residual: what a low-rank projection of the reference users leaves of a profile."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import svds

from cornac_mle.plausibility.predictor import LeaveOneOutPredictor, Scorer
from cornac_mle.sparse import user_of

RANKS = (8, 16, 32)
"""Candidates for the rank of the projection."""


@dataclass(frozen=True, eq=False)
class SvdPredictor(LeaveOneOutPredictor):
    """Weights B = VV' without its diagonal, V the leading right singular vectors of users X.

    1 minus the score at a held item is the item's part of the residual norm of the profile:
    ||y - yVV'||^2 = sum over held items j of 1 - (yVV')_j, here with (VV')_jj taken out, so that
    the item does not explain itself. The encoding yV itself would throw away what is wanted: it
    projects a strange profile back among the ordinary ones.

    References
    ----------
    Cremonesi, Koren & Turrin (2010), "Performance of recommender algorithms on top-N
    recommendation tasks" (PureSVD).
    """

    reference: sp.csr_array  # X, (n_users, n_items) float32 ones
    setting: float  # the rank
    components: NDArray[np.float32]  # V', (rank, n_items)

    @classmethod
    def candidates(cls, reference: sp.csr_array) -> list[Self]:
        """Fit at each of `RANKS`."""
        return cls.at_each(RANKS, reference)

    @classmethod
    def at_each(cls, ranks: Sequence[float], reference: sp.csr_array) -> list[Self]:
        """Fit at the largest rank, of which the leading vectors serve the others."""
        largest = cls.fit(reference, int(max(ranks)))
        return [replace(largest, setting=k, components=largest.components[: int(k)]) for k in ranks]

    @classmethod
    def fit(cls, reference: sp.csr_array, rank: int) -> Self:
        """Find the leading singular vectors."""
        attainable = min(rank, *(length - 1 for length in reference.shape))
        # A start of its own makes ARPACK repeatable.
        start = np.ones(min(reference.shape))
        _, values, components = svds(reference.astype(np.float64), attainable, v0=start)
        leading_first = components[np.argsort(-values)]
        return cls(reference, rank, np.asarray(leading_first, dtype=np.float32))

    def scorer(self, profiles: sp.csr_array) -> Scorer:
        """Prepare to score all items: (yVV')_j - y_j (VV')_jj, (n_block, n_items)."""
        diagonal = np.einsum("ki,ki->i", self.components, self.components)

        def scores(rows: slice) -> NDArray[np.float32]:
            block = profiles[rows]
            found = np.asarray((block @ self.components.T) @ self.components)
            found[user_of(block), block.indices] -= diagonal[block.indices]
            return found

        return scores
