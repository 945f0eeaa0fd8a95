"""The tables of the command line: they fit the terminal, at 80 columns too, every number whole."""

import os
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import TypeVar

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cornac_mle.datasets import NamedDataset
from cornac_mle.report import _layout
from cornac_mle.report._numbers import number, printable
from cornac_mle.report.summary import Metric, Model, Summary

T = TypeVar("T")
WIDTH = 80
LONGEST_NAME = 24
"""Columns of a model's name; longer ones go on in the next line."""
HEADINGS = {
    "UnrealisticUsers": "unreal.\nusers",
    "PlausibilityKS": "plausib.\nKS",
    "NeighbourCoverage": "neighb.\ncoverage",
    "MembershipInference": "member-\nship",
    "CopiedUsers": "copied\nusers",
    "PopularityJS": "popul.\nJS",
    "ProfileSizeKS": "size\nKS",
}
"""Short headings; other metrics stand under their own names."""
FEW_MODELS = 3
"""So many models have their answers in sentences; more have them in a table."""
MOST_USERS, MOST_LISTED = 5, 3
"""Users to look at first, and preferences of each."""


def score_table(summary: Summary, width: int = WIDTH, *, assumed: bool = True) -> RenderableType:
    """Lay out a summary for a terminal: the three answers, the table, what must be known with it.

    Models stand one below the other, or metrics where there are more of these. What does not fit
    the width goes into further blocks of columns below. A cell is the value with half the width of
    its 95% interval, both averaged over seeds; where a model was fitted with several seeds, the
    standard deviation over fits stands below in brackets. A hyphen: there is no value, because the
    model cannot be sampled, say. What was `assumed` of files comes last.
    """
    models = _layout.shown_models(summary)
    metrics = _layout.shown_metrics(summary)
    parts: list[RenderableType] = [Text(_layout.title(summary), style="bold"), Text("")]
    if models:
        parts += _answers(summary, models, width)
        if len(models) >= len(metrics):
            parts += _models_down(summary, models, metrics, width)
        else:
            parts += _metrics_down(summary, models, metrics, width)
        parts += _explained(summary)
        headings, rows = _layout.judge_rows(summary)
        if rows:
            parts += [*_judges(headings, rows, width), *_lines(_layout.judge_notes(summary))]
        parts += _lines([_layout.difference_note(summary)])
        parts += _worst_users(models, width)
    parts += _lines(_layout.warnings_of(summary), style="yellow")
    parts += _lines(_layout.left_out(summary))
    parts += _lines(_layout.assumptions(summary) if assumed else [])
    return Group(*parts)


def _answers(summary: Summary, models: Sequence[Model], width: int) -> list[RenderableType]:
    """Answer the three questions, in sentences or in a table."""
    if len(models) > FEW_MODELS:
        table = _plain_table("made up by")
        for heading in _layout.QUESTIONS.values():
            table.add_column(heading, justify="right", no_wrap=True)
        for name, cells in _layout.answer_rows(summary):
            table.add_row(Text(name), *map(Text, cells))
        return [table, *_lines([_layout.answer_note(summary)]), Text("")]
    parts: list[RenderableType] = []
    for model in models:
        parts.append(Text(printable(model["name"]), style="bold"))
        for question, heading in _layout.QUESTIONS.items():
            answer = model["answers"][question]
            grid = Table.grid(padding=(0, 1, 0, 2))
            grid.add_column(width=11, no_wrap=True)
            grid.add_column(max_width=width - 16)
            style = "bold" if answer["verdict"] == "worse" else ""
            grid.add_row(Text(heading), Text(printable(answer["sentence"]), style=style))
            parts.append(grid)
        parts.append(Text(""))
    return parts


def _models_down(
    summary: Summary, models: Sequence[Model], metrics: Sequence[Metric], width: int
) -> list[RenderableType]:
    """Lay out models one below the other, in as many blocks of metrics as the width asks for."""

    def table(chosen: Sequence[Metric]) -> Table:
        made = _plain_table("users made up by\n\nbest value")
        for metric in chosen:
            heading = _heading(metric["name"])
            title = Text.assemble(f"{heading}\n", (metric["best"], "not bold dim"))
            made.add_column(title, justify="right", no_wrap=True)
        names = [metric["name"] for metric in chosen]
        ceilings = [_layout.reference(summary, name, "real_users") for name in names]
        floors = [_layout.reference(summary, name, "popularity") for name in names]
        made.add_row("real users (ceiling)", *ceilings, style="green")
        made.add_row("popularity (floor)", *floors, style="red")
        made.add_section()
        for model in models:
            values = [model["values"].get(metric["name"]) for metric in chosen]
            made.add_row(Text(printable(model["name"])), *[_cell(value) for value in values])
        return made

    return _blocks(table, metrics, width)


def _metrics_down(
    summary: Summary, models: Sequence[Model], metrics: Sequence[Metric], width: int
) -> list[RenderableType]:
    """Lay out metrics one below the other, in as many blocks of models as the width asks for."""

    def table(chosen: Sequence[Model]) -> Table:
        made = _plain_table("metric")
        for heading in ("best", "real\nusers", "popu-\nlarity"):
            made.add_column(Text(heading), justify="right", no_wrap=True)
        for model in chosen:
            made.add_column(
                Text(printable(model["name"])), justify="right", max_width=16, overflow="fold"
            )
        for metric in metrics:
            name = metric["name"]
            ends = [
                _layout.reference(summary, name, "real_users"),
                _layout.reference(summary, name, "popularity"),
            ]
            cells = [_cell(model["values"].get(name)) for model in chosen]
            made.add_row(Text(name), metric["best"], *ends, *cells)
        return made

    return _blocks(table, models, width)


