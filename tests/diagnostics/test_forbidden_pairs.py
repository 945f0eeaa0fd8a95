"""Pairs that real users keep apart: oracle, type I error, power, and what cannot be tested."""

import importlib
import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy import stats

from cornac_mle.diagnostics import rare_pairs as low_pairs
from cornac_mle.diagnostics.forbidden_pairs import (
    excess_p_values,
    forbidden_pairs,
    implausible_pairs,
)
from cornac_mle.diagnostics.rare_pairs import LowPairs, pair_counts
from cornac_mle.null_models.configuration_model import fit_two_margin_null
from cornac_mle.null_models.corruption import popularity_draws
from cornac_mle.null_models.curveball import curveball
from cornac_mle.profiles import Profiles
from cornac_mle.stats import poisson_binomial
from cornac_mle.stats.multiple_testing import benjamini_hochberg_adjusted
from paths import EXPERIMENTS
from worlds import checkerboard, profiles, taste_world

N_USERS = 800


@pytest.fixture(scope="module")
def world():
    return taste_world(3 * N_USERS, n_items=60, mean_size=8, seed=1)


@pytest.fixture(scope="module")
def real(world):
    return world[:N_USERS]


@pytest.fixture(scope="module")
def fresh(world):
    """Real users of no group, dressed as synthetic ones."""
    return Profiles.from_matrix(world.matrix[2 * N_USERS :], world.item_ids)


@pytest.fixture(scope="module")
def random_users(world, real):
    drawn = popularity_draws(real.item_counts, real.sizes, rng=1)
    return Profiles.from_matrix(drawn, world.item_ids)


def names(table):
    """The pairs found, whichever item comes first."""
    return {frozenset(pair) for pair in zip(table["item"], table["other_item"], strict=True)}


def naive_tests(real, synthetic, q):
    """Every testable pair, one by one: a table with both p-values, and both q-values by scipy."""
    null = fit_two_margin_null(real.matrix)
    share = null.probabilities[null.user_class][:, null.item_class]
    held, made = (users.matrix.toarray() > 0 for users in (real, synthetic))
    rows = []
    for one, other in itertools.combinations(range(share.shape[1]), 2):
        distribution = np.ones(1)
        for probability in share[:, one] * share[:, other]:
            distribution = np.convolve(distribution, [1 - probability, probability])
        count, made_count = (int(np.sum(m[:, one] & m[:, other])) for m in (held, made))
        pairs = [[made_count, len(made) - made_count], [count, len(held) - count]]
        excess = stats.fisher_exact(pairs, alternative="greater").pvalue
        p_value = min(1.0, distribution[: count + 1].sum())
        pair = frozenset({f"i{one}", f"i{other}"})
        rows.append([pair, count, made_count, p_value, excess, distribution[0]])
    table = pd.DataFrame(rows, columns=["pair", "real", "synthetic", "p", "excess", "smallest"])
    # The largest family in which every pair of no user would be significant alone.
    rank = table["smallest"].map("{:.9e}".format).astype(float).rank(method="max")
    table = table[table["smallest"] <= q / rank]
    table["real_q"] = stats.false_discovery_control(table["p"])
    table["q"] = stats.false_discovery_control(table[["p", "excess"]].max(axis=1))
    return table.set_index("pair")


def test_both_tables_are_the_naive_ones():
    world = taste_world(420, n_items=24, mean_size=6, seed=2)
    real, others = world[:220], world[range(220, 420)]
    made = profiles(popularity_draws(others.item_counts, others.sizes, rng=1), prefix="s")
    naive = naive_tests(real, made, 0.2)

    low = implausible_pairs(real, q=0.2)
    assert low.attrs["n_testable"] == len(naive)
    assert names(low) == set(naive.index[naive["real_q"] <= 0.2])
    wanted = naive.loc[[frozenset(pair) for pair in low[["item", "other_item"]].to_numpy()]]
    assert len(wanted) >= 20
    np.testing.assert_array_equal(low["real_count"], wanted["real"])
    np.testing.assert_allclose(low["real_p_value"], wanted["p"], rtol=1e-9)
    np.testing.assert_allclose(low["real_q_value"], wanted["real_q"], rtol=1e-9)

    found = forbidden_pairs(real, made, q=0.2)
    assert names(found) == set(naive.index[naive["q"] <= 0.2])
    wanted = naive.loc[[frozenset(pair) for pair in found[["item", "other_item"]].to_numpy()]]
    assert len(wanted) >= 10
    np.testing.assert_array_equal(found["synthetic_count"], wanted["synthetic"])
    np.testing.assert_allclose(found["synthetic_p_value"], wanted["excess"], rtol=1e-9)
    np.testing.assert_allclose(found["q_value"], wanted["q"], rtol=1e-9)
    assert found["q_value"].is_monotonic_increasing


