import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats
from scipy.integrate import quad

from cornac_mle.metrics._classifier import (
    class_scores,
    classifier_features,
    classifier_p_value,
    cross_fitted,
    frontier,
    taste_directions,
)
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.two_sample import ClassifierTest, FrontierMissing, FrontierUnrealistic
from cornac_mle.null_models.corruption import popularity_draws, swap
from cornac_mle.profiles import Profiles
from worlds import checkerboard, taste_world

METRICS = [ClassifierTest(), FrontierUnrealistic(), FrontierMissing()]


@pytest.fixture(scope="module")
def world():
    return taste_world(720, mean_size=12, seed=5)


@pytest.fixture(scope="module")
def evaluator(world):
    groups = (world[:200], world[range(200, 360)], world[range(360, 520)])
    return Evaluator.fit(*groups, rng=1, n_splits=6)


@pytest.fixture(scope="module")
def fresh(world):
    """Real users of no group, dressed as synthetic ones."""
    return Profiles.from_matrix(world.matrix[520:680], world.item_ids)


def measured(metric, evaluator, users):
    return metric.measure(evaluator, users, rng=np.random.default_rng(3))


def both(evaluator, users):
    """Unrealistic and missing."""
    return tuple(measured(metric, evaluator, users).value for metric in METRICS[1:])


def dressed(matrix, world):
    return Profiles.from_matrix(sp.csr_array(matrix), world.item_ids)


# -------------------------------------------------------------------------- of plain feature arrays


def test_frontier_by_hand():
    # One real user with eta = 1/4: log2(2 * 3/4) = .58496, in the missing part. One synthetic user
    # with eta = 3/4: log2(2 * 3/4) = .58496, in the unrealistic part.
    log_odds = np.log(3)
    found = frontier(np.array([-log_odds]), np.array([log_odds]))
    assert found == pytest.approx((0.58496, 0.58496), abs=1e-5)
    # Both with eta = 3/4, where the real user is no likelier than at eta: log2(2 * 1/4) = -1.
    unrealistic, missing = frontier(np.array([log_odds]), np.array([log_odds]))
    assert unrealistic == pytest.approx(0.58496 - 1, abs=1e-5)
    assert missing == pytest.approx(0.0)


def test_frontier_of_a_share_of_junk_is_about_that_share():
    """True eta: of a share a of junk 1, else (1 - a) / (2 - a).

    a = .3: real users lose log2(2 / 1.7) = .2345 bits, the .7 genuine synthetic ones gain
    .7 log2(1.4 / 1.7) = -.1961: .0384 missing; the junk gains .3 log2(2): .3 unrealistic. The end
    points of the frontier, KL(Q, M) = .3 - .1961 and KL(P, M) = .2345, say the opposite.
    """
    share = 0.3
    as_real = np.full(700, np.log(1 - share))
    junk = np.full(300, 50.0)
    found = frontier(np.full(1000, np.log(1 - share)), np.concatenate([as_real, junk]))
    assert found == pytest.approx((0.3, 0.0384), abs=1e-4)


def true_divergence(shift):
    """KL(Q, (P + Q) / 2) = KL(P, (P + Q) / 2) in bits of P = N(0, 1) and Q = N(shift, 1)."""
    p, q = stats.norm(0, 1).pdf, stats.norm(shift, 1).pdf
    return quad(lambda x: q(x) * np.log2(2 * q(x) / (p(x) + q(x))), -12, 12 + shift)[0]


@pytest.mark.parametrize("shift", [0.5, 2.0])
def test_known_answer_of_two_normal_distributions(shift):
    """Both parts equal the divergence, by symmetry; AUC = Phi(shift / sqrt 2).

    Tolerance .03 at 4,000 + 4,000 users, 6 standard deviations over repeats.
    """
    random = np.random.default_rng(1)
    real, synthetic = random.normal(size=(4000, 1)), random.normal(shift, 1, size=(4000, 1))
    scores = cross_fitted(real, synthetic, rng=random)
    truth = true_divergence(shift)
    assert frontier(scores.real, scores.synthetic) == pytest.approx((truth, truth), abs=0.03)
    assert scores.auc == pytest.approx(stats.norm.cdf(shift / np.sqrt(2)), abs=0.03)


