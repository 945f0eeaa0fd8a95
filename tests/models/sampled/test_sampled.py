"""`Sampled`: what it takes, what it refuses, how it draws, and in Cornac's hands."""

import logging
import re

import cornac
import numpy as np
import pytest
import scipy.sparse as sp
from cornac import models
from cornac.metrics import NDCG
from cornac.models import NextBasketRecommender, NextItemRecommender, Recommender

from cornac_families import DATA, FAMILIES, FRESH, LARGER, WORLD, popularity_js, same
from cornac_mle.adapters import OTHERS, adapter_of
from cornac_mle.comparison import compare
from cornac_mle.eval_methods.held_out_users import HeldOutUsers
from cornac_mle.metrics import CopiedUsers, PopularityJS
from cornac_mle.models.popularity import Popularity
from cornac_mle.models.sampled import model as sampled_module
from cornac_mle.models.sampled._calibrated_link import centred
from cornac_mle.models.sampled.model import Sampled
from cornac_mle.profiles import Profiles
from worlds import checkerboard, communities, profiles

pytestmark = [
    # Cornac says that a model is fitted again; IBPR makes arrays of tensors with gradients.
    pytest.mark.filterwarnings("ignore:Model is already fitted:UserWarning"),
]


# ------------------------------------------------------------------------------------ one at a time


def ease(**settings) -> models.EASE:
    return models.EASE(lamb=100, verbose=False, **settings)


def small_data(world: Profiles = WORLD):
    return world[:60].align(WORLD.item_ids).to_dataset(seed=1)


@pytest.mark.parametrize("make", [ease, lambda: models.BPR(k=3, seed=1)])
def test_a_fitted_model_and_an_unfitted_one_come_to_the_same(make):
    """`fit()` takes the user's fit, `fit(train_set)` fits a clone and leaves the model alone."""
    model = make()
    by_clone = Sampled(model).fit(small_data())
    assert not model.is_fitted
    model.fit(small_data())
    taken = Sampled(model).fit()
    assert taken.train_set is model.train_set
    assert same(taken.sample(40, rng=1), by_clone.sample(40, rng=1))


def test_fit_needs_a_fitted_model_that_knows_its_users(tmp_path):
    message = re.escape("EASEᴿ is not fitted, or was loaded without its training set. Call fit(")
    with pytest.raises(RuntimeError, match=message):
        Sampled(ease()).fit()
    loaded = Recommender.load(ease().fit(small_data()).save(str(tmp_path)))
    with pytest.raises(RuntimeError, match=message):
        Sampled(loaded).fit()


def test_a_loaded_model_is_taken_as_it_is(tmp_path):
    """Cornac loads with trainable=False: given its training set again, it is not fitted again."""
    model = models.BPR(k=3, seed=1).fit(small_data())
    loaded = Recommender.load(model.save(str(tmp_path)))
    loaded.u_factors[:, 0] = 0.0  # a fit would not give this
    sampled = Sampled(loaded).fit(small_data())
    assert np.array_equal(sampled.model_.u_factors, loaded.u_factors)


@pytest.mark.parametrize(
    ("rows", "columns", "what"),
    [
        (np.arange(60)[::-1], np.arange(104), "users"),
        (np.arange(60), np.arange(104)[::-1], "items"),
        (np.arange(50), np.arange(104), "users"),
    ],
)
def test_a_frozen_model_refuses_other_data(rows, columns, what):
    """Numbers of users and items would mean others to it."""
    frozen = models.BPR(k=3, seed=1).fit(small_data())
    frozen.trainable = False
    others = WORLD[rows].align(WORLD.item_ids[columns]).to_dataset(seed=1)
    with pytest.raises(ValueError, match=f"`model` must be fitted to the {what} of `train_set`"):
        Sampled(frozen).fit(others)


def test_a_model_given_by_its_factors_needs_no_fit():
    """Cornac's init_params and trainable=False: what is handed over is used as it is."""
    factors = np.random.default_rng(1).normal(size=(164, 3)).astype(np.float32)
    given = {"U": factors[:60], "V": factors[60:], "Bi": np.zeros(104, dtype=np.float32)}
    model = models.BPR(k=3, trainable=False, init_params=given)
    sampled = Sampled(model).fit(small_data())
    assert np.array_equal(sampled.model_.u_factors, factors[:60])


