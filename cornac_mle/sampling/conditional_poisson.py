"""Item sets of independent items, given how many: which are drawn, and how probable they are.

Items held independently at odds exp(log-weight) have, given their number, a distribution that does
not change when all odds are multiplied by one factor. With the factor at which as many items are
expected as there are (the tilt), that number is a probable one, which makes the draws cheap and the
probability exact.
"""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.special import expit, log_expit, logsumexp

from cornac_mle.sparse import FloatArray, IndexArray, IntArray, user_of

TILT_STEPS = 60
"""Steps to a tilt at most: some 5 where no item is all but certain, and bisections elsewhere."""
ROUGH_TILT = 1e-3
"""Error of tilts where they decide what draws and sums cost, but not their distribution."""
NEGLIGIBLE_NATS = 36.0
"""Frequencies at which the characteristic function is below exp(-36) = 2e-16 are left out."""
PERIOD = (16.0, 9.0)
"""Counts told apart, plus standard deviations of it: others have a probability of e^-36 or less."""
TILE_ENTRIES = 2**18
"""Odds that are worked on together, which should fit a processor's cache."""
TRIES = 40.0
"""Tries a standard deviation of the count and user, of which one in 2.5 is taken, before items are
drawn one by one: e^-16 of the users get there."""
UNIFORM_STEP = float(2**-24)
"""Distance between the uniform float32 numbers that are drawn."""


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
    Time: some 20 complex products for each user and item.

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
    step = max(1, TILE_ENTRIES // n_items)
    of_drawn = np.bincount(user, weights=np.where(np.isneginf(drawn), 0, drawn), minlength=n_users)
    for start in range(0, len(open_), step):
        some = open_[start : start + step]
        rows = log_weights[some].astype(np.float64)
        tilts = log_tilts(rows, sizes[some], error=ROUGH_TILT)
        rows += tilts[:, None]
        absent = log_expit(-rows).sum(axis=1)
        counts = log_count_probability(expit(rows), sizes[some])
        held = of_drawn[some] + sizes[some] * tilts
        result[some] = np.minimum(held + absent - counts, 0.0)
    return result


def log_count_probability(probabilities: FloatArray, counts: IntArray) -> FloatArray:
    """Log-probability, (n_users,), that so many of independent items are held.

    The trapezoidal rule over the characteristic function's frequencies, of which there are as many
    as counts that are probable.

    Parameters
    ----------
    probabilities : ndarray, shape (n_users, n_items)
        Of holding each item; their sum is near the count.
    counts : ndarray of int, shape (n_users,)
        Numbers of items.

    Examples
    --------
    >>> np.exp(log_count_probability(np.array([[0.5, 0.5, 0.0]]), np.array([1])))
    array([0.5])
    """
    variance = (probabilities * (1 - probabilities)).sum(axis=1)
    period = 1 + 2 * np.ceil((PERIOD[0] + PERIOD[1] * np.sqrt(variance)) / 2)  # (n_users,), odd
    total = np.ones(len(counts))
    users = np.arange(len(counts))
    for place in range(1, int(period.max(initial=1)) // 2 + 1):
        angles = 2 * np.pi * place / period[users]
        # A factor's square is 1 - 2 p (1 - p) (1 - cos), so the product is below exp(-variance ...)
        needed = variance[users] * (1 - np.cos(angles)) < NEGLIGIBLE_NATS
        needed &= place <= period[users] // 2
        users, angles = users[needed], angles[needed]
        if not users.size:
            break
        turn = np.expm1(1j * angles)[:, None]
        characteristic = np.prod(1 + probabilities[users] * turn, axis=1)
        total[users] += 2 * (characteristic * np.exp(-1j * angles * counts[users])).real
    return np.asarray(np.log(total / period))


def log_tilts(
    log_weights: npt.NDArray[np.floating], sizes: IntArray, *, error: float = 1e-9
) -> FloatArray:
    """Log of the factor on the odds at which `sizes` items are expected, (n_users,).

    By Newton's method on the log-odds of the mean probability, which for equal weights is a
    straight line, within bounds that every step narrows. Half an item is expected of an empty set,
    and all but half of the items that have weight at most.

    Parameters
    ----------
    log_weights : ndarray, shape (n_users, n_items)
        Log-odds; -inf for an item that is never held.
    sizes : ndarray of int, shape (n_users,)
        Items expected.
    error : float
        How far the log-odds of the mean probability may be off.

    Examples
    --------
    Odds of 1 and 1 hold one item on average, as they are.

    >>> log_tilts(np.array([[0.0, 0.0, -np.inf]]), np.array([1]))
    array([0.])
    """
    possible = np.isfinite(log_weights).sum(axis=1)
    wanted = np.clip(sizes, 0.5, np.maximum(possible - 0.5, 0.5)).astype(np.float64)
    rest = possible - wanted
    goal = np.log(wanted) - np.log(np.maximum(rest, 0.5))
    # p is below w, and 1 - p below 1 / w.
    low = np.log(wanted) - logsumexp(log_weights.astype(np.float64), axis=1)
    inverse = np.where(np.isneginf(log_weights), -np.inf, -log_weights.astype(np.float64))
    high = np.maximum(logsumexp(inverse, axis=1) - np.log(np.maximum(rest, 0.5)), low)
    tilts: FloatArray = low.copy()
    users = np.flatnonzero(possible > 0)
    tilts[possible == 0] = 0.0
    for _ in range(TILT_STEPS):
        rows, at = log_weights[users], tilts[users]
        p = expit(rows + at[:, None].astype(rows.dtype))
        expected = p.sum(axis=1, dtype=np.float64)
        lacking = possible[users] - expected
        variance = np.maximum((p * (1 - p)).sum(axis=1, dtype=np.float64), 1e-300)
        with np.errstate(divide="ignore", invalid="ignore"):  # where all are certain
            missing = goal[users] - np.log(expected) + np.log(np.maximum(lacking, 0))
            ahead = at + missing * (expected * lacking / possible[users] / variance)
        open_ = np.abs(missing) > error
        low[users] = np.where(missing > 0, np.maximum(low[users], at), low[users])
        high[users] = np.where(missing < 0, np.minimum(high[users], at), high[users])
        if not open_.any():
            break
        inside = (ahead >= low[users]) & (ahead <= high[users])
        ahead = np.where(inside, ahead, (low[users] + high[users]) / 2)
        users = users[open_]
        tilts[users] = ahead[open_]
    return tilts


def conditional_poisson(
    log_weights: npt.NDArray[np.floating], sizes: IntArray, rng: np.random.Generator
) -> sp.csr_array:
    """Draw item sets of given sizes, each in proportion to the product of its items' weights.

    Exact: all items are drawn independently, at the odds at which the size is expected, until as
    many are held; a try succeeds with probability .4 over the standard deviation of the number.
    Whoever is out of luck for long has the items decided one by one, each given the number still
    to come.

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
    Time: users x items x some 2.5 standard deviations of the number, at most 2.5 sqrt(size).

    References
    ----------
    Hajek: Asymptotic theory of rejective sampling with varying probabilities from a finite
    population, Annals of Mathematical Statistics 1964.
    """
    n_users, n_items = log_weights.shape
    wanted = np.minimum(sizes, np.isfinite(log_weights).sum(axis=1)).astype(np.intp)
    step = max(1, TILE_ENTRIES // n_items)
    found = [np.zeros(0, dtype=np.intp)]
    for start in range(0, n_users, step):
        some = slice(start, start + step)
        rows = log_weights[some]
        tilts = log_tilts(rows, wanted[some], error=ROUGH_TILT)
        probabilities = expit(rows + tilts[:, None].astype(rows.dtype))
        found.append(_of_size(probabilities, wanted[some], rng) + start * n_items)
    keys = np.concatenate(found)
    edges = np.searchsorted(keys, np.arange(n_users + 1) * n_items)
    ones = np.ones(len(keys), dtype=np.float32)
    return sp.csr_array((ones, keys % n_items, edges), shape=(n_users, n_items))


def _of_size(
    probabilities: npt.NDArray[np.floating], wanted: IndexArray, rng: np.random.Generator
) -> IndexArray:
    """Draw independent items given their number, as ``user * n_items + item``, ascending."""
    n_users, n_items = probabilities.shape
    spread = np.sqrt((probabilities * (1 - probabilities)).sum(axis=1))
    open_, held = np.arange(n_users), [np.zeros(0, dtype=np.intp)]
    most = TRIES * (1 + spread.max(initial=0.0))
    tries = 0
    while open_.size and tries < most:
        # The first success of several tries at once, where few users are left.
        at_once = int(min(TILE_ENTRIES // (n_items * len(open_)), 1 + spread[open_].max()))
        users = np.repeat(open_, max(at_once, 1))
        tries += max(at_once, 1)
        drawn = _independent(probabilities, users, rng)
        row = drawn // n_items
        right = np.flatnonzero(np.bincount(row, minlength=len(users)) == wanted[users])
        lucky, first = np.unique(users[right], return_index=True)
        taken = np.full(len(users), -1)
        taken[right[first]] = lucky
        mine = taken[row]
        held.append(mine[mine >= 0] * n_items + drawn[mine >= 0] % n_items)
        open_ = np.setdiff1d(open_, lucky, assume_unique=True)
    held += [
        user * n_items + _one_by_one(probabilities[user], int(wanted[user]), rng) for user in open_
    ]
    return np.sort(np.concatenate(held))


def _independent(
    probabilities: npt.NDArray[np.floating], users: IndexArray, rng: np.random.Generator
) -> IndexArray:
    """Draw items independently for each entry of `users`; as ``entry * n_items + item``."""
    n_items = probabilities.shape[1]
    uniform = rng.random((len(users), n_items), dtype=np.float32)
    own = probabilities[users]
    places = np.flatnonzero(uniform < own)
    # A float32 stands for all numbers up to the next, which need not all be below the probability.
    above = own.reshape(-1)[places].astype(np.float64) - uniform.reshape(-1)[places]
    sure = above >= UNIFORM_STEP
    unsure = np.flatnonzero(~sure)
    sure[unsure] = rng.random(len(unsure)) * UNIFORM_STEP < above[unsure]
    return places[sure]


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
