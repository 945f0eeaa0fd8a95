"""What every samplable recommender shares: a Cornac Recommender that can make up whole users."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Self, final

import numpy as np
import pandas as pd
import scipy.sparse as sp
from cornac.data import Dataset
from cornac.exception import ScoreException
from cornac.models import Recommender
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from cornac_mle.checks import check_count, check_jobs, refusal
from cornac_mle.models._saved import load_model, rename_attributes
from cornac_mle.models._spelling import spelled
from cornac_mle.models.training_matrix import check_dataset, training_matrix
from cornac_mle.models.validation import Validation, validation_users
from cornac_mle.profiles import Profiles, dataset_items
from cornac_mle.randomness import RngLike, children, generator
from cornac_mle.sampling.importance import LikelihoodEstimate
from cornac_mle.sparse import FloatArray

CHUNK_USERS = 1024
"""Users that are drawn from one seed. Part of the definition of `sample`: another value, others."""

LIKELIHOOD_DRAWS = 100
"""Latent points a user from which a log-likelihood is estimated, unless told otherwise."""


class GenerativeRecommender(Recommender, ABC):  # type: ignore[misc]  # Cornac has no types
    """A Cornac recommender that also draws synthetic users.

    A subclass gives four formulas: `_fit` (learn from a users x items matrix), `_draw` (make up
    one chunk of users), `_fold_in` (scores of users it has not seen) and, where it has one,
    `_log_likelihood`. Fitted state lives in attributes whose names end in an underscore; a refit
    starts fresh. Cornac's `score`, `rank`, `rate`, `clone`, `save` and `load` follow from these.

    Attributes
    ----------
    judge_family : str or None
        Family of judges of plausibility that the model is kin to; reports mark that cell.
    """

    judge_family: str | None = None

    def __init__(self, name: str, *, trainable: bool = True, verbose: bool = False) -> None:
        if not isinstance(name, str):
            raise TypeError(refusal("name", "be a string", repr(name)))
        super().__init__(name=name, trainable=trainable, verbose=verbose)
        # A matrix of the training users is kept for `score`; Cornac's own sets are not saved.
        self.train_matrix_: sp.csr_array | None = None
        self.catalogue_: pd.Index | None = None

    def __repr__(self) -> str:
        if self.train_matrix_ is None:
            return spelled(self)
        n_users, n_items = self.train_matrix_.shape
        return f"{spelled(self)} fitted to {n_users:,} users x {n_items:,} items"

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        rename_attributes(self)

    # ------------------------------------------------------------------ formulas of a subclass

    @abstractmethod
    def _fit(self, matrix: sp.csr_array, validation: Validation | None) -> None:
        """Learn from `matrix`, (n_users, n_items) float32; stop early on `validation`."""

    @abstractmethod
    def _draw(self, n_users: int, rng: np.random.Generator) -> sp.csr_array:
        """Draw one chunk of users: (n_users, n_items), stored values above 0."""

    @abstractmethod
    def _fold_in(self, matrix: sp.csr_array) -> FloatArray:
        """Ranking scores (n_users, n_items) of one block of users that were not trained on."""

    def _log_likelihood(
        self, matrix: sp.csr_array, n_draws: int, rng: np.random.Generator
    ) -> LikelihoodEstimate:
        """Log-probability in nats, (n_users,), of one block of users, drawn as by `_draw`."""
        msg = f"{self.name} has no log-likelihood: {self._why_no_log_likelihood()}"
        raise NotImplementedError(msg)

    def _item_set_log_likelihood(
        self, matrix: sp.csr_array, n_draws: int, rng: np.random.Generator
    ) -> LikelihoodEstimate:
        """Do the same for item sets alone; a model with a distribution of values overrides it."""
        return self._log_likelihood(matrix, n_draws, rng)

    def _why_no_log_likelihood(self) -> str:
        return "its sampling distribution has no density that it can evaluate."

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
            self._fit_fresh(train_set, matrix, val_set)
        except BaseException:  # an interrupt too: half a fit must not pass for one
            self.is_fitted = False
            self.catalogue_ = self.train_matrix_ = None
            raise
        return self

    def _fit_fresh(self, train_set: Dataset, matrix: sp.csr_array, val_set: Dataset | None) -> None:
        self.train_matrix_ = matrix
        self.catalogue_ = dataset_items(train_set)
        self._fit(matrix, validation_users(matrix, val_set))

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
    def sample(self, n_users: int, *, rng: RngLike | None = None, n_jobs: int = 1) -> Profiles:
        """Draw whole new users.

        Users are drawn in chunks of 1,024, each from a seed of its own, so the answer depends on
        `rng` and `n_users` only, not on memory or workers.

        Parameters
        ----------
        n_users : int
            How many, at least 1.
        rng : int, SeedSequence or Generator, optional
            Source of randomness: same seed, same users; None: other users each time.
        n_jobs : int
            Threads that draw chunks, -1 for one a core; the users are the same for any number.

        Returns
        -------
        Profiles
            (n_users, n_items), users ``"s0"``, ``"s1"``, ...; some may be empty.

        Raises
        ------
        RuntimeError
            If the model is not fitted.
        TypeError, ValueError
            If `n_users`, `rng` or `n_jobs` is not one.
        """
        catalogue = self._fitted_catalogue()
        chunks = list(self.sample_chunks(n_users, rng=rng, n_jobs=n_jobs))
        return Profiles.from_matrix(sp.csr_array(sp.vstack(chunks, format="csr")), catalogue)

    @final
    def sample_chunks(
        self, n_users: int, *, rng: RngLike | None = None, n_jobs: int = 1
    ) -> Iterator[sp.csr_array]:
        """Yield the chunks of `sample` one by one, so that memory does not grow with `n_users`."""
        check_count("n_users", n_users)
        check_jobs(n_jobs)
        self._fitted_catalogue()
        sizes = chunk_sizes(n_users)
        seeds = children(generator(rng), len(sizes))
        draw = delayed(self._draw_chunk)
        workers = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
        yield from workers(draw(*chunk) for chunk in zip(sizes, seeds, strict=True))

    def _draw_chunk(self, n_users: int, seed: np.random.SeedSequence) -> sp.csr_array:
        return sp.csr_array(self._draw(n_users, np.random.default_rng(seed)), dtype=np.float32)

    @final
    def fold_in(self, profiles: Profiles) -> FloatArray:
        """Ranking scores of users that the model has not seen; higher is better.

        Parameters
        ----------
        profiles : Profiles
            What is known of them, on the items the model was fitted on, in the same order.

        Returns
        -------
        ndarray, shape (n_users, n_items), float64
            Dense: hand over a block of users at a time where there are many.
        """
        return np.asarray(self._fold_in(self._checked(profiles).matrix), dtype=np.float64)

    @final
    def log_likelihood(
        self,
        profiles: Profiles,
        *,
        rng: RngLike | None = None,
        n_draws: int = LIKELIHOOD_DRAWS,
    ) -> FloatArray:
        """Log-probability of each profile, size included, under the distribution of `sample`.

        Exact, or a lower bound on average: `estimate_log_likelihood` says which.

        Parameters
        ----------
        profiles : Profiles
            On the items the model was fitted on, in the same order.
        rng : int, SeedSequence or Generator, optional
            Source of the latent points, for models that have some; None: other points each time.
        n_draws : int
            Latent points drawn a user; more bring the bound closer. Exact models need none.

        Returns
        -------
        ndarray, shape (n_users,)
            Nats.

        Raises
        ------
        NotImplementedError
            If the model has none; the message says why.
        """
        return self.estimate_log_likelihood(profiles, rng=rng, n_draws=n_draws).nats

    @final
    def estimate_log_likelihood(
        self,
        profiles: Profiles,
        *,
        rng: RngLike | None = None,
        n_draws: int = LIKELIHOOD_DRAWS,
        values: bool = True,
    ) -> LikelihoodEstimate:
        """`log_likelihood`, with the effective sample size of each user where it is estimated.

        Parameters
        ----------
        profiles, rng, n_draws
            As in `log_likelihood`, whose errors and cost this has.
        values : bool
            False: of the item sets alone, whatever their values. It makes a difference only to
            models with a distribution of values (`PMF`), and makes them comparable with the others.
        """
        check_count("n_draws", n_draws)
        estimate = self._log_likelihood if values else self._item_set_log_likelihood
        matrix, random = self._checked(profiles).matrix, generator(rng)
        blocks = [
            estimate(matrix[start : start + CHUNK_USERS], n_draws, random)
            for start in range(0, len(profiles), CHUNK_USERS)
        ]
        if not blocks:
            return LikelihoodEstimate(np.zeros(0), None)
        nats, sizes = zip(*blocks, strict=True)
        if any(size is None for size in sizes):
            return LikelihoodEstimate(np.concatenate(nats), None)
        return LikelihoodEstimate(np.concatenate(nats), np.concatenate(sizes))

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


def chunk_sizes(n_users: int) -> list[int]:
    """Cut `n_users` into chunks of 1,024 and a rest."""
    whole, rest = divmod(n_users, CHUNK_USERS)
    return [CHUNK_USERS] * whole + ([rest] if rest else [])
