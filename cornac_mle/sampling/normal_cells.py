"""A normal variable known to lie in a cell: log-probability and derivatives."""

import numpy as np
from scipy.special import log_ndtr

from cornac_mle.sparse import FloatArray

LOG_TWO_PI = float(np.log(2 * np.pi))


def log_normal_cell(low: FloatArray, high: FloatArray) -> FloatArray:
    """Log-probability that a standard normal lies between `low` and `high`, far in a tail too."""
    low, high = np.where(low > 0, -high, low), np.where(low > 0, -low, high)
    upper = log_ndtr(high)
    with np.errstate(divide="ignore"):
        return np.asarray(upper + np.log1p(-np.exp(np.minimum(log_ndtr(low) - upper, 0.0))))


def normal_cell_expansion(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """First and negative second derivative of `log_normal_cell` as both ends move down together.

    They are the mean of a standard normal cut to the cell, and 1 - its variance, in [0, 1].
    """
    probability = log_normal_cell(low, high)
    ends = []
    for end in (low, high):
        density = np.exp(np.minimum(-0.5 * (end**2 + LOG_TWO_PI) - probability, 700.0))
        ends.append((density, np.where(np.isfinite(end), end, 0.0) * density))
    mean = ends[0][0] - ends[1][0]
    curvature = np.clip(mean**2 - ends[0][1] + ends[1][1], 0.0, 1.0)
    return np.clip(mean, low, high), curvature
