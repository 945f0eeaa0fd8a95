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


def three_digits(value: float) -> str:
    """Write a positive number with two or three digits that count.

    >>> three_digits(0.347), three_digits(23.04), three_digits(2507.3)
    ('.35', '23', '2,507')
    """
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}".removeprefix("0")


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


@figure("best_speed", "../tests/benchmarks/table.py", f"{RESULTS}/speed.csv")
def best_speed(found: pd.DataFrame) -> str:
    """Say how much faster three jobs are than with other libraries."""
    vectors, race, vae = found.set_index("row").loc[["vectors", "race", "VAE"], "times_faster"]
    return (
        f"- On one thread six neighbour metrics are {vectors:.1f} times as fast as PyPI's `prdc`, "
        f"drawing items from scores {race:.1f} times as fast as torch, training a VAE {vae:.1f} "
        "times as fast as Cornac's VAECF of the same shape"
    )


@figure("growth", "../tests/benchmarks/growth.py", f"{RESULTS}/growth.csv")
def growth(found: pd.DataFrame) -> str:
    """Tell how seconds grow with synthetic users at fixed real users."""
    rows = []
    most = found["users"].max()
    for metric, one in found.groupby("metric", sort=False):
        last = one[one["users"] == most].iloc[0]
        cells = [seconds(last["seconds"]), f"{one['mebibytes'].max():.0f} MiB"]
        rows.append([f"`{metric}`", *cells, f"{last['exponent']:.2f}"])
    return table(["metric", f"{most:,} users", "extra memory", "exponent"], rows)


@figure("on_cuda", "../tests/benchmarks/on_cuda.py", f"{RESULTS}/on_cuda.csv")
def on_cuda(found: pd.DataFrame) -> str:
    """Compare training on a CUDA device with one thread, and with Cornac's there."""
    rows = []
    for _, one in found.iterrows():
        times = one["cpu_seconds"] / one["cuda_seconds"]
        peer = seconds(one["peer_seconds"])
        ours = f"{seconds(one['cuda_seconds'])}, {one['cuda_mebibytes']:.0f} MiB"
        one_thread = f"{seconds(one['cpu_seconds'])} ({three_digits(times)} times)"
        rows.append([one["what"], ours, one_thread, peer])
    device = found["device"].iloc[0]
    return table(["what", f"on {device}", "one thread", "Cornac's VAECF there"], rows)


STAGES = {
    "sample": "sample",
    "audit": "audit, two workers",
    "audit, Dask's memory": "the same as Dask starts them",
    "block": "a worker alone, one block",
    "finish": "the last step alone",
}


@figure("scale", "scale.py", f"{RESULTS}/scale.csv")
def scale(found: pd.DataFrame) -> str:
    """Tell what sampling and a shared audit cost, by the number of users."""
    rows = []
    for stage, name in STAGES.items():
        own = found[found["stage"] == stage].sort_values(["n_items", "n_users"])
        for _, one in own.iterrows():
            memory = "" if pd.isna(one["peak_mib"]) else f"{one['peak_mib']:,.0f} MiB"
            spent = one["cpu_seconds"]
            cells = [f"{one['n_users']:,}", f"{one['n_items']:,}", three_digits(spent)]
            cells.append(f"{three_digits(1e6 * spent / one['n_users'])} µs")
            rows.append([name, *cells, memory])
    return table(["stage", "users", "items", "processor seconds", "a user", "memory"], rows)
