"""Area under the ROC curve, and how well it is known."""

import numpy as np

from cornac_mle.sparse import FloatArray


def auc_with_error(positive: FloatArray, negative: FloatArray) -> tuple[float, float]:
    r"""Area under the ROC curve and its standard error.

    In [0, 1]: the probability that a positive scores above a negative, ties counting half; .5 is
    what a coin gets. The error is DeLong's [1]_: with the share u_i of negatives that positive i is
    above, and the share v_j of positives that are above negative j,

    .. math:: \mathrm{AUC} = \bar u = \bar v, \qquad
        \mathrm{s.e.}^2 = \frac{\mathrm{var}(u)}{m} + \frac{\mathrm{var}(v)}{n}.

    Parameters
    ----------
    positive, negative : ndarray, shape (m,) and (n,)
        Scores of at least two positives and two negatives; no NaN.

    References
    ----------
    .. [1] DeLong, DeLong & Clarke-Pearson (1988), "Comparing the areas under two or more correlated
       receiver operating characteristic curves", Biometrics 44(3).

    Examples
    --------
    >>> auc_with_error(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
    (0.875, 0.1767...)
    """
    above, below = _shares_below(positive, negative), 1 - _shares_below(negative, positive)
    variance = np.var(above, ddof=1) / len(positive) + np.var(below, ddof=1) / len(negative)
    return float(np.mean(above)), float(np.sqrt(variance))


def area(positive: FloatArray, negative: FloatArray) -> float:
    """Area under the ROC curve alone.

    >>> area(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
    0.875
    """
    return float(np.mean(_shares_below(positive, negative)))


def _shares_below(scores: FloatArray, others: FloatArray) -> FloatArray:
    """Share of the others below each score, ties counting half, (n_scores,)."""
    ordered = np.sort(others)
    counts = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
    return np.asarray(counts / (2 * len(others)))


def null_auc_error(m: int, n: int) -> float:
    """Give the standard error of the area where positives and negatives are alike, without ties.

    >>> round(null_auc_error(424, 236), 4)
    0.0235
    """
    return float(np.sqrt((m + n + 1) / (12 * m * n)))
