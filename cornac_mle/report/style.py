"""One look of all pictures: of reports, of the page, and of `experiments/`.

Colours are those of Okabe and Ito, which colour-blind readers tell apart; every series has a dash
and a marker of its own besides. Only real users are a solid line, only popularity is dotted.
Nothing global is changed: no pyplot, no rcParams outside of `styled`.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cornac_mle.files.markup import shortened as shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GRID, PAPER = "#333333", "#d9d9d9", "#ffffff"
REAL, POPULARITY = "#1b1b1b", "#767676"
SYNTHETIC = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "p")
DASHES: tuple[Any, ...] = (
    "--",
    "-.",
    (0, (7, 2)),
    (0, (5, 1, 1, 1, 1, 1)),
    (0, (2, 1)),
    (0, (8, 2, 2, 2)),
    (0, (3, 3)),
)
"""Markers, dashes and colours are 11, 7 and 6 in number, so that 462 series differ."""
DOTS_PER_INCH = 200
RC: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.facecolor": PAPER,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "errorbar.capsize": 0.0,
    "figure.dpi": 100,
    "figure.edgecolor": PAPER,
    "figure.facecolor": PAPER,
    "figure.labelsize": 10,
    "font.size": 9,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.8,
    "legend.facecolor": PAPER,
    "legend.edgecolor": GRID,
    "legend.fontsize": 8.5,
    "legend.framealpha": 0.9,
    "legend.handlelength": 2.8,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.5,
    "lines.markersize": 6,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "none",
    "text.color": INK,
    # Names come from data files, and "$" in one of them is no formula.
    "text.parse_math": False,
    "xtick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.color": INK,
    "ytick.labelsize": 8.5,
}


class Look(NamedTuple):
    """How a series is drawn."""

    colour: str
    marker: str
    dash: Any
    width: float

    def line(self, label: str | None = None) -> dict[str, Any]:
        """Keywords of a line without markers."""
        return {"color": self.colour, "ls": self.dash, "lw": self.width, "label": label}

    def points(self, label: str | None = None) -> dict[str, Any]:
        """Keywords of points, or of `Axes.errorbar`, without a line."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "ls": "",
            "markeredgecolor": INK,
            "markeredgewidth": 0.6,
            "label": label,
        }


REAL_LABEL, POPULARITY_LABEL = "real users", "independent popularity"
REAL_LOOK = Look(REAL, "*", "-", 2.0)
POPULARITY_LOOK = Look(POPULARITY, "x", ":", 1.8)


def look(place: int) -> Look:
    """Give the look of a set of synthetic users by its place among all.

    >>> look(0)
    Look(colour='#0072b2', marker='o', dash='--', width=1.5)
    """
    return Look(
        SYNTHETIC[place % len(SYNTHETIC)],
        MARKERS[place % len(MARKERS)],
        DASHES[place % len(DASHES)],
        1.5,
    )


@contextmanager
def styled() -> Iterator[None]:
    """Draw in this style for a while."""
    import matplotlib as mpl

    with mpl.rc_context(RC), warnings.catch_warnings():
        # Names of items may be in any script; a browser has fonts that matplotlib has not.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        warnings.filterwarnings("ignore", "Matplotlib currently does not support .* natively")
        yield


def new_figure(width: float, height: float) -> "Figure":
    """Make a figure of this size in inches, without pyplot, laid out so that nothing is cut off."""
    from cornac_mle.report._shown import ShownFigure

    with styled():
        return ShownFigure(width, height)


def new_axes(axes: "Axes | None", width: float, height: float) -> "Axes":
    """Return these axes, or new ones in a figure of this size in inches."""
    from cornac_mle.report._shown import ShownAxes

    return new_figure(width, height).add_subplot(axes_class=ShownAxes) if axes is None else axes


def draw_ends(
    axes: "Axes",
    real: float | None,
    popularity: float | None,
    *,
    upright: bool = False,
    labels: tuple[str | None, str | None] = (REAL_LABEL, POPULARITY_LABEL),
    width: float = 1.0,
) -> None:
    """Draw ceiling and floor across axes, behind all else.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    real, popularity : float or None
        What real users and popularity get; None draws no line.
    upright : bool
        Whether the lines stand, since the values are along the x axis.
    labels : pair of str or None
        Names in the legend; None leaves one out.
    width : float
        Factor on the width of the lines.
    """
    draw = axes.axvline if upright else axes.axhline
    ends = zip((real, popularity), (REAL_LOOK, POPULARITY_LOOK), labels, strict=True)
    for place, one, label in ends:
        if place is not None:
            draw(place, zorder=1, **{**one.line(label), "lw": one.width * width})


def save(figure: "Figure", path: str | Path) -> None:
    """Write a picture as PNG at 200 dots an inch, and as SVG beside it.

    Parameters
    ----------
    figure : Figure
        What is drawn.
    path : str or Path
        Name of the PNG; that of the SVG has the other ending.
    """
    from cornac_mle.report._shown import ShownFigure
    from cornac_mle.report._svg import as_svg

    if isinstance(figure, ShownFigure):
        figure.settle()
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with styled():
        figure.savefig(path.with_suffix(".png"), dpi=DOTS_PER_INCH, metadata={"Software": None})
    path.with_suffix(".svg").write_text(as_svg(figure, themed=False) + "\n", encoding="utf-8")
