"""One fit for models of equal settings: no other numbers, and no sharing where none is due."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from cornac_mle import HeldOutUsers, compare
from cornac_mle.metrics import PlausibilityKS
from cornac_mle.models import VAE
from cornac_mle.models.shared_fits import shared_fits
from cornac_mle.profiles import Profiles
from cornac_mle.remedies import MMDTuning
from worlds import rated, taste_world

pytest.importorskip("torch")
SMALL = {"k": 2, "autoencoder_structure": (5,), "n_epochs": 3, "n_components": 2}


@pytest.fixture
def data():
    rows = (np.random.default_rng(0).random((60, 12)) < 0.4).astype(np.float32)
    rows[:, 0] = 1
    return Profiles.from_matrix(sp.csr_array(rows), pd.Index(range(12))).to_dataset()


@pytest.fixture
def fits(monkeypatch):
    """Names of the models whose weights were trained."""
    trained, original = [], VAE._fit

    def counted(self, *arguments):
        trained.append(self.name)
        original(self, *arguments)

    monkeypatch.setattr(VAE, "_fit", counted)
    return trained


def alike(one, other):
    pairs = zip(one.decoder_ + one.encoder_, other.decoder_ + other.encoder_, strict=True)
    return all(np.array_equal(a, b) for pair in pairs for a, b in zip(*pair, strict=True))


def test_models_that_differ_in_latent_and_name_share_one_fit(data, fits):
    alone = VAE(latent="prior", **SMALL).fit(data)
    fits.clear()
    with shared_fits():
        first = VAE("first", **SMALL).fit(data)
        second = VAE("second", latent="prior", verbose=False, **SMALL).fit(data)
    assert fits == ["first"]
    assert alike(first, second)
    assert alike(second, alone)
    assert (second.name, second.latent, second.is_fitted) == ("second", "prior", True)
    assert second.train_set is data
    np.testing.assert_array_equal(
        second.sample(30, rng=1).matrix.toarray(), alone.sample(30, rng=1).matrix.toarray()
    )


@pytest.mark.parametrize("other", [{"seed": 5}, {"seed": None}, {"k": 3}, {"n_epochs": 4}])
def test_other_settings_are_fitted_anew(data, fits, other):
    with shared_fits():
        VAE("first", **SMALL).fit(data)
        VAE("second", **SMALL | other).fit(data)
        VAE("third", **SMALL | other).fit(data)
    assert fits == ["first", "second"] + ["third"] * (other == {"seed": None})


def test_other_data_and_other_times_are_fitted_anew(data, fits):
    again = Profiles.from_dataset(data).to_dataset()
    with shared_fits():
        VAE("first", **SMALL).fit(data)
        VAE("second", **SMALL).fit(again)
        VAE("third", **SMALL).fit(data, again)
    VAE("fourth", **SMALL).fit(data)
    assert fits == ["first", "second", "third", "fourth"]


def test_a_fit_from_elsewhere_is_taken_and_an_inner_block_goes_on_with_it(data, fits):
    known = VAE("known", **SMALL).fit(data)
    with shared_fits([known], data):
        with shared_fits():
            assert alike(VAE("taken", **SMALL).fit(data), known)
        VAE("taken, too", **SMALL).fit(data)
    assert fits == ["known"]


def test_a_remedy_begins_with_the_shared_fit_and_leaves_it_alone(data, fits):
    with shared_fits():
        vae = VAE("first", **SMALL).fit(data)
        before = [part.copy() for layer in vae.decoder_ for part in layer]
        tuned = MMDTuning(VAE("inner", latent="prior", **SMALL), n_steps=3).fit(data)
        later = VAE("later", **SMALL).fit(data)
    assert fits == ["first"]
    assert not alike(tuned.vae_, vae)
    for model in (vae, later):
        parts = [part for layer in model.decoder_ for part in layer]
        assert all(np.array_equal(a, b) for a, b in zip(parts, before, strict=True))


def test_a_comparison_fits_once_and_finds_the_same(fits):
    frame = rated(taste_world(300, n_items=40, mean_size=8, seed=5)).to_frame()
    models = [VAE(**SMALL), VAE(latent="prior", name="VAE prior", **SMALL)]
    together = compare(models, frame, metrics=[PlausibilityKS()]).scores
    assert fits == ["VAE"]
    method = HeldOutUsers(frame)
    apart = pd.concat([compare([one], method, metrics=[PlausibilityKS()]).scores for one in models])
    assert fits == ["VAE", "VAE", "VAE prior"]
    assert together["value"].tolist() == apart["value"].tolist()
