"""PMF weighs profiles by the distribution that it draws them from, in both variants."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats
from scipy.optimize import minimize_scalar

from cornac_mle.models.pmf import _gaussian_variant as pmf_gaussian
from cornac_mle.models.pmf import model as pmf
from cornac_mle.models.pmf._gaussians import packed_products
from cornac_mle.models.pmf._log_likelihood import item_expansion
from cornac_mle.models.pmf._value_distribution import ValueDistribution, cell_expansion, log_cell
from cornac_mle.models.pmf.model import PMF
from cornac_mle.models.popularity import Popularity
from cornac_mle.profiles import Profiles
from cornac_mle.remedies.filtered import Filtered
from cornac_mle.sampling.arrival_rates import softplus
from worlds import profiles, rated, taste_world

FALSE_ALARM = 1e-6


def small_world(with_values: bool) -> Profiles:
    """300 users of 4 items; one half likes the first two, the other the last two less."""
    random = np.random.default_rng(4)
    first = random.random(300) < 0.5
    probabilities = np.where(first[:, None], [0.8, 0.7, 0.3, 0.2], [0.1, 0.4, 0.7, 0.6])
    held = random.random((300, 4)) < probabilities
    held[:, 0] |= held.sum(axis=1) == 0
    values = 1 + (random.random((300, 4)) < np.where(first, 0.9, 0.2)[:, None])
    return profiles(sp.csr_array((held * (values if with_values else 1)).astype(np.float32)))


@pytest.fixture(scope="module", params=[False, True], ids=["likes", "ratings"])
def small(request):
    """A model of four items and every profile that it can draw."""
    model = PMF(1, 30, seed=1).fit(small_world(request.param).to_dataset(seed=1))
    levels = [0, 1, 2] if request.param else [0, 1]
    rows = np.array(list(itertools.product(levels, repeat=4)), np.float32)[1:]
    return model, Profiles.from_matrix(sp.csr_array(rows), model.catalogue_)


@pytest.fixture(scope="module")
def rated_model():
    world = rated(taste_world(300, n_items=60, mean_size=12, seed=5))
    return PMF(3, 20, seed=1).fit(world[:200].to_dataset(seed=1)), world[200:]


# -------------------------------------------------------------------- hurdle: weigh and draw


def brute_force(model, row):
    """Integrate over (t, u) by Gauss-Hermite quadrature, over orders of items by a sum."""
    distribution = model.distribution_
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    n_latent = distribution.density.means.shape[1] - 1
    grid = np.stack(np.meshgrid(*[nodes] * n_latent, indexing="ij"), -1).reshape(-1, n_latent)
    shares = np.prod(np.meshgrid(*[weights / weights.sum()] * n_latent, indexing="ij"), axis=0)
    covariance = distribution.density.roots[0] @ distribution.density.roots[0].T
    points = distribution.density.means[0, :-1] + grid @ np.linalg.cholesky(covariance[:-1, :-1]).T
    along = np.linalg.solve(covariance[:-1, :-1], covariance[:-1, -1])
    centre = (
        distribution.density.means[0, -1] + (points - distribution.density.means[0, :-1]) @ along
    )
    spread = np.sqrt(covariance[-1, -1] - covariance[-1, :-1] @ along)
    held = np.flatnonzero(row)
    edges = distribution.density.edges[len(held) - 1 : len(held) + 1]
    probability = np.diff(stats.norm.cdf((edges[:, None] - centre) / spread), axis=0)[0]
    tastes, rest = np.split(points, [distribution.n_tastes], axis=1)
    rates = np.log1p(np.exp(tastes @ distribution.items[:, :-1].T + distribution.items[:, -1]))
    of_items = 0.0
    for order in itertools.permutations(held):
        left, product = rates.sum(axis=1), 1.0
        for item in order:
            product, left = product * rates[:, item] / left, left - rates[:, item]
        of_items = of_items + product
    probability = probability * of_items
    if distribution.values is not None:
        u = np.column_stack([rest, np.ones(len(points))])
        row_of, column_of = np.triu_indices(3)
        for item in held:
            inner = np.zeros((3, 3))
            inner[row_of, column_of] = inner[column_of, row_of] = distribution.values.spread[item]
            variance = distribution.values.noise_sd**2 + np.einsum("na,ab,nb->n", u, inner, u)
            cut = distribution.values.edges[1]
            below = stats.norm.cdf(
                (cut - distribution.values.mean - u @ distribution.values.items[item])
                / np.sqrt(variance)
            )
            probability = probability * (below if row[item] == 1 else 1 - below)
    return np.log(shares.ravel() @ probability)


def test_equal_to_brute_force(small):
    model, every = small
    rows = every.matrix.toarray()
    chosen = [row for row in rows if tuple(row) in {(1, 0, 0, 0), (0, 1, 1, 0), (1, 1, 0, 1)}]
    if model.distribution_.values is not None:
        chosen += [row for row in rows if tuple(row) in {(2, 0, 1, 0), (0, 2, 0, 2), (2, 2, 2, 1)}]
    users = Profiles.from_matrix(sp.csr_array(np.array(chosen)), every.item_ids)
    estimate = model.estimate_log_likelihood(users, rng=1, n_draws=20_000)
    expected = [brute_force(model, row) for row in chosen]
    # An effective sample size of 10,000 or more of 20,000: the standard error is .007 or less.
    np.testing.assert_allclose(estimate.nats, expected, atol=0.03)
    assert estimate.effective_sample_size.min() > 10_000


def test_probabilities_of_all_profiles_sum_to_one(small):
    model, every = small
    # 4 standard errors of 400 draws, which differ by a fifth, are 4 x .2 / 20 on one profile.
    total = np.exp(model.log_likelihood(every, rng=2, n_draws=400)).sum()
    assert total == pytest.approx(1.0, abs=0.01)


def fit_of_samples(model, every):
    """p-value of a chi-square test of 20,000 drawn users against their log-likelihoods."""
    expected = 20_000 * np.exp(model.log_likelihood(every, rng=3, n_draws=400))
    code = 3 ** np.arange(4)
    drawn = np.bincount((model.sample(20_000, rng=7).matrix @ code).astype(int), minlength=81)
    observed = drawn[(every.matrix @ code).astype(int)]
    assert observed.sum() == 20_000
    rare = expected < 10  # too few for the chi-square distribution: taken together
    counts, probabilities = (
        [*part[~rare], part[rare].sum() + 1e-9] for part in (observed, expected)
    )
    assert len(counts) > 10
    statistic = sum((a - b) ** 2 / b for a, b in zip(counts, probabilities, strict=True))
    return stats.chi2.sf(statistic, len(counts) - 1)


def test_users_are_drawn_as_often_as_their_likelihood_says(small):
    assert fit_of_samples(*small) > FALSE_ALARM


def test_the_fit_test_finds_wrong_rates(small, monkeypatch):
    monkeypatch.setattr(pmf, "log_rates_of_odds", lambda odds: odds)
    assert fit_of_samples(*small) < FALSE_ALARM


def test_the_fit_test_finds_values_that_ignore_the_choices(monkeypatch):
    model = PMF(1, 30, seed=1).fit(small_world(with_values=True).to_dataset(seed=1))
    rows = np.array(list(itertools.product([0, 1, 2], repeat=4)), np.float32)[1:]
    every = Profiles.from_matrix(sp.csr_array(rows), model.catalogue_)
    assert fit_of_samples(model, every) > FALSE_ALARM
    honest = ValueDistribution.draw
    monkeypatch.setattr(
        ValueDistribution,
        "draw",
        lambda distribution, matrix, users, rng: honest(distribution, matrix, users[::-1], rng),
    )
    assert fit_of_samples(model, every) < FALSE_ALARM


def test_effective_sample_sizes_of_unseen_users(rated_model):
    model, unseen = rated_model
    estimate = model.estimate_log_likelihood(unseen, rng=1)
    assert np.isfinite(estimate.nats).all()
    assert np.median(estimate.effective_sample_size) > 50
    assert estimate.effective_sample_size.min() >= 1
    assert estimate.effective_sample_size.max() <= 100
    more = model.log_likelihood(unseen, rng=2, n_draws=400)
    assert np.abs(estimate.nats - more).mean() < 0.2


def test_corrupted_values_are_less_probable():
    world = small_world(with_values=True)
    model = PMF(1, 30, seed=1).fit(world.to_dataset(seed=1))
    turned = world.matrix.copy()
    several = np.repeat(np.diff(turned.indptr) > 1, np.diff(turned.indptr))
    turned.data = np.where(several & (turned.indices == 0), 3 - turned.data, turned.data)
    worse = Profiles(turned, world.user_ids, world.item_ids)
    real, turned_over = (model.log_likelihood(part[:100], rng=1).mean() for part in (world, worse))
    assert real > turned_over + 0.1


def test_what_cannot_be_drawn_has_probability_zero(rated_model):
    model, unseen = rated_model
    rows = unseen.matrix[[0, 0, 0]].toarray()
    rows[1] = 0
    rows[2, np.flatnonzero(rows[2])[0]] = 2.5  # not among the training values
    users = Profiles.from_matrix(sp.csr_array(rows), unseen.item_ids)
    estimate = model.estimate_log_likelihood(users, rng=1)
    assert np.isfinite(estimate.nats[0])
    assert (estimate.nats[1:] == -np.inf).all()
    assert (estimate.effective_sample_size[1:] == 0).all()


def test_equal_training_values_are_no_part_of_it():
    world = taste_world(60, n_items=30)
    model = PMF(2, 5, seed=1).fit(world.to_dataset(seed=1))
    same = model.log_likelihood(world, rng=1)
    assert np.array_equal(same, model.log_likelihood(rated(world), rng=1))


def test_gradient_of_items_against_differences():
    random = np.random.default_rng(0)
    items = random.normal(size=(12, 3))
    matrix = sp.csr_array((random.random((1, 12)) < 0.4).astype(np.float32))

    def best(t):
        rates = np.log1p(np.exp(items[:, :2] @ t + items[:, 2]))
        own, left = rates[matrix.indices], np.delete(rates, matrix.indices).sum()

        def lost(s):
            return -(np.log(left) + s - left * np.exp(s) + np.log(-np.expm1(-own * np.e**s)).sum())

        return -minimize_scalar(lost, bounds=(-5, 5), options={"xatol": 1e-10}).fun

    t = np.array([0.3, -0.5])
    gradient, times = item_expansion(items, packed_products(items), t[None], np.zeros(1), matrix)
    gradient, _ = item_expansion(items, packed_products(items), t[None], times, matrix)
    steps = 1e-4 * np.eye(2)
    expected = [(best(t + step) - best(t - step)) / 2e-4 for step in steps]
    np.testing.assert_allclose(gradient.gradient[0], expected, atol=1e-3)


def test_softplus_is_log_of_one_plus_exp():
    odds = np.array([-90.0, -2.0, 0.0, 3.0, 90.0], np.float32)
    np.testing.assert_allclose(softplus(odds), np.logaddexp(0, odds.astype(float)), rtol=1e-6)


# ------------------------------------------------------------------------------- distribution of
# values


def hand_distribution(*, grid):
    """Score 3 + 2 u + 1, variance .3^2 + (u, 1) diag(.04, .01) (u, 1)'."""
    spread = np.array([[0.04, 0.0, 0.01]], np.float32)
    edges = np.array([1.0, 5.0]) if grid is None else np.array([-np.inf, 4.0, np.inf])
    return ValueDistribution(3.0, 0.3, np.array([[2.0, 1.0]]), spread, grid, edges)


