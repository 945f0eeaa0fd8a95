"""The post's figure: optima against closed forms, shares against hand-worked and sampled ones."""

import importlib
import sys

import numpy as np
import pytest
from scipy import stats

from paths import EXPERIMENTS

NORMAL = stats.norm()


@pytest.fixture(scope="module")
def figure1():
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(EXPERIMENTS)
        yield importlib.import_module("figure1")


@pytest.fixture(scope="module")
def distributions(figure1):
    return sys.modules["gaussian_distributions"]


@pytest.fixture(scope="module")
def optima(figure1):
    return {name: figure1.local_optima(one) for name, one in figure1.DIVERGENCES.items()}


def gaussian(distributions, mean, deviation):
    return distributions.Gaussians((1.0,), (mean,), (deviation,))


def quantiles_of_the_data():
    """Equally likely normal quantiles and those of the data, whose halves hardly overlap."""
    score = NORMAL.ppf((np.arange(200_000) + 0.5) / 200_000)
    tail = NORMAL.ppf(2 * NORMAL.cdf(-np.abs(score)))
    return score, np.where(score < 0, tail, 16 - tail)


def test_maximum_likelihood_is_mean_and_standard_deviation(figure1, optima):
    """Mean (0 + 16)/2 = 8; variance 1 + 8² = 65, whose root is 8.0623."""
    (only,) = optima["maximum likelihood"]
    assert only.n_starts == figure1.N_STARTS
    for model in (only.model, figure1.moments()):
        assert model.means[0] == pytest.approx(8, abs=1e-5)
        assert model.deviations[0] == pytest.approx(np.sqrt(65), abs=1e-5)
    # KL = log(2 pi e 65)/2 less the data's entropy, log 2 + log(2 pi e)/2 but for the overlap.
    assert only.value == pytest.approx(np.log(65) / 2 - np.log(2), abs=1e-9)


def test_a_sample_has_the_same_optimum(figure1):
    """Within six standard errors of each of eight figures: a false alarm has a probability of 2e-8.

    n = 200,000. Mean: sqrt(65/n) = .018. Deviation: fourth moment 8⁴ + 6 8² + 3 = 4,483 and
    squared variance 65² = 4,225, so that sqrt((4,483 - 4,225)/n)/(2 8.06) = .0022. Each of the two
    components has half of the points: sqrt(2/n) for its mean, sqrt(1/n) for its deviation.
    """
    one, two = figure1.from_sample(200_000, seed=1)
    assert one.means[0] == pytest.approx(8, abs=6 * 0.018)
    assert one.deviations[0] == pytest.approx(np.sqrt(65), abs=6 * 0.0022)
    np.testing.assert_allclose(two.means, (0, 16), atol=6 * np.sqrt(2 / 200_000))
    np.testing.assert_allclose(two.deviations, (1, 1), atol=6 * np.sqrt(1 / 200_000))
    np.testing.assert_allclose(two.weights, (0.5, 0.5), atol=6 * 0.5 / np.sqrt(200_000))


@pytest.mark.parametrize(
    ("name", "value", "spanning"),
    [
        # KL(model, data): where the model is, the data are half as dense.
        ("reverse KL", np.log(2), 6.535),
        # The middle is 3/4 and 1/4 of the modes: KL(model, middle) = log2(4/3) = .415,
        # KL(data, middle) = log2(2/3)/2 + log2(2)/2 = .2075, half as much; their mean is .3113.
        ("Jensen-Shannon", 0.75 * np.log2(4 / 3), 8.034),
    ],
)
def test_reverse_kl_and_jensen_shannon_settle_on_a_mode(optima, name, value, spanning):
    *modes, both = optima[name]
    assert [one.model.means[0] for one in modes] == pytest.approx([0, 16], abs=1e-4)
    assert [one.model.deviations[0] for one in modes] == pytest.approx([1, 1], abs=1e-4)
    assert [one.value for one in modes] == pytest.approx([value, value], abs=1e-6)
    assert both.model.means[0] == pytest.approx(8, abs=1e-3)
    assert both.model.deviations[0] == pytest.approx(spanning, abs=1e-3)
    assert both.value > value + 0.1


@pytest.mark.parametrize("name", ["reverse KL", "Jensen-Shannon"])
def test_the_spanning_optimum_is_one(figure1, distributions, optima, name):
    """All around it, near enough for the parabola to show, the divergence is larger."""
    divergence, best = figure1.DIVERGENCES[name], optima[name][-1]
    (mean,), (deviation,) = best.model.means, best.model.deviations
    for angle in np.linspace(0, 2 * np.pi, 24, endpoint=False):
        aside = gaussian(
            distributions, mean + 0.05 * np.cos(angle), deviation + 0.05 * np.sin(angle)
        )
        assert divergence(aside) > best.value + 1e-6


def test_wasserstein_2_is_its_closed_form(figure1, optima):
    (only,) = optima["Wasserstein 2"]
    closed = figure1.wasserstein_2_closed_form()
    assert only.model.means == pytest.approx(closed.means, abs=1e-5)
    assert only.model.deviations == pytest.approx(closed.deviations, abs=1e-5)
    # W2² = (mean - mean)² + 65 + s² - 2 s closed, at s = closed.
    assert only.value == pytest.approx(np.sqrt(65 - closed.deviations[0] ** 2), abs=1e-6)
    # The integral another way, over equally likely quantiles.
    score, data = quantiles_of_the_data()
    assert closed.deviations[0] == pytest.approx(np.mean(data * score), abs=1e-3)


