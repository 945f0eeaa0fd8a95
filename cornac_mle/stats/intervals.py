"""Intervals from half-splits and from repeated measurements."""

import numpy as np
from scipy import stats

from cornac_mle.sparse import FloatArray

POWER_SHIFT = float(stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
"""Standard errors between null and alternative that a two-sided .05 test finds 8 times in 10."""


def split_interval(
    on_splits: FloatArray,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    *,
    least_error: float = 0.0,
) -> tuple[float, float]:
    """95% interval of a metric from its values on half-splits.

    A half without replacement from n users varies about its mean as a mean of n users varies about
    its expectation, so the standard deviation over splits *is* the standard error; it is never
    divided by the root of the number of splits. Student's t allows for the number of splits. A
    standard error below `least_error` is raised to it: see `share_standard_error`.

    Examples
    --------
    >>> low, high = split_interval(np.array([0.1, 0.2, 0.3]))
    >>> round(low, 3), round(high, 3)
    (-0.23, 0.63)
    """
    mean = float(np.mean(on_splits))
    spread = max(float(np.std(on_splits, ddof=1)), least_error)
    reach = float(stats.t.ppf(0.975, len(on_splits) - 1)) * spread
    low, high = np.clip([mean - reach, mean + reach], *bounds)
    return float(low), float(high)


def share_standard_error(share: float, n_users: int) -> float:
    """Find the standard error of a share of users, above 0 even where none or all have it.

    Two users on either side are added (Agresti & Coull 1998): where no user out of n is flagged in
    any half-split, their standard deviation is 0, but the true share need not be.

    >>> round(share_standard_error(0.0, 96), 3)
    0.014
    """
    shrunk = (share * n_users + 2) / (n_users + 4)
    return float(np.sqrt(shrunk * (1 - shrunk) / (n_users + 4)))


def mean_interval(values: FloatArray) -> tuple[float, float]:
    """95% interval of the mean of independent values, by Student's t."""
    if len(values) < 2:
        return float("nan"), float("nan")
    error = float(np.std(values, ddof=1)) / np.sqrt(len(values))
    reach = float(stats.t.ppf(0.975, len(values) - 1)) * error
    mean = float(np.mean(values))
    return mean - reach, mean + reach
