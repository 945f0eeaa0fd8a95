"""Which column is the user, the item, the rating, the time: by option, by name, by order."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cornac_mle.files._looks import are_lists, are_numbers, are_times, is_number
from cornac_mle.files._names import candidates, plain
from cornac_mle.files.interactions import shorten
from cornac_mle.files.refusals import ContentError

ROLES = ("user", "item", "rating", "timestamp")
OPTIONS = {
    "user": "user_column",
    "item": "item_column",
    "rating": "rating_column",
    "timestamp": "time_column",
}
MOST_LISTED = 12
SCALE = 11
"""Whole numbers of a rating scale, at most: 0 to 10."""
LEAST_ROWS = 20
"""Rows that must be seen before few values of a column mean anything."""

Wanted = dict[str, str | int]  # role -> the column's name or its number from 1


@dataclass
class Seen:
    """First rows of a table, as text, and the names of its columns if it has a header.

    Parameters
    ----------
    names : list of str or None
        Names of the columns.
    rows : sequence of rows
        First rows, all of the same number of fields.
    decimal_comma : bool
        Whether "3,5" is a number.
    """

    names: list[str] | None
    rows: Sequence[Sequence[str]]
    decimal_comma: bool = False

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.names) if self.names is not None else len(self.rows[0])

    def column(self, at: int) -> list[str]:
        """Return what is seen of one column."""
        return [row[at] for row in self.rows]

    def name(self, at: int) -> str:
        """Spell a column: its name, or its number."""
        if self.names is None or not self.names[at].strip():
            return f"column {at + 1}"
        return self.names[at]

    def listed(self) -> str:
        """Spell the columns, each with its number and, without a header, a value."""
        texts = []
        for at in range(min(self.width, MOST_LISTED)):
            value = self.rows[0][at] if self.names is None else self.names[at]
            texts.append(f"{at + 1} {shorten(value)}")
        more = self.width - MOST_LISTED
        return ", ".join(texts) + (f" and {more} more" if more > 0 else "")


@dataclass
class Roles:
    """Columns by what they mean, and how that was found.

    Parameters
    ----------
    at : dict
        Position of the column by its role; ratings and times only where there are any.
    notes : list of str
        What was assumed, one phrase each.
    """

    at: dict[str, int]
    notes: list[str] = field(default_factory=list)


def find_roles(seen: Seen, wanted: Wanted, *, lists: bool = False) -> Roles:
    """Find the columns of users and items, and those of ratings and times if there are any.

    Parameters
    ----------
    seen : Seen
        First rows of the table.
    wanted : dict
        Columns that are given by option.
    lists : bool
        Whether a column of items may hold lists.

    Raises
    ------
    ContentError
        If it cannot be known; names the option.
    """
    at = {role: given_column(seen, role, column) for role, column in wanted.items()}
    for first, second in (("user", "item"), ("user", "rating"), ("item", "rating")):
        if first in at and at[first] == at.get(second):
            got = f"{seen.name(at[first])!r} for both"
            rule = f"name two columns by {option(first)} and {option(second)}"
            raise ContentError(rule=rule, got=got)
    if seen.names is None:
        _by_order(seen, at)
    else:
        _by_name(seen, at)
    notes = _time_for_rating(seen, at, wanted)
    if not lists and are_lists(seen.column(at["item"])):
        _note_or_refuse_lists(seen, at["item"], "item" in wanted, notes)
    return Roles(at, [*_spelled(seen, at), *notes])


def option(role: str) -> str:
    """Spell an option as people type it.

    >>> option("timestamp")
    '--time-column'
    """
    return "--" + OPTIONS[role].replace("_", "-")


def given_column(seen: Seen, role: str, column: str | int) -> int:
    """Return the position of a column that is given by its name or number.

    Raises
    ------
    ContentError
        If there is none; names the option.
    """
    names = seen.names or []
    if column in names:
        return names.index(str(column))
    alike = [at for at, name in enumerate(names) if plain(name) == plain(str(column))]
    if len(alike) == 1 and plain(str(column)):
        return alike[0]
    number = int(column) if str(column).isdecimal() else 0
    if 1 <= number <= seen.width:
        return number - 1
    rule = f"have the column that {option(role)} names ({column!r})"
    advice = "Name one of these, or give its number."
    raise ContentError(rule=rule, got=_columns(seen), advice=advice)


def _columns(seen: Seen) -> str:
    """Spell what there is to choose from."""
    if seen.names is None:
        return f"no header and columns like {seen.listed()}"
    return f"the columns {seen.listed()}"


def _by_name(seen: Seen, at: dict[str, int]) -> None:
    """Fill in roles by the names of the header."""
    names = seen.names or []
    for role in ROLES:
        if role in at:
            continue
        found = [place for place in candidates(names, role) if place not in at.values()]
        if len(found) > 1 and role != "timestamp":
            _ask(seen, [role], f"tell which of {len(found)} columns is the {role}")
        if found:
            at[role] = found[0]
    missing = [role for role in ("user", "item") if role not in at]
    if len(missing) == 1 and seen.width == 2:
        at[missing[0]] = 1 - at["user" if missing == ["item"] else "item"]
    elif missing:
        _ask(seen, missing, f"have a column of {' and of '.join(f'{role}s' for role in missing)}")


def _by_order(seen: Seen, at: dict[str, int]) -> None:
    """Fill in roles by the order user, item[, rating[, timestamp]]."""
    if at:
        free = [place for place in range(seen.width) if place not in at.values()]
        free = [place for place in free if not are_times(seen.column(place))]
        for role in ("user", "item"):
            if role not in at:
                if not free:
                    _ask(seen, [role], f"have a column of {role}s")
                at[role] = free.pop(0)
        rest = [place for place in range(seen.width) if place not in at.values()]
        if seen.width > 4 or (at["user"], at["item"]) not in ((0, 1), (1, 0)):
            return
    elif 2 <= seen.width <= 4:
        at |= {"user": 0, "item": 1}
        if _are_product_codes(seen.column(0), seen.column(1)):
            at |= {"user": 1, "item": 0}
        rest = list(range(2, seen.width))
    else:
        _ask(seen, ["item"], "say which column is which")
    if not _ratings_and_times(seen, at, rest):
        _ask(seen, ["item"], "say which column is which")


def _ratings_and_times(seen: Seen, at: dict[str, int], rest: list[int]) -> bool:
    """Fill in [rating[, timestamp]] or [timestamp] if the columns that are left look so."""
    times = [are_times(seen.column(place)) for place in rest]
    numbers = [are_numbers(seen.column(place), seen.decimal_comma) for place in rest]
    if "rating" in at or "timestamp" in at:
        for place, time, numeric in zip(rest, times, numbers, strict=True):
            if time and "timestamp" not in at:
                at["timestamp"] = place
            elif numeric and not time and "rating" not in at:
                at["rating"] = place
        return True
    if len(rest) == 1 and (times[0] or numbers[0]):
        at["timestamp" if times[0] else "rating"] = rest[0]
        # user,rating,date of one item: the second column has the few values of a scale
        return not (times[0] and _is_scale(seen.column(at["item"])))
    if len(rest) == 2 and numbers[0] and not times[0]:
        whole = all("." not in text and "," not in text for text in seen.column(rest[1]))
        if times[1] or (numbers[1] and whole):
            at |= {"rating": rest[0], "timestamp": rest[1]}
            return True
    return not rest


def _is_scale(texts: list[str]) -> bool:
    few = len(texts) >= LEAST_ROWS and len(set(texts)) <= SCALE
    return few and all(is_number(text) and -10 <= float(text) <= 10 for text in set(texts))


def _are_product_codes(first: list[str], second: list[str]) -> bool:
    """Say whether the order is Amazon's of 2018: product, customer, rating, time."""
    products = all(len(text) == 10 and (text[:2] == "B0" or text[:9].isdigit()) for text in first)
    people = all(len(text) in range(10, 22) and text[0] == "A" for text in second)
    return products and people


