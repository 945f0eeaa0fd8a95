"""Profiles: who likes what, as a sparse users x items matrix with ids."""

import warnings
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from cornac.data import Dataset
from cornac.models import Recommender

from cornac_mle.checks import refusal
from cornac_mle.files.interactions import read_table, write_table
from cornac_mle.files.npz import read_arrays, write_arrays
from cornac_mle.files.paths import existing_file
from cornac_mle.files.profile_layouts import (
    ARRAYS,
    from_arrays,
    from_table,
    is_arrays_file,
    text_ids,
    to_arrays,
    to_table,
)
from cornac_mle.files.refusals import naming_file
from cornac_mle.sparse import FloatArray, IndexArray, coo_to_csr


@dataclass(frozen=True, eq=False, repr=False)
class Profiles:
    """Preference profiles of users, real or synthetic.

    Parameters
    ----------
    matrix : csr_array, shape (n_users, n_items), float32
        Stored values are preferences, finite and above 0; an item that is not stored is not in
        the profile. Indices are sorted and unique within a row.
    user_ids : Index, shape (n_users,)
        Unique. Synthetic users are called ``"s0"``, ``"s1"``, ...
    item_ids : Index, shape (n_items,)
        Unique. The catalogue: an item may be held by nobody.

    Raises
    ------
    ValueError
        If shapes, ids or values do not fit the description.

    Examples
    --------
    >>> table = pd.DataFrame({"user": ["ann", "ann", "bob"], "item": ["tea", "jam", "tea"]})
    >>> profiles = Profiles.from_frame(table)
    >>> profiles
    Profiles(2 users x 2 items, 3 preferences)
    >>> profiles.sizes
    array([2, 1])
    >>> profiles[[1]].to_frame()
      user item  rating
    0  bob  tea     1.0
    """

    matrix: sp.csr_array
    user_ids: pd.Index
    item_ids: pd.Index

    def __post_init__(self) -> None:
        shape = (len(self.user_ids), len(self.item_ids))
        if self.matrix.shape != shape:
            rule = f"have one row a user id and one column an item id, {shape}"
            raise ValueError(refusal("matrix", rule, self.matrix.shape))
        for name, ids in (("user_ids", self.user_ids), ("item_ids", self.item_ids)):
            if not ids.is_unique:
                first = ids[ids.duplicated()][0]
                raise ValueError(refusal(name, "be unique", f"{first!r} more than once"))
        if not self.matrix.has_canonical_format:
            raise ValueError(refusal("matrix", "have sorted, unique indices", "others"))
        wrong = ~(np.isfinite(self.matrix.data) & (self.matrix.data > 0))
        if wrong.any():
            position = int(np.argmax(wrong))
            row = int(np.searchsorted(self.matrix.indptr, position, side="right")) - 1
            who = f"user {self.user_ids[row]!r}, "
            who += f"item {self.item_ids[self.matrix.indices[position]]!r}"
            advice = "Zero, negative and missing values need a rating threshold or a shift."
            value = float(self.matrix.data[position])
            raise ValueError(refusal("rating", "be above 0", value, advice, context=who))

    @classmethod
    def from_matrix(
        cls,
        matrix: sp.csr_array,
        item_ids: pd.Index,
        user_ids: pd.Index | None = None,
    ) -> "Profiles":
        """Wrap a users x items matrix; without `user_ids` the users are synthetic: s0, s1, ..."""
        if user_ids is None:
            user_ids = synthetic_ids(matrix.shape[0])
        matrix = sp.csr_array(matrix, dtype=np.float32)
        if not matrix.has_canonical_format:
            matrix = matrix.copy()
            matrix.sum_duplicates()
        return cls(matrix, user_ids, item_ids)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        user_ids: pd.Index | None = None,
        item_ids: pd.Index | None = None,
    ) -> "Profiles":
        """Build profiles from a long table with columns user, item[, rating].

        Without a rating column every pair has the value 1. Ids are in order of first appearance
        unless `user_ids` or `item_ids` give them (which keeps empty users and unheld items).

        Raises
        ------
        ValueError
            If a column is missing, an id is unknown or a pair is there twice.
        """
        for column in ("user", "item"):
            if column not in frame.columns:
                rule = "have the columns user, item[, rating]"
                raise ValueError(refusal("frame", rule, f"no column {column!r}"))
            if frame[column].isna().any():
                context = f"row {int(np.argmax(frame[column].isna()))}"
                rule, advice = "be given in every row", "Drop or fill such rows."
                raise ValueError(refusal(column, rule, "none", advice, context))
        users = pd.Index(frame["user"].unique()) if user_ids is None else user_ids
        items = pd.Index(frame["item"].unique()) if item_ids is None else item_ids
        rows = users.get_indexer(pd.Index(frame["user"]))
        columns = items.get_indexer(pd.Index(frame["item"]))
        for name, codes in (("user", rows), ("item", columns)):
            if (codes < 0).any():
                unknown = frame[name].iloc[int(np.argmax(codes < 0))]
                raise ValueError(refusal(name, f"be in `{name}_ids`", repr(unknown)))
        twice = frame.duplicated(["user", "item"]).to_numpy()
        if twice.any():
            pair = tuple(frame[["user", "item"]].iloc[int(np.argmax(twice))])
            raise ValueError(refusal("frame", "hold a pair once", f"{pair!r} twice"))
        if "rating" in frame.columns:
            values = rating_numbers(frame["rating"]).astype(np.float32)
        else:
            values = np.ones(len(frame), dtype=np.float32)
        return cls(coo_to_csr(values, rows, columns, (len(users), len(items))), users, items)

    @classmethod
    def from_dataset(cls, dataset: Dataset) -> "Profiles":
        """Take the users and items of a Cornac Dataset, in the order of its indices.

        The rows are the users that have interactions in `dataset` (a test set shares its id maps
        with the training set); the columns are ``dataset.num_items`` items.
        """
        users, items, values = dataset.uir_tuple
        present, rows = np.unique(users, return_inverse=True)
        names = {index: name for name, index in dataset.uid_map.items()}
        shape = (len(present), dataset.num_items)
        matrix = coo_to_csr(np.asarray(values, dtype=np.float32), rows, items, shape)
        return cls(
            matrix, ids_index([names[int(user)] for user in present]), dataset_items(dataset)
        )

    def to_frame(self) -> pd.DataFrame:
        """Long table: user, item, rating; a user without items has no row in it."""
        coo = self.matrix.tocoo()
        return pd.DataFrame(
            {
                "user": self.user_ids.take(coo.coords[0]),
                "item": self.item_ids.take(coo.coords[1]),
                "rating": coo.data.astype(np.float64),
            }
        )

    def to_dataset(self, *, first_user: int = 0, seed: int | None = None) -> Dataset:
        """Cornac Dataset over all items, in the same order; user indices start at `first_user`.

        Sets of one evaluation method share their indices: held-out users follow training users.
        """
        coo = self.matrix.tocoo()
        users = coo.coords[0].astype(int) + first_user
        return Dataset(
            num_users=first_user + len(self),
            num_items=len(self.item_ids),
            uid_map=OrderedDict((name, first_user + row) for row, name in enumerate(self.user_ids)),
            iid_map=OrderedDict((name, column) for column, name in enumerate(self.item_ids)),
            uir_tuple=(users, coo.coords[1].astype(int), coo.data.astype(float)),
            seed=seed,
        )

    def write(self, path: str | Path) -> None:
        """Write to a .csv, .tsv, .txt, .csv.gz, .tsv.gz, .parquet or .npz file.

        The file appears whole or not at all. A table has the columns user, item, rating. A user
        without items is a row with an empty item; if the order of the items needs it, the table
        ends with a row for each item, with an empty user (see ``profile_files``). Integer ids
        become text. An .npz file holds plain arrays, no pickles, and is the fastest.

        Raises
        ------
        ValueError
            If the suffix is none of these, or an id is neither text nor an integer or is empty.
        ImportError
            If Parquet is asked for and pyarrow is not installed.
        """
        users, items = text_ids("user_ids", self.user_ids), text_ids("item_ids", self.item_ids)
        if is_arrays_file(path):
            write_arrays(path, to_arrays(self.matrix, users, items))
        else:
            write_table(to_table(self.matrix, users, items), path)

    @classmethod
    def read(cls, path: str | Path) -> "Profiles":
        """Read what `write` wrote, or any table with the columns user, item[, rating].

        What was written comes back exactly: text ids in their order, values, empty users and
        unheld items. In other tables ids are in order of first appearance, and a missing rating
        column means 1 for every pair.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged or a line is wrong, a pair is there twice, or a rating is not
            above 0. The message is one line and names the file.
        ImportError
            If it is a Parquet file and pyarrow is not installed.
        """
        if is_arrays_file(existing_file(path)):
            arrays = read_arrays(path, ARRAYS)
            with naming_file(path):
                matrix, users, items = from_arrays(arrays)
                return cls(matrix, pd.Index(users, dtype=object), pd.Index(items, dtype=object))
        frame = read_table(path, empty_ids=True)
        with naming_file(path):
            pairs, users, items = from_table(frame)
            return cls.from_frame(
                pairs,
                user_ids=pd.Index(users, dtype=object),
                item_ids=pd.Index(items, dtype=object),
            )

    def __repr__(self) -> str:
        size = f"{len(self):,} users x {len(self.item_ids):,} items"
        return f"Profiles({size}, {self.matrix.nnz:,} preferences)"

    def __len__(self) -> int:
        """Count the users."""
        return len(self.user_ids)

    def __getitem__(self, rows: slice | npt.ArrayLike) -> "Profiles":
        """Take users by a slice, a boolean mask or row numbers (each at most once)."""
        keep = np.arange(len(self))[rows if isinstance(rows, slice) else np.asarray(rows)]
        return Profiles(self.matrix[keep], self.user_ids.take(keep), self.item_ids)

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Number of items of each user, shape (n_users,)."""
        sizes: npt.NDArray[np.int64] = np.diff(self.matrix.indptr).astype(np.int64)
        return sizes

    @property
    def item_counts(self) -> npt.NDArray[np.int64]:
        """Number of users who hold each item, shape (n_items,)."""
        counts = np.bincount(self.matrix.indices, minlength=len(self.item_ids))
        return counts.astype(np.int64)

    def align(self, item_ids: pd.Index) -> "Profiles":
        """Bring the columns into the order of `item_ids`; items that are not in it are dropped.

        Parameters
        ----------
        item_ids : Index, shape (n_items,)
            Catalogue to bring the profiles to.

        Raises
        ------
        ValueError
            If preferences are held and not one of their items is in `item_ids`: ids of two types
            (``1`` and ``"1"``) never match.

        Warns
        -----
        UserWarning
            If preferences are dropped; says how many, of how many items.
        """
        aligned, unknown = self.split_items(item_ids)
        if unknown.size:
            lost = int(self.item_counts[unknown].sum())
            if lost == self.matrix.nnz and len(item_ids):
                check_alike("profiles", self.item_ids[unknown[0]], "item_ids", item_ids[0])
            some = ", ".join(spelled_id(item) for item in self.item_ids[unknown[:3]])
            more = ", ..." if unknown.size > 3 else ""
            text = (
                f"align left out {lost:,} of {self.matrix.nnz:,} preferences, of {unknown.size:,} "
                f"items that are not in `item_ids` ({some}{more})."
            )
            warnings.warn(text, UserWarning, stacklevel=2)
        return aligned

    def split_items(self, item_ids: pd.Index) -> "tuple[Profiles, IndexArray]":
        """Bring the columns into the order of `item_ids`, and tell what is left out.

        Parameters
        ----------
        item_ids : Index, shape (n_items,)
            Catalogue to bring the profiles to.

        Returns
        -------
        Profiles
            Over `item_ids`.
        ndarray of int, shape (n_unknown,)
            Columns of items that somebody holds and that are not in `item_ids`.
        """
        if self.item_ids.equals(item_ids):
            return self, np.empty(0, dtype=np.intp)
        coo = self.matrix.tocoo()
        places = item_ids.get_indexer(self.item_ids)
        columns = places[coo.coords[1]]
        known = columns >= 0
        shape = (len(self), len(item_ids))
        matrix = coo_to_csr(coo.data[known], coo.coords[0][known], columns[known], shape)
        unknown = np.flatnonzero((places < 0) & (self.item_counts > 0))
        return Profiles(matrix, self.user_ids, item_ids), unknown

    def concat(self, other: "Profiles") -> "Profiles":
        """Append the users of `other`, whose items must be the same in the same order."""
        if not self.item_ids.equals(other.item_ids):
            rule = "have the same items in the same order"
            raise ValueError(refusal("other", rule, "others", "Call align(item_ids) first."))
        matrix = sp.csr_array(sp.vstack([self.matrix, other.matrix], format="csr"))
        return Profiles(matrix, self.user_ids.append(other.user_ids), self.item_ids)


def check_profiles(name: str, value: object) -> None:
    """Refuse what is not Profiles, and say how to make them.

    Raises
    ------
    TypeError
        Naming the argument.
    """
    if not isinstance(value, Profiles):
        advice = "Make them with Profiles.from_frame, Profiles.from_dataset or Profiles.read."
        raise TypeError(refusal(name, "be Profiles", type(value).__name__, advice))


def rating_numbers(ratings: pd.Series) -> FloatArray:
    """Ratings as float64, NaN where there is no number.

    Raises
    ------
    ValueError
        If they are times, which pandas would turn into numbers of nanoseconds.
    """
    if pd.api.types.is_datetime64_any_dtype(ratings) or pd.api.types.is_timedelta64_dtype(ratings):
        advice = "Is this the column of times? Name it 'timestamp'."
        raise ValueError(refusal("rating", "be a number", str(ratings.iloc[0]), advice))
    numbers: FloatArray = pd.to_numeric(ratings, errors="coerce").to_numpy(dtype=np.float64)
    return numbers


def synthetic_ids(count: int) -> pd.Index:
    """Name synthetic users s0, s1, ..."""
    return pd.Index([f"s{number}" for number in range(count)], dtype=object)


def ids_index(ids: Sequence[Hashable]) -> pd.Index:
    """Index of ids as they are: no guess of a narrower type, so that "01" stays "01"."""
    index: pd.Index = pd.Index(np.fromiter(ids, dtype=object, count=len(ids)), dtype=object)
    return index


def dataset_items(dataset: Dataset | Recommender) -> pd.Index:
    """Item ids of a Cornac Dataset, or fitted model, in the order of its columns."""
    return known_ids(dataset.iid_map, dataset.num_items)


def dataset_users(dataset: Dataset | Recommender) -> pd.Index:
    """User ids of a Cornac Dataset, or fitted model, in the order of its rows."""
    return known_ids(dataset.uid_map, dataset.num_users)


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
