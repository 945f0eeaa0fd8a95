"""Comparing models that are fitted, that fail, or that come in two calls."""

import numpy as np
import pytest
from cornac.metrics import NDCG, Recall
from cornac.models import BPR, EASE, MF, MostPop

from cornac_mle.comparison import compare
from cornac_mle.eval_methods.held_out_users import HeldOutUsers
from cornac_mle.eval_methods.rating_splits import CrossValidation, RatioSplit
from cornac_mle.metrics import PopularityJS
from cornac_mle.models.cloning import model_parameters
from cornac_mle.models.popularity import Popularity
from cornac_mle.models.sampled.model import Sampled
from cornac_mle.report.report import Report
from worlds import rated, taste_world

FRAME = rated(taste_world(300, n_items=60, mean_size=10, seed=5)).to_frame()
METRICS = [NDCG(k=20), PopularityJS()]


@pytest.fixture(scope="module")
def method():
    return HeldOutUsers(FRAME, seed=1)


def value(report, model, metric="NDCG@20"):
    scores = report.scores
    return scores[(scores.model == model) & (scores.metric == metric)].value.item()


def test_a_loaded_model_keeps_its_weights(method, tmp_path):
    """A clone of a frozen model is an untrained one: NDCG fell to that of random scores."""
    model = BPR(k=10, max_iter=100, seed=1).fit(method.train_set)
    expected = value(compare([BPR(k=10, max_iter=100, seed=1)], method, metrics=METRICS), "BPR")
    loaded = BPR.load(model.save(str(tmp_path)), trainable=False)
    before = loaded.u_factors.copy()
    assert value(compare([loaded], method, metrics=METRICS), "BPR") == pytest.approx(expected)
    assert np.array_equal(loaded.u_factors, before)
    report = compare([loaded], method, metrics=METRICS, fit_seeds=[3, 4])
    assert len(report.entries) == len(METRICS)  # it is fitted already: no other seeds


def test_a_loaded_model_of_another_split_is_refused(method):
    model = MF(k=3, seed=1).fit(method.train_set)
    model.trainable = False
    other = HeldOutUsers(FRAME, seed=2)
    message = "`model` must have been fitted to the training users of this split where trainable=F"
    with pytest.raises(ValueError, match=message):
        other.evaluate(model, METRICS, True)
    with pytest.raises(ValueError, match=message):
        compare([model], other, metrics=METRICS)
    split = RatioSplit(list(FRAME.itertuples(index=False, name=None)), seed=1)
    with pytest.raises(ValueError, match=message):
        split.evaluate(model, [Recall(k=5)], True)
    folds = CrossValidation(list(FRAME.itertuples(index=False, name=None)), 2, seed=1)
    with pytest.raises(ValueError, match="`model` must be trainable; got 'MF' with trainable=Fal"):
        folds.evaluate(model, [Recall(k=5)], True)


def test_two_calls_are_two_reports(method):
    first = compare([EASE(name="model", verbose=False)], method, metrics=METRICS)
    second = compare([MostPop(name="model")], method, metrics=METRICS)
    assert len(first.entries) == len(second.entries) == len(METRICS)
    assert value(first, "model") != value(second, "model")
    assert method.report.entries == []
    assert first.groups == second.groups == method.groups.sizes
    assert set(first.synthetic) == {"model"}


class Failing(MF):
    """Raises what it is told to, in its fit."""

    def __init__(self, error=None, name="broken"):
        super().__init__(name=name)
        self.error = error

    def fit(self, train_set, val_set=None):
        raise self.error


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), MemoryError("too much"), FloatingPointError("overflow"), KeyError(3)],
)
def test_a_model_that_fails_costs_its_row(method, error):
    models = [Popularity(), Failing(error), MF(k=2, seed=1)]
    report = compare(models, method, metrics=METRICS)
    assert set(report.scores.model) == {"Popularity", "MF"}
    assert report.failed == {"broken": f"{type(error).__name__}: {error}"}
    with pytest.raises(type(error)):
        compare([Failing(error)], method, metrics=METRICS)


def test_what_is_finished_is_kept_where_a_comparison_is_interrupted(method):
    report = Report()

    def stop(_model, done):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare([Popularity(), MF(k=2)], method, metrics=METRICS, on_fit=stop, report=report)
    assert set(report.scores.model) == {"Popularity"}
    assert report.groups == method.groups.sizes
    assert method.report.entries == []


@pytest.mark.parametrize("setting", [{"seed": 3}, {"rating_threshold": 2.0}])
def test_settings_beside_a_method_are_refused(method, setting):
    (name,) = setting
    with pytest.raises(ValueError, match=f"`{name}` must be left out where `data` is an evaluat"):
        compare([Popularity()], method, metrics=METRICS, **setting)


@pytest.mark.parametrize(
    ("models", "metrics", "message"),
    [
        (["a"], METRICS, "`models` must hold Cornac models; got 'a'"),
        ("a", METRICS, "`models` must be a list of Cornac models; got 'a'"),
        ([Popularity], METRICS, "`models` must hold Cornac models; got the class Popularity"),
        ([Popularity()], ["a"], "`metrics` must hold metrics; got 'a'"),
        ([Popularity()], NDCG(), "`metrics` must be a list of metrics; got one metric"),
    ],
)
def test_what_is_no_model_or_metric_is_named(models, metrics, message):
    with pytest.raises(TypeError, match=message):
        compare(models, FRAME, metrics=metrics)


def test_parameters_of_a_model_in_a_model_are_spelled_alike_in_every_run():
    """An address in the memory stood there, another one in each run."""
    text = model_parameters(Sampled(EASE(lamb=100.0, verbose=False)))
    assert "lamb=100.0" in text
    assert "0x" not in text
