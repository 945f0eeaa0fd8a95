"""Topics of item sets by variational EM, and the Dirichlet distribution of a user's topics.

Items are held or not, so a profile is a set that was drawn without replacement. The fit treats it
as such: item i is held if it arrives at least once within the user's time, and arrives at rate
sum over k of theta_k phi_ki. How often it arrived is not seen and is imputed; with one arrival for
each item, as for words in a text, popular items would come out too rare.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import gammaln, logsumexp, polygamma, psi

from cornac_mle.sparse import FloatArray, user_of

BLOCK_ENTRIES = 2**16
"""Preferences whose topics are held in memory at once."""

SWEEPS = 3
"""Updates of the users' topics between two updates of the topics' items."""

SWEEPS_OF_NEW_USERS = 50
"""Updates for two digits or more of each share; a fixed number, so that users do not interact."""

ALPHA_AT_FIRST = 0.5
"""Value while topics form. Smaller, and each user is stuck in the topic it was thrown into."""

ITERATIONS_AT_FIRST = 50
"""Iterations before `alpha` is fitted."""

LEAST_ALPHA = 1e-4
"""Least value: that of a topic that nobody has would go to 0."""


class Topics(NamedTuple):
    """What a fit finds.

    Attributes
    ----------
    alpha : ndarray, shape (k,)
        Parameters of the Dirichlet distribution of a user's topic shares.
    weights : ndarray, shape (n_items, k)
        Each topic's weight of each item; columns sum to 1.
    evidence : ndarray, shape (n_users, k)
        Parameters of the Dirichlet posteriors of the users fitted to.
    bounds : list of float
        Lower bound of the log-likelihood plus log-prior, after each iteration.
    """

    alpha: FloatArray
    weights: FloatArray
    evidence: FloatArray
    bounds: list[float]


# ----------------------------------------------------------------------------- variational EM


def fit_topics(
    matrix: sp.csr_array, k: int, lambda_reg: float, passes: Iterable[int], seed: int | None
) -> Topics:
    """Fit topics to item sets from a random starting point.

    Parameters
    ----------
    matrix : csr_array, shape (n_users, n_items)
        Item sets; values do not count.
    k, lambda_reg, seed
        Arguments of `LDA`.
    passes : iterable of int
        Numbers of the iterations, from 0; a progress bar, say. At least one.
    """
    rng = np.random.default_rng(seed)
    sizes = np.diff(matrix.indptr).astype(np.float64)
    popularity = np.bincount(matrix.indices, minlength=matrix.shape[1]) / matrix.shape[0]
    prior = lambda_reg * popularity[:, None]  # (n_items, 1)
    alpha = np.full(k, ALPHA_AT_FIRST)
    shares = rng.dirichlet(np.ones(k), size=matrix.shape[0])
    evidence, times = alpha + sizes[:, None] * shares, sizes
    ones = sp.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
    counts = ones.T @ shares
    bounds: list[float] = []
    for iteration in passes:
        weights = (counts + prior) / (counts + prior).sum(axis=0)
        if iteration >= ITERATIONS_AT_FIRST:
            alpha = fit_alpha(evidence, alpha)
        evidence, times, counts, bound = sweep(matrix, evidence, times, alpha, weights, SWEEPS)
        bound += float((prior[prior[:, 0] > 0] * np.log(weights[prior[:, 0] > 0])).sum())
        bounds.append(bound)
        settled = iteration > ITERATIONS_AT_FIRST + 10
        if settled and bounds[-1] - bounds[-2] < 1e-5 * abs(bounds[-1]):
            break
    return Topics(alpha, weights, evidence, bounds)


def user_evidence(matrix: sp.csr_array, alpha: FloatArray, weights: FloatArray) -> FloatArray:
    """Dirichlet posteriors (n_users, k) of the topic shares of users, from a uniform start."""
    sizes = np.diff(matrix.indptr).astype(np.float64)
    start = alpha + np.repeat(sizes[:, None] / len(alpha), len(alpha), axis=1)
    return sweep(matrix, start, sizes, alpha, weights, SWEEPS_OF_NEW_USERS)[0]


def sweep(
    matrix: sp.csr_array,
    evidence: FloatArray,
    times: FloatArray,
    alpha: FloatArray,
    weights: FloatArray,
    n_sweeps: int,
) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Update the users' posteriors `n_sweeps` times, given the topics.

    Parameters
    ----------
    matrix : csr_array, shape (n_users, n_items)
        Item sets; values do not count.
    evidence : ndarray, shape (n_users, k)
        Parameters of the users' Dirichlet posteriors.
    times : ndarray, shape (n_users,)
        Expected arrivals of each user, its size or more.
    alpha, weights : ndarray, shape (k,) and (n_items, k)
        Topics, as in `Topics`.
    n_sweeps : int
        Number of updates.

    Returns
    -------
    evidence, times : ndarray
        Updated arrays.
    counts : ndarray, shape (n_items, k)
        Expected arrivals of each item by topic.
    bound : float
        Lower bound of the log-likelihood, in nats.
    """
    evidence, times = evidence.copy(), times.copy()
    counts, bound = np.zeros_like(weights), 0.0
    for rows in blocks(matrix.indptr):
        block = matrix[rows]
        n_users = block.shape[0]
        user = user_of(block)
        own = weights[block.indices]  # (block.nnz, k)
        for last in range(n_sweeps + 1):
            taste = np.exp(log_mean(evidence[rows]))  # (n_users, k)
            rates = np.maximum(np.einsum("ek,ek->e", taste[user], own), 1e-300)
            arrivals = times[rows][user] * rates  # expected, were the item not known to be held
            # Poisson counts that are known to be at least 1.
            repeats = arrivals / -np.expm1(-arrivals)
            per_rate = sp.csr_array((repeats / rates, block.indices, block.indptr), block.shape)
            if last == n_sweeps:
                break
            evidence[rows] = alpha + taste * (per_rate @ weights)
            times[rows] = np.bincount(user, weights=repeats, minlength=n_users)
        counts += weights * (per_rate.T @ taste)
        bound += float(np.sum(arrivals + np.log(-np.expm1(-arrivals))) - times[rows].sum())
        bound -= dirichlet_divergence(evidence[rows], alpha)
    return evidence, times, counts, bound