def test_uncertain_items_widen_the_distribution_of_values():
    matrix = sp.csr_array(np.ones((2, 1), np.float32))
    centre, spread = hand_distribution(grid=None).scores(matrix, np.array([[0.0], [-2.0]]))
    np.testing.assert_allclose(centre, [4.0, 0.0])
    # .09 + .01 = .1; .09 + 4 x .04 + .01 = .26.
    np.testing.assert_allclose(spread**2, [0.1, 0.26], rtol=1e-6)


def test_values_have_the_probability_with_which_they_are_drawn():
    users, matrix = np.full((20_000, 1), -0.1), sp.csr_array(np.ones((20_000, 1), np.float32))
    distribution = hand_distribution(grid=np.array([2.0, 7.0]))
    drawn = distribution.draw(matrix, users, np.random.default_rng(0))
    cells = distribution.cells(np.array([2.0]))
    probability = np.exp(distribution.log_probability(matrix[[0]], users[:1], cells)[0])
    # Score 3.8, variance .09 + .0004 + .01 = .1004: 2 if below 4, probability Phi(.631) = .736.
    assert probability == pytest.approx(stats.norm.cdf(0.2 / np.sqrt(0.1004)), abs=1e-6)
    assert stats.binomtest(int((drawn == 2).sum()), 20_000, probability).pvalue > FALSE_ALARM


