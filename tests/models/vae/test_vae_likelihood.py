"""The variational autoencoder's log-likelihood: it is that of the distribution of its samples."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import logsumexp
from scipy.stats import chi2, multivariate_t, norm

from cornac_mle.models.vae import _log_likelihood as vae_importance
from cornac_mle.models.vae._diagnostics import aggregate_log_density, diagnose
from cornac_mle.models.vae._likelihoods import LIKELIHOODS
from cornac_mle.models.vae._log_likelihood import StudentT, normal_log_density
from cornac_mle.models.vae._vamp_prior import fit_vamp
from cornac_mle.models.vae.decoder import Decoder
from cornac_mle.models.vae.log_times import log_times
from cornac_mle.models.vae.model import LATENTS, VAE
from cornac_mle.sampling.latent_densities import NormalMixture, StandardNormal
from cornac_mle.sampling.plackett_luce import plackett_luce_log_probability
from cornac_mle.sampling.sizes import size_distribution
from worlds import profiles, taste_world

N_ITEMS = 5
EVERYTHING = np.array(list(itertools.product([0, 1], repeat=N_ITEMS)), dtype=np.float32)[1:]
KINDS = [[1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [0, 0, 0, 1, 1], [0, 0, 1, 1, 1], [1, 1, 1, 1, 0]]
ALL = {"n_epochs": 60, "batch_size": 20, "autoencoder_structure": (8,), "seed": 1, "dropout": 0.2}
CASES = [
    *({"likelihood": likelihood} for likelihood in LIKELIHOODS if likelihood != "plackett-luce"),
    {"likelihood": "plackett-luce", "n_epochs": 25},  # it has learnt this world by heart after 60
    {"prior": "vamp", "n_pseudo_inputs": 3},
]
IDS = [case.get("likelihood", "vamp") for case in CASES]


def fit(k, case):
    world = profiles(sp.csr_array(np.array(KINDS * 12, dtype=np.float32)))
    settings = ALL | {"learning_rate": 0.01, "n_components": 2, "anneal_epochs": 5}
    return VAE(k=k, **(settings | case)).fit(world.to_dataset(seed=1))


@pytest.fixture(scope="module", params=CASES, ids=IDS)
def line(request):
    """A model with one latent dimension."""
    return fit(1, request.param)


@pytest.fixture(scope="module", params=CASES, ids=IDS)
def plane(request):
    """A model with two latent dimensions."""
    return fit(2, request.param)


def everything(copies=1):
    return profiles(sp.csr_array(np.tile(EVERYTHING, (copies, 1))))


def likelihoods(model, copies=12, n_draws=60):
    """Probability of each of the 31 profiles, with the standard error of each."""
    nats = model.log_likelihood(everything(copies), rng=1, n_draws=n_draws)
    probabilities = np.exp(nats).reshape(copies, -1)
    return probabilities.mean(axis=0), probabilities.std(axis=0, ddof=1) / np.sqrt(copies)


def probabilities_on(grid, model):
    """Probability of each of the 31 profiles at each point of a line, given its size."""
    log_rates = model._decoder().log_rates(grid[:, None])
    if model.likelihood == "conditional-poisson":
        weights = np.exp(log_rates.astype(np.float64) @ EVERYTHING.T)  # (n_points, 31)
        sizes = EVERYTHING.sum(axis=1)
        return [
            weight / weights[:, sizes == size].sum(axis=1)
            for weight, size in zip(weights.T, sizes, strict=True)
        ]
    rows = [sp.csr_array(np.tile(profile, (len(grid), 1))) for profile in EVERYTHING]
    return [np.exp(plackett_luce_log_probability(log_rates, sets)) for sets in rows]


def density_on(grid, model, latent, size):
    """Density of the points of a line together with a profile size."""
    if latent != "posterior":
        sizes = np.full(len(grid), size)
        return np.exp(model.densities_[latent].log_density(grid[:, None], sizes))
    means, deviations = model._posteriors()
    own = model.sizes_ == size
    return norm.pdf(grid[:, None], means[own, 0], deviations[own, 0]).sum(axis=1) / len(means)


def test_it_is_the_integral_over_the_line(line):
    grid = np.linspace(-16, 16, 1201)
    given = probabilities_on(grid, line)
    # Densities know of no likelihood: all are beside one, and beside each the two that are weighed
    # by code of their own. In the plane all are beside all.
    latents = LATENTS if line.likelihood == "mult" else ("mixture", "posterior")
    for latent in ("prior",) if line.prior == "vamp" else latents:
        dense = {size: density_on(grid, line, latent, size) for size in range(1, N_ITEMS + 1)}
        exact = np.array(
            [
                (dense[int(size)] * probabilities).sum() * (grid[1] - grid[0])
                for size, probabilities in zip(EVERYTHING.sum(axis=1), given, strict=True)
            ]
        )
        assert exact.sum() == pytest.approx(1, abs=1e-3)  # so the grid is wide and fine enough
        # Cut-off rates give profiles several modes, of which few draws find the narrow ones.
        n_draws = 400 if line.likelihood in ("gaus", "plackett-luce") else 100
        probabilities, errors = likelihoods(line.with_latent(latent), n_draws=n_draws)
        # A t of 11 degrees of freedom is beyond 12 with probability 1e-7; there are 31 profiles.
        assert np.all(np.abs(probabilities - exact) <= 12 * errors + 1e-3 * exact + 1e-9)
        assert np.sqrt((errors**2).sum()) < 0.02
        assert np.median(errors[exact > 0] / exact[exact > 0]) < 0.06


def counts_of(users):
    """How many users hold exactly each of the 31 profiles."""
    places = 1 << np.arange(N_ITEMS)
    codes = users.matrix.astype(bool) @ places
    return np.array([np.sum(codes == one) for one in EVERYTHING @ places])


def fit_p_value(probabilities, errors, sampler, n_users=20_000):
    """Chi-square of the sampler's profiles against probabilities that have standard errors."""
    observed, expected = counts_of(sampler.sample(n_users, rng=2)), n_users * probabilities
    spread = expected + (n_users * errors) ** 2
    # Rare profiles share a cell, so that the statistic has the distribution of chi-square.
    order = np.argsort(expected)
    rare = order[: np.searchsorted(np.cumsum(expected[order]), 5) + 1]
    cells = [
        np.append(np.delete(counts, rare), counts[rare].sum())
        for counts in (observed, expected, spread)
    ]
    statistic = ((cells[0] - cells[1] * n_users / cells[1].sum()) ** 2 / cells[2]).sum()
    return chi2.sf(statistic, len(cells[0]) - 1)


