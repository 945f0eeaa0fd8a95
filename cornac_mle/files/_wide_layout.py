"""Wide tables (users x items) and baskets (a list of items a line) as pairs; only on request."""

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cornac_mle.files._columns import Column, Table, Texts, check_one_value
from cornac_mle.files._facts import Facts
from cornac_mle.files._looks import are_lists, are_numbers, are_times, is_missing, number
from cornac_mle.files._names import candidates, plain
from cornac_mle.files._roles import Seen, Wanted, find_roles, given_column
from cornac_mle.files._sniff import Layout
from cornac_mle.files._text_layout import text_lines
from cornac_mle.files._unpack import Source
from cornac_mle.files.interactions import shorten
from cornac_mle.files.refusals import ContentError

NUMERIC_SHARE = 0.9
MARKS = ("|", ";", ",")
"""What splits lists, first the one that is least likely to be part of an item."""
BRACKETS = ("[]", "()", "{}")
LISTS = {"basket", "baskets", "cart", "history", "itemlist", "products", "sequence"}
"""Names of columns of lists, beside those of items."""
FAR = 2
"""A value this many times as large as all others stands for none: Jester's 99 of -10 to 10."""


def read_wide_text(source: Source, facts: Facts, layout: Layout, wanted: Wanted) -> Table:
    """Read a wide table or baskets from delimited text.

    Raises
    ------
    ContentError
        If a line of a wide table is wrong, or nothing is wide.
    """
    blank, rows = layout.left_out.get("blank lines", 0), []
    lines = []
    for line, record in text_lines(source, facts, layout):
        if record:
            rows.append(record)
            lines.append(line)
        else:
            blank += 1
    seen = Seen(layout.names, layout.rows, layout.separator != ",")
    even = sum(len(row) == layout.width for row in rows) >= NUMERIC_SHARE * len(rows)
    if not even or not _is_matrix(seen):
        found = _list_column(seen, wanted) if even else None
        table = (
            _baskets(seen, rows, wanted)
            if found is None
            else _text_lists(seen, rows, wanted, found)
        )
    else:
        for line, row in zip(lines, rows, strict=True):
            if len(row) != layout.width:
                rule, got = f"have {layout.width} fields", str(len(row))
                raise ContentError(rule=rule, got=got, name="line", where=f"line {line}")
        table = _matrix(seen, rows, lines, wanted)
    table.left_out = {**layout.left_out, "blank lines": blank, **table.left_out}
    table.notes = [*layout.notes, *table.notes]
    return table


def from_lists(pairs: Iterable[tuple[str, Sequence[str]]], notes: list[str]) -> Table:
    """Make a row of every item of every list; an empty list is a user without items."""
    users: list[str] = []
    items: list[str] = []
    for user, held in pairs:
        for item in held or [""]:
            users.append(user)
            items.append(item)
    columns: dict[str, Column] = {"user": Texts.of(users), "item": Texts.of(items)}
    return Table(columns, {}, notes, "item {}".format)


def _is_matrix(seen: Seen) -> bool:
    """Say whether the cells are numbers, those of the first column apart."""
    columns = [seen.column(at) for at in range(1, seen.width)]
    numeric = sum(are_numbers(column, seen.decimal_comma) or not any(column) for column in columns)
    return numeric >= NUMERIC_SHARE * len(columns)


def _list_column(seen: Seen, wanted: Wanted) -> "ListColumn | None":
    """Find the column of lists: of ids, or of words where it is clear that it is the only one.

    Raises
    ------
    ContentError
        If words with blanks between them may be one item or several.
    """
    columns = list(range(seen.width))
    if found := [at for at in columns if are_lists(seen.column(at))]:
        return ListColumn(found[0], of_words=False)
    names = seen.names or []
    users = candidates(names, "user")[:1]
    named = {at for at in candidates(names, "item") if at not in users}
    named |= {at for at, name in enumerate(names) if plain(name) in LISTS and at not in users}
    if "item" in wanted:
        named = {given_column(seen, "item", wanted["item"])}
    elif not named and seen.width == 2:
        named = set(columns).difference(users)
    if len(named) > 1 and seen.width > 2:
        return None
    for at in sorted(named):
        given = [text for text in seen.column(at) if not is_missing(text)]
        lists, mark = _split_column(given, of_words=True)
        several = [text for text, one in zip(given, lists, strict=True) if len(one) > 1]
        if not several or are_times(given) or are_numbers(given, decimal_comma=True):
            continue
        is_said = bool(users or wanted)
        if mark is not None and (is_said or sum(mark in one for one in given) >= len(given) / 2):
            return ListColumn(at, of_words=True)
        if mark is None and is_said:
            rule, got = "hold lists split at , ; or |, or in brackets", shorten(several[0])
            advice = "Words with blanks between them may be one item."
            where, name = "the lists", seen.name(at)
            raise ContentError(rule=rule, got=got, name=name, advice=advice, where=where)
    return None


