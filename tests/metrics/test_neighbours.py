import gc
import weakref

import numpy as np
import pytest
import scipy.sparse as sp

from cornac_mle.metrics import _split_balls as module
from cornac_mle.metrics._split_balls import counts_on_splits, neighbour_similarity
from cornac_mle.metrics.base import NotMeasurableError
from cornac_mle.metrics.clipped import ClippedCoverage, ClippedDensity
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.neighbours import (
    NeighbourCoverage,
    NeighbourDensity,
    NeighbourPrecision,
    NeighbourRecall,
)
from cornac_mle.metrics.splits import Split
from cornac_mle.neighbours import similarity as kernels
from cornac_mle.null_models.corruption import popularity_draws, swap
from cornac_mle.profiles import Profiles
from naive_neighbours import as_sets, jaccard, naive
from worlds import profiles, taste_world

KINDS = {
    "precision": NeighbourPrecision,
    "recall": NeighbourRecall,
    "density": NeighbourDensity,
    "coverage": NeighbourCoverage,
    "clipped_density": ClippedDensity,
    "clipped_coverage": ClippedCoverage,
}

SEEING = [name for name in KINDS if name != "recall"]
"""Those that see users like no one; recall rewards them."""


@pytest.fixture(scope="module")
def world():
    return taste_world(480, mean_size=12, seed=5)


@pytest.fixture(scope="module")
def evaluator(world):
    return Evaluator.fit(None, world[:120], world[range(120, 240)], rng=1, n_splits=8)


@pytest.fixture(scope="module")
def fresh(world):
    """Real users of no group, dressed as synthetic ones."""
    return Profiles.from_matrix(world.matrix[range(240, 360)], world.item_ids)


def measure(metric, evaluator, users):
    return metric.measure(evaluator, users, rng=np.random.default_rng(3))


def odd_users(world, n_users, seed):
    """Popularity users, the first of them empty, the second of one item, the third twice."""
    drawn = popularity_draws(world.item_counts, world.sizes[:n_users], rng=seed).toarray()
    drawn[:2] = 0
    drawn[1, 3] = 1
    drawn[2] = drawn[3]
    return Profiles.from_matrix(sp.csr_array(drawn), world.item_ids)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("mean_size", [3, 12])
@pytest.mark.parametrize(("block_users", "n_splits"), [(7, 3), (1_000, 9), (7, 9)])
@pytest.mark.parametrize("n_nearest", [1, None])
def test_values_on_every_split_are_the_naive_ones(
    k, mean_size, block_users, n_splits, n_nearest, monkeypatch
):
    """Sets of few items tie at most distances, and often share none.

    Three splits have a pass each, nine have one together.
    """
    world = taste_world(100, mean_size=mean_size, seed=1)
    made = Evaluator.fit(None, world[:60], world[range(60, 100)], rng=1, n_splits=n_splits)
    if n_nearest:
        monkeypatch.setattr(module, "_nearest_sought", lambda *_: n_nearest)
    users = odd_users(world, 42, seed=2)
    monkeypatch.setattr(kernels, "BLOCK_BYTES", 4 * 40 * block_users)
    real, judged = as_sets(made.held_out.matrix), as_sets(users.matrix)
    splits = made.splits(20, 42)
    expected = [
        naive([real[i] for i in s.real], [judged[j] for j in s.other], k, jaccard, apart=1.0)
        for s in splits
    ]
    for name, kind in KINDS.items():
        found = measure(kind(k), made, users).on_splits
        assert found == pytest.approx([one[name] for one in expected], abs=1e-6), name


