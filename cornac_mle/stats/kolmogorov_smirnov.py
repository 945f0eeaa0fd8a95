"""Kolmogorov-Smirnov distance of two samples, and its permutation test."""

import numpy as np
import numpy.typing as npt
from scipy import stats

from cornac_mle.sparse import FloatArray
from cornac_mle.stats.permutations import batch_size


def ks_distance(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Largest difference of two empirical distribution functions, in [0, 1]; -inf is a value.

    >>> ks_distance([1, 2], [2, 3])
    0.5
    """
    one, two = np.sort(np.asarray(first)), np.sort(np.asarray(second))
    every = np.concatenate([one, two])
    below_one = np.searchsorted(one, every, side="right") / len(one)
    below_two = np.searchsorted(two, every, side="right") / len(two)
    return float(np.max(np.abs(below_one - below_two)))


def ks_permutation_p_value(
    first: FloatArray, second: FloatArray, n_permutations: int, rng: np.random.Generator
) -> float:
    """Share of relabellings of users at least as far apart, (1 + count) / (1 + permutations).

    Where there are no more than `n_permutations` relabellings, all of them are taken once, and the
    share is exact. Some relabellings are held in memory at a time; the share does not depend on how
    many.
    """
    # Ranks, because -inf is a score that has no differences.
    ranks = stats.rankdata(np.concatenate([first, second]), method="dense")
    test = stats.permutation_test(
        (ranks[: len(first)], ranks[len(first) :]),
        ks_distance,
        alternative="greater",
        n_resamples=n_permutations,
        vectorized=False,
        batch=batch_size(len(ranks)),
        rng=rng,
    )
    return float(test.pvalue)
