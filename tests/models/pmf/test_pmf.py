import inspect

import cornac
import numpy as np
import pytest
import scipy.sparse as sp
from cornac.datasets import movielens
from cornac.metrics import RMSE
from scipy.special import expit, ndtri
from scipy.stats import kstwo

from cornac_mle.models.pmf import _gaussians as gaussians
from cornac_mle.models.pmf import _selection as selection
from cornac_mle.models.pmf import _selection_fit as selection_fit
from cornac_mle.models.pmf._value_distribution import ValueDistribution, cut_points, predictions
from cornac_mle.models.pmf.model import PMF
from cornac_mle.models.popularity import Popularity
from cornac_mle.profiles import Profiles
from cornac_mle.sampling.arrival_rates import log_rates_of_odds
from cornac_mle.sparse import pattern
from worlds import checkerboard, communities, profiles, rated, taste_world

TRUE_NOISE_SD = 0.6
N_SAMPLED = 4000


def model_world(n_users: int, n_items: int, seed: int):
    """Draw from the model itself: two tastes and activity, values coupled to what is chosen."""
    random = np.random.default_rng(seed)
    items = np.column_stack(
        [random.normal(size=(n_items, 2)), random.normal(1, 0.2, n_items), np.full(n_items, -2.0)]
    )
    users = random.normal(size=(n_users, 3))
    held = random.random((n_users, n_items)) < expit(users @ items[:, :-1].T + items[:, -1])
    held[:, 0] |= held.sum(axis=1) == 0
    rating_items = np.column_stack(
        [random.normal(0, 0.7, (n_items, 1)), np.full(n_items, 0.5), random.normal(0, 0.5, n_items)]
    )
    tastes = users[:, :2] * [0.8, -0.8] + random.normal(size=(n_users, 2)) * 0.6
    values = 10 + tastes @ rating_items[:, :-1].T + rating_items[:, -1]
    values += TRUE_NOISE_SD * random.normal(size=values.shape)
    matrix = sp.csr_array(np.where(held, values, 0).astype(np.float32))
    return profiles(matrix), items, rating_items


@pytest.fixture(scope="module")
def truth():
    return model_world(2000, 80, seed=1)


@pytest.fixture(scope="module")
def fitted(truth):
    """PMF of the right size on data of its own distribution, with continuous values."""
    return PMF(2, 60, seed=0).fit(truth[0].to_dataset())


@pytest.fixture(scope="module")
def stars(truth):
    """The same users with values 1..5, two of which are rare."""
    matrix = truth[0].matrix.copy()
    matrix.data = np.digitize(matrix.data, [8.0, 9.5, 10.0, 11.0]).astype(np.float32) + 1
    return profiles(matrix)


@pytest.fixture(scope="module")
def fitted_to_stars(stars):
    return PMF(2, 30, seed=0).fit(stars.to_dataset())


def correlation(left, right):
    return np.corrcoef(np.ravel(left), np.ravel(right))[0, 1]


# ------------------------------------------------------------------------------ the distribution is
# found


def test_finds_the_gram_matrix_of_choices(truth, fitted):
    _, items, _ = truth
    true_gram = items[:, :-1] @ items[:, :-1].T
    gram = fitted.item_factors_[:, :-1] @ fitted.item_factors_[:, :-1].T
    assert np.linalg.norm(gram - true_gram) < 0.2 * np.linalg.norm(true_gram)
    assert np.abs(fitted.item_factors_[:, -1] + 2).mean() < 0.2


def test_finds_noise_and_covariance_of_values(truth, fitted):
    _, _, rating_items = truth
    # A user's tastes for rating have variance .8^2 + .6^2 = 1 each and do not correlate.
    true_gram = rating_items[:, :-1] @ rating_items[:, :-1].T
    size = fitted.user_factors_.shape[1]
    root = fitted.distribution_.density.roots[0]
    covariance = (root @ root.T)[size:-1, size:-1]
    gram = fitted.item_values_[:, :-1] @ covariance @ fitted.item_values_[:, :-1].T
    assert fitted.value_noise_sd_ == pytest.approx(TRUE_NOISE_SD, rel=0.03)
    assert np.linalg.norm(gram - true_gram) < 0.2 * np.linalg.norm(true_gram)


