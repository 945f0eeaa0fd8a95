"""Independent Gaussians and packed second moments: the algebra of both factor models.

Users have full-covariance Gaussian posteriors in both, items in that of values. A vector v carries
its second moments E[v v'] *packed*: the d (d + 1) / 2 entries of the upper triangle, so that a
weighted sum over items, for all users at once, is one matrix product.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cornac_mle.sparse import FloatArray

PackedArray = npt.NDArray[np.float32]

BLOCK_USERS = 1024
"""Users of one dense users x items block."""

START_SD = 0.1
"""Spread of loadings at the start."""


class Gaussian(NamedTuple):
    """One distribution for many vectors: mean (d,), or (n, d) where it depends on the vector."""

    mean: FloatArray
    covariance: FloatArray  # (d, d)


class Posterior(NamedTuple):
    """Independent Gaussians, one a user or item."""

    mean: FloatArray  # (n, d)
    covariance: FloatArray  # (n, d, d)


def packed_products(mean: FloatArray, covariance: FloatArray | None = None) -> PackedArray:
    """Second moments E[v v'], upper triangles row by row; (n, d (d + 1) / 2)."""
    row, column = np.triu_indices(mean.shape[1])
    products = mean[:, row] * mean[:, column]
    if covariance is not None:
        products += covariance[:, row, column]
    return products.astype(np.float32)


def unpacked(packed: npt.NDArray[np.floating], size: int) -> FloatArray:
    """Undo the packing: symmetric matrices (n, size, size)."""
    row, column = np.triu_indices(size)
    full = np.empty((len(packed), size, size))
    full[:, row, column] = packed
    full[:, column, row] = packed
    return full


def traces(left: PackedArray, right: PackedArray, size: int) -> PackedArray:
    """E[(x'y)^2] = trace(E[xx'] E[yy']) of every pair of independent x and y; (n_left, n_right)."""
    row, column = np.triu_indices(size)
    return left @ (right * np.where(row == column, 1, 2).astype(np.float32)).T


def with_one(posterior: Posterior) -> Posterior:
    """Append a last coordinate that is 1, without variance: it carries the other side's offset."""
    count, size = posterior.mean.shape
    covariance = np.zeros((count, size + 1, size + 1))
    covariance[:, :size, :size] = posterior.covariance
    return Posterior(np.column_stack([posterior.mean, np.ones(count)]), covariance)


def posterior_given(prior: Gaussian, precision: FloatArray, linear: FloatArray) -> Posterior:
    """Multiply a Gaussian prior by exp(linear'v - v'precision v / 2), one a row."""
    prior_precision = np.linalg.inv(prior.covariance)
    covariance = np.linalg.inv(precision + prior_precision)
    covariance = (covariance + covariance.transpose(0, 2, 1)) / 2
    shifted = linear + prior.mean @ prior_precision
    return Posterior((covariance @ shifted[:, :, None])[:, :, 0], covariance)


def posterior_given_one(prior: Gaussian, precision: FloatArray, linear: FloatArray) -> Posterior:
    """Do the same where `precision` and `linear` have one more, last coordinate, and it is 1."""
    size = precision.shape[1] - 1
    offset = precision[:, :size, size]
    return posterior_given(prior, precision[:, :size, :size], linear[:, :size] - offset)


def refit_covariance(posterior: Posterior, mean: FloatArray, pseudo: float = 1.0) -> FloatArray:
    """Covariance around `mean` that maximises the bound, with `pseudo` unit observations."""
    count, size = posterior.mean.shape
    residual = posterior.mean - mean
    total = residual.T @ residual + posterior.covariance.sum(axis=0) + pseudo * np.eye(size)
    return np.asarray(total / (count + pseudo))


def ridge(features: FloatArray, targets: FloatArray, penalty: float = 1.0) -> FloatArray:
    """Least squares with an unpenalised last feature, the constant."""
    diagonal = np.full(features.shape[1], penalty)
    diagonal[-1] = 1e-6
    gram = features.T @ features + np.diag(diagonal)
    return np.asarray(np.linalg.solve(gram, features.T @ targets), dtype=np.float64)


def standard_normal(count: int, size: int) -> Posterior:
    """Make the prior N(0, I) of `count` users."""
    return Posterior(np.zeros((count, size)), np.tile(np.eye(size), (count, 1, 1)))
