"""Compute values that the package must reproduce, by other code: loops, fractions, mpmath, peers.

Nothing of the package is imported. Every entry of `golden.json` holds its arguments and its values.

Command: python tests/golden/make_golden.py
"""

import json
from pathlib import Path

import golden_samples
import golden_sampling
import golden_statistics

FILE = Path(__file__).with_name("golden.json")
SECTIONS = (
    golden_statistics.conformal,
    golden_statistics.conditional,
    golden_statistics.preferences,
    golden_statistics.flagged,
    golden_statistics.intervals,
    golden_statistics.many_tests,
    golden_statistics.kolmogorov_smirnov,
    golden_statistics.poisson_binomial,
    golden_sampling.plackett_luce,
    golden_sampling.sizes,
    golden_sampling.normal_cells,
    golden_sampling.mixture,
    golden_sampling.importance,
    golden_samples.margins,
    golden_samples.mmd,
    golden_samples.neighbours,
    golden_samples.popularity,
    golden_samples.ease,
    golden_samples.item_knn,
    golden_samples.evidence,
)


def main():
    golden = {section.__name__: section() for section in SECTIONS}
    lines = [f"{json.dumps(name)}: {json.dumps(part)}" for name, part in golden.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
