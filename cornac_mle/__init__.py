"""Are the users that a recommender model makes up believable? Samplers and realism metrics."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cornac_mle.auditing import audit
    from cornac_mle.comparison import all_metrics, compare, default_metrics
    from cornac_mle.diagnostics.exposed_users import exposed_users
    from cornac_mle.diagnostics.flagged_users import flagged_users
    from cornac_mle.diagnostics.forbidden_pairs import forbidden_pairs, implausible_pairs
    from cornac_mle.diagnostics.rare_pairs import LowPairs
    from cornac_mle.diagnostics.unrealistic_preferences import unrealistic_preferences
    from cornac_mle.eval_methods.held_out_users import HeldOutUsers
    from cornac_mle.eval_methods.held_out_users_cv import HeldOutUsersCV
    from cornac_mle.experiment import Experiment
    from cornac_mle.metrics.base import ModelMetric, SplitMetric
    from cornac_mle.metrics.evaluator import Evaluator
    from cornac_mle.metrics.splits import Split
    from cornac_mle.models.base import GenerativeRecommender
    from cornac_mle.models.lda import LDA
    from cornac_mle.models.mixture import Mixture
    from cornac_mle.models.pmf.model import PMF
    from cornac_mle.models.popularity import Popularity
    from cornac_mle.models.sampled.model import Sampled
    from cornac_mle.models.training_users import TrainingUsers
    from cornac_mle.models.vae.model import VAE
    from cornac_mle.null_models.curveball import curveball
    from cornac_mle.profiles import Profiles
    from cornac_mle.remedies.filtered import Filtered
    from cornac_mle.remedies.mmd_tuning import MMDTuning
    from cornac_mle.report.measurement import Measurement, MetricNote
    from cornac_mle.report.report import Report
    from cornac_mle.search.grid_search import GridSearch
    from cornac_mle.search.pareto import pareto_front
    from cornac_mle.search.random_search import RandomSearch
    from cornac_mle.utility.ranking_agreement import RankingAgreement

__version__ = "0.2.0"

# Cornac alone takes more than a second to import, so names are imported when first used.
_HOMES = {
    "Evaluator": "cornac_mle.metrics.evaluator",
    "Experiment": "cornac_mle.experiment",
    "Filtered": "cornac_mle.remedies.filtered",
    "GenerativeRecommender": "cornac_mle.models.base",
    "GridSearch": "cornac_mle.search.grid_search",
    "HeldOutUsers": "cornac_mle.eval_methods.held_out_users",
    "HeldOutUsersCV": "cornac_mle.eval_methods.held_out_users_cv",
    "LDA": "cornac_mle.models.lda",
    "MMDTuning": "cornac_mle.remedies.mmd_tuning",
    "Measurement": "cornac_mle.report.measurement",
    "MetricNote": "cornac_mle.report.measurement",
    "Mixture": "cornac_mle.models.mixture",
    "ModelMetric": "cornac_mle.metrics.base",
    "PMF": "cornac_mle.models.pmf.model",
    "Popularity": "cornac_mle.models.popularity",
    "Profiles": "cornac_mle.profiles",
    "RandomSearch": "cornac_mle.search.random_search",
    "RankingAgreement": "cornac_mle.utility.ranking_agreement",
    "Report": "cornac_mle.report.report",
    "Sampled": "cornac_mle.models.sampled.model",
    "Split": "cornac_mle.metrics.splits",
    "SplitMetric": "cornac_mle.metrics.base",
    "TrainingUsers": "cornac_mle.models.training_users",
    "VAE": "cornac_mle.models.vae.model",
    "all_metrics": "cornac_mle.comparison",
    "audit": "cornac_mle.auditing",
    "compare": "cornac_mle.comparison",
    "default_metrics": "cornac_mle.comparison",
    "LowPairs": "cornac_mle.diagnostics.rare_pairs",
    "curveball": "cornac_mle.null_models.curveball",
    "exposed_users": "cornac_mle.diagnostics.exposed_users",
    "forbidden_pairs": "cornac_mle.diagnostics.forbidden_pairs",
    "implausible_pairs": "cornac_mle.diagnostics.forbidden_pairs",
    "flagged_users": "cornac_mle.diagnostics.flagged_users",
    "pareto_front": "cornac_mle.search.pareto",
    "unrealistic_preferences": "cornac_mle.diagnostics.unrealistic_preferences",
}

__all__ = [
    "LDA",
    "PMF",
    "VAE",
    "Evaluator",
    "Experiment",
    "Filtered",
    "GenerativeRecommender",
    "GridSearch",
    "HeldOutUsers",
    "HeldOutUsersCV",
    "LowPairs",
    "MMDTuning",
    "Measurement",
    "MetricNote",
    "Mixture",
    "ModelMetric",
    "Popularity",
    "Profiles",
    "RandomSearch",
    "RankingAgreement",
    "Report",
    "Sampled",
    "Split",
    "SplitMetric",
    "TrainingUsers",
    "all_metrics",
    "audit",
    "compare",
    "curveball",
    "default_metrics",
    "exposed_users",
    "flagged_users",
    "forbidden_pairs",
    "implausible_pairs",
    "pareto_front",
    "unrealistic_preferences",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
