"""Profiles at random among all that keep every profile's size and every item's popularity.

What is left of taste when both margins are known: nothing. A test of taste that finds something in
such profiles is wrong.
"""

import numpy as np
import scipy.sparse as sp

from cornac_mle.checks import check_count, refusal
from cornac_mle.randomness import RngLike, repeatable_generator
from cornac_mle.sparse import held_items

TRADES_A_USER = 20
"""Trades by default, for each user: a user takes part in 40 on average."""


def curveball(profiles: sp.csr_array, *, rng: RngLike, n_trades: int | None = None) -> sp.csr_array:
    """Randomise profiles; every user keeps the number of items, every item the number of users.

    In a trade [1]_ two users, chosen at random, put the items that only one of them holds on a heap
    and take as many as they gave, at random. Trades lead from every matrix to every other one of
    the same margins, a trade is as likely as its reverse, and nothing may change in one: so that
    after many of them all matrices are equally likely [2]_.

    Parameters
    ----------
    profiles : csr_array, shape (n_users, n_items)
        Profiles of at least two users; only which entries are stored counts.
    rng : int, SeedSequence or Generator
        Random seed of the trades.
    n_trades : int, optional
        Number of trades, at least 0; None takes 20 a user, after which the overlap with the
        original no longer falls on MovieLens-100K, Last.fm and The Complete Journey. How many are
        enough is not proved for any data: look at the overlap where it matters.

    Returns
    -------
    csr_array, shape (n_users, n_items)
        Profiles as float32 ones, indices sorted.

    Raises
    ------
    TypeError, ValueError
        If `profiles` are no sparse array of finite values, none below 0, `n_trades` is negative, or
        there are fewer than two users.

    Notes
    -----
    Time n_trades x mean profile size.

    References
    ----------
    .. [1] Strona et al. (2014), "A fast and unbiased procedure to randomize ecological binary
       matrices with fixed row and column totals", Nature Communications 5.
    .. [2] Carstens (2015), "Proof of uniform sampling of binary matrices with fixed row sums and
       column sums for the fast Curveball algorithm", Physical Review E 91.

    Examples
    --------
    >>> before = sp.csr_array([[1, 1, 0], [0, 1, 1], [1, 0, 0]])
    >>> after = curveball(before, rng=1)
    >>> after.sum(axis=0).tolist(), after.sum(axis=1).tolist()
    ([2.0, 2.0, 1.0], [2.0, 2.0, 1.0])
    """
    profiles = held_items("profiles", profiles)
    n_users, n_items = profiles.shape
    if n_users < 2:
        raise ValueError(refusal("profiles", "have at least 2 users to trade", n_users))
    count = TRADES_A_USER * n_users
    if n_trades is not None:
        count = check_count("n_trades", n_trades, minimum=0)
    random = repeatable_generator(rng)
    held = np.split(profiles.indices, profiles.indptr[1:-1])  # views, which are never written to
    first = random.integers(n_users, size=count)
    second = (first + random.integers(1, n_users, size=count)) % n_users
    gives = np.zeros(n_items, dtype=np.bool_)
    for one, other in zip(first, second, strict=True):
        mine, theirs = held[one], held[other]
        gives[theirs] = True
        shared = gives[mine]
        kept = mine[shared]
        own = mine[~shared]
        gives[kept] = False
        heap = np.concatenate([own, theirs[gives[theirs]]])
        gives[theirs] = False
        if 0 < own.size < heap.size:
            random.shuffle(heap)
            held[one] = np.concatenate([kept, heap[: own.size]])
            held[other] = np.concatenate([kept, heap[own.size :]])
    ones = np.ones(profiles.nnz, dtype=np.float32)
    traded = sp.csr_array((ones, np.concatenate(held), profiles.indptr.copy()), profiles.shape)
    traded.sort_indices()
    return traded
