"""What a recommender of whole users is in Cornac: fitted, scored, spelt, saved and loaded."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Any, Self, final

import numpy as np
import pandas as pd
import scipy.sparse as sp
from cornac.data import Dataset
from cornac.exception import ScoreException
from cornac.models import Recommender
from tqdm.auto import tqdm

from cornac_mle.checks import check_flag, check_name, refusal
from cornac_mle.files.markup import block, named_values, note
from cornac_mle.models._saved import load_model, rename_attributes
from cornac_mle.models._spelling import spelled
from cornac_mle.models._training_matrix import check_dataset, training_matrix
from cornac_mle.models.shared_fits import share, take_shared
from cornac_mle.models.validation import Validation, validation_users
from cornac_mle.profiles import Profiles, dataset_items
from cornac_mle.sparse import FloatArray
from cornac_mle.workers import one_thread


class FoldInRecommender(Recommender, ABC):  # type: ignore[misc]  # Cornac has no types
    """A Cornac recommender that is fitted to whole users and scores users it has not seen.

    Parameters
    ----------
    name : str
        Name of the recommender.
    trainable, verbose : bool
        As in Cornac.

    Attributes
    ----------
    train_matrix_ : csr_array, shape (n_users, n_items), or None
        Training users; None: not fitted. Cornac's own sets are not saved with a model.
    catalogue_ : Index, or None
        Ids of the items.
    """

    def __init__(self, name: str, *, trainable: bool = True, verbose: bool = False) -> None:
        super().__init__(
            name=check_name(name),
            trainable=check_flag("trainable", trainable),
            verbose=check_flag("verbose", verbose),
        )
        self.train_matrix_: sp.csr_array | None = None
        self.catalogue_: pd.Index | None = None

    def __repr__(self) -> str:
        if self.train_matrix_ is None:
            return spelled(self)
        n_users, n_items = self.train_matrix_.shape
        return f"{spelled(self)} fitted to {n_users:,} users x {n_items:,} items"

    def _repr_html_(self) -> str:
        said = (inspect.getdoc(type(self)) or "").split("\n")[0].replace("`", "")
        fitted = "nothing yet"
        if self.train_matrix_ is not None:
            n_users, n_items = self.train_matrix_.shape
            fitted = f"{n_users:,} users x {n_items:,} items"
        values = {"made by": spelled(self), "fitted to": fitted}
        return block(self.name, note(said), named_values(values))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        rename_attributes(self)

    # ------------------------------------------------------------------ formulas of a subclass

    @abstractmethod
    def _fit(self, matrix: sp.csr_array, validation: Validation | None) -> None:
        """Learn from `matrix`, (n_users, n_items) float32; stop early on `validation`."""

    @abstractmethod
    def _fold_in(self, matrix: sp.csr_array) -> FloatArray:
        """Ranking scores (n_users, n_items) of one block of users that were not trained on."""

    # ----------------------------------------------------------------------------- public, final

    def fit(self, train_set: Dataset, val_set: Dataset | None = None) -> Self:
        """Fit to the users of `train_set`; stop early on `val_set` where the model can.

        A model that is not trainable stays as it is, and takes its own training users only. Data
        that are refused leave a model as it was; one whose fit fails or is interrupted is not
        fitted.

        Parameters
        ----------
        train_set : cornac.data.Dataset
            Training interactions, values above 0.
        val_set : cornac.data.Dataset, optional
            Interactions of other users, or further interactions of the training users.

        Raises
        ------
        TypeError
            If a set is not a Dataset.
        ValueError
            If a training value is not above 0, or a fitted model that is not trainable meets other
            users or items than its own.
        """
        check_dataset("train_set", train_set)
        if val_set is not None:
            check_dataset("val_set", val_set)
        matrix = training_matrix(train_set)
        if not self.trainable:
            self._check_own_users(train_set, matrix)
        # Cornac warns on every refit; ours starts fresh, so there is nothing to warn of.
        self.is_fitted = False
        super().fit(train_set, val_set)
        if not self.trainable:
            return self
        try:
            with one_thread():
                self._fit_fresh(train_set, matrix, val_set)
        except BaseException:  # an interrupt too: half a fit must not pass for one
            self.is_fitted = False
            self.catalogue_ = self.train_matrix_ = None
            raise
        return self

    def _fit_fresh(self, train_set: Dataset, matrix: sp.csr_array, val_set: Dataset | None) -> None:
        self.train_matrix_ = matrix
        self.catalogue_ = dataset_items(train_set)
        if not take_shared(self, train_set, val_set):
            self._fit(matrix, validation_users(matrix, val_set))
            share(self, train_set, val_set)

    def _shared_settings(self) -> Hashable:
        """Everything that a fit depends on but the data; None: each model is fitted by itself."""
        return None

    def _check_own_users(self, train_set: Dataset, matrix: sp.csr_array) -> None:
        """Refuse data of which Cornac's numbers would mean other users or items to the model."""
        if self.catalogue_ is None or self.train_matrix_ is None:
            return  # never fitted, as whoever uses it is told
        rule = "hold the {} that the model was fitted on, in the same order, as trainable=False"
        if not dataset_items(train_set).equals(self.catalogue_):
            advice = "Set trainable=True to fit it again."
            raise ValueError(refusal("train_set", rule.format("items"), "others", advice))
        own = self.train_matrix_
        if matrix.shape != own.shape or (matrix != own).nnz:
            advice = "fold_in(profiles) scores other users; trainable=True fits again."
            raise ValueError(refusal("train_set", rule.format("users"), "others", advice))

    @final
    def fold_in(self, profiles: Profiles) -> FloatArray:
        """Ranking scores of users that the model has not seen; higher is better.

        Parameters
        ----------
        profiles : Profiles
            Known part of each user, on the items the model was fitted on, in the same order.

        Returns
        -------
        ndarray, shape (n_users, n_items), float64
            Dense: hand over a block of users at a time where there are many.
        """
        return np.asarray(self._fold_in(self._checked(profiles).matrix), dtype=np.float64)

    # ------------------------------------------------------------------------ Cornac's interface

    @staticmethod
    def load(model_path: str, trainable: bool = False) -> Any:
        """Load what `save` has written, by this version or by one whose modules had other names.

        Parameters
        ----------
        model_path : str
            File, or a folder, of which the latest file is taken.
        trainable : bool
            Whether `fit` fits the model again; otherwise it is taken as it is.

        Returns
        -------
        Recommender
            Model as it was saved, without its training set.
        """
        return load_model(model_path, trainable=trainable)

    def score(self, user_idx: int, item_idx: int | None = None) -> Any:
        """Ranking score of a training user for one item, or for all items (n_items,)."""
        self._fitted_catalogue()
        if self.train_matrix_ is None or not self.knows_user(user_idx):
            msg = f"Can't make score prediction for user {user_idx}: fold_in scores unseen users."
            raise ScoreException(msg)
        if item_idx is not None and not self.knows_item(item_idx):
            msg = f"Can't make score prediction for item {item_idx}: not in the training set."
            raise ScoreException(msg)
        scores = self._score_user(user_idx)
        return scores if item_idx is None else scores[item_idx]

    def _score_user(self, user_idx: int) -> FloatArray:
        """Scores (n_items,) of a training user; a model with fitted user factors overrides it."""
        assert self.train_matrix_ is not None  # `score` has checked it
        scores: FloatArray = self._fold_in(self.train_matrix_[[user_idx]])[0]
        return scores

    def _fitted_catalogue(self) -> pd.Index:
        if self.catalogue_ is None:
            msg = f"{self.name} is not fitted. Call fit(train_set) first."
            raise RuntimeError(msg)
        return self.catalogue_

    def _progress(self, n_steps: int, what: str) -> "tqdm[int]":
        """Count from 0 to `n_steps` - 1, in view where the model is verbose."""
        return tqdm(range(n_steps), disable=not self.verbose, desc=f"{self.name}: {what}")

    def _checked(self, profiles: Profiles) -> Profiles:
        if not isinstance(profiles, Profiles):
            advice = "Profiles.from_matrix(matrix, model.catalogue_) makes them."
            got = type(profiles).__name__
            raise TypeError(refusal("profiles", "be Profiles", got, advice))
        if not profiles.item_ids.equals(self._fitted_catalogue()):
            rule = "have the items that the model was fitted on, in the same order"
            advice = "Call profiles.align(model.catalogue_) first."
            raise ValueError(refusal("profiles", rule, "others", advice))
        return profiles
