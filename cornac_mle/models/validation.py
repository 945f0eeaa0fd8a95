"""Users to stop early on: what a model is shown of them, and what it should predict."""

import numpy as np
import scipy.sparse as sp
from cornac.data import Dataset

from cornac_mle.sparse import BoolArray


class Validation:
    """Users to stop early on: what is shown of them, and what should be predicted.

    Attributes
    ----------
    shown, target : csr_array, shape (n_users, n_items)
        Disjoint interactions of the same users.
    is_new : ndarray of bool, shape (n_users,)
        Whether each is no training user; all of them, unless told otherwise.
    """

    def __init__(
        self, shown: sp.csr_array, target: sp.csr_array, is_new: BoolArray | None = None
    ) -> None:
        self.shown = shown
        self.target = target
        self.is_new = np.ones(shown.shape[0], dtype=np.bool_) if is_new is None else is_new


def validation_users(train: sp.csr_array, val_set: Dataset | None) -> Validation | None:
    """Split a Cornac validation set into what a model is shown and what it should predict.

    A training user is shown by the training row, and everything in `val_set` is target. Of a new
    user every fifth item (in the order of item numbers, which is no order of preference) is target
    and the others are shown; one with fewer than two items says nothing and is left out.
    """
    if val_set is None or len(val_set.uir_tuple[0]) == 0:
        return None
    users, items, values = val_set.uir_tuple
    known = items < train.shape[1]
    users, items, values = users[known], items[known], values[known]
    order = np.lexsort((items, users))
    users, items, values = users[order], items[order], values[order]
    names, first, counts = np.unique(users, return_index=True, return_counts=True)
    place = np.arange(len(users)) - np.repeat(first, counts)
    is_new = names >= train.shape[0]
    target = np.repeat(~is_new, counts) | (place % 5 == 1)
    keep = ~is_new | (counts >= 2)
    if not keep.any():
        return None
    rows = np.repeat(np.arange(len(names)), counts)
    shape = (len(names), train.shape[1])

    def matrix(mask: BoolArray) -> sp.csr_array:
        return sp.csr_array((values[mask], (rows[mask], items[mask])), shape=shape)

    shown = sp.csr_array(matrix(~target))
    old = np.flatnonzero(~is_new)
    if len(old):
        lift = sp.csr_array(
            (np.ones(len(old)), (old, names[old])), shape=(len(names), train.shape[0])
        )
        shown = sp.csr_array(shown + lift @ train)
    return Validation(
        sp.csr_array(shown[keep], dtype=np.float32),
        sp.csr_array(matrix(target)[keep], dtype=np.float32),
        is_new[keep],
    )