def _blocks(
    table: Callable[[Sequence[T]], Table], columns: Sequence[T], width: int
) -> list[RenderableType]:
    """Make tables of as many columns each as fit the width, at least one."""
    console = Console(width=10_000)
    parts: list[RenderableType] = []
    first = 0
    while first < len(columns):
        for last in count(first + 1):
            is_end = last == len(columns)
            if is_end or console.measure(table(columns[first : last + 1])).maximum > width:
                break
        parts.append(table(columns[first:last]))
        first = last
    return parts


def _judges(
    headings: Sequence[str], rows: Sequence[tuple[str, list[str]]], width: int
) -> list[RenderableType]:
    """Lay out the share of users that each family of judges flags."""

    def table(places: Sequence[int]) -> Table:
        made = _plain_table("flagged by the judge")
        for place in places:
            made.add_column(headings[place], justify="right", no_wrap=True)
        for name, cells in rows:
            made.add_row(Text(name), *[cells[place] for place in places])
        return made

    return _blocks(table, range(len(headings)), width)


def _worst_users(models: Sequence[Model], width: int) -> list[RenderableType]:
    """List the users to look at first, with the preferences that give them away, and why."""
    if len(models) > FEW_MODELS:
        return []
    parts: list[RenderableType] = []
    for model in models:
        gallery = model["gallery"]
        worst = [user for user in (gallery or {}).get("users", []) if user["kind"] == "worst"]
        if not worst:
            continue
        parts.append(Text(f"\nLook at these users of {printable(model['name'])} first", "bold"))
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        table.add_column("user", overflow="fold", max_width=LONGEST_NAME - 8)
        table.add_column("p-value", justify="right", no_wrap=True)
        table.add_column("preference", overflow="fold", max_width=(width - 36) // 2)
        table.add_column("odder\nthan", justify="right", no_wrap=True)
        table.add_column("does not go with", overflow="fold")
        for user in worst[:MOST_USERS]:
            for place, item in enumerate(_layout.listed(user, MOST_LISTED)):
                head = ("", "") if place else (user["id"], number(user["p_value"]))
                row = (*head, _layout.called(item), *_layout.against(item))
                table.add_row(*(Text(printable(one)) for one in row))
        parts.append(table)
        parts += _lines([f"{_layout.flagged_sentence(model)} {_layout.ODDER}"])
    return parts


def _explained(summary: Summary) -> list[RenderableType]:
    """Say below the table what its numbers mean and what the data can show."""
    text = (
        "Each metric holds synthetic users against held-out real users. Real users get the "
        "ceiling, users drawn from item popularity alone the floor. ± is half of a 95% interval; "
        "in brackets about the smallest difference that the data can show:"
    )
    parts = [
        *_lines([text]),
        *[Padding(Text(line), (0, 0, 0, 2)) for line in _layout.meanings(summary)],
    ]
    if _layout.has_several_fits(summary):
        parts += _lines(
            ["In brackets below a value: standard deviation over fits with several seeds."]
        )
    if _layout.ceilings_differ(summary):
        parts += _lines(
            ["Ceiling and floor are those of the first set; they depend on the number of users."]
        )
    return parts


def dataset_table(datasets: Iterable[NamedDataset]) -> RenderableType:
    """Table of data sets by name: sizes, what a like is, terms, whether it is on this machine."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("name", "users", "items", "pairs", "like", "here"):
        numeric = heading in ("users", "items", "pairs")
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=True)
    datasets = list(datasets)
    for dataset in datasets:
        least = dataset.rating_threshold
        table.add_row(
            dataset.name,
            *(f"{count:,}" for count in (dataset.users, dataset.items, dataset.interactions)),
            "any" if least is None else f">= {least:g}",
            "yes" if dataset.is_local else "no",
        )
    terms = _plain_table("name")
    terms.add_column("what; terms")
    for dataset in datasets:
        terms.add_row(Text(dataset.name), Text(f"{dataset.title}; {dataset.terms.split(';')[0]}"))
    return Group(table, terms)


def output_console() -> Console:
    """Make a console as wide as the terminal; 80 columns where the output is no terminal."""
    console = Console()
    if console.is_terminal or os.environ.get("COLUMNS"):
        return console
    return Console(width=WIDTH)


def _plain_table(first: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(first, max_width=LONGEST_NAME, overflow="fold")
    return table


def _lines(texts: Iterable[str], style: str = "") -> list[RenderableType]:
    return [Text(text, style=style) for text in texts if text]


def _heading(metric: str) -> str:
    stem = metric.split("@")[0]
    return HEADINGS.get(stem, metric.replace("@", "\n@"))


def _cell(value: object) -> Text:
    mean, half, over_fits = _layout.cell(value)  # type: ignore[arg-type]
    made = Text(mean, style="" if half else "dim" * (mean == "-"))
    made.append(half, style="dim")
    if over_fits:
        made.append(f"\n{over_fits}", style="dim")
    return made
