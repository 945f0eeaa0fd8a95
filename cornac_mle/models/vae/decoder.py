"""Distribution of items given a latent point, and the gradient of a profile's probability."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from cornac_mle.models.vae._likelihoods import Likelihood
from cornac_mle.models.vae.network import Layers, forward, gradients
from cornac_mle.sparse import Float32Array, FloatArray, IntArray


@dataclass(frozen=True)
class Decoder:
    """The distribution of items given a latent point.

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

    def draw(self, points: FloatArray, sizes: IntArray, rng: np.random.Generator) -> sp.csr_array:
        """Draw a set of each size, (n_users,), at each point, (n_users, k)."""
        return self.likelihood.sets.draw(self.log_rates(points), sizes, rng)

    def log_probability(self, points: FloatArray, matrix: sp.csr_array) -> FloatArray:
        """Log-probability, (n_users,), of each set at its point, given its size."""
        return self.likelihood.sets.log_probability(self.log_rates(points), matrix)

    def expansion(self, points: FloatArray, matrix: sp.csr_array) -> tuple[FloatArray, FloatArray]:
        """Gradient (n_users, k) and information (n_users, k, k) of each profile's log-probability.

        By the distribution of independent items, given the size, at the time (or tilt) at which
        that many are expected: item i, of rate times time r_i, is held with probability
        1 - exp(-r_i). It is close to the distribution of the draws, has a gradient that is linear
        in the profile, and the information of its size taken out.
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
        items = self.likelihood.sets.independent(log_rates, sizes)
        p, rates = items.probabilities, items.absent_gradients
        spread = (p * (1 - p)).sum(axis=1, dtype=np.float64)
        base = 0.5 * np.log(np.maximum(spread, 1e-12)) + items.log_nothing
        # Information by log-rate: of arrivals r^2 (1 - q) / q = r (r / q - r), which tends to r for
        # rare items; of odds p (1 - p).
        weights = rates * (items.held_gradients - rates)
        chain = gradients(self.layers, single)
        chain *= self.likelihood.log_rate_gradients(eta, self.least)[:, None, :]
        weighted = chain * weights[:, None, :]
        total = weighted.sum(axis=2)
        information = (weighted @ chain.transpose(0, 2, 1)).astype(np.float64)
        mass = np.maximum(weights.sum(axis=1), np.finfo(np.float32).tiny)
        information -= total[:, :, None].astype(np.float64) * (total / mass[:, None])[:, None, :]
        offset = -(chain @ rates[:, :, None])[:, :, 0].astype(np.float64)
        return Sharpness(chain, items.held_gradients, offset, information, items.log_odds, base)


@dataclass(frozen=True)
class Sharpness:
    """How fast the probabilities of profiles change at points: see `Decoder.expansion`.

    Attributes
    ----------
    chain : ndarray, shape (n_points, k, n_items)
        Gradients of the log-rates by the point.
    ratios : ndarray, shape (n_points, n_items)
        Expected arrivals over the probability of one or more; 1 of odds.
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
