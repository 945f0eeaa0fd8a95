"""From scores to items: how many items a profile has, and which."""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def draw_sizes(sizes: IntArray, n_users: int, rng: np.random.Generator) -> IntArray:
    """Draw profile sizes from those of real users, with replacement; shape (n_users,)."""
    return rng.choice(sizes, size=n_users, replace=True)


def plackett_luce(
    log_weights: npt.NDArray[np.floating], sizes: IntArray, rng: np.random.Generator
) -> sp.csr_array:
    """Draw distinct items one after the other, each in proportion to its weight.

    Done at once by the Gumbel-max trick: the `sizes[u]` largest of log-weight + Gumbel noise have
    this law (Yellott 1977). An item of weight 0 (log-weight -inf) is never drawn, so a user gets
    fewer items where the size asks for more than have weight.

    Parameters
    ----------
    log_weights : ndarray, shape (n_users, n_items) or (n_items,)
        One block of users. Any constant may be added to a row.
    sizes : ndarray of int, shape (n_users,)
        Items to draw, 0 to n_items.

    Returns
    -------
    csr_array, shape (n_users, n_items), float32
        1 at drawn items.
    """
    n_users, n_items = len(sizes), log_weights.shape[-1]
    # Exponential races: E / w has the order of Gumbel noise + log w, and costs one log less.
    keys = rng.standard_exponential((n_users, n_items), dtype=np.float32)
    # A float32 exponential is exactly 0 once in some 10 million draws.
    np.maximum(keys, np.finfo(np.float32).tiny, out=keys)
    np.log(keys, out=keys)
    keys -= log_weights
    wanted = np.minimum(sizes, n_items)
    longest = int(wanted.max(initial=0))
    if longest == 0:
        return sp.csr_array((n_users, n_items), dtype=np.float32)
    if longest < n_items:
        nearest = np.argpartition(keys, longest - 1, axis=1)[:, :longest]
    else:
        nearest = np.broadcast_to(np.arange(n_items), (n_users, n_items))
    values = np.take_along_axis(keys, nearest, axis=1)
    order = np.argsort(values, axis=1, kind="stable")
    taken = np.arange(longest) < wanted[:, None]
    taken &= np.take_along_axis(values, order, axis=1) < np.inf
    rows, places = np.nonzero(taken)
    columns = np.take_along_axis(nearest, order, axis=1)[rows, places]
    matrix = sp.csr_array(
        (np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=(n_users, n_items)
    )
    matrix.sort_indices()
    return matrix


def draw_values(
    drawn: sp.csr_array, by_item: sp.csc_array, rng: np.random.Generator
) -> sp.csr_array:
    """Give each drawn item the value of a random training user who holds it.

    Parameters
    ----------
    drawn : csr_array, shape (n_users, n_items)
        Every drawn item must be held by a training user.
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
