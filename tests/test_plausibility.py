"""The judge of profiles: its algebra, its invariances, its error rate and its power."""

import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import binom

from cornac_mle import plausibility
from cornac_mle.leave_one_out import RidgeInverse, held_percentiles, leave_one_out_scores
from cornac_mle.nulls import chimera, popularity_draws, swap
from cornac_mle.plausibility import PlausibilityModel, conformal_p_values
from worlds import taste_world

RIDGE = 7.0


def random_profiles(n_users, n_items, seed):
    likes = np.random.default_rng(seed).random((n_users, n_items)) < 0.3
    likes[:, :2] = True
    return sp.csr_array(likes.astype(np.float32))


def dense_inverse(reference):
    gram = (reference.T @ reference).toarray().astype(float)
    return np.linalg.inv(gram + RIDGE * np.eye(gram.shape[0]))


@pytest.fixture(scope="module")
def world():
    return taste_world(900, seed=1).matrix


@pytest.fixture(scope="module")
def judge(world):
    return PlausibilityModel.fit(world[:300], rng=0)


# The algebra -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_users", "dual"), [(12, True), (60, False)])
def test_the_inverse_and_its_diagonal_are_those_of_the_definition(n_users, dual):
    reference = random_profiles(n_users, 25, seed=0)
    profiles = random_profiles(5, 25, seed=1)
    inverse = RidgeInverse.at_each([RIDGE], reference)[0]
    assert inverse.dual is dual
    expected = dense_inverse(reference)
    np.testing.assert_allclose(inverse.apply(profiles), profiles @ expected, atol=2e-6)
    np.testing.assert_allclose(inverse.diagonal, np.diag(expected), rtol=1e-9)


@pytest.mark.parametrize("n_users", [12, 60])
def test_leaving_users_out_equals_refitting_without_them(n_users):
    reference = random_profiles(n_users, 25, seed=0)
    out = np.array([1, 4, 7])
    kept = np.setdiff1d(np.arange(n_users), out)
    inverse = RidgeInverse.at_each([RIDGE], reference)[0].without(out)
    expected = dense_inverse(reference[kept])
    np.testing.assert_allclose(inverse.apply(reference), reference @ expected, atol=2e-6)
    np.testing.assert_allclose(inverse.diagonal, np.diag(expected), rtol=1e-5)


@pytest.mark.parametrize("n_users", [12, 60])
def test_scores_at_held_items_are_leave_one_out(n_users):
    reference = random_profiles(n_users, 25, seed=0)
    inverse = RidgeInverse.at_each([RIDGE], reference)[0]
    scores = leave_one_out_scores(random_profiles(4, 25, seed=2), inverse)
    p = dense_inverse(reference)
    weights = -p / np.diag(p)
    np.fill_diagonal(weights, 0)
    dense = random_profiles(4, 25, seed=2).toarray()
    for user, item in zip(*np.nonzero(dense), strict=True):
        without = dense[user].copy()
        without[item] = 0
        assert scores[user, item] == pytest.approx(without @ weights[:, item], abs=1e-5)


def test_percentiles_by_hand():
    profiles = sp.csr_array(np.array([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1]], np.float32))
    scores = np.array([[0.5, 0.9, 0.5, 0.1, 0.7], [1, 2, 3, 4, 5]], np.float32)
    # User 0 does not hold m = 3 items, with scores .5, .1, .7. Its item of score .5 is above one
    # and equal to one: (1 + 1/2 + 1/2) / 4 = 1/2. That of .9 is above three: (3 + 1/2) / 4 = 7/8.
    # User 1 holds everything: (0 + 0 + 1/2) / 1 = 1/2.
    expected = [1 / 2, 7 / 8, 1 / 2, 1 / 2, 1 / 2, 1 / 2, 1 / 2]
    np.testing.assert_allclose(held_percentiles(profiles, scores), expected)


# p-values --------------------------------------------------------------------------------------


def test_conformal_p_values_by_hand():
    # Ties count: of 1, 2, 2, 4 three are <= 2, so p = (1 + 3) / (1 + 4).
    found = conformal_p_values([2, 1.5, 0, 4, -np.inf], [4, 2, 1, 2])
    np.testing.assert_allclose(found, [4 / 5, 2 / 5, 1 / 5, 1, 1 / 5])