@pytest.mark.parametrize("latent", LATENTS)
def test_samples_have_the_distribution_that_the_likelihood_states(plane, latent):
    """Chi-square over all profiles at a false-alarm rate of 1e-6, and a sampler that is wrong."""
    model = plane.with_latent(latent)
    probabilities, errors = likelihoods(model)
    error = np.sqrt((errors**2).sum())
    assert error < 0.02
    assert probabilities.sum() == pytest.approx(1, abs=12 * error)
    assert fit_p_value(probabilities, errors, model) > 1e-6
    # Broken: the natural parameter of one item is off.
    broken = plane.with_latent(latent)
    shifted = plane.decoder_[-1][1].copy()
    shifted[2] += 0.1 if plane.likelihood == "gaus" else 0.3
    broken.decoder_ = [*plane.decoder_[:-1], (plane.decoder_[-1][0], shifted)]
    assert fit_p_value(probabilities, errors, broken) < 1e-6


def test_a_sampler_of_another_density_or_other_rates_is_caught():
    model = fit(2, {})
    probabilities, errors = likelihoods(model)
    assert fit_p_value(probabilities, errors, model.with_latent("prior")) < 1e-6
    other = model.with_latent("mixture")
    other.likelihood = "bern"
    assert fit_p_value(probabilities, errors, other) < 1e-6


