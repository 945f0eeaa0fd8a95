"""Log-probability of item sets under each likelihood, and its gradient, in torch.

Each function takes natural parameters eta (n_users, n_items) and who holds what, and gives the sum
of log-probabilities over users, up to what does not depend on eta, and the gradient of *minus* that
by eta, of its shape. It may overwrite eta.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

PLACES = (-4.8, 3.2, 11)
"""First, last and number of points of the trapezoidal rule, in standard deviations of the arrival
time of the last item on its logarithmic scale: they are 5 digits of the gradient."""
NEWTON_STEPS = 6
TILT_STEPS = 40
"""Steps to a tilt at most; 3 to 5 but where an item is all but certain."""
TILT_ERROR = 1e-3
"""Error of the log-odds of the mean probability before the last step, which squares it."""
LEAST_VARIANCE = 3.0
"""Variance of the number of independent items from which on a saddlepoint has its probability."""
PERIOD = 17
"""Numbers of items told apart where the variance is less: others have a probability of 1e-8."""
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


def _conditional_poisson(eta: Tensor, held: Held) -> tuple[Tensor, Tensor]:
    r"""Compute log P(S | n) of independent items of log-odds eta, given their number.

    That is the sum of eta at items held, less log e_n(exp eta), e_n the elementary symmetric
    polynomial. With N the number of items at log-odds eta + x, x such that n are expected,

    .. math:: \log e_n = \sum_i \log(1 + e^{\eta_i + x}) - n x + \log P(N = n)

    and P(N = n) by the saddlepoint with its second term, or, where N varies little, exactly. The
    gradient of log e_n, that of P(N = n) included, is the probability that each item is held.
    """
    at_held = eta.view(-1)[held.places].sum()
    tilts = _log_tilts(eta, held.sizes)
    odds = eta.add_(tilts[:, None])
    certain = torch.nn.functional.softplus(odds).sum(dim=1) - held.sizes * tilts
    probabilities = odds.sigmoid_()
    variances = (probabilities * (1 - probabilities)).sum(dim=1)
    few = torch.nonzero(variances < LEAST_VARIANCE)[:, 0]
    exact = _count_by_frequencies(probabilities[few], held.sizes[few])
    log_counts, inclusion = _count_by_saddlepoint(probabilities)
    log_counts[few], inclusion[few] = exact
    inclusion.view(-1)[held.places] -= 1
    return at_held - (certain + log_counts).sum(), inclusion


def _log_tilts(eta: Tensor, sizes: Tensor) -> Tensor:
    """Compute x, (n_users,), at which the sum of sigmoid(eta + x) is the size.

    By Newton's method on the log-odds of the mean, a straight line where all eta are equal. Of an
    empty set half an item is expected, and of one of all items half an item less.
    """
    n_items = eta.shape[1]
    wanted = sizes.clamp(0.5, n_items - 0.5)
    goal = torch.logit(wanted / n_items)
    low = torch.log(wanted) - torch.logsumexp(eta, dim=1)
    high = torch.logsumexp(-eta, dim=1) - torch.log(n_items - wanted)
    x = low.clone()
    for _ in range(TILT_STEPS):
        probabilities = torch.sigmoid(eta + x[:, None])
        expected = probabilities.sum(dim=1)
        variance = expected - probabilities.square_().sum(dim=1)
        mean = (expected / n_items).clamp(TINY, 1 - 1e-7)
        missing = goal - torch.logit(mean)
        low = torch.where(missing > 0, x, low)
        high = torch.where(missing < 0, x, high)
        ahead = x + missing * n_items * mean * (1 - mean) / variance.clamp_min(TINY)
        x = torch.where((ahead >= low) & (ahead <= high), ahead, (low + high) / 2)
        if missing.abs().max() < TILT_ERROR:
            break
    return x


def _count_by_saddlepoint(probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """Log P(N = n), (n_users,), and each item's probability given N = n, where E[N] = n.

    With cumulants k of N, log P = -log(2 pi k2) / 2 + log r, r = 1 + k4 / (8 k2^2) -
    5 k3^2 / (24 k2^3). An item's probability is the first one plus the derivative of log P by its
    log-odds, along which the tilt keeps the mean: p (1 - p) times a cubic polynomial in 1 - 2 p.
    It overwrites `probabilities`.
    """
    skew = 1 - 2 * probabilities
    variance = probabilities * (1 - probabilities)
    product = variance.clone()
    k2 = product.sum(dim=1).clamp_min(TINY)
    k3, second, third = (product.mul_(skew).sum(dim=1) for _ in range(3))
    k4, k5 = (3 * second - k2) / 2, 3 * third - 2 * k3
    r = (1 + k4 / (8 * k2**2) - 5 * k3**2 / (24 * k2**3)).clamp_min(0.1)
    by_k2 = -1 / (2 * k2) + (15 * k3**2 / (24 * k2**4) - k4 / (4 * k2**3)) / r
    by_k3, by_k4 = -10 * k3 / (24 * k2**3) / r, 1 / (8 * k2**2) / r
    constant = -(by_k2 * k3 + by_k3 * k4 + by_k4 * k5) / k2 - by_k3 / 2
    cubic = (3 * by_k4)[:, None] * skew
    cubic.add_((1.5 * by_k3)[:, None]).mul_(skew).add_((by_k2 - 2 * by_k4)[:, None]).mul_(skew)
    cubic.add_(constant[:, None])
    return torch.log(r) - torch.log(2 * torch.pi * k2) / 2, probabilities.addcmul_(variance, cubic)


def _count_by_frequencies(probabilities: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Do the same by the trapezoidal rule over the characteristic function of N: exact but dear."""
    total = probabilities.new_ones(len(sizes))
    inclusion = probabilities.clone()
    for place in range(1, PERIOD // 2 + 1):
        angle = 2 * torch.pi * place / PERIOD
        turn = complex(math.cos(angle), math.sin(angle))
        factors = 1 + probabilities * (turn - 1)
        back = torch.polar(torch.ones_like(sizes), -angle * sizes)
        term = 2 * factors.prod(dim=1) * back
        total += term.real
        inclusion += ((term * turn)[:, None] * (probabilities / factors)).real
    return torch.log(total / PERIOD), inclusion / total[:, None]


LOG_PROBABILITIES: dict[str, LogProbability] = {
    "mult": _exponential_family(_multinomial),
    "plackett-luce": _plackett_luce,
    "conditional-poisson": _conditional_poisson,
    "bern": _exponential_family(_bernoulli),
    "gaus": _exponential_family(_gaussian),
    "pois": _exponential_family(_poisson),
}
