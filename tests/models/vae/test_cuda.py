"""What `use_gpu` does where there is a CUDA device, and that it says so where there is none."""

import numpy as np
import pytest
import torch

from cornac_families import DATA, FAMILIES
from cornac_mle.models.fold_in import fold_in_scores
from cornac_mle.models.sampled.model import Sampled
from cornac_mle.models.vae._likelihoods import LIKELIHOODS
from cornac_mle.models.vae.model import VAE
from cornac_mle.models.vae.torch_layers import chosen_device
from cornac_mle.remedies.mmd_tuning import MMDTuning
from worlds import taste_world

WORLD = taste_world(500, n_items=150, n_tastes=6, mean_size=20, seed=3)
TRAIN, VALIDATION = WORLD[:400].to_dataset(seed=1), WORLD[400:].to_dataset(first_user=400, seed=1)
SMALL = {"k": 6, "autoencoder_structure": (30,), "n_epochs": 5, "n_components": 2, "seed": 1}
ON_CUDA = ("VAECF", "CVAECF", "BiVAECF", "RecVAE", "GMF", "MLP", "NeuMF")
"""Families of Cornac whose networks can be there."""

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


def distance(first, second):
    """Largest distance of the two fits' weights, over the largest weight."""
    pairs = zip(first.encoder_ + first.decoder_, second.encoder_ + second.decoder_, strict=True)
    return max(
        float(np.abs(a - b).max() / np.abs(a).max())
        for one, other in pairs
        for a, b in zip(one, other, strict=True)
    )


@needs_cuda
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("prior", ["normal", "composite", "vamp"])
def test_a_fit_on_cuda_is_that_on_the_cpu(likelihood, prior):
    fits = [
        VAE(likelihood=likelihood, prior=prior, use_gpu=use_gpu, **SMALL).fit(TRAIN, VALIDATION)
        for use_gpu in (False, True)
    ]
    assert distance(*fits) < 0.02
    assert fits[1].validation_ndcg_ == pytest.approx(fits[0].validation_ndcg_, abs=0.01)
    assert torch.cuda.max_memory_allocated() > 0


@needs_cuda
@pytest.mark.parametrize("likelihood", ["mult", "conditional-poisson", "plackett-luce"])
def test_tuning_on_cuda_is_that_on_the_cpu(likelihood):
    vae = VAE(likelihood=likelihood, latent="prior", **SMALL).fit(TRAIN, VALIDATION)
    vae.trainable = False
    tuned = [
        MMDTuning(vae, n_steps=30, seed=1, use_gpu=use_gpu).fit(TRAIN, VALIDATION)
        for use_gpu in (False, True)
    ]
    assert tuned[1].validation_mmd_ == pytest.approx(tuned[0].validation_mmd_, abs=2e-4)
    assert distance(tuned[0].vae_, tuned[1].vae_) < 0.02


@needs_cuda
def test_a_fit_on_cuda_is_sampled_without_it():
    model = VAE(use_gpu=True, **SMALL).fit(TRAIN, VALIDATION)
    before = torch.cuda.memory_allocated()
    assert len(model.sample(1000, rng=1)) == 1000
    assert torch.cuda.memory_allocated() == before
    assert all(isinstance(part, np.ndarray) for layer in model.decoder_ for part in layer)


@needs_cuda
@pytest.mark.parametrize("family", ON_CUDA)
def test_cornacs_networks_on_cuda_are_sampled(family):
    model = FAMILIES[family].make()
    if hasattr(model, "use_gpu"):
        model.use_gpu = True
    else:  # RecVAE was made without; GMF, MLP and NeuMF choose themselves
        model.device = torch.device("cuda")
    model.fit(DATA)
    assert torch.device(model.device).type == "cuda"
    users = Sampled(model).fit().sample(200, rng=1)
    assert np.diff(users.matrix.indptr).min() > 0
    assert np.isfinite(fold_in_scores(model, users[:20])).all()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_it_is_said_that_there_is_no_cuda_device():
    with pytest.warns(UserWarning, match="use_gpu=True, but PyTorch .* finds no CUDA device"):
        device = chosen_device(True)
    assert device.type == "cpu"
    assert chosen_device(False).type == "cpu"
