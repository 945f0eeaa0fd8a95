"""Fold-in of each family of Cornac models against an exact answer, and the table of families."""

import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from cornac import models
from cornac.eval_methods import BaseMethod
from cornac.metrics import NDCG
from cornac.models import Recommender
from cornac.models.knn.recom_knn import compute_score
from scipy.optimize import minimize, nnls
from scipy.special import logit, logsumexp

from cornac_mle.adapters import ADAPTERS, OTHERS, Adapter, adapter_of, register, unseen_scores
from cornac_mle.adapters import _positive_factors as positive_factors
from cornac_mle.adapters._knn import UserSimilarities, centred_rows
from cornac_mle.adapters._nearest_means import NearestMeans, blocks
from cornac_mle.adapters._positive_factors import poisson_fold_in
from cornac_mle.adapters._probable_points import likely_points, ridge, temperature
from cornac_mle.adapters._rows import nearest_users
from cornac_mle.eval_methods.held_out_users import HeldOutUsers
from cornac_mle.models.fold_in import fold_in_scores
from cornac_mle.profiles import Profiles
from cornac_mle.sampling.item_holdout import hold_out_share
from worlds import profiles, rated, taste_world

# Cornac says that a model is fitted again.
pytestmark = pytest.mark.filterwarnings("ignore:Model is already fitted:UserWarning")

WORLD = rated(taste_world(110, n_items=104, mean_size=12, seed=3))
TRAIN, NEW = WORLD[:80], WORLD[80:]
DATA = TRAIN.to_dataset(seed=1)
N_ITEMS = 104
NETWORK = {"backend": "pytorch", "seed": 1, "verbose": False, "num_epochs": 2}

FAMILIES = {
    "MostPop": models.MostPop,
    "BaselineOnly": lambda: models.BaselineOnly(seed=1),
    "PMF": lambda: models.PMF(k=3, seed=1),
    "PMF linear": lambda: models.PMF(k=3, variant="linear", seed=1),
    "MF": lambda: models.MF(k=3, seed=1),
    "SVD": lambda: models.SVD(k=3, seed=1),
    "NMF": lambda: models.NMF(k=3, seed=1),
    "BPR": lambda: models.BPR(k=3, learning_rate=0.05, seed=1),
    "WBPR": lambda: models.WBPR(k=3, learning_rate=0.05, seed=1),
    "MMMF": lambda: models.MMMF(k=3, seed=1),
    "HPF": lambda: models.HPF(k=3, seed=1),
    "EASE": lambda: models.EASE(verbose=False),
    "ItemKNN": lambda: models.ItemKNN(verbose=False, seed=1),
    "UserKNN": lambda: models.UserKNN(k=80, verbose=False, seed=1),
    "SKMeans": lambda: models.SKMeans(k=3, verbose=False, seed=1),
    "VAECF": lambda: models.VAECF(k=3, n_epochs=5, seed=1),
    "VAECF bern": lambda: models.VAECF(k=3, n_epochs=5, likelihood="bern", seed=1),
    "BiVAECF": lambda: models.BiVAECF(k=3, n_epochs=5, seed=1),
    "RecVAE": lambda: models.RecVAE(hidden_dim=10, latent_dim=3, n_epochs=2, use_gpu=False, seed=1),
    "GMF": lambda: models.GMF(**NETWORK),
    "MLP": lambda: models.MLP(layers=(16, 8), **NETWORK),
    "NeuMF": lambda: models.NeuMF(layers=(16, 8), **NETWORK),
    "IBPR": lambda: models.IBPR(k=3, max_iter=2),
}
ENCODERS = ("MostPop", "EASE", "ItemKNN", "UserKNN", "SKMeans", "VAECF", "VAECF bern", "RecVAE")
"""What they hold of a training user is a function of its profile."""
POINTS = tuple(name for name in FAMILIES if name not in ("EASE", "ItemKNN", "UserKNN"))


@pytest.fixture(scope="module")
def fitted():
    """Each family fitted once, when first asked for."""
    kept: dict[str, Recommender] = {}

    def get(name: str) -> Recommender:
        if name not in kept:
            kept[name] = FAMILIES[name]().fit(DATA)
            if name == "RecVAE":
                kept[name].recvae_model.eval()  # Cornac leaves dropout on
        return kept[name]

    return get


