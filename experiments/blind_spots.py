"""Which metrics are blind to what? Every metric and six models on MovieLens-1M.

Likes are ratings of 4 and 5; users are split 50/25/25 into train, reference and held-out. To the
metrics of this package the field's usual ruler is added: precision in an embedding of 32
dimensions, here the projection on the leading singular vectors of the training users.

Command: python experiments/blind_spots.py --data ../shared/data [--out docs/validity]
Minutes: about 6 on two cores.
"""

import argparse
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from cornac.datasets import movielens
from real_data import MULTINOMIAL
from scipy.sparse.linalg import svds

from cornac_mle import PMF, VAE, HeldOutUsers, Mixture, Popularity, TrainingUsers, all_metrics
from cornac_mle.metrics import Evaluator, prdc
from cornac_mle.metrics.base import SplitMetric
from cornac_mle.metrics.splits import Splits
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import MetricNote
from cornac_mle.sparse import FloatArray

DIMENSIONS = 32


class EmbeddingPrecision(SplitMetric):
    """Precision (Kynkäänniemi et al. 2019) of profiles in a low-rank embedding: the usual ruler."""

    bounds = (0.0, 1.0)
    ideal = None
    note = MetricNote("ceiling", "synthetic users near a real one in an embedding")
    minimum_users = 6

    def __init__(self) -> None:
        super().__init__(name="EmbeddingPrecision@5")

    def _on_splits(self, evaluator: Evaluator, users: Profiles, splits: Splits) -> FloatArray:
        components = evaluator.remembered(
            svds,
            compute=lambda: svds(
                evaluator.train.matrix.astype(bool).astype(float),
                DIMENSIONS,
                v0=np.ones(min(evaluator.train.matrix.shape)),
            )[2],
        )
        points, real = (
            group.matrix.astype(bool).astype(float) @ components.T
            for group in (users, evaluator.held_out)
        )
        return np.asarray([prdc(real[s.real], points[s.other], k=5).precision for s in splits])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with cornac_cache/")
    parser.add_argument("--out", type=Path, help="folder for the table as CSV")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    if options.data:
        home = Path(tempfile.mkdtemp())
        shutil.copytree(options.data / "cornac_cache", home / ".cornac")
        os.environ["HOME"] = str(home)
    started = time.perf_counter()
    method = HeldOutUsers(
        movielens.load_feedback(variant="1M"),
        rating_threshold=4,
        seed=123,
        dataset_name="movielens-1m",
    )
    metrics = [*all_metrics(), EmbeddingPrecision()]
    fitted = VAE(**MULTINOMIAL, seed=123).fit(method.train_set, method.val_set)
    models = [Popularity(), Mixture(k=50, seed=123), PMF(k=20, seed=123)]
    for latent in ("prior", "posterior"):
        copy = fitted.with_latent(latent)
        copy.name, copy.trainable = f"VAE {latent}", False
        models.append(copy)
    models.append(TrainingUsers())
    for model in models:
        method.evaluate(model, metrics, user_based=True, show_validation=False)
        print(f"[{time.perf_counter() - started:.0f} s] {model.name}", flush=True)
    report = method.report
    scores = report.scores[report.scores["users"] == "held-out"]
    names = [metric.name for metric in metrics]
    order = [model.name for model in models]
    table = scores.pivot(index="metric", columns="model", values="value").reindex(names)[order]
    reference = scores.groupby("metric")[["ceiling", "floor", "minimum_detectable"]].first()
    table = table.join(reference.reindex(names))
    with pd.option_context("display.width", 200, "display.max_columns", 20):
        print(table.round(3).to_string())
        print("\nJudges:\n", report.judges().round(3).to_string())
        print(report.judges().attrs["rank_agreement"].round(2).to_string())
        print("\nDifferences:\n", report.compare().round(4).to_string(index=False))
    for metric, text in report.cautions.items():
        print(f"{metric}: {text}")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        table.to_csv(options.out / "blind_spots.csv")


if __name__ == "__main__":
    main()
