"""Any Cornac model made samplable: a user by a density, its scores, and a profile by a link."""

import copy
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from cornac.data import Dataset
from cornac.models import Recommender, SKMeans

from cornac_mle.adapters.adapter import Adapter
from cornac_mle.adapters.table import adapter_of, check_samplable
from cornac_mle.adapters.unseen import unseen_scores
from cornac_mle.checks import check_seed, refusal, written
from cornac_mle.models.base import CHUNK_USERS, GenerativeRecommender
from cornac_mle.models.cloning import finite, fitted_or_refused, fresh_clone, frozen, to_evaluation
from cornac_mle.models.sampled._calibrated_link import fit_inverse_temperature, fit_offsets
from cornac_mle.models.sampled._user_densities import (
    DENSITIES,
    UserDensity,
    fit_density,
    sizes_near,
)
from cornac_mle.models.validation import Validation
from cornac_mle.profiles import dataset_items, dataset_users
from cornac_mle.sampling.item_holdout import hold_out_share
from cornac_mle.sampling.latent_densities import size_scores
from cornac_mle.sampling.plackett_luce import draw_values, plackett_luce
from cornac_mle.sampling.sizes import draw_sizes, size_distribution
from cornac_mle.sparse import FloatArray, IntArray

CALIBRATED_USERS = 1024
"""Users that the inverse temperature is fitted to."""
LEAST_NEW_USERS = 30
"""Validation users from which on the inverse temperature is fitted to them only."""
HIDDEN_SHARE = 0.2
"""Share of a user's items that the inverse temperature is fitted to."""


