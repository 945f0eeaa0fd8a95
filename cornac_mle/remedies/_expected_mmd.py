"""Maximum mean discrepancy of profiles, with a gradient by the probabilities of holding items."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from cornac_mle.models.vae.torch_sparse import sparse_product
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
        total = torch.zeros_like(cosines)
        for width in self.bandwidths:
            exponent = (cosines - 1) / width
            if variances is not None:
                # Beyond this the expansion says nothing: tiny profiles would blow it up.
                exponent = exponent + (variances / (2 * width**2)).clamp(max=MOST_SPREAD)
            total = total + torch.exp(exponent)
        return total / len(self.bandwidths)


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

    and q is 0 or 1 for a real user. Products with real users, who are sparse, are differentiated by
    hand.

    Parameters
    ----------
    probabilities : tensor, shape (n_users, n_items)
        Synthetic users' probabilities; without a gradient only the value is computed.
    real : csr_array, shape (n_real, n_items)
        Real users, of ones.
    """
    weights = torch.from_numpy(kernel.weights).to(probabilities.device)
    squares = (probabilities @ weights).clamp(min=TINY)[:, None]  # (n_users, 1), of the lengths
    means = probabilities * (weights / squares.sqrt())
    spreads = probabilities * (weights / squares)
    certain = spreads * probabilities
    same = mean_of_pairs(
        kernel.values(
            (means / weights.clamp(min=TINY)) @ means.T,
            spreads @ spreads.T - certain @ certain.T,
        )
    )
    units = unit_sets(real, kernel.weights)
    # With a real user of squared length s: the gradient of the mean is 1 / sqrt(s), that of the
    # variance 1 / s.
    squared = sp.csr_array(units**2)
    loose = (spreads - certain) * weights
    cosines = sparse_product(units, means.T).requires_grad_()
    variances = sparse_product(squared, loose.T).requires_grad_()
    mixed = kernel.values(cosines, variances).mean()
    if probabilities.requires_grad:
        torch.autograd.backward(-2 * mixed)
        assert cosines.grad is not None  # `backward` has just written it
        assert variances.grad is not None
        gradient = sparse_product(sp.csr_array(units.T), cosines.grad).T
        other = sparse_product(sp.csr_array(squared.T), variances.grad).T
        torch.autograd.backward([same, means, loose], [torch.ones_like(same), gradient, other])
    return float(same.detach() - 2 * mixed.detach())
