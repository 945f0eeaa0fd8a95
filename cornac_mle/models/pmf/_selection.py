"""Which items are held: a logistic Gaussian factor model, fitted by variational EM."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import expit

from cornac_mle.models.pmf._gaussians import (
    BLOCK_USERS,
    START_SD,
    Gaussian,
    PackedArray,
    Posterior,
    packed_products,
    posterior_given,
    posterior_given_one,
    refit_covariance,
    standard_normal,
    traces,
    unpacked,
    with_one,
)
from cornac_mle.sparse import FloatArray

TOLERANCE = 5e-3
"""Relative change of items in one pass at which the fit of choices stops."""

FOLD_IN_STEPS = 20
"""Newton steps of new users given fixed items."""

FINAL_STEPS = 3
"""Newton steps of training users after the last pass."""

LONGEST_STEP = 1.0
"""Cap of a Newton step of one user or item, in standard deviations of users."""

LONGEST_JUMP = 8.0
"""Cap of the extrapolation of EM, in passes."""

OFFSET_VARIANCE = 10.0
"""Prior variance of an item's log-odds around the mean of all items."""


class Selection(NamedTuple):
    """Distribution of the items held: P(item i | t) = sigmoid(w_i't + a_i), t ~ N(0, I)."""

    users: FloatArray  # (n_users, d) posterior means
    items: FloatArray  # (n_items, d + 1): (w_i, a_i)


def logistic_moments(mean: PackedArray, variance: PackedArray) -> tuple[PackedArray, PackedArray]:
    """E[sigmoid(x)] and E[sigmoid'(x)] of x ~ N(mean, variance), by 3-point Gauss-Hermite."""
    spread = np.sqrt(np.maximum(variance, 0))
    spread *= np.float32(np.sqrt(3))
    first, second = np.zeros_like(mean), np.zeros_like(mean)
    for node, share in ((0, 2 / 3), (1, 1 / 6), (-1, 1 / 6)):
        sigmoid = expit(mean + np.float32(node) * spread if node else mean)
        first += np.float32(share) * sigmoid
        sigmoid *= 1 - sigmoid
        second += np.float32(share) * sigmoid
    return first, second


def selection_step(
    held: sp.csr_array, items: FloatArray, guess: Posterior
) -> tuple[Posterior, PackedArray, PackedArray]:
    """Take one Newton step of a block of users, prior N(0, I), towards the best Gaussian.

    The Gaussian nearest to the posterior in the KL divergence that variational Bayes minimises has
    precision I + sum of E[sigmoid'] w w' and its mean where the gradient of the expected
    log-posterior is 0 (Opper and Archambeau 2009).

    Returns
    -------
    posterior : Posterior
        Posteriors of the users.
    weights, targets : ndarray, shape (n_users, n_items)
        The block of E[log-likelihood] around `guess`, as a function of the log-odds x, is
        (held + targets) x - weights x^2 / 2.
    """
    size = items.shape[1] - 1
    narrow = items.astype(np.float32)
    products = packed_products(items)
    one = with_one(guess)
    mean = one.mean.astype(np.float32) @ narrow.T
    variance = traces(packed_products(*one), products, size + 1)
    variance -= mean * mean
    targets, weights = logistic_moments(mean, variance)
    np.subtract(weights * mean, targets, out=targets)
    aim = posterior_given_one(
        Gaussian(np.zeros(size), np.eye(size)),
        unpacked(weights @ products, size + 1),
        held @ items + targets @ narrow,
    )
    return Posterior(towards(guess.mean, aim.mean), aim.covariance), weights, targets


def towards(start: FloatArray, aim: FloatArray) -> FloatArray:
    """Go from rows of `start` to those of `aim`, at most LONGEST_STEP: Newton's can overshoot."""
    step = aim - start
    length = np.linalg.norm(step, axis=1, keepdims=True)
    reached: FloatArray = start + step * np.minimum(1.0, LONGEST_STEP / np.maximum(length, 1e-12))
    return reached


