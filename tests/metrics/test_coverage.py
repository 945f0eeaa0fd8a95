"""Intervals of metrics on half-splits cover the metric's expectation at the size compared."""

import numpy as np
import pytest
from scipy.stats import binom

from cornac_mle.metrics import (
    MMD,
    Evaluator,
    NeighbourCoverage,
    PlausibilityKS,
    ProfileSizeKS,
    UnrealisticUsers,
)
from cornac_mle.null_models.corruption import swap
from cornac_mle.profiles import Profiles
from worlds import taste_world

REPEATS, SIZE = 60, 120
METRICS = [
    UnrealisticUsers(0.1),
    PlausibilityKS(1),
    NeighbourCoverage(k=3),
    MMD(1),
    ProfileSizeKS(),
]


@pytest.fixture(scope="module")
def measured():
    """Value, low and high of each metric in each repeat: fresh real and fresh swapped users."""
    everyone = taste_world(150 + 2 * REPEATS * SIZE, n_items=50, mean_size=9, seed=1)
    first = Evaluator.fit(None, everyone[:150], everyone[range(150, 150 + SIZE)], rng=1)
    found = {metric.name: [] for metric in METRICS}
    for number in range(REPEATS):
        start = 150 + 2 * number * SIZE
        evaluator = first.with_held_out(everyone[range(start, start + SIZE)], rng=number)
        fresh = everyone.matrix[start + SIZE : start + 2 * SIZE]
        users = swap(fresh, 0.3, popularity=everyone.item_counts, rng=number)
        pool = Profiles.from_matrix(users, everyone.item_ids)
        for metric in METRICS:
            one = metric.measure(evaluator, pool, rng=np.random.default_rng(number))
            found[metric.name].append((one.value, one.low, one.high))
    return {name: np.array(rows).T for name, rows in found.items()}


@pytest.mark.parametrize("metric", METRICS, ids=repr)
def test_the_interval_covers(metric, measured):
    """The estimand is the mean over repeats. At a coverage of .9, fewer than 40 of 60: 1e-6."""
    value, low, high = measured[metric.name]
    covered = int(np.sum((low <= value.mean()) & (value.mean() <= high)))
    assert binom.cdf(covered, REPEATS, 0.9) > 1e-6
    # An interval that covers because it is wide would be of no use: on average it is not wider
    # than twice what the spread of the metric over repeats calls for.
    assert np.mean(high - low) < 2 * 2 * 1.96 * np.std(value, ddof=1)
