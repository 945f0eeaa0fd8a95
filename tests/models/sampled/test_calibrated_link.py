import numpy as np
import pytest
import scipy.sparse as sp

from cornac_mle.models.sampled._calibrated_link import centred, fit_inverse_temperature, fit_offsets
from cornac_mle.sampling.plackett_luce import plackett_luce

N_USERS, N_ITEMS = 600, 50


def world(inverse_temperature: float, seed: int = 1, n_shown: int = 5, n_hidden: int = 3):
    """Hidden items drawn by exp(b x score + log popularity) among those that are not shown."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=(N_USERS, N_ITEMS))
    offsets = random.normal(size=N_ITEMS)
    sizes = np.full(N_USERS, n_shown)
    shown = plackett_luce(inverse_temperature * scores + offsets, sizes, random)
    left = np.where(shown.toarray() > 0, -np.inf, inverse_temperature * scores + offsets)
    hidden = plackett_luce(left, np.full(N_USERS, n_hidden), random)
    popularity = np.diff(sp.csc_array(shown + hidden).indptr).astype(float)
    return scores, shown, hidden, popularity


@pytest.mark.parametrize(("inverse_temperature", "reach"), [(0.3, 0.26), (1.0, 0.24), (2.0, 0.44)])
def test_a_planted_inverse_temperature_is_found(inverse_temperature, reach):
    """One hidden item a user, so that the multinomial is the distribution. The tolerance is 6
    standard deviations of what is found over 12 seeds: .043, .037 and .073.
    """
    scores, shown, hidden, popularity = world(inverse_temperature, n_hidden=1)
    assert fit_inverse_temperature(scores, shown, hidden, popularity) == pytest.approx(
        inverse_temperature, abs=reach
    )


def test_scores_that_say_nothing_have_a_inverse_temperature_near_0():
    """1,800 hidden items have a standard error of 1/sqrt(1,800) = .024; .15 is 6 of them."""
    for seed in range(3):
        _, shown, hidden, popularity = world(1.0, seed=seed)
        noise = np.random.default_rng(100 + seed).normal(size=(N_USERS, N_ITEMS))
        assert fit_inverse_temperature(noise, shown, hidden, popularity) < 0.15


def test_scores_that_are_the_same_for_all_or_say_the_contrary_have_inverse_temperature_0():
    scores, shown, hidden, popularity = world(1.0)
    of_items = np.tile(np.arange(N_ITEMS, dtype=float), (N_USERS, 1))
    of_users = np.tile(np.arange(N_USERS, dtype=float)[:, None], (1, N_ITEMS))
    for same in (np.zeros_like(scores), of_items, of_users, of_items + of_users):
        assert fit_inverse_temperature(same, shown, hidden, popularity) == 0
    assert fit_inverse_temperature(-scores, shown, hidden, popularity) == 0
    nothing = sp.csr_array(hidden.shape, dtype=np.float32)
    assert fit_inverse_temperature(scores, shown, nothing, popularity) == 0


def test_a_constant_for_each_user_and_item_changes_nothing_and_a_scale_is_undone():
    scores, shown, hidden, popularity = world(1.0)
    inverse_temperature = fit_inverse_temperature(scores, shown, hidden, popularity)
    random = np.random.default_rng(2)
    moved = scores + random.normal(0, 3, (N_USERS, 1)) + random.normal(0, 3, N_ITEMS)
    assert fit_inverse_temperature(moved, shown, hidden, popularity) == pytest.approx(
        inverse_temperature, rel=1e-3
    )
    for factor in (1e-3, 10.0):
        scaled = fit_inverse_temperature(factor * scores, shown, hidden, popularity)
        assert scaled == pytest.approx(inverse_temperature / factor, rel=1e-3)


def test_scores_of_shown_items_do_not_count():
    """What was shown may be 20 standard deviations above the rest, which alone counts."""
    scores, shown, hidden, popularity = world(1.0)
    inverse_temperature = fit_inverse_temperature(scores, shown, hidden, popularity)
    proud = scores + 20 * shown.toarray()
    assert fit_inverse_temperature(proud, shown, hidden, popularity) == pytest.approx(
        inverse_temperature, rel=0.05
    )


def test_items_of_nobody_do_not_count():
    scores, shown, hidden, popularity = world(1.0)
    inverse_temperature = fit_inverse_temperature(scores, shown, hidden, popularity)
    wide = sp.csr_array((shown.shape[0], 10), dtype=np.float32)
    found = fit_inverse_temperature(
        np.column_stack([np.full((N_USERS, 10), 1e3), scores]),
        sp.csr_array(sp.hstack([wide, shown])),
        sp.csr_array(sp.hstack([wide, hidden])),
        np.concatenate([np.zeros(10), popularity]),
    )
    assert found == pytest.approx(inverse_temperature, rel=1e-3)


def test_arguments_stay_as_they_are():
    scores, shown, hidden, popularity = world(1.0)
    before = scores.copy(), popularity.copy()
    fit_inverse_temperature(scores, shown, hidden, popularity)
    fit_offsets(scores, np.full(N_USERS, 8), popularity)
    assert np.array_equal(scores, before[0])
    assert np.array_equal(popularity, before[1])


def test_centring_by_hand():
    """Rows 1 3 and 5 11: less their means -1 1 and -3 3; less the columns' -2 2."""
    assert centred(np.array([[1.0, 3.0], [5.0, 11.0]])).tolist() == [[1.0, -1.0], [-1.0, 1.0]]


