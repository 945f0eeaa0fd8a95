"""Certified bounds hold, and find what is there to be found."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from cornac_mle.stats.certified_list import certified_precision
from cornac_mle.stats.conformal import conformal_p_values
from cornac_mle.stats.contamination import (
    RESOLUTION,
    contamination_bound,
    minimum_detectable_share,
)


def largest_scores(n, n_real, share, largest):
    """Exact distribution of the statistic: every order of two samples is as probable.

    Returns its values and their probabilities, written down from the definition.
    """
    values, weights = [], []
    for below in range(n + 1):
        weight = stats.binom.pmf(below, n, share)
        orders = list(combinations(range(n_real + n - below), n_real))
        for places in orders:
            scores = []
            for r in range(1, n_real + 1):
                level = r / (n_real + 1)
                if level > largest and r > 1:
                    continue
                count = below + places[r - 1] - (r - 1)
                q = share + (1 - share) * level
                variance = n * q * (1 - q)
                variance += n * (n - 1) * (1 - share) ** 2 * level * (1 - level) / (n_real + 2)
                scores.append((count - n * q) / np.sqrt(variance))
            values.append(max(scores))
            weights.append(weight / len(orders))
    return np.asarray(values), np.asarray(weights)


def test_a_bound_by_counting_orders():
    """Five users, all below six real ones: shares are refused up to the one of probability .3."""
    shares = np.arange(1, RESOLUTION) / RESOLUTION
    found = contamination_bound([0] * 5, [1, 2, 3, 4, 5, 6], largest=0.5, error=0.3)
    tails = []
    for share in shares[::32]:
        values, weights = largest_scores(5, 6, share, 0.5)
        tails.append(weights[values >= values.max() - 1e-9].sum())
    # All five below everybody is the largest score; its probability crosses .3 at the bound.
    assert np.interp(0.3, tails, shares[::32]) == pytest.approx(found, abs=0.02)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_the_level_is_that_of_counted_orders(share):
    """Exact probability, over all orders of 5 users and 7 real ones, that the bound is too high."""
    n, n_real, errors = 5, 7, 0.0
    for below in range(n + 1):
        weight = stats.binom.pmf(below, n, share)
        if weight < 1e-12:
            continue
        orders = list(combinations(range(n_real + n - below), n_real))
        cache = {}
        for places in orders:
            counts = tuple(below + places[r] - r for r in range(3))
            if counts not in cache:
                ends = np.diff((0, *counts))
                scores = np.repeat([0.5, 1.5, 2.5, 9.0], [*ends, n - sum(ends)])
                bound = contamination_bound(scores, np.arange(1, 8), largest=0.4, error=0.2)
                cache[counts] = bound > share
            errors += weight * cache[counts] / len(orders)
    assert errors <= 0.2 + 0.02  # critical values are drawn


def test_ties_with_real_users_count_as_above_them():
    assert contamination_bound([0.0] * 30, [0.0] * 30) == 0.0
    assert contamination_bound([0.0] * 30, [0.0, *[1.0] * 99]) > 0.8


def test_empty_users_lie_below_everybody():
    bound = contamination_bound([-np.inf] * 30 + [0.5] * 70, [0.0] * 50 + [1.0] * 50)
    assert 0.1 < bound <= 0.3


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_the_bound_exceeds_the_share_in_one_case_of_twenty_at_most(share):
    """500 repeats at each share; the worst kind of contamination, wholly below the real scores.

    If the probability of an error is .05, the number of them is binomial: false alarm 1e-6 a share.
    """
    random = np.random.default_rng(1)
    errors = 0
    for _ in range(500):
        scores = np.where(random.random(60) < share, -9.0, random.normal(size=60))
        errors += contamination_bound(scores, random.normal(size=90)) > share
    assert errors <= stats.binom.ppf(1 - 1e-6, 500, 0.05)
    assert errors >= stats.binom.ppf(1e-6, 500, 0.03)  # and it gives little away


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_the_bound_holds_where_contamination_overlaps_with_real_users(share):
    random = np.random.default_rng(2)
    errors = 0
    for _ in range(500):
        scores = random.normal(size=400) - 2 * (random.random(400) < share)
        errors += contamination_bound(scores, random.normal(size=300)) > share
    assert errors <= stats.binom.ppf(1 - 1e-6, 500, 0.05)


def test_distant_contamination_is_certified_but_for_the_binomial_spread():
    random = np.random.default_rng(4)
    is_other = random.random(1500) < 0.3
    scores = np.where(is_other, -9.0, random.normal(size=1500))
    known = stats.beta.ppf(0.05, is_other.sum(), 1501 - is_other.sum())
    assert known - 0.01 <= contamination_bound(scores, random.normal(size=1500)) <= known


def test_the_minimum_detectable_share_is_detected_as_often_as_it_says():
    share = minimum_detectable_share(300, 200, power=0.8)
    random = np.random.default_rng(5)
    found = 0
    for _ in range(400):
        scores = np.where(random.random(300) < share, -1.0, random.random(300))
        found += contamination_bound(scores, random.random(200)) > 0
    assert stats.binomtest(found, 400, 0.8).pvalue > 1e-6


def test_the_minimum_detectable_share_falls_with_more_users():
    shares = [minimum_detectable_share(n, n) for n in (50, 200, 1000)]
    assert shares == sorted(shares, reverse=True)


def test_too_few_users_for_anything():
    # All of two users are below two real ones in one order of six.
    assert minimum_detectable_share(2, 2) is None
    assert minimum_detectable_share(1, 18) is None
    assert minimum_detectable_share(1, 40) is not None  # p = 1 / 41


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_no_list_is_certified_too_high(share):
    """500 repeats, every list "p at most t" of each, and the worst list: the real users alone."""
    random = np.random.default_rng(6)
    errors = 0
    for _ in range(500):
        planted = random.random(80) < share
        scores = random.normal(size=80) - 3 * planted
        p_values = conformal_p_values(scores, random.normal(size=100))
        too_high = False
        for level in (0.01, 0.03, 0.1, 0.3, 1.0):
            for listed in (p_values <= level, (p_values <= level) & ~planted):
                certain = certified_precision(p_values, listed, 100)
                too_high |= certain > (planted[listed].mean() if listed.any() else 0) + 1e-12
        errors += too_high
    assert errors <= stats.binom.ppf(1 - 1e-6, 500, 0.05)


def test_users_below_everybody_are_nearly_all_certain():
    p_values = np.r_[np.full(50, 1 / 201), np.arange(1, 151) / 201]
    assert certified_precision(p_values, p_values < 0.006, 200) > 0.8
    assert certified_precision(p_values, np.ones(200, dtype=bool), 200) > 0.2
    assert certified_precision(p_values, p_values > 0.5, 200) == 0.0
    assert certified_precision(p_values, np.zeros(200, dtype=bool), 200) == 0.0


@pytest.mark.parametrize(
    ("scores", "real", "name"), [([], [1.0], "scores"), ([1.0], [np.nan], "real_scores")]
)
def test_wrong_scores_are_refused(scores, real, name):
    with pytest.raises(ValueError, match=f"`{name}` must be one-dimensional, not empty and free"):
        contamination_bound(scores, real)


@pytest.mark.parametrize("error", [0, 1e-200, 1, float("nan")])
def test_an_error_without_digits_is_refused(error):
    match = r"`error` must be (finite, above 0 and below 1|at least 1e-12); got"
    for call in (
        lambda: contamination_bound([1, 2], [1, 2], error=error),
        lambda: minimum_detectable_share(5, 5, error=error),
        lambda: certified_precision([1.0], [True], 1, error=error),
    ):
        with pytest.raises(ValueError, match=match):
            call()


def test_an_error_beyond_the_draws_certifies_nothing():
    assert contamination_bound([0] * 100, [1] * 100, error=1e-6) == 0.0
    assert certified_precision([0.01] * 100, [True] * 100, 99, error=1e-6) == 0.0
    assert minimum_detectable_share(100, 100, error=1e-6) is None


def test_wrong_lists_are_refused():
    with pytest.raises(TypeError, match="`scores` must be an array of real numbers; got 'x'"):
        contamination_bound("x", [1, 2])
    with pytest.raises(ValueError, match=r"`p_values` must be multiples of 1 / 11 in \(0, 1\]"):
        certified_precision([0.5], [True], 10)
    with pytest.raises(ValueError, match="`flagged` must hold 2 truth values, one a user; got"):
        certified_precision([0.5, 1.0], [0, 1], 1)
