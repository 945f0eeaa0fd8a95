"""Which differences between models are established: paired tests and Holm's adjustment."""

import numpy as np
import numpy.typing as npt
from scipy import stats

from cornac_mle.sparse import FloatArray


def paired_p_value(differences: FloatArray) -> float:
    """Two-sided p-value of no difference, from differences on half-splits, in [0, 1].

    The standard deviation over half-splits is the standard error (see `intervals.split_interval`),
    so t is mean / standard deviation, with as many degrees of freedom as there are splits, less 1.

    Examples
    --------
    >>> round(paired_p_value(np.array([0.1, 0.2, 0.3])), 3)
    0.184
    """
    mean, spread = float(np.mean(differences)), float(np.std(differences, ddof=1))
    if spread == 0:  # t has no value; n differences of one sign have this one
        return 1.0 if mean == 0 else float(2.0 ** (1 - len(differences)))
    return float(2 * stats.t.sf(abs(mean) / spread, len(differences) - 1))


def holm_adjusted(p_values: npt.ArrayLike) -> FloatArray:
    """Holm's adjusted p-values, (n,): those at most a hold together with family-wise error a.

    The i-th smallest of m is multiplied by m + 1 - i; a larger p-value is never adjusted below a
    smaller one. Valid whatever the dependence [1]_.

    References
    ----------
    .. [1] Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian
       Journal of Statistics 6(2).

    Examples
    --------
    >>> holm_adjusted([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    factors = np.arange(values.size, 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return adjusted


def storey_null_share(p_values: npt.ArrayLike, n_calibration: int) -> float:
    r"""Estimate the share of true null hypotheses among conformal p-values, in (0, 1].

    With m p-values calibrated by the same n users, and lambda the multiple of 1 / (n + 1) at or
    below 1/2 [1]_,

    .. math:: \min\left(1, \frac{1 + \#\{i : p_i > \lambda\}}{m (1 - \lambda)}\right).

    Benjamini-Hochberg's adjusted p-values times this share keep the false discovery rate, for
    conformal p-values, too [2]_: where many hypotheses are false, more of these are found.

    References
    ----------
    .. [1] Storey, Taylor & Siegmund (2004), "Strong control, conservative point estimation and
       simultaneous conservative consistency of false discovery rates", J. R. Stat. Soc. B 66(1).
    .. [2] Marandon, Lei, Mary & Roquain (2024), "Adaptive novelty detection with false discovery
       rate guarantee", Annals of Statistics 52(1).

    Examples
    --------
    Two of eight are above 1/2, where four would be if all were true; one is added:

    >>> storey_null_share([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.7, 0.9], 9)
    0.75
    """
    values = np.asarray(p_values, dtype=np.float64)
    threshold = ((n_calibration + 1) // 2) / (n_calibration + 1)
    above = np.count_nonzero(values > threshold + 1e-12)
    return float(min(1.0, (1 + above) / (values.size * (1 - threshold))))


def benjamini_hochberg_adjusted(p_values: FloatArray, n_tests: int) -> FloatArray:
    """Benjamini-Hochberg's adjusted p-values among `n_tests`, of which only small ones are given.

    All p-values that are not given must be above those that matter: an adjusted value is right
    where it is below the smallest of them.

    >>> benjamini_hochberg_adjusted(np.array([0.01, 0.02]), 10).tolist()
    [0.1, 0.1]
    """
    if not p_values.size:
        return p_values
    adjusted = stats.false_discovery_control(p_values) * (n_tests / p_values.size)
    return np.asarray(np.minimum(adjusted, 1.0), dtype=np.float64)
