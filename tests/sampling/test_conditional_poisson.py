"""Sets of independent items, given how many: draws and probabilities against enumeration."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats
from scipy.special import expit

from cornac_mle.sampling import conditional_poisson as module
from cornac_mle.sampling.conditional_poisson import (
    conditional_poisson,
    conditional_poisson_log_probability,
)
from cornac_mle.sampling.independent_items import CountDistribution, log_tilts

WEIGHTS = [5.0, 3.0, 1.0, 0.5]


def set_probabilities(weights, size):
    """Probability of each set of the size, by their products."""
    sets = list(itertools.combinations(range(len(weights)), size))
    products = np.array([np.prod([weights[item] for item in one]) for one in sets])
    return dict(zip(map(frozenset, sets), products / products.sum(), strict=True))


def item_sets(sets, n_items):
    """One row of ones a set."""
    rows = np.zeros((len(sets), n_items), dtype=np.float32)
    for row, one in zip(rows, sets, strict=True):
        row[list(one)] = 1
    return sp.csr_array(rows)


def log_probability(weights, sets):
    """Of each set, in nats, under one row of weights."""
    rows = np.tile(np.log(np.array(weights, dtype=np.float64)), (len(sets), 1))
    return conditional_poisson_log_probability(rows, item_sets(sets, len(weights)))


def fit_p_value(drawn, expected):
    """Chi-square of drawn sets against their probabilities."""
    observed = dict.fromkeys(expected, 0)
    for items in np.split(drawn.indices, drawn.indptr[1:-1]):
        observed[frozenset(items.tolist())] += 1
    probabilities = np.array(list(expected.values()))
    counts = np.array(list(observed.values()))
    return stats.chisquare(counts, probabilities * counts.sum()).pvalue


# -------------------------------------------------------------------------------------- draws


@pytest.mark.parametrize("size", [1, 2, 3])
def test_sets_are_drawn_in_proportion_to_the_product_of_their_weights(size):
    """At a false-alarm rate of 1e-6; one after the other, they have another distribution."""
    log_weights = np.tile(np.log(WEIGHTS), (20_000, 1))
    drawn = conditional_poisson(log_weights, np.full(20_000, size), np.random.default_rng(1))
    assert fit_p_value(drawn, set_probabilities(WEIGHTS, size)) > 1e-6
    if size == 2:
        # Sum of products 15 + 5 + 2.5 + 3 + 1.5 + .5 = 27.5, so {0, 1} has .545; one after the
        # other 5/9.5 3/4.5 + 3/9.5 5/6.5 = .594.
        assert set_probabilities(WEIGHTS, 2)[frozenset({0, 1})] == pytest.approx(15 / 27.5)
        shifted = set_probabilities([5.0, 3.5, 1.0, 0.5], 2)
        assert fit_p_value(drawn, shifted) < 1e-6


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("rare", [0, 1_000])
def test_the_items_in_doubt_may_be_drawn_last(monkeypatch, size, rare):
    """Two of four given how many are left, as where a catalogue is large."""
    monkeypatch.setattr(module, "RARE", rare)
    monkeypatch.setattr(module, "FEWEST_ITEMS", 0)
    monkeypatch.setattr(module, "HEAD", 1.0)
    log_weights = np.tile(np.log(WEIGHTS), (20_000, 1))
    drawn = conditional_poisson(log_weights, np.full(20_000, size), np.random.default_rng(1))
    assert np.all(np.diff(drawn.indptr) == size)
    if 0 < size < 4:
        assert fit_p_value(drawn, set_probabilities(WEIGHTS, size)) > 1e-6
    if size == 2:
        assert fit_p_value(drawn, set_probabilities([5.0, 3.5, 1.0, 0.5], 2)) < 1e-6


def test_users_who_are_late_are_drawn_whole(monkeypatch):
    """A few tries bring some users through, and neither they nor the others are biased by it."""
    monkeypatch.setattr(module, "FEWEST_ITEMS", 0)
    monkeypatch.setattr(module, "HEAD", 1.0)
    monkeypatch.setattr(module, "TRIES", 0.7)
    log_weights = np.tile(np.log(WEIGHTS), (20_000, 1))
    drawn = conditional_poisson(log_weights, np.full(20_000, 2), np.random.default_rng(1))
    assert fit_p_value(drawn, set_probabilities(WEIGHTS, 2)) > 1e-6


def test_items_drawn_one_by_one_have_the_same_distribution(monkeypatch):
    monkeypatch.setattr(module, "TRIES", 0.0)
    log_weights = np.tile(np.log(WEIGHTS), (8_000, 1))
    drawn = conditional_poisson(log_weights, np.full(8_000, 2), np.random.default_rng(1))
    assert fit_p_value(drawn, set_probabilities(WEIGHTS, 2)) > 1e-6
    assert fit_p_value(drawn, set_probabilities([5.0, 3.5, 1.0, 0.5], 2)) < 1e-6


def test_large_sets_hold_each_item_with_its_probability():
    """200 of 1,000 items, 2,000 times, against exact probabilities by leaving each item out."""
    eta = 2 * np.random.default_rng(2).standard_normal(1_000).astype(np.float32)
    drawn = conditional_poisson(
        np.tile(eta, (2_000, 1)), np.full(2_000, 200), np.random.default_rng(1)
    )
    assert np.all(np.diff(drawn.indptr) == 200)
    p = expit(eta + log_tilts(eta[None].astype(np.float64), np.array([200])))
    rest = np.array([np.delete(p, item) for item in range(0, 1_000, 50)])
    few = p[::50]
    others = CountDistribution.of(rest)
    absent, held = (others.probability(np.arange(20), np.full(20, of)) for of in (200, 199))
    inclusion = few * held / (few * held + (1 - few) * absent)
    counts = drawn.toarray().sum(axis=0)[::50]
    away = (counts - 2_000 * inclusion) / np.sqrt(2_000 * inclusion * (1 - inclusion) + 1e-3)
    assert np.abs(away).max() < 6  # 20 items beyond 6 standard errors: 4e-8
    assert (away**2).sum() > 1


def test_rare_items_are_no_less_rare_than_they_are():
    """Of 60,000 items of probability 3e-9 in all 2e-4 are drawn, not 4e-3 as by coarse uniforms."""
    log_weights = np.full((1, 60_001), np.log(3e-9), dtype=np.float32)
    log_weights[0, 0] = 0.0
    rows = np.tile(log_weights, (300, 1))
    drawn = conditional_poisson(rows, np.ones(300, dtype=int), np.random.default_rng(1))
    assert np.count_nonzero(drawn.indices) <= 3  # of a mean of .05, beyond with probability 3e-7


# ------------------------------------------------------------------------------ probabilities


@pytest.mark.parametrize("size", [1, 2, 4, 5])
@pytest.mark.parametrize("weights", [[5.0, 3.0, 1.0, 0.5, 0.2, 0.1], [1, 1e-6, 1e-3, 1, 1e-5, 2]])
def test_set_probabilities_are_shares_of_products(weights, size):
    expected = set_probabilities(weights, size)
    found = log_probability(weights, list(expected))
    np.testing.assert_allclose(found, np.log(list(expected.values())), rtol=0, atol=1e-11)


@pytest.mark.parametrize(("n_items", "size", "spread"), [(3_000, 300, 1.5), (1_000, 500, 6.0)])
def test_large_sets_agree_with_the_recursion(n_items, size, spread):
    """log e_m(w) by one item after the other, in logarithms."""
    eta = spread * np.random.default_rng(1).standard_normal(n_items)
    log_sums = np.full(size + 1, -np.inf)
    log_sums[0] = 0
    for one in eta:
        log_sums[1:] = np.logaddexp(log_sums[1:], log_sums[:-1] + one)
    items = np.argsort(-eta)[:size]
    found = conditional_poisson_log_probability(eta[None], item_sets([items], n_items))[0]
    assert found == pytest.approx(eta[items].sum() - log_sums[size], abs=1e-9)


def test_tied_weights_are_a_uniform_choice():
    # 10 of 100 items of equal weight, in any unit: 1 / C(100, 10).
    for level in (-500.0, 0.0, 500.0):
        rows = np.full((1, 100), level)
        found = conditional_poisson_log_probability(rows, item_sets([range(10)], 100))[0]
        assert found == pytest.approx(-np.log(17_310_309_456_440.0), abs=1e-10)


@pytest.mark.parametrize("gap", [10.0, 40.0, 300.0, 5_000.0])
def test_a_set_that_outweighs_all_others_is_certain(gap):
    """Weights e^gap against 1: P = 1 - 9 e^-gap, of one item exchanged, but for smaller terms."""
    rows = np.array([[gap] * 3 + [0.0] * 3])
    found = conditional_poisson_log_probability(rows, item_sets([range(3)], 6))[0]
    assert found <= 0
    expected = -9 * np.exp(-gap)
    assert found == pytest.approx(expected, abs=1e-11 + 50 * np.exp(-2 * gap))


def test_sets_that_are_certain_or_impossible():
    rows = np.tile([0.0, -1.0, -np.inf, 1.0], (5, 1))
    sets = item_sets([set(), {0, 1, 3}, {2}, {0, 1, 2, 3}, {0, 1}], 4)
    found = conditional_poisson_log_probability(rows, sets)
    assert found[:4].tolist() == [0.0, 0.0, -np.inf, -np.inf]
    # Weights 1, e^-1, e: 1 e^-1 of e^-1 + e + e^-1 e.
    assert found[4] == pytest.approx(-1 - np.log(np.exp(-1) + np.e + 1), abs=1e-12)
    nothing = conditional_poisson_log_probability(np.full((1, 3), -np.inf), item_sets([{0}], 3))
    assert nothing[0] == -np.inf
