"""Conformal p-values: by hand, and their level overall and within cells."""

import numpy as np
import pytest
from scipy.stats import binom

from cornac_mle.stats.conformal import Cells, conditional_p_values, conformal_p_values, merged_cells


def test_conformal_p_values_by_hand():
    # Ties count: of 1, 2, 2, 4 three are <= 2, so p = (1 + 3) / (1 + 4).
    found = conformal_p_values([2, 1.5, 0, 4, -np.inf], [4, 2, 1, 2])
    np.testing.assert_allclose(found, [4 / 5, 2 / 5, 1 / 5, 1, 1 / 5])


@pytest.mark.parametrize(
    ("scores", "calibration", "message"),
    [
        ([1.0], [], "`calibration` must hold at least 1 score"),
        ([np.nan], [1.0], "`scores` must be free of NaN"),
        ([1.0], [np.nan], "`calibration` must be free of NaN"),
    ],
)
def test_p_values_refuse_what_has_no_order(scores, calibration, message):
    with pytest.raises(ValueError, match=message):
        conformal_p_values(scores, calibration)


def test_conditional_p_values_rank_within_the_cell():
    # Cell 0 has calibration scores 1, 2, 3; cell 1 has 10, 20.
    found = conditional_p_values(
        [1.5, 15, 1.5, 99], np.array([0, 1, 1, 2]), [1, 2, 3, 10, 20], np.array([0, 0, 0, 1, 1])
    )
    # (1 + 1) / 4; (1 + 1) / 3; (1 + 0) / 3; nobody to compare with: 1.
    np.testing.assert_allclose(found, [1 / 2, 2 / 3, 1 / 3, 1])


def test_cells_are_cut_at_quantiles_of_size_and_then_of_popularity():
    sizes = np.repeat([2, 5, 9, 20], 10)
    popularity = np.tile(np.arange(10.0), 4)
    cells = Cells.fit(sizes, popularity, n_sizes=4, n_popularities=2)
    assert cells.count == 8
    np.testing.assert_array_equal(np.bincount(cells.of(sizes, popularity)), np.full(8, 5))
    # Sizes and popularities never seen fall in the nearest cell.
    assert cells.of([1, 500], [-3.0, 99.0]).tolist() == [0, 7]


def test_by_default_there_are_fifths_of_size_and_halves_of_popularity():
    random = np.random.default_rng(1)
    sizes, popularity = random.permutation(1_000), random.random(1_000)
    cells = Cells.fit(sizes, popularity)
    assert cells.count == 10
    np.testing.assert_array_equal(cells.size_edges, np.quantile(sizes, [0.2, 0.4, 0.6, 0.8]))
    found = cells.of(sizes, popularity)
    for size, mean, cell in zip(sizes, popularity, found, strict=True):
        fifth = sizes // 200 == size // 200
        assert cell == 2 * (size // 200) + (mean >= np.median(popularity[fifth]))


def test_a_value_at_a_cut_is_above_it():
    cells = Cells(np.array([5.0]), (np.array([1.0]), np.array([2.0])))
    assert cells.of([4, 4, 5, 5], [0.9, 1.0, 1.0, 2.0]).tolist() == [0, 1, 2, 3]


def test_equal_sizes_make_fewer_cells():
    cells = Cells.fit(np.full(50, 7), np.arange(50.0), n_sizes=5, n_popularities=2)
    found = cells.of(np.full(50, 7), np.arange(50.0))
    assert len(np.unique(found)) == 2


def test_merging_leaves_no_cell_short():
    assert merged_cells([30, 5, 10, 4], 12).tolist() == [0, 1, 1, 1]
    assert merged_cells([1, 1, 1], 12).tolist() == [0, 0, 0]
    assert merged_cells([12, 12], 12).tolist() == [0, 1]
    assert merged_cells([5, 20, 3], 12).tolist() == [0, 0, 0]


def rejected_in_small_cell(*, conditional):
    """Rejections at .1 of 1,000 test users of a kind that scores low, a tenth of all users."""
    random = np.random.default_rng(0)
    count = 0
    for _ in range(1_000):
        cells = (random.random(300) < 0.1).astype(int)
        cells[0] = 1
        scores = random.normal(size=300) - 1.5 * cells
        if conditional:
            p = conditional_p_values(scores[:1], cells[:1], scores[1:], cells[1:])
        else:
            p = conformal_p_values(scores[:1], scores[1:])
        count += int(p[0] <= 0.1)
    return count


def test_the_conditional_level_holds_where_the_marginal_one_does_not():
    assert binom.sf(rejected_in_small_cell(conditional=True) - 1, 1_000, 0.1) > 1e-6
    assert binom.sf(rejected_in_small_cell(conditional=False) - 1, 1_000, 0.1) < 1e-6