def test_finds_how_choosing_and_rating_are_coupled(truth, fitted):
    _, items, rating_items = truth
    # Cov(t, u) is diag(.8, -.8) on the tastes, so Cov(log-odds of i, value of j) is as below.
    true_cross = items[:, :2] @ np.diag([0.8, -0.8]) @ rating_items[:, :-1].T
    size = fitted.user_factors_.shape[1]
    root = fitted.distribution_.density.roots[0]
    cross = (root @ root.T)[:size, size:-1]
    found = fitted.item_factors_[:, :-1] @ cross @ fitted.item_values_[:, :-1].T
    assert np.linalg.norm(found - true_cross) < 0.3 * np.linalg.norm(true_cross)


def test_as_many_tastes_are_left_as_there_are(truth, fitted):
    """Two tastes and activity, of 13 that there is room for; what they are does not change."""
    model = PMF(12, 60, seed=0).fit(truth[0].to_dataset())
    assert model.distribution_.n_tastes == 3
    gram, small = (one.item_factors_[:, :-1] @ one.item_factors_[:, :-1].T
                   for one in (model, fitted))  # fmt: skip
    assert np.linalg.norm(gram - small) < 0.02 * np.linalg.norm(small)
    for factors in (model.user_factors_, model.item_factors_[:, :-1]):
        assert factors.shape[1] == 13
        assert not factors[:, 3:].any()
    assert np.abs(model.item_factors_[:, -1] + 2).mean() < 0.2  # offsets come last


def test_items_that_have_nothing_to_do_with_each_other_leave_no_taste():
    random = np.random.default_rng(3)
    held = random.random((1000, 60)) < random.beta(1, 4, 60)
    held[:, 0] |= held.sum(axis=1) == 0
    model = PMF(10, seed=0).fit(profiles(sp.csr_array(held.astype(np.float32))).to_dataset())
    assert model.distribution_.n_tastes == 1
    # One number has to be left; its effect on the log-odds is small beside that of popularity.
    assert np.linalg.norm(model.item_factors_[:, 0]) < 0.1 * np.std(model.item_factors_[:, -1]) * 60


def test_a_larger_lambda_reg_draws_loadings_together_and_leaves_fewer_tastes():
    data = taste_world(300, seed=2).to_dataset()
    models = [PMF(8, lambda_reg=factor, seed=0).fit(data) for factor in (0.5, 1.0, 3.0)]
    spread = [model.item_factors_[:, :-1].var(axis=0).sum() for model in models]
    assert spread[0] > spread[1] > spread[2]
    assert models[0].distribution_.n_tastes >= models[2].distribution_.n_tastes
    assert models[0].distribution_.n_tastes > 1


def test_tastes_of_drawn_users_spread_as_the_posteriors_of_training_users_do():
    """Given the loadings that users are drawn from: drawn tastes are N(0, I)."""
    world = taste_world(150, n_items=60, mean_size=12, seed=4)
    model = PMF(6, seed=0).fit(world.to_dataset())
    items = model.distribution_.items
    start = gaussians.standard_normal(150, items.shape[1] - 1)
    means, covariances = selection.posteriors(pattern(world.matrix), items, start, steps=20)
    total = np.cov(means.T, bias=True) + covariances.mean(axis=0)
    np.testing.assert_allclose(total, np.eye(len(total)), atol=0.05)
    np.testing.assert_allclose(means.mean(axis=0), 0, atol=0.05)


def test_two_communities_come_out_as_two():
    world = checkerboard(n_users=300, n_items=40)
    model = PMF(1, seed=0).fit(world.to_dataset())
    drawn = model.sample(1000, rng=0)
    first = sp.csr_array(drawn.matrix[:, :20]).sum(axis=1) > drawn.sizes / 2
    assert 0.35 < first.mean() < 0.65
    # A Gaussian of users has mass between the two communities, so not all users are of one.
    popular = Popularity().fit(world.to_dataset()).sample(1000, rng=0)
    assert communities(drawn.matrix).mean() > 0.85
    assert communities(popular.matrix).mean() < 0.7
    scores = model.fold_in(world)
    own = np.arange(300)[:, None] % 2 == (np.arange(40) >= 20)[None, :]
    lowest_own = np.where(own, scores, np.inf).min(axis=1)
    assert (lowest_own > np.where(own, -np.inf, scores).max(axis=1)).all()


