"""Maximum mean discrepancy of profiles, with a gradient by the probabilities of holding items."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from cornac_mle.models.vae.torch_sparse import dense_product, sparse_product
from cornac_mle.sparse import Float32Array, pattern

BANDWIDTHS = (0.125, 0.25, 0.5, 1.0)
"""Squared bandwidths of the kernels, in medians of half the squared distance of two users."""
MEDIAN_USERS = 1000
"""Users at most that the median is taken of."""
MOST_SPREAD = 0.5
"""Largest second-order term of a kernel's logarithm."""
TINY = float(np.finfo(np.float32).tiny)


class Kernel(NamedTuple):
    """Mean of Gaussian kernels of vectors of length 1, of items weighted by rarity.

    Attributes
    ----------
    weights : ndarray, shape (n_items,)
        Squared rarity of each item.
    bandwidths : tuple of float
        Bandwidths; a kernel is exp((cosine - 1) / bandwidth).
    """

    weights: Float32Array
    bandwidths: tuple[float, ...]

    @classmethod
    def of(cls, matrix: sp.csr_array, rng: np.random.Generator) -> "Kernel":
        """Fit rarities and bandwidths to training users, the latter to some of them."""
        n_users = matrix.shape[0]
        holders = np.maximum(np.diff(sp.csc_array(matrix).indptr), 1)
        weights = (np.log((n_users + 1) / holders) ** 2).astype(np.float32)
        some = unit_sets(pattern(matrix[rng.permutation(n_users)[:MEDIAN_USERS]]), weights)
        cosines = (sp.csr_array(some * weights) @ some.T).toarray()
        apart = 1 - cosines[np.triu_indices(len(cosines), 1)]
        median = max(float(np.median(apart)), 1e-3) if apart.size else 1.0
        return cls(weights, tuple(scale * median for scale in BANDWIDTHS))

    def values(self, cosines: Tensor, variances: Tensor | None = None) -> Tensor:
        """Kernel of each cosine; its expectation to second order where cosines have a variance."""
        return self.with_gradients(cosines, variances)[0]

    def with_gradients(
        self, cosines: Tensor, variances: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Give `values`, and their gradients by the cosines and by the variances."""
        value, by_cosine, by_variance = (torch.zeros_like(cosines) for _ in range(3))
        apart = cosines - 1
        for width in self.bandwidths:
            by_spread = 1 / (2 * width**2)
            if variances is None:
                kernel = torch.exp(apart / width)
            else:
                # Beyond this the expansion says nothing: tiny profiles would blow it up.
                exponent = (variances * by_spread).clamp_(max=MOST_SPREAD)
                is_counted = exponent < MOST_SPREAD
                kernel = exponent.add_(apart, alpha=1 / width).exp_()
                by_variance.add_(kernel * is_counted, alpha=by_spread)
            value += kernel
            by_cosine.add_(kernel, alpha=1 / width)
        count = len(self.bandwidths)
        return value.div_(count), by_cosine.div_(count), by_variance.div_(count)


def unit_sets(held: sp.csr_array, weights: Float32Array) -> sp.csr_array:
    """Divide rows of ones by their length, the root of the sum of their items' weights."""
    lengths = np.sqrt(np.maximum(held @ weights, TINY))
    return sp.csr_array(sp.diags_array((1 / lengths).astype(np.float32)) @ held)


def mean_of_pairs(values: Tensor) -> Tensor:
    """Mean of a square matrix over ordered pairs of two different users."""
    count = len(values)
    return (values.sum() - values.diagonal().sum()) / (count * (count - 1))


def among_real(kernel: Kernel, real: sp.csr_array) -> float:
    """Mean kernel over ordered pairs of two different profiles; 0 where there is one only."""
    if real.shape[0] < 2:
        return 0.0
    units = unit_sets(real, kernel.weights)
    cosines = (sp.csr_array(units * kernel.weights) @ units.T).toarray()
    return float(mean_of_pairs(kernel.values(torch.from_numpy(cosines))))


def set_gradients(probabilities: Tensor, kernel: Kernel, real: sp.csr_array) -> float:
    """Add the gradient of MMD^2 to the parameters behind `probabilities`; return its changing part.

    That is the mean kernel among synthetic users minus twice the mean kernel with `real` ones; the
    mean among real users does not change. Items are held independently with the given
    probabilities, so the cosine of two profiles, of length sqrt(expected sum of weights), has mean
    and variance ::

        sum of w p q / (length x length')        sum of w^2 p q (1 - p q) / (length x length')^2

    and q is 0 or 1 for a real user. All is differentiated by hand: a product of symmetric matrices
    needs one product for its gradient, and tensors stay in one layout.

    Parameters
    ----------
    probabilities : tensor, shape (n_users, n_items)
        Synthetic users' probabilities; without a gradient only the value is computed.
    real : csr_array, shape (n_real, n_items)
        Real users, of ones.
    """
    with torch.no_grad():
        value, gradient = _value_and_gradient(probabilities.detach(), kernel, real)
    if probabilities.requires_grad:
        torch.autograd.backward(probabilities, gradient)
    return value


def _value_and_gradient(held: Tensor, kernel: Kernel, real: sp.csr_array) -> tuple[float, Tensor]:
    """Give the changing part of MMD^2, and its gradient by `held`, (n_users, n_items)."""
    weights = torch.from_numpy(kernel.weights).to(held.device)
    squares = (held @ weights)[:, None]  # (n_users, 1), of the lengths
    is_long = squares > TINY
    squares.clamp_(min=TINY)
    units = held / squares.sqrt()
    means, roots = units * weights, units * weights.sqrt()
    spreads = (held * weights).div_(squares)
    certain = spreads * held

    n_users = len(held)
    kernels, by_cosine, by_variance = kernel.with_gradients(
        dense_product(roots, roots.T),
        dense_product(spreads, spreads.T).sub_(dense_product(certain, certain.T)),
    )
    for gradient in (by_cosine, by_variance):
        gradient.fill_diagonal_(0.0).mul_(2 / (n_users * (n_users - 1)))  # of both users of a pair
    by_units = dense_product(by_cosine, means)
    by_spreads = dense_product(by_variance, spreads)
    by_certain = dense_product(by_variance, certain).neg_()

    sets = unit_sets(real, kernel.weights)
    # With a real user of squared length s: the gradient of the mean is 1 / sqrt(s), that of the
    # variance 1 / s.
    squared = sp.csr_array(sets**2)
    mixed, by_cosine, by_variance = kernel.with_gradients(
        sparse_product(sets, means.T),
        sparse_product(squared, ((spreads - certain) * weights).T),
    )
    scale = -2 / mixed.numel()
    by_units.addcmul_(sparse_product(sets.T, by_cosine).T.contiguous(), weights, value=scale)
    by_loose = sparse_product(squared.T, by_variance).T.contiguous().mul_(weights).mul_(scale)
    by_spreads += by_loose
    by_certain -= by_loose

    by_spreads.addcmul_(by_certain, held)
    by_squares = torch.sum(by_spreads * spreads, dim=1, keepdim=True)
    by_squares += torch.sum(by_units * units, dim=1, keepdim=True) / 2
    by_squares = torch.where(is_long, -by_squares, 0.0)
    gradient = by_certain.mul_(spreads)
    gradient += by_spreads.add_(by_squares).mul_(weights).div_(squares)
    gradient += by_units.div_(squares.sqrt())
    return float(mean_of_pairs(kernels) - 2 * mixed.mean()), gradient
