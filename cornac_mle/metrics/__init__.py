"""Realism metrics: one idea a file. They go in ``metrics=[...]`` beside Cornac's."""

from cornac_mle.metrics.base import RealismMetric
from cornac_mle.metrics.copied_users import CopiedUsers
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.marginals import PopularityJS, ProfileSizeKS
from cornac_mle.metrics.neighbours import NeighbourCoverage
from cornac_mle.metrics.plausibility_ks import PlausibilityKS
from cornac_mle.metrics.unrealistic_users import UnrealisticUsers

__all__ = [
    "CopiedUsers",
    "Evaluator",
    "NeighbourCoverage",
    "PlausibilityKS",
    "PopularityJS",
    "ProfileSizeKS",
    "RealismMetric",
    "UnrealisticUsers",
]
