"""Which models make up believable MovieLens users, and does it depend on the fit?

Likes are ratings of 4 and 5; users are split 50/25/25 into train, reference and held-out. Models
that have a seed are fitted three times; the standard deviation over fits stands in brackets. The
VAE of each seed is sampled from its prior, from a Gaussian and from a mixture fitted to its
posteriors, and from the posteriors of training users. Paired differences are over the same
half-splits of held-out users.

Command: python experiments/compare_movielens.py [--data ../shared/data] [--sets 100K 1M]
    (without --data, Cornac's own cache is used, which downloads what is missing)
Minutes: about 7 on two cores.
"""

import argparse
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path

import cornac
from cornac.datasets import movielens

from cornac_mle import PMF, VAE, HeldOutUsers, Popularity, TrainingUsers, default_metrics
from cornac_mle.comparison import compare
from cornac_mle.report.table import output_console, score_table

LATENTS = ("prior", "gaussian", "mixture", "posterior")


def measure(variant: str, seeds: list[int], split_seed: int) -> None:
    method = HeldOutUsers(
        movielens.load_feedback(variant=variant),
        rating_threshold=4,
        seed=split_seed,
        dataset_name=f"movielens-{variant.lower()}",
    )
    started = time.perf_counter()

    def show(model: str, _: int) -> None:
        print(f"  {time.perf_counter() - started:6.0f} s  {model}", flush=True)

    models = [
        Popularity(),
        TrainingUsers(),
        PMF(k=20, seed=seeds[0]),
        # The best ridge of 300 to 20,000 on validation users of both sets, within .002.
        cornac.models.EASE(lamb=6000, verbose=False),
        cornac.models.MostPop(),
    ]
    compare(models, method, fit_seeds=seeds, on_fit=show)
    for seed in seeds:
        show(f"VAE, seed {seed}", 0)
        fitted = VAE(seed=seed).fit(method.train_set, method.val_set)
        for latent in LATENTS:
            copy = fitted.with_latent(latent)
            copy.name, copy.trainable = f"VAE {latent}", False
            method.evaluate(copy, default_metrics(), user_based=True, show_validation=False)
    console = output_console()
    console.print(score_table(method.report.summary(), console.width))
    for metric in ("UnrealisticUsers@0.05", "PlausibilityKS"):
        for other in ("VAE mixture", "VAE posterior"):
            one = method.report.difference(metric, "VAE prior", other)
            print(
                f"{metric}: VAE prior - {other} = {one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with cornac_cache/ in it")
    parser.add_argument("--sets", nargs="+", default=["100K", "1M"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3], help="of the fits")
    parser.add_argument("--split-seed", type=int, default=123)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as home:
        if arguments.data is not None:
            shutil.copytree(arguments.data / "cornac_cache", Path(home) / ".cornac")
            os.environ["HOME"] = home
        for variant in arguments.sets:
            measure(variant, arguments.seeds, arguments.split_seed)


if __name__ == "__main__":
    main()
