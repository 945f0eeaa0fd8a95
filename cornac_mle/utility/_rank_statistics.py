"""How far two orders of the same things agree: tau-b, and the regret of picking by one of them."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from cornac_mle.sparse import FloatArray

Statistic = Callable[[npt.ArrayLike, npt.ArrayLike], FloatArray]
"""Of two rows of scores, (..., n) each, (...,)."""

N_RESAMPLES = 1000
DECIMALS = 12
"""Sums that differ beyond these differ by rounding only."""


def tau_b(first: npt.ArrayLike, second: npt.ArrayLike) -> FloatArray:
    r"""Kendall's tau-b of the orders by two rows of scores, in [-1, 1]; 1: the same order.

    With C pairs of things in the same order, D in opposite orders, and U and V pairs that are not
    tied in the first and in the second,

    .. math:: \tau_b = \frac{C - D}{\sqrt{U V}}

    and 0 where all are tied in one of them.

    Parameters
    ----------
    first, second : array_like, shape (..., n)
        Scores of the same n things.

    Returns
    -------
    ndarray, shape (...,)

    Notes
    -----
    Time: n^2 a row. scipy's ``kendalltau`` takes one pair of rows at a time, and is NaN where all
    are tied.

    References
    ----------
    Kendall (1945), "The treatment of ties in ranking problems", Biometrika 33(3).

    Examples
    --------
    >>> float(tau_b([1, 2, 3], [1, 3, 2]))  # two pairs in the same order, one not: (2 - 1) / 3
    0.3333333333333333
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    before, after = np.triu_indices(one.shape[-1], 1)
    signs = np.sign(one[..., before] - one[..., after])
    other_signs = np.sign(two[..., before] - two[..., after])
    untied = np.sum(signs**2, axis=-1) * np.sum(other_signs**2, axis=-1)
    tau: FloatArray = np.sum(signs * other_signs, axis=-1) / np.sqrt(np.maximum(untied, 1))
    return tau


def regret(worth: npt.ArrayLike, picked_by: npt.ArrayLike) -> FloatArray:
    r"""Worth of the best thing less that of the one with the largest `picked_by`, at least 0.

    Of things that tie for the pick, their mean worth counts. With the worths w and the set P of
    things with the largest `picked_by`,

    .. math:: \max_i w_i - \frac{1}{|P|} \sum_{i \in P} w_i

    Parameters
    ----------
    worth : array_like, shape (..., n)
        Worth of each of n things.
    picked_by : array_like, shape (..., n)
        Scores of the same things, by which one is picked.

    Returns
    -------
    ndarray, shape (...,)

    Examples
    --------
    >>> float(regret([0.4, 0.3, 0.1], [0.2, 0.5, 0.5]))  # .4 - (.3 + .1) / 2
    0.2
    """
    one, two = np.asarray(worth, dtype=np.float64), np.asarray(picked_by, dtype=np.float64)
    picked = two == two.max(axis=-1, keepdims=True)
    lost: FloatArray = one.max(axis=-1) - np.mean(one, axis=-1, where=picked)
    return lost


def relative_regret(worth: npt.ArrayLike, picked_by: npt.ArrayLike) -> FloatArray:
    """`regret` as a share of the best worth, (...,), in [0, 1] for worths >= 0; 0 if that is 0.

    >>> float(relative_regret([0.4, 0.3], [0.2, 0.5]))  # .1 / .4
    0.25
    """
    best = np.max(np.asarray(worth, dtype=np.float64), axis=-1)
    lost = regret(worth, picked_by)
    share: FloatArray = np.divide(lost, best, out=np.zeros_like(lost), where=best > 0)
    return share


STATISTICS: dict[str, Statistic] = {
    "tau": tau_b,
    "regret": regret,
    "relative_regret": relative_regret,
}


def mean_over_users(sample: FloatArray) -> FloatArray:
    """Mean of each column, (n,), rounded to 12 decimals: equal columns tie, in any order of users.

    >>> mean_over_users(np.array([[0.1, 0.3], [0.2, 0.5]]))
    array([0.15, 0.4 ])
    """
    mean: FloatArray = np.round(sample.mean(axis=0), DECIMALS)
    return mean


def agreement(
    statistic: Statistic,
    first: FloatArray,
    second: FloatArray,
    rng: np.random.Generator,
    *,
    paired: bool,
) -> tuple[float, float, float]:
    """Compare two orders by mean score, with a 95% percentile bootstrap interval over users.

    The estimand is the statistic of the expectations. Resampling adds noise to the orders, so that
    they agree less than the two at hand: the interval is widened to hold the value where need be.

    Parameters
    ----------
    statistic : callable
        Statistic of two rows of means.
    first, second : ndarray, shape (n_users, n)
        Scores of n things by each user; the users may be others, and as many others.
    rng : Generator
        Random stream of the bootstrap.
    paired : bool
        Whether both are of the same users.

    Returns
    -------
    value, low, high : float
    """
    value = float(statistic(mean_over_users(first), mean_over_users(second)))
    resampled = statistic(*resampled_means([first, second], rng, paired=paired))
    low, high = np.quantile(resampled, [0.025, 0.975])
    return value, min(value, float(low)), max(value, float(high))


def resampled_means(
    samples: Sequence[FloatArray], rng: np.random.Generator, *, paired: bool
) -> list[FloatArray]:
    """Bootstrap `mean_over_users` of each sample: users are drawn with replacement, 1,000 times.

    Parameters
    ----------
    samples : sequence of ndarray, shape (n_users, n) each
        Scores of n things by each user.
    rng : Generator
        Random stream of the bootstrap.
    paired : bool
        Whether samples are of the same users, who are then drawn for the first sample only;
        otherwise those that follow the first are resampled on their own.

    Returns
    -------
    list of ndarray, shape (N_RESAMPLES, n) each
        Means of each sample.
    """
    means = [np.empty((N_RESAMPLES, sample.shape[1])) for sample in samples]
    for number in range(N_RESAMPLES):
        times = _times_drawn(len(samples[0]), rng)
        for place, sample in enumerate(samples):
            if place and not paired:
                times = _times_drawn(len(sample), rng)
            means[place][number] = times @ sample / len(sample)
    return [np.round(mean, DECIMALS) for mean in means]


def _times_drawn(n_users: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    return np.bincount(rng.integers(n_users, size=n_users), minlength=n_users)
