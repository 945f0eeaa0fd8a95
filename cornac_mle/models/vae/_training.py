"""Training of the variational autoencoder in torch, with sparse input and outputs."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from tqdm.auto import tqdm

from cornac_mle.models.vae._likelihoods import LIKELIHOODS, scale
from cornac_mle.models.vae._log_probabilities import LOG_PROBABILITIES
from cornac_mle.models.vae._loss import drop_out, set_gradients
from cornac_mle.models.vae.adam import Adam
from cornac_mle.models.vae.divergence import check_finite
from cornac_mle.models.vae.network import Network, unit_rows
from cornac_mle.models.vae.torch_layers import (
    TorchLayers,
    chosen_device,
    new_decoder,
    new_layers,
    new_pseudo_inputs,
    pseudo_rows,
    to_numpy,
)
from cornac_mle.models.vae.validation_ndcg import validation_ndcg
from cornac_mle.models.validation import Validation
from cornac_mle.workers import one_thread

AVERAGED_STEPS = 100
AVERAGED_SHARE = 0.2
"""Weights are averaged, with weights that die out, over about so many of the last steps, but over
no larger share of all steps: the first ones are far off."""


class Settings(Protocol):
    """What training asks of a model; `VAE` says what each of them is."""

    name: str
    verbose: bool
    k: int
    autoencoder_structure: Sequence[int]
    likelihood: str
    prior: str
    n_pseudo_inputs: int
    n_epochs: int
    batch_size: int
    learning_rate: float
    dropout: float
    anneal_epochs: int
    patience: int
    use_gpu: bool

    @property
    def kl_weight(self) -> float: ...


class Parameters:
    """Everything that is trained, and its moving average.

    What is validated and kept is the average: the last steps are noise.

    Parameters
    ----------
    settings : Settings
        Shapes of the network, its likelihood and its prior.
    inputs : csr_array, shape (n_users, n_items)
        Unit rows of the training users: the decoder's biases start at their popularity.
    rng : Generator
        Generator of the starting point.
    """

    def __init__(self, settings: Settings, inputs: sp.csr_array, rng: np.random.Generator) -> None:
        device = chosen_device(settings.use_gpu)
        n_users, n_items = inputs.shape
        widths = [n_items, *settings.autoencoder_structure]
        self.encoder = new_layers([*widths, 2 * settings.k], device, rng)
        self.decoder = new_decoder([settings.k, *reversed(widths)], device, rng)
        shares = (np.diff(sp.csc_array(inputs).indptr) + 0.5) / (n_users + 1)
        start = LIKELIHOODS[settings.likelihood].start(shares).astype(np.float32)
        self.decoder[-1][1].data += torch.from_numpy(start).to(device)
        self.pseudo: Tensor | None = None
        if settings.prior == "vamp":
            self.pseudo = new_pseudo_inputs(inputs, settings.n_pseudo_inputs, device, rng)
        self.tensors = [tensor for layer in self.encoder + self.decoder for tensor in layer]
        self.tensors += [] if self.pseudo is None else [self.pseudo]
        self.averages = [tensor.detach().clone() for tensor in self.tensors]
        self.device = device
        self.n_steps = 0

    def take_in(self) -> None:
        """Let the moving average follow the step that was just taken."""
        self.n_steps += 1
        with torch.no_grad():
            newest = max(1 / AVERAGED_STEPS, 1 / (1 + AVERAGED_SHARE * self.n_steps))
            torch._foreach_lerp_(self.averages, self.tensors, newest)

    def network(self) -> Network:
        """Copy the moving average to numpy."""
        layers: TorchLayers = list(zip(self.averages[::2], self.averages[1::2], strict=False))
        encoder, rest = layers[: len(self.encoder)], layers[len(self.encoder) :]
        rows = None if self.pseudo is None else pseudo_rows(self.averages[-1]).cpu().numpy()
        return Network(to_numpy(encoder), to_numpy(rest[: len(self.decoder)]), rows)


@one_thread()  # `fit` could not limit PyTorch before it was imported
def train(
    settings: Settings,
    matrix: sp.csr_array,
    validation: Validation | None,
    rng: np.random.Generator,
) -> tuple[Network, list[float]]:
    """Return the network of the best epoch and the validation NDCG@100 of each epoch.

    Raises
    ------
    ValueError
        If the loss of an epoch is not finite.
    """
    inputs = unit_rows(matrix)
    parameters = Parameters(settings, inputs, rng)
    optimizer = Adam(parameters.tensors, settings.learning_rate)
    best, ndcg = parameters.network(), []
    progress = tqdm(range(settings.n_epochs), disable=not settings.verbose, desc=settings.name)
    for epoch in progress:
        losses = []
        for loss in epoch_losses(settings, parameters, inputs, epoch, rng):
            optimizer.step()
            parameters.take_in()
            losses.append(loss)
        check_finite(settings.learning_rate, losses)
        progress.set_postfix(loss=float(np.mean(losses)))
        if validation is not None:
            network = parameters.network()
            ndcg.append(validation_ndcg(network.encoder, network.decoder, validation))
            progress.set_postfix(loss=float(np.mean(losses)), ndcg=ndcg[-1])
            if ndcg[-1] > max(ndcg[:-1], default=-1.0):
                best = network
            elif epoch - int(np.argmax(ndcg)) >= settings.patience:
                break
    progress.close()
    if validation is None:
        best = parameters.network()
    return best, ndcg


def epoch_losses(
    settings: Settings,
    parameters: Parameters,
    inputs: sp.csr_array,
    epoch: int,
    rng: np.random.Generator,
) -> Iterator[float]:
    """Write the gradients of one batch after the other, in random order; yield the losses."""
    n_users, n_items = inputs.shape
    order = rng.permutation(n_users)
    earlier: TorchLayers | None = None
    if settings.prior == "composite":
        earlier = [(w.detach().clone(), b.detach().clone()) for w, b in parameters.encoder]
    for first in range(0, n_users, settings.batch_size):
        done = (epoch + first / n_users) / max(settings.anneal_epochs, 1)
        annealed = min(1.0, done) if settings.anneal_epochs else 1.0
        batch = inputs[order[first : first + settings.batch_size]]
        shares = np.diff(batch.indptr) / (inputs.nnz / n_users)  # sizes over their mean
        noise = rng.standard_normal((batch.shape[0], settings.k), dtype=np.float32)
        yield set_gradients(
            parameters.encoder,
            parameters.decoder,
            parameters.pseudo,
            earlier,
            shown=drop_out(batch, settings.dropout, rng),
            held=batch,
            noise=torch.from_numpy(noise).to(parameters.device),
            log_probability=LOG_PROBABILITIES[settings.likelihood],
            weight=scale(settings.likelihood, inputs.nnz, n_users * n_items),
            kl_weights=settings.kl_weight * annealed * shares,
        )