def test_what_cannot_be_drawn_has_probability_zero():
    # Item 3 is in the catalogue, and nobody holds it; nobody has one item.
    likes = np.array([[1, 1, 0, 0], [0, 1, 1, 0]] * 10, dtype=np.float32)
    model = VAE(k=2, **ALL).fit(profiles(sp.csr_array(likes)).to_dataset(seed=1))
    rows = np.array([[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0]], dtype=np.float32)
    users = profiles(sp.csr_array(rows))
    finite = np.isfinite(model.with_latent("mixture").log_likelihood(users, rng=1))
    np.testing.assert_array_equal(finite, [False, False, True, True])
    finite = np.isfinite(model.with_latent("posterior").log_likelihood(users, rng=1))
    np.testing.assert_array_equal(finite, [False, False, False, True])


def test_likelihood_is_repeatable_and_its_effective_sample_sizes_are_high(plane):
    users = everything()
    one = plane.estimate_log_likelihood(users, rng=3, n_draws=50)
    np.testing.assert_array_equal(one.nats, plane.log_likelihood(users, rng=3, n_draws=50))
    assert np.all(one.effective_sample_size <= 50 + 1e-9)
    assert np.median(one.effective_sample_size) > 20


# -------------------------------------------------------------------------------------- parts


def test_more_draws_raise_the_bound():
    world = taste_world(120, n_items=30, mean_size=8, seed=1)
    model = VAE(k=4, n_epochs=10, seed=1, latent="prior").fit(world.to_dataset(seed=1))
    one, many = (
        np.mean([model.log_likelihood(world, rng=seed, n_draws=n).mean() for seed in range(3)])
        for n in (1, 30)
    )
    assert many > one


def test_gradient_and_information_are_those_of_the_expected_size():
    # Two items of rates 2 and 1 by logits z and 0; at time t, 1 - e^-2t + 1 - e^-t = 1 gives
    # e^-t = (sqrt(5) - 1) / 2. With r = 2t, q = 1 - e^-2t: gradient 1 r / q - r if the first is
    # held.
    layers = [(np.array([[1.0, 0.0]], dtype=np.float32), np.zeros(2, dtype=np.float32))]
    decoder = Decoder(layers, LIKELIHOODS["mult"], 0.1, np.zeros(2, dtype=bool))
    point, held = np.array([[np.log(2.0)]]), sp.csr_array(np.array([[1, 0]], dtype=np.float32))
    absent = (np.sqrt(5) - 1) / 2
    time = -np.log(absent)
    assert log_times(np.log([[2.0, 1.0]]), np.array([1]))[0] == pytest.approx(
        np.log(time), rel=1e-5
    )
    gradient, information = decoder.expansion(point, held)
    first, second = 2 * time, time
    probability = 1 - absent**2
    assert gradient[0, 0] == pytest.approx(first / probability - first, rel=1e-5)
    weights = [first**2 * absent**2 / probability, second**2 * absent / (1 - absent)]
    expected = weights[0] - weights[0] ** 2 / sum(weights)  # what time takes up is taken out
    assert information[0, 0, 0] == pytest.approx(expected, rel=1e-5)


