"""How a text file is laid out: found by looking at its first lines."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cornac_mle.files._facts import Facts
from cornac_mle.files._header import fitted, is_header
from cornac_mle.files._looks import is_number
from cornac_mle.files._names import is_named
from cornac_mle.files._unpack import Source, first_bytes
from cornac_mle.files.records import Record
from cornac_mle.files.refusals import ContentError

SURE = ("\t", "::")
"""Separators that no field holds, if they are in every line."""
OTHERS = (";", "|", ",")
SEPARATORS = (*SURE, *OTHERS, " ")
SPELLED = {"\t": "tab", " ": "blank"}
MOST_LINES = 2000
NETFLIX_ITEM = re.compile(r"\d+:")
COMMENTS = ("#", "%", "sep=")


@dataclass(frozen=True)
class Layout:
    """How the fields of a text file stand.

    Parameters
    ----------
    separator : str
        What stands between fields; " " is any number of blanks.
    quotes : bool
        Whether a field may be in double quotes.
    padded : bool
        Whether blanks after a separator belong to it.
    names : list of str or None
        Names of the columns, if there is a header.
    skipped : int
        Lines before the first one with data.
    rows : list of rows
        First rows, all of one length unless `ragged`.
    width : int
        Number of fields.
    ragged : bool
        Whether most lines have another number of fields.
    netflix : bool
        Whether a line "123:" gives the item of those below it.
    notes : list of str
        What was assumed, one phrase each.
    left_out : dict
        Counts of the lines before the header.
    """

    separator: str
    quotes: bool
    padded: bool
    names: list[str] | None
    skipped: int
    rows: list[list[str]]
    width: int
    ragged: bool = False
    netflix: bool = False
    notes: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)


def records(lines: Iterable[str], separator: str, quotes: bool, padded: bool) -> Iterator[Record]:
    """Yield the number of each line, from 1, and its fields; a blank line has none.

    Raises
    ------
    csv.Error
        If a quote is not closed, or something stands behind one.
    """
    if separator == "::":
        for number, line in enumerate(lines, start=1):
            text = line.rstrip("\r\n")
            yield number, text.split("::") if text.strip() else []
        return
    if separator == " ":
        lines = (line.strip(" \t\r\n") + "\n" for line in lines)
    reader = csv.reader(
        lines,
        delimiter=separator,
        strict=True,
        quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
        skipinitialspace=padded or separator == " ",
    )
    for record in reader:
        yield reader.line_num, record if len(record) > 1 or "".join(record).strip() else []


def sniff(source: Source, facts: Facts, named: Sequence[str]) -> Layout:
    """Find out how a text file is laid out.

    Parameters
    ----------
    source : Source
        The file.
    facts : Facts
        What a look at every byte told.
    named : sequence of str
        Names that its header must hold, if it has one: those that options give.

    Raises
    ------
    ContentError
        If there are no lines, or none with two fields.
    """
    lines = first_lines(source, facts.encoding)
    skipped, left_out = _preamble(lines)
    lines = lines[skipped:]
    if not lines:
        raise ContentError(rule="hold a table", got="an empty file", advice="Name another file.")
    netflix = bool(NETFLIX_ITEM.fullmatch(lines[0].strip()))
    separator = _separator([line for line in lines if not NETFLIX_ITEM.fullmatch(line.strip())])
    quotes = separator != "::" and _are_quotes(source, facts, lines, separator)
    padded = separator in OTHERS and _are_padded(lines, separator)
    parsed = _try(lines, separator, quotes, padded)
    rows = [list(record) for _, record in parsed if record]
    names = None
    if netflix:
        width, ragged = Counter(map(len, rows)).most_common(1)[0][0], False
    else:
        width, ragged = _width(rows)
        below = [row for row in rows[1:] if len(row) == width]
        if is_header(rows[0], below, named, separator != ","):
            names = fitted(rows[0], below, width)
            rows, width, ragged = rows[1:], len(names), False
            skipped += next(number for number, record in parsed if record)
    if not ragged:
        rows = [row for row in rows if len(row) == width]
    notes = _notes(separator, facts, quotes, names, rows)
    if netflix:
        notes.append("a line such as '1:' gives the item of those below it")
    return Layout(
        separator, quotes, padded, names, skipped, rows, width, ragged, netflix, notes, left_out
    )


def _width(rows: list[list[str]]) -> tuple[int, bool]:
    """Return the number of fields that lines have, and whether most have another."""
    below = [len(row) for row in rows[1:] or rows]
    width, count = Counter(below).most_common(1)[0]
    if (width < 2 or count < len(below) / 2) and is_named(rows[0]) and len(rows[0]) > 1:
        return len(rows[0]), False
    return width, width < 2 or count < len(below) / 2


def first_lines(source: Source, encoding: str) -> list[str]:
    """Return the first lines of a file."""
    sample, whole = first_bytes(source)
    lines = list(io.StringIO(sample.decode(encoding, errors="ignore"), newline=""))
    if encoding == "utf-16" and not whole:
        lines.pop()  # its line ends are no bytes "\n": the last line may be cut
    return lines[:MOST_LINES]


def _preamble(lines: list[str]) -> tuple[int, dict[str, int]]:
    """Count the comments and blank lines before the table."""
    counts = {"comment lines": 0, "blank lines": 0}
    for number, line in enumerate(lines):
        if not line.strip():
            counts["blank lines"] += 1
        elif line.lower().startswith(COMMENTS):
            counts["comment lines"] += 1
        else:
            return number, counts
    return len(lines), counts


def _try(lines: list[str], separator: str, quotes: bool, padded: bool) -> list[Record]:
    """Return the records before the first that is wrong; the reader will say what is."""
    found: list[Record] = []
    try:
        for record in records(lines, separator, quotes, padded):
            found.append(record)  # noqa: PERF402  # what comes before an error counts
    except csv.Error:
        if separator not in OTHERS and quotes:
            return _try(lines, separator, False, padded)
    return found or [(1, [lines[0].rstrip("\r\n")])]


def _separator(lines: list[str]) -> str:
    """Choose the separator that gives the same number of fields everywhere, or most often."""
    shares: dict[str, tuple[float, int]] = {}
    for separator in SEPARATORS:
        counts = [len(row) for _, row in _try(lines, separator, True, False) if row]
        data = counts[1:] or counts  # a header may have one field less
        width, count = Counter(data).most_common(1)[0] if data else (1, 0)
        if width > 1:
            shares[separator] = (2.0 if set(counts) == {width} else count / len(data), width)
    if _are_blank_separated(lines, shares):
        return " "
    for least in (2.0, 1.0, 0.5):  # all lines, all but a header, most
        able = {one: width for one, (share, width) in shares.items() if share >= least}
        for separator in SURE:
            if separator in able:
                return separator
        if others := [separator for separator in OTHERS if separator in able]:
            return max(others, key=able.__getitem__)
    if shares.get(" ", (0, 0))[0] >= 0.5:
        return " "
    held = {separator: sum(line.count(separator) for line in lines) for separator in SEPARATORS}
    found = [separator for separator in SEPARATORS if held[separator] >= len(lines) / 2]
    if not found:
        rule, got = "have at least two fields a line", repr(lines[0].strip()[:60])
        advice = "Separate users and items by a comma, semicolon, tab, bar, '::' or blank."
        raise ContentError(rule=rule, got=got, advice=advice)
    return found[0]


def _are_blank_separated(lines: list[str], shares: dict[str, tuple[float, int]]) -> bool:
    """Say whether commas are those of numbers in a table that blanks separate: 1 7 3,5."""
    share, width = shares.get(" ", (0, 0))
    if share < 1 or width <= shares.get(",", (0, width))[1]:
        return False
    rows = [row for _, row in _try(lines[1:], " ", True, False)] if lines[1:] else []
    return bool(rows) and all(is_number(text, decimal_comma=True) for row in rows for text in row)


def _are_quotes(source: Source, facts: Facts, lines: list[str], separator: str) -> bool:
    """Say whether double quotes enclose fields, or are characters as any other.

    Where tabs, bars or blanks separate fields, titles hold stray quotes as they are.
    """
    if not facts.quotes or separator in OTHERS[::2]:
        return True
    try:
        widths = [len(row) for _, row in records(lines, separator, True, False) if row]
    except csv.Error:
        return False
    with source.open() as stream:
        regular = len(set(widths[1:])) <= 1  # a header may have one field less
        return regular and all(line.count(b'"') % 2 == 0 for line in stream if b'"' in line)


def _are_padded(lines: list[str], separator: str) -> bool:
    """Say whether each separator of the first lines has a blank behind it."""
    held = sum(line.count(separator) for line in lines)
    return held > 0 and held == sum(line.count(separator + " ") for line in lines)


def _notes(
    separator: str, facts: Facts, quotes: bool, names: list[str] | None, rows: list[list[str]]
) -> list[str]:
    notes = [f"read {SPELLED.get(separator, repr(separator))}-separated"]
    if facts.encoding != "utf-8-sig":
        notes.append(f"encoding {facts.encoding}")
    if facts.quotes and not quotes:
        notes.append("double quotes are text")
    if names is None:
        shown = ", ".join(rows[0])[:60] if rows else ""
        notes.append(f"no header (first line {shown!r})")
    else:
        notes.append("header")
    return notes