def test_wasserstein_1_balances_the_quantiles_of_data_and_model(optima):
    """At the optimum of E|Q(U) - m - s Z| the signs are orthogonal to 1 and to Z."""
    (only,) = optima["Wasserstein 1"]
    score, data = quantiles_of_the_data()
    gap = data - only.model.quantile(score)
    assert np.mean(np.sign(gap)) == pytest.approx(0, abs=1e-4)
    assert np.mean(np.sign(gap) * score) == pytest.approx(0, abs=1e-4)
    assert only.value == pytest.approx(np.mean(np.abs(gap)), abs=1e-3)
    assert only.model.deviations[0] == pytest.approx(7.397, abs=1e-3)


def test_two_gaussians_are_the_data(figure1):
    found = figure1.two_gaussians()
    order = np.argsort(found.model.means)
    np.testing.assert_allclose(np.array(found.model.means)[order], (0, 16), atol=1e-4)
    np.testing.assert_allclose(found.model.deviations, (1, 1), atol=1e-4)
    np.testing.assert_allclose(found.model.weights, (0.5, 0.5), atol=1e-4)
    assert found.value == pytest.approx(0, abs=1e-9)
    assert found.n_starts == 9


def test_shares_by_hand(figure1, distributions):
    """95% of the data lie within 1.96 of a mode, and 95% of N(8, 8²) between -7.68 and 23.68."""
    shares = figure1.shares(gaussian(distributions, 8.0, 8.0))
    held = 2 * (NORMAL.cdf(-6.04 / 8) - NORMAL.cdf(-9.96 / 8))
    assert shares.unrealistic_05 == pytest.approx(1 - held, abs=1e-5)
    held = 2 * (NORMAL.cdf((2.575829 - 8) / 8) - NORMAL.cdf((-2.575829 - 8) / 8))
    assert shares.unrealistic_01 == pytest.approx(1 - held, abs=1e-5)
    assert shares.between == pytest.approx(1 - 2 * NORMAL.cdf(-5 / 8), abs=1e-9)
    assert shares.missed_05 == pytest.approx(NORMAL.cdf(-(1.959964 * 8 - 8)), abs=1e-9)
    # The lower half of the data is N(0, 1) itself, the other half is all missed.
    at_a_mode = figure1.shares(gaussian(distributions, 0.0, 1.0))
    assert at_a_mode == pytest.approx((0.05, 0.01, NORMAL.sf(3), 0.525, 0.505), abs=1e-5)
    assert figure1.shares(figure1.DATA) == pytest.approx(
        (0.05, 0.01, NORMAL.sf(3), 0.05, 0.01), abs=1e-6
    )


def test_regions_of_unequal_modes(distributions):
    """.9 N(0, 1) + .1 N(9, 2²) cut where all edges are equally dense."""
    distribution = distributions.Gaussians((0.9, 0.1), (0.0, 9.0), (1.0, 2.0))
    region = distribution.region(0.97)
    assert region.shape == (2, 2)
    assert distribution.inside(region) == pytest.approx(0.97, abs=1e-9)
    edges = 0.9 * NORMAL.pdf(region) + 0.1 * stats.norm(9, 2).pdf(region)
    np.testing.assert_allclose(edges, edges[0, 0], rtol=1e-4)


def test_divergences_of_gaussians_in_closed_form(distributions):
    """KL = log(3/2) + (4 + 25)/18 - 1/2; W2² = 5² + (3 - 2)²; W1 of a shift is the shift."""
    one, other = gaussian(distributions, 1.0, 2.0), gaussian(distributions, 6.0, 3.0)
    expected = np.log(3 / 2) + 29 / 18 - 1 / 2
    assert distributions.kullback_leibler(one, other) == pytest.approx(expected, abs=1e-9)
    assert distributions.wasserstein_2(one, other) == pytest.approx(np.sqrt(26), abs=1e-6)
    assert distributions.wasserstein_1(one, gaussian(distributions, 6.0, 2.0)) == pytest.approx(
        5, abs=1e-9
    )
    # Same mean: |s - t| E|Z|, wherever in a step of the line the sign changes: the optimiser
    # would see the steps otherwise.
    found = [
        distributions.wasserstein_1(
            gaussian(distributions, mean, 2.0), gaussian(distributions, mean, 3.0)
        )
        for mean in (1.0, 1.003, 1.005)
    ]
    np.testing.assert_allclose(found, np.sqrt(2 / np.pi), rtol=0, atol=2e-6)
    np.testing.assert_allclose(found, found[0], rtol=0, atol=1e-9)
    # Distributions that do not meet are 1 bit apart.
    assert distributions.jensen_shannon(one, gaussian(distributions, 60.0, 1.0)) == pytest.approx(
        1, abs=1e-9
    )
    assert distributions.jensen_shannon(one, one) == pytest.approx(0, abs=1e-12)


def test_quantiles_of_a_mixture_are_the_inverse_of_its_distribution(figure1):
    points = np.array([-6.0, -1.0, 0.5, 3.0, 14.0, 16.2, 23.0])
    scores = figure1.DATA.normal_score(points)
    np.testing.assert_allclose(figure1.DATA.quantile(scores), points, atol=1e-4)
    np.testing.assert_allclose(scores[:3], NORMAL.ppf(NORMAL.cdf(points[:3]) / 2), atol=1e-9)


def test_one_command_prints_and_draws(figure1, optima, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        sys, "argv", ["figure1.py", "--out", str(tmp_path / "pictures"), "--n", "500"]
    )
    known = {figure1.DIVERGENCES[name]: found for name, found in optima.items()}
    monkeypatch.setattr(figure1, "local_optima", known.__getitem__)
    figure1.main()
    printed = capsys.readouterr().out
    assert "N(8.00, 8.06²)" in printed
    assert "0.763" in printed
    picture = (tmp_path / "pictures" / "figure1.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000
