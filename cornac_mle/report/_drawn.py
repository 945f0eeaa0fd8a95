"""What pictures of a report have in common: which numbers are drawn, headings and legends."""

from typing import TYPE_CHECKING

from cornac_mle.checks import refusal
from cornac_mle.report import _layout
from cornac_mle.report.style import INK, POPULARITY_LABEL, POPULARITY_LOOK, REAL_LABEL, REAL_LOOK
from cornac_mle.report.summary import Metric, Summary, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ENDS = (
    ("real_users", REAL_LOOK, REAL_LABEL),
    ("popularity", POPULARITY_LOOK, POPULARITY_LABEL),
)
"""Ceiling and floor: the key of a value, the look, the label."""
LEGEND_WIDTH = 80
"""Letters side by side in a legend below axes, about, with 8 for each handle."""


def finish(axes: "Axes", heading: str) -> None:
    """Write the heading, which screen readers read, too, and lay out a figure of our own."""
    from cornac_mle.report._shown import ShownFigure

    axes.set_title(heading, parse_math=False)
    axes.tick_params(colors=INK, labelsize=8.5)
    figure = axes.get_figure(root=True)
    if figure is not None and not figure.get_label():
        figure.set_label(heading)
    if isinstance(figure, ShownFigure):
        figure.settle()


def legend_below(axes: "Axes", lines: int = 1) -> None:
    """Put the legend below a label of the x axis of so many lines, in columns that fit."""
    from matplotlib.transforms import ScaledTranslation

    figure = axes.get_figure(root=True)
    assert figure is not None
    points = 24 + 13 * lines
    below = ScaledTranslation(0, -points / 72, figure.dpi_scale_trans)
    handles, labels = axes.get_legend_handles_labels()
    if not labels:
        return
    columns = max(1, LEGEND_WIDTH // (max(map(len, labels)) + 8))
    axes.legend(
        handles,
        labels,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=axes.transAxes + below,
        borderaxespad=0,
        ncols=min(columns, len(labels)),
        frameon=False,
    )


def percent_tick(value: float, _place: float) -> str:
    """Write a tick label in percent."""
    return f"{value:.0%}"


def interval(value: Value | None, *, flip: bool = False) -> tuple[float, float, float] | None:
    """Give a value and the ends of its interval, all from 1 downwards if `flip`.

    >>> interval({"value": 0.25, "low": 0.125, "high": None}, flip=True)
    (0.75, 0.75, 0.875)
    """
    if value is None or value["value"] is None:
        return None
    middle = value["value"]
    low = middle if value["low"] is None else min(value["low"], middle)
    high = middle if value["high"] is None else max(value["high"], middle)
    return (1 - middle, 1 - high, 1 - low) if flip else (middle, low, high)


def reference(summary: Summary, metric: str, key: str, *, flip: bool = False) -> float | None:
    """Give what real users or popularity get, of the first model that has it, as the tables do."""
    for model in summary["models"]:
        value = model["values"].get(metric)
        found = None if value is None else value[key]  # type: ignore[literal-required]
        if found is not None:
            return 1 - float(found) if flip else float(found)
    return None


def plain_metric(summary: Summary, stem: str) -> Metric:
    """Find the metric of this name that asks the primary judge, about implausible users.

    Raises
    ------
    ValueError
        If it was not measured.
    """
    for metric in _layout.shown_metrics(summary):
        is_plain = metric["tail"] in (None, "implausible") and not metric["conditional"]
        if metric["name"].split("@")[0] == stem and is_plain:
            return metric
    raise ValueError(refusal("summary", f"hold {stem}", "one without", "Measure it, too."))
