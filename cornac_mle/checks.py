"""Argument checks with one error format: what it must be, what it is, what to do."""

from collections.abc import Collection
from numbers import Integral, Real

import numpy as np


def refusal(name: str, rule: str, got: object, advice: str = "", context: str = "") -> str:
    """Spell the one error format of this package.

    >>> refusal("k", "be at least 1", 0, "Pass for example k=10.")
    '`k` must be at least 1; got 0. Pass for example k=10.'
    """
    where = f" for {context}" if context else ""
    return f"`{name}` must {rule}; got {got}{where}.{' ' + advice if advice else ''}"


def check_count(name: str, value: object, *, minimum: int = 1) -> int:
    """Return `value` as an int that is at least `minimum`, or raise."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(refusal(name, "be an integer", repr(value)))
    if value < minimum:
        raise ValueError(refusal(name, f"be at least {minimum}", value))
    return int(value)


def check_number(
    name: str, value: object, *, above: float = -np.inf, below: float = np.inf
) -> float:
    """Return `value` as a finite float strictly between `above` and `below`, or raise."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(refusal(name, "be a number", repr(value)))
    number = float(value)
    if not (np.isfinite(number) and above < number < below):
        bounds = f"be finite, above {above:g} and below {below:g}"
        raise ValueError(refusal(name, bounds, value))
    return number


def check_share(name: str, value: object) -> float:
    """Return `value` as a float in the open interval (0, 1), or raise."""
    return check_number(name, value, above=0.0, below=1.0)


def check_choice(name: str, value: str, choices: Collection[str]) -> str:
    """Return `value` if it is one of `choices`, or raise."""
    if value not in choices:
        allowed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(refusal(name, f"be one of {allowed}", repr(value)))
    return value
