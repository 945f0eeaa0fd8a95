"""What every model must do, whoever wrote it."""

import copy
import inspect
import re

import numpy as np
import pytest
import scipy.sparse as sp
from cornac.exception import ScoreException
from cornac.models import EASE, Recommender

from cornac_mle.models.base import CHUNK_USERS
from cornac_mle.models.lda import LDA
from cornac_mle.models.mixture import Mixture
from cornac_mle.models.pmf.model import PMF
from cornac_mle.models.popularity import Popularity
from cornac_mle.models.sampled.model import Sampled
from cornac_mle.models.training_users import TrainingUsers
from cornac_mle.models.vae.model import VAE
from cornac_mle.models.validation import validation_users
from cornac_mle.profiles import Profiles, ids_index
from cornac_mle.remedies import filtered
from cornac_mle.remedies.filtered import Filtered
from cornac_mle.remedies.mmd_tuning import MMDTuning
from worlds import profiles, rated, taste_world

MODELS = {
    "Popularity": Popularity,
    "TrainingUsers": TrainingUsers,
    "Mixture": lambda: Mixture(k=3, seed=1),
    "LDA": lambda: LDA(k=3, max_iter=60, seed=1),
    "PMF": lambda: PMF(k=3, max_iter=20, seed=1),
    "VAE": lambda: VAE(k=4, n_epochs=5, seed=1),
    "VAE conditional": lambda: VAE(k=4, n_epochs=5, seed=1, likelihood="conditional-poisson"),
    "MMDTuning": lambda: MMDTuning(VAE(k=4, n_epochs=5, seed=1), n_steps=5, seed=1),
    "Filtered": lambda: Filtered(Mixture(k=3, seed=1), seed=1),
}
WORLD = rated(taste_world(120, n_items=50, mean_size=10, seed=3))
LARGER = rated(taste_world(150, n_items=70, mean_size=10, seed=4))


