"""Models by the name that the command line knows."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

# Spelt out, because `--help` must not import Cornac and the models.
KNOWN_MODELS = (
    "popularity, training-users, mixture, lda, pmf, "
    "vae, vae-gaussian, vae-prior, vae-posterior, vae-tuned, vae-filtered, ease"
)
DEFAULT_MODELS = "popularity,mixture,lda,pmf,vae-prior,vae,vae-tuned,training-users,ease"


def models_by_name() -> dict[str, Callable[[int], Any]]:
    """Models by name, each a function of the random seed; one line makes a further one known."""
    from cornac_mle.models import LDA, PMF, VAE, Mixture, Popularity, TrainingUsers
    from cornac_mle.models.ease import ScaledEASE
    from cornac_mle.remedies import Filtered, MMDTuning

    return {
        "popularity": lambda seed: Popularity(),
        "training-users": lambda seed: TrainingUsers(),
        "mixture": lambda seed: Mixture(k=10, seed=seed),
        "lda": lambda seed: LDA(k=20, seed=seed),
        "pmf": lambda seed: PMF(k=20, seed=seed),
        "vae": lambda seed: VAE(latent="mixture", name="VAE", seed=seed),
        "vae-gaussian": lambda seed: VAE(latent="gaussian", name="VAE gaussian", seed=seed),
        "vae-prior": lambda seed: VAE(latent="prior", name="VAE prior", seed=seed),
        "vae-posterior": lambda seed: VAE(latent="posterior", name="VAE posterior", seed=seed),
        "vae-tuned": lambda seed: MMDTuning(
            VAE(latent="prior", seed=seed), name="VAE tuned", seed=seed
        ),
        "vae-filtered": lambda seed: Filtered(VAE(seed=seed), name="VAE filtered", seed=seed),
        "ease": lambda seed: ScaledEASE(verbose=False),
    }


def model_of(name: str, seed: int) -> Any:
    """Make a model by its name.

    Raises
    ------
    ValueError
        If there is no such model.
    ImportError
        If it needs a library that is not installed.
    """
    from cornac_mle.checks import check_choice

    known = models_by_name()
    make = known[check_choice("model", name, list(known))]
    if name.startswith("vae") and find_spec("torch") is None:
        msg = f"The model {name} needs PyTorch. Install it: pip install cornac-mle[vae]"
        raise ImportError(msg)
    return make(seed)
