"""How well do PMF and the VAE rank and rate, against the best that Cornac has?

Ranking: users are split 50/25/25, a tenth of the training users for validation; NDCG@100 of the
fifth of a held-out user's items that is hidden (strong generalisation). EASE is fitted to ones, not
to ratings, which suits it better, with the ridge that is best on validation users. Rating: RMSE on
Cornac's RatioSplit of MovieLens-100K, averaged over users and over ratings, beside Cornac's PMF.

Command: python experiments/accuracy.py [--data ../shared/data]
    (without --data, Cornac's own cache is used, which downloads what is missing)
Minutes: about 5 on two cores.
"""

import argparse
import contextlib
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import cornac
from cornac.datasets import movielens
from cornac.eval_methods import RatioSplit
from cornac.metrics import NDCG, RMSE

from cornac_mle import PMF, VAE, HeldOutUsers

RIDGES = (100, 200, 300, 500, 1000)


def ranking(variant: str, split_seed: int) -> None:
    likes = [
        (u, i, 1.0) for u, i, rating in movielens.load_feedback(variant=variant) if rating >= 4
    ]
    method = HeldOutUsers(likes, seed=split_seed)

    def ndcg(model: Any) -> tuple[float, float]:
        held_out, validation = method.evaluate(model, [NDCG(k=100)], user_based=True)
        values = (result.metric_avg_results["NDCG@100"] for result in (validation, held_out))
        return tuple(values)  # type: ignore[return-value]

    ease = max(ndcg(cornac.models.EASE(lamb=ridge, verbose=False)) for ridge in RIDGES)[1]
    vae, pmf = ndcg(VAE(seed=1))[1], ndcg(PMF(k=20, seed=1))[1]
    popular = ndcg(cornac.models.MostPop())[1]
    print(
        f"{variant:>5} {split_seed:6} {ease:8.3f} {vae:8.3f} {pmf:8.3f} {popular:8.3f} "
        f"{vae / ease:10.3f} {pmf / ease:10.3f}",
        flush=True,
    )


def rating(split_seed: int) -> None:
    method = RatioSplit(
        movielens.load_feedback(variant="100K"), test_size=0.2, rating_threshold=4, seed=split_seed
    )
    cells = []
    for model in (PMF(k=10, seed=0), cornac.models.PMF(seed=0)):
        for user_based in (True, False):
            # A clone, since Cornac's PMF starts a second fit where the first ended.
            result, _ = method.evaluate(model.clone(), [RMSE()], user_based=user_based)
            cells.append(f"{result.metric_avg_results['RMSE']:10.3f}")
    print(f"{split_seed:6} {' '.join(cells)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with cornac_cache/ in it")
    parser.add_argument("--split-seeds", nargs="+", type=int, default=[123, 1, 2])
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    with tempfile.TemporaryDirectory() as home, contextlib.suppress(KeyboardInterrupt):
        if arguments.data is not None:
            shutil.copytree(arguments.data / "cornac_cache", Path(home) / ".cornac")
            os.environ["HOME"] = home
        print("RMSE   over users: PMF, over ratings; Cornac's PMF over users, over ratings")
        for split_seed in arguments.split_seeds:
            rating(split_seed)
        print("  set  split     EASE      VAE      PMF  popular   VAE/EASE   PMF/EASE")
        for variant in ("100K", "1M"):
            for split_seed in arguments.split_seeds:
                ranking(variant, split_seed)


if __name__ == "__main__":
    main()
