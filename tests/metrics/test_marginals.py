from collections import defaultdict

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats

from cornac_mle.metrics.base import NotMeasurableError
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.pairs import PairError, frequent_pairs, log_lift
from cornac_mle.metrics.ratings import RatingKS, ks_by_item, rated_at_random, rating_distance
from cornac_mle.null_models.corruption import swap
from cornac_mle.profiles import Profiles
from worlds import checkerboard, profiles, taste_world

PLACES = {
    "train": range(200),
    "reference": range(200, 400),
    "held_out": range(400, 600),
    "fresh": range(600, 800),
}


def split_up(world):
    """Evaluator, and real users of no group, dressed as synthetic ones."""
    groups = [world[PLACES[name]] for name in ("train", "reference", "held_out")]
    fresh = world[PLACES["fresh"]]
    return Evaluator.fit(*groups, rng=1), Profiles.from_matrix(fresh.matrix, fresh.item_ids)


@pytest.fixture(scope="module")
def world():
    return taste_world(800, n_items=60, mean_size=12, seed=5)


@pytest.fixture(scope="module")
def likes(world):
    return split_up(world)


def by_item(world, seed=0):
    """Ratings 1 to 5 whose mean depends on the item: items are good, middling or bad."""
    matrix = world.matrix.copy()
    quality = np.arange(matrix.shape[1]) % 3
    noise = np.random.default_rng(seed).integers(0, 3, size=matrix.nnz)
    matrix.data = (1 + quality[matrix.indices] + noise).astype(np.float32)
    return Profiles(matrix, world.user_ids, world.item_ids)


@pytest.fixture(scope="module")
def rated(world):
    return split_up(by_item(world))


def measured(metric, evaluator, users):
    return metric.measure(evaluator, users, rng=np.random.default_rng(3))


def with_values(users, values):
    matrix = users.matrix.copy()
    matrix.data = np.asarray(values, dtype=np.float32)
    return Profiles(matrix, users.user_ids, users.item_ids)


def with_odd_users(users):
    """The first 20 users are empty, the next 20 hold one item."""
    matrix = users.matrix.toarray()
    matrix[:40] = 0
    matrix[20:40, 0] = 4
    return Profiles.from_matrix(sp.csr_array(matrix), users.item_ids)


# --------------------------------------------------------------------------------------- PairError


def test_log_lift_by_hand():
    # 4 users: {0,1}, {0,1}, {0}, {2}. c = 3, 2, 1. Pair (0,1): c_01 = 2, expected 3*2/4 = 1.5:
    # log(2.5/2) = .2231. Pair (0,2): 0 against 3/4: log(.5/1.25) = -.9163.
    matrix = sp.csr_array(np.array([[3, 5, 0], [1, 1, 0], [1, 0, 0], [0, 0, 9.0]]))
    lifts = log_lift(matrix)
    assert lifts[0, 1] == pytest.approx(0.22314, abs=1e-5)
    assert lifts[2, 0] == pytest.approx(-0.91629, abs=1e-5)


def test_frequent_pairs_by_hand():
    # Shares 1, 1/2, 1/2 and 1/4 of 4 reference users. 4 users would hold the pairs 2, 2, 1, 1, 1/2
    # and 1/2 times by chance: the last two, of item 3 with 1 and 2, are too rare.
    matrix = np.array([[1, 1, 1, 0], [1, 1, 0, 1], [1, 0, 1, 0], [1, 0, 0, 0]], dtype=np.float32)
    items, (first, second) = frequent_pairs(profiles(sp.csr_array(matrix)), 4)
    found = {tuple(sorted(pair)) for pair in zip(items[first], items[second], strict=True)}
    assert items[0] == 0
    assert found == {(0, 1), (0, 2), (0, 3), (1, 2)}


def test_the_most_popular_items_are_the_same_in_any_order_of_items():
    """250 items, all held by the same number of users: which 200 of them are taken?"""
    users = profiles(sp.csr_array(np.ones((30, 250), dtype=np.float32)))
    items, pairs = frequent_pairs(users, 30)
    turned = users.align(users.item_ids[::-1])
    other, _ = frequent_pairs(turned, 30)
    assert set(users.item_ids[items]) == set(turned.item_ids[other])
    assert len(pairs[0]) == 200 * 199 / 2


def naive_pair_error(reference, real, synthetic):
    """Mean absolute difference of log-lifts, in plain Python; sets of items."""

    def lift(users, i, j):
        together = sum(i in user and j in user for user in users)
        expected = sum(i in user for user in users) * sum(j in user for user in users) / len(users)
        return np.log((together + 0.5) / (expected + 0.5))

    items = sorted(set().union(*reference))
    share = {i: sum(i in user for user in reference) / len(reference) for i in items}
    errors = [
        abs(lift(synthetic, i, j) - lift(real, i, j))
        for i in items
        for j in items
        if i < j and len(real) * share[i] * share[j] >= 1
    ]
    return sum(errors) / len(errors)


