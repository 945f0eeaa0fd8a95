"""Generative recommenders: one model a file, all samplable, all Cornac recommenders."""

from cornac_mle.models.base import GenerativeRecommender
from cornac_mle.models.lda import LDA
from cornac_mle.models.mixture import Mixture
from cornac_mle.models.pmf.model import PMF
from cornac_mle.models.popularity import Popularity
from cornac_mle.models.sampled.model import Sampled
from cornac_mle.models.training_users import TrainingUsers
from cornac_mle.models.vae.model import VAE

__all__ = [
    "LDA",
    "PMF",
    "VAE",
    "GenerativeRecommender",
    "Mixture",
    "Popularity",
    "Sampled",
    "TrainingUsers",
]