def test_radii_count_the_others_of_the_split_only():
    # a and b share 1 of 3 items; c shares nothing with either; d is a.
    sets = [[1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [0, 0, 0, 1, 1], [1, 1, 0, 0, 0]]
    users = profiles(sp.csr_array(np.array(sets, dtype=np.float32)))
    splits = [Split(np.array([0, 1, 2]), np.arange(0)), Split(np.arange(4), np.arange(0))]
    needed = neighbour_similarity(users, splits, 1)
    third, least = np.float32(1 / 3), np.float32(kernels.LEAST_SIMILARITY)
    assert needed[0].tolist() == [third, third, least, 0]
    assert needed[1].tolist() == [1, third, least, 1]


@pytest.mark.parametrize("name", SEEING)
def test_new_real_users_reach_the_ceiling_and_popularity_stays_below(name, evaluator, fresh, world):
    metric = KINDS[name](3)
    result = measure(metric, evaluator, fresh)
    assert result.ceiling > result.floor + 0.1
    assert abs(result.value - result.ceiling) < (result.ceiling - result.floor) / 2
    assert metric.bounds[0] <= result.low <= result.value <= result.high <= metric.bounds[1]
    drawn = popularity_draws(world.item_counts, evaluator.held_out.sizes, rng=9)
    random_users = Profiles.from_matrix(drawn, world.item_ids)
    popular = measure(metric, evaluator, random_users)
    assert abs(popular.value - popular.floor) < (result.ceiling - result.floor) / 3


@pytest.mark.parametrize("name", SEEING)
def test_planted_items_cost_the_more_the_more_there_are(name, evaluator, fresh, world):
    metric = KINDS[name](3)
    found = [measure(metric, evaluator, fresh).value]
    for share in (0.3, 0.9):
        planted = swap(fresh.matrix, share, popularity=world.item_counts, rng=4)
        users = Profiles.from_matrix(planted, world.item_ids)
        found.append(measure(metric, evaluator, users).value)
    assert found[0] > found[1] > found[2]


def test_recall_rewards_users_like_no_one_and_says_so(evaluator, fresh, world):
    planted = swap(fresh.matrix, 0.9, popularity=world.item_counts, rng=4)
    users = Profiles.from_matrix(planted, world.item_ids)
    result = measure(NeighbourRecall(3), evaluator, users)
    assert result.value > measure(NeighbourRecall(3), evaluator, fresh).value
    assert result.normalised is None
    assert "no power: real users get 0.89, popularity 0.88" in NeighbourRecall(3).caution(evaluator)


@pytest.mark.parametrize("name", KINDS)
def test_order_of_items_and_same_answer_again(name, evaluator, fresh):
    metric = KINDS[name](3)
    order = evaluator.held_out.item_ids[::-1]
    turned = Evaluator.fit(
        None, evaluator.reference.align(order), evaluator.held_out.align(order), rng=1, n_splits=8
    )
    value = measure(metric, evaluator, fresh).value
    assert measure(metric, turned, fresh.align(order)).value == pytest.approx(value, abs=1e-9)
    assert measure(KINDS[name](3), evaluator, fresh).value == value
    assert metric.name == f"{KINDS[name].__name__}@3"


def likeness_order(world):
    likeness = (world.matrix @ world.matrix[[0]].T).toarray()[:, 0]
    return np.argsort(-likeness, kind="stable")


def test_missing_kinds_of_users_cost_recall_and_coverage_only(evaluator, fresh):
    """All users are of one taste: believable one by one, and three tastes are missing.

    They are distinct users, as many as in the comparison: repeated ones would cost recall and
    coverage whatever their kind.
    """
    everyone = {name: measure(kind(3), evaluator, fresh).value for name, kind in KINDS.items()}
    # More users of the distribution of `world`: its seed fixes the tastes.
    many = Profiles.from_matrix(taste_world(1_000, mean_size=12, seed=5).matrix, fresh.item_ids)
    one_kind = Profiles.from_matrix(
        many.matrix[np.sort(likeness_order(many)[: len(fresh)])], fresh.item_ids
    )
    found = {name: measure(kind(3), evaluator, one_kind).value for name, kind in KINDS.items()}
    for name in ("precision", "density", "clipped_density"):
        assert found[name] > everyone[name] - 0.1, name
    for name in ("recall", "coverage", "clipped_coverage"):
        assert found[name] < everyone[name] - 0.3, name


def test_one_typical_user_repeated(evaluator):
    """The held-out user in most neighbourhoods: a triumph for density, a failure for coverage."""
    held_out = evaluator.held_out
    everyone = [Split(np.arange(len(held_out)), np.arange(len(held_out)))]
    needed = neighbour_similarity(held_out, everyone, 3)
    counts = counts_on_splits(held_out, held_out, everyone, needed)
    typical = np.full(len(held_out), np.argmax(counts[0].of_point))
    lone = Profiles.from_matrix(held_out.matrix[typical], held_out.item_ids)
    found = {name: measure(kind(3), evaluator, lone) for name, kind in KINDS.items()}
    assert found["precision"].value == 1
    assert found["density"].value > 1.5 * found["density"].ceiling
    assert found["clipped_density"].value > 0.9
    for name in ("recall", "coverage", "clipped_coverage"):
        assert found[name].value < 0.3, name
    assert found["recall"].value < 0.1  # balls of radius 0


def test_copies_are_not_noticed(evaluator):
    """Held-out users themselves do as well as real users can, or better."""
    copies = Profiles.from_matrix(evaluator.held_out.matrix, evaluator.held_out.item_ids)
    for kind in KINDS.values():
        result = measure(kind(3), evaluator, copies)
        assert result.value > result.ceiling - 0.05


def test_balls_are_counted_once_for_all_metrics_of_a_k(world, fresh, monkeypatch):
    made = Evaluator.fit(None, world[:120], world[range(120, 240)], rng=1, n_splits=8)
    passes = []
    blocks = module.similarity_blocks

    def counted(*arguments, **keywords):
        passes.append(1)
        return blocks(*arguments, **keywords)

    monkeypatch.setattr(
        module, "similarity_blocks", lambda *a, **k: passes.append(1) or blocks(*a, **k)
    )
    for kind in KINDS.values():
        measure(kind(3), made, fresh)
    # Real radii; counts, radii and reach of fresh, held-out and floor users; own counts of real.
    assert len(passes) == 1 + 3 * 3 + 1
    other = Profiles.from_matrix(fresh.matrix[::-1], fresh.item_ids)
    for kind in KINDS.values():
        measure(kind(3), made, other)
    assert len(passes) == 11 + 3


def test_counts_do_not_keep_users_alive(world):
    made = Evaluator.fit(None, world[:120], world[range(120, 240)], rng=1, n_splits=3)
    users = Profiles.from_matrix(world.matrix[240:360], world.item_ids)
    measure(NeighbourRecall(3), made, users)
    known = weakref.ref(users)
    del users
    gc.collect()
    assert known() is None


def test_held_out_users_may_come_as_a_pool_of_their_own(evaluator):
    """The ceiling knows them as the other half; as a pool, both halves may hold the same user."""
    ceiling = measure(NeighbourPrecision(3), evaluator, evaluator.floor_users).ceiling
    pooled = measure(NeighbourPrecision(3), evaluator, evaluator.held_out)
    copies = Profiles.from_matrix(evaluator.held_out.matrix, evaluator.held_out.item_ids)
    assert pooled.value == measure(NeighbourPrecision(3), evaluator, copies).value
    assert pooled.value != ceiling == pooled.ceiling


# -------------------------------------------------------------------------------------- cautions


def test_no_caution_where_all_is_well(evaluator):
    assert NeighbourDensity(3).caution(evaluator) is None


def test_caution_tells_of_radii_of_1_and_of_no_power(world):
    """Two of 40 users hold an item of their own; popularity is all there is to know."""
    drawn = popularity_draws(1 / np.arange(1.0, 61), np.full(100, 8), rng=1).toarray()
    own = np.zeros((100, 2), dtype=np.float32)
    drawn[98:] = 0
    own[[98, 99], [0, 1]] = 1
    users = profiles(sp.csr_array(np.hstack([drawn, own])))
    made = Evaluator.fit(None, users[:60], users[range(60, 100)], rng=1, n_splits=20)
    at_one = np.mean([np.isin([38, 39], s.real).sum() / 20 for s in made.splits(20, None)])
    said = NeighbourPrecision(3).caution(made)
    start = f"{at_one:.1%} of real users share no item with all 3 nearest others"
    assert said.startswith(f"{start}; no power: real users get 0.")


def test_users_who_share_nothing_have_no_clipped_density(world):
    apart = profiles(sp.csr_array(np.eye(40, 60, dtype=np.float32)))
    reference = profiles(world.matrix[:60, :60], prefix="r")
    made = Evaluator.fit(None, reference, apart, rng=1, n_splits=2)
    users = Profiles.from_matrix(world.matrix[:40, :60], apart.item_ids)
    with pytest.raises(NotMeasurableError, match="ClippedDensity@2: no real user is near enough"):
        measure(ClippedDensity(2), made, users)


@pytest.mark.parametrize("kind", KINDS.values())
def test_too_few_users(kind, evaluator, fresh):
    with pytest.raises(ValueError, match="must each be at least 14 users; got 120 and 10"):
        measure(kind(6), evaluator, fresh[:10])
    with pytest.raises(ValueError, match="`k` must be at least 1; got 0"):
        kind(0)
