"""Training of the variational autoencoder in torch, with sparse input and outputs."""

import itertools
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from tqdm.auto import tqdm

from cornac_mle.checks import refusal
from cornac_mle.models.base import CHUNK_USERS
from cornac_mle.models.vae._likelihoods import LIKELIHOODS, Likelihood, scale
from cornac_mle.models.vae.network import Layers, Network, forward, posterior, unit_rows
from cornac_mle.models.validation import Validation
from cornac_mle.sparse import FloatArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    TorchLayers = list[tuple[Tensor, Tensor]]

AVERAGED_STEPS = 100
AVERAGED_SHARE = 0.2
"""Weights are averaged, with weights that die out, over about so many of the last steps, but over
no larger share of all steps: the first ones are far off."""

PSEUDO_NOISE = 0.01
"""Standard deviation of what is added to the training users that pseudo-inputs start at."""


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
    beta: float
    anneal_epochs: int
    patience: int
    use_gpu: bool


def train(
    settings: Settings,
    matrix: sp.csr_array,
    validation: Validation | None,
    rng: np.random.Generator,
) -> tuple[Network, list[float]]:
    """Return the network of the best epoch and the validation NDCG@100 of each epoch.

    Raises
    ------
    ImportError
        Without PyTorch.
    ValueError
        If the loss of an epoch is not finite.
    """
    torch = import_torch()
    device = torch.device("cuda" if settings.use_gpu and torch.cuda.is_available() else "cpu")
    n_users, n_items = matrix.shape
    likelihood = LIKELIHOODS[settings.likelihood]
    inputs = unit_rows(matrix)
    widths = [n_items, *settings.autoencoder_structure]
    encoder = new_layers(torch, [*widths, 2 * settings.k], device, rng)
    decoder = new_decoder(torch, [settings.k, *reversed(widths)], device, rng)
    start = likelihood.start((np.diff(sp.csc_array(matrix).indptr) + 0.5) / (n_users + 1))
    decoder[-1][1].data += torch.from_numpy(start.astype(np.float32)).to(device)
    pseudo = None
    if settings.prior == "vamp":
        pseudo = new_pseudo_inputs(torch, inputs, settings.n_pseudo_inputs, device, rng)
    parameters = [tensor for layer in encoder + decoder for tensor in layer]
    parameters += [] if pseudo is None else [pseudo]
    optimizer = torch.optim.Adam(parameters, lr=settings.learning_rate, fused=True)
    # What is validated and kept is the moving average of the weights: the last steps are noise.
    averages = [tensor.detach().clone() for tensor in parameters]
    layers = list(zip(averages[::2], averages[1::2], strict=False))
    mean_encoder, mean_decoder = layers[: len(encoder)], layers[len(encoder) :][: len(decoder)]
    mean_pseudo = None if pseudo is None else averages[-1]
    n_steps = 0
    mean_size = matrix.nnz / n_users
    best, ndcg = to_network(mean_encoder, mean_decoder, mean_pseudo), []
    progress = tqdm(range(settings.n_epochs), disable=not settings.verbose, desc=settings.name)
    for epoch in progress:
        order = rng.permutation(n_users)
        losses = []
        for first in range(0, n_users, settings.batch_size):
            done = (epoch + first / n_users) / max(settings.anneal_epochs, 1)
            batch = inputs[order[first : first + settings.batch_size]]
            noise = rng.standard_normal((batch.shape[0], settings.k), dtype=np.float32)
            losses.append(
                set_gradients(
                    torch,
                    encoder,
                    decoder,
                    pseudo,
                    shown=drop_out(batch, settings.dropout, rng),
                    held=batch,
                    noise=torch.from_numpy(noise).to(device),
                    likelihood=likelihood,
                    weight=scale(settings.likelihood, matrix.nnz, n_users * n_items),
                    kl_weights=settings.beta
                    * (min(1.0, done) if settings.anneal_epochs else 1.0)
                    * np.diff(batch.indptr)
                    / mean_size,
                )
            )
            optimizer.step()
            n_steps += 1
            with torch.no_grad():
                newest = max(1 / AVERAGED_STEPS, 1 / (1 + AVERAGED_SHARE * n_steps))
                torch._foreach_lerp_(averages, parameters, newest)
        check_finite(settings.learning_rate, losses)
        progress.set_postfix(loss=float(np.mean(losses)))
        if validation is not None:
            network = to_network(mean_encoder, mean_decoder, mean_pseudo)
            ndcg.append(validation_ndcg(network.encoder, network.decoder, validation))
            progress.set_postfix(loss=float(np.mean(losses)), ndcg=ndcg[-1])
            if ndcg[-1] > max(ndcg[:-1], default=-1.0):
                best = network
            elif epoch - int(np.argmax(ndcg)) >= settings.patience:
                break
    progress.close()
    if validation is None:
        best = to_network(mean_encoder, mean_decoder, mean_pseudo)
    return best, ndcg


