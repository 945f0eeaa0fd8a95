"""The variational autoencoder: training, sampling by latent density, and what it must not touch."""

import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from cornac.data import Dataset
from scipy.stats import ks_2samp

from cornac_mle.models.vae import torch_sparse
from cornac_mle.models.vae._likelihoods import scale
from cornac_mle.models.vae._loss import drop_out
from cornac_mle.models.vae.model import LATENTS, VAE
from cornac_mle.models.vae.network import forward, unit_rows
from cornac_mle.models.vae.torch_layers import (
    into_last,
    new_layers,
    to_numpy,
)
from cornac_mle.models.vae.torch_sparse import sparse_product, sparse_tensor
from cornac_mle.models.vae.validation_ndcg import validation_ndcg
from cornac_mle.models.validation import Validation
from cornac_mle.profiles import Profiles
from cornac_mle.sampling.sizes import size_distribution
from worlds import profiles

SMALL = {"k": 4, "n_epochs": 40, "batch_size": 50, "seed": 1}


def checkerboard(n_users=200, n_items=40, held=10, seed=0, value=1.0):
    """Even users hold items of the first half of the catalogue, odd ones of the second half."""
    return two_communities(np.full(n_users, held), n_items, seed, value)


def skewed(n_users=300, n_items=60, seed=0):
    """Two communities, the second with profiles several times as long."""
    small = np.random.default_rng(seed).integers(3, 9, n_users)
    return two_communities(np.where(np.arange(n_users) % 2 == 0, small, 24), n_items, seed)


def two_communities(held, n_items, seed=0, value=1.0):
    rng = np.random.default_rng(seed)
    half = n_items // 2
    items = [rng.choice(half, size, replace=False) + half * (u % 2) for u, size in enumerate(held)]
    rows = np.repeat(np.arange(len(held)), held)
    values = np.full(len(rows), value)
    return profiles(
        sp.csr_array((values, (rows, np.concatenate(items))), shape=(len(held), n_items))
    )


@pytest.fixture(scope="module")
def board():
    return checkerboard()


@pytest.fixture(scope="module")
def model(board):
    return VAE(**SMALL).fit(board.to_dataset())


@pytest.fixture(scope="module")
def skewed_model():
    return VAE(**SMALL).fit(skewed().to_dataset())


def share_of_first_half(profiles):
    half = len(profiles.item_ids) // 2
    return np.asarray(profiles.matrix[:, :half].sum(axis=1)) / profiles.sizes


def same(first, second):
    return (first.matrix != second.matrix).nnz == 0


# ------------------------------------------------------------------------------------- learning


@pytest.mark.parametrize("latent", ["mixture", "posterior"])
def test_two_communities_come_out_as_two(model, latent):
    # Drawn by popularity, 10 items lie 10:0 or 0:10 with probability 2 C(20,10) / C(40,10) = .0004.
    share = share_of_first_half(model.with_latent(latent).sample(400, rng=3))
    pure = np.maximum(share, 1 - share)
    assert np.mean(pure >= 0.9) > 0.9
    assert 0.35 < np.mean(share > 0.5) < 0.65  # 400 draws of 1/2: 6 standard errors


@pytest.mark.parametrize("structure", [(), (16,), [32, 16]])
def test_fold_in_ranks_the_users_own_community_first(board, structure):
    model = VAE(**SMALL, autoencoder_structure=structure).fit(board.to_dataset())
    scores = model.fold_in(checkerboard(n_users=20, seed=9))
    assert scores.shape == (20, 40)
    assert scores.dtype == np.float64
    first, second = scores[:, :20].mean(axis=1), scores[:, 20:].mean(axis=1)
    np.testing.assert_array_equal(first > second, np.arange(20) % 2 == 0)


@pytest.mark.parametrize(
    "likelihood", ["plackett-luce", "conditional-poisson", "bern", "gaus", "pois"]
)
def test_other_likelihoods_find_the_communities(board, likelihood):
    settings = SMALL | {"learning_rate": 0.01, "likelihood": likelihood}
    model = VAE(**settings).fit(board.to_dataset())
    scores = model.fold_in(checkerboard(n_users=20, seed=9))
    first, second = scores[:, :20].mean(axis=1), scores[:, 20:].mean(axis=1)
    np.testing.assert_array_equal(first > second, np.arange(20) % 2 == 0)
    # Popularity has .0004. Gaussian outputs scatter around 0 for items that are never held.
    share = share_of_first_half(model.with_latent("posterior").sample(400, rng=3))
    assert np.mean(np.maximum(share, 1 - share) >= 0.9) > 0.75


