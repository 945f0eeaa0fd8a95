"""`sample`: what is written where, and what never is."""

import os
import signal
import sys

import pandas as pd
import pytest

from command_line import at_call, die, hidden, invoke, is_one_error, run
from cornac_mle.datasets import named
from cornac_mle.files import partitions
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


@pytest.fixture
def small_partitions(monkeypatch):
    monkeypatch.setattr("cornac_mle.cli._sample.PARTITION_USERS", 1024)


@pytest.mark.usefixtures("small_partitions")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_folder_gets_partitions_of_the_users_of_one_file(small, tmp_path, jobs):
    out = tmp_path / "made"
    command = ("--n", 2500)
    status, output = sample(small, out, *command, "--jobs", jobs)
    assert (status, output) == (0, f"Written: {out} (2,500 users of Popularity)\n")
    assert len(list(out.glob("part-*.parquet"))) == 3
    for name in ("users.parquet", "users.npz"):
        assert sample(small, tmp_path / name, *command, "--jobs", jobs)[0] == 0
    whole = Profiles.read(tmp_path / "users.npz")
    streamed = Profiles.read(tmp_path / "users.parquet")
    parts = [Profiles.read(path).align(whole.item_ids) for path in sorted(out.glob("part-*"))]
    for other in (streamed, parts[0].concat(parts[1]).concat(parts[2])):
        assert other.user_ids.equals(whole.user_ids)
        assert other.item_ids.equals(whole.item_ids)
        assert (other.matrix != whole.matrix).nnz == 0


def test_partitions_that_are_there_are_kept(small, tmp_path, small_partitions, monkeypatch):
    out = tmp_path / "made"
    command = ("--n", 2500)
    assert sample(small, out, *command)[0] == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    (out / "part-000001.parquet").unlink()
    drawn = []
    write = partitions.write_users

    def noted(path, *arguments, **settings):
        drawn.append(path.name)
        return write(path, *arguments, **settings)

    monkeypatch.setattr("cornac_mle.cli._sample.write_users", noted)
    status, output = sample(small, out, *command)
    assert status == 0
    assert output.endswith("(2,500 users of Popularity; 2 of 3 partitions were there)\n")
    assert drawn == ["part-000001.parquet"]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_kill_leaves_whole_partitions_and_the_next_run_goes_on(small, tmp_path, small_partitions):
    out = tmp_path / "made"
    command = ("sample", "--data", small, *POPULARITY[:2], "--n", 2500, "--out", out)
    killed = run(*command, before=lambda: at_call(partitions, "_table", 2, die))
    assert killed.status == -signal.SIGKILL
    visible = {path.name for path in out.iterdir()} - {path.name for path in hidden(out)}
    assert visible == {"_manifest.json", "part-000000.parquet"}
    following = run(*command)
    assert following.status == 0, following.errors
    assert hidden(out) == []
    other = tmp_path / "other"
    assert run(*command[:-1], other).status == 0
    for path in other.iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes()


def test_a_folder_of_other_users_is_refused_before_the_fit(small, tmp_path, monkeypatch):
    out = tmp_path / "made"
    assert sample(small, out)[0] == 0

    def refuse(*_arguments):
        msg = "fitted"
        raise AssertionError(msg)

    monkeypatch.setattr("cornac_mle.models.Popularity._fit", refuse)
    status, output = sample(small, out, "--seed", 5, "--force")
    assert status == 2
    assert is_one_error(output, r"`folder` must be of the same users; got .*seed is 123, not 5")
    (tmp_path / "taken").write_text("")
    status, output = sample(small, tmp_path / "taken")
    assert (status, is_one_error(output, "`path` must be a folder")) == (2, True)


def test_threads_are_at_least_one(small, tmp_path):
    status, output = sample(small, tmp_path / "made", "--jobs", 0)
    assert (status, is_one_error(output, "`--jobs` must be at least 1; got 0")) == (2, True)
