"""Popularity draws, swaps and chimeras: sizes, marginals, and what they are made of."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import chisquare

from cornac_mle.null_models.corruption import BLOCK_USERS, chimera, popularity_draws, swap
from worlds import taste_world

WORLD = taste_world(150).matrix
SIZES = np.diff(WORLD.indptr)
POPULARITY = np.bincount(WORLD.indices, minlength=WORLD.shape[1])


def held(matrix, user):
    return set(matrix.indices[matrix.indptr[user] : matrix.indptr[user + 1]].tolist())


def altered(kind, matrix, rng=0):
    if kind == "swap":
        weights = np.bincount(matrix.indices, minlength=matrix.shape[1]) + 1
        return swap(matrix, 0.3, popularity=weights, rng=rng)
    return chimera(matrix, rng=rng)


def test_popularity_draws_have_the_distribution_of_successive_draws():
    weights = np.array([5.0, 3.0, 1.0, 1.0])
    n_users = 20_000
    drawn = popularity_draws(weights, np.full(n_users, 2), rng=11)
    pairs = drawn.indices.reshape(n_users, 2)
    observed, expected = [], []
    for i, j in itertools.combinations(range(4), 2):
        observed.append(np.sum((pairs[:, 0] == i) & (pairs[:, 1] == j)))
        # i first, then j among the rest; or j first, then i.
        first_i = weights[i] / 10 * weights[j] / (10 - weights[i])
        first_j = weights[j] / 10 * weights[i] / (10 - weights[j])
        expected.append(n_users * (first_i + first_j))
    assert chisquare(observed, expected).pvalue > 1e-6


def test_popularity_draws_have_the_sizes_asked_for_and_no_item_of_weight_zero():
    sizes = np.arange(BLOCK_USERS + 5) % 4  # more than one block
    drawn = popularity_draws([1, 0, 2, 3], sizes, rng=0)
    np.testing.assert_array_equal(np.diff(drawn.indptr), sizes)
    assert not np.any(drawn.indices == 1)
    assert drawn.dtype == np.float32
    assert np.all(drawn.data == 1)


@pytest.mark.parametrize("kind", ["swap", "chimera"])
def test_sizes_are_kept_without_duplicates_and_inputs_are_unchanged(kind):
    before = WORLD.copy()
    after = altered(kind, WORLD)
    np.testing.assert_array_equal(np.diff(after.indptr), SIZES)
    assert after.has_canonical_format
    assert np.all(after.data == 1)
    np.testing.assert_array_equal(before.indices, WORLD.indices)
    np.testing.assert_array_equal(before.data, WORLD.data)
    np.testing.assert_array_equal(after.indices, altered(kind, WORLD).indices)
    assert not np.array_equal(after.indices, altered(kind, WORLD, rng=1).indices)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.25, 0.5, 1.0])
def test_swap_replaces_the_stated_number(share):
    after = swap(WORLD, share, popularity=np.ones(WORLD.shape[1]), rng=3)
    for user, size in enumerate(SIZES):
        replaced = len(held(WORLD, user) - held(after, user))
        wanted = int(np.floor(share * size + 0.5))
        assert replaced == (max(wanted, 1) if share > 0 else 0)


def test_swap_draws_follow_popularity():
    n_users = 20_000
    everyone_holds_item_0 = sp.csr_array(
        (np.ones(n_users, np.float32), (np.arange(n_users), np.zeros(n_users, int))),
        shape=(n_users, 4),
    )
    after = swap(everyone_holds_item_0, 1.0, popularity=[9, 5, 3, 2], rng=5)
    # Item 0 is held, so the one draw is among the others, in proportion 5 : 3 : 2.
    observed = np.bincount(after.indices, minlength=4)
    assert observed[0] == 0
    assert chisquare(observed[1:], n_users * np.array([0.5, 0.3, 0.2])).pvalue > 1e-6


def test_swap_removes_items_uniformly():
    n_users = 20_000
    same = sp.csr_array(np.tile(np.array([1, 1, 1, 1, 0], np.float32), (n_users, 1)))
    after = swap(same, 0.25, popularity=[100, 1, 1, 1, 1], rng=6)
    removed = n_users - np.bincount(after.indices, minlength=5)[:4]
    assert chisquare(removed).pvalue > 1e-6


def test_swap_takes_what_is_left_where_too_little_is_left():
    full = sp.csr_array(np.array([[1, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]], np.float32))
    after = swap(full, 1.0, popularity=np.ones(4), rng=0)
    np.testing.assert_array_equal(np.diff(after.indptr), [3, 4, 0])
    assert 3 in held(after, 0)  # the only item to draw


def test_chimera_takes_half_from_each_of_two_users():
    # Four disjoint users of equal size: items 0-5, 6-11, 12-17, 18-23.
    blocks = sp.csr_array(np.kron(np.eye(4), np.ones((1, 6))).astype(np.float32))
    after = chimera(blocks, rng=4)
    for user in range(4):
        owners = np.bincount(np.array(sorted(held(after, user))) // 6, minlength=4)
        assert owners[user] == 3
        assert sorted(owners) == [0, 0, 3, 3]


def test_chimera_of_odd_size_and_of_a_small_partner_keeps_its_size():
    small_and_large = sp.csr_array(
        np.array([[1, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 1]], np.float32)  # sizes 1 and 5
    )
    after = chimera(small_and_large, rng=0)
    assert held(after, 0) == {0}  # ceil(1 / 2) = 1 of its own
    assert 0 in held(after, 1)  # the partner's only item
    assert len(held(after, 1)) == 5  # and four of its own, three of them first


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: popularity_draws([1, -1], [1], rng=0), "`popularity` must be one-dimensional"),
        (lambda: popularity_draws([1, np.nan], [1], rng=0), "`popularity` must be one-dimensional"),
        (lambda: popularity_draws([1, 0], [2], rng=0), "`sizes` must be .* within 0 and 1"),
        (lambda: popularity_draws([1, 1], [-1], rng=0), "`sizes` must be .* got -1 to -1"),
        (lambda: swap(WORLD, 1.5, popularity=POPULARITY, rng=0), r"`share` must be in \[0, 1\]"),
        (lambda: swap(WORLD, 0.5, popularity=[1], rng=0), "`popularity` must have one weight for"),
        (lambda: chimera(WORLD[:1], rng=0), "`profiles` must have at least 2 users"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
