"""Item sets of independent items, given how many: which are drawn, and how probable they are.

Items held independently at odds exp(log-weight) have, given their number, a distribution that does
not change when all odds are multiplied by one factor. With the factor at which as many items are
expected as there are (the tilt), that number is a probable one, which makes the draws cheap and the
probability exact.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.special import expit, log_expit

from cornac_mle.sampling.independent_items import (
    Arrivals,
    CountDistribution,
    draw_independent,
    log_tilts,
)
from cornac_mle.sparse import BoolArray, FloatArray, IndexArray, IntArray, user_of

Accepted = Callable[[IndexArray, IntArray], BoolArray]
"""Function of users and their numbers of items: which are taken."""
Draw = Callable[[IndexArray, np.random.Generator], IndexArray]
"""Draws items independently for each entry of users, as `draw_independent`."""
ROUGH_TILT = 1e-2
"""Error of tilts where they decide what draws and sums cost, but not their distribution."""
LARGE = 0.05
"""Odds above this count one by one where the first guess of a tilt is made."""
ROUGH_STEPS = 8
"""Steps to a rough tilt from exponentials taken once, and to its first guess; a few do mostly."""
TILE_ENTRIES = 2**21
"""Odds that are worked on together: enough users for each step to be worth its calls."""
SUM_ENTRIES = 2**16
"""Odds whose complex factors are multiplied together, which should fit a processor's cache."""
HEAD = 1.0
"""So many items times sqrt(n_items), those most in doubt, are drawn last."""
RARE = 64
"""Of so many times as many items as are wanted, only those that arrive are drawn."""
FEWEST_ITEMS = 256
"""Fewer items are drawn in one part."""
SEVERAL = 8
"""Tries for a user at once at most, of which the first that has the right number is taken."""
TRIES = 40.0
"""Tries times the root of the largest number, which is above its standard deviation: one in 2.5 of
these is taken, so that e^-16 of the users at most have items drawn one by one."""


