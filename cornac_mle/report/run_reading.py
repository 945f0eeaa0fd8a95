"""Reading a run folder back into a report."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from cornac_mle.checks import refusal
from cornac_mle.files.npz import read_arrays
from cornac_mle.profiles import Profiles
from cornac_mle.report._records import entry_of, read_json
from cornac_mle.report.made import MADE
from cornac_mle.report.measurement import NUMBER_FIELDS, SCORE_COLUMNS, MetricNote, Score
from cornac_mle.report.report import Report
from cornac_mle.report.run_folder import ARRAYS, FORMAT, MANIFEST, PROFILES, SUMMARY, unprotected


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
