"""Models as version 0.1 saved them, before its modules moved, and 20 users that each drew.

Run with that version's code: PYTHONPATH=<its root> python tests/golden/saved_0.1/save_models.py
The users of `REDRAWN` are today's code's, which draws items in another way: save_models.py redraw.
"""

import pickle
import sys
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from cornac.models import BPR

from cornac_mle.models.base import GenerativeRecommender
from cornac_mle.models.lda import LDA
from cornac_mle.models.mixture import Mixture
from cornac_mle.models.pmf import PMF
from cornac_mle.models.popularity import Popularity
from cornac_mle.models.sampled import Sampled
from cornac_mle.models.training_users import TrainingUsers
from cornac_mle.models.vae import VAE
from cornac_mle.profiles import Profiles, ids_index
from cornac_mle.remedies.filtered import Filtered
from cornac_mle.remedies.mmd_tuning import MMDTuning

FOLDER = Path(__file__).parent
SMALL_VAE = {"k": 2, "autoencoder_structure": (4,), "n_epochs": 3, "n_components": 2, "seed": 1}
MODELS = {
    "popularity": Popularity(),
    "training_users": TrainingUsers(),
    "mixture": Mixture(k=2, seed=1),
    "lda": LDA(k=2, max_iter=60, seed=1),
    "pmf": PMF(k=2, max_iter=10, seed=1),
    "pmf_gaussian": PMF(k=2, max_iter=10, variant="gaussian", seed=1),
    "vae": VAE(**SMALL_VAE),
    "vae_prior": VAE(**SMALL_VAE, latent="prior"),
    "vae_vamp": VAE(**SMALL_VAE, prior="vamp", n_pseudo_inputs=3),
    "mmd_tuning": MMDTuning(VAE(**SMALL_VAE), n_steps=5, batch_size=20, seed=1),
    "filtered": Filtered(Popularity(), least_acceptance=0.3, seed=1),
    "sampled": Sampled(BPR(k=2, max_iter=10, seed=1), seed=1),
    "sampled_bootstrap": Sampled(BPR(k=2, max_iter=10, seed=1), density="bootstrap", seed=1),
}

REDRAWN = ("filtered", "mixture", "pmf")


def world() -> Profiles:
    """40 users of one of two tastes over 12 items, with values 1 to 5."""
    random = np.random.default_rng(1)
    likes = random.random((40, 12)) < np.where(
        (np.arange(12) < 6)[None, :] == (np.arange(40) % 2 == 0)[:, None], 0.6, 0.15
    )
    likes[np.arange(40), np.arange(40) % 12] = True
    values = random.integers(1, 6, size=likes.shape) * likes
    return Profiles(
        sp.csr_array(values.astype(np.float32)),
        ids_index([f"u{user}" for user in range(40)]),
        ids_index([f"i{item}" for item in range(12)]),
    )


def redraw() -> None:
    """Draw the users anew from the models as they were saved."""
    for name in REDRAWN:
        loaded = GenerativeRecommender.load(str(FOLDER / f"{name}.pkl"))
        drawn = loaded.sample(20, rng=1).matrix.toarray()
        np.savez_compressed(FOLDER / f"{name}.npz", sample=drawn)


def save() -> None:
    """Fit, save and draw."""
    for name, model in MODELS.items():
        model.fit(world().to_dataset(seed=1))
        saved = Path(model.save(str(FOLDER / "tmp")))
        saved.rename(FOLDER / f"{name}.pkl")
        saved.with_name(saved.name + ".meta").unlink()
        loaded = pickle.loads((FOLDER / f"{name}.pkl").read_bytes())
        saved.parent.rmdir()
        drawn = loaded.sample(20, rng=1).matrix.toarray()
        np.savez_compressed(FOLDER / f"{name}.npz", sample=drawn)
    (FOLDER / "tmp").rmdir()


if __name__ == "__main__":
    redraw() if sys.argv[1:] == ["redraw"] else save()
