"""The fit of which items are held: variational Bayes for users and for items.

How much the loadings of items vary along each direction of taste is learnt from them. A direction
for which the data give no evidence comes out at nothing (automatic relevance determination) and is
taken away, so that `k` is a bound on the number of tastes.
"""

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
    refit_covariance,
    standard_normal,
    unpacked,
    with_one,
)
from cornac_mle.models.pmf._selection import (
    STEP_USERS,
    Selection,
    posteriors,
    selection_step,
    towards,
)
from cornac_mle.sparse import FloatArray

TOLERANCE = 5e-3
"""Relative change of items in one pass at which the fit of choices stops."""

DENSITY_PASSES = 5
"""Fits of the users' density given the means of the loadings, after the last pass, each with one
Newton step of the users."""

FINAL_STEPS = 2
"""Newton steps of training users after all that."""

LONGEST_JUMP = 8.0
"""Cap of the extrapolation of EM, in passes."""

OFFSET_VARIANCE = 10.0
"""Prior variance of an item's log-odds around the mean of all items."""

LEAST_VARIANCE, MOST_VARIANCE = 1e-4, 4.0
"""Bounds on the prior variance of loadings in every direction: .02 to 3.6 on real data.

Where tastes decide without doubt what is held it would grow for ever, and with loadings so large
that a user's step and an item's undo each other passes swing back and forth (seen at 10).
"""

IDLE = 2e-3
"""Mean square of loadings at which a direction of taste is taken away: the log-odds of one item
differ by .04 from user to user, odds by 4%."""

SETTLING_PASSES = 10
"""Passes before the first direction is taken away: at the start all loadings are small."""


class Fit(NamedTuple):
    """State of the fit between two passes."""

    items: Posterior  # (n_items, d + 1) of (w_i, a_i)
    users: Posterior  # (n_users, d) of t
    prior: FloatArray  # (d, d) covariance of w_i around their mean


def fit_selection(
    held: sp.csr_array,
    k: int,
    *,
    lambda_reg: float,
    passes: Iterable[int],
    rng: np.random.Generator,
) -> Selection:
    """Fit P(item i | t) = sigmoid(w_i't + a_i), t ~ N(0, I) of at most k + 1 dimensions.

    In every pass the user density is N(m, S), m and S the moments of the aggregate posterior, and
    the loadings are then turned so that it is N(0, I) again: no generality is lost, and EM is much
    faster (Liu, Rubin and Wu 1998).

    Users are drawn from means of loadings. In the fit the loadings' variance counts as information
    on users too, whose posteriors it draws towards 0; given means alone these lie further apart,
    and the density is fitted to them once more. Without that, drawn users have too little taste.

    Parameters
    ----------
    held : csr_array, shape (n_users, n_items)
        1 where a user holds an item.
    k : int
        Dimensions of taste at most; one more starts as the users' activity, common to all items.
    lambda_reg : float
        Factor on the precision that the prior of loadings is found to have.
    passes : iterable
        Iterations, one pass each; fitting stops before their end on convergence.
    rng : Generator
        Generator of the starting point.

    Returns
    -------
    Selection
        Directions of taste in order of their strength.
    """
    fit = starting_point(held, k + 1, rng)
    path = [fit.items.mean]
    for number, _ in enumerate(passes):
        at = Posterior(path[-1], fit.items.covariance)
        fit = selection_pass(held, fit._replace(items=at), lambda_reg)
        items = fit.items.mean
        converged = np.linalg.norm(items - path[-1]) < TOLERANCE * np.linalg.norm(items)
        path.append(items)
        if converged or number >= SETTLING_PASSES:
            fit = without_idle(fit)
        if converged:
            break
        if fit.items.mean is not items:
            path = [fit.items.mean]
        elif len(path) == 3:
            path = [extrapolated(*path)]
    users, items = fit.users, fit.items.mean
    for _ in range(DENSITY_PASSES):
        change, users = standardised(posteriors(held, items, users, steps=1))
        items = items @ change.T
    given_means = fit._replace(users=users, items=fit.items._replace(mean=items))
    fit = turned(given_means, strongest_first(items)[1])
    users = posteriors(held, fit.items.mean, fit.users, steps=FINAL_STEPS)
    return Selection(users.mean, fit.items.mean)


def starting_point(held: sp.csr_array, size: int, rng: np.random.Generator) -> Fit:
    """Start with users at their prior and loadings at random, but 1 for activity."""
    n_users, n_items = held.shape
    share = (np.bincount(held.indices, minlength=n_items) + 0.5) / (n_users + 1.0)
    items = START_SD * rng.standard_normal((n_items, size + 1))
    items[:, 0] += 1.0
    items[:, size] = np.log(share / (1 - share))
    certain = Posterior(items, np.zeros((n_items, size + 1, size + 1)))
    return Fit(certain, standard_normal(n_users, size), np.eye(size))