# ------------------------------------------------------------------------------------- sampling


def test_sizes_have_the_distribution_of_training_sizes(truth, fitted):
    drawn = fitted.sample(N_SAMPLED, rng=1).sizes
    places = np.arange(truth[0].sizes.max() + 1)
    share = np.searchsorted(np.sort(truth[0].sizes), places, side="right") / len(truth[0])
    drawn_share = np.searchsorted(np.sort(drawn), places, side="right") / N_SAMPLED
    # Exact for a continuous distribution, and on the safe side for sizes, which tie.
    assert np.abs(share - drawn_share).max() < kstwo.isf(1e-6, N_SAMPLED)


def test_items_are_as_popular_as_in_training(truth, fitted):
    real = np.bincount(truth[0].matrix.indices, minlength=80) / len(truth[0])
    drawn = np.bincount(fitted.sample(N_SAMPLED, rng=1).matrix.indices, minlength=80) / N_SAMPLED
    assert np.abs(drawn - real).max() < 0.06
    assert correlation(drawn, real) > 0.97


def test_pairs_of_items_go_together_as_in_training(truth, fitted):
    def pair_correlations(matrix):
        return np.corrcoef(pattern(matrix).toarray().T)[np.triu_indices(80, 1)]

    real = pair_correlations(truth[0].matrix)
    assert correlation(pair_correlations(fitted.sample(N_SAMPLED, rng=1).matrix), real) > 0.9


def test_values_are_of_the_grid_at_their_frequencies(stars, fitted_to_stars):
    drawn = fitted_to_stars.sample(N_SAMPLED, rng=1).matrix
    assert set(np.unique(drawn.data)) == {1.0, 2.0, 3.0, 4.0, 5.0}
    shares = [np.bincount(data.astype(int), minlength=6) / len(data)
              for data in (drawn.data, stars.matrix.data)]  # fmt: skip
    assert np.abs(shares[0] - shares[1]).max() < 0.03


def test_values_follow_their_items_and_vary_by_user(stars, fitted_to_stars):
    def means(matrix):
        matrix = sp.csc_array(matrix)
        return matrix.sum(axis=0) / np.maximum(np.diff(matrix.indptr), 1)

    drawn = fitted_to_stars.sample(N_SAMPLED, rng=1).matrix
    assert correlation(means(drawn), means(stars.matrix)) > 0.9
    large = [sp.csr_array(m[np.diff(m.indptr) >= 10]) for m in (drawn, stars.matrix)]
    spread = [np.std(m.sum(axis=1) / np.diff(m.indptr)) for m in large]
    assert spread[0] == pytest.approx(spread[1], rel=0.15)


def test_continuous_values_stay_in_the_training_range(truth, fitted):
    data = fitted.sample(500, rng=1).matrix.data
    assert fitted.distribution_.values.grid is None
    assert data.min() >= truth[0].matrix.data.min()
    assert data.max() <= truth[0].matrix.data.max()
    assert len(np.unique(data)) > 100


def test_constant_values_stay_constant():
    world = taste_world(100)
    matrix = world.matrix.copy()
    matrix.data[:] = 4.0
    model = PMF(3, seed=0).fit(profiles(matrix).to_dataset())
    assert (model.sample(50, rng=0).matrix.data == 4.0).all()
    assert model.item_values_ is None
    assert model.rate(0, 0).item() == 4.0
    assert model.rate(10**6, 10**6).item() == 4.0


def test_same_seed_same_users_another_seed_others(fitted_to_stars, stars):
    again = PMF(2, 30, seed=0).fit(stars.to_dataset())
    first = fitted_to_stars.sample(1100, rng=5).matrix
    assert (first != again.sample(1100, rng=5).matrix).nnz == 0
    assert (first != again.sample(1100, rng=6).matrix).nnz > 0


# ----------------------------------------------------------------------------- a Cornac recommender


def test_first_two_arguments_are_those_of_cornac():
    assert list(inspect.signature(PMF).parameters)[:2] == ["k", "max_iter"]
    model = PMF(1, 0)
    assert (model.k, model.max_iter) == (1, 0)


