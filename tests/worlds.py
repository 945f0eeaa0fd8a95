"""Small worlds with a known answer."""

import itertools

import numpy as np
import scipy.sparse as sp

from cornac_mle.profiles import Profiles, ids_index


def checkerboard(n_users: int = 200, n_items: int = 40, density: float = 0.5, seed: int = 0):
    """Two communities: even users hold items of the first half only, odd users of the second."""
    random = np.random.default_rng(seed)
    likes = random.random((n_users, n_items)) < density
    mine = (np.arange(n_items) < n_items // 2)[None, :] == (np.arange(n_users) % 2 == 0)[:, None]
    likes &= mine
    first_own = np.where(np.arange(n_users) % 2 == 0, 0, n_items // 2)
    likes[np.arange(n_users), first_own] = True
    likes[np.arange(n_users), first_own + 1] = True
    return profiles(sp.csr_array(likes.astype(np.float32)))


def communities(matrix: sp.csr_array) -> np.ndarray:
    """Share of each user's items that are of the community it has more items of, (n_users,)."""
    half = matrix.shape[1] // 2
    first = np.diff(sp.csr_array(matrix[:, :half]).indptr)
    sizes = np.maximum(np.diff(matrix.indptr), 1)
    return np.maximum(first, sizes - first) / sizes


def taste_world(
    n_users: int,
    n_items: int = 120,
    n_tastes: int = 4,
    mean_size: int = 15,
    seed: int = 0,
    size_spread: float = 0.0,
):
    """Users with one of a few tastes over items of unequal popularity.

    `size_spread` is the standard deviation of the log of a user's own mean size.
    """
    random = np.random.default_rng(seed)
    weights = random.gamma(0.3, size=(n_tastes, n_items)) + 1e-2
    own = np.exp(size_spread * random.normal(size=n_users)) if size_spread else 1.0
    sizes = np.clip(random.poisson(mean_size * own, n_users), 3, n_items // 2)
    keys = (
        random.exponential(size=(n_users, n_items))
        / weights[random.integers(n_tastes, size=n_users)]
    )
    ranks = keys.argsort(axis=1).argsort(axis=1)
    return profiles(sp.csr_array((ranks < sizes[:, None]).astype(np.float32)))


def profiles(matrix: sp.csr_array, prefix: str = "u") -> Profiles:
    """Wrap a matrix: users u0, u1, ..., items i0, i1, ..."""
    users = ids_index([f"{prefix}{row}" for row in range(matrix.shape[0])])
    items = ids_index([f"i{column}" for column in range(matrix.shape[1])])
    return Profiles(matrix, users, items)


def rated(world: Profiles, seed: int = 0) -> Profiles:
    """The same sets with values 1..5."""
    matrix = world.matrix.copy()
    matrix.data = np.random.default_rng(seed).integers(1, 6, size=matrix.nnz).astype(np.float32)
    return Profiles(matrix, world.user_ids, world.item_ids)


def every_profile(n_items: int = 5) -> Profiles:
    """All item sets but the empty one: what a distribution can be held against in full."""
    sets = list(itertools.product([0, 1], repeat=n_items))[1:]
    return profiles(sp.csr_array(np.array(sets, dtype=np.float32)))


def counts_of(users: Profiles, everything: Profiles) -> np.ndarray:
    """How many users hold exactly each of the profiles, (n_profiles,)."""
    places = 1 << np.arange(everything.matrix.shape[1])
    codes = users.matrix.astype(bool) @ places
    return np.array([np.sum(codes == one) for one in everything.matrix @ places])
