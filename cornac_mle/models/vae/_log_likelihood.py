"""Log-likelihood of a variational autoencoder: importance sampling of its latent points.

The proposal is a Student t around the mode of (latent density) x (probability of the profile at the
point), with the curvature there; a share of the draws comes from the latent density itself. The
encoder's posterior is only where the search for the mode starts: it has been trained with items
hidden, and with a KL weight below 1 it is far too narrow. Whatever the proposal, the mean of the
ratios is an unbiased estimate of the probability.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.special import gammaln

from cornac_mle.models.vae.decoder import Decoder
from cornac_mle.sampling.importance import LikelihoodEstimate, importance_estimate
from cornac_mle.sampling.latent_densities import LatentDensity
from cornac_mle.sampling.normal_cells import LOG_TWO_PI
from cornac_mle.sparse import FloatArray, IntArray

NEWTON_STEPS = 4
"""Steps from the encoder's mean to the mode; the last one gives the curvature."""
LONGEST_STEP = 2.0
"""Cap of a Newton step, which overshoots on profiles larger than any training user's."""
DEGREES_OF_FREEDOM = 30.0
"""Those of the Student t: heavier tails than the target's, hardly a loss where that is normal."""
DEFENSIVE_SHARE = 0.1
"""Share of draws that do not look at the profile: they bound the ratios, find other modes."""
BLOCK_ENTRIES = 2**24
"""Entries of the largest array of gradients."""


@dataclass(frozen=True)
class StudentT:
    """Multivariate Student t's of `DEGREES_OF_FREEDOM`, one a user.

    Attributes
    ----------
    centres : ndarray, shape (n_users, k)
        Modes.
    lowers : ndarray, shape (n_users, k, k)
        Cholesky factors of the precisions.
    """

    centres: FloatArray
    lowers: FloatArray

    def draw(self, rng: np.random.Generator) -> FloatArray:
        """Draw a point for each user, (n_users, k)."""
        noise = rng.standard_normal(self.centres.shape)
        radius = rng.chisquare(DEGREES_OF_FREEDOM, size=(len(noise), 1)) / DEGREES_OF_FREEDOM
        uppers = self.lowers.transpose(0, 2, 1)
        return (
            self.centres + np.linalg.solve(uppers, (noise / np.sqrt(radius))[:, :, None])[:, :, 0]
        )

    def log_density(self, points: FloatArray) -> FloatArray:
        """Log-density of each user's point, (n_users, k) -> (n_users,)."""
        k, freedom = points.shape[1], DEGREES_OF_FREEDOM
        away = ((points - self.centres)[:, None, :] @ self.lowers)[:, 0, :]
        tails = (freedom + k) / 2 * np.log1p((away**2).sum(axis=1) / freedom)
        constant = gammaln((freedom + k) / 2) - gammaln(freedom / 2)
        volumes = np.log(np.diagonal(self.lowers, axis1=1, axis2=2)).sum(axis=1)
        return np.asarray(constant - k / 2 * np.log(freedom * np.pi) + volumes - tails)


def log_likelihood(
    decoder: Decoder,
    density: LatentDensity,
    matrix: sp.csr_array,
    start: FloatArray,
    n_draws: int,
    rng: np.random.Generator,
) -> LikelihoodEstimate:
    """Estimate log P(profile) of one block of users, whose points come from `density`.

    Parameters
    ----------
    decoder : Decoder
        Distribution of items given a point.
    density : LatentDensity
        Distribution of points and sizes.
    matrix : csr_array, shape (n_users, n_items)
        Profiles; stored values are 1.
    start : ndarray, shape (n_users, k)
        Points at which the search for the modes starts.
    n_draws : int
        Points drawn a user.
    rng : Generator
        Generator of the points.

    Notes
    -----
    Time n_users x (k x last hidden layer x n_items x `NEWTON_STEPS` + n_draws x one decoding).
    """
    sizes = np.diff(matrix.indptr).astype(np.int64)
    proposal = fit_proposal(decoder, density, matrix, start)
    ratios = np.empty((n_draws, len(sizes)))
    for draw in range(n_draws):
        anywhere, _ = density.draw(len(sizes), rng)
        at_random = rng.random((len(sizes), 1)) < DEFENSIVE_SHARE
        points = np.where(at_random, anywhere, proposal.draw(rng))
        proposed = np.logaddexp(
            np.log1p(-DEFENSIVE_SHARE) + proposal.log_density(points),
            np.log(DEFENSIVE_SHARE) + density.log_point_density(points),
        )
        probabilities = decoder.log_probability(points, matrix)
        ratios[draw] = density.log_density(points, sizes) + probabilities - proposed
    return importance_estimate(ratios)


def fit_proposal(
    decoder: Decoder, density: LatentDensity, matrix: sp.csr_array, start: FloatArray
) -> StudentT:
    """Go to each user's mode by Newton's method; the last step's curvature is the proposal's."""
    sizes = np.diff(matrix.indptr).astype(np.int64)
    points, lowers = start.copy(), np.empty((*start.shape, start.shape[1]))
    for rows in blocks(np.arange(len(sizes)), start.shape[1] * matrix.shape[1]):
        for _ in range(NEWTON_STEPS):
            gradient, information = decoder.expansion(points[rows], matrix[rows])
            prior_gradient, prior_precision = density.expansion(points[rows], sizes[rows])
            precision = information + prior_precision
            gradient += prior_gradient
            step = np.linalg.solve(precision, gradient[:, :, None])[:, :, 0]
            length = np.linalg.norm(step, axis=1, keepdims=True)
            points[rows] += step * np.minimum(1.0, LONGEST_STEP / np.maximum(length, 1e-12))
        lowers[rows] = np.linalg.cholesky(precision)
    return StudentT(points, lowers)


def blocks(users: IntArray, entries: int) -> list[IntArray]:
    """Cut users into blocks of at most `BLOCK_ENTRIES`, of so many entries a user."""
    step = max(1, BLOCK_ENTRIES // entries)
    return [users[first : first + step] for first in range(0, len(users), step)]


def normal_log_density(points: FloatArray, means: FloatArray, deviations: FloatArray) -> FloatArray:
    """Log-density of N(mean, diag(deviation^2)), each (n, k) -> (n,)."""
    squares = ((points - means) / deviations) ** 2
    return np.asarray(-0.5 * (squares + LOG_TWO_PI).sum(axis=1) - np.log(deviations).sum(axis=1))
