"""Pair counts: the naive definition, level, and what a set shows where its users do not."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import binom

from cornac_mle.metrics import MMD, Evaluator, NotMeasurableError, PairCounts, UnrealisticUsers
from cornac_mle.metrics import pair_counts as module
from cornac_mle.metrics.mmd import mmd_permutation_p_value
from cornac_mle.metrics.pair_counts import pair_kernel
from cornac_mle.null_models.corruption import popularity_draws
from cornac_mle.profiles import Profiles
from worlds import profiles, taste_world


@pytest.fixture(scope="module")
def world():
    return taste_world(1000, n_items=80, mean_size=6, n_tastes=8, seed=2)


@pytest.fixture(scope="module")
def evaluator(world):
    return Evaluator.fit(world[:300], world[range(300, 450)], world[range(450, 650)], rng=1)


def popular(evaluator, count, seed=1):
    sizes = evaluator.reference.sizes[:count]
    drawn = popularity_draws(evaluator.train.item_counts, sizes, rng=seed)
    return Profiles.from_matrix(drawn, evaluator.held_out.item_ids)


def naive_kernel(one, other, weights):
    def pairs(items):
        return {
            pair: np.sqrt(weights[pair[0]] * weights[pair[1]])
            for pair in itertools.combinations(sorted(items), 2)
        }

    first, second = pairs(one), pairs(other)
    if not first or not second:
        return float(not first and not second)
    length = [np.sqrt(sum(value**2 for value in each.values())) for each in (first, second)]
    shared = sum(first[pair] * second[pair] for pair in first.keys() & second.keys())
    return shared / length[0] / length[1]


@pytest.mark.parametrize("entries", [2**20, 50], ids=["one block", "many blocks"])
def test_the_kernel_is_the_product_of_unit_vectors_of_pairs(world, monkeypatch, entries):
    monkeypatch.setattr(module, "BLOCK_ENTRIES", entries)
    weights = np.random.default_rng(1).uniform(0.2, 3, size=80)
    odd = sp.csr_array(np.eye(2, 80, dtype=np.float32))
    one = profiles(sp.csr_array(sp.vstack([odd, world.matrix[:20] * 3])))
    two = profiles(sp.csr_array(sp.vstack([sp.csr_array((1, 80)), world.matrix[10:25]])))
    found = np.vstack([block for _, block in pair_kernel(weights)(one, two)])
    sets = [
        [set(group.matrix.indices[a:b]) for a, b in itertools.pairwise(group.matrix.indptr)]
        for group in (one, two)
    ]
    naive = [[naive_kernel(left, right, weights) for right in sets[1]] for left in sets[0]]
    np.testing.assert_allclose(found, naive, atol=1e-6)
    assert found[0, 0] == 1  # one item and no item: neither holds a pair
    assert found[12, 1] == pytest.approx(1, abs=1e-6)  # the same user


def test_value_by_hand():
    """All items are held by as many, so weights cancel; three pairs a user, one shared.

    Two users of one group share (0, 1): k = 1/3. A real and a synthetic user share nothing: the
    value is 1 - 0. With the same users on both sides: k(x, y) is 1 twice and 1/3 twice, 2/3 on
    average, so that it is 1 - (2/3) / (1/3) = -1.
    """
    real = profiles(sp.csr_array(np.array([[1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0]], np.float32)))
    other = profiles(
        sp.csr_array(np.array([[0, 1, 0, 0, 1, 1], [0, 0, 1, 0, 1, 1]], np.float32)), prefix="s"
    )
    everything = profiles(sp.csr_array(1 - np.eye(30, 6, dtype=np.float32)), prefix="r")
    evaluator = Evaluator.fit(None, everything, real, rng=1, n_splits=2)
    splits = [module_split(2)]
    kernel = module._kernel_of(evaluator)
    assert next(kernel(real, real))[1][0, 1] == pytest.approx(1 / 3, abs=0.05)
    assert PairCounts()._on_splits(evaluator, other, splits) == pytest.approx([1.0])
    assert PairCounts()._on_splits(evaluator, real, splits) == pytest.approx([-1.0], abs=0.2)


def module_split(size):
    from cornac_mle.metrics import Split

    return Split(np.arange(size), np.arange(size))


def test_the_set_is_found_where_users_pass_one_by_one(evaluator, world):
    """Short profiles: users without taste pass one by one, and their pairs are wrong together."""
    users = popular(evaluator, 150)
    alone = UnrealisticUsers(0.05).measure(evaluator, users, rng=1)
    assert alone.value < 0.5
    found = PairCounts().measure(evaluator, users, rng=1)
    assert found.p_value == 0.005
    assert found.low > found.ceiling
    assert found.floor == pytest.approx(found.value, abs=0.1)
    new = PairCounts().measure(evaluator, world[range(650, 800)], rng=1)
    assert new.p_value > 0.05
    assert new.low <= 0 <= new.high
    caution = UnrealisticUsers(0.05).caution(evaluator)
    assert "one user tells little" in caution
    assert "median of 6 items" in caution


def test_a_share_of_the_size_that_it_names_is_found(evaluator, world):
    """More often than not at the share named, hardly at a quarter of it."""
    named = PairCounts().measure(evaluator, popular(evaluator, 150), rng=1)
    share = named.details["smallest_share_found"]
    assert 0.05 < share < 0.6
    kernel = module._kernel_of(evaluator)
    found = {}
    for part in (share, share / 4):
        p_values = []
        for seed in range(20):
            random = np.random.default_rng(seed)
            rows = 650 + random.permutation(350)[:150]
            n_made = round(150 * part)
            made = popular(evaluator, 150, seed)[:n_made] if n_made else world[:0]
            mixed = sp.csr_array(sp.vstack([made.matrix, world.matrix[rows[n_made:]]]))
            users = Profiles.from_matrix(mixed, world.item_ids)
            p_values.append(mmd_permutation_p_value(evaluator.held_out, users, 99, random, kernel))
        found[part] = np.mean(np.asarray(p_values) <= 0.05)
    assert found[share] >= 0.5
    assert found[share / 4] <= 0.35


def test_it_finds_more_than_the_jaccard_kernel(evaluator, world):
    """Chimeras of short profiles: half of one user, half of another."""
    kernels = {"pairs": module._kernel_of(evaluator), "jaccard": None}
    found = dict.fromkeys(kernels, 0)
    for seed in range(12):
        random = np.random.default_rng(seed)
        order = random.permutation(550) + 450
        real = world[order[:170]]
        sources = world.matrix[order[170:510]].toarray() > 0
        mine = random.random((170, sources.shape[1])) < 0.5
        halves = np.where(mine, sources[:170], sources[170:])
        users = Profiles.from_matrix(sp.csr_array(halves.astype(np.float32)), world.item_ids)
        for name, kernel in kernels.items():
            options = {} if kernel is None else {"kernel": kernel}
            p_value = mmd_permutation_p_value(real, users, 99, random, **options)
            found[name] += p_value <= 0.05
    assert found["pairs"] > found["jaccard"]


@pytest.mark.slow
def test_the_level_is_exact():
    n, p_values = 200, []
    for seed in range(n):
        users = taste_world(80, n_items=60, mean_size=4, seed=seed)
        kernel = pair_kernel(np.ones(60))
        random = np.random.default_rng(seed)
        p_values.append(mmd_permutation_p_value(users[:40], users[40:], 19, random, kernel))
    for alpha in (0.05, 0.1, 0.5):
        count = np.sum(np.asarray(p_values) <= alpha + 1e-9)
        assert binom.ppf(1e-6, n, alpha) <= count <= binom.isf(1e-6, n, alpha)


def test_users_who_share_no_pair_are_said_not_to_be_measurable():
    apart = profiles(sp.csr_array(np.kron(np.eye(40), np.ones((1, 2))).astype(np.float32)))
    evaluator = Evaluator.fit(None, apart[:20], apart[range(20, 40)], rng=1)
    with pytest.raises(NotMeasurableError, match="users who share pairs of items; got none"):
        PairCounts().measure(evaluator, apart[range(20, 40)], rng=1)
    with pytest.raises(ValueError, match="`n_permutations` must be"):
        PairCounts(0)
    assert MMD().measure(evaluator, apart[range(20, 40)], rng=1).p_value is not None
