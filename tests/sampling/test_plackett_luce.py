import itertools
from decimal import Context, Decimal, localcontext

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import integrate, stats

from cornac_mle.sampling.plackett_luce import (
    draw_values,
    item_set_log_probability,
    plackett_luce,
    plackett_luce_log_probability,
)
from cornac_mle.sampling.sizes import (
    draw_own_sizes,
    draw_sizes,
    size_distribution,
    size_distributions,
)


def plackett_luce_set_probabilities(weights, size):
    """Probability of each set, by summing over the orders in which it can be drawn."""
    probabilities = {}
    for order in itertools.permutations(range(len(weights)), size):
        probability, left = 1.0, sum(weights)
        for item in order:
            probability *= weights[item] / left
            left -= weights[item]
        probabilities[frozenset(order)] = probabilities.get(frozenset(order), 0) + probability
    return probabilities


def test_sets_follow_successive_draws():
    weights = np.array([5.0, 3.0, 1.0, 0.5])
    expected = plackett_luce_set_probabilities(weights.tolist(), 2)
    drawn = plackett_luce(np.log(weights), np.full(20_000, 2), np.random.default_rng(1))
    observed = dict.fromkeys(expected, 0)
    for row in range(20_000):
        observed[frozenset(drawn.indices[2 * row : 2 * row + 2].tolist())] += 1
    counts = [observed[key] for key in expected]
    probabilities = np.array([expected[key] for key in expected]) * 20_000
    assert stats.chisquare(counts, probabilities).pvalue > 1e-6


def test_a_multinomial_would_fail_that_test():
    weights = np.array([5.0, 3.0, 1.0, 0.5])
    expected = plackett_luce_set_probabilities(weights.tolist(), 2)
    share = weights / weights.sum()
    # Two distinct draws of a multinomial: proportional to the product of the shares.
    other = {key: np.prod(share[list(key)]) for key in expected}
    total = sum(other.values())
    counts = [round(20_000 * other[key] / total) for key in expected]
    probabilities = np.array([expected[key] for key in expected]) * sum(counts) / 1.0
    assert stats.chisquare(counts, probabilities / probabilities.sum() * sum(counts)).pvalue < 1e-6


def test_sizes_follow_their_distribution():
    """At a false-alarm rate of 1e-6, as the next one."""
    distribution = np.array([0.0, 0.25, 0.5, 0.0, 0.25])  # of sizes 1 to 5
    sizes = draw_sizes(distribution, 8_000, np.random.default_rng(1))
    counts = [np.sum(sizes == size) for size in (2, 3, 5)]
    assert sum(counts) == 8_000
    assert stats.chisquare(counts, [2_000, 4_000, 2_000]).pvalue > 1e-6


def test_each_user_has_a_size_distribution_of_its_own():
    distributions = np.repeat([[0.0, 1.0, 0.0], [0.25, 0.25, 0.5]], [10, 8_000], axis=0)
    sizes = draw_own_sizes(distributions, np.random.default_rng(1))
    assert sizes[:10].tolist() == [2] * 10
    counts = np.bincount(sizes[10:], minlength=4)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:], [2_000, 2_000, 4_000]).pvalue > 1e-6


@pytest.mark.parametrize("size", [1, 3, 5])
def test_drawing_everything_draws_everything(size):
    drawn = plackett_luce(np.zeros((2, size)), np.full(2, size), np.random.default_rng(1))
    assert drawn.toarray().all()


def item_sets(sets, n_items):
    """One row of ones a set."""
    rows = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    columns = np.array([item for one in sets for item in sorted(one)], dtype=int)
    return sp.csr_array((np.ones(len(rows), np.float32), (rows, columns)), (len(sets), n_items))


