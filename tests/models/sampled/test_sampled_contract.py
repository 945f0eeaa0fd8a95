"""What `Sampled` must do with every family of Cornac models."""

import copy
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from cornac.models import Recommender
from sklearn.utils import check_random_state

from cornac_families import (
    ALSO,
    DATA,
    FAMILIES,
    FRESH,
    LARGER,
    LARGER_WORLD,
    OWN_DISTRIBUTIONS,
    SMALL,
    WORLD,
    Family,
    popularity_js,
    same,
    two_communities,
)
from cornac_mle.adapters import adapter_of
from cornac_mle.models.base import CHUNK_USERS
from cornac_mle.models.sampled.model import Sampled
from cornac_mle.profiles import Profiles
from worlds import communities

pytestmark = [
    # Cornac says that a model is fitted again; IBPR makes arrays of tensors with gradients.
    pytest.mark.filterwarnings("ignore:Model is already fitted:UserWarning"),
]


@dataclass(frozen=True)
class Case:
    name: str
    family: Family
    model: Recommender
    sampled: Sampled
    users: Profiles


@pytest.fixture(scope="module", params=FAMILIES)
def case(request):
    """A model that a user fitted, taken as it is, and 4,000 synthetic users."""
    family = FAMILIES[request.param]
    model = family.make().fit(DATA)
    sampled = Sampled(model).fit()
    return Case(request.param, family, model, sampled, sampled.sample(4_000, rng=1))


# --------------------------------------------------------------------------------- what is drawn


def test_the_family_is_recognised(case):
    """Each model by its own adapter; those of one line of the table have its formulas."""
    assert case.name in adapter_of(case.model).family or case.name in ALSO


def test_samples_have_the_shape_and_ids_of_the_data(case):
    assert len(case.users) == 4_000
    assert case.users.item_ids.equals(WORLD.item_ids)
    assert list(case.users.user_ids[:2]) == ["s0", "s1"]
    assert set(np.unique(case.users.matrix.data)) == {1.0}
    assert case.users.sizes.min() >= 1


def test_sizes_follow_the_training_users(case):
    """4,000 sizes of standard deviation 4.7, mean 14.1: 5% are 9 standard errors."""
    assert case.users.sizes.mean() == pytest.approx(WORLD.sizes.mean(), rel=0.05)
    quantiles = np.quantile(case.users.sizes, [0.1, 0.5, 0.9])
    assert quantiles == pytest.approx(np.quantile(WORLD.sizes, [0.1, 0.5, 0.9]), abs=1.5)


def test_popularity_follows_the_training_users(case):
    if not case.family.popularity:
        pytest.skip(f"{case.name}: {case.family.why}")
    assert popularity_js(case.users) < popularity_js(FRESH) + 0.02
    # Other users of one world are not nearer to the training users than those fitted to them.
    assert popularity_js(case.users) < popularity_js(FRESH)


def test_two_communities_come_out_as_two(case):
    """Of independent popularity, a user has .6 of its items in one community."""
    shares = communities(case.users.matrix)
    if case.family.communities == 0:
        assert case.family.why
        assert shares.mean() < 0.75  # where this fails, the table claims too little
        return
    assert shares.mean() >= case.family.communities
    half = WORLD.matrix.shape[1] // 2
    first = np.diff(sp.csr_array(case.users.matrix[:, :half]).indptr) > case.users.sizes / 2
    assert 0.3 < first.mean() < 0.7


def test_models_with_a_distribution_of_their_own_can_be_given_a_density(case):
    if case.name not in OWN_DISTRIBUTIONS:
        assert "own generative distribution" not in case.sampled.sampler_
        pytest.skip(f"{case.name} has no distribution of its own")
    assert case.sampled.sampler_.endswith("its own generative distribution")
    assert case.sampled.inverse_temperature_ == 1
    given = Sampled(case.model, density="mixture").fit()
    assert given.sampler_.endswith("mixture over users")
    users = given.sample(4_000, rng=1)
    assert users.sizes.mean() == pytest.approx(WORLD.sizes.mean(), rel=0.05)
    assert popularity_js(users) < popularity_js(FRESH)
    assert communities(users.matrix).mean() >= 0.9
    assert communities(users.matrix).mean() > communities(case.users.matrix).mean() - 0.01


# ------------------------------------------------------------------------------- same and other


def test_same_seed_same_users_and_another_seed_others(case):
    assert same(case.sampled.sample(50, rng=1), case.sampled.sample(50, rng=1))
    assert not same(case.sampled.sample(50, rng=1), case.sampled.sample(50, rng=2))