class Sampled(GenerativeRecommender):
    r"""A Cornac model that can make up users.

    A user is drawn in three steps:

    1. *Who*: a point where the model's users lie (factors, an embedding, a latent variable), from a
       density that is fitted to those of the training users, profile sizes with them. Models
       that know a user by its profile alone (EASE, ItemKNN, UserKNN) get a training user's profile
       with a fifth of its items hidden. Models with a generative distribution of their own (HPF,
       VAECF, CVAECF, BiVAECF) draw from that.
    2. *Scores*: the model's own, for all items.
    3. *Profile*: items one after the other, with probabilities in proportion to

       .. math:: \exp(\beta s_i + o_i)

       of score s, inverse temperature :math:`\beta` and offset o. The inverse temperature is that
       of highest likelihood for hidden items of validation users, whom the model has not seen,
       where there are 30 or more, otherwise of training users; the offsets give each item its
       training popularity over all synthetic users. A generative distribution needs neither: its
       scores are log-rates. Sizes follow the training users', smoothed; a value is that of a random
       training user who holds the item.

    So what synthetic users like, and how much, is the data's on average, and who likes what
    together is the model's. A model that predicts ratings and knows nothing of who rates what
    (MF, BaselineOnly) gets an inverse temperature near 0 and makes up users of independent
    popularity: that is what it knows.

    Parameters
    ----------
    model : Recommender
        Model of Cornac's, fitted or not, of a family in `cornac_mle.adapters.ADAPTERS` or of none:
        then the scores of training users are all that is used of it. `fit(train_set)` fits a clone,
        `fit()` takes the model as it was fitted; one with ``trainable=False`` is taken as it is.
    name : str, optional
        None: "Sampled", and the model's name in parentheses.
    density : {"mixture", "gaussian", "bootstrap"}, optional
        Density of points. "mixture": full Gaussians, their number chosen by the likelihood of users
        left out. "gaussian": one. "bootstrap": a fitted user moved by normal noise, its bandwidth
        chosen by the likelihood of users left out. None: the model's own generative distribution
        where it has one (the prior of an autoencoder), "mixture" for other points, "bootstrap" for
        profiles.
    trainable, verbose : bool
        Switches, as in Cornac. The model is as verbose as it says itself.
    seed : int, optional
        Random seed of density and link; None: others each time. The model has its own.

    Attributes
    ----------
    model_ : Recommender
        The fitted model, its networks in evaluation mode.
    inverse_temperature_ : float
        Factor on the scores, at least 0; 0: they say nothing of who holds what.
    offsets_ : ndarray, shape (n_items,)
        Offset of each item; -inf for items that no training user holds.
    sampler_ : str
        Way in which users are drawn, in words.

    Raises
    ------
    TypeError
        If `model` is none of Cornac's.
    ValueError
        If `density` is none of these, or does not go with the model.
    NotImplementedError
        If the model has no whole users to draw (next-item and next-basket models).
    RuntimeError
        By `fit()`, if the model is not fitted or was loaded without its training set.

    Notes
    -----
    Time to fit, beyond the model: scores of 4,096 users, some 300 passes over 1,024 x n_items of
    them, and the mixture. Memory: some arrays of 1,024 x n_items.

    Examples
    --------
    >>> import numpy as np, pandas as pd, scipy.sparse as sp
    >>> from cornac.models import EASE
    >>> from cornac_mle import Profiles, Sampled
    >>> likes = np.kron(np.eye(2), np.ones((20, 5)))  # 20 users like items 0-4, 20 like 5-9
    >>> users = Profiles.from_matrix(sp.csr_array(likes), pd.Index(range(10)))
    >>> ease = EASE(lamb=1.0, verbose=False).fit(users.to_dataset())
    >>> drawn = Sampled(ease).fit().sample(200, rng=1).matrix
    >>> of_first_half = drawn[:, :5].sum(axis=1) / drawn.sum(axis=1)
    >>> float(np.maximum(of_first_half, 1 - of_first_half).mean())  # 1: of one kind each
    1.0
    """

    def __init__(
        self,
        model: Recommender,
        *,
        name: str | None = None,
        density: str | None = None,
        trainable: bool = True,
        verbose: bool = False,
        seed: int | None = 123,
    ) -> None:
        if not isinstance(model, Recommender) or isinstance(model, GenerativeRecommender):
            got = repr(model) if not isinstance(model, Recommender) else f"a {type(model).__name__}"
            advice = "Models of cornac_mle are sampled as they are."
            raise TypeError(refusal("model", "be a model of Cornac's own", got, advice))
        check_samplable(model)
        if density is not None and not (isinstance(density, str) and density in DENSITIES):
            raise ValueError(refusal("density", f"be None or one of {DENSITIES}", written(density)))
        super().__init__(
            name=f"Sampled({model.name})" if name is None else name,
            trainable=trainable,
            verbose=verbose,
        )
        self.model = model
        self.density = density
        self.seed = check_seed(seed)

    def fit(self, train_set: Dataset | None = None, val_set: Dataset | None = None) -> Self:
        """Fit a clone of the model, or take the model as it was fitted, and calibrate the link.

        Parameters
        ----------
        train_set : cornac.data.Dataset, optional
            Training interactions; None: the model is taken as it was fitted, with its own sets.
        val_set : cornac.data.Dataset, optional
            Users whom the model has not seen; the link is calibrated on them.
        """
        self._as_it_is = train_set is None or (self.model.is_fitted and frozen(self.model))
        if train_set is None:
            if not self.model.is_fitted or getattr(self.model, "train_set", None) is None:
                msg = (
                    f"{self.model.name} is not fitted, or was loaded without its training set. "
                    "Call fit(train_set)."
                )
                raise RuntimeError(msg)
            train_set = self.model.train_set
            val_set = self.model.val_set if val_set is None else val_set
        return super().fit(train_set, val_set)

    # ------------------------------------------------------------------------------- formulas

    def _fit(self, matrix: sp.csr_array, validation: Validation | None) -> None:
        self.model_ = self._fitted_model()
        rng = np.random.default_rng(self.seed)
        adapter = adapter_of(self.model_)
        self.judge_family = adapter.judge_family
        self.by_item_ = sp.csc_array(matrix)
        self.popularity_ = np.diff(self.by_item_.indptr).astype(np.float64)
        sizes, held = np.diff(matrix.indptr), int(np.count_nonzero(self.popularity_))
        self.size_distribution_ = size_distribution(sizes, held)
        self.size_scores_ = size_scores(sizes, rng)
        self.density_: UserDensity | None = None
        if adapter.row_scores is not None:
            self._take_profiles(adapter)
        elif self.density is not None or adapter.draw is None:
            self._fit_points(adapter, sizes, rng)
        else:
            self._take_own_distribution(adapter)
            return
        self.inverse_temperature_ = self._calibrated_inverse_temperature(matrix, validation, rng)
        scores, drawn = self._scored(CHUNK_USERS, rng)
        self.offsets_ = fit_offsets(self.inverse_temperature_ * scores, drawn, self.popularity_)

    def _fitted_model(self) -> Recommender:
        """Copy the model as it was fitted, or fit a clone; its users and items are those of ours.

        Raises
        ------
        ValueError
            If a model that is taken as it is has other users or items.
        """
        model = (
            copy.deepcopy(self.model)
            if self._as_it_is
            else fitted_or_refused(fresh_clone(self.model), self.train_set, self.val_set)
        )
        for what, ids in (("users", dataset_users), ("items", dataset_items)):
            if not ids(model).equals(ids(self.train_set)):
                rule = f"be fitted to the {what} of `train_set`, in the same order, as it is frozen"
                raise ValueError(refusal("model", rule, "others", "Pass it with trainable=True."))
        to_evaluation(model)
        return model

    def _take_profiles(self, adapter: Adapter) -> None:
        """Users by training profiles with a part hidden, for a model that knows no others.

        Raises
        ------
        ValueError
            If another density is asked for.
        """
        if self.density not in (None, "bootstrap"):
            rule = f'be None or "bootstrap" for {adapter.family}, which has no points'
            raise ValueError(refusal("density", rule, repr(self.density)))
        self.sampler_ = adapter.family + ", training users with a fifth of their items hidden"

    def _fit_points(self, adapter: Adapter, sizes: IntArray, rng: np.random.Generator) -> None:
        """Users by a density over the points of the training users."""
        assert adapter.points is not None  # whatever has no profiles has points
        points = finite(self.model_, adapter.points(self.model_))
        kind, held = self.density or "mixture", len(self.size_distribution_)
        self.density_ = fit_density(kind, points, sizes, held, rng)
        self.sampler_ = f"{adapter.family}, {kind} over users"

    def _take_own_distribution(self, adapter: Adapter) -> None:
        """Users by the model's own generative distribution, whose scores are log-rates."""
        self.sampler_ = adapter.family + ", its own generative distribution"
        self._scored(1, np.random.default_rng(0))  # refuses a model that has diverged
        self.inverse_temperature_ = 1.0
        self.offsets_ = np.where(self.popularity_ > 0, 0.0, -np.inf)

    def _calibrated_inverse_temperature(
        self, matrix: sp.csr_array, validation: Validation | None, rng: np.random.Generator
    ) -> float:
        """Inverse temperature by hidden items, brought from folded-in points to fitted ones."""
        able = np.flatnonzero(np.diff(matrix.indptr) >= 2)
        own = rng.permutation(able)[:CALIBRATED_USERS]
        new = np.zeros(0) if validation is None else np.flatnonzero(validation.is_new)
        if validation is not None and len(new) >= LEAST_NEW_USERS:
            new = new[:CALIBRATED_USERS]
            shown, hidden, places = validation.shown[new], validation.target[new], None
        elif len(own):
            shown, hidden = hold_out_share(matrix[own], HIDDEN_SHARE, rng)
            places = own
        else:  # no profile has an item to hide
            return 0.0
        scores = self._unseen(shown, places)
        found = fit_inverse_temperature(scores, shown, hidden, self.popularity_)
        return self._brought_to_fitted_points(found, matrix[own], own) if found else 0.0

    def _brought_to_fitted_points(
        self, inverse_temperature: float, rows: sp.csr_array, own: IntArray
    ) -> float:
        """Bring an inverse temperature from folded-in points to those of the fitted users `own`.

        Fitted points may be nearer to each other than folded-in ones, or further apart, or hardly
        fitted at all: by how much, the profiles that both have seen say.
        """
        adapter = adapter_of(self.model_)
        if adapter.points is None or adapter.scores is None:
            return inverse_temperature
        nothing = sp.csr_array(rows.shape, dtype=rows.dtype)
        fitted = adapter.scores(self.model_, adapter.points(self.model_)[own])
        seen_folded, seen_fitted = (
            fit_inverse_temperature(scores, nothing, rows, self.popularity_)
            for scores in (self._unseen(rows, own), fitted)
        )
        return inverse_temperature * seen_fitted / seen_folded if seen_folded else 0.0

    def _scored(self, n_users: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
        """Draw users: their scores (n_users, n_items) and profile sizes (n_users,)."""
        adapter = adapter_of(self.model_)
        if adapter.row_scores is not None:
            assert self.train_matrix_ is not None
            own = rng.integers(self.train_matrix_.shape[0], size=n_users)
            shown, _ = hold_out_share(self.train_matrix_[own], HIDDEN_SHARE, rng)
            bandwidth = 0.9 * len(self.size_scores_) ** -0.2  # Silverman's, of normal scores
            sizes = sizes_near(self.size_scores_[own], bandwidth, self.size_distribution_, rng)
            return self._unseen(shown, own), sizes
        assert adapter.scores is not None
        if self.density_ is not None:
            points, sizes = self.density_.draw(n_users, rng)
        else:
            assert adapter.draw is not None
            points = adapter.draw(self.model_, n_users, rng)
            sizes = draw_sizes(self.size_distribution_, n_users, rng)
        return finite(self.model_, adapter.scores(self.model_, points)), sizes

    def _draw(self, n_users: int, rng: np.random.Generator) -> sp.csr_array:
        scores, sizes = self._scored(n_users, rng)
        drawn = plackett_luce(self.inverse_temperature_ * scores + self.offsets_, sizes, rng)
        return draw_values(drawn, self.by_item_, rng)

    def _fold_in(self, matrix: sp.csr_array) -> FloatArray:
        return self._unseen(matrix, None)

    def _unseen(self, matrix: sp.csr_array, own: IntArray | None) -> FloatArray:
        assert self.train_matrix_ is not None
        scores = unseen_scores(self.model_, matrix, self.train_matrix_, own)
        return finite(self.model_, scores)

    def _why_no_log_likelihood(self) -> str:
        return "nothing gives the probability of a profile under a density and a link together."

    # --------------------------------------------------------------------- the model's, unchanged

    def score(self, user_idx: int, item_idx: int | None = None) -> Any:
        """Score of a training user for one item, or for all items (n_items,), by the model."""
        self._fitted_catalogue()
        # SKMeans looks for a single item among its clusters.
        all_items = item_idx is None or isinstance(self.model_, SKMeans)
        found = self.model_.score(user_idx, None if all_items else item_idx)
        scores = np.asarray(found, dtype=np.float64).ravel()
        if item_idx is None:
            return scores[: self.num_items]
        return float(scores[item_idx if all_items else 0])
