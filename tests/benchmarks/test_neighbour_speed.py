"""Speed of neighbour metrics against peers in the same run: `pytest -m benchmark -n 0 -s`.

About a minute and a half. Machines are noisy, so what is asserted is a ratio, and well below what
was measured; memory is asserted as it is.
"""

import tracemalloc

import numpy as np
import pytest
from prdc import compute_prdc
from timing import seconds

from cornac_mle.metrics.clipped import ClippedCoverage, ClippedDensity
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.neighbours import (
    NeighbourCoverage,
    NeighbourDensity,
    NeighbourPrecision,
    NeighbourRecall,
)
from cornac_mle.metrics.point_sets import prdc
from cornac_mle.null_models.corruption import popularity_draws
from cornac_mle.profiles import Profiles
from worlds import taste_world

pytestmark = pytest.mark.benchmark
N_POINTS = 10_000


def peak_mebibytes(action):
    """Most memory allocated by Python and numpy at one time."""
    tracemalloc.start()
    action()
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return peak


def test_vectors_against_prdc():
    """10,000 + 10,000 vectors of 64 coordinates, k = 5; ours has the clipped metrics besides."""
    random = np.random.default_rng(0)
    real, synthetic = random.normal(size=(2, N_POINTS, 64)).astype(np.float32)
    theirs = seconds(lambda: compute_prdc(real, synthetic, 5), 1)
    ours = seconds(lambda: prdc(real, synthetic, 5), 3)
    peak = peak_mebibytes(lambda: prdc(real, synthetic, 5))
    print(f"\nprdc: {ours:.2f} s, {peak:.0f} MiB; PyPI prdc {theirs:.1f} s; {theirs / ours:.1f} x")
    assert theirs / ours > 3
    assert peak < 150


@pytest.mark.parametrize("exponent", [0.0, 0.8])
def test_sets_against_one_sparse_product(exponent):
    """10,000 + 10,000 sets of 80 of 20,000 items; popularity flat, or falling with the rank."""
    popularity = np.arange(10.0, 20_010.0) ** -exponent
    sizes = np.maximum(np.random.default_rng(0).poisson(80, N_POINTS), 1)
    real, synthetic = (popularity_draws(popularity, sizes, rng=seed) for seed in (1, 2))
    product = seconds(lambda: real @ real.T)
    ours = seconds(lambda: prdc(real, synthetic, 5), 1)
    peak = peak_mebibytes(lambda: prdc(real, synthetic, 5))
    print(f"\nsets: {ours:.1f} s, {peak:.0f} MiB; X @ X.T {product:.1f} s; {ours / product:.1f} x")
    assert ours / product < 10  # three products, all of them compared and counted
    assert peak < 150


def test_all_six_metrics_on_half_splits():
    """1,500 held-out users, 20 splits: seconds for the first model and for each one more."""
    world = taste_world(3_200, n_items=2_000, n_tastes=8, mean_size=60, seed=1)
    made = Evaluator.fit(None, world[:200], world[range(200, 1_700)], rng=1)
    kinds = (NeighbourPrecision, NeighbourRecall, NeighbourDensity, NeighbourCoverage)
    metrics = [kind(5) for kind in (*kinds, ClippedDensity, ClippedCoverage)]

    def measure(matrix):
        users = Profiles.from_matrix(matrix, world.item_ids)
        for metric in metrics:
            metric.measure(made, users, rng=np.random.default_rng(1))

    first = seconds(lambda: measure(world.matrix[1_700:3_200]), 1)
    more = seconds(lambda: measure(world.matrix[1_650:3_150]), 1)
    print(f"\nsix metrics: {first:.1f} s for the first model, {more:.1f} s for one more")
    assert more < 10
