"""Densities over latent points and sizes: what is drawn has the density that is stated."""

import numpy as np
import pytest
from scipy.stats import norm

from cornac_mle.sampling import latent_densities
from cornac_mle.sampling.latent_densities import (
    NormalMixture,
    StandardNormal,
    choose_components,
    fit_gaussian,
    fit_mixture,
    size_scores,
)
from cornac_mle.sampling.normal_cells import log_normal_cell
from cornac_mle.sampling.sizes import size_distribution


def test_gaussian_has_the_moments_of_the_posteriors():
    # Two users at -1 and +1 with posterior variance 1/4: mean 0, variance 1 + 1/4.
    means, deviations = np.array([[-1.0], [1.0]]), np.full((2, 1), 0.5)
    density = fit_gaussian(means, deviations, np.array([3, 3]), 9, np.random.default_rng(0))
    assert density.means[0, 0] == 0
    assert (density.roots[0] @ density.roots[0].T)[0, 0] == pytest.approx(1.25, rel=1e-3)
    points, sizes = density.draw(20_000, np.random.default_rng(1))
    assert points.var() == pytest.approx(1.25, rel=0.06)  # 5 standard errors
    assert np.median(sizes) == 3


def test_mixture_finds_two_clusters_and_their_sizes():
    rng = np.random.default_rng(0)
    side = np.repeat([-1.0, 1.0], 200)
    means = np.column_stack([3 * side, np.zeros(400)])
    sizes = np.where(side < 0, rng.integers(2, 4, 400), rng.integers(30, 50, 400))
    density = fit_mixture(means, np.full((400, 2), 0.5), sizes, 60, None, rng)
    assert len(density.weights) >= 2
    points, drawn = density.draw(2000, rng)
    assert np.all(np.abs(np.abs(points[:, 0]) - 3) < 2.6)  # 5 standard deviations; none between
    assert np.mean((drawn >= 12) == (points[:, 0] > 0)) > 0.95


def test_number_of_components_is_chosen_on_users_left_out():
    rng = np.random.default_rng(0)
    assert choose_components(rng.normal(size=(400, 3)), rng.normal(size=(200, 3)), rng) == 1
    centres = 8 * np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    points = centres[rng.integers(0, 4, 800)] + rng.normal(size=(800, 2))
    assert choose_components(points[:600], points[600:], rng) >= 4
    given = fit_mixture(points, np.full((800, 2), 0.1), np.full(800, 5), 9, 3, rng)
    assert given.means.shape == (3, 3)


class Rising:
    """A mixture whose likelihood of users left out rises up to a number of components."""

    def __init__(self, n_components, best, tried):
        tried.append(n_components)
        self.value = -abs(n_components - best)

    def score(self, left_out):
        return self.value


@pytest.mark.parametrize(
    ("n_train", "best", "tried"),
    [
        (1_000, 99, [1, 2, 4, 8, 16, 32]),
        (1_000, 4, [1, 2, 4, 8]),  # stops at the first that is worse
        (16, 99, [1, 2, 4, 8]),  # two draws a component
        (15, 99, [1, 2, 4]),
    ],
)
def test_numbers_of_components_double_as_long_as_they_help(monkeypatch, n_train, best, tried):
    seen = []
    monkeypatch.setattr(
        latent_densities, "fit_components", lambda train, n, rng: Rising(n, best, seen)
    )
    rng = np.random.default_rng(0)
    chosen = choose_components(np.zeros((n_train, 2)), np.zeros((5, 2)), rng)
    assert seen == tried
    assert chosen == min(best, tried[-1])
    assert choose_components(np.zeros((n_train, 2)), np.zeros((0, 2)), rng) == 1


def test_equal_likelihood_does_not_buy_more_components(monkeypatch):
    monkeypatch.setattr(latent_densities, "fit_components", lambda train, n, rng: Rising(0, 0, []))
    points = np.zeros((100, 2))
    assert choose_components(points, points, np.random.default_rng(0)) == 1


def test_a_gaussian_by_hand():
    """Two users; the scores of sizes 2 and 5 are -z and z with z the quantile of 3/4."""
    means, deviations = np.array([[0.0, 2.0], [4.0, 0.0]]), np.array([[1.0, 2.0], [3.0, 0.0]])
    density = fit_gaussian(means, deviations, np.array([2, 5]), 6, np.random.default_rng(0))
    z = norm.ppf(0.75)
    np.testing.assert_allclose(density.weights, [1.0])
    np.testing.assert_allclose(density.means, [[2.0, 1.0, 0.0]], atol=1e-12)
    # Covariance of the means, divided by 2, plus mean squares of deviations, and the ridge.
    expected = np.array([[4 + 5, -2, 2 * z], [-2, 1 + 2, -z], [2 * z, -z, z**2 + 1e-4]])
    np.testing.assert_allclose(density.roots[0] @ density.roots[0].T, expected, atol=1e-12)
    assert len(density.edges) == 7  # sizes 1 to 6


