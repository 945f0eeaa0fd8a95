"""Seconds and memory: tables from `tests/benchmarks/table.py`."""

import pandas as pd

from building.registry import RESULTS, figure, table


def seconds(value: float) -> str:
    """Write seconds with two digits that count.

    >>> seconds(0.0681), seconds(2.3771), seconds(14.05)
    ('.068 s', '2.4 s', '14 s')
    """
    if pd.isna(value):
        return ""
    return f"{value:.0f} s" if value >= 10 else f"{value:.2g} s".removeprefix("0")


@figure("speed", "../tests/benchmarks/table.py", f"{RESULTS}/speed.csv")
def speed(found: pd.DataFrame) -> str:
    """Compare ours with the peer, and with the products that the job cannot do without."""
    rows = []
    for _, one in found.iterrows():
        memory = "" if pd.isna(one["ours_mebibytes"]) else f", {one['ours_mebibytes']:.0f} MiB"
        peer = f"{one['peer']}: {seconds(one['peer_seconds'])}"
        peer += f" ({one['times_faster']:.2g} times ours)"
        limit = ""
        if not pd.isna(one["limit_seconds"]):
            limit = (
                f"{one['limit']}: {seconds(one['limit_seconds'])} (ours {one['times_limit']:.2f})"
            )
        rows.append([one["what"], f"{seconds(one['ours_seconds'])}{memory}", peer, limit])
    return table(["what", "ours", "a peer as it ships", "the limit"], rows)


@figure("growth", "../tests/benchmarks/table.py --growth", f"{RESULTS}/growth.csv")
def growth(found: pd.DataFrame) -> str:
    """Tell how seconds grow with synthetic users at fixed real users."""
    rows = []
    most = found["users"].max()
    for metric, one in found.groupby("metric", sort=False):
        last = one[one["users"] == most].iloc[0]
        cells = [seconds(last["seconds"]), f"{one['mebibytes'].max():.0f} MiB"]
        rows.append([f"`{metric}`", *cells, f"{last['exponent']:.2f}"])
    return table(["metric", f"{most:,} users", "extra memory", "exponent"], rows)