def test_frontier_is_near_one_for_distributions_that_do_not_meet():
    random = np.random.default_rng(1)
    real, synthetic = random.normal(size=(200, 3)), random.normal(50, 1, size=(200, 3))
    scores = cross_fitted(real, synthetic, rng=random)
    assert scores.auc == 1.0
    assert min(frontier(scores.real, scores.synthetic)) > 0.97


def test_nothing_is_found_where_nothing_differs():
    """Thirty features of noise, 50 + 50 users, 40 repeats: fitted and tested on the same users the
    AUC would be above .8; cross-fitted means lie within 5 standard errors of .5, and of a little
    below 0 for the divergences.
    """
    random = np.random.default_rng(1)
    found = []
    for _ in range(40):
        scores = cross_fitted(
            random.normal(size=(50, 30)), random.normal(size=(50, 30)), rng=random
        )
        found.append([scores.auc, *frontier(scores.real, scores.synthetic)])
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(40)
    assert abs(mean[0] - 0.5) < 5 * error[0]
    assert np.all(mean[1:] < 5 * error[1:])
    assert np.all(mean[1:] > -0.02)


def test_unequal_groups_are_weighed_alike():
    """Ten real users to each synthetic one: tolerance .13, 5 standard deviations over repeats."""
    random = np.random.default_rng(1)
    real, synthetic = random.normal(size=(6000, 1)), random.normal(2, 1, size=(600, 1))
    scores = cross_fitted(real, synthetic, rng=random)
    truth = true_divergence(2.0)
    assert frontier(scores.real, scores.synthetic) == pytest.approx((truth, truth), abs=0.13)


@pytest.mark.parametrize("seed", range(3))
def test_junk_is_unrealistic_and_a_lost_mode_is_missing(seed):
    """A third of one side far away from the other side, in the first of three features."""
    random = np.random.default_rng(seed)
    near, part_far = random.normal(size=(600, 3)), random.normal(size=(600, 3))
    part_far[:200, 0] += 5
    junk = cross_fitted(near, part_far, rng=random)
    lost = cross_fitted(part_far, near, rng=random)
    for scores, larger, smaller in ((junk, 0, 1), (lost, 1, 0)):
        parts = frontier(scores.real, scores.synthetic)
        assert parts[larger] > 0.2
        assert abs(parts[smaller]) < 0.06


def test_p_value_is_that_of_scores_on_unseen_users():
    random = np.random.default_rng(1)
    noise = random.normal(size=(40, 20))
    assert classifier_p_value(noise, noise + 3, random) < 1e-4
    assert classifier_p_value(np.ones((20, 2)), np.ones((20, 2)), random) == 1.0


def test_p_value_has_its_level_on_users_of_a_world(evaluator, world):
    """300 times 30 users against 30 others, all real: rejections are binomial.

    Which users are called synthetic is drawn at random, so the test is exact given the users, but
    for Mann-Whitney's normal approximation. A false alarm has a probability of 1e-6 at each level.
    """
    pool = classifier_features(evaluator, world[range(360, 720)])
    random = np.random.default_rng(1)
    p_values = []
    for _ in range(300):
        rows = random.permutation(len(pool))[:60]
        p_values.append(classifier_p_value(pool[rows[:30]], pool[rows[30:]], random))
    for level in (0.01, 0.05, 0.1):
        rejected = int(np.sum(np.asarray(p_values) <= level))
        assert stats.binomtest(rejected, 300, level, alternative="greater").pvalue > 1e-6
    assert np.mean(np.asarray(p_values) <= 0.5) > 0.35  # not merely never small


