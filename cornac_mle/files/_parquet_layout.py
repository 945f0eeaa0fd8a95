"""Parquet files, or folders of their parts, into columns."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cornac_mle.files._columns import Column, Table, check_one_value
from cornac_mle.files._roles import Roles, Seen
from cornac_mle.files._text_layout import arrow_column
from cornac_mle.files.partitions import whole_partitions
from cornac_mle.files.records import _check_size, _damaged, pyarrow_parquet
from cornac_mle.files.refusals import ContentError, spelled_path

SEEN_ROWS = 1000


def parts_of(path: Path) -> list[Path]:
    """Return the Parquet files of a folder and its folders, in the order of their names.

    Raises
    ------
    ContentError
        If there are none.
    ValueError
        If a manifest says that there are more: the users would be fewer than were asked for.
    """
    if (whole := whole_partitions(path)) is not None:
        return whole
    parts = [
        part
        for part in sorted(path.rglob("*"))
        if part.is_file()
        and part.name.lower().endswith((".parquet", ".pq"))
        and not any(step.startswith((".", "_")) for step in part.relative_to(path).parts)
    ]
    if not parts:
        rule, advice = "be a file, or a folder of .parquet files", "Name a file in it."
        raise ContentError(rule=rule, got="a folder without any", advice=advice)
    return parts


def seen_rows(parts: Sequence[Path]) -> tuple[Seen, set[int]]:
    """Return the first rows as text, and the columns that hold lists.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    """
    parquet, pa = pyarrow_parquet(), _pyarrow()
    try:
        with parquet.ParquetFile(parts[0]) as file:
            _check_size(parts[0], file.metadata)
            names = file.schema_arrow.names
            batch = next(file.iter_batches(SEEN_ROWS), None)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(error, "Parquet") from error
    if batch is None:
        return Seen(names, []), set()
    lists = {at for at, kind in enumerate(batch.schema.types) if _is_list(kind, pa)}
    columns = [
        ["" if value is None else str(value) for value in batch.column(at).to_pylist()]
        for at in range(len(names))
    ]
    return Seen(names, list(zip(*columns, strict=True))), lists


def read_parquet(parts: Sequence[Path], seen: Seen, roles: Roles) -> Table:
    """Read the columns of the roles from all parts, one after the other.

    Raises
    ------
    ContentError
        If a part is damaged or lacks a column, or a column is of a type that means nothing here.
    """
    pa = _pyarrow()
    names = {role: (seen.names or [])[at] for role, at in roles.at.items()}
    tables = [_part(part, list(names.values())) for part in parts]
    notes = ["read Parquet" + (f" ({len(parts):,} parts)" if len(parts) > 1 else "")]
    columns: dict[str, Column] = {}
    for role, name in names.items():
        if role in ("user", "item"):
            chunks = [_ids(role, table[name], notes) for table in tables]
            chunks = [chunk for column in chunks for chunk in column.chunks]
            columns[role] = arrow_column(pa.chunked_array(chunks, pa.string()), numeric=False)
        else:
            columns[role] = _values(role, [table[name] for table in tables])
    return Table(columns, {}, list(dict.fromkeys(notes)), lambda row: f"row {row + 1}")


def parquet_lists(
    parts: Sequence[Path], seen: Seen, roles: Roles
) -> Iterator[tuple[str, list[str]]]:
    """Yield each user with its list of items."""
    user, item = ((seen.names or [])[roles.at[role]] for role in ("user", "item"))
    for part in parts:
        table = _part(part, [user, item])
        users = _ids("user", table[user], []).to_pylist()
        for one, items in zip(users, table[item].to_pylist(), strict=True):
            held = items if isinstance(items, list) else [items]
            for value in held:
                check_one_value(value, item, part.name)
            yield one or "", ["" if value is None else str(value) for value in held]


def _pyarrow() -> Any:
    import pyarrow as pa

    return pa


def _is_list(kind: Any, pa: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _part(path: Path, names: list[str]) -> Any:
    """Read columns of one file."""
    parquet, pa = pyarrow_parquet(), _pyarrow()
    try:
        with parquet.ParquetFile(path) as file:
            _check_size(path, file.metadata)
            if missing := [name for name in names if name not in file.schema_arrow.names]:
                rule = f"have the column {missing[0]!r} in every part"
                raise ContentError(rule=rule, got=f"none in {spelled_path(path.name)}")
            return file.read(columns=list(dict.fromkeys(names)))
    except (pa.ArrowException, OSError) as error:
        raise _damaged(error, "Parquet") from error


def _ids(role: str, column: Any, notes: list[str]) -> Any:
    """Cast ids to text: text and integers, and floats that are whole, as pandas makes of gaps."""
    pa = _pyarrow()
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        column = column.cast(kind)
    if pa.types.is_floating(kind):
        try:
            column = _without_nan(column, pa).cast(pa.int64())
        except pa.ArrowInvalid:
            raise _wrong_type(role, "be text or integers", f"{kind} with fractions") from None
        notes.append(f"{role}s are floats in the file, written as integers")
        return column.cast(pa.string())
    textual = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not (textual or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        raise _wrong_type(role, "be text or integers", str(kind))
    return column.cast(pa.string())


def _without_nan(column: Any, pa: Any) -> Any:
    import pyarrow.compute as compute

    return compute.if_else(compute.is_nan(column), pa.scalar(None, column.type), column)


def _values(role: str, columns: Sequence[Any]) -> Column:
    """Make numbers of ratings and times where they are some, and text of dates."""
    pa = _pyarrow()
    kinds = {column.type for column in columns}
    numeric = all(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
        for kind in kinds
    )
    if numeric:
        casts = [column.cast(pa.float64(), safe=False).to_numpy() for column in columns]
        return np.concatenate(casts).astype(np.float64)
    for kind in kinds:
        if pa.types.is_nested(kind) or (role == "rating" and pa.types.is_boolean(kind)):
            raise _wrong_type(role, "be numbers", str(kind))
    chunks = [chunk for column in columns for chunk in column.cast(pa.string()).chunks]
    return arrow_column(pa.chunked_array(chunks, pa.string()), numeric=True)


def _wrong_type(role: str, rule: str, got: str) -> ContentError:
    return ContentError(rule=rule, got=got, name=role, where="a column")
