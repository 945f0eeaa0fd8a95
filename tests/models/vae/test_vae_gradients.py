"""Log-probabilities and gradients by hand are those of autograd, and of differences."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.special import expit

from cornac_mle.models.vae._likelihoods import LIKELIHOODS
from cornac_mle.models.vae._log_probabilities import LOG_PROBABILITIES, Held, _log_tilts
from cornac_mle.models.vae._loss import drop_out, set_gradients
from cornac_mle.models.vae.network import unit_rows
from cornac_mle.models.vae.torch_layers import (
    new_decoder,
    new_layers,
    new_pseudo_inputs,
    pseudo_rows,
)
from cornac_mle.sampling.conditional_poisson import (
    conditional_poisson_log_probability,
    log_tilts,
)
from cornac_mle.sampling.plackett_luce import plackett_luce_log_probability


def log_probability_by_autograd(likelihood, eta, held):
    """Sum over users; draws without repeats by all orders of each set, conditional by all sets."""
    if likelihood == "plackett-luce":
        weights, sets = eta.exp(), [np.flatnonzero(row) for row in held.numpy()]
        return sum(
            torch.log(
                sum(one_order(weights[user], order) for order in itertools.permutations(items))
            )
            for user, items in enumerate(sets)
        )
    if likelihood == "conditional-poisson":
        weights = eta.exp()
        sets = [np.flatnonzero(row) for row in held.numpy()]
        return sum(
            torch.log(weights[user, items].prod() / all_sets(weights[user], len(items)))
            for user, items in enumerate(sets)
        )
    sizes = held.sum(dim=1)
    normaliser = {
        "mult": sizes * torch.logsumexp(eta, dim=1),
        "bern": torch.log1p(torch.exp(eta)).sum(dim=1),
        "pois": torch.exp(eta).sum(dim=1),
        "gaus": (eta**2 / 2).sum(dim=1),
    }[likelihood]
    return (eta * held).sum() - normaliser.sum()


def one_order(weights, order):
    left, probability = weights.sum(), 1.0
    for item in order:
        probability, left = probability * weights[item] / left, left - weights[item]
    return probability


def all_sets(weights, size):
    """Sum over all sets of the size of the products of their weights."""
    sets = list(itertools.combinations(range(len(weights)), size))
    return weights[torch.tensor(sets)].prod(dim=1).sum()


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("structure", [(), (7,), (8, 6)])
@pytest.mark.parametrize("prior", ["normal", "composite", "vamp"])
def test_gradients_by_hand_are_those_of_autograd(structure, likelihood, prior):
    rng = np.random.default_rng(0)
    held = sp.csr_array((rng.random((5, 12)).argsort(axis=1) < 4).astype(np.float32))
    shown = drop_out(unit_rows(held), 0.5, rng)
    cpu = torch.device("cpu")
    encoder = new_layers([12, *structure, 6], cpu, rng)
    decoder = new_decoder([3, *structure[::-1], 12], cpu, rng)
    shares = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    pseudo = new_pseudo_inputs(unit_rows(held), 4, cpu, rng) if prior == "vamp" else None
    earlier = new_layers([12, *structure, 6], cpu, rng) if prior == "composite" else None
    tensors = [tensor for layer in encoder + decoder for tensor in layer]
    tensors += [] if pseudo is None else [pseudo]
    noise = torch.from_numpy(rng.standard_normal((5, 3), dtype=np.float32))
    for _ in range(2):  # gradients are set, not added to
        loss = set_gradients(
            encoder,
            decoder,
            pseudo,
            earlier,
            shown=shown,
            held=held,
            noise=noise,
            log_probability=LOG_PROBABILITIES[likelihood],
            weight=1.7,
            kl_weights=shares,
        )
    by_hand = [tensor.grad.clone() for tensor in tensors]

    def encode(hidden, layers=encoder):
        for number, (weights, biases) in enumerate(layers):
            hidden = (torch.tanh(hidden) if number else hidden) @ weights + biases
        return hidden[:, :3], hidden[:, 3:]

    mean, log_variance = encode(torch.from_numpy(shown.toarray()))
    points = hidden = mean + torch.exp(log_variance / 2) * noise
    for weights, biases in decoder[:-1]:
        hidden = torch.tanh(hidden @ weights + biases)
    if structure:
        hidden = torch.cat([hidden, points], dim=1)
    hidden = hidden @ decoder[-1][0] + decoder[-1][1]
    target = torch.from_numpy((held.toarray() > 0).astype(np.float32))
    fit = log_probability_by_autograd(likelihood, hidden, target)
    normal = torch.distributions.Normal
    at_own = normal(mean, torch.exp(log_variance / 2)).log_prob(points).sum(dim=1)
    if prior == "normal":
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)
    elif prior == "composite":
        before, spread = encode(torch.from_numpy(held.toarray()), earlier)
        kl = at_own - torch.log(
            0.15 * normal(0.0, 1.0).log_prob(points).sum(dim=1).exp()
            + 0.75 * normal(before, torch.exp(spread / 2)).log_prob(points).sum(dim=1).exp()
            + 0.1 * normal(0.0, np.exp(5.0)).log_prob(points).sum(dim=1).exp()
        )
    else:
        of_pseudo, spread = encode(pseudo_rows(pseudo))
        parts = normal(of_pseudo, torch.exp(spread / 2)).log_prob(points[:, None, :]).sum(dim=2)
        at_prior = torch.logsumexp(parts, dim=1) - np.log(4)
        kl = at_own - at_prior
    kl = (torch.from_numpy(shares) * kl).mean()
    expected = -1.7 * fit / 5 + kl
    # Draws without repeats are integrated numerically, to 3 digits in sets this small.
    digits = 2e-3 if likelihood == "plackett-luce" else 1e-5
    assert loss == pytest.approx(expected.item(), rel=digits)
    for ours, theirs in zip(by_hand, torch.autograd.grad(expected, tensors), strict=True):
        scale = theirs.abs().max() if likelihood == "plackett-luce" else 0
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=2e-6 + 1e-3 * float(scale))


EXACT = {
    "plackett-luce": plackett_luce_log_probability,
    "conditional-poisson": conditional_poisson_log_probability,
}


@pytest.mark.parametrize("likelihood", EXACT)
@pytest.mark.parametrize("spread", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("sizes", [(1, 2, 3, 7), (30, 60, 99, 100), (0, 5, 20, 50)])
def test_sets_of_a_size_have_their_probability_and_gradient(sizes, spread, likelihood):
    rng = np.random.default_rng(3)
    eta = spread * rng.standard_normal((4, 100))
    arrivals = rng.exponential(size=eta.shape) / np.exp(eta)
    held = arrivals.argsort(axis=1).argsort(axis=1) < np.array(sizes)[:, None]
    matrix = sp.csr_array(held.astype(np.float32))
    found = LOG_PROBABILITIES[likelihood](torch.from_numpy(eta.astype(np.float32)), batch(held))
    exact = EXACT[likelihood](eta, matrix)
    assert found[0].item() == pytest.approx(exact.sum(), abs=0.01)
    step = 1e-5
    for item in range(0, 100, 9):
        moved = np.zeros_like(eta)
        moved[:, item] = step
        ends = [EXACT[likelihood](eta + way * moved, matrix) for way in (1, -1)]
        gradients = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(-found[1][:, item].numpy(), gradients, rtol=0, atol=2e-3)


def batch(held):
    """Who holds what, (n_users, n_items), as training has it."""
    sizes = torch.from_numpy(held.sum(axis=1).astype(np.float32))
    return Held(
        torch.from_numpy(np.flatnonzero(held)), torch.from_numpy(np.nonzero(held)[0]), sizes
    )


@pytest.mark.parametrize("size", [1, 3, 4, 10, 300, 2_990])
def test_inclusion_probabilities_of_many_items_are_those_of_the_recursion(size):
    """Saddlepoint (from 4 items on) and frequencies alike are within a thousandth."""
    eta = 3 * np.random.default_rng(1).standard_normal(3_000)
    held = np.zeros((1, 3_000), dtype=bool)
    held[0, np.argsort(-eta)[:size]] = True
    single = torch.from_numpy(eta.astype(np.float32)[None])
    found = LOG_PROBABILITIES["conditional-poisson"](single, batch(held))
    nats = conditional_poisson_log_probability(eta[None], sp.csr_array(held.astype(np.float32)))
    assert found[0].item() == pytest.approx(nats[0], abs=5e-3)  # of sums of 20,000 in float32
    inclusion = found[1].numpy()[0] + held[0]
    np.testing.assert_allclose(inclusion, inclusion_by_recursion(eta, size), atol=1e-3)
    assert inclusion.sum() == pytest.approx(size, rel=1e-4)


def test_a_tilt_that_is_found_is_kept():
    """Newton's method ends at a bound of its own here, from which it must not be bisected away."""
    eta = torch.cat([torch.linspace(-8.6, -6.8, 20), torch.linspace(3.0, 6.0, 20)]).repeat(30, 1)
    eta += torch.linspace(0, 1, 30)[:, None]
    sizes = torch.full((30,), 10.0)
    tilts = _log_tilts(eta, sizes)
    torch.testing.assert_close(
        torch.sigmoid(eta + tilts[:, None]).sum(dim=1), sizes, rtol=1e-5, atol=0
    )


