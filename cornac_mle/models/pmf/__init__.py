"""Probabilistic matrix factorisation of what users choose and of how they rate it."""

from cornac_mle.models.pmf.model import PMF

__all__ = ["PMF"]
