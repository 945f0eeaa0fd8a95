"""The mixture: it finds kinds of users, and samples and likelihood have one distribution."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import chisquare

from cornac_mle.models.mixture import Mixture
from cornac_mle.models.popularity import Popularity
from cornac_mle.sampling.sizes import size_distribution, size_distributions
from worlds import checkerboard, communities, counts_of, every_profile, profiles, taste_world


def test_two_communities_come_out_as_two():
    world = checkerboard(200, 40, seed=1)
    users = Mixture(k=2, lambda_reg=0.1, seed=1).fit(world.to_dataset(seed=1)).sample(400, rng=1)
    assert communities(users.matrix).mean() > 0.95
    # One kind knows popularity only: half of each community's items.
    blurred = Mixture(k=1, seed=1).fit(world.to_dataset(seed=1)).sample(400, rng=1)
    assert communities(blurred.matrix).mean() < 0.75


def test_fold_in_ranks_the_items_of_the_users_kind_first():
    world = checkerboard(200, 40, seed=1)
    model = Mixture(k=2, lambda_reg=0.1, seed=1).fit(world.to_dataset(seed=1))
    scores = model.fold_in(world[[0, 1]])  # one of the first community, one of the second
    assert scores[0, :20].min() > scores[0, 20:].max()
    assert scores[1, 20:].min() > scores[1, :20].max()


def test_more_kinds_are_more_probable_where_there_are_more_kinds():
    world = taste_world(1_200, n_items=60, n_tastes=4, mean_size=12, seed=2)
    train, held_out = world[:800].to_dataset(seed=1), world[800:]
    one, four = (
        Mixture(k=k, lambda_reg=1, seed=1).fit(train).log_likelihood(held_out, rng=1)
        for k in (1, 4)
    )
    assert np.mean(four - one) > 5 * np.std(four - one) / np.sqrt(400)


def test_one_kind_is_independent_popularity():
    world = taste_world(300, n_items=40, mean_size=8, seed=3)
    data = world.to_dataset(seed=1)
    one = Mixture(k=1, seed=1).fit(data).log_likelihood(world, rng=1)
    popularity = Popularity().fit(data).log_likelihood(world, rng=1)
    np.testing.assert_allclose(one, popularity, rtol=1e-6)


@pytest.fixture(scope="module")
def small():
    """Two kinds over 5 items, and all 31 profiles that there are."""
    likes = np.array([[1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [0, 0, 0, 1, 1], [0, 0, 1, 1, 1]] * 5)
    model = Mixture(k=2, lambda_reg=1, seed=1)
    model.fit(profiles(sp.csr_array(likes.astype(np.float32))).to_dataset(seed=1))
    return model, every_profile()


def test_samples_have_the_distribution_that_the_likelihood_states(small):
    """Chi-square over all profiles at a false-alarm rate of 1e-6."""
    model, everything = small
    probabilities = np.exp(model.log_likelihood(everything, rng=1))
    assert probabilities.sum() == pytest.approx(1, abs=1e-8)
    n_users = 20_000
    observed = counts_of(model.sample(n_users, rng=2), everything)
    assert chisquare(observed, n_users * probabilities / probabilities.sum()).pvalue > 1e-6


def test_a_broken_sampler_is_caught(small, monkeypatch):
    model, everything = small
    probabilities = np.exp(model.log_likelihood(everything, rng=1))
    monkeypatch.setattr(model, "log_shares_", np.log([0.4, 0.6]))
    observed = counts_of(model.sample(20_000, rng=2), everything)
    assert chisquare(observed, 20_000 * probabilities / probabilities.sum()).pvalue < 1e-6


def test_it_chooses_the_number_of_kinds():
    """Four tastes, of which 2, 5 or 10 are at hand: 5, and 2 fall short."""
    world = taste_world(1_200, n_items=60, n_tastes=4, mean_size=12, seed=2)
    model = Mixture(k=None, lambda_reg=1, seed=1).fit(world.to_dataset(seed=1))
    assert model.k_ == 5
    assert model.size_distributions_.shape[0] == len(model.log_shares_) == 5
    nats = model.held_out_nats_
    assert list(nats) == [1, 2, 5, 10]
    assert nats[1] < nats[2] < nats[5] > nats[10]
    # The chosen one is fitted to everybody, as if its number had been given.
    given = Mixture(k=5, lambda_reg=1, seed=1).fit(world.to_dataset(seed=1))
    assert np.array_equal(model.log_weights_, given.log_weights_)
    assert given.held_out_nats_ == {}


def test_validation_users_judge_where_there_are_any():
    world = taste_world(500, n_items=60, n_tastes=4, mean_size=12, seed=2)
    train, validation = world[:400], world[400:]
    sets = train.to_dataset(seed=1), validation.to_dataset(first_user=400, seed=1)
    model = Mixture(k=None, lambda_reg=1, seed=1).fit(*sets)
    two = Mixture(k=2, lambda_reg=1, seed=1).fit(sets[0])
    nats = two.log_likelihood(validation, rng=1).mean()
    assert model.held_out_nats_[2] == pytest.approx(nats, rel=1e-9)


def test_size_distributions_are_those_of_each_kind():
    distributions = size_distributions(np.array([1, 1, 4, 4]), np.array([0, 0, 2, 2]), 3, 5)
    assert distributions.shape == (3, 5)
    np.testing.assert_allclose(distributions[1], size_distribution(np.array([1, 1, 4, 4]), 5))
    assert distributions[0].argmax() == 0
    assert distributions[2].argmax() == 3