def test_a_vamp_prior_is_where_the_users_are(board):
    settings = SMALL | {"learning_rate": 0.01, "latent": "prior", "n_epochs": 60}
    vamp = VAE(**settings, prior="vamp", n_pseudo_inputs=10).fit(board.to_dataset())
    normal = VAE(**settings, prior="normal").fit(board.to_dataset())
    pure = [
        np.mean(np.maximum(share, 1 - share) >= 0.9)
        for share in (share_of_first_half(m.sample(400, rng=3)) for m in (vamp, normal))
    ]
    assert pure[0] > pure[1] + 0.05
    np.testing.assert_allclose(np.linalg.norm(vamp.pseudo_inputs_, axis=1), 1, rtol=1e-5)
    assert vamp.pseudo_inputs_.min() >= 0
    assert vamp.diagnostics().aggregate_kl < normal.diagnostics().aggregate_kl
    short = settings | {"prior": "vamp", "n_pseudo_inputs": 10, "n_epochs": 3}
    one, again = (VAE(**short).fit(board.to_dataset()) for _ in range(2))
    np.testing.assert_array_equal(again.pseudo_inputs_, one.pseudo_inputs_)


def test_values_of_the_input_do_not_matter(board, model):
    graded = checkerboard(value=5.0)
    other = VAE(**SMALL).fit(graded.to_dataset())
    np.testing.assert_array_equal(other.fold_in(graded), model.fold_in(board))


def test_drawn_values_are_those_of_holders(board):
    values = np.tile(np.arange(1.0, 6.0), board.matrix.nnz // 5)
    board = Profiles(
        sp.csr_array((values, board.matrix.indices, board.matrix.indptr), shape=(200, 40)),
        board.user_ids,
        board.item_ids,
    )
    drawn = VAE(**SMALL | {"n_epochs": 2}).fit(board.to_dataset()).sample(100, rng=1).matrix.tocoo()
    real = board.matrix.tocoo()
    pairs = set(zip(real.coords[1], real.data, strict=True))
    assert set(zip(drawn.coords[1], drawn.data, strict=True)) <= pairs
    assert set(drawn.data) == {1, 2, 3, 4, 5}


def test_training_by_sets_draws_popular_items_as_often_as_they_are_held():
    # The multinomial lets an item be drawn twice: one that all hold has 1/4 of its draws at best,
    # and is left out of one set in three.
    rng = np.random.default_rng(0)
    rest = np.argsort(rng.random((300, 12)), axis=1) < 3
    held = np.column_stack([np.ones(300), rest]).astype(np.float32)
    settings = {"k": 2, "n_epochs": 60, "batch_size": 50, "learning_rate": 0.01, "seed": 1}
    share = {}
    for likelihood in ("mult", "plackett-luce", "conditional-poisson"):
        model = VAE(likelihood=likelihood, **settings).fit(
            profiles(sp.csr_array(held)).to_dataset()
        )
        share[likelihood] = model.sample(1000, rng=2).matrix[:, [0]].sum() / 1000
    assert share["plackett-luce"] > 0.95
    assert share["conditional-poisson"] > 0.95
    assert share["mult"] < 0.9


def test_dropout_keeps_the_mean_and_drops_the_share():
    matrix = sp.csr_array(np.ones((200, 100), dtype=np.float32))
    dropped = drop_out(matrix, 0.25, np.random.default_rng(0))
    assert set(dropped.data) == {np.float32(4 / 3)}
    assert dropped.nnz / 20_000 == pytest.approx(0.75, abs=0.016)  # 5 standard errors
    dropped.check_format()
    assert drop_out(matrix, 0.0, np.random.default_rng(0)).nnz == 20_000


def test_unit_rows_have_length_one_and_empty_rows_stay_empty():
    matrix = sp.csr_array(np.array([[2.0, 3.0, 0, 4.0, 5.0], [0, 0, 0, 0, 0], [0, 7.0, 0, 0, 0]]))
    expected = [[0.5, 0.5, 0, 0.5, 0.5], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]]
    np.testing.assert_array_equal(unit_rows(matrix).toarray(), expected)


