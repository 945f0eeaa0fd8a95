"""Certified bounds hold, and find what is there to be found."""

import numpy as np
import pytest
from scipy import stats

from cornac_mle.stats.contamination import (
    contamination_bound,
    lower_limits,
    minimum_detectable_share,
    shares_at_most,
    upper_limits,
)

GRID = stats.norm.ppf([0.01, 0.05, 0.2, 0.5])


def test_limits_are_those_of_the_binomial_test():
    for count in (0, 1, 7, 19, 20):
        exact = stats.binomtest(count, 20)
        low = exact.proportion_ci(0.9, method="exact").low  # two-sided .9: one-sided .05
        high = exact.proportion_ci(0.9, method="exact").high
        assert lower_limits(np.array([count]), 20, 0.05)[0] == pytest.approx(low)
        assert upper_limits(np.array([count]), 20, 0.05)[0] == pytest.approx(high)


def test_a_bound_by_hand():
    # One threshold, 20 scores of 20 and 0 of 20 real ones below it, error .1: .05 a side.
    # L = .05^(1/20) = .860892 and U = 1 - .05^(1/20) = .139108,
    # bound = (.860892 - .139108) / .860892 = .838414.
    bound, threshold = contamination_bound([0.0] * 20, [2.0] * 20, [1.0], error=0.1)
    assert bound == pytest.approx(0.838414, abs=1e-6)
    assert threshold == 1.0


def test_more_thresholds_cost_and_equal_ones_do_not():
    scores, real = [0.0] * 20, [2.0] * 20
    one = contamination_bound(scores, real, [1.0])
    assert contamination_bound(scores, real, [1.0, 1.0, 1.0]) == one
    assert contamination_bound(scores, real, [1.0, 5.0])[0] < one[0]


def test_empty_users_lie_below_every_threshold():
    bound, threshold = contamination_bound([-np.inf] * 30 + [0.5] * 70, [0.0] * 100, [-1.0, 1.0])
    assert 0.1 < bound < 0.3
    assert threshold == -1.0


def test_a_threshold_above_all_real_users_says_nothing():
    assert contamination_bound([0.0] * 30, [0.0] * 30, [1.0]) == (0.0, 1.0)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_the_bound_exceeds_the_share_in_one_case_of_twenty_at_most(share):
    """500 repeats at each share; the worst kind of contamination, wholly below the real scores.

    If the probability of an error is .05, the number of them is binomial: false alarm 1e-6 a share.
    """
    random = np.random.default_rng(1)
    errors = 0
    for _ in range(500):
        scores = np.where(random.random(60) < share, -9.0, random.normal(size=60))
        bound, _ = contamination_bound(scores, random.normal(size=90), GRID[1:2], error=0.05)
        errors += bound > share
    assert errors <= stats.binom.ppf(1 - 1e-6, 500, 0.05)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_the_bound_holds_over_a_grid(share):
    """As above, over four thresholds and with contamination that overlaps with real users."""
    random = np.random.default_rng(2)
    errors = 0
    for _ in range(500):
        scores = random.normal(size=400) - 2 * (random.random(400) < share)
        errors += contamination_bound(scores, random.normal(size=300), GRID)[0] > share
    assert errors <= stats.binom.ppf(1 - 1e-6, 500, 0.05)


def test_a_band_outside_the_ratio_would_not_hold():
    """What the bound is not: observed ratio less the band; at share 0 it is wrong most times."""
    random = np.random.default_rng(3)
    grid = stats.norm.ppf(np.linspace(0.01, 0.999, 60))
    wrong = 0
    for _ in range(200):
        sample, real = np.sort(random.normal(size=500)), np.sort(random.normal(size=500))
        below, real_below = (np.searchsorted(one, grid) / 500 for one in (sample, real))
        band = 2 * np.sqrt(np.log(4 / 0.05) / (2 * 500))  # both samples, for all thresholds at once
        ratio = (below - real_below)[real_below < 1] / (1 - real_below)[real_below < 1]
        wrong += max(ratio) - band > 0
    assert wrong > stats.binom.ppf(1 - 1e-6, 200, 0.05)


def test_distant_contamination_is_certified():
    random = np.random.default_rng(4)
    scores = np.where(random.random(1500) < 0.3, -9.0, random.normal(size=1500))
    assert 0.2 <= contamination_bound(scores, random.normal(size=1500), GRID)[0] <= 0.3


def test_the_minimum_detectable_share_is_detected_as_often_as_it_says():
    """One threshold, so that the power is exact: 1,000 repeats, two-sided binomial at 1e-6."""
    share = minimum_detectable_share(300, 200, [0.05], power=0.8)
    random = np.random.default_rng(5)
    found = 0
    for _ in range(1000):
        scores = np.where(random.random(300) < share, 0.0, random.random(300))
        found += contamination_bound(scores, random.random(200), [0.05])[0] > 0
    assert stats.binomtest(found, 1000, 0.8).pvalue > 1e-6


def test_the_minimum_detectable_share_falls_with_more_users_and_takes_the_best_threshold():
    shares = [minimum_detectable_share(n, n, [0.02]) for n in (50, 200, 1000)]
    assert shares == sorted(shares, reverse=True)
    both = minimum_detectable_share(200, 200, [0.02, 0.5])
    assert both < minimum_detectable_share(200, 200, [0.5, 0.5])


def test_too_few_users_for_anything():
    # L <= .0125^(1/3) = .232 < U >= 1 - .0125^(1/3) = .768, whatever the scores.
    assert minimum_detectable_share(3, 3, [0.1, 0.2]) is None


def test_shares_of_real_users_are_never_zero():
    assert shares_at_most([-np.inf, 1.0, 1.0], [-2.0, 1.0]).tolist() == [0.5, 1.0]
    assert shares_at_most([5.0] * 9, [1.0]).tolist() == [0.1]


@pytest.mark.parametrize(
    ("scores", "real", "grid", "name"),
    [
        ([], [1.0], [1.0], "scores"),
        ([1.0], [np.nan], [1.0], "real_scores"),
        ([1.0], [1.0], [[1.0]], "thresholds"),
    ],
)
def test_wrong_scores_are_refused(scores, real, grid, name):
    with pytest.raises(ValueError, match=f"`{name}` must be one-dimensional, not empty and free"):
        contamination_bound(scores, real, grid)


@pytest.mark.parametrize("error", [0, 1e-200, 1, float("nan")])
def test_an_error_without_digits_is_refused(error):
    with pytest.raises(
        ValueError, match=r"`error` must be (finite, above 0 and below 1|at least 1e-12); got"
    ):
        contamination_bound([1, 2], [1, 2], [1], error=error)
    with pytest.raises(
        ValueError, match=r"`error` must be (finite, above 0 and below 1|at least 1e-12); got"
    ):
        minimum_detectable_share(5, 5, [0.1], error=error)


def test_shares_of_real_users_are_shares():
    with pytest.raises(ValueError, match=r"`real_shares` must be in \[0, 1\]; got others"):
        minimum_detectable_share(5, 5, [2.0])
    with pytest.raises(TypeError, match="`scores` must be an array of real numbers; got 'x'"):
        contamination_bound("x", [1, 2], [1])