def test_two_items_of_separate_audiences_by_hand():
    # 30 users hold a and c, 30 hold b and c: margins say that a user holds a with 1/2, b with 1/2,
    # c surely. Nobody holds a and b: (1 - 1/4)^60 = 3.2e-8 with 15 expected. 30 users hold a and c,
    # as many as expected. All three pairs are testable: (1 - 1/2)^60 is small too.
    matrix = np.repeat([[1, 0, 1], [0, 1, 1]], 30, axis=0).astype(np.float32)
    found = implausible_pairs(profiles(sp.csr_array(matrix)))
    assert names(found) == {frozenset({"i0", "i1"})}
    row = found.iloc[0]
    assert (row["real_count"], row["expected_count"]) == (0, pytest.approx(15))
    assert row["real_p_value"] == pytest.approx(0.75**60, rel=1e-6)
    assert row["real_q_value"] == pytest.approx(3 * 0.75**60, rel=1e-6)
    assert found.attrs["n_testable"] == found.attrs["n_pairs"] == 3
    assert found.attrs["minimum_expected_count"] == pytest.approx(np.log(3 / 0.1))


def test_excess_is_fishers_test():
    random = np.random.default_rng(1)
    real, synthetic = random.integers(0, 12, size=(2, 40))
    found = excess_p_values(real, 30, synthetic, 20)
    for one, other, p_value in zip(real, synthetic, found, strict=True):
        pairs = [[other, 20 - other], [one, 30 - one]]
        wanted = stats.fisher_exact(pairs, alternative="greater").pvalue
        assert p_value == pytest.approx(wanted, rel=1e-9)


def test_adjusted_values_need_the_small_ones_only():
    p_values = np.sort(np.random.default_rng(1).beta(0.3, 2, size=200))
    wanted = stats.false_discovery_control(p_values)
    given = p_values[p_values <= 0.1]
    found = benjamini_hochberg_adjusted(given, 200)
    right = wanted[: given.size] <= 0.1
    assert right.sum() > 20
    np.testing.assert_allclose(found[right], wanted[: given.size][right])
    assert np.all(found[~right] > 0.1)
    assert benjamini_hochberg_adjusted(np.empty(0), 200).size == 0


# ----------------------------------------------------------------------------------- type I error


def test_where_margins_are_all_there_is_nothing_is_found(real):
    """20 curveball randomisations: at most 11 with a rejection (binomial of .1: 7e-8)."""
    before = len(implausible_pairs(real))
    wrong = 0
    for seed in range(20):
        matrix = curveball(real.matrix, rng=seed, n_trades=8 * N_USERS)
        wrong += len(implausible_pairs(Profiles(matrix, real.user_ids, real.item_ids))) > 0
    assert before > 100
    assert stats.binom.sf(11, 20, 0.1) < 1e-6
    assert wrong <= 11


@pytest.mark.slow
@pytest.mark.parametrize("name", ["movielens_100k", "lastfm"])
def test_real_tastes_are_found_and_randomised_ones_are_not(name, shared_data, monkeypatch):
    """20 curveball randomisations of real data: at most 11 with a rejection (probability 7e-8)."""
    monkeypatch.syspath_prepend(EXPERIMENTS)
    power = importlib.import_module("power")
    matrix = power.load(name, shared_data)
    assert len(implausible_pairs(profiles(matrix))) > 4000
    found = [len(implausible_pairs(profiles(curveball(matrix, rng=seed)))) for seed in range(20)]
    assert np.count_nonzero(found) <= 11


def test_p_values_of_users_of_the_null_itself_are_valid(real):
    """P(p <= q) <= q: users drawn from the fitted null, one pair of items a draw.

    400 draws; more than 77 p-values at or below .1 have a probability below 1e-6 if each has one of
    .1.
    """
    null = fit_two_margin_null(real.matrix)
    share = null.probabilities[null.user_class][:, null.item_class]
    one, other = np.argsort(-real.item_counts)[[3, 8]]
    random = np.random.default_rng(1)
    both = share[:, one] * share[:, other]
    counts = (random.random((400, len(both))) < both).sum(axis=1)
    distributions = np.tile(both, (400, 1))
    p_values = poisson_binomial.poisson_binomial_cdf(counts, distributions)
    assert stats.binom.sf(77, 400, 0.1) < 1e-6
    assert 10 <= np.sum(p_values <= 0.1) <= 77


def test_new_real_users_hold_no_forbidden_pairs(world):
    """20 random halves: at most 11 with a pair found (binomial of .1, probability 7e-8)."""
    wrong = 0
    for seed in range(20):
        rows = np.random.default_rng(seed).permutation(len(world))
        first, second = world[rows[:N_USERS]], world[rows[N_USERS : 2 * N_USERS]]
        low = LowPairs.fit(first)
        assert low.item.size > 100  # there is something that could be found
        wrong += len(forbidden_pairs(first, second, low=low)) > 0
    assert wrong <= 11


# ------------------------------------------------------------------------------------------ power


def test_popularity_users_hold_many_forbidden_pairs(real, random_users, fresh):
    low = LowPairs.fit(real)
    found = forbidden_pairs(real, random_users, low=low)
    assert len(found) > 30
    assert len(forbidden_pairs(real, fresh, low=low)) == 0
    assert np.all(found["real_q_value"] <= found["q_value"])
    rates = found["synthetic_count"] / N_USERS, found["real_count"] / N_USERS
    assert np.all(rates[0] > rates[1])
    assert np.all(found["real_count"] < found["expected_count"])


