"""A run folder: scores, synthetic users and a manifest, whole or not at all."""

import errno
import logging
import math
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
from scipy.stats import false_discovery_control

from cornac_mle.files.interactions import finite_number, write_table
from cornac_mle.files.locks import new_folder
from cornac_mle.files.npz import write_arrays
from cornac_mle.files.paths import atomic_path
from cornac_mle.report._folder_readme import folder_readme
from cornac_mle.report._records import measured_arrays, write_json
from cornac_mle.report.made import MADE
from cornac_mle.report.markdown import as_markdown
from cornac_mle.report.measurement import (
    WORST_JUDGE,
    MetricNote,
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
MANY_PREFERENCES = 1_000_000
"""From so many on, profiles are written as arrays, which is many times as fast as a table."""
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


def free_name(folder: Path) -> Path:
    """`folder`, or the first of folder-2, folder-3, ... that does not exist."""
    candidate, number = folder, 1
    while os.path.lexists(candidate):
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate
