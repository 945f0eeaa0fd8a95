"""Profiles: who likes what, as a sparse users x items matrix with ids."""

import warnings
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from cornac.data import Dataset
from cornac.models import Recommender

from cornac_mle.checks import refusal
from cornac_mle.files.ids import Ids, as_ids, known_ids
from cornac_mle.files.ids import check_alike as check_alike
from cornac_mle.files.ids import check_one_type as check_one_type
from cornac_mle.files.ids import ids_index as ids_index
from cornac_mle.files.ids import sorted_ids as sorted_ids
from cornac_mle.files.ids import spelled_id as spelled_id
from cornac_mle.files.interactions import read_table, write_table
from cornac_mle.files.npz import read_arrays, write_arrays
from cornac_mle.files.paths import existing_file
from cornac_mle.files.profile_inputs import check_frame, chosen, placed_ids, unkept_value
from cornac_mle.files.profile_layouts import (
    ARRAYS,
    from_arrays,
    from_table,
    is_arrays_file,
    text_ids,
    to_arrays,
    to_table,
)
from cornac_mle.files.profile_markup import profiles_html
from cornac_mle.files.refusals import naming_file
from cornac_mle.sparse import (
    FloatArray,
    IndexArray,
    coo_to_csr,
    first_unkept,
    users_by_items,
)