def test_continuous_values_have_a_density_and_atoms_at_the_ends():
    distribution, matrix = hand_distribution(grid=None), sp.csr_array(np.ones((4, 1), np.float32))
    cells = distribution.cells(np.array([1.0, 3.5, 5.0, 6.0]))
    assert cells.possible.tolist() == [True, True, True, False]
    nats = distribution.log_probability(matrix, np.zeros((4, 1)), cells)
    normal = stats.norm(4.0, np.sqrt(0.1))
    expected = [normal.logcdf(1.0), normal.logpdf(3.5), normal.logsf(5.0), 0.0]
    np.testing.assert_allclose(nats, expected, rtol=1e-6)


def test_expansion_of_cells_against_differences():
    low, high = np.array([-np.inf, -0.5, 1.0, 0.7]), np.array([0.3, 0.4, np.inf, 0.7])
    gradient, precision = cell_expansion(low, high)
    up, here, down = (log_cell(low - move, high - move) for move in (1e-4, 0.0, -1e-4))
    np.testing.assert_allclose(gradient, (up - down) / 2e-4, atol=1e-6)
    np.testing.assert_allclose(precision, -(up - 2 * here + down) / 1e-8, atol=1e-5)


# ------------------------------------------------------------------------------ plain Gaussian


@pytest.fixture(scope="module")
def plain():
    """A Gaussian variant fitted to values around 10, none of which can be below 0."""
    random = np.random.default_rng(2)
    world = taste_world(400, n_items=40, mean_size=12, seed=2)
    matrix = world.matrix.copy()
    rows = np.repeat(np.arange(400), world.sizes)
    tastes, loadings = random.normal(size=400), random.normal(size=40)
    matrix.data = 10 + tastes[rows] * (0.6 + loadings[matrix.indices])
    matrix.data = (matrix.data + 0.5 * random.normal(size=matrix.nnz)).astype(np.float32)
    users = Profiles(matrix, world.user_ids, world.item_ids)
    return PMF(2, 30, seed=1, variant="gaussian").fit(users.to_dataset(seed=1)), users


