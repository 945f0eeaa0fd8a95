"""A figure that a notebook shows without pyplot, in the notebook's own text colour."""

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cornac_mle.markup import NO_FORMULAS
from cornac_mle.report._svg import as_svg

if TYPE_CHECKING:
    from matplotlib.figure import FigureBase

PAINT = (
    "--ink: currentColor; --real: currentColor; --paper: transparent; "
    "--grid: rgba(128, 128, 128, .35); --popularity: #808080"
)
"""What can be seen on white and on black."""


class ShownFigure(Figure):
    """A figure that is the output of a cell where it is the last value of it."""

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(self)

    def _repr_html_(self) -> str:
        return f'<div class="{NO_FORMULAS}" style="{PAINT}; color: inherit">{as_svg(self)}</div>'


class ShownAxes(Axes):
    """Axes that show their figure, if it is one of ours."""

    def _repr_html_(self) -> str | None:
        figure: FigureBase | None = self.get_figure(root=True)
        return figure._repr_html_() if isinstance(figure, ShownFigure) else None