def fit_selection(
    held: sp.csr_array,
    k: int,
    *,
    lambda_reg: float,
    passes: Iterable[int],
    rng: np.random.Generator,
) -> Selection:
    """Fit P(item i | t) = sigmoid(w_i't + a_i), t ~ N(0, I) of k + 1 dimensions, by EM.

    In every pass the user density is N(m, S), m and S the moments of the aggregate posterior, and
    the loadings are then turned so that it is N(0, I) again: no generality is lost, and EM is much
    faster (Liu, Rubin and Wu 1998). Loadings are modes, under a prior around their own mean: with
    posteriors of loadings too, most factors are pruned away and ranking suffers.

    Parameters
    ----------
    held : csr_array, shape (n_users, n_items)
        1 where a user holds an item.
    k : int
        Dimensions of taste; one more starts as the users' activity, common to all items.
    lambda_reg : float
        Precision of the prior of loadings.
    passes : iterable
        Iterations, one EM pass each; fitting stops before their end on convergence.
    rng : Generator
        Generator of the starting point.
    """
    n_users, n_items = held.shape
    size = k + 1
    share = (np.bincount(held.indices, minlength=n_items) + 0.5) / (n_users + 1.0)
    items = START_SD * rng.standard_normal((n_items, size + 1))
    items[:, 0] += 1.0
    items[:, size] = np.log(share / (1 - share))
    covariance = np.diag(np.append(np.full(size, 1 / lambda_reg), OFFSET_VARIANCE))
    users = standard_normal(n_users, size)
    path = [items]
    for _ in passes:
        items, users = selection_pass(held, path[-1], users, covariance)
        if np.linalg.norm(items - path[-1]) < TOLERANCE * np.linalg.norm(items):
            break
        path.append(items)
        if len(path) == 3:
            path = [extrapolated(*path)]
    items, users = aligned(items, users)
    return Selection(posterior_means(held, items, users, steps=FINAL_STEPS), items)


def selection_pass(
    held: sp.csr_array, items: FloatArray, users: Posterior, covariance: FloatArray
) -> tuple[FloatArray, Posterior]:
    """Update all users, then all items (prior `covariance` around their mean), then the density."""
    width = items.shape[1]
    precision = np.zeros((len(items), width * (width + 1) // 2))
    linear = np.zeros(items.shape)
    updated = Posterior(np.empty_like(users.mean), np.empty_like(users.covariance))
    for start in range(0, held.shape[0], BLOCK_USERS):
        block = slice(start, start + BLOCK_USERS)
        guess = Posterior(users.mean[block], users.covariance[block])
        found, weights, targets = selection_step(held[block], items, guess)
        updated.mean[block], updated.covariance[block] = found
        one = with_one(found)
        precision += weights.T @ packed_products(*one)
        linear += held[block].T @ one.mean + targets.T @ one.mean.astype(np.float32)
    prior = Gaussian(items.mean(axis=0), covariance)
    items = towards(items, posterior_given(prior, unpacked(precision, width), linear).mean)
    mean = updated.mean.mean(axis=0)
    lengths, axes = np.linalg.eigh(refit_covariance(updated, mean, pseudo=0.0))
    root, inverse = (axes * np.sqrt(lengths)) @ axes.T, (axes / np.sqrt(lengths)) @ axes.T
    offsets = items[:, -1] + items[:, :-1] @ mean
    standardised = Posterior(
        (updated.mean - mean) @ inverse, inverse @ updated.covariance @ inverse
    )
    return np.column_stack([items[:, :-1] @ root, offsets]), standardised


def extrapolated(first: FloatArray, second: FloatArray, third: FloatArray) -> FloatArray:
    """Go on along a path of fixed-point steps (SQUAREM, Varadhan and Roland 2008, scheme S3)."""
    step = second - first
    bend = third - second - step
    length = float(np.linalg.norm(step)) / max(float(np.linalg.norm(bend)), 1e-12)
    length = min(max(length, 1.0), LONGEST_JUMP)
    return first + 2 * length * step + length**2 * bend


def aligned(items: FloatArray, users: Posterior) -> tuple[FloatArray, Posterior]:
    """Turn factors to the principal axes of the loadings, strongest first."""
    _, turn = np.linalg.eigh(items[:, :-1].T @ items[:, :-1])
    turn = turn[:, ::-1]
    turned = np.column_stack([items[:, :-1] @ turn, items[:, -1]])
    return turned, Posterior(users.mean @ turn, turn.T @ users.covariance @ turn)


def fold_in_selection(held: sp.csr_array, items: FloatArray) -> FloatArray:
    """Posterior means (n_users, d) of new users given the items they hold, prior N(0, I)."""
    guess = standard_normal(held.shape[0], items.shape[1] - 1)
    return posterior_means(held, items, guess, steps=FOLD_IN_STEPS)


def posterior_means(
    held: sp.csr_array, items: FloatArray, guess: Posterior, *, steps: int
) -> FloatArray:
    """Posterior means (n_users, d) of any number of users, from a first guess."""
    means = np.zeros_like(guess.mean)
    for start in range(0, held.shape[0], BLOCK_USERS):
        block = slice(start, start + BLOCK_USERS)
        near = Posterior(guess.mean[block], guess.covariance[block])
        for _ in range(steps):
            near = selection_step(held[block], items, near)[0]
        means[block] = near.mean
    return means
