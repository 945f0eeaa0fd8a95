"""Curveball: margins stay, every matrix of these margins is equally likely, tastes are gone."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats

from cornac_mle.null_models.curveball import curveball
from worlds import checkerboard, communities, taste_world


def all_with_margins(rows, columns):
    """All 0-1 matrices of these row and column sums, as tuples of rows."""
    choices = [
        [row for row in itertools.product((0, 1), repeat=len(columns)) if sum(row) == size]
        for size in rows
    ]
    return [
        matrix
        for matrix in itertools.product(*choices)
        if np.array_equal(np.sum(matrix, axis=0), columns)
    ]


@pytest.mark.parametrize(
    "matrix",
    [[[1, 1, 0], [1, 1, 0], [0, 0, 1]], [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]]],
    ids=["5 states", "many states"],
)
def test_all_matrices_of_the_margins_are_equally_likely(matrix):
    """Chi-square over 2,000 runs from one matrix; a false alarm has a probability of 1e-6."""
    start = sp.csr_array(np.asarray(matrix, dtype=np.float32))
    states = all_with_margins(np.sum(matrix, axis=1), np.sum(matrix, axis=0))
    seen = dict.fromkeys(states, 0)
    random = np.random.default_rng(1)
    for _ in range(2000):
        after = curveball(start, rng=random).toarray().astype(int)
        seen[tuple(map(tuple, after.tolist()))] += 1
    assert len(states) >= 5
    assert stats.chisquare(list(seen.values())).pvalue > 1e-6


def test_margins_are_kept_and_the_argument_is_not_touched():
    matrix = taste_world(120, seed=2).matrix
    before = matrix.copy()
    after = curveball(matrix, rng=1)
    np.testing.assert_array_equal(after.sum(axis=0), matrix.sum(axis=0))
    np.testing.assert_array_equal(np.diff(after.indptr), np.diff(matrix.indptr))
    assert after.has_canonical_format
    assert after.dtype == np.float32
    assert np.all(after.data == 1)
    np.testing.assert_array_equal(before.indices, matrix.indices)
    np.testing.assert_array_equal(before.indptr, matrix.indptr)


def test_same_rng_same_matrix_and_no_trades_no_change():
    matrix = taste_world(60).matrix
    first, again, other = (curveball(matrix, rng=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.indices, again.indices)
    assert np.any(first.indices != other.indices)
    np.testing.assert_array_equal(curveball(matrix, rng=1, n_trades=0).indices, matrix.indices)


def test_tastes_are_gone():
    world = checkerboard().matrix
    assert communities(world).min() == 1.0
    # Of 10 items from two equal halves the larger part is .62 on average.
    assert communities(curveball(world, rng=1)).mean() < 0.7


def test_empty_users_stay_empty():
    matrix = sp.csr_array(np.array([[0, 0, 0], [1, 1, 0], [0, 1, 1]], dtype=np.float32))
    np.testing.assert_array_equal(np.diff(curveball(matrix, rng=1).indptr), [0, 2, 2])


def test_refusals():
    matrix = taste_world(5).matrix
    with pytest.raises(ValueError, match="`profiles` must have at least 2 users to trade; got 1"):
        curveball(matrix[[0]], rng=1)
    with pytest.raises(ValueError, match="`n_trades` must be at least 0; got -1"):
        curveball(matrix, rng=1, n_trades=-1)


def test_a_stored_zero_is_not_traded():
    before = np.array([[1.0, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 0]])
    stored = sp.coo_array(np.ones_like(before))
    stored.data = before.ravel()
    after = curveball(stored, rng=1)
    assert (after != curveball(sp.csr_array(before), rng=1)).nnz == 0
    assert after.sum(axis=1).tolist() == [2, 2, 1]


@pytest.mark.parametrize(
    ("profiles", "message"),
    [
        (np.eye(3), "`profiles` must be a scipy sparse array; got ndarray"),
        (None, "`profiles` must be a scipy sparse array; got NoneType"),
        (sp.csr_array([[1.0, np.nan], [1, 1]]), "`profiles` must be finite; got NaN or infinity"),
        (sp.csr_array([[1, -1], [1, 1]]), "`profiles` must hold items, entries above 0; got -1"),
    ],
)
def test_what_are_no_profiles_is_refused(profiles, message):
    with pytest.raises((TypeError, ValueError), match=message):
        curveball(profiles, rng=1)
