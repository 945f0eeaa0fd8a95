"""Downloads that are killed, and two at once."""

import os
import signal
import warnings
from pathlib import Path

import cornac.utils.download
import pytest

from command_line import hidden
from cornac_mle.datasets import load_named

LINE = "1\t2\t3\t4\n"


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / ".cornac" / "ml-100k" / "u.data"


def download(then):
    def retrieve(_url, target):
        Path(target).write_text(LINE)
        then()

    return retrieve


def test_a_killed_download_is_not_taken_for_the_whole(path, monkeypatch):
    with monkeypatch.context() as patch:
        kill = download(lambda: os.kill(os.getpid(), signal.SIGKILL))
        patch.setattr(cornac.utils.download, "_urlretrieve", kill)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            process = os.fork()
        if not process:
            load_named("movielens-100k")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL
    assert path.read_text() == LINE
    assert len(hidden(path.parent)) == 1
    whole = download(lambda: path.write_text(LINE * 3))
    monkeypatch.setattr(cornac.utils.download, "_urlretrieve", whole)
    with pytest.warns(UserWarning, match=r"movielens-100k: a download was cut short; its part is"):
        assert len(load_named("movielens-100k")) == 3
    assert sorted(other.name for other in path.parent.iterdir()) == ["u.data", "u.data.unfinished"]
    assert len(load_named("movielens-100k")) == 3


def test_a_download_by_another_process_is_waited_for(path, monkeypatch):
    def meanwhile():
        with pytest.raises(RuntimeError, match=r"got a download by another process\. Wait for it"):
            load_named("movielens-100k")

    monkeypatch.setattr(cornac.utils.download, "_urlretrieve", download(meanwhile))
    assert len(load_named("movielens-100k")) == 1
    assert hidden(path.parent) == []
