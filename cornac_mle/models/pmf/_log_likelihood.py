"""Log-likelihood of profiles under the hurdle model of PMF, by importance sampling of (t, u).

The proposal is a Gaussian at the mode of the distribution itself, with the curvature there, mixed
with the density that (t, u) is drawn from. Newton's method finds the mode of an *augmented*
distribution: items held have arrived, at rates w_i, by the time at which the first item that is not
held arrives, W being the rate of all that are not held ::

    P(S | t) = integral over s of W exp(s - W e^s) prod over i in S of (1 - exp(-w_i e^s)) ds

The log-time s is integrated out by Laplace's rule in the proposal, exactly in the ratios.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from cornac_mle.models.pmf._gaussians import BLOCK_USERS, Posterior, packed_products, unpacked
from cornac_mle.models.pmf._selection import towards
from cornac_mle.models.pmf._value_distribution import Cells, ValueDistribution, cell_expansion
from cornac_mle.sampling.arrival_rates import log_rates_of_odds, softplus
from cornac_mle.sampling.importance import LikelihoodEstimate, importance_estimate
from cornac_mle.sampling.latent_densities import NormalMixture
from cornac_mle.sampling.normal_cells import LOG_TWO_PI
from cornac_mle.sampling.plackett_luce import plackett_luce_log_probability
from cornac_mle.sparse import Float32Array, FloatArray, user_of

NEWTON_STEPS = 15
"""Steps at most to the mode of (t, u)."""
CLOSE_ENOUGH = 0.05
"""Longest step of a user, in standard deviations of users, after which the search ends."""
TIME_STEPS = 4
"""Newton steps of the log-time within one of (t, u)."""
DEFENSIVE_SHARE = 0.05
"""Share of draws from the density itself: it bounds the ratios, whatever the other proposal."""
INFLATION = 1.1
"""Factor on the proposal's covariance: a skewed target reaches further than its mode tells."""
LEAST_PRECISION = 0.5
"""Least precision of the proposal in any direction, as a share of the density's own."""


class HurdleDistribution(NamedTuple):
    """Distribution of a profile: (t, u) and size by a density, items by t, values by u."""

    density: NormalMixture
    items: FloatArray  # (n_items, d + 1): (w_i, a_i)
    values: ValueDistribution | None  # None: all values are equal

    @property
    def n_tastes(self) -> int:
        """Dimensions of t, the first ones of a point."""
        return int(self.items.shape[1]) - 1


class Expansion(NamedTuple):
    """Gradient and minus the curvature of a log-probability at one point of each user."""

    gradient: FloatArray  # (n_users, d)
    precision: FloatArray  # (n_users, d, d)


def log_odds(users: FloatArray, items: FloatArray) -> Float32Array:
    """Log-odds w_i't + a_i (n_users, n_items) of holding each item, of one block of users."""
    single = items.astype(np.float32)
    odds: Float32Array = users.astype(np.float32) @ single[:, :-1].T
    odds += single[:, -1]
    return odds


