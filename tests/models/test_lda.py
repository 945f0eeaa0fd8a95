"""LDA: it finds topics, its bound rises, and samples and likelihood have one distribution."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment
from scipy.special import psi, roots_jacobi
from scipy.stats import beta, chisquare, dirichlet

from cornac_mle.models._choose_k import choose_k, left_out_users
from cornac_mle.models._lda_topics import (
    BLOCK_ENTRIES,
    ITERATIONS_AT_FIRST,
    blocks,
    dirichlet_divergence,
    dirichlet_log_density,
    fit_alpha,
    fit_topics,
    inverse_digamma,
    log_dirichlet,
    user_evidence,
)
from cornac_mle.models.lda import LDA
from cornac_mle.models.popularity import Popularity
from cornac_mle.models.validation import Validation
from cornac_mle.sampling.plackett_luce import item_set_log_probability, plackett_luce
from worlds import checkerboard, communities, counts_of, every_profile, profiles, rated, taste_world


def blended_world(n_users, k=3, n_items=60, size=15, alpha=0.3, seed=0):
    """Users of a known LDA: profiles, and the topics' weights (k, n_items)."""
    random = np.random.default_rng(seed)
    topics = random.gamma(0.3, size=(k, n_items)) + 1e-3
    topics /= topics.sum(axis=1, keepdims=True)
    shares = random.dirichlet(np.full(k, alpha), size=n_users)
    sizes = np.clip(random.poisson(size, n_users), 3, n_items // 2)
    return profiles(plackett_luce(np.log(shares @ topics), sizes, random)), topics


def matched(found, topics):
    """Correlation of each topic with the found topic (n_items, k) that it goes with."""
    k = len(topics)
    likeness = np.corrcoef(topics, found.T)[:k, k:]
    return likeness[linear_sum_assignment(-likeness)]


# ------------------------------------------------------------------------------------ the fit


@pytest.fixture(scope="module")
def blended():
    world, topics = blended_world(3_000, seed=5)
    return LDA(k=3, seed=1).fit(world.to_dataset(seed=1)), world, topics


def test_topics_of_a_known_lda_are_found_again(blended):
    model, _, topics = blended
    assert matched(model.weights_, topics).min() > 0.97
    # With one arrival for each of some 15 items, no weight could be much above 1/15; the truth is
    # .32, .15 and .43.
    order = linear_sum_assignment(-np.corrcoef(topics, model.weights_.T)[:3, 3:])[1]
    largest = topics.max(axis=1)
    found = model.weights_.T[order][np.arange(3), topics.argmax(axis=1)]
    np.testing.assert_allclose(found, largest, rtol=0.3)


def test_alpha_is_found_again_to_a_factor_of_two(blended):
    """The truth is .3, to which a mean field comes near only."""
    alpha = blended[0].alpha_
    assert alpha.shape == (3,)
    assert 0.15 < alpha.min() <= alpha.max() < 0.6


def test_the_bound_never_falls(blended):
    bounds = np.array(blended[0].bounds_)
    rises = np.diff(bounds)
    assert len(bounds) > ITERATIONS_AT_FIRST + 5
    assert np.all(rises[: ITERATIONS_AT_FIRST - 1] > -1e-6)
    assert np.all(rises[ITERATIONS_AT_FIRST:] > -1e-6)
    assert bounds[-1] - bounds[0] > 1_000


def test_refitted_to_its_own_users_it_finds_itself(blended):
    """Pairs of items held together, which are free of the order of topics."""
    model, _, _ = blended
    users = model.sample(3_000, rng=3)
    again = LDA(k=3, seed=2).fit(users.to_dataset(seed=1))
    assert matched(again.weights_, model.weights_.T).min() > 0.97
    one, other = (m.sample(3_000, rng=4).matrix for m in (model, again))
    pairs = [np.asarray((x.T @ x).todense())[np.triu_indices(60, 1)] / 3_000 for x in (one, other)]
    assert np.corrcoef(*pairs)[0, 1] > 0.98


def test_one_topic_knows_that_popular_items_arrive_more_than_once():
    """Items drawn in proportion to 1, ..., 20, 10 of 20 each: counts alone are far too even."""
    random = np.random.default_rng(1)
    weights = np.arange(1.0, 21.0)
    drawn = plackett_luce(np.log(weights), np.full(4_000, 10), random)
    topics = fit_topics(drawn, 1, 1e-6, range(200), seed=1)
    truth = weights / weights.sum()
    assert np.abs(topics.weights[:, 0] / truth - 1).max() < 0.2
    counts = np.bincount(drawn.indices) / drawn.nnz
    assert np.abs(counts / truth - 1).max() > 0.35


def test_one_topic_is_a_better_popularity():
    world = taste_world(400, n_items=40, mean_size=12, seed=3)
    data = world.to_dataset(seed=1)
    one = LDA(k=1, lambda_reg=1e-3).fit(data).log_likelihood(world, rng=1, n_draws=1)
    assert np.mean(one) > np.mean(Popularity().fit(data).log_likelihood(world, rng=1)) + 0.05


def test_blocks_do_not_matter(monkeypatch):
    world = taste_world(150, n_items=50, seed=1).matrix
    whole = fit_topics(world, 3, 1.0, range(20), seed=1)
    monkeypatch.setattr("cornac_mle.models._lda_topics.BLOCK_ENTRIES", 40)
    cut = fit_topics(world, 3, 1.0, range(20), seed=1)
    np.testing.assert_allclose(cut.weights, whole.weights, rtol=1e-6)
    assert cut.bounds[-1] == pytest.approx(whole.bounds[-1], rel=1e-9)


def test_blocks_cover_all_rows_once():
    indptr = np.cumsum([0, 3, BLOCK_ENTRIES + 7, 0, 5, BLOCK_ENTRIES - 5, 1])
    assert blocks(indptr) == [slice(0, 1), slice(1, 2), slice(2, 5), slice(5, 6)]
    assert blocks(np.zeros(1, dtype=int)) == []


def test_two_communities_come_out_as_two():
    world = checkerboard(200, 40, seed=1)
    model = LDA(k=2, lambda_reg=0.1, seed=1).fit(world.to_dataset(seed=1))
    assert communities(model.sample(400, rng=1).matrix).mean() > 0.95
    scores = model.fold_in(world[[0, 1]])
    assert scores[0, :20].min() > scores[0, 20:].max()
    assert scores[1, 20:].min() > scores[1, :20].max()


def test_fold_in_does_not_depend_on_who_else_is_there(blended):
    model, world, _ = blended
    np.testing.assert_allclose(model.fold_in(world[:9])[4], model.fold_in(world[[4]])[0], rtol=1e-9)


def test_an_empty_user_has_the_prior():
    alpha = np.array([0.2, 0.7])
    nobody = sp.csr_array((1, 3), dtype=np.float32)
    weights = np.full((3, 2), 1 / 3)
    np.testing.assert_allclose(user_evidence(nobody, alpha, weights), [alpha], rtol=1e-12)


# ------------------------------------------------------------------------------ Dirichlet
# distributions


def test_inverse_digamma():
    x = np.array([1e-4, 1e-2, 0.3, 1.0, 7.0, 500.0])
    np.testing.assert_allclose(inverse_digamma(psi(x)), x, rtol=1e-10)


def test_alpha_of_certain_shares_is_that_of_their_distribution():
    """Posteriors of much evidence are the shares themselves, and the estimate is that of them."""
    shares = np.random.default_rng(1).dirichlet([0.5, 2.0], size=20_000)
    found = fit_alpha(1e6 * np.maximum(shares, 1e-4), np.ones(2), n_steps=2_000)
    np.testing.assert_allclose(found, [0.5, 2.0], rtol=0.03)


def test_density_and_divergence():
    evidence, alpha = np.array([[2.0, 3.0, 0.5]]), np.array([1.5, 1.0, 1.0])
    share = np.array([[0.2, 0.5, 0.3]])
    density = dirichlet_log_density(np.log(share), evidence)
    assert density[0] == pytest.approx(dirichlet(evidence[0]).logpdf(share[0]), rel=1e-12)
    # One coordinate: KL of Beta(3, 2) to Beta(1, 1) is minus the entropy of Beta(3, 2).
    one = dirichlet_divergence(np.array([[3.0, 2.0]]), np.ones(2))
    assert one == pytest.approx(-beta(3, 2).entropy(), rel=1e-10)
    assert dirichlet_divergence(np.array([alpha]), alpha) == pytest.approx(0, abs=1e-12)


def test_draws_of_log_shares():
    """Means are alpha / sum, 5e-3 is over 5 standard errors; tiny alphas do not underflow."""
    random = np.random.default_rng(1)
    log_shares = log_dirichlet(np.tile([0.02, 0.5, 2.0], (200_000, 1)), random)
    assert np.isfinite(log_shares).all()
    np.testing.assert_allclose(
        np.exp(log_shares).mean(axis=0), np.array([0.02, 0.5, 2.0]) / 2.52, atol=5e-3
    )
    # The logarithm of the smallest: psi(.02) - psi(2.52), of standard deviation 50.
    assert log_shares[:, 0].mean() == pytest.approx(psi(0.02) - psi(2.52), abs=0.7)


# ------------------------------------------------------------------------------ the likelihood


@pytest.fixture(scope="module")
def small():
    """Two topics over 5 items, and all 31 profiles that there are."""
    likes = np.array(
        [[1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [0, 0, 0, 1, 1], [0, 0, 1, 1, 1], [1, 0, 0, 1, 0]] * 5
    )
    model = LDA(k=2, seed=1)
    model.fit(profiles(sp.csr_array(likes.astype(np.float32))).to_dataset(seed=1))
    model.alpha_ = np.array([0.5, 0.8])
    return model, every_profile()


def brute_force(model, everything):
    """P(profile) of each, by Gauss-Jacobi quadrature over the share of the first topic."""
    # The Beta distribution's density is the weight function, on -1 to 1: (1 - x)^(b - 1) (1 + x)^(a
    # - 1).
    first, second = model.alpha_
    nodes, probabilities = roots_jacobi(40, second - 1, first - 1)
    total = np.zeros(len(everything))
    for share, probability in zip(
        (nodes + 1) / 2, probabilities / probabilities.sum(), strict=True
    ):
        blend = np.array([share, 1 - share])
        log_weights = np.log(model.weights_ @ blend)
        of_set = item_set_log_probability(
            log_weights, blend @ model.size_distributions_, everything.matrix
        )
        total += probability * np.exp(of_set)
    return total


@pytest.fixture(scope="module")
def probabilities(small):
    return brute_force(*small)


def test_probabilities_sum_to_one(probabilities):
    assert probabilities.sum() == pytest.approx(1, abs=1e-8)


def test_the_estimate_is_the_integral(small, probabilities):
    """2,000 draws, standard errors of 5% at most: within 6 of them, a probability of 31 x 2e-9."""
    model, everything = small
    estimate = model.estimate_log_likelihood(everything, rng=1, n_draws=2_000)
    errors = np.sqrt(1 / estimate.effective_sample_size - 1 / 2_000)
    assert errors.max() < 0.05
    assert np.all(np.abs(np.exp(estimate.nats) / probabilities - 1) < 6 * errors)


def test_few_draws_are_unbiased(small, probabilities):
    """Two draws, from two of the five proposals, 3,000 times: the mean probability is right."""
    model, everything = small
    copies = profiles(sp.csr_array(sp.vstack([everything.matrix[[20]]] * 3_000, format="csr")))
    estimates = np.exp(model.log_likelihood(copies, rng=2, n_draws=2))
    error = estimates.std() / np.sqrt(3_000)
    assert abs(estimates.mean() - probabilities[20]) < 5 * error
    assert error < 0.05 * probabilities[20]


def test_effective_sample_sizes_are_those_of_good_proposals(small, blended):
    model, everything = small
    assert model.estimate_log_likelihood(everything, rng=1).effective_sample_size.min() > 20
    model, world, _ = blended
    sizes = model.estimate_log_likelihood(world[:200], rng=1).effective_sample_size
    assert np.median(sizes) > 15


def test_an_item_that_nobody_holds_and_an_empty_user_are_impossible():
    likes = np.array([[1, 1, 0, 0], [0, 1, 1, 0]] * 4, dtype=np.float32)
    model = LDA(k=2, seed=1).fit(profiles(sp.csr_array(likes)).to_dataset(seed=1))
    asked = np.array([[1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 0, 0]], dtype=np.float32)
    nats = model.log_likelihood(profiles(sp.csr_array(asked)), rng=1)
    assert np.isneginf(nats[:2]).all()
    assert np.isfinite(nats[2])


def test_blends_are_more_probable_than_popularity(blended):
    model, _, _ = blended
    new = blended_world(3_200, seed=5)[0][np.arange(3_000, 3_200)]
    flat = LDA(k=1, seed=1).fit(blended[1].to_dataset(seed=1))
    gain = model.log_likelihood(new, rng=1) - flat.log_likelihood(new, rng=1, n_draws=1)
    assert gain.mean() > 5 * gain.std() / np.sqrt(200)


def test_samples_have_the_distribution_that_the_likelihood_states(small, probabilities):
    """Chi-square over all profiles at a false-alarm rate of 1e-6."""
    model, everything = small
    observed = counts_of(model.sample(20_000, rng=2), everything)
    assert chisquare(observed, 20_000 * probabilities / probabilities.sum()).pvalue > 1e-6


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("alpha_", np.array([5.0, 8.0])), ("size_distributions_", np.full((2, 5), 0.2))],
)
def test_a_broken_sampler_is_caught(small, probabilities, monkeypatch, attribute, value):
    model, everything = small
    monkeypatch.setattr(model, attribute, value)
    observed = counts_of(model.sample(20_000, rng=2), everything)
    assert chisquare(observed, 20_000 * probabilities / probabilities.sum()).pvalue < 1e-6