# ------------------------------------------------------------------------------- early stopping


def test_validation_ndcg_by_hand():
    # One user, four items, item 0 shown and hence not ranked. Scores 3, 2, 1 for items 1, 2, 3;
    # targets 1 and 3 are at ranks 1 and 3: (1 + 1/2) / (1 + 1/log2(3)).
    encoder = [(np.zeros((4, 2), dtype=np.float32), np.zeros(2, dtype=np.float32))]
    scores = np.array([9, 3, 2, 1], dtype=np.float32)
    decoder = [(np.zeros((1, 4), dtype=np.float32), scores)]
    validation = Validation(
        sp.csr_array(np.array([[1.0, 0, 0, 0]])), sp.csr_array(np.array([[0, 1.0, 0, 1.0]]))
    )
    expected = (1 + 1 / 2) / (1 + 1 / np.log2(3))
    assert validation_ndcg(encoder, decoder, validation) == pytest.approx(expected, rel=1e-12)


def with_validation(board):
    """Cornac's training and validation set, with other users in the latter."""
    matrix = board.matrix.tocoo()
    users, items = matrix.coords
    train = users < 150
    triplets = [(f"u{u}", f"i{i}", 1.0) for u, i in zip(users[train], items[train], strict=True)]
    others = [(f"u{u}", f"i{i}", 1.0) for u, i in zip(users[~train], items[~train], strict=True)]
    users_map, items_map = {}, {}
    train_set = Dataset.build(triplets, global_uid_map=users_map, global_iid_map=items_map)
    val_set = Dataset.build(
        others, global_uid_map=users_map, global_iid_map=items_map, exclude_unknowns=False
    )
    return train_set, val_set


def test_early_stopping_stops_and_keeps_the_best_weights(board):
    train_set, val_set = with_validation(board)
    settings = SMALL | {"n_epochs": 500, "patience": 3, "learning_rate": 0.02}
    model = VAE(**settings).fit(train_set, val_set)
    history = model.validation_ndcg_
    best = int(np.argmax(history))
    assert len(history) == best + 1 + 3 < 500
    # The same training cut after the best epoch ends at the weights that were kept.
    short = VAE(**settings | {"n_epochs": best + 1}).fit(train_set, val_set)
    np.testing.assert_array_equal(short.decoder_[-1][0], model.decoder_[-1][0])
    assert short.validation_ndcg_ == history[: best + 1]


def test_without_validation_all_epochs_are_run(board, model):
    assert model.validation_ndcg_ == []
    shorter = VAE(**SMALL | {"n_epochs": 39}).fit(board.to_dataset())
    assert not np.array_equal(shorter.decoder_[-1][0], model.decoder_[-1][0])


# ------------------------------------------------------------------------------------- sampling


@pytest.mark.parametrize("latent", LATENTS)
def test_sizes_have_the_distribution_of_the_training_sizes(skewed_model, latent):
    real = skewed()
    drawn = skewed_model.with_latent(latent).sample(2000, rng=3)
    assert drawn.sizes.mean() == pytest.approx(real.sizes.mean(), rel=0.05)
    # The KS statistic of 2,000 draws from the distribution itself exceeds .06 with p < 1e-6.
    if latent == "posterior":
        assert ks_2samp(drawn.sizes, real.sizes).statistic < 0.06
        assert set(drawn.sizes) <= set(real.sizes)
    else:
        distribution = size_distribution(real.sizes, real.matrix.shape[1])
        found = np.bincount(drawn.sizes, minlength=len(distribution) + 1)[1:] / 2000
        assert np.abs(np.cumsum(found - distribution)).max() < 0.06
    assert set(drawn.matrix.data) == {1}


@pytest.mark.parametrize("latent", ["gaussian", "mixture", "posterior"])
def test_sizes_are_drawn_with_the_tastes(skewed_model, latent):
    drawn = skewed_model.with_latent(latent).sample(1000, rng=3)
    of_first = share_of_first_half(drawn) > 0.5
    assert drawn.sizes[~of_first].mean() > 2 * drawn.sizes[of_first].mean()