def test_gradient_and_information_of_independent_items_of_a_number():
    # Two items of log-odds z = log 2 and 0, of which one is expected at odds sqrt 2 and 1 / sqrt 2:
    # p = sqrt 2 / (1 + sqrt 2) and 1 - p. The gradient is 1 - p if the first is held, and of the
    # information p (1 - p) of each item the tilt takes up half.
    layers = [(np.array([[1.0, 0.0]], dtype=np.float32), np.zeros(2, dtype=np.float32))]
    decoder = Decoder(layers, LIKELIHOODS["conditional-poisson"], 0.1, np.zeros(2, dtype=bool))
    point, held = np.array([[np.log(2.0)]]), sp.csr_array(np.array([[1, 0]], dtype=np.float32))
    p = np.sqrt(2) / (1 + np.sqrt(2))
    gradient, information = decoder.expansion(point, held)
    assert gradient[0, 0] == pytest.approx(1 - p, rel=1e-4)
    assert information[0, 0, 0] == pytest.approx(p * (1 - p) / 2, rel=1e-4)
    # {first} and {second} differ by log 2, the ratio of their weights.
    sharp = decoder.sharpness(point, np.array([1]))
    both = sharp.log_probabilities(0, sp.csr_array(np.eye(2, dtype=np.float32)))
    assert both[0] - both[1] == pytest.approx(np.log(2), rel=1e-5)
    expected = np.log(p * p) + 0.5 * np.log(2 * p * (1 - p))  # 1 - (1 - p) is p
    assert both[0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_gradients_of_log_rates_are_their_differences(likelihood):
    one = LIKELIHOODS[likelihood]
    eta = np.array([[0.15, 0.5, 0.9]]) if likelihood == "gaus" else np.array([[-4.0, 0.0, 3.0]])
    step = 1e-5
    rise = one.log_rates(eta + step, 0.01) - one.log_rates(eta - step, 0.01)
    np.testing.assert_allclose(one.log_rate_gradients(eta, 0.01), rise / (2 * step), rtol=1e-4)


def test_rates_give_an_item_its_probability_within_unit_time():
    eta = np.array([[-1.0, 2.0]], dtype=np.float32)
    arrived = -np.expm1(-np.exp(LIKELIHOODS["bern"].log_rates(eta, 0.0)))
    np.testing.assert_allclose(arrived, 1 / (1 + np.exp(-eta)), rtol=1e-5)
    means = np.array([[-3.0, 0.25, 7.0]], dtype=np.float32)
    arrived = -np.expm1(-np.exp(LIKELIHOODS["gaus"].log_rates(means, 0.01)))
    np.testing.assert_allclose(arrived, [[0.01, 0.25, 1.0]], rtol=1e-5)


def test_student_t_is_that_of_scipy():
    random = np.random.default_rng(0)
    root = random.normal(size=(3, 3))
    precision = root @ root.T + np.eye(3)
    many = 40_000
    lowers = np.broadcast_to(np.linalg.cholesky(precision), (many, 3, 3))
    one = StudentT(np.tile([1.0, 2.0, 3.0], (many, 1)), lowers)
    points = one.draw(random)
    shape, freedom = np.linalg.inv(precision), vae_importance.DEGREES_OF_FREEDOM
    expected = multivariate_t([1, 2, 3], shape, df=freedom).logpdf(points)
    np.testing.assert_allclose(one.log_density(points), expected, rtol=1e-9)
    np.testing.assert_allclose(points.mean(axis=0), [1, 2, 3], atol=0.03)  # 6 standard errors
    covariance = shape * freedom / (freedom - 2)
    np.testing.assert_allclose(np.cov(points.T), covariance, atol=0.05)


def random_mixture(random):
    roots = random.normal(size=(3, 3, 3)) * 0.5
    covariances = roots @ roots.transpose(0, 2, 1) + 0.2 * np.eye(3)
    distribution = size_distribution(np.array([2, 3, 5, 8]), 10)
    return NormalMixture(
        np.array([0.5, 0.3, 0.2]), random.normal(size=(3, 3)), covariances, distribution
    )


@pytest.mark.parametrize("kind", ["normal", "mixture"])
def test_expansion_of_a_density_has_its_gradient(kind):
    random = np.random.default_rng(0)
    distribution = size_distribution(np.array([2, 3, 5, 8]), 10)
    density = StandardNormal(2, distribution) if kind == "normal" else random_mixture(random)
    points, sizes = random.normal(size=(8, 2)), np.array([1, 2, 3, 4, 6, 8, 9, 10])
    gradient, precision = density.expansion(points, sizes)
    for axis in range(2):
        step = 1e-5 * np.eye(2)[axis]
        rise = density.log_density(points + step, sizes) - density.log_density(points - step, sizes)
        np.testing.assert_allclose(gradient[:, axis], rise / 2e-5, rtol=1e-5, atol=1e-6)
    assert np.all(np.linalg.eigvalsh(precision) > 0)


def test_precision_of_one_normal_is_its_curvature():
    random = np.random.default_rng(0)
    mixture = random_mixture(random)
    distribution = size_distribution(np.array([2, 3, 5, 8]), 10)
    covariance = (mixture.roots[0] @ mixture.roots[0].T)[None]
    density = NormalMixture(np.ones(1), mixture.means[:1], covariance, distribution)
    points, sizes = random.normal(size=(5, 2)), np.array([1, 3, 5, 7, 10])
    _, precision = density.expansion(points, sizes)
    for axis in range(2):
        step = 1e-5 * np.eye(2)[axis]
        ahead, behind = (
            density.expansion(points + step, sizes),
            density.expansion(points - step, sizes),
        )
        bend = -(ahead[0] - behind[0]) / 2e-5
        np.testing.assert_allclose(precision[:, axis], bend, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["normal", "mixture"])
def test_density_of_points_is_the_sum_over_sizes(kind):
    random = np.random.default_rng(0)
    distribution = size_distribution(np.array([2, 3, 5, 8]), 10)
    density = StandardNormal(2, distribution) if kind == "normal" else random_mixture(random)
    points = random.normal(size=(6, 2))
    parts = [density.log_density(points, np.full(6, size)) for size in range(1, 11)]
    np.testing.assert_allclose(density.log_point_density(points), logsumexp(parts, axis=0))


def test_vamp_gives_each_pseudo_input_the_sizes_of_its_users():
    # Users at -5 have few items, those at +5 many; pseudo-inputs sit at both, and at neither.
    side = np.repeat([-5.0, 5.0], 50)
    sizes = np.where(side < 0, 3, 20)
    spread = np.full((3, 1), 0.5)
    density = fit_vamp(
        np.array([[-5.0], [5.0], [100.0]]),
        spread,
        side[:, None],
        np.full((100, 1), 0.5),
        sizes,
        30,
        np.random.default_rng(0),
    )
    points, drawn = density.draw(6_000, np.random.default_rng(1))
    few, many = (drawn[np.abs(points[:, 0] - centre) < 3] for centre in (-5, 5))
    assert len(few) == pytest.approx(2_000, abs=200)  # 6 standard errors of the even mixture
    assert np.median(few) == 3
    assert np.median(many) == pytest.approx(20, abs=1)
    assert len(np.unique(drawn[points[:, 0] > 90])) > 5


# -------------------------------------------------------------------------------- diagnostics


def test_diagnostics_by_hand():
    # Two users at -1 and +1 in the first dimension and at 0 in the second, deviations 1/2 and 1.
    # Aggregate covariance diag(1 + 1/4, 1). KL of the first: (1 + 1/4 - 1)/2 + log 2; second: 0.
    means, deviations = np.array([[-1.0, 0.0], [1.0, 0.0]]), np.array([[0.5, 1.0], [0.5, 1.0]])
    prior = StandardNormal(2, np.ones(3) / 3)
    found = diagnose(means, deviations, prior, np.random.default_rng(0))
    np.testing.assert_allclose(found.variances_of_means, [1, 0])
    assert found.active_units == 1
    np.testing.assert_allclose(found.eigenvalues, [1.25, 1])
    np.testing.assert_allclose(found.kl_of_dimensions, [1 / 8 + np.log(2), 0])
    assert found.kl == pytest.approx(1 / 8 + np.log(2))


def test_aggregate_kl_is_that_of_the_mixture():
    # A thousand users at each of -3 and +3 of deviation 1/10, against N(0, 1): telling the sides
    # apart is log 2, so KL(aggregate || prior) = KL - log 2, KL = (9 + .01 - 1)/2 + log 10.
    means = np.repeat([[-3.0], [3.0]], 1_000, axis=0)
    deviations = np.full((2_000, 1), 0.1)
    found = diagnose(means, deviations, StandardNormal(1, np.ones(1)), np.random.default_rng(0))
    kl = (9 + 0.01 - 1) / 2 + np.log(10)
    assert found.kl == pytest.approx(kl)
    # The estimate's standard deviation is .3 / sqrt(2,000) for z^2 / 2 at z = 3 +- .1.
    assert found.aggregate_kl == pytest.approx(kl - np.log(2), abs=0.15)


def test_kl_to_a_mixture_is_estimated():
    # The prior is one normal N(1, 1/4), written as a mixture: KL to posteriors equal to it is 0.
    distribution = np.ones(3) / 3
    covariance = np.diag([0.25, 1.0])
    prior = NormalMixture(np.ones(1), np.array([[1.0, 0.0]]), covariance[None], distribution)
    at = np.ones((500, 1))
    found = diagnose(at, at / 2, prior, np.random.default_rng(0))
    assert found.kl_of_dimensions is None
    assert found.kl == pytest.approx(0, abs=1e-9)
    assert found.aggregate_kl == pytest.approx(0, abs=1e-9)
    # N(2, 1/4) against N(1, 1/4): (1 / (1/4)) / 2 = 2 nats; a draw's deviation is 2.
    found = diagnose(2 * at, at / 2, prior, np.random.default_rng(0))
    assert found.kl == pytest.approx(2, abs=5 * 2 / np.sqrt(500))


def test_aggregate_density_is_the_mean_of_the_posteriors():
    random = np.random.default_rng(0)
    means, deviations = random.normal(size=(7, 2)), random.uniform(0.3, 2, size=(7, 2))
    points = random.normal(size=(300, 2))
    parts = norm.logpdf(points[:, None], means, deviations).sum(axis=2)
    expected = logsumexp(parts, axis=1) - np.log(7)
    np.testing.assert_allclose(aggregate_log_density(points, means, deviations), expected)
    one = normal_log_density(points[:7], means, deviations)
    np.testing.assert_allclose(one, parts[np.arange(7), np.arange(7)])


def test_diagnostics_of_a_model():
    model = fit(2, {"prior": "vamp", "n_pseudo_inputs": 3})
    found = model.diagnostics()
    assert 1 <= found.active_units <= 2
    assert found.kl > 0
    assert found.aggregate_kl < found.kl
    assert model.diagnostics().kl == found.kl
    with pytest.raises(RuntimeError, match="VAE is not fitted"):
        VAE().diagnostics()


def test_a_profile_larger_than_any_training_user_keeps_its_probability():
    """Undamped, Newton's method goes astray here, and 180 random items come out at -438 nats."""
    world = taste_world(300, n_items=300, mean_size=12, seed=3)
    settings = {"n_epochs": 60, "learning_rate": 3e-3, "batch_size": 50, "seed": 1}
    model = VAE(k=8, latent="prior", **settings).fit(world.to_dataset(seed=1))
    known = np.flatnonzero(world.matrix.sum(axis=0) > 0)
    large = np.zeros((1, 300), dtype=np.float32)
    large[0, np.random.default_rng(0).choice(known, 180, replace=False)] = 1
    nats = model.log_likelihood(profiles(sp.csr_array(large)), rng=1, n_draws=50)
    assert nats[0] > -370


def test_diagnostics_say_their_single_numbers():
    at, prior = np.array([[-1.0, 0.0], [1.0, 0.0]]), StandardNormal(2, np.ones(1))
    found = diagnose(at, np.full((2, 2), 0.5), prior, np.random.default_rng(0))
    # Variances of the means are 1 and 0; with 1/4 within, eigenvalues 1.25 and 0.25. KL of each
    # user: (1 + 1/4 - 1 + log 4) / 2 + (1/4 - 1 + log 4) / 2 = 1.136.
    assert str(found).startswith(
        "Diagnostics(1 of 2 units active, eigenvalues 1.25 to 0.25, KL 1.1 nats a user, of the agg"
    )
