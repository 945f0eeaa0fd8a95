"""Ours against a peer and against the physical limit: ``python tests/benchmarks/table.py``.

Each row of `rows.py` has a process of its own, of one thread; ours, the peer and the limit take
turns, and the fastest of each counts, in seconds of processor time, so that other processes of the
machine count little. Memory is what a first run adds to the process at its peak (Linux). Writes
experiments/results/speed.csv, row by row; options:

    --only NAME ...   only these rows; the others stay in the file as they are
    --check           write nothing; fail where a ratio has fallen by a third
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS), str(TESTS / "benchmarks")]

TABLE = TESTS.parent / "experiments" / "results" / "speed.csv"
ROLES = ("ours", "peer", "limit")
WORST = 2 / 3
"""Part of a committed ratio that may be left."""


def peak_mebibytes(action: Callable[[], Any]) -> float:
    """Memory that an action adds to the process at its peak; NaN where the system does not tell."""
    reset = Path("/proc/self/clear_refs")
    if not reset.exists():
        return float("nan")
    reset.write_text("5")
    before = _status("VmRSS")
    action()
    return (_status("VmHWM") - before) / 2**10


def _status(name: str) -> int:
    rows = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(row for row in rows if row.startswith(name)).split()[1])


def processor_seconds(action: Callable[[], Any]) -> float:
    """Time once."""
    start = time.process_time()
    action()
    return time.process_time() - start


def measured(name: str) -> dict[str, Any]:
    """Measure one row in this process."""
    from rows import ROWS

    row = ROWS[name]()
    actions = {role: getattr(row, role) for role in ROLES if getattr(row, role) is not None}
    found: dict[str, Any] = {"row": name, "what": row.what}
    for role, action in actions.items():  # the first run also warms up
        found[f"{role}_mebibytes"] = round(peak_mebibytes(action))
    best = dict.fromkeys(actions, float("inf"))
    for repeat in range(row.repeats):
        for role, action in actions.items():
            if role != "peer" or repeat < row.peer_repeats:
                best[role] = min(best[role], processor_seconds(action))
    if "peer" in best:
        best["peer"] /= row.peer_share
    for role, seconds in best.items():
        found[f"{role}_seconds"] = round(seconds, 4)
    for role, ratio in (("peer", "times_faster"), ("limit", "times_limit")):
        if role in best:
            name_of = row.peer_name if role == "peer" else row.limit_name
            parts = best["ours"] / best[role]
            found |= {role: name_of, ratio: round(1 / parts if role == "peer" else parts, 2)}
    return found


def in_process(name: str) -> dict[str, Any]:
    """Measure one row in a process of its own, of one thread."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, __file__, "--row", name]
    run = subprocess.run(command, env=os.environ | one, stdout=subprocess.PIPE, text=True)
    if run.returncode:
        sys.exit(f"the row {name!r} failed")
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def fallen(before: pd.DataFrame, now: pd.DataFrame) -> list[str]:
    """Say which ratios have fallen by a third, or more."""
    faults = []
    for name in now.index.intersection(before.index):
        faster, was = now.loc[name, "times_faster"], before.loc[name, "times_faster"]
        if faster < WORST * was:
            faults.append(f"{name}: {faster} times faster than the peer, was {was}")
        slower, was = now.loc[name, "times_limit"], before.loc[name, "times_limit"]
        if slower > was / WORST:
            faults.append(f"{name}: {slower} times the limit, was {was}")
    return faults


COLUMNS = [
    "what",
    *("ours_seconds", "ours_mebibytes"),
    *("peer", "peer_seconds", "peer_mebibytes", "times_faster"),
    *("limit", "limit_seconds", "limit_mebibytes", "times_limit"),
]


def main() -> None:
    """Measure, print, and write or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.row:
        print(json.dumps(measured(asked.row)))
        return
    from rows import ROWS

    empty = pd.DataFrame(columns=COLUMNS, index=pd.Index([], name="row"))
    before = pd.read_csv(TABLE, index_col="row") if TABLE.exists() else empty
    table, faults = before, []
    for name in asked.only or ROWS:
        found = in_process(name)
        print(pd.Series(found).to_string(), "\n", flush=True)
        now = pd.DataFrame([found]).set_index("row").reindex(columns=COLUMNS)
        if asked.check:
            faults += fallen(before, now)
            continue
        kept = table.drop(index=name, errors="ignore")
        table = pd.concat([kept, now]) if len(kept) else now
        table.reindex([one for one in ROWS if one in table.index]).to_csv(TABLE)
    sys.exit("\n".join(faults) or None)


if __name__ == "__main__":
    main()
