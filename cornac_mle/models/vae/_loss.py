"""Loss of a batch and its gradient: the first and the last layer are differentiated by hand."""

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from cornac_mle.models.vae._log_probabilities import Held, LogProbability
from cornac_mle.models.vae.torch_layers import TorchLayers, into_last, pseudo_rows
from cornac_mle.models.vae.torch_sparse import dense_product, sparse_product
from cornac_mle.sparse import FloatArray, user_of

COMPOSITE_SHARES = (0.15, 0.75, 0.1)
"""Of the composite prior: N(0, I), the user's own posterior before the epoch, and a wide normal."""
WIDE_LOG_VARIANCE = 10.0
"""Of the wide normal of the composite prior."""


def drop_out(inputs: sp.csr_array, share: float, rng: np.random.Generator) -> sp.csr_array:
    """Drop stored entries at random; the others grow by 1 / (1 - share)."""
    if share == 0:
        return inputs
    kept = rng.random(inputs.nnz, dtype=np.float32) >= share
    ends = np.concatenate([[0], np.cumsum(kept)])[inputs.indptr]
    values = inputs.data[kept] / np.float32(1 - share)
    return sp.csr_array((values, inputs.indices[kept], ends), shape=inputs.shape)


def set_gradients(
    encoder: TorchLayers,
    decoder: TorchLayers,
    pseudo: Tensor | None = None,
    earlier: TorchLayers | None = None,
    *,
    shown: sp.csr_array,
    held: sp.csr_array,
    noise: Tensor,
    log_probability: LogProbability,
    weight: float,
    kl_weights: FloatArray,
) -> float:
    """Write the gradient of a batch's mean loss into the parameters; return the loss in nats.

    The loss of a user is its weight in `kl_weights`, (n_users,), x KL(posterior || prior) -
    `weight` x log-likelihood, up to what no parameter changes. The first and the last layer, which
    touch every item, are differentiated by hand: the input is sparse, and so is the part of the
    last gradient that comes from the held items. The prior is N(0, I), with `pseudo` the mixture of
    the posteriors of made-up users, and with an `earlier` encoder the composite one.
    """
    for weights, biases in encoder + decoder:
        weights.grad = biases.grad = None
    first_weights, first_biases = encoder[0]
    first = (sparse_product(shown, first_weights) + first_biases.detach()).requires_grad_()
    mean, log_variance = above_first(encoder, first)
    points = mean + torch.exp(log_variance / 2) * noise
    hidden = into_last(decoder, points)
    of_posterior = -(noise**2 + log_variance).sum(dim=1) / 2  # log-density at the points
    if pseudo is not None:
        pseudo.grad = None
        rows = torch.addmm(first_biases, pseudo_rows(pseudo), first_weights)
        kl = of_posterior - mixture_log_density(points, *above_first(encoder, rows))
    elif earlier is not None:
        kl = of_posterior - composite_log_density(points, earlier, held)
    else:
        kl = (mean**2 + torch.exp(log_variance) - log_variance - 1).sum(dim=1) / 2  # (n_users,)
    cost = (torch.from_numpy(kl_weights.astype(np.float32)).to(kl.device) * kl).mean()
    with torch.no_grad():
        fit, hidden_gradient = set_last_gradients(decoder, hidden, held, log_probability, weight)
    torch.autograd.backward([hidden, cost], [hidden_gradient, torch.ones_like(cost)])
    assert first.grad is not None  # `backward` has just written it
    add_gradient(first_weights, sparse_product(sp.csr_array(shown.T), first.grad))
    add_gradient(first_biases, first.grad.sum(dim=0))
    return float(cost.detach() - fit)


def set_last_gradients(
    decoder: TorchLayers,
    hidden: Tensor,
    held: sp.csr_array,
    log_probability: LogProbability,
    weight: float,
) -> tuple[Tensor, Tensor]:
    """Write the last layer's gradient; give the mean log-likelihood and the gradient by `hidden`.

    Both are times `weight`; the gradient is that of the loss.
    """
    n_users, n_items = held.shape
    last_weights, last_biases = decoder[-1]
    users = user_of(held)
    sets = Held(
        torch.from_numpy(users * n_items + held.indices).to(hidden.device),
        torch.from_numpy(users).to(hidden.device),
        torch.from_numpy(np.diff(held.indptr).astype(np.float32)).to(hidden.device),
    )
    eta = dense_product(hidden, last_weights).add_(last_biases)
    total, gradient = log_probability(eta, sets)
    gradient.mul_(weight / n_users)  # d loss / d eta
    last_weights.grad = dense_product(hidden.T, gradient)
    last_biases.grad = gradient.sum(dim=0)
    return weight * total / n_users, dense_product(gradient, last_weights.T)


def add_gradient(parameter: Tensor, gradient: Tensor) -> None:
    """Add to what `backward` has written, as pseudo-inputs pass through the first layer too."""
    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient


def above_first(encoder: TorchLayers, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """Posterior means and log-variances (n_rows, k) from the outputs of the first layer."""
    for weights, biases in encoder[1:]:
        hidden = torch.addmm(biases, torch.tanh(hidden), weights)
    mean, log_variance = hidden.chunk(2, dim=1)
    return mean, log_variance


def mixture_log_density(points: Tensor, means: Tensor, log_variances: Tensor) -> Tensor:
    """Log-density of an even mixture of normals (n_components, k) at points (n_users, k).

    Without the terms k/2 log(2 pi), which the density of the posterior has too.
    """
    precisions = torch.exp(-log_variances)
    squares = (
        points**2 @ precisions.T
        - 2 * points @ (means * precisions).T
        + (means**2 * precisions + log_variances).sum(dim=1)
    )  # (n_users, n_components)
    return torch.logsumexp(-squares / 2, dim=1) - float(np.log(len(means)))


def composite_log_density(points: Tensor, earlier: TorchLayers, held: sp.csr_array) -> Tensor:
    """Log-density of each user's composite prior at its point, (n_users,).

    A mixture of N(0, I), the posterior that an `earlier` encoder gives the user, and a wide normal.
    Without the terms k/2 log(2 pi), which the density of the posterior has too.
    """
    with torch.no_grad():
        first = sparse_product(held, earlier[0][0]) + earlier[0][1]
        mean, log_variance = above_first(earlier, first)
    nowhere = torch.zeros_like(mean)
    normals = ((nowhere, nowhere), (mean, log_variance), (nowhere, nowhere + WIDE_LOG_VARIANCE))
    parts = [
        float(np.log(share)) - ((points - at) ** 2 * torch.exp(-log_of) + log_of).sum(dim=1) / 2
        for share, (at, log_of) in zip(COMPOSITE_SHARES, normals, strict=True)
    ]
    return torch.logsumexp(torch.stack(parts), dim=0)
