"""A report of many measurements: data only, no drawing and no files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cornac_mle.checks import check_share
from cornac_mle.profiles import Profiles, synthetic_ids
from cornac_mle.report import _comparisons
from cornac_mle.report.measurement import SCORE_COLUMNS, Measurement, MetricNote, Score
from cornac_mle.report.summary import Summary

if TYPE_CHECKING:
    from cornac_mle.report.plots import Plots

MOST_NAMES = 6
"""Names that a report's `repr` lists."""


@dataclass(eq=False, repr=False)
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
        The family of judges that each model belongs to, or None, by model.
    cautions : dict
        Words on how far to trust a metric on these real users, by metric, where something is amiss.
    alerts : dict
        What makes the results of a model worthless, by model: its users are the real users that
        they are compared with.
    notes : list of str
        What was assumed of the data.
    unknown_items : dict
        Items that no real user holds, with the number of synthetic users who do, by model.
    failed : dict
        Why a model has no row, or a fit of it is missing, by model.
    kind : str
        "compare" (models) or "audit" (users of any origin).
    item_names : dict
        Name of an item, by id, where it has one besides its id.
    preferences : DataFrame
        Least believable preferences, see `unrealistic_preferences`, with a column ``model``.
    gallery, curves : dict
        Users to look at, and distributions to draw, by model; see `diagnostics.gallery`.
    made : dict
        How the report was made: date, seconds, versions, arguments, SHA-256 of the data.
    evaluator : Evaluator or None
        The judge, where there was one for all rows: `unrealistic_preferences` takes it. It is not
        written with the report.

    Examples
    --------
    >>> report = Report("tastes", groups={"train": 1200})
    >>> report.entries.append(
    ...     Score("tastes", "PMF", "k=20", "PlausibilityKS", "held-out", 1, 0, Measurement(0.16))
    ... )
    >>> report
    Report('tastes': 1 model (PMF) x 1 metric (PlausibilityKS); users: 1,200 train)
    >>> report.scores[["model", "metric", "value"]]
      model          metric  value
    0   PMF  PlausibilityKS   0.16
    """

    dataset: str = ""
    entries: list[Score] = field(default_factory=list)
    groups: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    synthetic: dict[str, Profiles] = field(default_factory=dict)
    metrics: dict[str, MetricNote] = field(default_factory=dict)
    judge_families: dict[str, str | None] = field(default_factory=dict)
    cautions: dict[str, str] = field(default_factory=dict)
    alerts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unknown_items: dict[str, pd.Series] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    kind: str = "compare"
    item_names: dict[Any, str] = field(default_factory=dict)
    preferences: pd.DataFrame = field(default_factory=pd.DataFrame)
    gallery: dict[str, dict[str, Any]] = field(default_factory=dict)
    curves: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)
    evaluator: Any = None  # lies above this room

    @contextmanager
    def redirected(self, other: "Report") -> Iterator["Report"]:
        """Let all that goes into this report for a while go into `other`, as it comes.

        >>> method_report, own = Report("data"), Report()
        >>> with method_report.redirected(own):
        ...     method_report.dropped["repeated pairs"] = 3
        >>> method_report.dropped, own.dropped
        ({}, {'repeated pairs': 3})
        """
        kept = dict(vars(self))
        other.dataset = other.dataset or self.dataset
        other.groups, other.dropped = dict(self.groups), dict(self.dropped)
        vars(self).update(vars(other))
        try:
            yield other
        finally:
            vars(other).update(vars(self))
            vars(self).update(kept)

    def add_caution(self, metric: str, text: str | None) -> None:
        """Say once how far to trust a metric.

        >>> report = Report("data")
        >>> for text in ("no power", None, "no power", "few users"):
        ...     report.add_caution("MMD", text)
        >>> report.cautions
        {'MMD': 'no power; few users'}
        """
        said = self.cautions.get(metric, "")
        if text and text not in said:
            self.cautions[metric] = f"{said}; {text}" if said else text

    def take(self, part: "Report") -> None:
        """Take what a part of the same run has measured and noted into this report.

        Users, galleries and curves of a model are those of its first part; what is said of a metric
        is said once.

        >>> report, part = Report("data"), Report("data", cautions={"MMD": "few users"})
        >>> for one in (part, Report("data", cautions={"MMD": "no power"})):
        ...     report.take(one)
        >>> report.cautions
        {'MMD': 'few users; no power'}
        """
        self.entries += part.entries
        self.metrics |= part.metrics
        self.judge_families |= part.judge_families
        for metric, text in part.cautions.items():
            self.add_caution(metric, text)
        self.alerts |= part.alerts
        self.failed |= part.failed
        self.notes = list(dict.fromkeys([*self.notes, *part.notes]))
        self.synthetic = part.synthetic | self.synthetic
        self.gallery = part.gallery | self.gallery
        self.curves = part.curves | self.curves

    @property
    def scores(self) -> pd.DataFrame:
        """Tidy table: one row a model, metric, group of users and seed."""
        return pd.DataFrame([entry.row() for entry in self.entries], columns=list(SCORE_COLUMNS))

    @property
    def per_user(self) -> pd.DataFrame:
        """Tidy table: one row a model, metric, group of users, seed and user.

        Users are the ids of the data where a value is of a real user; for metrics of synthetic
        users they are ``"s0"``, ``"s1"``, ...
        """
        parts = []
        for entry in self.entries:
            values, ids = entry.measurement.per_user, entry.measurement.user_ids
            if values is None:
                continue
            users = synthetic_ids(len(values)) if ids is None else ids
            part = pd.DataFrame({"user": users.astype(object), "value": values})
            for name in ("sampling_seed", "fit_seed", "users", "metric", "model", "dataset"):
                part.insert(0, name, getattr(entry, name))
            parts.append(part)
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def summary(self) -> Summary:
        """Put everything that is shown into one plain dictionary; see `cornac_mle.report.summary`.

        Returns
        -------
        dict
            Text, numbers, lists and dictionaries only: `json.dumps` takes it.
        """
        from cornac_mle.report._summarise import summarised

        return summarised(self)

    @property
    def plot(self) -> "Plots":
        """Pictures: ``report.plot.scores()``, ``.plausibility()``, ``.fidelity_coverage()``, ..."""
        from cornac_mle.report.plots import Plots

        return Plots(self)

    def markdown(self) -> str:
        """Write the summary as Markdown, for a pull request say: tables, answers, what was lost."""
        from cornac_mle.report.markdown import as_markdown

        return as_markdown(self.summary())

    def write(self, folder: str | Path) -> Path:
        """Write a run folder, from which `read` makes the report again.

        Parameters
        ----------
        folder : str or Path
            Place of the folder; where it is taken, ``-2``, ``-3``, ... is appended.

        Returns
        -------
        Path
            The folder that was written, whole or not at all. Its ``README.md`` says what each file
            and column is. Nothing in it is a pickle.
        """
        from cornac_mle.report.run_folder import write_run

        return write_run(self, Path(folder))

    @classmethod
    def read(cls, folder: str | Path) -> "Report":
        """Read a run folder.

        Ids are text then, whatever they were; `evaluator` is None.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is none, or it is damaged or of another version.
        """
        from cornac_mle.report.run_reading import read_run

        return read_run(Path(folder))

    def __repr__(self) -> str:
        models = list(dict.fromkeys(entry.model for entry in self.entries))
        metrics = list(dict.fromkeys(entry.metric for entry in self.entries))
        counts = [f"{count:,} {group}" for group, count in self.groups.items()]
        return (
            f"Report({self.dataset!r}: {_listed(models, 'model')} x {_listed(metrics, 'metric')}; "
            f"users: {', '.join(counts) or 'none'})"
        )

    def _repr_html_(self) -> str:
        from cornac_mle.report._html import report_html

        return report_html(self.summary())

    def difference(self, metric: str, model: str, other: str) -> Measurement:
        """Paired difference `model` minus `other` of a metric, over the same half-splits.

        Parameters
        ----------
        metric : str
            Name of a metric on half-splits.
        model, other : str
            Names of two models.

        Returns
        -------
        Measurement
            `value`, `low`, `high` (95%) and `on_splits` of the difference; averaged over seeds.

        Raises
        ------
        ValueError
            If one of the two has no such metric on half-splits.
        """
        return _comparisons.difference(self.entries, metric, model, other)

    def compare(self, metric: str | None = None, *, level: float = 0.05) -> pd.DataFrame:
        """Say which differences between models are established on one metric.

        Every pair of models is compared on the same half-splits of the same held-out users; Holm's
        adjustment bounds the probability of a single false claim over all pairs by `level`. It is
        the models *as fitted* that are compared: what another fit would give is not in it. What is
        established is that the values differ. For a metric whose best value lies between the two,
        that does not say which is better; for the primary metric it does.

        Parameters
        ----------
        metric : str, optional
            Name of a metric on half-splits. None: the primary one, `PlausibilityKS`, a choice made
            beforehand; where it was not measured, the first that was.
        level : float
            Family-wise error rate, in (0, 1).

        Returns
        -------
        DataFrame
            A row a pair: model, other (the one nearer to the ideal first), difference (model minus
            other), low, high (95%, of this pair alone), p_value, holm_p_value, established.
            ``attrs["metric"]``: the metric that was compared.

        Raises
        ------
        ValueError
            If fewer than two models were measured on half-splits.

        References
        ----------
        Holm: A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of
        Statistics 1979.
        """
        return _comparisons.compared(self.entries, metric, check_share("level", level))

    def judges(self, alpha: float = 0.05) -> pd.DataFrame:
        """Share of users that each family of judges flags, by model, and how far judges agree.

        A model looks better to a judge of its own kind, so the worst case counts.

        Parameters
        ----------
        alpha : float
            Level of `UnrealisticUsers`, in (0, 1).

        Returns
        -------
        DataFrame
            A row a model; a column each judge that was measured, ``worst`` (the largest share,
            which for real users, too, is larger than any one judge's on average) and
            ``own_family`` (the judge whose family the model is of, or "": read that cell with
            care). ``attrs["rank_agreement"]``: Kendall's tau of the order of models, judge by
            judge.

        Raises
        ------
        ValueError
            If `UnrealisticUsers(alpha)` was not measured.
        """
        return _comparisons.judged(self.entries, self.judge_families, check_share("alpha", alpha))


def _listed(names: list[str], what: str) -> str:
    """Count names and list the first of them: "2 models (PMF, VAE)"."""
    more = ", ..." if len(names) > MOST_NAMES else ""
    shown = f" ({', '.join(names[:MOST_NAMES])}{more})" if names else ""
    return f"{len(names)} {what}{'' if len(names) == 1 else 's'}{shown}"