def _time_for_rating(seen: Seen, at: dict[str, int], wanted: Wanted) -> list[str]:
    """Make a column of times that is named like a rating what it is."""
    if "rating" not in at or not are_times(seen.column(at["rating"])):
        return []
    name = seen.name(at["rating"])
    if "rating" in wanted:
        got = f"{name!r} with times such as {shorten(seen.column(at['rating'])[0])}"
        advice = f"Name it by {option('timestamp')} instead."
        raise ContentError(
            rule=f"have ratings where {option('rating')} says", got=got, advice=advice
        )
    place = at.pop("rating")
    at.setdefault("timestamp", place)
    return [f"{name} holds times, not ratings"]


def _note_or_refuse_lists(seen: Seen, at: int, given: bool, notes: list[str]) -> None:
    value = shorten(next(text for text in seen.column(at) if text.strip()))
    if given:
        notes.append(f"{value} is one item, not a list")
        return
    rule, got = "have one item a line", f"lists such as {value} in {seen.name(at)!r}"
    advice = "Pass --wide (wide=True) to read them as baskets, or name the column by --item-column."
    raise ContentError(rule=rule, got=got, advice=advice)


def _spelled(seen: Seen, at: dict[str, int]) -> list[str]:
    """Spell which column is what, and which are not read."""
    words = {"timestamp": "time"}
    notes = [f"{words.get(role, role)} = {seen.name(at[role])}" for role in ROLES if role in at]
    if "rating" not in at:
        notes.append("no ratings: every row counts as 1")
    rest = [seen.name(place) for place in range(seen.width) if place not in at.values()]
    if rest:
        more = f" and {len(rest) - 6} more" if len(rest) > 6 else ""
        notes.append(f"not read: {', '.join(rest[:6])}{more}")
    return notes


def _ask(seen: Seen, roles: list[str], rule: str) -> None:
    """Refuse to guess."""
    options = " and ".join(f"{option(role)} ({OPTIONS[role]}=)" for role in roles)
    advice = f"Name it by {options}: a name, or a number from 1."
    if seen.names is None:
        advice += " Users are then in the first of the other columns, or as --user-column says."
    columns = [seen.column(at) for at in range(seen.width)]
    numeric = sum(are_numbers(column, seen.decimal_comma) for column in columns)
    if seen.width > (4 if seen.names is None else 2) and numeric >= 0.6 * seen.width:
        advice += " If every column is an item, pass --wide (wide=True)."
    elif any(map(are_lists, columns)):
        advice += " If a line lists the items of one user, pass --wide (wide=True)."
    raise ContentError(rule=rule, got=_columns(seen), advice=advice)
