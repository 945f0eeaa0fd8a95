"""Draw distributions of plausibility, sizes and popularity: real users, models, popularity."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cornac_mle.checks import refusal
from cornac_mle.report import _layout
from cornac_mle.report._drawn import (
    finish,
    legend_below,
    percent_tick,
)
from cornac_mle.report.style import (
    GRID,
    POPULARITY_LABEL,
    POPULARITY_LOOK,
    REAL_LABEL,
    REAL_LOOK,
    Look,
    look,
    new_axes,
    shortened,
    styled,
)
from cornac_mle.report.summary import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_HEIGHT = 0.9
"""Of the distance between two rows, what the highest bar takes."""


def plausibility(summary: Summary, model: str | None = None, axes: "Axes | None" = None) -> "Axes":
    """Draw how plausible real users, synthetic users and independent popularity are.

    Parameters
    ----------
    summary : dict
        See `cornac_mle.report.summary`.
    model : str, optional
        Name of a model. None: all of them, in rows of one scale.
    axes : Axes, optional
        Where to draw. None: a new figure.

    Returns
    -------
    Axes
        What was drawn on.

    Raises
    ------
    ValueError
        If there is no such model, or the summary holds no curves.
    """
    drawn = _curves(summary, model, "plausibility")
    with styled():
        axes = _distributions(drawn, axes)
        axes.set_xlabel("plausibility of a user (higher: more believable)")
        legend_below(axes)
        finish(axes, "How plausible users are")
    return axes


def sizes(summary: Summary, model: str | None = None, axes: "Axes | None" = None) -> "Axes":
    """Draw how many items users hold; parameters and errors are those of `plausibility`."""
    drawn = _curves(summary, model, "sizes")
    with styled():
        axes = _distributions(drawn, axes)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.xaxis.set_minor_formatter("")
        axes.set_xlabel("items a user (bins are wider to the right)")
        legend_below(axes)
        finish(axes, "How many items users hold")
    return axes


def popularity(summary: Summary, model: str | None = None, axes: "Axes | None" = None) -> "Axes":
    """Draw which share of all preferences goes to the most popular items; see `plausibility`."""
    drawn = _curves(summary, model, "popularity")
    with styled():
        axes = new_axes(axes, 6.0, 4.4)
        first = drawn[0][2]
        axes.plot(first["items"], first["real"], **REAL_LOOK.line(REAL_LABEL))
        for style, name, curve in drawn:
            axes.plot(curve["items"], curve["synthetic"], **style.line(shortened(name)))
        axes.plot(first["items"], first["popularity"], **POPULARITY_LOOK.line(POPULARITY_LABEL))
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.xaxis.set_major_formatter(percent_tick)
        axes.yaxis.set_major_formatter(percent_tick)
        axes.set_xlabel("most popular items, share of the catalogue")
        axes.set_ylabel("share of all preferences")
        axes.legend(loc="lower right")
        finish(axes, "Which items preferences go to")
    return axes


def _curves(summary: Summary, model: str | None, key: str) -> list[tuple[Look, str, Any]]:
    """List look, name and curves of the models that have some."""
    shown = list(enumerate(_layout.shown_models(summary)))
    names = [one["name"] for _, one in shown]
    if model is not None and model not in names:
        rule = "name a model of the report"
        raise ValueError(refusal("model", rule, model, f"It has: {', '.join(names)}."))
    drawn = [
        (look(place), one["name"], one["curves"][key])
        for place, one in shown
        if model in (None, one["name"]) and one["curves"] and key in one["curves"]
    ]
    if not drawn:
        rule = f"hold curves of {key}"
        raise ValueError(
            refusal("summary", rule, "one without", "Make it of `compare` or `audit`.")
        )
    return drawn


def _distributions(drawn: Sequence[tuple[Look, str, Any]], axes: "Axes | None") -> "Axes":
    """Draw histograms: those of one model alone, or of many in rows."""
    alone, rows = len(drawn) == 1, len(drawn)
    axes = new_axes(axes, 6.0 if alone else 7.0, 3.8 if alone else 1.4 + 0.62 * rows)
    highest = max(
        max(curve[one]) for _, _, curve in drawn for one in ("synthetic", "popularity", "real")
    )
    scale = 1.0 if alone else ROW_HEIGHT / max(highest, 1e-9)
    for row, (style, name, curve) in enumerate(drawn):
        base = float(rows - 1 - row)
        label = shortened(name) if alone else None if row else "synthetic users"
        _histogram(axes, style, label, curve, "synthetic", base, scale, is_filled=True)
        ends = (None, None) if row else (POPULARITY_LABEL, REAL_LABEL)
        _histogram(axes, POPULARITY_LOOK, ends[0], curve, "popularity", base, scale)
        _histogram(axes, REAL_LOOK, ends[1], curve, "real", base, scale)
        if not alone:
            axes.axhline(base, color=GRID, lw=0.6, zorder=0.5)
    if alone:
        axes.set_ylabel("share of users in a bin")
        axes.set_ylim(0, None)
        return axes
    axes.set_yticks(range(rows)[::-1], [shortened(one[1], 28) for one in drawn], parse_math=False)
    axes.set_ylim(-0.08, rows)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    return axes


def _histogram(
    axes: "Axes",
    style: Look,
    label: str | None,
    curve: Any,
    group: str,
    base: float,
    scale: float,
    *,
    is_filled: bool = False,
) -> None:
    """Draw the shares of one group as steps above a base line."""
    heights = [base + scale * share for share in curve[group]]
    edges = curve["edges"]
    if is_filled:
        axes.stairs(heights, edges, baseline=base, fill=True, color=style.colour, alpha=0.3, lw=0)
    line = style.line(label)
    line["lw"] *= 0.8
    axes.stairs(heights, edges, baseline=base, **line)
