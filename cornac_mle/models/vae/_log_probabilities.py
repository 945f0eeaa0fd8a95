"""Log-probability of item sets under each likelihood, and its gradient, in torch.

Each function takes natural parameters eta (n_users, n_items) and who holds what, and gives the sum
of log-probabilities over users, up to what does not depend on eta, and the gradient of *minus* that
by eta, of its shape. It may overwrite eta.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

PLACES = (-4.8, 3.2, 11)
"""First, last and number of points of the trapezoidal rule, in standard deviations of the arrival
time of the last item on its logarithmic scale: they are 5 digits of the gradient."""
NEWTON_STEPS = 6
TINY = 1e-30
"""What stands for a weight of 0 beside a largest one of 1."""


class Held(NamedTuple):
    """The item sets of a batch.

    Attributes
    ----------
    places : Tensor of int, shape (n_held,)
        ``user * n_items + item``, ascending.
    users : Tensor of int, shape (n_held,)
        The user of each.
    sizes : Tensor, shape (n_users,)
        Items of each user, float.
    """

    places: Tensor
    users: Tensor
    sizes: Tensor


LogProbability = Callable[[Tensor, Held], tuple[Tensor, Tensor]]


def _exponential_family(log_normaliser: Callable[[Tensor, Tensor], Tensor]) -> LogProbability:
    """Give log p = sum of eta at items held - A(eta).

    `log_normaliser` takes eta and sizes, gives the sum of A over users and turns eta into A's
    gradient.
    """

    def log_probability(eta: Tensor, held: Held) -> tuple[Tensor, Tensor]:
        at_held = eta.view(-1)[held.places].sum()
        total = at_held - log_normaliser(eta, held.sizes)
        eta.view(-1)[held.places] -= 1
        return total, eta

    return log_probability


def _multinomial(eta: Tensor, sizes: Tensor) -> Tensor:
    """Compute A = size x log sum exp(eta)."""
    top = eta.amax(dim=1, keepdim=True)
    total = eta.sub_(top).exp_().sum(dim=1, keepdim=True)
    eta.mul_(sizes[:, None] / total)
    return (sizes * (torch.log(total) + top)[:, 0]).sum()


def _bernoulli(eta: Tensor, sizes: Tensor) -> Tensor:
    """Compute A = sum log(1 + exp(eta))."""
    total = torch.nn.functional.softplus(eta).sum()
    eta.sigmoid_()
    return total


def _poisson(eta: Tensor, sizes: Tensor) -> Tensor:
    """Compute A = sum exp(eta)."""
    return eta.exp_().sum()


def _gaussian(eta: Tensor, sizes: Tensor) -> Tensor:
    """Compute A = sum eta^2 / 2; `scale` brings in a variance other than 1."""
    return (eta**2).sum() / 2


def _plackett_luce(eta: Tensor, held: Held) -> tuple[Tensor, Tensor]:
    r"""Compute log P(S | n) of draws without repeats at rates exp(eta), in any order.

    Item i arrives at an exponential time of rate w_i = exp(eta_i), the first item outside S at one
    of rate W, their sum, and S is drawn if that is later than all of S. At time t, in units of 1/W,

    .. math:: P(S \mid n) = \int_0^\infty e^{-t} \prod_{i \in S} (1 - e^{-w_i t / W}) \, dt

    by the trapezoidal rule in log t around the peak, where the integrand is log-concave. With h_i
    the mean of rho / (exp(rho) - 1), rho = w_i t / W, over t given S, the gradient is h_i at items
    held, and - (sum of all h_i) w_j / W at the others: that of a multinomial but for h_i, 1 there.
    """
    weights = eta.sub_(eta.amax(dim=1, keepdim=True)).exp_()
    flat = weights.view(-1)
    own = flat[held.places].clamp_min_(TINY)
    flat[held.places] = 0
    left = weights.sum(dim=1).clamp_min_(TINY)
    log_probability, shares = _set_integral(own / left[held.users], held.users, held.sizes)
    outside = torch.zeros_like(left).index_add_(0, held.users, shares)
    gradient = weights.mul_((outside / left)[:, None])
    flat[held.places] = -shares
    return log_probability, gradient


def _set_integral(ratios: Tensor, users: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of the log-integrals over users, and h, (n_held,), from the ratios w_i / W, (n_held,)."""
    n_users = len(sizes)

    def of_users(values: Tensor) -> Tensor:
        return values.new_zeros(n_users, *values.shape[1:]).index_add_(0, users, values)

    x = torch.zeros_like(sizes)  # log t
    for _ in range(NEWTON_STEPS):
        rho = ratios * torch.exp(x)[users]
        h = _held_share(rho)
        first = 1 - torch.exp(x) + of_users(h)
        second = -torch.exp(x) + of_users(h * (1 - h - rho))
        x = torch.clamp(x - first / second, min=torch.zeros_like(x), max=torch.log1p(sizes))
    spread = torch.rsqrt(-second)
    nodes = torch.linspace(*PLACES, device=x.device)
    times = x[:, None] + spread[:, None] * nodes  # (n_users, n_nodes)
    rho = ratios[:, None] * torch.exp(times)[users]  # (n_held, n_nodes)
    log_integrand = times - torch.exp(times) + of_users(torch.log(-torch.expm1(-rho)))
    step = torch.log(spread * (nodes[1] - nodes[0]))
    posterior = torch.softmax(log_integrand, dim=1)
    total = (torch.logsumexp(log_integrand, dim=1) + step)[sizes > 0].sum()
    return total, (_held_share(rho) * posterior[users]).sum(dim=1)


def _held_share(rho: Tensor) -> Tensor:
    """Compute rho / (exp(rho) - 1), 1 at 0: the part of its gradient that an item keeps."""
    return rho / torch.expm1(rho).clamp_min(TINY)


LOG_PROBABILITIES: dict[str, LogProbability] = {
    "mult": _exponential_family(_multinomial),
    "plackett-luce": _plackett_luce,
    "bern": _exponential_family(_bernoulli),
    "gaus": _exponential_family(_gaussian),
    "pois": _exponential_family(_poisson),
}
