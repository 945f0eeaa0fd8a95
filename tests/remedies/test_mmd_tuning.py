"""MMD tuning: its probabilities and discrepancy by brute force, and its effect on users."""

import itertools
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from cornac.models import Recommender

from cornac_mle.metrics.mmd import kernel_sums, mean_among
from cornac_mle.models.popularity import Popularity
from cornac_mle.models.vae._likelihoods import LIKELIHOODS
from cornac_mle.models.vae.decoder import Decoder
from cornac_mle.models.vae.model import VAE
from cornac_mle.models.vae.validation_ndcg import validation_ndcg
from cornac_mle.models.validation import validation_users
from cornac_mle.remedies import _tuning
from cornac_mle.remedies._expected_mmd import Kernel, among_real, set_gradients
from cornac_mle.remedies._held_probabilities import held_probabilities, log_rates, reconstruction
from cornac_mle.remedies._tuning import best_look
from cornac_mle.remedies.mmd_tuning import MMDTuning
from cornac_mle.sparse import pattern
from worlds import profiles, taste_world

WORLD = taste_world(700, n_items=150, n_tastes=6, mean_size=30, seed=3)
TRAIN, VALIDATION, HELD_OUT = WORLD[:300], WORLD[300:400], WORLD[400:]
SMALL = {"k": 6, "autoencoder_structure": (30,), "latent": "prior", "n_components": 1, "seed": 1}
SMALL |= {"likelihood": "mult", "beta": 0.25}  # too blunt, so that there is much to mend


def train_set():
    return TRAIN.to_dataset(seed=1)


def val_set():
    return VALIDATION.to_dataset(first_user=len(TRAIN), seed=1)


@pytest.fixture(scope="module")
def vae():
    return VAE(**SMALL).fit(train_set(), val_set())


@pytest.fixture(scope="module")
def tuned(vae):
    """It begins with the same autoencoder, which is not fitted again."""
    model = MMDTuning(ready(vae), n_steps=100, learning_rate=3e-3, seed=1)
    return model.fit(train_set(), val_set())


def ready(vae):
    """The fitted autoencoder as one that is to be tuned as it is."""
    return vae.with_latent(vae.latent, name=vae.name)


def same(first, second):
    return (first.matrix != second.matrix).nnz == 0


def weights_of(model):
    return [part for layer in model.vae_.decoder_ for part in layer]


def jaccard_mmd(first, second):
    """Unbiased MMD^2 of whole sets by another kernel than the one that is tuned by."""
    one, other = np.ones((len(first), 1)), np.ones((len(second), 1))
    mixed = kernel_sums(first, second, one, other) / (len(first) * len(second))
    return (mean_among(first, one) + mean_among(second, other) - 2 * mixed)[0]


# ------------------------------------------------------------------------- what users are made of


def small_distribution(likelihood="mult", never=()):
    """A decoder from 2 latent dimensions to 7 items."""
    rng = np.random.default_rng(0)
    layers = [
        (rng.normal(size=shape).astype(np.float32), rng.normal(size=shape[1]).astype(np.float32))
        for shape in ((2, 3), (3, 7))
    ]
    mask = np.isin(np.arange(7), never)
    tensors = [tuple(torch.from_numpy(part.copy()).requires_grad_() for part in w) for w in layers]
    return Decoder(layers, LIKELIHOODS[likelihood], 1e-3, mask), tensors


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_log_rates_and_their_gradients_are_those_of_the_sampler(likelihood):
    distribution, tensors = small_distribution(likelihood, never=(4,))
    points = np.random.default_rng(1).normal(size=(5, 2))
    rates = log_rates(tensors, distribution, points)
    expected = distribution.log_rates(points)
    held = ~distribution.never
    np.testing.assert_allclose(
        rates.detach().numpy()[:, held], expected[:, held], rtol=1e-5, atol=1e-6
    )
    assert np.all(np.exp(rates.detach().numpy()[:, ~held]) < 1e-30)
    rates[:, held].sum().backward()
    bias = tensors[-1][1]
    step = 1e-2
    for item in range(7):
        ends = []
        for sign in (-1, 1):
            moved, _ = small_distribution(likelihood, never=(4,))
            moved.layers[-1][1][item] += sign * step
            ends.append(moved.log_rates(points)[:, held].sum(dtype=np.float64))
        gradient = (ends[1] - ends[0]) / (2 * step)
        if likelihood != "gaus":  # the edges of its clipping have no gradient
            assert bias.grad[item].item() == pytest.approx(gradient, rel=2e-2, abs=1e-2)