def test_chunks_do_not_depend_on_how_many_follow_or_who_draws_them(case):
    few = case.sampled.sample(CHUNK_USERS, rng=1)
    assert (few.matrix != case.users.matrix[:CHUNK_USERS]).nnz == 0
    n_users = CHUNK_USERS + 10
    assert same(case.sampled.sample(n_users, rng=1), case.sampled.sample(n_users, rng=1, n_jobs=2))


@pytest.mark.parametrize("name", FAMILIES)
def test_clones_and_refits_start_fresh(name):
    """A clone fits a clone of the model; a refit on larger data is a first fit on them."""

    def fitted(sampled, data):
        torch.manual_seed(5)  # IBPR has no seed: the global one is all there is
        return sampled.fit(data)

    first = fitted(Sampled(FAMILIES[name].make()), SMALL)
    clone = first.clone()
    assert not clone.is_fitted
    assert same(fitted(clone, SMALL).sample(30, rng=1), first.sample(30, rng=1))
    fresh = fitted(Sampled(FAMILIES[name].make()), LARGER).sample(30, rng=1)
    assert fresh.item_ids.equals(LARGER_WORLD.item_ids)
    assert same(fitted(clone, LARGER).sample(30, rng=1), fresh)


def test_saved_and_loaded_it_samples_and_scores_the_same(case, tmp_path):
    loaded = Recommender.load(case.sampled.save(str(tmp_path)))
    assert same(loaded.sample(30, rng=1), case.sampled.sample(30, rng=1))
    assert np.array_equal(loaded.score(3), case.sampled.score(3))
    assert np.array_equal(loaded.fold_in(WORLD[:5]), case.sampled.fold_in(WORLD[:5]))


def test_it_scores_as_the_model_does(case):
    own = copy.deepcopy(case.model)
    if case.name == "RecVAE":
        own.recvae_model.eval()
    for user in (0, 3, 239):
        assert np.allclose(case.sampled.score(user), np.ravel(own.score(user)), rtol=1e-5)
        ranked, scores = case.sampled.rank(user)
        assert np.array_equal(np.sort(ranked), np.arange(WORLD.matrix.shape[1]))
        assert scores[ranked[0]] == scores.max()


def test_folding_in_tells_communities_apart(case):
    new = two_communities(100, seed=5)
    scores = case.sampled.fold_in(new)
    assert scores.shape == new.matrix.shape
    assert np.isfinite(scores).all()
    order = np.arange(100)[::-1]
    assert np.allclose(case.sampled.fold_in(new[order]), scores[order], rtol=1e-3, atol=1e-5)
    if case.family.communities == 0:
        return
    half = WORLD.matrix.shape[1] // 2
    first = scores[:, :half].mean(axis=1) > scores[:, half:].mean(axis=1)
    assert np.mean(first == (np.arange(100) % 2 == 0)) > 0.9


# -------------------------------------------------------------------------------- left as it was


def contents(model: Recommender) -> bytes:
    return pickle.dumps(
        {key: value for key, value in vars(model).items() if key not in ("train_set", "val_set")}
    )


def test_the_model_the_data_and_global_states_are_left_alone(case):
    before = contents(case.model), [part.copy() for part in DATA.uir_tuple]
    torch_state, numpy_state = torch.get_rng_state(), check_random_state(None).get_state()[1].copy()
    Sampled(case.model).fit().sample(5, rng=1)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(check_random_state(None).get_state()[1], numpy_state)
    assert contents(case.model) == before[0]
    assert all(np.array_equal(*pair) for pair in zip(before[1], DATA.uir_tuple, strict=True))
    if case.name == "RecVAE":  # Cornac leaves it in training mode, and that is the user's matter
        assert case.model.recvae_model.training
        assert not case.sampled.model_.recvae_model.training
        taken = case.sampled.model_.recvae_model.state_dict()
        for name, weights in case.model.recvae_model.state_dict().items():
            assert torch.equal(weights, taken[name])


def test_the_link_gives_a_inverse_temperature_of_at_least_0(case):
    assert np.isfinite(case.sampled.inverse_temperature_)
    assert case.sampled.inverse_temperature_ >= 0
    if case.family.communities > 0:
        assert case.sampled.inverse_temperature_ > 0
    assert case.sampled.offsets_.shape == (WORLD.matrix.shape[1],)
    assert case.sampled.judge_family == adapter_of(case.model).judge_family
