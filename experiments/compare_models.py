"""Do the users that models make up look real, and does the best ranking model make the best users?

An unpatched `cornac.Experiment` on the embedded grocery data: our samplers and Cornac's own models
in one table, accuracy on unseen users beside realism. Cornac's EASE and MostPop are ranked; they
cannot be sampled, so their realism is NaN, and the log says so.

Command: python experiments/compare_models.py [--seed 123]
Minutes: about 1 on two cores.
"""

import argparse
import logging
import tempfile

import cornac
from cornac.metrics import NDCG, Recall

from cornac_mle import PMF, VAE, HeldOutUsers, Popularity, TrainingUsers
from cornac_mle.datasets import complete_journey
from cornac_mle.metrics import (
    CopiedUsers,
    NeighbourCoverage,
    PlausibilityKS,
    PopularityJS,
    UnrealisticUsers,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=123)
    seed = parser.parse_args().seed
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    method = HeldOutUsers(
        complete_journey.load_feedback(),
        rating_threshold=3,
        seed=seed,
        dataset_name="complete-journey",
    )
    with tempfile.TemporaryDirectory() as logs:
        cornac.Experiment(
            method,
            models=[
                Popularity(),
                TrainingUsers(),
                PMF(k=20, seed=seed),
                VAE(latent="prior", name="VAE prior", seed=seed),
                VAE(latent="mixture", name="VAE", seed=seed),
                cornac.models.EASE(lamb=6000, verbose=False),  # best on validation users
                cornac.models.MostPop(),
            ],
            metrics=[
                Recall(k=20),
                NDCG(k=100),
                UnrealisticUsers(alpha=0.05),
                PlausibilityKS(),
                NeighbourCoverage(k=5),
                CopiedUsers(),
                PopularityJS(),
            ],
            show_validation=False,
            save_dir=logs,
        ).run()


if __name__ == "__main__":
    main()
