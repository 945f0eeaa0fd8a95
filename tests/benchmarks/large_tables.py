"""Parquet files of many real and synthetic users over a large catalogue, the same each time.

Items have a Zipf-like popularity and a taste of their own; a user has two tastes. A share of the
items is drawn by popularity alone, of synthetic users a larger one. All in one pass, without an
array of users x items: ``python tests/benchmarks/large_tables.py FOLDER 20000 100000 20000``.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

MEAN_SIZE = 40
N_TASTES = 50
EXPONENT = 0.9
"""Of the fall of popularity with the rank."""


def write_users(
    path: Path, n_users: int, n_items: int, *, prefix: str, untrue: float, seed: int
) -> None:
    """Write users who draw a share `untrue` of their items by popularity alone."""
    user, item = draw_users(n_users, n_items, untrue=untrue, seed=seed)
    users = np.array([f"{prefix}{number:07d}" for number in range(n_users)], dtype=object)
    items = np.array([f"item {number:06d}" for number in range(n_items)], dtype=object)
    order = np.random.default_rng(seed).permutation(user.size)  # nobody's rows stand together
    table = pd.DataFrame({"user": users[user[order]], "item": items[item[order]]})
    table.to_parquet(path, index=False)


def draw_users(
    n_users: int, n_items: int, *, untrue: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw distinct pairs of users and items, in the order of users."""
    weights = np.arange(10.0, n_items + 10) ** -EXPONENT
    taste_of = np.random.default_rng(0).integers(0, N_TASTES, n_items)  # the same for all seeds
    by_taste = np.argsort(taste_of, kind="stable")
    cumulative = np.cumsum(weights[by_taste])
    edges = np.append(0.0, cumulative)[np.searchsorted(taste_of[by_taste], range(N_TASTES + 1))]
    random = np.random.default_rng([1, seed])
    sizes = np.maximum(2, random.negative_binomial(3, 3 / (3 + MEAN_SIZE * 1.25), n_users))
    user = np.repeat(np.arange(n_users), sizes)  # some pairs fall together
    tastes = random.integers(0, N_TASTES, (n_users, 2))
    taste = tastes[user, random.integers(0, 2, user.size)]
    low, high = edges[taste], edges[taste + 1]
    true = random.random(user.size) >= untrue
    place = random.random(user.size)
    place = np.where(true, low + place * (high - low), place * cumulative[-1])
    item = by_taste[np.minimum(np.searchsorted(cumulative, place, side="right"), n_items - 1)]
    pairs = np.unique(user * np.int64(n_items) + item)
    return pairs // n_items, pairs % n_items


def write_tables(folder: Path, n_real: int, n_synthetic: int, n_items: int) -> tuple[Path, Path]:
    """Write real.parquet and synthetic.parquet, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    real, synthetic = folder / "real.parquet", folder / "synthetic.parquet"
    write_users(real, n_real, n_items, prefix="r", untrue=0.2, seed=1)
    write_users(synthetic, n_synthetic, n_items, prefix="s", untrue=0.4, seed=2)
    return real, synthetic


if __name__ == "__main__":
    write_tables(Path(sys.argv[1]), *map(int, sys.argv[2:]))