def test_sizes_of_the_prior_are_independent_of_the_tastes(skewed_model):
    drawn = skewed_model.with_latent("prior").sample(1000, rng=3)
    of_first = share_of_first_half(drawn) > 0.5
    assert drawn.sizes[~of_first].mean() < 1.5 * drawn.sizes[of_first].mean()


def test_an_item_that_nobody_holds_is_never_drawn(board):
    wide = Profiles(
        sp.csr_array(
            (board.matrix.data, board.matrix.indices, board.matrix.indptr), shape=(200, 45)
        ),
        board.user_ids,
        pd.Index([f"i{n}" for n in range(45)]),
    )
    model = VAE(**SMALL | {"n_epochs": 1}).fit(wide.to_dataset())
    assert model.sample(300, rng=1).matrix[:, 40:].nnz == 0


def test_with_latent_shares_the_weights_and_leaves_the_model_alone(model):
    other = model.with_latent("prior")
    assert (model.latent, other.latent) == ("mixture", "prior")
    assert other.decoder_ is model.decoder_
    assert not same(model.sample(50, rng=1), other.sample(50, rng=1))
    assert same(other.with_latent("mixture").sample(50, rng=1), model.sample(50, rng=1))


def test_a_copy_has_a_name_of_its_own_and_is_not_trained_again(board, model):
    other = model.with_latent("prior")
    assert (other.name, other.trainable) == ("VAE prior", False)
    assert (model.name, model.trainable) == ("VAE", True)
    assert other.with_latent("mixture").name == "VAE mixture"
    assert model.with_latent("prior", name="mine").name == "mine"
    assert same(other.fit(board.to_dataset()).sample(50, rng=1), other.sample(50, rng=1))
    assert other.decoder_ is model.decoder_
    assert VAE().with_latent("prior").trainable


def test_same_seed_same_model_and_other_seed_another(board, model):
    again = VAE(**SMALL).fit(board.to_dataset())
    assert same(again.sample(100, rng=2), model.sample(100, rng=2))
    np.testing.assert_array_equal(again.encoder_[0][0], model.encoder_[0][0])
    other = VAE(**SMALL | {"seed": 2}).fit(board.to_dataset())
    assert not np.array_equal(other.encoder_[0][0], model.encoder_[0][0])


def test_refit_on_larger_data_starts_fresh(board):
    larger = checkerboard(n_users=260, n_items=50, seed=4)
    model = VAE(**SMALL | {"n_epochs": 5})
    model.fit(board.to_dataset())
    model.fit(larger.to_dataset())
    fresh = VAE(**SMALL | {"n_epochs": 5}).fit(larger.to_dataset())
    assert same(model.sample(100, rng=2), fresh.sample(100, rng=2))
    assert model.score(259).shape == (50,)


@pytest.mark.parametrize("latent", LATENTS)
def test_clone_save_and_load(board, model, latent, tmp_path):
    model = model.with_latent(latent)
    expected = model.sample(100, rng=2)
    loaded = VAE.load(model.save(str(tmp_path)))
    assert same(loaded.sample(100, rng=2), expected)
    np.testing.assert_array_equal(loaded.fold_in(board), model.fold_in(board))
    np.testing.assert_array_equal(loaded.score(7), model.score(7))
    clone = model.clone()
    assert (clone.latent, clone.seed, clone.is_fitted) == (latent, 1, False)


