import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats

from cornac_mle.diagnostics.exposed_users import exposed_users
from cornac_mle.metrics import (
    CopiedUsers,
    Evaluator,
    MembershipInference,
    NotMeasurableError,
    membership_attack,
)
from cornac_mle.metrics.copied_users import chance_of, copying_excess
from cornac_mle.metrics.membership_attacks import (
    ATTACKS,
    beyond_popularity,
    exposure,
    independent_users,
    nearest,
)
from cornac_mle.models.popularity import Popularity
from cornac_mle.models.training_users import TrainingUsers
from cornac_mle.null_models.corruption import popularity_draws, swap
from cornac_mle.profiles import Profiles
from cornac_mle.stats.auc import area, auc_with_error, null_auc_error
from cornac_mle.stats.privacy import epsilon_lower_bound
from worlds import taste_world


@pytest.fixture(scope="module")
def world():
    return taste_world(1000, mean_size=12, seed=5)


@pytest.fixture(scope="module")
def evaluator(world):
    groups = world[:200], world[range(200, 400)], world[range(400, 600)]
    return Evaluator.fit(*groups, rng=1)


@pytest.fixture(scope="module")
def strangers(world):
    """Four hundred users of no group, dressed as synthetic ones."""
    return Profiles.from_matrix(world.matrix[600:], world.item_ids)


def leaking(strangers, copies):
    """Users of whom the first ones gave way to others."""
    kept = strangers.matrix[copies.shape[0] :]
    return Profiles.from_matrix(sp.csr_array(sp.vstack([copies, kept])), strangers.item_ids)


# ------------------------------------------------------------------------------- stats by hand