# --------------------------------------------------------------------------------- how many


def test_it_chooses_the_number_of_topics():
    world, _ = blended_world(800, k=5, n_items=60, size=15, alpha=0.1, seed=2)
    model = LDA(k=None, max_iter=80, seed=1).fit(world.to_dataset(seed=1))
    assert model.k_ == 5
    assert len(model.alpha_) == 5
    nats = model.held_out_nats_
    assert list(nats) == [1, 2, 5, 10]
    assert nats[1] < nats[2] < nats[5] > nats[10]
    assert LDA(k=2).fit(world[:50].to_dataset(seed=1)).held_out_nats_ == {}


def test_k_rises_while_likelihood_does():
    tried = []
    curve = {1: -9.0, 2: -8.0, 5: -8.5, 10: -1.0}
    users = sp.csr_array(np.ones((100, 3)))
    chosen = choose_k(
        lambda matrix, k: tried.append((matrix.shape[0], k)),
        lambda left_out: np.full(left_out.shape[0], curve[tried[-1][1]]),
        users,
        Validation(users[:7], users[:7] * 0),
        seed=1,
    )
    assert chosen == (2, {1: -9.0, 2: -8.0, 5: -8.5})
    assert tried == [(100, 1), (100, 2), (100, 5)]


def test_k_stays_below_half_the_users_and_is_one_without_judges():
    rising = iter(range(10))
    few = sp.csr_array(np.ones((11, 3)))

    def nats(left_out):
        return np.full(left_out.shape[0], float(next(rising)))

    judges = Validation(few[:2], few[:2] * 0)
    assert choose_k(lambda *_: None, nats, few, judges, seed=1)[0] == 5
    # A fifth of four users is nobody.
    assert choose_k(lambda *_: None, nats, few[:4], None, seed=1) == (1, {})


