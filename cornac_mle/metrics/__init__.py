"""Realism metrics: one idea a file. They go in ``metrics=[...]`` beside Cornac's."""

from cornac_mle.metrics.base import ModelMetric, NotMeasurableError, RealismMetric
from cornac_mle.metrics.copied_users import CopiedUsers
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.likelihood import HeldOutLogLikelihood
from cornac_mle.metrics.marginals import PopularityJS, ProfileSizeKS
from cornac_mle.metrics.missing_share import MissingShare
from cornac_mle.metrics.neighbours import NeighbourCoverage
from cornac_mle.metrics.plausibility_ks import PlausibilityKS
from cornac_mle.metrics.unrealistic_share import UnrealisticShare
from cornac_mle.metrics.unrealistic_users import UnrealisticUsers

__all__ = [
    "CopiedUsers",
    "Evaluator",
    "HeldOutLogLikelihood",
    "MissingShare",
    "ModelMetric",
    "NeighbourCoverage",
    "NotMeasurableError",
    "PlausibilityKS",
    "PopularityJS",
    "ProfileSizeKS",
    "RealismMetric",
    "UnrealisticShare",
    "UnrealisticUsers",
]