def check_finite(learning_rate: float, values: npt.ArrayLike) -> None:
    """Refuse losses, weights or posteriors that have run away: nothing can be fitted to them."""
    if not np.isfinite(values).all():
        advice = "Pass a smaller one, for example 1e-3."
        raise ValueError(refusal("learning_rate", "keep the loss finite", learning_rate, advice))


def validation_ndcg(
    encoder: Layers, decoder: Layers, validation: Validation, cutoff: int = 100
) -> float:
    """Mean NDCG at `cutoff` of validation users' target items among those not shown; in [0, 1]."""
    cutoff = min(cutoff, validation.shown.shape[1])
    discounts = 1 / np.log2(np.arange(2, cutoff + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])
    values: list[float] = []
    for start in range(0, validation.shown.shape[0], CHUNK_USERS):
        shown = validation.shown[start : start + CHUNK_USERS]
        target = validation.target[start : start + CHUNK_USERS].toarray() > 0
        mean, _ = posterior(encoder, unit_rows(shown))
        scores = forward(decoder, mean)
        scores[shown.tocoo().coords] = -np.inf
        top = np.argpartition(-scores, cutoff - 1, axis=1)[:, :cutoff]
        order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
        hits = np.take_along_axis(target, np.take_along_axis(top, order, axis=1), axis=1)
        counts = target.sum(axis=1)
        gains = (hits @ discounts)[counts > 0] / ideal[np.minimum(counts[counts > 0], cutoff)]
        values.extend(gains)
    return float(np.mean(values)) if values else 0.0


def import_torch() -> ModuleType:
    """Import torch, which only training needs."""
    try:
        import torch
    except ImportError as error:
        msg = "`VAE` needs PyTorch. Install it with: pip install cornac-mle[vae]"
        raise ImportError(msg) from error
    return torch


# --------------------------------------------------------------------------------- parameters


def new_layers(
    torch: Any, widths: list[int], device: "torch.device", rng: np.random.Generator
) -> "TorchLayers":
    """Make trainable layers: Glorot normal weights, biases 0."""
    layers = []
    for n_in, n_out in itertools.pairwise(widths):
        spread = np.float32(np.sqrt(2 / (n_in + n_out)))
        weights = rng.standard_normal((n_in, n_out), dtype=np.float32) * spread
        pair = (torch.from_numpy(weights).to(device), torch.zeros(n_out, device=device))
        layers.append((pair[0].requires_grad_(), pair[1].requires_grad_()))
    return layers


def new_decoder(
    torch: Any, widths: list[int], device: "torch.device", rng: np.random.Generator
) -> "TorchLayers":
    """Make the decoder's layers; above hidden ones, the last layer sees the latent point too."""
    layers = new_layers(torch, widths, device, rng)
    if len(layers) > 1:
        [(direct, _)] = new_layers(torch, [widths[0], widths[-1]], device, rng)
        weights, biases = layers[-1]
        both = torch.cat([weights.detach(), direct.detach()]).requires_grad_()
        layers[-1] = both, biases
    return layers