def test_a_fifth_of_the_training_users_judge():
    train = taste_world(50, n_items=30, seed=1).matrix
    users, left_out = left_out_users(train, None, np.random.default_rng(1))
    assert users.shape[0] == 40
    assert left_out.shape[0] == 10
    sets, fitted, judges = (
        [frozenset(np.flatnonzero(row)) for row in part.toarray()]
        for part in (train, users, left_out)
    )
    assert len(set(sets)) == 50
    assert set(fitted) < set(sets)
    # Of the judges' items those are left that are held by users who are fitted to.
    held = frozenset.union(*fitted)
    assert set(judges) == {one & held for one in set(sets) - set(fitted)}


def test_new_validation_users_judge_with_all_their_items():
    train = sp.csr_array(np.array([[1, 1, 0, 0], [0, 1, 1, 0]], dtype=np.float32))
    # The first is a training user, shown with its whole row; the others are new, even the last,
    # who is shown with the items of a training user. Nobody of the training users holds item 3, so
    # of the third nothing is left.
    shown = sp.csr_array(
        np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 0]], dtype=np.float32)
    )
    target = sp.csr_array(
        np.array([[0, 0, 1, 0], [0, 0, 1, 1], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=np.float32)
    )
    is_new = np.array([False, True, True, True])
    validation = Validation(shown, target, is_new)
    users, left_out = left_out_users(train, validation, np.random.default_rng(1))
    assert (users != train).nnz == 0
    assert np.array_equal(left_out.toarray(), [[1, 0, 1, 0], [1, 1, 1, 0]])
    only_old = Validation(shown[[0]], target[[0]], is_new[[0]])
    assert left_out_users(taste_world(10, seed=1).matrix, None, np.random.default_rng(1))[0].shape
    assert left_out_users(train, only_old, np.random.default_rng(1))[1].shape[0] == 0


def test_values_are_those_of_training_users():
    world = rated(taste_world(120, n_items=50, mean_size=10, seed=3))
    users = LDA(k=3, max_iter=20).fit(world.to_dataset(seed=1)).sample(200, rng=1)
    assert set(np.unique(users.matrix.data)) == {1.0, 2.0, 3.0, 4.0, 5.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "`k` must be at least 1; got 0"),
        ({"max_iter": 0}, "`max_iter` must be at least 1"),
        ({"lambda_reg": 0}, "`lambda_reg` must be finite, above 0"),
        ({"seed": -1}, "`seed` must be at least 0"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        LDA(**arguments)
