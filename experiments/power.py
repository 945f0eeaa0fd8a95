"""How many corrupted users does the plausibility judge flag, when 5% of real users are flagged?

Users are split at random, 50% train, 25% reference, 25% held-out. The judge is fitted on the
reference users. Held-out users are corrupted with the train users' popularity, and are flagged
where their conformal p-value is at most .05: corrupted users against all held-out users, real users
against the other half of the held-out users. The table gives the mean over splits and its standard
error.

    python experiments/power.py --data ../shared/data --splits 10

About 6 minutes on two cores (MovieLens-1M takes 3 of them). Without --sets it prints the five sets
of the table; `book_crossing`, `movietweetings`, `ta_feng` and `gowalla` are sparse ones to try.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from cornac_mle.conformal import conformal_p_values
from cornac_mle.nulls import chimera, popularity_draws, swap
from cornac_mle.plausibility import PlausibilityModel

ALPHA = 0.05
TABLE = ("complete_journey", "movielens_100k", "lastfm", "anime", "movielens_1m")
SPARSE = ("book_crossing", "movietweetings", "ta_feng", "gowalla")
COLUMNS = ("real", "popularity", "chimera", "swap 10%", "swap 25%", "swap 50%")


def load(name: str, data: Path) -> sp.csr_array:
    """Likes of one data set, (n_users, n_items) float32 ones, every user with an item."""
    match name:
        case "complete_journey":
            pairs = pd.read_csv(data / "complete_journey" / "household_product_type.csv.gz")
            pairs = pairs[pairs.iloc[:, 2].clip(upper=5) >= 3]
        case "movielens_100k":
            pairs = pd.read_csv(data / "cornac_cache" / "ml-100k" / "u.data", sep="\t", header=None)
            pairs = pairs[pairs[2] >= 4]
        case "movielens_1m":
            pairs = pd.read_csv(data / "movielens_1m" / "ratings_with_order.csv.gz")
            pairs = pairs[pairs["rating"] >= 4]
        case "lastfm":
            pairs = _core(pd.read_csv(data / "lastfm_hetrec2k" / "user_artists.csv.gz"), 10)
        case "anime":
            pairs = pd.read_csv(data / "anime" / "ratings.csv.gz")
            pairs = _core(pairs[pairs["rating"] >= 8], 10)
        case "book_crossing":
            pairs = pd.read_csv(data / "book_crossing_small" / "history.csv.gz")
        case "movietweetings":
            pairs = _core(pd.read_csv(data / "movietweetings_100k" / "ratings.csv.gz"), 5)
        case "ta_feng":
            pairs = pd.read_csv(data / "ta_feng" / "transactions.csv.gz")
            pairs = _some_users(pairs[["customer_id", "product_subclass"]], 6000)
        case "gowalla":
            pairs = _some_users(
                pd.read_csv(data / "gowalla_lightgcn" / "interactions.csv.gz"), 6000
            )
        case _:
            raise ValueError(name)
    user, _ = pd.factorize(pairs.iloc[:, 0], sort=True)
    item, _ = pd.factorize(pairs.iloc[:, 1], sort=True)
    matrix = sp.csr_array((np.ones(user.size, dtype=np.float32), (user, item)))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def _core(pairs: pd.DataFrame, least: int) -> pd.DataFrame:
    """Drop users and items with fewer than `least` entries until none is left."""
    while True:
        before = len(pairs)
        for column in pairs.columns[:2]:
            pairs = pairs[pairs.groupby(column)[column].transform("size") >= least]
        if len(pairs) == before:
            return pairs


def _some_users(pairs: pd.DataFrame, count: int) -> pd.DataFrame:
    users = pairs.iloc[:, 0].unique()
    chosen = np.random.default_rng(0).choice(users, count, replace=False)
    return pairs[pairs.iloc[:, 0].isin(chosen)]


def split(
    profiles: sp.csr_array, rng: np.random.Generator
) -> tuple[sp.csr_array, sp.csr_array, sp.csr_array]:
    """Split into train, reference and held-out users, over the items of the train users."""
    profiles = profiles[np.diff(profiles.indptr) >= 2]
    n_users = profiles.shape[0]
    order = rng.permutation(n_users)
    groups = np.split(order, [n_users // 2, n_users // 2 + n_users // 4])
    known = np.unique(profiles[groups[0]].indices)
    train, *others = (sp.csr_array(profiles[group][:, known]) for group in groups)
    reference, held_out = (other[np.diff(other.indptr) >= 2] for other in others)
    return train, reference, held_out


def flagged_shares(profiles: sp.csr_array, *, seed: int) -> dict[str, float]:
    """Shares flagged at ALPHA in one random split, by COLUMNS; seconds and users a second too."""
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

    start = time.perf_counter()
    judge = PlausibilityModel.fit(reference, rng=rng)
    fitted = time.perf_counter()
    real = judge.score(held_out)
    scores = {name: judge.score(users) for name, users in corrupted.items()}
    scored = time.perf_counter()

    half = rng.permutation(real.size) < real.size // 2
    shares = {"real": 0.0}
    for one, other in ((half, ~half), (~half, half)):
        shares["real"] += np.sum(conformal_p_values(real[one], real[other]) <= ALPHA) / real.size
    for name, score in scores.items():
        shares[name] = float(np.mean(conformal_p_values(score, real) <= ALPHA))
    shares["fit seconds"] = fitted - start
    shares["users a second"] = real.size * (1 + len(scores)) / (scored - fitted)
    shares["setting"] = judge.predictor.setting
    return shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--sets", nargs="+", default=TABLE, choices=TABLE + SPARSE)
    options = parser.parse_args()
    print("data | " + " | ".join(COLUMNS) + " | ridges | fit seconds | users a second")
    for name in options.sets:
        profiles = load(name, options.data)
        seeds = range(options.first_seed, options.first_seed + options.splits)
        table = pd.DataFrame([flagged_shares(profiles, seed=seed) for seed in seeds])
        cells = [f"{table[column].mean():.3f} ({table[column].sem():.3f})" for column in COLUMNS]
        ridges = ", ".join(f"{ridge:g}" for ridge in sorted(set(table["setting"])))
        speed = f"{table['fit seconds'].median():.1f} | {table['users a second'].median():.0f}"
        print(" | ".join([name, *cells, ridges, speed]), flush=True)


if __name__ == "__main__":
    main()
