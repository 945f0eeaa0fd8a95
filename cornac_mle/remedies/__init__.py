"""Remedies: models whose users are mended, by training users alone."""

from cornac_mle.remedies.filtered import Filtered
from cornac_mle.remedies.mmd_tuning import MMDTuning

__all__ = ["Filtered", "MMDTuning"]
