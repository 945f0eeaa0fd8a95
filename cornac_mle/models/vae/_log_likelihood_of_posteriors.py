"""Log-likelihood where points are those of training users: pairs of user and point are drawn.

The proposal of `_log_likelihood` knows one mode for each profile; here there is one for each
training user of the profile's size.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import softmax

from cornac_mle.models.vae._log_likelihood import (
    DEFENSIVE_SHARE,
    StudentT,
    blocks,
    normal_log_density,
)
from cornac_mle.models.vae.decoder import Decoder
from cornac_mle.sampling.importance import LikelihoodEstimate, importance_estimate
from cornac_mle.sparse import FloatArray, IntArray

LIKELY_USERS = 32
"""Training users that the other draws are shared out among."""


class TrainingPosteriors(NamedTuple):
    """Posterior N(mean, diag(deviation^2)) and profile size of each training user."""

    means: FloatArray  # (n_training_users, k)
    deviations: FloatArray  # (n_training_users, k)
    sizes: IntArray  # (n_training_users,)


def log_likelihood_of_posteriors(
    decoder: Decoder,
    posteriors: TrainingPosteriors,
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
    decoder : Decoder
        Distribution of items given a point.
    posteriors : TrainingPosteriors
        Whom users come from.
    matrix : csr_array, shape (n_users, n_items)
        Profiles; stored values are 1.
    n_draws : int
        Pairs drawn a user.
    rng : Generator
        Generator of the pairs.

    Notes
    -----
    Time as `log_likelihood`, the first part a training user of a size in question.
    """
    sizes = np.diff(matrix.indptr).astype(np.int64)
    ratios = np.full((n_draws, len(sizes)), -np.inf)
    known = np.flatnonzero(np.isin(sizes, posteriors.sizes))
    if len(known) == 0:
        return importance_estimate(ratios)
    matrix, sizes = matrix[known], sizes[known]
    pairs = likely_users(decoder, posteriors, matrix)
    by_size = np.argsort(posteriors.sizes, kind="stable")
    first = np.searchsorted(posteriors.sizes[by_size], sizes)
    count = np.searchsorted(posteriors.sizes[by_size], sizes, side="right") - first
    for draw in range(n_draws):
        chosen = np.cumsum(pairs.shares, axis=1) > rng.random((len(sizes), 1))
        anyone = by_size[first + (rng.random(len(sizes)) * count).astype(np.int64)]
        drawn = draw_pairs(pairs, posteriors, chosen.argmax(axis=1), anyone, rng)
        proposed = np.logaddexp(
            np.log1p(-DEFENSIVE_SHARE) + drawn.log_share + drawn.log_near,
            np.log(DEFENSIVE_SHARE) - np.log(count) + drawn.log_posterior,
        )
        log_prior = drawn.log_posterior - np.log(len(posteriors.sizes))
        probabilities = decoder.log_probability(drawn.points, matrix)
        ratios[draw, known] = log_prior + probabilities - proposed
    return importance_estimate(ratios)


class DrawnPairs(NamedTuple):
    """Points drawn with their training users, and how probable they were."""

    points: FloatArray  # (n_users, k)
    log_posterior: FloatArray  # (n_users,) log-density of the point, given its training user
    log_share: FloatArray  # (n_users,) log-probability of the training user among likely ones
    log_near: FloatArray  # (n_users,) log-density of the point around its mode


def draw_pairs(
    pairs: "LikelyUsers",
    posteriors: TrainingPosteriors,
    place: IntArray,
    anyone: IntArray,
    rng: np.random.Generator,
) -> DrawnPairs:
    """Draw a pair for each profile: of the likely user at `place`, or, in a few, of `anyone`."""
    rows = np.arange(len(anyone))
    at_random = rng.random(len(rows)) < DEFENSIVE_SHARE
    users = np.where(at_random, anyone, pairs.users[rows, place])
    own = pairs.users == users[:, None]  # (n_users, n_likely)
    place = own.argmax(axis=1)
    proposal = StudentT(pairs.centres[rows, place], pairs.lowers[users])
    means, deviations = posteriors.means[users], posteriors.deviations[users]
    standard = rng.standard_normal(means.shape)
    near = proposal.draw(rng)
    points = np.where(at_random[:, None], means + deviations * standard, near)
    with np.errstate(divide="ignore"):
        log_share = np.log(pairs.shares[rows, place] * own.any(axis=1))
    log_posterior = normal_log_density(points, means, deviations)
    return DrawnPairs(points, log_posterior, log_share, proposal.log_density(points))


class LikelyUsers(NamedTuple):
    """The training users a profile most probably comes from.

    Attributes
    ----------
    users : ndarray of int, shape (n_users, n_likely)
        Training users of its size; -1 where there are fewer.
    shares : ndarray, shape (n_users, n_likely)
        Probability of each of them; 0 where there are fewer.
    centres : ndarray, shape (n_users, n_likely, k)
        Modes of the point, given user and profile.
    lowers : ndarray, shape (n_training_users, k, k)
        Cholesky factors of the point's precision; 0 where no profile has the size.
    """

    users: IntArray
    shares: FloatArray
    centres: FloatArray
    lowers: FloatArray


def likely_users(
    decoder: Decoder, posteriors: TrainingPosteriors, matrix: sp.csr_array
) -> LikelyUsers:
    """Estimate each pair's term by Laplace's approximation around the training user's mean."""
    means, deviations, training_sizes = posteriors
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
