"""Partitions of synthetic users as they are read: users by items, and what was left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from cornac_mle.checks import refusal
from cornac_mle.eval_methods.user_splits import feedback_frame, keep_likes
from cornac_mle.files._parquet_layout import parts_of
from cornac_mle.files.any_layout import read_interactions
from cornac_mle.files.ids import factorised
from cornac_mle.files.records import pyarrow_parquet
from cornac_mle.files.refusals import naming_file, spelled_path
from cornac_mle.sparse import coo_to_csr, first_unkept

PANDAS_INDEX = "__index_level_"
"""Name of a column that pandas adds to some tables and not to others."""


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Attributes
    ----------
    columns : mapping
        Which column is which, where that was said: "user", "item", "rating", "time".
    wide : bool
        Whether a row holds a list of items.
    rating_threshold : float or None
        Least value that is a like.
    """

    columns: Mapping[str, str | int] = field(default_factory=dict)
    wide: bool = False
    rating_threshold: float | None = None


@dataclass(frozen=True, eq=False)
class PartUsers:
    """Users of one partition, each with an item, over the items that they hold.

    Attributes
    ----------
    matrix : csr_array, shape (n_users, n_items)
    user_ids, item_ids : ndarray of str
    columns : tuple of str
        Columns of the file; none of a file without rows.
    assumed : list of str
        What was assumed on reading.
    dropped : dict
        What was left out, and how much of it.
    """

    matrix: sp.csr_array
    user_ids: npt.NDArray[np.object_]
    item_ids: npt.NDArray[np.object_]
    columns: tuple[str, ...]
    assumed: list[str]
    dropped: dict[str, int]


def partitions_of(source: object, name: str) -> list[Path]:
    """Return the partitions of a folder, or the one Parquet file.

    Raises
    ------
    TypeError, ValueError
        If it is neither, or a partition is missing.
    """
    advice = "Write one with `cornac-mle sample --out FOLDER/`."
    if not isinstance(source, str | Path):
        rule = "be a folder of Parquet partitions, where workers share the audit"
        raise TypeError(refusal(name, rule, type(source).__name__, advice))
    path = Path(source)
    if path.is_dir():
        with naming_file(path):
            return parts_of(path)
    if path.name.lower().endswith((".parquet", ".pq")):
        return [path]
    rule = "be a folder of Parquet partitions, or one file of them, where workers share the audit"
    raise ValueError(refusal(name, rule, spelled_path(path), advice))


def read_part(path: Path, reading: Reading) -> PartUsers:
    """Read one partition; the same file gives the same users in the same order.

    Raises
    ------
    ValueError, OSError, ImportError
        If it cannot be read.
    """
    parquet = pyarrow_parquet()
    import pyarrow as pa

    columns: tuple[str, ...] = ()
    try:
        with parquet.ParquetFile(path) as file:
            schema, n_rows = file.schema_arrow, file.metadata.num_rows
            columns = tuple(name for name in schema.names if not name.startswith(PANDAS_INDEX))
            if not n_rows:
                return _nobody(columns)
            if _is_own(schema, reading, pa) and (own := _own_part(file.read(), reading, pa)):
                return own
    except (pa.ArrowException, OSError):
        pass  # the careful reader says what is wrong with it
    return _any_part(path, reading, columns)


def _nobody(columns: tuple[str, ...]) -> PartUsers:
    nothing = np.empty(0, dtype=object)
    return PartUsers(sp.csr_array((0, 0), dtype=np.float32), nothing, nothing, columns, [], {})


def _is_own(schema: Any, reading: Reading, pa: Any) -> bool:
    """Whether the columns are those that `sample` writes, so that nothing need be guessed."""
    ids = pa.dictionary(pa.int32(), pa.string())
    wanted = [("user", ids), ("item", ids), ("rating", pa.float64())]
    named = [(one.name, one.type) for one in schema]
    return named == wanted and not reading.columns and not reading.wide


def _own_part(table: Any, reading: Reading, pa: Any) -> PartUsers | None:
    """Read what `sample` writes; None where a careful reader must look at it."""
    table = table.unify_dictionaries().combine_chunks()
    columns = {name: _encoded(table[name], pa) for name in ("user", "item")}
    (user, users), (item, items) = columns["user"], columns["item"]
    rating = table["rating"].to_numpy()
    dropped = {}
    keep = np.ones(len(user), dtype=np.bool_)
    for what, missing in (
        ("rows without a user", user < 0),
        ("rows without an item", item < 0),
        ("rows without a rating", np.isnan(rating)),
    ):
        dropped[what] = int(np.count_nonzero(keep & missing))
        keep &= ~missing
    threshold = reading.rating_threshold
    if threshold is not None:
        low = keep & (rating < threshold)
        dropped[f"ratings below {threshold:g}"] = int(np.count_nonzero(low))
        left = keep & ~low
        lost = len(np.unique(user[keep])) - len(np.unique(user[left]))
        dropped[f"users without a rating of {threshold:g} or more"] = lost
        keep = left
    user, item, rating = user[keep], item[keep], rating[keep]
    if first_unkept(rating) is not None or any(not one.strip() for one in (*users, *items)):
        return None
    matrix = coo_to_csr(rating, user, item, (len(users), len(items)))
    if matrix.nnz < len(rating) or not matrix.has_canonical_format:  # a pair is there twice
        return None
    held = np.flatnonzero(np.diff(matrix.indptr))
    assumed = ["read Parquet", "user = user", "item = item", "rating = rating"]
    return PartUsers(
        matrix[held], users[held], items, tuple(table.column_names), assumed, _counted(dropped)
    )


def _encoded(column: Any, pa: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.object_]]:
    """Codes of a column, -1 of nothing, and the ids that they stand for."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0)
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, array.dictionary.to_numpy(zero_copy_only=False).astype(object)


def _any_part(path: Path, reading: Reading, columns: tuple[str, ...]) -> PartUsers:
    """Read a partition of whatever tool."""
    chosen = reading.columns
    read = read_interactions(
        path,
        user_column=chosen.get("user"),
        item_column=chosen.get("item"),
        rating_column=chosen.get("rating"),
        time_column=chosen.get("time"),
        wide=reading.wide,
    )
    frame = feedback_frame(read.frame)
    threshold = reading.rating_threshold
    if threshold is not None and not (frame["rating"] >= threshold).any():
        twice = int(frame.duplicated(["user", "item"]).sum())
        dropped = {
            "repeated pairs": twice,
            f"ratings below {threshold:g}": len(frame) - twice,
            f"users without a rating of {threshold:g} or more": frame["user"].nunique(),
        }
        return replace(_nobody(columns), assumed=read.assumed, dropped=_counted(dropped))
    likes, dropped = keep_likes(frame, threshold, "likes")
    return _users_of(likes, columns, read.assumed, dict(read.left_out) | dropped)


def _users_of(
    likes: pd.DataFrame, columns: tuple[str, ...], assumed: list[str], dropped: dict[str, int]
) -> PartUsers:
    rows, users = factorised(likes["user"])
    places, items = factorised(likes["item"])
    matrix = coo_to_csr(likes["rating"].to_numpy(), rows, places, (len(users), len(items)))
    ids = (np.asarray(users, dtype=object), np.asarray(items, dtype=object))
    return PartUsers(matrix, *ids, columns, assumed, _counted(dropped))


def _counted(dropped: Mapping[str, int]) -> dict[str, int]:
    return {what: count for what, count in dropped.items() if count}
