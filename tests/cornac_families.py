"""Every family of Cornac models that can be sampled, small, and a world to fit them to."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from cornac import models
from cornac.data import GraphModality
from cornac.models import Recommender

from cornac_mle.profiles import Profiles
from worlds import profiles


def two_communities(n_users: int = 240, n_items: int = 104, seed: int = 0) -> Profiles:
    """The checkerboard with popular and rare items, and users of many items and of few."""
    random = np.random.default_rng(seed)
    half = n_items // 2
    probabilities = np.tile(np.geomspace(0.8, 0.08, half), 2)
    of = np.arange(n_users) % 2 * half  # where the user's community begins
    mine = (np.arange(n_items) >= half)[None, :] == (of > 0)[:, None]
    wanted = random.uniform(0.4, 1.2, n_users)[:, None] * probabilities
    likes = mine & (random.random((n_users, n_items)) < wanted)
    likes[np.arange(n_users), of] = likes[np.arange(n_users), of + 1] = True
    return profiles(sp.csr_array(likes.astype(np.float32)))


def dataset(world: Profiles):
    """Cornac's data, with a graph in which each user knows two others of the community."""
    data, n_users = world.to_dataset(seed=1), len(world)
    edges = [(user, (user + step) % n_users, 1.0) for user in range(n_users) for step in (2, 4)]
    graph = GraphModality(data=edges).build(id_map={user: user for user in range(n_users)})
    data.add_modalities(user_graph=graph)
    return data


WORLD = two_communities()
DATA = dataset(WORLD)
LARGER_WORLD = two_communities(50, 108, seed=2)
SMALL, LARGER = dataset(two_communities(40, seed=1)), dataset(LARGER_WORLD)
FRESH = two_communities(4_000, seed=9)  # other users of the same world: the ceiling


@dataclass(frozen=True)
class Family:
    """How to make a small model, and what it cannot do, for which reason."""

    make: Callable[[], Recommender]
    communities: float = 0.9
    popularity: bool = True
    why: str = ""


RATINGS = "predicts ratings, not who holds what"
OWN_DISTRIBUTION = (
    "nothing is fitted to the popularity, and the prior draws points between communities too"
)
NETWORK = {"backend": "pytorch", "seed": 1, "verbose": False}

FAMILIES = {
    "MostPop": Family(models.MostPop, communities=0, why="all users alike"),
    "GlobalAvg": Family(models.GlobalAvg, communities=0, why=RATINGS),
    "BaselineOnly": Family(lambda: models.BaselineOnly(seed=1), communities=0, why=RATINGS),
    "PMF": Family(lambda: models.PMF(k=5, max_iter=20, seed=1), communities=0, why=RATINGS),
    "MF": Family(lambda: models.MF(k=5, seed=1), communities=0, why=RATINGS),
    "SVD": Family(lambda: models.SVD(k=5, seed=1), communities=0, why=RATINGS),
    "NMF": Family(lambda: models.NMF(k=5, seed=1), communities=0, why=RATINGS),
    "BPR": Family(lambda: models.BPR(k=10, learning_rate=0.1, seed=1)),
    "WBPR": Family(lambda: models.WBPR(k=10, max_iter=200, learning_rate=0.1, seed=1)),
    "MMMF": Family(lambda: models.MMMF(k=10, learning_rate=0.05, seed=1)),
    "HPF": Family(
        lambda: models.HPF(k=5, max_iter=60, seed=1),
        communities=0.75,
        popularity=False,
        why=OWN_DISTRIBUTION,
    ),
    "EASE": Family(lambda: models.EASE(lamb=100, verbose=False)),
    "ItemKNN": Family(lambda: models.ItemKNN(k=50, verbose=False, seed=1)),
    "UserKNN": Family(lambda: models.UserKNN(k=50, verbose=False, seed=1)),
    "SKMeans": Family(lambda: models.SKMeans(k=4, verbose=False, seed=1)),
    "VAECF": Family(
        lambda: models.VAECF(k=5, n_epochs=20, batch_size=50, learning_rate=0.02, seed=1),
        communities=0.75,
        popularity=False,
        why=OWN_DISTRIBUTION,
    ),
    "CVAECF": Family(
        lambda: models.CVAECF(
            z_dim=5, h_dim=5, n_epochs=6, batch_size=50, learning_rate=0.02, seed=1
        ),
        communities=0.75,
        popularity=False,
        why=OWN_DISTRIBUTION,
    ),
    "BiVAECF": Family(
        lambda: models.BiVAECF(k=3, n_epochs=30, batch_size=50, learning_rate=0.02, seed=1),
        communities=0.7,
        popularity=False,
        why=OWN_DISTRIBUTION,
    ),
    "RecVAE": Family(
        lambda: models.RecVAE(
            hidden_dim=20, latent_dim=5, n_epochs=4, batch_size=50, lr=0.02, use_gpu=False, seed=1
        )
    ),
    "GMF": Family(lambda: models.GMF(num_epochs=5, lr=0.03, batch_size=256, **NETWORK)),
    "MLP": Family(
        lambda: models.MLP(layers=(16, 8), num_epochs=6, lr=0.02, batch_size=64, **NETWORK)
    ),
    "NeuMF": Family(
        lambda: models.NeuMF(layers=(16, 8), num_epochs=4, lr=0.02, batch_size=128, **NETWORK)
    ),
    "IBPR": Family(lambda: models.IBPR(k=10, max_iter=5, learning_rate=0.2, batch_size=50)),
    "OnlineIBPR": Family(
        lambda: models.OnlineIBPR(k=10, max_iter=5),
        communities=0,
        why="Cornac's leaves the items' factors at random",
    ),
}
ALSO = ("GlobalAvg", "OnlineIBPR")
"""In no family, and in that of IBPR."""
OWN_DISTRIBUTIONS = ("HPF", "VAECF", "CVAECF", "BiVAECF")


def same(one: Profiles, other: Profiles) -> bool:
    return (one.matrix != other.matrix).nnz == 0 and one.item_ids.equals(other.item_ids)


def popularity_js(users: Profiles) -> float:
    """Jensen-Shannon divergence, base 2, of the shares of items from those in training."""
    shares = [part.item_counts / part.item_counts.sum() for part in (users, WORLD)]
    middle = np.mean(shares, axis=0)
    parts = [
        np.sum(share[share > 0] * np.log2(share[share > 0] / middle[share > 0])) for share in shares
    ]
    return float(np.mean(parts))
