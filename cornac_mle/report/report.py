"""What a measurement is, and a report of many: data only, no drawing and no files."""

from dataclasses import dataclass, field, fields
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cornac_mle.checks import check_share, refusal
from cornac_mle.plausibility.judge import FAMILIES
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import NUMBER_FIELDS, Measurement, MetricNote
from cornac_mle.stats.intervals import split_interval
from cornac_mle.stats.multiple_testing import holm_adjusted, paired_p_value

PRIMARY_METRIC = "PlausibilityKS"


@dataclass(frozen=True, eq=False)
class Score:
    """A measurement and what it is of: a row of `Report.scores`."""

    dataset: str
    model: str
    parameters: str
    metric: str
    users: str
    fit_seed: int | None
    sampling_seed: int | None
    measurement: Measurement

    def row(self) -> dict[str, Any]:
        """Flatten to the columns of scores.csv."""
        named = {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if item.name != "measurement"
        }
        return named | {name: getattr(self.measurement, name) for name in NUMBER_FIELDS}


@dataclass(eq=False)
class Report:
    """Scores of models, the users they made up, and what was left out of the data.

    Attributes
    ----------
    dataset : str
        Name of the data.
    entries : list of Score
        One for each model, metric, group of users and seed.
    groups : dict
        Users in each group: train, validation, reference, held-out.
    dropped : dict
        What was left out of the data before anything was fitted, and how much of it.
    synthetic : dict
        Synthetic users of each model, of its first fit and first sampling seed.
    metrics : dict
        Direction and meaning of each metric, by name.
    judge_families : dict
        The family of judges that each model is kin to, or None, by model.
    cautions : dict
        How far to trust a metric on these real users, by metric, where something is amiss.
    """

    dataset: str = ""
    entries: list[Score] = field(default_factory=list)
    groups: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    synthetic: dict[str, Profiles] = field(default_factory=dict)
    metrics: dict[str, "MetricNote"] = field(default_factory=dict)
    judge_families: dict[str, str | None] = field(default_factory=dict)
    cautions: dict[str, str] = field(default_factory=dict)

    @property
    def scores(self) -> pd.DataFrame:
        """Tidy table: one row a model, metric, group of users and seed."""
        columns = [item.name for item in fields(Score) if item.name != "measurement"]
        rows = [entry.row() for entry in self.entries]
        return pd.DataFrame(rows, columns=[*columns, *NUMBER_FIELDS])

    @property
    def per_user(self) -> pd.DataFrame:
        """Tidy table: one row a model, metric, group of users, seed and user.

        For realism metrics the user is a synthetic one (``"s0"``, ...), for ranking metrics a real
        one whose liked items were to be found.
        """
        parts = []
        for entry in self.entries:
            values = entry.measurement.per_user
            if values is None:
                continue
            part = pd.DataFrame({"user": np.arange(len(values)), "value": values})
            for name in ("sampling_seed", "fit_seed", "users", "metric", "model", "dataset"):
                part.insert(0, name, getattr(entry, name))
            parts.append(part)
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def difference(self, metric: str, model: str, other: str) -> Measurement:
        """Paired difference `model` minus `other` of a metric, over the same half-splits.

        Returns
        -------
        Measurement
            `value`, `low`, `high` (95%) and `on_splits` of the difference; averaged over seeds.

        Raises
        ------
        ValueError
            If one of the two has no such metric on half-splits.
        """
        on_splits = self._on_splits(metric, model) - self._on_splits(metric, other)
        low, high = split_interval(on_splits)
        return Measurement(
            float(on_splits.mean()), low, high, loss=float("nan"), on_splits=on_splits
        )

    def compare(self, metric: str = PRIMARY_METRIC, *, level: float = 0.05) -> pd.DataFrame:
        """Say which differences between models are established on one metric.

        Every pair of models is compared on the same half-splits of the same held-out users; Holm's
        adjustment bounds the probability of a single false claim over all pairs by `level`. It is
        the models *as fitted* that are compared: what another fit would give is not in it. What is
        established is that the values differ. For a metric whose best value lies between the two,
        that does not say which is better; for the primary metric it does.

        Parameters
        ----------
        metric : str
            A metric on half-splits. The default is the primary one: a choice made beforehand.
        level : float
            Family-wise error, in (0, 1).

        Returns
        -------
        DataFrame
            A row a pair: model, other (the one nearer to the ideal first), difference (model minus
            other), low, high (95%, of this pair alone), p_value, holm_p_value, established.

        Raises
        ------
        ValueError
            If fewer than two models were measured on half-splits.
        """
        check_share("level", level)
        models = [
            model
            for model in dict.fromkeys(entry.model for entry in self.entries)
            if self._found(metric, model)
        ]
        if len(models) < 2:
            measured = {
                entry.metric for entry in self.entries if self._found(entry.metric, entry.model)
            }
            advice = f"Measured on half-splits: {', '.join(sorted(measured)) or 'nothing'}."
            got = f"{len(models)} for {metric!r}"
            rule = "have two models measured on half-splits"
            raise ValueError(refusal("report", rule, got, advice))
        losses = {model: self._loss(metric, model) for model in models}
        rows = []
        for pair in combinations(models, 2):
            model, other = sorted(pair, key=losses.__getitem__)
            difference = self.difference(metric, model, other)
            assert difference.on_splits is not None
            p_value = paired_p_value(difference.on_splits)
            row = (model, other, difference.value, difference.low, difference.high, p_value)
            rows.append(row)
        columns = ["model", "other", "difference", "low", "high", "p_value"]
        table = pd.DataFrame(rows, columns=columns)
        table["holm_p_value"] = holm_adjusted(table["p_value"].to_numpy())
        table["established"] = table["holm_p_value"] <= level
        return table

    def judges(self, alpha: float = 0.05) -> pd.DataFrame:
        """Share of users that each family of judges flags, by model, and how far judges agree.

        A model looks better to a judge of its own kind, so the worst case counts.

        Returns
        -------
        DataFrame
            A row a model; a column each judge that was measured, ``worst`` (the largest share,
            which for real users, too, is larger than any one judge's on average) and
            ``kin`` (the judge whose family the model is of, or "": read that cell with care).
            ``attrs["rank_agreement"]``: Kendall's tau of the order of models, judge by judge.

        Raises
        ------
        ValueError
            If `UnrealisticUsers(alpha)` was not measured.
        """
        stem = f"UnrealisticUsers@{check_share('alpha', alpha):g}"
        scores = self.scores
        scores = scores[(scores["users"] == "held-out") & scores["metric"].str.startswith(stem)]
        judge = scores["metric"].str.extract(rf"\(({'|'.join(FAMILIES)})\)$", expand=False)
        own = judge.notna() | (scores["metric"] == stem)
        scores = scores.assign(judge=judge.fillna(next(iter(FAMILIES))))[own]
        if scores.empty:
            advice = "Measure UnrealisticUsers(alpha, judge=...) for each judge."
            raise ValueError(refusal("alpha", "be a level measured", alpha, advice))
        table = scores.pivot_table(index="model", columns="judge", values="value", sort=False)
        agreement = table.corr(method="kendall")
        table["worst"] = table.max(axis=1)
        table["kin"] = [self.judge_families.get(str(model)) or "" for model in table.index]
        table.columns.name = None
        table.attrs["rank_agreement"] = agreement
        return table

    def _loss(self, metric: str, model: str) -> float:
        return float(np.mean([entry.measurement.loss for entry in self._found(metric, model)]))

    def _found(self, metric: str, model: str) -> list[Score]:
        """Entries of a model's metric on half-splits of the held-out users."""
        return [
            entry
            for entry in self.entries
            if (entry.metric, entry.model, entry.users) == (metric, model, "held-out")
            and entry.measurement.on_splits is not None
        ]

    def _on_splits(self, metric: str, model: str) -> npt.NDArray[np.float64]:
        found = [entry.measurement.on_splits for entry in self._found(metric, model)]
        if not found:
            known = sorted({f"{entry.model}/{entry.metric}" for entry in self.entries})
            got = f"{metric!r} of {model!r}"
            advice = f"Known: {', '.join(known)}."
            raise ValueError(refusal("metric", "be measured on half-splits", got, advice))
        mean: npt.NDArray[np.float64] = np.mean(
            np.stack([one for one in found if one is not None]), axis=0
        )
        return mean
