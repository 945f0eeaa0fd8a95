"""What is read from files of any layout: packed, mixed, wrong, wide, by either reader."""

import bz2
import gzip
import io
import json
import lzma
import sys
import zipfile

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

from cornac_mle.files import any_layout
from cornac_mle.files.any_layout import read_interactions

PACKINGS = {
    "": lambda content: content,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zip": lambda content: zipped({"folder/": b"", "folder/data.csv": content}),
}


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.fixture(params=["pyarrow", "line by line"])
def reader(request, monkeypatch):
    """Read in both ways."""
    if request.param == "line by line":
        monkeypatch.setattr(any_layout, "read_fast", lambda *_: None)
    return request.param


@pytest.mark.parametrize("packing", PACKINGS)
def test_packed_files_are_known_by_their_first_bytes(tmp_path, reader, packing):
    content = b"customer;product;stars\n007;milk;4\n"
    (tmp_path / "sales.dat").write_bytes(PACKINGS[packing](content))
    read = read_interactions(tmp_path / "sales.dat")
    assert read.frame.to_dict("list") == {"user": ["007"], "item": ["milk"], "rating": [4.0]}


MIXED = pd.DataFrame(
    {
        "user": ["01", "1", "1.0", "x,y", 'q"t', "NA", "ü"],
        "item": ["a", "a", " b", "line", "c", "d", "e"],
        "rating": [1.5, -2.0, 0.0, 1e300, 3.0, 4.0, 5.0],
    }
)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_ids_stay_as_written_whatever_the_separator_and_encoding(
    tmp_path, reader, separator, encoding
):
    MIXED.to_csv(tmp_path / "t.csv", sep=separator, index=False, encoding=encoding)
    read = read_interactions(tmp_path / "t.csv")
    pd.testing.assert_frame_equal(read.frame, MIXED.astype({"user": object, "item": object}))
    assert "'NA' is a user as any other (1 rows)" in read.assumed
    assert (f"encoding {encoding}" in read.assumed) == (encoding in ("latin-1", "utf-16"))
    assert read.left_out == {}


def test_what_is_left_out_is_counted(tmp_path, reader):
    text = (
        "# made by hand\n\nuser,item,rating\na,x,1\n\n,x,2\na,,3\n,,\nb,y,\nb,y,NaN\n  \nb,z,5\n\n"
    )
    (tmp_path / "t.csv").write_text(text)
    read = read_interactions(tmp_path / "t.csv")
    assert read.frame.to_dict("list") == {
        "user": ["a", "b"],
        "item": ["x", "z"],
        "rating": [1.0, 5.0],
    }
    assert read.left_out == {
        "comment lines": 1,
        "blank lines": 4,
        "rows without a user": 2,
        "rows without an item": 1,
        "rows without a rating": 2,
    }


