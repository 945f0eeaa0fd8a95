"""The judge's score is adjusted for size and popularity, and no reference user votes for itself."""

import numpy as np
import pytest
from scipy.stats import hypergeom, ks_2samp

from cornac_mle.plausibility.judge import PlausibilityModel
from worlds import taste_world

FALSE_ALARM = 1e-6
N_FITTED = 300


# The adjustment --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world():
    """Users whose sizes differ as those of real users do: from 3 items to 60, half of all."""
    return taste_world(1300, seed=2, size_spread=0.6).matrix


@pytest.fixture(scope="module")
def judge(world):
    return PlausibilityModel.fit(world[:N_FITTED], rng=0)


def fifths(values):
    """Number, 0 to 4, of the fifth that each value is in; ties split at random, (n,)."""
    order = np.lexsort((np.random.default_rng(0).random(values.size), values))
    fifth = np.empty(values.size, dtype=int)
    fifth[order] = np.arange(values.size) * 5 // values.size
    return fifth


def smallest_tail(scores, circumstance):
    """How surprising is the most surprising fifth of users, by how many low or high scorers it has?

    Were the scores independent of the circumstance, the number of users who are both in a given
    fifth of the scores and in a given fifth of the circumstance would be hypergeometric. Smallest
    of its tail probabilities, times the number of tails looked at.
    """
    n, fifth = scores.size, scores.size // 5
    tails = []
    for end in (0, 4):
        for group in range(5):
            both = np.sum((fifths(scores) == end) & (fifths(circumstance) == group))
            tails += [hypergeom.cdf(both, n, fifth, fifth), hypergeom.sf(both - 1, n, fifth, fifth)]
    return min(tails) * len(tails)


def circumstances(profiles, counts):
    """1, log size, its square, mean log(count + 1), mean rank share of the count, user by user."""
    share = np.array([np.sum(counts < c) + (np.sum(counts == c) + 1) / 2 for c in counts])
    rows = []
    for user in range(profiles.shape[0]):
        items = profiles.indices[profiles.indptr[user] : profiles.indptr[user + 1]]
        log_size = np.log(len(items))
        popularity = np.mean([np.log(counts[item] + 1) for item in items])
        rank = np.mean([share[item] / counts.size for item in items])
        rows.append([1.0, log_size, log_size**2, popularity, rank])
    return np.array(rows)


@pytest.mark.parametrize("of", ["size", "popularity"])
def test_no_size_and_no_popularity_is_favoured(world, judge, of):
    """Holds for the adjusted score of users never seen, and not for the raw one."""
    fresh = world[N_FITTED:]
    counts = np.bincount(world[:N_FITTED].indices, minlength=world.shape[1])
    circumstance = circumstances(fresh, counts)[:, {"size": 1, "popularity": 3}[of]]
    described = judge.describe(fresh)
    np.testing.assert_array_equal(judge.score(fresh), described[:, 0])
    assert smallest_tail(judge.score(fresh), circumstance) > FALSE_ALARM
    assert smallest_tail(described[:, 1], circumstance) < FALSE_ALARM


def test_the_score_is_the_raw_one_less_its_location_over_its_scale(world, judge):
    """By the definition, user by user; beyond the range of reference users it stays as it is."""
    fresh = world[N_FITTED : N_FITTED + 200]
    counts = np.bincount(world[:N_FITTED].indices, minlength=world.shape[1])
    np.testing.assert_array_equal(judge.user_counts, counts)
    seen = circumstances(fresh, counts)
    low, high = judge.bounds
    assert np.any(seen[:, 3] < low[3])
    assert np.any(seen[:, 1] > high[1])
    within = np.minimum(np.maximum(seen, low), high)
    raw = judge.describe(fresh)[:, 1]
    wanted = (raw - within @ judge.location) / np.exp(within @ judge.log_scale)
    np.testing.assert_allclose(judge.score(fresh), wanted, rtol=1e-9)
    # Not idle: it moves the scores by more than their spread, and scales them unequally.
    assert np.std(within @ judge.location) > 0.02
    assert np.ptp(within @ judge.log_scale) > 0.1


# Cross-fitting ---------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["ease", "item-knn", "svd"])
def test_reference_users_score_like_users_who_were_never_seen(family):
    """Two-sample Kolmogorov-Smirnov test, in a world where most items have few holders.

    Where a user's own items count for it (in the predictor, or in the number of users who hold an
    item), items that hardly anyone else holds give it away: p is below 1e-16 then.
    """
    users = taste_world(900, n_items=1500, mean_size=10, seed=1).matrix
    fitted = PlausibilityModel.fit(users[:N_FITTED], family=family, rng=0)
    unseen = fitted.score(users[N_FITTED:])
    assert ks_2samp(fitted.reference_scores, unseen).pvalue > FALSE_ALARM
