import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats

from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.mmd import MMD, indicators, kernel_sums, mean_among, mmd_permutation_p_value
from cornac_mle.metrics.splits import Split
from cornac_mle.null_models.corruption import popularity_draws, swap
from cornac_mle.profiles import Profiles
from worlds import checkerboard, profiles, taste_world


@pytest.fixture(scope="module")
def world():
    return taste_world(520, n_items=60, mean_size=10, seed=5)


@pytest.fixture(scope="module")
def evaluator(world):
    return Evaluator.fit(world[:100], world[range(100, 200)], world[range(200, 320)], rng=1)


@pytest.fixture(scope="module")
def fresh(world):
    """Real users of no group, dressed as synthetic ones."""
    return Profiles.from_matrix(world.matrix[320:], world.item_ids)


def measured(evaluator, users, metric=None):
    return (metric or MMD(19)).measure(evaluator, users, rng=np.random.default_rng(3))


def with_odd_users(users):
    """The first four users are empty, the next four hold one item."""
    matrix = users.matrix.toarray()
    matrix[:8] = 0
    matrix[4:8, 0] = 1
    return Profiles.from_matrix(sp.csr_array(matrix), users.item_ids)


def naive_kernel(a, b):
    return len(a & b) / len(a | b) if a | b else 1.0


def naive_mmd(real, synthetic):
    """The unbiased U-statistic of Gretton et al. (2012), in plain Python."""

    def among(users):
        n = len(users)
        pairs = [naive_kernel(users[i], users[j]) for i in range(n) for j in range(n) if i != j]
        return sum(pairs) / (n * (n - 1))

    mixed = [naive_kernel(a, b) for a in real for b in synthetic]
    return among(real) + among(synthetic) - 2 * sum(mixed) / len(mixed)


def sets(users, rows):
    return [set(users.matrix[[row]].indices.tolist()) for row in rows]