H = "user,item,rating\n"
BAD = [
    ("", r"must hold a table; got an empty file"),
    ("\n\n", r"must hold a table; got an empty file"),
    (H, r"must hold interactions; got a header and nothing below it"),
    (H + ",x,1\n", r"must hold interactions; got only 1 rows without a user"),
    ("user\n1\n2\n", r"must have at least two fields a line; got 'user'"),
    (H + "1,2,3\n1,2\n", r"`line` must have 3 fields, as the header has; got 2 for line 3 of"),
    (H + "1,2,3\n1,2,3,4\n", r"must have 3 fields, as the header has; got 4 for line 3 .*quotes"),
    (H + "1,2,3,4\n", r"must have 3 fields, as the header has; got 4 for line 2 of"),
    (H + "1,2\n1,2\n", r"must have 3 fields, as the header has; got 2 for line 2 of"),
    (H + "1,2,3,4\n1,2,3,4\n", r"must have 3 fields, as the header has; got 4 for line 2 of"),
    ("1,2,3\n1,2,3\n1,2\n", r"must have 3 fields, as the first lines have; got 2 for line 3"),
    (H + "\n1,2,four\n", r"`rating` must be a finite number; got 'four' for line 3 of .*Correct"),
    (H + "1,2,inf\n", r"must be a finite number; got 'inf' for line 2"),
    (H + "1,2,1e999\n", r"must be a finite number; got '1e999' for line 2"),
    (H + "1,2,1_0\n", r"must be a finite number; got '1_0' for line 2"),
    (H + '1,2,"3,5"\n', r"must be a finite number; got '3,5' for line 2"),
    ("user;item;rating\n1;2;3.5\n1;3;1,234\n", r"finite number; got '1,234' for line 3"),
    (H + '1,"2,3\n4,5,6\n', r"`line` must be well-formed; got unexpected end of data"),
    (H + '1,"2"x,3\n', r"`line` must be well-formed; .* for line 2 of .*double quote"),
    ("user,movieId,itemname2,bookId\n1,2,3,4\n", r"which of 2 columns is the item.*--item-column"),
    ("kunde,ding,art\n1,2,3\n", r"a column of items; got the columns 1 'kunde', .*--item-column"),
    ("ding,art,x\n1,2,3\n", r"users and of items; .*--user-column .*and --item-column"),
    (
        'user,items\n1,"[1, 2]"\n',
        r"one item a line; got lists such as '\[1, 2\]' in 'items'.*--wide",
    ),
    ("a,1,b\nc,2,d\n", r"say which column is which; got no header.*--item-column"),
    ("1,2,3.5,4.5\n", r"say which column is which"),
    ("".join(f"{n},{n % 5},2005-09-06\n" for n in range(30)), r"say which column is which"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_wrong_files_are_refused_in_one_line(tmp_path, reader, text, message):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_interactions(tmp_path / "bad.csv")
    assert "\n" not in str(caught.value)
    assert "bad.csv" in str(caught.value)


FOREIGN = [
    (b"<!DOCTYPE html>\n<p>a, b</p>\n", "a web page"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"user,item\n1,\x00\n", "bytes that are no text"),
    (zipped({"[Content_Types].xml": b"", "xl/workbook.xml": b""}), "an Excel workbook"),
    (zipped({"a.csv": b"1,2", "b.csv": b"1,2"}), r"hold one file; got 2 \(a.csv, b.csv\)"),
    (gzip.compress(b"user,item\n1,2\n" * 99, mtime=0)[:-9], "a damaged or cut one"),
    (lzma.compress(b"user,item\n1,2\n" * 99)[:-30], "a damaged or cut one"),
    (bz2.compress(b"user,item\n1,2\n" * 99)[:-30], "a damaged or cut one"),
    (zipped({"a.csv": b"user,item\n1,2\n" * 99})[:-30], "a damaged or cut one"),
    (gzip.compress(bytes(70 * 2**20), mtime=0), "that unpack to more"),
    (b"PAR1 is no table", "be a whole Parquet file"),
]


@pytest.mark.parametrize(("content", "message"), FOREIGN)
def test_what_is_no_table_is_named(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_interactions(tmp_path / "t.csv")
    assert "\n" not in str(caught.value)


WRONG_OPTIONS = [
    (
        {"user_column": "kunde"},
        r"that --user-column names \('kunde'\); got the columns 1 'a'",
    ),
    ({"item_column": 4}, r"column that --item-column names \(4\); got the columns"),
    ({"user_column": True}, r"`user_column` must be a name or a number from 1; got True"),
    ({"user_column": "a", "item_column": 1}, r"two columns by --user-column and --item-column"),
    ({"user_column": 1, "item_column": 2, "rating_column": 3}, r"with times.*--time-column"),
]


@pytest.mark.parametrize(("options", "message"), WRONG_OPTIONS)
def test_wrong_options_are_refused(tmp_path, options, message):
    (tmp_path / "t.csv").write_text("a,b,c\n1,2,978300760\n")
    with pytest.raises(ValueError, match=message):
        read_interactions(tmp_path / "t.csv", **options)


def test_parquet_is_read_from_a_file_and_from_a_folder_of_parts(tmp_path):
    frame = pd.DataFrame(
        {
            "user_id": [7.0, np.nan, 8.0],  # what pandas makes of integers with a gap
            "item_id": pd.Categorical(["01", "x", "01"]),
            "rating": [4, 5, 3],
            "time": pd.to_datetime(["2010-12-01 08:26"] * 3),
        }
    )
    frame.to_parquet(tmp_path / "one.pq.bin")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/_SUCCESS").touch()
    for at in range(3):
        frame.iloc[[at]].to_parquet(tmp_path / f"parts/part-{at}.parquet")
    one, parts = (read_interactions(tmp_path / name) for name in ("one.pq.bin", "parts"))
    pd.testing.assert_frame_equal(one.frame, parts.frame)
    assert one.frame["user"].tolist() == ["7", "8"]
    assert one.frame["item"].tolist() == ["01", "01"]
    assert one.frame["rating"].tolist() == [4.0, 3.0]
    assert one.frame["timestamp"].str.startswith("2010-12-01 08:26").all()
    assert one.left_out == parts.left_out == {"rows without a user": 1}
    assert "users are floats in the file, written as integers" in one.assumed
    assert parts.assumed[0] == "read Parquet (3 parts)"


def test_wrong_parquet_is_refused(tmp_path):
    pd.DataFrame({"user": [1.5], "item": ["a"]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"`user` must be text or integers; got double with frac"):
        read_interactions(tmp_path / "a.parquet")
    pd.DataFrame({"user": ["1", "2"], "item": ["a", "b"], "rating": [1, np.inf]}).to_parquet(
        tmp_path / "b.parquet"
    )
    with pytest.raises(ValueError, match=r"a finite number; got 'inf' for row 2 of .*b\.parquet"):
        read_interactions(tmp_path / "b.parquet")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"a folder of \.parquet files; got a folder without any"):
        read_interactions(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match=r"Did you mean 'a\.parquet'"):
        read_interactions(tmp_path / "a.parket")


def test_lists_in_json_and_parquet_are_read_on_request(tmp_path):
    frame = pd.DataFrame({"user": ["u", "v", "w"], "basket": [["a", "b"], [], ["c"]]})
    frame.to_parquet(tmp_path / "t.parquet")
    lines = [json.dumps(row) for row in frame.to_dict("records")]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    for name in ("t.parquet", "t.jsonl"):
        read = read_interactions(tmp_path / name, wide=True)
        assert read.frame.to_dict("list") == {"user": ["u", "u", "w"], "item": ["a", "b", "c"]}
        assert read.left_out == {"rows without an item": 1}
        with pytest.raises(ValueError, match="--wide"):
            read_interactions(tmp_path / name, item_column="basket")


def test_a_first_column_that_counts_is_no_item(tmp_path):
    (tmp_path / "w.csv").write_text("2,1.5,-3,99\n1,99,99,4\n3,1,2,7\n")
    read = read_interactions(tmp_path / "w.csv", wide=True)
    assert read.frame["item"].tolist() == ["1", "2", "3", "1", "2", "3"]
    assert "items = their numbers" in "; ".join(read.assumed)


def test_objects_in_lists_are_no_ids(tmp_path):
    rows = [{"user": "u", "items": [{"id": 2}, {}]}]
    (tmp_path / "t.jsonl").write_text(json.dumps(rows[0]))
    pd.DataFrame(rows).to_parquet(tmp_path / "t.parquet")
    for name in ("t.jsonl", "t.parquet"):
        with pytest.raises(ValueError, match=r"`items` must be text or a number; got {'id': "):
            read_interactions(tmp_path / name, wide=True)


def test_users_who_are_numbers_of_lines_are_known_for_it(tmp_path):
    for text, has_ids in (
        ("red wine,jam\ntea,jam,milk\n", False),
        ("a,b,c\n1.5,,2\n,3,2\n", False),
        ("key,a,b\n01,1,0\n02,0,1\n", True),
        ("5,x,y\n6,x\n7,x,z,y,w\n", True),
    ):
        (tmp_path / "w.csv").write_text(text)
        assert read_interactions(tmp_path / "w.csv", wide=True).has_user_ids is has_ids


def test_json_ids_stay_as_written_and_wrong_lines_are_named(tmp_path):
    (tmp_path / "t.json").write_text('[\n{"user": 1.0, "item": "01"},\n{"user": 1}\n]\n')
    read = read_interactions(tmp_path / "t.json")
    assert read.frame.to_dict("list") == {"user": ["1.0"], "item": ["01"]}
    assert read.left_out == {"rows without an item": 1}
    (tmp_path / "t.json").write_text('{"user": 1, "item": 2}\n\n{"user": 1, \n')
    with pytest.raises(ValueError, match=r"`line` must be a JSON object; got .* for line 3 of"):
        read_interactions(tmp_path / "t.json")
    (tmp_path / "t.json").write_text('{"user": {"id": 1}, "item": 2}\n')
    with pytest.raises(ValueError, match=r"`user` must be text or a number; got .* for line 1 of"):
        read_interactions(tmp_path / "t.json")


FIELD = st.text(alphabet='ab1.5 "\té', max_size=4)


@given(
    rows=st.lists(st.tuples(FIELD, FIELD, FIELD), min_size=1, max_size=6),
    separator=st.sampled_from([",", ";", "\t", "::", "|", " "]),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "latin-1"]),
)
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_pyarrow_and_the_careful_reader_agree(tmp_path, rows, separator, end, encoding):
    lines = ["user,item,rating".replace(",", separator)]
    lines += ["a,b,1".replace(",", separator)] * 3
    lines += [separator.join(row) for row in rows]
    path = tmp_path / "t.csv"
    path.write_bytes(end.join(lines).encode(encoding))
    answers = []
    for careful in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            if careful:
                patch.setattr(any_layout, "read_fast", lambda *_: None)
            try:
                read = read_interactions(path)
                answers.append((read.frame.to_dict("list"), read.assumed, read.left_out))
            except ValueError as error:
                answers.append(str(error))
    assert answers[0] == answers[1]


def test_without_pyarrow_text_is_read_and_parquet_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text("user,item\n01,a\n")
    pd.DataFrame({"user": ["01"], "item": ["a"]}).to_parquet(tmp_path / "t.parquet")
    with_pyarrow = read_interactions(tmp_path / "t.csv")
    for module in ("pyarrow", "pyarrow.csv", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, module, None)
    without = read_interactions(tmp_path / "t.csv")
    assert without.frame.to_dict("list") == with_pyarrow.frame.to_dict("list")
    with pytest.raises(ImportError, match="Parquet files need pyarrow"):
        read_interactions(tmp_path / "t.parquet")


WORDS = "u1~tea\nu1~red wine\nu2~jam\nu3~red wine"
TITLES = "7~Good, the Bad\n7~a b\n8~c d\n8~e"
WIDE = [
    ("key,a,b\n01,1,0\n02,0,1\n03,0,0\n", {}, "01~a~1\n02~b~1", "0 = no rating (4 cells)"),
    ("nr;a;b\nx1;1,5;\nx2;;-2\n", {}, "x1~a~1.5\nx2~b~-2", "user = nr"),
    ("a,b,c\n1.5,,2\n,3,2\n", {}, "1~a~1.5\n1~c~2\n2~b~3\n2~c~2", "the number of the line"),
    ("a,who,c\n1.5,7,2\n2,8,3\n", {"user_column": "who"}, "7~a~1.5\n7~c~2\n8~a~2\n8~c~3", "who"),
    ("5,x,y\n6,x\n6,z,x,y\n7,x,z,y,w\n", {"user_column": 1}, None, "user = column 1"),
    ("who,what\nu1,\"['a, b', 7]\"\nu2,[]\n", {}, "u1~a, b\nu1~7", "every item of a list is a row"),
    ("u1,1|2\nu2,7|9|11\n", {}, "u1~1\nu1~2\nu2~7\nu2~9\nu2~11", "item = column 2"),
    # Lists of words: what splits one cell splits all, and "red wine" is one item.
    ('user,items\nu1,"tea, red wine"\nu2,jam\nu3,red wine\n', {}, WORDS, "split at ,"),
    ('order,products\nu1,"tea, red wine"\nu2,jam\nu3,red wine\n', {}, WORDS, "user = order"),
    ("a;b\ntea|red wine;u1\njam;u2\nred wine;u3\n", {"user_column": "b"}, WORDS, "split at |"),
    ('u1,"tea, red wine"\nu2,"jam, "\nu3,red wine\n', {}, WORDS, "item = column 2"),
    ("user,items\nu1,tea,jam\nu2,jam\nu3,tea\n", {}, "u1~tea\nu1~jam\nu2~jam\nu3~tea", "column 1"),
    ("red wine,jam\ntea,jam\n", {}, "1~red wine\n1~jam\n2~tea\n2~jam", "number of the line"),
    (
        'user,city,basket\nu1,"Ur, W","tea, red wine"\nu2,Rome,jam\nu3,Rome,red wine\n',
        {},
        WORDS,
        "",
    ),
    # Baskets of a fixed number of items, whatever their names.
    ('userId,one,two\n7,"Good, the Bad",a b\n8,c d,e\n', {}, TITLES, "user = column 1"),
    ('7,"Good, the Bad",a b\n8,c d,e\n', {"user_column": 1}, TITLES, "user = column 1"),
    ('who,1st,2nd\n7,"Good, the Bad",a b\n8,c d,e\n', {"user_column": 1}, TITLES, "column 1"),
    # Lists of ids one by one, of words at the mark that most of them hold.
    ('user,items\n1,"1,2"\n2,"3,4"\n3,5|6\n', {}, "1~1\n1~2\n2~3\n2~4\n3~5\n3~6", "every item"),
    (
        'user,items\n1,"a,b"\n2,"c,d;e"\n3,"f,g"\n',
        {},
        "1~a\n1~b\n2~c\n2~d;e\n3~f\n3~g",
        "1 of them",
    ),
    ("user;items\n1;[a b, c]\n2;[a b]\n", {}, "1~a b\n1~c\n2~a b", "every item of a list"),
]


@pytest.mark.parametrize(("text", "options", "rows", "phrase"), WIDE)
def test_wide_tables_and_lists_are_read_on_request(tmp_path, text, options, rows, phrase):
    (tmp_path / "w.csv").write_text(text)
    read = read_interactions(tmp_path / "w.csv", wide=True, **options)
    if rows is not None:
        found = ["~".join(map(str, row)) for row in read.frame.itertuples(index=False)]
        assert [row.removesuffix(".0") for row in found] == rows.split("\n")
    assert phrase in "; ".join(read.assumed)


BAD_WIDE = [
    ("user,a,b\n" + "1,2,3\n" * 20 + "1,2\n", {}, r"have 3 fields; got 2 for line 22"),
    (
        "user,a,b\n" + "1,2,3\n" * 2500 + "1,2,x\n",
        {},
        r"`b` must be a number; got 'x' for line 2502",
    ),
    ("5,x\n6,x,y\n7,x,y,z\n", {"user_column": 2}, r"`--user-column` must be 1 for baskets"),
    (
        "user,items\nu1,tea jam\nu2,jam\n",
        {},
        r"`items` must hold lists split at , ; or |.*'tea jam'",
    ),
    (
        "user;items\n1;[{'id': 2}]\n",
        {},
        r"`list` must be text or a number; got {'id': 2}",
    ),
]


@pytest.mark.parametrize(("text", "options", "message"), BAD_WIDE)
def test_wrong_wide_tables_are_refused(tmp_path, text, options, message):
    (tmp_path / "w.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_interactions(tmp_path / "w.csv", wide=True, **options)