def into_last(torch: Any, layers: "TorchLayers", inputs: "Tensor") -> "Tensor":
    """Run all layers but the last: what the last one sees, as `vae_network.forward` has it."""
    hidden = inputs
    for weights, biases in layers[:-1]:
        hidden = torch.tanh(torch.addmm(biases, hidden, weights))
    if len(layers[-1][0]) > hidden.shape[1]:
        hidden = torch.cat([hidden, inputs], dim=1)
    return hidden


def new_pseudo_inputs(
    torch: Any, inputs: sp.csr_array, count: int, device: "torch.device", rng: np.random.Generator
) -> "Tensor":
    """Make trainable pseudo-inputs (count, n_items): random training users and a little noise."""
    users = rng.choice(inputs.shape[0], size=count, replace=count > inputs.shape[0])
    rows = inputs[users].toarray()
    rows += np.float32(PSEUDO_NOISE) * np.abs(rng.standard_normal(rows.shape, dtype=np.float32))
    pseudo: Tensor = torch.from_numpy(rows).to(device).requires_grad_()
    return pseudo


def pseudo_rows(pseudo: "Tensor") -> "Tensor":
    """Non-negative rows of Euclidean length 1, as the encoder sees users."""
    rows: Tensor = pseudo.abs() / pseudo.norm(dim=1, keepdim=True)
    return rows


def to_network(encoder: "TorchLayers", decoder: "TorchLayers", pseudo: "Tensor | None") -> Network:
    """Copy what is being trained to numpy."""
    rows = None if pseudo is None else pseudo_rows(pseudo.detach()).cpu().numpy()
    return Network(to_numpy(encoder), to_numpy(decoder), rows)


def to_numpy(layers: "TorchLayers") -> Layers:
    """Copy trained layers."""
    return [(w.detach().cpu().numpy().copy(), b.detach().cpu().numpy().copy()) for w, b in layers]


# ---------------------------------------------------------------------------------- gradients


def drop_out(inputs: sp.csr_array, share: float, rng: np.random.Generator) -> sp.csr_array:
    """Drop stored entries at random; the others grow by 1 / (1 - share)."""
    if share == 0:
        return inputs
    kept = rng.random(inputs.nnz, dtype=np.float32) >= share
    ends = np.concatenate([[0], np.cumsum(kept)])[inputs.indptr]
    values = inputs.data[kept] / np.float32(1 - share)
    return sp.csr_array((values, inputs.indices[kept], ends), shape=inputs.shape)


def sparse_product(torch: Any, left: sp.csr_array, right: "Tensor") -> "Tensor":
    """Multiply left @ right without gradient. On the CPU by scipy, the fastest there."""
    right = right.detach()
    product: Tensor
    if right.device.type == "cpu":
        product = torch.from_numpy(left @ right.numpy())
    else:
        product = sparse_tensor(torch, left, right.device) @ right
    return product


def sparse_tensor(torch: Any, matrix: sp.csr_array, device: "torch.device") -> "Tensor":
    """Copy a matrix to a device, where it takes memory for its stored entries only."""
    places = torch.from_numpy(np.stack(matrix.tocoo().coords).astype(np.int64))
    tensor: Tensor = torch.sparse_coo_tensor(
        places, torch.from_numpy(matrix.data), matrix.shape, device=device, check_invariants=False
    )
    return tensor


