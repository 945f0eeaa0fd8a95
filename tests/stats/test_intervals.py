import numpy as np
import pytest
from scipy import stats

from cornac_mle.stats.intervals import mean_interval, share_standard_error, split_interval


def test_mean_interval_is_students():
    values = np.array([1.0, 2.0, 4.0, 5.0])
    low, high = mean_interval(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert np.isnan(mean_interval(np.array([1.0]))).all()


def test_split_interval_stays_in_bounds():
    assert split_interval(np.array([0.0, 0.1, 0.2]), (0.0, 1.0))[0] == 0.0


def test_half_splits_cover_the_expectation():
    """The mean of halves: its expectation is covered 95% of the time.

    1,000 worlds; coverage below .93 or above .97 has a probability of less than .004 if it is .95,
    and the seed is fixed.
    """
    random = np.random.default_rng(1)
    covered = 0
    for _ in range(1_000):
        values = random.exponential(size=200)
        halves = np.array([values[random.permutation(200)[:100]].mean() for _ in range(20)])
        low, high = split_interval(halves)
        covered += low <= 1.0 <= high
    assert 0.92 <= covered / 1_000 <= 0.98


def test_a_share_of_none_has_an_interval_that_covers_a_small_one():
    """2,000 samples of 200 users, 1% of whom are flagged: none is flagged in 13% of them."""
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(2_000):
        flagged = random.random(200) < 0.01
        halves = np.array([flagged[random.permutation(200)[:100]].mean() for _ in range(20)])
        low, high = split_interval(
            halves, (0.0, 1.0), least_error=share_standard_error(halves.mean(), 200)
        )
        covered += low <= 0.01 <= high
    # .95 less what half-splits cost; without the least error it is .87 at most.
    assert covered > 0.93 * 2_000
