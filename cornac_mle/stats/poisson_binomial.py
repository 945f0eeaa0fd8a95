"""Tails of sums of independent events of unequal probability, many distributions at once.

`scipy.stats.poisson_binom` takes one distribution at a time, all its events one by one, and loses
every digit of a tail below 1e-16. Here events of one probability are taken together, and small
tails are as exact as large ones.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy

from cornac_mle.sparse import FloatArray, IntArray

ComplexArray = NDArray[np.complex128]

LOG_ALIASING = 30.0
"""What `poisson_binomial_cdf` leaves out has a probability below e^-30 = 1e-13, before scaling."""
TILT_STEPS = 100
"""Newton steps to the tilt, at most; one or two are the rule. A worse tilt costs digits in p-values
below 1e-100, nothing else."""
SERIES_PROBABILITY = 0.1
"""Largest probability of a class of events that enters by the series of its logarithm."""
SERIES_TERMS = 20
"""Terms of that series; what they leave out is below (2 * .1)^20 = 1e-14 an event."""
BLOCK_ENTRIES = 2**15
"""Entries of one dense block of `poisson_binomial_cdf`, so that it stays in the cache."""


def poisson_binomial_cdf(
    counts: ArrayLike, probabilities: FloatArray, multiplicity: ArrayLike | None = None
) -> FloatArray:
    r"""P(N <= count) of sums N of independent events, many sums at once. In [0, 1].

    Parameters
    ----------
    counts : array_like of int, shape (n_rows,)
        Counts of events, one for each sum.
    probabilities : ndarray, shape (n_rows, n_classes)
        Probability of each event, in [0, 1].
    multiplicity : array_like of int, shape (n_classes,), optional
        Number of events of each class, all of one probability within a sum; 1 each if None.

    Returns
    -------
    ndarray, shape (n_rows,)
        Probabilities, float64. Their *relative* error is below 1e-10 for counts below the mean,
        however small they are, as long as they can be represented.

    Notes
    -----
    Cauchy's integral for the coefficients of the generating function G(z) = prod (1 - p + p z), on
    a circle |z| = r on which no digits cancel: where the distribution tilted by r^N has its mean
    near the count [1]_. With f_r the probabilities of the tilted distribution,

    .. math:: P(N \le c) = G(r) r^{-c} \sum_{k \le c} r^k f_r(c - k),

    and f_r comes from M values of its characteristic function. M is chosen by Bernstein's
    inequality so that what it folds over has a probability below 1e-13. Time n_rows x n_classes x
    a few dozen, whatever the counts.

    References
    ----------
    .. [1] Bornemann (2011), "Accuracy and stability of computing high-order derivatives of analytic
       functions by Cauchy integrals", Found. Comput. Math. 11.

    Examples
    --------
    Two coins and one die that shows a six: P(no event) = .5 * .5 * 5/6.

    >>> poisson_binomial_cdf([0, 3], np.array([[1 / 2, 1 / 6], [1 / 2, 1 / 6]]), [2, 1])
    array([0.20833333, 1. ])
    """
    distribution_counts = np.array(counts, dtype=np.int64)
    events = np.ones(probabilities.shape[1], dtype=np.int64)
    if multiplicity is not None:
        events = np.array(multiplicity, dtype=np.int64)
    sure = probabilities >= 1
    distribution_counts -= sure @ events
    share = np.where(sure, 0.0, probabilities)
    result = np.zeros(distribution_counts.size)
    possible = np.flatnonzero(distribution_counts >= 0)
    # Distributions of like counts need like circles.
    order = possible[np.argsort(distribution_counts[possible], kind="stable")]
    step = max(1, BLOCK_ENTRIES // (32 + probabilities.shape[1] // 4))
    for first in range(0, order.size, step):
        rows = order[first : first + step]
        result[rows] = _cdf(distribution_counts[rows].astype(np.float64), share[rows], events)
    return result.clip(0, 1)


def _cdf(counts: FloatArray, share: FloatArray, events: IntArray) -> FloatArray:
    """`poisson_binomial_cdf` of one block; no share is 1, no count negative."""
    r = _radius(counts, share, events)  # (n_rows,)
    scale = 1 - share + share * r[:, np.newaxis]
    log_scale = np.log(scale) @ events - xlogy(counts, r)
    tilted, mean, variance = _tilted(r, share, events)
    reach = LOG_ALIASING / 3 + np.sqrt(LOG_ALIASING**2 / 9 + 2 * LOG_ALIASING * variance)
    reach = np.ceil(reach + np.abs(mean - counts))
    lower = np.minimum(counts, reach)  # counts c - lower, ..., c are summed
    n_points = int(np.max(lower + reach)) + 1
    n_points += 1 - n_points % 2

    # |characteristic function| <= exp(-variance (1 - cos)): beyond some angle nothing is left.
    angles = 2 * np.pi * np.arange(n_points // 2 + 1) / n_points
    heavy = variance.min() * (1 - np.cos(angles)) <= LOG_ALIASING + np.log(n_points)
    angles = angles[heavy]
    turn = np.expm1(1j * angles)  # (n_points,)
    distribution = _characteristic_function(tilted, events, turn)

    # sum_k q^k for k = 0, ..., lower, where q = r e^(i angle); r = 0 comes with lower = 0 only.
    log_q = np.log(np.maximum(r, np.finfo(np.float64).tiny))[:, np.newaxis] + 1j * angles
    flat = log_q == 0
    several = np.expm1((lower + 1)[:, np.newaxis] * log_q)
    weight = np.where(
        flat, (lower + 1)[:, np.newaxis], several / np.where(flat, 1, np.expm1(log_q))
    )
    terms = (distribution * weight * np.exp(-1j * counts[:, np.newaxis] * angles)).real
    folded = 2 * terms.sum(axis=1) - terms[:, 0]
    return np.asarray(np.exp(log_scale) * folded / n_points, dtype=np.float64)


def _radius(counts: FloatArray, share: FloatArray, events: IntArray) -> FloatArray:
    """Find r in [0, 1] that tilts by r^N to a mean near the count, 1 if it is below."""
    _, mean, variance = _tilted(np.ones_like(counts), share, events)
    # Exact for a binomial distribution of this mean and variance.
    ratio = 1 - np.divide(variance, mean, out=np.ones_like(mean), where=mean > 0)
    below = counts < mean
    r = np.ones_like(mean)
    r[below] = (counts * (1 - ratio))[below] / (mean - counts * ratio)[below]
    r = np.minimum(r, 1)
    off = np.flatnonzero(below & (counts > 0))
    for _ in range(TILT_STEPS):
        _, mean, variance = _tilted(r[off], share[off], events)
        error = counts[off] - mean
        wrong = np.abs(error) > np.maximum(0.5, 0.5 * np.sqrt(variance))
        off, error, variance = off[wrong], error[wrong], variance[wrong]
        if not off.size:
            break
        # Newton's step in log r, no longer than a factor of e^2: the curve is flat at its ends.
        step = np.clip(error, -2 * variance, 2 * variance) / np.maximum(variance, 1e-300)
        r[off] = np.minimum(r[off] * np.exp(step), 1)
    return r


def _tilted(
    r: FloatArray, share: FloatArray, events: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Tilt by r^N: the probabilities, (n_rows, n_classes), their mean and their variance."""
    weight = share * r[:, np.newaxis]
    tilted = weight / (1 - share + weight)
    return tilted, tilted @ events, (tilted * (1 - tilted)) @ events