@pytest.mark.parametrize(
    ("likelihood", "approximation"), [("mult", 0.05), ("conditional-poisson", 0.06)]
)
def test_probabilities_sum_to_the_sizes_and_are_those_of_drawn_sets(likelihood, approximation):
    distribution, tensors = small_distribution(likelihood, never=(4,))
    point, n_draws = np.array([[0.3, -0.2]]), 40_000
    probabilities = (
        held_probabilities(tensors, distribution, point, np.array([3])).detach().numpy()[0]
    )
    assert probabilities.sum() == pytest.approx(3, abs=1e-4)
    assert probabilities[4] < 1e-30
    drawn = distribution.draw(
        np.repeat(point, n_draws, axis=0), np.full(n_draws, 3), np.random.default_rng(0)
    )
    frequency = np.asarray(drawn.mean(axis=0))
    # 5 standard errors are .0125; the rest is the approximation, at its worst with so few items.
    np.testing.assert_allclose(probabilities, frequency, atol=approximation)
    share = np.exp(distribution.log_rates(point)[0])
    assert np.abs(3 * share / share.sum() - frequency).max() > 0.2  # probabilities by weights alone


@pytest.mark.parametrize("likelihood", ["mult", "conditional-poisson"])
def test_gradients_of_probabilities_are_their_differences(likelihood):
    distribution, tensors = small_distribution(likelihood)
    points, sizes = np.array([[0.3, -0.2], [1.0, 0.5]]), np.array([2, 4])
    probabilities = held_probabilities(tensors, distribution, points, sizes)
    pick = torch.from_numpy(np.random.default_rng(2).normal(size=(2, 7)).astype(np.float32))
    (probabilities * pick).sum().backward()
    weights = tensors[-1][0]
    step = 1e-2
    for place in ((0, 0), (1, 3), (2, 6)):
        ends = []
        for sign in (-1, 1):
            moved = [tuple(part.detach().clone() for part in layer) for layer in tensors]
            moved[-1][0][place] += sign * step
            ends.append(
                (held_probabilities(moved, distribution, points, sizes) * pick).sum().item()
            )
        gradient = (ends[1] - ends[0]) / (2 * step)
        assert weights.grad[place].item() == pytest.approx(gradient, rel=2e-2, abs=2e-3)
    # A bias that all items share changes nothing.
    assert tensors[-1][1].grad.sum().item() == pytest.approx(0, abs=1e-5)


def test_reconstruction_is_the_mean_over_items_held():
    rates = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.4, 0.4]]))
    held = sp.csr_array(np.array([[1, 1, 0], [1, 0, 0]], dtype=np.float32))
    # (-log .5 - log .25 - log .2) / 3
    expected = -np.log(0.5 * 0.25 * 0.2) / 3
    assert reconstruction(rates, held).item() == pytest.approx(expected, rel=1e-6)


# ------------------------------------------------------------------------------- the discrepancy


def naive_kernel(kernel, first, second):
    total = 0.0
    w = kernel.weights.astype(float)
    common = sum(w[i] for i in range(len(w)) if first[i] and second[i])
    lengths = [np.sqrt(sum(w[i] for i in range(len(w)) if row[i])) for row in (first, second)]
    for width in kernel.bandwidths:
        total += np.exp((common / (lengths[0] * lengths[1]) - 1) / width)
    return total / len(kernel.bandwidths)


def some_sets(n_users, n_items, seed):
    rows = np.random.default_rng(seed).random((n_users, n_items)) < 0.4
    rows[:, 0] |= ~rows.any(axis=1)
    return rows.astype(np.float32)


def test_rarity_and_bandwidths():
    # Users {a, b}, {a, c}, {a, b}: weights log(4/3)^2, log(4/2)^2, log(4/1)^2.
    matrix = sp.csr_array(np.array([[1, 1, 0], [1, 0, 1], [1, 1, 0]], dtype=np.float32))
    kernel = Kernel.of(matrix, np.random.default_rng(0))
    a, b, c = np.log(4 / 3) ** 2, np.log(2) ** 2, np.log(4) ** 2
    np.testing.assert_allclose(kernel.weights, [a, b, c], rtol=1e-6)
    # Of the three distances 1 - cosine one is 0 and two are 1 - a / root((a + b)(a + c)).
    median = 1 - a / np.sqrt((a + b) * (a + c))
    np.testing.assert_allclose(kernel.bandwidths, median * np.array([0.125, 0.25, 0.5, 1]))


