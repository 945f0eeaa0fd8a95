"""Speed against a peer in the same run: `pytest -m benchmark -n 0 -s`, about two minutes.

Machines are noisy, so what is asserted is a ratio, and well below what was measured.
"""

import numpy as np
import pandas as pd
import pytest
from cornac.models import VAECF
from timing import seconds

from cornac_mle.models.vae.model import VAE
from cornac_mle.plausibility.judge import PlausibilityModel
from cornac_mle.profiles import Profiles

pytestmark = pytest.mark.benchmark


@pytest.fixture(scope="module")
def movielens(shared_data):
    """Likes of MovieLens-1M."""
    ratings = pd.read_csv(shared_data / "movielens_1m" / "ratings_with_order.csv.gz")
    return Profiles.from_frame(ratings.loc[ratings.rating >= 4, ["user", "item"]])


def epoch_seconds(train, few: int, many: int) -> float:
    """Seconds an epoch, from two runs of different length, so that set-up drops out."""
    taken = [seconds(lambda epochs=epochs: train(epochs), 1) for epochs in (few, many)]
    return (taken[1] - taken[0]) / (many - few)


def test_a_vae_epoch_against_cornacs(movielens):
    """Same data, widths and batch size on both sides; training only, without latent densities."""
    data = movielens.to_dataset(seed=1)
    shape = {"k": 200, "autoencoder_structure": [600], "batch_size": 500, "seed": 1}

    def ours(epochs):
        VAE(n_epochs=epochs, **shape)._train(movielens.matrix, None, np.random.default_rng(1))

    def theirs(epochs):
        VAECF(n_epochs=epochs, verbose=False, **shape).fit(data)

    mine, cornacs = epoch_seconds(ours, 1, 6), epoch_seconds(theirs, 1, 4)
    print(f"\nVAE epoch: {mine:.2f} s; Cornac VAECF {cornacs:.2f} s; ratio {cornacs / mine:.1f}")
    assert cornacs / mine > 1.2


def test_plausibility_against_a_loop_over_users(movielens):
    """The judge scores a block at a time; the peer applies the same weights user by user."""
    judge = PlausibilityModel.fit(movielens.matrix[:1500], rng=1)
    users = movielens.matrix[1500:3500]
    predictor = judge.predictor
    dense = predictor.reference.toarray()

    def loop():
        for row in range(300):
            profile = users[[row]].toarray()[0]
            image = profile - dense.T @ (predictor.core @ (dense @ profile))
            scores = profile - image / predictor.setting / predictor.diagonal
            rest = np.sort(scores[profile == 0])
            np.searchsorted(rest, scores[profile > 0])

    mine = users.shape[0] / seconds(lambda: judge.score(users))
    theirs = 300 / seconds(loop, 1)
    print(f"\nplausibility: {mine:,.0f} users/s; loop {theirs:,.0f}; ratio {mine / theirs:.1f}")
    assert mine / theirs > 2
