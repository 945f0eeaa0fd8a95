"""The picture of `validity.py`, from the tables that it has written: error rates and power.

Command: python experiments/validity.py --out docs/validity --draw
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cornac_mle.report.style import REAL, look, new_figure, save, styled

ALPHA = "0.05"
TABLES = ("type1_size", "type1_popularity", "power")
SWAPPED = {"real": 0, "swap 10%": 10, "swap 25%": 25, "swap 50%": 50}
ENDS = {"size": ("smallest", "largest"), "popularity": ("rarest", "most\npopular")}


def numbers(cells: pd.Series) -> np.ndarray:
    """Read the numbers of each cell of a column such as "29 (7-27) !", (n_rows, n_numbers)."""
    return np.array([[float(part) for part in re.findall(r"[\d.]+", cell)] for cell in cells])


def draw_error_rates(axis: Axes, table: pd.DataFrame, kind: str) -> None:
    """Draw rejections by fifth, marginal and conditional, each with the limits of its own level."""
    place, users = np.arange(len(table)), table["users"].to_numpy()[:, np.newaxis]
    axis.axhline(float(ALPHA), color=REAL, lw=1, label="the level, .05")
    for number, name in enumerate(("marginal", "conditional")):
        style = look(number)
        rejected, low, high = (numbers(table[f"{name[:4]}. {ALPHA}"]) / users).T
        axis.fill_between(place, low, high, color=style.colour, alpha=0.18, lw=0)
        for edge in (low, high):
            axis.plot(place, edge, color=style.colour, lw=0.8, ls=style.dash)
        label = f"{name}; band: 95% limits of its level"
        axis.plot(place, rejected, **style.line(label), marker=style.marker)
    axis.set_xticks(place, (ENDS[kind][0], *table[kind].iloc[1:-1], ENDS[kind][1]))
    axis.set_xlabel(f"{kind} of the profile, fifths")
    axis.set_ylabel("real users flagged at .05")
    axis.set_ylim(-0.035, None)  # room for the legend
    axis.set_yticks(np.arange(0, axis.get_ylim()[1], 0.02))
    axis.legend(loc="lower right")


def draw_power(axis: Axes, table: pd.DataFrame) -> None:
    """Draw users flagged by the share of items swapped, a line a data set."""
    axis.axhline(float(ALPHA), color=REAL, lw=1, label="real users, .05")
    for place, (_, row) in enumerate(table.iterrows()):
        share, error = numbers(row[list(SWAPPED)]).T
        name = str(row["data"]).replace("_", " ")
        style = look(place)
        axis.errorbar(
            list(SWAPPED.values()), share, 2 * error, marker=style.marker, **style.line(name)
        )
    axis.set_xlabel("items of each user swapped for popularity draws, %")
    axis.set_ylabel("users flagged at .05 (± 2 s.e.)")
    axis.set_ylim(0, 1)
    axis.legend()


def draw(folder: Path) -> None:
    """Draw validity.png from the tables in the folder."""
    by_size, by_popularity, power = (pd.read_csv(folder / f"{name}.csv") for name in TABLES)
    with styled():
        drawn = new_figure(14, 4.6)
        axes = drawn.subplots(1, 3)
        draw_error_rates(axes[0], by_size, "size")
        draw_error_rates(axes[1], by_popularity, "popularity")
        draw_power(axes[2], power)
        drawn.set_label("Real users flagged, by size and popularity; corrupted users flagged")
        save(drawn, folder / "validity.png")
