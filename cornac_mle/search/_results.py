"""The table of results of a search: a row a candidate, ranked."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from cornac.models import Recommender

from cornac_mle.models.cloning import model_parameters
from cornac_mle.search._candidate import Candidate
from cornac_mle.search._validation import Value
from cornac_mle.search.pareto import non_dominated

OWN_COLUMNS = ("fit_seconds", "evaluation_seconds", "rank", "pareto", "reason")
"""Columns of the table that are no parameters and no metrics."""


def results_table(candidates: Sequence[Candidate], metrics: Sequence[Any]) -> pd.DataFrame:
    """Lay candidates out as `GridSearch.results` says, one row each."""
    rows = []
    for candidate in candidates:
        row = {
            f"param_{name}" if name in OWN_COLUMNS else name: _shown(value)
            for name, value in candidate.parameters.items()
        }
        for metric in metrics:
            row |= _columns(metric.name, candidate.measured.get(metric.name, Value()))
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


def _columns(metric: str, found: Value) -> dict[str, float]:
    """Lay the value of a metric out as columns."""
    ends = {f"{metric}_{end}": getattr(found, end) for end in ("low", "high", "loss")}
    return {metric: found.value} | ends
