"""One candidate of a search: fitted, measured on the validation users, its failures kept."""

import copy
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from time import perf_counter
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from cornac.data import Dataset
from cornac.eval_methods import BaseMethod
from cornac.metrics import RankingMetric
from cornac.models import Recommender

from cornac_mle.eval_methods._report_entries import model_parameters
from cornac_mle.eval_methods.held_out_users_cv import HeldOutUsersCV
from cornac_mle.metrics.base import RealismMetric
from cornac_mle.models.cloning import fresh_clone
from cornac_mle.report.measurement import Score
from cornac_mle.report.report import Report
from cornac_mle.search.pareto import non_dominated
from cornac_mle.stats.intervals import mean_interval

Parameters = dict[str, Any]

OWN_COLUMNS = ("fit_seconds", "evaluation_seconds", "rank", "pareto", "reason")
"""Columns of the table of results that are no parameters and no metrics."""


@runtime_checkable
class Reports(Protocol):
    """An evaluation method that keeps what it found in a report: ours do."""

    report: Report


def fold_of(method: BaseMethod | None) -> BaseMethod | None:
    """Give the current fold of a cross-validation over users; any other method is itself."""
    return method.folds[method.current_fold] if isinstance(method, HeldOutUsersCV) else method


@dataclass(frozen=True)
class Value:
    """One metric of one candidate; NaN where there is no value or no interval."""

    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    loss: float = float("nan")
    """Distance from the best value: lower is better."""


@dataclass
class Candidate:
    """A setting of parameters and what became of it.

    Attributes
    ----------
    parameters : dict
        Python values, by name of the parameter.
    model : Recommender or None
        Fitted, without its training and validation sets (`with_sets`); None if it failed.
    measured : dict
        By name of the metric, in the order of the metrics.
    fit_seconds, evaluation_seconds : float
        NaN where it did not come to that.
    reason : str
        Why it failed, in one line; "" if it did not.
    """

    parameters: Parameters
    model: Recommender | None = None
    measured: dict[str, Value] = field(default_factory=dict)
    fit_seconds: float = float("nan")
    evaluation_seconds: float = float("nan")
    reason: str = ""

    @property
    def loss(self) -> float:
        """Loss of the first metric."""
        return next(iter(self.measured.values())).loss

    def columns(self, metric: str) -> dict[str, float]:
        """Lay the value of a metric out as columns."""
        found = self.measured.get(metric, Value())
        ends = {f"{metric}_{end}": getattr(found, end) for end in ("low", "high", "loss")}
        return {metric: found.value} | ends

    def with_sets(self, train_set: Dataset, val_set: Dataset | None) -> Recommender:
        """Give the model its sets back, which do not travel between processes."""
        assert self.model is not None
        self.model.train_set, self.model.val_set = train_set, val_set
        self.model.uid_map, self.model.iid_map = train_set.uid_map, train_set.iid_map
        return self.model


def fit_and_measure(
    model: Recommender,
    parameters: Parameters,
    method: BaseMethod,
    metrics: Sequence[Any],
    user_based: bool,
) -> Candidate:
    """Fit a clone of `model` with other parameters and measure it on the validation users.

    Whatever goes wrong, and a value that is not finite, becomes the candidate's `reason`: one that
    cannot be fitted must not cost the others. Nothing that was handed over is changed.
    """
    candidate = Candidate(parameters)
    heard = _Listener()
    logger = logging.getLogger("cornac_mle")
    logger.addHandler(heard)
    try:
        start = perf_counter()
        # A value may be a model itself, which its wrapper might fit.
        own = copy.deepcopy(parameters)
        fitted = fresh_clone(model, own).fit(method.train_set, method.val_set)
        candidate.fit_seconds = perf_counter() - start
        start = perf_counter()
        candidate.measured = _measure(fitted, method, metrics, user_based)
        candidate.evaluation_seconds = perf_counter() - start
    except Exception as error:
        lines = str(error).splitlines() or ["no message"]
        candidate.reason = f"{type(error).__name__}: {lines[0]}"
        return candidate
    finally:
        logger.removeHandler(heard)
    missing = [name for name, one in candidate.measured.items() if not np.isfinite(one.loss)]
    if missing:
        what = f"no value of {', '.join(missing)}"
        candidate.reason = "; ".join([what, *dict.fromkeys(heard.texts)])
        return candidate
    fitted.train_set = fitted.val_set = fitted.uid_map = fitted.iid_map = None
    candidate.model = fitted
    return candidate


def results_table(candidates: Sequence[Candidate], metrics: Sequence[Any]) -> pd.DataFrame:
    """Lay candidates out as `GridSearch.results` says, one row each."""
    rows = []
    for candidate in candidates:
        row = {
            f"param_{name}" if name in OWN_COLUMNS else name: _shown(value)
            for name, value in candidate.parameters.items()
        }
        for metric in metrics:
            row |= candidate.columns(metric.name)
        row["fit_seconds"] = candidate.fit_seconds
        row["evaluation_seconds"] = candidate.evaluation_seconds
        row["reason"] = candidate.reason
        rows.append(row)
    table = pd.DataFrame(rows)
    columns = [f"{metric.name}_loss" for metric in metrics]
    losses = table[columns].where(table["reason"] == "").to_numpy(dtype=np.float64)
    table["rank"] = pd.Series(losses[:, 0]).rank(method="min").astype("Int64")
    if len(metrics) > 1:
        table["pareto"] = non_dominated(losses)
    return table[[*table.columns.drop("reason"), "reason"]]


def _shown(value: Any) -> Any:
    """Write a model out by its parameters; a table has no use for the object."""
    if isinstance(value, Recommender):
        return f"{type(value).__name__}({model_parameters(value)})"
    return value


def _measure(
    model: Recommender, method: BaseMethod, metrics: Sequence[Any], user_based: bool
) -> dict[str, Value]:
    """Measure a fitted model on the validation users; the method's report stays as it was."""
    method = copy.copy(method)
    method.verbose = False
    model.transform(method.val_set)
    measured = {}
    for part in _parts(metrics):
        rating, ranking = method.organize_metrics(part)
        with _scratch(method) as report:
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
            entries = list(report.entries)
        for metric in part:
            value = float(result.metric_avg_results[metric.name])
            if isinstance(metric, RealismMetric):
                measured[metric.name] = _realism_value(metric, value, entries)
            else:
                by_user = result.metric_user_results[metric.name]
                low, high = mean_interval(np.fromiter(by_user.values(), dtype=np.float64))
                loss = -value if metric.higher_better else value
                measured[metric.name] = Value(value, low, high, loss)
    return {metric.name: measured[metric.name] for metric in metrics}


@contextmanager
def _scratch(method: BaseMethod) -> Iterator[Report]:
    """Empty the report of `method` for a while: candidates are not what the user compares."""
    report = method.report if isinstance(method, Reports) else Report()
    kept = {one.name: getattr(report, one.name) for one in fields(Report)}
    for name, value in vars(Report(dataset=report.dataset)).items():
        setattr(report, name, value)
    try:
        yield report
    finally:
        for name, value in kept.items():
            setattr(report, name, value)


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


class _Listener(logging.Handler):
    """Keeps what is logged: the reason of a metric without a value."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one text."""
        self.texts.append(record.getMessage())
