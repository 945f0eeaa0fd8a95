"""Long tables: what is read exactly, what is refused in one line, and what a failure leaves."""

import errno
import gzip
import math
import re
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from cornac_mle.datasets import load
from cornac_mle.files import npz, records
from cornac_mle.files.interactions import read_table, write_table
from cornac_mle.files.npz import read_arrays, write_arrays
from cornac_mle.files.paths import SEPARATORS, atomic_path
from cornac_mle.profiles import Profiles

FORMATS = list(SEPARATORS)
TABLE = pd.DataFrame(
    {
        "user": pd.Series(["01", "1", "1", 'a "b", c', "NA", "é\tü"], dtype=object),
        "item": pd.Series(["x", "x", "x", "line\nbreak", "carriage\rreturn", "nan"], dtype=object),
        "rating": [1.0, -2.5, 0.0, 0.1, 1e300, 3.0],
    }
)


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_gives_back_ids_ratings_and_repeats_exactly(tmp_path, suffix):
    path = tmp_path / f"new folder/table{suffix}"
    write_table(TABLE, path)
    back = read_table(path)
    pd.testing.assert_frame_equal(back, TABLE)
    assert back["user"].dtype == object
    assert [child.name for child in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_table_gives_the_same_bytes(tmp_path, suffix):
    for name in ("a", "b"):
        write_table(TABLE, tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_a_gzip_file_says_neither_when_nor_under_which_name_it_was_made(tmp_path):
    write_table(TABLE, tmp_path / "t.csv.gz")
    # RFC 1952: flags (no name), then four bytes of time.
    assert (tmp_path / "t.csv.gz").read_bytes()[3:8] == bytes(5)


def test_text_is_written_plainly(tmp_path):
    write_table(TABLE[["user", "rating"]].iloc[:2], tmp_path / "t.tsv")
    assert (tmp_path / "t.tsv").read_bytes() == b"user\trating\n01\t1.0\n1\t-2.5\n"


@pytest.mark.parametrize("packed", [False, True])
def test_other_columns_blank_lines_and_a_byte_order_mark_do_no_harm(tmp_path, packed):
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    text = '\ufeffextra,item,user,"rating"\r\n\r\n"a, b",x,1,4\r\n,y,"2",.5\r\n\r\n'
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    back = read_table(path)
    assert list(back.columns) == ["user", "item", "rating"]
    assert back.to_numpy().tolist() == [["1", "x", 4.0], ["2", "y", 0.5]]


def test_without_ratings_there_is_no_rating_column(tmp_path):
    (tmp_path / "t.txt").write_text("item\tuser\nx\t1\n")
    assert read_table(tmp_path / "t.txt").to_dict("list") == {"user": ["1"], "item": ["x"]}


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [(["7", ""], [7.0, math.nan]), (["2020-01-01", "7"], ["2020-01-01", "7"])],
)
def test_timestamps_are_numbers_or_left_alone(tmp_path, stamps, expected):
    lines = "".join(f"u,i{number},{stamp}\n" for number, stamp in enumerate(stamps))
    (tmp_path / "t.csv").write_text(f"user,item,timestamp\n{lines}")
    np.testing.assert_array_equal(read_table(tmp_path / "t.csv")["timestamp"], expected)


def test_parquet_integers_and_categories_become_text(tmp_path):
    frame = pd.DataFrame(
        {"item": pd.Categorical(["b", "a"]), "user": [7, 12345678901234567], "rating": [4, 5]}
    )
    frame.to_parquet(tmp_path / "t.parquet")
    back = read_table(tmp_path / "t.parquet")
    assert back.to_dict("list") == {
        "user": ["7", "12345678901234567"],
        "item": ["b", "a"],
        "rating": [4.0, 5.0],
    }


def test_rows_without_user_or_item_are_read_on_request(tmp_path):
    (tmp_path / "t.csv").write_text("user,item,rating\na,,\n,x,\na,x,2\n")
    back = read_table(tmp_path / "t.csv", empty_ids=True)
    assert back["user"].tolist() == ["a", "", "a"]
    assert back["item"].tolist() == ["", "x", "x"]
    np.testing.assert_array_equal(back["rating"], [math.nan, math.nan, 2.0])
    (tmp_path / "empty.csv").write_text("user,item,rating\n")
    assert len(read_table(tmp_path / "empty.csv", empty_ids=True)) == 0


H = "user,item,rating\n"
BAD_TEXT = [
    ("", r"must hold a table; got an empty file\. Its first line must name the columns"),
    ("\n\n", r"must hold a table; got an empty file\."),
    (H, r"bad\.csv.*` must hold interactions; got a header and no lines\."),
    ("user_id,item,rating\n1,2,3\n", r"got 'user_id, item, rating'\. Rename 'user_id' to 'user'\."),
    ("user,Item\n1,2\n", r"got 'user, Item'\. Rename 'Item' to 'item'\."),
    ("user,item,Rating\n1,2,3\n", r"Rename 'Rating' to 'rating'\."),
    ("user,thing\n1,2\n", r"must have the columns user, item\[.*There is no column 'item'\."),
    ("user;item;rating\n1;2;3\n", r"Separate the fields by commas in \.csv"),
    ("196,242,3\n186,302,3\n", r"Add a header line, for example user, item, rating\."),
    ("user,item,item\n1,2,3\n", r"must have one column 'item'"),
    (
        H + "1,2,3\n\n,2,3\n",
        r"`user` must not be empty; got '' for line 4 of .*bad\.csv.*\. Fill it",
    ),
    (H + "1,,3\n", r"`item` must not be empty; got '' for line 2 of"),
    (H + "1,2,\n", r"`rating` must be a finite number; got '' for line 2 of .*Correct it or"),
    (H + '1,"a\nb",3\n1,2,four\n', r"`rating` must be a finite number; got 'four' for line 4 of"),
    (H + "1,2,nan\n", r"must be a finite number; got 'nan' for line 2"),
    (H + "1,2,inf\n", r"must be a finite number; got 'inf' for line 2"),
    (H + "1,2,1e999\n", r"must be a finite number; got '1e999' for line 2"),
    (H + "1,2,1_0\n", r"must be a finite number; got '1_0' for line 2"),
    (H + "1,2,3\n1,2\n", r"`line` must have 3 fields, as the header has; got 2 for line 3 of"),
    (H + "1,2,3,4\n", r"must have 3 fields, as the header has; got 4 for line 2 of .*quotes"),
    (H + '1,"2,3\n4,5,6\n', r"`line` must be well-formed; got unexpected end of data for line 2"),
    (H + '1,"2"x,3\n', r"`line` must be well-formed; .* for line 2 of .*double quote"),
]


@pytest.mark.parametrize(("text", "message"), BAD_TEXT)
@pytest.mark.parametrize("packed", [False, True])
def test_bad_text_is_refused_in_one_line(tmp_path, text, message, packed):
    path = tmp_path / ("bad.csv.gz" if packed else "bad.csv")
    content = text.encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(ValueError, match=message) as caught:
        read_table(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("packed", [False, True])
def test_text_that_is_not_utf8_is_refused_with_its_line(tmp_path, packed):
    path = tmp_path / ("bad.csv.gz" if packed else "bad.csv")
    content = "user,item\n1,2\n1,caf\u00e9\n".encode("latin-1")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(ValueError, match=r"must be UTF-8; got the byte 0xe9 for line 3 of .*Save"):
        read_table(path)


def cut(path):
    write_table(pd.concat([TABLE] * 200), path)
    path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("t.csv.gz", cut, r"must be a whole gzip file; got a damaged or cut one \(Compressed"),
        ("t.csv.gz", lambda path: path.write_text("user,item\n1,2\n"), r"one \(Not a gzipped"),
        ("t.parquet", cut, r"must be a whole Parquet file; got a damaged or cut one \(Parquet mag"),
        ("t.parquet", lambda path: path.write_bytes(b""), r"must be a whole Parquet file"),
        ("t.csv", lambda path: path.mkdir(), r"`path` must be a file; got the folder"),
        (
            "t.xlsx",
            lambda path: path.touch(),
            r"must end in .*\.csv\.gz, \.tsv\.gz, \.parquet; got",
        ),
    ],
)
def test_a_damaged_or_foreign_file_is_refused_in_one_line(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(ValueError, match=message) as caught:
        read_table(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user": ["a", None], "item": [1, 2]}, r"`user` must not be empty; got None for row 2 of"),
        ({"user": ["a"], "item": [1.0]}, r"`item` must be text or integers; got double for column"),
        (
            {"user": [1], "item": [1], "rating": [math.nan]},
            r"must be a finite number; got None for",
        ),
        (
            {"user": [1], "item": [1], "rating": [math.inf]},
            r"must be a finite number; got inf for r",
        ),
        ({"user": [1], "item": [1], "rating": [[1]]}, r"`rating` must be numbers; got list<"),
        ({"user": [1], "items": [1]}, r"Rename 'items' to 'item'\."),
        ({"user": np.array([], int), "item": []}, r"must hold interactions; got a header and no r"),
    ],
)
def test_bad_parquet_is_refused_in_one_line(tmp_path, columns, message):
    pd.DataFrame(columns).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=message) as caught:
        read_table(tmp_path / "t.parquet")
    assert "\n" not in str(caught.value)
    assert "t.parquet" in str(caught.value)


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_profiles_wrote_is_read_without_what_is_no_interaction(tmp_path, suffix):
    matrix = sp.csr_array(np.array([[0, 2, 0], [0, 0, 0], [1, 0, 0]], dtype=np.float32))
    users, items = pd.Index(["a", "b", "c"]), pd.Index(["x", "y", "z"])
    path = tmp_path / f"p{suffix}"
    Profiles(matrix, users, items).write(path)
    says = r"p\..*: left out 1 users without items and 1 items that nobody holds\."
    with pytest.warns(UserWarning, match=says):
        back = read_table(path)
    assert back.to_dict("list") == {"user": ["a", "c"], "item": ["y", "x"], "rating": [2.0, 1.0]}
    assert back.attrs["dropped_rows"] == 2
    with pytest.warns(UserWarning, match=says):
        assert len(load(path)) == 2
    assert len(Profiles.read(path)) == 3


