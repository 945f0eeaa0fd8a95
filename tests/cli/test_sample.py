"""`sample`: what is written where, and what never is."""

import os
import sys

import pandas as pd
import pytest

from command_line import invoke, is_one_error
from cornac_mle.datasets import named
from cornac_mle.files.interactions import read_table
from cornac_mle.profiles import Profiles

POPULARITY = ("--model", "popularity", "--n", 20)


def sample(data, out, *more):
    return invoke("sample", "--data", data, *POPULARITY, "--out", out, *more)


@pytest.mark.parametrize("link", [None, "symbolic", "hard", "folder"])
def test_the_data_are_never_replaced(small, tmp_path, link):
    out = small
    if link == "folder":
        (tmp_path / "other").symlink_to(tmp_path)
        out = tmp_path / "other" / small.name
    elif link is not None:
        out = tmp_path / "link.csv"
        (os.link if link == "hard" else os.symlink)(small, out)
    before = small.read_bytes()
    status, output = sample(small, out, "--force")
    assert status == 2
    assert is_one_error(output, r"`--out` must not be the data; got .* Name another file")
    assert small.read_bytes() == before


def test_the_data_behind_a_link_are_never_replaced(small, tmp_path):
    (tmp_path / "link.csv").symlink_to(small)
    status, output = sample(tmp_path / "link.csv", small)
    assert (status, is_one_error(output, "must not be the data")) == (2, True)


def test_a_cached_data_set_is_never_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = named.DATASETS["filmtrust"].path
    path.parent.mkdir(parents=True)
    path.write_text("1 2 3\n")
    status, output = invoke("sample", "--dataset", "filmtrust", *POPULARITY, "--out", path)
    assert (status, is_one_error(output, "must not be the data")) == (2, True)
    assert path.read_text() == "1 2 3\n"


def test_another_file_is_replaced_with_a_word(small, tmp_path):
    out = tmp_path / "users.csv"
    said = f"{out} is there and will be replaced (--force: without this line)\n"
    written = f"Written: {out} (20 users of Popularity)\n"
    assert sample(small, out) == (0, written)
    assert sample(small, out) == (0, said + written)
    assert sample(small, out, "--force") == (0, written)


def test_the_file_behind_a_link_is_written_and_the_link_stays(small, tmp_path):
    (tmp_path / "disk").mkdir()
    out = tmp_path / "users.csv"
    out.symlink_to(tmp_path / "disk" / "users.csv")
    assert sample(small, out)[0] == 0
    assert out.is_symlink()
    assert len(Profiles.read(tmp_path / "disk" / "users.csv")) == 20


def test_what_cannot_be_written_is_refused_before_the_fit(small, tmp_path, monkeypatch):
    def refuse(*_arguments):
        msg = "fitted"
        raise AssertionError(msg)

    monkeypatch.setattr("cornac_mle.models.Popularity._fit", refuse)
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    for name, message in (
        ("folder.csv", "must be a file; got the folder"),
        ("pipe.csv", "must be a regular file; got the named pipe"),
        ("small.csv/users.csv", "must lie in a folder"),
        ("a" * 300 + ".csv", "File name too long"),
        ("users.xlsx", "must end in"),
    ):
        status, output = sample(small, tmp_path / name)
        assert (status, is_one_error(output, message)) == (2, True), output
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    status, output = sample(small, tmp_path / "users.parquet")
    assert (status, is_one_error(output, r"pip install cornac-mle\[parquet\]")) == (2, True)
    assert len(list(tmp_path.iterdir())) == 3


def test_ids_that_cannot_be_written_are_refused_before_the_fit(small, tmp_path):
    small.write_bytes(small.read_bytes() + b'"u\0",i1,3\n')
    for command in (("compare", "--models", "popularity"), ("sample", *POPULARITY)):
        out = tmp_path / ("runs" if command[0] == "compare" else "users.csv")
        status, output = invoke(*command, "--data", small, "--out", out)
        assert status == 2
        assert is_one_error(output, r"`user` must be integers or text.* got 'u\\x00'\. Rename it")
        assert not out.exists()


def test_a_file_of_users_and_items_is_enough(tmp_path):
    data = tmp_path / "pairs.csv"
    lines = "".join(f"u{n},i{n % 7}\nu{n},i{(n + 1) % 7}\n" for n in range(60))
    data.write_text("user,item\n" + lines)
    status, output = sample(data, tmp_path / "users.csv")
    assert status == 0, output
    assert set(read_table(tmp_path / "users.csv").rating) == {1.0}


@pytest.mark.parametrize("n", [10**8, 10**30])
def test_more_users_than_memory_holds_are_refused(small, tmp_path, n):
    status, output = sample(small, tmp_path / "users.csv", "--n", n)
    assert status == 2
    assert is_one_error(output, rf"`--n` must be at most [\d,]+(, as users .*)?; got {n}\.")
    assert not (tmp_path / "users.csv").exists()


@pytest.mark.filterwarnings("default")
def test_what_sample_wrote_is_data_with_empty_users_and_unheld_items(small, tmp_path):
    users = Profiles.from_frame(
        pd.read_csv(small),
        user_ids=pd.Index([*pd.read_csv(small).user.unique(), "nobody"]),
        item_ids=pd.Index([*pd.read_csv(small).item.unique(), "nothing", "none"][::-1]),
    )
    users.write(tmp_path / "written.csv")
    status, output = sample(tmp_path / "written.csv", tmp_path / "users.csv")
    assert status == 0, output
    first = output.splitlines()[0]
    assert first.startswith("warning: ")
    assert first.endswith("left out 1 users without items and 2 items that nobody holds.")
    out = tmp_path / "runs"
    command = ("compare", "--models", "popularity", "--out", out)
    status, output = invoke(*command, "--data", tmp_path / "written.csv")
    assert status == 0, output
    assert "3 rows, users or items that are no interactions, on reading" in " ".join(output.split())
