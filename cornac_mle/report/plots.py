"""Pictures of a report: each takes and returns matplotlib's Axes, and draws a summary's numbers.

Without `axes` each makes a figure of its own, ``axes.figure``, which no pyplot knows of: a notebook
shows it, `save` writes it, `as_svg` puts it into a page. See `cornac_mle.report.style` for how real
users, popularity and models are told apart.
"""

from typing import TYPE_CHECKING

from cornac_mle.report._plot_curves import plausibility, popularity, sizes
from cornac_mle.report._plot_points import fidelity_coverage, frontier
from cornac_mle.report._plot_scores import scores
from cornac_mle.report._plot_user import user
from cornac_mle.report._svg import as_svg
from cornac_mle.report.style import save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cornac_mle.report.report import Report

__all__ = [
    "Plots",
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


class Plots:
    """Pictures of a report: `Report.plot`.

    Each method takes matplotlib's Axes to draw on, or makes a new figure, and returns the Axes.

    Parameters
    ----------
    report : Report
        What is drawn.

    Examples
    --------
    >>> from cornac_mle.report.measurement import Measurement, MetricNote, Score
    >>> from cornac_mle.report.report import Report
    >>> report = Report("tastes", metrics={"UnrealisticUsers@0.05": MetricNote("0.05", "flagged")})
    >>> found = Measurement(0.2, low=0.1, high=0.3, ceiling=0.05, floor=0.8, normalised=0.8)
    >>> report.entries.append(
    ...     Score("tastes", "PMF", "", "UnrealisticUsers@0.05", "held-out", 1, 0, found)
    ... )
    >>> axes = report.plot.scores()
    >>> axes.get_xlabel()
    'from independent popularity (0) to real users (1); bars: 95% intervals'
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['real users', 'independent popularity', 'PMF']

    ``axes.figure`` is the figure, and `save` writes it.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(axes.figure, Path(folder) / "scores.png")
    ...     sorted(path.name for path in Path(folder).iterdir())
    ['scores.png', 'scores.svg']
    """

    def __init__(self, report: "Report") -> None:
        self._report = report

    def scores(self, axes: "Axes | None" = None) -> "Axes":
        """Draw every metric on one scale, from independent popularity (0) to real users (1)."""
        return scores(self._report.summary(), axes)

    def plausibility(self, model: str | None = None, axes: "Axes | None" = None) -> "Axes":
        """Draw how plausible real users, synthetic users and popularity are; None: all models."""
        return plausibility(self._report.summary(), model, axes)

    def sizes(self, model: str | None = None, axes: "Axes | None" = None) -> "Axes":
        """Draw how many items users hold; None: all models."""
        return sizes(self._report.summary(), model, axes)

    def popularity(self, model: str | None = None, axes: "Axes | None" = None) -> "Axes":
        """Draw which share of all preferences goes to the most popular items; None: all models."""
        return popularity(self._report.summary(), model, axes)

    def fidelity_coverage(self, axes: "Axes | None" = None) -> "Axes":
        """Draw fidelity (1 - `UnrealisticUsers`) against `NeighbourCoverage`, with intervals."""
        return fidelity_coverage(self._report.summary(), axes)

    def frontier(self, axes: "Axes | None" = None) -> "Axes":
        """Draw how much is unrealistic against how much is missing."""
        return frontier(self._report.summary(), axes)

    def user(self, user_id: str, model: str | None = None, axes: "Axes | None" = None) -> "Axes":
        """Draw how odd each item of a user of the gallery is; None: the first such user."""
        return user(self._report.summary(), user_id, model, axes)

    def __repr__(self) -> str:
        names = [name for name in vars(Plots) if not name.startswith("_")]
        return f"Pictures of {self._report!r}: {', '.join(f'.{name}()' for name in names)}"
