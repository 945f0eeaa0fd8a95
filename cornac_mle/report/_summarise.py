"""Put everything that is shown of a report into one dictionary."""

import math
from typing import Any

import pandas as pd

from cornac_mle.report import _comparisons
from cornac_mle.report._answers import MEMBERSHIP, answers_of
from cornac_mle.report.measurement import MetricNote
from cornac_mle.report.report import Report
from cornac_mle.report.summary import (
    FORMAT,
    VERSION,
    Differences,
    Leak,
    Metric,
    Model,
    Summary,
    UnknownItems,
    Value,
)

FIRST = (
    "UnrealisticUsers",
    "PlausibilityKS",
    "NeighbourCoverage",
    "MembershipInference",
    "CopiedUsers",
    "PopularityJS",
    "ProfileSizeKS",
)
"""Metrics in the order in which they are shown; others follow by name."""
MOST_UNKNOWN = 50
"""Unknown items that are listed, the most held ones first."""


def summarised(report: Report) -> Summary:
    """Put everything that is shown of a report into one dictionary; only held-out users count."""
    scores = report.scores
    scores = scores[scores["users"] == "held-out"]
    names = sorted(scores["metric"].unique(), key=metric_place)
    by_pair = dict(list(scores.groupby(["model", "metric"], sort=False)))
    measured = list(scores["model"].unique())
    level = _level_of_judges(report)
    shares, agreement = _judges(report, level)
    models = []
    for name in [*measured, *(one for one in report.failed if one not in measured)]:
        values = {
            metric: _value(by_pair[name, metric]) for metric in names if (name, metric) in by_pair
        }
        own = scores.loc[scores["model"] == name, "parameters"]
        users = report.synthetic.get(name)
        leak = _leak(report, name)
        models.append(
            Model(
                name=name,
                parameters=str(own.iloc[0]) if len(own) else "",
                n_users=None if users is None else len(users),
                values=values,
                answers=answers_of(values, report.metrics, report.cautions, leak) if values else {},
                leak=leak,
                judges=shares.get(name, {}),
                own_family=report.judge_families.get(name),
                alert=report.alerts.get(name),
                failed=report.failed.get(name),
                unknown_items=_unknown(report, name),
                gallery=report.gallery.get(name),
                curves=report.curves.get(name),
            )
        )
    return Summary(
        format=FORMAT,
        version=VERSION,
        kind=report.kind,
        dataset=report.dataset,
        groups=dict(report.groups),
        dropped=dict(report.dropped),
        notes=list(report.notes),
        not_asked={name: why for name, why in report.cautions.items() if name not in names},
        metrics=[_metric(name, report.metrics[name], report.cautions, level) for name in names],
        models=models,
        differences=_differences(report),
        judge_agreement=agreement,
        made=dict(report.made),
    )


def metric_place(metric: str) -> tuple[int, str]:
    """Give the place of a metric in tables, as a key to sort by."""
    stem = metric.split("@")[0]
    return (FIRST.index(stem) if stem in FIRST else len(FIRST), metric)


def _level_of_judges(report: Report) -> float | None:
    """Level at which judges are held against each other; metrics at others stand by themselves."""
    levels = [note.level for note in report.metrics.values() if note.second_opinion]
    return levels[0] if levels else None


def _metric(
    name: str, note: MetricNote, cautions: dict[str, str], level_of_judges: float | None
) -> Metric:
    return Metric(
        name=name,
        best=note.best,
        meaning=note.meaning,
        judge=note.judge,
        level=note.level,
        tail=note.tail,
        conditional=note.conditional,
        second_opinion=note.second_opinion and note.level == level_of_judges,
        caution=cautions.get(name),
    )


