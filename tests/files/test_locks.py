"""Files in the making: whose are they, and when are they nobody's?"""

import os
import subprocess
import sys

import pytest

from command_line import hidden
from cornac_mle.files import locks
from cornac_mle.files.paths import atomic_path, check_writable

CODE = """
import os, signal, sys
from pathlib import Path
from cornac_mle.files.paths import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print("here", flush=True)
    {then}
"""


def other_process(path, then):
    """A process that is in the middle of a write."""
    process = subprocess.Popen(
        [sys.executable, "-c", CODE.format(then=then), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "here\n"
    return process


def test_a_killed_write_is_cleared_away_by_the_next(tmp_path):
    process = other_process(tmp_path / "x.csv", "os.kill(os.getpid(), signal.SIGKILL)")
    process.communicate()
    assert len(hidden(tmp_path)) == 1
    with atomic_path(tmp_path / "y.csv") as temporary:
        temporary.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["y.csv"]


def test_a_write_that_goes_on_is_left_alone(tmp_path):
    process = other_process(tmp_path / "x.csv", "sys.stdin.read()")
    with atomic_path(tmp_path / "y.csv") as temporary:
        temporary.write_text("whole")
    process.communicate("")
    assert process.returncode == 0
    assert (tmp_path / "x.csv").read_text() == "half"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.csv", "y.csv"]


def test_other_hidden_files_folders_and_links_are_left_alone(tmp_path):
    (tmp_path / ".other").touch()
    (tmp_path / "whole.csv").touch()
    (tmp_path / f"{locks.MARK}folder").mkdir()
    (tmp_path / f"{locks.MARK}link").symlink_to(tmp_path / "whole.csv")
    os.mkfifo(tmp_path / f"{locks.MARK}pipe")
    before = sorted(tmp_path.iterdir())
    locks.remove_left_files(tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_without_locks_nothing_is_taken_for_left_behind(tmp_path, monkeypatch):
    (tmp_path / f"{locks.MARK}left").touch()
    monkeypatch.setattr(locks, "fcntl", None)
    with atomic_path(tmp_path / "x.csv") as temporary:
        temporary.write_text("whole")
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_taken_away_before_the_lock_is_made_again(tmp_path, monkeypatch):
    real, calls = locks._lock, []

    def late(handle):
        calls.append(handle)
        if len(calls) == 1:
            hidden(tmp_path)[0].unlink()
        return real(handle)

    monkeypatch.setattr(locks, "_lock", late)
    made, handle = locks.new_file(tmp_path / "x.csv")
    os.close(handle)
    assert hidden(tmp_path) == [made]
    assert len(calls) == 2


def test_whether_a_file_can_be_written_is_known_without_writing_it(tmp_path):
    check_writable(tmp_path / "new" / "x.csv")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "x.csv").write_text("old")
    check_writable(tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text() == "old"
    with pytest.raises(ValueError, match="`path` must be a file; got the folder"):
        check_writable(tmp_path)
    (tmp_path / "device.csv").symlink_to("/dev/null")
    with pytest.raises(ValueError, match="must be a regular file; got the device '/dev/null'"):
        check_writable(tmp_path / "device.csv")
