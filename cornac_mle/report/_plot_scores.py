"""Draw every metric on one scale, from independent popularity to real users."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from cornac_mle.report import _layout
from cornac_mle.report._drawn import finish, interval, legend_below
from cornac_mle.report._numbers import number
from cornac_mle.report.style import (
    GRID,
    Look,
    draw_ends,
    look,
    new_axes,
    shortened,
    styled,
)
from cornac_mle.report.summary import Model, Summary, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 7.0
ROW = 0.17
"""Height in inches of a model within the row of a metric."""
SCALE_ENDS = (-0.5, 1.5)
"""Ends of the scale from popularity (0) to real users (1); what lies beyond is drawn at the end."""
NOT_APART = "no scale: the two are not told apart"


def scores(summary: Summary, axes: "Axes | None" = None) -> "Axes":
    """Draw every metric on one scale: 0 is independent popularity, 1 is real users.

    Metrics that do not tell real users from popularity on these data have no such scale: they are
    named, and nothing is drawn. Bars are 95% intervals; an arrow stands for a value beyond the
    scale.

    Parameters
    ----------
    summary : dict
        See `cornac_mle.report.summary`.
    axes : Axes, optional
        Where to draw. None: a new figure.

    Returns
    -------
    Axes
        What was drawn on.
    """
    models = _layout.shown_models(summary)
    metrics = [
        metric["name"]
        for metric in _layout.shown_metrics(summary)
        if _has_ends(models, metric["name"])
    ]
    lines, edges = _rows(models, metrics)
    with styled():
        axes = new_axes(axes, WIDTH, 1.4 + ROW * edges[-1] + 0.2 * (len(models) // 3))
        draw_ends(axes, 1.0, 0.0, upright=True)
        for place, model in enumerate(models):
            offset = place - (len(models) - 1) / 2
            found = [
                (line + offset, *ends)
                for line, metric in zip(lines, metrics, strict=True)
                if (ends := normalised(model["values"].get(metric))) is not None
            ]
            _draw_model(axes, look(place), shortened(model["name"], 28), found)
        for line, metric in zip(lines, metrics, strict=True):
            if not _has_scale(models, metric):
                axes.text(0.5, line, NOT_APART, ha="center", va="center", fontsize=7.5)
        axes.set_yticks(lines, metrics, parse_math=False)
        axes.set_ylim(edges[-1], 0)
        axes.set_xlim(SCALE_ENDS[0] - 0.05, SCALE_ENDS[1] + 0.05)
        axes.set_xlabel("from independent popularity (0) to real users (1); bars: 95% intervals")
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        for edge in edges[1:-1]:
            axes.axhline(edge, color=GRID, lw=0.6, zorder=0.5)
        legend_below(axes)
        finish(axes, f"All metrics: {shortened(summary['dataset'])}")
    return axes


def _rows(models: Sequence[Model], metrics: Sequence[str]) -> tuple[list[float], list[float]]:
    """Give the middle of the row of each metric, and the edges of rows, in units of a model."""
    edges = [0.0]
    for metric in metrics:
        edges.append(edges[-1] + (len(models) + 1.0 if _has_scale(models, metric) else 2.0))
    middles = [(one + other) / 2 for one, other in pairwise(edges)]
    return middles, edges if metrics else [0.0, 1.0]


def normalised(value: Value | None) -> tuple[float, float, float] | None:
    """Give a value and its interval on the scale; None where there is no such scale.

    >>> value = {"value": 0.2, "low": 0.1, "high": 0.4, "real_users": 0.0, "popularity": 0.8}
    >>> normalised({**value, "normalised": 0.75})
    (0.75, 0.5, 0.875)
    """
    found = interval(value)
    if found is None or value is None or value["normalised"] is None:
        return None
    real, floor = value["real_users"], value["popularity"]
    if real is None or floor is None or real == floor:
        return None
    middle, one, other = ((end - floor) / (real - floor) for end in found)
    return middle, min(one, other), max(one, other)


def _has_ends(models: Sequence[Model], metric: str) -> bool:
    """Whether real users and popularity were measured."""
    values = [model["values"][metric] for model in models if metric in model["values"]]
    return any(one["real_users"] is not None and one["popularity"] is not None for one in values)


def _has_scale(models: Sequence[Model], metric: str) -> bool:
    """Whether any model has a place between popularity and real users."""
    return any(normalised(model["values"].get(metric)) is not None for model in models)


def _draw_model(
    axes: "Axes", own: Look, label: str, found: Sequence[tuple[float, float, float, float]]
) -> None:
    """Draw (height, value, low, high) of one model."""
    low, high = SCALE_ENDS
    inside = [one for one in found if low <= one[1] <= high]
    axes.errorbar(
        [value for _, value, _, _ in inside],
        [height for height, _, _, _ in inside],
        xerr=[
            [value - left for _, value, left, _ in inside],
            [right - value for _, value, _, right in inside],
        ],
        elinewidth=1.2,
        **own.points(label),
    )
    for height, value, _, _ in found:
        if low <= value <= high:
            continue
        is_below = value < low
        points = {**own.points(), "marker": "<" if is_below else ">", "markersize": 8}
        axes.plot([low if is_below else high], [height], **points)
        axes.annotate(
            number(value),
            (low if is_below else high, height),
            (8 if is_below else -8, 0),
            textcoords="offset points",
            ha="left" if is_below else "right",
            va="center",
            fontsize=7.5,
        )