@pytest.mark.parametrize("with_values", [False, True])
def test_no_iterations_give_a_model_all_the_same(with_values):
    world = rated(taste_world(40)) if with_values else taste_world(40)
    model = PMF(1, 0, seed=0).fit(world.to_dataset())
    assert len(model.sample(10, rng=0)) == 10
    assert np.isfinite(model.score(0)).all()
    assert 1 <= model.rate(0, 0).item() <= 5


def test_one_user_one_item():
    world = profiles(sp.csr_array(np.array([[3.0]], dtype=np.float32)))
    model = PMF(seed=0).fit(world.to_dataset())
    assert (model.sample(3, rng=0).matrix.toarray() == 3.0).all()


def test_refit_on_larger_data_starts_fresh():
    small, large = taste_world(40, n_items=30), rated(taste_world(80, n_items=60, seed=1))
    model = PMF(2, 5, seed=0).fit(small.to_dataset()).fit(large.to_dataset())
    fresh = PMF(2, 5, seed=0).fit(large.to_dataset())
    np.testing.assert_array_equal(model.item_factors_, fresh.item_factors_)
    np.testing.assert_array_equal(model.item_values_, fresh.item_values_)
    model.fit(small.to_dataset())
    assert model.item_values_ is None
    assert model.sample(5, rng=0).matrix.shape == (5, 30)


def test_save_load_clone(tmp_path, fitted_to_stars, stars):
    loaded = PMF.load(fitted_to_stars.save(str(tmp_path)))
    assert (loaded.sample(20, rng=3).matrix != fitted_to_stars.sample(20, rng=3).matrix).nnz == 0
    assert loaded.rate(3, 4) == fitted_to_stars.rate(3, 4)
    clone = fitted_to_stars.clone({"k": 3})
    assert (clone.k, clone.max_iter, clone.seed, clone.lambda_reg) == (3, 30, 0, 1.0)
    with pytest.raises(RuntimeError, match="PMF is not fitted"):
        clone.rate(0, 0)
    assert clone.fit(stars.to_dataset()).item_factors_.shape == (80, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "`k` must be at least 1; got 0"),
        ({"max_iter": -1}, "`max_iter` must be at least 0; got -1"),
        ({"lambda_reg": 0.0}, "`lambda_reg` must be finite, above 0"),
        ({"variant": "linear"}, "`variant` must be"),
        ({"seed": -1}, "`seed` must be at least 0; got -1"),
    ],
)
def test_refuses_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        PMF(**arguments)


def test_progress_is_shown_when_asked_for(capsys):
    world = rated(taste_world(20)).to_dataset()
    PMF(1, 2).fit(world)
    assert capsys.readouterr().err == ""
    PMF(1, 2, verbose=True).fit(world)
    assert "PMF: choices" in (shown := capsys.readouterr().err)
    assert "PMF: values" in shown


# ---------------------------------------------------------------------------- scores and ratings


def test_fold_in_of_training_users_agrees_with_their_scores(stars, fitted_to_stars):
    scores = fitted_to_stars.fold_in(stars[np.arange(1100)])  # more than one block
    assert scores.shape == (1100, 80)
    for user in (0, 1050):
        assert correlation(scores[user], fitted_to_stars.score(user)) > 0.999


def test_fold_in_finds_what_was_hidden():
    world = taste_world(700, mean_size=20)
    model = PMF(4, seed=0).fit(world[np.arange(500)].to_dataset())
    popular = Popularity().fit(world[np.arange(500)].to_dataset())
    unseen = world[np.arange(500, 700)]
    unseen = unseen.align(model.catalogue_)
    hide = np.random.default_rng(0).random(unseen.matrix.nnz) < 0.3
    shown, hidden = unseen.matrix.copy(), unseen.matrix.copy()
    shown.data, hidden.data = np.where(hide, 0, 1), np.where(hide, 1, 0)
    shown.eliminate_zeros()
    shown_profiles = Profiles.from_matrix(shown, unseen.item_ids, unseen.user_ids)

    def hidden_above_others(recommender):
        scores = recommender.fold_in(shown_profiles)
        free = unseen.matrix.toarray() == 0
        target = hidden.toarray() > 0
        return np.mean([
            (scores[u][target[u]][:, None] > scores[u][free[u]]).mean()
            for u in np.flatnonzero(target.any(axis=1))
        ])  # fmt: skip

    assert hidden_above_others(model) > hidden_above_others(popular) + 0.1


