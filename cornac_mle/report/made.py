"""How and of what a report was made: date, duration, platform, versions, hash of the data."""

import hashlib
import platform
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

MADE = ("date", "seconds", "platform", "versions", "arguments", "data_sha256")
"""What `Report.made` holds of every run."""
PACKAGES = ("cornac-mle", "cornac", "numpy", "scipy", "pandas", "scikit-learn", "torch")


def hash_feedback(frame: pd.DataFrame) -> str:
    """SHA-256 of a feedback table, independent of where it came from."""
    rows = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return hashlib.sha256(rows.tobytes()).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file, or of the files of a folder in the order of their names."""
    digest = hashlib.sha256()
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    for file in files:
        with file.open("rb") as handle:
            digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()


def made_now(
    started: float, arguments: Mapping[str, Any], data_hash: str | Mapping[str, str]
) -> dict[str, Any]:
    """Say how a report was made: `started` is of `time.monotonic`."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - started, 1),
        "platform": platform.platform(),
        "versions": versions(),
        "arguments": dict(arguments),
        "data_sha256": data_hash,
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that a result depends on."""
    return {"python": platform.python_version()} | {one: _version(one) for one in PACKAGES}


@cache
def _version(package: str) -> str:
    """Version of what is installed; a process asks several times."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
