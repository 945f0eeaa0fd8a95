"""Values of other code (`make_golden.py`), held against the package's."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from cornac_mle.metrics import prdc
from cornac_mle.metrics.marginals import popularity_divergence
from cornac_mle.metrics.mmd import indicators, kernel_sums, mean_among
from cornac_mle.metrics.unrealistic_users import flagged_p_value
from cornac_mle.null_models.configuration_model import fit_two_margin_null
from cornac_mle.plausibility._ease import EasePredictor
from cornac_mle.plausibility._evidence import item_evidence
from cornac_mle.plausibility._item_knn import ItemKnnPredictor
from cornac_mle.plausibility.preference_p_values import JudgedPreferences, preference_p_values
from cornac_mle.sampling.importance import importance_estimate
from cornac_mle.sampling.latent_densities import NormalMixture
from cornac_mle.sampling.normal_cells import log_normal_cell, normal_cell_expansion
from cornac_mle.sampling.plackett_luce import plackett_luce_log_probability
from cornac_mle.sampling.sizes import size_distribution
from cornac_mle.stats.conformal import conditional_p_values, conformal_p_values
from cornac_mle.stats.intervals import (
    POWER_SHIFT,
    mean_interval,
    share_standard_error,
    split_interval,
)
from cornac_mle.stats.kolmogorov_smirnov import ks_distance, ks_permutation_p_value
from cornac_mle.stats.multiple_testing import (
    benjamini_hochberg_adjusted,
    holm_adjusted,
    paired_p_value,
)
from cornac_mle.stats.poisson_binomial import poisson_binomial_cdf
from worlds import profiles

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text(encoding="utf-8"))


def close(found, wanted, rtol=1e-12, atol=1e-15):
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=atol)


def sets(rows):
    """Sparse profiles of lists of 0 and 1."""
    matrix = sp.csr_array(np.array(rows, dtype=np.float32))
    matrix.sort_indices()
    return matrix


# --------------------------------------------------------------------------------------- statistics


def test_conformal_p_values():
    case = GOLDEN["conformal"]
    close(conformal_p_values(case["scores"], case["calibration"]), case["p_values"])


def test_conditional_p_values():
    case = GOLDEN["conditional"]
    cells, others = np.array(case["cells"]), np.array(case["calibration_cells"])
    found = conditional_p_values(case["scores"], cells, case["calibration"], others)
    close(found, case["p_values"])


def test_preference_p_values():
    case = GOLDEN["preferences"]
    judged, calibration = (
        JudgedPreferences(
            np.array(case[name]["user"]),
            np.array(case[name]["cell"]),
            np.array(case[name]["score"], dtype=float),
        )
        for name in ("judged", "calibration")
    )
    close(preference_p_values(judged, calibration), case["p_values"])


@pytest.mark.parametrize("case", GOLDEN["flagged"])
def test_flagged_p_value(case):
    counts = [tuple(pair) for pair in case["counts"]]
    close(flagged_p_value(case["flagged"], counts, case["alpha"]), case["p_value"], rtol=1e-10)


def test_intervals():
    case = GOLDEN["intervals"]
    values = np.array(case["values"])
    close(split_interval(values), case["split"], rtol=1e-9)
    close(split_interval(values, least_error=0.1), case["split_of_least_error_0.1"], rtol=1e-9)
    close(split_interval(values, (0.25, 0.4)), (0.25, 0.4))
    close(mean_interval(values), case["mean"], rtol=1e-9)
    close(paired_p_value(values), case["paired_p_value"], rtol=1e-9)
    close(paired_p_value(-values), case["paired_p_value"], rtol=1e-9)
    close(share_standard_error(0.05, 60), case["share_error_of_0.05_of_60"])
    close(POWER_SHIFT, case["power_shift"], rtol=1e-9)


def test_adjusted_p_values():
    case = GOLDEN["many_tests"]
    p_values = np.array(case["p_values"])
    close(holm_adjusted(p_values), case["holm"])
    for n_tests, wanted in case["benjamini_hochberg"].items():
        close(benjamini_hochberg_adjusted(p_values, int(n_tests)), wanted)


@pytest.mark.parametrize("case", GOLDEN["kolmogorov_smirnov"])
def test_kolmogorov_smirnov(case):
    first, second = np.array(case["first"], dtype=float), np.array(case["second"], dtype=float)
    close(ks_distance(first, second), case["distance"])
    # As many relabellings as there are, or more: all of them are tried.
    found = ks_permutation_p_value(first, second, 999, np.random.default_rng(0))
    close(found, case["p_value"])


@pytest.mark.parametrize("case", GOLDEN["poisson_binomial"])
def test_poisson_binomial_tails(case):
    wanted = np.array(case["cdf"])
    rows = np.tile(case["probabilities"], (wanted.size, 1))
    found = poisson_binomial_cdf(np.arange(wanted.size), rows, case["events"])
    close(found, wanted, rtol=0, atol=1e-12)
    mean = np.dot(case["probabilities"], case["events"])
    below = (np.arange(wanted.size) < mean) & (wanted > 1e-290)
    close(found[below], wanted[below], rtol=1e-10, atol=0)


# ----------------------------------------------------------------------------------------- sampling


def test_plackett_luce_set_probabilities():
    case = GOLDEN["plackett_luce"]
    members = np.zeros((len(case["sets"]), len(case["weights"])))
    for row, items in enumerate(case["sets"]):
        members[row, items] = 1
    found = plackett_luce_log_probability(np.log(case["weights"]), sets(members))
    close(found, case["log_probabilities"], rtol=0, atol=1e-9)
    large = np.zeros((1, len(case["many_weights"])))
    large[0, case["large_set"]] = 1
    found = plackett_luce_log_probability(np.log(case["many_weights"]), sets(large))
    close(found, case["large_log_probability"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("case", GOLDEN["sizes"])
def test_size_distribution(case):
    found = size_distribution(np.array(case["sizes"]), case["n_items"])
    close(found, case["probabilities"], rtol=1e-10)


def test_normal_cells():
    case = GOLDEN["normal_cells"]
    low, high = np.array(case["cells"]).T
    probability, mean, curvature = np.array(case["log_probability_mean_curvature"]).T
    close(log_normal_cell(low, high), probability, rtol=1e-10, atol=1e-14)
    found_mean, found_curvature = normal_cell_expansion(low, high)
    close(found_mean, mean, rtol=1e-9, atol=1e-12)
    # In cells far out the curvature is a difference of squares of the mean: 30^2 here.
    close(found_curvature, curvature, rtol=0, atol=1e-9)


def test_mixture_of_normals():
    case = GOLDEN["mixture"]
    density = NormalMixture(
        *(np.array(case[name]) for name in ("weights", "means", "covariances", "distribution"))
    )
    close(density.edges[1:-1], case["edges"], rtol=0, atol=1e-12)
    points = np.array(case["points"])
    close(density.log_point_density(points), case["log_point_density"], rtol=1e-11)
    n_sizes = len(case["distribution"])
    for size in range(1, n_sizes + 1):
        found = density.log_density(points, np.full(len(points), size))
        close(found, [row[size - 1] for row in case["log_density"]], rtol=1e-9)
    for size in (0, n_sizes + 1):
        assert np.all(density.log_density(points, np.full(len(points), size)) == -np.inf)
    gradient, precision = density.expansion(points[:2], np.array([3, 3]))
    close(gradient, case["gradient_at_size_3"], rtol=1e-8)
    assert np.all(np.linalg.eigvalsh(precision) > 0)


def test_importance_estimate():
    case = GOLDEN["importance"]
    found = importance_estimate(np.array(case["log_ratios"]))
    close(found.nats, case["nats"])
    close(found.effective_sample_size, case["effective_sample_size"], rtol=1e-10)


# ------------------------------------------------------------------------------------------ samples


def test_expected_margins():
    case = GOLDEN["margins"]
    null = fit_two_margin_null(sets(case["matrix"]))
    found = null.probabilities[null.user_class][:, null.item_class]
    close(found, case["probabilities"], rtol=0, atol=1e-7)


def test_mmd_is_the_unbiased_one():
    case = GOLDEN["mmd"]
    real, synthetic = profiles(sets(case["real"])), profiles(sets(case["synthetic"]))
    one = indicators([np.arange(len(real))], len(real))
    other = indicators([np.arange(len(synthetic))], len(synthetic))
    mixed = kernel_sums(real, synthetic, one, other) / (len(real) * len(synthetic))
    found = mean_among(real, one) + mean_among(synthetic, other) - 2 * mixed
    assert abs(case["value"]) > 0.01
    close(found, [case["value"]], rtol=0, atol=1e-7)  # similarities are float32


@pytest.mark.parametrize("k", [2, 5])
def test_prdc_of_vectors(k):
    case = GOLDEN["neighbours"]
    found = vars(prdc(np.array(case["real"]), np.array(case["synthetic"]), k))
    for name, wanted in case["values"][str(k)].items():
        close(found[name], wanted)


@pytest.mark.parametrize("case", GOLDEN["popularity"])
def test_jensen_shannon_divergence(case):
    close(popularity_divergence(case["first"], case["second"]), case["value"])


@pytest.mark.parametrize("case", GOLDEN["ease"])
def test_ease_scores_and_ease_without_users(case):
    (predictor,) = EasePredictor.at_each([case["ridge"]], sets(case["reference"]))
    profile = sets(case["profiles"])
    assert predictor.dual is (len(case["reference"]) < len(case["reference"][0]))
    close(predictor.scores(profile), case["scores"]["all"], rtol=0, atol=1e-5)
    without = predictor.without(np.array(case["left_out"]))
    close(without.scores(profile), case["scores"]["without"], rtol=0, atol=1e-5)
    difference = np.subtract(case["scores"]["all"], case["scores"]["without"])
    assert np.mean(np.abs(difference) > 1e-3) > 0.9


def test_item_knn_scores():
    case = GOLDEN["item_knn"]
    predictor = ItemKnnPredictor.fit(sets(case["reference"]), case["neighbours"])
    close(predictor.scores(sets(case["profiles"])), case["scores"], rtol=0, atol=1e-6)


def test_evidence_of_the_judge():
    case = GOLDEN["evidence"]

    class Given:
        """A predictor that gives these scores."""

        def scores(self, profiles):
            return np.array(case["scores"], dtype=np.float32)

    counts = np.array(case["counts"], dtype=float)
    found = item_evidence(sets(case["profiles"]), Given(), counts, case["n_users"])
    close(found, case["evidence"], rtol=1e-9, atol=1e-12)
