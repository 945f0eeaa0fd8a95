"""The judge of profiles: its algebra, its invariances, its error rate and its power."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import binom

from cornac_mle.null_models.corruption import chimera, popularity_draws, swap
from cornac_mle.plausibility import _ease as ease_predictor
from cornac_mle.plausibility import judge as plausibility
from cornac_mle.plausibility.judge import PlausibilityModel
from cornac_mle.stats.conformal import conformal_p_values
from paths import EXPERIMENTS
from worlds import taste_world


@pytest.fixture(scope="module")
def world():
    return taste_world(900, seed=1).matrix


@pytest.fixture(scope="module")
def judge(world):
    return PlausibilityModel.fit(world[:300], rng=0)


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


@pytest.mark.parametrize("family", plausibility.FAMILIES)
def test_scores_do_not_depend_on_the_threads(family, world, monkeypatch):
    found = []
    monkeypatch.setattr(plausibility, "BLOCK_USERS", 32)
    monkeypatch.setattr(plausibility, "PREPARED_USERS", 64)
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        judge = PlausibilityModel.fit(world[:300], family=family, rng=0)
        found.append(judge.describe(world[300:500]))
    np.testing.assert_array_equal(*found)


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


@pytest.mark.parametrize("family", ["ease", "item-knn", "svd"])
def test_every_family_tells_planted_users(world, family):
    """At .05, half of the items of a user being popularity draws is plain to see."""
    fitted = PlausibilityModel.fit(world[:300], family=family, rng=0)
    real = fitted.score(world[300:])
    popularity = np.bincount(world[:300].indices, minlength=world.shape[1])
    planted = fitted.score(swap(world[300:], 0.5, popularity=popularity, rng=1))
    assert np.mean(conformal_p_values(planted, real) <= 0.05) > 0.4
    assert fitted.reference_scores.shape == (300,)
    # Cross-fitted scores of reference users are those of users who were not seen.
    assert abs(np.median(fitted.reference_scores) - np.median(real)) < 0.3


def test_beyond_both_limits_some_of_the_users_judge(world, monkeypatch):
    """More users and items than the limit: the memory of the judge is that of the limit."""
    monkeypatch.setattr(plausibility, "MAX_USERS", 80)
    fitted = PlausibilityModel.fit(world[:300], rng=0)
    assert fitted.predictor.reference.shape == (80, world.shape[1])
    assert fitted.predictor.core.shape == (80, 80)
    real = fitted.score(world[300:])
    sizes = np.diff(world[300:].indptr)
    uniform = fitted.score(popularity_draws(np.ones(world.shape[1]), sizes, rng=0))
    assert np.mean(conformal_p_values(uniform, real) <= 0.05) > 0.7


def test_unknown_families_are_refused(world):
    with pytest.raises(ValueError, match="`family` must be one of 'ease', 'item-knn', 'svd'; got"):
        PlausibilityModel.fit(world[:300], family="knn", rng=0)


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
    monkeypatch.setattr(ease_predictor, "RIDGES", (30.0,))
    # P(p <= alpha) = floor(40 alpha) / 40 = alpha, exactly, where no scores tie.
    for alpha, count in zip(ALPHAS, rejections(leak=False), strict=True):
        assert binom.sf(count - 1, N_SPLITS, alpha) > 1e-6
        assert binom.cdf(count, N_SPLITS, alpha) > 1e-6


def test_a_judge_that_has_seen_the_calibration_users_is_caught(monkeypatch):
    monkeypatch.setattr(ease_predictor, "RIDGES", (30.0,))
    probabilities = [
        binom.sf(count - 1, N_SPLITS, alpha)
        for alpha, count in zip(ALPHAS, rejections(leak=True), strict=True)
    ]
    assert min(probabilities) < 1e-6


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
    monkeypatch.setattr(sys, "path", [*sys.path, str(EXPERIMENTS)])
    import power

    profiles = power.load(name, shared_data)
    splits = [
        power.flagged_shares(power.judged_split(profiles, seed=seed), seed=seed)
        for seed in range(10)
    ]
    for corruption, (share, error) in BASELINE[name].items():
        assert np.mean([split[corruption] for split in splits]) > share - 2 * error
    assert 0.03 < np.mean([split["real"] for split in splits]) < 0.07


def test_users_who_hold_everything_teach_nothing():
    everyone = sp.csr_array(np.ones((40, 6), dtype=np.float32))
    with pytest.raises(ValueError, match="`reference` must hold users who lack an item; got none"):
        PlausibilityModel.fit(everyone, rng=1)
