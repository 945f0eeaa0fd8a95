"""Densities over the points of fitted users, sizes with them: where the next user comes from."""

from typing import Protocol

import numpy as np
from scipy.special import ndtr
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity

from cornac_mle.sampling.latent_densities import (
    NormalMixture,
    choose_components,
    fit_components,
    size_scores,
)
from cornac_mle.sampling.sizes import size_distribution
from cornac_mle.sparse import FloatArray, IntArray

DENSITIES = ("mixture", "gaussian", "bootstrap")

BANDWIDTHS = np.geomspace(0.05, 1.5, 12)
"""Kernel bandwidths tried, in standard deviations of a coordinate."""
FOLDS = 5
"""Folds of users that bandwidths are compared on."""


class UserDensity(Protocol):
    """A distribution of (point, profile size)."""

    def draw(self, n_users: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
        """Draw points (n_users, k) and sizes (n_users,)."""


class Standardised:
    """A normal mixture over points that were brought to mean 0 and standard deviation 1."""

    def __init__(self, mixture: NormalMixture, mean: FloatArray, scale: FloatArray) -> None:
        self.mixture = mixture
        self.mean = mean
        self.scale = scale

    def draw(self, n_users: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
        """Draw points (n_users, k) and sizes (n_users,)."""
        points, sizes = self.mixture.draw(n_users, rng)
        return self.mean + self.scale * points, sizes


class SmoothedBootstrap:
    """A fitted user drawn at random, moved by normal noise of one bandwidth in all coordinates.

    Parameters
    ----------
    points : ndarray, shape (n_users, k)
        Fitted users, standardised.
    scores : ndarray, shape (n_users,)
        Normal scores of profile sizes (`size_scores`), smoothed as one more coordinate.
    bandwidth : float
        Standard deviation of the noise, in standard deviations of a coordinate.
    mean, scale : ndarray, shape (k,)
        Moments that the points were standardised by.
    distribution : ndarray, shape (n_sizes,)
        Probability of sizes 1, 2, ..., `n_sizes`.
    """

    def __init__(
        self,
        points: FloatArray,
        scores: FloatArray,
        bandwidth: float,
        mean: FloatArray,
        scale: FloatArray,
        distribution: FloatArray,
    ) -> None:
        self.points = points
        self.scores = scores
        self.bandwidth = bandwidth
        self.mean = mean
        self.scale = scale
        self.distribution = distribution

    def draw(self, n_users: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
        """Draw points (n_users, k) and sizes (n_users,)."""
        of = rng.integers(len(self.points), size=n_users)
        noise = self.bandwidth * rng.standard_normal((n_users, self.points.shape[1]))
        sizes = sizes_near(self.scores[of], self.bandwidth, self.distribution, rng)
        return self.mean + self.scale * (self.points[of] + noise), sizes


def sizes_near(
    scores: FloatArray, bandwidth: float, distribution: FloatArray, rng: np.random.Generator
) -> IntArray:
    """Draw sizes like those of users with these scores; over all users they follow `distribution`.

    Parameters
    ----------
    scores : ndarray, shape (n_users,)
        Normal scores of their sizes (`size_scores`).
    bandwidth : float
        Standard deviation of the noise added to a score.
    distribution : ndarray, shape (n_sizes,)
        Probability of sizes 1, 2, ..., `n_sizes`.
    """
    moved = scores + bandwidth * rng.standard_normal(len(scores))
    # Scores of all users are N(0, 1), and N(0, 1 + bandwidth^2) with noise.
    below = ndtr(moved / np.sqrt(1 + bandwidth**2))
    sizes: IntArray = 1 + np.searchsorted(np.cumsum(distribution)[:-1], below, side="right")
    return sizes


def fit_density(
    kind: str, points: FloatArray, sizes: IntArray, n_items: int, rng: np.random.Generator
) -> UserDensity:
    """Fit a density to the points and profile sizes of the training users.

    Parameters
    ----------
    kind : {"mixture", "gaussian", "bootstrap"}
        "mixture": full Gaussians, 1, 2, 4, ..., 32 as long as it raises the likelihood of a fifth
        of the users, left out. "gaussian": one. "bootstrap": a normal kernel on each user, of the
        bandwidth with the highest likelihood over five folds of users.
    points : ndarray, shape (n_users, k)
        Training users.
    sizes : ndarray of int, shape (n_users,)
        Their profile sizes.
    n_items : int
        Largest size that a profile can have.
    rng : Generator
        Generator of ties of sizes, of users left out and of starting points.
    """
    mean, scale = points.mean(axis=0), points.std(axis=0)
    scale[scale == 0] = 1.0
    standard, scores = (points - mean) / scale, size_scores(sizes, rng)
    joint, distribution = np.column_stack([standard, scores]), size_distribution(sizes, n_items)
    if kind == "bootstrap":
        bandwidth = choose_bandwidth(joint, rng)
        return SmoothedBootstrap(standard, scores, bandwidth, mean, scale, distribution)
    if kind == "gaussian" or len(joint) < 2 * FOLDS:
        n_components = 1
    else:
        left_out = np.isin(np.arange(len(joint)), rng.permutation(len(joint))[: len(joint) // 5])
        n_components = choose_components(joint[~left_out], joint[left_out], rng)
    if len(joint) == 1:  # scikit-learn wants two
        joint = np.repeat(joint, 2, axis=0)
    fitted = fit_components(joint, n_components, rng)
    mixture = NormalMixture(fitted.weights_, fitted.means_, fitted.covariances_, distribution)
    return Standardised(mixture, mean, scale)


def choose_bandwidth(joint: FloatArray, rng: np.random.Generator) -> float:
    """Find the bandwidth with the highest likelihood of users left out, over folds of users."""
    if len(joint) < 2 * FOLDS:
        return 1.0
    shuffled = joint[rng.permutation(len(joint))]
    search = GridSearchCV(KernelDensity(), {"bandwidth": BANDWIDTHS}, cv=FOLDS)
    return float(search.fit(shuffled).best_params_["bandwidth"])