def test_a_mixture_is_fitted_to_four_draws_of_each_posterior_and_its_size(monkeypatch):
    """The fit is looked at: what is handed on, and what is made of the answer."""
    handed = {}

    class Fitted:
        weights_ = np.ones(1)
        means_ = np.zeros((1, 3))
        covariances_ = np.eye(3)[None]

    def fit_components(joint, n_components, rng):
        handed.update(joint=joint, n_components=n_components)
        return Fitted

    monkeypatch.setattr(latent_densities, "fit_components", fit_components)
    means, deviations = np.array([[10.0, 0.0], [20.0, 0.0]]), np.array([[0.0, 1.0], [0.0, 3.0]])
    sizes = np.array([2, 7])
    density = fit_mixture(means, deviations, sizes, 9, 50, np.random.default_rng(0))
    assert handed["n_components"] == 2  # no more than users
    joint = handed["joint"]
    np.testing.assert_array_equal(joint[:, 0], [10] * 4 + [20] * 4)
    noise = np.random.default_rng(0).standard_normal((8, 2))
    np.testing.assert_allclose(joint[:, 1], noise[:, 1] * ([1] * 4 + [3] * 4), atol=1e-12)
    z = norm.ppf(0.75)
    np.testing.assert_allclose(joint[:, 2], [-z] * 4 + [z] * 4)
    shares = np.diff(norm.cdf(density.edges))
    np.testing.assert_allclose(shares, size_distribution(sizes, 9), atol=1e-12)


def test_a_fifth_of_the_users_is_left_out_with_all_of_their_draws(monkeypatch):
    seen = {}

    def choose(train, left_out, rng):
        seen.update(train=train, left_out=left_out)
        return 1

    monkeypatch.setattr(latent_densities, "choose_components", choose)
    means = np.arange(40.0)[:, None]
    fit_mixture(means, np.zeros((40, 1)), np.full(40, 3), 5, None, np.random.default_rng(0))
    train, left_out = (set(seen[name][:, 0]) for name in ("train", "left_out"))
    assert len(left_out) == 8
    assert train | left_out == set(range(40))
    assert not train & left_out
    assert len(seen["left_out"]) == 4 * 8


def test_the_precision_is_minus_the_curvature_of_a_single_gaussian():
    """By differences of the gradient; with one component the stated precision is exact."""
    random = np.random.default_rng(1)
    root = random.normal(size=(3, 3))
    covariance = (root @ root.T + np.eye(3))[None]
    shares = np.array([0.2, 0.5, 0.3])
    density = NormalMixture(np.ones(1), random.normal(size=(1, 3)), covariance, shares)
    points, sizes = random.normal(size=(6, 2)), np.array([1, 2, 3, 1, 2, 3])
    _, precision = density.expansion(points, sizes)
    step = 1e-5
    for axis in range(2):
        move = np.zeros(2)
        move[axis] = step
        ends = [density.expansion(points + sign * move, sizes)[0] for sign in (1, -1)]
        curvature = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(precision[:, axis], -curvature, atol=1e-7)


def test_the_precision_of_a_mixture_weighs_those_of_its_components():
    random = np.random.default_rng(2)
    roots = random.normal(size=(2, 3, 3))
    covariances = roots @ roots.transpose(0, 2, 1) + np.eye(3)
    weights, means, shares = np.array([0.3, 0.7]), random.normal(size=(2, 3)), np.full(3, 1 / 3)
    mixture = NormalMixture(weights, means, covariances, shares)
    points, sizes = random.normal(size=(5, 2)), np.array([1, 2, 3, 2, 1])
    parts, precisions, gradients = [], [], []
    for number in range(2):
        alone = NormalMixture(np.ones(1), means[[number]], covariances[[number]], shares)
        alone.edges = mixture.edges
        parts.append(np.log(weights[number]) + alone.log_density(points, sizes))
        gradient, precision = alone.expansion(points, sizes)
        gradients.append(gradient)
        precisions.append(precision)
    share = np.exp(parts - np.logaddexp(*parts))  # (2, n_points)
    gradient, precision = mixture.expansion(points, sizes)
    np.testing.assert_allclose(gradient, np.einsum("cu,cuk->uk", share, gradients), atol=1e-10)
    expected = np.einsum("cu,cukl->ukl", share, precisions)
    np.testing.assert_allclose(precision, expected, atol=1e-10)


def test_standard_normal_by_hand():
    # Density of (3, 4) in the plane: exp(-25/2) / (2 pi); size 2 has the probability 3/4.
    density = StandardNormal(2, np.array([0.25, 0.75]))
    point = np.array([[3.0, 4.0]])
    alone = -12.5 - np.log(2 * np.pi)
    assert density.log_point_density(point)[0] == pytest.approx(alone, rel=1e-12)
    found = density.log_density(point, np.array([2]))[0]
    assert found == pytest.approx(alone + np.log(0.75), rel=1e-12)
    gradient, precision = density.expansion(point, np.array([2]))
    np.testing.assert_array_equal(gradient, [[-3.0, -4.0]])
    np.testing.assert_array_equal(precision, np.eye(2)[None])


