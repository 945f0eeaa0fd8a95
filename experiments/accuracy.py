"""How well do the models rank and rate, against the best that Cornac has?

Ranking: users are split 50/25/25, a tenth of the training users for validation; Recall and NDCG of
the fifth of a held-out user's items that is hidden (strong generalisation), with the standard error
of EASE's mean over users. EASE is fitted to ones, with the ridge that is best on validation users:
as published (signed weights), and as Cornac has it by default (`posB=True`, negative weights set to
zero, which is weaker). Rating: RMSE on Cornac's RatioSplit of MovieLens-100K, averaged over users
and over ratings, beside Cornac's PMF, and on a random tenth of MovieLens-1M.

Command: python experiments/accuracy.py [--data ../shared/data]
    (without --data, Cornac's own cache is used, which downloads what is missing)
Minutes: about 15 on two cores.
Writes: experiments/results/ranking.csv, experiments/results/rating.csv
"""

import argparse
import contextlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cornac
import numpy as np
import pandas as pd
from cornac.datasets import movielens
from cornac.eval_methods import RatioSplit
from cornac.metrics import NDCG, RMSE, Recall
from real_data import MULTINOMIAL

from cornac_mle import LDA, PMF, VAE, HeldOutUsers, Mixture

RIDGES = (100, 200, 300, 500, 1000)
HERE = Path(__file__).parent


def ranking(variant: str, split_seed: int) -> Iterator[dict[str, Any]]:
    """Yield a row a model: metrics, and NDCG@100 over that of signed EASE."""
    likes = [
        (u, i, 1.0) for u, i, rating in movielens.load_feedback(variant=variant) if rating >= 4
    ]
    method = HeldOutUsers(likes, seed=split_seed)
    metrics = [Recall(k=20), Recall(k=50), NDCG(k=100)]

    def measured(model: Any) -> tuple[float, dict[str, float], float]:
        held_out, validation = method.evaluate(model, metrics, user_based=True)
        users = np.array(list(held_out.metric_user_results["NDCG@100"].values()))
        error = float(users.std(ddof=1) / np.sqrt(len(users)))
        return validation.metric_avg_results["NDCG@100"], held_out.metric_avg_results, error

    def ease(positive: bool) -> tuple[float, dict[str, float], float]:
        tried = (
            measured(cornac.models.EASE(lamb=ridge, posB=positive, verbose=False))
            for ridge in RIDGES
        )
        return max(tried, key=lambda found: found[0])

    models = {
        "EASE": lambda: ease(positive=False),
        "EASE, Cornac's default": lambda: ease(positive=True),
        "VAE": lambda: measured(VAE(**MULTINOMIAL, seed=1)),
        "PMF": lambda: measured(PMF(k=20, seed=1)),
        "LDA": lambda: measured(LDA(k=20, seed=1)),
        "Mixture": lambda: measured(Mixture(k=10, seed=1)),
        "popularity": lambda: measured(cornac.models.MostPop()),
    }
    best = 0.0
    for name, run in models.items():
        started = time.perf_counter()
        _, found, error = run()
        best = best or found["NDCG@100"]
        yield {
            "data": variant,
            "split": split_seed,
            "model": name,
            **{metric: found[metric] for metric in ("Recall@20", "Recall@50", "NDCG@100")},
            "s.e.": error,
            "/ EASE": found["NDCG@100"] / best,
            "seconds": time.perf_counter() - started,
        }


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
    parser.add_argument("--data", type=Path, help="folder with cornac_cache/ in it")
    parser.add_argument("--split-seeds", nargs="+", type=int, default=[123, 1, 2])
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    pd.set_option("display.width", 120)
    results = arguments.out / "results"
    results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, contextlib.suppress(KeyboardInterrupt):
        if arguments.data is not None:
            shutil.copytree(arguments.data / "cornac_cache", Path(home) / ".cornac")
            os.environ["HOME"] = home
        rows = []
        for variant in ("100K", "1M"):
            for seed in arguments.split_seeds:
                found = pd.DataFrame(ranking(variant, seed))
                print(found.round(3).to_string(index=False), flush=True)
                rows.append(found)
        rated = pd.concat([pd.DataFrame(rating(seed)) for seed in arguments.split_seeds])
        print(rated.round(3).to_string(index=False))
        pd.concat(rows).to_csv(results / "ranking.csv", index=False, float_format="%.4f")
        rated.to_csv(results / "rating.csv", index=False, float_format="%.4f")


if __name__ == "__main__":
    main()