def selection_pass(held: sp.csr_array, fit: Fit, lambda_reg: float) -> Fit:
    """Update all users, then all items, then the density of users and the prior of items."""
    items, users, prior = fit
    width = items.mean.shape[1]
    precision = np.zeros((len(items.mean), width * (width + 1) // 2))
    linear = np.zeros(items.mean.shape)
    updated = Posterior(np.empty_like(users.mean), np.empty_like(users.covariance))
    for start in range(0, held.shape[0], STEP_USERS):
        block = slice(start, start + STEP_USERS)
        guess = Posterior(users.mean[block], users.covariance[block])
        found, weights, targets = selection_step(held[block], items.mean, guess, items.covariance)
        updated.mean[block], updated.covariance[block] = found
        one = with_one(found)
        precision += weights.T @ packed_products(*one)
        linear += held[block].T @ one.mean + targets.T @ one.mean.astype(np.float32)
    covariance = np.diag(np.full(width, OFFSET_VARIANCE))
    covariance[:-1, :-1] = prior
    around = Gaussian(items.mean.mean(axis=0), covariance)
    aim = posterior_given(around, unpacked(precision, width), linear)
    change, standard = standardised(updated)
    aim = with_certain_offset(aim)
    moved = Posterior(towards(items.mean, aim.mean) @ change.T, change @ aim.covariance @ change.T)
    return Fit(moved, standard, prior_covariance(moved, lambda_reg))


def with_certain_offset(items: Posterior) -> Posterior:
    """Covariances of w_i given a_i, itself without variance.

    The variance of the offset of an item that two users hold depends so much on the offset, and the
    other way round, that passes swing back and forth for ever.
    """
    cross = items.covariance[:, :, -1]
    given = items.covariance - cross[:, :, None] * (cross / cross[:, -1:])[:, None, :]
    given[:, -1, :] = given[:, :, -1] = 0.0  # but for rounding, they are
    return Posterior(items.mean, given)


def prior_covariance(items: Posterior, lambda_reg: float) -> FloatArray:
    """Covariance of loadings around their mean that is most probable, over lambda_reg; (d, d)."""
    loadings = Posterior(items.mean[:, :-1], items.covariance[:, :-1, :-1])
    found = refit_covariance(loadings, loadings.mean.mean(axis=0), pseudo=0.0)
    lengths, axes = np.linalg.eigh(found / lambda_reg)
    return np.asarray((axes * np.clip(lengths, LEAST_VARIANCE, MOST_VARIANCE)) @ axes.T)


def standardised(users: Posterior) -> tuple[FloatArray, Posterior]:
    """Turn users so that their aggregate posterior has moments 0 and I.

    Returns
    -------
    change : ndarray, shape (d + 1, d + 1)
        What (w_i, a_i) is to be multiplied by, so that all log-odds stay as they are.
    users : Posterior
        Posteriors of the users after that.
    """
    mean = users.mean.mean(axis=0)
    lengths, axes = np.linalg.eigh(refit_covariance(users, mean, pseudo=0.0))
    root, inverse = (axes * np.sqrt(lengths)) @ axes.T, (axes / np.sqrt(lengths)) @ axes.T
    change = np.eye(len(mean) + 1)
    change[:-1, :-1], change[-1, :-1] = root, mean
    return change, Posterior((users.mean - mean) @ inverse, inverse @ users.covariance @ inverse)


def extrapolated(first: FloatArray, second: FloatArray, third: FloatArray) -> FloatArray:
    """Go on along a path of fixed-point steps (SQUAREM, Varadhan and Roland 2008, scheme S3)."""
    step = second - first
    bend = third - second - step
    length = float(np.linalg.norm(step)) / max(float(np.linalg.norm(bend)), 1e-12)
    length = min(max(length, 1.0), LONGEST_JUMP)
    return first + 2 * length * step + length**2 * bend


def strongest_first(items: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean squares of loadings along their principal axes, (d,), and the axes, (d, d)."""
    strengths, axes = np.linalg.eigh(items[:, :-1].T @ items[:, :-1] / len(items))
    return strengths[::-1], axes[:, ::-1]


def without_idle(fit: Fit) -> Fit:
    """Take away directions of taste that hardly matter, but for the strongest."""
    strengths, axes = strongest_first(fit.items.mean)
    busy = strengths >= min(IDLE, strengths[0])
    return fit if busy.all() else turned(fit, axes[:, busy])


def turned(fit: Fit, axes: FloatArray) -> Fit:
    """Turn all to orthonormal axes (d, d') of taste; what lies across them is left out."""
    with_offset = np.zeros((len(axes) + 1, axes.shape[1] + 1))
    with_offset[:-1, :-1], with_offset[-1, -1] = axes, 1.0
    items, users, prior = fit
    return Fit(
        Posterior(items.mean @ with_offset, with_offset.T @ items.covariance @ with_offset),
        Posterior(users.mean @ axes, axes.T @ users.covariance @ axes),
        axes.T @ prior @ axes,
    )
