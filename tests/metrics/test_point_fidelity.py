"""Conformal fidelity and diversity of points: exact levels, faults that are seen, blind spots."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats

from cornac_mle.metrics._point_scores import joint_p_values, oddness
from cornac_mle.metrics.point_fidelity import (
    conformal_diversity,
    conformal_fidelity,
    point_p_values,
)
from cornac_mle.metrics.point_sets import prdc
from cornac_mle.null_models.corruption import popularity_draws
from worlds import taste_world


def naive_p_value(score, calibration):
    """Rank everybody among everybody, the point included."""
    together = np.vstack([score, calibration])
    ranks = (together[:, np.newaxis] <= together).sum(axis=1)  # of each, by each score
    least = ranks.min(axis=1)
    return np.sum(least <= least[0]) / len(together)


def test_joint_p_values_are_those_of_the_definition():
    random = np.random.default_rng(1)
    calibration = random.integers(0, 9, size=(30, 3)).astype(float)  # with ties
    scores = random.integers(-1, 11, size=(20, 3)).astype(float)
    scores[0, 1] = np.inf
    found = joint_p_values(scores, calibration)
    assert found == pytest.approx([naive_p_value(one, calibration) for one in scores])


def test_scores_by_hand():
    """Others at 0, 1, ..., 29; from -1 the 5th is at a distance of 5, from 30.5 of 5.5."""
    others = np.arange(30.0)[:, np.newaxis]
    found = oddness(np.array([[-1.0], [33.5]]), others, coordinates=True)
    unit = 7.25  # half of the range of the middle half, 7.25 to 21.75
    assert oddness(np.array([[-1.0]]), others, coordinates=False)[0, 0] == pytest.approx(5)
    assert found[:, 0] == pytest.approx([5 / unit, 8.5 / unit])
    distances = np.arange(1, 21.0)
    assert found[0, 1] == pytest.approx(1 / np.mean(np.log(20 / distances)))
    assert found[:, 2] == pytest.approx([1, 4.5])  # real gaps are 1, in whatever unit


@pytest.mark.parametrize("draw", ["normal", "cauchy", "binary", "counts"])
def test_levels_hold_whatever_the_distribution(draw):
    """400 new real points, each with its own others: binomial, false alarm 1e-6 a case."""
    random = np.random.default_rng(1)
    draws = {
        "normal": lambda n: random.normal(size=(n, 5)),
        "cauchy": lambda n: random.standard_cauchy((n, 3)),
        "binary": lambda n: (random.random((n, 8)) < 0.3).astype(float),
        "counts": lambda n: random.poisson(1.0, (n, 3)).astype(float),
    }
    one = draws[draw]
    p_values = np.array(
        [point_p_values(one(78), one(1), rng=n, coordinates=True)[0] for n in range(400)]
    )
    for alpha in (0.05, 0.1, 0.3):
        assert np.sum(p_values <= alpha) <= stats.binom.ppf(1 - 1e-6, 400, alpha)


def test_diversity_has_its_level():
    """60 worlds of 100 + 100 points, which share halves: the mean share that passes is .9."""
    random = np.random.default_rng(2)
    found = [
        conformal_diversity(random.normal(size=(100, 4)), random.normal(size=(100, 4)), rng=n)
        for n in range(60)
    ]
    assert 0.93 < np.mean(found) <= 1


def test_one_outlier_does_not_vouch_for_all():
    random = np.random.default_rng(3)
    real = random.normal(size=(400, 4))
    real[:4] = 6
    assert conformal_fidelity(real, 6 + 0.1 * random.normal(size=(200, 4)), rng=1) < 0.05


def test_inside_a_shell_nobody_is_real():
    random = np.random.default_rng(4)
    real = random.normal(size=(600, 10))
    real /= np.linalg.norm(real, axis=1, keepdims=True)
    assert conformal_fidelity(real, 0.05 * random.normal(size=(200, 10)), rng=1) < 0.05


def test_one_wrong_coordinate_is_seen_if_coordinates_have_a_meaning():
    random = np.random.default_rng(5)
    real, synthetic = random.normal(size=(2, 600, 20))
    real[:, 0] = random.random(600)
    synthetic[:, 0] = 1.5 + random.random(600)
    assert conformal_fidelity(real, synthetic, rng=1) > 0.5  # blind
    assert conformal_fidelity(real, synthetic, rng=1, coordinates=True) < 0.1


def test_units_do_not_matter_if_coordinates_have_a_meaning():
    random = np.random.default_rng(6)
    real, synthetic = random.normal(size=(2, 200, 3))
    unit = np.array([1024.0, 1.0, 0.25])
    plain = point_p_values(real, synthetic, rng=1, coordinates=True)
    assert np.array_equal(
        plain, point_p_values(real * unit, synthetic * unit, rng=1, coordinates=True)
    )


def test_rounding_is_not_seen():
    """A blind spot that is named: rounded values lie where real ones lie."""
    random = np.random.default_rng(7)
    real, synthetic = random.normal(size=(2, 400, 2))
    assert conformal_fidelity(real, np.round(synthetic, 1), rng=1, coordinates=True) > 0.9


def test_missing_kinds_are_seen_by_diversity_only():
    random = np.random.default_rng(8)
    real = random.normal(size=(400, 3)) + 10 * random.integers(2, size=(400, 1))
    synthetic = random.normal(size=(400, 3))
    assert conformal_fidelity(real, synthetic, rng=1) > 0.9
    for relative in (True, False):
        found = conformal_diversity(real, synthetic, rng=1, relative=relative)
        assert found == pytest.approx(0.5, abs=0.12)


def test_a_rare_kind_is_missed_relatively():
    random = np.random.default_rng(9)
    kind = random.random((2, 800, 1)) < [[[0.5]], [[0.03]]]
    real, synthetic = random.normal(size=(2, 800, 2)) + 10 * kind
    assert conformal_diversity(real, synthetic, rng=1) < 0.7
    wide = 5 * random.normal(size=(800, 2))
    only = random.normal(size=(800, 2))
    assert conformal_diversity(only, wide, rng=1) < 0.5
    assert conformal_diversity(only, wide, rng=1, relative=False) > 0.9


def test_without_relative_it_is_fidelity_the_other_way_round():
    random = np.random.default_rng(10)
    one, two = random.normal(size=(2, 60, 2))
    swapped = conformal_fidelity(two, one, rng=3)
    assert conformal_diversity(one, two, rng=3, relative=False) == swapped


def test_diversity_of_sets():
    world = taste_world(400, mean_size=12, seed=1)
    assert conformal_diversity(world.matrix[:200], world.matrix[200:], rng=1) > 0.9
    one_user = sp.csr_array(world.matrix[[200] * 100])
    assert conformal_diversity(world.matrix[:200], one_user, rng=1) < 0.1


def test_conformal_fidelity_of_real_points_is_near_1():
    """60 worlds of 100 + 100: the share that passes is .9 or a little more on average.

    p > .1 has a probability of 46/51 = .902 with 50 calibration points; the mean of min(1, share /
    .9) over worlds stays above .9 by more than 8 standard errors.
    """
    random = np.random.default_rng(1)
    found = [
        conformal_fidelity(random.normal(size=(100, 5)), random.normal(size=(100, 5)), rng=seed)
        for seed in range(60)
    ]
    assert 0.93 < np.mean(found) <= 1
    far = [
        conformal_fidelity(random.normal(size=(100, 5)), 4 + random.normal(size=(100, 5)), rng=1)
    ]
    assert far[0] < 0.05


def test_conformal_fidelity_sees_the_noise_that_precision_lets_pass():
    """Three in a hundred real points are far out; noise is all over the place."""
    random = np.random.default_rng(1)
    real = random.normal(size=(300, 2))
    real[:10] *= 300
    noise = random.uniform(-300, 300, size=(300, 2))
    assert prdc(real, noise, 5).precision > 0.5
    assert conformal_fidelity(real, noise, rng=1) < 0.05


def test_conformal_fidelity_of_sets():
    world = taste_world(300, mean_size=12, seed=1)
    fresh = conformal_fidelity(world.matrix[:200], world.matrix[200:], rng=1)
    drawn = popularity_draws(world.item_counts, world.sizes[:100], rng=1)
    popular = conformal_fidelity(world.matrix[:200], drawn, rng=1)
    assert fresh > 0.9
    assert popular < fresh - 0.2
    assert conformal_fidelity(world.matrix[:200], drawn, rng=1) == popular


# ------------------------------------------------------------------------------------------- checks


def test_wrong_arguments_are_refused():
    points = np.random.default_rng(1).normal(size=(20, 3))
    with pytest.raises(TypeError, match="`coordinates` must be True or False; got 1"):
        point_p_values(points, points, rng=1, coordinates=1)
    with pytest.raises(TypeError, match="`relative` must be True or False; got 'no'"):
        conformal_diversity(points, points, rng=1, relative="no")
    with pytest.raises(ValueError, match="`coordinates` must be False for item sets; got True"):
        point_p_values(sp.csr_array(np.eye(20)), sp.csr_array(np.eye(20)), rng=1, coordinates=True)
    with pytest.raises(ValueError, match="`synthetic` must hold at least 18 points; got 17"):
        conformal_diversity(points, points[:17], rng=1)
    with pytest.raises(ValueError, match="`synthetic` must hold at least 18 points; got 17"):
        conformal_diversity(points, points[:17], rng=1, relative=False)


def test_equal_and_extreme_points_are_measured():
    real = np.zeros((20, 2))
    assert conformal_fidelity(real, real, rng=1, coordinates=True) == 1.0
    assert conformal_fidelity(real, real + 1e-300, rng=1, coordinates=True) < 0.1
    huge = np.random.default_rng(1).normal(size=(40, 2)) * [1e300, 1e-300]
    assert conformal_fidelity(huge, huge, rng=1, coordinates=True) > 0.5