def set_gradients(
    torch: Any,
    encoder: "TorchLayers",
    decoder: "TorchLayers",
    pseudo: "Tensor | None" = None,
    *,
    shown: sp.csr_array,
    held: sp.csr_array,
    noise: "Tensor",
    likelihood: Likelihood,
    weight: float,
    kl_weights: FloatArray,
) -> float:
    """Write the gradient of a batch's mean loss into the parameters; return the loss in nats.

    The loss of a user is its weight in `kl_weights`, (n_users,), x KL(posterior || prior) -
    `weight` x log-likelihood, up to what no parameter changes. The first and the last layer, which
    touch every item, are differentiated by hand: the input is sparse, and so is the part of the
    last gradient that comes from the held items.
    """
    n_users = held.shape[0]
    for weights, biases in encoder + decoder:
        weights.grad = biases.grad = None
    first_weights, first_biases = encoder[0]
    first = (sparse_product(torch, shown, first_weights) + first_biases.detach()).requires_grad_()
    mean, log_variance = above_first(torch, encoder, first)
    points = mean + torch.exp(log_variance / 2) * noise
    hidden = into_last(torch, decoder, points)
    if pseudo is None:
        kl = (mean**2 + torch.exp(log_variance) - log_variance - 1).sum(dim=1) / 2  # (n_users,)
    else:
        pseudo.grad = None
        rows = torch.addmm(first_biases, pseudo_rows(pseudo), first_weights)
        prior = mixture_log_density(torch, points, *above_first(torch, encoder, rows))
        kl = -(noise**2 + log_variance).sum(dim=1) / 2 - prior
    cost = (torch.from_numpy(kl_weights.astype(np.float32)).to(kl.device) * kl).mean()

    with torch.no_grad():
        last_weights, last_biases = decoder[-1]
        sizes = np.diff(held.indptr)
        user = np.repeat(np.arange(n_users), sizes)
        places = torch.from_numpy(user * held.shape[1] + held.indices).to(first.device)
        eta = torch.addmm(last_biases, hidden, last_weights)
        at_held = eta.view(-1)[places].sum()
        normaliser, gradient = likelihood.normaliser(
            torch, eta, torch.from_numpy(sizes.astype(np.float32)).to(first.device)
        )
        fit = weight * (at_held - normaliser.sum()) / n_users
        gradient.mul_(weight / n_users)  # d loss / d eta
        gradient.view(-1)[places] -= weight / n_users
        last_weights.grad = hidden.T @ gradient
        last_biases.grad = gradient.sum(dim=0)
        hidden_gradient = gradient @ last_weights.T
    torch.autograd.backward([hidden, cost], [hidden_gradient, torch.ones_like(cost)])
    assert first.grad is not None  # `backward` has just written it
    add_gradient(first_weights, sparse_product(torch, sp.csr_array(shown.T), first.grad))
    add_gradient(first_biases, first.grad.sum(dim=0))
    return float(cost.detach() - fit)


def add_gradient(parameter: "Tensor", gradient: "Tensor") -> None:
    """Add to what `backward` has written, as pseudo-inputs pass through the first layer too."""
    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient


def above_first(torch: Any, encoder: "TorchLayers", hidden: "Tensor") -> "tuple[Tensor, Tensor]":
    """Posterior means and log-variances (n_rows, k) from the outputs of the first layer."""
    for weights, biases in encoder[1:]:
        hidden = torch.addmm(biases, torch.tanh(hidden), weights)
    mean, log_variance = hidden.chunk(2, dim=1)
    return mean, log_variance


def mixture_log_density(
    torch: Any, points: "Tensor", means: "Tensor", log_variances: "Tensor"
) -> "Tensor":
    """Log-density of an even mixture of normals (n_components, k) at points (n_users, k).

    Without the terms k/2 log(2 pi), which the density of the posterior has too.
    """
    precisions = torch.exp(-log_variances)
    squares = (
        points**2 @ precisions.T
        - 2 * points @ (means * precisions).T
        + (means**2 * precisions + log_variances).sum(dim=1)
    )  # (n_users, n_components)
    density: Tensor = torch.logsumexp(-squares / 2, dim=1) - float(np.log(len(means)))
    return density
