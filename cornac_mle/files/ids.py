"""Ids of users and items: an Index that keeps them as they are, in an order of their own."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cornac_mle.checks import refusal, short
from cornac_mle.sparse import IndexArray

Ids = pd.Index | pd.Series | npt.NDArray[Any] | Sequence[Hashable]
"""What numpy and pandas users call ids."""


def ids_index(ids: Sequence[Hashable]) -> pd.Index:
    """Index of ids as they are: no guess of a narrower type, so that "01" stays "01"."""
    index: pd.Index = pd.Index(np.fromiter(ids, dtype=object, count=len(ids)), dtype=object)
    return index


def as_ids(name: str, ids: Ids) -> pd.Index:
    """Make an Index of ids that numpy or pandas users hand over; a list keeps its ids as they are.

    Raises
    ------
    TypeError, ValueError
        If it is no list of ids, one is missing, or one is there twice.
    """
    if isinstance(ids, pd.Index):
        index = ids
    elif isinstance(ids, pd.Series | np.ndarray | pd.api.extensions.ExtensionArray):
        if ids.ndim != 1 or np.ma.is_masked(ids):
            got = "masked ones" if ids.ndim == 1 else f"shape {ids.shape}"
            raise ValueError(refusal(name, "be one-dimensional ids", got))
        index = pd.Index(ids)
    elif isinstance(ids, Sequence) and not isinstance(ids, str | bytes):
        index = ids_index(ids)
    else:
        rule, got = "be a list, an array or an Index of ids", short(repr(ids))
        raise TypeError(refusal(name, rule, got))
    if index.hasnans:
        raise ValueError(refusal(name, "be given everywhere", "a missing one"))
    # pandas looks an id up late, and fails with words of its own.
    if index is not ids and index.dtype == object:
        for one in index:
            if not isinstance(one, Hashable):
                raise TypeError(refusal(name, "hold text or numbers", f"a {type(one).__name__}"))
    if not index.is_unique:
        first = index[index.duplicated()][0]
        raise ValueError(refusal(name, "be unique", f"{spelled_id(first)} more than once"))
    return index


def sorted_ids(ids: Iterable[Hashable]) -> pd.Index:
    """Index of ids in an order of their own, so that nothing depends on the order of rows.

    Numbers are in the order of numbers, text in that of text; numbers come before text.
    """
    values: list[Any] = list(dict.fromkeys(ids))
    try:
        values.sort()
    except TypeError:
        values.sort(key=lambda value: (type(value).__name__, str(value)))
    return ids_index(values)


def factorised(column: "pd.Series[Any]") -> tuple[IndexArray, Any]:
    """Place of each row's id among the different ones, -1 of a missing one, and these in order.

    >>> places, ids = factorised(pd.Series(["b", None, "a", "b"], dtype=object))
    >>> places.tolist(), list(ids)
    ([0, -1, 1, 0], ['b', 'a'])
    """
    is_extension = isinstance(column.dtype, pd.api.extensions.ExtensionDtype)
    places, ids = pd.factorize(column.array if is_extension else column.to_numpy())
    return places, ids


def check_one_type(name: str, ids: Iterable[Hashable]) -> None:
    """Refuse ids that look alike and are not equal: 1 and "1" would be two users.

    Raises
    ------
    TypeError
        Naming the two.
    """
    spelled: dict[str, Hashable] = {}
    for value in ids:
        other = spelled.setdefault(str(value), value)
        if other != value:
            advice = "Convert the column, for example with .astype(str)."
            got = f"both {spelled_id(other)} and {spelled_id(value)}"
            raise TypeError(refusal(name, "be of one type", got, advice))


def check_alike(name: str, own: Hashable, other_name: str, other: Hashable) -> None:
    """Refuse groups of items without a common one: say whether their types differ.

    Raises
    ------
    ValueError
        Naming an item of each.
    """
    advice = "Are these the same items? Their ids must be equal."
    types = [
        "an integer" if isinstance(one, Integral) else f"a {type(one).__name__}"
        for one in (own, other)
    ]
    if types[0] != types[1]:
        advice = f"{types[0]} never equals {types[1]}: convert one side, with .astype(str) say."
    rule = f"hold an item of `{other_name}`, such as {spelled_id(other)}"
    raise ValueError(refusal(name, rule, f"none, but {spelled_id(own)} and others", advice))


def spelled_id(value: Hashable) -> str:
    """Spell an id so that its type shows: 1 or '1', whatever numpy calls it."""
    return str(value) if isinstance(value, Integral) else repr(value)


def known_ids(places: Mapping[Hashable, int], count: int) -> pd.Index:
    """Ids of the first `count` places; Cornac's maps grow by unknown ones later."""
    ordered = sorted(places.items(), key=lambda pair: pair[1])
    return ids_index([name for name, place in ordered if place < count])
