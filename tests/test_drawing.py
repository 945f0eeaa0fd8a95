import itertools

import numpy as np
import pytest
from scipy import stats

from cornac_mle.drawing import draw_sizes, plackett_luce


def plackett_luce_set_probabilities(weights, size):
    """Probability of each set, by summing over the orders in which it can be drawn."""
    chances = {}
    for order in itertools.permutations(range(len(weights)), size):
        chance, left = 1.0, sum(weights)
        for item in order:
            chance *= weights[item] / left
            left -= weights[item]
        chances[frozenset(order)] = chances.get(frozenset(order), 0) + chance
    return chances


def test_sets_follow_successive_draws():
    weights = np.array([5.0, 3.0, 1.0, 0.5])
    expected = plackett_luce_set_probabilities(weights.tolist(), 2)
    drawn = plackett_luce(np.log(weights), np.full(20_000, 2), np.random.default_rng(1))
    observed = dict.fromkeys(expected, 0)
    for row in range(20_000):
        observed[frozenset(drawn.indices[2 * row : 2 * row + 2].tolist())] += 1
    counts = [observed[key] for key in expected]
    chances = np.array([expected[key] for key in expected]) * 20_000
    assert stats.chisquare(counts, chances).pvalue > 1e-6


def test_a_multinomial_would_fail_that_test():
    weights = np.array([5.0, 3.0, 1.0, 0.5])
    expected = plackett_luce_set_probabilities(weights.tolist(), 2)
    share = weights / weights.sum()
    # Two distinct draws of a multinomial: proportional to the product of the shares.
    other = {key: np.prod(share[list(key)]) for key in expected}
    total = sum(other.values())
    counts = [round(20_000 * other[key] / total) for key in expected]
    chances = np.array([expected[key] for key in expected]) * sum(counts) / 1.0
    assert stats.chisquare(counts, chances / chances.sum() * sum(counts)).pvalue < 1e-6


def test_sizes_are_exact_and_weightless_items_never_drawn():
    log_weights = np.array([0.0, -np.inf, 1.0, 2.0])
    sizes = np.array([0, 1, 3, 4])
    drawn = plackett_luce(log_weights, sizes, np.random.default_rng(1))
    assert np.diff(drawn.indptr).tolist() == [0, 1, 3, 3]  # three items have weight
    assert 1 not in drawn.indices
    assert drawn.has_canonical_format
    assert set(drawn.data.tolist()) == {1.0}


def test_each_user_has_weights_of_its_own():
    log_weights = np.array([[9.0, 0.0, 0.0], [0.0, 0.0, 9.0]]).repeat(500, axis=0)
    drawn = plackett_luce(log_weights, np.ones(1000, dtype=int), np.random.default_rng(1))
    assert np.mean(drawn.indices[:500] == 0) > 0.99
    assert np.mean(drawn.indices[500:] == 2) > 0.99


def test_nobody_wants_anything():
    drawn = plackett_luce(np.zeros(5), np.zeros(3, dtype=int), np.random.default_rng(1))
    assert drawn.shape == (3, 5)
    assert drawn.nnz == 0


def test_sizes_come_from_real_ones():
    sizes = draw_sizes(np.array([2, 5, 5, 9]), 8_000, np.random.default_rng(1))
    counts = [np.sum(sizes == size) for size in (2, 5, 9)]
    assert sum(counts) == 8_000
    assert stats.chisquare(counts, [2_000, 4_000, 2_000]).pvalue > 1e-6


@pytest.mark.parametrize("size", [1, 3, 5])
def test_drawing_everything_draws_everything(size):
    drawn = plackett_luce(np.zeros((2, size)), np.full(2, size), np.random.default_rng(1))
    assert drawn.toarray().all()
