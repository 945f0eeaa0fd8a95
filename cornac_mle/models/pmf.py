"""Probabilistic matrix factorisation: which items a user holds, and which values they have."""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from tqdm.auto import tqdm

from cornac_mle.checks import check_count, check_number
from cornac_mle.drawing import plackett_luce, size_law
from cornac_mle.kernels import pattern
from cornac_mle.models.base import FloatArray, GenerativeRecommender, Validation
from cornac_mle.models.gaussian_factors import (
    Selection,
    Values,
    fit_selection,
    fit_values,
    fold_in_selection,
)
from cornac_mle.models.latent_densities import RIDGE, NormalMixture, size_scores

Float32Array = npt.NDArray[np.float32]

GRID_LENGTH = 25
"""More different training values than this count as continuous."""


class PMF(GenerativeRecommender):
    """Probabilistic matrix factorisation of choices and of values, for likes and for ratings.

    A user is a vector of tastes for choosing, t (`k` dimensions and activity), and, where training
    values differ, one of tastes for rating, u (`k` dimensions and a bias). Item i is held with
    probability sigmoid(w_i't + a_i); its value is mean + v_i'u + b_i + N(0, noise^2).

    **Fit.** Choices: variational EM with a Gaussian of full covariance for every user, the user
    density fitted together with the loadings. Values: variational Bayes over users and items, whose
    priors depend linearly on the factors of choice (who chooses what tells how it is rated). Users
    of a validation set are not looked at.

    **Sampling.** (t, u, normal score of the profile size) is drawn from one Gaussian with full
    covariance, the moments of the training users' posteriors; so t ~ N(0, I) as in the fit, and
    choosing, rating and activity are coupled. The size follows from its score, by the smoothed law
    of training sizes: these are too skewed for the sum of independent choices under a Gaussian.
    Given the size, items are drawn one after the other in proportion to log(1 + odds), the rate at
    which an item arrives within unit time with probability sigmoid(log-odds). Values are cut to
    the training values at points that give each its training frequency (above 25 different
    training values: clipped to their range). If all training values are equal, so are drawn ones.

    `score`, `rank` and `fold_in` give log-odds of holding an item; `rate` predicts the *value*.

    Parameters
    ----------
    k : int
        Dimensions of taste, at least 1.
    max_iter : int
        Passes over the data of each of the two fits, fewer on convergence; 0: the starting point.
    name : str
        Name of the recommender.
    lambda_reg : float
        Precision of the prior of the items' loadings for choice, above 0.
    trainable, verbose : bool
        As in Cornac.
    seed : int, optional
        Of the starting point; None: another one each time.

    Attributes
    ----------
    user_factors_ : ndarray, shape (n_users, k + 1)
        Posterior means of t.
    item_factors_ : ndarray, shape (n_items, k + 2)
        (w_i, a_i).
    user_values_ : ndarray, shape (n_users, k + 1), or None
        Posterior means of u; None where all training values are equal.
    item_values_ : ndarray, shape (n_items, k + 2), or None
        (v_i, b_i).
    value_mean_, value_noise_sd_ : float
        In units of the values.
    value_range_ : tuple of float
        Lowest and highest training value.
    value_grid_, cut_points_ : ndarray, shape (n_grid,) and (n_grid - 1,), or None
        Training values in ascending order and what parts them; None where they are continuous.

    References
    ----------
    Salakhutdinov and Mnih: Probabilistic Matrix Factorization, NIPS 2007 (values only, modes).
    Opper and Archambeau: The Variational Gaussian Approximation Revisited, 2009 (choices). On
    data of known law it finds the loadings' Gram matrix at .95 of its size, the quadratic bound of
    Jaakkola and Jordan (2000) at .71: users drawn from that have too little in common.
    """

    judge_family = "svd"  # few factors behind all items

    def __init__(
        self,
        k: int = 10,
        max_iter: int = 50,
        *,
        name: str = "PMF",
        lambda_reg: float = 1.0,
        trainable: bool = True,
        verbose: bool = False,
        seed: int | None = None,
    ) -> None:
        super().__init__(name=name, trainable=trainable, verbose=verbose)
        check_count("k", k)
        check_count("max_iter", max_iter, minimum=0)
        check_number("lambda_reg", lambda_reg, above=0.0)
        if seed is not None:
            check_count("seed", seed, minimum=0)
        self.k = k
        self.max_iter = max_iter
        self.lambda_reg = lambda_reg
        self.seed = seed

    # ------------------------------------------------------------------------------- formulas

    def _fit(self, matrix: sp.csr_array, validation: Validation | None) -> None:
        rng = np.random.default_rng(self.seed)
        selection = fit_selection(
            pattern(matrix),
            self.k,
            lambda_reg=self.lambda_reg,
            passes=self._passes("choices"),
            rng=rng,
        )
        self.user_factors_, self.item_factors_ = selection
        self.user_values_: FloatArray | None = None
        self.item_values_: FloatArray | None = None
        self.value_grid_: FloatArray | None = None
        self.cut_points_: FloatArray | None = None
        self.value_noise_sd_ = 0.0
        grid = np.unique(matrix.data).astype(np.float64)
        self.value_range_ = float(grid[0]), float(grid[-1])
        self.value_mean_ = float(matrix.data.mean(dtype=np.float64))
        values = None
        if len(grid) > 1:
            values = fit_values(matrix, self.k, selection, passes=self._passes("values"), rng=rng)
            self.user_values_, self.item_values_ = values.users.mean, values.items
            self.value_noise_sd_ = values.noise_sd
            if len(grid) <= GRID_LENGTH:
                self.value_grid_, self.cut_points_ = grid, cut_points(matrix, grid, values, rng)
        sizes = np.diff(matrix.indptr).astype(np.int64)
        self.density_ = joint_density(selection, values, sizes, rng)

    def _passes(self, what: str) -> "tqdm[int]":
        label = f"{self.name}: {what}"
        return tqdm(range(self.max_iter), disable=not self.verbose, desc=label)

    def _draw(self, n_users: int, rng: np.random.Generator) -> sp.csr_array:
        points, sizes = self.density_.draw(n_users, rng)
        size = self.user_factors_.shape[1]
        drawn = plackett_luce(log_rates(self._log_odds(points[:, :size])), sizes, rng)
        drawn.data = self._draw_values(drawn, points[:, size:], rng).astype(np.float32)
        return drawn

    def _draw_values(
        self, drawn: sp.csr_array, tastes: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        """Values of the stored entries of `drawn`, users of rating tastes (n_users, k + 1)."""
        if self.item_values_ is None:
            return np.full(drawn.nnz, self.value_range_[0])
        values = self.value_mean_ + predictions(drawn, tastes, self.item_values_)
        values += self.value_noise_sd_ * rng.standard_normal(drawn.nnz)
        if self.value_grid_ is None or self.cut_points_ is None:
            return np.asarray(np.clip(values, *self.value_range_), dtype=np.float64)
        places = np.searchsorted(self.cut_points_, values)
        return np.asarray(self.value_grid_[places], dtype=np.float64)

    def _fold_in(self, matrix: sp.csr_array) -> FloatArray:
        users = fold_in_selection(pattern(matrix), self.item_factors_)
        return np.asarray(self._log_odds(users), dtype=np.float64)

    def _score_user(self, user_idx: int) -> FloatArray:
        return np.asarray(self._log_odds(self.user_factors_[[user_idx]])[0], dtype=np.float64)

    def _log_odds(self, users: FloatArray) -> Float32Array:
        """Log-odds (n_users, n_items) of holding an item."""
        items = self.item_factors_.astype(np.float32)
        odds: Float32Array = users.astype(np.float32) @ items[:, :-1].T
        odds += items[:, -1]
        return odds

    def _why_no_log_likelihood(self) -> str:
        return "the integral over tastes has no closed form."

    # ------------------------------------------------------------------------------- values

    def rate(self, user_idx: int, item_idx: int, clipping: bool = True) -> np.float64:
        """Predict the value that a user gives an item (not the score that `rank` goes by).

        Parameters
        ----------
        user_idx, item_idx : int
            As in the training set. An unknown user is rated as the mean training user, an unknown
            item as the mean training item.
        clipping : bool
            Bring the prediction into [min_rating, max_rating] of the training set.

        Returns
        -------
        float64
            In units of the values.
        """
        self._fitted_catalogue()
        value = np.float64(self.value_mean_)
        if self.user_values_ is not None and self.item_values_ is not None:
            users, items = self.user_values_, self.item_values_
            user = users[user_idx] if self.knows_user(user_idx) else users.mean(axis=0)
            item = items[item_idx] if self.knows_item(item_idx) else items.mean(axis=0)
            value += user @ item[:-1] + item[-1]
        return np.clip(value, *self.value_range_) if clipping else value


def log_rates(log_odds: Float32Array) -> Float32Array:
    """Log of log(1 + odds): items arriving at this rate are there after unit time at these odds."""
    rates: Float32Array = np.logaddexp(np.float32(0), log_odds)
    np.maximum(rates, np.finfo(np.float32).tiny, out=rates)
    return np.log(rates)


def predictions(matrix: sp.csr_array, users: FloatArray, items: FloatArray) -> FloatArray:
    """v_i'u + b_i at the stored entries, (nnz,); users (n_users, d), items (n_items, d + 1)."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    chosen = items[matrix.indices]
    products: FloatArray = np.einsum("nd,nd->n", users[rows], chosen[:, :-1]) + chosen[:, -1]
    return products


def cut_points(
    matrix: sp.csr_array, grid: FloatArray, values: Values, rng: np.random.Generator
) -> FloatArray:
    """Cut the law of training values under the model so that each value has its frequency.

    Rounding to the nearest value would not: values are skewed and bounded, the model is neither.

    Returns
    -------
    ndarray, shape (n_grid - 1,)
        Between neighbouring values of `grid`, ascending.
    """
    mean, covariance = values.users
    noise = rng.standard_normal(mean.shape)
    users = mean + (np.linalg.cholesky(covariance) @ noise[:, :, None])[:, :, 0]
    law = values.mean + predictions(matrix, users, values.items)
    law += values.noise_sd * rng.standard_normal(matrix.nnz)
    below = np.searchsorted(np.sort(matrix.data), grid[1:].astype(np.float32)) / matrix.nnz
    points: FloatArray = np.quantile(law, below)
    return points


def joint_density(
    selection: Selection,
    values: Values | None,
    sizes: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> NormalMixture:
    """One Gaussian over (t, u) and the normal score of the size: moments of all posteriors.

    The aggregate posterior of t is N(0, I) by the fit. The covariance of t and u is the map from t
    to the mean of u; that of both with the size comes from posterior means, the size being known.
    """
    points, count = selection.users, selection.users.shape[1]
    mean, covariance = np.zeros(count), np.eye(count)
    if values is not None:
        users, cross = values.users.mean, values.user_map[:-1]
        mean = np.append(mean, users.mean(axis=0))
        inner = np.atleast_2d(np.cov(users.T, bias=True)) + values.users.covariance.mean(axis=0)
        covariance = np.block([[covariance, cross], [cross.T, inner]])
        points = np.column_stack([points, users])
    scores = size_scores(sizes, rng)
    law = size_law(sizes, len(selection.items))  # every item can be drawn
    with_size = (points - points.mean(axis=0)).T @ scores[:, None] / len(sizes)
    joint = np.block([[covariance, with_size], [with_size.T, np.ones((1, 1))]])
    # Blocks come from different estimates, so an eigenvalue can fall below 0.
    roots, axes = np.linalg.eigh(joint)
    joint = (axes * np.maximum(roots, RIDGE)) @ axes.T
    return NormalMixture(np.ones(1), np.append(mean, 0.0)[None], joint[None], law)
