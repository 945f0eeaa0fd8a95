"""A random part of each profile hidden, so that what is shown can be asked for the rest."""

import numpy as np
import scipy.sparse as sp

from cornac_mle.profiles import Profiles
from cornac_mle.sparse import random_places, user_of


def hold_out_share(
    matrix: sp.csr_array, share: float, rng: np.random.Generator
) -> tuple[sp.csr_array, sp.csr_array]:
    """Split each user's items at random into shown and hidden.

    Of n items ``round(share * n)`` are hidden, but at least one is shown and, from two items on,
    at least one is hidden.

    Returns
    -------
    shown, hidden : csr_array, shape (n_users, n_items)
        Disjoint; together `matrix`.
    """
    sizes = np.diff(matrix.indptr)
    users = user_of(matrix)
    count = np.clip(np.round(share * sizes), np.minimum(1, sizes - 1), sizes - 1)
    is_hidden = random_places(matrix, rng) < count[users]
    shown, hidden = (
        sp.csr_array((matrix.data[part], (users[part], matrix.indices[part])), shape=matrix.shape)
        for part in (~is_hidden, is_hidden)
    )
    return shown, hidden


def hold_out_items(
    profiles: Profiles, share: float, rng: np.random.Generator
) -> tuple[Profiles, Profiles]:
    """Split each user's items at random into shown and hidden, as `hold_out_share` does.

    Returns
    -------
    shown, hidden : Profiles
        Same users and items; disjoint.
    """
    shown, hidden = (
        Profiles.from_matrix(part, profiles.item_ids, profiles.user_ids)
        for part in hold_out_share(profiles.matrix, share, rng)
    )
    return shown, hidden