@pytest.mark.parametrize(
    ("scores", "calibration", "message"),
    [
        ([1.0], [], "`calibration` must hold at least 1 score"),
        ([np.nan], [1.0], "`scores` must be free of NaN"),
        ([1.0], [np.nan], "`calibration` must be free of NaN"),
    ],
)
def test_p_values_refuse_what_has_no_order(scores, calibration, message):
    with pytest.raises(ValueError, match=message):
        conformal_p_values(scores, calibration)


# The judge -------------------------------------------------------------------------------------


def test_empty_and_one_item_profiles_get_the_lowest_score(world, judge):
    profiles = sp.csr_array(np.zeros((3, world.shape[1]), np.float32))
    profiles = sp.csr_array(sp.vstack([profiles[:1], np.eye(1, world.shape[1]), world[400:401]]))
    scores = judge.score(profiles)
    assert scores[0] == scores[1] == -np.inf
    assert np.isfinite(scores[2])
    p = conformal_p_values(scores, judge.score(world[300:600]))
    np.testing.assert_allclose(p[:2], 1 / 301)


def test_a_score_depends_on_the_items_of_the_profile_alone(world, judge, monkeypatch):
    profiles = world[300:500]
    scores = judge.score(profiles)
    backwards = judge.score(profiles[np.arange(200)[::-1]])
    np.testing.assert_allclose(backwards[::-1], scores, atol=1e-4)
    monkeypatch.setattr(plausibility, "BLOCK_USERS", 7)
    np.testing.assert_allclose(judge.score(profiles), scores, atol=1e-4)
    np.testing.assert_array_equal(judge.score(5 * profiles), judge.score(profiles))


def test_item_order_does_not_matter(world, judge):
    order = np.random.default_rng(0).permutation(world.shape[1])
    shuffled = sp.csr_array(world[:, order])
    shuffled.sort_indices()
    inverse = RidgeInverse.at_each([judge.inverse.ridge], shuffled[:300])[0]
    expected = leave_one_out_scores(
        world[300:500], RidgeInverse.at_each([judge.inverse.ridge], world[:300])[0]
    )
    found = leave_one_out_scores(shuffled[300:500], inverse)
    np.testing.assert_allclose(found, expected[:, order], atol=1e-5)
    moved = PlausibilityModel(
        inverse,
        judge.user_counts[order],
        judge.judge,
        judge.location,
        judge.log_scale,
        judge.bounds,
    )
    in_training_order = RidgeInverse.at_each([judge.inverse.ridge], world[:300])[0]
    still = PlausibilityModel(
        in_training_order,
        judge.user_counts,
        judge.judge,
        judge.location,
        judge.log_scale,
        judge.bounds,
    )
    np.testing.assert_allclose(
        moved.score(shuffled[300:500]), still.score(world[300:500]), atol=1e-3
    )


def test_fitting_is_repeatable_and_leaves_its_input_alone(world, judge):
    before = world.copy()
    again = PlausibilityModel.fit(world[:300], rng=0)
    np.testing.assert_array_equal(again.score(world[300:400]), judge.score(world[300:400]))
    np.testing.assert_array_equal(before.indices, world.indices)
    np.testing.assert_array_equal(before.data, world.data)


def test_power_grows_with_the_share_swapped(world, judge):
    real = judge.score(world[300:])
    popularity = np.bincount(world[:300].indices, minlength=world.shape[1])
    flagged = []
    for share in (0.0, 0.1, 0.25, 0.5, 1.0):
        users = swap(world[300:], share, popularity=popularity, rng=1)
        flagged.append(np.mean(conformal_p_values(judge.score(users), real) <= 0.05))
    assert flagged == sorted(flagged)
    assert flagged[0] <= 0.05
    # One taste of four, 15 items: half of them strangers is plain to see.
    assert flagged[3] > 0.5
    joined = judge.score(chimera(world[300:], rng=2))
    assert np.mean(conformal_p_values(joined, real) <= 0.05) > 0.15


