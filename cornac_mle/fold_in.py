"""Scores of users that a fitted recommender has not seen, for Cornac's models and for ours."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from cornac.models import BPR, EASE, MF, PMF, MostPop, Recommender

from cornac_mle.kernels import pattern
from cornac_mle.models.base import GenerativeRecommender
from cornac_mle.profiles import Profiles

FloatArray = npt.NDArray[np.float64]

BLOCK_USERS = 256
UNHELD_WEIGHT = 0.05
"""Weight of an item that a user does not hold when a factor model of likes is folded in."""


def popularity_scores(model: Recommender, matrix: sp.csr_array) -> FloatArray:
    """Score every item by its number of holders in the training set, for all users alike."""
    counts = np.bincount(model.train_set.uir_tuple[1], minlength=matrix.shape[1])
    return np.tile(counts.astype(np.float64), (matrix.shape[0], 1))


def _item_item(model: EASE, matrix: sp.csr_array) -> FloatArray:
    """Score by the item-item weights: profile times B, as EASE itself scores."""
    scores: FloatArray = np.asarray(matrix.astype(np.float64) @ model.B, dtype=np.float64)
    return scores


def _ridge(
    matrix: sp.csr_array, factors: FloatArray, target: sp.csr_array, penalty: float
) -> FloatArray:
    """User factors that fit `target` at held items by least squares, one ridge a user."""
    eye = penalty * np.eye(factors.shape[1])
    users = np.zeros((matrix.shape[0], factors.shape[1]))
    for user in range(matrix.shape[0]):
        held = slice(matrix.indptr[user], matrix.indptr[user + 1])
        items = factors[matrix.indices[held]]
        users[user] = np.linalg.solve(items.T @ items + eye, items.T @ target.data[held])
    return users


def _rating_factors(model: MF, matrix: sp.csr_array) -> FloatArray:
    """Fit a factor vector and a bias to the user's ratings by ridge, as MF's own loss has them."""
    factors = np.column_stack([model.i_factors, np.ones(matrix.shape[1])]).astype(np.float64)
    known = model.global_mean + np.asarray(model.i_biases, dtype=np.float64)
    target = matrix.astype(np.float64)
    target.data = target.data - known[matrix.indices]
    penalty = model.lambda_reg * max(1.0, float(np.mean(np.diff(matrix.indptr))))
    users = _ridge(matrix, factors, target, penalty)
    scores: FloatArray = known + users @ factors.T
    return scores


def _pmf_factors(model: PMF, matrix: sp.csr_array) -> FloatArray:
    """Fit a factor vector through Cornac's PMF link: ratings mapped to (0, 1), then to log-odds."""
    target = matrix.astype(np.float64)
    factors = np.asarray(model.V, dtype=np.float64)
    if model.variant == "non_linear":
        width = max(float(model.max_rating - model.min_rating), 1e-12)
        share = np.clip((target.data - model.min_rating) / width, 0.02, 0.98)
        target.data = np.log(share / (1 - share))
    users = _ridge(matrix, factors, target, max(float(model.lambda_reg), 0.1))
    return users @ factors.T


def _like_factors(model: BPR, matrix: sp.csr_array) -> FloatArray:
    """Fit a factor vector to held = 1, not held = 0 of small weight (Hu et al. 2008), plus bias."""
    factors = np.asarray(model.i_factors, dtype=np.float64)
    everyone = UNHELD_WEIGHT * factors.T @ factors
    eye = max(float(model.lambda_reg), 1e-3) * np.eye(factors.shape[1])
    users = np.zeros((matrix.shape[0], factors.shape[1]))
    for user in range(matrix.shape[0]):
        items = factors[matrix.indices[matrix.indptr[user] : matrix.indptr[user + 1]]]
        users[user] = np.linalg.solve(everyone + items.T @ items + eye, items.sum(axis=0))
    return users @ factors.T + np.asarray(model.i_biases, dtype=np.float64)


@dataclass(frozen=True)
class Adapter:
    """How one family of Cornac models scores unseen users."""

    family: type[Recommender]
    scores: Callable[[Any, sp.csr_array], FloatArray]
    values: bool
    """Whether it is given the ratings (True) or only which items are held."""


ADAPTERS: list[Adapter] = [
    Adapter(MostPop, popularity_scores, values=False),
    Adapter(EASE, _item_item, values=True),
    Adapter(BPR, _like_factors, values=False),
    Adapter(PMF, _pmf_factors, values=True),
    Adapter(MF, _rating_factors, values=True),
]
"""Most special family first. Append an `Adapter` to fold in a further one."""


def adapter_of(model: Recommender) -> Adapter | None:
    """Find how `model` folds in unseen users; None where nothing is known of its family."""
    return next((known for known in ADAPTERS if isinstance(model, known.family)), None)


def fold_in_scores(model: Recommender, profiles: Profiles) -> FloatArray:
    """Scores (n_users, n_items) of unseen users; popularity where the family is unknown."""
    if isinstance(model, GenerativeRecommender):
        return model.fold_in(profiles)
    adapter = adapter_of(model)
    if adapter is None:
        return popularity_scores(model, profiles.matrix)
    return adapter.scores(model, profiles.matrix if adapter.values else pattern(profiles.matrix))


class UnseenUsers(Recommender):  # type: ignore[misc]  # Cornac has no types
    """A read-only view of a fitted model that scores unseen users by fold-in.

    Parameters
    ----------
    model : Recommender
        Fitted; it is not changed.
    shown : Profiles
        What is known of the unseen users, on the model's items.
    first : int
        Index of the first of them; they follow in the order of `shown`.
    """

    def __init__(self, model: Recommender, shown: Profiles, first: int) -> None:
        super().__init__(name=model.name, trainable=False)
        self.num_users, self.num_items = model.num_users, model.num_items
        self.uid_map, self.iid_map = model.uid_map, model.iid_map
        self.min_rating, self.max_rating = model.min_rating, model.max_rating
        self.global_mean = model.global_mean
        self.model = model
        self.shown = shown
        self.first = first
        self._block = -1
        self._scores = np.zeros((0, 0))

    def rank(
        self,
        user_idx: int,
        item_indices: npt.NDArray[np.integer] | None = None,
        k: int = -1,
        **settings: Any,
    ) -> Any:
        """Rank as Cornac does; a `k` above the number of candidates, where it fails, means all."""
        count = self.num_items if item_indices is None else len(item_indices)
        return super().rank(user_idx, item_indices, k if k <= count else -1, **settings)

    def score(self, user_idx: int, item_idx: int | None = None) -> Any:
        """Score items for an unseen user; one block of users is kept, not all."""
        block, row = divmod(user_idx - self.first, BLOCK_USERS)
        if block != self._block:
            stop = min((block + 1) * BLOCK_USERS, len(self.shown))
            rows = np.arange(block * BLOCK_USERS, stop)
            self._scores, self._block = fold_in_scores(self.model, self.shown[rows]), block
        return self._scores[row] if item_idx is None else self._scores[row, item_idx]
