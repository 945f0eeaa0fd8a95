"""What `Sampled` must do with every family of Cornac models."""

import copy
import logging
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass

import cornac
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from cornac import models
from cornac.data import GraphModality
from cornac.metrics import NDCG
from cornac.models import NextBasketRecommender, NextItemRecommender, Recommender
from sklearn.utils import check_random_state

from cornac_mle.adapters import OTHERS, adapter_of
from cornac_mle.comparison import compare
from cornac_mle.eval_methods.held_out_users import HeldOutUsers
from cornac_mle.hiding import hide_share
from cornac_mle.kernels import pattern
from cornac_mle.metrics import CopiedUsers, PopularityJS
from cornac_mle.models import sampled as sampled_module
from cornac_mle.models.base import CHUNK_USERS
from cornac_mle.models.calibrated_link import centred
from cornac_mle.models.popularity import Popularity
from cornac_mle.models.sampled import Sampled
from cornac_mle.profiles import Profiles
from worlds import checkerboard, communities, profiles, rated

pytestmark = [
    # Cornac says that a model is fitted again; IBPR makes arrays of tensors with gradients.
    pytest.mark.filterwarnings("ignore:Model is already fitted:UserWarning"),
]


def two_communities(n_users: int = 240, n_items: int = 104, seed: int = 0) -> Profiles:
    """The checkerboard with popular and rare items, and users of many items and of few."""
    random = np.random.default_rng(seed)
    half = n_items // 2
    chances = np.tile(np.geomspace(0.8, 0.08, half), 2)
    of = np.arange(n_users) % 2 * half  # where the user's community begins
    mine = (np.arange(n_items) >= half)[None, :] == (of > 0)[:, None]
    wanted = random.uniform(0.4, 1.2, n_users)[:, None] * chances
    likes = mine & (random.random((n_users, n_items)) < wanted)
    likes[np.arange(n_users), of] = likes[np.arange(n_users), of + 1] = True
    return profiles(sp.csr_array(likes.astype(np.float32)))


def dataset(world: Profiles):
    """Cornac's data, with a graph in which each user knows two others of the community."""
    data, n_users = world.to_dataset(seed=1), len(world)
    edges = [(user, (user + step) % n_users, 1.0) for user in range(n_users) for step in (2, 4)]
    graph = GraphModality(data=edges).build(id_map={user: user for user in range(n_users)})
    data.add_modalities(user_graph=graph)
    return data


WORLD = two_communities()
DATA = dataset(WORLD)
LARGER_WORLD = two_communities(50, 108, seed=2)
SMALL, LARGER = dataset(two_communities(40, seed=1)), dataset(LARGER_WORLD)
FRESH = two_communities(4_000, seed=9)  # other users of the same world: the ceiling


@dataclass(frozen=True)
class Family:
    """How to make a small model, and what it cannot do, for which reason."""

    make: Callable[[], Recommender]
    communities: float = 0.9
    popularity: bool = True
    why: str = ""


RATINGS = "predicts ratings, not who holds what"
OWN_LAW = "nothing is fitted to the popularity, and the prior draws points between communities too"
NETWORK = {"backend": "pytorch", "seed": 1, "verbose": False}

FAMILIES = {
    "MostPop": Family(models.MostPop, communities=0, why="all users alike"),
    "GlobalAvg": Family(models.GlobalAvg, communities=0, why=RATINGS),
    "BaselineOnly": Family(lambda: models.BaselineOnly(seed=1), communities=0, why=RATINGS),
    "PMF": Family(lambda: models.PMF(k=5, max_iter=20, seed=1), communities=0, why=RATINGS),
    "MF": Family(lambda: models.MF(k=5, seed=1), communities=0, why=RATINGS),
    "SVD": Family(lambda: models.SVD(k=5, seed=1), communities=0, why=RATINGS),
    "NMF": Family(lambda: models.NMF(k=5, seed=1), communities=0, why=RATINGS),
    "BPR": Family(lambda: models.BPR(k=10, learning_rate=0.1, seed=1)),
    "WBPR": Family(lambda: models.WBPR(k=10, max_iter=200, learning_rate=0.1, seed=1)),
    "MMMF": Family(lambda: models.MMMF(k=10, learning_rate=0.05, seed=1)),
    "HPF": Family(
        lambda: models.HPF(k=5, max_iter=60, seed=1),
        communities=0.75,
        popularity=False,
        why=OWN_LAW,
    ),
    "EASE": Family(lambda: models.EASE(lamb=100, verbose=False)),
    "ItemKNN": Family(lambda: models.ItemKNN(k=50, verbose=False, seed=1)),
    "UserKNN": Family(lambda: models.UserKNN(k=50, verbose=False, seed=1)),
    "SKMeans": Family(lambda: models.SKMeans(k=4, verbose=False, seed=1)),
    "VAECF": Family(
        lambda: models.VAECF(k=5, n_epochs=20, batch_size=50, learning_rate=0.02, seed=1),
        communities=0.75,
        popularity=False,
        why=OWN_LAW,
    ),
    "CVAECF": Family(
        lambda: models.CVAECF(
            z_dim=5, h_dim=5, n_epochs=6, batch_size=50, learning_rate=0.02, seed=1
        ),
        communities=0.75,
        popularity=False,
        why=OWN_LAW,
    ),
    "BiVAECF": Family(
        lambda: models.BiVAECF(k=3, n_epochs=30, batch_size=50, learning_rate=0.02, seed=1),
        communities=0.7,
        popularity=False,
        why=OWN_LAW,
    ),
    "RecVAE": Family(
        lambda: models.RecVAE(
            hidden_dim=20, latent_dim=5, n_epochs=4, batch_size=50, lr=0.02, use_gpu=False, seed=1
        )
    ),
    "GMF": Family(lambda: models.GMF(num_epochs=5, lr=0.03, batch_size=256, **NETWORK)),
    "MLP": Family(
        lambda: models.MLP(layers=(16, 8), num_epochs=6, lr=0.02, batch_size=64, **NETWORK)
    ),
    "NeuMF": Family(
        lambda: models.NeuMF(layers=(16, 8), num_epochs=4, lr=0.02, batch_size=128, **NETWORK)
    ),
    "IBPR": Family(lambda: models.IBPR(k=10, max_iter=5, learning_rate=0.2, batch_size=50)),
    "OnlineIBPR": Family(
        lambda: models.OnlineIBPR(k=10, max_iter=5),
        communities=0,
        why="Cornac's leaves the items' factors at random",
    ),
}
ALSO = ("GlobalAvg", "OnlineIBPR")
"""In no family, and in that of IBPR."""
OWN_LAWS = ("HPF", "VAECF", "CVAECF", "BiVAECF")


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