def test_uniformly_random_profiles_are_implausible(world, judge):
    real = judge.score(world[300:])
    sizes = np.diff(world[300:].indptr)
    uniform = judge.score(popularity_draws(np.ones(world.shape[1]), sizes, rng=0))
    assert np.mean(conformal_p_values(uniform, real) <= 0.05) > 0.9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda judge, world: PlausibilityModel.fit(world[:19], rng=0),
            "`reference` must hold at least 20 users of 2 items or more; got 19",
        ),
        (
            lambda judge, world: judge.score(world[:, :5]),
            "`profiles` must have the 120 items of the reference users; got 5 items",
        ),
    ],
)
def test_wrong_arguments_are_named(judge, world, call, message):
    with pytest.raises(ValueError, match=message):
        call(judge, world)


# Type I error ----------------------------------------------------------------------------------

N_SPLITS = 120
ALPHAS = (0.05, 0.10, 0.20)


def rejections(*, leak):
    """Rejected test users by alpha, one test user a split: 100 reference, 39 calibration users.

    With `leak`, the judge has been fitted on the calibration users too.
    """
    users = taste_world(400, n_items=80, seed=2).matrix
    rejected = np.zeros(len(ALPHAS), dtype=int)
    for seed in range(N_SPLITS):
        order = np.random.default_rng(seed).permutation(users.shape[0])
        reference, calibration, test = order[:100], order[100:139], order[139:140]
        seen = calibration if leak else reference
        fitted = PlausibilityModel.fit(users[seen], rng=seed)
        p = conformal_p_values(fitted.score(users[test]), fitted.score(users[calibration]))
        rejected += p[0] <= np.array(ALPHAS)
    return rejected


def test_real_users_are_flagged_no_more_often_than_alpha(monkeypatch):
    monkeypatch.setattr(plausibility, "RIDGES", (30.0,))
    # P(p <= alpha) = floor(40 alpha) / 40 = alpha, exactly, where no scores tie.
    for alpha, count in zip(ALPHAS, rejections(leak=False), strict=True):
        assert binom.sf(count - 1, N_SPLITS, alpha) > 1e-6
        assert binom.cdf(count, N_SPLITS, alpha) > 1e-6


def test_a_judge_that_has_seen_the_calibration_users_is_caught(monkeypatch):
    monkeypatch.setattr(plausibility, "RIDGES", (30.0,))
    chances = [
        binom.sf(count - 1, N_SPLITS, alpha)
        for alpha, count in zip(ALPHAS, rejections(leak=True), strict=True)
    ]
    assert min(chances) < 1e-6


# The power table -------------------------------------------------------------------------------

# Share flagged at .05 by the plain mean logit of EASE percentiles, and its standard error.
BASELINE = {
    "complete_journey": {
        "popularity": (0.460, 0.035),
        "chimera": (0.240, 0.016),
        "swap 10%": (0.111, 0.007),
        "swap 25%": (0.227, 0.016),
        "swap 50%": (0.384, 0.029),
    },
    "movielens_100k": {
        "popularity": (0.670, 0.058),
        "chimera": (0.163, 0.024),
        "swap 10%": (0.061, 0.007),
        "swap 25%": (0.139, 0.018),
        "swap 50%": (0.385, 0.045),
    },
    "lastfm": {
        "popularity": (0.880, 0.042),
        "chimera": (0.230, 0.024),
        "swap 10%": (0.108, 0.010),
        "swap 25%": (0.271, 0.025),
        "swap 50%": (0.658, 0.052),
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BASELINE))
def test_power_is_not_below_the_baseline(name, shared_data, monkeypatch):
    monkeypatch.setattr(
        sys, "path", [*sys.path, str(Path(__file__).resolve().parents[1] / "experiments")]
    )
    import power

    profiles = power.load(name, shared_data)
    splits = [power.flagged_shares(profiles, seed=seed) for seed in range(10)]
    for corruption, (share, error) in BASELINE[name].items():
        assert np.mean([split[corruption] for split in splits]) > share - 2 * error
    assert 0.03 < np.mean([split["real"] for split in splits]) < 0.07
