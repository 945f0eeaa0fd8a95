"""Rates and probabilities of the items of a decoder's users, differentiable by its layers."""

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from cornac_mle.models.vae.decoder import Decoder, log_times
from cornac_mle.models.vae.torch_layers import TorchLayers, into_last
from cornac_mle.sparse import FloatArray, IntArray

LOG_RATE_NEVER = -80.0
"""Log-rate of an item that is never drawn: exp(-80) is 0 in every sum, and has a gradient of 0."""


def log_rates(layers: TorchLayers, decoder: Decoder, points: FloatArray) -> Tensor:
    """Log-rates (n_users, n_items) at which items arrive, differentiable by the layers."""
    device = layers[0][0].device
    hidden = into_last(layers, torch.from_numpy(points.astype(np.float32)).to(device))
    weights, biases = layers[-1]
    eta = torch.addmm(biases, hidden, weights)
    numbers = eta.detach().cpu().numpy()
    rates = decoder.likelihood.log_rates(numbers, decoder.least)
    gradients = decoder.likelihood.log_rate_gradients(numbers, decoder.least)
    # Of this value and this gradient, whatever the likelihood.
    linear = torch.from_numpy(gradients).to(device) * eta
    result = linear + (torch.from_numpy(rates).to(device) - linear).detach()
    return result.masked_fill(torch.from_numpy(decoder.never).to(device), LOG_RATE_NEVER)


def held_probabilities(
    layers: TorchLayers, decoder: Decoder, points: FloatArray, sizes: IntArray
) -> Tensor:
    """Probability (n_users, n_items) that each item is drawn, given point and size of the profile.

    An item of rate r has arrived by time t with probability 1 - exp(-r t), and t is such that
    `sizes` items are expected. Rows sum to the sizes, before and after a change of the rates.
    """
    rates = log_rates(layers, decoder, points)
    times = log_times(rates.detach().cpu().numpy(), sizes)
    elapsed = torch.exp(rates + torch.from_numpy(times).to(rates.device)[:, None])
    probabilities = -torch.expm1(-elapsed)
    gradient = (elapsed * (1 - probabilities)).detach().sum(dim=1, keepdim=True).clamp(min=1e-12)
    # 0, with a gradient.
    missing = (probabilities.detach() - probabilities).sum(dim=1, keepdim=True)
    # The implicit derivative of the time: one step of Newton's method, of length 0.
    return -torch.expm1(-elapsed * torch.exp(missing / gradient))


def reconstruction(rates: Tensor, held: sp.csr_array) -> Tensor:
    """Mean of -log softmax(rates) over the stored entries of `held`, nats an item."""
    row, column = held.tocoo().coords
    places = torch.from_numpy(row.astype(np.int64) * held.shape[1] + column).to(rates.device)
    return -torch.log_softmax(rates, dim=1).view(-1)[places].mean()
