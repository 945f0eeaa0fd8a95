"""Records of CSV, TSV and Parquet files, each with the line or row where it stands."""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from cornac_mle.files._limits import (
    FIELD_CHARACTERS,
    LINE_CHARACTERS,
    MIB,
    TEXT_CHARACTERS,
    unpacked_limit,
    unpacked_too_large,
)
from cornac_mle.files.refusals import ContentError

PACKED_LEAST = 64 * MIB
"""Bytes that a packed table may always hold."""
ROWS_PER_BYTE = 8
ROWS_LEAST = 1_000_000
"""A Parquet file may have so many rows a byte, or in all: no column of ids packs better."""
BATCH_ROWS = 8192

# Where a record stands (the line of a text file, the row of a Parquet file, both from 1) and its
# fields. The first record is the header.
Record = tuple[int, Sequence[Any]]


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, for messages of one line."""
    return next(iter(str(error).splitlines()), "")


def text_records(path: Path, separator: str, *, packed: bool) -> Iterator[Record]:
    """Yield the header and the lines that are not blank, each with its number.

    Raises
    ------
    ContentError
        If the text is not UTF-8, a quote is not closed, a packed file is damaged, or a line or
        all of it is larger than any table of interactions.
    """
    number = 0
    try:
        if packed:
            _check_unpacked(path)
        with (
            gzip.open(path, "rt", encoding="utf-8-sig", newline="")
            if packed
            else path.open(encoding="utf-8-sig", newline="")
        ) as handle:
            reader = csv.reader(_lines(handle), delimiter=separator, strict=True)
            for record in reader:
                number = reader.line_num
                if record:
                    yield number, record
    except UnicodeDecodeError as error:
        rule, advice = "be UTF-8", "Save it as UTF-8."
        got = f"the byte 0x{error.object[error.start]:02x}"
        where = f"line {_undecodable_line(path, packed)}"
        raise ContentError(rule=rule, got=got, advice=advice, name="text", where=where) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(error, "gzip") from error
    except csv.Error as error:
        rule, got, where = "be well-formed", first_line(error), f"line {number + 1}"
        if "field limit" in got:
            rule, got = f"have fields of at most {FIELD_CHARACTERS:,} characters", "a longer one"
        advice = "Look for a double quote that is not closed or not doubled."
        raise ContentError(rule=rule, got=got, advice=advice, name="line", where=where) from error


def _check_unpacked(path: Path) -> None:
    """Refuse a packed file that unpacks to far more than its size, before any of it is kept."""
    size = path.stat().st_size
    most, total = unpacked_limit(size, PACKED_LEAST), 0
    with gzip.open(path, "rb") as handle:
        while block := handle.read(MIB):
            total += len(block)
            if total > most:
                raise unpacked_too_large(size, PACKED_LEAST)


def _lines(handle: IO[str]) -> Iterator[str]:
    """Yield lines, none of which is read further than its limit."""
    number, total = 0, 0
    while line := handle.readline(LINE_CHARACTERS + 1):
        number += 1
        total += len(line)
        if len(line) > LINE_CHARACTERS:
            rule, where = f"have at most {LINE_CHARACTERS:,} characters", f"line {number}"
            advice = "Is this a text file?"
            raise ContentError(rule=rule, got="more", advice=advice, name="line", where=where)
        if total > TEXT_CHARACTERS:
            rule = f"hold at most {TEXT_CHARACTERS:,} characters"
            raise ContentError(rule=rule, got="more", advice="Take a part of it.")
        yield line


def _undecodable_line(path: Path, packed: bool) -> int:
    """Count the lines up to the first that is not UTF-8."""
    with gzip.open(path, "rb") if packed else path.open("rb") as handle:
        most = 4 * LINE_CHARACTERS  # bytes of a line that was not too long as text
        for number, line in enumerate(iter(lambda: handle.readline(most), b""), start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 1


def _damaged(error: Exception, kind: str) -> ContentError:
    got, advice = f"a damaged or cut one ({first_line(error)})", "Copy or download it again."
    return ContentError(rule=f"be a whole {kind} file", got=got, advice=advice)


def pyarrow_parquet() -> Any:
    """Return pyarrow's Parquet module, or raise saying what to install."""
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        message = "Parquet files need pyarrow. Install it: pip install cornac-mle[parquet]"
        raise ImportError(message) from error
    return parquet


def parquet_records(path: Path, columns: Sequence[str]) -> Iterator[Record]:
    """Yield the header and the rows of a Parquet file; integer ids become text.

    Only `columns` are read: the fields of the others are None.

    Raises
    ------
    ContentError
        If the file is damaged, or ids or numbers are of another type.
    ImportError
        If pyarrow is not installed.
    """
    parquet = pyarrow_parquet()
    import pyarrow as pa

    try:
        with parquet.ParquetFile(path) as file:
            _check_size(path, file.metadata)
            names = file.schema_arrow.names
            yield 0, names
            wanted = [name for name in names if name in columns]
            start = 1
            for batch in file.iter_batches(BATCH_ROWS, columns=wanted):
                read = {name: _checked_column(name, batch.column(name), pa) for name in wanted}
                nothing = [None] * len(batch)
                fields = [read[name].to_pylist() if name in read else nothing for name in names]
                yield from enumerate(zip(*fields, strict=True), start=start)
                start += len(batch)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(error, "Parquet") from error


def _check_size(path: Path, metadata: Any) -> None:
    """Refuse a Parquet file that says it holds far more than its size allows for."""
    size = path.stat().st_size
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    if sum(group.total_byte_size for group in groups) > unpacked_limit(size, PACKED_LEAST):
        raise unpacked_too_large(size, PACKED_LEAST)
    most = max(ROWS_LEAST, ROWS_PER_BYTE * size)
    if metadata.num_rows > most:
        rule, got = f"have at most {most:,} rows at its size", f"{metadata.num_rows:,}"
        raise ContentError(rule=rule, got=got, advice="Is the same row there again and again?")


def _checked_column(name: str, column: Any, pa: Any) -> Any:
    """Cast a Parquet column of ids, which are text or integers, to text; refuse lists."""
    kind, where = column.type, f"column {name!r}"
    if name not in ("user", "item"):
        if pa.types.is_nested(kind):
            rule, advice = "be numbers", "Convert it to numbers."
            raise ContentError(rule=rule, got=kind, advice=advice, name=name, where=where)
        return column
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        column = column.cast(kind)
    textual = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not (textual or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        rule, advice = "be text or integers", "Convert it to text."
        raise ContentError(rule=rule, got=kind, advice=advice, name=name, where=where)
    return column.cast(pa.string())
