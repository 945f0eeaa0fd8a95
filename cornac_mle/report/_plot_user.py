"""Draw one user of the gallery: how odd each item is, and which give the user away."""

from typing import TYPE_CHECKING, Any

from cornac_mle.checks import refusal
from cornac_mle.report import _layout
from cornac_mle.report._drawn import finish, legend_below, percent_tick
from cornac_mle.report._numbers import counted, number
from cornac_mle.report.style import PAPER, SYNTHETIC, new_axes, shortened, styled
from cornac_mle.report.summary import Model, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BARS = 20
"""Items of a user that are drawn; the others are counted."""
PLAIN, OFFENDING = SYNTHETIC[0], SYNTHETIC[1]


def user(
    summary: Summary, user_id: str, model: str | None = None, axes: "Axes | None" = None
) -> "Axes":
    """Draw how odd each item of a user is; those that give the user away are hatched and explained.

    A bar says which share of real users' preferences, for items about as popular in profiles about
    as large, are more in place. Items stand in the judge's order, the least believable first: each
    is judged without those above it, so that the bars need not fall.

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
    owner, shown = _shown(summary, user_id, model)
    items = shown["items"][:MOST_BARS]
    with styled():
        axes = new_axes(axes, 8.5, 1.5 + 0.26 * max(len(items), 3))
        for place, item in enumerate(items):
            _bar(axes, place, item)
        names = [shortened(item["name"] or item["item"], 34) for item in items]
        axes.set_yticks(range(len(items)), names, parse_math=False)
        axes.set_ylim(max(len(items), 1) - 0.4, -0.6)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(percent_tick)
        more = shown["n_items"] - len(items)
        rest = f"\n({counted(more, 'more item')} not drawn)" if more else ""
        axes.set_xlabel(f"odder than so many real preferences{rest}")
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        kind = "a real user" if shown["kind"] == "real" else f"made up by {owner['name']}"
        heading = (
            f"User {shown['id']}, {kind}: {counted(shown['n_items'], 'item')}, "
            f"p-value {number(shown['p_value'])}"
        )
        legend_below(axes, lines=2 if more else 1)
        finish(axes, shortened(heading, 80))
    return axes


def _shown(summary: Summary, user_id: str, model: str | None) -> tuple[Model, dict[str, Any]]:
    """Find the user, and the model whose gallery it is in."""
    ids = []
    for owner in summary["models"]:
        if model not in (None, owner["name"]):
            continue
        for one in (owner["gallery"] or {}).get("users", []):
            if one["id"] == str(user_id):
                return owner, one
            ids.append(shortened(one["id"]))
    advice = f"Shown are: {', '.join(ids[:20])}." if ids else "No user is shown."
    raise ValueError(refusal("user_id", "be a user of the gallery", user_id, advice))


def _bar(axes: "Axes", place: int, item: dict[str, Any]) -> None:
    """Draw one item, and write beside it what is wrong with it."""
    share, reason = _layout.against(item)
    is_nobodys = reason == _layout.NOBODY_HOLDS_IT
    odd = 1.0 if is_nobodys else None if item["p_value"] is None else 1 - item["p_value"]
    offends = item["is_offending"]
    label = "gives the user away" if offends else "other items"
    axes.barh(
        place,
        0.0 if odd is None else odd,
        height=0.72,
        color=PAPER if offends else PLAIN,
        edgecolor=OFFENDING if offends else PLAIN,
        hatch="////" if offends else None,
        lw=1.0,
        label=None if label in axes.get_legend_handles_labels()[1] else label,
    )
    words = ""
    if odd is None:
        words = "not judged: there is no other item"
    elif offends and is_nobodys:
        words = reason
    elif offends:
        held = f": does not go with {reason}" if item["against"] else ""
        words = f"{share}{held}"
    if words:
        axes.annotate(
            f"◂ {shortened(words, 62)}" if offends else words,
            (0.0 if odd is None else 1.0, place),
            (5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            parse_math=False,
            annotation_clip=False,
        )
