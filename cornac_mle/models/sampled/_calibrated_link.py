"""From a recommender's scores to whole profiles: an inverse temperature and an offset an item.

A recommender ranks; the scale of its scores means nothing. A profile of n items is drawn one after
the other (`plackett_luce`) with log-weights ::

    inverse temperature * score + offset of the item

The inverse temperature is the one of highest likelihood for items that were hidden while the users
were folded in: a user that is scored for what it already holds would make any model look too sure.
They are users whom the model has not seen, where there are some: on items that are independent,
where the inverse temperature should be 0, EASE and BPR get one above it from training users, of
whose items they learnt. The offsets then give each item, over all synthetic users, the share of
holders that it has in training. So the sizes and the popularity are the data's, and who holds what
with what is the model's.
"""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.optimize import minimize_scalar

from cornac_mle.sparse import FloatArray, IntArray

Floats = npt.NDArray[np.floating]

LEAST_INVERSE_TEMPERATURE, LARGEST_INVERSE_TEMPERATURE = 1e-2, 1e3
"""Inverse temperatures tried, times the standard deviation of the scores over users and items."""
FITTING_STEPS = 4
"""Updates of the offsets at each inverse temperature tried."""
OFFSET_STEPS = 40
"""Updates of the offsets to the training popularity."""
LARGEST_STEP = 2.0
"""Nats that an offset moves at once."""


def centred(scores: FloatArray) -> FloatArray:
    """Take off each user's and each item's mean: what is left depends on who meets what."""
    by_user = scores - scores.mean(axis=1, keepdims=True)
    return np.asarray(by_user - by_user.mean(axis=0, keepdims=True))


def fit_inverse_temperature(
    scores: FloatArray, shown: sp.csr_array, hidden: sp.csr_array, popularity: FloatArray
) -> float:
    """Find the inverse temperature that makes the hidden items most probable among those not shown.

    Parameters
    ----------
    scores : ndarray, shape (n_users, n_items)
        Scores by what is shown of the users.
    shown, hidden : csr_array, shape (n_users, n_items)
        Disjoint parts of their profiles.
    popularity : ndarray, shape (n_items,)
        Training users who hold each item. Items of nobody do not count.

    Returns
    -------
    float
        At least 0. 0 where the scores are the same for all users, or say nothing of the hidden.

    Notes
    -----
    The log-likelihood is that of a multinomial logit, with offsets that keep the expected holders
    of each item in proportion to `popularity`. Time: some 100 x n_users x n_items exponentials.
    """
    held = popularity > 0
    spread = centred(scores[:, held])
    scale = float(spread.std())
    if not scale > 1e-9 * max(1.0, float(np.abs(scores).max())) or hidden.nnz == 0:
        return 0.0
    spread = (spread / scale).astype(np.float32)
    logit = HiddenItemsLogit(spread, shown[:, held], hidden[:, held], popularity[held])
    flat = logit.loss(0.0)
    found = minimize_scalar(
        lambda log_inverse_temperature: logit.loss(float(np.exp(log_inverse_temperature))),
        bounds=(np.log(LEAST_INVERSE_TEMPERATURE), np.log(LARGEST_INVERSE_TEMPERATURE)),
        method="bounded",
        options={"xatol": 0.02},
    )
    return float(np.exp(found.x)) / scale if found.fun < flat else 0.0


class HiddenItemsLogit:
    """Multinomial logit of hidden items among those not shown, its offsets kept from fit to fit.

    Parameters
    ----------
    spread : ndarray, shape (n_users, n_held_items), float32
        Scores, centred, of standard deviation 1.
    shown, hidden : csr_array, shape (n_users, n_held_items)
        Disjoint parts of the profiles.
    popularity : ndarray, shape (n_held_items,)
        Training users who hold each item, above 0.
    """

    def __init__(
        self, spread: Floats, shown: sp.csr_array, hidden: sp.csr_array, popularity: FloatArray
    ) -> None:
        self.spread = spread
        self.candidates = np.ones_like(spread, dtype=np.bool_)
        self.candidates[shown.nonzero()] = False
        self.hidden = hidden.nonzero()
        # (n_users,)
        self.counts = np.bincount(self.hidden[0], minlength=len(spread)).astype(np.float32)
        self.target = popularity / popularity.sum() * self.counts.sum()
        self.offsets = np.log(popularity).astype(np.float32)

    def loss(self, inverse_temperature: float) -> float:
        """Give minus the log-likelihood of the hidden items in nats, after updates of offsets."""
        weights = inverse_temperature * self.spread
        for _ in range(FITTING_STEPS):
            expected = self.counts @ self._shares(weights + self.offsets)[0]
            step = np.log(self.target / np.maximum(expected, 1e-30))
            step = np.clip(step, -LARGEST_STEP, LARGEST_STEP).astype(np.float32)
            self.offsets = self.offsets + step
        log_weights = weights + self.offsets
        _, log_totals = self._shares(log_weights)
        return -float((log_weights[self.hidden] - log_totals[self.hidden[0]]).sum())

    def _shares(self, log_weights: Floats) -> tuple[Floats, Floats]:
        """Probabilities of candidates, (n_users, n_held_items), and log-totals, (n_users,)."""
        top = log_weights.max(axis=1, keepdims=True)
        weights = np.exp(log_weights - top) * self.candidates
        total = np.maximum(weights.sum(axis=1), 1e-30)
        return weights / total[:, None], np.log(total) + top[:, 0]


def fit_offsets(log_weights: FloatArray, sizes: IntArray, popularity: FloatArray) -> FloatArray:
    """Find the offsets at which synthetic users hold each item as often as training users do.

    Parameters
    ----------
    log_weights : ndarray, shape (n_users, n_items)
        Inverse temperature times scores of synthetic users.
    sizes : ndarray of int, shape (n_users,)
        Their profile sizes.
    popularity : ndarray, shape (n_items,)
        Training users who hold each item.

    Returns
    -------
    ndarray, shape (n_items,)
        -inf for items of nobody.

    Notes
    -----
    When each item arrives at a time of its own, exponential of rate w, a profile of n items has
    those that come before the n-th: nearly all with 1 - exp(-w t), t chosen for a sum of n.
    """
    held = popularity > 0
    target = popularity[held] / popularity.sum()
    # What all users' scores of an item share, however large, is the offset's affair.
    shared = log_weights[:, held].mean(axis=0)
    weights = (log_weights[:, held] - shared).astype(np.float32)
    offsets = np.log(popularity[held]).astype(np.float32)
    wanted = np.minimum(sizes, held.sum() - 0.5).astype(np.float64)
    first = weights + offsets
    log_times = (
        np.log(wanted)
        - first.max(axis=1)
        - np.log(np.exp(first - first.max(axis=1, keepdims=True)).sum(axis=1))
    )
    for _ in range(OFFSET_STEPS):
        rates = np.exp(np.minimum(weights + offsets + log_times[:, None].astype(np.float32), 60.0))
        stay = np.exp(-rates)
        expected = (1 - stay).sum(axis=1, dtype=np.float64)
        inverse_temperature = (rates * stay).sum(axis=1, dtype=np.float64)
        log_times += np.clip((wanted - expected) / np.maximum(inverse_temperature, 1e-9), -1.0, 1.0)
        shares = (1 - stay).sum(axis=0, dtype=np.float64)
        step = np.log(target * shares.sum() / np.maximum(shares, 1e-12))
        offsets = offsets + np.clip(step, -LARGEST_STEP, LARGEST_STEP).astype(np.float32)
    result = np.full(len(popularity), -np.inf)
    result[held] = offsets - shared
    return result