@pytest.mark.parametrize("size", [1, 2, 4, 5])
@pytest.mark.parametrize("weights", [[5.0, 3.0, 1.0, 0.5, 0.2, 0.1], [1, 1e-6, 1e-3, 1, 1e-5, 2]])
def test_set_probabilities_are_sums_over_orders(weights, size):
    expected = plackett_luce_set_probabilities(weights, size)
    found = plackett_luce_log_probability(np.log(weights), item_sets(list(expected), 6))
    assert np.allclose(found, np.log(list(expected.values())), rtol=0, atol=1e-8)
    assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-9)


def test_set_probabilities_by_hand():
    # Weights 2, 1, 1. {0, 1}: 2/4 * 1/2 + 1/4 * 2/3 = 5/12; {1, 2}: 2 * 1/4 * 1/3 = 1/6.
    found = plackett_luce_log_probability(np.log([2.0, 1, 1]), item_sets([{0, 1}, {1, 2}], 3))
    assert np.allclose(np.exp(found), [5 / 12, 1 / 6], atol=1e-12)


def test_set_probabilities_of_twenty_items_are_observed_ones():
    """Share of 40,000 draws of 17 out of 20 items that are the 17 likeliest ones.

    The z-score of a true binomial share is above 4.9 with probability 1e-6.
    """
    log_weights = np.linspace(0, -4, 20)
    drawn = plackett_luce(log_weights, np.full(40_000, 17), np.random.default_rng(1))
    share = np.mean(sp.csr_array(drawn[:, :17]).sum(axis=1) == 17)
    probability = np.exp(plackett_luce_log_probability(log_weights, item_sets([range(17)], 20))[0])
    assert 0.05 < probability < 0.95
    assert abs(share - probability) < 4.9 * np.sqrt(probability * (1 - probability) / 40_000)


def test_large_sets_agree_with_the_integral():
    """2,000 of 2,400 items, weights from 1e-6 to 1, against scipy's quadrature in plain form."""
    random = np.random.default_rng(1)
    log_weights = random.uniform(np.log(1e-6), 0, 2_400)
    for items in (np.argsort(-log_weights)[:2_000], random.permutation(2_400)[:2_000]):
        rest = np.setdiff1d(np.arange(2_400), items)
        log_rates = log_weights[items] - np.log(np.exp(log_weights[rest]).sum())

        def log_integrand(x, log_rates=log_rates):
            return x - np.exp(x) + np.log(-np.expm1(-np.exp(log_rates + x))).sum()

        grid = np.linspace(0, 8, 4_001)
        heights = [log_integrand(x) for x in grid]
        peak, top = grid[np.argmax(heights)], max(heights)
        parts = np.linspace(peak - 4, peak + 4, 81)
        total = sum(
            integrate.quad(lambda x, f=log_integrand, top=top: np.exp(f(x) - top), *ends)[0]
            for ends in itertools.pairwise(parts)
        )
        found = plackett_luce_log_probability(log_weights, item_sets([items], 2_400))[0]
        assert found == pytest.approx(top + np.log(total), abs=1e-7)


def test_hardly_any_weight_left_keeps_its_digits():
    # Weights 1, 1, e, e with e = 1e-12. {0, 1} is all but certain. {0, 2}: 1/2 e + e/2 1/2 =
    # .75e but for terms in e^2. The weight not in {0, 1} is 2e; 2 + 2e - 2 has it to 4 digits only.
    log_weights = np.log([1.0, 1.0, 1e-12, 1e-12])
    found = plackett_luce_log_probability(log_weights, item_sets([{0, 1}, {0, 2}, {0, 1, 2}], 4))
    assert found[0] == pytest.approx(0.0, abs=1e-10)
    assert found[1] == pytest.approx(np.log(0.75e-12), abs=1e-9)
    assert found[2] == pytest.approx(np.log(0.5), abs=1e-9)


@pytest.mark.parametrize("gap", [10.0, 40.0, 300.0, 5_000.0])
def test_a_set_that_outweighs_all_others_is_certain(gap):
    """Weights e^gap against 1: P = 1 - 3 e^-gap (1 + 1/2 + 1/3) but for smaller terms."""
    found = plackett_luce_log_probability(np.array([gap] * 3 + [0.0] * 3), item_sets([range(3)], 6))
    assert found[0] == pytest.approx(
        np.log1p(-5.5 * np.exp(-gap)), abs=1e-11 + 50 * np.exp(-2 * gap)
    )


