"""What numpy and pandas users hand to Profiles: taken as they expect, or refused in one line."""

import re
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from cornac_mle import Profiles
from cornac_mle.profiles import ids_index

DENSE = np.array([[1.0, 0.0, 2.0], [0.0, 5.0, 0.0]])
ITEMS = ["a", "b", "c"]


@pytest.mark.parametrize(
    "matrix",
    [
        DENSE,
        DENSE.tolist(),
        DENSE.astype(np.float16),
        DENSE.astype(np.int64),
        pd.DataFrame(DENSE),
        np.ma.masked_equal(np.where(DENSE == 0, 9, DENSE), 9),
        sp.coo_array(DENSE),
        sp.csc_matrix(DENSE),
        sp.csr_array(DENSE),
    ],
)
@pytest.mark.parametrize("ids", [list, tuple, np.array, pd.Index, pd.Series])
def test_matrices_and_ids_of_any_kind_are_one(matrix, ids):
    for users in (
        Profiles.from_matrix(matrix, ids(ITEMS), ids(["x", "y"])),
        Profiles(matrix, ids(["x", "y"]), ids(ITEMS)),
    ):
        assert np.array_equal(users.matrix.toarray(), DENSE)
        assert users.matrix.dtype == np.float32
        assert users.user_ids.tolist() == ["x", "y"]
        assert users.item_ids.tolist() == ITEMS


