"""What profiles are made of and asked for: rows, tables and values, checked at the edge."""

from collections.abc import Hashable

import numpy as np
import numpy.typing as npt
import pandas as pd

from cornac_mle.checks import refusal, short, written
from cornac_mle.files.ids import Ids, as_ids, check_one_type, factorised, spelled_id
from cornac_mle.sparse import LARGEST_VALUE, LEAST_VALUE, IndexArray


def chosen(rows: slice | npt.ArrayLike, count: int) -> IndexArray:
    """Row numbers of a slice, a mask or row numbers, as numpy takes them; one number is one row.

    Raises
    ------
    TypeError, ValueError, IndexError
        Naming `rows`.
    """
    rule, advice = "be a slice, a mask or row numbers", "get_indexer of `user_ids` finds users."
    if isinstance(rows, slice):
        try:
            return np.arange(count)[rows]
        except (TypeError, ValueError):
            raise TypeError(refusal("rows", rule, repr(rows), advice)) from None
    try:
        array = np.asarray(rows)
    except ValueError:  # a ragged list
        array = np.asarray(None)
    if array.size == 0 and array.ndim == 1:
        array = array.astype(np.intp if array.dtype != np.bool_ else np.bool_)
    if array.dtype.kind not in "biu" or isinstance(rows, tuple) or np.ma.is_masked(rows):
        raise TypeError(refusal("rows", rule, short(repr(rows)), advice))
    if array.dtype == np.bool_:
        if array.shape != (count,):
            raise ValueError(refusal("rows", f"be a mask of {count} users", f"shape {array.shape}"))
        return np.flatnonzero(array)
    if array.ndim > 1:
        raise ValueError(refusal("rows", "be one-dimensional", f"shape {array.shape}"))
    array = np.atleast_1d(array)
    for one in array[(array < -count) | (array >= count)][:1]:
        raise IndexError(refusal("rows", f"be below {count}, the number of users", one))
    keep: IndexArray = np.arange(count)[array]
    if len(np.unique(keep)) < len(keep):
        raise ValueError(refusal("rows", "hold each row once", short(repr(rows))))
    return keep


def check_frame(frame: object) -> None:
    """Refuse what is no table with columns of users and items.

    Raises
    ------
    TypeError, ValueError
        Naming what is wrong.
    """
    if not isinstance(frame, pd.DataFrame):
        advice = "pd.DataFrame(rows, columns=['user', 'item', 'rating']) makes one of tuples."
        raise TypeError(refusal("frame", "be a DataFrame", f"a {type(frame).__name__}", advice))
    rule = "have the columns user, item[, rating]"
    for column in ("user", "item", "rating"):
        count = int((frame.columns == column).sum())
        if count > 1 or (count == 0 and column != "rating"):
            raise ValueError(refusal("frame", rule, f"{count or 'no'} column {column!r}"))


def placed_ids(frame: pd.DataFrame, name: str, ids: Ids | None) -> tuple[IndexArray, pd.Index]:
    """Place of each row's id in the given ids, or in the different ones of the column; and these.

    Raises
    ------
    TypeError, ValueError
        If an id is missing, unknown or no id, or two are of different types and look alike.
    """
    column = frame[name]
    kinds = set(map(type, column)) if column.dtype == object else set()
    for kind in sorted(kinds, key=str):
        if not issubclass(kind, Hashable):
            raise TypeError(refusal(name, "be text or a number", f"a {kind.__name__}"))
    places, different = factorised(column)
    if (places < 0).any():
        advice, context = "Drop or fill such rows.", f"row {int(np.argmax(places < 0))}"
        raise ValueError(refusal(name, "be given in every row", "none", advice, context))
    if column.dtype == object:
        check_one_type(name, different)
    if ids is None:
        return places, as_ids(name, different)
    index = as_ids(f"{name}_ids", ids)
    places = index.get_indexer(pd.Index(different))[places]
    if (places < 0).any():
        unknown = column.iloc[int(np.argmax(places < 0))]
        raise ValueError(refusal(name, f"be in `{name}_ids`", spelled_id(unknown)))
    return places, index


def unkept_value(value: object, who: str) -> str:
    """Say why profiles do not keep a value: it is not above 0, or 32 bits do not hold it."""
    got, advice = written(value), "Zero, negative and missing values need a rating threshold."
    is_number = isinstance(value, int | float | np.integer | np.floating)
    if is_number and 0 < value < np.inf:  # type: ignore[operator]  # mypy forgets `is_number`
        rule = f"be from {LEAST_VALUE:.1e} to {LARGEST_VALUE:.1e}, as it is kept in 32 bits"
        return refusal("rating", rule, got, "Rescale the ratings.", context=who)
    rule = "be above 0" if is_number else "be a number above 0"
    return refusal("rating", rule, got, advice, context=who)
