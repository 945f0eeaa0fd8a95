"""How well do the models rank and rate, against the best that Cornac has?

Ranking: users are split 50/25/25, a tenth of the training users for validation; Recall and NDCG of
the fifth of a held-out user's items that is hidden (strong generalisation), with the standard error
of EASE's mean over users. Every model that is tuned has the same budget, four settings: the one
with the best NDCG@100 on the validation users of splits of its own (seeds 7 to 9, of MovieLens-1M
7) is taken to the splits shown, of which none was seen in any choice. But the last two of `VAE`
come out of some 80 trials on those validation users. EASE is fitted to ones, as published
(signed weights); Cornac has it with negative weights set to zero by default (`posB=True`), which is
weaker.

Rating: RMSE on Cornac's RatioSplit of MovieLens-100K, averaged over users and over ratings, beside
Cornac's PMF, and on a random tenth of MovieLens-1M.

Command: python experiments/accuracy.py --data ../shared/data [--parts ranking rating]
Minutes: about 100 for the ranking (60 of them for RecVAE), 5 for the rating, on one core.
Resumable: what is in a table of the ranking already is not measured again.
Writes: ranking_choice.csv, ranking.csv, rating.csv in experiments/results
"""

import argparse
import contextlib
import logging
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cornac
import numpy as np
import pandas as pd
from cornac import models as peers
from cornac.datasets import movielens
from cornac.eval_methods import RatioSplit
from cornac.metrics import NDCG, RMSE, Recall
from real_data import LINEAR, held_out_users

from cornac_mle import LDA, PMF, VAE, HeldOutUsers, Mixture

FIT_SEED = 1
CHOICE_SPLITS = {"movielens_100k": (7, 8, 9), "movielens_1m": (7,)}
"""Splits whose validation users choose; one of MovieLens-100K has but 47 of them."""
METRICS = (Recall(k=20), Recall(k=50), NDCG(k=100))
Settings = tuple[dict[str, Any], ...]
TUNED: dict[str, tuple[Callable[..., Any], Settings]] = {
    "EASE": (
        lambda lamb: peers.EASE(lamb=lamb, posB=False, verbose=False),
        ({"lamb": 100}, {"lamb": 300}, {"lamb": 500}, {"lamb": 1000}),
    ),
    "VAE": (
        lambda **setting: VAE(**setting, seed=FIT_SEED),
        (
            {},
            {"k": 64, "beta": 0.08},
            {"batch_size": 100} | LINEAR,
            {"batch_size": 50} | LINEAR,
        ),
    ),
    "PMF": (
        lambda **setting: PMF(**setting, seed=FIT_SEED),
        ({"k": 20}, {"k": 40}, {"k": 60}, {"k": 40, "lambda_reg": 2}),
    ),
    "Cornac's VAECF": (
        lambda **setting: peers.VAECF(**setting, batch_size=100, seed=FIT_SEED),
        tuple(
            {"k": 200, "autoencoder_structure": [600], "beta": beta, "n_epochs": n_epochs}
            for beta in (0.2, 0.5)
            for n_epochs in (30, 60)
        ),
    ),
    "Cornac's RecVAE": (
        lambda **setting: peers.RecVAE(**setting, batch_size=100, verbose=False, seed=FIT_SEED),
        (
            {"n_epochs": 15},
            {"n_epochs": 30},
            {"n_epochs": 30, "gamma": 0.01},
            {"n_epochs": 30, "hidden_dim": 300, "latent_dim": 100},
        ),
    ),
    "Cornac's BiVAECF": (
        lambda **setting: peers.BiVAECF(
            **setting, encoder_structure=[200], use_gpu=False, seed=FIT_SEED
        ),
        tuple(
            {"k": 50, "likelihood": likelihood, "n_epochs": n_epochs}
            for likelihood in ("pois", "bern")
            for n_epochs in (30, 60)
        ),
    ),
}
"""Constructor and settings of each model that is tuned."""
FIXED: dict[str, Callable[[], Any]] = {
    "EASE, Cornac's default": lambda: peers.EASE(lamb=300, verbose=False),
    "LDA": lambda: LDA(k=20, seed=FIT_SEED),
    "Mixture": lambda: Mixture(k=10, seed=FIT_SEED),
    "popularity": peers.MostPop,
}
SETS = ("movielens_100k", "movielens_1m")
HERE = Path(__file__).parent
Row = dict[str, Any]


def spelled(setting: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in setting.items()) or "defaults"


def ranked(method: HeldOutUsers, model: Any) -> tuple[Row, float]:
    """Metrics of held-out users, and NDCG@100 of validation users."""
    started = time.process_time()
    held_out, validation = method.evaluate(model, list(METRICS), user_based=True)
    users = np.array(list(held_out.metric_user_results["NDCG@100"].values()))
    found = {metric.name: held_out.metric_avg_results[metric.name] for metric in METRICS}
    found["s.e."] = float(users.std(ddof=1) / np.sqrt(len(users)))
    found["seconds"] = time.process_time() - started
    return found, validation.metric_avg_results["NDCG@100"]


