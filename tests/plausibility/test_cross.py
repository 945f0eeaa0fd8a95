"""Judges whom all real users teach and calibrate: blindness, level, power."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import binom

from cornac_mle.metrics import Evaluator, UnrealisticUsers
from cornac_mle.null_models.corruption import swap
from cornac_mle.plausibility.cross import CROSS_FOLDS, CrossJudge
from cornac_mle.plausibility.judge import PlausibilityModel
from cornac_mle.profiles import Profiles
from cornac_mle.stats.conformal import conformal_p_values
from worlds import taste_world


@pytest.fixture(scope="module")
def world():
    return taste_world(700, seed=5)


@pytest.fixture(scope="module")
def judge(world):
    return CrossJudge.fit(world.matrix[:100], rng=0)


@pytest.fixture(scope="module")
def evaluator(world):
    return Evaluator.fit(world[:200], world[range(200, 260)], world[range(260, 320)], rng=1)


def made(world, matrix):
    return Profiles.from_matrix(matrix, world.item_ids)


def test_p_values_are_what_their_definition_says(world, judge):
    new = world.matrix[100:112]
    calibrating = np.arange(0, 100, 3)
    for row, got in enumerate(judge.p_values(judge.scores(new), calibrating)):
        count = 0
        for fold, of_fold in zip(judge.folds, judge.judges, strict=True):
            mine = of_fold.score(new[[row]])[0]
            for user in fold:
                if user in calibrating:
                    count += of_fold.score(judge.real[[user]])[0] <= mine + 1e-9
        assert got == pytest.approx((1 + count) / (1 + calibrating.size), abs=1e-12)


def test_folds_hold_every_user_once_and_no_judge_has_seen_its_own(judge):
    np.testing.assert_array_equal(np.sort(np.concatenate(judge.folds)), np.arange(100))
    for fold, one in zip(judge.folds, judge.judges, strict=True):
        rest = sp.csr_array(judge.real[np.setdiff1d(np.arange(100), fold)])
        np.testing.assert_array_equal(one.user_counts, rest.sum(axis=0))


def test_a_real_user_is_judged_by_what_is_blind_to_its_fold(judge):
    """Other users in a fold change no score that the fold's own users are tested by."""
    one, two = judge.folds[0], judge.folds[1]
    before = judge.pair_scores()
    assert np.isnan(before[one, 0]).all()
    assert np.isfinite(before[one, 1:]).all()
    real = sp.lil_array(judge.real)
    gone = one[1:]
    real[gone] = judge.real[judge.folds[2][: gone.size]]
    after = CrossJudge(
        sp.csr_array(real), judge.folds, judge.judges, judge.own_scores, "ease", False, judge.seed
    ).pair_scores()
    np.testing.assert_allclose(after[one[0], 1:], before[one[0], 1:], atol=1e-6)
    np.testing.assert_allclose(after[two, 0], before[two, 0], atol=1e-6)
    assert not np.allclose(after[two, 2:], before[two, 2:], atol=1e-3)


def test_p_values_of_real_users_are_those_of_new_ones(judge):
    """A user of fold l: the judge of the other folds, fitted without l, gives the same p-value."""
    tested, calibrating = judge.folds[0][:4], np.setdiff1d(np.arange(100), judge.folds[0])
    pairs = judge.pair_scores()
    others = tuple(range(1, CROSS_FOLDS))
    for user, got in zip(tested, judge.real_p_values(pairs, tested, calibrating), strict=True):
        count = sum(np.sum(pairs[judge.folds[other], 0] <= pairs[user, other]) for other in others)
        assert got == (1 + count) / (1 + calibrating.size)


@pytest.mark.slow
def test_a_new_user_is_flagged_at_about_the_level_and_a_leak_shows():
    n, n_leaked, alpha = 300, 60, 0.1
    found, leaked = [], []
    for seed in range(n):
        users = taste_world(101, n_items=40, mean_size=8, seed=seed).matrix
        cross = CrossJudge.fit(users[:100], rng=seed)
        found.append(cross.p_values(cross.scores(users[100:]), np.arange(100))[0])
        if seed < n_leaked:
            seen = PlausibilityModel.fit(users[:100], rng=seed)
            scores = [seen.score(part) for part in (users[100:], users[:100])]
            leaked.append(conformal_p_values(*scores)[0])
    flagged = np.sum(np.asarray(found) <= alpha)
    proved = 2 * (alpha * 101 + CROSS_FOLDS - 1) / (100 + CROSS_FOLDS)
    assert binom.ppf(1e-6, n, alpha) <= flagged <= binom.isf(1e-6, n, alpha)
    assert flagged <= binom.isf(1e-6, n, proved)
    assert np.sum(np.asarray(leaked) <= alpha) > binom.isf(1e-3, n_leaked, alpha)


def test_swapped_users_are_found_and_real_ones_get_the_level(world, evaluator):
    metric = UnrealisticUsers(0.1, judge_users="cross")
    fresh = world.matrix[320:620]
    real = metric.measure(evaluator, made(world, fresh), rng=1)
    assert real.value < 0.2
    assert real.ceiling < 0.2
    assert real.p_value > 0.001
    swapped = swap(fresh, 0.5, popularity=evaluator.train.item_counts, rng=1)
    found = metric.measure(evaluator, made(world, swapped), rng=1)
    assert found.value > real.value + 0.3
    assert found.floor > real.value + 0.3
    assert found.p_value < 1e-4
    assert np.mean(found.per_user <= 0.1) == pytest.approx(found.value, abs=0.1)


def test_training_users_have_no_part(world, evaluator):
    """With others in their place nothing changes; a judge that they teach would trust copies."""
    metric = UnrealisticUsers(0.1, judge_users="cross")
    swapped = swap(evaluator.train.matrix, 0.5, popularity=evaluator.train.item_counts, rng=1)
    users = made(world, swapped)
    other = Evaluator.fit(world[400:600], evaluator.reference, evaluator.held_out, rng=1)
    found, again = (metric.measure(one, users, rng=1).per_user for one in (evaluator, other))
    np.testing.assert_array_equal(found, again)
    groups = [users.matrix, evaluator.reference.matrix, evaluator.held_out.matrix]
    taught = CrossJudge.fit(sp.csr_array(sp.vstack(groups, format="csr")), rng=1)
    trusting = taught.p_values(taught.scores(users.matrix), np.arange(200, 320))
    assert np.mean(trusting <= 0.1) < np.mean(found <= 0.1) - 0.2


def test_the_name_says_so_and_options_that_do_not_go_with_it_are_refused(world, evaluator):
    assert UnrealisticUsers(judge_users="cross").name == "UnrealisticUsers@0.05 (cross)"
    with pytest.raises(ValueError, match="`judge_users` must be one of 'reference', 'cross'"):
        UnrealisticUsers(judge_users="all")
    for option in ({"judge": "worst"}, {"conditional": True}, {"tail": "typical"}):
        with pytest.raises(ValueError, match=f"`{next(iter(option))}` must be"):
            UnrealisticUsers(judge_users="cross", **option)