@pytest.mark.parametrize("spread", [0.0, 3.0, 30.0])
def test_small_sets_agree_with_the_sum_over_orders(spread):
    """To 11 digits, whatever the size and the range of weights: inclusion and exclusion of items.

    P = sum over subsets T of S of (-1)^|T| W / (W + w(T)), in 120 digits.
    """
    rng = np.random.default_rng(int(spread))
    with localcontext(Context(prec=120)):
        for size in (1, 2, 4, 8, 10):
            eta = spread * rng.normal(size=size + 1)
            weights = [Decimal(one).exp() for one in eta.tolist()]
            total = Decimal(0)
            for chosen in itertools.product((0, 1), repeat=size):
                taken = sum(itertools.compress(weights, chosen), Decimal(0))
                total += (-1) ** sum(chosen) * weights[-1] / (weights[-1] + taken)
            found = plackett_luce_log_probability(eta, item_sets([range(size)], size + 1))[0]
            assert found == pytest.approx(float(total.ln()), abs=1e-11)


def test_no_set_is_more_than_certain():
    """The quadrature alone ends above 1 by rounding, in some of these sets."""
    gaps = np.linspace(20, 60, 200)[:, np.newaxis]
    log_weights = np.hstack([gaps.repeat(2, axis=1), np.zeros((200, 3))])
    found = plackett_luce_log_probability(log_weights, item_sets([range(2)] * 200, 5))
    assert np.all(found <= 0)
    assert np.any(found == 0)


def test_items_of_no_weight_at_all():
    assert plackett_luce_log_probability(np.full(3, -np.inf), item_sets([{0}], 3))[0] == -np.inf


def test_sets_that_are_certain_or_impossible():
    log_weights = np.array([0.0, -1.0, -np.inf, 1.0])
    sets = item_sets([set(), {0, 1, 3}, {2}, {0, 1, 2, 3}, {0, 1}], 4)
    found = plackett_luce_log_probability(log_weights, sets)
    assert found[:4].tolist() == [0.0, 0.0, -np.inf, -np.inf]
    assert -5 < found[4] < 0


def test_set_probabilities_do_not_depend_on_scale_or_company():
    random = np.random.default_rng(1)
    log_weights = random.normal(size=(4, 30))
    drawn = plackett_luce(log_weights, np.array([1, 5, 12, 29]), random)
    together = plackett_luce_log_probability(log_weights, drawn)
    shifted = plackett_luce_log_probability(log_weights - 900.0, drawn)
    alone = [plackett_luce_log_probability(log_weights[u], drawn[[u]])[0] for u in range(4)]
    assert np.allclose(together, shifted, atol=1e-9)
    assert np.allclose(together, alone, atol=1e-12)


def test_the_size_distribution_keeps_the_mean_and_reaches_every_size():
    random = np.random.default_rng(1)
    sizes = np.round(np.exp(random.normal(3, 1, 800))).clip(1, 900).astype(int)
    distribution = size_distribution(sizes, 2_000)
    assert distribution.sum() == pytest.approx(1.0, abs=1e-12)
    assert distribution.min() > 0
    assert distribution @ np.arange(1, 2_001) == pytest.approx(sizes.mean(), rel=0.02)
    # Not far from the sizes that it smooths: their distribution functions are within .05.
    seen = np.cumsum(np.bincount(sizes, minlength=2_001)[1:]) / 800
    assert np.abs(np.cumsum(distribution) - seen).max() < 0.05


