"""Audit two files and print seconds, peak memory and values as JSON: a process for a benchmark."""

import json
import resource
import sys
import time
from pathlib import Path


def peak_mebibytes() -> float:
    """Most memory that this process has held; on Linux without what its parent held."""
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(peak.split()[1]) / 2**10
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main(real: str, synthetic: str) -> None:
    """Audit, imports and reading included."""
    start = time.perf_counter()
    from cornac_mle.auditing import audit
    from cornac_mle.files.any_layout import read_interactions

    before = time.perf_counter()
    for path in (real, synthetic):
        read_interactions(path)
    reading = time.perf_counter() - before
    found = audit(real, {"synthetic": synthetic})
    report = found[0] if isinstance(found, tuple) else found
    seconds = time.perf_counter() - start - reading  # once, within the audit
    values = dict(zip(report.scores["metric"], report.scores["value"], strict=True))
    print(
        json.dumps(
            {
                "seconds": seconds,
                "reading": reading,
                "mebibytes": peak_mebibytes(),
                "values": values,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
