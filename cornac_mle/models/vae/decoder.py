"""Distribution of items given a latent point, and the gradient of a profile's probability."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from cornac_mle.models.vae._likelihoods import Likelihood
from cornac_mle.models.vae.network import Layers, forward, gradients
from cornac_mle.sparse import Float32Array, FloatArray, IntArray

CACHED_RATES = 2**15
"""Rates of a block whose arrays fit a processor's cache; results do not depend on it."""


@dataclass(frozen=True)
class Decoder:
    """The distribution of items given a latent point: drawn one after the other at these rates.

    Attributes
    ----------
    layers : list
        Weights and biases of the network.
    likelihood : Likelihood
        Meaning of its outputs.
    least : float
        Least probability of holding an item, for likelihoods whose outputs are probabilities.
    never : ndarray of bool, shape (n_items,)
        Items that no training user holds, of rate 0.
    """

    layers: Layers
    likelihood: Likelihood
    least: float
    never: npt.NDArray[np.bool_]

    def log_rates(self, points: FloatArray) -> Float32Array:
        """Log-rates (n_users, n_items) at points (n_users, k); -inf where never drawn."""
        eta = forward(self.layers, points.astype(np.float32))
        rates = self.likelihood.log_rates(eta, self.least)
        rates[:, np.flatnonzero(self.never)] = -np.inf
        return rates

    def expansion(self, points: FloatArray, matrix: sp.csr_array) -> tuple[FloatArray, FloatArray]:
        """Gradient (n_users, k) and information (n_users, k, k) of each profile's log-probability.

        By the distribution that holds item i with probability 1 - exp(-r_i), given the size: r_i is
        the rate times the time at which that many items are expected. It is close to the
        distribution of the draws, has a gradient that is linear in the profile, and the information
        of its size taken out.
        """
        sharp = self.sharpness(points, np.diff(matrix.indptr))
        gradient = np.stack(
            [sharp.gradient(user, matrix[[user]])[0] for user in range(len(points))]
        )
        return gradient, sharp.information

    def sharpness(self, points: FloatArray, sizes: IntArray) -> "Sharpness":
        """Everything of `expansion` that does not depend on which items are held."""
        single = points.astype(np.float32)
        eta = forward(self.layers, single)
        log_rates = self.likelihood.log_rates(eta, self.least)
        log_rates[:, self.never] = -np.inf
        rates = np.exp(log_rates + log_times(log_rates, sizes)[:, None])  # (n_users, n_items)
        probabilities = -np.expm1(-rates)
        ratios = np.divide(rates, probabilities, out=np.ones_like(rates), where=probabilities > 0)
        spread = (probabilities * (1 - probabilities)).sum(axis=1, dtype=np.float64)
        base = 0.5 * np.log(np.maximum(spread, 1e-12)) - rates.sum(axis=1, dtype=np.float64)
        # Information by log-rate: r^2 (1 - q) / q = r (r / q - r), which tends to r for rare items.
        weights = rates * (ratios - rates)
        chain = gradients(self.layers, single)
        chain *= self.likelihood.log_rate_gradients(eta, self.least)[:, None, :]
        weighted = chain * weights[:, None, :]
        total = weighted.sum(axis=2)
        information = (weighted @ chain.transpose(0, 2, 1)).astype(np.float64)
        mass = np.maximum(weights.sum(axis=1), np.finfo(np.float32).tiny)
        information -= total[:, :, None].astype(np.float64) * (total / mass[:, None])[:, None, :]
        offset = -(chain @ rates[:, :, None])[:, :, 0].astype(np.float64)
        with np.errstate(divide="ignore"):
            log_odds = np.log(probabilities) + rates
        return Sharpness(chain, ratios, offset, information, log_odds, base)


@dataclass(frozen=True)
class Sharpness:
    """How fast the probabilities of profiles change at points: see `Decoder.expansion`.

    Attributes
    ----------
    chain : ndarray, shape (n_points, k, n_items)
        Gradients of the log-rates by the point.
    ratios : ndarray, shape (n_points, n_items)
        Expected arrivals over the probability of one or more.
    offset : ndarray, shape (n_points, k)
        Gradient of the log-probability of a profile without its items.
    information : ndarray, shape (n_points, k, k)
        Fisher information of the point in a profile of the size.
    log_odds : ndarray, shape (n_points, n_items)
        Part of the log-probability of a profile that each of its items adds.
    base : ndarray, shape (n_points,)
        Log-probability of a profile of the size, up to a constant, without its items' `log_odds`.
    """

    chain: Float32Array
    ratios: Float32Array
    offset: FloatArray
    information: FloatArray
    log_odds: Float32Array
    base: FloatArray

    def log_probabilities(self, point: int, profiles: sp.csr_array) -> FloatArray:
        """Log-probability of `profiles`, of ones, at one point, up to a constant: (n_profiles,)."""
        finite = np.maximum(self.log_odds[point], np.finfo(np.float32).min / 1e6)
        held = np.asarray(profiles @ finite, dtype=np.float64)
        return np.asarray(held + self.base[point])

    def gradient(self, point: int, profiles: sp.csr_array) -> FloatArray:
        """Gradient of the log-probability of `profiles`, of ones, at one point: (n_profiles, k)."""
        weights = (self.chain[point] * self.ratios[point]).T
        at_held = np.asarray(profiles @ weights, dtype=np.float64)
        return np.asarray(at_held + self.offset[point])


def log_times(
    log_rates: Float32Array, sizes: IntArray, *, dtype: npt.DTypeLike = np.float64
) -> Float32Array:
    """Log of the time at which `sizes` items are expected to have arrived, (n_users,).

    By Newton's method from below, in numbers of `dtype`; the expected number of items is concave in
    the time.
    """
    n_users, n_items = log_rates.shape
    step = max(1, CACHED_RATES // max(1, n_items))
    blocks = [slice(first, first + step) for first in range(0, n_users, step)]
    found = [_log_times_of_block(log_rates[block], sizes[block], dtype) for block in blocks]
    return np.concatenate(found) if found else np.zeros(0, dtype=np.float32)


def _log_times_of_block(
    log_rates: Float32Array, sizes: IntArray, dtype: npt.DTypeLike
) -> Float32Array:
    possible = np.isfinite(log_rates).sum(axis=1)
    wanted = np.minimum(sizes, possible - 0.5).clip(0.01).astype(dtype)
    rates = np.exp(log_rates - log_rates.max(axis=1, keepdims=True))
    times = wanted / rates.sum(axis=1)
    absent, buffer = (np.empty(rates.shape, dtype=dtype) for _ in range(2))
    for _ in range(8):
        np.multiply(rates, -times[:, None], out=absent)
        np.exp(absent, out=absent)
        missing = wanted - np.subtract(1, absent, out=buffer).sum(axis=1)
        derivative = np.multiply(rates, absent, out=buffer).sum(axis=1)
        before = times
        times = before + np.maximum(missing, 0) / np.maximum(derivative, 1e-30)
        if np.array_equal(times, before):
            break
    return np.asarray(np.log(times) - log_rates.max(axis=1), dtype=np.float32)
