"""The tables of the command line, for a terminal of 100 columns."""

from collections.abc import Iterable
from itertools import combinations

import pandas as pd
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cornac_mle.datasets import NamedDataset
from cornac_mle.report._comparisons import PRIMARY_METRIC
from cornac_mle.report.report import Report

WIDTH = 100
MOST_COLUMNS = 9
OWN_FAMILY = "*"
"""Beside the verdict of a judge of the model's own family."""
NO_VALUE = "-"
AT_LEAST = ">="
"""Before a log-likelihood that is estimated, and so a lower bound on average."""
HEADINGS = {
    "UnrealisticUsers": "unreal.\nusers",
    "PlausibilityKS": "plausib.\nKS",
    "NeighbourCoverage": "neighb.\ncoverage",
    "CopiedUsers": "copied\nusers",
    "PopularityJS": "popul.\nJS",
    "ProfileSizeKS": "size\nKS",
}
"""Short headings, in the order of the table; other metrics follow under their own names."""
MARGINALS = ("PopularityJS", "ProfileSizeKS")
"""Metrics whose intervals are left to scores.csv, so that the table fits its width."""


def score_table(report: Report) -> RenderableType:
    """Table of models x metrics, real users above and independent popularity below them.

    A cell is the value with half the width of its 95% interval, both averaged over seeds; where a
    model was fitted with several seeds, the standard deviation over fits stands below in brackets.
    A hyphen: there is no value, because the model cannot be sampled, say. More than nine metrics
    stand one below the other, without intervals: those are in `Report.scores`.
    """
    scores = report.scores
    scores = scores[scores["users"] == "held-out"]
    second = [name for name, note in report.metrics.items() if note.second_opinion]
    judged_apart = scores["metric"].isin(second)
    metrics = sorted(scores.loc[~judged_apart, "metric"].unique(), key=_place)
    groups = report.groups.items()
    sizes = ", ".join(f"{count:,} {name.replace('_', '-')}" for name, count in groups)
    title = f"{report.dataset}: {sizes} users"
    if len(metrics) > MOST_COLUMNS:
        table = _metrics_down(report, scores, metrics)
    else:
        table = _models_down(report, scores, metrics)
    parts: list[RenderableType] = [
        Text(title, style="bold"),
        table,
        Text(explanation(report, scores, metrics)),
    ]
    if judged_apart.any():
        parts += [Text(""), judge_table(report)]
    if len(scores.loc[scores["metric"] == PRIMARY_METRIC, "model"].unique()) > 1:
        parts.append(Text(established(report)))
    return Group(*parts)


def _metrics_down(report: Report, scores: pd.DataFrame, metrics: list[str]) -> Table:
    """Lay out many metrics: one a row, and one model a column."""
    models = list(scores["model"].unique())
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("metric", no_wrap=True)
    for heading in ("best", "real users\n(ceiling)", "popularity\n(floor)", *models):
        table.add_column(Text(heading), justify="right")
    for metric in metrics:
        own = scores[scores["metric"] == metric]
        cells = [_value(own[own["model"] == model]) for model in models]
        ends = [_reference(own["ceiling"]), _reference(own["floor"])]
        table.add_row(Text(metric), report.metrics[metric].best, *ends, *cells)
    return table


def _models_down(report: Report, scores: pd.DataFrame, metrics: list[str]) -> Table:
    """Lay out a few metrics: one model a row, with intervals."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("users made up by\n\nbest value", no_wrap=True)
    for metric in metrics:
        heading = HEADINGS.get(_stem(metric), metric.replace("@", "\n@"))
        best = report.metrics[metric].best
        title = Text.assemble(f"{heading}\n", (best, "not bold dim"))
        table.add_column(title, justify="right", no_wrap=True)
    for label, field, style in (
        ("real users (ceiling)", "ceiling", "green"),
        ("popularity (floor)", "floor", "red"),
    ):
        cells = [_reference(scores.loc[scores["metric"] == metric, field]) for metric in metrics]
        table.add_row(label, *cells, style=style)
    table.add_section()
    for model in scores["model"].unique():
        own = scores[scores["model"] == model]
        table.add_row(Text(model), *[_cell(own[own["metric"] == metric]) for metric in metrics])
    return table


def judge_table(report: Report) -> RenderableType:
    """Table of models x judges: the share of users that each family of judges flags."""
    judges = report.judges()
    agreement = judges.attrs["rank_agreement"]
    families = list(agreement.columns)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("flagged by the judge", no_wrap=True)
    for family in (*families, "worst"):
        table.add_column(family, justify="right", no_wrap=True)
    for model, row in judges.iterrows():
        cells = [_number(row[name]) + OWN_FAMILY * (row["own_family"] == name) for name in families]
        table.add_row(Text(str(model)), *cells, _number(row["worst"]))
    lines = [f"{OWN_FAMILY} the judge is of the model's own family, and may go easy on it."]
    if len(judges) > 2:
        pairs = combinations(families, 2)
        taus = ", ".join(f"{a}/{b} {agreement.loc[a, b]:.2f}" for a, b in pairs)
        lines.append(f"Rank agreement over models (Kendall's tau): {taus}.")
    return Group(table, Text("\n".join(lines)))


def established(report: Report, level: float = 0.05) -> str:
    """Sentence on which differences between models hold on the primary metric."""
    table = report.compare(level=level)
    open_ = table.loc[~table["established"], ["model", "other"]].itertuples(index=False, name=None)
    undecided = "; ".join(f"{model} and {other}" for model, other in open_)
    claim = f"Differences in {PRIMARY_METRIC} between models hold at {level:g} together (Holm)"
    if not undecided:
        return f"{claim} for all {len(table)} pairs."
    count = int(table["established"].sum())
    return f"{claim} for {count} of {len(table)} pairs, not for:\n  {undecided}."


def dataset_table(datasets: Iterable[NamedDataset]) -> RenderableType:
    """Table of data sets by name: sizes, what a like is, terms, whether it is on this machine."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("name", "users", "items", "pairs", "like", "here", "what; terms"):
        numeric = heading in ("users", "items", "pairs")
        table.add_column(
            heading, justify="right" if numeric else "left", no_wrap=heading != "what; terms"
        )
    for dataset in datasets:
        least = dataset.rating_threshold
        table.add_row(
            dataset.name,
            *(f"{count:,}" for count in (dataset.users, dataset.items, dataset.interactions)),
            "any" if least is None else f">= {least:g}",
            "yes" if dataset.is_local else "no",
            f"{dataset.title}; {dataset.terms.split(';')[0]}",
        )
    return table


