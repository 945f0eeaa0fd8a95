"""Delimited text into columns: by pyarrow where the layout allows it, else line by line."""

import csv
import io
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO

import numpy as np

from cornac_mle.files._columns import Column, Table, Texts
from cornac_mle.files._facts import Facts
from cornac_mle.files._limits import FIELD_CHARACTERS
from cornac_mle.files._sniff import NETFLIX_ITEM, Layout, records
from cornac_mle.files._unpack import Source
from cornac_mle.files.records import Record, _lines, first_line
from cornac_mle.files.refusals import ContentError

BLOCK_BYTES = 2**20
UNIT = b"\x1f"
EDGE_BLANKS = re.compile(rb"[ \t]+(?=\r?$)|^[ \t]+", re.MULTILINE)
BLANK_LINE = re.compile(rb"^[ \t]+\r?$", re.MULTILINE)


class _NotPlain(Exception):  # noqa: N818  # no error: the line-by-line reader takes over
    """Ends a fast read of what only the careful reader can tell apart."""


def text_lines(source: Source, facts: Facts, layout: Layout) -> Iterator[Record]:
    """Yield the number of each line after the header, and its fields; a blank line has none.

    Raises
    ------
    ContentError
        If a quote is not closed, or a line is larger than any of interactions.
    """
    number = layout.skipped
    with (
        source.open() as raw,
        io.TextIOWrapper(raw, encoding=facts.encoding, newline="") as handle,
    ):
        lines = islice(_lines(handle), layout.skipped, None)
        try:
            for line, record in records(lines, layout.separator, layout.quotes, layout.padded):
                number = layout.skipped + line
                yield number, record
        except csv.Error as error:
            rule, got, where = "be well-formed", first_line(error), f"line {number + 1}"
            if "field limit" in got:
                rule, got = (
                    f"have fields of at most {FIELD_CHARACTERS:,} characters",
                    "a longer one",
                )
            advice = "Look for a double quote that is not closed or not doubled."
            raise ContentError(
                rule=rule, got=got, advice=advice, name="line", where=where
            ) from error


def read_carefully(source: Source, facts: Facts, layout: Layout, at: dict[str, int]) -> Table:
    """Read line by line, knowing where each row stands."""
    roles = list(at)
    texts: list[list[str]] = [[] for _ in roles]
    numbers, blank, item = array("q"), 0, ""
    takers = [(at[role], column.append) for role, column in zip(roles, texts, strict=True)]
    known: dict[str, str] = {}  # one copy of every text, however often it occurs
    for number, record in text_lines(source, facts, layout):
        if not record:
            blank += 1
            continue
        if layout.netflix and len(record) == 1 and NETFLIX_ITEM.fullmatch(record[0].strip()):
            item = record[0].strip()[:-1]
            continue
        if len(record) != layout.width:
            raise _wrong_width(number, record, layout)
        fields: Sequence[str] = [*record, item] if layout.netflix else record
        for place, append in takers:
            text = fields[place]
            append(known.setdefault(text, text))
        numbers.append(number)
    columns: dict[str, Column] = {
        role: Texts.of(column) for role, column in zip(roles, texts, strict=True)
    }
    return _table(columns, layout, blank, lambda row: f"line {numbers[row]}")


def read_fast(source: Source, facts: Facts, layout: Layout, at: dict[str, int]) -> Table | None:
    """Read by pyarrow; None where it is not installed or could read something else."""
    if layout.netflix or layout.ragged or facts.lone_returns or facts.encoding == "utf-16":
        return None
    quotes = layout.quotes and facts.quotes
    if quotes and (facts.odd_quotes or facts.blank_lines or layout.padded):
        return None
    if (quotes and layout.separator == " ") or facts.unit_separators:
        return None
    try:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv
    except ImportError:
        return None
    blank = [facts.blank_lines - layout.left_out.get("blank lines", 0)]

    def invalid(row: Any) -> str:
        if row.actual_columns > 1 or row.text.strip():
            return "error"
        blank[0] += 1
        return "skip"

    names = [str(number) for number in range(layout.width)]
    wanted = list(dict.fromkeys(names[at[role]] for role in at))
    try:
        with source.open() as stream:
            read = arrow_csv.read_csv(
                _Changed(stream, layout, facts, quotes),
                read_options=arrow_csv.ReadOptions(column_names=names, block_size=2**22),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=_one_byte(layout.separator).decode(),
                    quote_char='"' if quotes else False,
                    newlines_in_values=quotes,
                    invalid_row_handler=invalid,
                ),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=wanted,
                    column_types={name: pa.string() for name in wanted},
                    strings_can_be_null=False,
                ),
            )
    except (pa.ArrowException, _NotPlain, ContentError):
        return None
    columns = {
        role: arrow_column(read[names[place]], numeric=role in ("rating", "timestamp"))
        for role, place in at.items()
    }
    return _table(columns, layout, blank[0], None)