def test_rows_that_only_order_the_items_are_no_loss(tmp_path):
    matrix = sp.csr_array(np.eye(2, dtype=np.float32)[::-1])
    Profiles(matrix, pd.Index(["a", "b"]), pd.Index(["x", "y"])).write(tmp_path / "p.csv")
    assert ",x," in (tmp_path / "p.csv").read_text()
    back = read_table(tmp_path / "p.csv")
    assert back.attrs["dropped_rows"] == 0
    assert back["item"].tolist() == ["y", "x"]


def test_a_table_without_pairs_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("user,item,rating\na,,\n,x,\n")
    with pytest.raises(ValueError, match=r"got no line with a user and an item\. Name another"):
        read_table(tmp_path / "t.csv")


@pytest.mark.parametrize("rating", ["1e39", "-1e39", "1e-50"])
def test_a_rating_that_profiles_cannot_hold_is_named_as_written(tmp_path, rating):
    (tmp_path / "t.csv").write_text(f"user,item,rating\na,x,0\na,y,1\nb,x,{rating}\n")
    assert len(read_table(tmp_path / "t.csv")) == 3
    with pytest.raises(ValueError, match=rf"that float32 can hold; got '{rating}' for line 4 of"):
        load(tmp_path / "t.csv")


def test_lines_and_texts_have_limits(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text("user,item\n" + "a,x\n" * 100)
    monkeypatch.setattr(records, "TEXT_CHARACTERS", 400)
    with pytest.raises(ValueError, match=r"must hold at most 400 characters; got more\. Take a"):
        read_table(tmp_path / "t.csv")
    monkeypatch.setattr(records, "LINE_CHARACTERS", 8)
    with pytest.raises(ValueError, match=r"`line` must have at most 8 characters; got more for l"):
        read_table(tmp_path / "t.csv")


def test_parquet_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path, monkeypatch):
    frame = pd.DataFrame({"user": ["a"] * 3_000_000, "item": ["x"] * 3_000_000})
    frame.to_parquet(tmp_path / "t.parquet")
    assert (tmp_path / "t.parquet").stat().st_size < 100_000
    with pytest.raises(ValueError, match=r"must have at most 1,000,000 rows at its size; got 3,0"):
        read_table(tmp_path / "t.parquet")
    monkeypatch.setattr(records, "PACKED_LEAST", 1)
    pd.DataFrame({"user": ["a" * 10**7], "item": ["x"]}).to_parquet(
        tmp_path / "u.parquet", compression="zstd"
    )
    with pytest.raises(ValueError, match=r"must unpack to at most 100 times its size"):
        read_table(tmp_path / "u.parquet")


