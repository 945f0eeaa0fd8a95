"""Entries of a report: from what an evaluation method measured to rows."""

import logging
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from cornac.experiment.result import Result
from cornac.models import Recommender

from cornac_mle.metrics.base import RealismMetric
from cornac_mle.models.base import GenerativeRecommender
from cornac_mle.models.cloning import model_parameters
from cornac_mle.models.fold_in import searched
from cornac_mle.profiles import ids_index
from cornac_mle.report.measurement import Measurement, MetricNote, Score
from cornac_mle.report.report import Report
from cornac_mle.stats.intervals import mean_interval

logger = logging.getLogger("cornac_mle")

Metrics = Sequence[Any]
"""Metrics of Cornac, which has no types."""
ResultsByName = dict[str, tuple[float, dict[Any, float]]]
"""Average of each metric, and its values by user: by Cornac's index, or by id for realism."""


def ordered_result(name: str, metrics: Sequence[Any], results: ResultsByName) -> Result:
    """Cornac's result of one model, with a value for each of `metrics` in their order."""
    names = [metric.name for metric in metrics]
    averages = OrderedDict((metric, results[metric][0]) for metric in names)
    by_user = OrderedDict((metric, results[metric][1]) for metric in names)
    return Result(name, averages, by_user)


def note_accuracy(
    report: Report,
    model: Recommender,
    users: str,
    metrics: Sequence[Any],
    evaluated: tuple[Sequence[float], Sequence[dict[int, float]]],
    meaning: str,
    user_names: Mapping[int, Hashable],
) -> ResultsByName:
    """Take what Cornac's own metrics found into the report, with intervals over users.

    `user_names` has the id of each user by Cornac's index.
    """
    results: ResultsByName = {}
    for metric, mean, by_user in zip(metrics, *evaluated, strict=True):
        results[metric.name] = (float(mean), by_user)
        indices = sorted(by_user)
        values = np.asarray([by_user[user] for user in indices], dtype=np.float64)
        higher = bool(getattr(metric, "higher_better", False))
        low, high = mean_interval(values)
        measurement = Measurement(
            value=float(mean),
            low=low,
            high=high,
            loss=-float(mean) if higher else float(mean),
            n_real=len(values),
            per_user=values,
            user_ids=ids_index([user_names[user] for user in indices]),
        )
        note = MetricNote("high" if higher else "low", meaning)
        note_score(report, model, users, metric.name, note, measurement, None)
    return results


def note_score(
    report: Report,
    model: Recommender,
    users: str,
    metric: str,
    note: MetricNote,
    measurement: Measurement,
    sampling_seed: int | None,
) -> None:
    """Take one measurement into the report, under the name that the user gave the model."""
    fitted = searched(model)
    report.metrics[metric] = note
    if isinstance(fitted, GenerativeRecommender):
        report.judge_families[model.name] = fitted.judge_family
    report.entries.append(
        Score(
            dataset=report.dataset,
            model=model.name,
            parameters=model_parameters(fitted),
            metric=metric,
            users=users,
            fit_seed=getattr(fitted, "seed", None),
            sampling_seed=sampling_seed,
            measurement=measurement,
            judge=note.judge,
            level=note.level,
            tail=note.tail,
            conditional=note.conditional,
        )
    )


def no_realism(
    model: Recommender, users: str, metrics: Sequence[RealismMetric], reason: object
) -> ResultsByName:
    """NaN for each metric, with the reason logged: Cornac's table needs a value of every model."""
    if metrics:
        logger.warning("%s: no realism on %s users: %s", model.name, users, reason)
    return {metric.name: (float("nan"), {}) for metric in metrics}


def say_once(report: Report, text: str, said: set[str]) -> None:
    """Note in a report what the caller must know of its data, and log what was not `said` yet."""
    if text not in report.notes:
        report.notes.append(text)
    if text not in said:
        said.add(text)
        logger.warning(text)


def merged_report(reports: Sequence[Report], dataset: str) -> Report:
    """One report of all folds of a cross-validation.

    Rows say their fold in `dataset`. `Report.difference` and `Report.compare` average over folds.
    What folds have noted is there once. Sizes of groups, what was dropped and the synthetic users
    are those of the first fold.
    """
    report = Report(dataset, groups=dict(reports[0].groups), dropped=dict(reports[0].dropped))
    for part in reports:
        report.take(part)
    return report