def two_sides() -> NormalMixture:
    """A quarter of users at score -10, the others at +10, and sizes 1 to 8 equally often."""
    means = np.array([[0.0, -10.0], [0.0, 10.0]])
    covariances = np.tile(np.eye(2), (2, 1, 1))
    return NormalMixture(np.array([0.25, 0.75]), means, covariances, np.full(8, 1 / 8))


def test_scores_are_cut_where_the_sizes_have_their_probabilities():
    # P(size <= 1) = 1/8 is the median of the left quarter; P(size <= 5) = 5/8 = 1/4 + 3/8 is the
    # median of the right three quarters; P(size <= 2) = 1/4 is anywhere between the two.
    edges = two_sides().edges
    assert edges[0] == -np.inf
    assert edges[8] == np.inf
    np.testing.assert_allclose(edges[[1, 5]], [-10, 10], atol=1e-9)
    assert -6 < edges[2] < 6


@pytest.mark.parametrize("far", [-1e4, 1e4])
def test_scores_are_cut_where_they_are_wherever_the_points_are(far):
    near = two_sides()
    means = near.means.copy()
    means[:, 0] = far
    covariances = np.tile(np.eye(2), (2, 1, 1))
    moved = NormalMixture(near.weights, means, covariances, np.full(8, 1 / 8))
    np.testing.assert_array_equal(moved.edges, near.edges)


DENSITIES = {
    "normal": lambda rng: StandardNormal(2, size_distribution(np.array([1, 2, 2, 5]), 6)),
    "gaussian": lambda rng: fit_gaussian(*clusters(rng), 6, rng),
    "mixture": lambda rng: fit_mixture(*clusters(rng), 6, 3, rng),
}


def clusters(rng):
    sizes = np.clip(rng.poisson(2.5, 300), 1, 6)
    means = rng.normal(size=(300, 2)) + np.sign(sizes - 2.5)[:, None]
    return means, np.full((300, 2), 0.4), sizes


@pytest.mark.parametrize("name", DENSITIES)
def test_draws_have_the_stated_density(name):
    """Integrals over the plane of density, and of density times a point, against draws."""
    rng = np.random.default_rng(3)
    density = DENSITIES[name](rng)
    line = np.linspace(-9, 9, 121)
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    area = (line[1] - line[0]) ** 2
    points, sizes = density.draw(40_000, rng)
    total = 0.0
    for size in range(1, 7):
        mass = np.exp(density.log_density(grid, np.full(len(grid), size))) * area
        total += mass.sum()
        here = sizes == size
        # Binomial and normal limits of 5 standard errors: a false alarm of 1e-6 or less.
        assert here.mean() == pytest.approx(mass.sum(), abs=5 * np.sqrt(mass.sum() / 40_000))
        spread = points[here].std(axis=0) / np.sqrt(here.sum())
        assert np.all(np.abs(points[here].mean(axis=0) - mass @ grid / mass.sum()) < 5 * spread)
    assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", DENSITIES)
def test_a_size_that_no_profile_can_have_is_impossible(name):
    density = DENSITIES[name](np.random.default_rng(3))
    log_density = density.log_density(np.zeros((4, 2)), np.array([0, 1, 6, 7]))
    assert np.array_equal(np.isneginf(log_density), [True, False, False, True])


def test_cells_of_the_normal_distribution_far_in_both_tails():
    # P(10 < x < 11) is P(x > 10) to 4 digits, and P(-11 < x < -10) is the same.
    low, high = np.array([10.0, -11.0, -np.inf, -1.0]), np.array([11.0, -10.0, np.inf, 1.0])
    expected = [norm.logsf(10), norm.logcdf(-10), 0.0, np.log(0.6826894921)]
    np.testing.assert_allclose(log_normal_cell(low, high), expected, atol=1e-4)


def test_standard_normal_draws_the_distribution_of_sizes():
    distribution = np.array([0.0, 0.25, 0.75])
    points, sizes = StandardNormal(3, distribution).draw(5000, np.random.default_rng(0))
    assert points.shape == (5000, 3)
    assert points.mean() == pytest.approx(0, abs=0.05)
    assert points.std() == pytest.approx(1, abs=0.05)
    assert set(sizes) == {2, 3}
    assert np.mean(sizes == 3) == pytest.approx(0.75, abs=0.03)  # 5 standard errors


def test_size_scores_are_normal_quantiles_with_ties_shared_out_at_random():
    scores = size_scores(np.array([5, 9, 1, 5]), np.random.default_rng(0))
    np.testing.assert_allclose(scores[[2, 1]], [-1.150349, 1.150349], atol=1e-6)  # 1/8, 7/8
    np.testing.assert_allclose(np.sort(scores[[0, 3]]), [-0.318639, 0.318639], atol=1e-6)
    firsts = [size_scores(np.array([5, 5]), np.random.default_rng(s))[0] for s in range(60)]
    assert len(set(firsts)) == 2
