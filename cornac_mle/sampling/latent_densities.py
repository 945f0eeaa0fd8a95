"""Densities over a latent space: where the next user comes from, and how many items it holds.

A density is a distribution of points (n_users, k) and profile sizes (n_users,) together. Sizes are
learnt as normal scores (ranks through the normal quantile function, ties in random order) beside
the latent coordinates. A drawn score becomes a size at cut-points that give each size the
probability that `size_distribution` has, whatever the density: only the dependence of sizes on the
point is modelled, and every size that a user can have is possible.
"""

import warnings
from typing import Protocol

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp, ndtr, ndtri, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from cornac_mle.randomness import cornac_seed
from cornac_mle.sampling.normal_cells import LOG_TWO_PI, log_normal_cell, normal_cell_expansion
from cornac_mle.sampling.sizes import draw_sizes, log_size_probability, size_distribution
from cornac_mle.sparse import FloatArray, IntArray

DRAWS_PER_USER = 4
"""Posterior draws of each training user that a mixture is fitted to."""

COMPONENTS = (1, 2, 4, 8, 16, 32)
"""Numbers of components tried, as long as the next one is better on users left out."""

SCORE_REACH = 40.0
"""Standard deviations within which a cut-point between sizes is sought."""
BISECTIONS = 60

RIDGE = 1e-4
"""Variance added to all, so that a direction without spread stays a Gaussian."""


