"""Log-likelihood: one distribution for drawing and for weighing, and the metric on top of it."""

import itertools
import logging

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats

from cornac_mle.metrics import Evaluator
from cornac_mle.metrics.base import NotMeasurableError
from cornac_mle.metrics.likelihood import HeldOutLogLikelihood
from cornac_mle.models.popularity import Popularity
from cornac_mle.models.training_users import TrainingUsers
from cornac_mle.null_models.corruption import swap
from cornac_mle.profiles import Profiles
from cornac_mle.sampling.importance import LikelihoodEstimate
from worlds import profiles, rated, taste_world


@pytest.fixture(scope="module")
def evaluator():
    world = taste_world(480, n_items=60, mean_size=12, seed=5)
    assert world[:200].item_counts.all()  # the catalogue is that of training users
    return Evaluator.fit(world[:200], world[range(200, 320)], world[range(320, 480)], rng=1)


@pytest.fixture(scope="module")
def popularity(evaluator):
    return Popularity().fit(evaluator.train.to_dataset(seed=1))


class Oracle:
    """Gives what it is told to."""

    name = "Oracle"
    catalogue_ = None

    def __init__(self, nats, sizes=None):
        self.nats = np.asarray(nats, dtype=np.float64)
        self.sizes = sizes

    def sample(self, n_users, *, rng):
        raise AssertionError

    def estimate_log_likelihood(self, profiles, *, rng, values):
        return LikelihoodEstimate(self.nats, self.sizes)


def measure(model, evaluator):
    return HeldOutLogLikelihood().measure_model(evaluator, model, rng=np.random.default_rng(3))


# ----------------------------------------------------------------- Popularity: sample and weigh


