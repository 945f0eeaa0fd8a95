"""Rows of the table of speed: what we do, what a peer does as it ships, and the physical limit.

A row is a function that prepares data and returns a `Row` of actions; each runs in a process of its
own (`table.py`). The limit is the least work of the job, done at its best: its matrix products.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from cornac_mle.profiles import Profiles
from paths import SHARED_DATA

MOVIELENS = SHARED_DATA / "movielens_1m" / "ratings_with_order.csv.gz"
N_ITEMS = 20_000
K = 5


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    what : str
        What is done, with its sizes.
    ours : callable
        Ours.
    peer, peer_name : callable and str, optional
        What a peer takes for the same, or for the part of it that it has.
    limit, limit_name : callable and str, optional
        The least work.
    repeats, peer_repeats : int
        Interleaved repeats, of which the fastest counts; peers may have fewer.
    peer_share : float
        Share of the work that the peer is given; its seconds are divided by it.
    """

    what: str
    ours: Callable[[], Any]
    peer: Callable[[], Any] | None = None
    peer_name: str = ""
    limit: Callable[[], Any] | None = None
    limit_name: str = ""
    repeats: int = 3
    peer_repeats: int = 1
    peer_share: float = 1.0


def skewed_sets(n_users: int, exponent: float, seed: int) -> sp.csr_array:
    """Sets of 80 of 20,000 items on average; popularity flat, or falling with the rank."""
    from cornac_mle.null_models.corruption import popularity_draws

    popularity = np.arange(10.0, N_ITEMS + 10) ** -exponent
    sizes = np.maximum(np.random.default_rng(0).poisson(80, n_users), 1)
    return popularity_draws(popularity, sizes, rng=seed)


def users_of_tastes(n_users: int, n_items: int, seed: int) -> Profiles:
    """Users of two tastes each over items of Zipf-like popularity (`large_tables`)."""
    from large_tables import draw_users

    user, item = draw_users(n_users, n_items, untrue=0.2, seed=seed)
    ones = np.ones(user.size, dtype=np.float32)
    matrix = sp.csr_array((ones, (user, item)), shape=(n_users, n_items))
    return Profiles.from_matrix(matrix, pd.Index(range(n_items)))


def movielens() -> Profiles:
    """Likes of MovieLens-1M."""
    ratings = pd.read_csv(MOVIELENS)
    return Profiles.from_frame(ratings.loc[ratings.rating >= 4, ["user", "item"]])


def blocked_product(left: np.ndarray, right: np.ndarray, rows: int) -> None:
    """Multiply block by block into one array."""
    out = np.empty((rows, right.shape[1]), dtype=left.dtype)
    for start in range(0, len(left), rows):
        block = left[start : start + rows]
        np.matmul(block, right, out=out[: len(block)])


def vectors() -> Row:
    from prdc import compute_prdc

    from cornac_mle.metrics.point_sets import prdc

    random = np.random.default_rng(0)
    real, synthetic = random.normal(size=(2, 10_000, 64)).astype(np.float32)

    def products() -> None:
        for left, right in ((real, real), (synthetic, synthetic), (real, synthetic)):
            blocked_product(left, right.T, 200)

    return Row(
        "six neighbour metrics, 10,000 + 10,000 vectors of 64 coordinates",
        lambda: prdc(real, synthetic, K),
        lambda: compute_prdc(real, synthetic, K),
        "prdc (four of them)",
        products,
        "three blocked float32 products",
        repeats=4,
    )


def _sets(exponent: float, name: str) -> Row:
    from sklearn.neighbors import NearestNeighbors

    from cornac_mle.metrics.point_sets import prdc

    real, synthetic = (skewed_sets(10_000, exponent, seed) for seed in (1, 2))

    def peer() -> None:
        NearestNeighbors(n_neighbors=K + 1, metric="cosine").fit(real).kneighbors(real)

    return Row(
        f"six neighbour metrics, 10,000 + 10,000 sets of 80 of 20,000 items, {name} popularity",
        lambda: prdc(real, synthetic, K),
        peer,
        "scikit-learn NearestNeighbors (one of the three passes)",
        lambda: real @ real.T,
        "one scipy product X X' (three are compared)",
    )


def skewed() -> Row:
    return _sets(0.8, "falling")


def flat() -> Row:
    return _sets(0.0, "flat")


def _fitted_vae() -> Any:
    from cornac_mle.models.vae.model import VAE

    users = users_of_tastes(2_000, N_ITEMS, 1)
    model = VAE(n_epochs=10, learning_rate=5e-3, n_components=5, seed=1)
    return model.fit(users.to_dataset())


