"""Adam's steps are those of `torch.optim.Adam`, and torch's compiler is not imported for them."""

import inspect

import torch

from cornac_mle.models.vae.adam import DECAYS, EPSILON, Adam
from cornac_mle.models.vae.model import VAE
from cornac_mle.remedies import MMDTuning
from worlds import taste_world


def one_run(optimizer_of):
    """Weights after steps of which one tensor takes only the later ones."""
    torch.manual_seed(1)
    first, late, never = (torch.randn(size).requires_grad_() for size in ((3, 4), 5, 2))
    optimizer = optimizer_of([first, late, never])
    for step in range(20):
        optimizer.zero_grad()
        loss = (first - 3).square().sum() * (step % 3 + 0.1)
        if step > 9:
            loss = loss + (late**4).sum()
        loss.backward()
        optimizer.step()
    return first, late, never


def test_steps_are_those_of_torch_to_the_last_bit():
    ours = one_run(lambda tensors: Adam(tensors, 0.05))
    theirs = one_run(lambda tensors: torch.optim.Adam(tensors, lr=0.05, fused=True))
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
    defaults = inspect.signature(torch.optim.Adam).parameters
    assert (defaults["betas"].default, defaults["eps"].default) == (DECAYS, EPSILON)


def test_fits_do_without_the_optimizers_that_import_the_compiler(monkeypatch):
    monkeypatch.delattr(torch.optim.Optimizer, "__init__")
    data = taste_world(40, n_items=10, mean_size=4, seed=1).to_dataset(seed=1)
    MMDTuning(VAE(k=2, n_epochs=1), n_steps=1).fit(data)