@pytest.fixture(scope="module", autouse=True)
def _rough_rates():
    """The acceptance rate that a filter tells of is estimated from few draws."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(filtered, "RATE_USERS", CHUNK_USERS)
        yield


@pytest.fixture(scope="module", params=MODELS)
def fitted(request):
    return MODELS[request.param]().fit(WORLD.to_dataset(seed=1))


def same(one: Profiles, other: Profiles) -> bool:
    return (one.matrix != other.matrix).nnz == 0 and one.item_ids.equals(other.item_ids)


def test_it_is_a_cornac_recommender(fitted):
    assert isinstance(fitted, Recommender)
    assert fitted.is_fitted


def test_samples_have_the_shape_ids_and_values_of_the_data(fitted):
    users = fitted.sample(700, rng=1)
    assert len(users) == 700
    assert users.item_ids.equals(WORLD.item_ids)
    assert list(users.user_ids[:2]) == ["s0", "s1"]
    assert set(np.unique(users.matrix.data)) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    assert len(np.unique(users.matrix.data)) > 1


def test_sizes_follow_the_training_users(fitted):
    sizes = fitted.sample(4_000, rng=1).sizes
    assert sizes.mean() == pytest.approx(WORLD.sizes.mean(), rel=0.08)


def test_same_seed_same_users_and_another_seed_others(fitted):
    assert same(fitted.sample(50, rng=1), fitted.sample(50, rng=1))
    assert not same(fitted.sample(50, rng=1), fitted.sample(50, rng=2))


def test_without_a_seed_users_are_others_each_time(fitted):
    assert not same(fitted.sample(50), fitted.sample(50))
    first, second = (next(fitted.sample_chunks(50)) for _ in range(2))
    assert (first != second).nnz > 0


def test_the_likelihood_needs_no_seed(fitted):
    if isinstance(fitted, TrainingUsers):
        return  # it has none
    nats = [fitted.log_likelihood(WORLD[:5], n_draws=3) for _ in range(2)]
    exact = fitted.estimate_log_likelihood(WORLD[:5], n_draws=3).exact
    assert np.array_equal(*nats) == exact


def test_it_is_spelt_as_it_was_made(fitted):
    spelt = repr(fitted)
    assert spelt.endswith(" fitted to 120 users x 50 items")
    made = eval(spelt.removesuffix(" fitted to 120 users x 50 items"))  # our text
    assert type(made) is type(fitted)
    assert repr(made) == repr(fitted.clone())


@pytest.mark.parametrize(
    ("model", "spelt"),
    [
        (Popularity(), "Popularity()"),
        (PMF(k=20), "PMF(k=20, seed=123)"),
        (VAE("mine", seed=None), "VAE(name='mine', seed=None)"),
        (Mixture(k=None, trainable=False), "Mixture(k=None, trainable=False, seed=123)"),
        (
            Filtered(VAE(latent="prior"), least_acceptance=0.1, seed=5),
            "Filtered(VAE(latent='prior', seed=123), least_acceptance=0.1, seed=5)",
        ),
        (
            MMDTuning(VAE(seed=1), "VAE tuned"),
            "MMDTuning(VAE(seed=1), name='VAE tuned', seed=123)",
        ),
        (Sampled(EASE(lamb=5), seed=2), "Sampled(EASE(lamb=5), seed=2)"),
    ],
)
def test_what_differs_from_the_defaults_is_spelt(model, spelt):
    assert repr(model) == spelt


@pytest.mark.parametrize("kind", [LDA, Mixture, PMF, VAE, MMDTuning, Filtered, Sampled])
def test_all_have_one_default_seed(kind):
    assert inspect.signature(kind).parameters["seed"].default == 123


def test_chunks_do_not_depend_on_how_many_follow_or_who_draws_them(fitted):
    few = fitted.sample(CHUNK_USERS, rng=1)
    many = fitted.sample(2 * CHUNK_USERS + 10, rng=1)
    assert (few.matrix != many.matrix[:CHUNK_USERS]).nnz == 0
    assert same(many, fitted.sample(2 * CHUNK_USERS + 10, rng=1, n_jobs=2))
    chunks = list(fitted.sample_chunks(2 * CHUNK_USERS + 10, rng=1))
    assert [chunk.shape[0] for chunk in chunks] == [CHUNK_USERS, CHUNK_USERS, 10]
    assert (sp.csr_array(sp.vstack(chunks)) != many.matrix).nnz == 0


def test_a_clone_fits_the_same(fitted):
    clone = fitted.clone()
    assert not clone.is_fitted
    clone.fit(WORLD.to_dataset(seed=1))
    assert same(clone.sample(30, rng=1), fitted.sample(30, rng=1))


def test_saved_and_loaded_it_samples_and_scores_the_same(fitted, tmp_path):
    path = fitted.save(str(tmp_path))
    loaded = Recommender.load(path)
    assert same(loaded.sample(30, rng=1), fitted.sample(30, rng=1))
    assert np.array_equal(loaded.score(3), fitted.score(3))


@pytest.mark.parametrize("name", MODELS)
def test_a_refit_on_larger_data_starts_fresh(name):
    model = MODELS[name]()
    model.fit(WORLD.to_dataset(seed=1))
    model.fit(LARGER.to_dataset(seed=1))
    fresh = MODELS[name]().fit(LARGER.to_dataset(seed=1))
    assert same(model.sample(30, rng=1), fresh.sample(30, rng=1))


def test_fitting_leaves_the_data_alone(fitted):
    dataset = WORLD.to_dataset(seed=1)
    before = [part.copy() for part in dataset.uir_tuple]
    fitted.clone().fit(dataset)
    assert all(np.array_equal(*pair) for pair in zip(before, dataset.uir_tuple, strict=True))


def test_scores_of_training_users(fitted):
    scores = fitted.score(3)
    assert scores.shape == (50,)
    assert np.isfinite(scores).all()
    assert fitted.score(3, 7) == pytest.approx(scores[7])
    ranked, _ = fitted.rank(3)
    assert np.array_equal(np.sort(ranked), np.arange(50))
    assert scores[ranked[0]] == scores.max()


def test_unknown_users_and_items_have_no_score_but_a_rating(fitted):
    for pair in ((120, 0), (0, 50)):
        with pytest.raises(ScoreException, match="Can't make score prediction"):
            fitted.score(*pair)
        assert 1 <= fitted.rate(*pair) <= 5


def test_fold_in_of_unseen_users(fitted):
    new = taste_world(20, n_items=50, mean_size=10, seed=9)
    scores = fitted.fold_in(new)
    assert scores.shape == (20, 50)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    order = np.arange(20)[::-1]
    assert np.allclose(fitted.fold_in(new[order]), scores[order], atol=1e-5)


def test_fold_in_of_an_empty_user(fitted):
    nobody = Profiles.from_matrix(sp.csr_array((1, 50), dtype=np.float32), WORLD.item_ids)
    assert np.isfinite(fitted.fold_in(nobody)).all()


def test_fold_in_refuses_other_items(fitted):
    other = profiles(sp.csr_array(np.ones((2, 50), dtype=np.float32)))
    turned = other.align(ids_index(list(other.item_ids[::-1])))
    with pytest.raises(ValueError, match="`profiles` must have the items that the model was fit"):
        fitted.fold_in(turned)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("error", [ArithmeticError, KeyboardInterrupt])
def test_a_fit_that_fails_or_is_interrupted_leaves_no_fitted_model(name, error, monkeypatch):
    model = MODELS[name]().fit(WORLD.to_dataset(seed=1))

    def fail(*_):
        raise error

    monkeypatch.setattr(model, "_fit", fail)
    with pytest.raises(error):
        model.fit(LARGER.to_dataset(seed=1))
    assert not model.is_fitted
    for use in (lambda: model.sample(3, rng=1), lambda: model.score(0)):
        with pytest.raises(RuntimeError, match="is not fitted"):
            use()


def test_data_that_are_refused_leave_a_fitted_model_as_it_was(fitted):
    model = copy.copy(fitted)
    dataset = LARGER.to_dataset(seed=1)
    dataset.uir_tuple[2][5] = -1.0
    with pytest.raises(ValueError, match="`train_set` must hold values above 0"):
        model.fit(dataset)
    assert np.array_equal(model.score(3), fitted.score(3))
    assert same(model.sample(30, rng=1), fitted.sample(30, rng=1))
    assert model.num_users == len(WORLD)


def test_a_frozen_model_takes_its_own_users_and_no_others(fitted, tmp_path):
    model = Recommender.load(fitted.save(str(tmp_path)))
    assert not model.trainable
    model.fit(WORLD.to_dataset(seed=1))
    assert np.array_equal(model.score(3), fitted.score(3))
    assert same(model.sample(30, rng=1), fitted.sample(30, rng=1))
    turned = WORLD[np.arange(len(WORLD))[::-1]].to_dataset(seed=1)
    fewer = WORLD[:110].align(WORLD.item_ids).to_dataset(seed=1)
    for others, what in ((turned, "users"), (fewer, "users"), (LARGER.to_dataset(seed=1), "items")):
        with pytest.raises(ValueError, match=f"`train_set` must hold the {what} that the model"):
            model.fit(others)
    # Refused, it still knows its own.
    assert np.array_equal(model.score(3), fitted.score(3))
    model.trainable = True
    assert model.fit(LARGER.to_dataset(seed=1)).catalogue_.equals(LARGER.item_ids)


@pytest.mark.parametrize("name", MODELS)
def test_unfitted_models_say_so(name):
    model = MODELS[name]()
    with pytest.raises(RuntimeError, match=re.escape(f"{model.name} is not fitted. Call fit")):
        model.sample(3, rng=1)
    with pytest.raises(RuntimeError, match="is not fitted"):
        model.fold_in(WORLD)


def test_wrong_arguments_of_sample(fitted):
    with pytest.raises(ValueError, match="`n_users` must be at least 1; got 0"):
        fitted.sample(0, rng=1)
    with pytest.raises(TypeError, match="`rng` must be an int"):
        fitted.sample(1, rng="1")
    for n_jobs in (0, -3):
        message = f"`n_jobs` must be at least 1, or -1 for one a core; got {n_jobs}"
        with pytest.raises(ValueError, match=message):
            fitted.sample(1, rng=1, n_jobs=n_jobs)
    with pytest.raises(TypeError, match="`n_jobs` must be an integer; got 'all'"):
        fitted.sample(1, rng=1, n_jobs="all")
    assert same(fitted.sample(3, rng=1, n_jobs=-1), fitted.sample(3, rng=1))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("wrong", [None, np.ones((3, 4)), WORLD, "x"])
def test_it_is_fitted_to_datasets(name, wrong):
    advice = re.escape("profiles.to_dataset() makes one.")
    kind = type(wrong).__name__
    message = f"must be a cornac.data.Dataset; got {kind}. {advice}"
    with pytest.raises(TypeError, match=f"`train_set` {message}"):
        MODELS[name]().fit(wrong)
    if wrong is not None:
        with pytest.raises(TypeError, match=f"`val_set` {message}"):
            MODELS[name]().fit(WORLD.to_dataset(seed=1), wrong)


def test_profiles_are_no_arrays(fitted):
    message = "`profiles` must be Profiles; got ndarray. Profiles.from_matrix"
    with pytest.raises(TypeError, match=message):
        fitted.fold_in(np.ones((3, 50)))
    with pytest.raises(TypeError, match=message):
        fitted.log_likelihood(np.ones((3, 50)), rng=1)


@pytest.mark.parametrize("name", MODELS)
def test_names_are_strings(name):
    kind = type(MODELS[name]())
    given = (MODELS[name]().model,) if hasattr(MODELS[name](), "model") else ()
    with pytest.raises(TypeError, match="`name` must be a string; got 20"):
        kind(*given, name=20)


@pytest.mark.parametrize("kind", [Mixture, LDA, lambda *given: Filtered(Popularity(), *given)])
def test_what_follows_the_first_argument_is_named(kind):
    with pytest.raises(TypeError, match="positional argument"):
        kind(3, "name")


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda seed: Mixture(k=2, seed=seed, max_iter=1), "log_weights_"),
        (lambda seed: LDA(k=2, max_iter=1, seed=seed), "weights_"),
        (lambda seed: PMF(k=2, max_iter=0, seed=seed), "item_factors_"),
        (lambda seed: Filtered(Popularity(), seed=seed), "log_ceiling_"),
    ],
)
def test_without_a_seed_every_fit_is_another(make, found):
    """Near where it starts: further on, many starts end alike."""
    models = [make(None).fit(WORLD.to_dataset(seed=1)) for _ in range(2)]
    assert not np.array_equal(*(getattr(model, found) for model in models))
    for wrong, error in ((-1, ValueError), ("x", TypeError)):
        with pytest.raises(error, match="`seed` must be"):
            make(wrong)


@pytest.mark.parametrize("kind", [Mixture, LDA])
def test_the_number_of_kinds_can_be_chosen_without_a_seed(kind):
    model = kind(k=None, max_iter=3, seed=None).fit(WORLD.to_dataset(seed=1))
    assert model.k_ in model.held_out_nats_


@pytest.mark.parametrize(
    ("make", "steps"),
    [
        (lambda **how: Mixture(k=2, n_init=2, **how), "Mixture: start 2 of 2, k = 2"),
        (lambda **how: LDA(k=2, max_iter=5, **how), "LDA: k = 2"),
        (lambda **how: PMF(k=2, max_iter=2, **how), "PMF: choices"),
        (lambda **how: Filtered(Popularity(), **how), "Filtered(Popularity): acceptance"),
    ],
)
def test_a_verbose_fit_says_where_it_is(make, steps, capsys):
    make(verbose=True).fit(WORLD.to_dataset(seed=1))
    assert steps in capsys.readouterr().err
    make().fit(WORLD.to_dataset(seed=1))
    assert capsys.readouterr().err == ""


def test_values_must_be_above_zero(fitted):
    dataset = WORLD.to_dataset(seed=1)
    dataset.uir_tuple[2][5] = -1.0
    with pytest.raises(ValueError, match="`train_set` must hold values above 0"):
        fitted.clone().fit(dataset)


def test_a_log_likelihood_is_finite_or_says_why_there_is_none(fitted):
    if isinstance(fitted, TrainingUsers):
        with pytest.raises(NotImplementedError, match=r"Users has no log-likelihood: .{15}"):
            fitted.log_likelihood(WORLD, rng=1)
        return
    nats, sizes = fitted.estimate_log_likelihood(WORLD, rng=1, n_draws=20)
    assert nats.shape == (len(WORLD),)
    assert np.all(nats < 0)
    # The posterior of a training user has the sizes of training users only; these are all here.
    assert np.all(np.isfinite(nats))
    if sizes is not None:
        assert np.all((sizes >= 1 - 1e-9) & (sizes <= 20 + 1e-9))
    again = fitted.log_likelihood(WORLD, rng=1, n_draws=20)
    assert np.array_equal(again, nats)


def test_no_users_have_no_log_likelihood(fitted):
    assert fitted.log_likelihood(WORLD[:0], rng=1, n_draws=3).shape == (0,)
    with pytest.raises(ValueError, match="`n_draws` must be at least 1; got 0"):
        fitted.log_likelihood(WORLD, rng=1, n_draws=0)


def test_no_global_random_state_is_touched(fitted):
    np.random.seed(5)  # noqa: NPY002  # the state that must stay
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    fitted.sample(10, rng=1)
    fitted.clone().fit(WORLD.to_dataset(seed=1))
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_validation_of_new_and_of_training_users():
    train = WORLD[:100].to_dataset(seed=1)
    new = WORLD[100:].to_dataset(first_user=100, seed=1)
    made = validation_users(sp.csr_array(train.csr_matrix), new)
    assert made.shown.shape == made.target.shape == (20, 50)
    assert ((made.shown + made.target) != WORLD[100:].matrix).nnz == 0
    assert made.shown.multiply(made.target).nnz == 0
    assert made.is_new.tolist() == [True] * 20
    again = validation_users(sp.csr_array(train.csr_matrix), WORLD[:100].to_dataset(seed=1))
    assert (again.shown != WORLD[:100].matrix).nnz == 0
    assert (again.target != WORLD[:100].matrix).nnz == 0
    assert again.is_new.tolist() == [False] * 100
    assert validation_users(sp.csr_array(train.csr_matrix), None) is None