def test_rate_of_unknown_users_and_items(fitted_to_stars):
    model = fitted_to_stars
    mean_user, mean_item = model.user_values_.mean(axis=0), model.item_values_.mean(axis=0)
    user, item = model.user_values_[7], model.item_values_[9]

    def rate(user, item):
        return model.value_mean_ + user @ item[:-1] + item[-1]

    assert model.rate(7, 9) == pytest.approx(rate(user, item))
    assert model.rate(10**6, 9) == pytest.approx(rate(mean_user, item))
    assert model.rate(7, 10**6) == pytest.approx(rate(user, mean_item))
    assert model.rate(10**6, 10**6) == pytest.approx(rate(mean_user, mean_item))


def test_rate_is_clipped_to_the_training_range(stars):
    model = PMF(1, 2, seed=0).fit(stars.to_dataset())
    model.item_values_[0, -1], model.item_values_[1, -1] = 100.0, -100.0
    assert model.rate(0, 0).item() == 5.0
    assert model.rate(0, 1).item() == 1.0
    assert model.rate(0, 0, clipping=False) > 50


def test_movielens_100k_rmse(cornac_home, monkeypatch):
    monkeypatch.chdir(cornac_home)
    eval_method = cornac.eval_methods.RatioSplit(
        movielens.load_feedback(variant="100K"), test_size=0.2, rating_threshold=4, seed=123
    )
    models = [PMF(k=10, max_iter=20, seed=0)]
    experiment = cornac.Experiment(
        eval_method, models, [RMSE()], user_based=True, save_dir=str(cornac_home)
    )
    experiment.run()
    # Cornac's PMF has .9138 here.
    assert experiment.result[0].metric_avg_results["RMSE"] < 0.88


# ------------------------------------------------------------------------------- the pure maths


def test_packing_is_undone_and_traces_are_those_of_matrices():
    random = np.random.default_rng(0)
    mean, half = random.normal(size=(5, 3)), random.normal(size=(5, 3, 3))
    covariance = half @ half.transpose(0, 2, 1)
    second = covariance + mean[:, :, None] * mean[:, None, :]
    packed = gaussians.packed_products(mean, covariance)
    np.testing.assert_allclose(gaussians.unpacked(packed, 3), second, rtol=1e-5)
    expected = np.einsum("nab,mab->nm", second, second)
    np.testing.assert_allclose(gaussians.traces(packed, packed, 3), expected, rtol=1e-5)


def test_posterior_of_one_observation_by_hand():
    # Prior N(1, 2); y = v + N(0, 1/4) is 3: precision 1/2 + 4, mean (1/2 + 12) / 4.5.
    prior = gaussians.Gaussian(np.ones(1), np.full((1, 1), 2.0))
    found = gaussians.posterior_given(prior, np.full((1, 1, 1), 4.0), np.full((1, 1), 12.0))
    assert found.covariance.item() == pytest.approx(1 / 4.5)
    assert found.mean.item() == pytest.approx(12.5 / 4.5)
    # With a coordinate that is 1: y = v + o of offset o = 1 is the same as y - 1 = v.
    precision = np.array([[[4.0, 4.0], [4.0, 4.0]]])  # 4 (v, 1)(v, 1)'
    with_offset = gaussians.posterior_given_one(prior, precision, np.array([[16.0, 16.0]]))
    assert with_offset.mean.item() == pytest.approx(12.5 / 4.5)


def test_logistic_moments_against_numerical_integration():
    mean = np.repeat(np.array([-5.0, -1.0, 0.0, 3.0], dtype=np.float32), 3)
    variance = np.tile(np.array([0.0, 0.5, 1.5], dtype=np.float32), 4)
    first, second = selection.logistic_moments(mean, variance)
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    x = mean[:, None] + np.sqrt(variance)[:, None] * nodes
    weights /= weights.sum()
    np.testing.assert_allclose(first, expit(x) @ weights, rtol=0.03)
    np.testing.assert_allclose(second, (expit(x) * expit(-x)) @ weights, rtol=0.03)


