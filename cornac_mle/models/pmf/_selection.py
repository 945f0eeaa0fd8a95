"""Which items are held: a logistic Gaussian factor model, and steps of users given its items."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from cornac_mle.models.pmf._gaussians import (
    Gaussian,
    PackedArray,
    Posterior,
    packed_products,
    posterior_given_one,
    standard_normal,
    traces,
    unpacked,
    with_one,
)
from cornac_mle.sparse import FloatArray

FOLD_IN_STEPS = 20
"""Newton steps of new users given fixed items."""

STEP_USERS = 512
"""Users who take a step together: of 64 to 1,024 the fastest."""

CACHED_USERS = 32
"""Rows of elementwise work at once: what a processor's cache holds."""

LONGEST_STEP = 1.0
"""Cap of a Newton step of one user or item, in standard deviations of users."""


class Selection(NamedTuple):
    """Distribution of the items held: P(item i | t) = sigmoid(w_i't + a_i), t ~ N(0, I)."""

    users: FloatArray  # (n_users, d) posterior means
    items: FloatArray  # (n_items, d + 1): (w_i, a_i)


def logistic_moments(mean: PackedArray, variance: PackedArray) -> tuple[PackedArray, PackedArray]:
    """E[sigmoid(x)] and E[sigmoid'(x)] of x ~ N(mean, variance), by 3-point Gauss-Hermite.

    By h = tanh(x / 2), of which sigmoid is (1 + h) / 2 and its derivative (1 - h^2) / 4: of all
    ways to the sigmoid of 32 bits numpy's tanh is the fastest.
    """
    first, second = np.empty_like(mean), np.empty_like(mean)
    for start in range(0, len(mean), CACHED_USERS):
        rows = slice(start, start + CACHED_USERS)
        first[rows], second[rows] = _moments(mean[rows], variance[rows])
    return first, second


def _moments(mean: PackedArray, variance: PackedArray) -> tuple[PackedArray, PackedArray]:
    spread = np.sqrt(np.maximum(variance, 0))
    spread *= np.float32(np.sqrt(3) / 2)
    centre = np.float32(0.5) * mean
    first, second = np.zeros_like(mean), np.zeros_like(mean)
    for node, share in ((0, 2 / 3), (1, 1 / 6), (-1, 1 / 6)):
        bent = np.tanh(centre + np.float32(node) * spread if node else centre)
        first += np.float32(share / 2) * bent
        bent *= bent
        second -= np.float32(share / 4) * bent
    first += np.float32(0.5)
    second += np.float32(0.25)
    return first, np.maximum(second, 0, out=second)


def selection_step(
    held: sp.csr_array,
    items: FloatArray,
    guess: Posterior,
    spread: FloatArray | None = None,
) -> tuple[Posterior, PackedArray, PackedArray]:
    """Take one Newton step of a block of users, prior N(0, I), towards the best Gaussian.

    The Gaussian nearest to the posterior in the KL divergence that variational Bayes minimises has
    precision I + sum of E[sigmoid'] E[w w'] and its mean where the gradient of the expected
    log-posterior is 0 (Opper and Archambeau 2009).

    Parameters
    ----------
    held : csr_array, shape (n_users, n_items)
        1 where a user holds an item.
    items : ndarray, shape (n_items, d + 1)
        Loadings (w_i, a_i), or their means.
    guess : Posterior
        Posteriors of the users so far.
    spread : ndarray, shape (n_items, d + 1, d + 1), optional
        Covariances of the loadings; without them they are certain.

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
    products = packed_products(items, spread)
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


def fold_in_selection(held: sp.csr_array, items: FloatArray) -> FloatArray:
    """Posterior means (n_users, d) of new users given the items they hold, prior N(0, I)."""
    guess = standard_normal(held.shape[0], items.shape[1] - 1)
    return posteriors(held, items, guess, steps=FOLD_IN_STEPS).mean


def posteriors(held: sp.csr_array, items: FloatArray, guess: Posterior, *, steps: int) -> Posterior:
    """Posteriors of any number of users given certain items, from a first guess."""
    found = Posterior(np.empty_like(guess.mean), np.empty_like(guess.covariance))
    for start in range(0, held.shape[0], STEP_USERS):
        block = slice(start, start + STEP_USERS)
        near = Posterior(guess.mean[block], guess.covariance[block])
        for _ in range(steps):
            near = selection_step(held[block], items, near)[0]
        found.mean[block], found.covariance[block] = near
    return found