class LatentDensity(Protocol):
    """A distribution of (latent point, profile size)."""

    def draw(self, n_users: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
        """Draw points (n_users, k) and sizes (n_users,)."""

    def log_density(self, points: FloatArray, sizes: IntArray) -> FloatArray:
        """Log-density of each point (n_users, k) with its size (n_users,); -inf if impossible."""

    def log_point_density(self, points: FloatArray) -> FloatArray:
        """Log-density of each point (n_users, k), whatever its size: (n_users,)."""

    def expansion(self, points: FloatArray, sizes: IntArray) -> tuple[FloatArray, FloatArray]:
        """Gradient of `log_density` by the point, (n_users, k), and a precision (n_users, k, k).

        The precision is that of the components, weighted by how probable each is at the point: it
        is positive definite where the curvature between two components need not be.
        """


class StandardNormal:
    """The prior N(0, I), with a size of the training users' distribution whatever the point.

    Parameters
    ----------
    k : int
        Latent dimensions.
    distribution : ndarray, shape (n_sizes,)
        Probability of sizes 1, 2, ..., `n_sizes`.
    """

    def __init__(self, k: int, distribution: FloatArray) -> None:
        self.k = k
        self.distribution = distribution

    def draw(self, n_users: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
        """Draw points (n_users, k) and sizes (n_users,)."""
        sizes = draw_sizes(self.distribution, n_users, rng)
        return rng.standard_normal((n_users, self.k)), sizes

    def log_density(self, points: FloatArray, sizes: IntArray) -> FloatArray:
        """Log-density of each point (n_users, k) with its size (n_users,)."""
        return np.asarray(
            self.log_point_density(points) + log_size_probability(self.distribution, sizes)
        )

    def log_point_density(self, points: FloatArray) -> FloatArray:
        """Log-density of each point (n_users, k), whatever its size: (n_users,)."""
        return np.asarray(-0.5 * (points**2).sum(axis=1) - 0.5 * self.k * LOG_TWO_PI)

    def expansion(self, points: FloatArray, sizes: IntArray) -> tuple[FloatArray, FloatArray]:
        """Gradient of the log-density, (n_users, k), and its precision, (n_users, k, k)."""
        return -points, np.broadcast_to(np.eye(self.k), (len(points), self.k, self.k))


class NormalMixture:
    """A mixture of full Gaussians over (latent point, normal score of the size).

    Parameters
    ----------
    weights : ndarray, shape (n_components,)
        Probabilities of the components, of sum 1.
    means : ndarray, shape (n_components, k + 1)
        Means; the last coordinate is the score of the size.
    covariances : ndarray, shape (n_components, k + 1, k + 1)
        Covariances, positive definite.
    distribution : ndarray, shape (n_sizes,)
        Probability of sizes 1, 2, ..., `n_sizes`.
    """

    def __init__(
        self,
        weights: FloatArray,
        means: FloatArray,
        covariances: FloatArray,
        distribution: FloatArray,
    ) -> None:
        self.weights = weights
        self.means = means
        self.roots = np.linalg.cholesky(covariances)
        self.edges = self._cut_points(distribution)

    def draw(self, n_users: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
        """Draw points (n_users, k) and sizes (n_users,)."""
        component = rng.choice(len(self.weights), size=n_users, p=self.weights)
        noise = rng.standard_normal((n_users, self.means.shape[1]))
        points = self.means[component]
        for number in np.unique(component):
            rows = component == number
            points[rows] += noise[rows] @ self.roots[number].T
        sizes: IntArray = np.searchsorted(self.edges[1:-1], points[:, -1], side="right") + 1
        return points[:, :-1], sizes

    def log_density(self, points: FloatArray, sizes: IntArray) -> FloatArray:
        """Log-density of each point (n_users, k) with its size (n_users,); -inf if impossible."""
        possible = (sizes >= 1) & (sizes < len(self.edges))
        total = logsumexp([part for part, *_ in self._parts(points, sizes)], axis=0)
        return np.where(possible, total - 0.5 * points.shape[1] * LOG_TWO_PI, -np.inf)

    def log_point_density(self, points: FloatArray) -> FloatArray:
        """Log-density of each point (n_users, k), whatever its size: (n_users,)."""
        parts = []
        for weight, mean, root in zip(self.weights, self.means, self.roots, strict=True):
            standard = solve_triangular(root[:-1, :-1], (points - mean[:-1]).T, lower=True)
            volume = np.log(np.diag(root)[:-1]).sum()
            parts.append(np.log(weight) - 0.5 * (standard**2).sum(axis=0) - volume)
        return np.asarray(logsumexp(parts, axis=0) - 0.5 * points.shape[1] * LOG_TWO_PI)

    def expansion(self, points: FloatArray, sizes: IntArray) -> tuple[FloatArray, FloatArray]:
        """Gradient of the log-density, (n_users, k), and a precision, (n_users, k, k)."""
        parts = self._parts(points, sizes)
        shares = softmax([part for part, *_ in parts], axis=0)  # (n_components, n_users)
        gradient = np.zeros(points.shape)
        precision = np.zeros((len(points), points.shape[1] ** 2))
        for share, root, (_, standard, low, high) in zip(shares, self.roots, parts, strict=True):
            inverse = solve_triangular(root[:-1, :-1], np.eye(points.shape[1]), lower=True)
            along = inverse.T @ root[-1, :-1] / root[-1, -1]  # of the standard score by the point
            cell_gradient, cell_curvature = normal_cell_expansion(low, high)
            gradient += share[:, None] * (cell_gradient[:, None] * along - (inverse.T @ standard).T)
            precision += np.outer(share, inverse.T @ inverse)
            precision += np.outer(share * cell_curvature, np.outer(along, along))
        return gradient, precision.reshape(-1, *inverse.shape)

    def _parts(
        self, points: FloatArray, sizes: IntArray
    ) -> list[tuple[FloatArray, FloatArray, FloatArray, FloatArray]]:
        """Log-density, standardised point (k, n_users) and ends of the size's cell, by component.

        The log-density (n_users,) lacks k/2 log(2 pi); the ends, (n_users,) each, are those of the
        scores of the size, standardised given the point.
        """
        cell = np.clip(sizes, 1, len(self.edges) - 1)
        parts = []
        for weight, mean, root in zip(self.weights, self.means, self.roots, strict=True):
            inner = root[:-1, :-1]
            standard = solve_triangular(inner, (points - mean[:-1]).T, lower=True)
            of_points = -0.5 * (standard**2).sum(axis=0) - np.log(np.diag(inner)).sum()
            centre, spread = mean[-1] + root[-1, :-1] @ standard, root[-1, -1]
            low, high = (
                (self.edges[cell - 1] - centre) / spread,
                (self.edges[cell] - centre) / spread,
            )
            of_sizes = log_normal_cell(low, high)
            parts.append((np.log(weight) + of_points + of_sizes, standard, low, high))
        return parts

    def _cut_points(self, distribution: FloatArray) -> FloatArray:
        """Scores (n_sizes + 1,) between which each size has its probability."""
        spreads = np.linalg.norm(self.roots[:, -1, :], axis=1)
        below, above = (
            np.cumsum(distribution)[:-1],
            np.cumsum(distribution[::-1])[-2::-1],
        )  # (n_sizes - 1,)
        reach = SCORE_REACH * float(spreads.max())
        low = np.full(len(below), float(self.means[:, -1].min()) - reach)
        high = np.full(len(below), float(self.means[:, -1].max()) + reach)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            away = (middle[:, None] - self.means[:, -1]) / spreads
            # The smaller of both tails: the other one has lost the digits of rare sizes.
            short = np.where(
                below < 0.5, ndtr(away) @ self.weights < below, above < ndtr(-away) @ self.weights
            )
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        return np.concatenate([[-np.inf], np.maximum.accumulate(low), [np.inf]])


def fit_gaussian(
    means: FloatArray,
    deviations: FloatArray,
    sizes: IntArray,
    n_items: int,
    rng: np.random.Generator,
) -> NormalMixture:
    """Fit one full Gaussian to the aggregate posterior, by its exact first two moments.

    Parameters
    ----------
    means, deviations : ndarray, shape (n_users, k)
        Moments of the posterior N(mean, diag(deviation^2)) of each training user.
    sizes : ndarray of int, shape (n_users,)
        Profile sizes.
    n_items : int
        Largest size that a profile can have.
    rng : Generator
        Generator of the order of equal sizes.
    """
    joint = np.column_stack([means, size_scores(sizes, rng)])
    within = np.append((deviations**2).mean(axis=0), RIDGE)
    covariance = np.atleast_2d(np.cov(joint.T, bias=True)) + np.diag(within)
    distribution = size_distribution(sizes, n_items)
    return NormalMixture(np.ones(1), joint.mean(axis=0)[None], covariance[None], distribution)


def fit_mixture(
    means: FloatArray,
    deviations: FloatArray,
    sizes: IntArray,
    n_items: int,
    n_components: int | None,
    rng: np.random.Generator,
) -> NormalMixture:
    """Fit a Gaussian mixture to draws of the aggregate posterior and the users' sizes.

    Parameters
    ----------
    means, deviations : ndarray, shape (n_users, k)
        Moments of the posterior N(mean, diag(deviation^2)) of each training user.
    sizes : ndarray of int, shape (n_users,)
        Profile sizes.
    n_items : int
        Largest size that a profile can have.
    n_components : int or None
        Number of components. None: 1, 2, 4, ..., 32, as long as it raises the likelihood of a
        fifth of the users that is left out.
    rng : Generator
        Generator of draws, of users left out and of starting points.
    """
    n_users = len(means)
    copies = np.repeat(np.arange(n_users), DRAWS_PER_USER)
    noise = rng.standard_normal((len(copies), means.shape[1]))
    points = means[copies] + deviations[copies] * noise
    joint = np.column_stack([points, size_scores(sizes, rng)[copies]])
    if n_components is None:
        left_out = np.isin(copies, rng.permutation(n_users)[: n_users // 5])
        n_components = choose_components(joint[~left_out], joint[left_out], rng)
    fitted = fit_components(joint, min(n_components, n_users), rng)
    distribution = size_distribution(sizes, n_items)
    return NormalMixture(fitted.weights_, fitted.means_, fitted.covariances_, distribution)


def choose_components(train: FloatArray, left_out: FloatArray, rng: np.random.Generator) -> int:
    """Raise the number of components while the mean log-likelihood of `left_out` rises."""
    best, best_score = 1, -np.inf
    for n_components in COMPONENTS:
        if n_components * 2 > len(train) or len(left_out) == 0:
            break
        score = float(fit_components(train, n_components, rng).score(left_out))
        if score <= best_score:
            break
        best, best_score = n_components, score
    return best


def fit_components(
    joint: FloatArray, n_components: int, rng: np.random.Generator
) -> GaussianMixture:
    """Run scikit-learn's EM; stopping at a tolerance or after 100 steps is both good enough."""
    mixture = GaussianMixture(
        n_components, reg_covar=RIDGE, max_iter=100, random_state=cornac_seed(rng)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(joint)


def size_scores(sizes: IntArray, rng: np.random.Generator) -> FloatArray:
    """Turn sizes (n_users,) into normal scores; equal sizes share their scores out at random."""
    order = np.lexsort((rng.random(len(sizes)), sizes))
    ranks = np.empty(len(sizes))
    ranks[order] = np.arange(len(sizes)) + 0.5
    scores: FloatArray = ndtri(ranks / len(sizes))
    return scores
