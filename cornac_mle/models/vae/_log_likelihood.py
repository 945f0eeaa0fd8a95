"""Log-likelihood of a variational autoencoder: importance sampling of its latent points.

The proposal is a Student t around the mode of (latent density) x (probability of the profile at the
point), with the curvature there; a share of the draws comes from the latent density itself. The
encoder's posterior is only where the search for the mode starts: it has been trained with items
hidden, and with a KL weight below 1 it is far too narrow. Whatever the proposal, the mean of the
ratios is an unbiased estimate of the probability.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import gammaln, softmax

from cornac_mle.models.vae.decoder import Decoder
from cornac_mle.sampling.importance import LikelihoodEstimate, importance_estimate
from cornac_mle.sampling.latent_densities import LatentDensity
from cornac_mle.sampling.normal_cells import LOG_TWO_PI
from cornac_mle.sampling.plackett_luce import plackett_luce_log_probability
from cornac_mle.sparse import FloatArray, IntArray

NEWTON_STEPS = 4
"""From the encoder's mean to the mode; the last one gives the curvature."""
LONGEST_STEP = 2.0
"""Of Newton's method, which overshoots on profiles larger than any training user's."""
DEGREES_OF_FREEDOM = 30.0
"""Of the Student t: heavier tails than the target's, and hardly a loss where that is normal."""
DEFENSIVE_SHARE = 0.1
"""Share of draws that do not look at the profile: they bound the ratios, find other modes."""
LIKELY_USERS = 32
"""Training users that the other draws are shared out among."""
BLOCK_ENTRIES = 2**24
"""Entries of the largest array of gradients."""


