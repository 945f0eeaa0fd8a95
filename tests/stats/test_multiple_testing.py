"""Paired tests and adjustments for many tests, by hand."""

import numpy as np
import pytest
from scipy import stats

from cornac_mle.metrics._certified import nothing_certifiable
from cornac_mle.stats.conformal import conformal_p_values
from cornac_mle.stats.multiple_testing import (
    benjamini_hochberg_adjusted,
    holm_adjusted,
    paired_p_value,
    storey_null_share,
)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_differences_that_are_all_equal(sign):
    # n differences of one sign: 2 x 2^-n; no difference at all: 1.
    assert paired_p_value(sign * np.full(5, 0.25)) == 2.0**-4
    assert paired_p_value(np.zeros(5)) == 1.0


def test_a_paired_p_value_by_hand():
    # Mean .2, standard deviation .1, 2 degrees of freedom: t = 2, p = 1 - 2 / sqrt(2 + 4).
    found = paired_p_value(np.array([0.1, 0.2, 0.3]))
    assert found == pytest.approx(1 - 2 / np.sqrt(6), rel=1e-12)


def test_holm_never_adjusts_a_larger_p_value_below_a_smaller_one():
    # 4 x .02 = .08; 3 x .025 = .075 is raised to it; 2 x .5 = 1; 1 x .9 = .9 is raised to 1.
    np.testing.assert_allclose(holm_adjusted([0.9, 0.02, 0.5, 0.025]), [1, 0.08, 1, 0.08])
    assert holm_adjusted([]).size == 0


def test_benjamini_hochberg_among_tests_that_are_not_given():
    # Of 10 tests: .001 x 10 / 1 = .01, .04 x 10 / 2 = .2, .3 x 10 / 3 = 1.
    np.testing.assert_allclose(
        benjamini_hochberg_adjusted(np.array([0.04, 0.001, 0.3]), 10), [0.2, 0.01, 1]
    )
    assert benjamini_hochberg_adjusted(np.empty(0), 10).size == 0


def test_too_few_users_are_told_with_both_numbers():
    said = "3 synthetic and 7 held-out users are too few to certify a share of a half"
    assert str(nothing_certifiable(3, "synthetic", 7, "held-out")) == said


@pytest.mark.parametrize(
    ("n", "m", "false_share", "times"),
    [(99, 100, 0.3, 1.6), (300, 300, 0.6, 1.1), (99, 400, 0.6, 1.2)],
)
def test_storeys_share_keeps_the_false_discovery_rate_and_finds_more(n, m, false_share, times):
    """Worst cases: false hypotheses with the smallest scores. FDR q, 3 standard errors above."""
    random = np.random.default_rng(n + m)
    n_false, q = int(m * false_share), 0.1
    rates, found, plain = [], [], []
    for _ in range(800):
        scores = np.concatenate([0.05 * random.random(n_false), random.random(m - n_false)])
        p_values = conformal_p_values(scores, random.random(n))
        adjusted = stats.false_discovery_control(p_values)
        rejected = adjusted * storey_null_share(p_values, n) <= q
        rates.append(rejected[n_false:].sum() / max(1, rejected.sum()))
        found.append(rejected[:n_false].mean())
        plain.append(np.mean(adjusted[:n_false] <= q))
    assert np.mean(rates) <= q + 3 * np.std(rates) / np.sqrt(800)
    assert np.mean(found) > times * np.mean(plain)


def test_storeys_share_by_hand():
    # n = 4: the threshold is 2/5; two of three are above: (1 + 2) / (3 * 3/5) is above 1.
    assert storey_null_share([0.2, 0.6, 0.8], 4) == 1.0
    # n = 9: the threshold is 1/2, and 1/2 is not above it: (1 + 1) / (8 / 2).
    assert storey_null_share([0.1] * 6 + [0.5, 0.6], 9) == 0.5
    assert storey_null_share([0.1] * 10, 9) == 0.2
