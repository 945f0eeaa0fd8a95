"""Likelihoods of a profile given the decoder's outputs, as one table: what sampling needs of them.

Training needs a log-probability and its gradient (`_log_probabilities`), sampling the rates at
which items arrive, and the distribution of the sets that are drawn by them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cornac_mle.models.vae.set_distributions import CONDITIONAL, SUCCESSIVE, SetDistribution
from cornac_mle.sampling.arrival_rates import log_rates_of_odds, softplus
from cornac_mle.sparse import Float32Array, FloatArray

TINY = float(np.finfo(np.float32).tiny)
MOST_CERTAIN = 1 - float(np.finfo(np.float32).eps)
"""Highest probability of holding an item whose arrival rate is still finite in float32."""


@dataclass(frozen=True)
class Likelihood:
    """One meaning of the natural parameters.

    Attributes
    ----------
    start : callable
        Function of the share of users who hold each item, in (0, 1): the natural parameters of
        independence.
    log_rates : callable
        Function of natural parameters and a least probability: log of the rates at which items
        arrive, or of their odds.
    log_rate_gradients : callable
        Function of the same: gradient of `log_rates` by the parameters.
    sets : SetDistribution
        Distribution of the items, given log-rates and size.
    """

    start: Callable[[FloatArray], FloatArray]
    log_rates: Callable[[Float32Array, float], Float32Array]
    log_rate_gradients: Callable[[Float32Array, float], Float32Array]
    sets: SetDistribution = SUCCESSIVE


def _logits(shares: FloatArray) -> FloatArray:
    return np.asarray(np.log(shares) - np.log1p(-shares))


def _same_rates(eta: Float32Array, least: float) -> Float32Array:
    return eta


def _same_gradients(eta: Float32Array, least: float) -> Float32Array:
    return np.ones_like(eta)


def _rates_of_odds(eta: Float32Array, least: float) -> Float32Array:
    return log_rates_of_odds(eta)


def _gradients_of_odds(eta: Float32Array, least: float) -> Float32Array:
    """sigmoid(eta) / log(1 + exp(eta)); 1 far below 0, where both are exp(eta)."""
    rates = softplus(eta)
    return np.where(eta < -15, np.float32(1), -np.expm1(-rates) / np.maximum(rates, TINY))


def _rates_of_probabilities(eta: Float32Array, least: float) -> Float32Array:
    """Log of -log(1 - eta): the same, of an indicator's mean brought into [least, 1)."""
    probability = np.clip(eta, np.float32(least), np.float32(MOST_CERTAIN))
    return np.asarray(np.log(-np.log1p(-probability)))


def _gradients_of_probabilities(eta: Float32Array, least: float) -> Float32Array:
    probability = np.clip(eta, np.float32(least), np.float32(MOST_CERTAIN))
    inside = (eta > least) & (eta < MOST_CERTAIN)
    return np.where(inside, -1 / ((1 - probability) * np.log1p(-probability)), np.float32(0))


LIKELIHOODS = {
    "mult": Likelihood(np.log, _same_rates, _same_gradients),
    "plackett-luce": Likelihood(np.log, _same_rates, _same_gradients),
    "conditional-poisson": Likelihood(_logits, _same_rates, _same_gradients, CONDITIONAL),
    "bern": Likelihood(_logits, _rates_of_odds, _gradients_of_odds),
    "gaus": Likelihood(np.asarray, _rates_of_probabilities, _gradients_of_probabilities),
    "pois": Likelihood(np.log, _same_rates, _same_gradients),
}


def scale(likelihood: str, n_held: int, n_pairs: int) -> float:
    """Weight of the log-likelihood beside the KL term.

    That of a Gaussian is one over the variance of the indicators, density (1 - density) with
    density the share `n_held` / `n_pairs` of user-item pairs; at variance 1 the KL term would swamp
    it. Where every pair is held, the variance is that of half a pair.
    """
    density = n_held / n_pairs
    least = 1 / (2 * n_pairs)
    return 1 / max(density * (1 - density), least) if likelihood == "gaus" else 1.0