@dataclass(frozen=True)
class StudentT:
    """Multivariate Student t's of `DEGREES_OF_FREEDOM`, one a user.

    Attributes
    ----------
    centres : ndarray, shape (n_users, k)
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
    matrix : csr_array, shape (n_users, n_items)
        Stored values are 1.
    start : ndarray, shape (n_users, k)
        Where the search for the modes starts.

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
        probabilities = plackett_luce_log_probability(decoder.log_rates(points), matrix)
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


# ------------------------------------------------------------- points of random training users


def log_likelihood_of_posteriors(
    decoder: Decoder,
    means: FloatArray,
    deviations: FloatArray,
    training_sizes: IntArray,
    matrix: sp.csr_array,
    n_draws: int,
    rng: np.random.Generator,
) -> LikelihoodEstimate:
    """Estimate log P(profile) where point and size are those of a random training user.

    P(profile) = 1/N x sum over training users u of its size of the mean probability of its items at
    N(mean_u, deviation_u^2), and 0 where no training user has its size. A draw is a pair of user
    and point: the user in proportion to an estimate of its term, the point from the product of its
    posterior and the profile's probability. A share of the draws takes any user of that size, and
    the point from the posterior alone, so that ratios are bounded.

    Parameters
    ----------
    means, deviations : ndarray, shape (n_training_users, k)
    training_sizes : ndarray of int, shape (n_training_users,)
    matrix : csr_array, shape (n_users, n_items)
        Stored values are 1.

    Notes
    -----
    Time as `log_likelihood`, the first part a training user of a size in question.
    """
    sizes = np.diff(matrix.indptr).astype(np.int64)
    ratios = np.full((n_draws, len(sizes)), -np.inf)
    known = np.flatnonzero(np.isin(sizes, training_sizes))
    if len(known) == 0:
        return importance_estimate(ratios)
    matrix, sizes = matrix[known], sizes[known]
    pairs = likely_users(decoder, means, deviations, training_sizes, matrix)
    rows = np.arange(len(sizes))
    by_size = np.argsort(training_sizes, kind="stable")
    first = np.searchsorted(training_sizes[by_size], sizes)
    count = np.searchsorted(training_sizes[by_size], sizes, side="right") - first
    for draw in range(n_draws):
        place = (np.cumsum(pairs.shares, axis=1) > rng.random((len(rows), 1))).argmax(axis=1)
        anyone = by_size[first + (rng.random(len(rows)) * count).astype(np.int64)]
        at_random = rng.random(len(rows)) < DEFENSIVE_SHARE
        users = np.where(at_random, anyone, pairs.users[rows, place])
        own = pairs.users == users[:, None]  # (n_users, n_likely)
        place = own.argmax(axis=1)
        proposal = StudentT(pairs.centres[rows, place], pairs.lowers[users])
        standard = rng.standard_normal((len(rows), means.shape[1]))
        points = np.where(
            at_random[:, None], means[users] + deviations[users] * standard, proposal.draw(rng)
        )
        posterior = normal_log_density(points, means[users], deviations[users])
        with np.errstate(divide="ignore"):
            of_pair = np.log(pairs.shares[rows, place] * own.any(axis=1))
        proposed = np.logaddexp(
            np.log1p(-DEFENSIVE_SHARE) + of_pair + proposal.log_density(points),
            np.log(DEFENSIVE_SHARE) - np.log(count) + posterior,
        )
        probabilities = plackett_luce_log_probability(decoder.log_rates(points), matrix)
        ratios[draw, known] = posterior - np.log(len(training_sizes)) + probabilities - proposed
    return importance_estimate(ratios)


class LikelyUsers(NamedTuple):
    """The training users a profile most probably comes from.

    Attributes
    ----------
    users : ndarray of int, shape (n_users, n_likely)
        Training users of its size; -1 where there are fewer.
    shares : ndarray, shape (n_users, n_likely)
        How probable each of them is; 0 where there are fewer.
    centres : ndarray, shape (n_users, n_likely, k)
        Of the point, given user and profile.
    lowers : ndarray, shape (n_training_users, k, k)
        Cholesky factors of the point's precision; 0 where no profile has the size.
    """

    users: IntArray
    shares: FloatArray
    centres: FloatArray
    lowers: FloatArray


def likely_users(
    decoder: Decoder,
    means: FloatArray,
    deviations: FloatArray,
    training_sizes: IntArray,
    matrix: sp.csr_array,
) -> LikelyUsers:
    """Estimate each pair's term by Laplace's approximation around the training user's mean."""
    sizes = np.diff(matrix.indptr).astype(np.int64)
    n_users, (n_training, k) = len(sizes), means.shape
    users = np.full((n_users, LIKELY_USERS), -1)
    shares = np.zeros((n_users, LIKELY_USERS))
    centres = np.zeros((n_users, LIKELY_USERS, k))
    lowers = np.zeros((n_training, k, k))
    for size in np.unique(sizes):
        mine, theirs = np.flatnonzero(sizes == size), np.flatnonzero(training_sizes == size)
        # The best so far, and what a block adds: never all pairs of one size at once.
        found: IntArray = np.empty((len(mine), 0), dtype=np.int64)
        terms: FloatArray = np.empty((len(mine), 0))
        shifts: FloatArray = np.empty((len(mine), 0, k))
        for part in blocks(theirs, k * max(matrix.shape[1], len(mine))):
            sharp = decoder.sharpness(means[part], training_sizes[part])
            precisions = sharp.information + np.eye(k) / deviations[part][:, :, None] ** 2
            lowers[part] = np.linalg.cholesky(precisions)
            new_terms, new_shifts = [], []
            for number, user in enumerate(part):
                gradient = sharp.gradient(number, matrix[mine])
                shift = np.linalg.solve(precisions[number], gradient.T).T
                volume = np.log(np.diag(lowers[user]) * deviations[user]).sum()
                at_mean = sharp.log_probabilities(number, matrix[mine])
                new_terms.append(at_mean + 0.5 * (gradient * shift).sum(axis=1) - volume)
                new_shifts.append(shift)
            terms = np.column_stack([terms, *new_terms])
            shifts = np.concatenate([shifts, np.stack(new_shifts, axis=1)], axis=1)
            found = np.column_stack([found, np.tile(part, (len(mine), 1))])
            kept = min(terms.shape[1], LIKELY_USERS)
            best = np.argpartition(-terms, kept - 1, axis=1)[:, :kept]
            terms = np.asarray(np.take_along_axis(terms, best, axis=1))
            found = np.asarray(np.take_along_axis(found, best, axis=1))
            shifts = np.take_along_axis(shifts, best[:, :, None], axis=1)
        users[mine, :kept] = found
        shares[mine, :kept] = softmax(terms, axis=1)
        centres[mine, :kept] = means[found] + shifts
    return LikelyUsers(users, shares, centres, lowers)


def normal_log_density(points: FloatArray, means: FloatArray, deviations: FloatArray) -> FloatArray:
    """Log-density of N(mean, diag(deviation^2)), each (n, k) -> (n,)."""
    squares = ((points - means) / deviations) ** 2
    return np.asarray(-0.5 * (squares + LOG_TWO_PI).sum(axis=1) - np.log(deviations).sum(axis=1))
