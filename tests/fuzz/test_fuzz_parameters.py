"""Junk as parameters of models, metrics and statistics; degenerate users under all of them."""

import inspect

import cornac.models
import numpy as np
import pandas as pd
import scipy.sparse as sp
from fuzzing import JUNK, OUR_FORM, fuzzed, tried
from hypothesis import strategies as st

from cornac_mle import (
    Evaluator,
    Popularity,
    Profiles,
    RankingAgreement,
    Sampled,
    curveball,
    metrics,
)
from cornac_mle.metrics.base import ModelMetric, NotMeasurableError
from cornac_mle.metrics.example import example_users
from cornac_mle.models import LDA, PMF, VAE, Mixture, TrainingUsers
from cornac_mle.remedies import Filtered, MMDTuning
from cornac_mle.search import pareto_front
from cornac_mle.stats.certified_list import certified_precision
from cornac_mle.stats.conformal import conformal_p_values
from cornac_mle.stats.contamination import (
    contamination_bound,
    minimum_detectable_share,
)

SMALL = {
    LDA: {"k": 2, "max_iter": 5},
    Mixture: {"k": 2, "max_iter": 5, "n_init": 1},
    PMF: {"k": 2, "max_iter": 3},
    VAE: {"k": 2, "n_epochs": 1, "autoencoder_structure": (4,)},
    Popularity: {},
    TrainingUsers: {},
    Filtered: {"model": Popularity()},
    MMDTuning: {"model": VAE(k=2, n_epochs=1), "n_steps": 1},
    Sampled: {"model": cornac.models.MostPop()},
}
"""Models, with parameters of a fit of milliseconds."""
FITTED = (LDA, Mixture, PMF, VAE, Popularity, TrainingUsers)
WORDS = ("prior", "vamp", "bern", "pois", "gaus", "gaussian", "posterior", "bootstrap", "hurdle")
METRICS = [
    getattr(metrics, name)
    for name in metrics.__all__
    if inspect.isclass(getattr(metrics, name))
    and issubclass(getattr(metrics, name), metrics.RealismMetric)
    and not inspect.isabstract(getattr(metrics, name))
]


def world(kind, random, n_users=24, n_items=6):
    """Users x items of a degenerate kind, or of none."""
    if kind == "alike":
        return np.tile(np.arange(n_items) < 3, (n_users, 1))
    if kind == "everything":
        return np.ones((n_users, n_items), dtype=bool)
    if kind == "one item":
        return np.ones((n_users, 1), dtype=bool)
    if kind == "one item each":
        return np.eye(n_items, dtype=bool)[random.integers(n_items, size=n_users)]
    if kind == "one user":
        return np.arange(n_items)[np.newaxis] < 2
    if kind == "apart":
        return np.kron(np.eye(n_users, dtype=bool), np.ones((1, 2), dtype=bool))
    held = random.random((n_users, 2 if kind == "two items" else n_items)) < 0.5
    held[np.arange(n_users), random.integers(held.shape[1], size=n_users)] = True
    if kind == "some hold everything":
        held[::4] = True
    return held


KINDS = st.sampled_from(
    [
        *("alike", "everything", "one item", "one item each", "one user", "apart", "two items"),
        *("some hold everything", "ordinary"),
    ]
)
SCALES = st.sampled_from([0.0, 0.0, 1.0, 1e-3, 1e18, 1e-30, 1e30])


def users_of(kind, random, scale=0.0, prefix="u"):
    """Profiles of a world; with ratings of 1 to 5 times `scale`, if that is not 0."""
    held = world(kind, random).astype(float)
    values = held * scale * random.integers(1, 6, held.shape) if scale else held
    names = [f"{prefix}{row}" for row in range(len(held))]
    return Profiles.from_matrix(values, [f"i{column}" for column in range(held.shape[1])], names)


