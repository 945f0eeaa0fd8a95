"""A run folder: scores, synthetic users and a manifest, whole or not at all."""

import errno
import hashlib
import json
import math
import os
import platform
import shutil
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import false_discovery_control

from cornac_mle.files.interactions import finite_number, write_table
from cornac_mle.files.locks import new_folder
from cornac_mle.files.paths import atomic_path
from cornac_mle.report.measurement import WORST_JUDGE, MetricNote
from cornac_mle.report.report import Report

PACKAGES = ("cornac-mle", "cornac", "numpy", "scipy", "pandas", "scikit-learn", "torch")
FINISHED, RUN = "finished", "run.json"
"""Folder of the records of finished fits, and what it says of the run."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


def write_run(
    report: Report,
    folder: Path,
    arguments: dict[str, Any],
    data_hash: str,
    preferences: pd.DataFrame,
    *,
    records: Path | None = None,
    extra_files: Mapping[str, str] | None = None,
) -> Path:
    """Write a run folder: tables as CSV, profiles/ and manifest.json.

    It is written beside its place under another name and then moved, so that it is whole or absent.
    Text in the tables is text in a spreadsheet, too: see `protected`. The profiles, which are data,
    have ids exactly as they are.

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
    records : Path, optional
        Folder of records of finished fits that goes into the run folder.
    extra_files : mapping, optional
        Texts of further files by name: the run's configuration, say.

    Returns
    -------
    Path
        The folder that was written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished, handle = new_folder(folder)
    try:
        write_table(protected(report.scores), unfinished / "scores.csv")
        write_table(protected(unrealistic_users(report)), unfinished / "unrealistic_users.csv")
        write_table(protected(preferences), unfinished / "unrealistic_preferences.csv")
        (unfinished / "profiles").mkdir()
        for model, name in _file_names(report.synthetic).items():
            report.synthetic[model].write(unfinished / "profiles" / f"{name}.csv.gz")
        manifest = {
            "dataset": report.dataset,
            "data_sha256": data_hash,
            "arguments": arguments,
            "failed": report.failed,
            "groups": report.groups,
            "dropped": report.dropped,
            "versions": versions(),
        }
        text = json.dumps(manifest, indent=2, default=str, sort_keys=True)
        with atomic_path(unfinished / "manifest.json") as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
        for name, content in (extra_files or {}).items():
            with atomic_path(unfinished / name) as temporary:
                temporary.write_text(content, encoding="utf-8")
        if records is not None:
            shutil.copytree(records, unfinished / FINISHED)
        return _moved(unfinished, folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    finally:
        os.close(handle)


def _moved(unfinished: Path, folder: Path) -> Path:
    """Give a folder its name, or the next that is free: another run may take one meanwhile."""
    while True:
        target = free_name(folder)
        try:
            unfinished.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
        else:
            return target


def _file_names(models: Iterable[str]) -> dict[str, str]:
    """Name of each model's file: letters and digits, and no two alike."""
    names: dict[str, str] = {}
    for model in models:
        plain = name = "".join(sign if sign.isalnum() else "_" for sign in model)[:80]
        number = 1
        while name in names.values():
            number += 1
            name = f"{plain}_{number}"
        names[model] = name
    return names


def protected(frame: pd.DataFrame) -> pd.DataFrame:
    """Make text of what a spreadsheet would run: a cell that begins with =, +, -, @, tab or return.

    An apostrophe goes before it, and before text that begins with an apostrophe, so that
    `unprotected` has it back. Text that is a number stays as it is, and so do numbers.

    >>> protected(pd.DataFrame({"item": ["=1+1", "-5", "tea"], "value": [-1, 0, 1]}))
        item  value
    0  '=1+1     -1
    1     -5      0
    2    tea      1
    """
    texts = frame.select_dtypes(exclude="number").columns
    return frame.assign(**{name: frame[name].map(_protected_cell) for name in texts})


def unprotected(cell: str) -> str:
    """Give the text that a cell of a run folder's tables stands for: see `protected`.

    >>> unprotected("'=1+1"), unprotected("tea")
    ('=1+1', 'tea')
    """
    return cell.removeprefix("'")


def _protected_cell(cell: object) -> object:
    runs = isinstance(cell, str) and cell.startswith(FORMULA_STARTS)
    return f"'{cell}" if runs and math.isnan(finite_number(cell)) else cell


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
    while os.path.lexists(candidate):
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate
