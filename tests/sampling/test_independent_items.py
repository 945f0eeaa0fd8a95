"""Independent items: how many there are, at which odds so many, and draws."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from cornac_mle.sampling.independent_items import (
    Arrivals,
    CountDistribution,
    draw_independent,
    log_tilts,
)


def test_counts_are_those_of_the_binomial():
    count = CountDistribution.of(np.full((40, 400), 0.1))
    counts = np.arange(20, 60)
    found = count.probability(np.arange(40), counts)
    np.testing.assert_allclose(np.log(found), stats.binom.logpmf(counts, 400, 0.1), atol=1e-9)
    np.testing.assert_allclose(count.mean, 40)


def test_counts_of_users_who_differ_are_those_of_the_recursion():
    """From nearly certain items to a wide spread, each user by adding one item after the other."""
    rng = np.random.default_rng(1)
    p = expit(rng.standard_normal((5, 60)) * np.array([[0.1], [1], [3], [20], [500]]))
    count = CountDistribution.of(p)
    for user, row in enumerate(p):
        exact = np.ones(1)
        for one in row:
            exact = np.convolve(exact, [1 - one, one])
        found = count.probability(np.full(61, user), np.arange(61))
        np.testing.assert_allclose(found, exact, rtol=0, atol=1e-13)
        assert found.sum() == pytest.approx(1, abs=1e-13)


def test_counts_that_cannot_be_have_no_probability():
    count = CountDistribution.of(np.array([[0.5, 0.5, 0.0], [1.0, 1.0, 1.0]]))
    assert count.probability(np.zeros(2, dtype=int), np.array([-60, 80])).tolist() == [0.0, 0.0]
    # Not by more than rounding where they are within the period.
    within = count.probability(np.array([0, 0, 1, 1]), np.array([-1, 3, 2, 3]))
    np.testing.assert_allclose(within, [0, 0, 0, 1], atol=1e-14)


@pytest.mark.parametrize("spread", [0.1, 2.0, 30.0, 3_000.0])
def test_tilts_bring_the_expected_size(spread):
    eta = spread * np.random.default_rng(1).standard_normal((6, 50))
    eta[:, 7] = -np.inf
    sizes = np.array([1, 2, 10, 40, 48, 25])
    tilted = expit(eta + log_tilts(eta, sizes)[:, None])
    np.testing.assert_allclose(tilted.sum(axis=1), sizes, rtol=1e-7)
    # Half an item of an empty set, half an item short of a full one.
    ends = expit(eta[:2] + log_tilts(eta[:2], np.array([0, 49]))[:, None]).sum(axis=1)
    np.testing.assert_allclose(ends, [0.5, 48.5], rtol=1e-7)


@pytest.mark.parametrize("arriving", [False, True])
def test_items_are_drawn_as_often_as_they_are_probable(arriving):
    p = np.array([[0.0, 0.3, 1.0, 0.7], [0.5, 0.0, 0.0, 0.1]], dtype=np.float32)
    users, rng = np.repeat([1, 0], 20_000), np.random.default_rng(1)
    drawn = Arrivals(p).draw(users, rng) if arriving else draw_independent(p, users, rng)
    assert np.all(np.diff(drawn) > 0)
    shares = np.bincount(drawn, minlength=160_000).reshape(2, 20_000, 4).mean(axis=1)
    # Standard errors are at most .0036, and 5 of them .018.
    np.testing.assert_allclose(shares, p[[1, 0]], atol=0.018)
    assert shares[1, 0] == shares[0, 1] == 0
    assert shares[1, 2] == 1


def test_arrivals_of_many_items_are_independent_and_as_probable():
    """70 items, in three blocks, from rare to sure: means, and the count's whole distribution."""
    p = expit(np.linspace(-9, 3, 70))[[3, *range(3), *range(4, 70)]]
    drawn = Arrivals(np.array([p]), without=np.array([60])).draw(
        np.zeros(40_000, dtype=int), np.random.default_rng(1)
    )
    assert np.all(np.diff(drawn) > 0)
    held = np.zeros((40_000, 70))
    held.reshape(-1)[drawn] = 1
    p[60] = 0
    away = (held.mean(axis=0) - p) / np.sqrt(np.maximum(p * (1 - p), 1e-12) / 40_000)
    assert np.abs(away).max() < 5.5  # 70 items beyond 5.5 standard errors: 3e-6
    counts = np.bincount(held.sum(axis=1).astype(int), minlength=40)[:40]
    expected = 40_000 * CountDistribution.of(np.array([p])).probability(
        np.zeros(40, dtype=int), np.arange(40)
    )
    often = expected > 5
    assert (
        stats.chisquare(
            [*counts[often], counts[~often].sum()],
            [*expected[often], 40_000 - expected[often].sum()],
        ).pvalue
        > 1e-5
    )
