"""Shared fixtures: real data where it is at hand, small worlds everywhere."""

import os
import shutil
import signal
import sys

import pytest
from hypothesis import settings

from paths import SHARED_DATA

# Tests run in as many processes as there are cores. Two threads in each, waiting for one another
# most of the time, made them take six times as long; set before anything loads a thread pool.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Nor do commands start processes of their own, unless a test says --jobs.
os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")

# Programs that tests start need not compile us again, whatever this one was told.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell that starts the tests in the background has them, and all that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more of the machine than of the code; the same examples each time.
settings.register_profile("any speed", deadline=None, derandomize=True)
settings.load_profile("any speed")


@pytest.fixture(scope="session")
def shared_data():
    """Folder of real data sets; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real data sets are not at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture
def cornac_home(shared_data, tmp_path, monkeypatch):
    """A home folder with Cornac's cache in it, so that its loaders need no network."""
    shutil.copytree(shared_data / "cornac_cache", tmp_path / ".cornac")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def table(tmp_path):
    """A small data file."""
    from worlds import rated, taste_world  # after the number of threads was set

    path = tmp_path / "tastes.csv"
    rated(taste_world(300, n_items=60, mean_size=10, seed=5)).to_frame().to_csv(path, index=False)
    return path


def write_small(path):
    """A smaller data file, for many runs."""
    from worlds import rated, taste_world

    rated(taste_world(160, n_items=40, mean_size=8, seed=5)).to_frame().to_csv(path, index=False)
    return path


@pytest.fixture
def small(tmp_path):
    return write_small(tmp_path / "small.csv")


@pytest.fixture
def undrawn(monkeypatch):
    """Pages whose pictures are empty, in this process and in those forked from it.

    Half the time of a small run is that of drawing, which tests/report is about.
    """
    from cornac_mle.report.page import _pictures

    def empty(heading, _draw, caption, words, _inches):
        return _pictures.Picture(heading, "<svg/>", caption, words)

    monkeypatch.setattr(_pictures, "_picture", empty)
