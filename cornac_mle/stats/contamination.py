"""Certified bounds on the share of a sample that does not come from another's distribution.

Q = (1 - pi) P + pi N says that a share pi of the users behind Q follows some other distribution N,
about which nothing is assumed. Scores of users from Q and from P then bound pi from below, whatever
the score: a bad score gives a low bound, never a false one.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from cornac_mle.checks import check_count, check_share
from cornac_mle.stats._rank_counts import (
    checked_scores,
    counted_ranks,
    critical_value,
    drawn_counts,
    largest_score,
)

LARGEST_LEVEL = 0.2
"""Largest p-value that is looked at: the bound is about users that real ones hardly ever are."""
RESOLUTION = 1024
"""Shares are multiples of 1 / RESOLUTION; bounds are rounded down."""


def contamination_bound(
    scores: npt.ArrayLike,
    real_scores: npt.ArrayLike,
    *,
    largest: float = LARGEST_LEVEL,
    error: float = 0.05,
) -> float:
    r"""Certified lower bound on the share pi of users who do not come from the real distribution.

    In [0, 1]; 0 is best. A bound of .31 says: at least 31% of the users behind `scores` are not
    drawn from the distribution behind `real_scores`; such a claim is wrong with probability `error`
    at most, at any sample size. A bound of 0 certifies nothing, neither that pi is small: see
    `minimum_detectable_share`.

    With D_r the number of the m users whose conformal p-value against n real ones is u = r /
    (n + 1) at most, a share pi is refused if

    .. math:: \max_r \frac{D_r - m q_r}{\sqrt{m q_r (1 - q_r)
        + m (m - 1) (1 - \pi)^2 u (1 - u) / (n + 2)}} > c_\pi,
        \quad q_r = \pi + (1 - \pi) u,

    and the bound is the largest share that is. The critical value is the 1 - `error` quantile of
    the left side where a binomial(m, pi) number of users lies below all real ones and the others
    are exchangeable with these [1]_ [2]_. Any other kind of contamination has smaller counts.

    Parameters
    ----------
    scores : array_like, shape (m,)
        Scores of the users in question, independent draws; low is suspicious, -inf is allowed. A
        tie with a real score counts as above it.
    real_scores : array_like, shape (n,)
        Scores of independent draws from P, by the same function of a profile, which has seen
        neither sample.
    largest : float
        Largest p-value u that is looked at, in (0, 1); chosen without looking at the scores.
    error : float
        Probability that the bound exceeds pi, at most; in [1e-12, 1). Below 1 / 5,000, more than
        the draws can tell, the bound is 0.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an array is empty or holds NaN.

    Notes
    -----
    The quantile is drawn, 4,999 times at fixed random seeds, and taken a standard error (.003) to
    the safe side: about 10 ms for each of ten shares.
    What is bounded is the share of the distribution. Of m users it leaves open the binomial spread
    that even who knows each of them would have: at pi = .3 and m = 225 he can certify .25.

    References
    ----------
    .. [1] Marandon, Lei, Mary & Roquain (2024), "Adaptive novelty detection with false discovery
       rate guarantee", Annals of Statistics 52(1).
    .. [2] Gazin, Blanchard & Roquain (2024), "Transductive conformal inference with adaptive
       scores", AISTATS.

    Examples
    --------
    >>> contamination_bound([0] * 60 + [2] * 40, [2] * 99 + [0])
    0.49
    """
    error, largest = check_share("error", error), check_share("largest", largest)
    sample = checked_scores("scores", scores)
    real = np.sort(checked_scores("real_scores", real_scores))
    ranks = counted_ranks(real.size, largest)
    counts = np.searchsorted(np.sort(sample), real[ranks - 1], side="left")

    def refused(step: int) -> bool:
        share = step / RESOLUTION
        value = largest_score(counts, ranks, sample.size, real.size, share)
        return bool(value > critical_value(sample.size, real.size, share, largest, error))

    return _last(refused) / RESOLUTION


def minimum_detectable_share(
    n: int,
    n_real: int,
    *,
    largest: float = LARGEST_LEVEL,
    error: float = 0.05,
    power: float = 0.8,
) -> float | None:
    """Smallest pi for which `contamination_bound` refuses 0 with probability `power`.

    In (0, 1]; lower is better: a bound of 0 leaves open any share below it. It is computed for the
    easiest kind of contamination, all of whose users score below all real ones; users who are
    harder to tell from real ones are found in larger shares only.

    Parameters
    ----------
    n, n_real : int
        Numbers of users in question and of real users, at least 1 each.
    largest, error : float
        Those of `contamination_bound`.
    power : float
        Probability that the bound is above 0, in (0, 1).

    Returns
    -------
    float or None
        None where not even pi = 1 is found so often: too few users for any bound.

    Examples
    --------
    >>> minimum_detectable_share(500, 500)
    0.015
    >>> minimum_detectable_share(2, 2) is None
    True
    """
    error, largest = check_share("error", error), check_share("largest", largest)
    power = check_share("power", power)
    n, n_real = check_count("n", n), check_count("n_real", n_real)
    ranks = counted_ranks(n_real, largest)
    critical = critical_value(n, n_real, 0.0, largest, error)

    def missed(step: int) -> bool:
        counts = drawn_counts(n, n_real, step / RESOLUTION, largest)
        found = largest_score(counts, ranks, n, n_real, 0.0) > critical
        return float(np.mean(found)) < power

    step = _last(missed) + 1
    return None if step == RESOLUTION and missed(RESOLUTION) else step / RESOLUTION


def _last(holds: Callable[[int], bool]) -> int:
    """Find the last step below RESOLUTION at which a falling condition holds; 0 if none."""
    low, high = 0, RESOLUTION
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
