"""From scores to items: how many items a profile has, and which, and how probable that is."""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.special import logsumexp

from cornac_mle.sampling.sizes import log_size_probability
from cornac_mle.sparse import BoolArray, FloatArray, IndexArray, IntArray, user_of

FEW_ITEMS = 20
"""Sets of fewer items have a wide integrand, which takes more points."""
FEWEST_POINTS, LONGEST_STEP = 32, 0.2
"""Points of the trapezoidal rule: 12 digits or more in sets of up to `FEW_ITEMS` items."""
NEGLIGIBLE_NATS = 32.0
"""What lies this far below an integrand's peak is left out: exp(-32) is 1e-14."""
POINT_ENTRIES = 2**13
"""Rates that are worked on together at several points."""
LOG_RATES = (-40.0, 6.0)
"""Beyond these, log(1 - exp(-rate)) is log(rate) or 0 to the last digit."""
RACE_SHARE = 8
"""Whoever wants more than one in so many items races for them."""
GROUP = 16
"""Items among which a draw with replacement chooses at last: a cache line of weights."""
TILE_ENTRIES = 2**18
"""Weights that are worked on together, which should fit a processor's cache."""
ROUNDS = 3
"""Times that draws with replacement are tried before a race."""
EXTRA_DRAWS = 6
"""Draws with replacement a user and round, beside a quarter more than are missing."""


def item_set_log_probability(
    log_weights: npt.NDArray[np.floating], size_probabilities: FloatArray, matrix: sp.csr_array
) -> FloatArray:
    r"""Log-probability in nats of each profile's item set: its size, and its items given the size.

    .. math:: \log P(S) = \log P(|S|) + \log P(S \mid |S|)

    At most 0; higher is more probable. -inf for an empty profile, for an item of weight 0 and for a
    size of probability 0.

    Parameters
    ----------
    log_weights : ndarray, shape (n_users, n_items) or (n_items,)
        Log-weights, as in `plackett_luce`.
    size_probabilities : ndarray, shape (n_sizes,)
        Probability of sizes 1, 2, ..., `n_sizes`.
    matrix : csr_array, shape (n_users, n_items)
        Profiles; values do not count.

    Returns
    -------
    ndarray, shape (n_users,)
        Log-probabilities in nats.
    """
    of_sizes = log_size_probability(size_probabilities, np.diff(matrix.indptr))
    return of_sizes + plackett_luce_log_probability(log_weights, matrix)


def plackett_luce_log_probability(
    log_weights: npt.NDArray[np.floating], matrix: sp.csr_array
) -> FloatArray:
    r"""Log-probability in nats of each item set under `plackett_luce`, given its size.

    At most 0; 0 where no other set of that size can be drawn (an empty set, all items of weight);
    -inf where an item of weight 0 is in the set. With W the weight that is not drawn

    .. math:: P(S \mid n) = \int_0^1 \prod_{i \in S} \left(1 - u^{w_i / W}\right) du

    because item i arrives at an exponential time of rate w_i, the first item outside S at one of
    rate W, and u is exp(-W x time) of the latter. A sum over the n! orders of S is the same number.

    Parameters
    ----------
    log_weights : ndarray, shape (n_users, n_items) or (n_items,)
        Log-weights of one block of users. Any constant may be added to a row.
    matrix : csr_array, shape (n_users, n_items)
        Item sets; values do not count.

    Returns
    -------
    ndarray, shape (n_users,)
        Log-probabilities to 10 digits or more, whatever the range of the weights.

    Notes
    -----
    With u = exp(-exp(x)) the integrand becomes log-concave in x, analytic and steep at both ends:
    the trapezoidal rule converges exponentially on such integrands. All in logarithms, so that sets
    of thousands of items do not underflow. Time is some 50 evaluations of
    log(1 - exp(-rate)) a stored entry, and 60 to 250 in small sets.

    References
    ----------
    Trefethen and Weideman: The exponentially convergent trapezoidal rule, SIAM Review 56(3), 2014.

    Examples
    --------
    Of weights 1, 2 and 1, items 0 and 1 in either order: 1/4 x 2/3 + 2/4 x 1/2 = 5/12.

    >>> pair = sp.csr_array(np.array([[1.0, 1.0, 0.0]]))
    >>> np.exp(plackett_luce_log_probability(np.log([1.0, 2.0, 1.0]), pair))
    array([0.4167])
    """
    sizes = np.diff(matrix.indptr)
    user = user_of(matrix)
    own = matrix.indices if log_weights.ndim == 1 else (user, matrix.indices)
    drawn = log_weights[own].astype(np.float64)  # (nnz,)
    left = _log_weight_left(log_weights, matrix, user, drawn)  # (n_users,)
    hopeless = np.bincount(user[np.isneginf(drawn)], minlength=len(sizes)) > 0
    result = np.where(hopeless, -np.inf, 0.0)
    open_ = np.flatnonzero((sizes > 0) & ~hopeless & (left > -np.inf))
    few = sizes[open_] < FEW_ITEMS
    for group in (open_[few], open_[~few]):
        if group.size:
            entries = np.isin(user, group)
            log_ratios = drawn[entries] - left[user[entries]]
            result[group] = _log_integral(log_ratios, sizes[group])
    return result


