"""What the table of speed says when something has become slower."""

import numpy as np
import pandas as pd
import pytest
from growth import exponents
from rows import ROWS
from table import TABLE, fallen, peak_mebibytes, processor_seconds


def ratios(faster, limit):
    return pd.DataFrame({"times_faster": [faster], "times_limit": [limit]}, index=["sample"])


def test_a_ratio_that_falls_by_a_third_is_told():
    before = ratios(3.0, 1.5)
    assert fallen(before, ratios(2.1, 2.2)) == []
    assert fallen(before, ratios(1.9, 2.2)) == ["sample: 1.9 times faster than the peer, was 3.0"]
    assert fallen(before, ratios(2.1, 2.3)) == ["sample: 2.3 times the limit, was 1.5"]
    assert fallen(before, ratios(np.nan, np.nan)) == []


def test_rows_without_a_committed_ratio_are_not_compared():
    assert fallen(ratios(3.0, 1.5).rename({"sample": "another"}), ratios(0.1, 99.0)) == []


def test_the_committed_table_is_of_the_rows():
    table = pd.read_csv(TABLE, index_col="row")
    assert set(table.index) <= set(ROWS)
    assert (table["ours_seconds"] > 0).all()


def test_seconds_and_memory_are_of_the_action():
    assert processor_seconds(lambda: sum(range(300_000))) > 1e-3
    peak = peak_mebibytes(lambda: np.ones(2**24).sum())  # 128 MiB
    assert np.isnan(peak) or peak == pytest.approx(128, abs=16)


def test_growth_is_the_slope_of_the_last_two_sizes():
    table = pd.DataFrame(
        {"metric": ["M"] * 3, "users": [10, 100, 1_000], "seconds": [1.0, 2.0, 200.0]}
    )
    assert exponents(table).to_dict() == {"M": 2.0}