def _value(rows: pd.DataFrame) -> Value:
    """Average a metric of one model over its fits and sampling seeds."""
    by_fit = rows.groupby("fit_seed")["value"].mean()
    first = rows.iloc[0]
    return Value(
        value=_plain(rows["value"].mean()),
        low=_mean(rows["low"]),
        high=_mean(rows["high"]),
        p_value=_mean(rows["p_value"]) if len(rows) == 1 else None,
        real_users=_mean(rows["ceiling"]),
        popularity=_mean(rows["floor"]),
        normalised=_mean(rows["normalised"]),
        minimum_detectable=_mean(rows["minimum_detectable"]),
        is_bound=bool(rows["effective_sample_size"].notna().any()),
        n_fits=max(1, len(by_fit)),
        sd_over_fits=_plain(by_fit.std()) if len(by_fit) > 1 else None,
        n_real=int(first["n_real"]),
        n_synthetic=int(first["n_synthetic"]),
        n_left_out=int(rows["n_left_out"].max()),
    )


def _leak(report: Report, model: str) -> Leak | None:
    """Average what attacks on membership find, beside their value, over fits and seeds."""
    found = [
        entry.measurement
        for entry in report.entries
        if (entry.model, entry.metric, entry.users) == (model, MEMBERSHIP, "held-out")
        and entry.measurement.details
    ]
    if not found:
        return None
    means = pd.DataFrame([dict(one.details or {}) for one in found]).mean()

    def mean(name: str) -> float | None:
        return _plain(means.get(name, math.nan))

    return Leak(
        found_at_1_percent=mean("true_positive_rate_01"),
        found_at_5_percent=mean("true_positive_rate_05"),
        epsilon=mean("epsilon"),
        n_synthetic=found[0].n_synthetic,
    )


def _mean(values: pd.Series) -> float | None:
    found = pd.to_numeric(values).dropna()
    return _plain(found.mean()) if len(found) else None


def _plain(value: Any) -> float | None:
    """Give a number that JSON knows, or None."""
    number = float(value)
    return number if math.isfinite(number) else None


def _judges(
    report: Report, level: float | None
) -> tuple[dict[str, dict[str, float]], list[dict[str, Any]]]:
    """Shares that each family of judges flags, by model, and how far judges agree on models."""
    if level is None:
        return {}, []
    table = report.judges(level)
    agreement = table.attrs["rank_agreement"]
    families = list(agreement.columns)
    shares = {
        str(model): {name: float(row[name]) for name in (*families, "worst") if pd.notna(row[name])}
        for model, row in table.iterrows()
    }
    pairs = [
        {"judge": one, "other": other, "tau": _plain(agreement.loc[one, other])}
        for place, one in enumerate(families)
        for other in families[place + 1 :]
    ]
    return shares, pairs if len(table) > 2 else []


def _differences(report: Report, level: float = 0.05) -> Differences | None:
    """Compare all models on the primary metric, where that was measured for two of them."""
    measured = {
        entry.model
        for entry in report.entries
        if entry.metric == _comparisons.PRIMARY_METRIC
        and entry.users == "held-out"
        and entry.measurement.on_splits is not None
    }
    if len(measured) < 2:
        return None
    table = report.compare(_comparisons.PRIMARY_METRIC, level=level)
    pairs = []
    for row in table.to_dict("records"):
        numbers = {name: _plain(row[name]) for name in ("difference", "low", "high")}
        p_values = {name: _plain(row[name]) for name in ("p_value", "holm_p_value")}
        names = {"model": str(row["model"]), "other": str(row["other"])}
        pairs.append({**names, **numbers, **p_values, "established": bool(row["established"])})
    return Differences(metric=_comparisons.PRIMARY_METRIC, level=level, pairs=pairs)


def _unknown(report: Report, model: str) -> UnknownItems | None:
    counts = report.unknown_items.get(model)
    if counts is None:
        return None
    listed = [
        {"item": str(item), "name": report.item_names.get(item), "n_users": int(count)}
        for item, count in counts.head(MOST_UNKNOWN).items()
    ]
    return UnknownItems(n_items=len(counts), n_preferences=int(counts.sum()), listed=listed)
