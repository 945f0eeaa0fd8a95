"""A part of each profile hidden."""

import numpy as np
import pytest
import scipy.sparse as sp

from cornac_families import WORLD
from cornac_mle.sampling.item_holdout import hold_out_share
from cornac_mle.sparse import pattern
from worlds import rated


def test_items_that_are_hidden_are_a_fifth_of_each_profile():
    matrix = rated(WORLD).matrix
    shown, hidden = hold_out_share(matrix, 0.2, np.random.default_rng(1))
    assert ((shown + hidden) != matrix).nnz == 0
    assert pattern(shown).multiply(pattern(hidden)).nnz == 0
    sizes = np.diff(matrix.indptr)
    assert np.array_equal(np.diff(hidden.indptr), np.maximum(1, np.round(0.2 * sizes)))
    lonely = sp.csr_array(np.array([[0, 2.0, 0], [0, 0, 0], [1, 1, 0]], dtype=np.float32))
    shown, hidden = hold_out_share(lonely, 0.2, np.random.default_rng(1))
    assert np.diff(shown.indptr).tolist() == [1, 0, 1]
    assert np.diff(hidden.indptr).tolist() == [0, 0, 1]
    again = hold_out_share(matrix, 0.2, np.random.default_rng(1))[1]
    assert (again != hold_out_share(matrix, 0.2, np.random.default_rng(2))[1]).nnz > 0


def test_a_hidden_item_is_any_of_the_profile():
    """Of 5 items each is hidden once in 5: 3,000 users, 5 s.e. are .037."""
    matrix = sp.csr_array(np.ones((3_000, 5), dtype=np.float32))
    _, hidden = hold_out_share(matrix, 0.2, np.random.default_rng(1))
    assert np.bincount(hidden.indices) / 3_000 == pytest.approx(np.full(5, 0.2), abs=0.037)