def conditional_poisson_log_probability(
    log_weights: npt.NDArray[np.floating], matrix: sp.csr_array
) -> FloatArray:
    r"""Log-probability in nats of each item set under `conditional_poisson`, given its size.

    At most 0; 0 where no other set of that size can be drawn (an empty set, all items of weight);
    -inf where an item of weight 0 is in the set.

    .. math::
        P(S \mid m) = \frac{\prod_{i \in S} w_i}{e_m(w)}, \qquad
        e_m(w) = \sum_{|T| = m} \prod_{i \in T} w_i
               = P(N = m) \, \lambda^{-m} \prod_i (1 + \lambda w_i)

    with N the number of items held independently with probability
    :math:`p_i = \lambda w_i / (1 + \lambda w_i)`, whatever the tilt :math:`\lambda`. Here m items
    are expected. The probability of N is a sum over its characteristic function.

    Parameters
    ----------
    log_weights : ndarray, shape (n_users, n_items)
        Log-odds of one block of users. Any constant may be added to a row.
    matrix : csr_array, shape (n_users, n_items)
        Item sets; values do not count.

    Returns
    -------
    ndarray, shape (n_users,)
        Log-probabilities to 9 digits or more, whatever the range of the weights.

    Notes
    -----
    Time: some 35 complex products for each user and item.

    References
    ----------
    Chen, Dempster and Liu: Weighted finite population sampling to maximize entropy, Biometrika
    1994. Hong: On computing the distribution function for the Poisson binomial distribution,
    Computational Statistics & Data Analysis 2013 (the sum over the characteristic function).

    Examples
    --------
    Of weights 1, 2 and 1, items 0 and 1: 2 of 1 x 2 + 1 x 1 + 2 x 1 = 5.

    >>> pair = sp.csr_array(np.array([[1.0, 1.0, 0.0]]))
    >>> np.exp(conditional_poisson_log_probability(np.log([[1.0, 2.0, 1.0]]), pair))
    array([0.4])
    """
    n_users, n_items = log_weights.shape
    sizes, user = np.diff(matrix.indptr), user_of(matrix)
    drawn = log_weights[user, matrix.indices].astype(np.float64)  # (nnz,)
    hopeless = np.bincount(user[np.isneginf(drawn)], minlength=n_users) > 0
    certain = (sizes == 0) | (sizes == np.isfinite(log_weights).sum(axis=1))
    result = np.where(hopeless, -np.inf, 0.0)
    open_ = np.flatnonzero(~hopeless & ~certain)
    step = max(1, SUM_ENTRIES // n_items)
    of_drawn = np.bincount(user, weights=np.where(np.isneginf(drawn), 0, drawn), minlength=n_users)
    for start in range(0, len(open_), step):
        some = open_[start : start + step]
        rows = log_weights[some].astype(np.float64)
        tilts = log_tilts(rows, sizes[some], error=ROUGH_TILT)
        rows += tilts[:, None]
        absent = log_expit(-rows).sum(axis=1)
        count = CountDistribution.of(expit(rows))
        counts = np.log(count.probability(np.arange(len(some)), sizes[some]))
        held = of_drawn[some] + sizes[some] * tilts
        result[some] = np.minimum(held + absent - counts, 0.0)
    return result


def conditional_poisson(
    log_weights: npt.NDArray[np.floating], sizes: IntArray, rng: np.random.Generator
) -> sp.csr_array:
    """Draw item sets of given sizes, each in proportion to the product of its items' weights.

    Exact: all items are drawn independently, at the odds at which the size is expected, until as
    many are held. Of a large catalogue the items most in doubt are drawn last: what the others have
    come to is taken in proportion to the probability that these hold the rest, which takes a few
    tries, and the rest is drawn of these alone, where a try succeeds with probability .4 over the
    standard deviation of their number. Whoever is out of luck for long has the items decided one by
    one, each given the number still to come.

    Parameters
    ----------
    log_weights : ndarray, shape (n_users, n_items)
        Log-odds of one block of users. Any constant may be added to a row.
    sizes : ndarray of int, shape (n_users,)
        Items to draw, 0 to n_items. A user gets fewer where fewer have weight.

    Returns
    -------
    csr_array, shape (n_users, n_items), float32
        1 at drawn items.

    Notes
    -----
    Time: users x items x a few, and users x sqrt(items x size) x some 10. Where few of the items
    are held, a try costs what is held, not what there is (`Arrivals`).

    References
    ----------
    Hajek: Asymptotic theory of rejective sampling with varying probabilities from a finite
    population, Annals of Mathematical Statistics 1964. Darroch: On the distribution of the number
    of successes in independent trials, ibid. 1964 (its most probable value).
    """
    n_users, n_items = log_weights.shape
    wanted = np.minimum(sizes, np.isfinite(log_weights).sum(axis=1)).astype(np.intp)
    step = max(1, TILE_ENTRIES // n_items)
    found = [np.zeros(0, dtype=np.intp)]
    for start in range(0, n_users, step):
        some = slice(start, start + step)
        probabilities = _about(wanted[some], log_weights[some])
        found.append(_of_size(probabilities, wanted[some], rng) + start * n_items)
    keys = np.concatenate(found)
    edges = np.searchsorted(keys, np.arange(n_users + 1) * n_items)
    ones = np.ones(len(keys), dtype=np.float32)
    return sp.csr_array((ones, keys % n_items, edges), shape=(n_users, n_items))


def _about(wanted: IndexArray, log_weights: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Probabilities of independent items, (n_users, n_items), of which so many are expected.

    By the steps of `log_tilts`, but from exponentials that are taken once, and a guess which mostly
    is near enough; where these are too large or too small for their type, by `log_tilts`.
    """
    n_items = log_weights.shape[1]
    p = np.empty_like(log_weights)
    with np.errstate(all="ignore"):
        weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
        factor = _factor(weights, wanted)
        goal = np.log(wanted / (n_items - wanted))
        for _ in range(ROUGH_STEPS):
            np.multiply(weights, factor[:, None].astype(p.dtype), out=p)
            np.divide(p, p + 1, out=p)
            expected = p.sum(axis=1, dtype=np.float64)
            missing = goal - np.log(expected / (n_items - expected))
            near = np.abs(missing) < ROUGH_TILT
            if near.all():
                return p
            variance = expected - np.einsum("ij,ij->i", p, p)
            factor *= np.exp(missing * expected * (1 - expected / n_items) / variance)
    rows = log_weights[~near]
    tilts = log_tilts(rows, wanted[~near], error=ROUGH_TILT)
    p[~near] = expit(rows + tilts[:, None].astype(rows.dtype))
    return p


def _factor(weights: npt.NDArray[np.floating], wanted: IndexArray) -> FloatArray:
    """Factor on the odds at which about so many items are expected, (n_users,).

    From the large odds, and two moments of each user's others: a sum of x / (1 + x) is about
    S / (1 + Q / S) with S the sum of the x and Q that of their squares.
    """
    n_users, n_items = weights.shape
    total = weights.sum(axis=1, dtype=np.float64)
    factor: FloatArray = wanted / total  # too small: odds are above their probabilities
    place = np.flatnonzero(weights > (LARGE / factor).astype(weights.dtype)[:, None])
    user, odds = place // n_items, weights.reshape(-1)[place].astype(np.float64)

    def summed(values: FloatArray) -> FloatArray:
        return np.bincount(user, weights=values, minlength=n_users).astype(np.float64)

    rest = np.maximum(total - summed(odds), 0)
    squares = np.einsum("ij,ij->i", weights, weights) - summed(odds**2)
    mean = np.maximum(squares, 0) / np.maximum(rest, 1e-300)
    for _ in range(ROUGH_STEPS):
        p = factor[user] * odds
        p /= 1 + p
        small = factor * rest / (1 + factor * mean)
        expected = summed(p) + small
        missing = np.log(wanted / expected)
        if np.abs(missing).max() < ROUGH_TILT / 4:
            break
        gradient = expected - summed(p**2) - small * factor * mean / (1 + factor * mean)
        factor *= np.exp(missing * expected / gradient)
    return factor


def _of_size(
    probabilities: npt.NDArray[np.floating], wanted: IndexArray, rng: np.random.Generator
) -> IndexArray:
    """Draw independent items given their number, as ``user * n_items + item``, ascending."""
    n_users, n_items = probabilities.shape
    if n_items < FEWEST_ITEMS:
        return _at_once(probabilities, wanted, rng)
    n_head = int(HEAD * np.sqrt(n_items))
    # Those most in doubt are sought among the most probable.
    often = _largest(probabilities.sum(axis=0), 2 * n_head)
    of_often = probabilities[:, often]
    head = np.sort(often[_largest(np.einsum("ij,ij->j", of_often, 1 - of_often), n_head)])
    of_head = probabilities[:, head]
    in_head = CountDistribution.of(of_head)
    # The most probable number is less than 1 from the mean (Darroch).
    ends = [end(in_head.mean).astype(np.intp) for end in (np.floor, np.ceil)]
    largest = np.maximum(*(in_head.probability(np.arange(n_users), end) for end in ends))

    def leaves_the_rest(users: IndexArray, numbers: IntArray) -> BoolArray:
        of_rest = in_head.probability(users, wanted[users] - numbers)
        return rng.random(len(users)) * largest[users] < of_rest

    if wanted.mean() * RARE < n_items:
        draw, several = Arrivals(probabilities, without=head).draw, SEVERAL
    else:
        of_tail = probabilities.copy()
        of_tail[:, head] = 0
        draw, several = partial(draw_independent, of_tail), 1
    tail, late = _until(leaves_the_rest, draw, wanted, n_items, rng, at_once=several)
    rest = wanted - np.bincount(tail // n_items, minlength=n_users)
    others = np.setdiff1d(np.arange(n_users), late)
    key = _at_once(of_head[others], rest[others], rng)
    keys = others[key // len(head)] * n_items + head[key % len(head)]
    return np.sort(np.concatenate([tail, keys, *_late(probabilities, wanted, late, rng)]))


def _largest(values: npt.NDArray[np.floating], n: int) -> IndexArray:
    """Places of the `n` largest, or of all where there are fewer."""
    n = min(n, len(values))
    return np.argpartition(-values, n - 1)[:n]


def _at_once(
    probabilities: npt.NDArray[np.floating], wanted: IndexArray, rng: np.random.Generator
) -> IndexArray:
    """Draw all items again until their number is right; as `_of_size`."""

    def right(users: IndexArray, numbers: IntArray) -> BoolArray:
        return np.asarray(numbers == wanted[users])

    draw = partial(draw_independent, probabilities)
    keys, late = _until(right, draw, wanted, probabilities.shape[1], rng, at_once=SEVERAL)
    return np.sort(np.concatenate([keys, *_late(probabilities, wanted, late, rng)]))


def _until(
    accepted: Accepted,
    draw: Draw,
    wanted: IndexArray,
    n_items: int,
    rng: np.random.Generator,
    *,
    at_once: int = 1,
) -> tuple[IndexArray, IndexArray]:
    """Draw independent items for each user until their number is accepted.

    Returns
    -------
    keys : ndarray of int
        ``user * n_items + item``.
    late : ndarray of int
        Users of whom no number was accepted for long.
    """
    n_users = len(wanted)
    open_, held = np.arange(n_users), [np.zeros(0, dtype=np.intp)]
    tries, most = 0, TRIES * (1 + np.sqrt(wanted.max(initial=0)))
    while open_.size and tries < most:
        # The first success of several tries at once, where few users are left.
        several = max(min(TILE_ENTRIES // (n_items * len(open_)), at_once), 1)
        users = np.repeat(open_, several)
        tries += several
        drawn = draw(users, rng)
        row = drawn // n_items
        right = np.flatnonzero(accepted(users, np.bincount(row, minlength=len(users))))
        lucky, first = np.unique(users[right], return_index=True)
        taken = np.full(len(users), -1)
        taken[right[first]] = lucky
        mine = taken[row]
        held.append(mine[mine >= 0] * n_items + drawn[mine >= 0] % n_items)
        open_ = open_[~np.isin(open_, lucky)]
    return np.concatenate(held), open_


def _late(
    probabilities: npt.NDArray[np.floating],
    wanted: IndexArray,
    users: IndexArray,
    rng: np.random.Generator,
) -> list[IndexArray]:
    """Draw the items of these users one by one; as `_of_size`, but an array a user."""
    n_items = probabilities.shape[1]
    return [
        user * n_items + _one_by_one(probabilities[user], int(wanted[user]), rng) for user in users
    ]


def _one_by_one(
    probabilities: npt.NDArray[np.floating], wanted: int, rng: np.random.Generator
) -> IndexArray:
    """Draw `wanted` of independent items, each given how many are still to come.

    Time and memory n_items x wanted.
    """
    p = probabilities.astype(np.float64)
    n_items = len(p)
    # to_come[i, k]: probability that k of the items from i on are held.
    to_come = np.zeros((n_items + 1, wanted + 1))
    to_come[n_items, 0] = 1.0
    for item in range(n_items - 1, -1, -1):
        to_come[item] = (1 - p[item]) * to_come[item + 1]
        to_come[item, 1:] += p[item] * to_come[item + 1, :-1]
    held, left = [], wanted
    for item, uniform in enumerate(rng.random(n_items)):
        if left and uniform * to_come[item, left] < p[item] * to_come[item + 1, left - 1]:
            held.append(item)
            left -= 1
    return np.array(held, dtype=np.intp)