def test_a_rating_in_a_row_without_user_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("user,item,rating\n,x,2\n")
    with pytest.raises(ValueError, match=r"`user` must not be empty; got '' for line 2"):
        read_table(tmp_path / "t.csv", empty_ids=True)
    (tmp_path / "t.csv").write_text("user,item,rating\n,,\n")
    with pytest.raises(ValueError, match=r"`user` must not be empty"):
        read_table(tmp_path / "t.csv", empty_ids=True)


def test_a_missing_file_names_the_nearest_one(tmp_path):
    (tmp_path / "ratings.csv").touch()
    with pytest.raises(FileNotFoundError, match=r"got no .*rating\.csv'\. Did you mean 'ratings"):
        read_table(tmp_path / "rating.csv")
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*gone"):
        read_table(tmp_path / "gone" / "ratings.csv")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    write_table(TABLE, tmp_path / "t.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    for call in (
        lambda: read_table(tmp_path / "t.parquet"),
        lambda: write_table(TABLE, tmp_path / "deep" / "new.parquet"),
    ):
        with pytest.raises(ImportError, match=r"pip install cornac-mle\[parquet\]"):
            call()
    assert not (tmp_path / "deep").exists()


def test_an_unknown_suffix_is_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.csv, \.tsv, \.txt.*got '.*out\.xls'"):
        write_table(TABLE, tmp_path / "deep" / "out.xls")
    assert list(tmp_path.iterdir()) == []


