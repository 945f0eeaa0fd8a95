"""Joint distribution of the counts of small conformal p-values, by drawing.

The counts are D_r, the number of users who score below the r-th lowest of n real scores, that is,
whose conformal p-value is r / (n + 1) at most. Where all come from one distribution, the order in
which the two samples lie is that of a shuffled deck, so that the joint distribution of all D_r is
known without knowing the distribution. Users who come from another one are put below everybody: no
other such users make the counts larger.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from cornac_mle.checks import check_reals, refusal
from cornac_mle.sparse import FloatArray, IntArray

RANK_STEP = 1.3
"""Ratio of a rank to the one before: neighbouring counts say the same, and each costs power."""
N_DRAWS = 4999
"""Draws of the joint distribution; at .05 the level of a critical value has an s.e. of .003."""
SEED = 20260526
"""Random seed of these draws: a bound is a function of the scores alone."""


def counted_ranks(n_real: int, largest: float) -> IntArray:
    """Ranks of real users at which users are counted, 1 to ``largest * (n_real + 1)``."""
    last = max(1, int(largest * (n_real + 1) + 1e-9))
    steps = np.arange(np.log(last) / np.log(RANK_STEP))
    return np.unique([*np.rint(RANK_STEP**steps).astype(np.int64), last]).clip(max=last)


@lru_cache(maxsize=8)
def drawn_levels(n_real: int, largest: float) -> FloatArray:
    """Draw P(score below the r-th real one) at each rank, (N_DRAWS, n_ranks): uniform spacings."""
    gaps = np.diff(counted_ranks(n_real, largest), prepend=0, append=n_real + 1)
    sums = np.cumsum(np.random.default_rng(SEED).standard_gamma(gaps, (N_DRAWS, gaps.size)), axis=1)
    levels: FloatArray = sums[:, :-1] / sums[:, -1:]
    return levels


def drawn_counts(n: int, n_real: int, share: float, largest: float) -> IntArray:
    """Draw the counts, (N_DRAWS, n_ranks), where a `share` of users is below all real ones."""
    random = np.random.default_rng(SEED + 1)
    levels = drawn_levels(n_real, largest)
    counts = np.empty(levels.shape, dtype=np.int64)
    below, so_far = random.binomial(n, share, N_DRAWS), np.zeros(N_DRAWS)
    for column, level in enumerate(levels.T):
        below = below + random.binomial(n - below, (level - so_far) / (1 - so_far))
        counts[:, column], so_far = below, level
    return counts


def moments(ranks: IntArray, n: int, n_real: int, share: float) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of the counts."""
    level = ranks / (n_real + 1)
    below = share + (1 - share) * level
    shared = (1 - share) ** 2 * level * (1 - level) / (n_real + 2)  # by all users of one draw
    return n * below, np.sqrt(n * below * (1 - below) + n * (n - 1) * shared)


def largest_score(
    counts: IntArray, ranks: IntArray, n: int, n_real: int, share: float
) -> FloatArray:
    """Find the largest standardised count, (...): how far `share` is from explaining them."""
    mean, deviation = moments(ranks, n, n_real, share)
    return np.asarray(np.max((counts - mean) / deviation, axis=-1))


@lru_cache(maxsize=4096)
def critical_value(n: int, n_real: int, share: float, largest: float, error: float) -> float:
    """Value that a further draw exceeds with probability `error` at most."""
    counts = drawn_counts(n, n_real, share, largest)
    drawn = np.sort(largest_score(counts, counted_ranks(n_real, largest), n, n_real, share))
    # A standard error to the safe side, since the same draws serve everyone with these numbers.
    error -= np.sqrt(error * (1 - error) / N_DRAWS)
    place = int(np.ceil((1 - error) * (N_DRAWS + 1) - 1e-9)) - 1
    return float(drawn[place]) if place < N_DRAWS else np.inf


def checked_scores(name: str, values: npt.ArrayLike) -> FloatArray:
    array = check_reals(name, values)
    if array.ndim != 1 or array.size == 0 or np.isnan(array).any():
        rule = "be one-dimensional, not empty and free of NaN"
        got = "NaN" if array.size and array.ndim == 1 else f"shape {array.shape}"
        raise ValueError(refusal(name, rule, got))
    return array