def explanation(report: Report, scores: pd.DataFrame, metrics: list[str]) -> str:
    """Sentences below the table: what the numbers mean, what the data can show, what was lost."""
    lines = [
        "Every model was fitted on the training users and made up users; each metric holds these",
        "against held-out real users. Real users themselves get the ceiling, users drawn from item",
        "popularity alone the floor. ± is half of a 95% interval; about the smallest difference",
        "that the data can show in brackets:",
    ]
    for metric in metrics:
        least = scores.loc[scores["metric"] == metric, "minimum_detectable"].dropna()
        if len(least):
            lines.append(f"  {metric}: {report.metrics[metric].meaning} ({least.iloc[0]:.3f})")
    lines += [
        f"  {metric}: {report.cautions[metric]}" for metric in metrics if metric in report.cautions
    ]
    if scores.groupby(["model", "metric"])["fit_seed"].nunique().gt(1).any():
        lines.append("In brackets below a value: standard deviation over fits with several seeds.")
    left_out = scores.groupby("model", sort=False)["n_left_out"].max()
    lines += [
        f"{model}: left out {count:,} synthetic {'user' if count == 1 else 'users'} of fewer items "
        "than real users must have."
        for model, count in left_out[left_out > 0].items()
    ]
    lines += [f"WARNING. {model}: {text}" for model, text in report.alerts.items()]
    lines += [f"FAILED. {model}: {text}" for model, text in report.failed.items()]
    lost = [f"{count:,} {reason}" for reason, count in report.dropped.items()]
    if lost:
        lines.append("Left out before fitting: " + ";\n  ".join(lost) + ".")
    failed = [f"{model} ({' '.join(reason.split())})" for model, reason in report.failed.items()]
    if failed:
        lines.append("Failed, and not in the tables or not with every fit: " + ";\n  ".join(failed))
    return "\n".join(lines)


def output_console() -> Console:
    """Make a console as wide as the terminal; 100 columns where the output is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def _stem(metric: str) -> str:
    return metric.split("@")[0]


def _place(metric: str) -> tuple[int, str]:
    known = list(HEADINGS)
    stem = _stem(metric)
    return (known.index(stem) if stem in known else len(known), metric)


def _number(value: float) -> str:
    """Write two digits after the point, three where the number is small: .46, .004, -1.20."""
    text = f"{value:.2f}" if abs(value) >= 0.095 else f"{value:.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def _reference(values: pd.Series) -> str:
    found = values.dropna()
    return _number(float(found.iloc[0])) if len(found) else NO_VALUE


def _value(rows: pd.DataFrame) -> str:
    """Write the mean of a metric of one model, with >= before a likelihood that is a bound."""
    value = rows["value"].mean()
    if pd.isna(value):
        return NO_VALUE
    return AT_LEAST * bool(rows["effective_sample_size"].notna().any()) + _number(float(value))


def _cell(rows: pd.DataFrame) -> Text:
    if rows.empty:
        return Text(NO_VALUE, style="dim")
    cell = Text(_value(rows))
    half = float((rows["high"] - rows["low"]).mean()) / 2
    if _stem(rows["metric"].iloc[0]) not in MARGINALS:
        cell.append(f"±{half:.2f}".replace("0.", "."), style="dim")
    by_fit = rows.groupby("fit_seed")["value"].mean()
    if len(by_fit) > 1:
        cell.append(f"\n({by_fit.std():.3f})".replace("0.", "."), style="dim")
    return cell