def test_discrepancy_of_certain_sets_is_that_of_the_sets():
    made, real = some_sets(5, 8, seed=1), some_sets(6, 8, seed=2)
    kernel = Kernel.of(sp.csr_array(real), np.random.default_rng(0))
    same_kind = [naive_kernel(kernel, x, y) for x, y in itertools.permutations(made, 2)]
    mixed = [naive_kernel(kernel, x, y) for x, y in itertools.product(made, real)]
    value = set_gradients(torch.from_numpy(made), kernel, sp.csr_array(real))
    assert value == pytest.approx(np.mean(same_kind) - 2 * np.mean(mixed), rel=1e-5)
    among = [naive_kernel(kernel, x, y) for x, y in itertools.permutations(real, 2)]
    assert among_real(kernel, sp.csr_array(real)) == pytest.approx(np.mean(among), rel=1e-5)
    assert among_real(kernel, sp.csr_array(real[:1])) == 0


def test_discrepancy_of_probabilities_is_the_mean_over_sets():
    """60 items, 20,000 pairs of sets drawn item by item, one real user."""
    rng = np.random.default_rng(0)
    probabilities = rng.beta(0.5, 1.5, size=(2, 60)).astype(np.float32)
    kernel = Kernel(np.ones(60, dtype=np.float32), (0.3,))
    real = sp.csr_array(some_sets(1, 60, seed=3))
    sets = rng.random((20_000, 2, 60)) < probabilities
    norms = np.sqrt(sets.sum(axis=2))
    same_kind = np.exp(((sets[:, 0] & sets[:, 1]).sum(1) / norms.prod(axis=1) - 1) / 0.3)
    to_real = (sets @ real.toarray()[0]) / (norms * np.sqrt(real.nnz))
    expected = same_kind.mean() - 2 * np.exp((to_real - 1) / 0.3).mean()
    value = set_gradients(torch.from_numpy(probabilities), kernel, real)
    assert value == pytest.approx(expected, rel=0.02)


def test_gradients_by_hand_are_differences():
    probabilities = torch.from_numpy(np.random.default_rng(0).uniform(0.1, 0.9, (4, 8)))
    real = sp.csr_array(some_sets(6, 8, seed=2), dtype=np.float64)
    kernel = Kernel.of(real, np.random.default_rng(0))
    kernel = Kernel(kernel.weights.astype(np.float64), kernel.bandwidths)
    probabilities.requires_grad_()
    set_gradients(probabilities, kernel, real)
    step = 1e-5
    for place in itertools.product(range(4), range(8)):
        ends = []
        for sign in (-1, 1):
            moved = probabilities.detach().clone()
            moved[place] += sign * step
            ends.append(set_gradients(moved, kernel, real))
        gradient = (ends[1] - ends[0]) / (2 * step)
        assert probabilities.grad[place].item() == pytest.approx(gradient, rel=1e-3, abs=1e-6)


def test_the_look_kept_has_the_smallest_discrepancy_without_loss_of_ranking():
    assert best_look([0.5, 0.1, 0.3], [0.40, 0.39, 0.40], 0.05) == 1
    assert best_look([0.5, 0.1, 0.3], [0.40, 0.39, 0.40], 0.01) == 2
    assert best_look([0.5, 0.1, 0.3], [0.40, 0.10, 0.10], 0.01) == 0


# ------------------------------------------------------------------------------------- what it does


def drawn_mmd(model, n_pools):
    """Unbiased MMD^2 of drawn sets, not of probabilities, from users that nothing was fitted to."""
    kernel = Kernel.of(TRAIN.matrix, np.random.default_rng(0))
    real = pattern(HELD_OUT.matrix)
    among = among_real(kernel, real)
    pools = [pattern(model.sample(300, rng=seed).matrix).toarray() for seed in range(n_pools)]
    return np.array([among + set_gradients(torch.from_numpy(pool), kernel, real) for pool in pools])