def parameters(kind):
    """Parameters of a class by name, a few of them junk."""
    names = [name for name in inspect.signature(kind).parameters if name != "recommenders"]
    values = st.one_of(JUNK, st.sampled_from(WORDS), st.sampled_from([1, 2, 0.5, 0.1, True]))
    return st.dictionaries(st.sampled_from(names), values, max_size=3) if names else st.just({})


def is_affordable(chosen):
    """Whether a fit with these parameters takes no longer than a test may."""
    wide = chosen.get("autoencoder_structure", ())
    numbers = [*chosen.values(), *(wide if isinstance(wide, list | tuple) else ())]
    return all(size <= 20 for size in numbers if isinstance(size, int | np.integer))


def sound_model(model, users):
    """Assert that a fitted model draws users and scores, all finite where a number is promised."""
    drawn = model.sample(5, rng=1)
    assert len(drawn) == 5
    assert np.isfinite(drawn.matrix.data).all()
    assert np.isfinite(model.fold_in(users)).all()
    assert np.isfinite(model.score(0)).all()
    try:
        nats = model.log_likelihood(users, rng=1, n_draws=3)
    except NotImplementedError:
        return
    assert not np.isnan(nats).any()
    assert not np.isposinf(nats).any()


@fuzzed(250, 4000, data=st.data())
def test_models_take_or_refuse_any_parameter(data):
    kind = data.draw(st.sampled_from(list(SMALL)))
    chosen = data.draw(parameters(kind))
    model = tried(lambda: kind(**SMALL[kind] | chosen), form=OUR_FORM)
    if model is None:
        return
    for junk in (data.draw(JUNK), data.draw(JUNK)):
        tried(lambda junk=junk: model.sample(junk, rng=junk))
        tried(lambda junk=junk: model.fit(junk))


@fuzzed(12, 400, data=st.data(), kind=KINDS, scale=SCALES, seed=st.integers(0, 99))
def test_models_fit_or_refuse_degenerate_users(data, kind, scale, seed):
    model_kind = data.draw(st.sampled_from(FITTED))
    junk = data.draw(parameters(model_kind)) if data.draw(st.booleans()) else {}
    chosen = SMALL[model_kind] | junk
    users = users_of(kind, np.random.default_rng(seed), scale)
    if not is_affordable(chosen):
        return
    model = tried(lambda: model_kind(**chosen), form=OUR_FORM)
    if model is None:
        return
    model.verbose = False
    if tried(lambda: model.fit(users.to_dataset()), form=OUR_FORM) is not None and model.trainable:
        tried(lambda: sound_model(model, users), form=OUR_FORM)


@fuzzed(150, 3000, data=st.data())
def test_metrics_take_or_refuse_any_parameter(data):
    kind = data.draw(st.sampled_from([*METRICS, RankingAgreement]))
    metric = tried(lambda: kind(**data.draw(parameters(kind))), form=OUR_FORM)
    if metric is not None:
        evaluator, synthetic = example_users()
        junk = data.draw(JUNK)
        tried(lambda: metric.measure(evaluator, junk, rng=1), form=OUR_FORM)
        if not isinstance(junk, int | np.integer) or isinstance(junk, bool) or junk < 0:
            tried(lambda: metric.measure(evaluator, synthetic, rng=junk), form=OUR_FORM)
        repr(metric)


@fuzzed(6, 150, data=st.data(), kind=KINDS, other=KINDS, seed=st.integers(0, 9))
def test_metrics_measure_or_refuse_degenerate_users(data, kind, other, seed):
    random = np.random.default_rng(seed)
    groups = [users_of(kind, random, prefix=prefix) for prefix in "abc"]
    evaluator = tried(lambda: Evaluator.fit(*groups, rng=1, n_splits=3), form=OUR_FORM)
    if evaluator is None:
        return
    synthetic = users_of(other, random, prefix="s")
    if len(synthetic.item_ids) != len(groups[0].item_ids):
        synthetic = groups[2]
    metric = tried(data.draw(st.sampled_from(METRICS)))
    if metric is None or isinstance(metric, ModelMetric):
        return
    found = tried(lambda: metric.measure(evaluator, synthetic, rng=1), also=(NotMeasurableError,))
    if found is not None:
        numbers = [found.value, found.low, found.high, found.loss, found.ceiling, found.floor]
        assert all(np.isfinite(number) for number in numbers if number is not None)
        assert found.p_value is None or 0 < found.p_value <= 1