def arrow_column(column: Any, *, numeric: bool) -> Column:
    """Make numbers of an Arrow column of text if all are, and otherwise texts; null is ""."""
    import pyarrow as pa
    import pyarrow.compute as compute

    if numeric:
        try:
            numbers: np.ndarray[Any, np.dtype[np.float64]] = compute.cast(
                column, pa.float64()
            ).to_numpy()
        except pa.ArrowInvalid:
            numbers = np.array([np.nan])
        if np.isfinite(numbers).all():
            return numbers
    encoded = column.dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], pa.string())
    values = encoded.dictionary.to_pylist()
    codes = encoded.indices
    if codes.null_count:
        if "" not in values:
            values.append("")
        codes = codes.fill_null(values.index(""))
    return Texts(codes.to_numpy(zero_copy_only=False), values)


def _table(
    columns: dict[str, Column], layout: Layout, blank: int, place: Callable[[int], str] | None
) -> Table:
    left_out = dict(layout.left_out)
    left_out["blank lines"] = left_out.get("blank lines", 0) + blank
    table = Table(columns, left_out, list(layout.notes), decimal_comma=layout.separator != ",")
    if place is not None:
        table.place = place
    return table


def _wrong_width(number: int, record: Sequence[str], layout: Layout) -> ContentError:
    model = "the first lines have" if layout.names is None else "the header has"
    rule = f"have {layout.width} fields, as {model}"
    advice = "Put double quotes around a field that holds the separator."
    got, where = str(len(record)), f"line {number}"
    return ContentError(rule=rule, got=got, advice=advice, name="line", where=where)


def _one_byte(separator: str) -> bytes:
    return UNIT if separator == "::" else separator.encode()


def _quotes(separator: str) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Find whole quoted fields, and quotes where fields begin."""
    mark = re.escape(separator).encode()
    field = rb'"[^"]*(?:""[^"]*)*"(?=[%s\r\n]|\Z)' % mark
    start = rb"(?:\A|(?<=[%s\n]))" % mark
    return re.compile(start + field), re.compile(start + b'"')


class _Changed(io.RawIOBase):
    """Bytes after the header, in UTF-8 and with separators of one byte, as pyarrow reads them."""

    def __init__(self, stream: BinaryIO, layout: Layout, facts: Facts, quotes: bool) -> None:
        for _ in range(layout.skipped):
            stream.readline()
        self._stream, self._layout = stream, layout
        self._latin = facts.encoding == "latin-1"
        self._first = layout.skipped == 0
        self._quotes = _quotes(layout.separator) if quotes else None
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._left = memoryview(self._block())
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def _block(self) -> bytes:
        block = self._stream.read(BLOCK_BYTES)
        if not block:
            return b""
        block += self._stream.readline()
        if self._first:
            block, self._first = block.removeprefix(b"\xef\xbb\xbf"), False
        if self._quotes and b'"' in block:
            quoted, opened = self._quotes
            if opened.search(quoted.sub(b"", block)):  # nothing closes it: strict reading refuses
                raise _NotPlain
        if self._latin:
            block = block.decode("latin-1").encode()
        separator = self._layout.separator
        if separator == "::":
            block = block.replace(b"::", UNIT)
        elif separator == " " or self._layout.padded:
            if BLANK_LINE.search(block):  # its blanks would go, and the line uncounted with them
                raise _NotPlain
            if separator == " ":
                edges = (b" \n", b" \r", b"\n ", b"\t")
                if b" " in (block[:1], block[-1:]) or any(edge in block for edge in edges):
                    block = EDGE_BLANKS.sub(b"", block)
                if b"  " in block:
                    block = re.sub(rb" +", b" ", block)
            else:
                mark = separator.encode()
                block = re.sub(
                    b"(^|" + re.escape(mark) + rb") +", rb"\1", block, flags=re.MULTILINE
                )
        return block