def test_a_planted_pair_is_found_by_name(real, fresh):
    likely = implausible_pairs(real)
    apart = likely[likely["real_count"] == likely["real_count"].min()].iloc[0]
    columns = fresh.item_ids.get_indexer([apart["item"], apart["other_item"]])
    matrix = fresh.matrix.toarray()
    matrix[np.ix_(np.arange(0, N_USERS, 5), columns)] = 1
    planted = Profiles.from_matrix(sp.csr_array(matrix), fresh.item_ids)
    found = forbidden_pairs(real, planted)
    assert frozenset({apart["item"], apart["other_item"]}) in names(found)
    # With an item that is given away goes what its new holders have; few other pairs are found.
    planted_items = {apart["item"], apart["other_item"]}
    assert np.mean([bool(pair & planted_items) for pair in names(found)]) >= 0.8


def test_separate_communities_are_kept_apart():
    world = checkerboard(400, n_items=20)
    found = implausible_pairs(world)
    halves = [{f"i{item}" for item in half} for half in (range(10), range(10, 20))]
    across = {frozenset({one, other}) for one in halves[0] for other in halves[1]}
    assert names(found) == across
    assert np.all(found["real_count"] == 0)


# --------------------------------------------------------------------------- what must not matter


def test_order_of_items_and_users_does_not_matter(real, random_users):
    first = forbidden_pairs(real, random_users)
    order = real.item_ids[::-1]
    backwards = np.arange(len(real))[::-1]
    turned = forbidden_pairs(real.align(order)[backwards], random_users.align(order)[backwards])
    assert names(turned) == names(first)
    np.testing.assert_allclose(turned["q_value"], first["q_value"], rtol=1e-6)


def test_blocks_do_not_matter(real, random_users, monkeypatch):
    before = forbidden_pairs(real, random_users)
    monkeypatch.setattr(low_pairs, "BLOCK_BYTES", 1)
    monkeypatch.setattr(low_pairs, "BLOCK_DISTRIBUTIONS", 7)
    after = forbidden_pairs(real, random_users)
    pd.testing.assert_frame_equal(after, before, rtol=1e-9)


def test_no_pair_is_lost_to_the_bound_that_spares_computing_it(real, monkeypatch):
    before = LowPairs.fit(real)
    monkeypatch.setattr(low_pairs, "BERRY_ESSEEN", np.inf)
    after = LowPairs.fit(real)
    np.testing.assert_array_equal(after.item, before.item)
    np.testing.assert_allclose(after.p_values, before.p_values, rtol=1e-9)


def test_odd_users_are_counted_and_arguments_stay_as_they_were(real, fresh):
    matrix = fresh.matrix.toarray()
    matrix[:300] = 0
    matrix[100:200, 0] = 1
    odd = Profiles.from_matrix(sp.csr_array(matrix), fresh.item_ids)
    before = real.matrix.copy(), odd.matrix.copy()
    assert len(forbidden_pairs(real, odd)) == 0
    assert len(implausible_pairs(odd)) > 0
    for was, now in zip(before, (real.matrix, odd.matrix), strict=True):
        np.testing.assert_array_equal(was.indices, now.indices)
        np.testing.assert_array_equal(was.data, now.data)


def test_pair_counts_count_users():
    matrix = sp.csr_array(np.array([[5, 1, 0], [2, 3, 4], [0, 1, 1]], dtype=np.float32))
    counts = pair_counts(matrix, np.array([0, 2, 1, 0]), np.array([1, 0, 2, 1]))
    assert counts.tolist() == [2, 1, 2, 2]


def test_few_users_are_untestable_not_impossible(real):
    found = implausible_pairs(real[:5])
    assert found.empty
    assert "expected_count" in found.columns
    assert found.attrs["n_testable"] < 20
    assert found.attrs["n_untestable"] == 60 * 59 // 2 - found.attrs["n_testable"]
    assert implausible_pairs(real[:1]).attrs["n_testable"] == 0


# ---------------------------------------------------------------------------------------- refusals


def test_refusals(real, fresh):
    with pytest.raises(ValueError, match=r"`q` must be finite, above 0 and below 0\.5; got 0\.7"):
        implausible_pairs(real, q=0.7)
    with pytest.raises(ValueError, match="`synthetic` must have the items of `real`, in the same"):
        forbidden_pairs(real, fresh.split_items(fresh.item_ids[:9])[0])
    with pytest.raises(ValueError, match="`synthetic` must have users; got 0"):
        forbidden_pairs(real, fresh[:0])
    low = LowPairs.fit(real, q=0.2)
    with pytest.raises(ValueError, match=r"`low` must be fitted with q = 0\.1; got q = 0\.2"):
        forbidden_pairs(real, fresh, low=low)
    with pytest.raises(ValueError, match=r"`low` must be LowPairs\.fit"):
        forbidden_pairs(real[:100], fresh, q=0.2, low=low)