def test_pair_error_is_the_naive_one(likes):
    evaluator, fresh = likes
    fresh = with_odd_users(fresh)
    splits = evaluator.splits(100, len(fresh))
    found = PairError()._on_splits(evaluator, fresh, splits)

    def sets(users, rows):
        return [set(users.matrix[[row]].indices.tolist()) for row in rows]

    reference = sets(evaluator.reference, range(len(evaluator.reference)))
    for place in (0, 7):
        real = sets(evaluator.held_out, splits[place].real)
        other = sets(fresh, splits[place].other)
        assert found[place] == pytest.approx(naive_pair_error(reference, real, other))


def test_pair_error_of_real_users_is_the_ceiling_and_grows_with_swaps(likes, world):
    evaluator, fresh = likes
    result = measured(PairError(), evaluator, fresh)
    assert result.low <= result.ceiling <= result.high
    assert 0.05 < result.ceiling < result.floor - 0.1
    values = [result.value]
    for share in (0.25, 0.5):
        matrix = swap(fresh.matrix, share, popularity=world.item_counts, rng=4)
        users = Profiles.from_matrix(matrix, world.item_ids)
        values.append(measured(PairError(), evaluator, users).value)
    assert values == sorted(values)
    assert values[2] > result.high


def test_pair_error_does_not_depend_on_values_or_the_order_of_items(likes):
    evaluator, fresh = likes
    result = measured(PairError(), evaluator, fresh)
    valued = with_values(fresh, np.arange(1, fresh.matrix.nnz + 1))
    assert measured(PairError(), evaluator, valued).value == result.value
    order = evaluator.held_out.item_ids[::-1]
    groups = (evaluator.train, evaluator.reference, evaluator.held_out)
    turned = Evaluator.fit(*(group.align(order) for group in groups), rng=1)
    other = measured(PairError(), turned, fresh.align(order))
    assert other.value == pytest.approx(result.value, abs=1e-12)


def test_too_few_pairs_cannot_be_measured():
    """Two items: one pair only."""
    board = checkerboard(120, 4, density=0.5, seed=1)
    evaluator = Evaluator.fit(None, board[:60], board[range(60, 80)], rng=1)
    users = Profiles.from_matrix(board.matrix[80:], board.item_ids)
    with pytest.raises(NotMeasurableError, match="`reference` must leave at least 10 pairs of it"):
        measured(PairError(), evaluator, users)


# ---------------------------------------------------------------------------------------- RatingKS


def naive_rating_distance(synthetic, real):
    """Weighted mean of scipy's two-sample statistic over items with 5 ratings on both sides."""
    sides = []
    for users in (synthetic, real):
        ratings = defaultdict(list)
        for item, value in zip(users.matrix.indices, users.matrix.data, strict=True):
            ratings[item].append(value)
        sides.append(ratings)
    total = weight = 0.0
    for item in sides[1]:
        if min(len(sides[0][item]), len(sides[1][item])) >= 5:
            distance = stats.ks_2samp(sides[0][item], sides[1][item]).statistic
            total += len(sides[1][item]) * distance
            weight += len(sides[1][item])
    return total / weight


@pytest.mark.parametrize("levels", [5, 1000])
def test_rating_distance_is_the_naive_one(world, levels):
    random = np.random.default_rng(1)
    real = with_values(world[:80], random.integers(1, levels + 1, world[:80].matrix.nnz))
    other = world[range(80, 140)]
    other = with_values(other, random.integers(1, levels + 1, other.matrix.nnz))
    assert rating_distance(other, real) == pytest.approx(naive_rating_distance(other, real))


def test_ks_by_item_by_hand():
    # Item 0: real 1 1 2 2 2, synthetic 2 2 2 2 2: at 1 the real function is 2/5, the other 0.
    # Item 1 has 4 synthetic ratings: too few. Item 2: the same five ratings on both sides.
    items = np.repeat([0, 0, 1, 1, 2, 2], [5, 5, 6, 4, 5, 5])
    values = np.array([1, 1, 2, 2, 2] + [2] * 5 + [3] * 10 + [1, 2, 3, 4, 5] * 2, dtype=np.float64)
    from_real = np.repeat([True, False] * 3, [5, 5, 6, 4, 5, 5])
    distances, compared = ks_by_item(items, values, from_real, 4)
    assert compared.tolist() == [0, 2]
    assert distances == pytest.approx([0.4, 0.0])


