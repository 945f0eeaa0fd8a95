"""How numbers and text are spelt, the same on every face of a report."""

import math

from cornac_mle.files.markup import printable as printable

NO_VALUE = "-"


def number(value: float | None) -> str:
    """Write two digits after the point, three where the number is small: .46, .004, -1.20.

    >>> [number(value) for value in (0.456, 0.0042, -1.2, 0.9996, 123.4, None)]
    ['.46', '.004', '-1.20', '1.00', '123.40', '-']
    """
    if value is None or math.isnan(value):
        return NO_VALUE
    text = f"{value:.2f}" if abs(value) >= 0.095 else f"{value:.3f}"
    if text in ("-0.000", "-0.00"):
        text = text[1:]
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def half_width(low: float | None, high: float | None) -> str:
    """Write half the width of an interval, with two digits after the point; empty without one.

    >>> half_width(0.1, 0.26)
    '.08'
    """
    if low is None or high is None or math.isnan(high - low):
        return ""
    return f"{(high - low) / 2:.2f}".replace("0.", ".", 1)


def percent(value: float) -> str:
    """Write a share in whole percent, and as "under 1%" or "over 99%" where it is neither 0 nor 1.

    >>> [percent(share) for share in (0.31, 0.002, 0.0, 0.998)]
    ['31%', 'under 1%', '0%', 'over 99%']
    """
    if 0 < value < 0.005:
        return "under 1%"
    if 0.995 <= value < 1:
        return "over 99%"
    return f"{value:.0%}"


def counted(count: int, noun: str) -> str:
    """Write a count with its noun: "1 user", "1,200 users".

    >>> counted(1, "user"), counted(1200, "user")
    ('1 user', '1,200 users')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