def test_the_size_distribution_by_hand():
    # Two users of size 3, no spread among them. The narrow kernel (weight 2 of 3) stays in the cell
    # of 3; the wide one is normal with mean log 3 - 1/2 and sd 1 (weight 1 of 3), of which
    # Phi(log 3.5 - log 3 + .5) - Phi(log 2.5 - log 3 + .5) = Phi(.6542) - Phi(.3177) = .1188.
    distribution = size_distribution(np.array([3, 3]), 10)
    assert distribution[2] == pytest.approx((2 + 0.1188) / 3, abs=1e-4)
    # Whatever is below 1.5 is put at 1: Phi(log 1.5 - log 3 + .5) = Phi(-.1931) = .4234.
    assert distribution[0] == pytest.approx(0.4234 / 3, abs=1e-4)


def test_a_size_far_above_all_others_is_possible():
    assert size_distribution(np.array([2, 3, 2]), 50_000)[-1] > 0


def test_set_log_probability_joins_size_and_items():
    sizes = np.array([0.25, 0.75])
    found = item_set_log_probability(np.log([2.0, 1, 1]), sizes, item_sets([{0}, {0, 1}, set()], 3))
    assert np.allclose(np.exp(found), [0.25 * 1 / 2, 0.75 * 5 / 12, 0.0], atol=1e-12)
    assert (
        item_set_log_probability(np.log([2.0, 1, 1]), sizes, item_sets([{0, 1, 2}], 3))[0]
        == -np.inf
    )


def test_an_exponential_that_is_zero_does_not_win_against_every_weight():
    """A 0, once in 10 million draws, stands for a small arrival time and not for none."""

    class Zeros:
        """Gives 0 for the arrival of the second, rare item, as float32 does now and then."""

        def standard_exponential(self, shape, dtype):
            keys = np.ones(shape, dtype=dtype)
            keys[:, 1] = 0
            return keys

        def random(self, count, dtype):
            return np.full(count, 0.5, dtype=dtype)

    # At rate exp(-25) the item arrives at 6e-8 x exp(25) = 4,300, long after the other at 1.
    drawn = plackett_luce(np.array([0.0, -25.0]), np.array([1]), Zeros())
    assert drawn.toarray().tolist() == [[1.0, 0.0]]
    # 2^-24 is exp(-16.636): it arrives first down to that log-weight, and not below.
    for log_weight, first in ((-16.6, 1), (-16.7, 0)):
        drawn = plackett_luce(np.array([0.0, log_weight]), np.array([1]), Zeros())
        assert drawn.indices.tolist() == [first]


def test_values_are_those_of_training_users_who_hold_the_item():
    """Item 0 has the values 1 and 5, item 1 the value 3, item 2 the values 2, 2 and 4."""
    values = np.array([[1, 0, 2], [5, 3, 2], [0, 0, 4]], dtype=np.float32)
    drawn = sp.csr_array(np.ones((6_000, 3), dtype=np.float32))
    before = drawn.copy()
    found = draw_values(drawn, sp.csc_array(values), np.random.default_rng(1))
    np.testing.assert_array_equal(drawn.toarray(), before.toarray())
    dense = found.toarray()
    assert found.shape == (6_000, 3)
    for item, shares in enumerate([{1: 1 / 2, 5: 1 / 2}, {3: 1.0}, {2: 2 / 3, 4: 1 / 3}]):
        assert set(dense[:, item]) == set(shares)
        for value, share in shares.items():
            count = int(np.sum(dense[:, item] == value))
            assert stats.binomtest(count, 6_000, share).pvalue > 1e-6


def test_sizes_by_kind_are_those_of_its_users_and_of_all_where_it_has_none():
    sizes, kinds = np.array([2, 3, 3, 9, 0]), np.array([0, 0, 2, 2, 2])
    found = size_distributions(sizes, kinds, 3, 12)
    assert found.shape == (3, 12)
    np.testing.assert_array_equal(found[0], size_distribution(np.array([2, 3]), 12))
    np.testing.assert_array_equal(found[1], size_distribution(sizes, 12))
    np.testing.assert_array_equal(found[2], size_distribution(np.array([3, 9]), 12))


