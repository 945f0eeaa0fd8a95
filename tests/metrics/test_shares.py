"""Shares of users that are certainly unrealistic, or certainly missing."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats

from cornac_mle.metrics import Evaluator
from cornac_mle.metrics.base import NotMeasurableError
from cornac_mle.metrics.missing_share import MissingShare
from cornac_mle.metrics.unrealistic_share import UnrealisticShare
from cornac_mle.null_models.corruption import popularity_draws, swap
from cornac_mle.profiles import Profiles, ids_index
from cornac_mle.stats.contamination import contamination_bound
from worlds import profiles, taste_world

N_ITEMS = 80


def tastes(world, seed):
    """Taste of each user of `taste_world(..., seed=seed)`, by drawing what it draws."""
    random = np.random.default_rng(seed)
    random.gamma(0.3, size=(4, N_ITEMS))
    random.poisson(14, len(world))
    random.exponential(size=(len(world), N_ITEMS))
    return random.integers(4, size=len(world))


@pytest.fixture(scope="module")
def world():
    return taste_world(3_000, n_items=N_ITEMS, mean_size=14, seed=5)


@pytest.fixture(scope="module")
def evaluator(world):
    groups = (world[:800], world[range(800, 1200)], world[range(1200, 1800)])
    return Evaluator.fit(*groups, rng=1)


@pytest.fixture(scope="module")
def fresh(world):
    """Real users of no group, dressed as synthetic ones."""
    return Profiles.from_matrix(world.matrix[1800:], world.item_ids)


@pytest.fixture(scope="module")
def random_users(world):
    drawn = popularity_draws(world.item_counts, world.sizes[1800:], rng=9)
    return Profiles.from_matrix(drawn, world.item_ids)


def mixed(real, other, share):
    """A share of `other` users, the rest `real` ones."""
    count = round(share * len(real))
    matrix = sp.vstack([other.matrix[:count], real.matrix[count:]], format="csr")
    return Profiles.from_matrix(sp.csr_array(matrix), real.item_ids)


def measure(metric, evaluator, users, seed=3):
    return metric.measure(evaluator, users, rng=np.random.default_rng(seed))


class Model:
    """Draws users from a pool, and remembers how many were asked for."""

    name = "Pool"
    catalogue_ = None

    def __init__(self, pool):
        self.pool, self.asked = pool, []

    def sample(self, n_users, *, rng):
        self.asked.append(n_users)
        rows = np.random.default_rng(rng).integers(len(self.pool), size=n_users)
        return Profiles.from_matrix(self.pool.matrix[rows], self.pool.item_ids)

    def estimate_log_likelihood(self, profiles, *, rng, values):
        raise NotImplementedError


@pytest.mark.parametrize("metric", [UnrealisticShare(), MissingShare()], ids=repr)
class TestBoth:
    def test_real_users_are_at_the_ceiling_and_popularity_at_the_floor(
        self, metric, evaluator, fresh, random_users
    ):
        """A bound is above 0 for real users at most once in 20 by right; here nearly never."""
        result = measure(metric, evaluator, fresh)
        assert result.value == result.low == result.ceiling == 0.0
        assert result.high == result.normalised == 1.0
        assert result.loss == 0.0
        low = measure(metric, evaluator, random_users)
        assert low.floor > 0.5
        assert low.value == pytest.approx(low.floor, abs=0.1)
        assert low.normalised == pytest.approx(0.0, abs=0.15)
        assert low.per_user is None

    def test_swaps_are_found_the_more_the_larger(self, metric, evaluator, fresh, world):
        values = []
        for share in (0.2, 0.9):
            matrix = swap(fresh.matrix, share, popularity=world.item_counts, rng=4)
            users = Profiles.from_matrix(matrix, world.item_ids)
            values.append(measure(metric, evaluator, users).value)
        assert 0 < values[0] < values[1] - 0.1

    def test_same_rng_same_answer(self, metric, evaluator, random_users):
        first, again = (measure(metric, evaluator, random_users) for _ in range(2))
        assert (first.value, first.minimum_detectable) == (again.value, again.minimum_detectable)

    def test_order_of_items_does_not_matter(self, metric, evaluator, fresh, random_users):
        """But for the planted items that judges learn from, which follow the order of items."""
        order = ids_index(list(evaluator.held_out.item_ids[::-1]))
        groups = (evaluator.train, evaluator.reference, evaluator.held_out)
        turned = Evaluator.fit(*(group.align(order) for group in groups), rng=1)
        users = mixed(fresh, random_users, 0.5)
        found = measure(metric, evaluator, users).value
        assert measure(metric, turned, users.align(order)).value == pytest.approx(found, abs=0.08)

    def test_empty_and_one_item_users_are_measured(self, metric, evaluator, fresh):
        matrix = fresh.matrix.toarray()
        matrix[:300] = 0
        matrix[300:500, 1:] = 0
        matrix[300:500, 0] = 1
        before = matrix.copy()
        odd = Profiles.from_matrix(sp.csr_array(matrix), fresh.item_ids)
        result = measure(metric, evaluator, odd)
        assert np.array_equal(odd.matrix.toarray(), before)
        # 500 of 1,200 users are beneath all real ones; real users are all produced.
        if isinstance(metric, UnrealisticShare):
            assert 0.3 < result.value <= 500 / 1200
        else:
            assert result.value < 0.1

    def test_a_bound_of_zero_says_what_it_would_have_found(self, metric, evaluator, fresh):
        many, few = (measure(metric, evaluator, fresh[:n]) for n in (1_200, 160))
        assert 0 < many.minimum_detectable < few.minimum_detectable < 0.5

    def test_real_users_are_measured_once(
        self, metric, evaluator, fresh, random_users, monkeypatch
    ):
        groups = (evaluator.train, evaluator.reference, evaluator.held_out)
        made, measured, real_side = Evaluator.fit(*groups, rng=1), [], metric._ceiling_and_floor
        monkeypatch.setattr(
            type(metric), "_ceiling_and_floor", lambda _, *a: measured.append(1) or real_side(*a)
        )
        for users in (fresh, random_users):
            measure(metric, made, users)
        assert len(measured) == 1
        # What was remembered does not depend on who came first.
        other = Evaluator.fit(*groups, rng=1)
        other_first = measure(metric, other, random_users, seed=8)
        assert other_first.floor == measure(metric, made, fresh).floor


# ------------------------------------------------------------------------------ unrealistic users


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_the_share_of_popularity_users_is_never_overstated(
    evaluator, world, fresh, random_users, share
):
    """500 repeats; more than that many errors has a probability of 1e-6 if it is at most 1 in 20.

    Draws with replacement from scored users: the scored real users are then the distribution P
    itself.
    """
    random = np.random.default_rng(1)
    real = np.concatenate(
        [evaluator.plausibility(fresh), evaluator.plausibility(evaluator.held_out)]
    )
    other = evaluator.plausibility(random_users)
    errors = 0
    for _ in range(500):
        is_other = random.random(300) < share
        scores = np.where(is_other, random.choice(other, 300), random.choice(real, 300))
        errors += contamination_bound(scores, random.choice(real, 300)) > share
    assert errors <= stats.binom.ppf(1 - 1e-6, 500, 0.05)


def test_one_user_says_little(world, evaluator, fresh):
    """Of one user something is certain if nobody of 600 is so implausible; among 18, nothing is."""
    found = measure(UnrealisticShare(), evaluator, fresh[:1])
    assert found.value == 0.0
    assert found.minimum_detectable > 0.7
    few = evaluator.with_held_out(world[range(1200, 1218)], rng=1)
    with pytest.raises(NotMeasurableError, match="users are too few to certify any share at"):
        measure(UnrealisticShare(), few, fresh[:1])


def test_a_third_of_popularity_users_is_certified(evaluator, fresh, random_users):
    found = measure(UnrealisticShare(), evaluator, mixed(fresh, random_users, 0.3)).value
    assert 0.15 < found <= 0.3


def test_order_of_users_does_not_matter(evaluator, fresh, random_users):
    users = mixed(fresh, random_users, 0.3)
    turned = users[np.arange(len(users))[::-1]]
    value = measure(UnrealisticShare(), evaluator, users).value
    assert measure(UnrealisticShare(), evaluator, turned, seed=9).value == value


def test_too_typical_users_are_not_seen(evaluator, fresh):
    """One-sided: the most plausible real users, each many times over, are no implausible ones."""
    best = np.argsort(evaluator.plausibility(fresh))[-100:]
    users = Profiles.from_matrix(fresh.matrix[np.tile(best, 6)], fresh.item_ids)
    assert measure(UnrealisticShare(), evaluator, users).value == 0.0


# --------------------------------------------------------------------------------- missing users


def test_a_missing_taste_is_found(world, evaluator, fresh):
    """The model has three tastes of four: a quarter of the real users are missing."""
    taste = tastes(world, 5)[1800:]
    complete = MissingShare().measure_model(evaluator, Model(fresh), rng=np.random.default_rng(1))
    some = Model(fresh[taste != 0])
    lacking = MissingShare().measure_model(evaluator, some, rng=np.random.default_rng(1))
    assert some.asked == [1200]  # twice the 600 held-out users
    assert lacking.n_synthetic == 1200
    assert complete.value < 0.03
    assert 0.1 < lacking.value < 0.3


def test_nonsense_beside_real_users_does_not_make_them_missing(evaluator, fresh, random_users):
    assert measure(MissingShare(), evaluator, mixed(fresh, random_users, 0.3)).value < 0.05


def test_a_handful_of_synthetic_users_is_no_norm(evaluator, fresh):
    found = measure(MissingShare(), evaluator, fresh[:4])
    assert found.value == 0.0
    assert found.minimum_detectable > 0.8
    with pytest.raises(NotMeasurableError, match="600 held-out and 0 synthetic"):
        measure(MissingShare(), evaluator, fresh[:1])


def test_small_evaluators_draw_a_thousand_users(world, evaluator, fresh):
    small = evaluator.with_held_out(world[range(1200, 1300)], rng=1)
    model = Model(fresh)
    MissingShare().measure_model(small, model, rng=np.random.default_rng(1))
    assert model.asked == [1000]


def test_a_model_that_has_collapsed_lacks_nearly_everyone(evaluator, fresh):
    for kinds in (1, 5):
        users = Profiles.from_matrix(fresh.matrix[np.arange(600) % kinds], fresh.item_ids)
        assert measure(MissingShare(), evaluator, users).value > 0.9
    # One kind: none of 600 held-out users is among it, all of 300 synthetic ones are. Two scores:
    # .025 each. Who knew all labels would refuse shares up to .025^(1/600) = .99387.
    users = Profiles.from_matrix(fresh.matrix[np.zeros(600, dtype=int)], fresh.item_ids)
    assert 0.992 < measure(MissingShare(), evaluator, users).value <= 0.99387


def test_a_model_of_empty_users_lacks_everyone(evaluator):
    nobody = Profiles.from_matrix(
        sp.csr_array((600, N_ITEMS), dtype=np.float32), evaluator.held_out.item_ids
    )
    assert measure(MissingShare(), evaluator, nobody).value > 0.95


def test_without_training_users_there_is_no_ceiling(evaluator, fresh):
    alone = Evaluator.fit(None, evaluator.reference, evaluator.held_out, rng=1)
    result = measure(MissingShare(), alone, fresh)
    assert result.ceiling is None
    assert result.normalised is None
    assert result.floor > 0.5


def test_the_labels_of_tastes_are_the_worlds(world):
    """Users of one taste share more items with one another than with others."""
    taste = tastes(world, 5)[:400]
    shared = (world.matrix[:400] @ world.matrix[:400].T).toarray()
    alike = taste[:, None] == taste[None, :]
    np.fill_diagonal(alike, val=False)
    assert shared[alike].mean() > 1.3 * shared[taste[:, None] != taste[None, :]].mean()
    assert profiles(world.matrix).item_ids.equals(world.item_ids)
