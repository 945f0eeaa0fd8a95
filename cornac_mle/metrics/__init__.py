"""Realism metrics: one idea a file. They go in ``metrics=[...]`` beside Cornac's."""

from cornac_mle.metrics.authenticity import Authenticity
from cornac_mle.metrics.base import (
    ModelMetric,
    NotMeasurableError,
    RealismMetric,
    SplitMetric,
)
from cornac_mle.metrics.clipped import ClippedCoverage, ClippedDensity
from cornac_mle.metrics.copied_users import CopiedUsers
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.likelihood import HeldOutLogLikelihood
from cornac_mle.metrics.likelihood_ratio_attack import LikelihoodRatioAttack
from cornac_mle.metrics.marginals import PopularityJS, ProfileSizeKS
from cornac_mle.metrics.membership_inference import (
    MembershipAttack,
    MembershipInference,
    membership_attack,
)
from cornac_mle.metrics.missing_share import MissingShare
from cornac_mle.metrics.mmd import MMD
from cornac_mle.metrics.neighbours import (
    NeighbourCoverage,
    NeighbourDensity,
    NeighbourPrecision,
    NeighbourRecall,
)
from cornac_mle.metrics.pair_counts import PairCounts
from cornac_mle.metrics.pairs import PairError
from cornac_mle.metrics.plausibility_ks import PlausibilityKS
from cornac_mle.metrics.point_fidelity import (
    conformal_diversity,
    conformal_fidelity,
    point_p_values,
)
from cornac_mle.metrics.point_sets import PRDC, prdc
from cornac_mle.metrics.ratings import RatingKS
from cornac_mle.metrics.splits import Split
from cornac_mle.metrics.two_sample import ClassifierTest, FrontierMissing, FrontierUnrealistic
from cornac_mle.metrics.unrealistic_share import UnrealisticShare
from cornac_mle.metrics.unrealistic_users import UnrealisticUsers
from cornac_mle.report.measurement import MetricNote
from cornac_mle.stats.certified_list import certified_precision

__all__ = [
    "MMD",
    "PRDC",
    "Authenticity",
    "ClassifierTest",
    "ClippedCoverage",
    "ClippedDensity",
    "CopiedUsers",
    "Evaluator",
    "FrontierMissing",
    "FrontierUnrealistic",
    "HeldOutLogLikelihood",
    "LikelihoodRatioAttack",
    "MembershipAttack",
    "MembershipInference",
    "MetricNote",
    "MissingShare",
    "ModelMetric",
    "NeighbourCoverage",
    "NeighbourDensity",
    "NeighbourPrecision",
    "NeighbourRecall",
    "NotMeasurableError",
    "PairCounts",
    "PairError",
    "PlausibilityKS",
    "PopularityJS",
    "ProfileSizeKS",
    "RatingKS",
    "RealismMetric",
    "Split",
    "SplitMetric",
    "UnrealisticShare",
    "UnrealisticUsers",
    "certified_precision",
    "conformal_diversity",
    "conformal_fidelity",
    "membership_attack",
    "point_p_values",
    "prdc",
]
