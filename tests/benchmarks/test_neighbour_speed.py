"""Neighbour metrics on half-splits, and the table of speed: `pytest -m benchmark -n 0 -s`.

Machines are noisy, so what is asserted is well below what was measured, or a ratio.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from timing import seconds

from cornac_mle.metrics.clipped import ClippedCoverage, ClippedDensity
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.neighbours import (
    NeighbourCoverage,
    NeighbourDensity,
    NeighbourPrecision,
    NeighbourRecall,
)
from cornac_mle.profiles import Profiles
from worlds import taste_world

pytestmark = pytest.mark.benchmark


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


def test_no_ratio_of_the_table_has_fallen_by_a_third():
    """Ours to the peer and to the limit, as in experiments/results/speed.csv."""
    table = Path(__file__).with_name("table.py")
    assert subprocess.run([sys.executable, str(table), "--check"]).returncode == 0
