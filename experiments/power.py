"""How many corrupted users does the plausibility judge flag, when 5% of real users are flagged?

Users are split at random, 50% train, 25% reference, 25% held-out. The judge is fitted on the
reference users. Held-out users are corrupted with the train users' popularity, and are flagged
where their conformal p-value is at most .05: corrupted users against all held-out users, real users
against the other half of the held-out users. The table gives the mean over splits and its standard
error.

    python experiments/power.py --data ../shared/data --splits 10

About 6 minutes on two cores (MovieLens-1M takes 3 of them). Without --sets it prints the five sets
of the table; `book_crossing`, `movietweetings`, `ta_feng`, `gowalla` and `gowalla_whole` are sparse
ones to try (the last takes 5 minutes a split).
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from real_data import SPARSE, TABLE, load, split

from cornac_mle.null_models.corruption import chimera, popularity_draws, swap
from cornac_mle.plausibility.judge import FAMILIES, PlausibilityModel
from cornac_mle.stats.conformal import conformal_p_values

ALPHA = 0.05
COLUMNS = ("real", "popularity", "chimera", "swap 10%", "swap 25%", "swap 50%")


@dataclass(frozen=True, eq=False)
class JudgedSplit:
    """Scores of real and of corrupted held-out users in one random split.

    Attributes
    ----------
    real : (n_held_out,) scores of held-out users.
    corrupted : scores of their corruptions, by the names in COLUMNS.
    sizes : (n_held_out,) profile sizes of the held-out users.
    reference : (n_reference,) cross-fitted scores of the reference users.
    setting : what the judge chose: its ridge, neighbours or rank.
    fit_seconds, users_a_second : how long it took.
    """

    real: NDArray[np.float64]
    corrupted: dict[str, NDArray[np.float64]]
    sizes: NDArray[np.int64]
    reference: NDArray[np.float64]
    setting: float
    fit_seconds: float
    users_a_second: float


def judged_split(
    profiles: sp.csr_array, *, seed: int, family: str = "ease", all_judge: bool = False
) -> JudgedSplit:
    """Split the users, corrupt the held-out ones, fit a judge and score them.

    With `all_judge` the train users are reference users too: what three times as many would give.
    """
    rng = np.random.default_rng(seed)
    train, reference, held_out = split(profiles, rng)
    popularity = np.bincount(train.indices, minlength=train.shape[1])
    sizes = np.minimum(np.diff(held_out.indptr), np.count_nonzero(popularity))
    corrupted = {
        "popularity": popularity_draws(popularity, sizes, rng=rng),
        "chimera": chimera(held_out, rng=rng),
    }
    for share in (0.10, 0.25, 0.50):
        corrupted[f"swap {share:.0%}"] = swap(held_out, share, popularity=popularity, rng=rng)
    if all_judge:
        reference = sp.csr_array(sp.vstack([train, reference], format="csr"))
    start = time.perf_counter()
    judge = PlausibilityModel.fit(reference, family=family, rng=rng)
    fitted = time.perf_counter()
    real = judge.score(held_out)
    scores = {name: judge.score(users) for name, users in corrupted.items()}
    speed = real.size * (1 + len(scores)) / (time.perf_counter() - fitted)
    return JudgedSplit(
        real,
        scores,
        np.diff(held_out.indptr),
        judge.reference_scores,
        judge.predictor.setting,
        fitted - start,
        speed,
    )


def flagged_shares(judged: JudgedSplit, *, seed: int) -> dict[str, float]:
    """Shares flagged at ALPHA in one split, by COLUMNS."""
    real = judged.real
    half = np.random.default_rng(seed).permutation(real.size) < real.size // 2
    shares = {"real": 0.0}
    for one, other in ((half, ~half), (~half, half)):
        shares["real"] += np.sum(conformal_p_values(real[one], real[other]) <= ALPHA) / real.size
    for name, scores in judged.corrupted.items():
        shares[name] = float(np.mean(conformal_p_values(scores, real) <= ALPHA))
    return shares


def flagged_by_size(judged: JudgedSplit) -> dict[str, float]:
    """Shares flagged at ALPHA in each fifth of profile size, chimeras and 25% swapped."""
    fifth = np.argsort(np.argsort(judged.sizes, kind="stable")) * 5 // judged.sizes.size
    shares = {}
    for name in ("chimera", "swap 25%"):
        flagged = conformal_p_values(judged.corrupted[name], judged.real) <= ALPHA
        shares |= {
            f"{name}, {number + 1}": np.mean(flagged[fifth == number]) for number in range(5)
        }
    return shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--all-judge", action="store_true", help="train users judge, too")
    parser.add_argument("--by-size", action="store_true", help="also by fifths of profile size")
    parser.add_argument("--family", default="ease", choices=FAMILIES)
    parser.add_argument("--sets", nargs="+", default=TABLE, choices=TABLE + SPARSE)
    options = parser.parse_args()
    print("data | " + " | ".join(COLUMNS) + " | settings | fit seconds | users a second")
    for name in options.sets:
        profiles = load(name, options.data)
        seeds = range(options.first_seed, options.first_seed + options.splits)
        splits = [
            judged_split(profiles, seed=seed, family=options.family, all_judge=options.all_judge)
            for seed in seeds
        ]
        table = pd.DataFrame(
            [flagged_shares(one, seed=seed) for one, seed in zip(splits, seeds, strict=True)]
        )
        cells = [f"{table[column].mean():.3f} ({table[column].sem():.3f})" for column in COLUMNS]
        settings = sorted({one.setting for one in splits})
        seconds = np.median([one.fit_seconds for one in splits])
        speed = np.median([one.users_a_second for one in splits])
        chosen = ", ".join(f"{setting:g}" for setting in settings)
        print(" | ".join([name, *cells, chosen, f"{seconds:.1f} | {speed:.0f}"]), flush=True)
        if options.by_size:
            by_size = pd.DataFrame([flagged_by_size(one) for one in splits]).mean()
            print("  " + "; ".join(f"{key}: {share:.2f}" for key, share in by_size.items()))


if __name__ == "__main__":
    main()
