"""Profiles in files: what is written comes back exactly, and what is wrong is refused."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from cornac_mle.profiles import Profiles

SUFFIXES = [".csv", ".tsv.gz", ".parquet", ".npz"]
IDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
VALUES = st.floats(0, width=32, exclude_min=True, allow_infinity=False, allow_subnormal=True)


@st.composite
def any_profiles(draw):
    users = draw(st.lists(IDS, unique=True, max_size=6))
    items = draw(st.lists(IDS, unique=True, max_size=6))
    pairs = [(row, column) for row in range(len(users)) for column in range(len(items))]
    held = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    values = draw(st.lists(VALUES, min_size=len(held), max_size=len(held)))
    rows, columns = np.array(held, dtype=int).reshape(-1, 2).T
    matrix = sp.csr_array(
        (np.array(values, dtype=np.float32), (rows, columns)), shape=(len(users), len(items))
    )
    return Profiles.from_matrix(
        matrix, pd.Index(items, dtype=object), pd.Index(users, dtype=object)
    )


def assert_same(one, other):
    assert list(one.user_ids) == list(other.user_ids)
    assert list(one.item_ids) == list(other.item_ids)
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(one.matrix, name), getattr(other.matrix, name))
    assert other.matrix.dtype == np.float32
    assert other.matrix.has_canonical_format


@settings(max_examples=60, deadline=None)
@given(profiles=any_profiles(), suffix=st.sampled_from(SUFFIXES))
def test_any_profiles_come_back_exactly(profiles, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"profiles{suffix}"
        profiles.write(path)
        assert_same(profiles, Profiles.read(path))
        assert list(Path(folder).iterdir()) == [path]


def small(order="xyz"):
    # ann: y 1; bob: nothing; cid: x 2, y 3. Nobody holds z.
    frame = pd.DataFrame(
        {"user": ["ann", "cid", "cid"], "item": ["y", "x", "y"], "rating": [1, 2, 3]}
    )
    users = pd.Index(["ann", "bob", "cid"], dtype=object)
    return Profiles.from_frame(frame, user_ids=users, item_ids=pd.Index(list(order), dtype=object))


def test_the_table_shows_empty_users_and_the_catalogue(tmp_path):
    small().write(tmp_path / "p.csv")
    lines = (tmp_path / "p.csv").read_text().splitlines()
    pairs = ["user,item,rating", "ann,y,1.0", "bob,,", "cid,x,2.0", "cid,y,3.0"]
    assert lines == [*pairs, ",x,", ",y,", ",z,"]


def test_a_table_whose_order_says_it_all_has_no_item_rows(tmp_path):
    profiles = small("yx")
    profiles.write(tmp_path / "p.csv")
    # Within a row the items are in the order of the catalogue: y before x.
    expected = "user,item,rating\nann,y,1.0\nbob,,\ncid,y,3.0\ncid,x,2.0\n"
    assert (tmp_path / "p.csv").read_text() == expected
    assert_same(profiles, Profiles.read(tmp_path / "p.csv"))


def test_a_file_of_anyone_is_read_in_order_of_first_appearance(tmp_path):
    (tmp_path / "p.csv").write_text("item,user\nb,2\na,01\na,2\n")
    profiles = Profiles.read(tmp_path / "p.csv")
    assert list(profiles.user_ids) == ["2", "01"]
    assert list(profiles.item_ids) == ["b", "a"]
    assert profiles.matrix.toarray().tolist() == [[1, 1], [0, 1]]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_integer_ids_become_text(tmp_path, suffix):
    profiles = small()
    numbered = Profiles(profiles.matrix, pd.Index([3, 1, 2]), pd.Index(np.array([7, 8, 9])))
    numbered.write(tmp_path / f"p{suffix}")
    back = Profiles.read(tmp_path / f"p{suffix}")
    assert list(back.user_ids) == ["3", "1", "2"]
    assert list(back.item_ids) == ["7", "8", "9"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a", "", "b"], r"`user_ids` must be integers or text, not empty.*; got ''"),
        (["a", "b\0", "c"], r"`user_ids` must .* without NUL, to be written; got 'b\\x00'"),
        (["a", 1.5, "c"], r"`user_ids` must be integers or text.*; got 1\.5"),
        ([1, "1", "c"], r"`user_ids` must differ as text to be written; got '1' twice"),
    ],
)
def test_ids_that_would_not_come_back_are_not_written(tmp_path, suffix, ids, message):
    profiles = small()
    odd = Profiles(profiles.matrix, pd.Index(ids, dtype=object), profiles.item_ids)
    with pytest.raises(ValueError, match=message):
        odd.write(tmp_path / f"p{suffix}")
    assert list(tmp_path.iterdir()) == []


H = "user,item,rating\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            H + "a,x,1\na,y,0\n",
            r"`rating` must be above 0 .*; got 0 for user 'a', item 'y' of .*p\.",
        ),
        (H + "a,x,-2\n", r"`rating` must be above 0 .*; got -2 for user 'a', item 'x' of .*Keep"),
        (H + "a,x,1e39\n", r"`rating` must be .*finite as float32; got 1e\+39 for user 'a'"),
        (H + "a,x,1e-60\n", r"`rating` must be above 0 .*; got 1e-60 for user 'a'"),
        (
            H + "a,x,1\nb,x,1\na,x,2\n",
            r"p\.csv` must hold a pair once; got user 'a', item 'x' twice",
        ),
        (H + "a,,\na,,\n", r"must hold a pair once; got user 'a', item '' twice"),
        (H + ",x,\n,x,\n", r"must hold a pair once; got user '', item 'x' twice"),
        (
            H + "b,x,1\na,x,1\na,,\n",
            r"must list a user with no items once; got user 'a' with items",
        ),
        (H + "a,x,one\n", r"`rating` must be a finite number; got 'one' for line 2 of .*p\.csv"),
        (H + "a,,1\n", r"`item` must not be empty; got '' for line 2 of .*p\.csv"),
    ],
)
def test_a_table_that_holds_no_profiles_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        Profiles.read(tmp_path / "p.csv")
    assert "\n" not in str(caught.value)
    assert "p.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"values": [1.0, -2.0, 3.0]},
            r"p\.npz: `rating` must be above 0; got -2\.0 for user 'cid'",
        ),
        ({"values": [1.0, 2.0]}, r"p\.npz` must hold profiles; got arrays that do not fit"),
        ({"indices": [1, 0, 3]}, r"p\.npz` must hold profiles"),
        ({"indices": [1, 0, -1]}, r"p\.npz` must hold profiles"),
        ({"indices": [1, 0, 0]}, r"p\.npz: `matrix` must have sorted, unique indices"),
        ({"indptr": [0, 1, 0, 3]}, r"p\.npz` must hold profiles"),
        ({"indptr": [0, 1, 3]}, r"p\.npz` must hold profiles"),
        (
            {"user_ids": ["a", "a", "b"]},
            r"p\.npz: `user_ids` must be unique; got 'a' more than once",
        ),
        ({"user_ids": [1, 2, 3]}, r"p\.npz` must hold profiles"),
        ({"item_ids": "x"}, r"p\.npz` must hold profiles"),
    ],
)
def test_arrays_that_hold_no_profiles_are_refused_in_one_line(tmp_path, changes, message):
    small().write(tmp_path / "p.npz")
    with np.load(tmp_path / "p.npz") as archive:
        arrays = dict(archive)
    np.savez(tmp_path / "p.npz", **{**arrays, **{k: np.array(v) for k, v in changes.items()}})
    with pytest.raises(ValueError, match=message) as caught:
        Profiles.read(tmp_path / "p.npz")
    assert "\n" not in str(caught.value)


def test_an_unknown_suffix_lists_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.csv, .*\.parquet, \.npz; got '.*p\.pkl'"):
        small().write(tmp_path / "p.pkl")
    (tmp_path / "p.pkl").touch()
    with pytest.raises(ValueError, match=r"must end in \.csv, .*\.parquet, \.npz; got '.*p\.pkl'"):
        Profiles.read(tmp_path / "p.pkl")
    with pytest.raises(FileNotFoundError, match=r"`path` must be a file; got no .*q\.npz"):
        Profiles.read(tmp_path / "q.npz")