def value_distributions(model, matrix):
    """Mean and covariance of each user's values, without any identity."""
    distribution = model.distribution_
    for row in range(matrix.shape[0]):
        held = distribution.items[matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]]
        mean = distribution.mean + held[:, :-1] @ distribution.users.mean + held[:, -1]
        covariance = held[:, :-1] @ distribution.users.covariance @ held[:, :-1].T
        yield mean, covariance + distribution.noise_sd**2 * np.eye(len(held))


def test_gaussian_variant_is_exact(plain):
    model, users = plain
    first = users[:20]
    estimate = model.estimate_log_likelihood(first, rng=1)
    of_sets = [
        pmf_gaussian.item_set_log_probability(
            model.distribution_.log_popularity,
            model.distribution_.size_probabilities,
            first.matrix[[row]],
        )[0]
        for row in range(20)
    ]
    of_values = [
        stats.multivariate_normal(mean, covariance).logpdf(first.matrix[[row]].data)
        for row, (mean, covariance) in enumerate(value_distributions(model, first.matrix))
    ]
    assert estimate.exact
    np.testing.assert_allclose(estimate.nats, np.add(of_sets, of_values), rtol=1e-5)


def whitened(model, matrix):
    """Independent N(0, 1) numbers if values have the model's distribution."""
    parts = []
    for row, (mean, covariance) in enumerate(value_distributions(model, matrix)):
        values = matrix.data[matrix.indptr[row] : matrix.indptr[row + 1]].astype(float)
        parts.append(np.linalg.solve(np.linalg.cholesky(covariance), values - mean))
    return np.concatenate(parts)


