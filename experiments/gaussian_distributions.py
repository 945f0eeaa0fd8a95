"""Distributions on a line that are mixtures of Gaussians, and divergences between them.

Nothing is sampled: expectations are sums over 1,600 evenly spaced nodes around each component's
mean, and four times as many change no divergence by more than 1e-9. Regions and distribution
functions are read from a line that holds means from -20 to 36 with deviations up to 8. Used by
`figure1.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import brentq
from scipy.optimize.elementwise import find_root
from scipy.special import log_ndtr, ndtr, ndtri_exp

from cornac_mle.sparse import FloatArray

STEP = 0.01
NODES = np.arange(-8 + STEP / 2, 8, STEP)
"""Where expectations are taken, in standard deviations from a component's mean."""
NODE_WEIGHTS = stats.norm.pdf(NODES) * STEP
LINE = np.arange(-72, 88 + STEP / 2, STEP)
"""Where distribution functions are compared and regions are cut."""


@dataclass(frozen=True)
class Gaussians:
    """A distribution on the line: a mixture of Gaussians, or a single one."""

    weights: tuple[float, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]

    @property
    def _parts(self) -> list[tuple[float, float, float]]:
        return list(zip(self.weights, self.means, self.deviations, strict=True))

    def __str__(self) -> str:
        return " + ".join(
            f"{'' if weight == 1 else f'{weight:.2f} '}N({mean:z.2f}, {deviation:.2f}²)"
            for weight, mean, deviation in self._parts
        )

    def log_density(self, x: FloatArray) -> FloatArray:
        """Log density at `x`: (n,) -> (n,), nats."""
        constant = np.log(2 * np.pi) / 2
        return np.logaddexp.reduce(
            [np.log(w / s) - ((x - m) / s) ** 2 / 2 - constant for w, m, s in self._parts]
        )

    def distribution(self, x: FloatArray) -> FloatArray:
        """P(X <= x): (n,) -> (n,)."""
        return np.sum([w * ndtr((x - m) / s) for w, m, s in self._parts], axis=0)

    def normal_score(self, x: FloatArray) -> FloatArray:
        """Find the standard normal quantile of P(X <= x), precise in both tails: (n,) -> (n,)."""
        below, above = (
            np.logaddexp.reduce(
                [np.log(w) + log_ndtr(sign * (x - m) / s) for w, m, s in self._parts]
            )
            for sign in (1, -1)
        )
        return np.where(below < above, ndtri_exp(below), -ndtri_exp(above))

    def quantile(self, score: FloatArray) -> FloatArray:
        """Find the inverse of `normal_score`: (n,) -> (n,)."""
        if len(self.weights) == 1:
            return self.means[0] + self.deviations[0] * score
        ends = np.full(score.size, LINE[0]), np.full(score.size, LINE[-1])
        return find_root(lambda x, wanted: self.normal_score(x) - wanted, ends, args=(score,)).x

    def expectation(self, function: Callable[[FloatArray], FloatArray]) -> float:
        """Find E function(X), by quadrature around each component's mean."""
        sums = [w * (function(m + s * NODES) @ NODE_WEIGHTS) for w, m, s in self._parts]
        return float(np.sum(sums))

    def region(self, share: float) -> FloatArray:
        """Find the highest-density region that holds `share` of the mass: (n_intervals, 2)."""
        log_density = self.log_density(LINE)
        gradient = np.diff(log_density) / STEP

        def above(level: float) -> FloatArray:
            left = np.flatnonzero(np.diff(log_density >= level))
            ends = LINE[left] + (level - log_density[left]) / gradient[left]
            return ends.reshape(-1, 2)

        peak = log_density.max()
        levels = peak - 20, peak - 1e-3
        return above(brentq(lambda level: self.inside(above(level)) - share, *levels))

    def inside(self, region: FloatArray) -> float:
        """P(X in region), for a region of shape (n_intervals, 2)."""
        return float(np.sum(np.diff(self.distribution(region.ravel()).reshape(-1, 2))))


def kullback_leibler(one: Gaussians, other: Gaussians) -> float:
    """KL(one, other) in nats."""
    return one.expectation(lambda x: one.log_density(x) - other.log_density(x))


def jensen_shannon(one: Gaussians, other: Gaussians) -> float:
    """Jensen-Shannon divergence in bits; at most 1."""
    middle = Gaussians(
        tuple(weight / 2 for weight in one.weights + other.weights),
        one.means + other.means,
        one.deviations + other.deviations,
    )
    nats = (kullback_leibler(one, middle) + kullback_leibler(other, middle)) / 2
    return nats / float(np.log(2))


def wasserstein_1(one: Gaussians, other: Gaussians) -> float:
    """Wasserstein distance of order 1: the area between the two distribution functions."""
    gap = one.distribution(LINE) - other.distribution(LINE)
    left, right = gap[:-1], gap[1:]
    # Where the sign changes inside a step, two triangles; a kink there would stop the optimiser.
    crossing = left * right < 0
    height = np.abs(np.where(crossing, 1, left + right))
    spread = np.abs(np.where(crossing, left - right, 1))
    return float(STEP * np.sum(np.where(crossing, (left**2 + right**2) / spread, height)) / 2)


def wasserstein_2(one: Gaussians, other: Gaussians) -> float:
    """Wasserstein distance of order 2: X moved to the other's equal quantile, mean square."""
    return one.expectation(lambda x: (x - other.quantile(one.normal_score(x))) ** 2) ** 0.5
