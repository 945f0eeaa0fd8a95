"""JSON lines into columns: an object a line, or a list of objects; also Python's own spelling."""

import ast
import io
import json
from array import array
from collections.abc import Callable, Iterator
from typing import Any

from cornac_mle.files._columns import Table, Texts, check_one_value
from cornac_mle.files._facts import Facts
from cornac_mle.files._roles import Roles, Seen
from cornac_mle.files._unpack import Source
from cornac_mle.files.interactions import shorten
from cornac_mle.files.records import _lines
from cornac_mle.files.refusals import ContentError

SEEN_ROWS = 1000
# Numbers stay as they are written: 1.0 is another id than 1.
DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, strict=False)


def is_json(line: str) -> bool:
    """Say whether a file with this first line holds objects.

    >>> is_json('{"user": 1}'), is_json("user,item"), is_json("[")
    (True, False, True)
    """
    text = line.strip()
    return text.startswith(("{", "[{")) or text == "["


def seen_objects(source: Source, facts: Facts) -> tuple[Seen, set[int]]:
    """Return the first objects as rows of text, and the columns that hold lists."""
    rows = []
    for _, record in _objects(source, facts):
        if record is not None:
            rows.append(record)
        if len(rows) == SEEN_ROWS:
            break
    names = list(dict.fromkeys(name for row in rows for name in row))
    lists = {
        at for at, name in enumerate(names) if any(isinstance(row.get(name), list) for row in rows)
    }
    texts = [[_text(row.get(name)) for name in names] for row in rows]
    return Seen(names, texts), lists


def read_json(source: Source, facts: Facts, seen: Seen, roles: Roles) -> Table:
    """Read the columns of the roles.

    Raises
    ------
    ContentError
        At the first line that is no object, or whose user or item is none.
    """
    names = {role: (seen.names or [])[at] for role, at in roles.at.items()}
    texts: dict[str, list[str]] = {role: [] for role in names}
    known: dict[str, str] = {}
    numbers, blank = array("q"), 0
    for number, record in _objects(source, facts):
        if record is None:
            blank += 1
            continue
        for role, name in names.items():
            value = record.get(name)
            check_one_value(value, role, f"line {number}")
            text = _text(value)
            texts[role].append(known.setdefault(text, text))
        numbers.append(number)
    place: Callable[[int], str] = lambda row: f"line {numbers[row]}"  # noqa: E731
    columns = {role: Texts.of(column) for role, column in texts.items()}
    return Table({**columns}, {"blank lines": blank}, _notes(facts), place)


def json_lists(
    source: Source, facts: Facts, seen: Seen, roles: Roles
) -> Iterator[tuple[str, list[str]]]:
    """Yield each user with its list of items."""
    names = seen.names or []
    user, item = names[roles.at["user"]], names[roles.at["item"]]
    for number, record in _objects(source, facts):
        if record is not None:
            value = record.get(item)
            items = value if isinstance(value, list) else [value]
            for one in (record.get(user), *items):
                check_one_value(one, item, f"line {number}")
            yield _text(record.get(user)), [_text(one) for one in items]


def _notes(facts: Facts) -> list[str]:
    notes = ["read JSON lines"]
    return notes if facts.encoding == "utf-8-sig" else [*notes, f"encoding {facts.encoding}"]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _objects(source: Source, facts: Facts) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield the objects, each with its line; a blank line is None."""
    with (
        source.open() as raw,
        io.TextIOWrapper(raw, encoding=facts.encoding, newline="") as handle,
    ):
        python = False  # the objects are Python's, with single quotes
        for number, line in enumerate(_lines(handle), start=1):
            text = line.strip().rstrip(",")
            if text in ("[", "]") or not text:
                yield from [] if text else [(number, None)]
                continue
            whole = text.startswith("[")
            found, python = _parsed(text, number, python)
            for record in found if whole else [found]:
                if not isinstance(record, dict):
                    raise _no_object(text, number)
                yield number, record


def _parsed(text: str, number: int, python: bool) -> tuple[Any, bool]:
    """Return what a line holds, and whether it was spelled as Python does."""
    if not python:
        try:
            return DECODER.decode(text), False
        except (ValueError, RecursionError):
            pass
    try:
        return ast.literal_eval(text), True
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise _no_object(text, number) from None


def _no_object(text: str, number: int) -> ContentError:
    rule, advice = "be a JSON object", "Correct it or remove the line."
    where = f"line {number}"
    return ContentError(rule=rule, got=shorten(text), advice=advice, name="line", where=where)
