"""Which figures there are, how they are spelt, and where they come from."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
RESULTS, VALIDITY = "experiments/results", "docs/validity"
DATA = "--data ../shared/data"
FLAGGED = "UnrealisticUsers@0.05 (worst)"
COVERED = "NeighbourCoverage@5"
TITLES = {
    "complete_journey": "Complete Journey",
    "movielens_100k": "MovieLens-100K",
    "lastfm": "Last.fm",
    "anime": "Anime",
    "movielens_1m": "MovieLens-1M",
    "book_crossing": "Book-Crossing",
    "movietweetings": "MovieTweetings",
    "ta_feng": "Ta-Feng",
    "citeulike": "CiteULike",
    "jester": "Jester",
    "movielens_small": "MovieLens, latest small",
}


class Figure(NamedTuple):
    """Text of a page that figures of a file give."""

    make: Callable[..., str]
    command: str
    files: tuple[str, ...]


FIGURES: dict[str, Figure] = {}


def figure(
    name: str, command: str, *files: str
) -> Callable[[Callable[..., str]], Callable[..., str]]:
    """Enter a function of one frame a file among the figures."""

    def enter(make: Callable[..., str]) -> Callable[..., str]:
        FIGURES[name] = Figure(make, command, files)
        return make

    return enter


def digits(value: float, n: int = 2) -> str:
    """Write n digits after the point, without a zero before it; nothing where there is no value.

    >>> digits(0.456), digits(-0.0421, 3), digits(1.0), digits(float("nan"))
    ('.46', '-.042', '1.00', '')
    """
    if pd.isna(value):
        return ""
    written = f"{value:.{n}f}"
    if float(written) == 0:
        written = written.removeprefix("-")
    return written.replace("0.", ".", 1) if written.lstrip("-").startswith("0.") else written


def or_zero(value: float, n: int) -> str:
    """As `digits`, and 0 for what rounds to it.

    >>> or_zero(0.0004, 3), or_zero(0.02, 3)
    ('0', '.020')
    """
    return "0" if round(value, n) == 0 else digits(value, n)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table of Markdown.

    >>> print(table(["", "n"], [["a", "1"]]))
    | | n |
    |---|---|
    | a | 1 |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("|" + "|".join(_cell(one) for one in line) + "|" for line in lines)


def _cell(one: str) -> str:
    return one if one == "---" else f" {one} ".replace("  ", " ")


def by(frame: pd.DataFrame, *columns: str, value: str = "value") -> dict[Any, float]:
    """Means of a value, by the columns."""
    return frame.groupby(list(columns), sort=False)[value].mean().to_dict()