def full_disk():
    return OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("cause", "kind"), [(full_disk, OSError), (KeyboardInterrupt,) * 2])
def test_a_broken_write_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, suffix, cause, kind
):
    def fail(_frame, target, **_options):
        with target.open("wb") if suffix == ".parquet" else target.buffer as half:
            half.write(b"half a table")
            raise cause()

    old, new = tmp_path / f"old{suffix}", tmp_path / "a" / "b" / f"new{suffix}"
    write_table(TABLE, old)
    before = old.read_bytes()
    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", fail)
    for path in (old, new):
        says = re.escape(str(path)) if kind is OSError else None
        with pytest.raises(kind, match=says):
            write_table(TABLE, path)
    assert old.read_bytes() == before
    assert list(tmp_path.iterdir()) == [old]


def test_atomic_path_takes_the_name_only_at_the_end(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text("old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(".json")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_path_keeps_folders_that_were_there(tmp_path):
    (tmp_path / "was").mkdir()
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "was" / "new" / "x.csv"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [tmp_path / "was"]
    assert list((tmp_path / "was").iterdir()) == []


def test_atomic_path_refuses_a_folder_and_a_file_in_the_way(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"must be a file; got the folder"), atomic_path(tmp_path):
        pass
    with (
        pytest.raises(NotADirectoryError, match=r"`path` must lie in a folder; got .*x\.csv"),
        atomic_path(tmp_path / "file" / "x.csv"),
    ):
        pass


def test_two_atomic_paths_do_not_meet(tmp_path):
    with atomic_path(tmp_path / "x.csv") as one, atomic_path(tmp_path / "x.csv") as two:
        assert one != two
        one.write_text("1")
        two.write_text("2")
    assert (tmp_path / "x.csv").read_text() == "1"


def test_arrays_come_back_exactly_and_always_in_the_same_bytes(tmp_path):
    arrays = {"a": np.arange(6, dtype=np.uint16).reshape(2, 3).T, "b": np.array(["é", "long text"])}
    write_arrays(tmp_path / "x.npz", arrays)
    write_arrays(tmp_path / "y.npz", arrays)
    back = read_arrays(tmp_path / "x.npz", ["b", "a"])
    assert list(back) == ["b", "a"]
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)
        assert back[name].dtype == array.dtype
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()


def test_objects_are_neither_written_nor_read(tmp_path):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_arrays(tmp_path / "x.npz", {"a": np.array([None])})
    assert list(tmp_path.iterdir()) == []
    np.savez(tmp_path / "y.npz", a=np.array([None]))
    with pytest.raises(ValueError, match=r"y\.npz` must be an \.npz file with the plain arrays a;"):
        read_arrays(tmp_path / "y.npz", ["a"])


def npy(header, content=b""):
    text = repr(header).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def huge(shape, kind="<f8", order=False):
    return npy({"descr": kind, "fortran_order": order, "shape": shape}, bytes(64))


@pytest.mark.parametrize(
    "content",
    [
        huge((10**12,)),
        huge((10**12,), "<U0"),
        huge((2**40, 2**40)),
        huge((-8,)),
        huge((9,)),
        huge(("a",)),
        npy("no header"),
        npy({"descr": "<f8"}),
        b"\x93NUMPY\x03\x00" + bytes(60),
        b"\x93NUMPY\x01\x00\xff\xff",
        b"plain text",
        b"",
    ],
)
@pytest.mark.filterwarnings("default")
def test_arrays_that_are_not_there_are_not_made_room_for(tmp_path, content):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", content)
    with pytest.raises(ValueError, match=r"must be an \.npz file with the plain arrays a; got"):
        read_arrays(path, ["a"])


def test_arrays_that_unpack_to_far_more_than_their_file_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "UNPACKED_LEAST", 2**16)
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(10**7))
    with pytest.raises(ValueError, match=r"must unpack to at most 100 times its size"):
        read_arrays(tmp_path / "x.npz", ["a"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-40]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no archive"),
        lambda path: np.savez(path, b=np.arange(3)),
        lambda path: path.write_bytes(path.read_bytes()[:60] + b"x" * 40 + path.read_bytes()[100:]),
    ],
)
def test_damaged_arrays_are_refused_in_one_line(tmp_path, damage):
    path = tmp_path / "x.npz"
    write_arrays(path, {"a": np.arange(1000)})
    damage(path)
    with pytest.raises(
        ValueError, match=r"x\.npz` must be an \.npz file with .* Write it"
    ) as caught:
        read_arrays(path, ["a"])
    assert "\n" not in str(caught.value)
