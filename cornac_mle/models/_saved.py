"""Models that an earlier version saved: where their classes and attributes are now.

A saved model is a pickle, which names classes by module. Version 0.1 was rearranged before its
release, so older files name modules, classes and attributes that are no longer there.
"""

import pickle
from pathlib import Path
from typing import Any

from cornac.models import Recommender

MOVED = {
    "cornac_mle.models.gaussian_factors": "cornac_mle.models.pmf._gaussians",
    "cornac_mle.models.latent_densities": "cornac_mle.sampling.latent_densities",
    "cornac_mle.models.pmf_gaussian.GaussianLaw": (
        "cornac_mle.models.pmf._gaussian_variant.GaussianDistribution"
    ),
    "cornac_mle.models.pmf_likelihood.HurdleLaw": (
        "cornac_mle.models.pmf._log_likelihood.HurdleDistribution"
    ),
    "cornac_mle.models.pmf_values.ValueLaw": (
        "cornac_mle.models.pmf._value_distribution.ValueDistribution"
    ),
    "cornac_mle.models.user_densities": "cornac_mle.models.sampled._user_densities",
    "cornac_mle.remedies.discriminator": "cornac_mle.remedies._pair_discriminator",
}
"""New dotted paths of modules, with all that is in them, and of classes."""

RENAMED = {
    "LDA": {"size_laws_": "size_distributions_"},
    "Mixture": {"size_laws_": "size_distributions_"},
    "PMF": {"law_": "distribution_"},
    "Popularity": {"size_law_": "size_distribution_"},
    "Sampled": {"size_law_": "size_distribution_", "slope_": "inverse_temperature_"},
    "SmoothedBootstrap": {"law": "distribution"},
    "StandardNormal": {"law": "distribution"},
}
"""New names of attributes, by class."""


class Unpickler(pickle.Unpickler):
    """A reader of pickles that finds what has moved since they were written."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        """Find a class where it is now."""
        path = MOVED.get(f"{module_name}.{global_name}")
        if path is None:
            return super().find_class(MOVED.get(module_name, module_name), global_name)
        return super().find_class(*path.rsplit(".", 1))


def load_model(path: str | Path, *, trainable: bool) -> Recommender:
    """Load a model, of this version or an earlier one, as Cornac's `Recommender.load` does."""
    path = Path(path)
    file = sorted(path.glob("*.pkl"))[-1] if path.is_dir() else path
    with file.open("rb") as stream:
        model = Unpickler(stream).load()
    model.trainable = trainable
    model.load_from = str(file)  # Cornac's name, for further loading
    return model


def rename_attributes(part: Any) -> None:
    """Give the attributes of a model, and of the parts in it, their present names."""
    kind = type(part)
    if kind is dict:
        for value in part.values():
            rename_attributes(value)
    elif kind.__module__.startswith("cornac_mle.") and not issubclass(kind, tuple):
        attributes, names = vars(part), RENAMED.get(kind.__name__, {})
        for old in names.keys() & attributes.keys():
            attributes[names[old]] = attributes.pop(old)
        for value in attributes.values():
            rename_attributes(value)