@dataclass(frozen=True)
class ListColumn:
    """Where lists stand, and whether what splits one of them splits all."""

    at: int
    of_words: bool


def _text_lists(
    seen: Seen, rows: Sequence[Sequence[str]], wanted: Wanted, lists: ListColumn
) -> Table:
    """Read a column of users and one of lists."""
    given = dict(wanted)
    given.setdefault("item", lists.at + 1)
    if seen.names is None or seen.width == 2:
        given.setdefault("user", 1 if lists.at else 2)
    roles = find_roles(seen, given, lists=True)
    user, item = roles.at["user"], roles.at["item"]
    whole = [row for row in rows if len(row) > max(user, item)]
    split, mark = _split_column([row[item] for row in whole], of_words=lists.of_words)
    notes = [*roles.notes, "every item of a list is a row"]
    if mark is not None:
        notes.append(f"lists are split at {mark}")
        others = sum(any(one in row[item] for one in MARKS if one != mark) for row in whole)
        if others:
            notes.append(
                f"{others:,} of them hold another of {' '.join(MARKS)}, as part of an item"
            )
    return from_lists(((row[user], held) for row, held in zip(whole, split, strict=True)), notes)


def _split_column(texts: Sequence[str], *, of_words: bool) -> tuple[list[list[str]], str | None]:
    """Return the items of lists that are written in one field each, and what splits all of them.

    Lists of ids are split one by one, lists of words, and those in brackets, all alike: at the mark
    that most of them hold.

    >>> _split_column(["tea, jam", "red wine"], of_words=True)
    ([['tea', 'jam'], ['red wine']], ',')
    >>> _split_column(["[1, 2]", "N10 N7", "a|b c", "[red wine]", "[tea, jam]"], of_words=False)
    ([['1', '2'], ['N10', 'N7'], ['a', 'b c'], ['red wine'], ['tea', 'jam']], None)
    """
    read = [_parsed(text.strip()) for text in texts]
    within = [one != text.strip() for one, text in zip(read, texts, strict=True)]
    words = [(one, is_in) for one, is_in in zip(read, within, strict=True) if isinstance(one, str)]
    mark = _mark([one for one, _ in words]) if of_words else None
    mark_within = mark or _mark([one for one, is_in in words if is_in])
    lists = []
    for one, is_in in zip(read, within, strict=True):
        if isinstance(one, str):
            at = mark_within if is_in else mark or _mark([one])
            parts = one.split(at) if at else one.split()
            lists.append([part.strip() for part in parts if part.strip()])
        else:
            lists.append(one)
    return lists, mark


def _mark(texts: Sequence[str]) -> str | None:
    """Return what stands between the items of most lists; None for blanks."""
    counts = {mark: sum(mark in text for text in texts) for mark in MARKS}
    return max(counts, key=counts.__getitem__) if any(counts.values()) else None


def _parsed(text: str) -> list[str] | str:
    """Return the items of a list that is written as JSON or in Python, or what is in brackets."""
    if text[:1] + text[-1:] not in BRACKETS:
        return text
    for parse in (_json_list, ast.literal_eval):
        try:
            found = list(parse(text))
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        for item in found:
            check_one_value(item, "list", "the lines")
        return [str(item) for item in found]
    return text[1:-1]


def _json_list(text: str) -> list[str]:
    return list(json.loads(text, parse_int=str, parse_float=str))


def _baskets(seen: Seen, rows: Sequence[Sequence[str]], wanted: Wanted) -> Table:
    """Read lines of items; the first field is the user, a count or an item."""
    headed = seen.names is not None and 0 in candidates(seen.names, "user")
    first = [row[0] for row in rows]
    notes = ["baskets: every further field of a line is an item of its user"]
    counts = all(row[0] == str(len([one for one in row[1:] if one.strip()])) for row in rows)
    at = wanted.get("user")
    if at is not None:
        if str(at) != "1":
            rule = "be 1 for baskets, whose first field may be the user"
            raise ContentError(rule=rule, got=repr(at), name="--user-column", where="the lines")
        named = True
    else:
        named = headed or (not counts and len(set(first)) == len(first) and are_numbers(first))
    if named:
        notes.append("user = column 1")
    elif counts:
        notes.append("column 1 counts the items: left out; user = the number of the line")
    else:
        notes.append("user = the number of the line (--user-column 1 if the first field is it)")
    start = 1 if named or counts else 0
    users = first if named else [str(place) for place in range(1, len(rows) + 1)]
    pairs = (
        (user, [one.strip() for one in row[start:] if one.strip()])
        for user, row in zip(users, rows, strict=True)
    )
    table = from_lists(pairs, [*notes, "no ratings: every row counts as 1"])
    table.has_user_ids = named
    return table


