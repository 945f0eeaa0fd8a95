"""How many items a profile has: a smoothed distribution of sizes, and draws from it."""

import numpy as np
from scipy.special import ndtr

from cornac_mle.checks import refusal
from cornac_mle.sparse import FloatArray, IntArray

WIDE_SPREAD = 1.0
"""Standard deviation of log sizes that a user unlike all training users may have."""


def draw_sizes(distribution: FloatArray, n_users: int, rng: np.random.Generator) -> IntArray:
    """Draw profile sizes, (n_users,), from probabilities of sizes 1, 2, ..., n_sizes."""
    return 1 + rng.choice(len(distribution), size=n_users, p=distribution)


def draw_own_sizes(distributions: FloatArray, rng: np.random.Generator) -> IntArray:
    """Draw a size, (n_users,), from each user's own distribution, (n_users, n_sizes)."""
    # The first size at which the distribution's sum is above a uniform draw.
    reached = np.cumsum(distributions, axis=1) > rng.random((len(distributions), 1))
    sizes: IntArray = 1 + reached.argmax(axis=1)
    return sizes


def size_probability(distributions: FloatArray, sizes: IntArray) -> FloatArray:
    """Probability of each size (n_users,) under one distribution or several, (..., n_sizes).

    Returns
    -------
    ndarray, shape (..., n_users)
        0 for sizes that the distributions have not.
    """
    possible = (sizes >= 1) & (sizes <= distributions.shape[-1])
    return np.where(possible, distributions[..., np.where(possible, sizes - 1, 0)], 0.0)


def log_size_probability(distribution: FloatArray, sizes: IntArray) -> FloatArray:
    """Log-probability of each size, (n_users,), in nats; -inf for one of probability 0.

    Examples
    --------
    >>> log_size_probability(np.array([0.5, 0.25, 0.25]), np.array([1, 3, 4])).round(2)
    array([-0.69, -1.39, -inf])
    """
    with np.errstate(divide="ignore"):
        return np.log(size_probability(distribution, sizes))


def size_distribution(sizes: IntArray, n_items: int) -> FloatArray:
    """Probability of each profile size from 1 to `n_items`, smoothed over those of real users.

    Every size has a probability above 0, so that no real user is impossible for its size alone.
    Each training size is spread by a normal kernel over log sizes, of Silverman's bandwidth
    (0.9 sd n^(-1/5)), in n parts of n + 1, and by one of standard deviation 1 in the rest: the
    share that Laplace's rule leaves to what n users have not shown. Kernels are centred so that
    they keep the mean size, but for what falls outside 1 and `n_items` and is put there.

    Parameters
    ----------
    sizes : ndarray of int, shape (n_users,)
        Profile sizes, at least one above 0, at most `n_items`. Users without items do not count.
    n_items : int
        Largest size that a profile can have.

    Returns
    -------
    ndarray, shape (n_items,)
        Probabilities of sizes 1, 2, ..., `n_items`; the sum is 1.

    Notes
    -----
    Time n_items x the number of distinct sizes.

    References
    ----------
    Silverman: Density Estimation for Statistics and Data Analysis, 1986.

    Examples
    --------
    >>> size_distribution(np.array([2, 2, 3]), 4).round(3)
    array([0.144, 0.539, 0.242, 0.075])
    """
    sizes = sizes[sizes > 0]
    if len(sizes) == 0:
        raise ValueError(refusal("train_set", "hold a user with items", "none"))
    n_users = len(sizes)
    bandwidth = max(0.9 * float(np.std(np.log(sizes))) * n_users**-0.2, 1e-3)
    edges = np.log(np.arange(0.5, n_items + 1))  # (n_items + 1,)
    edges[[0, -1]] = -np.inf, np.inf
    distribution = np.zeros(n_items)
    for size, count in zip(*np.unique(sizes, return_counts=True), strict=True):
        for spread, weight in ((bandwidth, n_users), (WIDE_SPREAD, 1)):
            away = (edges - np.log(size) + spread**2 / 2) / spread
            # In the upper tail both probabilities are near 1, and their difference would be lost.
            sign = np.where(away[:-1] > 0, -1.0, 1.0)
            cells = sign * (ndtr(sign * away[1:]) - ndtr(sign * away[:-1]))
            distribution += count * weight * cells
    return np.asarray(distribution / distribution.sum())


def size_distributions(sizes: np.ndarray, kinds: np.ndarray, k: int, n_items: int) -> FloatArray:
    """Smooth the sizes of the users of each kind, of all users where it has none.

    Parameters
    ----------
    sizes, kinds : ndarray of int, shape (n_users,)
        Profile sizes; numbers from 0 to k - 1.
    k, n_items : int
        Kinds, and the largest size that there can be.

    Returns
    -------
    ndarray, shape (k, n_items)
        Probabilities of sizes 1, 2, ..., `n_items`.
    """
    everyone = size_distribution(sizes, n_items)
    return np.stack(
        [
            size_distribution(sizes[kinds == kind], n_items) if np.any(kinds == kind) else everyone
            for kind in range(k)
        ]
    )
