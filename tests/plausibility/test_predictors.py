"""The three leave-one-out predictors: their algebra against the definition."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from cornac_mle.plausibility import _ease as ease_module
from cornac_mle.plausibility import _item_knn as knn_module
from cornac_mle.plausibility import predictor as predictor_module
from cornac_mle.plausibility._ease import EasePredictor
from cornac_mle.plausibility._item_knn import SHRINKAGE, ItemKnnPredictor
from cornac_mle.plausibility._regression import QuadraticRegression
from cornac_mle.plausibility._svd import SvdPredictor
from cornac_mle.plausibility.predictor import held_percentiles, unit_profiles
from naive_judge import rounded
from worlds import taste_world

RIDGE = 7.0
FIT = {
    "ease": lambda users: EasePredictor.at_each([RIDGE], users)[0],
    "item-knn": lambda users: ItemKnnPredictor.fit(users, 5),
    "svd": lambda users: SvdPredictor.fit(users, 4),
}
EASE_SHAPES = [(12, True), (60, False)]


def random_profiles(n_users, n_items, seed):
    likes = np.random.default_rng(seed).random((n_users, n_items)) < 0.3
    likes[:, :2] = True
    return sp.csr_array(likes.astype(np.float32))


def dense_inverse(reference):
    gram = (reference.T @ reference).toarray().astype(float)
    return np.linalg.inv(gram + RIDGE * np.eye(gram.shape[0]))


@pytest.fixture(params=FIT)
def fit(request):
    return FIT[request.param]


@pytest.mark.parametrize("n_users", [12, 60])
def test_an_item_has_no_say_in_its_own_score(fit, n_users):
    predictor = fit(random_profiles(n_users, 25, seed=0))
    weights = predictor.scores(unit_profiles(np.arange(25), 25))  # B itself
    np.testing.assert_allclose(np.diag(weights), 0, atol=1e-5)
    profiles = random_profiles(4, 25, seed=2)
    np.testing.assert_allclose(predictor.scores(profiles), profiles @ weights, atol=1e-4)


@pytest.mark.parametrize("n_users", [12, 60])
def test_leaving_users_out_equals_fitting_without_them(fit, n_users):
    reference = random_profiles(n_users, 25, seed=0)
    out = np.array([1, 4, 7])
    kept = np.setdiff1d(np.arange(n_users), out)
    found = fit(reference).without(out).scores(reference)
    np.testing.assert_allclose(found, fit(reference[kept]).scores(reference), atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [(EasePredictor, [3.0, RIDGE]), (ItemKnnPredictor, [2, 5]), (SvdPredictor, [2, 4])],
)
def test_settings_that_are_fitted_together_are_those_fitted_alone(kind, settings):
    reference, out = random_profiles(400, 25, seed=0), np.array([1, 4, 7])  # no ties
    together = kind.at_each(settings, reference)
    alone = [kind.at_each([setting], reference)[0] for setting in settings]
    without = list(kind.each_without(together, out))
    assert [one.setting for one in together] == [one.setting for one in without] == settings
    for one, other, left in zip(together, alone, without, strict=True):
        np.testing.assert_allclose(one.scores(reference), other.scores(reference), atol=1e-5)
        expected = other.without(out).scores(reference)
        np.testing.assert_allclose(left.scores(reference), expected, atol=1e-5)


def test_item_order_does_not_matter(fit):
    world = taste_world(300, seed=1).matrix
    order = np.random.default_rng(0).permutation(world.shape[1])
    shuffled = sp.csr_array(world[:, order])
    shuffled.sort_indices()
    expected = fit(world[:200]).scores(world[200:])
    found = fit(shuffled[:200]).scores(shuffled[200:])
    # Item-kNN cuts ties at the last neighbour by item number.
    off = np.mean(np.abs(found - expected[:, order]) > 2e-3)
    assert off < 0.02


@pytest.mark.parametrize(("n_users", "dual"), EASE_SHAPES)
def test_ease_inverse_and_its_diagonal_are_those_of_the_definition(n_users, dual):
    reference = random_profiles(n_users, 25, seed=0)
    profiles = random_profiles(5, 25, seed=1)
    predictor = FIT["ease"](reference)
    assert predictor.dual is dual
    expected = dense_inverse(reference)
    np.testing.assert_allclose(predictor.apply(profiles), profiles @ expected, atol=2e-6)
    np.testing.assert_allclose(predictor.diagonal, np.diag(expected), rtol=1e-9)


@pytest.mark.parametrize("n_users", [12, 60])
def test_ease_scores_at_held_items_are_leave_one_out(n_users):
    reference = random_profiles(n_users, 25, seed=0)
    scores = FIT["ease"](reference).scores(random_profiles(4, 25, seed=2))
    p = dense_inverse(reference)
    weights = -p / np.diag(p)
    np.fill_diagonal(weights, 0)
    dense = random_profiles(4, 25, seed=2).toarray()
    for user, item in zip(*np.nonzero(dense), strict=True):
        without = dense[user].copy()
        without[item] = 0
        assert scores[user, item] == pytest.approx(without @ weights[:, item], abs=1e-5)


def test_item_knn_is_the_naive_one(monkeypatch):
    monkeypatch.setattr("cornac_mle.plausibility._item_knn.BLOCK_ITEMS", 4)
    reference = random_profiles(40, 9, seed=3)
    dense = reference.toarray()
    weights = np.zeros((9, 9))
    for j in range(9):
        likeness = np.zeros(9)
        for i in range(9):
            if i != j:
                both = np.sum(dense[:, i] * dense[:, j])
                norm = np.sqrt(dense[:, i].sum() * dense[:, j].sum())
                likeness[i] = both / (norm + SHRINKAGE)
        nearest = np.argsort(-likeness)[:3]
        weights[nearest, j] = likeness[nearest]
    found = ItemKnnPredictor.fit(reference, 3).weights.toarray()
    np.testing.assert_allclose(found, weights, atol=1e-6)


def test_svd_scores_add_up_to_the_residual_norm():
    reference, profiles = random_profiles(60, 25, seed=0), random_profiles(5, 25, seed=1)
    v = np.linalg.svd(reference.toarray())[2][:4]
    y = profiles.toarray()
    residual = np.sum((y - y @ v.T @ v) ** 2, axis=1)
    scores = SvdPredictor.fit(reference, 4).scores(profiles)
    own = np.sum(v**2, axis=0)  # (VV')_jj
    np.testing.assert_allclose(np.sum(y * (1 - scores - own), axis=1), residual, atol=1e-4)


def test_percentiles_by_hand():
    profiles = sp.csr_array(np.array([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1]], np.float32))
    scores = np.array([[0.5, 0.9, 0.5, 0.1, 0.7], [1, 2, 3, 4, 5]], np.float32)
    # User 0 does not hold m = 3 items, with scores .5, .1, .7. Its item of score .5 is above one
    # and equal to one: (1 + 1/2 + 1/2) / 4 = 1/2. That of .9 is above three: (3 + 1/2) / 4 = 7/8.
    # User 1 holds everything: (0 + 0 + 1/2) / 1 = 1/2.
    expected = [1 / 2, 7 / 8, 1 / 2, 1 / 2, 1 / 2, 1 / 2, 1 / 2]
    np.testing.assert_allclose(held_percentiles(profiles, scores), expected)


def naive_percentiles(profiles, scores):
    found = []
    for row, one in zip(profiles.toarray(), rounded(scores), strict=True):
        others = one[row == 0]
        for score in one[row > 0]:
            less, equal = np.sum(others < score), np.sum(others == score)
            found.append((less + equal / 2 + 1 / 2) / (len(others) + 1))
    return found


def scores_of_kind(kind, shape, random):
    """Scores that a count may go wrong on: ties, zeros of both signs, all magnitudes."""
    normal = random.normal(size=shape)
    if kind == "whole":
        return np.round(normal)
    if kind == "mostly zero":
        return np.where(random.random(shape) < 0.7, 0, np.abs(normal))
    if kind == "zeros":
        return random.choice([0.0, -0.0, 1e-45, -1e-45, -1e-30, 3.0], shape)
    if kind == "all magnitudes":
        return normal * np.exp2(random.integers(-30, 20, shape))
    return normal * 10.0 ** random.integers(-8, 6)


@pytest.mark.parametrize("kind", ["plain", "whole", "mostly zero", "zeros", "all magnitudes"])
def test_percentiles_are_the_counted_ones(kind, monkeypatch):
    random = np.random.default_rng(3)
    for _ in range(40):
        shape = random.integers(1, 8), random.choice([1, 5, 40, 3_000])
        profiles = sp.csr_array((random.random(shape) < random.random()).astype(np.float32))
        scores = scores_of_kind(kind, shape, random).astype(np.float32)
        expected = naive_percentiles(profiles, scores)
        for entries in (1, 100, 2**17):
            monkeypatch.setattr(predictor_module, "COMPARED_ENTRIES", entries)
            np.testing.assert_array_equal(held_percentiles(profiles, scores), expected)


@pytest.mark.parametrize("left_out", [[], [1, 4, 7]])
def test_the_dual_of_ease_is_the_same_by_either_order_of_products(left_out, monkeypatch):
    predictor = EasePredictor.at_each([RIDGE], random_profiles(20, 25, seed=0))[0]
    if left_out:
        predictor = predictor.without(np.array(left_out))
    profiles = random_profiles(9, 25, seed=1)
    monkeypatch.setattr(ease_module, "BLOCK_USERS", 4)
    monkeypatch.setattr(ease_module, "BLOCK_ROWS", 7)
    found = []
    for cost in (0, 1e9):
        monkeypatch.setattr(ease_module, "SPARSE_COST", cost)
        found.append(predictor.scores(profiles))
    assert not np.array_equal(*found)  # two orders of products
    np.testing.assert_allclose(*found, atol=1e-6)


@pytest.mark.parametrize("family", ["ease", "item-knn", "svd"])
def test_scores_of_a_slice_are_those_of_all(family):
    predictor = FIT[family](random_profiles(20, 25, seed=0))
    profiles = random_profiles(9, 25, seed=1)
    found = predictor.scorer(profiles)(slice(3, 7))
    np.testing.assert_allclose(found, predictor.scores(profiles)[3:7], atol=1e-6)


def test_item_knn_scores_are_a_product_with_the_weights(monkeypatch):
    monkeypatch.setattr(knn_module, "BLOCK_VOTES", 40)
    predictor = ItemKnnPredictor.fit(random_profiles(60, 25, seed=0), 5)
    profiles = random_profiles(9, 25, seed=1)
    expected = (profiles @ predictor.weights).toarray()
    np.testing.assert_array_equal(predictor.scores(profiles), expected)
    again = pickle.loads(pickle.dumps(predictor))
    np.testing.assert_array_equal(again.scores(profiles), expected)


def test_the_explained_diagonal_sums_over_pairs_of_holders(monkeypatch):
    random = np.random.default_rng(1)
    users = sp.csr_array((random.random((30, 12)) < 0.4).astype(np.float32))
    core = random.normal(size=(30, 30))
    dense = users.toarray().astype(np.float64)
    expected = np.diag(dense.T @ core @ dense)
    for block in (7, 128):
        monkeypatch.setattr(ease_module, "BLOCK_USERS", block)
        found = ease_module._explained(sp.csr_array(users.T), core)
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("constant", [False, True])
def test_the_quadratic_regression_is_the_pipeline_of_scikit_learn(constant):
    random = np.random.default_rng(1)
    rows = random.normal(size=(400, 4)) * [3, 1, 2, 0.5] + [1, 0, 5, 3]
    if constant:  # users of one size
        rows[:, 3] = np.log(3.0)
    is_one = random.random(400) < 1 / (1 + np.exp(rows[:, 0] * rows[:, 1]))
    weight = np.where(is_one, 2.0, 1.0)
    pipeline = make_pipeline(
        StandardScaler(),
        PolynomialFeatures(degree=2, include_bias=False),
        StandardScaler(),
        LogisticRegression(solver="newton-cholesky", tol=1e-8),
    )
    pipeline.fit(rows, is_one, logisticregression__sample_weight=weight)
    new = random.normal(size=(50, 4)) + np.array([0, 0, 5, 3])
    if constant:
        new[:, 3] = np.log(3.0)
    expected = pipeline.decision_function(new)
    assert np.ptp(expected) > 1
    found = QuadraticRegression.fit(rows, is_one, weight).log_odds(new)
    np.testing.assert_allclose(found, expected, atol=1e-11)


def test_settings_fitted_together_and_alone_are_those_of_at_each(fit):
    kind = type(fit(random_profiles(60, 25, seed=0)))
    reference, profiles = random_profiles(60, 25, seed=3), random_profiles(9, 25, seed=4)
    together, alone = zip(*kind.together_and_alone([3, 8], reference), strict=True)
    for one, same in zip(together, kind.at_each([3, 8], reference), strict=True):
        np.testing.assert_array_equal(one.scores(profiles), same.scores(profiles))
    for setting, one in zip([3, 8], alone, strict=True):
        assert one.setting == setting
        (same,) = kind.at_each([setting], reference)
        np.testing.assert_allclose(one.scores(profiles), same.scores(profiles), atol=1e-5)


def test_item_knn_adds_votes_alike_one_by_one_and_by_products(monkeypatch):
    monkeypatch.setattr(knn_module, "PRODUCT_USERS", 4)
    predictor = ItemKnnPredictor.fit(random_profiles(60, 25, seed=0), 7)
    profiles = random_profiles(9, 25, seed=1)
    found = []
    for cost in (0, np.inf):
        monkeypatch.setattr(knn_module, "VOTE_COST", cost)
        found.append(predictor.scores(profiles))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_allclose(
        found[0], profiles.toarray() @ predictor.weights.toarray(), rtol=1e-5
    )


def test_item_knn_alone_cuts_ties_as_without_the_other_settings():
    likes = np.random.default_rng(5).random((40, 120)) < 0.15
    reference = sp.csr_array(likes.astype(np.float32))
    together, alone = zip(*ItemKnnPredictor.together_and_alone([5, 60], reference), strict=True)
    assert (together[0].weights != alone[0].weights).nnz > 20  # ties at the fifth neighbour
    for setting, one in zip([5, 60], alone, strict=True):
        (same,) = ItemKnnPredictor.at_each([setting], reference)
        assert (one.weights != same.weights).nnz == 0
