"""Seconds and memory of each default metric by the number of synthetic users, real side fixed.

``python tests/benchmarks/growth.py`` writes experiments/results/growth.csv: 500 training, 500
reference and 1,000 held-out users x 2,000 items; ceilings, and floors that do not depend on the
number, are known before the clock runs. The exponent is the slope from the second-largest to the
largest number, and below it the part that does not grow would hide it. One thread, processor time;
Linux for memory.
"""

import argparse
import copy
import os
import sys
from pathlib import Path

if __name__ == "__main__":  # before numpy is loaded
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    os.environ |= dict.fromkeys(threads, "1")
TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS), str(TESTS / "benchmarks")]

import numpy as np  # noqa: E402 - after the number of threads is set
import pandas as pd  # noqa: E402
from rows import users_of_tastes  # noqa: E402
from table import peak_mebibytes, processor_seconds  # noqa: E402

from cornac_mle.comparison import default_metrics  # noqa: E402
from cornac_mle.metrics import RealismMetric  # noqa: E402
from cornac_mle.metrics.evaluator import Evaluator  # noqa: E402
from cornac_mle.profiles import Profiles  # noqa: E402

N_ITEMS = 2_000
FEW = 600
REPEATS = 3
"""Times that each number is taken; the fastest counts."""
TABLE = TESTS.parent / "experiments" / "results" / "growth.csv"


def measured(sizes: list[int]) -> pd.DataFrame:
    """Seconds and peak memory, a row a metric and number of users."""
    real = users_of_tastes(2_000, N_ITEMS, 1)
    parts = (slice(0, 500), slice(500, 1_000), slice(1_000, 2_000))
    train, reference, held_out = (real[np.arange(2_000)[part]] for part in parts)
    evaluator = Evaluator.fit(train, reference, held_out, rng=1)
    metrics = [metric for metric in default_metrics() if isinstance(metric, RealismMetric)]
    few = Profiles.from_matrix(users_of_tastes(FEW, N_ITEMS, 3).matrix, held_out.item_ids)
    rows = []
    for size in (sizes[0], *sizes):  # the first time warms up
        drawn = users_of_tastes(size, N_ITEMS, 2)
        for metric in metrics:
            seconds: list[float] = []

            def action(metric=metric, drawn=drawn, seconds=seconds) -> None:
                # An evaluator that remembers of a few other users what does not depend on how many
                # there are, and new users: all the rest is done each time.
                own = copy.copy(evaluator)
                metric.measure(own, few, rng=1)
                users = Profiles.from_matrix(drawn.matrix, held_out.item_ids)
                seconds.append(processor_seconds(lambda: metric.measure(own, users, rng=1)))

            peak = peak_mebibytes(action)
            for _ in range(REPEATS - 1):
                action()
            rows.append((metric.name, size, round(min(seconds), 4), round(peak)))
            print(*rows[-1], flush=True)
    return pd.DataFrame(rows[len(metrics) :], columns=["metric", "users", "seconds", "mebibytes"])


def exponents(table: pd.DataFrame) -> pd.Series:
    """Growth of the seconds from the second-largest to the largest number of users."""
    wide = table.pivot(index="metric", columns="users", values="seconds")
    (less, much) = wide.columns[-2:]
    return (np.log(wide[much] / wide[less]) / np.log(much / less)).round(2)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[1_000, 10_000, 100_000])
    table = measured(sorted(parser.parse_args().sizes))
    table["exponent"] = table["metric"].map(exponents(table))
    table.to_csv(TABLE, index=False)
    print(table.to_string())


if __name__ == "__main__":
    main()
