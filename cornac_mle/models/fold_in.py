"""Scores of users that a fitted recommender has not seen, for Cornac's models and for ours."""

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from cornac.hyperopt import BaseSearch
from cornac.models import Recommender

from cornac_mle import adapters
from cornac_mle.models._training_matrix import dataset_matrix
from cornac_mle.models.base import GenerativeRecommender
from cornac_mle.profiles import Profiles
from cornac_mle.sparse import FloatArray

BLOCK_USERS = 256


def fold_in_scores(model: Recommender, profiles: Profiles) -> FloatArray:
    """Scores (n_users, n_items) of unseen users, higher is better.

    By the model's own fold-in (ours), by the formula of its family (`cornac_mle.adapters`), or,
    where nothing is known of it, by the scores of the 20 nearest training users.

    Parameters
    ----------
    model : Recommender
        Fitted model. A search is scored by its best one.
    profiles : Profiles
        Known part of each user, on the model's items.

    Raises
    ------
    RuntimeError
        If neighbours are asked for and the model was loaded without its training set.
    """
    model = searched(model)
    if isinstance(model, GenerativeRecommender):
        return model.fold_in(profiles)
    return adapters.unseen_scores(model, profiles.matrix, training_rows(model))


def training_rows(model: Recommender) -> sp.csr_array:
    """Users that a Cornac model was fitted on, (n_users, n_items); nobody, if it forgot them."""
    train_set = getattr(model, "train_set", None)
    if train_set is not None:
        return dataset_matrix(train_set)
    return sp.csr_array((0, model.num_items), dtype=np.float32)


def searched(model: Recommender) -> Recommender:
    """Take the best model of a search, and any other as it is."""
    return model.best_model if isinstance(model, BaseSearch) else model


class UnseenUsers(Recommender):  # type: ignore[misc]  # Cornac has no types
    """A read-only view of a fitted model that scores unseen users by fold-in.

    Parameters
    ----------
    model : Recommender
        Fitted model, which is not changed.
    shown : Profiles
        Known part of each unseen user, on the model's items.
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
        """Rank as Cornac does, but items of one score at random: their numbers mean nothing.

        A `k` above the number of candidates, where Cornac fails, means all.
        """
        items = np.arange(self.num_items) if item_indices is None else np.asarray(item_indices)
        order = np.random.default_rng(user_idx).permutation(len(items))
        best = k if k <= len(items) else -1
        ranked, shuffled = super().rank(user_idx, items[order], best, **settings)
        scores = np.empty_like(shuffled)
        scores[order] = shuffled
        return ranked, scores

    def rate(self, user_idx: int, item_idx: int, clipping: bool = True) -> Any:
        """Predict a rating: the score, or what its family makes of it.

        NaN for a model of ours that predicts values otherwise than it ranks: it cannot yet do that
        for users whom it has not seen.
        """
        model = searched(self.model)
        if isinstance(model, GenerativeRecommender) and type(model).rate is not Recommender.rate:
            return np.float64("nan")
        value = self.score(user_idx, item_idx)
        ratings = adapters.adapter_of(model).ratings
        if ratings is not None:
            value = ratings(model, value)
        return np.float64(np.clip(value, self.min_rating, self.max_rating) if clipping else value)

    def score(self, user_idx: int, item_idx: int | None = None) -> Any:
        """Score items for an unseen user; one block of users is kept, not all."""
        block, row = divmod(user_idx - self.first, BLOCK_USERS)
        if block != self._block:
            stop = min((block + 1) * BLOCK_USERS, len(self.shown))
            rows = np.arange(block * BLOCK_USERS, stop)
            self._scores, self._block = fold_in_scores(self.model, self.shown[rows]), block
        return self._scores[row] if item_idx is None else self._scores[row, item_idx]