@pytest.fixture(scope="module")
def small():
    """Five items of very unequal popularity, sizes 1, 2 and 3, and all 31 profiles."""
    rows = [[1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [1, 1, 1, 0, 0], [1, 0, 0, 1, 0], [1, 1, 0, 0, 0]]
    rows += [[1, 0, 0, 0, 0], [0, 1, 0, 0, 1]]
    model = Popularity().fit(profiles(sp.csr_array(np.array(rows, np.float32))).to_dataset(seed=1))
    every = np.array(list(itertools.product([0, 1], repeat=5)), np.float32)[1:]
    return model, Profiles.from_matrix(sp.csr_array(every), model.catalogue_)


def test_probabilities_of_all_profiles_sum_to_one(small):
    model, every = small
    assert np.exp(model.log_likelihood(every, rng=1)).sum() == pytest.approx(1.0, abs=1e-9)


def test_users_are_drawn_as_often_as_their_likelihood_says(small):
    """Chi-square of 40,000 users over 31 profiles; false alarm 1e-6."""
    model, every = small
    expected = 40_000 * np.exp(model.log_likelihood(every, rng=1))
    code = 2 ** np.arange(5)
    drawn = np.bincount((model.sample(40_000, rng=7).matrix @ code).astype(int), minlength=32)
    observed = drawn[(every.matrix @ code).astype(int)]
    assert drawn[0] == 0
    assert observed.sum() == 40_000
    rare = expected < 10  # too few for the chi-square distribution: taken together
    pooled = [[*part[~rare], part[rare].sum()] for part in (observed, expected)]
    counts, probabilities = np.array(pooled)[:, : None if rare.any() else -1]
    assert len(counts) > 15
    assert stats.chisquare(counts, probabilities * 40_000 / probabilities.sum()).pvalue > 1e-6


def test_values_do_not_enter(popularity, evaluator):
    held_out = evaluator.held_out
    same = popularity.log_likelihood(rated(held_out), rng=1)
    assert np.array_equal(same, popularity.log_likelihood(held_out, rng=1))


def test_likelihoods_of_real_users_are_finite_and_of_empty_ones_not(popularity, evaluator):
    assert np.isfinite(popularity.log_likelihood(evaluator.held_out, rng=1)).all()
    nobody = Profiles.from_matrix(sp.csr_array((1, 60), dtype=np.float32), popularity.catalogue_)
    assert popularity.log_likelihood(nobody, rng=1)[0] == -np.inf


def test_blocks_of_users_do_not_matter(popularity, evaluator):
    users = evaluator.held_out.matrix[np.arange(1_500) % len(evaluator.held_out)]
    many = popularity.log_likelihood(Profiles.from_matrix(users, popularity.catalogue_), rng=1)
    few = popularity.log_likelihood(evaluator.held_out, rng=1)
    assert np.allclose(many, few[np.arange(1_500) % len(few)], atol=1e-10)


# -------------------------------------------------------------------------------- the metric


def test_mean_and_interval_by_hand(evaluator):
    nats = np.where(np.arange(160) < 40, -10.0, -20.0)  # mean (40 * -10 + 120 * -20) / 160 = -17.5
    result = measure(Oracle(nats), evaluator)
    reach = stats.t.ppf(0.975, 159) * np.std(nats, ddof=1) / np.sqrt(160)
    assert result.value == -17.5
    assert (result.low, result.high) == pytest.approx((-17.5 - reach, -17.5 + reach))
    assert result.loss == 17.5
    assert result.n_real == 160
    assert np.array_equal(result.per_user, nats)
    assert result.ceiling is None
    assert result.normalised is None


def test_the_floor_is_what_popularity_gets(popularity, evaluator):
    result = measure(popularity, evaluator)
    assert result.value == pytest.approx(result.floor, abs=1e-9)
    assert result.low < result.value < result.high < 0


def test_corrupted_users_are_less_probable(popularity, evaluator):
    """A swap by uniform draws puts rare items in the place of common ones."""
    held_out = evaluator.held_out
    values = []
    for share in (0.0, 0.3, 0.9):
        matrix = swap(held_out.matrix, share, popularity=np.ones(60), rng=4)
        users = Profiles(matrix, held_out.user_ids, held_out.item_ids)
        other = Evaluator.fit(evaluator.train, evaluator.reference, users, rng=1)
        values.append(measure(popularity, other).value)
    assert values[0] > values[1] + 1 > values[2] + 2


def test_a_user_of_probability_zero_makes_it_minus_infinity(evaluator, caplog):
    nats = np.full(160, -20.0)
    nats[[3, 9]] = -np.inf
    with caplog.at_level(logging.WARNING, logger="cornac_mle"):
        result = measure(Oracle(nats), evaluator)
    assert result.value == result.low == result.high == -np.inf
    assert result.loss == np.inf
    assert "Oracle: HeldOutLogLikelihood is -inf, because 2 of 160 held-out users" in caplog.text


def test_models_without_a_likelihood_say_why(evaluator):
    model = TrainingUsers().fit(evaluator.train.to_dataset(seed=1))
    with pytest.raises(
        NotMeasurableError, match="TrainingUsers has no log-likelihood: a user who is no"
    ):
        measure(model, evaluator)


def test_users_alone_are_not_enough(evaluator):
    with pytest.raises(NotMeasurableError, match="HeldOutLogLikelihood needs the model itself"):
        HeldOutLogLikelihood().measure(
            evaluator, evaluator.floor_users, rng=np.random.default_rng(1)
        )


def test_nan_is_refused(evaluator):
    with pytest.raises(ValueError, match="`log_likelihood` must be free of NaN; got NaN for Orac"):
        measure(Oracle(np.full(160, np.nan)), evaluator)


def test_without_training_users_the_floor_is_of_the_reference_users(popularity, evaluator):
    alone = Evaluator.fit(None, evaluator.train, evaluator.held_out, rng=1)
    result = measure(popularity, alone)
    assert result.floor == pytest.approx(result.value, abs=1e-9)
    assert HeldOutLogLikelihood().caution(alone) is None


def test_items_that_nobody_in_training_holds_are_left_out_and_counted(popularity, evaluator):
    """Held-out users hold items that none of these reference users does: no model knows them."""
    known = evaluator.reference.item_counts > 0
    unknown = int(evaluator.held_out.item_counts[~known].sum())
    assert unknown > 0
    fewer = Evaluator.fit(None, evaluator.reference, evaluator.held_out, rng=1)
    items = evaluator.reference.item_ids[known]
    users = evaluator.held_out.split_items(items)[0]
    fitted = Popularity().fit(evaluator.reference.split_items(items)[0].to_dataset())
    expected = fitted.log_likelihood(users[users.sizes > 0], rng=1).mean()
    assert measure(popularity, fewer).floor == pytest.approx(expected)
    assert f"without {unknown:,} of " in HeldOutLogLikelihood().caution(fewer)
    found = HeldOutLogLikelihood().measure_model(fewer, fitted, rng=np.random.default_rng(1))
    assert found.value == pytest.approx(expected)
    assert list(found.user_ids) == list(users.user_ids[users.sizes > 0])


def test_an_estimate_is_marked_as_a_bound(evaluator):
    nats = np.linspace(-20, -10, len(evaluator.held_out))
    exact = measure(Oracle(nats), evaluator)
    assert exact.effective_sample_size is None
    sizes = np.full(len(nats), 7.0)
    sizes[: len(nats) // 4] = 1.0
    bound = measure(Oracle(nats, sizes), evaluator)
    assert bound.effective_sample_size == 7.0
    assert bound.value == exact.value
