"""Certified bounds on the share of a sample that does not come from another's distribution.

Q = (1 - pi) P + pi N says that a share pi of the users behind Q follows some other distribution N,
about which nothing is assumed. Scores of users from Q and from P then bound pi from below, whatever
the score: a bad score gives a low bound, never a false one.
"""

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.optimize import brentq

from cornac_mle.checks import check_count, check_reals, check_share, refusal
from cornac_mle.sparse import FloatArray, IntArray


def contamination_bound(
    scores: npt.ArrayLike,
    real_scores: npt.ArrayLike,
    thresholds: npt.ArrayLike,
    *,
    error: float = 0.05,
) -> tuple[float, float]:
    r"""Certified lower bound on the share pi of users who do not come from the real distribution.

    In [0, 1]; 0 is best. A bound of .31 says: at least 31% of the users behind `scores` are not
    drawn from the distribution behind `real_scores`; such a claim is wrong with probability `error`
    at most, at any sample size. A bound of 0 certifies nothing, neither that pi is small: see
    `minimum_detectable_share`.

    With Q(t) and P(t) the probabilities of a score at or below a threshold t, N(t) <= 1 gives
    Q(t) <= (1 - pi) P(t) + pi at every t, and so

    .. math:: \pi \ge \max_t \frac{Q(t) - P(t)}{1 - P(t)} \ge \max_t \frac{L(t) - U(t)}{1 - U(t)},

    where L and U are one-sided Clopper-Pearson limits [1]_ of Q(t) and P(t), each at
    ``error / (2 * number of thresholds)``, so that all of them hold together.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Scores of the users in question, independent draws; low is suspicious, -inf is allowed.
    real_scores : array_like, shape (n_real,)
        Scores of independent draws from P, by the same function of a profile.
    thresholds : array_like, shape (n_thresholds,)
        Chosen without looking at either sample, as was the score. Equal ones count once; the fewer,
        the tighter the limits.
    error : float
        Probability that the bound exceeds pi, at most; in [1e-12, 1).

    Returns
    -------
    bound : float
        Certified lower bound.
    threshold : float
        Threshold that gives it; where the bound is 0, the one that came nearest.

    Raises
    ------
    ValueError
        If an array is empty or holds NaN.

    Notes
    -----
    The limits go *into* the ratio: an error band subtracted from the ratio of the observed shares
    does not have the stated error.

    References
    ----------
    .. [1] Clopper & Pearson (1934), "The use of confidence or fiducial limits illustrated in the
       case of the binomial", Biometrika 26(4).

    Examples
    --------
    >>> bound, threshold = contamination_bound([0] * 60 + [2] * 40, [2] * 99 + [0], [1])
    >>> round(bound, 2), threshold
    (0.46, 1.0)
    """
    error = check_share("error", error)
    sample = _checked("scores", scores)
    real = _checked("real_scores", real_scores)
    grid = np.unique(_checked("thresholds", thresholds))
    low = lower_limits(_count_at_most(sample, grid), sample.size, error / (2 * grid.size))
    high = upper_limits(_count_at_most(real, grid), real.size, error / (2 * grid.size))
    # Where P(t) may be 1 the ratio says nothing; -inf keeps such a threshold from being the best.
    informative = high < 1
    bounds = np.full(grid.size, -np.inf)
    bounds[informative] = (low - high)[informative] / (1 - high[informative])
    best = int(np.argmax(bounds))
    return max(0.0, float(bounds[best])), float(grid[best])


def minimum_detectable_share(
    n: int,
    n_real: int,
    real_shares: npt.ArrayLike,
    *,
    error: float = 0.05,
    power: float = 0.8,
) -> float | None:
    """Smallest pi for which `contamination_bound` is above 0 with probability `power`.

    In (0, 1]; lower is better: a bound of 0 leaves open any share below it. It is computed for the
    easiest kind of contamination, all of whose users score at or below the best threshold; users
    who are harder to tell from real ones are found in larger shares only.

    Parameters
    ----------
    n, n_real : int
        Numbers of users in question and of real users, at least 1 each.
    real_shares : array_like, shape (n_thresholds,)
        Share of real users who score at or below each threshold, in [0, 1].
    error : float
        Probability that the bound exceeds pi, at most; in [1e-12, 1).
    power : float
        Probability that the bound is above 0, in (0, 1).

    Returns
    -------
    float or None
        None where not even pi = 1 is found so often: too few users for any bound.

    Notes
    -----
    Exact, summed over the binomial counts of both samples; time grows with `n_real`.

    Examples
    --------
    >>> round(minimum_detectable_share(500, 500, [0.01, 0.05]), 3)
    0.044
    >>> minimum_detectable_share(5, 5, [0.01, 0.05]) is None
    True
    """
    error = check_share("error", error)
    power = check_share("power", power)
    n, n_real = check_count("n", n), check_count("n_real", n_real)
    shares = _checked("real_shares", real_shares)
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(refusal("real_shares", "be in [0, 1]", "others"))
    level = error / (2 * shares.size)
    counts = np.arange(n_real + 1)
    low = lower_limits(np.arange(n + 1), n, level)
    high = upper_limits(counts, n_real, level)
    least = np.searchsorted(low, high, side="right")  # (n_real + 1,) count that beats each limit
    found = []
    for share in shares:
        probabilities = stats.binom.pmf(counts, n_real, share)

        def shortfall(
            pi: float, share: float = share, probabilities: FloatArray = probabilities
        ) -> float:
            beaten = stats.binom.sf(least - 1, n, (1 - pi) * share + pi)
            return float(probabilities @ beaten) - power

        if shortfall(1.0) >= 0:
            found.append(float(brentq(shortfall, 0.0, 1.0, xtol=1e-6)))
    return min(found, default=None)


def lower_limits(counts: IntArray, n: int, error: float) -> FloatArray:
    """One-sided Clopper-Pearson lower limits of a share, for `counts` of `n`, at level `error`."""
    limits = stats.beta.ppf(error, np.maximum(counts, 1), n - counts + 1)
    return np.where(counts == 0, 0.0, limits)


def upper_limits(counts: IntArray, n: int, error: float) -> FloatArray:
    """One-sided Clopper-Pearson upper limits of a share, for `counts` of `n`, at level `error`."""
    limits = stats.beta.isf(error, counts + 1, np.maximum(n - counts, 1))
    return np.where(counts == n, 1.0, limits)


def shares_at_most(scores: npt.ArrayLike, thresholds: npt.ArrayLike) -> FloatArray:
    """Share of scores at or below each threshold, (n_thresholds,), in (0, 1].

    ``(1 + #{scores <= t}) / (1 + n)``: never 0, so that a plan does not rely on a lucky sample.

    >>> shares_at_most([1, 2, 3], [0, 2]).tolist()
    [0.25, 0.75]
    """
    sample = _checked("scores", scores)
    counts = _count_at_most(sample, _checked("thresholds", thresholds))
    return (1 + counts) / (1 + sample.size)


def _count_at_most(scores: FloatArray, thresholds: FloatArray) -> IntArray:
    return np.searchsorted(np.sort(scores), thresholds, side="right").astype(np.int64)


def _checked(name: str, values: npt.ArrayLike) -> FloatArray:
    array = check_reals(name, values)
    if array.ndim != 1 or array.size == 0 or np.isnan(array).any():
        rule = "be one-dimensional, not empty and free of NaN"
        got = "NaN" if array.size and array.ndim == 1 else f"shape {array.shape}"
        raise ValueError(refusal(name, rule, got))
    return array
