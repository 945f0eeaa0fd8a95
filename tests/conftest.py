"""Shared fixtures: real data where it is at hand, small worlds everywhere."""

import os
import shutil

import pytest
from hypothesis import settings

from paths import SHARED_DATA

# Tests run in as many processes as there are cores. Two threads in each, waiting for one another
# most of the time, made them take six times as long; set before anything loads a thread pool.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says more of the machine than of the code.
settings.register_profile("any speed", deadline=None)
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
