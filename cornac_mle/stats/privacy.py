"""What the errors of an attack say of differential privacy: a lower bound on epsilon."""

import numpy as np
from scipy import stats

from cornac_mle.sparse import IntArray


def epsilon_lower_bound(
    true_positives: IntArray,
    n_members: int,
    false_positives: IntArray,
    n_others: int,
    *,
    error: float = 0.05,
) -> float:
    r"""Lower bound on epsilon from how often an attack is right and wrong, in nats.

    At least 0; 0 shows nothing. Under epsilon-differential privacy no test of membership has
    TPR > exp(epsilon) FPR, nor (1 - FPR) > exp(epsilon) (1 - TPR) [1]_. With Clopper-Pearson limits
    on both rates at every one of k thresholds, of error `error` / (2 k) each, so that all hold
    together,

    .. math:: \epsilon \ge \max_t \max\left(0, \log\frac{\mathrm{TPR}_t^-}{\mathrm{FPR}_t^+},
        \log\frac{1 - \mathrm{FPR}_t^+}{1 - \mathrm{TPR}_t^-}\right).

    Users count as independent, as if each had been in the training set by a coin of their own.

    Parameters
    ----------
    true_positives, false_positives : ndarray of int, shape (k,)
        Members, and others, who are taken for members at each threshold. Thresholds must have been
        fixed without these users.
    n_members, n_others : int
        Number of users of each kind.
    error : float
        Probability, at most, that the bound is above epsilon.

    References
    ----------
    .. [1] Jagielski, Ullman & Oprea (2020), "Auditing differentially private machine learning: how
       private is private SGD?", NeurIPS.

    Examples
    --------
    >>> epsilon_lower_bound(np.array([90]), 100, np.array([5]), 100)
    1.99
    >>> epsilon_lower_bound(np.array([6]), 100, np.array([5]), 100)
    0.0
    """
    each = error / (2 * len(true_positives))
    hits, alarms = np.asarray(true_positives), np.asarray(false_positives)
    least = np.where(
        hits == 0, 0.0, stats.beta.ppf(each, np.maximum(hits, 1), n_members - hits + 1)
    )
    others = np.maximum(n_others - alarms, 1)
    most = np.where(alarms == n_others, 1.0, stats.beta.ppf(1 - each, alarms + 1, others))
    # Both rates lie inside (0, 1) at the limits that matter, save where nothing is shown anyway.
    ratios = [least / most, (1 - most) / np.maximum(1 - least, 1e-12)]
    return float(max(0.0, np.log(np.maximum(ratios, 1e-12)).max()))
