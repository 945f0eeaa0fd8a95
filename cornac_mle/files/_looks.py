"""What a few values of a column look like: numbers, times, lists."""

import re
from collections.abc import Iterable, Sequence

from cornac_mle.files.interactions import finite_number

MISSING = {"", "na", "n/a", "nan", "<na>", "null", "none", "\\n"}
"""How a rating that is not there is written, in lower case."""
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+\s*")
# Seconds, milliseconds, microseconds and nanoseconds from 1990 to 2040.
EPOCHS = tuple((6.3e8 * unit, 2.21e9 * unit) for unit in (1, 1e3, 1e6, 1e9))
DATES = re.compile(
    r"""\s*(
    (19|20)\d\d[-/.](0?[1-9]|1[0-2])[-/.]([0-2]?\d|3[01])([T\s].*)?   # 2010-10-19T23:55:27Z
    |[0-3]?\d[-/.][0-3]?\d[-/.](\d\d|(19|20)\d\d)([T\s].*)?           # 12/1/2010 8:26
    |(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])(\d{6})?                # 20101019
    |.*\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b.*\b\d\d:?\d\d\b.*
    )\s*""",
    re.VERBOSE | re.IGNORECASE,
)
MOSTLY = 0.5
"""Share of a column's values that must look like times: 0 and -1 stand for unknown ones."""
LIST_SHARE = 0.5
TOKEN = re.compile(r"[^\s,;|]*\d[^\s,;|]*")


def is_missing(text: str) -> bool:
    """Say whether a field holds no value, however that is written."""
    return text.strip().lower() in MISSING


def number(text: str, decimal_comma: bool = False) -> float:
    """Return the number that a field holds, or NaN.

    >>> number("3.5"), number("3,5", decimal_comma=True), number("3,5")
    (3.5, 3.5, nan)
    """
    if decimal_comma and DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    return finite_number(text)


def is_number(text: str, decimal_comma: bool = False) -> bool:
    """Say whether a field holds a finite number."""
    value = number(text, decimal_comma)
    return value == value


def is_time(text: str) -> bool:
    """Say whether a field looks like a time: since 1970, or a date.

    >>> is_time("978300760"), is_time("2010-10-19T23:55:27Z"), is_time("1/12/10 8:26")
    (True, True, True)
    >>> is_time("4.5"), is_time("1999"), is_time("The May Queen")
    (False, False, False)
    """
    value = finite_number(text)
    if value == value and any(low <= value <= high for low, high in EPOCHS):
        return True
    return bool(DATES.fullmatch(text))


def are_times(texts: Iterable[str]) -> bool:
    """Say whether most values of a column look like times."""
    given = [text for text in texts if not is_missing(text)]
    return bool(given) and sum(map(is_time, given)) >= MOSTLY * len(given)


def are_numbers(texts: Iterable[str], decimal_comma: bool = False) -> bool:
    """Say whether all values of a column are numbers, missing ones apart."""
    given = [text for text in texts if not is_missing(text)]
    return bool(given) and all(is_number(text, decimal_comma) for text in given)


def is_list(text: str) -> bool:
    """Say whether a field looks like a list of ids.

    >>> is_list("[1, 2]"), is_list("N10 N7"), is_list("Toy Story 2")
    (True, True, False)
    """
    text = text.strip()
    if text[:1] + text[-1:] in ("[]", "()", "{}") and len(text) > 1:
        return True
    tokens = re.split(r"[,;|]\s*|\s+", text)
    return len(tokens) > 1 and all(TOKEN.fullmatch(token) for token in tokens)


def are_lists(texts: Sequence[str]) -> bool:
    """Say whether most values of a column look like lists; times are none."""
    given = [text for text in texts if not is_missing(text)]
    if not given or are_times(given) or are_numbers(given, decimal_comma=True):
        return False
    return sum(map(is_list, given)) > LIST_SHARE * len(given)