def _log_integral(log_ratios: FloatArray, sizes: IntArray) -> FloatArray:
    """Log of the integral above, (n_users,), from log(w_i / W) of each user's `sizes` items."""
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])

    def log_integrand(x: FloatArray) -> FloatArray:  # (..., n_users)
        log_rate = log_ratios + np.repeat(x, sizes, axis=-1)
        arrived = np.log(-np.expm1(-np.exp(np.clip(log_rate, *LOG_RATES))))
        # log(1 - exp(-rate)) is log(rate) where the rate vanishes beside 1.
        arrived = np.where(log_rate < LOG_RATES[0], log_rate, arrived)
        return np.asarray(x - np.exp(x) + np.add.reduceat(arrived, first, axis=-1))

    # The gradient of each log_arrived lies within 0 and 1, so the peak has 1 <= exp(x) <= n + 1.
    low, high = np.zeros(len(sizes)), np.log(sizes + 1.0)
    for _ in range(12):
        middle = (low + high) / 2
        rate = np.exp(np.clip(log_ratios + np.repeat(middle, sizes), *LOG_RATES))
        rises = 1 - np.exp(middle) + np.add.reduceat(rate / np.expm1(rate), first) > 0
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    bottom = log_integrand(low) - NEGLIGIBLE_NATS
    ends = []
    for direction in (-1.0, 1.0):
        reach = direction / np.sqrt(sizes)  # the peak is no narrower than about this
        while (inside := log_integrand(low + reach) > bottom).any():
            reach = np.where(inside, 1.4 * reach, reach)
        ends.append(low + reach)
    width = ends[1] - ends[0]
    points = max(FEWEST_POINTS, int(np.ceil(width.max() / LONGEST_STEP)) + 1)
    step = width / (points - 1)
    places = np.arange(points)[:, None]
    at_once = max(1, POINT_ENTRIES // len(log_ratios))
    values = [
        log_integrand(ends[0] + places[start : start + at_once] * step)
        for start in range(0, points, at_once)
    ]
    total = logsumexp(np.concatenate(values), axis=0) + np.log(step)
    return np.asarray(np.minimum(total, 0.0))


def _log_weight_left(
    log_weights: npt.NDArray[np.floating],
    matrix: sp.csr_array,
    user: npt.NDArray[np.intp],
    drawn: FloatArray,
) -> FloatArray:
    """Log of the weight of the items that are not in each user's set, (n_users,)."""
    n_users = matrix.shape[0]
    total = np.broadcast_to(logsumexp(log_weights.astype(np.float64), axis=-1), n_users)
    share = np.zeros(drawn.size)
    some = drawn > -np.inf
    share[some] = np.exp(drawn[some] - total[user[some]])
    taken = np.bincount(user, weights=share, minlength=n_users)
    left = np.full(n_users, -np.inf)
    # Where hardly any weight is left, the difference would have lost its digits.
    clear = taken < 1 - 1e-4
    left[clear] = total[clear] + np.log1p(-taken[clear])
    unclear = np.flatnonzero(~clear)
    step = max(1, TILE_ENTRIES // log_weights.shape[-1])
    for start in range(0, len(unclear), step):
        rows = unclear[start : start + step]
        sets = matrix[rows]
        rest = np.empty(sets.shape)
        rest[:] = log_weights if log_weights.ndim == 1 else log_weights[rows]
        rest[user_of(sets), sets.indices] = -np.inf
        left[rows] = logsumexp(rest, axis=1)
    return left


def plackett_luce(
    log_weights: npt.NDArray[np.floating], sizes: IntArray, rng: np.random.Generator
) -> sp.csr_array:
    """Draw distinct items one after the other, each in proportion to its weight.

    Exact in two ways, of which the faster one is taken. Draws *with* replacement, of which repeats
    are left out, have this distribution; they cost an exponential an item and a binary search a
    draw. Where many items are wanted of few, or a few items hold nearly all weight, the draws that
    are left are an exponential race: the items that arrive first, at times E / weight, have this
    distribution, too (Yellott).

    An item of weight 0 (log-weight -inf) is never drawn, so a user gets fewer items where the size
    asks for more than have weight.

    Parameters
    ----------
    log_weights : ndarray, shape (n_users, n_items) or (n_items,)
        Log-weights of one block of users. Any constant may be added to a row.
    sizes : ndarray of int, shape (n_users,)
        Items to draw, 0 to n_items.

    Returns
    -------
    csr_array, shape (n_users, n_items), float32
        1 at drawn items.

    References
    ----------
    Yellott: The relationship between Luce's choice axiom, Thurstone's theory of comparative
    judgment, and the double exponential distribution, Journal of Mathematical Psychology 1977.
    """
    n_users, n_items = len(sizes), log_weights.shape[-1]
    wanted = np.minimum(sizes, n_items).astype(np.intp)
    rows = np.atleast_2d(np.ascontiguousarray(log_weights))
    few = np.flatnonzero((wanted > 0) & (wanted * RACE_SHARE <= n_items))
    found = _with_replacement(rows, wanted, few, rng)
    missing = wanted - np.bincount(found // n_items, minlength=n_users)
    late = _race(rows, missing, found, rng)
    keys = np.sort(np.concatenate([found, late]))
    edges = np.searchsorted(keys, np.arange(n_users + 1) * n_items)
    ones = np.ones(len(keys), dtype=np.float32)
    return sp.csr_array((ones, keys % n_items, edges), shape=(n_users, n_items))


def _with_replacement(
    rows: npt.NDArray[np.floating], wanted: IndexArray, users: IndexArray, rng: np.random.Generator
) -> IndexArray:
    """Draw items of these users with replacement, and keep the first new ones.

    Returns
    -------
    ndarray of int, shape (n_found,)
        ``user * n_items + item``: for each user as many as are wanted, or fewer, who are then a
        fair beginning.
    """
    n_items, complete = rows.shape[1], [np.zeros(0, dtype=np.intp)]
    cumulative, usable = _group_distribution(rows, users)
    users = users[usable]
    drawn = np.zeros(0, dtype=np.intp)
    missing = wanted[users]
    for _ in range(ROUNDS):
        if not users.size:
            break
        user = np.repeat(users, missing + missing // 4 + EXTRA_DRAWS)
        item = _draws(rows, cumulative, user, rng)
        drawn = _first_new(np.concatenate([drawn, user * n_items + item]), wanted, n_items)
        missing = wanted[users] - np.bincount(drawn // n_items, minlength=len(wanted))[users]
        users, missing = users[missing > 0], missing[missing > 0]
        lacks = np.zeros(len(wanted), dtype=np.bool_)
        lacks[users] = True
        lacking = lacks[drawn // n_items]
        complete.append(drawn[~lacking])
        drawn = drawn[lacking]
    return np.concatenate([*complete, drawn])


def _group_distribution(
    rows: npt.NDArray[np.floating], users: IndexArray
) -> tuple[FloatArray, BoolArray]:
    """Cumulative probability of groups of `GROUP` items, plus the row number.

    Returns
    -------
    cumulative : ndarray, shape (n_rows, n_groups)
        Ascending throughout, from row to row by 1; rows of other users are undefined.
    usable : ndarray of bool, shape (n_users,)
        Whether a user's weights have a finite sum above 0.
    """
    n_rows, n_items = rows.shape
    n_groups = -(-n_items // GROUP)
    cumulative = np.empty((n_rows, n_groups))
    total = np.empty(n_rows)
    step = max(1, TILE_ENTRIES // n_items)
    tile = np.zeros((min(step, n_rows), n_groups * GROUP), dtype=np.float32)  # 0 beyond n_items
    ones = np.ones(GROUP, dtype=np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, n_rows, step):
            some = slice(start, min(start + step, n_rows))
            weights = tile[: some.stop - start]
            log_weights = rows[some]
            largest = log_weights.max(axis=1, keepdims=True)
            np.subtract(log_weights, largest, out=weights[:, :n_items], casting="same_kind")
            np.exp(weights[:, :n_items], out=weights[:, :n_items])
            groups = (weights.reshape(-1, GROUP) @ ones).reshape(len(weights), n_groups)
            np.cumsum(groups, axis=1, dtype=np.float64, out=cumulative[some])
            total[some] = cumulative[some, -1]
            cumulative[some] /= total[some, np.newaxis]
    cumulative += np.arange(n_rows)[:, np.newaxis]
    finite = np.isfinite(total)
    cumulative[~finite] = np.flatnonzero(~finite)[:, np.newaxis]  # so that all is in order
    return cumulative, np.broadcast_to(finite, finite.shape)[users if n_rows > 1 else 0 * users]


def _draws(
    rows: npt.NDArray[np.floating],
    cumulative: FloatArray,
    user: IndexArray,
    rng: np.random.Generator,
) -> IndexArray:
    """Draw an item for each entry of `user`, with replacement: first its group, then the item."""
    n_rows, n_groups = cumulative.shape
    n_items = rows.shape[1]
    row = user if n_rows > 1 else np.zeros_like(user)
    group = np.searchsorted(cumulative.reshape(-1), row + rng.random(len(row)), side="right")
    group = np.minimum(group - row * n_groups, n_groups - 1)
    items = group[:, np.newaxis] * GROUP + np.arange(GROUP)
    places = row[:, np.newaxis] * n_items + np.minimum(items, n_items - 1)
    log_weights = rows.reshape(-1).take(places)
    log_weights[items >= n_items] = -np.inf
    log_weights -= log_weights.max(axis=1, keepdims=True)
    within = np.cumsum(np.exp(log_weights), axis=1, dtype=np.float64)
    place = rng.random(len(row)) * within[:, -1]
    chosen = np.sum(within[:, :-1] <= place[:, np.newaxis], axis=1)
    found: IndexArray = items[np.arange(len(row)), chosen]
    return found


def _first_new(keys: IndexArray, wanted: IndexArray, n_items: int) -> IndexArray:
    """Leave out repeats, and what comes after the first `wanted` of each user; in their order."""
    _, first = np.unique(keys, return_index=True)
    user = keys[first] // n_items
    order = np.lexsort((first, user))
    first, user = first[order], user[order]
    number = np.arange(len(user)) - np.searchsorted(user, user)
    return keys[np.sort(first[number < wanted[user]])]


def _race(
    rows: npt.NDArray[np.floating],
    missing: IndexArray,
    found: IndexArray,
    rng: np.random.Generator,
) -> IndexArray:
    """Draw the items that are still missing, of those not found; as ``user * n_items + item``."""
    n_items = rows.shape[1]
    users, found = np.flatnonzero(missing), np.sort(found)
    late = [np.zeros(0, dtype=np.intp)]
    step = max(1, TILE_ENTRIES // n_items)
    for start in range(0, len(users), step):
        some = users[start : start + step]
        keys = _arrivals(rows[some] if len(rows) > 1 else rows, (len(some), n_items), rng)
        first = np.searchsorted(found, some * n_items)
        stop = np.searchsorted(found, (some + 1) * n_items)
        own = np.repeat(np.arange(len(some)), stop - first)
        keys[own, found[np.isin(found // n_items, some)] % n_items] = np.inf
        chosen, column = _smallest(keys, missing[some])
        late.append(some[chosen] * n_items + column)
    return np.concatenate(late)


def _arrivals(
    rows: npt.NDArray[np.floating], shape: tuple[int, int], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Log of the time at which each item arrives, of rate exp(log-weight); inf for weight 0."""
    # Exponential races: E / w has the order of Gumbel noise + log w, and costs one log less.
    keys = rng.standard_exponential(shape, dtype=np.float32)
    # Once in 10 million draws a float32 exponential is 0, which stands for anything below 2^-23; as
    # the smallest number that there is, it would win against every weight.
    zero = keys == 0
    keys[zero] = rng.random(np.count_nonzero(zero), dtype=np.float32) * np.float32(2**-23)
    np.maximum(keys, np.finfo(np.float32).tiny, out=keys)
    np.log(keys, out=keys)
    keys -= rows
    return keys


def _smallest(keys: npt.NDArray[np.float32], wanted: IndexArray) -> tuple[IndexArray, IndexArray]:
    """Row and column of the `wanted` smallest finite keys of each row."""
    n_rows, n_items = keys.shape
    longest = int(wanted.max(initial=0))
    if longest < n_items:
        nearest = np.argpartition(keys, longest - 1, axis=1)[:, :longest]
    else:
        nearest = np.broadcast_to(np.arange(n_items), (n_rows, n_items))
    values = np.take_along_axis(keys, nearest, axis=1)
    order = np.argsort(values, axis=1, kind="stable")
    taken = np.arange(longest) < wanted[:, None]
    taken &= np.take_along_axis(values, order, axis=1) < np.inf
    row, place = np.nonzero(taken)
    return row, np.take_along_axis(nearest, order, axis=1)[row, place]


def draw_values(
    drawn: sp.csr_array, by_item: sp.csc_array, rng: np.random.Generator
) -> sp.csr_array:
    """Give each drawn item the value of a random training user who holds it.

    Parameters
    ----------
    drawn : csr_array, shape (n_users, n_items)
        Item sets; every item must be held by a training user.
    by_item : csc_array, shape (n_training_users, n_items)
        Training values.

    Returns
    -------
    csr_array, shape (n_users, n_items)
        The same items with values.
    """
    holders = np.diff(by_item.indptr)  # (n_items,)
    holder = (rng.random(drawn.nnz) * holders[drawn.indices]).astype(np.int64)
    values = by_item.data[by_item.indptr[drawn.indices] + holder]
    return sp.csr_array((values, drawn.indices, drawn.indptr), shape=drawn.shape)