# ----------------------------------------------------------------------------------------- features


def test_taste_directions_are_singular_vectors():
    board = checkerboard(60, 10, seed=1)
    normed = board.matrix.toarray().astype(np.float64)
    normed /= np.linalg.norm(normed, axis=1, keepdims=True)
    # The first two items of either half are held by all who may: 8 directions of 10, not 9.
    expected = np.linalg.svd(normed, full_matrices=False)[2][:8].T
    directions = taste_directions(board.matrix)
    assert directions.shape == (10, 8)
    assert np.abs(np.sum(directions * expected, axis=0)) == pytest.approx(np.ones(8))


def test_description_is_finite_and_of_the_set_only(evaluator, fresh):
    matrix = fresh.matrix.toarray()
    matrix[:5] = 0
    matrix[5:9] = 0
    matrix[5:9, 3] = 1
    odd = dressed(matrix, fresh)
    found = classifier_features(evaluator, odd)
    assert np.all(np.isfinite(found))
    assert np.all(found[:5] == found[0])
    valued = dressed(matrix * 4, fresh)
    assert classifier_features(evaluator, valued) == pytest.approx(found)


# ------------------------------------------------------------------------------------ of real users


def test_real_users_are_at_the_ceiling(evaluator, fresh):
    for metric in METRICS:
        result = measured(metric, evaluator, fresh)
        assert result.low <= result.value <= result.high <= metric.bounds[1]
        assert abs(result.value - result.ceiling) < abs(result.value - result.floor) / 3
        assert result.ceiling == pytest.approx(metric.ideal, abs=0.06)
        assert result.normalised > 0.7
        assert result.loss == pytest.approx(abs(result.value - metric.ideal))
    assert measured(ClassifierTest(), evaluator, fresh).p_value > 0.01


def test_popularity_users_are_at_the_floor(evaluator, world):
    drawn = popularity_draws(world.item_counts, evaluator.held_out.sizes, rng=9)
    users = Profiles.from_matrix(drawn, world.item_ids)
    for metric in METRICS:
        result = measured(metric, evaluator, users)
        assert abs(result.value - result.floor) <= result.high - result.low
    assert measured(ClassifierTest(), evaluator, users).value > 0.9


def test_swaps_are_found_the_more_the_larger(evaluator, fresh, world):
    found = []
    for share in (0.1, 0.3, 0.9):
        users = dressed(swap(fresh.matrix, share, popularity=world.item_counts, rng=4), world)
        result = measured(ClassifierTest(), evaluator, users)
        found.append((result.value, *both(evaluator, users)))
    assert np.all(np.diff(np.asarray(found), axis=0) > 0)
    assert result.p_value < 1e-6


def test_copies_are_not_told_and_one_repeated_user_is(evaluator, world):
    """The judges know neither training nor held-out users."""
    copies = dressed(world.matrix[:160], world)
    assert measured(ClassifierTest(), evaluator, copies).value == pytest.approx(0.5, abs=0.12)
    lone = dressed(world.matrix[np.zeros(160, dtype=int)], world)
    assert measured(ClassifierTest(), evaluator, lone).value > 0.95


def test_empty_and_one_item_users_are_told(evaluator, fresh):
    matrix = fresh.matrix.toarray()
    matrix[:80] = 0
    matrix[40:80, 0] = 1
    users = dressed(matrix, fresh)
    assert measured(ClassifierTest(), evaluator, users).value > 0.65
    unrealistic, missing = both(evaluator, users)
    assert unrealistic > 0.25
    assert unrealistic > missing + 0.1


@pytest.fixture(scope="module")
def board():
    return checkerboard(900, 40, density=0.4, seed=2)


@pytest.fixture(scope="module")
def board_evaluator(board):
    return Evaluator.fit(None, board[:300], board[range(300, 600)], rng=1, n_splits=5)