def test_a_frozen_wrapper_keeps_its_users_and_no_others():
    sampled = Sampled(ease()).fit(small_data())
    drawn = sampled.sample(20, rng=1)
    sampled.trainable = False
    assert same(sampled.fit(small_data()).sample(20, rng=1), drawn)
    with pytest.raises(ValueError, match="`train_set` must hold the items that the model was fit"):
        sampled.fit(LARGER)


class NextItems(NextItemRecommender):
    pass


class NextBaskets(NextBasketRecommender):
    pass


@pytest.mark.parametrize("kind", [NextItems, NextBaskets])
def test_models_of_sequences_cannot_be_sampled_and_say_why(kind):
    message = f"ordered cannot be sampled: {kind.__name__} scores the next items of a sequence"
    with pytest.raises(NotImplementedError, match=message):
        Sampled(kind("ordered"))


@pytest.mark.parametrize(
    ("model", "settings", "error", "message"),
    [
        (Popularity(), {}, TypeError, "`model` must be a model of Cornac's own; got a Popularity."),
        (ease, {}, TypeError, "`model` must be a model of Cornac's own; got <function ease"),
        (ease(), {"name": 3}, TypeError, "`name` must be a string; got 3"),
        (ease(), {"seed": -1}, ValueError, "`seed` must be at least 0; got -1"),
        (
            ease(),
            {"density": "normal"},
            ValueError,
            "`density` must be None or one of ('mixture', 'gaussian', 'bootstrap'); got 'normal'",
        ),
        (ease(), {"density": np.zeros(0)}, ValueError, "`density` must be None or one of"),
    ],
)
def test_wrong_arguments(model, settings, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Sampled(model, **settings)


@pytest.mark.parametrize("density", ["mixture", "gaussian"])
@pytest.mark.parametrize("model", [ease(), models.GlobalAvg()], ids=lambda model: model.name)
def test_a_model_without_points_has_no_density_over_them(model, density):
    sampled = Sampled(model, density=density)
    message = '`density` must be None or "bootstrap" for .*, which has no points; got ' + repr(
        density
    )
    with pytest.raises(ValueError, match=message):
        sampled.fit(small_data())
    assert not sampled.is_fitted
    assert Sampled(model, density="bootstrap").fit(small_data()).sample(3, rng=1)


@pytest.mark.parametrize("density", ["mixture", "gaussian", "bootstrap"])
def test_every_density_over_points(density):
    """One Gaussian over two clusters also draws between them; the others do not."""
    sampled = Sampled(models.BPR(k=10, learning_rate=0.1, seed=1), density=density).fit(DATA)
    assert sampled.sampler_ == f"factors of likes (BPR, WBPR, MMMF), {density} over users"
    users = sampled.sample(4_000, rng=1)
    assert users.sizes.mean() == pytest.approx(WORLD.sizes.mean(), rel=0.05)
    assert popularity_js(users) < popularity_js(FRESH)
    assert communities(users.matrix).mean() > (0.75 if density == "gaussian" else 0.9)


def test_the_wrapper_has_its_own_seed():
    model = models.BPR(k=3, seed=1).fit(small_data())
    one, other = (Sampled(model, seed=seed).fit() for seed in (1, 2))
    assert not np.array_equal(one.offsets_, other.offsets_)
    assert same(Sampled(model, seed=1).fit().sample(9, rng=1), one.sample(9, rng=1))
    assert Sampled(model).name == "Sampled(BPR)"
    assert Sampled(model, name="mine").clone().name == "mine"


@pytest.mark.parametrize("name", ["MostPop", "BPR", "EASE", "UserKNN", "SKMeans", "VAECF", "MLP"])
def test_users_of_one_item_and_items_of_nobody(name):
    """Item 103 is in the catalogue and held by nobody: it is never drawn."""
    matrix = sp.lil_array(WORLD.matrix[:60])
    matrix[:, [0, 52]] = 1
    matrix[::3] = 0
    matrix[::3, 5] = 1
    matrix[:, 103] = 0
    world = profiles(sp.csr_array(matrix))
    data = world.to_dataset(seed=1)
    assert data.num_items == 104
    sampled = Sampled(FAMILIES[name].make()).fit(data)
    users = sampled.sample(2_000, rng=1)
    assert users.sizes.min() == 1
    assert users.sizes.mean() == pytest.approx(world.sizes.mean(), rel=0.1)
    held = world.item_counts > 0
    assert not users.item_counts[~held].any()
    assert np.isfinite(sampled.fold_in(world)[:, held]).all()
    nobody = Profiles.from_matrix(sp.csr_array((1, 104), dtype=np.float32), world.item_ids)
    assert np.isfinite(sampled.fold_in(nobody)[:, held]).all()


@pytest.mark.parametrize("name", ["MostPop", "EASE", "MF", "MLP"])
def test_users_of_one_item_each(name):
    """Nothing can be hidden: nothing says that scores matter."""
    world = profiles(sp.csr_array(np.tile(np.eye(6, dtype=np.float32), (5, 1))))
    sampled = Sampled(FAMILIES[name].make()).fit(world.to_dataset(seed=1))
    assert sampled.inverse_temperature_ == 0
    users = sampled.sample(500, rng=1)
    assert np.mean(users.sizes == 1) > 0.9
    assert users.item_counts / len(users) == pytest.approx(np.full(6, 1 / 6), abs=0.1)


@pytest.mark.parametrize("name", ["EASE", "ItemKNN", "UserKNN", "PMF", "MF", "NMF", "HPF", "BPR"])
def test_a_world_of_one_rating(name):
    """Every value is 4: Cornac's ratings have no width. Drawn values are 4 too."""
    matrix = WORLD.matrix[:60].copy()
    matrix.data[:] = 4.0
    world = Profiles(matrix, WORLD.user_ids[:60], WORLD.item_ids)
    sampled = Sampled(FAMILIES[name].make()).fit(world.to_dataset(seed=1))
    users = sampled.sample(300, rng=1)
    assert set(users.matrix.data) == {4.0}
    assert np.isfinite(sampled.fold_in(world[:5])).all()


def test_values_are_those_that_training_users_give_the_item():
    """Item i0 is rated 5 by all, i1 by half of its holders 1 and by the others 2."""
    matrix = WORLD.matrix.copy()
    matrix.data[:] = 3.0
    matrix.data[matrix.indices == 0] = 5.0
    of_second = np.flatnonzero(matrix.indices == 1)
    matrix.data[of_second] = 1.0 + np.arange(len(of_second)) % 2
    world = Profiles(matrix, WORLD.user_ids, WORLD.item_ids)
    users = Sampled(models.BPR(k=3, seed=1)).fit(world.to_dataset(seed=1)).sample(4_000, rng=1)
    drawn = sp.csc_array(users.matrix)
    assert set(drawn[:, [0]].data) == {5.0}
    second = drawn[:, [1]].data
    assert set(second) == {1.0, 2.0}
    assert np.mean(second == 1) == pytest.approx(0.5, abs=0.08)  # some 2,000 holders: 7 s.e.


# ----------------------------------------------------------------------------- in Cornac's hands


@pytest.fixture(scope="module")
def method():
    return HeldOutUsers(checkerboard(300).to_frame(), seed=1, dataset_name="checkerboard")


def test_in_an_experiment_beside_the_model_itself(method, tmp_path):
    experiment = cornac.Experiment(
        method,
        models=[ease(), Sampled(ease()), Sampled(models.BPR(k=5, seed=1), density="gaussian")],
        metrics=[NDCG(k=20), PopularityJS(), CopiedUsers()],
        save_dir=str(tmp_path),
    )
    experiment.run()
    vanilla, wrapped, other = (result.metric_avg_results for result in experiment.result)
    # The wrapper recommends what the model does; a vanilla model is wrapped in the same way.
    assert wrapped["NDCG@20"] == pytest.approx(vanilla["NDCG@20"], abs=1e-9)
    assert wrapped["PopularityJS"] == vanilla["PopularityJS"]
    assert wrapped["CopiedUsers"] < 0.5
    assert np.isfinite(list(other.values())).all()
    assert set(method.report.scores.model) >= {"Sampled(EASEᴿ)", "Sampled(BPR)"}


def test_in_a_comparison_beside_the_model_itself(method, caplog):
    with caplog.at_level(logging.WARNING, logger="cornac_mle"):
        report = compare(
            [models.MostPop(), Sampled(models.MostPop(), seed=5)],
            method,
            metrics=[PopularityJS(), NDCG(k=20)],
        )
    assert not caplog.records
    scores = report.scores.set_index(["model", "metric"]).value
    assert scores["Sampled(MostPop)", "PopularityJS"] < 0.05
    assert scores["Sampled(MostPop)", "NDCG@20"] == pytest.approx(scores["MostPop", "NDCG@20"])


class OfOneUser(Recommender):
    """A model of no family: it scores users that it was fitted to, and is otherwise unknown."""

    def score(self, user_idx, item_idx=None):
        own = np.where(np.arange(self.num_items) < self.num_items // 2, 1.0, -1.0)
        own = own if user_idx % 2 == 0 else -own
        return own if item_idx is None else own[item_idx]


def test_a_model_of_no_family_is_drawn_by_its_scores_alone():
    model = OfOneUser("mine").fit(DATA)
    assert adapter_of(model) is OTHERS
    sampled = Sampled(model).fit()
    assert sampled.sampler_ == "any other model, training users with a fifth of their items hidden"
    assert sampled.judge_family is None
    users = sampled.sample(2_000, rng=1)
    assert users.sizes.mean() == pytest.approx(WORLD.sizes.mean(), rel=0.05)
    assert communities(users.matrix).mean() > 0.95


def test_probabilities_of_a_generative_distribution_are_not_calibrated(monkeypatch):
    """A distribution of its own draws what the model says, so nothing may be fitted to it."""

    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr(sampled_module, "fit_inverse_temperature", refuse)
    monkeypatch.setattr(sampled_module, "fit_offsets", refuse)
    sampled = Sampled(models.VAECF(k=2, n_epochs=1, seed=1)).fit(small_data())
    held = np.asarray(sampled.popularity_) > 0
    assert (sampled.offsets_[held] == 0).all()
    assert np.isneginf(sampled.offsets_[~held]).all()
    with pytest.raises(AssertionError):
        Sampled(models.VAECF(k=2, n_epochs=1, seed=1), density="gaussian").fit(small_data())


INDEPENDENT = {
    "EASE": lambda: models.EASE(lamb=5, verbose=False),
    "BPR": lambda: models.BPR(k=20, learning_rate=0.1, seed=1),
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_items_that_say_nothing_of_each_other_have_inverse_temperature_0(name):
    """Independent items: users whom the model has seen would give .4 and .3."""
    random = np.random.default_rng(1)
    likes = random.random((700, 60)) < random.uniform(0.05, 0.5, 60)
    likes[:, :2] = True
    world = profiles(sp.csr_array(likes.astype(np.float32)))
    train, new = world[:400], world[400:]
    data = train.to_dataset(seed=1), new.to_dataset(first_user=400, seed=1)
    inverse_temperatures = []
    for sets in (data, data[:1]):
        sampled = Sampled(INDEPENDENT[name]()).fit(*sets)
        spread = centred(sampled.fold_in(train)).std()
        inverse_temperatures.append(sampled.inverse_temperature_ * spread)
    assert inverse_temperatures[0] < 0.15
    assert inverse_temperatures[1] > 0.25
    given = INDEPENDENT[name]().fit(*data)
    assert Sampled(given).fit().inverse_temperature_ == pytest.approx(
        inverse_temperatures[0] / spread, rel=1e-6
    )


def test_a_model_that_cannot_be_fitted_is_named_with_the_reason():
    few = profiles(checkerboard(40, n_items=60).matrix).to_dataset()
    message = "got 60 items: it stops early by NDCG@100 for RecVae. Give at least 100 items."
    with pytest.raises(ValueError, match=message):
        Sampled(FAMILIES["RecVAE"].make()).fit(few)
    with pytest.raises(ValueError, match="got data without a user_graph for CVAECF"):
        Sampled(FAMILIES["CVAECF"].make()).fit(few)


class Unfittable(models.MostPop):
    """A model that fails on every data set, in Cornac's way."""

    def fit(self, train_set, val_set=None):
        msg = "no\nsuch place"
        raise IndexError(msg)


def test_a_failure_of_a_model_names_it_in_one_line():
    data = profiles(checkerboard(40).matrix).to_dataset()
    message = "`model` must be one that can be fitted to these data; got IndexError: no such place"
    with pytest.raises(ValueError, match=message):
        Sampled(Unfittable()).fit(data)


@pytest.mark.parametrize("family", ["MF", "NMF"])
def test_a_model_that_has_diverged_is_named(family):
    random = np.random.default_rng(0)
    held = checkerboard(40).matrix.toarray() * random.choice([1e-30, 1, 1e30], size=(40, 40))
    data = Profiles.from_matrix(held, [f"i{column}" for column in range(40)]).to_dataset()
    message = f"`model` must have finite factors and scores; got NaN or infinity .* for {family}"
    with pytest.raises(ValueError, match=message), np.errstate(all="ignore"):
        Sampled(FAMILIES[family].make()).fit(data)
