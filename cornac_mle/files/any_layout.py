"""Interactions as people have them: any text table, JSON lines or Parquet, without preparation."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import pandas as pd

from cornac_mle.checks import refusal
from cornac_mle.files._columns import Table, finished
from cornac_mle.files._facts import Facts, facts_of
from cornac_mle.files._json_layout import is_json, json_lists, read_json, seen_objects
from cornac_mle.files._parquet_layout import parquet_lists, parts_of, read_parquet, seen_rows
from cornac_mle.files._roles import OPTIONS, Roles, Seen, Wanted, find_roles
from cornac_mle.files._sniff import Layout, first_lines, sniff
from cornac_mle.files._text_layout import read_carefully, read_fast
from cornac_mle.files._unpack import Source, find_source, is_parquet
from cornac_mle.files._wide_layout import from_lists, read_wide_text
from cornac_mle.files.paths import existing_file
from cornac_mle.files.refusals import ContentError, naming_file


@dataclass(frozen=True, eq=False)
class Interactions:
    """A table of interactions, and what it took to read it.

    Parameters
    ----------
    frame : DataFrame
        Columns ``user`` and ``item`` as text exactly as written, ``rating`` (float64, finite) and
        ``timestamp`` where there are any. Repeated pairs are kept. ``timestamp`` is float64 with
        NaN where blank if all of it is numbers, and text as written otherwise.
    assumed : list of str
        What was assumed, one short phrase each: "read ';'-separated", "header", "user = userId".
    left_out : dict
        Count of each kind of line that is no interaction ("rows without an item", "blank lines");
        only those above 0.
    has_user_ids : bool
        False where users are the numbers of lines.
    """

    frame: pd.DataFrame
    assumed: list[str]
    left_out: dict[str, int]
    has_user_ids: bool = True


def read_interactions(
    path: str | Path,
    *,
    user_column: str | int | None = None,
    item_column: str | int | None = None,
    rating_column: str | int | None = None,
    time_column: str | int | None = None,
    wide: bool = False,
) -> Interactions:
    r"""Read interactions from a file of any usual layout, and say what was assumed.

    Text may be packed (gzip, zip of one file, xz, bz2). The separator is one of ``, ; | ::``, tab
    and blanks; a header is seen from its names, or because it is unlike the lines below. Without
    one, two to four columns are user, item[, rating[, timestamp]]. A column that looks like times
    is never a rating.

    Parameters
    ----------
    path : str or Path
        A text file (CSV, TSV, ...), JSON lines, a Parquet file or a folder of Parquet files. What
        it is is seen from its content, not from its suffix.
    user_column, item_column, rating_column, time_column : str or int, optional
        Name of the column, or its number from 1, where it cannot be known.
    wide : bool
        Whether a line holds all ratings of a user (users x items), or a list of items (baskets).

    Returns
    -------
    Interactions
        The table, what was assumed, and counts of what was left out.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a column cannot be known; names the columns and the option. If the file is damaged, or
        at the first line that is wrong. The message is one line.
    ImportError
        If a Parquet file is to be read and pyarrow is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "sales.txt"
    ...     _ = path.write_text("customer;product;stars\n007;milk;4,5\n008;;2\n")
    ...     read = read_interactions(path)
    >>> read.frame
      user  item  rating
    0  007  milk     4.5
    >>> print("; ".join(read.assumed))
    read ';'-separated; header; user = customer; item = product; rating = stars;
    decimal commas: 4,5 is 4.5
    >>> read.left_out
    {'rows without an item': 1}
    """
    path = Path(path)
    wanted = _wanted(user_column, item_column, rating_column, time_column)
    parts = None
    if not path.is_dir():
        path = existing_file(path)
    with naming_file(path):
        if path.is_dir():
            parts = parts_of(path)
        elif is_parquet(path):
            parts = [path]
        if parts is not None:
            table, notes = _parquet(parts, wanted, wide)
            return _interactions(table, notes)
        source = find_source(path)
        facts = facts_of(source)
        lines = [line for line in first_lines(source, facts.encoding) if line.strip()]
        if lines and is_json(lines[0]):
            table, notes = _json(source, facts, wanted, wide)
            return _interactions(table, notes)
        return _text(source, facts, wanted, wide)


def _wanted(*columns: str | int | None) -> Wanted:
    """Return the columns that are given, by role."""
    wanted: Wanted = {}
    for (role, name), column in zip(OPTIONS.items(), columns, strict=True):
        if column is None:
            continue
        if isinstance(column, bool) or not isinstance(column, (str, Integral)) or column == "":
            raise ValueError(refusal(name, "be a name or a number from 1", repr(column)))
        wanted[role] = column if isinstance(column, str) else int(column)
    return wanted


def _parquet(parts: list[Path], wanted: Wanted, wide: bool) -> tuple[Table, list[str]]:
    seen, lists = seen_rows(parts)
    roles = _named_roles(seen, lists, wanted, wide)
    if wide:
        notes = [*roles.notes, "every item of a list is a row"]
        return from_lists(parquet_lists(parts, seen, roles), ["read Parquet"]), notes
    return read_parquet(parts, seen, roles), roles.notes


def _json(source: Source, facts: Facts, wanted: Wanted, wide: bool) -> tuple[Table, list[str]]:
    seen, lists = seen_objects(source, facts)
    roles = _named_roles(seen, lists, wanted, wide)
    if wide:
        notes = [*roles.notes, "every item of a list is a row"]
        return from_lists(json_lists(source, facts, seen, roles), ["read JSON lines"]), notes
    return read_json(source, facts, seen, roles), roles.notes


def _named_roles(seen: Seen, lists: set[int], wanted: Wanted, wide: bool) -> Roles:
    """Find the columns of a table whose columns have names and types."""
    if wide and not lists:
        rule, got = "have a column of lists to be read with --wide", "none"
        raise ContentError(rule=rule, got=got, advice="Save a wide table as CSV.")
    if wide and len(lists) == 1:
        wanted = {"item": next(iter(lists)) + 1, **wanted}
    roles = find_roles(seen, wanted, lists=wide)
    if not wide and roles.at["item"] in lists:
        rule, got = "have one item a row", f"lists in {seen.name(roles.at['item'])!r}"
        advice = "Pass --wide (wide=True) to make a row of every item."
        raise ContentError(rule=rule, got=got, advice=advice)
    return roles


def _text(source: Source, facts: Facts, wanted: Wanted, wide: bool) -> Interactions:
    """Read delimited text."""
    named = [str(column) for column in wanted.values() if not str(column).isdecimal()]
    layout = sniff(source, facts, named)
    if wide:
        table = read_wide_text(source, facts, layout, wanted)
        return _interactions(table, [])
    if layout.ragged:
        widths = sorted({len(row) for row in layout.rows})
        rule, got = "have one interaction a line", f"lines of {widths[0]} to {widths[-1]} fields"
        advice = "Pass --wide (wide=True) if a line lists the items of one user."
        raise ContentError(rule=rule, got=got, advice=advice)
    roles = find_roles(*_seen(layout, wanted))
    fast = read_fast(source, facts, layout, roles.at)
    if fast is not None:
        with suppress(ContentError):  # the careful reader knows the line
            return _interactions(fast, roles.notes)
    return _interactions(read_carefully(source, facts, layout, roles.at), roles.notes)


def _seen(layout: Layout, wanted: Wanted) -> tuple[Seen, Wanted]:
    """Return the first rows and the columns that are given by option or by the layout."""
    if not layout.netflix:
        return Seen(layout.names, layout.rows, layout.separator != ","), wanted
    order: Wanted = {"user": 1, "rating": 2, "timestamp": 3, "item": layout.width + 1}
    if layout.width < 3:
        del order["timestamp"]
    return Seen(None, [[*row, "1"] for row in layout.rows]), {**order, **wanted}


def _interactions(table: Table, notes: Iterable[str]) -> Interactions:
    """Check a table and put what was assumed in order: the layout, the columns, the values."""
    layout = list(table.notes)
    frame = finished(table)
    assumed = [*layout, *notes, *table.notes[len(layout) :]]
    left_out = {what: n for what, n in table.left_out.items() if n}
    return Interactions(frame, assumed, left_out, table.has_user_ids)
