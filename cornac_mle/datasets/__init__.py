"""Data sets: one embedded, Cornac's own by name, and your files."""

from cornac_mle.datasets import complete_journey
from cornac_mle.datasets.files import load, load_named
from cornac_mle.datasets.named import DATASETS, NamedDataset

__all__ = ["DATASETS", "NamedDataset", "complete_journey", "load", "load_named"]
