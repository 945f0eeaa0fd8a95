"""Discriminator rejection sampling: what it keeps, what that costs, and what comes out."""

import numpy as np
import pytest
import scipy.sparse as sp
from cornac.models import Recommender
from scipy.stats import chisquare

from cornac_mle.models.mixture import Mixture
from cornac_mle.models.pmf.model import PMF
from cornac_mle.models.popularity import Popularity
from cornac_mle.models.training_users import TrainingUsers
from cornac_mle.models.vae.model import VAE
from cornac_mle.remedies._pair_discriminator import (
    PairDiscriminator,
    describe,
    log_lifts,
    pair_counts,
)
from cornac_mle.remedies.filtered import Filtered, log_ceiling
from worlds import checkerboard, communities, counts_of, every_profile, profiles, rated, taste_world

# ------------------------------------------------------------------------------ the discriminator


def test_pairs_are_counted_and_lifted():
    users = sp.csr_array(np.array([[1, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=np.float32))
    assert pair_counts(users).tolist() == [[2, 2, 1], [2, 3, 1], [1, 1, 1]]
    # (2 + 10) / (14 + 10) = 1/2; (30 + 10) / (0 + 10) = 4.
    lifts = log_lifts(np.float32([2, 30]), np.float32([14, 0]))
    np.testing.assert_allclose(lifts, np.log([0.5, 4]), rtol=1e-6)


def test_a_profile_is_described_by_hand():
    lifts = np.float32([[0.3, 1.0, -2.0], [1.0, 0.6, 4.0], [-2.0, 4.0, 0.0]])
    # Item 3 is not in the table. Items 0, 1, 2: mean lift with the others (1 - 2) / 2 = -.5,
    # (1 + 4) / 2 = 2.5 and (-2 + 4) / 2 = 1; their mean is 1, their variance (1.5^2 + 1.5^2) / 3.
    # Mean lift of items .3; 2 of 6 ordered pairs are below -.5. Quantiles .05 and .25 of three
    # numbers are taken at places 0 (.1 and .5, rounded to even), .5 at 1, .75 and .95 at 2.
    users = sp.csr_array(np.array([[1, 1, 1, 1], [0, 1, 0, 1], [0, 0, 0, 0]], dtype=np.float32))
    described = describe(users, np.array([0, 1, 2, -1]), lifts)
    expected = [1, 1.5**0.5, 0.3, 1 / 3, -0.5, -0.5, 1, 2.5, 2.5, np.log(5), np.log(5) ** 2]
    np.testing.assert_allclose(described[0], expected, rtol=1e-6)
    assert described[1:, :9].tolist() == [[0] * 9] * 2  # no pair
    assert described[1:, 9].tolist() == [np.log(3), 0]


@pytest.fixture(scope="module")
def mixed_up():
    """Two communities, and users whose items come from both alike."""
    world = checkerboard(300, 40, seed=1)
    model = Popularity().fit(world.to_dataset(seed=1))
    return world.matrix, [model.sample(1_000, rng=seed).matrix for seed in (1, 2, 3)]


def test_it_knows_real_pairs(mixed_up):
    real, (counted, compared, others) = mixed_up
    fitted = PairDiscriminator().fit(real, counted, compared, np.random.default_rng(1))
    assert fitted.auc_ > 0.95
    new = checkerboard(100, 40, seed=2).matrix
    assert np.median(fitted.log_ratio(new)) > 2 > -2 > np.median(fitted.log_ratio(others))


def test_it_knows_nothing_where_distributions_are_equal():
    """An AUC of 600 and 1,200 users has a standard error of .0145; five of them are 3e-7."""
    world = taste_world(4_000, n_items=60, seed=2).matrix
    rng = np.random.default_rng(1)
    fitted = PairDiscriminator().fit(world[:600], world[600:2800], world[2800:], rng)
    assert abs(fitted.auc_ - 0.5) < 5 * 0.0145
    # As many synthetic users as real ones or twice as many: the ratio of equal distributions is 1.
    assert abs(fitted.log_ratio(world[2800:]).mean()) < 0.1


def test_values_and_the_order_of_users_do_not_matter_to_it(mixed_up):
    real, (counted, compared, others) = mixed_up
    fitted = PairDiscriminator().fit(real, counted, compared, np.random.default_rng(1))
    again = PairDiscriminator().fit(real * 3, counted * 2, compared, np.random.default_rng(1))
    backwards = np.arange(others.shape[0])[::-1]
    np.testing.assert_allclose(
        again.log_ratio(5 * others[backwards]), fitted.log_ratio(others)[backwards], rtol=1e-9
    )


# --------------------------------------------------------------------------------- the acceptance


def test_the_ceiling_is_the_top_or_keeps_the_share_that_is_asked_for():
    ratios = np.random.default_rng(1).normal(size=500)
    plain = float(np.exp(ratios - ratios.max()).mean())
    assert log_ceiling(ratios, plain * 0.9) == ratios.max()
    ceiling = log_ceiling(ratios, 0.5)
    assert np.exp(np.minimum(ratios - ceiling, 0)).mean() == pytest.approx(0.5, abs=1e-9)


WORLD = checkerboard(300, 40, seed=1)


@pytest.fixture(scope="module")
def mended():
    return Filtered(Popularity(), seed=1).fit(WORLD.to_dataset(seed=1))


def test_users_of_one_community_come_out_of_a_model_that_mixes_them(mended):
    """A filter finds only what is there: in one draw of twenty, 8 of 10 items are of one kind."""
    blurred = communities(mended.model_.sample(400, rng=1).matrix).mean()
    assert blurred < 0.7
    assert communities(mended.sample(400, rng=1).matrix).mean() > blurred + 0.07
    assert mended.auc_ > 0.95


def test_both_communities_come_out(mended):
    """Half of the users: 200 of 400, s.d. 10, five of them are 6e-7."""
    matrix = mended.sample(400, rng=1).matrix
    first = np.diff(sp.csr_array(matrix[:, :20]).indptr) > np.diff(matrix.indptr) / 2
    assert 150 < np.sum(first) < 250


def test_the_acceptance_rate_is_that_of_new_draws_and_not_below_the_least(mended):
    drawn = mended.model_.sample(20_000, rng=9).matrix
    kept = np.exp(mended._log_acceptance(drawn))
    error = np.hypot(mended.acceptance_rate_error_, kept.std() / np.sqrt(len(kept)))
    assert abs(mended.acceptance_rate_ - kept.mean()) < 5 * error
    assert mended.acceptance_rate_ > 0.05 - 5 * mended.acceptance_rate_error_
    assert mended.acceptance_rate_error_ < 0.05 * mended.acceptance_rate_
    easy = Filtered(Popularity(), least_acceptance=0.5, seed=1).fit(WORLD.to_dataset(seed=1))
    assert easy.acceptance_rate_ == pytest.approx(0.5, abs=5 * easy.acceptance_rate_error_)


# ----------------------------------------------------------------------------------------- the
# distribution


@pytest.fixture(scope="module")
def small():
    """Users of 5 items, whom popularity alone cannot give, and all 31 profiles that there are."""
    likes = np.array([[1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [0, 0, 0, 1, 1], [0, 0, 1, 1, 1]] * 25)
    model = Filtered(Popularity(), seed=1)
    model.fit(profiles(sp.csr_array(likes.astype(np.float32))).to_dataset(seed=1))
    return model, every_profile()


def test_samples_have_the_distribution_that_the_likelihood_states(small):
    """Chi-square over all profiles at a false-alarm rate of 1e-6; the sum within five errors."""
    model, everything = small
    estimate = model.estimate_log_likelihood(everything, rng=1)
    assert estimate.exact
    probabilities = np.exp(estimate.nats)
    error = model.acceptance_rate_error_ / model.acceptance_rate_
    assert probabilities.sum() == pytest.approx(1, abs=5 * error)
    observed = counts_of(model.sample(20_000, rng=2), everything)
    assert chisquare(observed, 20_000 * probabilities / probabilities.sum()).pvalue > 1e-6


def test_a_broken_sampler_is_caught(small, monkeypatch):
    model, everything = small
    probabilities = np.exp(model.log_likelihood(everything, rng=1))
    # Users who are turned away too often, the more so the less real they are.
    right = model._log_acceptance
    monkeypatch.setattr(model, "_log_acceptance", lambda matrix: 1.2 * right(matrix))
    observed = counts_of(model.sample(20_000, rng=2), everything)
    assert chisquare(observed, 20_000 * probabilities / probabilities.sum()).pvalue < 1e-6


def test_the_filtered_distribution_is_closer_to_the_real_one(small):
    """Of the four profiles that there are, popularity has few, and the filter more."""
    model, everything = small
    real = counts_of(profiles(model.train_matrix_), everything) > 0
    before = np.exp(model.model_.log_likelihood(everything, rng=1))
    after = np.exp(model.log_likelihood(everything, rng=1))
    assert after[real].sum() > 1.5 * before[real].sum()


def test_a_model_without_likelihood_has_none_filtered():
    model = Filtered(TrainingUsers(), seed=1).fit(WORLD.to_dataset(seed=1))
    with pytest.raises(NotImplementedError, match="TrainingUsers has no log-likelihood"):
        model.log_likelihood(WORLD, rng=1)


# ---------------------------------------------------------------------------- a Cornac recommender


def test_ranking_and_rating_are_those_of_the_model(mended):
    alone = Popularity().fit(WORLD.to_dataset(seed=1))
    assert np.array_equal(mended.fold_in(WORLD), alone.fold_in(WORLD))
    assert np.array_equal(mended.score(3), alone.score(3))
    assert np.array_equal(mended.rank(3)[0], alone.rank(3)[0])
    assert mended.rate(3, 5) == alone.rate(3, 5)
    assert mended.name == "Filtered(Popularity)"
    assert Filtered(VAE()).judge_family == VAE.judge_family


def test_the_model_is_fitted_as_a_clone_with_the_validation_set():
    train, validation = WORLD[:250], WORLD[250:]
    sets = train.to_dataset(seed=1), validation.to_dataset(first_user=250, seed=1)
    inner = VAE(k=4, n_epochs=3, seed=1)
    model = Filtered(inner, seed=1).fit(*sets)
    assert not inner.is_fitted
    assert len(model.model_.validation_ndcg_) == 3
    assert len(Filtered(inner, seed=1).fit(sets[0]).model_.validation_ndcg_) == 0


def test_a_model_that_is_not_trainable_is_filtered_as_it_is(mended, tmp_path):
    fitted = Mixture(k=2, seed=1).fit(WORLD.to_dataset(seed=1))
    shares = fitted.log_shares_
    fitted.trainable = False
    model = Filtered(fitted, seed=1).fit(WORLD.to_dataset(seed=1))
    assert np.array_equal(model.model_.log_shares_, shares)
    again = Recommender.load(model.save(str(tmp_path)))
    assert (again.sample(20, rng=1).matrix != model.sample(20, rng=1).matrix).nnz == 0
    other = taste_world(50, n_items=30, seed=1)
    with pytest.raises(ValueError, match=r"`model` must be fitted to the items of .* got others"):
        Filtered(fitted, seed=1).fit(other.to_dataset(seed=1))
    with pytest.raises(ValueError, match=r"`model` must be fitted .*; got no fitted model"):
        Filtered(Popularity(trainable=False), seed=1).fit(WORLD.to_dataset(seed=1))


@pytest.mark.parametrize("kind", [Mixture, lambda k, seed: PMF(k, max_iter=5, seed=seed)])
def test_a_frozen_model_of_other_users_scores_those_of_the_filter(kind):
    """Not its own training users of the same numbers, here of the other community."""
    world = rated(checkerboard(300, 40, seed=1))
    first, second = world[:100], world[101:]
    frozen = kind(k=2, seed=1).fit(first.to_dataset(seed=1))
    frozen.trainable = False
    model = Filtered(frozen, seed=1).fit(second.to_dataset(seed=1))
    for user in (0, 150):  # the latter is beyond the model's own
        np.testing.assert_allclose(model.score(user), frozen.fold_in(second[[user]])[0])
        assert not np.allclose(model.score(user), frozen.score(user % 100))
        assert model.rate(user, 3) == frozen.rate(None, 3)
    own = Filtered(frozen, seed=1).fit(first.to_dataset(seed=1))
    assert np.array_equal(own.score(7), frozen.score(7))
    assert own.rate(7, 3) == frozen.rate(7, 3)


def test_a_refit_that_fails_in_the_model_leaves_no_fitted_filter(mended, monkeypatch):
    model = mended.clone().fit(WORLD.to_dataset(seed=1))

    def fail(*_):
        raise ArithmeticError

    monkeypatch.setattr(Popularity, "_fit", fail)
    with pytest.raises(ArithmeticError):
        model.fit(WORLD.to_dataset(seed=1))
    with pytest.raises(RuntimeError, match="is not fitted"):
        model.sample(3, rng=1)


def test_another_seed_is_another_filter(mended):
    other = Filtered(Popularity(), seed=2).fit(WORLD.to_dataset(seed=1))
    assert other.log_ceiling_ != mended.log_ceiling_
    same = mended.clone().fit(WORLD.to_dataset(seed=1))
    assert same.log_ceiling_ == mended.log_ceiling_


def test_wrong_arguments():
    with pytest.raises(TypeError, match="`model` must be a GenerativeRecommender; got 'VAE'"):
        Filtered("VAE")
    with pytest.raises(ValueError, match="`least_acceptance` must be finite, above 0 and below 1"):
        Filtered(Popularity(), least_acceptance=1.0)
    with pytest.raises(ValueError, match="`seed` must be at least 0"):
        Filtered(Popularity(), seed=-1)
