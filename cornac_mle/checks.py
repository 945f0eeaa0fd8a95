"""Argument checks with one error format: what it must be, what it is, what to do."""

from collections.abc import Collection, Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt

LARGEST_COUNT = 2**32 - 1
"""Largest number of anything, unless told otherwise, and the largest random seed that Cornac,
scikit-learn and PyTorch all take."""
MOST_BITS = 1024
"""Longest integer that is spelled out in a message; floats end there."""
LEAST_SHARE = 1e-12
"""Smallest level or share: far below it limits have no digits left, and 1 / share overflows."""
MOST_CHARACTERS = 500
"""Longest value in a message; what is longer is cut."""


def refusal(name: str, rule: str, got: object, advice: str = "", context: str = "") -> str:
    """Spell the one error format of this package.

    >>> refusal("k", "be at least 1", 0, "Pass for example k=10.")
    '`k` must be at least 1; got 0. Pass for example k=10.'
    """
    where = f" for {context}" if context else ""
    return f"`{name}` must {rule}; got {short(got)}{where}.{' ' + advice if advice else ''}"


def short(got: object) -> str:
    r"""Spell a value in one line that can be read, whatever it is.

    >>> short(10**10_000)
    'an integer of 33,220 bits'
    >>> short("one\ntwo")
    'one two'
    """
    if isinstance(got, int) and got.bit_length() > MOST_BITS:
        return f"an integer of {got.bit_length():,} bits"  # Python refuses to spell some of them
    text = " ".join(str(got).splitlines())
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..."


def check_count(name: str, value: object, *, minimum: int = 1, maximum: int = LARGEST_COUNT) -> int:
    """Return `value` as an int from `minimum` to `maximum`, or raise.

    >>> check_count("k", 10)
    10
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(refusal(name, "be an integer", written(value)))
    count = int(value)
    if count < minimum:
        raise ValueError(refusal(name, f"be at least {minimum}", count))
    if count > maximum:
        raise ValueError(refusal(name, f"be at most {maximum}", count))
    return count


def check_seed(seed: object) -> int | None:
    """Return `seed` as an int of 32 bits, or None (another result each time), or raise."""
    return None if seed is None else check_count("seed", seed, minimum=0)


def written(value: object) -> str:
    """Spell a value as it is written in code; a numpy number like Python's own.

    >>> written(np.float64(0.5)), written("0.5")
    ('0.5', "'0.5'")
    """
    own = value.item() if isinstance(value, np.generic) else value
    return short(own) if isinstance(own, int) else repr(own)


def check_number(
    name: str,
    value: object,
    *,
    above: float = -np.inf,
    minimum: float = -np.inf,
    below: float = np.inf,
) -> float:
    """Return `value` as a finite float within the bounds, or raise; only `minimum` is allowed.

    >>> check_number("dropout", 0, minimum=0, below=1)
    0.0
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(refusal(name, "be a number", written(value)))
    try:
        number = float(value)
    except OverflowError:  # an integer, or a fraction, that no float reaches
        number = np.inf
    if not (np.isfinite(number) and above < number < below and number >= minimum):
        limits = {"above": above, "at least": minimum, "below": below}
        named = [f"{word} {limit:g}" for word, limit in limits.items() if np.isfinite(limit)]
        rule = ", ".join(["be finite", *([" and ".join(named)] if named else [])])
        raise ValueError(refusal(name, rule, written(value)))
    return number


def check_reals(name: str, values: object) -> npt.NDArray[np.float64]:
    """Return `values` as an array of float64, NaN and infinities among them, or raise.

    >>> check_reals("scores", [1, 2.5])
    array([1. , 2.5])
    """
    rule = "be an array of real numbers"
    if np.ma.is_masked(values):
        raise ValueError(refusal(name, rule, "masked entries"))
    try:
        array = np.asarray(values)
        if array.dtype == object:
            array = np.asarray(values, dtype=np.float64)
    except (OverflowError, TypeError, ValueError):
        raise TypeError(refusal(name, rule, written(values))) from None
    if array.dtype.kind not in "biuf":
        raise TypeError(refusal(name, rule, written(values)))
    return array.astype(np.float64)


def check_share(name: str, value: object) -> float:
    """Return `value` as a float in the open interval (0, 1), at least `LEAST_SHARE`, or raise."""
    share = check_number(name, value, above=0.0, below=1.0)
    if share < LEAST_SHARE:
        raise ValueError(refusal(name, f"be at least {LEAST_SHARE:g}", share))
    return share


def check_choice(name: str, value: object, choices: Collection[str]) -> str:
    """Return `value` if it is one of `choices`, or raise."""
    # Looked up only if a string: a list, say, has no place in a dict or a set.
    if not isinstance(value, str) or value not in choices:
        allowed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(refusal(name, f"be one of {allowed}", repr(value)))
    return value


def check_entries(
    name: str, values: object, kinds: type | tuple[type, ...], what: str, advice: str
) -> list[Any]:
    """Return a list of objects as a list, or raise unless it is one that holds `kinds` only.

    >>> check_entries("numbers", [1, "a"], int, "integers", "Write [1, 2].")
    Traceback (most recent call last):
    TypeError: `numbers` must hold integers; got 'a'. Write [1, 2].
    """
    if isinstance(values, kinds):
        raise TypeError(refusal(name, f"be a list of {what}", f"one {name[:-1]}", "Write [it]."))
    if not isinstance(values, Iterable) or isinstance(values, str | bytes):
        raise TypeError(refusal(name, f"be a list of {what}", repr(values), advice))
    checked = list(values)
    if not checked:
        raise ValueError(refusal(name, f"hold at least one {name[:-1]}", "none"))
    for value in checked:
        if not isinstance(value, kinds):
            got = f"the class {value.__name__}" if isinstance(value, type) else repr(value)
            raise TypeError(refusal(name, f"hold {what}", got, advice))
    return checked


def check_name(name: object) -> str:
    """Return the name of a model as it is, or raise unless it is a string of one line.

    >>> check_name("VAE prior")
    'VAE prior'
    """
    if not isinstance(name, str):
        raise TypeError(refusal("name", "be a string", written(name)))
    if not name.strip() or len(name.splitlines()) > 1:
        raise ValueError(refusal("name", "be a word, or more, in one line", repr(name)))
    return name


def check_flag(name: str, value: object) -> bool:
    """Return True or False, of numpy's kind or as 1 or 0 too, or raise.

    >>> check_flag("verbose", 1)
    True
    """
    if not isinstance(value, bool | np.bool_ | Integral) or value not in (0, 1):
        raise TypeError(refusal(name, "be True or False", written(value)))
    return bool(value)


def check_different_names(name: str, names: Sequence[str], advice: str = "") -> None:
    """Raise, with the first that is there twice, unless all `names` differ.

    >>> check_different_names("models", ["PMF", "VAE"])
    """
    for one in names:
        if names.count(one) > 1:
            raise ValueError(refusal(name, "have different names", f"{one!r} twice", advice))


def check_jobs(n_jobs: object) -> None:
    """Raise unless `n_jobs` is a number of threads."""
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral):
        raise TypeError(refusal("n_jobs", "be an integer", repr(n_jobs)))
    if n_jobs < 1 and n_jobs != -1:
        raise ValueError(refusal("n_jobs", "be at least 1, or -1 for one a core", n_jobs))