NUMBERS = st.one_of(st.floats(), st.sampled_from([0, 1, 2, -1, 0.5, np.nan, np.inf, 1e308, 5e-324]))


@st.composite
def points(draw):
    """Points: vectors, item sets with odd entries, or no points at all."""
    shape = draw(st.tuples(st.integers(0, 24), st.integers(0, 3)))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    array = random.integers(0, 3, shape).astype(float)
    for _ in range(draw(st.integers(0, 2))):
        if array.size:
            array.flat[draw(st.integers(0, array.size - 1))] = draw(NUMBERS)
    form = draw(st.sampled_from(["dense", "sparse", "stored zeros", "masked", "list", "junk"]))
    if form == "sparse":
        return sp.csr_array(array)
    if form == "stored zeros":
        stored = sp.coo_array(np.ones(shape))
        stored.data = array.ravel()
        return stored
    if form == "masked":
        return np.ma.masked_less(array, draw(st.integers(-1, 1)))
    return array.tolist() if form == "list" else draw(JUNK) if form == "junk" else array


@fuzzed(100, 2500, real=points(), synthetic=points(), k=st.one_of(st.integers(1, 3), JUNK))
def test_point_sets(real, synthetic, k):
    found = tried(lambda: metrics.prdc(real, synthetic, k=k), form=OUR_FORM)
    if found is not None:
        shares = (found.precision, found.recall, found.coverage, found.clipped_coverage)
        assert all(0 <= share <= 1 for share in shares)
        assert found.density >= 0
    value = tried(lambda: metrics.conformal_fidelity(real, synthetic, rng=1), form=OUR_FORM)
    assert value is None or 0 <= value <= 1


ARRAYS = st.one_of(JUNK, st.lists(NUMBERS, max_size=6), st.lists(NUMBERS, max_size=6).map(np.array))


@fuzzed(100, 2500, one=ARRAYS, other=ARRAYS, third=ARRAYS, error=st.one_of(st.just(0.05), JUNK))
def test_statistics(one, other, third, error):
    found = tried(lambda: conformal_p_values(one, other), form=OUR_FORM)
    assert found is None or ((np.asarray(found) > 0) & (np.asarray(found) <= 1)).all()
    bound = tried(lambda: contamination_bound(one, other, error=error), form=OUR_FORM)
    assert bound is None or 0 <= bound <= 1
    least = tried(lambda: minimum_detectable_share(5, 5, error=error), form=OUR_FORM)
    assert least is None or 0 < least <= 1
    share = tried(lambda: certified_precision(one, third, 1, error=error), form=OUR_FORM)
    assert share is None or 0 <= share <= 1


@fuzzed(60, 1500, data=st.data())
def test_pareto_fronts_and_swaps(data):
    column = st.lists(st.one_of(NUMBERS, JUNK), min_size=2, max_size=2)
    table = pd.DataFrame({name: pd.Series(data.draw(column)) for name in "ab"})
    names = data.draw(st.one_of(st.just(["a"]), st.just(["a", "b"]), JUNK))
    directions = data.draw(st.one_of(st.just(["low"]), st.just(["high", 0.5]), JUNK))
    table = data.draw(st.sampled_from([table, table, None]))
    tried(lambda: pareto_front(table, names, directions), form=OUR_FORM)
    users = users_of("ordinary", np.random.default_rng(1))
    matrix = data.draw(st.sampled_from([users.matrix, users, None, users.matrix.toarray()]))
    trades = data.draw(st.one_of(st.integers(0, 9), JUNK))
    if not isinstance(trades, int) or trades < 100:
        tried(lambda: curveball(matrix, rng=1, n_trades=trades), form=OUR_FORM)
