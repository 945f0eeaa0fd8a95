"""Gaussian factor models of which items are held and of which values they have: the pure maths.

Users have full-covariance Gaussian posteriors in both, items in the second. A vector v carries its
second moments E[v v'] *packed*: the d (d + 1) / 2 entries of the upper triangle, so that a weighted
sum over items, for all users at once, is one matrix product.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.special import expit

from cornac_mle.kernels import pattern

FloatArray = npt.NDArray[np.float64]
PackedArray = npt.NDArray[np.float32]

BLOCK_USERS = 1024
"""Users of one dense users x items block."""
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
START_SD = 0.1
"""Spread of loadings at the start."""
NOISE_TOLERANCE = 1e-5
"""Relative change of the noise variance in one pass at which the fit of values stops."""
MINIMUM_NOISE = 1e-4
"""Noise variance of values that are explained perfectly."""
OFFSET_VARIANCE = 10.0
"""Prior variance of an item's log-odds around the mean of all items."""


class Gaussian(NamedTuple):
    """One law for many vectors: mean (d,), or (n, d) where it depends on the vector."""

    mean: FloatArray
    covariance: FloatArray  # (d, d)


class Posterior(NamedTuple):
    """Independent Gaussians, one a user or item."""

    mean: FloatArray  # (n, d)
    covariance: FloatArray  # (n, d, d)


class Selection(NamedTuple):
    """Law of the items held: P(item i | t) = sigmoid(w_i't + a_i), t ~ N(0, I)."""

    users: FloatArray  # (n_users, d) posterior means
    items: FloatArray  # (n_items, d + 1): (w_i, a_i)


class Values(NamedTuple):
    """Law of the values of items held: mean + v_i'u + b_i + N(0, noise_sd^2)."""

    mean: float
    noise_sd: float
    users: Posterior  # (n_users, d)
    items: Posterior  # (n_items, d + 1): (v_i, b_i)
    user_map: FloatArray  # (d_selection + 1, d): E[u | t] = (t, 1) @ user_map


# ------------------------------------------------------------------------------- Gaussian algebra


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


# ----------------------------------------------------------------------- which items are held


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
        Of the users.
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
        One EM pass each; fitting stops before its end on convergence.
    rng : Generator
        Starting point.
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


def standard_normal(count: int, size: int) -> Posterior:
    """Make the prior N(0, I) of `count` users."""
    return Posterior(np.zeros((count, size)), np.tile(np.eye(size), (count, 1, 1)))


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


# ------------------------------------------------------------------------ which values they have


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
        Fitted to the same matrix.
    passes : iterable
        One pass each; fitting stops before its end on convergence.
    rng : Generator
        Starting point.
    """
    n_users, n_items = matrix.shape
    size = k + 1
    mean = float(matrix.data.mean(dtype=np.float64))
    here = pattern(matrix)
    centred = sp.csr_array((matrix.data - mean, matrix.indices, matrix.indptr), shape=matrix.shape)
    here_by_item, centred_by_item = sp.csr_array(here.T), sp.csr_array(centred.T)
    total = float((centred.data**2).sum(dtype=np.float64))
    user_features = np.column_stack([selection.users, np.ones(n_users)])
    item_features = np.column_stack([selection.items, np.ones(n_items)])
    start = START_SD * rng.standard_normal((n_items, size + 1))
    start[:, 0] += 1.0
    start[:, size] = centred.sum(axis=0) / (here.sum(axis=0) + 5.0)
    items = Posterior(start, np.tile(START_SD**2 * np.eye(size + 1), (n_items, 1, 1)))
    user_map = np.zeros((user_features.shape[1], size))
    user_covariance = 0.1 * np.eye(size)
    users = Posterior(np.zeros((n_users, size)), np.tile(user_covariance, (n_users, 1, 1)))
    noise = max(total / matrix.nnz, MINIMUM_NOISE)
    for _ in passes:
        products = packed_products(*items)
        users = posterior_given_one(
            Gaussian(user_features @ user_map, user_covariance),
            unpacked(here @ products, size + 1) / noise,
            centred @ items.mean / noise,
        )
        user_map = ridge(user_features, users.mean)
        user_covariance = refit_covariance(users, user_features @ user_map)
        item_mean = item_features @ ridge(item_features, items.mean)
        item_prior = Gaussian(item_mean, refit_covariance(items, item_mean))
        one = with_one(users)
        seconds = unpacked(here_by_item @ packed_products(*one), size + 1)
        linear = centred_by_item @ one.mean
        items = posterior_given(item_prior, seconds / noise, linear / noise)
        # E[(y - v'u)^2] summed over stored values: y^2 - 2 y E[v]'E[u] + trace(E[vv'] E[uu']).
        fitted = np.einsum("iab,iab->", seconds, items.covariance)
        fitted += np.einsum("iab,ia,ib->", seconds, items.mean, items.mean, optimize=True)
        before = noise
        noise = (total - 2 * float((linear * items.mean).sum()) + float(fitted)) / matrix.nnz
        noise = max(noise, MINIMUM_NOISE)
        if abs(before - noise) < NOISE_TOLERANCE * noise:
            break
    return Values(mean, float(np.sqrt(noise)), users, items, user_map)