def test_items_count_by_their_real_ratings():
    # Item 0: 20 real ratings of 1, 5 synthetic of 2: distance 1. Item 1: 5 and 5 of 3: 0. 20/25.
    real = np.array([[1, 0]] * 20 + [[0, 3]] * 5, dtype=np.float32)
    other = np.array([[2, 3]] * 5, dtype=np.float32)
    synthetic = profiles(sp.csr_array(other), prefix="s")
    assert rating_distance(synthetic, profiles(sp.csr_array(real))) == pytest.approx(0.8)
    assert np.isnan(rating_distance(synthetic[:4], profiles(sp.csr_array(real))))


def test_ratings_of_real_users_are_at_the_ceiling_and_item_blind_ones_at_the_floor(rated):
    evaluator, fresh = rated
    result = measured(RatingKS(), evaluator, fresh)
    assert result.low <= result.ceiling <= result.high
    assert result.ceiling < result.floor - 0.1
    assert result.normalised > 0.7
    blind = with_values(fresh, np.random.default_rng(1).permutation(fresh.matrix.data))
    at_floor = measured(RatingKS(), evaluator, blind)
    assert at_floor.low <= at_floor.floor <= at_floor.high
    reversed_values = measured(RatingKS(), evaluator, with_values(fresh, 6 - fresh.matrix.data))
    assert reversed_values.value > at_floor.value
    assert measured(RatingKS(), evaluator, with_odd_users(fresh)).value < at_floor.value


def test_planted_ratings_are_found_the_more_the_more_there_are(rated):
    evaluator, fresh = rated
    values = []
    for share in (0.0, 0.3, 0.6, 1.0):
        random = np.random.default_rng(2)
        planted = random.random(fresh.matrix.nnz) < share
        users = with_values(fresh, np.where(planted, 5.0, fresh.matrix.data))
        if share == 1.0:
            with pytest.raises(
                NotMeasurableError, match="`synthetic` must hold more than one rati"
            ):
                measured(RatingKS(), evaluator, users)
        else:
            values.append(measured(RatingKS(), evaluator, users).value)
    assert values == sorted(values)
    assert values[1] > values[0] + 0.1


def test_the_floor_draws_reference_ratings_on_floor_pairs_and_is_repeatable(rated):
    evaluator, _ = rated
    drawn, again = rated_at_random(evaluator), rated_at_random(evaluator)
    assert np.array_equal(drawn.matrix.indices, evaluator.floor_users.matrix.indices)
    assert np.array_equal(drawn.matrix.data, again.matrix.data)
    assert np.all(evaluator.floor_users.matrix.data == 1)
    # Share of each of 5 ratings among 2,400 pairs: 5 s.e. are .05; probability of a false alarm
    # 1e-6.
    for value in range(1, 6):
        among = np.mean(evaluator.reference.matrix.data == value)
        assert np.mean(drawn.matrix.data == value) == pytest.approx(among, abs=0.05)


def test_likes_have_no_ratings_to_compare(likes, rated):
    evaluator, fresh = likes
    with pytest.raises(NotMeasurableError, match="`real` must hold more than one rating value; go"):
        measured(RatingKS(), evaluator, fresh)
    evaluator, fresh = rated
    alike = with_values(fresh, np.ones(fresh.matrix.nnz))
    with pytest.raises(
        NotMeasurableError, match=r"`synthetic` must .* got 1 everywhere for Rating"
    ):
        measured(RatingKS(), evaluator, alike)
    nobody = Profiles.from_matrix(
        sp.csr_array(fresh.matrix.shape, dtype=np.float32), fresh.item_ids
    )
    with pytest.raises(NotMeasurableError, match=r"`synthetic` must .* got no rating for RatingKS"):
        measured(RatingKS(), evaluator, nobody)


def test_ratings_of_items_that_real_users_do_not_rate_cannot_be_compared(rated):
    evaluator, fresh = rated
    matrix = np.zeros(fresh.matrix.shape, dtype=np.float32)
    matrix[np.arange(200), np.arange(200) % 60] = 1 + np.arange(200) % 5
    thin = Profiles.from_matrix(sp.csr_array(matrix), fresh.item_ids)
    with pytest.raises(NotMeasurableError, match="`synthetic` must rate at least one item 5 times"):
        measured(RatingKS(), evaluator, thin)


def test_rating_distance_does_not_depend_on_the_order_of_items(rated):
    evaluator, fresh = rated
    result = measured(RatingKS(), evaluator, fresh)
    order = evaluator.held_out.item_ids[::-1]
    groups = (evaluator.train, evaluator.reference, evaluator.held_out)
    turned = Evaluator.fit(*(group.align(order) for group in groups), rng=1)
    other = measured(RatingKS(), turned, fresh.align(order))
    assert other.value == pytest.approx(result.value, abs=1e-12)
