"""Whether the first line of a table names its columns."""

from collections.abc import Sequence

from cornac_mle.files._looks import are_numbers, are_times, is_missing, is_number, is_time
from cornac_mle.files._names import is_named, plain


def is_header(
    head: list[str], rows: list[list[str]], named: Sequence[str], decimal_comma: bool
) -> bool:
    """Say whether a first line names columns: it is known, or unlike what is below it."""
    if {plain(name) for name in head} & {plain(name) for name in named}:
        return True
    if is_named(head):
        return True
    if len(head) != len(rows[0]) if rows else True:
        return False
    unlike = False
    for at, name in enumerate(head):
        below = [row[at] for row in rows if not is_missing(row[at])]
        if is_missing(name) or not below:
            continue
        if is_number(name, decimal_comma) or is_time(name):
            return False
        digits = len(below) > 1 and all(any(map(str.isdigit, text)) for text in below)
        unlike |= are_numbers(below, decimal_comma) or are_times(below)
        unlike |= digits and not any(map(str.isdigit, "".join(head)))
    return unlike


def fitted(head: list[str], rows: list[list[str]], width: int) -> list[str]:
    """Name a column that has no name: numbers of rows before the others, or nothing after them."""
    names = [name.strip() for name in head]
    if len(names) != width - 1 or not rows:
        return names
    if not any(row[-1] for row in rows):
        return [*names, ""]
    counted = [str(number) for number in range(len(rows) + 1)]
    first = [row[0] for row in rows]
    return ["", *names] if len(rows) > 1 and first in (counted[1:], counted[:-1]) else names
