"""One rule for real and synthetic users, and no copy of the comparison's own users unsaid."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from cornac_mle.eval_methods.held_out_users import HeldOutUsers
from cornac_mle.metrics import (
    CopiedUsers,
    Evaluator,
    PlausibilityKS,
    ProfileSizeKS,
    UnrealisticShare,
    UnrealisticUsers,
)
from cornac_mle.metrics.identical_users import identical_users
from cornac_mle.models.training_users import TrainingUsers
from cornac_mle.profiles import Profiles, ids_index
from worlds import taste_world


@pytest.fixture(scope="module")
def world():
    return taste_world(800, n_items=60, mean_size=8, seed=2)


@pytest.fixture(scope="module")
def evaluator(world):
    return Evaluator.fit(world[:200], world[200:400], world[400:600], rng=1, min_items=2)


def renamed(users, prefix="z"):
    return Profiles(
        users.matrix,
        ids_index([f"{prefix}{number}" for number in range(len(users))]),
        users.item_ids,
    )


def with_short_users(users, count):
    """The users, and `count` ones of a single item."""
    lone = sp.csr_array(
        (np.ones(count, np.float32), (np.arange(count), np.arange(count) % 60)), shape=(count, 60)
    )
    matrix = sp.csr_array(sp.vstack([lone, users.matrix], format="csr"))
    return Profiles.from_matrix(matrix, users.item_ids)


def test_short_synthetic_users_are_left_out_as_real_ones_are(world, evaluator):
    """47% of MovieTweetings' real users hold one item: they seemed unrealistic, certified."""
    fresh = world[600:]
    mixed = with_short_users(fresh, 180)
    for metric in (UnrealisticShare(), UnrealisticUsers(), PlausibilityKS(19), ProfileSizeKS()):
        plain = metric.measure(evaluator, fresh, rng=np.random.default_rng(1))
        found = metric.measure(evaluator, mixed, rng=np.random.default_rng(1))
        assert found.n_left_out == 180
        assert plain.n_left_out == 0
        assert found.value == plain.value
    assert found.user_ids.tolist() == [f"s{number}" for number in range(180, 380)]


def test_without_the_rule_the_same_users_are_certified_as_unrealistic(world):
    anyone = Evaluator.fit(world[:200], world[200:400], world[400:600], rng=1)
    mixed = with_short_users(world[600:], 180)
    found = UnrealisticShare().measure(anyone, mixed, rng=np.random.default_rng(1))
    assert found.n_left_out == 0
    assert found.value > 0.3  # 180 of 380 hold a single item


def test_the_order_of_items_is_brought_and_a_subset_is_no_loss(world, evaluator):
    fresh = world[600:]
    metric = UnrealisticUsers()
    value = metric.measure(evaluator, fresh, rng=np.random.default_rng(1)).value
    turned = fresh.align(fresh.item_ids[::-1])
    assert metric.measure(evaluator, turned, rng=np.random.default_rng(1)).value == value
    held = fresh.split_items(fresh.item_ids[fresh.item_counts > 0])[0]
    assert metric.measure(evaluator, held, rng=np.random.default_rng(1)).value == value


def test_items_of_no_real_user_are_refused_with_their_number(world, evaluator):
    fresh = world[600:]
    odd = Profiles(fresh.matrix, fresh.user_ids, ids_index([*fresh.item_ids[:-2], "x", "y"]))
    with pytest.raises(ValueError, match="`synthetic` must hold items of the real users only; got"):
        UnrealisticUsers().measure(evaluator, odd, rng=1)


@pytest.mark.parametrize("group", ["held_out", "reference"])
def test_a_copy_of_the_users_of_the_comparison_is_said_loudly(world, evaluator, group):
    copy = renamed(getattr(evaluator, group))
    found = identical_users(evaluator, copy)
    assert [one.group for one in found] == [group.replace("_", "-")]
    assert found[0].count == len(copy)
    with pytest.warns(UserWarning, match="200 of 200 synthetic users hold exactly the items of"):
        CopiedUsers().measure(evaluator, copy, rng=1)
    half = renamed(Profiles.concat(getattr(evaluator, group)[:30], world[600:]))
    assert identical_users(evaluator, half)[0].count >= 30


def test_new_users_and_training_users_are_no_alarm(world, evaluator):
    """Small sets recur by chance, as often among real users: Fisher's test at .001, 50 splits."""
    alarms = 0
    for seed in range(50):
        rows = np.random.default_rng(seed).permutation(800)
        groups = [world[np.sort(rows[start : start + 200])] for start in range(0, 800, 200)]
        small = [
            Profiles.from_matrix(part.matrix[:, :12].tocsr(), part.item_ids[:12], part.user_ids)
            for part in groups
        ]
        fitted = evaluator_of(*small[:3])
        alarms += bool(identical_users(fitted, renamed(small[3])))
    assert alarms <= 3  # binomial of 2 x .001 a split: P(4 or more of 50) = 3e-6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert CopiedUsers().measure(evaluator, evaluator.train, rng=1).value == 1


def evaluator_of(train, reference, held_out):
    """An evaluator whose judge nobody asks: fitting one a split would take minutes."""

    class Users:
        def comparable(self, _name, profiles):
            return profiles

    users = Users()
    users.train, users.reference, users.held_out = train, reference, held_out
    return users


def test_training_users_look_like_real_ones_on_sparse_data():
    """Held-out users lost the items of no training user, who lost none: sizes differed by design.

    1,000 users x 20,000 items at random: a value of 1.00 before, the ceiling is about .1.
    """
    random = np.random.default_rng(4)
    rows = [
        (f"u{user}", f"i{item}", 1.0)
        for user in range(1000)
        for item in random.choice(20_000, size=random.integers(3, 20), replace=False)
    ]
    method = HeldOutUsers(rows, seed=1)
    method.evaluate(TrainingUsers(), [ProfileSizeKS()], True, show_validation=False)
    (score,) = method.report.entries
    assert score.measurement.low <= score.measurement.ceiling + 0.03
    assert score.measurement.value < 0.2


def test_the_report_tells_of_a_model_that_gives_back_held_out_users():
    class Leaky(TrainingUsers):
        """Knows the users that it is compared with."""

        def _draw(self, n_users, rng):
            return self.leaked[rng.choice(self.leaked.shape[0], n_users)]

    rows = [
        tuple(row)
        for row in taste_world(400, mean_size=10, seed=3)
        .to_frame()
        .itertuples(index=False, name=None)
    ]
    method = HeldOutUsers(rows, seed=1)
    model = Leaky(name="Leaky")
    model.leaked = method.groups.held_out.split_items(method.groups.training_items)[0].matrix
    method.evaluate(model, [ProfileSizeKS()], True, show_validation=False)
    assert "were they made from these users" in method.report.alerts["Leaky"].lower()
