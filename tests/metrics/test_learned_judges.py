"""The combined and the adaptive judge: their level, what breaks it, and what they see."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import binom

from cornac_mle import HeldOutUsers, Popularity, TrainingUsers, compare
from cornac_mle.diagnostics.flagged_users import flagged_users
from cornac_mle.metrics import Evaluator, UnrealisticShare, UnrealisticUsers
from cornac_mle.metrics.adaptive_judge import fitted_classifier
from cornac_mle.null_models.corruption import chimera, popularity_draws, swap
from cornac_mle.plausibility.combined import CombinedJudge
from cornac_mle.plausibility.judge import FAMILIES, PlausibilityModel
from cornac_mle.plausibility.profile_features import blind_features, folds_of, profile_features
from cornac_mle.profiles import Profiles
from cornac_mle.stats.conformal import conformal_p_values
from worlds import taste_world

LEARNED = ("combined", "adaptive")


@pytest.fixture(scope="module")
def world():
    return taste_world(900, mean_size=12, seed=3)


@pytest.fixture(scope="module")
def evaluator(world):
    return Evaluator.fit(world[:250], world[range(250, 450)], world[range(450, 650)], rng=1)


@pytest.fixture(scope="module")
def judges(world):
    users = world.matrix[:200]
    return [PlausibilityModel.fit(users, family=family, rng=0) for family in FAMILIES]


def made(world, matrix):
    return Profiles.from_matrix(matrix, world.item_ids)


def flagged(judge, evaluator, users):
    return UnrealisticUsers(0.1, judge=judge).measure(evaluator, users, rng=1)


# Features --------------------------------------------------------------------------------------


def test_features_are_finite_and_of_the_profile_alone(world, judges):
    profiles = sp.csr_array(world.matrix[300:340])
    odd = sp.csr_array(sp.vstack([sp.csr_array((2, profiles.shape[1])), profiles]))
    found = profile_features(judges, odd)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_allclose(found[2:], profile_features(judges, profiles), atol=1e-4)
    backwards = profile_features(judges, profiles[np.arange(40)[::-1]])
    np.testing.assert_allclose(backwards[::-1], found[2:], atol=1e-4)


def test_blind_features_do_not_know_their_user(world, judges):
    """Of a user's own fold nothing is known: the nearest user is another one."""
    users = judges[0].predictor.reference
    blind = blind_features(judges, [users])[0]
    seen = profile_features(judges, users)
    nearest = seen.shape[1] - 3
    np.testing.assert_allclose(seen[:, nearest], 1, atol=1e-5)
    assert blind[:, nearest].max() < 0.95
    others = blind_features(judges, [users[::-1], users])
    np.testing.assert_allclose(others[1], blind, atol=1e-4)
    assert sum(fold.size for fold in folds_of(judges)) == users.shape[0]


def test_blind_features_are_distributed_as_those_of_new_users(world, judges):
    blind = blind_features(judges, [judges[0].predictor.reference])[0]
    new = profile_features(judges, world.matrix[200:900])
    gap = blind.mean(axis=0) - new.mean(axis=0)
    error = np.sqrt(blind.var(axis=0) / len(blind) + new.var(axis=0) / len(new))
    assert np.max(np.abs(gap) / np.maximum(error, 1e-9)) < 5


# Level -----------------------------------------------------------------------------------------


def p_values_of_new_users(seed, *, leak=False):
    """p-values of one new real user by both judges, taught by users of a world of its own."""
    users = taste_world(191, n_items=40, mean_size=8, seed=seed).matrix
    reference, known, calibration, test = (
        users[rows] for rows in (slice(40), slice(40, 100), slice(100, 190), slice(190, 191))
    )
    if leak:
        reference = known = calibration
    judges = [PlausibilityModel.fit(reference, family=one, rng=seed) for one in FAMILIES]
    synthetic = swap(known[:30], 0.5, popularity=np.ones(users.shape[1]), rng=seed)
    groups = [profile_features(judges, one) for one in (known, synthetic, calibration, test)]
    found = []
    for judge in (
        CombinedJudge.fit(judges, rng=seed).classifier,
        fitted_classifier(groups[0], groups[1]),
    ):
        scores = [-judge.decision_function(one) for one in groups[2:]]
        found.append(float(conformal_p_values(scores[1], scores[0])[0]))
    return found


@pytest.mark.slow
def test_new_users_are_flagged_at_the_level_and_a_leak_shows():
    n, n_leaked = 200, 50
    fair = np.array([p_values_of_new_users(seed) for seed in range(n)])
    leaked = np.array([p_values_of_new_users(seed, leak=True) for seed in range(n_leaked)])
    for place in range(2):
        for alpha in (0.05, 0.1):
            count = np.sum(fair[:, place] <= alpha)
            assert binom.ppf(1e-6, n, alpha) <= count <= binom.isf(1e-6, n, alpha)
        assert np.sum(leaked[:, place] <= 0.1) > binom.isf(1e-3, n_leaked, 0.1)