@pytest.mark.parametrize("blocks", [1, 7], ids=["one block", "many blocks"])
def test_it_is_the_naive_one_with_empty_users_on_both_sides(world, monkeypatch, blocks):
    monkeypatch.setattr("cornac_mle.neighbours.similarity.BLOCK_BYTES", 4 * 60 * 60 // blocks)
    groups = (world[:60], world[range(60, 120)], with_odd_users(world[range(120, 160)]))
    made = Evaluator.fit(*groups, rng=1, n_splits=2)
    users = with_odd_users(Profiles.from_matrix(world.matrix[160:200], world.item_ids))
    splits = made.splits(20, len(users))
    found = MMD()._on_splits(made, users, splits)
    for value, split in zip(found, splits, strict=True):
        naive = naive_mmd(sets(made.held_out, split.real), sets(users, split.other))
        assert value == pytest.approx(naive, abs=1e-7)  # similarities are float32


def test_by_hand():
    # Real {0, 1} and {0}: k = 1/2. Synthetic {2} twice: k = 1. Nothing is shared: 1/2 + 1 - 0.
    real = profiles(sp.csr_array(np.array([[1, 1, 0], [1, 0, 0]], dtype=np.float32)))
    users = profiles(sp.csr_array(np.array([[0, 0, 1], [0, 0, 1]], dtype=np.float32)), prefix="s")
    both = indicators([np.arange(2)], 2)
    assert mean_among(real, both).tolist() == [0.5]
    assert mean_among(users, both).tolist() == [1.0]
    assert kernel_sums(real, users, both, both).tolist() == [0.0]
    # One synthetic user is now {0}: it has k = 1/2 and 1 with the real ones.
    users = profiles(sp.csr_array(np.array([[0, 0, 1], [1, 0, 0]], dtype=np.float32)), prefix="s")
    assert kernel_sums(real, users, both, both).tolist() == [1.5]


def test_bounds_are_reached():
    """The same two users who share nothing: 0 + 0 - 2 * 2/4 = -1; two kinds: 1 + 1 - 0 = 2."""
    pair = profiles(sp.csr_array(np.eye(2, 4, dtype=np.float32)), prefix="s")
    split = Split(np.arange(2), np.arange(2))
    holder = Evaluator.fit(None, checkerboard(40, 4), pair, rng=1, n_splits=2)
    assert MMD()._on_splits(holder, pair, [split]).tolist() == [-1.0]
    one_kind = np.zeros((4, 4), dtype=np.float32)
    one_kind[:2, 0] = one_kind[2:, 1] = 1
    kinds = profiles(sp.csr_array(one_kind), prefix="s")
    holder = Evaluator.fit(None, checkerboard(40, 4), kinds[:2], rng=1, n_splits=2)
    assert MMD()._on_splits(holder, kinds[range(2, 4)], [split]).tolist() == [2.0]
    assert MMD.bounds == (-1.0, 2.0)


def test_real_users_are_at_zero_and_popularity_is_not(evaluator, fresh):
    result = measured(evaluator, fresh)
    assert result.low <= 0 <= result.high
    assert abs(result.ceiling) < result.floor / 5
    assert result.normalised > 0.6
    assert result.p_value > 0.05


def test_swaps_are_found_the_more_the_larger(evaluator, fresh, world):
    values = []
    for share in (0.25, 0.5, 1.0):
        matrix = swap(fresh.matrix, share, popularity=world.item_counts, rng=4)
        result = measured(evaluator, Profiles.from_matrix(matrix, world.item_ids))
        values.append(result.value)
    assert measured(evaluator, fresh).value < values[0] < values[1] < values[2]
    assert result.p_value == 1 / 20


def test_a_missing_kind_of_user_and_one_repeated_user_are_found(evaluator, world, fresh):
    board = checkerboard(300, 20, seed=1)
    made = Evaluator.fit(None, board[:100], board[range(100, 200)], rng=1)
    even = Profiles.from_matrix(board.matrix[200:300:2], board.item_ids)
    everyone = Profiles.from_matrix(board.matrix[200:], board.item_ids)
    assert measured(made, even).p_value == 1 / 20
    assert measured(made, even).value > 10 * abs(measured(made, everyone).value)
    lone = Profiles.from_matrix(world.matrix[np.zeros(100, dtype=int)], world.item_ids)
    assert measured(evaluator, lone).value > 0.5


def test_empty_users_are_a_difference(evaluator, fresh):
    matrix = fresh.matrix.toarray()
    matrix[:100] = 0
    half_empty = Profiles.from_matrix(sp.csr_array(matrix), fresh.item_ids)
    # Half are empty, k = 1 among them: about 1/4 of the pairs.
    assert measured(evaluator, half_empty).value == pytest.approx(0.25, abs=0.06)


def test_same_rng_same_answer_and_order_of_items_does_not_matter(evaluator, fresh):
    result, again = measured(evaluator, fresh), measured(evaluator, fresh)
    assert (result.value, result.p_value) == (again.value, again.p_value)
    order = evaluator.held_out.item_ids[::-1]
    groups = (evaluator.train, evaluator.reference, evaluator.held_out)
    turned = Evaluator.fit(*(group.align(order) for group in groups), rng=1)
    other = measured(turned, fresh.align(order))
    assert other.value == pytest.approx(result.value, abs=1e-9)
    assert other.p_value == result.p_value


def test_p_value_is_that_of_all_relabellings():
    """3 users of one kind against 3 of another: 2 of the 20 relabellings part the kinds.

    Of 2,000 drawn, a binomial number is as extreme; outside 4.9 s.e. has a probability below 1e-6.
    """
    matrix = np.zeros((6, 4), dtype=np.float32)
    matrix[:3, :2] = matrix[3:, 2:] = 1
    kinds = profiles(sp.csr_array(matrix))
    first, second = kinds[:3], kinds[range(3, 6)]
    found = mmd_permutation_p_value(first, second, 2_000, np.random.default_rng(1))
    assert found == pytest.approx(0.1, abs=4.9 * np.sqrt(0.1 * 0.9 / 2_000))
    assert (
        mmd_permutation_p_value(
            first, first.concat(second)[[3, 4, 5]], 19, np.random.default_rng(1)
        )
        < 0.4
    )


@pytest.mark.parametrize("sizes", [(20, 20), (12, 30)])
def test_p_value_has_its_level(sizes):
    """300 null data sets: rejections at .05 and .1 are binomial; each fails by chance 1e-6."""
    p_values = []
    for seed in range(300):
        users = taste_world(sum(sizes), n_items=30, mean_size=6, seed=seed)
        first, second = users[: sizes[0]], users[range(sizes[0], sum(sizes))]
        p_values.append(mmd_permutation_p_value(first, second, 39, np.random.default_rng(seed)))
    for level in (0.05, 0.1):
        rejected = int(np.sum(np.asarray(p_values) <= level))
        assert stats.binomtest(rejected, 300, level).pvalue > 1e-6
    drawn = popularity_draws(users.item_counts, users.sizes[: sizes[0]], rng=1)
    unlike = Profiles.from_matrix(
        sp.csr_array(np.eye(sizes[1], 30, dtype=np.float32)), users.item_ids
    )
    strange = Profiles.from_matrix(drawn, users.item_ids)
    assert mmd_permutation_p_value(strange, unlike, 39, np.random.default_rng(1)) == 1 / 40


def test_permutations_must_be_a_positive_count():
    with pytest.raises(ValueError, match="`n_permutations` must be at least 1; got 0"):
        MMD(0)