def test_ids_of_a_list_stay_as_they_are():
    users = Profiles.from_matrix(np.eye(3), ["01", 1, ("a", 2)])
    assert users.item_ids.tolist() == ["01", 1, ("a", 2)]
    assert users.align(["01", 1, ("a", 2)]) is users


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (
            [[1, 1e39]],
            "`rating` must be from 1.4e-45 to 3.4e+38, as it is kept in 32 bits; got 1e+",
        ),
        (
            [[1, 1e-50]],
            "must be from 1.4e-45 to 3.4e+38, as it is kept in 32 bits; got 1e-50 for ",
        ),
        ([[1, np.nan]], "`rating` must be above 0; got nan for user 's0', item 'b'."),
        ([[1, -3]], "`rating` must be above 0; got -3 for user 's0', item 'b'."),
        ([[1, np.inf]], "`rating` must be above 0; got inf for user 's0', item 'b'."),
        ([[1, 10**400]], "`matrix` must be an array of numbers; got list."),
        ([["x", "y"]], "`matrix` must be an array of numbers; got one of <U1."),
        (np.eye(1, 2) * 1j, "`matrix` must be an array of numbers; got one of complex128."),
        ([1, 2], "`matrix` must have two dimensions, users x items; got shape (2,)."),
        (None, "`matrix` must have two dimensions, users x items; got shape ()."),
        (torch.ones(2, 2, requires_grad=True), "array of numbers; got Tensor. Can't call numpy()"),
        (np.eye(3), "`matrix` must have one row a user id and one column an item id, (3, 2);"),
    ],
)
def test_what_is_no_matrix_is_named_as_it_is_written(matrix, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        Profiles.from_matrix(matrix, ["a", "b"])


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ("abc", "`item_ids` must be a list, an array or an Index of ids; got 'abc'."),
        ({"a", "b", "c"}, "`item_ids` must be a list, an array or an Index of ids; got {"),
        (None, "`item_ids` must be a list, an array or an Index of ids; got None."),
        (np.array([ITEMS]), "`item_ids` must be one-dimensional ids; got shape (1, 3)."),
        ([[1], [2], [3]], "`item_ids` must hold text or numbers; got a list."),
        (["a", None, "c"], "`item_ids` must be given everywhere; got a missing one."),
        (["a", "b", "a"], "`item_ids` must be unique; got 'a' more than once."),
        (np.ma.masked_equal([1, 2, 3], 2), "`item_ids` must be one-dimensional ids; got masked"),
    ],
)
def test_what_are_no_ids_is_refused(ids, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        Profiles.from_matrix(DENSE, ids)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], []),
        (np.array([]), []),
        (1, [1]),
        (-1, [2]),
        ([2, 0], [2, 0]),
        ([True, False, True], [0, 2]),
        (pd.Series([False, True, False]), [1]),
        (slice(None, None, -1), [2, 1, 0]),
    ],
)
def test_rows_are_taken_as_numpy_takes_them(rows, expected):
    users = Profiles.from_matrix(np.eye(3), ITEMS)
    assert users[rows].user_ids.tolist() == [f"s{row}" for row in expected]
    assert np.array_equal(users[rows].matrix.toarray(), np.eye(3)[expected])


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (3, IndexError, "`rows` must be below 3, the number of users; got 3."),
        ([0, -4], IndexError, "`rows` must be below 3, the number of users; got -4."),
        ([True], ValueError, "`rows` must be a mask of 3 users; got shape (1,)."),
        ([0, 0], ValueError, "`rows` must hold each row once; got [0, 0]."),
        ([[0]], ValueError, "`rows` must be one-dimensional; got shape (1, 1)."),
        ("s0", TypeError, "`rows` must be a slice, a mask or row numbers; got 's0'."),
        ([0.0], TypeError, "`rows` must be a slice, a mask or row numbers; got [0.0]."),
        (None, TypeError, "`rows` must be a slice, a mask or row numbers; got None."),
        ((0, 1), TypeError, "`rows` must be a slice, a mask or row numbers; got (0, 1)."),
        (slice("a", "b"), TypeError, "`rows` must be a slice, a mask or row numbers; got slice"),
    ],
)
def test_what_are_no_rows_is_refused(rows, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Profiles.from_matrix(np.eye(3), ITEMS)[rows]


def test_users_can_be_gone_through_one_by_one():
    users = list(Profiles.from_matrix(np.eye(3), ITEMS))
    assert [one.user_ids[0] for one in users] == ["s0", "s1", "s2"]


def table(**columns):
    return pd.DataFrame({"user": ["ann", "bob"], "item": ["tea", "jam"]} | columns)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (None, "`frame` must be a DataFrame; got a NoneType."),
        ([("ann", "tea")], "`frame` must be a DataFrame; got a list."),
        (table(user=[1, "1"]), "`user` must be of one type; got both 1 and '1'."),
        (table(user=[[1], [2]]), "`user` must be text or a number; got a list."),
        (
            table(rating=[1, 1e39]),
            "as it is kept in 32 bits; got 1e+39 for user 'bob', item 'jam",
        ),
        (table(rating=[1, 1e-50]), "as it is kept in 32 bits; got 1e-50 for user 'bob', item 'jam"),
        (table(rating=[1, 10**400]), "as it is kept in 32 bits; got an integer of 1,329 bits for "),
        (table(rating=[1, "x"]), "`rating` must be a number above 0; got 'x' for user 'bob'"),
        (table(rating=[1, Fraction(1, 2)]), "must be a number above 0; got Fraction(1, 2) for"),
        (table(rating=[1, 1j]), "`rating` must be a number; got complex numbers."),
        (
            pd.concat([table(), table()[["item"]]], axis=1),
            "`frame` must have the columns user, item[, rating]; got 2 column 'item'.",
        ),
    ],
)
def test_what_is_no_table_is_named_as_it_is_written(frame, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        Profiles.from_frame(frame)


def test_ids_of_a_table_may_be_given_as_lists():
    users = Profiles.from_frame(table(), user_ids=["bob", "cid", "ann"], item_ids=["jam", "tea"])
    assert users.matrix.toarray().tolist() == [[1, 0], [0, 0], [0, 1]]
    with pytest.raises(ValueError, match="`user` must be in `user_ids`; got 'ann'"):
        Profiles.from_frame(table(), user_ids=["bob"])
    assert users.align(np.array(["tea", "jam"])).item_ids.equals(ids_index(["tea", "jam"]))
