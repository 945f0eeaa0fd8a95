"""Log-normalisers A(eta) of the four likelihoods and their gradients, in torch.

Each function takes natural parameters (n_users, n_items) and profile sizes (n_users,), and gives A,
(n_users,), and its gradient, of the parameters' shape. It may overwrite the parameters.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Normaliser = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def _multinomial(eta: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Compute A = size x log sum exp(eta)."""
    top = eta.amax(dim=1, keepdim=True)
    weights = eta.sub_(top).exp_()
    total = weights.sum(dim=1, keepdim=True)
    normaliser = sizes * (torch.log(total) + top)[:, 0]
    return normaliser, weights.mul_(sizes[:, None] / total)


def _bernoulli(eta: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Compute A = sum log(1 + exp(eta))."""
    return torch.nn.functional.softplus(eta).sum(dim=1), eta.sigmoid_()


def _poisson(eta: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Compute A = sum exp(eta)."""
    means = eta.exp_()
    return means.sum(dim=1), means


def _gaussian(eta: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Compute A = sum eta^2 / 2, for indicators of variance 1; `scale` brings theirs in."""
    return (eta**2).sum(dim=1) / 2, eta


NORMALISERS: dict[str, Normaliser] = {
    "mult": _multinomial,
    "bern": _bernoulli,
    "gaus": _gaussian,
    "pois": _poisson,
}