def test_a_model_that_loses_one_of_two_kinds_of_user_is_missing_them(board, board_evaluator):
    """Of two kinds, half and half, one only: eta is 2/3 for that kind and 0 for the lost one.

    Missing: 1/2 log2(2) = .5. Unrealistic: log2(4/3) + 1/2 log2(2/3) = .1226. The classifier,
    linear, finds most of it and not more, but for the sampling error of 150 users a side.
    """
    even = dressed(
        board.matrix[np.concatenate([np.arange(600, 900, 2), np.arange(0, 300, 2)])], board
    )
    unrealistic, missing = both(board_evaluator, even)
    assert 0.38 < missing < 0.56
    assert unrealistic == pytest.approx(0.1226, abs=0.08)


def test_mixed_in_junk_is_unrealistic(board, board_evaluator):
    """A third of the users holds items of both halves: .333 unrealistic, .048 missing."""
    genuine = board.matrix[600:800]
    junk = popularity_draws(board.item_counts, board.sizes[800:900], rng=3)
    unrealistic, missing = both(
        board_evaluator, dressed(sp.vstack([genuine, junk], format="csr"), board)
    )
    assert 0.2 < unrealistic < 0.37
    assert missing < 0.08


def test_scores_are_shared_and_repeatable(evaluator, fresh, monkeypatch):
    from cornac_mle.metrics import _classifier

    users = fresh[np.arange(len(fresh))]
    calls = []
    monkeypatch.setattr(
        _classifier, "cross_fitted", lambda *a, **k: calls.append(1) or cross_fitted(*a, **k)
    )
    first = [measured(metric, evaluator, users).value for metric in METRICS]
    assert len(calls) == evaluator.n_splits
    again = [measured(metric, evaluator, fresh).value for metric in METRICS]
    assert again == first
    other = class_scores(evaluator, users, evaluator.splits(30, len(users)))
    assert len(other[0].real) == 30


def test_too_few_users(evaluator, fresh):
    with pytest.raises(
        ValueError, match="each be at least 20 users; got 160 and 18 for Classifier"
    ):
        measured(ClassifierTest(), evaluator, fresh[:18])
    assert np.isfinite(measured(ClassifierTest(), evaluator, fresh[:20]).value)


def test_order_of_items_hardly_matters(evaluator, fresh):
    """Not at all but for the judges, whose planted items are drawn in the order of items."""
    order = evaluator.held_out.item_ids[::-1]
    groups = (evaluator.train, evaluator.reference, evaluator.held_out)
    turned = Evaluator.fit(*(group.align(order) for group in groups), rng=1, n_splits=6)
    directions = taste_directions(evaluator.reference.matrix)
    assert np.abs(taste_directions(turned.reference.matrix)[::-1]) == pytest.approx(
        np.abs(directions), abs=1e-8
    )
    result = measured(ClassifierTest(), evaluator, fresh)
    other = measured(ClassifierTest(), turned, fresh.align(order))
    assert abs(other.value - result.value) < (result.high - result.low) / 2


def test_names_of_users_do_not_matter(evaluator, fresh):
    """Synthetic users may go by the names of real ones."""
    renamed = Profiles(fresh.matrix, evaluator.held_out.user_ids[: len(fresh)], fresh.item_ids)
    assert (
        measured(ClassifierTest(), evaluator, renamed).value
        == measured(ClassifierTest(), evaluator, fresh).value
    )


def test_reference_users_who_are_all_alike_have_a_taste_of_one_direction():
    """scikit-learn divides by the variance of nothing; what it warns of is not used."""
    alike = sp.csr_array(np.tile(np.arange(8.0) < 3, (40, 1)))
    directions = taste_directions(alike)
    assert directions.shape == (8, 1)
    assert np.abs(directions[:, 0]) == pytest.approx(np.where(np.arange(8) < 3, 3**-0.5, 0))
