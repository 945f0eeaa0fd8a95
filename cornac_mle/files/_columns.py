"""Columns as they are read, and the table of ids, ratings and times that they become."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cornac_mle.files._looks import DECIMAL_COMMA, is_missing, number
from cornac_mle.files.interactions import shorten, text_column
from cornac_mle.files.refusals import ContentError


@dataclass(frozen=True)
class Texts:
    """A column of text in which every value is kept once.

    Parameters
    ----------
    codes : ndarray, shape (n_rows,)
        Position of the value of each row.
    values : list of str
        The values, in the order in which they first appear.
    """

    codes: npt.NDArray[np.integer[Any]]
    values: list[str]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Texts":
        """Find the different values of a column.

        >>> Texts.of(["b", "a", "b"]).values
        ['b', 'a']
        """
        codes, values = pd.factorize(np.array(texts, dtype=object))
        return cls(codes, list(values))

    def rows(self, test: Callable[[str], bool]) -> npt.NDArray[np.bool_]:
        """Return for each row whether its value passes a test."""
        passes: npt.NDArray[np.bool_] = np.fromiter(map(test, self.values), bool, len(self.values))
        chosen: npt.NDArray[np.bool_] = passes[self.codes]
        return chosen

    def as_objects(self) -> npt.NDArray[Any]:
        """Return the text of each row."""
        objects: npt.NDArray[Any] = np.array(self.values, dtype=object)[self.codes]
        return objects


Column = Texts | npt.NDArray[np.float64]


@dataclass
class Table:
    """Columns by role, and what is known of their rows.

    Parameters
    ----------
    columns : dict
        Columns by role; ids are text, ratings and times text or numbers.
    left_out : dict
        Counts of what was left out on reading.
    notes : list of str
        What was assumed on reading.
    place : callable
        Spells where a row stands, "line 4" say, from its position.
    decimal_comma : bool
        Whether "3,5" is a number.
    has_user_ids : bool
        False where users are the numbers of lines.
    """

    columns: dict[str, Column]
    left_out: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    place: Callable[[int], str] = "row {}".format
    decimal_comma: bool = False
    has_user_ids: bool = True


def check_one_value(value: object, name: str, where: str) -> None:
    """Refuse a list or an object in the place of one id or number.

    Raises
    ------
    ContentError
        Naming the value and where it stands.
    """
    if isinstance(value, dict | list | tuple | set):
        raise ContentError(rule="be text or a number", got=shorten(value), name=name, where=where)


def finished(table: Table) -> pd.DataFrame:
    """Check the columns and make the table of them; adds to its notes and counts.

    Raises
    ------
    ContentError
        At the first row whose rating is no number, or if no row is left.
    """
    columns = table.columns
    ids = {role: columns[role] for role in ("user", "item")}
    keep = np.ones(_length(columns["user"]), dtype=bool)
    for role, column in ids.items():
        if not isinstance(column, Texts):
            msg = "ids must be text"
            raise TypeError(msg)
        article = "a user" if role == "user" else "an item"
        keep = _left_out(table, f"rows without {article}", keep, column.rows(_is_blank))
    data: dict[str, Any] = {}
    if "rating" in columns:
        ratings, missing = _ratings(table, columns["rating"], keep)
        keep = _left_out(table, "rows without a rating", keep, missing)
        data["rating"] = ratings[keep]
    if not keep.any():
        left = ", ".join(f"{count:,} {what}" for what, count in table.left_out.items() if count)
        got = f"only {left}" if left else "a header and nothing below it"
        raise ContentError(rule="hold interactions", got=got, advice="Name another file.")
    data = {role: text_column(_kept(column, keep)) for role, column in ids.items()} | data
    if "timestamp" in columns:
        data["timestamp"] = _times(columns["timestamp"], keep)
    for role, column in ids.items():
        if isinstance(column, Texts):
            table.notes.extend(_oddities(role, column, keep))
    return pd.DataFrame(data)


def _length(column: Column) -> int:
    return len(column.codes) if isinstance(column, Texts) else len(column)


def _is_blank(text: str) -> bool:
    return not text.strip()


def _left_out(
    table: Table, what: str, keep: npt.NDArray[np.bool_], missing: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Count rows that are left out, each once, and return those that are kept."""
    if count := int((keep & missing).sum()):
        table.left_out[what] = table.left_out.get(what, 0) + count
    return keep & ~missing


def _ratings(
    table: Table, column: Column, keep: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return ratings as numbers, and which are missing; raise at the first that is none."""
    if not isinstance(column, Texts):
        if (wrong := np.isinf(column) & keep).any():
            at = int(wrong.argmax())
            raise _wrong_rating(str(column[at]), table.place(at))
        return column, np.isnan(column)
    missing = column.rows(is_missing)
    commas = any(DECIMAL_COMMA.fullmatch(text) for text in column.values)
    points = any("." in text for text in column.values if not is_missing(text))
    # "1,234" beside "3.5" is a thousand or a wrong row: never a guess
    decimal_comma = table.decimal_comma and commas and not points
    numbers = np.array([number(text, decimal_comma) for text in column.values], dtype=np.float64)
    ratings = numbers[column.codes] if len(numbers) else np.empty(0)
    wrong = np.isnan(ratings) & ~missing & keep
    if wrong.any():
        at = int(wrong.argmax())
        raise _wrong_rating(column.values[column.codes[at]], table.place(at))
    if decimal_comma:
        example = next(text for text in column.values if DECIMAL_COMMA.fullmatch(text))
        table.notes.append(f"decimal commas: {example} is {number(example, True):g}")
    return ratings, missing


def _wrong_rating(text: str, where: str) -> ContentError:
    rule, advice = "be a finite number", f"Correct it or remove the {where.split()[0]}."
    return ContentError(rule=rule, got=shorten(text), advice=advice, name="rating", where=where)


def _times(column: Column, keep: npt.NDArray[np.bool_]) -> "pd.Series[Any]":
    """Return numbers, NaN where there is none, if all are numbers or blank; otherwise text."""
    if not isinstance(column, Texts):
        return pd.Series(column[keep])
    numbers = np.array([number(text) for text in column.values], dtype=np.float64)
    held = np.zeros(len(numbers), dtype=bool)
    held[column.codes[keep]] = True
    blank = np.fromiter(map(_is_blank, column.values), bool, len(numbers))
    if (held & np.isnan(numbers) & ~blank).any():
        return text_column(column.as_objects()[keep])
    return pd.Series(numbers[column.codes][keep])


def _kept(column: Column, keep: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    if not isinstance(column, Texts):
        return column[keep]
    objects = column.as_objects()
    return objects if keep.all() else objects[keep]


def _oddities(role: str, column: Texts, keep: npt.NDArray[np.bool_]) -> list[str]:
    """Say what other tools leave in ids, which is read as it is written."""
    counts = np.bincount(column.codes[keep], minlength=len(column.values))
    held = [text for text, count in zip(column.values, counts, strict=True) if count]
    notes = []
    if spelled := [text for text in held if is_missing(text)]:
        count = sum(int(counts[column.values.index(text)]) for text in spelled)
        notes.append(f"{', '.join(map(repr, spelled))} is a {role} as any other ({count:,} rows)")
    if padded := sum(text != text.strip() for text in held):
        notes.append(f"{padded:,} {role}s have blanks around them, kept as written")
    if broken := sum("\n" in text or "\r" in text for text in held):
        notes.append(f"{broken:,} {role}s hold line breaks")
    return notes
