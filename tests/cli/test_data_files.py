"""Data files that are none: a line each, no wait without end, and no memory without bound."""

import gzip
import os

import pytest

from command_line import invoke, is_one_error
from cornac_mle.cli._asked import data_name

H = b"user,item,rating\n"


def packed(content):
    return gzip.compress(content, compresslevel=1)


def zeros():
    return packed(bytes(2**22))


def many_lines():
    return packed(H + b"\n" * 2**27)


BAD = {
    "b.csv": (H + b"a,b,1e39\n", r"got '1e39' for line 2 of"),
    "c.csv": (H + b"a,b,1e-50\n", r"got '1e-50' for line 2 of"),
    "stars.csv": (b"user,item,stars\na,b,3\n", r"Rename 'stars' to 'rating'\. If it is none"),
    "Rating.csv": (b"user,item,Rating\na,b,3\n", r"Rename 'Rating' to 'rating'"),
    "score.csv": (b"user,item,score\na,b,3\n", r"Rename 'score' to 'rating'"),
    "cut.csv.gz": (packed(H + b"a,b,1\n")[:-4], r"must be a whole gzip file; got a damaged"),
    "zeros.csv.gz": (zeros, r"`line` must have at most 1,048,576 characters; got more for line 1"),
    "many.csv.gz": (many_lines, r"must unpack to at most 100 times its size \(or 64 MiB\)"),
    "field.csv": (
        H + b"a," + b"b" * 140_000 + b",1\n",
        r"must have fields of at most 131,072 characters; got a longer one for line 2",
    ),
    "bad\nname\x1b[31m.csv": (H, r"bad\\nname\\x1b\[31m\.csv` must hold interactions"),
    "latin\udce9.csv": (H + b"a,b,x\n", r"got 'x' for line 2 of .*latin\\udce9\.csv"),
    "cut.npz": (b"PK", r"must end in"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_costs_one_line(name, tmp_path):
    content, pattern = BAD[name]
    path = tmp_path / name
    path.write_bytes(content() if callable(content) else content)
    for command, out in (("compare", "runs"), ("sample", "users.csv")):
        status, output = invoke(command, "--data", path, "--out", tmp_path / out)
        assert status == 2, output
        assert is_one_error(output, pattern), output
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_regular_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    (tmp_path / "gone.csv").symlink_to("nowhere")
    for name, pattern in (
        ("pipe.csv", r"regular file; got the named pipe .*Save what it gives to a file first"),
        ("zero.csv", r"regular file; got the device"),
        ("gone.csv", r"got no .*gone\.csv'\. It is a link to 'nowhere', where nothing is"),
    ):
        status, output = invoke("compare", "--data", tmp_path / name)
        assert (status, is_one_error(output, pattern)) == (2, True), output


def test_a_data_set_is_named_after_its_file(tmp_path):
    names = {"my.data.csv": "my", ".hidden.csv": "hidden", "a\nb\udce9.csv": "a_b_", "..csv": "csv"}
    assert {name: data_name(tmp_path / name) for name in names} == names


def test_a_home_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "none"))
    status, output = invoke("compare", "--dataset", "movielens-100k")
    assert status == 2
    assert is_one_error(output, r"`HOME` must be a folder that can be written.*none'\. Set HOME")
    assert invoke("datasets")[0] == 0