@dataclass(frozen=True, eq=False, repr=False)
class Profiles:
    """Preference profiles of users, real or synthetic.

    Parameters
    ----------
    matrix : csr_array, shape (n_users, n_items), float32
        Stored values are preferences, finite and above 0; an item that is not stored is not in
        the profile. Indices are sorted and unique within a row. Other arrays, dense ones too, are
        converted.
    user_ids : Index, shape (n_users,)
        Unique; a list or an array is converted. Synthetic users are called ``"s0"``, ``"s1"``, ...
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
        for name in ("user_ids", "item_ids"):
            object.__setattr__(self, name, as_ids(name, getattr(self, name)))
        matrix = self.matrix
        if not (isinstance(matrix, sp.csr_array) and matrix.dtype == np.float32):
            matrix = users_by_items(matrix)
        if not matrix.has_canonical_format:
            raise ValueError(refusal("matrix", "have sorted, unique indices", "others"))
        shape = (len(self.user_ids), len(self.item_ids))
        if matrix.shape != shape:
            rule = f"have one row a user id and one column an item id, {shape}"
            raise ValueError(refusal("matrix", rule, matrix.shape))
        place = first_unkept(matrix.data)
        if place is not None:
            row = int(np.searchsorted(matrix.indptr, place, side="right")) - 1
            who = f"user {spelled_id(self.user_ids[row])}, "
            who += f"item {spelled_id(self.item_ids[matrix.indices[place]])}"
            raise ValueError(unkept_value(matrix.data[place].item(), who))
        object.__setattr__(self, "matrix", sp.csr_array(matrix, dtype=np.float32))

    @classmethod
    def from_matrix(
        cls,
        matrix: sp.csr_array | npt.ArrayLike,
        item_ids: Ids,
        user_ids: Ids | None = None,
    ) -> "Profiles":
        """Wrap a users x items matrix; without `user_ids` the users are synthetic: s0, s1, ...

        Parameters
        ----------
        matrix : sparse array or array_like, shape (n_users, n_items)
            Preferences. Of a dense array an entry of 0, and a masked one, is not in the profile.
        item_ids : Index, or list or array of ids, shape (n_items,)
            Catalogue.
        user_ids : Index, or list or array of ids, shape (n_users,), optional
            Names of the users.

        Raises
        ------
        TypeError, ValueError
            If matrix or ids are none, do not fit together, or a value is not above 0.

        Examples
        --------
        >>> Profiles.from_matrix([[1, 0], [1, 5]], ["tea", "jam"]).to_frame()
          user item  rating
        0   s0  tea     1.0
        1   s1  tea     1.0
        2   s1  jam     5.0
        """
        rows = users_by_items(matrix)
        users = synthetic_ids(rows.shape[0]) if user_ids is None else as_ids("user_ids", user_ids)
        return cls(rows, users, as_ids("item_ids", item_ids))

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        user_ids: Ids | None = None,
        item_ids: Ids | None = None,
    ) -> "Profiles":
        """Build profiles from a long table with columns user, item[, rating].

        Without a rating column every pair has the value 1. Ids are in order of first appearance
        unless `user_ids` or `item_ids` give them (which keeps empty users and unheld items).

        Raises
        ------
        TypeError, ValueError
            If a column is missing, an id is unknown, ids are of two types, a value is not above 0,
            or a pair is there twice.
        """
        check_frame(frame)
        rows, users = placed_ids(frame, "user", user_ids)
        columns, items = placed_ids(frame, "item", item_ids)
        twice = pd.Series(rows * np.int64(len(items)) + columns).duplicated().to_numpy()
        if twice.any():
            pair = frame[["user", "item"]].iloc[int(np.argmax(twice))]
            got = f"({', '.join(map(spelled_id, pair))}) twice"
            raise ValueError(refusal("frame", "hold a pair once", got))
        values = np.ones(len(frame), dtype=np.float64)
        if "rating" in frame.columns:
            values = rating_numbers(frame["rating"])
            place = first_unkept(values)
            if place is not None:
                who = f"user {spelled_id(frame['user'].iloc[place])}, "
                who += f"item {spelled_id(frame['item'].iloc[place])}"
                raise ValueError(unkept_value(frame["rating"].iloc[place], who))
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

    def _repr_html_(self) -> str:
        return profiles_html(self.matrix, self.user_ids, self.item_ids)

    def __len__(self) -> int:
        """Count the users."""
        return len(self.user_ids)

    def __getitem__(self, rows: slice | npt.ArrayLike) -> "Profiles":
        """Take users by a slice, a boolean mask or row numbers (each at most once).

        Raises
        ------
        TypeError, ValueError
            If it is none of these, or a mask of another length.
        IndexError
            If there is no such row.
        """
        keep = chosen(rows, len(self))
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

    def align(self, item_ids: Ids) -> "Profiles":
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
        item_ids = as_ids("item_ids", item_ids)
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

    def split_items(self, item_ids: Ids) -> "tuple[Profiles, IndexArray]":
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
        item_ids = as_ids("item_ids", item_ids)
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
        check_profiles("other", other)
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


def object_values(column: pd.Series) -> Iterable[object]:
    """Values of a column of objects; nothing of one whose type says what they are."""
    return column if column.dtype == object else ()


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
    if pd.api.types.is_complex_dtype(ratings) or any(
        isinstance(one, complex | np.complexfloating) for one in object_values(ratings)
    ):
        raise ValueError(refusal("rating", "be a number", "complex numbers"))
    try:
        numbers: FloatArray = pd.to_numeric(ratings, errors="coerce").to_numpy(
            dtype=np.float64, na_value=np.nan
        )
    except OverflowError:  # an integer that no float reaches
        numbers = np.fromiter(map(_float_or_nan, ratings), dtype=np.float64, count=len(ratings))
    return numbers


def _float_or_nan(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (OverflowError, TypeError, ValueError):
        return float("nan")


def synthetic_ids(count: int) -> pd.Index:
    """Name synthetic users s0, s1, ..."""
    return pd.Index([f"s{number}" for number in range(count)], dtype=object)


def dataset_items(dataset: Dataset | Recommender) -> pd.Index:
    """Item ids of a Cornac Dataset, or fitted model, in the order of its columns."""
    return known_ids(dataset.iid_map, dataset.num_items)


def dataset_users(dataset: Dataset | Recommender) -> pd.Index:
    """User ids of a Cornac Dataset, or fitted model, in the order of its rows."""
    return known_ids(dataset.uid_map, dataset.num_users)
