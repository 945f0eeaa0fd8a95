"""The two-margin null: expected margins, certain cells, and its defining form."""

import numpy as np
import pytest
import scipy.sparse as sp

from cornac_mle.null_models import configuration_model as two_margin_null
from cornac_mle.null_models.configuration_model import fit_two_margin_null
from worlds import taste_world


def cells(null):
    """P(user holds item), (n_users, n_items)."""
    return null.probabilities[null.user_class][:, null.item_class]


def csr(rows):
    return sp.csr_array(np.asarray(rows, dtype=np.float32))


def naive_cells(matrix, rounds=5000):
    """The same equations, one user and one item at a time, by fixed-point rounds."""
    sizes, popularity = matrix.sum(axis=1), matrix.sum(axis=0)
    x, y = sizes / np.sqrt(sizes.sum()), popularity / np.sqrt(sizes.sum())
    for _ in range(rounds):
        x = sizes / np.sum(y / (1 + np.outer(x, y)), axis=1)
        y = popularity / np.sum(x[:, None] / (1 + np.outer(x, y)), axis=0)
    odds = np.outer(x, y)
    return odds / (1 + odds)


def test_users_of_two_sizes_over_items_of_one_popularity():
    # All items are alike, so a user of size 2 holds each of 3 with probability 2/3, one of 1: 1/3.
    found = cells(fit_two_margin_null(csr([[1, 1, 0], [0, 0, 1]])))
    np.testing.assert_allclose(found, [[2 / 3] * 3, [1 / 3] * 3], atol=1e-9)


def test_it_solves_the_equations_of_every_single_user_and_item():
    matrix = taste_world(40, n_items=25, mean_size=6, seed=3).matrix
    dense = matrix.toarray().astype(np.float64)
    matrix = csr(dense[:, dense.sum(axis=0) > 0])
    found = cells(fit_two_margin_null(matrix))
    np.testing.assert_allclose(found, naive_cells(matrix.toarray().astype(float)), atol=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_expected_margins_are_the_observed_ones(seed):
    matrix = taste_world(300, seed=seed).matrix.toarray()
    matrix[:3] = 0  # users without items
    matrix[:, :2] = 0  # items without users
    matrix[3:, 2] = 1  # held by all users who hold anything
    matrix[3, 2:] = 1  # holds all items that anybody holds
    before = matrix.copy()
    null = fit_two_margin_null(csr(matrix))
    found = cells(null)
    np.testing.assert_allclose(found.sum(axis=1), matrix.sum(axis=1), rtol=1e-6)
    np.testing.assert_allclose(found.sum(axis=0), matrix.sum(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(found[:3], 0)
    np.testing.assert_array_equal(found[:, :2], 0)
    np.testing.assert_array_equal(found[3:, 2], 1)
    np.testing.assert_array_equal(found[3, 2:], 1)
    assert null.size_users.sum() == 300
    np.testing.assert_array_equal(before, matrix)


def test_odds_are_products():
    null = fit_two_margin_null(taste_world(200).matrix)
    odds = null.odds[:, null.odds[0] > 0]
    np.testing.assert_allclose(odds * odds[0, 0], np.outer(odds[:, 0], odds[0]), rtol=1e-9)
    np.testing.assert_allclose(null.probabilities, null.odds / (1 + null.odds), rtol=1e-12)


def test_margins_that_only_one_matrix_has_make_every_cell_certain():
    nested = np.tri(6)[:, :5]  # every user holds what the user before holds, and one item more
    np.testing.assert_array_equal(cells(fit_two_margin_null(csr(nested))), nested)


def test_margins_on_the_boundary():
    # Two users of 3 items, two of 1; two items of 3 users, two of 1. Any such matrix has the first
    # two users hold the first two items: they have 6 items, of which 4 at most are among those.
    matrix = [[1, 1, 1, 0], [1, 1, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0]]
    found = cells(fit_two_margin_null(csr(matrix)))
    half, one, none = np.full((2, 2), 0.5), np.ones((2, 2)), np.zeros((2, 2))
    np.testing.assert_allclose(found, np.block([[one, half], [half, none]]), atol=1e-5)


def test_order_does_not_matter():
    matrix = taste_world(100).matrix.toarray()
    turned = cells(fit_two_margin_null(csr(matrix[::-1, ::-1])))
    np.testing.assert_allclose(turned[::-1, ::-1], cells(fit_two_margin_null(csr(matrix))))


def test_no_users_are_refused():
    with pytest.raises(ValueError, match="`profiles` must have users and items; got \\(0, 3\\)"):
        fit_two_margin_null(sp.csr_array((0, 3), dtype=np.float32))


def test_no_convergence_is_said(monkeypatch):
    monkeypatch.setattr(two_margin_null, "MARGIN_TOLERANCE", -1.0)
    with pytest.raises(RuntimeError, match="did not converge: a margin is off by"):
        fit_two_margin_null(taste_world(50).matrix)
