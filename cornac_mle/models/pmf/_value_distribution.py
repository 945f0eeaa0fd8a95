"""Values that a user of given tastes puts on the items held: cut or clipped Gaussians.

What is known of a value, or of a profile size, is a *cell* of a latent Gaussian score: the score
lies between `low` and `high`. Where both are the same number the score itself is known, and a
log-probability is a log-density.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from cornac_mle.models.pmf._gaussians import (
    BLOCK_USERS,
    PackedArray,
    Posterior,
    packed_products,
    traces,
)
from cornac_mle.models.pmf._value_factors import Values
from cornac_mle.sampling.normal_cells import LOG_TWO_PI, log_normal_cell, normal_cell_expansion
from cornac_mle.sparse import BoolArray, FloatArray, user_of

GRID_LENGTH = 25
"""More different training values than this count as continuous."""


class Cells(NamedTuple):
    """What stored values say of their latent scores, in the order in which they are stored."""

    low: FloatArray  # (nnz,)
    high: FloatArray  # (nnz,)
    possible: BoolArray  # (nnz,) others cannot be drawn; their cell is the whole line

    def repeated(self, times: int) -> "Cells":
        """Give the same cells several times over, one copy after the other."""
        low, high = np.tile(self.low, times), np.tile(self.high, times)
        return Cells(low, high, np.tile(self.possible, times))


class ValueDistribution(NamedTuple):
    """Value of item i given u: the latent score is mean + v_i'u + b_i + N(0, noise_sd^2).

    (v_i, b_i) is not known but has a posterior, independent from item to item. A user holds an item
    once, so all that this adds to the distribution of one user is variance: (u, 1)' C_i (u, 1).
    """

    mean: float
    noise_sd: float
    items: FloatArray  # (n_items, d + 1) posterior means of (v_i, b_i)
    spread: PackedArray  # (n_items, (d + 1)(d + 2) / 2) packed posterior covariances C_i
    grid: FloatArray | None  # (n_grid,) training values, ascending; None: continuous
    edges: FloatArray  # (n_grid + 1,) between them, infinite at the ends; else the range (2,)

    def scores(self, matrix: sp.csr_array, users: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the latent score of each stored entry, (nnz,) each.

        `users` is (n_users, d), one block.
        """
        rows = user_of(matrix)
        one = np.column_stack([users, np.ones(len(users))])
        variance = traces(packed_products(one), self.spread, one.shape[1])
        spread = variance[rows, matrix.indices].astype(np.float64)
        centre = self.mean + predictions(matrix, users, self.items)
        return centre, np.sqrt(self.noise_sd**2 + np.maximum(spread, 0.0))

    def draw(self, matrix: sp.csr_array, users: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Draw a value for each stored entry of one block, (nnz,)."""
        centre, spread = self.scores(matrix, users)
        scores = centre + spread * rng.standard_normal(matrix.nnz)
        if self.grid is None:
            return np.asarray(np.clip(scores, *self.edges))
        return np.asarray(self.grid[np.searchsorted(self.edges[1:-1], scores)])

    def cells(self, values: npt.NDArray[np.floating]) -> Cells:
        """Say what values (nnz,) tell of their latent scores."""
        exact = values.astype(np.float64)
        if self.grid is None:
            lowest, highest = self.edges
            low, high = exact.copy(), exact.copy()
            low[exact == lowest], high[exact == highest] = -np.inf, np.inf
            possible = (exact >= lowest) & (exact <= highest)
        else:
            place = np.minimum(np.searchsorted(self.grid, exact), len(self.grid) - 1)
            low, high = self.edges[place], self.edges[place + 1]
            possible = self.grid[place] == exact
        return Cells(np.where(possible, low, -np.inf), np.where(possible, high, np.inf), possible)

    def log_probability(self, matrix: sp.csr_array, users: FloatArray, cells: Cells) -> FloatArray:
        """Log-probability of all values of each user of one block given u, (n_users,)."""
        centre, spread = self.scores(matrix, users)
        of_entries = log_cell((cells.low - centre) / spread, (cells.high - centre) / spread)
        of_entries -= np.where(cells.low == cells.high, np.log(spread), 0.0)
        rows = user_of(matrix)
        sums = np.bincount(rows, weights=of_entries, minlength=matrix.shape[0])
        return sums.astype(np.float64)


def value_distribution(
    matrix: sp.csr_array, values: Values, rng: np.random.Generator
) -> ValueDistribution:
    """Fit the distribution of training values, each as frequent as in training."""
    grid = np.unique(matrix.data).astype(np.float64)
    spread = packed_products(np.zeros_like(values.items.mean), values.items.covariance)
    ends = np.array([grid[0], grid[-1]])
    distribution = ValueDistribution(
        values.mean, values.noise_sd, values.items.mean, spread, None, ends
    )
    if len(grid) > GRID_LENGTH:
        return distribution
    cuts = cut_points(matrix, grid, distribution, values.users, rng)
    return distribution._replace(grid=grid, edges=np.concatenate([[-np.inf], cuts, [np.inf]]))


def cut_points(
    matrix: sp.csr_array,
    grid: FloatArray,
    distribution: ValueDistribution,
    users: Posterior,
    rng: np.random.Generator,
) -> FloatArray:
    """Cut the distribution of training scores under the model so that each value has its frequency.

    Rounding to the nearest value would not: values are skewed and bounded, the model is neither.

    Returns
    -------
    ndarray, shape (n_grid - 1,)
        Cut-points between neighbouring values of `grid`, ascending.
    """
    scores = []
    for start in range(0, matrix.shape[0], BLOCK_USERS):
        rows = slice(start, start + BLOCK_USERS)
        block, mean = matrix[rows], users.mean[rows]
        noise = rng.standard_normal(mean.shape)[:, :, None]
        tastes = mean + (np.linalg.cholesky(users.covariance[rows]) @ noise)[:, :, 0]
        centre, spread = distribution.scores(block, tastes)
        scores.append(centre + spread * rng.standard_normal(block.nnz))
    below = np.searchsorted(np.sort(matrix.data), grid[1:].astype(np.float32)) / matrix.nnz
    points: FloatArray = np.quantile(np.concatenate(scores), below)
    return points


def predictions(matrix: sp.csr_array, users: FloatArray, items: FloatArray) -> FloatArray:
    """v_i'u + b_i at the stored entries, (nnz,); users (n_users, d), items (n_items, d + 1)."""
    rows = user_of(matrix)
    chosen = items[matrix.indices]
    products: FloatArray = np.einsum("nd,nd->n", users[rows], chosen[:, :-1]) + chosen[:, -1]
    return products


def log_cell(low: FloatArray, high: FloatArray) -> FloatArray:
    """Log-probability of a standard normal between `low` and `high`; log-density where equal."""
    known = low == high
    inside = log_normal_cell(np.where(known, -np.inf, low), np.where(known, np.inf, high))
    at = np.where(known, low, 0.0)
    return np.where(known, -0.5 * at**2 - 0.5 * LOG_TWO_PI, inside)


def cell_expansion(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gradient and minus the curvature of `log_cell` as both ends move down together.

    Moving down is what a higher mean of the score does, in its standard deviations. The second is
    within [0, 1]: the share of the prior precision that knowing the cell adds.
    """
    known = low == high
    gradient, precision = normal_cell_expansion(
        np.where(known, -np.inf, low), np.where(known, np.inf, high)
    )
    return np.where(known, low, gradient), np.where(known, 1.0, precision)
