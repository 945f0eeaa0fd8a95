"""Samplers for any Cornac model."""

from cornac_mle.models.sampled.model import Sampled

__all__ = ["Sampled"]
