"""Intervals from half-splits and from repeated measurements."""

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.float64]

POWER_SHIFT = float(stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
"""Standard errors between null and alternative that a two-sided .05 test finds 8 times in 10."""


def split_interval(
    on_splits: FloatArray, bounds: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[float, float]:
    """95% interval of a metric from its values on half-splits.

    A half without replacement from n users varies about its mean as a mean of n users varies about
    its expectation, so the standard deviation over splits *is* the standard error; it is never
    divided by the root of the number of splits. Student's t allows for the number of splits.

    Examples
    --------
    >>> low, high = split_interval(np.array([0.1, 0.2, 0.3]))
    >>> round(low, 3), round(high, 3)
    (-0.23, 0.63)
    """
    mean, spread = float(np.mean(on_splits)), float(np.std(on_splits, ddof=1))
    reach = float(stats.t.ppf(0.975, len(on_splits) - 1)) * spread
    low, high = np.clip([mean - reach, mean + reach], *bounds)
    return float(low), float(high)


def mean_interval(values: FloatArray) -> tuple[float, float]:
    """95% interval of the mean of independent values, by Student's t."""
    if len(values) < 2:
        return float("nan"), float("nan")
    error = float(np.std(values, ddof=1)) / np.sqrt(len(values))
    reach = float(stats.t.ppf(0.975, len(values) - 1)) * error
    mean = float(np.mean(values))
    return mean - reach, mean + reach