class Rows:
    """Rows of a table that are kept as they are found, each under its names."""

    def __init__(self, file: Path, names: list[str]) -> None:
        self.file, self.names = file, names
        self.table = pd.DataFrame(columns=names)
        if file.exists():
            self.table = pd.read_csv(file, keep_default_na=False)

    def has(self, *names: object) -> bool:
        """Whether there is a row of these names."""
        return bool((self.table[self.names] == list(names)).all(axis=1).any())

    def add(self, row: Row) -> None:
        """Keep a row."""
        self.table = pd.concat([self.table, pd.DataFrame([row])], ignore_index=True)
        self.table.to_csv(self.file, index=False, float_format="%.4f")


def choose(data: Path, name: str, wanted: list[str], rows: Rows) -> None:
    """Try all settings on the validation users of splits that are not shown."""
    for split in CHOICE_SPLITS[name]:
        method = held_out_users(name, data, split)
        for model, (make, settings) in TUNED.items():
            for setting in settings:
                if model not in wanted or rows.has(name, split, model, spelled(setting)):
                    continue
                found, validation = ranked(method, make(**setting))
                row = {"data": name, "split": split, "model": model, "setting": spelled(setting)}
                rows.add(row | {"NDCG@100": validation, "seconds": found["seconds"]})
                print(rows.table.tail(1).to_string(header=False), flush=True)


def ranking(data: Path, name: str, split: int, choices: pd.DataFrame, rows: Rows) -> None:
    """Measure the chosen setting of every model on one split."""
    method = held_out_users(name, data, split)
    tried = choices[choices["data"] == name]
    means = tried.groupby(["model", "setting"])["NDCG@100"].mean()
    chosen = dict(means.groupby("model").idxmax().tolist())  # the best setting of each model
    models: dict[str, tuple[str, Callable[[], Any]]] = {
        model: (spelled(setting), lambda make=make, setting=setting: make(**setting))
        for model, (make, settings) in TUNED.items()
        for setting in settings
        if spelled(setting) == chosen.get(model)
    }
    models |= {model: ("", make) for model, make in FIXED.items()}
    for model, (setting, make) in models.items():
        if rows.has(name, split, model, setting):
            continue
        found, _ = ranked(method, make())
        rows.add({"data": name, "split": split, "model": model, "setting": setting} | found)
        print(rows.table.tail(1).to_string(header=False), flush=True)


def rating(split_seed: int) -> Iterator[dict[str, Any]]:
    """Yield a row a model: RMSE over users and over ratings, and the seconds of its fit."""
    fifth = RatioSplit(
        movielens.load_feedback(variant="100K"), test_size=0.2, rating_threshold=4, seed=split_seed
    )
    tenth = RatioSplit(
        movielens.load_feedback(variant="1M"), test_size=0.1, rating_threshold=4, seed=split_seed
    )
    for data, method, model in (
        ("100K", fifth, PMF(k=10, seed=0)),
        ("100K", fifth, cornac.models.PMF(seed=0, name="Cornac's PMF")),
        ("1M", tenth, PMF(k=20, seed=0)),
    ):
        row: dict[str, Any] = {"data": data, "split": split_seed, "model": model.name}
        for column, user_based in (("RMSE, users", True), ("RMSE, ratings", False)):
            # A clone, since Cornac's PMF starts a second fit where the first ended.
            result, _ = method.evaluate(model.clone(), [RMSE()], user_based=user_based)
            row |= {column: result.metric_avg_results["RMSE"]}
            row |= {"fit seconds": result.metric_avg_results["Train (s)"]}
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real data sets")
    parser.add_argument("--split-seeds", nargs="+", type=int, default=[123, 1, 2])
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--models", nargs="+", default=list(TUNED), help="of those tuned")
    parser.add_argument("--parts", nargs="+", default=["ranking", "rating"])
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore", UserWarning)  # some users of few items are dropped
    results = arguments.out / "results"
    results.mkdir(parents=True, exist_ok=True)
    if "ranking" in arguments.parts:
        choices = Rows(results / "ranking_choice.csv", ["data", "split", "model", "setting"])
        rows = Rows(results / "ranking.csv", ["data", "split", "model", "setting"])
        for name in arguments.sets:
            choose(arguments.data, name, arguments.models, choices)
            for split in arguments.split_seeds:
                ranking(arguments.data, name, split, choices.table, rows)
    if "rating" in arguments.parts:
        with tempfile.TemporaryDirectory() as home, contextlib.suppress(KeyboardInterrupt):
            shutil.copytree(arguments.data / "cornac_cache", Path(home) / ".cornac")
            os.environ["HOME"] = home
            rated = pd.concat([pd.DataFrame(rating(seed)) for seed in arguments.split_seeds])
            print(rated.round(3).to_string(index=False))
            rated.to_csv(results / "rating.csv", index=False, float_format="%.4f")


if __name__ == "__main__":
    main()
