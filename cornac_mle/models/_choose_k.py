"""How many kinds of users or topics: as many as make users who were left out most probable."""

from abc import abstractmethod
from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from cornac_mle.checks import check_count, check_seed
from cornac_mle.models.base import GenerativeRecommender
from cornac_mle.models.validation import Validation
from cornac_mle.sparse import FloatArray

CHOICES = (1, 2, 5, 10, 20, 50, 100)
"""What `choose_k` tries, in this order."""

LEFT_OUT_SHARE = 0.2
"""Share of the training users that is left out where there are no validation users."""


class ChoosesK(GenerativeRecommender):
    """A model of `k` kinds of users or topics, whose `k` may be left to the data.

    Parameters
    ----------
    k : int or None
        Kinds or topics; None: chosen by `choose_k`.
    name : str
        Name of the recommender.
    trainable, verbose : bool
        As in Cornac.
    seed : int or None
        Random seed of the fit and of who is left out of it.

    Attributes
    ----------
    k_ : int
        Kinds or topics fitted.
    held_out_nats_ : dict of int to float
        Mean log-likelihood of a user left out, for each k tried; empty where k was given.
    """

    def __init__(
        self, k: int | None, *, name: str, trainable: bool, verbose: bool, seed: int | None
    ) -> None:
        super().__init__(name=name, trainable=trainable, verbose=verbose)
        self.k = None if k is None else check_count("k", k)
        self.seed = check_seed(seed)

    def _fit(self, matrix: sp.csr_array, validation: Validation | None) -> None:
        self.by_item_ = sp.csc_array(matrix)
        self.held_out_nats_: dict[int, float] = {}
        self.k_ = self.k if self.k is not None else self._chosen(matrix, validation)
        self._fit_with(matrix, self.k_)

    def _chosen(self, matrix: sp.csr_array, validation: Validation | None) -> int:
        how = self._fit_with, self._choice_nats
        k, self.held_out_nats_ = choose_k(*how, matrix, validation, self.seed)
        return k

    @abstractmethod
    def _fit_with(self, matrix: sp.csr_array, k: int) -> None:
        """Fit `k` kinds or topics to `matrix`, (n_users, n_items)."""

    @abstractmethod
    def _choice_nats(self, left_out: sp.csr_array) -> FloatArray:
        """Log-likelihood in nats, (n_left_out,), under what was fitted last."""


def choose_k(
    fit: Callable[[sp.csr_array, int], None],
    log_likelihood: Callable[[sp.csr_array], FloatArray],
    train: sp.csr_array,
    validation: Validation | None,
    seed: int | None,
) -> tuple[int, dict[int, float]]:
    """Raise k through 1, 2, 5, 10, 20, 50, 100 while users left out become more probable.

    It stops at the first k that makes them less probable, and at one for every two users.

    Parameters
    ----------
    fit : callable
        Function that fits to users with the k given.
    log_likelihood : callable
        Nats (n_left_out,) of profiles under what was fitted last.
    train : csr_array, shape (n_users, n_items)
        Training users.
    validation : Validation, optional
        Users of whom `left_out_users` makes those who are left out.
    seed : int or None
        Random seed of who is left out of the training users.

    Returns
    -------
    k : int
        The best; 1 where nobody is left out.
    held_out_nats : dict of int to float
        Mean nats a user left out, of each k that was tried. Higher is better.

    Notes
    -----
    Cost: one fit for every k tried, up to the one after the best.
    """
    users, left_out = left_out_users(train, validation, np.random.default_rng(seed))
    held_out_nats: dict[int, float] = {}
    best = 1
    for k in CHOICES:
        if left_out.shape[0] == 0 or (k > 1 and 2 * k > users.shape[0]):
            break
        fit(users, k)
        held_out_nats[k] = float(np.mean(log_likelihood(left_out)))
        if held_out_nats[k] < held_out_nats[best]:
            break
        best = k
    return best, held_out_nats


def left_out_users(
    train: sp.csr_array, validation: Validation | None, rng: np.random.Generator
) -> tuple[sp.csr_array, sp.csr_array]:
    """Part users into those to fit to and those to judge by.

    Judges are the validation users, with all their items, who are no training users; without any,
    a random fifth of the training users, who then are not fitted to. Items that nobody holds of
    those fitted to are taken from the judges: every k gives them probability 0.

    Parameters
    ----------
    train : csr_array, shape (n_users, n_items)
        Training users.
    validation : Validation, optional
        Users to judge by.
    rng : Generator
        Generator of who is left out of the training users.

    Returns
    -------
    users, left_out : csr_array
        The judges have at least one item each.
    """
    users, left_out = train, train[:0]
    if validation is not None:
        whole = sp.csr_array(validation.shown + validation.target)
        left_out = whole[np.flatnonzero(validation.is_new)]
    if left_out.shape[0] == 0:
        order = rng.permutation(train.shape[0])
        n_left_out = int(LEFT_OUT_SHARE * train.shape[0])
        left_out = train[np.sort(order[:n_left_out])]
        users = train[np.sort(order[n_left_out:])]
    held = np.bincount(users.indices, minlength=users.shape[1]) > 0
    known = left_out.tocoo()
    keep = held[known.coords[1]]
    left_out = sp.csr_array(
        (known.data[keep], (known.coords[0][keep], known.coords[1][keep])), shape=left_out.shape
    )
    left_out.sort_indices()
    return users, left_out[np.flatnonzero(np.diff(left_out.indptr))]
