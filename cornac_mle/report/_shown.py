"""A figure that a notebook shows without pyplot, in the notebook's own text colour."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cornac_mle.files.markup import NO_FORMULAS
from cornac_mle.report._svg import as_svg

if TYPE_CHECKING:
    from matplotlib.figure import FigureBase

PAINT = (
    "--ink: currentColor; --real: currentColor; --paper: transparent; "
    "--grid: rgba(128, 128, 128, .35); --popularity: #808080"
)
"""What can be seen on white and on black."""
MOST_LAYOUTS, STILL = 12, 1e-4
"""Rounds of layout, and the share of the figure that nothing may move by in the last."""


class ShownFigure(Figure):
    """A figure that is the output of a cell where it is the last value of it."""

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(self)

    def settle(self) -> None:
        """Lay out until nothing moves any more, and keep that: the same drawing each time."""
        before, engine = np.zeros((2, 2)), self.get_layout_engine()
        assert engine is not None  # "constrained", or what stands for none in its place
        for _ in range(MOST_LAYOUTS):
            engine.execute(self)
            now = self.axes[0].get_position().get_points()
            if np.abs(now - before).max() < STILL:
                break
            before = now
        self.set_layout_engine("none")

    def _repr_html_(self) -> str:
        return f'<div class="{NO_FORMULAS}" style="{PAINT}; color: inherit">{as_svg(self)}</div>'


class ShownAxes(Axes):
    """Axes that show their figure, if it is one of ours."""

    def _repr_html_(self) -> str | None:
        figure: FigureBase | None = self.get_figure(root=True)
        return figure._repr_html_() if isinstance(figure, ShownFigure) else None
