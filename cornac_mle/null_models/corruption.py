"""What "not real" means: profiles that no user has, made from those that users have.

From crude to subtle: *popularity draws* know how popular each item is and nothing else; a *swap*
keeps most of a real profile and replaces a share of it by popularity draws; a *chimera* joins
halves of two real users, so that every item is among items it belongs with, and a stranger's.

All functions take and return patterns: CSR arrays whose stored entries are the items of a user.
Returned values are 1, indices are sorted, arguments are left as they were.
"""

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from cornac_mle.checks import refusal
from cornac_mle.randomness import RngLike, children, repeatable_generator
from cornac_mle.sparse import coo_to_csr, random_places, user_of
from cornac_mle.workers import in_threads

BLOCK_USERS = 1024
"""Users drawn together, each block from a random stream of its own."""


def popularity_draws(popularity: ArrayLike, sizes: ArrayLike, *, rng: RngLike) -> sp.csr_array:
    """Draw profiles of given sizes whose items follow popularity and nothing else.

    Items are drawn one after the other, without replacement, in proportion to popularity
    (Plackett-Luce). This equals a race [1]_: item i arrives at the time E_i / popularity_i, where
    E_i is standard exponential, and the first ``sizes[u]`` arrivals are the profile of user u.

    Parameters
    ----------
    popularity : array_like, shape (n_items,)
        Weights of the items, finite, none negative. An item of weight 0 is never drawn.
    sizes : array_like of int, shape (n_users,)
        Number of items of each user.
    rng : int, SeedSequence or Generator
        Random seed of the draws.

    Returns
    -------
    csr_array, shape (n_users, n_items)
        Profiles as float32 ones.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or a size is negative or above the number of items
        with positive weight.

    Notes
    -----
    Time n_users x n_items.

    References
    ----------
    .. [1] Yellott (1977), "The relationship between Luce's choice axiom, Thurstone's theory of
       comparative judgment, and the double exponential distribution", J. Math. Psychology 15(2).

    Examples
    --------
    >>> popularity_draws([5, 3, 0], [2, 0, 2], rng=1).toarray()
    array([[1., 1., 0.],
           [0., 0., 0.],
           [1., 1., 0.]], dtype=float32)
    """
    weights = _checked_popularity(popularity)
    wanted = np.asarray(sizes, dtype=np.int64)
    drawable = int(np.count_nonzero(weights))
    if wanted.ndim != 1 or np.any(wanted < 0) or np.any(wanted > drawable):
        rule = f"be one-dimensional and within 0 and {drawable}, the number of items to draw from"
        got = wanted.shape if wanted.ndim != 1 else f"{wanted.min()} to {wanted.max()}"
        raise ValueError(refusal("sizes", rule, got, "Draw smaller profiles."))
    nobody = sp.csr_array((wanted.size, weights.size), dtype=np.float32)
    return _drawn_outside(nobody, weights, wanted, repeatable_generator(rng))


def swap(
    profiles: sp.csr_array, share: float, *, popularity: ArrayLike, rng: RngLike
) -> sp.csr_array:
    """Replace a share of every profile by popularity draws of items that the user does not hold.

    Sizes are kept. The number replaced is ``share * size``, rounded half up, and at least 1 if the
    share is positive and the profile is not empty: whoever comes back has changed. Where fewer
    items of positive popularity are left to draw, as many are swapped as there are.

    Parameters
    ----------
    profiles : csr_array, shape (n_users, n_items)
        Profiles to corrupt.
    share : float
        Share of the items to replace, in [0, 1].
    popularity : array_like, shape (n_items,)
        Weights of the draws, finite, none negative.
    rng : int, SeedSequence or Generator
        Random seed of the draws.

    Returns
    -------
    csr_array, shape (n_users, n_items)
        Profiles as float32 ones.

    Raises
    ------
    ValueError
        If the share is outside [0, 1], or the popularity is not one valid weight an item.

    Examples
    --------
    >>> swap(sp.csr_array([[1, 1, 0, 0]]), 1.0, popularity=[9, 9, 1, 1], rng=0).toarray()
    array([[0., 0., 1., 1.]], dtype=float32)
    """
    weights = _checked_popularity(popularity)
    n_users, n_items = profiles.shape
    if weights.size != n_items:
        advice = "Count the items of the same catalogue."
        rule = f"have one weight for each of the {n_items} items"
        raise ValueError(refusal("popularity", rule, f"{weights.size} weights", advice))
    if not 0 <= share <= 1:
        raise ValueError(refusal("share", "be in [0, 1]", share))
    random = repeatable_generator(rng)
    sizes = np.diff(profiles.indptr).astype(np.int64)
    user = user_of(profiles)
    held_weights = np.bincount(user, weights=weights[profiles.indices] > 0, minlength=n_users)
    left_to_draw = np.count_nonzero(weights) - held_weights.astype(np.int64)
    wanted = np.floor(share * sizes + 0.5).astype(np.int64)
    if share > 0:
        wanted = np.maximum(wanted, 1)
    swapped = np.minimum(np.minimum(wanted, sizes), left_to_draw)  # (n_users,)
    stays = random_places(profiles, random) >= swapped[user]
    kept = _pattern(user[stays], profiles.indices[stays], (n_users, n_items))
    both = sp.csr_array(kept + _drawn_outside(profiles, weights, swapped, random))
    both.sort_indices()
    return both


