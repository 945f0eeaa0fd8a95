"""Seconds and memory of an audit from Parquet to report: `pytest -m benchmark -n 0 -s -k audit`.

The small one takes half a minute, the large one three. Another size: the numbers of real users,
synthetic users and items, ``AUDIT_SIZE=100000,100000,20000``; it is timed, and nothing asserted.
A process of its own, whose memory is its own, with all processors that there are.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from large_tables import write_tables

pytestmark = pytest.mark.benchmark
SCRIPT = Path(__file__).with_name("audit_run.py")


def audited(folder, *sizes):
    """Audit tables of these sizes in a process of its own; seconds, peak memory and values."""
    tables = write_tables(folder, *sizes)
    environment = {name: text for name, text in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [sys.executable, str(SCRIPT), *map(str, tables)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(run.stdout.splitlines()[-1])
    users = " + ".join(f"{count:,}" for count in sizes[:2])
    print(
        f"\naudit of {users} users x {sizes[2]:,} items: {found['seconds']:.0f} s, of which "
        f"{found['reading']:.0f} s for reading; {found['mebibytes']:,.0f} MiB"
    )
    return found


@pytest.mark.parametrize(
    ("sizes", "most_seconds", "most_mebibytes"),
    [
        ((4_000, 10_000, 5_000), 60, 1_000),
        ((20_000, 100_000, 20_000), 180, 4_000),
    ],
    ids=["small", "large"],
)
def test_audit_of_parquet_files(tmp_path, sizes, most_seconds, most_mebibytes):
    found = audited(tmp_path, *sizes)
    assert found["seconds"] < most_seconds
    assert found["mebibytes"] < most_mebibytes
    # The world is as it was: synthetic users are between real ones and popularity.
    assert 0.1 < found["values"]["UnrealisticUsers@0.05"] < 0.95


@pytest.mark.skipif("AUDIT_SIZE" not in os.environ, reason="no AUDIT_SIZE")
def test_audit_of_a_size_of_choice(tmp_path):
    found = audited(tmp_path, *map(int, os.environ["AUDIT_SIZE"].split(",")))
    print(json.dumps(found, indent=2))
