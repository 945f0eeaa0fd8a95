"""Densities over a latent space: where the next user comes from, and how many items it holds.

A density draws points (n_users, k) and profile sizes (n_users,) together. Sizes are learnt as
normal scores (ranks through the normal quantile function, ties in random order) beside the latent
coordinates, and a drawn score goes back through its own fitted distribution function and the
quantiles of the training sizes. So drawn sizes have the law of the training sizes whatever the
density, and only their dependence on the point is modelled.
"""

import warnings
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from cornac_mle.drawing import draw_sizes
from cornac_mle.randomness import cornac_seed

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

DRAWS_PER_USER = 4
"""Posterior draws of each training user that a mixture is fitted to."""

COMPONENTS = (1, 2, 4, 8, 16, 32)
"""Numbers of components tried, as long as the next one is better on users left out."""

RIDGE = 1e-4
"""Added to variances, so that a direction without spread stays a Gaussian."""


class LatentDensity(Protocol):
    """A law of (latent point, profile size)."""

    def draw(self, n_users: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
        """Draw points (n_users, k) and sizes (n_users,)."""


class StandardNormal:
    """The prior N(0, I), with the size of a random training user whatever the point."""

    def __init__(self, k: int, sizes: IntArray) -> None:
        self.k = k
        self.sizes = sizes

    def draw(self, n_users: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
        """Draw points (n_users, k) and sizes (n_users,)."""
        return rng.standard_normal((n_users, self.k)), draw_sizes(self.sizes, n_users, rng)


class NormalMixture:
    """A mixture of full Gaussians over (latent point, normal score of the size).

    Parameters
    ----------
    weights : ndarray, shape (n_components,)
        In [0, 1], sum 1.
    means : ndarray, shape (n_components, k + 1)
        The last coordinate is the score of the size.
    covariances : ndarray, shape (n_components, k + 1, k + 1)
        Positive definite.
    sizes : ndarray of int, shape (n_users,)
        Of the training users.
    """

    def __init__(
        self, weights: FloatArray, means: FloatArray, covariances: FloatArray, sizes: IntArray
    ) -> None:
        self.weights = weights
        self.means = means
        self.roots = np.linalg.cholesky(covariances)
        self.sorted_sizes = np.sort(sizes)

    def draw(self, n_users: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
        """Draw points (n_users, k) and sizes (n_users,)."""
        component = rng.choice(len(self.weights), size=n_users, p=self.weights)
        noise = rng.standard_normal((n_users, self.means.shape[1]))
        points = self.means[component]
        for number in np.unique(component):
            rows = component == number
            points[rows] += noise[rows] @ self.roots[number].T
        return points[:, :-1], self._sizes(points[:, -1])

    def _sizes(self, scores: FloatArray) -> IntArray:
        """Bring scores (n_users,) to sizes: the fitted law of the score, then the quantiles."""
        spreads = np.linalg.norm(self.roots[:, -1, :], axis=1)
        ranks = ndtr((scores[:, None] - self.means[:, -1]) / spreads) @ self.weights  # uniform
        n_training = len(self.sorted_sizes)
        places = np.minimum((ranks * n_training).astype(np.intp), n_training - 1)
        sizes: IntArray = self.sorted_sizes[places]
        return sizes


def fit_gaussian(
    means: FloatArray, deviations: FloatArray, sizes: IntArray, rng: np.random.Generator
) -> NormalMixture:
    """Fit one full Gaussian to the aggregate posterior, by its exact first two moments.

    Parameters
    ----------
    means, deviations : ndarray, shape (n_users, k)
        Of the posterior N(mean, diag(deviation^2)) of each training user.
    sizes : ndarray of int, shape (n_users,)
        Profile sizes.
    """
    joint = np.column_stack([means, size_scores(sizes, rng)])
    within = np.append((deviations**2).mean(axis=0), RIDGE)
    covariance = np.atleast_2d(np.cov(joint.T, bias=True)) + np.diag(within)
    return NormalMixture(np.ones(1), joint.mean(axis=0)[None], covariance[None], sizes)


def fit_mixture(
    means: FloatArray,
    deviations: FloatArray,
    sizes: IntArray,
    n_components: int | None,
    rng: np.random.Generator,
) -> NormalMixture:
    """Fit a Gaussian mixture to draws of the aggregate posterior and the users' sizes.

    Parameters
    ----------
    means, deviations : ndarray, shape (n_users, k)
        Of the posterior N(mean, diag(deviation^2)) of each training user.
    sizes : ndarray of int, shape (n_users,)
        Profile sizes.
    n_components : int or None
        None: 1, 2, 4, ..., 32, as long as it raises the likelihood of a fifth of the users that
        is left out.
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
    return NormalMixture(fitted.weights_, fitted.means_, fitted.covariances_, sizes)


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