@pytest.mark.parametrize("spread", [10.0, 100.0, 1e4])
def test_sets_of_all_but_certain_items_have_finite_gradients(spread):
    rng = np.random.default_rng(1)
    eta = (spread * rng.standard_normal((40, 60))).astype(np.float32)
    held = rng.random((40, 60)).argsort(axis=1) < np.arange(40)[:, None]
    found = LOG_PROBABILITIES["conditional-poisson"](torch.from_numpy(eta.copy()), batch(held))
    exact = conditional_poisson_log_probability(eta, sp.csr_array(held.astype(np.float32)))
    assert found[0].item() == pytest.approx(exact.sum(), rel=1e-5)
    inclusion = found[1].numpy() + held
    np.testing.assert_allclose(inclusion.sum(axis=1), np.arange(40), atol=0.02)
    assert inclusion.min() > -1e-3
    assert inclusion.max() < 1 + 1e-3


def inclusion_by_recursion(eta, size):
    """P(item held | size): sets of the items before each, times sets of those after it."""
    p = expit(eta + log_tilts(eta[None], np.array([size]))[0])
    before = np.zeros((len(p) + 1, size + 1))
    before[0, 0] = 1
    for item, one in enumerate(p):
        before[item + 1] = before[item] * (1 - one)
        before[item + 1, 1:] += before[item, :-1] * one
    inclusion, after = np.empty(len(p)), np.eye(1, size + 1)[0]
    for item in range(len(p) - 1, -1, -1):
        inclusion[item] = p[item] * before[item, :size] @ after[:size][::-1]
        after = after * (1 - p[item]) + p[item] * np.append(0, after[:-1])
    return inclusion / before[-1, size]