def test_steps_of_a_user_end_at_the_mode_where_the_posterior_is_narrow():
    # 400 alike items of log-odds t, 300 of them held: the mode is just below log(3) = 1.0986.
    items = np.column_stack([np.ones(400), np.zeros(400)])
    held = sp.csr_array((np.arange(400) < 300).astype(np.float32)[None, :])
    mean = selection.fold_in_selection(held, items).item()
    t = np.linspace(0, 2, 20_001)
    log_density = 300 * t - 400 * np.logaddexp(0, t) - t**2 / 2
    density = np.exp(log_density - log_density.max())
    assert mean == pytest.approx((t * density).sum() / density.sum(), abs=0.002)


def test_a_step_is_cut_to_its_longest():
    found = selection.towards(np.zeros((2, 2)), np.array([[3.0, 4.0], [0.3, 0.4]]))
    np.testing.assert_allclose(found, [[0.6, 0.8], [0.3, 0.4]])


def test_extrapolation_of_a_geometric_path_finds_its_limit():
    # x_n = 7 + .8^n has the limit 7, five steps of -.2 away.
    path = [np.array([[7 + 0.8**n]]) for n in range(3)]
    assert selection_fit.extrapolated(*path).item() == pytest.approx(7)


def test_rates_give_bernoulli_probabilities_after_unit_time():
    log_odds = np.array([[-100.0, -3.0, 0.0, 2.0, 50.0]], dtype=np.float32)
    arrived = -np.expm1(-np.exp(log_rates_of_odds(log_odds)))
    np.testing.assert_allclose(arrived, expit(log_odds), rtol=1e-5, atol=1e-30)


def test_cut_points_are_quantiles_of_the_distribution_of_values():
    # One item, every user's value is N(0, 1) under the model: .25 and .75 are cut at -+.674.
    n_users = 20_000
    data = np.repeat([1.0, 2.0, 3.0], [n_users // 4, n_users // 2, n_users // 4])
    matrix = sp.csr_array(data[:, None].astype(np.float32))
    users = gaussians.Posterior(np.zeros((n_users, 1)), np.full((n_users, 1, 1), 0.75))
    items = np.array([[1.0, 0.0]])
    distribution = ValueDistribution(
        0.0, 0.4, items, np.array([[0.09, 0.0, 0.0]], np.float32), None, np.zeros(2)
    )
    # Variance of a score at u: .4^2 + .09 u^2. With the .75 of u and its mean 0 that is
    # .16 + .09 * .75 + .75 = .9775 in all, and not Gaussian; its quartiles are close to that.
    cuts = cut_points(
        matrix, np.array([1.0, 2.0, 3.0]), distribution, users, np.random.default_rng(0)
    )
    # Asymptotic sd of a quartile: sqrt(.25 * .75 / n) / density(.674) = .0096.
    np.testing.assert_allclose(cuts, np.sqrt(0.9775) * ndtri([0.25, 0.75]), atol=0.06)


def test_predictions_are_taken_at_stored_entries():
    matrix = sp.csr_array(np.array([[0, 1.0], [1.0, 1.0]], dtype=np.float32))
    users, items = np.array([[2.0], [3.0]]), np.array([[10.0, 1.0], [100.0, 2.0]])
    np.testing.assert_allclose(predictions(matrix, users, items), [202, 31, 302])


@pytest.mark.parametrize("variant", ["hurdle", "gaussian"])
@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e18, 1e30])
def test_a_scale_that_the_fit_would_not_see_is_refused(variant, scale):
    """Ratings of .001 to .005 beside a least noise of .01 gave ratings of .006 on average."""
    world = rated(taste_world(60, n_items=30, seed=1))
    scaled = Profiles(world.matrix * np.float32(scale), world.user_ids, world.item_ids)
    message = "`train_set` must hold values that are from 0.1 to 1e\\+15 apart; got"
    with pytest.raises(ValueError, match=message):
        PMF(k=2, variant=variant, seed=1).fit(scaled.to_dataset())


def test_equal_values_of_any_size_are_likes():
    world = taste_world(60, n_items=30, seed=1)
    scaled = Profiles(world.matrix * np.float32(1e30), world.user_ids, world.item_ids)
    drawn = PMF(k=2, max_iter=3, seed=1).fit(scaled.to_dataset()).sample(5, rng=1)
    assert (drawn.matrix.data == np.float32(1e30)).all()


