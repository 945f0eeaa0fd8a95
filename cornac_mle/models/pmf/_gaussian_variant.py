"""The plain Gaussian variant of PMF: values by factors, items by popularity, all of it exact."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from cornac_mle.models.pmf._gaussians import (
    Gaussian,
    Posterior,
    packed_products,
    posterior_given,
    unpacked,
)
from cornac_mle.models.pmf._value_distribution import predictions
from cornac_mle.models.pmf._value_factors import Values
from cornac_mle.sampling.normal_cells import LOG_TWO_PI
from cornac_mle.sampling.plackett_luce import item_set_log_probability, plackett_luce
from cornac_mle.sampling.sizes import draw_sizes, size_distribution
from cornac_mle.sparse import FloatArray, pattern


class GaussianDistribution(NamedTuple):
    """Values mean + v_i'u + b_i + N(0, noise_sd^2) of items that tell nothing of u."""

    log_popularity: FloatArray  # (n_items,)
    size_probabilities: FloatArray  # (n_held_items,) of sizes 1, 2, ...
    mean: float
    noise_sd: float
    items: FloatArray  # (n_items, d + 1): (v_i, b_i)
    users: Gaussian  # of u, d dimensions
    least: float  # smallest training value


def gaussian_distribution(matrix: sp.csr_array, values: Values) -> GaussianDistribution:
    """Fit the distribution of training users (n_users, n_items); u has the posteriors' moments."""
    popularity = np.bincount(matrix.indices, minlength=matrix.shape[1])
    with np.errstate(divide="ignore"):  # an item that no training user holds is never drawn
        log_popularity = np.log(popularity)
    mean, covariance = values.users
    spread = np.atleast_2d(np.cov(mean.T, bias=True)) + covariance.mean(axis=0)
    return GaussianDistribution(
        log_popularity,
        size_distribution(
            np.diff(matrix.indptr).astype(np.int64), int(np.count_nonzero(popularity))
        ),
        values.mean,
        values.noise_sd,
        values.items.mean,
        Gaussian(mean.mean(axis=0), spread),
        float(matrix.data.min()),
    )


def draw(
    distribution: GaussianDistribution, n_users: int, rng: np.random.Generator
) -> sp.csr_array:
    """Draw one block of users, (n_users, n_items).

    A profile cannot hold values at or below 0: they become the smallest training value.
    """
    sizes = draw_sizes(distribution.size_probabilities, n_users, rng)
    drawn = plackett_luce(distribution.log_popularity, sizes, rng)
    root = np.linalg.cholesky(distribution.users.covariance)
    tastes = distribution.users.mean + rng.standard_normal((n_users, len(root))) @ root.T
    values = distribution.mean + predictions(drawn, tastes, distribution.items)
    values += distribution.noise_sd * rng.standard_normal(drawn.nnz)
    drawn.data = np.where(values > 0, values, distribution.least).astype(np.float32)
    return drawn


def log_likelihood(distribution: GaussianDistribution, matrix: sp.csr_array) -> FloatArray:
    """Log-probability of each item set plus log-density of its values, nats (n_users,).

    With residuals r and loadings V of a user's n items, r ~ N(0, V Sigma V' + noise^2 I); by the
    matrix determinant lemma and Woodbury's identity only d x d matrices are inverted.
    """
    sizes = np.diff(matrix.indptr)
    residuals, posterior = tastes(distribution, matrix)
    noise = distribution.noise_sd**2
    squares = residuals.multiply(residuals).sum(axis=1) / noise
    explained = np.einsum(
        "nd,nde,ne->n", posterior.linear, posterior.users.covariance, posterior.linear
    )
    log_volume = sizes * np.log(noise) + np.linalg.slogdet(distribution.users.covariance)[1]
    log_volume -= np.linalg.slogdet(posterior.users.covariance)[1]
    of_values = -0.5 * (squares - explained + log_volume + sizes * LOG_TWO_PI)
    return np.asarray(item_set_log_likelihood(distribution, matrix) + of_values)


def item_set_log_likelihood(distribution: GaussianDistribution, matrix: sp.csr_array) -> FloatArray:
    """Log-probability of each item set, nats (n_users,)."""
    return item_set_log_probability(
        distribution.log_popularity, distribution.size_probabilities, matrix
    )


class Tastes(NamedTuple):
    """Posterior of u, less its prior mean, and V'r / noise^2 of residuals r."""

    users: Posterior
    linear: FloatArray  # (n_users, d)


def tastes(distribution: GaussianDistribution, matrix: sp.csr_array) -> tuple[sp.csr_array, Tastes]:
    """Give residuals of a block's values around their prior mean, and the posterior they leave."""
    centre = np.tile(distribution.users.mean, (matrix.shape[0], 1))
    data = (
        matrix.data.astype(np.float64)
        - distribution.mean
        - predictions(matrix, centre, distribution.items)
    )
    residuals = sp.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)
    loadings, noise = distribution.items[:, :-1], distribution.noise_sd**2
    size = loadings.shape[1]
    linear = np.asarray(residuals @ loadings) / noise
    precision = unpacked(pattern(matrix) @ packed_products(loadings), size) / noise
    posterior = posterior_given(
        Gaussian(np.zeros(size), distribution.users.covariance), precision, linear
    )
    return residuals, Tastes(posterior, linear)
