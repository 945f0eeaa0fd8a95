"""How profiles are laid out in a file: as a long table, or as plain arrays.

A long table cannot hold a user without items or an item that nobody holds, so these are rows with
an empty item or an empty user. Ids are ordered by first appearance; where that is not the order of
the catalogue, the table ends with one such row for every item, and these say the order.
"""

from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from cornac_mle.checks import refusal
from cornac_mle.files.paths import table_suffix
from cornac_mle.files.refusals import ContentError

Texts = npt.NDArray[np.object_]
ARRAYS = ("user_ids", "item_ids", "indptr", "indices", "values")


def is_arrays_file(path: str | Path) -> bool:
    """Tell an .npz file from a table by its suffix; raise where it is neither."""
    return table_suffix(path, also=(".npz",)) == ".npz"


def text_ids(name: str, ids: pd.Index) -> Texts:
    """Return ids as text, shape (n,): text as it is, integers as digits.

    Raises
    ------
    ValueError
        If an id is neither, is empty, holds the character NUL (which numpy cuts off at the end of
        a text), or is the same as another one once it is text.
    """
    for value in ids:
        integer = isinstance(value, Integral) and not isinstance(value, bool)
        if not integer and (not isinstance(value, str) or value == "" or "\0" in value):
            rule = "be integers or text, not empty, without NUL, to be written"
            raise ValueError(refusal(name, rule, repr(value), "Rename it."))
    texts = np.fromiter(map(str, ids), dtype=object, count=len(ids))
    repeated = pd.Index(texts, dtype=object).duplicated()
    if repeated.any():
        value = repr(texts[int(np.argmax(repeated))])
        raise ValueError(refusal(name, "differ as text to be written", f"{value} twice"))
    return texts


def to_table(matrix: sp.csr_array, users: Texts, items: Texts) -> pd.DataFrame:
    """Lay out a users x items matrix as user, item, rating; missing ids are None."""
    coo = matrix.tocoo()
    rows, columns = coo.coords
    empty = np.flatnonzero(np.diff(matrix.indptr) == 0)
    places = matrix.indptr[empty]  # where, among the pairs, the empty users belong
    user = np.insert(users[rows], places, users[empty])
    item = np.insert(items[columns], places, np.full(len(places), None))
    rating = np.insert(coo.data.astype(np.float64), places, np.nan)
    appearance = np.sort(np.unique(columns, return_index=True)[1])
    if not np.array_equal(columns[appearance], np.arange(len(items))):
        user = np.concatenate([user, np.full(len(items), None)])
        item = np.concatenate([item, items])
        rating = np.concatenate([rating, np.full(len(items), np.nan)])
    return pd.DataFrame(
        {
            "user": pd.Series(user, dtype=object),
            "item": pd.Series(item, dtype=object),
            "rating": rating,
        }
    )


def from_table(frame: pd.DataFrame) -> tuple[pd.DataFrame, Texts, Texts]:
    """Split a table of ``read_table(path, empty_ids=True)`` into pairs, user ids and item ids.

    Raises
    ------
    ContentError
        If a pair, an empty user or an item row is there twice, a user has items and an empty row
        too, or a rating is not above 0 as float32.
    """
    user, item = frame["user"].to_numpy(dtype=object), frame["item"].to_numpy(dtype=object)
    has_user, has_item = user != "", item != ""
    pairs = frame[has_user & has_item]
    advice = "Remove one of the rows."
    repeated = frame.duplicated(["user", "item"]).to_numpy()
    if repeated.any():
        row = int(np.argmax(repeated))
        got = f"user {user[row]!r}, item {item[row]!r} twice"
        raise ContentError(rule="hold a pair once", got=got, advice=advice)
    contradicted = np.isin(user[~has_item], user[has_user & has_item])
    if contradicted.any():
        got = f"user {user[~has_item][int(np.argmax(contradicted))]!r} with items and a row without"
        raise ContentError(rule="list a user with no items once", got=got, advice=advice)
    if "rating" in pairs.columns:
        with np.errstate(over="ignore", under="ignore"):
            values = pairs["rating"].to_numpy().astype(np.float32)
        wrong = ~(np.isfinite(values) & (values > 0))
        if wrong.any():
            first = pairs.iloc[int(np.argmax(wrong))]
            where = f"user {first['user']!r}, item {first['item']!r}"
            rule, got = "be above 0 and finite as float32", f"{first['rating']:g}"
            advice = "Keep only what counts as a preference, or shift the ratings."
            raise ContentError(rule=rule, got=got, advice=advice, name="rating", where=where)
    return (
        pairs,
        _distinct(user[has_user]),
        _distinct(np.append(item[~has_user], item[has_user & has_item])),
    )


def to_arrays(matrix: sp.csr_array, users: Texts, items: Texts) -> dict[str, npt.NDArray[Any]]:
    """Lay out a users x items matrix as plain arrays."""
    return {
        "user_ids": users.astype(str),
        "item_ids": items.astype(str),
        "indptr": matrix.indptr.astype(np.int64),
        "indices": matrix.indices.astype(np.int64 if len(items) > 2**31 - 1 else np.int32),
        "values": matrix.data.astype(np.float32),
    }


def from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> tuple[sp.csr_array, Texts, Texts]:
    """Rebuild matrix, user ids and item ids from plain arrays; check what numpy would not.

    Raises
    ------
    ContentError
        If the arrays are no sparse matrix with an id for each row and column.
    """
    users, items, indptr, indices, values = (arrays[name] for name in ARRAYS)
    shape = (len(np.atleast_1d(users)), len(np.atleast_1d(items)))
    whole = (
        all(array.ndim == 1 for array in (users, items, indptr, indices, values))
        and users.dtype.kind == items.dtype.kind == "U"
        and indptr.dtype.kind == indices.dtype.kind == "i"
        and values.dtype.kind == "f"
        and len(indptr) == shape[0] + 1
        and indptr[0] == 0
        and bool(np.all(np.diff(indptr) >= 0))
        and indptr[-1] == len(indices) == len(values)
        and bool(np.all((indices >= 0) & (indices < shape[1])))
    )
    if not whole:
        got = "arrays that do not fit each other"
        raise ContentError(rule="hold profiles", got=got, advice="Write it again.")
    matrix = sp.csr_array((values.astype(np.float32), indices, indptr), shape=shape)
    return matrix, users.astype(object), items.astype(object)


def _distinct(ids: Texts) -> Texts:
    """Return the distinct ids in order of first appearance."""
    return np.asarray(pd.unique(pd.Series(ids, dtype=object)), dtype=object)