def same(one: Profiles, other: Profiles) -> bool:
    return (one.matrix != other.matrix).nnz == 0 and one.item_ids.equals(other.item_ids)


def popularity_js(users: Profiles) -> float:
    """Jensen-Shannon divergence, base 2, of the shares of items from those in training."""
    shares = [part.item_counts / part.item_counts.sum() for part in (users, WORLD)]
    middle = np.mean(shares, axis=0)
    parts = [
        np.sum(share[share > 0] * np.log2(share[share > 0] / middle[share > 0])) for share in shares
    ]
    return float(np.mean(parts))


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


def test_models_with_a_law_of_their_own_can_be_given_a_density(case):
    if case.name not in OWN_LAWS:
        assert "own generative law" not in case.sampled.sampler_
        pytest.skip(f"{case.name} has no law of its own")
    assert case.sampled.sampler_.endswith("its own generative law")
    assert case.sampled.slope_ == 1
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


def test_the_link_gives_a_slope_of_at_least_0(case):
    assert np.isfinite(case.sampled.slope_)
    assert case.sampled.slope_ >= 0
    if case.family.communities > 0:
        assert case.sampled.slope_ > 0
    assert case.sampled.offsets_.shape == (WORLD.matrix.shape[1],)
    assert case.sampled.judge_family == adapter_of(case.model).judge_family


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
    assert sampled.slope_ == 0
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


def test_items_that_are_hidden_are_a_fifth_of_each_profile():
    matrix = rated(WORLD).matrix
    shown, hidden = hide_share(matrix, 0.2, np.random.default_rng(1))
    assert ((shown + hidden) != matrix).nnz == 0
    assert pattern(shown).multiply(pattern(hidden)).nnz == 0
    sizes = np.diff(matrix.indptr)
    assert np.array_equal(np.diff(hidden.indptr), np.maximum(1, np.round(0.2 * sizes)))
    lonely = sp.csr_array(np.array([[0, 2.0, 0], [0, 0, 0], [1, 1, 0]], dtype=np.float32))
    shown, hidden = hide_share(lonely, 0.2, np.random.default_rng(1))
    assert np.diff(shown.indptr).tolist() == [1, 0, 1]
    assert np.diff(hidden.indptr).tolist() == [0, 0, 1]
    again = hide_share(matrix, 0.2, np.random.default_rng(1))[1]
    assert (again != hide_share(matrix, 0.2, np.random.default_rng(2))[1]).nnz > 0


def test_a_hidden_item_is_any_of_the_profile():
    """Of 5 items each is hidden once in 5: 3,000 users, 5 s.e. are .037."""
    matrix = sp.csr_array(np.ones((3_000, 5), dtype=np.float32))
    _, hidden = hide_share(matrix, 0.2, np.random.default_rng(1))
    assert np.bincount(hidden.indices) / 3_000 == pytest.approx(np.full(5, 0.2), abs=0.037)


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


def test_chances_of_a_generative_law_are_not_calibrated(monkeypatch):
    """A law of its own draws what the model says, so nothing may be fitted to it."""

    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr(sampled_module, "fit_slope", refuse)
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
def test_items_that_say_nothing_of_each_other_have_slope_0(name):
    """Independent items: users whom the model has seen would give .4 and .3."""
    random = np.random.default_rng(1)
    likes = random.random((700, 60)) < random.uniform(0.05, 0.5, 60)
    likes[:, :2] = True
    world = profiles(sp.csr_array(likes.astype(np.float32)))
    train, new = world[:400], world[400:]
    data = train.to_dataset(seed=1), new.to_dataset(first_user=400, seed=1)
    slopes = []
    for sets in (data, data[:1]):
        sampled = Sampled(INDEPENDENT[name]()).fit(*sets)
        spread = centred(sampled.fold_in(train)).std()
        slopes.append(sampled.slope_ * spread)
    assert slopes[0] < 0.15
    assert slopes[1] > 0.25
    given = INDEPENDENT[name]().fit(*data)
    assert Sampled(given).fit().slope_ == pytest.approx(slopes[0] / spread, rel=1e-6)