def _characteristic_function(
    tilted: FloatArray, events: IntArray, turn: ComplexArray
) -> ComplexArray:
    """Product of (1 + p turn)^events, turn = e^(i angle) - 1, over classes, (n_rows, n_points)."""
    light = tilted.max(axis=0, initial=0) <= SERIES_PROBABILITY
    # Of rare events the logarithm's series is cheap: the powers of p are summed over classes first.
    order = np.arange(1, SERIES_TERMS + 1)
    power, sums = tilted[:, light], np.empty((len(tilted), SERIES_TERMS))
    rare = power.copy()
    for place in range(SERIES_TERMS):
        sums[:, place] = power @ events[light]
        power *= rare
    sums *= np.where(order % 2, 1, -1) / order
    result: ComplexArray = np.exp(sums @ turn ** order[:, np.newaxis])

    # The others by multiplication, all powers at once from the highest binary digit: square,
    # multiply. Real and imaginary parts never exceed 1.
    others, exponents = np.ascontiguousarray(tilted[:, ~light].T), events[~light]
    product, factor = np.ones_like(result), np.empty_like(result)
    digits = int(exponents.max()).bit_length() if exponents.size else 0
    for digit in reversed(range(digits)):
        product *= product
        for kind in np.flatnonzero((exponents >> digit) & 1):
            np.multiply(others[kind][:, np.newaxis], turn, out=factor)
            factor += 1
            product *= factor
    result *= product
    return result