@pytest.mark.parametrize("inverse_temperature", [0.0, 1.0, 4.0])
def test_offsets_give_each_item_its_popularity(inverse_temperature):
    """Simulated: 40 x 600 users. Shares of some 1/50; 6 standard errors are under .0014."""
    random = np.random.default_rng(3)
    scores = inverse_temperature * random.normal(size=(N_USERS, N_ITEMS)) + random.normal(
        0, 2, N_ITEMS
    )
    popularity = random.integers(1, 60, N_ITEMS).astype(float)
    popularity[[4, 9]] = 0
    sizes = random.integers(1, 15, N_USERS)
    offsets = fit_offsets(scores, sizes, popularity)
    drawn = [plackett_luce(scores + offsets, sizes, random) for _ in range(40)]
    counts = sum(np.bincount(part.indices, minlength=N_ITEMS) for part in drawn)
    shares = counts / counts.sum()
    assert counts[[4, 9]].tolist() == [0, 0]
    assert np.isneginf(offsets[[4, 9]]).all()
    assert shares == pytest.approx(popularity / popularity.sum(), abs=0.0025)
    assert sum(part.nnz for part in drawn) == 40 * sizes.sum()


def test_popularity_without_scores_needs_an_offset_of_its_logarithm():
    """Profiles of one item: the probability is the weight, so offsets are log-popularity, a
    constant apart. One arrival time for all users, 1 - exp(-w t), is at its worst with so few items
    and so small profiles: it gives item 3 .60 where .53 is wanted.
    """
    popularity = np.array([1.0, 2.0, 4.0, 8.0])
    offsets = fit_offsets(np.zeros((30, 4)), np.ones(30, dtype=np.int64), popularity)
    draws = plackett_luce(
        np.tile(offsets, (40_000, 1)), np.ones(40_000, dtype=np.int64), np.random.default_rng(1)
    )
    shares = np.bincount(draws.indices, minlength=4) / 40_000
    assert shares == pytest.approx(popularity / 15, abs=0.08)
    assert (np.diff(offsets) > 0).all()


def test_profiles_of_the_whole_catalogue():
    """Who holds everything leaves no choice, and nothing overflows."""
    popularity = np.array([3.0, 2.0, 2.0, 0.0])
    offsets = fit_offsets(np.zeros((5, 4)), np.array([3, 3, 1, 2, 9]), popularity)
    assert np.isfinite(offsets[:3]).all()
    assert np.isneginf(offsets[3])
