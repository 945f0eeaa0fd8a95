"""Kolmogorov-Smirnov distance of two samples, and its permutation test."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import special

from cornac_mle.sparse import FloatArray, IntArray

LARGE_POOL = 2**18
"""Users from which on the places of the smaller sample are drawn."""
SMALL_SHARE = 8
"""Where that sample is at most one in so many: else nothing is gained."""


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
    share is exact. All users are sorted once and one relabelling is held in memory at a time.

    Of more than `LARGE_POOL` users, a relabelling draws the places of the smaller sample alone: the
    same distribution in time that does not grow with the larger sample.
    """
    n_first, n_second = len(first), len(second)
    n_users = n_first + n_second
    if n_users > LARGE_POOL and min(n_first, n_second) * SMALL_SHARE <= n_users:
        return _by_places_of_the_smaller(first, second, n_permutations, rng)
    ordered = np.sort(np.concatenate([first, second]))
    # Last of its ties, where the distribution functions are compared: -inf has no differences.
    steps = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    place = np.empty(n_users, dtype=np.intp)
    place[np.argsort(np.concatenate([first, second]), kind="stable")] = np.arange(n_users)

    def distance(chosen: IntArray) -> int:
        """Distance with these users for the first sample, times n_first x n_second: an integer."""
        step = np.full(n_users, -n_first, dtype=np.int64)
        step[place[chosen]] = n_second
        return int(np.abs(np.cumsum(step)[steps]).max())

    n_relabellings = special.comb(n_users, n_first)  # as a float, since it may be huge
    if n_relabellings <= n_permutations:
        count, added = round(n_relabellings), 0
        relabellings = _all_relabellings(n_users, n_first)
    else:
        count, added = n_permutations, 1
        relabellings = (rng.permutation(n_users)[:n_first] for _ in range(n_permutations))
    observed = distance(np.arange(n_first))
    as_far = sum(distance(chosen) >= observed for chosen in relabellings)
    return float((as_far + added) / (count + added))


def _by_places_of_the_smaller(
    first: FloatArray, second: FloatArray, n_permutations: int, rng: np.random.Generator
) -> float:
    """Permutation p-value by the places that the smaller sample takes among all users, sorted.

    Between two of its places the distance changes in one direction only, so that it is largest at
    the ends of the ties of a place, or just before them.
    """
    ordered = np.sort(np.concatenate([first, second]))
    n_users, n_small = len(ordered), min(len(first), len(second))
    n_large = n_users - n_small

    def distance(values: FloatArray) -> int:
        """Distance with these sorted values for the smaller sample, times both numbers."""
        below = np.searchsorted(ordered, values, side="left")
        up_to = np.searchsorted(ordered, values, side="right")
        own_below = np.searchsorted(values, values, side="left")
        own_up_to = np.searchsorted(values, values, side="right")
        gaps = [
            own * n_large - (every - own) * n_small
            for every, own in ((below, own_below), (up_to, own_up_to))
        ]
        return int(max(np.abs(gap).max() for gap in gaps))

    observed = distance(np.sort(first if len(first) == n_small else second))
    as_far = sum(
        distance(ordered[np.sort(rng.choice(n_users, n_small, replace=False, shuffle=False))])
        >= observed
        for _ in range(n_permutations)
    )
    return float((as_far + 1) / (n_permutations + 1))


def _all_relabellings(n_users: int, n_first: int) -> Iterator[IntArray]:
    return (np.asarray(chosen) for chosen in combinations(range(n_users), n_first))
