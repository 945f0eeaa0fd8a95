"""A run folder: scores, synthetic users and a manifest, whole or not at all."""

import errno
import hashlib
import logging
import math
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
from scipy.stats import false_discovery_control

from cornac_mle.checks import refusal
from cornac_mle.files.interactions import finite_number, write_table
from cornac_mle.files.locks import new_folder
from cornac_mle.files.npz import read_arrays, write_arrays
from cornac_mle.files.paths import atomic_path
from cornac_mle.profiles import Profiles
from cornac_mle.report._folder_readme import folder_readme
from cornac_mle.report._records import entry_of, measured_arrays, read_json, write_json
from cornac_mle.report.markdown import as_markdown
from cornac_mle.report.measurement import (
    NUMBER_FIELDS,
    SCORE_COLUMNS,
    WORST_JUDGE,
    MetricNote,
    Score,
)
from cornac_mle.report.page import Drawn, as_page
from cornac_mle.report.report import Report
from cornac_mle.report.summary import Summary

logger = logging.getLogger("cornac_mle")
Draw: TypeAlias = Callable[[Summary], Drawn]
"""Function that draws the pictures of models of a summary."""
FORMAT = 2
"""Of manifest.json and the tables; another one is not read."""
MANIFEST, SUMMARY, ARRAYS, PROFILES = "manifest.json", "summary.json", "arrays.npz", "profiles"
MADE = ("date", "seconds", "platform", "versions", "arguments", "data_sha256")
"""What `Report.made` holds of every run."""
MANY_PREFERENCES = 1_000_000
"""From so many on, profiles are written as arrays, which is many times as fast as a table."""
PACKAGES = ("cornac-mle", "cornac", "numpy", "scipy", "pandas", "scikit-learn", "torch")
FINISHED, RUN = "finished", "run.json"
"""Folder of the records of finished fits, and what it says of the run."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


def write_run(
    report: Report,
    folder: Path,
    *,
    records: Path | None = None,
    extra_files: Mapping[str, str] | None = None,
    draw: Draw | None = None,
) -> Path:
    """Write a run folder; see `Report.write`.

    It is written beside its place under another name and then moved, so that it is whole or absent.
    Text in the tables is text in a spreadsheet, too: see `protected`. The profiles, which are data,
    have ids exactly as they are.

    Parameters
    ----------
    report : Report
        What is written.
    folder : Path
        Place of the run folder; if it is taken, ``-2``, ``-3``, ... is appended.
    records : Path, optional
        Folder of records of finished fits that goes into the run folder.
    extra_files : mapping, optional
        Text of further files by name.
    draw : callable, optional
        Function of the summary that draws models' pictures, in other processes say.

    Returns
    -------
    Path
        The folder that was written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished, handle = new_folder(folder)
    try:
        _write_tables(report, unfinished)
        arrays = measured_arrays(report.entries)
        write_arrays(unfinished / ARRAYS, arrays)
        profiles = _write_profiles(report, unfinished / PROFILES)
        write_json(unfinished / MANIFEST, _manifest(report, profiles, list(arrays)))
        write_faces(report.summary(), unfinished, draw)
        for name, text in (extra_files or {}).items():
            write_text(unfinished / name, text)
        if records is not None:
            shutil.copytree(records, unfinished / FINISHED)
        names = [path.name for path in unfinished.iterdir()]
        write_text(unfinished / "README.md", folder_readme(names))
        return _moved(unfinished, folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    finally:
        os.close(handle)


def write_faces(summary: Summary, folder: Path, draw: Draw | None = None) -> None:
    """Write the summary and what is made of it alone: Markdown, and the page where it can be."""
    write_json(folder / SUMMARY, dict(summary))
    write_text(folder / "report.md", as_markdown(summary))
    if find_spec("jinja2") is None:
        logger.warning("no page was written: pip install cornac-mle[report] brings what it takes")
    else:
        drawn = None if draw is None else draw(summary)
        write_text(folder / "report.html", as_page(summary, drawn))


def write_text(path: Path, text: str) -> None:
    """Write text, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _write_tables(report: Report, folder: Path) -> None:
    """Write the tables."""
    write_table(protected(report.scores), folder / "scores.csv")
    write_table(protected(unrealistic_users(report)), folder / "unrealistic_users.csv")
    write_table(protected(report.preferences), folder / "unrealistic_preferences.csv")
    if report.item_names:
        names = pd.DataFrame(report.item_names.items(), columns=["item", "name"])
        write_table(protected(names), folder / "items.csv")


def _write_profiles(report: Report, folder: Path) -> dict[str, str]:
    """Write the synthetic users of each model; gives the names of files by model."""
    folder.mkdir()
    files = {}
    for model, name in _file_names(report.synthetic).items():
        users = report.synthetic[model]
        files[model] = f"{name}{'.csv.gz' if users.matrix.nnz < MANY_PREFERENCES else '.npz'}"
        users.write(folder / files[model])
    return files


def _manifest(report: Report, profiles: dict[str, str], arrays: list[str]) -> dict[str, Any]:
    """Give all of a report that is in no table, for `read_run`."""
    return {
        "format": FORMAT,
        "kind": report.kind,
        "dataset": report.dataset,
        **{name: report.made[name] for name in MADE if name in report.made},
        "made": {name: value for name, value in report.made.items() if name not in MADE},
        "failed": report.failed,
        "groups": report.groups,
        "dropped": report.dropped,
        "notes": report.notes,
        "cautions": report.cautions,
        "alerts": report.alerts,
        "judge_families": report.judge_families,
        "metrics": {name: asdict(note) for name, note in report.metrics.items()},
        "unknown_items": {
            model: [[str(item), int(count)] for item, count in counts.items()]
            for model, counts in report.unknown_items.items()
        },
        "profiles": profiles,
        "arrays": arrays,
    }


def read_run(folder: Path) -> Report:
    """Read a run folder; see `Report.read`."""
    if not (folder / MANIFEST).is_file():
        what = "a folder without manifest.json" if folder.is_dir() else "no such folder"
        raise FileNotFoundError(refusal("folder", "be a run folder", f"{str(folder)!r}: {what}"))
    try:
        return _read(folder)
    except (KeyError, TypeError, AttributeError, ValueError, OSError) as error:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
        got = f"{str(folder)!r}, which is damaged or of another version ({reason})"
        raise ValueError(refusal("folder", "be a run folder", got, "Run it again.")) from error


def _read(folder: Path) -> Report:
    manifest = read_json(folder / MANIFEST)
    if manifest.get("format") != FORMAT:
        raise ValueError(refusal("format", f"be {FORMAT}", manifest.get("format")))
    summary = read_json(folder / SUMMARY)
    names = folder / "items.csv"
    made = {name: manifest[name] for name in MADE if name in manifest} | manifest["made"]
    return Report(
        manifest["dataset"],
        kind=manifest["kind"],
        entries=_read_entries(folder, manifest["arrays"]),
        groups=manifest["groups"],
        dropped=manifest["dropped"],
        synthetic={
            model: Profiles.read(folder / PROFILES / name)
            for model, name in manifest["profiles"].items()
        },
        metrics={name: MetricNote(**note) for name, note in manifest["metrics"].items()},
        judge_families=manifest["judge_families"],
        cautions=manifest["cautions"],
        alerts=manifest["alerts"],
        notes=manifest["notes"],
        unknown_items={
            model: pd.Series(dict(counts), dtype="int64")
            for model, counts in manifest["unknown_items"].items()
        },
        failed=manifest["failed"],
        item_names=dict(_text_rows(names, ["item", "name"])) if names.exists() else {},
        preferences=_read_preferences(folder / "unrealistic_preferences.csv"),
        gallery={one["name"]: one["gallery"] for one in summary["models"] if one["gallery"]},
        curves={one["name"]: one["curves"] for one in summary["models"] if one["curves"]},
        made=made,
    )


def _read_entries(folder: Path, names: list[str]) -> list[Score]:
    """Read scores.csv, and the arrays that belong to its rows."""
    rows = list(_text_rows(folder / "scores.csv", list(SCORE_COLUMNS)))
    arrays = read_arrays(folder / ARRAYS, names)
    texts = set(SCORE_COLUMNS) - set(NUMBER_FIELDS)
    whole = {"fit_seed", "sampling_seed", "n_real", "n_synthetic", "n_left_out"}
    entries = []
    for number, row in enumerate(rows):
        cells: dict[str, Any] = {}
        for name, text in zip(SCORE_COLUMNS, row, strict=True):
            if name in texts - whole - {"level", "conditional"}:
                cells[name] = (text or None) if name in ("judge", "tail") else text
            elif name == "conditional":
                cells[name] = text == "True"
            elif text == "":
                cells[name] = float("nan") if name in ("value", "loss") else None
            else:
                cells[name] = int(float(text)) if name in whole else float(text)
        entries.append(entry_of(number, cells, arrays))
    return entries


def _read_preferences(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    for name in frame.columns:
        if name in ("percentile", "p_value", "user_p_value", "user_q_value"):
            frame[name] = [float(text) if text else float("nan") for text in frame[name]]
        elif name == "rank":
            frame[name] = frame[name].astype("int64")
        elif name == "flagged":
            frame[name] = frame[name] == "True"
        else:
            frame[name] = [unprotected(text) for text in frame[name]]
    return frame


def _text_rows(path: Path, columns: list[str]) -> Iterator[list[str]]:
    """Yield the rows of a table of a run folder as text, as it was before it was protected."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    if list(frame.columns) != columns:
        raise ValueError(refusal(path.name, f"have the columns {', '.join(columns)}", "others"))
    for row in frame.itertuples(index=False, name=None):
        yield [unprotected(cell) for cell in row]


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
