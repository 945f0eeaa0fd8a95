"""Pictures of a report: each takes and returns matplotlib's Axes, and draws a summary's numbers.

Without `axes` each makes a figure of its own, ``axes.figure``, that no pyplot knows of; a notebook
shows it, `save` writes it, `as_svg` puts it into a page. See `cornac_mle.report.style` for how real
users, popularity and models are told apart.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cornac_mle.checks import refusal
from cornac_mle.report import _layout
from cornac_mle.report._numbers import number, percent
from cornac_mle.report._placing import Named, place_labels
from cornac_mle.report._svg import as_svg
from cornac_mle.report.style import (
    GRID,
    INK,
    PAPER,
    POPULARITY_LOOK,
    REAL_LOOK,
    SYNTHETIC,
    Look,
    look,
    new_axes,
    save,
    shortened,
    styled,
)
from cornac_mle.report.summary import Metric, Model, Summary, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "as_svg",
    "fidelity_coverage",
    "frontier",
    "plausibility",
    "popularity",
    "save",
    "scores",
    "sizes",
    "user",
]

WIDTH = 7.0
SCALE_ENDS = (-0.5, 1.5)
"""Ends of the scale from popularity (0) to real users (1); what lies beyond is drawn at the end."""
MOST_BARS = 20
"""Items of a user that are drawn; the others are counted."""
RIDGE_HEIGHT = 0.9
REAL_LABEL, POPULARITY_LABEL = "real users", "popularity"
FRONTIERS = (
    ("FrontierUnrealistic", "FrontierMissing"),
    ("UnrealisticShare", "MissingShare"),
)
"""Pairs of metrics that say how much is unrealistic and how much is missing, the best first."""


def scores(summary: Summary, axes: "Axes | None" = None) -> "Axes":
    """Draw every metric on one scale: 0 is independent popularity, 1 is real users.

    Metrics that do not tell real users from popularity on these data have no such scale: they are
    named, and nothing is drawn. Bars are 95% intervals; what lies beyond the scale is an arrow.

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
    metrics = [one for one in _layout.shown_metrics(summary) if _has_ends(models, one["name"])]
    row = max(0.5, 0.16 * len(models) + 0.18)
    with styled():
        axes = new_axes(axes, WIDTH, 1.5 + row * max(len(metrics), 1) + 0.2 * len(models) / 3)
        _ends(axes, horizontal=False, real=1.0, floor=0.0)
        step = 0.8 / max(len(models), 1)
        for place, model in enumerate(models):
            own = look(place)
            heights, values, errors = [], [], []
            for line, metric in enumerate(metrics):
                ends = _normalised(model["values"].get(metric["name"]))
                if ends is None:
                    continue
                value, low, high = ends
                heights.append(line + (place - (len(models) - 1) / 2) * step)
                values.append(value)
                errors.append((value - low, high - value))
            _points_on_scale(axes, own, shortened(model["name"]), values, heights, errors)
        labels = [
            one["name"] if _is_apart(models, one["name"]) else f"{one['name']}\n(not apart here)"
            for one in metrics
        ]
        axes.set_yticks(range(len(metrics)), labels, parse_math=False)
        axes.set_ylim(len(metrics) - 0.5, -0.5)
        axes.set_xlim(SCALE_ENDS[0] - 0.05, SCALE_ENDS[1] + 0.05)
        axes.set_xlabel("from independent popularity (0) to real users (1)")
        axes.grid(visible=False, axis="y")
        for line in range(1, len(metrics)):
            axes.axhline(line - 0.5, color=GRID, lw=0.6)
        _finish(axes, f"Metrics of {_layout.title(summary)}")
        _legend_below(axes)
    return axes


def plausibility(summary: Summary, model: str | None = None, axes: "Axes | None" = None) -> "Axes":
    """Draw how plausible real users, synthetic users and independent popularity are.

    Parameters
    ----------
    summary : dict
        See `cornac_mle.report.summary`.
    model : str, optional
        Name of a model. None: all of them, one above the other.
    axes : Axes, optional
        Where to draw. None: a new figure.

    Returns
    -------
    Axes
        What was drawn on.

    Raises
    ------
    ValueError
        If there is no such model, or nothing was kept to draw.
    """
    drawn = _with_curves(summary, model, "plausibility")
    with styled():
        axes = _distributions(drawn, "plausibility", axes)
        axes.set_xlabel("plausibility of a user (higher: more believable)")
        _finish(axes, "How plausible users are")
        _legend_below(axes)
    return axes


def sizes(summary: Summary, model: str | None = None, axes: "Axes | None" = None) -> "Axes":
    """Draw how many items users hold; parameters and errors as in `plausibility`."""
    drawn = _with_curves(summary, model, "sizes")
    with styled():
        axes = _distributions(drawn, "sizes", axes)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_xlabel("items a user (bins are wider to the right)")
        _finish(axes, "How many items users hold")
        _legend_below(axes)
    return axes


def popularity(summary: Summary, model: str | None = None, axes: "Axes | None" = None) -> "Axes":
    """Draw which share of all preferences goes to the most popular items; see `plausibility`."""
    drawn = _with_curves(summary, model, "popularity")
    with styled():
        axes = new_axes(axes, 5.5, 4.2)
        first = drawn[0][1]["curves"]["popularity"]  # type: ignore[index]
        axes.plot(first["items"], first["real"], **REAL_LOOK.line(REAL_LABEL))
        for place, one in drawn:
            own = one["curves"]["popularity"]  # type: ignore[index]
            axes.plot(own["items"], own["synthetic"], **look(place).line(shortened(one["name"])))
        axes.plot(first["items"], first["popularity"], **POPULARITY_LOOK.line(POPULARITY_LABEL))
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.xaxis.set_major_formatter(_percent)
        axes.yaxis.set_major_formatter(_percent)
        axes.set_xlabel("most popular items, share of the catalogue")
        axes.set_ylabel("share of all preferences")
        axes.legend(loc="lower right")
        _finish(axes, "Which items preferences go to")
    return axes


def fidelity_coverage(summary: Summary, axes: "Axes | None" = None) -> "Axes":
    """Draw fidelity against coverage, with 95% intervals: the upper right is best.

    Fidelity is the share of users that `UnrealisticUsers` does not flag, so that real users, who
    are flagged at its level, have .95 and not 1. Coverage is `NeighbourCoverage`.

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
    flagged, covered = _plain_metric(summary, "UnrealisticUsers"), _coverage_metric(summary)
    if flagged is None or covered is None:
        raise ValueError(_not_measured("UnrealisticUsers and NeighbourCoverage"))
    level = number(flagged["level"] or 0.05)
    with styled():
        axes = new_axes(axes, 6.2, 4.8)
        _scatter(
            axes,
            summary,
            (covered["name"], False),
            (flagged["name"], True),
            (f"coverage: real users with a synthetic user near them ({covered['name']})"),
            (f"fidelity: users not flagged as unrealistic at {level}"),
        )
        _finish(axes, "Believable and complete: the upper right is best")
    return axes


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
        what = "divergence, bits" if pair[0].startswith("Frontier") else "share, at least"
        across, up = (pair[1], False), (pair[0], False)
        words = (f"missing: {what} ({pair[1]})", f"unrealistic: {what} ({pair[0]})")
    else:
        flagged, covered = _plain_metric(summary, "UnrealisticUsers"), _coverage_metric(summary)
        if flagged is None or covered is None:
            raise ValueError(_not_measured("FrontierUnrealistic and FrontierMissing"))
        across, up = (covered["name"], True), (flagged["name"], False)
        words = (
            f"missing: real users with no synthetic user near them (1 - {covered['name']})",
            f"unrealistic: users flagged at {number(flagged['level'] or 0.05)}",
        )
    with styled():
        axes = new_axes(axes, 6.2, 4.8)
        _scatter(axes, summary, across, up, *words)
        _finish(axes, "Unrealistic and missing: the lower left is best")
    return axes


def user(
    summary: Summary, user_id: str, model: str | None = None, axes: "Axes | None" = None
) -> "Axes":
    """Draw how odd each item of a user is; those that give the user away are hatched and explained.

    A bar says which share of real users' preferences, for items about as popular in profiles about
    as large, are more in place.

    Parameters
    ----------
    summary : dict
        See `cornac_mle.report.summary`.
    user_id : str
        Id of a user of the gallery.
    model : str, optional
        Name of the model that made the user up. None: the first that shows a user of this id.
    axes : Axes, optional
        Where to draw. None: a new figure.

    Returns
    -------
    Axes
        What was drawn on.

    Raises
    ------
    ValueError
        If no such user is shown.
    """
    owner, shown = _shown_user(summary, user_id, model)
    items = shown["items"][:MOST_BARS]
    with styled():
        axes = new_axes(axes, 8.5, 1.2 + 0.26 * max(len(items), 3))
        for place, item in enumerate(items):
            odd = 1.0 if item["p_value"] is None else 1 - item["p_value"]
            is_known = item["p_value"] is not None or bool(_layout.against(item)[1])
            offends = item["is_offending"]
            axes.barh(
                place,
                odd if is_known else 0.0,
                height=0.72,
                color=PAPER if offends else SYNTHETIC[0],
                edgecolor=SYNTHETIC[1] if offends else SYNTHETIC[0],
                hatch="////" if offends else None,
                lw=1.0,
            )
            if offends:
                share, reason = _layout.against(item)
                words = reason if share == "100%" else f"odder than {share}; not with {reason}"
                if not item["against"]:
                    words = reason if share == "100%" else f"odder than {share}"
                _beside(axes, place, f"◂ {shortened(words, 60)}")
            elif not is_known:
                _beside(axes, place, "not judged", at=0.01)
        names = [shortened(item["name"] or item["item"], 34) for item in items]
        axes.set_yticks(range(len(items)), names, parse_math=False)
        axes.set_ylim(len(items) - 0.4, -0.6)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(_percent)
        more = shown["n_items"] - len(items)
        rest = f"; {more:,} more, less odd, are not drawn" if more else ""
        axes.set_xlabel(f"odder than this share of real users' preferences{rest}")
        axes.grid(visible=False, axis="y")
        kind = "a real user" if shown["kind"] == "real" else f"made up by {owner['name']}"
        p_value = number(shown["p_value"])
        heading = f"User {shown['id']}, {kind}: {shown['n_items']:,} items, p-value {p_value}"
        _finish(axes, shortened(heading, 90))
    return axes


# ---------------------------------------------------------------------------------------- parts


def _distributions(drawn: "Sequence[tuple[int, Model]]", key: str, axes: "Axes | None") -> "Axes":
    """Draw histograms of real users, popularity and models: one alone, or rows of many."""
    alone = len(drawn) == 1
    axes = new_axes(axes, 5.5 if alone else WIDTH, 3.6 if alone else 1.4 + 0.62 * len(drawn))
    highest = max(max(model["curves"][key][one]) for _, model in drawn for one in _GROUPS)  # type: ignore[index]
    scale = 1.0 if alone else RIDGE_HEIGHT / max(highest, 1e-9)
    for row, (place, model) in enumerate(drawn):
        own = model["curves"][key]  # type: ignore[index]
        base = 0.0 if alone else float(len(drawn) - 1 - row)
        heights = {one: [base + scale * share for share in own[one]] for one in _GROUPS}
        style = look(place)
        axes.stairs(
            heights["synthetic"],
            own["edges"],
            baseline=base,
            fill=True,
            color=style.colour,
            alpha=0.3,
            lw=0,
        )
        name = shortened(model["name"])
        for group, kind, label in (
            ("synthetic", style, name if alone else None),
            ("popularity", POPULARITY_LOOK, None if row else POPULARITY_LABEL),
            ("real", REAL_LOOK, None if row else REAL_LABEL),
        ):
            line = kind.line(label)
            line["lw"] *= 0.8
            axes.stairs(heights[group], own["edges"], baseline=base, **line)
        if not alone:
            axes.axhline(base, color=GRID, lw=0.6, zorder=0.5)
    if alone:
        axes.set_ylabel("share of users")
        axes.set_ylim(0, None)
    else:
        names = [shortened(model["name"], 28) for _, model in drawn]
        axes.set_yticks(range(len(drawn))[::-1], names, parse_math=False)
        axes.set_ylim(-0.08, len(drawn))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
    return axes


_GROUPS = ("synthetic", "popularity", "real")


def _scatter(
    axes: "Axes",
    summary: Summary,
    across: tuple[str, bool],
    up: tuple[str, bool],
    x_label: str,
    y_label: str,
) -> None:
    """Draw two metrics against each other, each from 1 downwards where its flag is set."""
    named = []
    for place, model in enumerate(_layout.shown_models(summary)):
        x, y = (_interval(model["values"].get(name), flip=flip) for name, flip in (across, up))
        if x is None or y is None:
            continue
        own = look(place)
        axes.errorbar(
            x[0],
            y[0],
            xerr=[[x[0] - x[1]], [x[2] - x[0]]],
            yerr=[[y[0] - y[1]], [y[2] - y[0]]],
            elinewidth=1.0,
            **own.points(shortened(model["name"])),
        )
        named.append(Named(shortened(model["name"], 28), x[0], y[0], INK, x[1], x[2], y[1], y[2]))
    for key, style, label in (
        ("real_users", REAL_LOOK, REAL_LABEL),
        ("popularity", POPULARITY_LOOK, POPULARITY_LABEL),
    ):
        found = [_reference(summary, name, key, flip=flip) for name, flip in (across, up)]
        x_end, y_end = found
        if x_end is not None:
            axes.axvline(x_end, color=style.colour, ls=style.dash, lw=0.9, zorder=1)
        if y_end is not None:
            axes.axhline(y_end, color=style.colour, ls=style.dash, lw=0.9, zorder=1)
        if x_end is not None and y_end is not None:
            points = style.points(label)
            size = 11 if key == "real_users" else 8
            width = 0.6 if key == "real_users" else 2.2
            points.update(markersize=size, markeredgewidth=width, markeredgecolor=style.colour)
            axes.plot(x_end, y_end, **points)
            named.append(Named(label, x_end, y_end, INK, x_end, x_end, y_end, y_end))
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.margins(0.12)
    axes.autoscale_view()
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    place_labels(axes, named)


def _points_on_scale(
    axes: "Axes",
    own: Look,
    label: str,
    values: Sequence[float],
    heights: Sequence[float],
    errors: Sequence[tuple[float, float]],
) -> None:
    """Draw values with intervals; those beyond the scale are arrows at its end."""
    low, high = SCALE_ENDS
    inside = [place for place, value in enumerate(values) if low <= value <= high]
    axes.errorbar(
        [values[place] for place in inside],
        [heights[place] for place in inside],
        xerr=[[errors[place][side] for place in inside] for side in (0, 1)],
        elinewidth=1.2,
        **own.points(label),
    )
    for value, height in zip(values, heights, strict=True):
        if not low <= value <= high:
            end, marker = (low, "<") if value < low else (high, ">")
            keywords = {**own.points(), "marker": marker, "markersize": 8}
            axes.plot([end], [height], **keywords)
            axes.annotate(
                number(value),
                (end, height),
                (8 if value < low else -8, 0),
                textcoords="offset points",
                ha="left" if value < low else "right",
                va="center",
                fontsize=7.5,
            )


def _ends(axes: "Axes", *, horizontal: bool, real: float, floor: float) -> None:
    """Draw ceiling and floor."""
    line = axes.axhline if horizontal else axes.axvline
    line(floor, **POPULARITY_LOOK.line(POPULARITY_LABEL))
    line(real, **REAL_LOOK.line(REAL_LABEL))


def _finish(axes: "Axes", heading: str) -> None:
    axes.set_title(heading, parse_math=False)
    axes.tick_params(colors=INK, labelsize=8.5)
    figure = axes.get_figure(root=True)
    if figure is not None and not figure.get_label():
        figure.set_label(heading)


def _legend_below(axes: "Axes") -> None:
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles,
        labels,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.18 if len(labels) < 20 else -0.1),
        ncols=min(3, max(len(labels), 1)),
        frameon=False,
    )


def _beside(axes: "Axes", place: int, words: str, *, at: float = 1.0) -> None:
    """Write beside a bar, to the right of the axes."""
    axes.annotate(
        words,
        (at, place),
        (4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        parse_math=False,
        annotation_clip=False,
    )


def _percent(value: float, _place: int | None = None) -> str:
    return f"{value:.0%}"


# -------------------------------------------------------------------------------------- numbers


def _interval(value: Value | None, *, flip: bool) -> tuple[float, float, float] | None:
    """Give a value and the ends of its interval, from 1 downwards if `flip`."""
    if value is None or value["value"] is None:
        return None
    middle = value["value"]
    low = middle if value["low"] is None else min(value["low"], middle)
    high = middle if value["high"] is None else max(value["high"], middle)
    return (1 - middle, 1 - high, 1 - low) if flip else (middle, low, high)


def _normalised(value: Value | None) -> tuple[float, float, float] | None:
    """Give a value and its interval on the scale from popularity to real users."""
    found = _interval(value, flip=False)
    if found is None or value is None or value["normalised"] is None:
        return None
    real, floor = value["real_users"], value["popularity"]
    if real is None or floor is None or real == floor:
        return None
    middle, low, high = ((one - floor) / (real - floor) for one in found)
    return middle, min(low, high), max(low, high)


def _has_ends(models: Sequence[Model], metric: str) -> bool:
    values = [model["values"][metric] for model in models if metric in model["values"]]
    return any(one["real_users"] is not None and one["popularity"] is not None for one in values)


def _is_apart(models: Sequence[Model], metric: str) -> bool:
    return any(_normalised(model["values"].get(metric)) is not None for model in models)


def _reference(summary: Summary, metric: str, key: str, *, flip: bool) -> float | None:
    """Give what real users or popularity get, of the first model that has it, as the table does."""
    for model in summary["models"]:
        found = (model["values"].get(metric) or {}).get(key)
        if found is not None:
            return 1 - float(found) if flip else float(found)  # type: ignore[arg-type]
    return None


def _plain_metric(summary: Summary, stem: str) -> Metric | None:
    """Find the metric that asks the primary judge about implausible users."""
    for metric in _layout.shown_metrics(summary):
        is_plain = metric["tail"] in (None, "implausible") and not metric["conditional"]
        if metric["name"].split("@")[0] == stem and is_plain:
            return metric
    return None


def _coverage_metric(summary: Summary) -> Metric | None:
    return _plain_metric(summary, "NeighbourCoverage")


def _not_measured(names: str) -> str:
    return refusal("summary", f"hold {names}", "a report without", "Measure them, too.")


def _with_curves(summary: Summary, model: str | None, key: str) -> list[tuple[int, Model]]:
    """List models that have something to draw, with their places among all."""
    shown = list(enumerate(_layout.shown_models(summary)))
    if model is not None:
        shown = [(place, one) for place, one in shown if one["name"] == model]
        if not shown:
            names = ", ".join(one["name"] for one in _layout.shown_models(summary))
            raise ValueError(
                refusal("model", "name a model of the report", model, f"It has: {names}.")
            )
    drawn = [(place, one) for place, one in shown if key in (one["curves"] or {})]
    if not drawn:
        rule = f"hold the curves of {key}"
        raise ValueError(refusal("summary", rule, "a report without"))
    return drawn


def _shown_user(summary: Summary, user_id: str, model: str | None) -> tuple[Model, dict[str, Any]]:
    ids = []
    for owner in summary["models"]:
        if model is not None and owner["name"] != model:
            continue
        for shown in (owner["gallery"] or {}).get("users", []):
            if shown["id"] == str(user_id):
                return owner, shown
            ids.append(shown["id"])
    advice = f"Shown are: {', '.join(map(shortened, ids[:20]))}." if ids else "None is shown."
    raise ValueError(refusal("user_id", "be of a user of the gallery", user_id, advice))
