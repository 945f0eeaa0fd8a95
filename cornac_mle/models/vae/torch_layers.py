"""Layers of the autoencoder while they are trained: tensors of the shapes that `network` has."""

import itertools
import warnings
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from cornac_mle.models.vae.network import Layers

TorchLayers = list[tuple[Tensor, Tensor]]

PSEUDO_NOISE = 0.01
"""Standard deviation of what is added to the training users that pseudo-inputs start at."""


def chosen_device(use_gpu: bool) -> torch.device:
    """CUDA where asked for and there, otherwise the CPU; asked for in vain, with a warning."""
    if use_gpu and not torch.cuda.is_available():
        found = f"PyTorch {torch.__version__} finds no CUDA device"
        msg = f"use_gpu=True, but {found}: the CPU is used."
        warnings.warn(msg, UserWarning, stacklevel=2)
        use_gpu = False
    return torch.device("cuda" if use_gpu else "cpu")


def new_layers(
    widths: Sequence[int], device: torch.device, rng: np.random.Generator
) -> TorchLayers:
    """Make trainable layers: Glorot normal weights, biases 0."""
    layers = []
    for n_in, n_out in itertools.pairwise(widths):
        spread = np.float32(np.sqrt(2 / (n_in + n_out)))
        weights = rng.standard_normal((n_in, n_out), dtype=np.float32) * spread
        pair = (torch.from_numpy(weights).to(device), torch.zeros(n_out, device=device))
        layers.append((pair[0].requires_grad_(), pair[1].requires_grad_()))
    return layers


def new_decoder(
    widths: Sequence[int], device: torch.device, rng: np.random.Generator
) -> TorchLayers:
    """Make the decoder's layers; above hidden ones, the last layer sees the latent point too."""
    layers = new_layers(widths, device, rng)
    if len(layers) > 1:
        [(direct, _)] = new_layers([widths[0], widths[-1]], device, rng)
        weights, biases = layers[-1]
        both = torch.cat([weights.detach(), direct.detach()]).requires_grad_()
        layers[-1] = both, biases
    return layers


def into_last(layers: TorchLayers, inputs: Tensor) -> Tensor:
    """Run all layers but the last: what the last one sees, as `network.forward` has it."""
    hidden = inputs
    for weights, biases in layers[:-1]:
        hidden = torch.tanh(torch.addmm(biases, hidden, weights))
    if len(layers[-1][0]) > hidden.shape[1]:
        hidden = torch.cat([hidden, inputs], dim=1)
    return hidden


def new_pseudo_inputs(
    inputs: sp.csr_array, count: int, device: torch.device, rng: np.random.Generator
) -> Tensor:
    """Make trainable pseudo-inputs (count, n_items): random training users and a little noise."""
    users = rng.choice(inputs.shape[0], size=count, replace=count > inputs.shape[0])
    rows = inputs[users].toarray()
    rows += np.float32(PSEUDO_NOISE) * np.abs(rng.standard_normal(rows.shape, dtype=np.float32))
    return torch.from_numpy(rows).to(device).requires_grad_()


def pseudo_rows(pseudo: Tensor) -> Tensor:
    """Non-negative rows of Euclidean length 1, as the encoder sees users."""
    rows: Tensor = pseudo.abs() / pseudo.norm(dim=1, keepdim=True)
    return rows


def to_torch(layers: Layers, device: torch.device) -> TorchLayers:
    """Copy fitted layers, to be trained further."""
    return [
        (
            torch.from_numpy(weights.copy()).to(device).requires_grad_(),
            torch.from_numpy(biases.copy()).to(device).requires_grad_(),
        )
        for weights, biases in layers
    ]


def to_numpy(layers: TorchLayers) -> Layers:
    """Copy trained layers."""
    return [(w.detach().cpu().numpy().copy(), b.detach().cpu().numpy().copy()) for w, b in layers]
