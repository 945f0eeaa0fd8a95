"""Rates and probabilities of the items of a decoder's users, differentiable by its layers."""

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from cornac_mle.models.vae.decoder import Decoder
from cornac_mle.models.vae.log_times import log_times
from cornac_mle.models.vae.set_distributions import CONDITIONAL
from cornac_mle.models.vae.torch_layers import TorchLayers, into_last
from cornac_mle.models.vae.torch_sparse import dense_product
from cornac_mle.sampling.independent_items import log_tilts
from cornac_mle.sparse import FloatArray, IntArray

LOG_RATE_NEVER = -80.0
"""Log-rate of an item that is never drawn: exp(-80) is 0 in every sum, and has a gradient of 0."""
TILT_ERROR = 1e-4
"""Error of the log-odds of a mean probability: rows then sum to the sizes in 4 digits or more."""


def log_rates(layers: TorchLayers, decoder: Decoder, points: FloatArray) -> Tensor:
    """Log-rates (n_users, n_items) at which items arrive, differentiable by the layers."""
    device = layers[0][0].device
    hidden = into_last(layers, torch.from_numpy(points.astype(np.float32)).to(device))
    rates: Tensor = _LogRates.apply(hidden, *layers[-1], decoder)  # type: ignore[no-untyped-call]
    return rates


class _LogRates(torch.autograd.Function):
    """The last layer and the log-rates of its outputs, as the likelihood has them."""

    @staticmethod
    def forward(
        context: Any, hidden: Tensor, weights: Tensor, biases: Tensor, decoder: Decoder
    ) -> Tensor:
        eta = dense_product(hidden, weights).add_(biases)
        numbers = eta.cpu().numpy()
        context.save_for_backward(hidden, weights)
        context.numbers, context.decoder = numbers, decoder
        rates = torch.from_numpy(decoder.likelihood.log_rates(numbers, decoder.least))
        if decoder.never.any():
            rates = rates.masked_fill(torch.from_numpy(decoder.never), LOG_RATE_NEVER)
        return rates.to(eta.device)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        hidden, weights = context.saved_tensors
        decoder = context.decoder
        by_output = decoder.likelihood.log_rate_gradients(context.numbers, decoder.least)
        if decoder.never.any():
            by_output[:, decoder.never] = 0.0
        by_eta = torch.from_numpy(by_output).to(weights.device).mul_(gradients[0])
        by_hidden = dense_product(by_eta, weights.T)
        return by_hidden, dense_product(hidden.T, by_eta), by_eta.sum(dim=0), None


def held_probabilities(
    layers: TorchLayers, decoder: Decoder, points: FloatArray, sizes: IntArray
) -> Tensor:
    """Probability (n_users, n_items) that each item is drawn, given point and size of the profile.

    An item of rate r has arrived by time t with probability 1 - exp(-r t), or is held at odds r t,
    and t is such that `sizes` items are expected. Rows sum to the sizes, before and after a change
    of the rates.
    """
    rates = log_rates(layers, decoder, points)
    numbers = rates.detach().cpu().numpy()
    by_odds = decoder.likelihood.sets is CONDITIONAL
    if by_odds:
        times = log_tilts(numbers, sizes, error=TILT_ERROR).astype(np.float32)
    else:
        times = log_times(numbers, sizes, dtype=np.float32)
    shifts = torch.from_numpy(times).to(rates.device)[:, None]
    probabilities: Tensor = _Held.apply(rates, shifts, by_odds)  # type: ignore[no-untyped-call]
    return probabilities


class _Held(torch.autograd.Function):
    """Probability of holding by log-rate and log-time, where the time keeps the sum of each row.

    With derivative e (1 - p) by the log-rate, e = r t of arrivals and p of odds, the implicit
    derivative of the time takes the mean of the gradient, weighted by that derivative, out of it.
    """

    @staticmethod
    def forward(context: Any, rates: Tensor, times: Tensor, by_odds: bool) -> Tensor:
        if by_odds:
            elapsed = probabilities = torch.sigmoid(rates + times)
        else:
            elapsed = torch.exp(rates + times)
            probabilities = torch.expm1(-elapsed).neg_()
        context.save_for_backward(elapsed, probabilities)
        return probabilities

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        [gradient] = gradients
        elapsed, probabilities = context.saved_tensors
        derivatives = (1 - probabilities).mul_(elapsed)
        total = derivatives.sum(dim=1, keepdim=True).clamp_(min=1e-12)
        by_rates = derivatives * gradient
        by_rates.addcmul_(derivatives, by_rates.sum(dim=1, keepdim=True) / total, value=-1)
        return by_rates, None, None


def reconstruction(rates: Tensor, held: sp.csr_array) -> Tensor:
    """Mean of -log softmax(rates) over the stored entries of `held`, nats an item."""
    row, column = held.tocoo().coords
    places = torch.from_numpy(row.astype(np.int64) * held.shape[1] + column).to(rates.device)
    return -torch.log_softmax(rates, dim=1).view(-1)[places].mean()
