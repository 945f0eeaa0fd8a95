"""Paired tests and adjustments for many tests, by hand."""

import numpy as np
import pytest

from cornac_mle.metrics._certified import nothing_certifiable
from cornac_mle.stats.multiple_testing import (
    benjamini_hochberg_adjusted,
    holm_adjusted,
    paired_p_value,
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
