"""How much is certified, and is it ever too much?

A share pi of the judged users are popularity draws, the others real held-out users; the rest of the
held-out users calibrate. 500 repeats a data set and share, 50 of each of ten splits.

1. The share of unrealistic users: bound of `UnrealisticShare`, that of Clopper-Pearson limits at
   five thresholds, which it replaces, and that of one who knows which users are planted: no bound
   on pi can be above that one for long.
2. The same users as a list: `certified_precision` of all of them against the share planted, and of
   every list "p at most t", t over all p-values: one list too many in a repeat is an error.

    python experiments/certificates.py --data ../shared/data        # 10 minutes on one core

Writes results/certificates.csv.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from power import JudgedSplit, judged_split
from real_data import TABLE, load
from scipy import stats

from cornac_mle.stats.certified_list import certified_precision
from cornac_mle.stats.conformal import conformal_p_values
from cornac_mle.stats.contamination import contamination_bound

SETS = (*TABLE, "book_crossing", "movietweetings", "ta_feng")
SHARES = (0.0, 0.1, 0.3)
SEEDS = range(400, 410)
REPEATS = 50
ERROR = 0.05
THRESHOLD_QUANTILES = (0.01, 0.02, 0.05, 0.1, 0.2)
LISTS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Levels at which lists are certified; their claims hold together with those of any other list."""
RESULTS = Path(__file__).parent / "results"


def by_limits(scores: np.ndarray, real: np.ndarray, thresholds: np.ndarray) -> float:
    """Bound by a pair of one-sided Clopper-Pearson limits at each threshold, all at once."""
    level = ERROR / (2 * thresholds.size)
    below, real_below = (np.searchsorted(np.sort(x), thresholds, "right") for x in (scores, real))
    low = stats.beta.ppf(level, np.maximum(below, 1), scores.size - below + 1) * (below > 0)
    high = stats.beta.isf(level, real_below + 1, np.maximum(real.size - real_below, 1))
    return max(0.0, float(np.max(np.where(real_below < real.size, (low - high) / (1 - high), 0))))


def planted_users(
    judged: JudgedSplit, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of judged users and of calibration users, and who of the judged ones is planted."""
    random = np.random.default_rng(seed)
    order = random.permutation(judged.real.size)
    real, rows = np.array_split(order, 2)
    planted = random.random(rows.size) < share
    scores = np.where(planted, judged.corrupted["popularity"][rows], judged.real[rows])
    return scores, judged.real[real], planted


def certified_share(judged: JudgedSplit, share: float, seed: int) -> float:
    """Certified lower bound where `share` of the judged users are popularity users."""
    scores, real, _ = planted_users(judged, share, seed)
    return contamination_bound(scores, real)


def one_repeat(judged: JudgedSplit, share: float, seed: int) -> dict[str, float]:
    """Bounds of one repeat, and whether any is too high."""
    scores, real, planted = planted_users(judged, share, seed)
    thresholds = np.unique(
        np.quantile(judged.reference, THRESHOLD_QUANTILES, method="inverted_cdf")
    )
    p_values = conformal_p_values(scores, real)
    everybody = np.ones(planted.size, dtype=bool)
    lists = {level: p_values <= level for level in LISTS}
    certain = {
        level: certified_precision(p_values, of, real.size, error=ERROR)
        for level, of in lists.items()
    }
    too_high = [
        certain[level] > planted[of].mean() + 1e-12 for level, of in lists.items() if of.any()
    ]
    of_all = certified_precision(p_values, everybody, real.size, error=ERROR)
    known = stats.beta.ppf(ERROR, max(planted.sum(), 1), np.sum(~planted) + 1) * planted.any()
    return {
        "bound": contamination_bound(scores, real),
        "by limits": by_limits(scores, real, thresholds),
        "knowing all": float(known),
        "of these users": of_all,
        "of these users, too high": of_all > planted.mean() + 1e-12,
        "a list too high": any(too_high),
        "list at .05": certain[0.05],
        "planted in it": float(planted[lists[0.05]].mean()) if lists[0.05].any() else 0.0,
    }


def row_of(name: str, share: float, repeats: pd.DataFrame) -> dict[str, object]:
    """One row of the table."""
    medians = repeats.median(numeric_only=True)
    old, new = medians["by limits"], medians["bound"]
    return {
        "data": name,
        "true share": share,
        "repeats": len(repeats),
        "bound above it": int(np.sum(repeats["bound"] > share)),
        "median bound": f"{new:.3f}",
        "by limits": f"{old:.3f}",
        "ratio": f"{new / old:.2f}" if old else "",
        "knowing all": f"{medians['knowing all']:.3f}",
        "of these users": f"{medians['of these users']:.3f}",
        "of these users, too high": int(repeats["of these users, too high"].sum()),
        "a list too high": int(repeats["a list too high"].sum()),
        "list at .05": f"{medians['list at .05']:.2f}",
        "planted in it": f"{medians['planted in it']:.2f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    options = parser.parse_args()
    rows = []
    for name in options.sets:
        likes = load(name, options.data)
        splits = [judged_split(likes, seed=seed) for seed in SEEDS]
        for share in SHARES:
            found = [one_repeat(one, share, seed) for one in splits for seed in range(REPEATS)]
            rows.append(row_of(name, share, pd.DataFrame(found).astype(float)))
            print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(RESULTS / "certificates.csv", index=False)


if __name__ == "__main__":
    main()