def blocks(indptr: np.ndarray) -> list[slice]:
    """Cut the rows into slices of at most `BLOCK_ENTRIES` entries, or of one row."""
    slices, start = [], 0
    while start < len(indptr) - 1:
        last = int(np.searchsorted(indptr, indptr[start] + BLOCK_ENTRIES, side="right")) - 1
        slices.append(slice(start, max(last, start + 1)))
        start = slices[-1].stop
    return slices


# -------------------------------------------------------------------------- Dirichlet distributions


def fit_alpha(evidence: FloatArray, alpha: FloatArray, n_steps: int = 20) -> FloatArray:
    """Raise the expected log-density of the users' shares by Minka's fixed point for `alpha`."""
    target = log_mean(evidence).mean(axis=0)
    for _ in range(n_steps):
        alpha = np.maximum(inverse_digamma(psi(alpha.sum()) + target), LEAST_ALPHA)
    return alpha


def inverse_digamma(values: FloatArray) -> FloatArray:
    """Solve psi(x) = value by Newton's method, from Minka's starting point; 14 digits."""
    low = values < -2.22
    x = np.exp(values) + 0.5
    x[low] = -1 / (values[low] - psi(1.0))
    for _ in range(5):
        x -= (psi(x) - values) / polygamma(1, x)
    return x


def log_mean(evidence: FloatArray) -> FloatArray:
    """Give the expected logarithms (n, k) of the shares under Dirichlet distributions (n, k)."""
    return np.asarray(psi(evidence) - psi(evidence.sum(axis=-1, keepdims=True)))


def dirichlet_divergence(evidence: FloatArray, alpha: FloatArray) -> float:
    """Sum over users of KL(Dirichlet(evidence) || Dirichlet(alpha)), in nats."""
    expected = log_mean(evidence)
    own = dirichlet_log_density(expected, evidence)
    return float(np.sum(own - dirichlet_log_density(expected, alpha)))


def dirichlet_log_density(log_shares: FloatArray, alpha: FloatArray) -> FloatArray:
    """Log-density (...) of shares (..., k); of their mean logarithms, the mean log-density."""
    constant = gammaln(alpha.sum(axis=-1)) - gammaln(alpha).sum(axis=-1)
    return np.asarray(constant + ((alpha - 1) * log_shares).sum(axis=-1))


def log_dirichlet(alpha: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draw logarithms of shares (..., k), one for each row of `alpha`.

    Shares themselves would be 0 where `alpha` is small: Gamma(a) = Gamma(a + 1) U^(1/a).
    """
    log_gamma = np.log(rng.standard_gamma(alpha + 1))
    log_gamma -= rng.standard_exponential(alpha.shape) / alpha
    return np.asarray(log_gamma - logsumexp(log_gamma, axis=-1, keepdims=True))