def chimera(profiles: sp.csr_array, *, rng: RngLike) -> sp.csr_array:
    """Join half of every user's items with half of another user's items.

    Sizes are kept: users are put in the order of their sizes, ties at random, and each is joined
    with the next, the last with the one before. A user of n items keeps ceil(n / 2) of them at
    random; the other floor(n / 2) are a random choice of the partner's items that are not among
    those kept. Where the partner has too few, the user's own remaining items fill up.

    Parameters
    ----------
    profiles : csr_array, shape (n_users, n_items)
        Profiles of at least two users.
    rng : int, SeedSequence or Generator
        Random seed of the draws.

    Returns
    -------
    csr_array, shape (n_users, n_items)
        Profiles as float32 ones; row u has as many items as row u of `profiles`.

    Raises
    ------
    ValueError
        If there are fewer than two users.

    Examples
    --------
    >>> chimera(sp.csr_array([[1, 1, 0, 0], [0, 0, 1, 1]]), rng=0).toarray()
    array([[1., 0., 1., 0.],
           [1., 0., 1., 0.]], dtype=float32)
    """
    n_users, n_items = profiles.shape
    if n_users < 2:
        raise ValueError(refusal("profiles", "have at least 2 users to be joined", n_users))
    random = repeatable_generator(rng)
    sizes = np.diff(profiles.indptr).astype(np.int64)
    order = np.lexsort((random.random(n_users), sizes))
    partner = np.empty(n_users, dtype=np.int64)
    partner[order] = np.append(order[1:], order[-2])

    # Turns in choosing: the user's own half, then the partner's items, then the user's own rest.
    own_user = user_of(profiles)
    in_own_half = random_places(profiles, random) < ((sizes + 1) // 2)[own_user]
    theirs = profiles[partner]
    user = np.concatenate([own_user, user_of(theirs)])
    item = np.concatenate([profiles.indices, theirs.indices])
    turn = np.concatenate([np.where(in_own_half, 0, 2), np.ones(theirs.nnz, dtype=np.int64)])
    by_pair = np.lexsort((turn, item, user))
    user, item, turn = user[by_pair], item[by_pair], turn[by_pair]
    new = np.append(True, (np.diff(user) != 0) | (np.diff(item) != 0))[: user.size]
    user, item, turn = user[new], item[new], turn[new]  # what both hold counts once, when first due

    by_turn = np.lexsort((random.random(user.size), turn, user))
    user, item = user[by_turn], item[by_turn]
    place = np.arange(user.size) - np.searchsorted(user, np.arange(n_users))[user]
    chosen = place < sizes[user]
    return _pattern(user[chosen], item[chosen], (n_users, n_items))


def _drawn_outside(
    held: sp.csr_array,
    weights: NDArray[np.float64],
    sizes: NDArray[np.int64],
    random: np.random.Generator,
) -> sp.csr_array:
    """Draw ``sizes[u]`` items in proportion to the weights, none of them held by user u."""
    n_users, n_items = held.shape
    with np.errstate(divide="ignore"):
        mean_wait = 1.0 / weights  # (n_items,); infinite for an item that is never drawn

    def of_block(
        part: tuple[int, np.random.SeedSequence],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        first, seed = part
        rows = np.arange(first, min(first + BLOCK_USERS, n_users))
        arrival = np.random.default_rng(seed).standard_exponential((rows.size, n_items))
        arrival *= mean_wait
        own = held[rows]
        arrival[user_of(own), own.indices] = np.inf
        # Who is among the first matters, in which order does not: the first times are enough.
        most = min(int(sizes[rows].max()), n_items)
        first_times = arrival
        if most < n_items:
            first_times = np.partition(arrival, most, axis=1)[:, : max(1, most)]
        first_times = np.sort(first_times, axis=1)
        last = first_times[np.arange(rows.size), np.maximum(sizes[rows] - 1, 0)]
        user, item = np.nonzero(arrival <= np.where(sizes[rows] > 0, last, -1.0)[:, np.newaxis])
        return user + first, item

    firsts = range(0, n_users, BLOCK_USERS)
    parts = in_threads(of_block, zip(firsts, children(random, len(firsts)), strict=True))
    users, items = zip((np.empty(0, dtype=np.int64),) * 2, *parts, strict=True)
    return _pattern(np.concatenate(users), np.concatenate(items), (n_users, n_items))


def _pattern(
    user: NDArray[np.int64], item: NDArray[np.int64], shape: tuple[int, int]
) -> sp.csr_array:
    """CSR array of ones from distinct (user, item) pairs."""
    return coo_to_csr(np.ones(user.size), user, item, shape)


def _checked_popularity(popularity: ArrayLike) -> NDArray[np.float64]:
    weights = np.asarray(popularity, dtype=np.float64)
    if weights.ndim != 1 or not np.all(np.isfinite(weights)) or np.any(weights < 0):
        rule = "be one-dimensional, finite and nowhere negative"
        advice = "Give how many users hold each item."
        raise ValueError(refusal("popularity", rule, f"shape {weights.shape}", advice))
    return weights
