"""Importance sampling: unbiased, and honest about how few draws carry the estimate."""

import numpy as np
import pytest
from scipy.stats import norm

from cornac_mle.sampling.importance import importance_estimate


def test_one_draw_that_carries_all_and_draws_that_share():
    # (1 + 0 + 0 + 0)^2 / 1 = 1 draw; (4 x .5)^2 / (4 x .25) = 4 draws; no draw: 0.
    with np.errstate(divide="ignore"):
        ratios = np.log([[1.0, 0.5, 0.0]] + [[0.0, 0.5, 0.0]] * 3)
    estimate = importance_estimate(ratios)
    np.testing.assert_allclose(estimate.nats, [np.log(0.25), np.log(0.5), -np.inf])
    np.testing.assert_allclose(estimate.effective_sample_size, [1, 4, 0])
    assert not estimate.exact


def test_it_finds_a_known_integral_and_bounds_it_from_below_on_average():
    """Take x | z ~ N(z, 1), z ~ N(0, 1), so x ~ N(0, 2); the proposal is the prior of z."""
    rng = np.random.default_rng(0)
    x = np.repeat([0.0, 1.0, 2.0], 400)  # 400 estimates each
    truth = norm.logpdf([0.0, 1.0, 2.0], 0, np.sqrt(2))
    means = {}
    for n_draws in (1, 2000):
        z = rng.standard_normal((n_draws, 1200))
        nats = importance_estimate(norm.logpdf(x, z)).nats
        means[n_draws] = nats.reshape(3, 400).mean(axis=1)
    np.testing.assert_allclose(means[2000], truth, atol=5e-3)
    # With one draw the bound is E[log p(x | z)], by hand -(x^2 + 1) / 2 - log(2 pi) / 2.
    expected = -(np.array([0.0, 1.0, 4.0]) + 1) / 2 - np.log(2 * np.pi) / 2
    np.testing.assert_allclose(means[1], expected, atol=0.6)  # 5 standard errors
    assert np.all(means[1] < truth - 0.1)


def test_no_users():
    estimate = importance_estimate(np.zeros((5, 0)))
    assert estimate.nats.shape == estimate.effective_sample_size.shape == (0,)


def test_far_below_rounding():
    assert importance_estimate(np.full((3, 1), -5000.0)).nats[0] == pytest.approx(-5000)