def sample() -> Row:
    model = _fitted_vae()
    n_users = 10_000
    hidden = np.random.default_rng(0).normal(size=(n_users, len(model.decoder_[-1][0])))
    hidden, weights = hidden.astype(np.float32), model.decoder_[-1][0]
    rng = np.random.default_rng(1)

    def peer() -> None:
        points, sizes = model.densities_[model.latent].draw(n_users // 10, rng)
        decoder, n_items = model._decoder(), model.by_item_.shape[1]
        rates = np.exp(decoder.log_rates(points).astype(np.float64))
        rates /= rates.sum(axis=1, keepdims=True)
        for rate, size in zip(rates, sizes, strict=True):
            rng.choice(n_items, min(size, np.count_nonzero(rate)), replace=False, p=rate)

    return Row(
        "VAE.sample, 10,000 users x 20,000 items",
        lambda: model.sample(n_users, rng=1),
        peer,
        "numpy choice after the same scores (of 1,000 users, times ten)",
        lambda: blocked_product(hidden, weights, 1_024),
        "product of the decoder's last layer",
        peer_share=0.1,
    )


def race() -> Row:
    import torch

    from cornac_mle.sampling.plackett_luce import plackett_luce

    model = _fitted_vae()
    points, sizes = model.densities_[model.latent].draw(1_024, np.random.default_rng(1))
    scores = model._decoder().log_rates(points)

    def peer() -> None:
        weights = torch.softmax(torch.from_numpy(scores), dim=1)
        torch.multinomial(weights, int(sizes.max()), replacement=False)

    return Row(
        "items from scores, 1,024 users x 20,000 items",
        lambda: plackett_luce(scores, sizes, np.random.default_rng(1)),
        peer,
        "torch softmax and multinomial without replacement",
        lambda: np.exp(scores),
        "exp of the scores",
        repeats=5,
        peer_repeats=3,
    )


def successive() -> Row:
    from cornac_mle.models.vae.model import VAE

    users = movielens().to_dataset(seed=1)
    default, successive = (
        VAE(n_epochs=3, seed=1, likelihood=likelihood).fit(users)
        for likelihood in ("conditional-poisson", "plackett-luce")
    )
    return Row(
        "VAE.sample, 3,000 users of MovieLens-1M",
        lambda: default.sample(3_000, rng=1),
        lambda: successive.sample(3_000, rng=1),
        'our likelihood="plackett-luce", one item after the other',
        peer_repeats=3,
    )


def _score(real: Profiles, n_fit: int, n_scored: int, name: str) -> Row:
    from cornac_mle.plausibility.judge import PlausibilityModel, users_of_block

    judge = PlausibilityModel.fit(real.matrix[:n_fit], rng=1)
    users = real.matrix[n_fit : n_fit + n_scored]
    predictor = judge.predictor
    dense = predictor.reference.toarray()

    def peer() -> None:
        for row in range(n_scored // 10):
            profile = users[[row]].toarray()[0]
            image = profile - dense.T @ (predictor.core @ (dense @ profile))
            scores = profile - image / predictor.setting / predictor.diagonal
            rest = np.sort(scores[profile == 0])
            np.searchsorted(rest, scores[profile > 0])

    ones = sp.csr_array((np.ones(users.nnz, np.float32), users.indices, users.indptr), users.shape)

    def product() -> None:
        scorer, step = predictor.scorer(ones), users_of_block(users.shape[1])
        for start in range(0, users.shape[0], step):
            scorer(slice(start, start + step))

    return Row(
        f"plausibility of {n_scored:,} users, {name}",
        lambda: judge.score(users),
        peer if predictor.dual else None,
        "a loop over users with the same weights (a tenth, times ten)" * predictor.dual,
        product,
        "scores of all items, xB",
        repeats=5,
        peer_share=0.1,
    )


def score_3k() -> Row:
    return _score(movielens(), 1_500, 2_000, "MovieLens-1M")


def score_20k() -> Row:
    return _score(users_of_tastes(4_000, N_ITEMS, 1), 2_000, 2_000, "20,000 items")


def judges() -> Row:
    from cornac.models import EASE

    from cornac_mle.plausibility.judge import FAMILIES, PlausibilityModel

    users = movielens()
    some = users[np.random.default_rng(0).permutation(len(users))[:1_000]]
    data = some.to_dataset(seed=1)

    def ours() -> None:
        for family in FAMILIES:
            PlausibilityModel.fit(some.matrix, family=family, rng=1)

    return Row(
        "the three judges' fits, 1,000 reference users of MovieLens-1M",
        ours,
        lambda: EASE(verbose=False).fit(data),
        "Cornac's EASE on the same users, once",
        repeats=2,
    )


def vae_fit() -> Row:
    from cornac.models import VAECF

    from cornac_mle.models.vae._training import train
    from cornac_mle.models.vae.model import VAE

    users = movielens()
    data = users.to_dataset(seed=1)
    size, n_epochs = 500, 5
    shape = {"k": 200, "autoencoder_structure": [600], "batch_size": size, "n_epochs": n_epochs}
    shape |= {"likelihood": "mult", "seed": 1}
    random = np.random.default_rng(1)
    hidden = random.normal(size=(size, 800)).astype(np.float32)
    weights = random.normal(size=(800, users.matrix.shape[1])).astype(np.float32)

    def products() -> None:
        for _ in range(n_epochs * -(-len(users) // size)):
            gradient = hidden @ weights
            hidden.T @ gradient
            gradient @ weights.T

    return Row(
        "training a VAE for 5 epochs on MovieLens-1M, 600 x 200",
        lambda: train(VAE(prior="normal", **shape), users.matrix, None, np.random.default_rng(1)),
        lambda: VAECF(verbose=False, **shape).fit(data),
        "Cornac's VAECF of the same shape and likelihood",
        products,
        "the last layer's three products",
        repeats=2,
    )


def pmf_fit() -> Row:
    from cornac import models
    from cornac.data import Dataset

    from cornac_mle.models.pmf import PMF

    ratings = pd.read_csv(MOVIELENS)
    data = Dataset.from_uir(list(ratings[["user", "item", "rating"]].itertuples(index=False)))
    return Row(
        "fitting PMF on MovieLens-1M, 10 factors",
        lambda: PMF(seed=1).fit(data),
        lambda: models.PMF(k=10, verbose=False, seed=1).fit(data),
        "Cornac's PMF, its own number of epochs",
        repeats=1,
    )


ROWS: dict[str, Callable[[], Row]] = {
    "vectors": vectors,
    "sets, falling": skewed,
    "sets, flat": flat,
    "sample": sample,
    "successive": successive,
    "race": race,
    "score, 3k items": score_3k,
    "score, 20k items": score_20k,
    "judges": judges,
    "VAE": vae_fit,
    "PMF": pmf_fit,
}
