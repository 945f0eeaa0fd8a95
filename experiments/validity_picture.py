"""The picture of `validity.py`, from the tables that it has written: error rates and power.

Command: python experiments/validity.py --out docs/validity --draw
"""

import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

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
    axis.axhline(float(ALPHA), color="0.4", lw=1)
    for name, mark, colour in (("marginal", "o--", "C0"), ("conditional", "s-", "C1")):
        rejected, low, high = (numbers(table[f"{name[:4]}. {ALPHA}"]) / users).T
        axis.fill_between(place, low, high, color=colour, alpha=0.18, lw=0)
        for edge in (low, high):
            axis.plot(place, edge, color=colour, lw=0.8, ls=mark[1:])
        label = f"{name}; band: 95% limits of its level"
        axis.plot(place, rejected, mark, color=colour, label=label)
    axis.set_xticks(place, (ENDS[kind][0], *table[kind].iloc[1:-1], ENDS[kind][1]))
    axis.set_xlabel(f"{kind} of the profile, fifths")
    axis.set_ylabel("real users flagged at .05")
    axis.set_ylim(-0.005, None)
    axis.legend(loc="lower right", fontsize=8)


def draw_power(axis: Axes, table: pd.DataFrame) -> None:
    """Draw users flagged by the share of items swapped, a line a data set."""
    for _, row in table.iterrows():
        share, error = numbers(row[list(SWAPPED)]).T
        name = str(row["data"]).replace("_", " ")
        axis.errorbar(list(SWAPPED.values()), share, 2 * error, marker="o", capsize=2, label=name)
    axis.axhline(float(ALPHA), color="0.4", lw=1)
    axis.set_xlabel("items of each user swapped for popularity draws, %")
    axis.set_ylabel("users flagged at .05 (± 2 s.e.)")
    axis.set_ylim(0, 1)
    axis.legend(fontsize=8)


def draw(folder: Path) -> None:
    """Draw validity.png from the tables in the folder."""
    by_size, by_popularity, power = (pd.read_csv(folder / f"{name}.csv") for name in TABLES)
    drawn, axes = plt.subplots(1, 3, figsize=(14, 4.4), layout="constrained")
    draw_error_rates(axes[0], by_size, "size")
    draw_error_rates(axes[1], by_popularity, "popularity")
    draw_power(axes[2], power)
    drawn.savefig(folder / "validity.png", dpi=110)
    plt.close(drawn)