def test_its_users_come_closer_to_users_it_has_not_seen(vae, tuned):
    """In each of 20 pools: by chance 2^-20, which is 1e-6. The Jaccard kernel sees it too."""
    before, after = drawn_mmd(vae, 20), drawn_mmd(tuned, 20)
    assert np.all(after < before)
    assert after.mean() < 0.8 * before.mean()
    jaccard = [jaccard_mmd(model.sample(1_000, rng=1), HELD_OUT) for model in (vae, tuned)]
    assert jaccard[1] < 0.8 * jaccard[0]


def test_without_the_discrepancy_they_do_not(vae, monkeypatch):
    monkeypatch.setattr(_tuning, "set_gradients", lambda *_: 0.0)
    blunt = MMDTuning(ready(vae), n_steps=60, learning_rate=3e-3, seed=1).fit(train_set())
    before, after = drawn_mmd(vae, 5), drawn_mmd(blunt, 5)
    assert after.mean() > 0.9 * before.mean()


def test_the_ranking_of_other_users_is_kept(vae, tuned):
    asked = validation_users(TRAIN.matrix, HELD_OUT.to_dataset(first_user=len(TRAIN), seed=1))
    before, after = (validation_ndcg(vae.encoder_, m.decoder_, asked) for m in (vae, tuned.vae_))
    assert after > 0.97 * before
    assert tuned.validation_ndcg_[0] == max(vae.validation_ndcg_)
    assert len(tuned.validation_ndcg_) == len(tuned.validation_mmd_) == 6
    best = best_look(tuned.validation_mmd_, tuned.validation_ndcg_, 0.02)
    assert tuned.validation_mmd_[best] < tuned.validation_mmd_[0]