def test_gaussian_variant_draws_what_it_weighs(plain, monkeypatch):
    model, _ = plain
    drawn = whitened(model, model.sample(2000, rng=3).matrix)
    assert stats.kstest(drawn, "norm").pvalue > FALSE_ALARM
    honest = pmf_gaussian.predictions
    monkeypatch.setattr(
        pmf_gaussian, "predictions", lambda matrix, users, items: honest(matrix, 0 * users, items)
    )
    broken = whitened(model, model.sample(2000, rng=3).matrix)
    assert stats.kstest(broken, "norm").pvalue < FALSE_ALARM


def test_gaussian_variant_draws_items_by_popularity(plain):
    model, users = plain
    drawn = model.sample(4000, rng=1)
    assert np.corrcoef(drawn.item_counts, users.item_counts)[0, 1] > 0.97
    assert drawn.sizes.mean() == pytest.approx(users.sizes.mean(), rel=0.05)


def test_gaussian_variant_ranks_by_predicted_value(plain):
    model, users = plain
    scores = model.score(3)
    assert scores[7] == pytest.approx(model.rate(3, 7, clipping=False))
    folded = model.fold_in(users[:50])
    assert np.corrcoef(folded[3], scores)[0, 1] > 0.99
    nobody = Profiles.from_matrix(sp.csr_array((1, 40), dtype=np.float32), users.item_ids)
    mean_user = model.distribution_.users.mean
    expected = (
        model.distribution_.mean
        + model.distribution_.items[:, :-1] @ mean_user
        + model.distribution_.items[:, -1]
    )
    np.testing.assert_allclose(model.fold_in(nobody)[0], expected)


def test_values_below_zero_become_the_smallest_one(plain):
    model, _ = plain
    low = model.distribution_._replace(mean=0.0)
    drawn = pmf_gaussian.draw(low, 200, np.random.default_rng(0)).data
    assert drawn.min() > 0
    assert 0.3 < (drawn == np.float32(low.least)).mean() < 0.7


def test_gaussian_variant_needs_values():
    dataset = taste_world(40).to_dataset(seed=1)
    with pytest.raises(ValueError, match="`train_set` must hold different values for the Gaussian"):
        PMF(2, variant="gaussian").fit(dataset)


# ------------------------------------------------------------------------- of item sets alone


def test_of_a_set_it_is_the_sum_over_all_values(small):
    model, everything = small
    whole = np.exp(model.log_likelihood(everything, rng=1, n_draws=1_000))
    alone = model.estimate_log_likelihood(everything, rng=2, n_draws=1_000, values=False).nats
    places = 1 << np.arange(4)
    codes = (everything.matrix > 0).astype(np.int64) @ places
    sums = np.array([whole[codes == code].sum() for code in codes])
    # Two estimates with effective sample sizes of 860 and more: both are within .034 (1/sqrt(860)).
    np.testing.assert_allclose(np.exp(alone), sums, rtol=0.1)
    assert np.allclose(alone[codes == 15], alone[codes == 15][0], atol=0.1)


def test_of_a_set_the_gaussian_variant_is_independent_popularity(plain):
    model, users = plain
    alone = model.estimate_log_likelihood(users[:50], rng=1, values=False)
    popularity = Popularity().fit(users.to_dataset(seed=1)).log_likelihood(users[:50], rng=1)
    assert alone.exact
    np.testing.assert_allclose(alone.nats, popularity, rtol=1e-9)
    assert np.all(model.log_likelihood(users[:50], rng=1) != alone.nats)


def test_a_filter_passes_the_question_on(plain):
    model, users = plain
    filtered = Filtered(model.clone(), seed=1).fit(users.to_dataset(seed=1))
    inner = filtered.model_
    of_values = [
        one.log_likelihood(users[:50], rng=1)
        - one.estimate_log_likelihood(users[:50], rng=1, values=False).nats
        for one in (filtered, inner)
    ]
    np.testing.assert_allclose(of_values[0], of_values[1], atol=1e-9)
