"""Which values held items have: a Gaussian factor model, fitted by variational Bayes."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from cornac_mle.models.pmf._gaussians import (
    START_SD,
    Gaussian,
    Posterior,
    packed_products,
    posterior_given,
    posterior_given_one,
    refit_covariance,
    ridge,
    unpacked,
    with_one,
)
from cornac_mle.models.pmf._selection import Selection
from cornac_mle.sparse import FloatArray, pattern

NOISE_TOLERANCE = 1e-5
"""Relative change of the noise variance in one pass at which the fit of values stops."""
MINIMUM_NOISE = 1e-4
"""Noise variance of values that are explained perfectly."""


class Values(NamedTuple):
    """Distribution of the values of items held: mean + v_i'u + b_i + N(0, noise_sd^2)."""

    mean: float
    noise_sd: float
    users: Posterior  # (n_users, d)
    items: Posterior  # (n_items, d + 1): (v_i, b_i)
    user_map: FloatArray  # (d_selection + 1, d): E[u | t] = (t, 1) @ user_map


def fit_values(
    matrix: sp.csr_array,
    k: int,
    selection: Selection,
    *,
    passes: Iterable[int],
    rng: np.random.Generator,
) -> Values:
    """Fit value = mean + v_i'u + b_i + N(0, noise_sd^2) to the stored values.

    Variational Bayes with full-covariance Gaussians for every user's u (k + 1 dimensions)
    and every item's (v_i, b_i).
    The prior mean of u is linear in the user's factors of choice, that of (v_i, b_i) in the item's:
    what is chosen, and by whom, tells how it is rated. Both maps, both prior covariances (full) and
    the noise are learnt. One pass costs O(stored values x k^2 + (users + items) x k^3).

    Parameters
    ----------
    matrix : csr_array, shape (n_users, n_items)
        Values; what is not stored is unknown.
    k : int
        Dimensions of taste; one more starts as the user's bias.
    selection : Selection
        Factors of choice, fitted to the same matrix.
    passes : iterable
        Iterations, one pass each; fitting stops before their end on convergence.
    rng : Generator
        Generator of the starting point.
    """
    fit = ValueFit(matrix, k, selection, rng)
    for _ in passes:
        before = fit.noise
        fit.update_users()
        fit.update_items()
        if abs(before - fit.noise) < NOISE_TOLERANCE * fit.noise:
            break
    return Values(fit.mean, float(np.sqrt(fit.noise)), fit.users, fit.items, fit.user_map)


class ValueFit:
    """State of `fit_values`, whose parameters it has, between two passes."""

    def __init__(
        self, matrix: sp.csr_array, k: int, selection: Selection, rng: np.random.Generator
    ) -> None:
        n_users, n_items = matrix.shape
        self.size = size = k + 1
        self.mean = float(matrix.data.mean(dtype=np.float64))
        data = matrix.data - self.mean
        self.here = pattern(matrix)
        self.centred = sp.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)
        self.here_by_item = sp.csr_array(self.here.T)
        self.centred_by_item = sp.csr_array(self.centred.T)
        self.total = float(np.square(data, dtype=np.float64).sum())
        self.user_features = np.column_stack([selection.users, np.ones(n_users)])
        self.item_features = np.column_stack([selection.items, np.ones(n_items)])
        start = START_SD * rng.standard_normal((n_items, size + 1))
        start[:, 0] += 1.0
        start[:, size] = self.centred.sum(axis=0) / (self.here.sum(axis=0) + 5.0)
        self.items = Posterior(start, np.tile(START_SD**2 * np.eye(size + 1), (n_items, 1, 1)))
        self.user_map = np.zeros((self.user_features.shape[1], size))
        self.user_covariance = 0.1 * np.eye(size)
        spread = np.tile(self.user_covariance, (n_users, 1, 1))
        self.users = Posterior(np.zeros((n_users, size)), spread)
        self.noise = max(self.total / matrix.nnz, MINIMUM_NOISE)

    def update_users(self) -> None:
        """Update users given items, then their prior."""
        products = packed_products(*self.items)
        self.users = posterior_given_one(
            Gaussian(self.user_features @ self.user_map, self.user_covariance),
            unpacked(self.here @ products, self.size + 1) / self.noise,
            self.centred @ self.items.mean / self.noise,
        )
        self.user_map = ridge(self.user_features, self.users.mean)
        prior_means = self.user_features @ self.user_map
        self.user_covariance = refit_covariance(self.users, prior_means)

    def update_items(self) -> None:
        """Update items' prior and items given users, then the noise variance."""
        prior_means = self.item_features @ ridge(self.item_features, self.items.mean)
        prior = Gaussian(prior_means, refit_covariance(self.items, prior_means))
        one = with_one(self.users)
        seconds = unpacked(self.here_by_item @ packed_products(*one), self.size + 1)
        linear = self.centred_by_item @ one.mean
        self.items = posterior_given(prior, seconds / self.noise, linear / self.noise)
        # E[(y - v'u)^2] summed over stored values: y^2 - 2 y E[v]'E[u] + trace(E[vv'] E[uu']).
        mean, covariance = self.items
        fitted = np.einsum("iab,iab->", seconds, covariance)
        fitted += np.einsum("iab,ia,ib->", seconds, mean, mean, optimize=True)
        error = self.total - 2 * float((linear * mean).sum()) + float(fitted)
        self.noise = max(error / self.here.nnz, MINIMUM_NOISE)
