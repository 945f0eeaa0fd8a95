"""Items that are held independently: how many, at which odds so many, and draws."""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logsumexp

from cornac_mle.sparse import FloatArray, IndexArray, IntArray

TILT_STEPS = 60
"""Steps to a tilt at most: some 5 where no item is all but certain, and bisections elsewhere."""
NEGLIGIBLE_NATS = 36.0
"""Frequencies at which the characteristic function is below exp(-36) = 2e-16 are left out."""
REACH = (16.0, 9.0)
"""Counts on each side of the mean, plus standard deviations: beyond is a probability of e^-36."""
UNIFORM_STEP = float(2**-24)
"""Distance between the uniform float32 numbers that are drawn."""
OFTEN = 0.5
"""Items of a larger probability are decided one by one."""
RATE = -np.log1p(-OFTEN) / OFTEN
"""Arrivals for a probability: 1 - exp(-RATE p) is p or more up to OFTEN."""
BLOCK = 32
"""Items that are found together, and then told apart."""


class CountDistribution(NamedTuple):
    """How many of independent items each user holds: by its characteristic function.

    Attributes
    ----------
    mean : ndarray, shape (n_users,)
        Items expected.
    period : ndarray, shape (n_users,)
        So many counts are told apart, half of them on each side of the mean.
    characteristic : ndarray of complex, shape (n_frequencies, n_users)
        At 2 pi j / period, j = 1, 2, ...; 0 where it is negligible.
    """

    mean: FloatArray
    period: FloatArray
    characteristic: npt.NDArray[np.complex128]

    @classmethod
    def of(cls, probabilities: npt.NDArray[np.floating]) -> Self:
        """From the probability of each item, (n_users, n_items)."""
        p = np.ascontiguousarray(probabilities.T, dtype=np.float64)  # (n_items, n_users)
        mean = p.sum(axis=0)
        variance = np.einsum("ij,ij->j", p, 1 - p)
        period = 1 + 2 * np.ceil(REACH[0] + REACH[1] * np.sqrt(variance))  # odd
        characteristic, users = [], np.arange(len(mean))
        for place in range(1, int(period.max(initial=1)) // 2 + 1):
            angles = 2 * np.pi * place / period[users]
            # The square of a factor is 1 - 2 p (1 - p) (1 - cos): the product is at most
            # exp(-variance (1 - cos)).
            needed = variance[users] * (1 - np.cos(angles)) < NEGLIGIBLE_NATS
            needed &= place <= period[users] // 2
            if not needed.all():
                users, angles, p = users[needed], angles[needed], p[:, needed]
            if not users.size:
                break
            # 1 + p (e^ia - 1), whose parts are several times as fast as complex products.
            turn, factors = np.expm1(1j * angles), np.empty(p.shape, dtype=np.complex128)
            np.multiply(p, turn.real, out=factors.real)
            np.multiply(p, turn.imag, out=factors.imag)
            factors.real += 1
            characteristic.append(np.zeros(len(mean), dtype=np.complex128))
            characteristic[-1][users] = factors.prod(axis=0)
        table = np.array(characteristic).reshape(len(characteristic), len(mean))
        return cls(mean, period, table)

    def probability(self, users: IndexArray, counts: IntArray) -> FloatArray:
        """Probability that these users hold so many items, (n_counts,), to 1e-13 or so.

        By the trapezoidal rule over the frequencies. 0 where it is e^-36 or less.
        """
        places = np.arange(1, len(self.characteristic) + 1)[:, None]
        back = np.exp(-2j * np.pi * places * (counts / self.period[users]))
        total = 1 + 2 * (self.characteristic[:, users] * back).real.sum(axis=0)
        near = np.abs(counts - self.mean[users]) <= self.period[users] / 2
        return np.where(near, np.maximum(total, 0) / self.period[users], 0.0)


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


def draw_independent(
    probabilities: npt.NDArray[np.floating], users: IndexArray, rng: np.random.Generator
) -> IndexArray:
    """Draw items independently for each entry of `users`; as ``entry * n_items + item``, ascending.

    Parameters
    ----------
    probabilities : ndarray, shape (n_users, n_items)
        Of holding each item.
    users : ndarray of int, shape (n_entries,)
        Whose probabilities each draw has.
    """
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


class Arrivals:
    """Independent items, most of which are absent: draws cost what is held, not what there is.

    Items arrive at a rate of `RATE` times their probability p, so that one has come with
    probability 1 - exp(-RATE p), of which the share p / (1 - exp(-RATE p)) is kept. Which item an
    arrival is of is looked up in running sums. Items of p above `OFTEN` are decided one by one.

    Parameters
    ----------
    probabilities : ndarray, shape (n_users, n_items)
        Of holding each item.
    without : ndarray of int
        Items that are never drawn.
    """

    def __init__(
        self, probabilities: npt.NDArray[np.floating], without: IndexArray | None = None
    ) -> None:
        n_users, self._n_items = probabilities.shape
        self._of_user = -(-self._n_items // BLOCK)  # blocks
        rare = np.zeros((n_users, self._of_user * BLOCK), dtype=probabilities.dtype)
        rare[:, : self._n_items] = probabilities
        if without is not None:
            rare[:, without] = 0
        often = np.flatnonzero(rare > OFTEN)
        user, self._often_item = np.divmod(often, rare.shape[1])
        self._often = rare.reshape(-1)[often]
        self._often_edges = np.searchsorted(user, np.arange(n_users + 1))
        rare.reshape(-1)[often] = 0
        self._blocks = rare.reshape(-1, BLOCK)
        sums = self._blocks @ np.ones(BLOCK, dtype=rare.dtype)
        self._up_to = np.concatenate([[0.0], np.cumsum(sums, dtype=np.float64)])

    def draw(self, users: IndexArray, rng: np.random.Generator) -> IndexArray:
        """As `draw_independent`."""
        from_, to = self._up_to[users * self._of_user], self._up_to[(users + 1) * self._of_user]
        entry = np.repeat(np.arange(len(users)), rng.poisson(RATE * (to - from_)))
        place = from_[entry] + rng.random(len(entry)) * (to - from_)[entry]
        block = np.searchsorted(self._up_to, place, side="right") - 1
        last = (users[entry] + 1) * self._of_user - 1
        block = np.minimum(block, last)  # where a sum was rounded up
        within = np.cumsum(self._blocks[block], axis=1, dtype=np.float64)
        place = rng.random(len(entry)) * within[:, -1]
        found = np.minimum((within <= place[:, None]).sum(axis=1), BLOCK - 1)
        item = (block % self._of_user) * BLOCK + found
        keys, first = np.unique(entry * self._n_items + item, return_index=True)
        p = self._blocks[block[first], found[first]].astype(np.float64)
        rare = keys[rng.random(len(keys)) * -np.expm1(-RATE * p) < p]
        edges = self._often_edges
        each = edges[users + 1] - edges[users]
        entry = np.repeat(np.arange(len(users)), each)
        start = np.cumsum(each) - each
        place = np.arange(len(entry)) + np.repeat(edges[users] - start, each)
        held = rng.random(len(place)) < self._often[place]
        often = entry[held] * self._n_items + self._often_item[place[held]]
        return np.sort(np.concatenate([rare, often]))
