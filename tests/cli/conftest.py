"""A small data file for the command line."""

import pytest

from command_line import invoke
from worlds import rated, taste_world


@pytest.fixture
def table(tmp_path):
    """A small data file."""
    path = tmp_path / "tastes.csv"
    rated(taste_world(300, n_items=60, mean_size=10, seed=5)).to_frame().to_csv(path, index=False)
    return path


def write_small(path):
    """A smaller data file, for many runs."""
    rated(taste_world(160, n_items=40, mean_size=8, seed=5)).to_frame().to_csv(path, index=False)
    return path


@pytest.fixture
def small(tmp_path):
    return write_small(tmp_path / "small.csv")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Run folder of two models on `small` that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    data = write_small(folder / "small.csv")
    models = ("--models", "popularity,mixture")
    status, output = invoke("compare", "--data", data, *models, "--out", folder / "runs")
    assert status == 0, output
    return folder / "runs" / "small-123"
