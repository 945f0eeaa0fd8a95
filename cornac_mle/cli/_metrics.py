"""Metrics by the name of their class: those of realism, and Cornac's."""

import inspect
from typing import Any

from cornac_mle.checks import check_count, check_different_names, refusal
from cornac_mle.cli._calls import calls, made, near, plain

# Spelt out, because `--help` must not import Cornac and the metrics.
DEFAULT_METRICS = (
    "UnrealisticUsers,UnrealisticUsers(judge='item-knn'),UnrealisticUsers(judge='svd'),"
    "PlausibilityKS,NeighbourCoverage,MembershipInference,CopiedUsers,PopularityJS,"
    "ProfileSizeKS,Recall(k=20),NDCG(k=100)"
)
"""Those of `cornac_mle.comparison.default_metrics`."""


def metrics_by_name() -> dict[str, type[Any]]:
    """Classes of metrics by name: realism first, then Cornac's."""
    import cornac.metrics as theirs
    from cornac.metrics import RankingMetric, RatingMetric

    from cornac_mle import metrics as ours

    bases = (RankingMetric, RatingMetric)
    classes = [getattr(ours, name) for name in ours.__all__] + list(vars(theirs).values())
    return {
        kind.__name__: kind
        for kind in classes
        if isinstance(kind, type)
        and issubclass(kind, bases)
        and kind not in bases
        and not inspect.isabstract(kind)
    }


def metrics_of(text: str) -> list[Any]:
    """Make the metrics of a list, see `calls`.

    Raises
    ------
    ValueError, TypeError
        If there is no such metric, it has no such parameter, or two have one name.
    """
    known = metrics_by_name()
    by_name = {plain(name): kind for name, kind in known.items()}
    metrics = []
    for call in calls("metrics", text):
        kind = by_name.get(plain(call.name))
        if kind is None:
            rule = f"be one of {', '.join(known)}"
            raise ValueError(refusal("metric", rule, repr(call.name), near(call.name, known)))
        if kind.__module__.startswith("cornac.") and "k" in call.parameters:
            check_count("k", call.parameters["k"], minimum=-1)  # Cornac would fail after the fits
        metrics.append(made(call, kind, {}))
    check_different_names("metrics", [metric.name for metric in metrics], "Leave one out.")
    return metrics