# What they see ---------------------------------------------------------------------------------


@pytest.mark.parametrize("judge", LEARNED)
def test_corruption_is_seen_and_real_users_are_not_flagged(judge, evaluator, world):
    fresh = world.matrix[650:850]
    counts = evaluator.train.item_counts
    real = flagged(judge, evaluator, made(world, fresh))
    assert real.value < 0.2
    assert real.p_value > 0.001
    swapped = [
        flagged(judge, evaluator, made(world, swap(fresh, share, popularity=counts, rng=1))).value
        for share in (0.25, 0.5)
    ]
    drawn = popularity_draws(counts, np.diff(fresh.indptr), rng=1)
    floor = flagged(judge, evaluator, made(world, drawn))
    assert real.value < swapped[0] < swapped[1] < floor.value
    assert floor.p_value < 1e-6
    assert floor.per_user.shape == (200,)


def test_training_users_are_no_better_and_no_worse_than_new_ones(evaluator, world):
    assert flagged("adaptive", evaluator, made(world, evaluator.train.matrix)).value < 0.15


def test_a_model_with_one_fault_of_its_own_is_seen_by_its_own_judge(evaluator, world):
    """Real profiles, a user in three repeated: one by one they are all plausible."""
    repeated = world.matrix[np.where(np.arange(200) % 3 == 0, 650, np.arange(650, 850))]
    fixed, adaptive = (
        flagged(judge, evaluator, made(world, repeated)).value for judge in ("ease", "adaptive")
    )
    assert fixed < 0.2
    assert adaptive > 0.25


def test_reference_users_teach_where_there_are_no_training_users(evaluator, world):
    alone = Evaluator.fit(None, evaluator.reference, evaluator.held_out, rng=1)
    real = flagged("adaptive", alone, made(world, world.matrix[650:850])).value
    chimeras = flagged("adaptive", alone, made(world, chimera(world.matrix[650:850], rng=1))).value
    assert real < 0.2
    assert chimeras > real


@pytest.mark.parametrize("judge", LEARNED)
def test_users_are_listed_by_each_judge(judge, evaluator, world):
    fresh = world.matrix[650:850].toarray()
    fresh[:100] = popularity_draws(
        evaluator.train.item_counts, fresh[:100].sum(axis=1).astype(int), rng=1
    ).toarray()
    table = flagged_users(evaluator, made(world, sp.csr_array(fresh)), q=0.2, judge=judge)
    flagged_rows = np.flatnonzero(table["flagged"])
    assert flagged_rows.size > 20
    assert np.mean(flagged_rows >= 100) < 0.35


@pytest.mark.parametrize("judge", LEARNED)
def test_shares_are_certified_by_each_judge(judge, evaluator, world):
    fresh = world.matrix[650:850]
    metric = UnrealisticShare(judge=judge)
    assert metric.name == f"UnrealisticShare ({judge})"
    real = metric.measure(evaluator, made(world, fresh), rng=1)
    assert real.value == real.ceiling == 0
    counts = evaluator.train.item_counts
    swapped = metric.measure(
        evaluator, made(world, swap(fresh, 0.5, popularity=counts, rng=1)), rng=1
    )
    fixed = UnrealisticShare().measure(
        evaluator, made(world, swap(fresh, 0.5, popularity=counts, rng=1)), rng=1
    )
    assert swapped.value > 0.8 * fixed.value > 0
    assert 0 < real.minimum_detectable < 1


def test_too_typical_has_no_adaptive_judge():
    with pytest.raises(ValueError, match="`tail` must be 'implausible'; got 'typical' for adapt"):
        UnrealisticUsers(judge="adaptive", tail="typical")


def test_without_power_it_says_so(evaluator, world):
    """Users like real ones teach nothing; swapped ones do. Models are told apart in the report."""
    metric = UnrealisticUsers(0.1, judge="adaptive")
    real = metric.measure(evaluator, made(world, world.matrix[650:850]), rng=1)
    assert abs(real.details["auc"] - 0.5) < 3 * real.details["auc_error"]
    assert metric.doubt(real).startswith("no power")
    swapped = swap(world.matrix[650:850], 0.5, popularity=evaluator.train.item_counts, rng=1)
    found = metric.measure(evaluator, made(world, swapped), rng=1)
    assert found.details["auc"] > 0.7
    assert metric.doubt(found) is None
    assert UnrealisticUsers(0.1).measure(evaluator, made(world, swapped), rng=1).details is None


def test_the_report_names_the_model_of_which_nothing_was_learnt():
    users = taste_world(500, mean_size=12, seed=4).to_frame()
    report = compare(
        [TrainingUsers(), Popularity()],
        HeldOutUsers(users, seed=1),
        metrics=[UnrealisticUsers(0.1, judge="adaptive")],
    )
    (caution,) = report.cautions.values()
    assert "TrainingUsers: no power" in caution
    assert "Popularity" not in caution
