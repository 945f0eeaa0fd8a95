"""What is lost where real users are cut to the items of training users, who lose nothing?

Training users are real users: held against held-out ones, every metric should be at its ceiling,
but for copying. Until November 2026 reference and held-out users lost the items that no training
user holds; now the catalogue is of all items, and no group loses any. This script measures both:
the gap between `TrainingUsers` and the ceiling of `ProfileSizeKS` and `PlausibilityKS`, the share
of preferences lost, and `CopiedUsers` of a model that copies nobody (`Popularity`).

Command: python experiments/catalogue.py --data ../shared/data
Minutes: 6 on two cores.
Writes: experiments/results/catalogue.csv
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from real_data import held_out_users

from cornac_mle import Evaluator, HeldOutUsers, Popularity, Profiles
from cornac_mle.metrics import CopiedUsers, PlausibilityKS, ProfileSizeKS

SETS = (
    "complete_journey", "movielens_100k", "lastfm", "anime", "movielens_1m",
    "book_crossing", "movietweetings", "ta_feng", "gowalla",
)  # fmt: skip


def cut(users: Profiles, method: HeldOutUsers) -> Profiles:
    """Leave out what no training user holds, and then users of fewer than two items."""
    known = users.split_items(method.groups.training_items)[0]
    return known[known.sizes >= 2]


def measured(method: HeldOutUsers, is_cut: bool) -> dict[str, float]:
    """Measure training users and a model that copies nobody, on one catalogue."""
    groups = method.groups
    parts = [groups.train, groups.reference, groups.held_out]
    if is_cut:
        parts = [groups.train.split_items(groups.training_items)[0]]
        parts += [cut(part, method) for part in (groups.reference, groups.held_out)]
    evaluator = Evaluator.fit(*parts, rng=1, min_items=2)
    rows = np.random.default_rng(2).permutation(len(evaluator.train))
    known = evaluator.train[rows[: 2 * (len(evaluator.held_out) // 2)]]
    drawn = Popularity().fit(method.train_set).sample(len(evaluator.held_out), rng=3)
    sizes = ProfileSizeKS().measure(evaluator, known, rng=4)
    plausible = PlausibilityKS(99).measure(evaluator, known, rng=4)
    return {
        "preferences_left": int(sum(part.matrix.nnz for part in parts[1:])),
        "users_left": int(sum(len(part) for part in parts[1:])),
        "size_ks": sizes.value,
        "size_ks_ceiling": sizes.ceiling,
        "plausibility_ks": plausible.value,
        "plausibility_ks_ceiling": plausible.ceiling,
        "copied_users_of_popularity": CopiedUsers().measure(evaluator, drawn, rng=4).value,
    }


def main() -> None:
    """Measure each data set on both catalogues and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    rows = []
    for name in SETS:
        method = held_out_users(name, arguments.data, seed=123)
        for catalogue, is_cut in (("training items", True), ("all items", False)):
            found = {"dataset": name, "catalogue": catalogue} | measured(method, is_cut)
            print(found, flush=True)
            rows.append(found)
    table = pd.DataFrame(rows)
    out = Path(__file__).parent / "results" / "catalogue.csv"
    table.to_csv(out, index=False, float_format="%.4f")
    print(table.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