def _matrix(
    seen: Seen, rows: Sequence[Sequence[str]], lines: Sequence[int], wanted: Wanted
) -> Table:
    """Read a line of ratings for every user."""
    names = seen.names or [str(place) for place in range(1, seen.width + 1)]
    notes = ["a wide table: " + ("items = header" if seen.names else "items = column numbers")]
    columns = list(zip(*rows, strict=True)) or [() for _ in names]
    cells = [[number(text, seen.decimal_comma) for text in column] for column in columns]
    given = [[not is_missing(text) for text in column] for column in columns]
    values = np.array(cells, dtype=np.float64)  # (n_columns, n_rows)
    held = np.array(given, dtype=bool)
    items = list(range(len(names)))
    users = [str(place) for place in range(1, len(rows) + 1)]
    at = None
    if not (seen.names or wanted) and _counts(values, held, _none_value(values[1:], held[1:])):
        del items[0]
        names = ["", *names[:-1]]  # the first column of an item is that of item 1
        notes[0] = "a wide table: items = their numbers"
        notes.append("column 1 counts the ratings: left out; user = the number of the line")
    elif (at := _user_column(seen, wanted, values, columns)) is None:
        notes.append("user = the number of the line")
    else:
        del items[at]
        users = list(columns[at])
        notes.append(f"user = {seen.name(at)}")
    values, held = values[items], held[items]
    if (wrong := held & ~np.isfinite(values)).any():
        item, row = (int(one) for one in np.argwhere(wrong)[0])
        rule, got = "be a number", repr(columns[items[item]][row])
        where = f"line {lines[row]}"
        raise ContentError(rule=rule, got=got, name=names[items[item]], where=where)
    if (none := _none_value(values, held)) is not None:
        notes.append(f"{none:g} = no rating ({int((held & (values == none)).sum()):,} cells)")
        held &= values != none
    pairs = np.argwhere(held.T)  # user by user
    kept = [names[place].strip() or str(place + 1) for place in items]
    table: dict[str, Column] = {
        "user": Texts.of([users[row] for row in pairs[:, 0]]),
        "item": Texts.of([kept[item] for item in pairs[:, 1]]),
        "rating": values.T[pairs[:, 0], pairs[:, 1]],
    }
    left = {"users without a rating": int((~held.any(axis=0)).sum())}
    return Table(table, left, notes, "cell {}".format, has_user_ids=at is not None)


def _user_column(
    seen: Seen, wanted: Wanted, values: np.ndarray, columns: Sequence[Sequence[str]]
) -> int | None:
    """Return the position of the users' column in a wide table, if there is one."""
    if "user" in wanted:
        return find_roles(seen, {"user": wanted["user"], "item": _other(wanted)}).at["user"]
    if seen.names is not None:
        if found := candidates(seen.names, "user"):
            return found[0]
        if not seen.names[0].strip() or not are_numbers(seen.column(0)):
            return 0
    distinct = len(set(columns[0])) == len(columns[0])
    whole = bool(np.all(values[0] == np.floor(values[0])))
    return 0 if distinct and (whole or not are_numbers(columns[0], seen.decimal_comma)) else None


def _other(wanted: Wanted) -> int:
    return 2 if str(wanted["user"]) == "1" else 1


def _none_value(values: np.ndarray, held: np.ndarray) -> float | None:
    """Return the value that stands for no rating: 0 among counts, or one far off, such as 99."""
    counts = Counter(values[held & np.isfinite(values)].tolist())
    if len(counts) < 2:
        return None
    top = max(counts, key=abs)
    rest = max(abs(value) for value in counts if value != top)
    if counts[top] > 1 and re.fullmatch(r"-?9+", f"{top:g}") and abs(top) > FAR * rest:
        return float(top)
    whole = all(value >= 0 and value == int(value) for value in counts)
    return 0.0 if whole and counts.get(0.0, 0) == max(counts.values()) else None


def _counts(values: np.ndarray, held: np.ndarray, none: float | None) -> bool:
    """Say whether the first column counts the ratings of its line."""
    given = held[1:] if none is None else held[1:] & (values[1:] != none)
    return bool(np.array_equal(values[0], given.sum(axis=0)))
