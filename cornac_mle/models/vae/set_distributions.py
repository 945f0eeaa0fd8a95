"""Distributions of an item set given log-rates and size: draws, probability, and a likeness."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.special import expit

from cornac_mle.models.vae.log_times import log_times
from cornac_mle.sampling.conditional_poisson import (
    conditional_poisson,
    conditional_poisson_log_probability,
)
from cornac_mle.sampling.independent_items import log_tilts
from cornac_mle.sampling.plackett_luce import plackett_luce, plackett_luce_log_probability
from cornac_mle.sparse import Float32Array, FloatArray, IntArray

Draw = Callable[[npt.NDArray[np.floating], IntArray, np.random.Generator], sp.csr_array]
LogProbability = Callable[[npt.NDArray[np.floating], sp.csr_array], FloatArray]


class Independent(NamedTuple):
    """Items held independently, of whom as many are expected as the size says.

    Attributes
    ----------
    probabilities : ndarray, shape (n_users, n_items)
        Of holding each item.
    held_gradients : ndarray, shape (n_users, n_items)
        What holding the item adds to the gradient of the log-probability by its log-rate.
    absent_gradients : ndarray, shape (n_users, n_items)
        Minus the gradient of an item that is not held.
    log_odds : ndarray, shape (n_users, n_items)
        What holding the item adds to the log-probability.
    log_nothing : ndarray, shape (n_users,)
        Log-probability of holding nothing.
    """

    probabilities: Float32Array
    held_gradients: Float32Array
    absent_gradients: Float32Array
    log_odds: Float32Array
    log_nothing: FloatArray


@dataclass(frozen=True)
class SetDistribution:
    """One way from log-rates and a size to a set.

    Attributes
    ----------
    draw : callable
        Function of log-rates (n_users, n_items), sizes and a generator: drawn sets.
    log_probability : callable
        Function of log-rates and sets: log-probability of each set given its size.
    independent : callable
        Function of log-rates and sizes: independent items of much the same distribution, where a
        gradient that is linear in the items is wanted.
    """

    draw: Draw
    log_probability: LogProbability
    independent: Callable[[Float32Array, IntArray], Independent]


def _arrived(log_rates: Float32Array, sizes: IntArray) -> Independent:
    """Items that have arrived, of rate r, by the time t at which so many are expected."""
    rates = np.exp(log_rates + log_times(log_rates, sizes)[:, None])
    probabilities = -np.expm1(-rates)
    ratios = np.divide(rates, probabilities, out=np.ones_like(rates), where=probabilities > 0)
    with np.errstate(divide="ignore"):
        log_odds = np.log(probabilities) + rates
    nothing = -rates.sum(axis=1, dtype=np.float64)
    return Independent(probabilities, ratios, rates, log_odds, nothing)


def _tilted(log_odds: Float32Array, sizes: IntArray) -> Independent:
    """Items at these odds times the factor at which so many are expected."""
    tilts = log_tilts(log_odds, sizes, error=1e-4).astype(np.float32)
    tilted = log_odds + tilts[:, None]
    p = expit(tilted)
    nothing = -np.logaddexp(0, tilted).sum(axis=1, dtype=np.float64)
    return Independent(p, np.ones_like(p), p, tilted, nothing)


SUCCESSIVE = SetDistribution(plackett_luce, plackett_luce_log_probability, _arrived)
"""Items one after the other, in proportion to their rates."""
CONDITIONAL = SetDistribution(conditional_poisson, conditional_poisson_log_probability, _tilted)
"""Independent items given how many, where log-rates are log-odds."""