def own_scores(model: Recommender, n_users: int = 80) -> np.ndarray:
    return np.array([np.ravel(model.score(user)) for user in range(n_users)])


def assert_near(found: np.ndarray, expected: np.ndarray, rtol: float = 1e-12, atol: float = 1e-12):
    """Compare large arrays, of which pytest.approx looks at one number after the other."""
    np.testing.assert_allclose(found, expected, rtol, atol, equal_nan=False)


def row_of(user: int, world: Profiles = NEW) -> tuple[np.ndarray, np.ndarray]:
    part = slice(world.matrix.indptr[user], world.matrix.indptr[user + 1])
    return world.matrix.indices[part], world.matrix.data[part].astype(np.float64)


# ---------------------------------------------------------------------------------- all families


@pytest.mark.parametrize("name", POINTS)
def test_scores_of_the_training_users_points_have_the_models_own_order(name, fitted):
    model = fitted(name)
    adapter = adapter_of(model)
    scores = adapter.scores(model, adapter.points(model))
    assert scores.shape == (80, N_ITEMS)
    own = own_scores(model)
    for ours, theirs in zip(scores, own, strict=True):
        best = np.argsort(-theirs, kind="stable")
        # In the model's order ours never rise, but for the last digits of float32 networks.
        steps = np.diff(ours[best])
        assert steps.max(initial=0) <= 2e-5 * max(1.0, np.abs(ours).max())
        if np.ptp(theirs) > 1e-4:
            assert np.ptp(ours) > 0


