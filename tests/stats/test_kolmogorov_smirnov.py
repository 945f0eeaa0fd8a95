"""The permutation test where one sample is much larger: places of the smaller one, same answer."""

import numpy as np
import pytest

from cornac_mle.stats import kolmogorov_smirnov
from cornac_mle.stats.kolmogorov_smirnov import (
    _by_places_of_the_smaller,
    ks_permutation_p_value,
)


def samples(seed, shift=0.0, n_first=160, n_second=12):
    """Two samples with ties, and with users who are impossible."""
    random = np.random.default_rng(seed)
    first, second = (random.normal(size=n).round(1) for n in (n_first, n_second))
    first[:5] = -np.inf
    return first, second + shift


@pytest.mark.parametrize("shift", [0.0, 0.6, 3.0])
@pytest.mark.parametrize("swap", [False, True])
def test_both_ways_draw_from_one_distribution(shift, swap):
    pair = samples(4, shift)[:: -1 if swap else 1]
    n = 4000
    one = ks_permutation_p_value(*pair, n, np.random.default_rng(1))
    other = _by_places_of_the_smaller(*pair, n, np.random.default_rng(1))
    # Two independent shares of 4,000 draws: 5 standard errors are a false alarm of 6e-7.
    error = np.sqrt(2 * max(one * (1 - one), 1 / n) / n)
    assert abs(one - other) <= 5 * error


def test_a_relabelling_that_is_the_observed_one_is_as_far(monkeypatch):
    first, second = samples(4)
    ordered = np.sort(np.concatenate([first, second]))
    places = np.searchsorted(ordered, second)

    class Same:
        def choice(self, *_arguments, **_settings):
            return places

    assert _by_places_of_the_smaller(first, second, 9, Same()) == 1.0


def test_large_pools_take_the_short_way_and_small_ones_the_numbers_of_before(monkeypatch):
    first, second = samples(4, 0.3)
    before = ks_permutation_p_value(first, second, 99, np.random.default_rng(1))
    monkeypatch.setattr(kolmogorov_smirnov, "LARGE_POOL", 100)
    short = ks_permutation_p_value(first, second, 99, np.random.default_rng(1))
    assert short == _by_places_of_the_smaller(first, second, 99, np.random.default_rng(1))
    assert short != before
    equal = ks_permutation_p_value(first, first + 0.1, 99, np.random.default_rng(1))
    monkeypatch.undo()
    assert equal == ks_permutation_p_value(first, first + 0.1, 99, np.random.default_rng(1))
