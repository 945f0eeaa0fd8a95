import numpy as np
import pytest

from cornac_mle.metrics import Evaluator, LikelihoodRatioAttack, NotMeasurableError
from cornac_mle.models.mixture import Mixture
from cornac_mle.models.popularity import Popularity
from cornac_mle.models.training_users import TrainingUsers
from cornac_mle.stats.auc import area, null_auc_error
from worlds import taste_world


@pytest.fixture(scope="module")
def evaluator():
    world = taste_world(600, n_items=200, mean_size=12, seed=5)
    return Evaluator.fit(*(world[range(first, first + 200)] for first in (0, 200, 400)), rng=1)


def attacked(evaluator, model):
    model = model.fit(evaluator.train.to_dataset())
    return LikelihoodRatioAttack().measure_model(evaluator, model, rng=1)


def test_a_mixture_of_as_many_groups_as_users_is_told_and_one_of_two_is_not(evaluator):
    memorising = attacked(evaluator, Mixture(k=150, lambda_reg=0.01, seed=1))
    assert memorising.value > 0.8
    assert memorising.low > 0.7
    few = attacked(evaluator, Mixture(k=2, seed=1))
    assert abs(few.value - 0.5) < 4 * null_auc_error(200, 200)
    assert few.loss == abs(few.value - 0.5)
    assert (few.ceiling, few.floor, few.n_real) == (0.5, None, 200)


def test_the_value_is_the_area_of_the_scores_and_scores_are_ratios(evaluator):
    found = attacked(evaluator, Popularity())
    assert found.user_ids[:200].equals(evaluator.train.user_ids)
    assert found.value == area(found.per_user[:200], found.per_user[200:])
    # The model is what scores are freed of.
    assert np.abs(found.per_user).mean() < 1
    assert abs(found.value - 0.5) < 0.15


def test_what_cannot_be_measured_is_said(evaluator):
    metric = LikelihoodRatioAttack()
    with pytest.raises(NotMeasurableError, match="needs the model itself"):
        metric.measure(evaluator, evaluator.held_out, rng=1)
    with pytest.raises(NotMeasurableError, match="log-likelihood"):
        attacked(evaluator, TrainingUsers())
    alone = Evaluator.fit(None, evaluator.reference, evaluator.held_out, rng=1)
    model = Popularity().fit(evaluator.train.to_dataset())
    with pytest.raises(NotMeasurableError, match="`train` must be given; got None for Likelihood"):
        metric.measure_model(alone, model, rng=1)