def test_values_whose_squares_leave_32_bits_are_fitted():
    """Their differences are below 1e15, but with 30 items a sum of squares is not."""
    world = rated(taste_world(60, n_items=30, seed=1))
    scaled = Profiles(world.matrix * np.float32(2e14), world.user_ids, world.item_ids)
    model = PMF(k=2, max_iter=5, variant="gaussian", seed=1).fit(scaled.to_dataset())
    assert 0.5 < model.sample(500, rng=1).matrix.data.mean(dtype=float) / 6e14 < 2


def test_loadings_stay_bounded_where_tastes_decide_without_doubt():
    """The prior that is learnt would let them grow for ever."""
    likes = np.kron(np.eye(2), np.ones((20, 5))).astype(np.float32)
    model = PMF(2, 400, seed=1).fit(profiles(sp.csr_array(likes)).to_dataset())
    assert 3 < np.abs(model.fold_in(profiles(sp.csr_array(likes)))).max() < 20


def test_offsets_are_certain_and_loadings_given_them():
    # Precision [[2, 1], [1, 1]] of (w, a) has the inverse [[1, -1], [-1, 2]]: w given a has 1 / 2.
    covariance = np.array([[[1.0, -1.0], [-1.0, 2.0]]])
    found = selection_fit.with_certain_offset(gaussians.Posterior(np.ones((1, 2)), covariance))
    np.testing.assert_allclose(found.covariance, [[[0.5, 0.0], [0.0, 0.0]]], atol=1e-12)
    np.testing.assert_array_equal(found.mean, 1)


def test_turning_users_leaves_all_log_odds_as_they_are():
    random = np.random.default_rng(1)
    half = random.normal(size=(30, 2, 2))
    users = gaussians.Posterior(random.normal(2, 3, (30, 2)), half @ half.transpose(0, 2, 1))
    items = random.normal(size=(7, 3))
    change, standard = selection_fit.standardised(users)
    moved = items @ change.T
    np.testing.assert_allclose(
        standard.mean @ moved[:, :-1].T + moved[:, -1], users.mean @ items[:, :-1].T + items[:, -1]
    )
    np.testing.assert_allclose(standard.mean.mean(axis=0), 0, atol=1e-12)
    total = np.cov(standard.mean.T, bias=True) + standard.covariance.mean(axis=0)
    np.testing.assert_allclose(total, np.eye(2), atol=1e-12)


def test_prior_of_loadings_by_hand():
    # Loadings 1 and 3 around their mean 2: variance 1; that of each .5 more: 1.5, by 3 is .5.
    items = gaussians.Posterior(np.array([[1.0, 9.0], [3.0, 9.0]]), np.full((2, 2, 2), 0.5))
    assert selection_fit.prior_covariance(items, 3.0).item() == pytest.approx(0.5)
    assert selection_fit.prior_covariance(items, 1e-3).item() == selection_fit.MOST_VARIANCE
    assert selection_fit.prior_covariance(items, 1e9).item() == selection_fit.LEAST_VARIANCE


def test_idle_directions_are_taken_away():
    # Across (3, 4) / 5 the loadings are nothing; along it they are 5 and 10.
    items = np.array([[3.0, 4.0, 1.0], [6.0, 8.0, 2.0]])
    fit = selection_fit.Fit(
        gaussians.Posterior(items, np.tile(np.diag([1.0, 1.0, 0.0]), (2, 1, 1))),
        gaussians.Posterior(np.array([[6.0, 8.0], [4.0, -3.0]]), np.tile(np.eye(2), (2, 1, 1))),
        np.eye(2),
    )
    left = selection_fit.without_idle(fit)
    np.testing.assert_allclose(np.abs(left.items.mean), [[5, 1], [10, 2]])
    np.testing.assert_allclose(np.abs(left.users.mean), [[10], [0]], atol=1e-12)
    np.testing.assert_allclose(left.items.covariance[0], np.diag([1.0, 0.0]), atol=1e-12)
    assert left.prior.item() == pytest.approx(1)
    assert selection_fit.without_idle(left) is left
