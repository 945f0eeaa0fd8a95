"""What all samplers of item sets of given sizes have in common."""

import numpy as np
import pytest

from cornac_mle.sampling.conditional_poisson import conditional_poisson
from cornac_mle.sampling.plackett_luce import plackett_luce


@pytest.fixture(params=[plackett_luce, conditional_poisson])
def draw(request):
    """Sets of items, by log-weights (n_users, n_items) and sizes."""
    return lambda weights, sizes: request.param(weights, sizes, np.random.default_rng(1))


def test_sizes_are_exact_and_weightless_items_never_drawn(draw):
    drawn = draw(np.tile([0.0, -np.inf, 1.0, 2.0], (4, 1)), np.array([0, 1, 3, 4]))
    assert np.diff(drawn.indptr).tolist() == [0, 1, 3, 3]  # three items have weight
    assert 1 not in drawn.indices
    assert drawn.has_canonical_format
    assert set(drawn.data.tolist()) == {1.0}


def test_each_user_has_weights_of_its_own(draw):
    log_weights = np.array([[9.0, 0.0, 0.0], [0.0, 0.0, 9.0]]).repeat(500, axis=0)
    drawn = draw(log_weights, np.ones(1000, dtype=int))
    assert np.mean(drawn.indices[:500] == 0) > 0.99
    assert np.mean(drawn.indices[500:] == 2) > 0.99


def test_nobody_wants_anything(draw):
    nobody = draw(np.zeros((3, 5)), np.zeros(3, dtype=int))
    assert nobody.shape == (3, 5)
    assert nobody.nnz == 0
    assert draw(np.zeros((0, 5)), np.zeros(0, dtype=int)).shape == (0, 5)


@pytest.mark.parametrize("spread", [0.1, 3.0, 30.0, 3_000.0])
def test_large_catalogues_give_any_size_whatever_the_weights(draw, spread):
    """Nobody, everybody, and more than have weight, of items that differ hardly or beyond e^88."""
    weights = (spread * np.random.default_rng(2).standard_normal((7, 400))).astype(np.float32)
    weights[:, :50] = -np.inf
    sizes = np.array([0, 1, 2, 200, 349, 350, 400])
    drawn = draw(weights, sizes)
    assert np.diff(drawn.indptr).tolist() == [0, 1, 2, 200, 349, 350, 350]
    assert drawn.indices.min() >= 50
    assert drawn.has_canonical_format
