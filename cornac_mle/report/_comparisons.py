"""Comparisons of the models in a report: paired differences, and how far judges agree."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from cornac_mle.checks import refusal
from cornac_mle.report.measurement import WORST_JUDGE, Measurement, Score
from cornac_mle.sparse import FloatArray
from cornac_mle.stats.intervals import split_interval
from cornac_mle.stats.multiple_testing import holm_adjusted, paired_p_value

PRIMARY_METRIC = "PlausibilityKS"
"""Metric that models are compared by, chosen before anything was measured."""


def difference(entries: Sequence[Score], metric: str, model: str, other: str) -> Measurement:
    """Paired difference `model` minus `other`: see `Report.difference`."""
    on_splits = _mean_on_splits(entries, metric, model) - _mean_on_splits(entries, metric, other)
    low, high = split_interval(on_splits)
    return Measurement(float(on_splits.mean()), low, high, loss=float("nan"), on_splits=on_splits)


def compared(entries: Sequence[Score], metric: str | None, level: float) -> pd.DataFrame:
    """Table of all pairs of models: see `Report.compare`."""
    measured = list(dict.fromkeys(entry.metric for entry in entries if _on_half_splits(entry)))
    if metric is None:
        metric = next(iter(measured), PRIMARY_METRIC)
        metric = PRIMARY_METRIC if PRIMARY_METRIC in measured else metric
    names = dict.fromkeys(entry.model for entry in entries)
    losses = {
        model: float(np.mean([entry.measurement.loss for entry in found]))
        for model in names
        if (found := _found(entries, metric, model))
    }
    if len(losses) < 2:
        advice = f"Measured on half-splits: {', '.join(sorted(measured)) or 'nothing'}."
        got = f"{len(losses)} for {metric!r}"
        rule = "have two models measured on half-splits"
        raise ValueError(refusal("report", rule, got, advice))
    rows = []
    for pair in combinations(losses, 2):
        model, other = sorted(pair, key=losses.__getitem__)
        gap = difference(entries, metric, model, other)
        assert gap.on_splits is not None
        p_value = paired_p_value(gap.on_splits)
        rows.append((model, other, gap.value, gap.low, gap.high, p_value))
    columns = ["model", "other", "difference", "low", "high", "p_value"]
    table = pd.DataFrame(rows, columns=columns)
    table["holm_p_value"] = holm_adjusted(table["p_value"].to_numpy())
    table["established"] = table["holm_p_value"] <= level
    table.attrs["metric"] = metric
    return table


def judged(
    entries: Sequence[Score], judge_families: Mapping[str, str | None], alpha: float
) -> pd.DataFrame:
    """Table of models x judges: see `Report.judges`."""
    verdicts = [
        (entry.model, entry.judge, entry.measurement.value)
        for entry in entries
        if entry.users == "held-out"
        and (entry.level, entry.tail, entry.conditional) == (alpha, "implausible", False)
        and entry.judge not in (None, WORST_JUDGE)
    ]
    if not verdicts:
        advice = "Measure UnrealisticUsers(alpha, judge=...) for each judge."
        raise ValueError(refusal("alpha", "be a level measured", alpha, advice))
    scores = pd.DataFrame(verdicts, columns=["model", "judge", "value"])
    table = scores.pivot_table(index="model", columns="judge", values="value", sort=False)
    agreement = table.corr(method="kendall")
    table["worst"] = table.max(axis=1)
    table["own_family"] = [judge_families.get(str(model)) or "" for model in table.index]
    table.columns.name = None
    table.attrs["rank_agreement"] = agreement
    return table


def _on_half_splits(entry: Score) -> bool:
    return entry.users == "held-out" and entry.measurement.on_splits is not None


def _found(entries: Sequence[Score], metric: str, model: str) -> list[Score]:
    """Entries of a model's metric on half-splits of the held-out users."""
    return [
        entry
        for entry in entries
        if (entry.metric, entry.model) == (metric, model) and _on_half_splits(entry)
    ]


def _mean_on_splits(entries: Sequence[Score], metric: str, model: str) -> FloatArray:
    """Values on half-splits, (n_splits,), averaged over seeds."""
    found = [entry.measurement.on_splits for entry in _found(entries, metric, model)]
    if not found:
        known = sorted({f"{entry.model}/{entry.metric}" for entry in entries})
        got = f"{metric!r} of {model!r}"
        advice = f"Known: {', '.join(known)}."
        raise ValueError(refusal("metric", "be measured on half-splits", got, advice))
    mean: FloatArray = np.mean(np.stack([one for one in found if one is not None]), axis=0)
    return mean
