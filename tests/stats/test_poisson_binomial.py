"""Tails of sums of independent events: against convolution, scipy and the binomial distribution."""

import numpy as np
import pytest
from scipy import stats

from cornac_mle.stats import poisson_binomial
from cornac_mle.stats.poisson_binomial import poisson_binomial_cdf


def naive_cdf(probabilities):
    """P(N <= 0), P(N <= 1), ... by convolution: sums of positive numbers, nothing cancels."""
    distribution = np.ones(1)
    for probability in probabilities:
        distribution = np.convolve(distribution, [1 - probability, probability])
    return np.cumsum(distribution)


@pytest.mark.parametrize("shape", [(1, 1), (0.3, 3), (3, 0.3), (1, 20), (0.1, 0.1)], ids=str)
@pytest.mark.parametrize("most", [1, 3, 40])
def test_every_count_has_the_convolutions_tail(shape, most):
    random = np.random.default_rng(most)
    for n_classes in (1, 2, 9):
        events = random.integers(1, most + 1, size=n_classes)
        probabilities = random.beta(*shape, size=n_classes)
        wanted = naive_cdf(np.repeat(probabilities, events))
        counts = np.arange(wanted.size)
        found = poisson_binomial_cdf(counts, np.tile(probabilities, (counts.size, 1)), events)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
        low = (counts < probabilities @ events) & (wanted > 1e-290)
        np.testing.assert_allclose(found[low], wanted[low], rtol=1e-10)


def test_it_agrees_with_scipy():
    random = np.random.default_rng(1)
    probabilities = random.beta(0.5, 4, size=(30, 200))
    counts = random.integers(0, 40, size=30)
    wanted = [
        stats.poisson_binom.cdf(count, distribution)
        for count, distribution in zip(counts, probabilities, strict=True)
    ]
    np.testing.assert_allclose(poisson_binomial_cdf(counts, probabilities), wanted, atol=1e-10)


@pytest.mark.parametrize("probability", [0.01, 0.3, 0.97])
def test_many_events_of_one_probability_are_binomial(probability):
    mean = 6000 * probability
    counts = np.unique(np.linspace(0, mean, 40).astype(int))
    wanted = stats.binom.cdf(counts, 6000, probability)
    found = poisson_binomial_cdf(counts, np.full((counts.size, 1), probability), [6000])
    seen = wanted > 1e-300
    np.testing.assert_allclose(found[seen], wanted[seen], rtol=1e-9)  # scipy's own error


def test_a_distribution_has_the_same_tail_alone_and_among_others(monkeypatch):
    random = np.random.default_rng(2)
    probabilities = random.beta(0.3, 3, size=(50, 30))
    counts, events = random.integers(0, 30, size=50), random.integers(1, 20, size=30)
    before = probabilities.copy(), counts.copy(), events.copy()
    together = poisson_binomial_cdf(counts, probabilities, events)
    monkeypatch.setattr(poisson_binomial, "BLOCK_ENTRIES", 1)
    np.testing.assert_allclose(
        poisson_binomial_cdf(counts, probabilities, events), together, rtol=1e-11
    )
    for was, now in zip(before, (probabilities, counts, events), strict=True):
        np.testing.assert_array_equal(was, now)


def test_sure_and_impossible_events():
    # One event surely, one never, two coins: N - 1 is binomial(2, 1/2).
    distribution = np.tile([1.0, 0.0, 0.5], (5, 1))
    found = poisson_binomial_cdf([-1, 0, 1, 2, 3], distribution, [1, 7, 2])
    np.testing.assert_allclose(found, [0, 0, 1 / 4, 3 / 4, 1], atol=1e-15)
    np.testing.assert_array_equal(poisson_binomial_cdf([0, 1], np.zeros((2, 0))), [1, 1])
    assert poisson_binomial_cdf([], np.zeros((0, 3))).size == 0