def test_a_ranking_that_is_lost_is_not_kept(vae):
    """At an absurd learning rate every step loses NDCG: at most the scale, which loses none."""
    wild = MMDTuning(ready(vae), n_steps=100, learning_rate=3.0, seed=1)
    wild.fit(train_set(), val_set())
    for ours, theirs in zip(wild.vae_.decoder_[:-1], vae.decoder_[:-1], strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
    scales = wild.vae_.decoder_[-1][0] / vae.decoder_[-1][0]
    np.testing.assert_allclose(scales, scales[0, 0], rtol=1e-5)
    assert wild.validation_ndcg_[1] == pytest.approx(wild.validation_ndcg_[0], rel=1e-6)
    assert max(wild.validation_ndcg_[2:]) < 0.95 * wild.validation_ndcg_[0]


def test_only_the_decoder_changes(vae, tuned):
    for ours, theirs in zip(tuned.vae_.encoder_, vae.encoder_, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
    assert not np.array_equal(tuned.vae_.decoder_[0][0], vae.decoder_[0][0])


@pytest.mark.parametrize(
    "likelihood", ["plackett-luce", "conditional-poisson", "bern", "gaus", "pois"]
)
def test_other_likelihoods_can_be_tuned(likelihood):
    blunt = VAE(**SMALL | {"likelihood": likelihood}, n_epochs=30)
    model = MMDTuning(blunt, n_steps=50, seed=1)
    model.fit(train_set(), val_set())
    assert np.isfinite(model.validation_mmd_).all()
    assert model.validation_mmd_[2] < model.validation_mmd_[0]


# ----------------------------------------------------------------------------- Cornac's interface


def quick(**options):
    return MMDTuning(VAE(**SMALL, n_epochs=2), n_steps=5, seed=1, **options)


@pytest.fixture(scope="module")
def short():
    return quick().fit(train_set())


def test_same_seed_same_weights_and_another_seed_others(short):
    again = short.clone().fit(train_set())
    for ours, theirs in zip(weights_of(short), weights_of(again), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not short.model.is_fitted
    other = short.clone({"seed": 2}).fit(train_set())
    assert not np.array_equal(weights_of(other)[0], weights_of(short)[0])


def test_a_fitted_autoencoder_is_tuned_as_it_is():
    fitted = VAE(**SMALL, n_epochs=2).fit(train_set())
    decoder = [part.copy() for layer in fitted.decoder_ for part in layer]
    fitted.trainable = False
    ready = MMDTuning(fitted, n_steps=5, seed=1).fit(train_set())
    fresh = quick().fit(train_set())
    for ours, theirs in zip(weights_of(ready), weights_of(fresh), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    kept = [part for layer in fitted.decoder_ for part in layer]
    assert all(np.array_equal(*pair) for pair in zip(kept, decoder, strict=True))
    assert fitted.train_set is not None


def test_a_fitted_autoencoder_must_know_the_items(vae):
    other = taste_world(50, n_items=30, mean_size=8).to_dataset(seed=1)
    stale = VAE(**SMALL, n_epochs=1).fit(train_set())
    stale.trainable = False
    with pytest.raises(ValueError, match="`model` must be fitted to the items of `train_set`"):
        MMDTuning(stale).fit(other)
    with pytest.raises(ValueError, match="got no fitted model"):
        MMDTuning(VAE(trainable=False)).fit(other)


def test_saved_without_the_training_set_it_samples_and_scores_the_same(short, tmp_path):
    loaded = Recommender.load(short.save(str(tmp_path)))
    assert same(loaded.sample(30, rng=1), short.sample(30, rng=1))
    assert np.array_equal(loaded.score(3), short.score(3))
    assert "train_set" not in vars(loaded)
    assert "train_set" not in vars(loaded.vae_)


def test_refit_on_larger_data_starts_fresh():
    larger = taste_world(150, n_items=90, seed=4).to_dataset(seed=1)
    twice = quick().fit(train_set(), val_set()).fit(larger)
    assert same(twice.sample(50, rng=1), quick().fit(larger).sample(50, rng=1))
    assert twice.validation_mmd_ == []


def test_no_global_state_is_touched():
    np.random.seed(5)  # noqa: NPY002  # the state that must stay
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    quick().fit(train_set(), val_set())
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_fitted_it_needs_no_torch(short, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert len(short.sample(5, rng=1)) == 5
    assert np.isfinite(short.fold_in(HELD_OUT)).all()


def test_the_likelihood_is_that_of_the_tuned_distribution(vae, tuned):
    estimate = tuned.estimate_log_likelihood(HELD_OUT[:10], rng=1, n_draws=20)
    again = tuned.vae_.estimate_log_likelihood(HELD_OUT[:10], rng=1, n_draws=20)
    np.testing.assert_array_equal(estimate.nats, again.nats)
    other = vae.estimate_log_likelihood(HELD_OUT[:10], rng=1, n_draws=20)
    assert not np.allclose(estimate.nats, other.nats)


def test_one_training_user_and_one_validation_user_are_enough():
    one = profiles(sp.csr_array(np.ones((1, 5), dtype=np.float32)))
    model = MMDTuning(VAE(k=2, n_epochs=1, seed=1, n_components=1), n_steps=2, seed=1)
    model.fit(one.to_dataset(seed=1), one.to_dataset(first_user=1, seed=1))
    assert np.isfinite(model.validation_mmd_).all()
    assert np.isfinite(np.concatenate([part.ravel() for part in weights_of(model)])).all()


def test_it_is_named_after_its_autoencoder():
    assert MMDTuning(VAE("mine")).name == "MMDTuning(mine)"
    assert MMDTuning(VAE(), "other").clone().name == "other"


@pytest.mark.parametrize("n_steps", [1, 3])
def test_tuning_that_diverges_is_refused(vae, n_steps):
    model = MMDTuning(ready(vae), n_steps=n_steps, learning_rate=3e37, seed=1)
    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match="`learning_rate` must keep the loss finite; got 3e"),
    ):
        model.fit(train_set())


def test_wrong_arguments_are_refused():
    with pytest.raises(TypeError, match="`model` must be a VAE; got Popularity"):
        MMDTuning(Popularity())
    with pytest.raises(ValueError, match="`model` must draw users without a training user"):
        MMDTuning(VAE(latent="posterior"))
    with pytest.raises(ValueError, match="`batch_size` must be at least 2; got 1"):
        MMDTuning(VAE(), batch_size=1)
    with pytest.raises(TypeError, match="`model` must be a VAE; got the class VAE"):
        MMDTuning(VAE)
    with pytest.raises(ValueError, match="`reconstruction_weight` must be finite, at least 0; got"):
        MMDTuning(VAE(), reconstruction_weight=-1.0)
    assert MMDTuning(VAE(), reconstruction_weight=0).reconstruction_weight == 0
    with pytest.raises(ValueError, match="`max_ndcg_loss` must be finite, above 0"):
        MMDTuning(VAE(), max_ndcg_loss=1.0)