def test_users_without_items_have_no_say_in_the_sizes():
    assert np.array_equal(
        size_distribution(np.array([0, 2, 2, 3]), 4), size_distribution(np.array([2, 2, 3]), 4)
    )
    with pytest.raises(ValueError, match="must hold a user with items; got none"):
        size_distribution(np.zeros(3, dtype=int), 4)


def wide(weights, n_items):
    """Log-weights of many items, of which a few have weight: they are drawn with replacement."""
    log_weights = np.full(n_items, -np.inf)
    log_weights[np.linspace(0, n_items - 1, len(weights)).astype(int)] = np.log(weights)
    return log_weights


@pytest.mark.parametrize("of_each", [False, True])
@pytest.mark.parametrize("weights", [[5.0, 3.0, 1.0, 0.5, 0.2], [1e6, 1.0, 2.0, 1.0, 3.0]])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_draws_with_replacement_give_the_same_sets(weights, size, of_each):
    """Against the sum over all orders, at a false-alarm rate of 1e-6; a race ends what they lack.

    A weight of 1e6 is drawn again and again, so that a race finds the others.
    """
    n_users, n_items = 20_000, 35  # three groups of items, the last one not full
    expected = plackett_luce_set_probabilities(weights, size)
    log_weights = wide(weights, n_items)
    if of_each:  # any constant may be added to a row
        log_weights = log_weights + np.linspace(-300, 300, n_users)[:, np.newaxis]
    drawn = plackett_luce(log_weights, np.full(n_users, size), np.random.default_rng(1))
    assert np.all(np.diff(drawn.indptr) == size)
    assert drawn.has_canonical_format
    place = np.searchsorted(np.flatnonzero(np.isfinite(wide(weights, n_items))), drawn.indices)
    observed = dict.fromkeys(expected, 0)
    for row in place.reshape(n_users, size):
        observed[frozenset(row.tolist())] += 1
    counts = np.array([observed[key] for key in expected])
    probabilities = np.array([expected[key] for key in expected]) * n_users
    seen = probabilities > 1  # sets that hardly ever come make no chi-square
    rest = [counts[~seen].sum()], [probabilities[~seen].sum()]
    parts = (np.append(counts[seen], rest[0]), np.append(probabilities[seen], rest[1]))
    keep = parts[1] > 0
    assert stats.chisquare(parts[0][keep], parts[1][keep]).pvalue > 1e-6


def test_most_draws_are_made_with_replacement(monkeypatch):
    """Of 800 flat items 40 are had without a race, by all but a few users."""
    from cornac_mle.sampling import plackett_luce as module

    raced = []
    race = module._race

    def counted(rows, missing, found, rng):
        raced.append(np.count_nonzero(missing))
        return race(rows, missing, found, rng)

    monkeypatch.setattr(module, "_race", counted)
    drawn = plackett_luce(np.zeros((500, 800)), np.full(500, 40), np.random.default_rng(1))
    assert drawn.nnz == 20_000
    assert raced[0] < 5
    counts = np.bincount(drawn.indices, minlength=800)  # 25 each, a binomial's variance a bit less
    assert stats.chi2.sf(np.sum((counts - 25) ** 2 / (25 * 0.95)), 799) > 1e-6


def test_items_that_hardly_ever_win_are_drawn_when_the_others_are_gone():
    """Weights of exp(-500) are 0 in a sum of weights of 1, and yet above 0."""
    log_weights = np.full(64, -500.0)
    log_weights[[3, 40]] = 0.0
    log_weights[10] = -np.inf
    drawn = plackett_luce(log_weights, np.full(50, 8), np.random.default_rng(1)).toarray()
    assert np.all(drawn[:, [3, 40]] == 1)
    assert np.all(drawn[:, 10] == 0)
    assert np.all(drawn.sum(axis=1) == 8)


def test_a_user_without_any_weight_has_no_items_and_disturbs_nobody():
    log_weights = np.zeros((3, 100))
    log_weights[1] = -np.inf
    drawn = plackett_luce(log_weights, np.full(3, 5), np.random.default_rng(1))
    assert np.diff(drawn.indptr).tolist() == [5, 0, 5]
