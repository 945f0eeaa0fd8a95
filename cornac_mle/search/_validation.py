"""A fitted model measured on the validation users, as the evaluation method measures any model."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from cornac.eval_methods import BaseMethod
from cornac.metrics import RankingMetric
from cornac.models import Recommender

from cornac_mle.eval_methods.held_out_users_cv import HeldOutUsersCV
from cornac_mle.metrics.base import RealismMetric
from cornac_mle.report.measurement import Score
from cornac_mle.report.report import Report
from cornac_mle.stats.intervals import mean_interval


@runtime_checkable
class Reports(Protocol):
    """An evaluation method that keeps what it found in a report: ours do."""

    report: Report


@dataclass(frozen=True)
class Value:
    """One metric of one candidate; NaN where there is no value or no interval."""

    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    loss: float = float("nan")
    """Distance from the best value: lower is better."""


def fold_of(method: BaseMethod | None) -> BaseMethod | None:
    """Give the current fold of a cross-validation over users; any other method is itself."""
    return method.folds[method.current_fold] if isinstance(method, HeldOutUsersCV) else method


def measure(
    model: Recommender, method: BaseMethod, metrics: Sequence[Any], user_based: bool
) -> dict[str, Value]:
    """Measure a fitted model on the validation users; the method's report stays as it was."""
    method = copy.copy(method)
    method.verbose = False
    model.transform(method.val_set)
    measured = {}
    for part in _parts(metrics):
        rating, ranking = method.organize_metrics(part)
        # Candidates are not what the user compares.
        report = method.report if isinstance(method, Reports) else Report()
        with report.redirected(Report()) as scratch:
            result = method.eval(
                model=model,
                train_set=method.train_set,
                test_set=method.val_set,
                val_set=None,
                rating_threshold=method.rating_threshold,
                exclude_unknowns=method.exclude_unknowns,
                user_based=user_based,
                rating_metrics=rating,
                ranking_metrics=ranking,
                verbose=False,
            )
        for metric in part:
            value = float(result.metric_avg_results[metric.name])
            if isinstance(metric, RealismMetric):
                measured[metric.name] = _realism_value(metric, value, scratch.entries)
            else:
                by_user = result.metric_user_results[metric.name]
                low, high = mean_interval(np.fromiter(by_user.values(), dtype=np.float64))
                loss = -value if metric.higher_better else value
                measured[metric.name] = Value(value, low, high, loss)
    return {metric.name: measured[metric.name] for metric in metrics}


def _parts(metrics: Sequence[Any]) -> list[list[Any]]:
    """Part metrics into those that may share a ranking: Cornac sorts only as far as a `k` asks."""
    whole = [
        metric
        for metric in metrics
        if isinstance(metric, RankingMetric)
        and not isinstance(metric, RealismMetric)
        and metric.k == -1
    ]
    others = [metric for metric in metrics if metric not in whole]
    return [part for part in (whole, others) if part]


def _realism_value(metric: RealismMetric, value: float, entries: Sequence[Score]) -> Value:
    """Average interval and loss over sampling seeds; of a certified bound, those of the first."""
    found = [entry.measurement for entry in entries if entry.metric == metric.name]
    found = found[:1] if metric.is_bound else found
    if not found or not np.isfinite(value):
        return Value()
    numbers = np.array([(one.low, one.high, one.loss) for one in found], dtype=np.float64)
    return Value(value, *numbers.mean(axis=0).tolist())