def hurdle_log_likelihood(
    distribution: HurdleDistribution, matrix: sp.csr_array, n_draws: int, rng: np.random.Generator
) -> LikelihoodEstimate:
    """Estimate the log-probability of each profile of one block, size and values included.

    Parameters
    ----------
    distribution : HurdleDistribution
        Fitted distribution of profiles.
    matrix : csr_array, shape (n_users, n_items)
        Profiles. Values of continuous distributions contribute a density, in units of the values.
    n_draws : int
        Points drawn a user.
    rng : Generator
        Generator of the points.

    Returns
    -------
    LikelihoodEstimate
        -inf where a value, or the empty profile, cannot be drawn.

    Notes
    -----
    Time: some `NEWTON_STEPS` + `n_draws` products of users x items x tastes; with values, tastes
    squared.
    """
    sizes = np.diff(matrix.indptr)
    cells, possible = None, sizes > 0
    if distribution.values is not None:
        cells = distribution.values.cells(matrix.data)
        rows = user_of(matrix)
        possible &= np.bincount(rows[~cells.possible], minlength=len(sizes)) == 0
    near = nearest_gaussian(distribution, matrix, cells)
    root = np.linalg.cholesky(near.covariance).astype(np.float64)
    proposal = Proposal(near.mean, root, distribution.density)
    log_ratios = np.empty((n_draws, len(sizes)))
    at_once = max(1, BLOCK_USERS // max(len(sizes), 1))  # draws of few users go together
    for start in range(0, n_draws, at_once):
        times = min(at_once, n_draws - start)
        points, log_density = proposal.draw(times, rng)
        copies = sp.csr_array(sp.vstack([matrix] * times, format="csr"))
        of_values = None if cells is None else cells.repeated(times)
        joint = log_joint(distribution, points, copies, of_values)
        log_ratios[start : start + times] = (joint - log_density).reshape(times, -1)
    nats, effective = importance_estimate(log_ratios)
    assert effective is not None  # it is an estimate
    return LikelihoodEstimate(np.where(possible, nats, -np.inf), np.where(possible, effective, 0.0))


class Proposal(NamedTuple):
    """A Gaussian for each user, mixed with the density of (t, u) that all users share."""

    mean: FloatArray  # (n_users, k)
    root: FloatArray  # (n_users, k, k) Cholesky factors of covariances
    density: NormalMixture

    def draw(self, times: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw points (times x n_users, k), users within draws, with their log-densities."""
        n_users, k = self.mean.shape
        points = self.density.draw(times * n_users, rng)[0].reshape(times, n_users, k)
        noise = rng.standard_normal((times, n_users, k))
        near = self.mean + np.einsum("nab,tnb->tna", self.root, noise)
        local = rng.random((times, n_users, 1)) >= DEFENSIVE_SHARE
        points = np.where(local, near, points)
        standard = np.linalg.solve(self.root, (points - self.mean).transpose(1, 2, 0))
        of_gaussian = -0.5 * ((standard**2).sum(axis=1).T + k * LOG_TWO_PI)  # (times, n_users)
        of_gaussian -= np.log(np.diagonal(self.root, axis1=1, axis2=2)).sum(axis=1)
        flat = points.reshape(-1, k)
        log_density = np.logaddexp(
            np.log(1 - DEFENSIVE_SHARE) + of_gaussian.ravel(),
            np.log(DEFENSIVE_SHARE) + self.density.log_point_density(flat),
        )
        return flat, log_density


def log_joint(
    distribution: HurdleDistribution, points: FloatArray, matrix: sp.csr_array, cells: Cells | None
) -> FloatArray:
    """Log-density of points (t, u), (n_users, k), together with the profiles, (n_users,)."""
    tastes = points[:, : distribution.n_tastes]
    total = distribution.density.log_density(points, np.diff(matrix.indptr).astype(np.int64))
    total += plackett_luce_log_probability(
        log_rates_of_odds(log_odds(tastes, distribution.items)), matrix
    )
    if distribution.values is not None and cells is not None:
        total += distribution.values.log_probability(
            matrix, points[:, distribution.n_tastes :], cells
        )
    return total


def nearest_gaussian(
    distribution: HurdleDistribution, matrix: sp.csr_array, cells: Cells | None
) -> Posterior:
    """Laplace's approximation of the posterior of (t, u) given each profile, a bit inflated."""
    root = distribution.density.roots[0][:-1, :-1]
    prior_precision = np.linalg.inv(root @ root.T)
    sizes, tastes = np.diff(matrix.indptr).astype(np.int64), slice(0, distribution.n_tastes)
    rest = slice(distribution.n_tastes, len(root))
    points = np.tile(distribution.density.means[0, :-1], (len(sizes), 1))
    times = np.zeros(len(sizes))
    products = packed_products(distribution.items)
    for _ in range(NEWTON_STEPS):
        gradient, precision = (
            np.array(part) for part in distribution.density.expansion(points, sizes)
        )
        of_items, times = item_expansion(
            distribution.items, products, points[:, tastes], times, matrix
        )
        gradient[:, tastes] += of_items.gradient
        precision[:, tastes, tastes] += of_items.precision
        if distribution.values is not None and cells is not None:
            of_values = value_expansion(distribution.values, points[:, rest], matrix, cells)
            gradient[:, rest] += of_values.gradient
            precision[:, rest, rest] += of_values.precision
        covariance = inverse_at_least(precision, LEAST_PRECISION * prior_precision)
        before = points
        points = towards(points, points + (covariance @ gradient[:, :, None])[:, :, 0])
        if np.abs(points - before).max(initial=0.0) < CLOSE_ENOUGH:
            break
    return Posterior(points, INFLATION * covariance)


def inverse_at_least(precision: FloatArray, least: FloatArray) -> FloatArray:
    """Inverses of matrices (n, d, d), after raising each to at least `least` in all directions.

    Away from the mode the augmented distribution is not everywhere log-concave.
    """
    root = np.linalg.cholesky(least)
    inverse = np.linalg.inv(root)
    relative, axes = np.linalg.eigh(inverse @ precision @ inverse.T)
    turned = inverse.T @ axes
    return np.asarray((turned / np.maximum(relative, 1.0)[:, None, :]) @ turned.transpose(0, 2, 1))


def item_expansion(
    items: FloatArray,
    products: Float32Array,
    tastes: FloatArray,
    times: FloatArray,
    matrix: sp.csr_array,
) -> tuple[Expansion, FloatArray]:
    """Expand the log-probability of the items held in t, the log-time at its best for t.

    With r = w e^s, q = 1 / (e^r - 1) and p = sigmoid(log-odds), an item not held has the gradient
    -e^s p in its log-odds and the curvature -e^s p (1 - p); one that is held has q e^s p and
    q e^s p (1 - p) - q (1 + q) (e^s p)^2.

    Parameters
    ----------
    items, products : ndarray, shape (n_items, d + 1) and (n_items, (d + 1) (d + 2) / 2)
        Loadings (w_i, a_i), and their packed products.
    tastes : ndarray, shape (n_users, d)
        Points t.
    times : ndarray, shape (n_users,)
        Log-times to start from.
    matrix : csr_array, shape (n_users, n_items)
        Profiles; values do not count.

    Returns
    -------
    expansion : Expansion
        Gradient and precision in t.
    times : ndarray, shape (n_users,)
        Log-times at their best.
    """
    n_users, size = tastes.shape
    rows = user_of(matrix)
    odds = log_odds(tastes, items)
    rates = softplus(odds)
    own_rates = np.maximum(rates[rows, matrix.indices].astype(np.float64), 1e-30)
    taken = np.bincount(rows, weights=own_rates, minlength=n_users)
    left = np.maximum(rates.sum(axis=1, dtype=np.float64) - taken, 1e-6)
    for _ in range(TIME_STEPS):
        up, down = time_derivatives(times, left, own_rates, rows)
        times = times + np.clip(up / down, -1.0, 1.0)
    scale = np.exp(times)
    arrived = own_rates * scale[rows]
    q = 1 / np.expm1(np.minimum(arrived, 500.0))
    # The derivatives of log W make the time of items not held that much shorter.
    shorter = np.maximum(scale - 1 / left, 0.0).astype(np.float32)[:, None]
    probabilities: Float32Array = np.exp(odds - rates)
    own = probabilities[rows, matrix.indices].astype(np.float64)
    weights = shorter * probabilities * (1 - probabilities)
    gradients = -shorter * probabilities
    mixed = scale.astype(np.float32)[:, None] * probabilities
    moved = scale[rows] * own
    gradients[rows, matrix.indices] = q * moved
    weights[rows, matrix.indices] = q * moved * (moved * (1 + q) - (1 - own))
    mixed[rows, matrix.indices] = moved * q * ((1 + q) * arrived - 1)
    narrow = items.astype(np.float32)[:, :-1]
    precision = unpacked(weights @ products, size + 1)[:, :size, :size]
    cross = (mixed @ narrow).astype(np.float64)
    down = time_derivatives(times, left, own_rates, rows)[1]
    precision -= cross[:, :, None] * (cross / down[:, None])[:, None, :]
    return Expansion((gradients @ narrow).astype(np.float64), precision), times


def time_derivatives(
    times: FloatArray, left: FloatArray, own_rates: FloatArray, rows: npt.NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """Gradient and minus the curvature of the augmented log-probability in the log-time."""
    arrived = np.minimum(own_rates * np.exp(times)[rows], 500.0)
    curvature = arrived / np.expm1(arrived)
    bend = curvature * (arrived / -np.expm1(-arrived) - 1)
    gone = left * np.exp(times)
    up = 1 - gone + np.bincount(rows, weights=curvature, minlength=len(times))
    return up, gone + np.bincount(rows, weights=bend, minlength=len(times))


def value_expansion(
    distribution: ValueDistribution, tastes: FloatArray, matrix: sp.csr_array, cells: Cells
) -> Expansion:
    """Expand the log-probability of the values in u; the spread of scores counts as constant."""
    centre, spread = distribution.scores(matrix, tastes)
    gradient, precision = cell_expansion(
        (cells.low - centre) / spread, (cells.high - centre) / spread
    )
    loadings = distribution.items[:, :-1]

    def summed(data: FloatArray, features: npt.NDArray[np.floating]) -> FloatArray:
        weights = sp.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)
        return np.asarray(weights @ features, dtype=np.float64)

    packed = summed(precision / spread**2, packed_products(loadings))
    return Expansion(summed(gradient / spread, loadings), unpacked(packed, loadings.shape[1]))
