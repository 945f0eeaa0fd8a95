"""Draw two metrics of all models against each other, with real users and popularity."""

from typing import TYPE_CHECKING, NamedTuple

from cornac_mle.checks import refusal
from cornac_mle.report import _layout
from cornac_mle.report._drawn import ENDS, finish, interval, plain_metric, reference
from cornac_mle.report.placing import Named, place_labels
from cornac_mle.report.style import draw_ends, look, new_axes, shortened, styled
from cornac_mle.report.summary import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRONTIERS = {
    ("FrontierUnrealistic", "FrontierMissing"): "divergence, bits",
    ("UnrealisticShare", "MissingShare"): "certified share, at least",
}
"""Pairs of metrics that say how much is unrealistic and how much is missing, the best first."""
SIZE = (6.4, 5.0)


class Side(NamedTuple):
    """A metric on one axis, from 1 downwards if `flip`."""

    metric: str
    label: str
    flip: bool = False


def fidelity_coverage(summary: Summary, axes: "Axes | None" = None) -> "Axes":
    """Draw fidelity against coverage, with 95% intervals: the upper right is best.

    Fidelity is the share of users that `UnrealisticUsers` does not flag: real users, who are
    flagged at its level, have .95 and not 1. Coverage is `NeighbourCoverage`.

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

    Raises
    ------
    ValueError
        If one of the two metrics was not measured.
    """
    flagged = plain_metric(summary, "UnrealisticUsers")
    covered = plain_metric(summary, "NeighbourCoverage")["name"]
    across = Side(covered, f"coverage: real users with a synthetic user near them\n({covered})")
    up = Side(
        flagged["name"],
        f"fidelity: users who are not flagged as unrealistic\n(1 - {flagged['name']})",
        flip=True,
    )
    return _scatter(summary, across, up, "Believable and complete: best at the upper right", axes)


def frontier(summary: Summary, axes: "Axes | None" = None) -> "Axes":
    """Draw how much is unrealistic against how much is missing: the lower left is best.

    `FrontierUnrealistic` and `FrontierMissing` where they were measured; else the certified
    `UnrealisticShare` and `MissingShare`; else the share of users flagged, and of real users not
    covered. The axes say which.

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

    Raises
    ------
    ValueError
        If none of the pairs was measured.
    """
    names = {metric["name"] for metric in summary["metrics"]}
    pair = next((one for one in FRONTIERS if names.issuperset(one)), None)
    if pair is not None:
        up = Side(pair[0], f"unrealistic: {FRONTIERS[pair]}\n({pair[0]})")
        across = Side(pair[1], f"missing: {FRONTIERS[pair]}\n({pair[1]})")
    else:
        try:
            flagged = plain_metric(summary, "UnrealisticUsers")["name"]
            covered = plain_metric(summary, "NeighbourCoverage")["name"]
        except ValueError:
            rule = "hold FrontierUnrealistic and FrontierMissing"
            advice = "Measure them, too."
            raise ValueError(refusal("summary", rule, "one without", advice)) from None
        up = Side(flagged, f"unrealistic: users who are flagged\n({flagged})")
        label = f"missing: real users with no synthetic user near them\n(1 - {covered})"
        across = Side(covered, label, flip=True)
    return _scatter(summary, across, up, "Unrealistic and missing: best at the lower left", axes)


def _scatter(summary: Summary, across: Side, up: Side, heading: str, axes: "Axes | None") -> "Axes":
    """Draw models with their intervals, and lines and a point for ceiling and floor."""
    with styled():
        axes = new_axes(axes, *SIZE)
        named = _models(axes, summary, across, up)
        lines: list[tuple[float | None, float | None]] = []
        for key, style, label in ENDS:
            x = reference(summary, across.metric, key, flip=across.flip)
            y = reference(summary, up.metric, key, flip=up.flip)
            lines.append((x, y))
            if x is not None and y is not None:
                points = style.points(label)
                points["markeredgecolor"] = style.colour
                is_star = key == "real_users"
                points["markersize"], points["markeredgewidth"] = (12, 0.6) if is_star else (8, 2.2)
                axes.plot([x], [y], **points)
                named.append(Named(label, x, y, x, x, y, y))
        for upright in (True, False):
            real, floor = (x if upright else y for x, y in lines)
            draw_ends(axes, real, floor, upright=upright, labels=(None, None), width=0.5)
        axes.set_xlabel(across.label)
        axes.set_ylabel(up.label)
        axes.margins(0.12)
        finish(axes, heading)
        place_labels(axes, named, lines=lines)
    return axes


def _models(axes: "Axes", summary: Summary, across: Side, up: Side) -> list[Named]:
    """Draw the models that have both metrics."""
    named = []
    for place, model in enumerate(_layout.shown_models(summary)):
        x = interval(model["values"].get(across.metric), flip=across.flip)
        y = interval(model["values"].get(up.metric), flip=up.flip)
        if x is None or y is None:
            continue
        axes.errorbar(
            x[0],
            y[0],
            xerr=[[x[0] - x[1]], [x[2] - x[0]]],
            yerr=[[y[0] - y[1]], [y[2] - y[0]]],
            elinewidth=1.0,
            **look(place).points(shortened(model["name"])),
        )
        named.append(Named(shortened(model["name"], 28), x[0], y[0], *x[1:], *y[1:]))
    return named