@pytest.mark.parametrize("name", ENCODERS)
def test_a_training_user_folded_in_gets_what_cornac_says_of_it(name, fitted):
    model = fitted(name)
    folded = fold_in_scores(model, TRAIN)
    own = own_scores(model)
    if name.startswith("VAECF"):  # ours are log-rates, theirs their sigmoids
        assert np.exp(folded) == pytest.approx(own / (1 - own if "bern" in name else 1), rel=1e-4)
    elif name == "RecVAE":  # a constant for each user apart
        assert np.ptp(folded - own, axis=1).max() < 1e-4
    else:
        assert folded == pytest.approx(own, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_users_do_not_depend_on_who_else_is_folded_in(name, fitted):
    model = fitted(name)
    together = fold_in_scores(model, NEW)
    assert np.isfinite(together).all()
    alone = np.concatenate([fold_in_scores(model, NEW[[user]]) for user in (4, 9)])
    assert alone == pytest.approx(together[[4, 9]], rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_has_an_adapter_that_names_it(name, fitted):
    assert name.split()[0] in adapter_of(fitted(name)).family


# --------------------------------------------------------------------------- EASE, KNN, SKMeans


def test_ease_is_the_profile_times_its_weights(fitted):
    model = fitted("EASE")
    expected = NEW.matrix.toarray().astype(float) @ np.asarray(model.B)
    assert np.allclose(fold_in_scores(model, NEW), expected)


def without_items_of_nobody(world: Profiles):
    """Data as they come: weights by frequency, in Cornac, divide by each item's holders."""
    return world.align(world.item_ids[world.item_counts > 0]).to_dataset(seed=1)


KNN_DATA = {
    "ratings": without_items_of_nobody(TRAIN),
    "likes": without_items_of_nobody(taste_world(80, seed=3)),
}
KNN_SETTINGS = [
    {"similarity": similarity, "weighting": weighting, "mean_centered": centred, "amplify": power}
    for similarity in ("cosine", "pearson")
    for weighting in (None, "idf", "bm25")
    for centred, power in ((False, 1.0), (True, 2.0))
]


@pytest.mark.parametrize("values", KNN_DATA)
@pytest.mark.parametrize("settings", KNN_SETTINGS)
@pytest.mark.parametrize("k", [4, 80])
@pytest.mark.parametrize("kind", [models.ItemKNN, models.UserKNN])
def test_neighbours_give_a_training_user_cornacs_own_scores(kind, k, settings, values):
    """With ratings and with likes, with more neighbours than count and with fewer.

    Similarities are Cornac's to the last digit, so those who tie are the same: of likes, where most
    similarities are 1 but for the last digit, and of ratings with few items in common.
    """
    data = KNN_DATA[values]
    model = kind(k=k, verbose=False, seed=1, **settings).fit(data)
    train = Profiles.from_dataset(data)
    folded = unseen_scores(model, train.matrix, train.matrix, None)
    assert_near(folded, own_scores(model))
    if kind is models.UserKNN:
        similar = UserSimilarities(model, sp.csr_array(model.iu_mat.T.tocsr()))
        # Cornac amplifies one number at a time, by another routine.
        last_digit = 0 if settings["amplify"] == 1 else 4e-16
        assert_near(similar.of(train.matrix), model.sim_mat.toarray(), rtol=last_digit, atol=0)


def cornacs_means(by_user, weights, columns, k):
    """Cornac's routine for one target after the other."""
    parts = columns.indptr, columns.indices, columns.data
    result = np.zeros((len(weights), columns.shape[0]))
    for row, own in zip(result, weights, strict=True):
        compute_score(by_user, own.copy(), *parts, k=k, num_threads=1, output=row)
    return result


@pytest.mark.parametrize("settings", KNN_SETTINGS)
@pytest.mark.parametrize("kind", [models.ItemKNN, models.UserKNN])
def test_neighbours_of_parts_of_profiles_are_cornacs(kind, settings, monkeypatch):
    """Users with a part hidden, who are no neighbours of themselves, in blocks of any size."""
    data = KNN_DATA["ratings"]
    model = kind(k=4, verbose=False, seed=1, **settings).fit(data)
    train = Profiles.from_dataset(data).matrix
    own = np.array([7, 3, 3, 50, 11])
    shown, _ = hold_out_share(train[own], 0.4, np.random.default_rng(1))
    centred, means = centred_rows(model, shown)
    if kind is models.ItemKNN:
        expected = cornacs_means(False, centred.toarray(), sp.csr_matrix(model.sim_mat), 4)
    else:
        similar = UserSimilarities(model, sp.csr_array(model.iu_mat.T.tocsr())).of(shown)
        similar[np.arange(5), own] = 0
        expected = cornacs_means(True, similar, sp.csr_matrix(model.iu_mat), 4)
    for block in (1, 250, 2**22):
        monkeypatch.setattr("cornac_mle.adapters._nearest_means.BLOCK_ENTRIES", block)
        found = unseen_scores(model, shown, train, own)
        assert_near(found, expected + means[:, None])


@pytest.mark.parametrize("seed", range(60))
def test_of_equally_near_neighbours_those_count_that_cornac_takes(seed):
    """Weights and ratings of few values, among them 0, and of negative ones."""
    random = np.random.default_rng(seed)
    n, n_columns, k = random.integers(1, 40), random.integers(1, 15), int(random.integers(1, 12))
    held = random.random((n_columns, n)) < random.choice([0.2, 0.6, 1.0])
    columns = sp.csr_matrix(held.astype(np.float64))
    columns.data = random.integers(-3, 4, columns.nnz).astype(np.float64)
    weights = random.integers(-3, 3, (5, n)) / 4
    found = NearestMeans(sp.csr_array(columns.T.tocsr()), k).of(weights)
    expected = cornacs_means(True, weights, columns, k)
    assert_near(found, expected)


def test_ties_by_hand():
    """Five neighbours at .5, of ratings 1 to 5, and the first, at 1, of rating 9; k = 3.

    From the last to the first: those of 5, 4 and 3 fill the heap, those of 2 and 1 are no nearer,
    and the nearest one drives out the 3: (1 * 9 + .5 * 5 + .5 * 4) / 2 = 6.75.
    """
    ratings = sp.csr_array(np.array([[9.0], [1.0], [2.0], [3.0], [4.0], [5.0]]))
    weights = np.array([[1.0, 0.5, 0.5, 0.5, 0.5, 0.5]])
    assert NearestMeans(ratings, 3).of(weights) == pytest.approx(6.75)
    # In the other order the heap is 1, 2, 3, and the nearest one drives out the 1.
    ratings = sp.csr_array(np.array([[9.0], [5.0], [4.0], [3.0], [2.0], [1.0]]))
    assert NearestMeans(ratings, 3).of(weights) == pytest.approx((9 + 1.5 + 1) / 2)


def test_blocks_of_neighbours_bound_their_dense_arrays():
    """A dense array of a block has 2**22 entries: 41 targets of 100,000 neighbours."""
    assert len(blocks(1_000, 943, 1_682)) == 4
    wide = blocks(1_000, 100_000, 20_000)
    assert wide[0] == slice(0, 41)
    assert [one.start for one in wide[1:]] == [one.stop for one in wide[:-1]]
    assert wide[-1].stop == 1_000
    assert blocks(2, 2**30, 1) == [slice(0, 1), slice(1, 2)]


def test_a_user_is_no_neighbour_of_itself(fitted):
    """Without `own`, hidden items come back from the user's own row."""
    matrix = sp.csr_array(
        np.array([[1, 1, 1, 0, 0], [1, 1, 0, 1, 0], [0, 1, 0, 1, 1]], dtype=np.float32)
    )
    world = profiles(matrix)
    model = models.UserKNN(k=3, verbose=False, seed=1).fit(world.to_dataset(seed=1))
    shown = sp.csr_array(np.array([[1, 1, 0, 0, 0]], dtype=np.float32))
    # By all three users item 2 has a holder; user 0 itself aside, nobody holds it.
    assert unseen_scores(model, shown, matrix, None)[0, 2] > 0
    assert unseen_scores(model, shown, matrix, np.array([0]))[0, 2] == 0
    users, weights = nearest_users(shown, matrix, None)
    assert users[0, 0] in (0, 1)
    users, weights = nearest_users(shown, matrix, np.array([0]))
    assert weights[0][users[0] == 0] == pytest.approx(0, abs=1e-6)
    assert weights.sum() == pytest.approx(1)


def test_nearest_users_by_hand():
    """Jaccard of {0, 1} with {0, 1, 2}: 2/3, with {1, 3}: 1/3, with {4}: 0."""
    train = sp.csr_array(
        np.array([[0, 0, 0, 0, 1], [1, 1, 1, 0, 0], [0, 1, 0, 1, 0]], dtype=np.float32)
    )
    shown = sp.csr_array(np.array([[1, 1, 0, 0, 0]], dtype=np.float32))
    users, weights = nearest_users(shown, train, None)
    assert users.tolist() == [[1, 2, 0]]
    assert weights[0] == pytest.approx([2 / 3, 1 / 3, 0], abs=1e-6)
    with pytest.raises(RuntimeError, match="was loaded without its training set"):
        nearest_users(shown, train[:0], None)


def test_what_is_in_no_family_is_scored_by_its_nearest_users():
    class Numbered(Recommender):
        def score(self, user_idx, item_idx=None):
            return np.arange(self.num_items) + 100.0 * user_idx

    train = profiles(
        sp.csr_array(np.array([[0, 0, 0, 0, 1], [1, 1, 1, 0, 0], [0, 1, 0, 1, 0]], np.float32))
    )
    model = Numbered("numbered").fit(train.to_dataset(seed=1))
    assert adapter_of(model) is OTHERS
    shown = sp.csr_array(np.array([[1, 1, 0, 0, 0]], dtype=np.float32))
    # 2/3 of user 1's scores and 1/3 of user 2's: 100 (2/3) + 200 (1/3) = 133.3 above the numbers.
    scores = unseen_scores(model, shown, train.matrix)
    assert scores[0] == pytest.approx(np.arange(5) + 400 / 3, abs=1e-4)


# ------------------------------------------------------------------------------- factors of ratings


def test_ridge_is_least_squares_with_the_fitted_points_as_prior():
    """|(y - F p) / sd|^2 + |(p - mean) / spread|^2, stacked as one least-squares problem."""
    random = np.random.default_rng(1)
    factors, points = random.normal(size=(N_ITEMS, 4)), random.normal(0.5, [1, 2, 3, 0.1], (60, 4))
    found = ridge(NEW.matrix, factors, NEW.matrix, points, 0.7)
    for user in (0, 7):
        items, values = row_of(user)
        mean, spread = points.mean(axis=0), points.std(axis=0)
        left = np.vstack([factors[items] / np.sqrt(0.7), np.diag(1 / spread)])
        right = np.concatenate([values / np.sqrt(0.7), mean / spread])
        assert found[user] == pytest.approx(np.linalg.lstsq(left, right, rcond=None)[0], rel=1e-8)


def test_points_that_are_all_alike_are_taken_again():
    """A model that has not learned: its prior has no width, and unseen users are like the rest."""
    points = np.tile([0.3, -0.2], (50, 1))
    factors = np.random.default_rng(1).normal(size=(N_ITEMS, 2))
    assert ridge(NEW.matrix, factors, NEW.matrix, points, 1.0) == pytest.approx(
        np.tile([0.3, -0.2], (len(NEW), 1)), abs=1e-6
    )
    found = likely_points(NEW.matrix, factors, None, points, TRAIN.matrix[:50])
    assert found == pytest.approx(np.tile([0.3, -0.2], (len(NEW), 1)), abs=1e-6)


def test_mf_folds_in_by_its_ridge_regression(fitted):
    model = fitted("MF")
    items, values = row_of(2)
    points = np.column_stack([model.u_factors, model.u_biases]).astype(float)
    factors = np.column_stack([model.i_factors, np.ones(N_ITEMS)]).astype(float)
    known = model.global_mean + model.i_biases.astype(float)
    # Noise: what the fitted model leaves of the training ratings.
    rows = np.repeat(np.arange(80), TRAIN.sizes)
    columns = TRAIN.matrix.indices
    left = TRAIN.matrix.data - known[columns] - (points[rows] * factors[columns]).sum(axis=1)
    sd = np.sqrt(np.mean(left**2))
    mean, spread = points.mean(axis=0), points.std(axis=0)
    stacked = np.vstack([factors[items] / sd, np.diag(1 / spread)])
    target = np.concatenate([(values - known[items]) / sd, mean / spread])
    point = np.linalg.lstsq(stacked, target, rcond=None)[0]
    assert fold_in_scores(model, NEW)[2] == pytest.approx(known + factors @ point, abs=1e-5)


@pytest.mark.parametrize("name", ["PMF", "PMF linear"])
def test_pmf_folds_in_on_the_scale_of_its_own_link(name, fitted):
    """Ratings 1..5 are 0, .25, .5, .75, 1, clipped to .02 and .98, and then log-odds."""
    model = fitted(name)
    factors, points = model.V.astype(float), model.U.astype(float)

    def linked(values):
        width = (values - 1.0) / 4
        return values if name == "PMF linear" else logit(np.clip(width, 0.02, 0.98))

    rows, columns = np.repeat(np.arange(80), TRAIN.sizes), TRAIN.matrix.indices
    left = linked(TRAIN.matrix.data.astype(float)) - (points[rows] * factors[columns]).sum(axis=1)
    sd = np.sqrt(np.mean(left**2))
    mean, spread = points.mean(axis=0), points.std(axis=0)
    items, values = row_of(5)
    stacked = np.vstack([factors[items] / sd, np.diag(1 / spread)])
    target = np.concatenate([linked(values) / sd, mean / spread])
    point = np.linalg.lstsq(stacked, target, rcond=None)[0]
    assert fold_in_scores(model, NEW)[5] == pytest.approx(factors @ point, abs=1e-5)


def test_a_baselines_bias_is_the_fixed_point_of_its_own_updates():
    """The update bu += rate (error - lambda bu) rests where bu = sum(error) / (n (1 + lambda))."""
    model = models.BaselineOnly(max_iter=3_000, learning_rate=0.01, lambda_reg=0.05, seed=1)
    model.fit(DATA)
    # SGD in a fixed order: within some rate x rating of the rest.
    assert_near(fold_in_scores(model, TRAIN), own_scores(model), rtol=1e-6, atol=0.06)
    items, values = row_of(0)
    bias = np.sum(values - model.global_mean - model.i_biases[items]) / (len(items) * 1.05)
    expected = model.global_mean + model.i_biases + bias
    assert fold_in_scores(model, NEW)[0] == pytest.approx(expected, abs=1e-5)


def test_nmf_folds_in_to_the_factors_of_least_loss(monkeypatch):
    """Its updates rest at the least squares above 0 with ridge n lambda_u."""
    model = models.NMF(k=3, max_iter=50, lambda_reg=0.06, seed=1).fit(DATA)
    items, values = row_of(1)
    factors = model.i_factors.astype(float)
    known = model.global_mean + model.i_biases.astype(float)
    stacked = np.vstack([factors[items], np.sqrt(len(items) * 0.06) * np.eye(3)])
    target = np.concatenate([values - known[items], np.zeros(3)])
    best, _ = nnls(stacked, target)
    losses = []
    for steps in (1, 3, 10, 30, 100, 3_000):
        monkeypatch.setattr(positive_factors, "FOLD_IN_STEPS", steps)
        point = adapter_of(model).fold_in(model, NEW.matrix, TRAIN.matrix)[1]
        users = np.exp(point[:3])
        losses.append(float(np.sum((stacked @ users - target) ** 2)))
        assert point[3] == 0
    assert all(later <= before + 1e-6 for before, later in itertools.pairwise(losses))
    assert losses[-1] == pytest.approx(np.sum((stacked @ best - target) ** 2), rel=0.01)


# ------------------------------------------------------------------------------- factors of likes


def log_posterior(point, items, factors, biases, scale, mean, variance):
    """Multinomial likes and an independent normal prior, one user, as it is written."""
    scores = [scale * (factor @ point + bias) for factor, bias in zip(factors, biases, strict=True)]
    likes = sum(scores[item] - logsumexp(scores) for item in items)
    return likes - sum((point - mean) ** 2 / variance) / 2


def test_likes_give_the_most_probable_point():
    random = np.random.default_rng(2)
    factors, points = random.normal(size=(N_ITEMS, 3)), random.normal(0.4, [1, 2, 0.5], (80, 3))
    biases = random.normal(size=N_ITEMS)
    scale = temperature(points, factors, biases, TRAIN.matrix)
    found = likely_points(NEW.matrix, factors, biases, points, TRAIN.matrix)
    for user in (0, 3):
        items, _ = row_of(user)
        settings = items, factors, biases, scale, points.mean(axis=0), points.var(axis=0)
        best = minimize(lambda point, s=settings: -log_posterior(point, *s), np.zeros(3))
        assert found[user] == pytest.approx(best.x, abs=1e-3)
    # Without likes, what is known is the prior.
    nobody = sp.csr_array((1, N_ITEMS), dtype=np.float32)
    alone = likely_points(nobody, factors, biases, points, TRAIN.matrix)
    assert alone[0] == pytest.approx(points.mean(axis=0))


def test_the_temperature_is_the_likeliest_on_a_grid():
    random = np.random.default_rng(3)
    factors, points = random.normal(size=(N_ITEMS, 2)), random.normal(size=(80, 2))
    biases = 0.3 * np.log(TRAIN.item_counts + 1.0)

    def log_likelihood(scale):
        total = 0.0
        for user in range(80):
            scores = scale * (factors @ points[user] + biases)
            items, _ = row_of(user, TRAIN)
            total += sum(scores[item] - logsumexp(scores) for item in items)
        return total

    grid = np.geomspace(0.01, 10, 13)
    best = grid[np.argmax([log_likelihood(scale) for scale in grid])]
    found = temperature(points, factors, biases, TRAIN.matrix)
    assert found == pytest.approx(best, rel=0.8)
    assert log_likelihood(found) >= log_likelihood(best) - 1e-6
    # Scores a tenth as large, a temperature ten times as high.
    larger = temperature(points / 10, factors, biases / 10, TRAIN.matrix)
    assert larger == pytest.approx(10 * found, rel=1e-2)
    assert temperature(points, factors, biases, TRAIN.matrix[:0]) == 1.0


def test_likes_drawn_from_a_point_bring_it_back():
    """A user of 60 items drawn at a known point is folded in near it; the prior is wide."""
    random = np.random.default_rng(4)
    factors, points = random.normal(size=(N_ITEMS, 2)), random.normal(0, 2, (200, 2))
    scores = points @ factors.T
    keys = scores + random.gumbel(size=scores.shape)
    held = np.argsort(np.argsort(-keys, axis=1), axis=1) < 20
    matrix = sp.csr_array(held.astype(np.float32))
    found = likely_points(matrix[:50], factors, None, points, matrix)
    for column in range(2):
        assert np.corrcoef(found[:, column], points[:50, column])[0, 1] > 0.8


@pytest.mark.parametrize("name", ["BPR", "WBPR", "MMMF", "IBPR", "GMF"])
def test_factor_models_of_likes_use_the_most_probable_point(name, fitted):
    model = fitted(name)
    adapter = adapter_of(model)
    if name == "IBPR":
        factors, biases = model.V, np.zeros(N_ITEMS)
    elif name == "GMF":
        weights = model.model.logit.weight.detach().numpy()
        factors, biases = (
            model.model.item_embedding.weight.detach().numpy() * weights,
            np.zeros(104),
        )
    else:
        factors, biases = model.i_factors, model.i_biases
    factors, biases = np.asarray(factors, float), np.asarray(biases, float)
    points = np.asarray(adapter.points(model))
    point = likely_points(NEW.matrix, factors, biases, points, TRAIN.matrix)
    expected = point @ factors.T + biases
    assert_near(fold_in_scores(model, NEW), expected, rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------------------------- HPF


def test_hpf_brings_its_training_users_back():
    """With the items fixed, the ascent of a training user ends where the fit did."""
    model = models.HPF(k=3, max_iter=400, seed=1).fit(DATA)
    folded = np.exp(poisson_fold_in(model, TRAIN.matrix, TRAIN.matrix))
    theta = np.asarray(model.Theta)[:80]
    for column in range(3):
        assert np.corrcoef(folded[:, column], theta[:, column])[0, 1] > 0.95
    assert np.median(np.abs(folded - theta)[theta > 0.1] / theta[theta > 0.1]) < 0.15


def test_hpf_draws_users_from_its_gamma_posteriors(fitted):
    """Mean of exp(points) is that of Theta: 40,000 draws, 6 standard errors."""
    model = fitted("HPF")
    adapter = adapter_of(model)
    drawn = np.exp(adapter.draw(model, 40_000, np.random.default_rng(1)))
    mean = np.asarray(model.Theta)[:80].mean(axis=0)
    assert drawn.mean(axis=0) == pytest.approx(mean, abs=6 * drawn.std() / 200)


# ------------------------------------------------------------------------------------- the table


def test_registered_families_come_first(monkeypatch):
    """The example of the table: three lines, and it is taken although `U` and `V` are there too."""
    monkeypatch.setattr("cornac_mle.adapters.table.ADAPTERS", list(ADAPTERS))

    class MyFactors(Recommender):
        def fit(self, train_set, val_set=None):
            super().fit(train_set, val_set)
            random = np.random.default_rng(1)
            self.P = random.normal(size=(train_set.num_users, 2))
            self.Q = random.normal(size=(train_set.num_items, 2))
            self.U, self.V = self.P, -self.Q
            return self

    model = MyFactors("mine").fit(DATA)
    assert adapter_of(model).family == "factors and item features (VMF)"
    mine = Adapter(
        family="my factors",
        holds=("P", "Q"),
        points=lambda model: model.P,
        scores=lambda model, points: points @ model.Q.T,
    )
    register(mine)
    assert adapter_of(model) is mine
    # Without a fold-in a user is the mean of the nearest training users' points.
    users, weights = nearest_users(NEW.matrix[:1], TRAIN.matrix, None)
    expected = (weights[0] @ model.P[users[0]]) @ model.Q.T
    assert fold_in_scores(model, NEW[:1])[0] == pytest.approx(expected)


def test_an_attribute_that_is_none_is_not_held():
    unfitted = models.BPR(k=2, seed=1)
    assert unfitted.u_factors is None
    assert adapter_of(unfitted) is OTHERS
    assert all(not adapter.fits(unfitted) for adapter in ADAPTERS)


# ------------------------------------------------------------------------ order of items and ranks


def halves(frame: pd.DataFrame, seed: int = 3) -> HeldOutUsers:
    number = frame.user.str[1:].astype(int)
    parts = (frame[number.between(*ends)] for ends in ((0, 69), (70, 84), (85, 109)))
    train, reference, held_out = parts
    return HeldOutUsers.from_splits(train, held_out, reference_data=reference, seed=seed)


class NumberScored(Recommender):
    """Constant scores: a ranking by item number, the artefact."""

    def score(self, user_idx, item_idx=None):
        return np.zeros(self.num_items) if item_idx is None else 0.0


def cornacs_own_ndcg(model: Recommender, data: list[tuple[str, str, float]]) -> float:
    """As Cornac evaluates users that a model has not seen (exclude_unknowns=False)."""
    numbers = [int(row[0][1:]) for row in data]
    train = [row for row, number in zip(data, numbers, strict=True) if number < 85]
    test = [row for row, number in zip(data, numbers, strict=True) if number >= 85]
    method = BaseMethod.from_splits(train, test, exclude_unknowns=False, seed=1)
    result, _ = method.evaluate(model, [NDCG(k=50)], user_based=True, show_validation=False)
    return result.metric_avg_results["NDCG@50"]


FRAME = WORLD.to_frame()


def test_cornacs_own_evaluation_of_unseen_users_is_the_order_of_items():
    """All models have one value: that of items as they are numbered."""
    rows = list(FRAME.itertuples(index=False, name=None))
    names = ("PMF", "EASE", "VAECF", "HPF")
    values = [cornacs_own_ndcg(FAMILIES[name](), rows) for name in names]
    assert values == pytest.approx([cornacs_own_ndcg(NumberScored("none"), rows)] * 4)


@pytest.fixture(scope="module")
def methods():
    """The same users, shown and hidden items, with items numbered in two orders."""
    first, turned = halves(FRAME), halves(FRAME)
    known = first.groups.training_items  # what models know
    train, held_out = (
        part.split_items(known)[0] for part in (first.groups.train, first.groups.held_out)
    )
    backwards = known[::-1]
    for part in ("validation", "held-out"):
        if part in first._shown:
            shown, start = first._shown[part]
            turned._shown[part] = shown.align(backwards), start
    start = first._shown["held-out"][1]
    hidden = held_out.matrix - first._shown["held-out"][0].matrix
    hidden.eliminate_zeros()
    left = Profiles(sp.csr_array(hidden), held_out.user_ids, known)
    turned.train_set = train.align(backwards).to_dataset(seed=3)
    turned.global_iid_map.clear()
    turned.global_iid_map.update({name: place for place, name in enumerate(backwards)})
    turned._hidden["held-out"] = left.align(backwards).to_dataset(first_user=start, seed=3)
    turned.test_set = turned._hidden["held-out"]
    return first, turned


def by_user(method: HeldOutUsers, model: Recommender) -> dict[int, float]:
    result, _ = method.evaluate(model, [NDCG(k=50)], user_based=True, show_validation=False)
    return result.metric_user_results["NDCG@50"]


OF_THE_DATA = {
    "MostPop": 0.02,  # ties between items as popular
    "EASE": 1e-6,
    "ItemKNN": 0.02,
    "UserKNN": 0.02,
}


@pytest.mark.parametrize("name", OF_THE_DATA)
def test_rankings_do_not_depend_on_the_order_of_items(name, methods):
    """Models that are a function of the data give each user the same NDCG in both orders."""
    one, other = (by_user(method, FAMILIES[name]()) for method in methods)
    assert set(one) == set(other)
    assert len(one) > 15
    differences = [abs(one[user] - other[user]) for user in one]
    assert np.mean(differences) < OF_THE_DATA[name]


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in OF_THE_DATA])
def test_scores_of_unseen_users_leave_no_ties_to_break_by_item_number(name, methods):
    """Where all scores differ, a ranking cannot depend on the order of items."""
    model = FAMILIES[name]().fit(methods[0].train_set)
    shown, _ = methods[0]._shown["held-out"]
    scores = fold_in_scores(model, shown)
    distinct = np.mean([len(np.unique(np.float32(row))) for row in scores]) / scores.shape[1]
    # A ranking by item number is one of ties: 1 value of 104.
    assert distinct > 0.9