def test_auc_by_hand_and_by_scipy():
    # 2 beats 1 and ties 2; 3 beats both: (1.5 + 2) / 4 = .875.
    # u = (.75, 1), v = (1, .75): var = .03125 each, s.e. = sqrt(2 (.03125) / 2) = .1768.
    found = auc_with_error(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
    assert found == pytest.approx((0.875, 0.1767767))
    random = np.random.default_rng(1)
    one, other = random.integers(9, size=40).astype(float), random.integers(9, size=30) - 1.0
    assert area(one, other) == pytest.approx(
        stats.mannwhitneyu(one, other).statistic / (len(one) * len(other))
    )
    assert area(np.array([-np.inf, 0.0]), np.array([-np.inf])) == 0.75


def test_auc_error_covers_half_where_nothing_differs():
    """400 null draws: covered with probability .95 each; fewer than 350 below 1e-6."""
    random = np.random.default_rng(1)
    covered, values = 0, []
    for _ in range(400):
        value, error = auc_with_error(random.normal(size=60), random.normal(size=40))
        covered += abs(value - 0.5) <= 1.96 * error
        values.append(value)
    assert covered >= 350
    assert np.std(values) == pytest.approx(null_auc_error(60, 40), rel=0.2)


def test_epsilon_by_hand():
    # One threshold, error .05, .025 for each rate: 90 of 100 is at least .8238, 5 of 100 at most
    # .1128 (Clopper-Pearson): log(.8238 / .1128) = 1.988.
    assert epsilon_lower_bound(np.array([90]), 100, np.array([5]), 100) == pytest.approx(
        np.log(stats.beta.ppf(0.025, 90, 11) / stats.beta.ppf(0.975, 6, 95))
    )
    # Turned round, 95 of 100 new users below and 10 members: the second ratio is the larger one.
    none = np.array([100])
    assert epsilon_lower_bound(none, 100, np.array([50]), 100) > np.log(10)
    assert epsilon_lower_bound(np.array([0]), 10, np.array([10]), 10) == 0
    assert epsilon_lower_bound(np.array([10]), 10, np.array([10]), 10) == 0
    two = epsilon_lower_bound(np.array([90, 90]), 100, np.array([5, 5]), 100)
    assert 0 < two < epsilon_lower_bound(np.array([90]), 100, np.array([5]), 100)


# -------------------------------------------------------------------------------------- attacks


def test_nearest_is_the_naive_one(world):
    one, other = world[:12], world[range(12, 40)]
    sets = [set(world.matrix[[row]].indices.tolist()) for row in range(40)]
    similarity, place = nearest(one.matrix, other.matrix)
    for row in range(12):
        naive = [len(sets[row] & each) / len(sets[row] | each) for each in sets[12:]]
        assert similarity[row] == pytest.approx(max(naive))
        assert place[row] == int(np.argmax(naive))
    assert exposure(np.array([1.0]), np.array([1.0]))[0] == 0  # a twin proves nothing


def test_the_memoriser_is_told(evaluator):
    found = membership_attack(evaluator, evaluator.train)
    assert found.auc == pytest.approx(1.0, abs=1e-9)
    assert found.attack == "nearest"
    assert found.true_positive_rates[0.05] > 0.95
    assert found.epsilon > 1
    assert (found.n_train, found.n_held_out, found.n_synthetic) == (200, 200, 200)


def test_strangers_tell_nothing(evaluator, strangers):
    found = membership_attack(evaluator, strangers)
    assert abs(found.auc - 0.5) < 4 * null_auc_error(200, 200)
    # One draw, which a 95% interval misses in one world of twenty: the 99.9% interval of the same.
    assert abs(found.auc - 0.5) < 3.29 / 1.96 * (found.high - found.low) / 2
    assert found.epsilon == 0
    assert found.true_positive_rates[0.05] < 0.2


def test_auc_is_half_on_average_where_nothing_leaks():
    """20 worlds: the mean within 4 standard errors, covered 17 times or more (.98 at .95)."""
    values, covered = [], 0
    for seed in range(20):
        world = taste_world(320, n_items=60, mean_size=8, seed=seed)
        groups = (world[range(first, first + 80)] for first in (0, 80, 160))
        evaluator = Evaluator.fit(*groups, rng=1, n_splits=4)
        users = Profiles.from_matrix(world.matrix[240:], world.item_ids)
        found = membership_attack(evaluator, users)
        values.append(found.auc)
        covered += found.low <= 0.5 <= found.high
    assert abs(np.mean(values) - 0.5) < 4 * np.std(values) / np.sqrt(20)
    assert covered >= 17


def test_popularity_alone_leaks_by_neither_attack_and_copies_still_do():
    """20 worlds of few users: freed scores are .5 within 4 standard errors, copies are told."""
    freed, plain = ({name: [] for name in ATTACKS} for _ in range(2))
    told = []
    for seed in range(20):
        world = taste_world(240, n_items=60, mean_size=8, seed=seed)
        groups = [world[range(first, first + 80)] for first in (0, 80, 160)]
        evaluator = Evaluator.fit(*groups, rng=seed, n_splits=2)
        train = evaluator.train
        random = np.random.default_rng(seed)
        sizes = random.choice(train.sizes, 240)
        users = Profiles.from_matrix(
            popularity_draws(train.item_counts, sizes, rng=random), world.item_ids
        )
        for name, attack in ATTACKS.items():
            freed[name].append(area(*beyond_popularity(evaluator, users, attack)))
            plain[name].append(area(*attack(evaluator, users)))
        copies = swap(train.matrix, 0.3, popularity=train.item_counts, rng=random)
        told.append(membership_attack(evaluator, Profiles.from_matrix(copies, world.item_ids)).auc)
    for found in freed.values():
        assert abs(np.mean(found) - 0.5) < 4 * np.std(found) / np.sqrt(20)
    assert np.mean(plain["nearest"]) > np.mean(freed["nearest"])
    assert min(told) > 0.8


def test_independent_users_have_the_sizes_and_the_popularity_of_the_synthetic_ones(evaluator):
    drawn = independent_users(evaluator, evaluator.train)
    assert np.array_equal(np.sort(drawn.sizes), np.sort(evaluator.train.sizes))
    assert np.corrcoef(drawn.item_counts, evaluator.train.item_counts)[0, 1] > 0.9
    order = np.random.default_rng(1).permutation(200)
    again = independent_users(evaluator, evaluator.train[order])
    assert np.array_equal(drawn.matrix.toarray(), again.matrix.toarray())


def test_a_model_is_asked_for_three_users_a_training_user(evaluator):
    metric = MembershipInference()
    data = evaluator.train.to_dataset()
    memoriser, popularity = (
        metric.measure_model(evaluator, model().fit(data), rng=1)
        for model in (TrainingUsers, Popularity)
    )
    assert memoriser.n_synthetic == 600
    assert memoriser.value > 0.95  # exp(-3) of the training users are not drawn
    assert memoriser.low > 0.5
    assert popularity.low < 0.55
    assert memoriser.floor == popularity.floor
    assert memoriser.ceiling == 0.5


def test_too_few_users_are_refused(evaluator, world, strangers):
    few = Evaluator.fit(world[:3], evaluator.reference, evaluator.held_out, rng=1)
    with pytest.raises(NotMeasurableError, match="`train` must be at least 4 users; got 3"):
        membership_attack(few, strangers)
    alone = Evaluator.fit(None, evaluator.reference, evaluator.held_out, rng=1)
    with pytest.raises(NotMeasurableError, match="`train` must be given; got None"):
        membership_attack(alone, strangers)
    with pytest.raises(NotMeasurableError, match="`train` must be given; got None for Member"):
        MembershipInference().measure(alone, strangers, rng=1)
    with pytest.raises(ValueError, match="`train` must be given; got None"):
        exposed_users(alone, strangers)
    empty = Profiles.from_matrix(sp.csr_array((3, len(world.item_ids))), world.item_ids)
    with pytest.raises(NotMeasurableError, match="`synthetic` must be at least 2 users with an"):
        membership_attack(evaluator, empty)
    with pytest.raises(ValueError, match="`synthetic` must hold at least 1 user with an item"):
        exposed_users(evaluator, empty)


# ---------------------------------------------------------------------------------- exposed users


@pytest.mark.parametrize("swapped", [0.0, 0.3])
def test_planted_copies_are_named(evaluator, strangers, world, swapped):
    copies = sp.csr_array(evaluator.train.matrix[:20])  # 5% of 400
    if swapped:
        copies = swap(copies, swapped, popularity=world.item_counts, rng=1)
    table = exposed_users(evaluator, leaking(strangers, copies), q=0.1)
    assert table["exposed"][:20].sum() >= (20 if swapped == 0 else 5)
    assert table["exposed"][20:].sum() <= 6
    assert table.attrs["n_users_exposed"] == table["exposed"].sum()
    assert table.attrs["n_calibration"] == 400
    assert table.attrs["minimum_detectable_users"] == 5  # 200 / (.1 (400 + 1)) = 4.99
    first = table.loc[3]
    assert first["synthetic_user"] == "s3"
    items = set(evaluator.train.item_ids[evaluator.train.matrix[[3]].indices])
    assert set(first["shared_items"]) <= items
    assert len(first["shared_items"]) >= (1 - swapped) * len(items) - 1
    counts = [evaluator.train.item_counts[world.item_ids.get_loc(i)] for i in first["shared_items"]]
    assert counts == sorted(counts)


def test_several_training_users_may_have_one_nearest(evaluator, strangers):
    table = exposed_users(evaluator, strangers[:3])
    assert set(table["synthetic_user"]) <= {"s0", "s1", "s2"}
    assert len(table) == 200


def test_p_values_of_users_who_were_not_there_have_their_level():
    """One user a world, 60 worlds: p <= .2 is binomial, or rarer, at a false alarm of 1e-5."""
    low, named = dict.fromkeys(ATTACKS, 0), dict.fromkeys(ATTACKS, 0)
    for seed in range(60):
        world = taste_world(170, n_items=50, mean_size=8, seed=seed)
        groups = world[:30], world[range(30, 70)], world[range(70, 120)]
        evaluator = Evaluator.fit(*groups, rng=1, n_splits=2)
        users = Profiles.from_matrix(world.matrix[120:], world.item_ids)
        for attack in ATTACKS:
            table = exposed_users(evaluator, users, q=0.2, attack=attack)
            low[attack] += int(table["user_p_value"].iloc[0] <= 0.2)
            named[attack] += int(table["exposed"].any())
    for count in (*low.values(), *named.values()):
        assert stats.binomtest(count, 60, 0.2, alternative="greater").pvalue > 1e-5
    assert min(low.values()) >= 2


# ----------------------------------------------------------------------------------------- copying


def test_copying_of_users_who_copied_nobody_is_0_and_covered():
    """20 worlds, training popularity and new users: the mean is 0 within 4 standard errors.

    At a coverage of .95, fewer than 14 of 20 has a probability below 1e-4.
    """
    values, covered = {"popularity": [], "new": []}, {"popularity": 0, "new": 0}
    for seed in range(20):
        world = taste_world(400, n_items=80, mean_size=8, seed=seed, size_spread=0.6)
        groups = world[:140], world[range(140, 220)], world[range(220, 300)]
        evaluator = Evaluator.fit(*groups, rng=seed, n_splits=2)
        train = evaluator.train
        random = np.random.default_rng(seed)
        drawn = popularity_draws(train.item_counts, random.choice(train.sizes, 100), rng=random)
        for name, matrix in (("popularity", drawn), ("new", world.matrix[300:])):
            users = Profiles.from_matrix(matrix, world.item_ids)
            found = CopiedUsers().measure(evaluator, users, rng=1)
            values[name].append(found.value)
            covered[name] += found.low <= 0 <= found.high
    for name, found in values.items():
        assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(20)
        assert covered[name] >= 14


def test_chance_knows_popularity_from_taste(evaluator, strangers):
    chance = chance_of(evaluator)
    assert chance.popularity.sum() == pytest.approx(1)
    assert chance.reference.sum() == pytest.approx(1)
    assert chance.popularity_weight(chance.popularity) == 1
    again = chance_of(evaluator.with_held_out(evaluator.held_out, rng=2))  # other popularity users
    assert chance.popularity_weight(again.popularity) > 0.8
    real = evaluator.train.concat(evaluator.held_out)
    by_strangers = np.zeros(len(real))
    np.add.at(by_strangers, nearest(strangers.matrix, real.matrix)[1], 1 / len(strangers))
    assert chance.popularity_weight(by_strangers) < 0.4
    half = leaking(strangers, evaluator.train.matrix)  # 200 of 400 are copies
    value, _, _ = copying_excess(evaluator.train, evaluator.held_out, half, by_chance=chance)
    assert value == pytest.approx(0.5, abs=0.15)
