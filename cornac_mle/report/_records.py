"""Records of finished fits: what a report needs of each, in JSON and plain arrays."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cornac_mle.files.npz import read_arrays, write_arrays
from cornac_mle.files.paths import atomic_path
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import NUMBER_FIELDS, Measurement, MetricNote, Score
from cornac_mle.report.report import Report

ENTRIES, ARRAYS, USERS, PREFERENCES = "entries.json", "arrays.npz", "users.npz", "preferences.npz"
"""Files of a record: measurements, their arrays, synthetic users, their worst preferences."""
ARRAY_FIELDS = ("per_user", "on_splits", "user_ids")
DETAIL_NAMES, DETAILS = "detail_names", "details"


@dataclass(frozen=True)
class Fit:
    """What a record is of.

    Attributes
    ----------
    model : str
        Name of the model.
    fit_seed : int or None
        Random seed that it was fitted with, where it has one.
    """

    model: str
    fit_seed: int | None


def write_record(
    folder: Path, fit: Fit, entries: Sequence[Score], report: Report, users: Profiles | None
) -> None:
    """Write what was measured of one fit into a folder, with the users that it made up."""
    folder.mkdir()
    arrays = measured_arrays(entries)
    rows = [entry.row() for entry in entries]
    metrics = {entry.metric for entry in entries}
    record = {
        "model": fit.model,
        "fit_seed": fit.fit_seed,
        "entries": rows,
        "arrays": list(arrays),
        "metrics": {name: asdict(report.metrics[name]) for name in sorted(metrics)},
        "judge_families": {
            name: family for name, family in report.judge_families.items() if name == fit.model
        },
        "cautions": {name: text for name, text in report.cautions.items() if name in metrics},
    }
    write_json(folder / ENTRIES, record)
    write_arrays(folder / ARRAYS, arrays)
    if users is not None:
        users.write(folder / USERS)


def read_record(folder: Path, report: Report) -> Fit:
    """Take a record into a report; give what it is of.

    Raises
    ------
    ValueError, KeyError, TypeError, OSError
        If the record is damaged.
    """
    record = read_json(folder / ENTRIES)
    arrays = read_arrays(folder / ARRAYS, record["arrays"])
    entries = [entry_of(number, row, arrays) for number, row in enumerate(record["entries"])]
    fit = Fit(record["model"], record["fit_seed"])
    notes = {name: MetricNote(**note) for name, note in record["metrics"].items()}
    users = Profiles.read(folder / USERS) if (folder / USERS).exists() else None
    report.entries += entries
    report.metrics |= notes
    report.judge_families |= record["judge_families"]
    for metric, text in record["cautions"].items():
        report.add_caution(metric, text)
    if users is not None:
        report.synthetic.setdefault(fit.model, users)
    return fit


def measured_arrays(entries: Sequence[Score]) -> dict[str, npt.NDArray[Any]]:
    """Give the arrays of measurements, under names that number the entries."""
    arrays = {}
    for number, entry in enumerate(entries):
        for name in ARRAY_FIELDS:
            values = getattr(entry.measurement, name)
            if values is not None:
                arrays[f"{name}_{number}"] = _plain_array(values)
        details = entry.measurement.details
        if details:
            arrays[f"{DETAIL_NAMES}_{number}"] = np.array(list(details), dtype=str)
            arrays[f"{DETAILS}_{number}"] = np.array(list(details.values()), dtype=np.float64)
    return arrays


def entry_of(number: int, row: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Score:
    """Make an entry of its row and of the arrays that are named after its number."""
    numbers = {name: row[name] for name in NUMBER_FIELDS}
    others = {name: value for name, value in row.items() if name not in numbers}
    per_user, on_splits, ids = (arrays.get(f"{name}_{number}") for name in ARRAY_FIELDS)
    index = None if ids is None else pd.Index(ids.astype(object), dtype=object)
    names, details = (arrays.get(f"{name}_{number}") for name in (DETAIL_NAMES, DETAILS))
    measurement = Measurement(
        **numbers,
        per_user=per_user,
        on_splits=on_splits,
        user_ids=index,
        details=None
        if names is None or details is None
        else dict(zip(names.tolist(), details.tolist(), strict=True)),
    )
    return Score(**others, measurement=measurement)


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write the columns of a table, text or numbers, as plain arrays."""
    columns = {f"column_{name}": _plain_array(frame[name]) for name in frame.columns}
    write_arrays(path, {"columns": np.array(list(frame.columns), dtype=str)} | columns)


def read_frame(path: Path) -> pd.DataFrame:
    """Read what `write_frame` wrote."""
    names = [str(name) for name in read_arrays(path, ["columns"])["columns"]]
    arrays = read_arrays(path, [f"column_{name}" for name in names])
    return pd.DataFrame(
        {
            name: pd.Series(values.astype(object) if values.dtype.kind == "U" else values)
            for name, values in zip(names, arrays.values(), strict=True)
        }
    )


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON, whole or not at all; what is neither its own nor numpy's becomes text."""
    with atomic_path(path) as temporary:
        text = json.dumps(content, indent=2, default=_plain_value)
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    ValueError
        If it is none.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        msg = f"{path.name} holds no JSON object"
        raise ValueError(msg)  # noqa: TRY004  # the content is wrong
    return content


def _plain_value(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else str(value)


def _plain_array(values: Any) -> npt.NDArray[Any]:
    array = np.asarray(values)
    return array if array.dtype.kind in "biuf" else array.astype(str)