def test_global_state_is_left_alone(board):
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    dtype, numpy_state = torch.get_default_dtype(), np.random.get_state()[1].copy()  # noqa: NPY002
    VAE(**SMALL | {"n_epochs": 2}).fit(board.to_dataset()).sample(20, rng=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert torch.get_default_dtype() == dtype
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


# ------------------------------------------------------------------------------------ network


def test_forward_by_hand():
    # tanh(0.5 * 2 - 1) = 0, so the second layer gives its bias; two users, one feature.
    layers = [
        (np.array([[2.0]], dtype=np.float32), np.array([-1.0], dtype=np.float32)),
        (np.array([[4.0]], dtype=np.float32), np.array([3.0], dtype=np.float32)),
    ]
    inputs = np.array([[0.5], [1e9]], dtype=np.float32)
    np.testing.assert_array_equal(forward(layers, inputs), [[3.0], [7.0]])


def test_the_last_layer_of_a_decoder_sees_the_point_too():
    # tanh(0) = 0, so of rows (5, 7) only the second counts, for the input itself: 7 x 3 + 1.
    layers = [
        (np.array([[0.0]], dtype=np.float32), np.array([0.0], dtype=np.float32)),
        (np.array([[5.0], [7.0]], dtype=np.float32), np.array([1.0], dtype=np.float32)),
    ]
    np.testing.assert_array_equal(forward(layers, np.array([[3.0]], dtype=np.float32)), [[22.0]])
    tensors = [tuple(torch.from_numpy(part) for part in layer) for layer in layers]
    np.testing.assert_array_equal(into_last(tensors, torch.tensor([[3.0]])), [[0.0, 3.0]])


def test_on_another_device_a_matrix_stays_sparse(monkeypatch):
    matrix = sp.csr_array(np.array([[0, 2.0, 0], [0, 0, 0], [3.0, 0, 4.0]], dtype=np.float32))
    tensor = sparse_tensor(matrix, torch.device("cpu"))
    assert tensor.is_sparse
    assert tensor._nnz() == 3
    np.testing.assert_array_equal(tensor.to_dense().numpy(), matrix.toarray())
    right = torch.arange(6.0).reshape(2, 3).T  # as a product with the transposed one has it
    np.testing.assert_array_equal((tensor @ right).numpy(), matrix @ right.numpy())
    copied = []

    def without_data(matrix, device):
        """The device without data cannot multiply sparse tensors."""
        copied.append(matrix.nnz)
        return torch.empty(matrix.shape, device=device)

    monkeypatch.setattr(torch_sparse, "sparse_tensor", without_data)
    assert sparse_product(matrix, right.to("meta")).shape == (3, 2)
    assert copied == [3]


def test_to_numpy_is_a_copy():
    layers = new_layers([3, 2], torch.device("cpu"), np.random.default_rng(0))
    copied = to_numpy(layers)
    with torch.no_grad():
        layers[0][0].zero_()
    assert np.all(copied[0][0] != 0)


# --------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"k": 0}, ValueError, "`k` must be at least 1; got 0"),
        ({"autoencoder_structure": (0,)}, ValueError, "`autoencoder_structure` must be at least 1"),
        ({"autoencoder_structure": 20}, TypeError, "`autoencoder_structure` must be a sequence"),
        ({"n_epochs": 1.5}, TypeError, "`n_epochs` must be an integer; got 1.5"),
        ({"batch_size": 0}, ValueError, "`batch_size` must be at least 1; got 0"),
        ({"learning_rate": 0}, ValueError, "`learning_rate` must be finite, above 0"),
        ({"dropout": 1.0}, ValueError, "`dropout` must be finite, at least 0 and below 1; got 1.0"),
        ({"beta": -1}, ValueError, "`beta` must be finite, at least 0; got -1"),
        ({"anneal_epochs": -1}, ValueError, "`anneal_epochs` must be at least 0; got -1"),
        ({"patience": 0}, ValueError, "`patience` must be at least 1; got 0"),
        ({"latent": "normal"}, ValueError, "`latent` must be one of 'prior', .*; got 'normal'"),
        ({"likelihood": "nb"}, ValueError, "`likelihood` must be one of 'mult', .*; got 'nb'"),
        ({"prior": "flat"}, ValueError, "`prior` must be one of 'normal', 'comp.*; got 'flat'"),
        ({"n_pseudo_inputs": 0}, ValueError, "`n_pseudo_inputs` must be at least 1; got 0"),
        ({"n_components": 0}, ValueError, "`n_components` must be at least 1; got 0"),
        ({"seed": -1}, ValueError, "`seed` must be at least 0; got -1"),
    ],
)
def test_settings_out_of_range(settings, error, message):
    with pytest.raises(error, match=message):
        VAE(**settings)


def test_with_latent_checks_its_arguments(model):
    with pytest.raises(ValueError, match="`latent` must be one of"):
        model.with_latent("uniform")
    with pytest.raises(TypeError, match="`name` must be a string; got 3"):
        model.with_latent("prior", name=3)


def test_bounds_that_are_allowed():
    assert (VAE(dropout=0, beta=0).dropout, VAE(dropout=0, beta=0).beta) == (0, 0)


def test_the_weight_of_the_kl_term_goes_with_the_prior_unless_it_is_given(board):
    assert [VAE(prior=one).kl_weight for one in ("composite", "normal", "vamp")] == [0.15, 0.5, 0.5]
    assert VAE(beta=0.0).kl_weight == 0.0
    settings = SMALL | {"n_epochs": 3, "anneal_epochs": 0}
    default, same, other = (
        VAE(**settings, **one).fit(board.to_dataset()).decoder_[-1][0]
        for one in ({}, {"beta": 0.15}, {"beta": 0.5})
    )
    np.testing.assert_array_equal(default, same)
    assert not np.array_equal(default, other)


def test_under_a_composite_prior_posteriors_shrink_less(board):
    settings = SMALL | {"learning_rate": 0.01, "n_epochs": 30, "beta": 1.0}
    normal = VAE(**settings, prior="normal").fit(board.to_dataset())
    composite, again = (VAE(**settings, prior="composite").fit(board.to_dataset()) for _ in "ab")
    assert composite.diagnostics().kl > 1.2 * normal.diagnostics().kl
    np.testing.assert_array_equal(again.decoder_[-1][0], composite.decoder_[-1][0])
    # The part of it that knows no user is what `latent="prior"` draws from.
    points, _ = composite.densities_["prior"].draw(4_000, np.random.default_rng(1))
    np.testing.assert_allclose(points.std(axis=0), 1, atol=0.07)  # 6 standard errors


def test_a_list_of_widths_is_not_kept():
    widths = [8, 4]
    model = VAE(autoencoder_structure=widths)
    widths.append(0)
    assert model.autoencoder_structure == model.clone().autoencoder_structure == (8, 4)


@pytest.mark.parametrize("prior", ["normal", "composite", "vamp"])
def test_training_that_diverges_is_refused(board, prior):
    message = r"`learning_rate` must keep the loss finite; got 1000\.0\. Pass a smaller one"
    with pytest.raises(ValueError, match=message):
        VAE(**SMALL | {"learning_rate": 1e3, "prior": prior}).fit(board.to_dataset())


def test_posteriors_that_diverge_in_the_last_step_are_refused(board):
    # One step: its loss is that of the weights before it.
    settings = SMALL | {"learning_rate": 1e38, "n_epochs": 1, "batch_size": 200}
    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match="`learning_rate` must keep the loss finite"),
    ):
        VAE(**settings).fit(board.to_dataset())


@pytest.mark.parametrize("n_users", [1, 20])
def test_gaussian_likelihood_of_users_who_hold_everything(n_users):
    everything = profiles(sp.csr_array(np.ones((n_users, 6), dtype=np.float32)))
    settings = SMALL | {"k": 2, "n_epochs": 3, "n_components": 1, "likelihood": "gaus"}
    model = VAE(**settings).fit(everything.to_dataset())
    assert np.isfinite(model.fold_in(everything)).all()
    assert model.sample(20, rng=1).sizes.min() >= 1


def test_the_gaussian_weight_is_one_over_the_variance():
    assert scale("gaus", 2, 10) == pytest.approx(1 / (0.2 * 0.8))
    assert scale("gaus", 10, 10) == pytest.approx(20)  # a variance of 1 / (2 x 10)
    # One pair of ten is missing: .1 x .9 is above the bound, and counts as it is.
    assert scale("gaus", 9, 10) == pytest.approx(1 / 0.09)
    assert scale("mult", 10, 10) == 1


def test_missing_torch_is_named(board, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    message = r"^`VAE` needs PyTorch. Install it with: pip install cornac-mle\[vae\]$"
    with pytest.raises(ImportError, match=message):
        VAE(**SMALL).fit(board.to_dataset())


def test_a_fitted_model_ranks_and_samples_without_torch(board, model, monkeypatch):
    expected = model.sample(50, rng=1)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert same(model.sample(50, rng=1), expected)
    assert model.fold_in(board).shape == (200, 40)
