"""The pictures of the page, each with what it shows in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias

from cornac_mle.report import _layout
from cornac_mle.report._numbers import number, percent
from cornac_mle.report.summary import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALL, LARGE = (4.2, 3.0), (4.8, 4.2)
"""Inches: three small pictures stand beside one another; letters of both can be read on a phone."""
MOST_POINTS = 60
"""Models that one picture can show."""
GROUPS = {"real": "real users", "synthetic": "synthetic users", "popularity": "popularity"}
FIDELITY = ("UnrealisticUsers", "NeighbourCoverage")
FRONTIERS = (("FrontierUnrealistic", "FrontierMissing"), ("UnrealisticShare", "MissingShare"))


@dataclass(frozen=True)
class Picture:
    """A drawing: its heading, its SVG, how to read it, and what it shows in words."""

    heading: str
    svg: str
    caption: str
    words: str


Drawn: TypeAlias = Mapping[str, list[Picture]]
"""Pictures of each model."""


class Pictures:
    """Pictures of a summary, drawn when they are asked for, and once only.

    `drawn` are those of models that have been drawn elsewhere.
    """

    def __init__(self, summary: Summary, drawn: "Drawn | None" = None) -> None:
        self._summary = summary
        self._drawn = drawn or {}
        self.of_model = cache(self._of_model)
        self.of_all = cache(self._of_all)

    def _of_all(self) -> list[Picture]:
        """Draw what compares all models, where it was measured."""
        from cornac_mle.report import plots

        found: list[Picture] = []
        if len(_layout.shown_models(self._summary)) > MOST_POINTS:
            return found
        if names := self._measured(FIDELITY):
            found.append(
                _picture(
                    "Believable against complete",
                    partial(plots.fidelity_coverage, self._summary),
                    "The upper right is best. Crosses are 95% intervals.",
                    self._in_words(names),
                    LARGE,
                )
            )
        if names := self._measured(FRONTIERS[0]) or self._measured(FRONTIERS[1]):
            found.append(
                _picture(
                    "Unrealistic against missing",
                    partial(plots.frontier, self._summary),
                    "The lower left is best. Crosses are 95% intervals.",
                    self._in_words(names),
                    LARGE,
                )
            )
        return found

    def _of_model(self, model: str) -> list[Picture]:
        """Draw the distributions of one model's users."""
        if model in self._drawn:
            return self._drawn[model]
        from cornac_mle.report import plots

        curves = next(m for m in self._summary["models"] if m["name"] == model)["curves"]
        if not curves:
            return []
        drawn: tuple[tuple[str, str, Callable[..., Any], str, str], ...] = (
            (
                "plausibility",
                "Plausibility",
                plots.plausibility,
                "Left: odd users. Good users lie as real ones do, not further right.",
                f"Median plausibility: {_medians(curves.get('plausibility'))}.",
            ),
            (
                "sizes",
                "Items a user",
                plots.sizes,
                "How many items users hold.",
                f"Median number of items: {_medians(curves.get('sizes'))}.",
            ),
            (
                "popularity",
                "Popular items",
                plots.popularity,
                "How much of all preferences goes to the most popular items.",
                f"To the most popular tenth of the items go {_tenths(curves.get('popularity'))} "
                "of all preferences.",
            ),
        )
        return [
            _picture(heading, partial(draw, self._summary, model), caption, words, SMALL)
            for key, heading, draw, caption, words in drawn
            if curves.get(key)
        ]

    def _measured(self, stems: tuple[str, str]) -> list[str]:
        """Give the names of two metrics, or nothing where one was not measured."""
        names = [
            next(
                (m["name"] for m in self._summary["metrics"] if m["name"].split("@")[0] == stem), ""
            )
            for stem in stems
        ]
        return names if all(names) else []

    def _in_words(self, names: list[str]) -> str:
        parts = []
        for model in _layout.shown_models(self._summary):
            cells = ["".join(_layout.cell(model["values"].get(name))[:2]) for name in names]
            parts.append(f"{model['name']} {', '.join(cells)}")
        real = [_layout.reference(self._summary, name, "real_users") for name in names]
        return f"{', '.join(names)}: real users {', '.join(real)}; {'; '.join(parts)}."


def _picture(
    heading: str,
    draw: "Callable[[Axes], object]",
    caption: str,
    words: str,
    inches: tuple[float, float],
) -> Picture:
    from cornac_mle.report import plots
    from cornac_mle.report.style import new_figure, styled

    figure = new_figure(*inches)
    with styled():
        axes = figure.add_subplot()
        draw(axes)
        axes.set_title("")
    figure.set_label(f"{heading}. {words}")
    return Picture(heading, plots.as_svg(figure), caption, words)


def _medians(histogram: Mapping[str, Any] | None) -> str:
    """Spell the middle of the bin that holds each group's median."""
    if not histogram:
        return ""
    edges = histogram["edges"]
    parts = []
    for group, name in GROUPS.items():
        total = 0.0
        for place, share in enumerate(histogram[group]):
            total += share
            if total >= 0.5:
                parts.append(f"{name} {number((edges[place] + edges[place + 1]) / 2)}")
                break
    return ", ".join(parts)


def _tenths(curve: Mapping[str, Any] | None) -> str:
    if not curve:
        return ""
    place = min(range(len(curve["items"])), key=lambda one: abs(curve["items"][one] - 0.1))
    return ", ".join(f"{percent(curve[group][place])} ({name})" for group, name in GROUPS.items())
