"""A run folder: scores, synthetic users and a manifest, whole or not at all."""

import hashlib
import json
import platform
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import false_discovery_control

from cornac_mle.report.measurement import WORST_JUDGE, MetricNote
from cornac_mle.report.report import Report

PACKAGES = ("cornac-mle", "cornac", "numpy", "scipy", "pandas", "scikit-learn", "torch")


def write_run(
    report: Report,
    folder: Path,
    arguments: dict[str, Any],
    data_hash: str,
    preferences: pd.DataFrame,
) -> Path:
    """Write a run folder: tables as CSV, profiles/ and manifest.json.

    It is written beside its place under another name and then moved, so that it is whole or absent.

    Parameters
    ----------
    report : Report
        What is written.
    folder : Path
        Place of the run folder; if it is taken, ``-2``, ``-3``, ... is appended.
    arguments : dict
        What the run was asked for; goes into the manifest.
    data_hash : str
        Hash of the feedback, see `hash_feedback`.
    preferences : DataFrame
        The least believable preferences of each model's users, see `unrealistic_preferences`.

    Returns
    -------
    Path
        The folder that was written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        report.scores.to_csv(partial / "scores.csv", index=False)
        unrealistic_users(report).to_csv(partial / "unrealistic_users.csv", index=False)
        preferences.to_csv(partial / "unrealistic_preferences.csv", index=False)
        (partial / "profiles").mkdir()
        for model, profiles in report.synthetic.items():
            name = "".join(sign if sign.isalnum() else "_" for sign in model)
            profiles.write(partial / "profiles" / f"{name}.csv.gz")
        manifest = {
            "dataset": report.dataset,
            "data_sha256": data_hash,
            "arguments": arguments,
            "groups": report.groups,
            "dropped": report.dropped,
            "versions": versions(),
        }
        text = json.dumps(manifest, indent=2, default=str, sort_keys=True)
        (partial / "manifest.json").write_text(text + "\n", encoding="utf-8")
        partial.chmod(0o755)
        target = free_name(folder)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return target


def unrealistic_users(report: Report, false_discovery_rate: float = 0.1) -> pd.DataFrame:
    """List synthetic users with their p-values, and which are flagged at a false discovery rate.

    Benjamini-Hochberg over the users of one model; `q_value` at most `false_discovery_rate` is
    flagged.
    """
    columns = ["model", "fit_seed", "sampling_seed", "user", "p_value", "q_value", "flagged"]
    users = report.per_user
    if users.empty:
        return pd.DataFrame(columns=columns)
    # Of the primary judge; at another level the p-values are the same ones.
    primary = [name for name, note in report.metrics.items() if _lists_users(note)]
    users = users[users["metric"].isin(primary) & (users["users"] == "held-out")]
    parts = []
    for _, part in users[users["metric"] == users["metric"].min()].groupby(
        ["model", "fit_seed", "sampling_seed"], dropna=False
    ):
        q_values = false_discovery_control(part["value"].to_numpy())
        listed = part.assign(p_value=part["value"], q_value=q_values)
        listed["flagged"] = q_values <= false_discovery_rate
        parts.append(listed[columns])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _lists_users(note: MetricNote) -> bool:
    """Whether a metric's values of users are the primary judge's plain p-values."""
    plain = note.tail == "implausible" and not note.conditional and not note.second_opinion
    return plain and note.judge != WORST_JUDGE


def hash_feedback(frame: pd.DataFrame) -> str:
    """SHA-256 of a feedback table, independent of where it came from."""
    rows = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return hashlib.sha256(rows.tobytes()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that a result depends on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def free_name(folder: Path) -> Path:
    """`folder`, or the first of folder-2, folder-3, ... that does not exist."""
    candidate, number = folder, 1
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate
