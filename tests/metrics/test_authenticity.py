import numpy as np
import pytest
import scipy.sparse as sp

from cornac_mle.metrics.authenticity import Authenticity, authentic_shares, nearest_similarity
from cornac_mle.metrics.base import NotMeasurableError
from cornac_mle.metrics.copied_users import CopiedUsers
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.null_models.corruption import swap
from cornac_mle.profiles import Profiles
from worlds import profiles, taste_world


@pytest.fixture(scope="module")
def world():
    return taste_world(600, n_items=80, mean_size=12, seed=5)


@pytest.fixture(scope="module")
def evaluator(world):
    return Evaluator.fit(world[:200], world[range(200, 300)], world[range(300, 420)], rng=1)


@pytest.fixture(scope="module")
def fresh(world):
    return Profiles.from_matrix(world.matrix[420:540], world.item_ids)


def measured(evaluator, users):
    return Authenticity().measure(evaluator, users, rng=np.random.default_rng(3))


def naive_authentic(train, user):
    """Share of a user's nearest training users that it is authentic for, in plain Python."""

    def distance(a, b):
        return 1.0 - len(a & b) / len(a | b) if a | b else 1.0

    to_train = [distance(user, other) for other in train]
    nearest = [place for place, d in enumerate(to_train) if d == min(to_train)]
    authentic = 0
    for place in nearest:
        others = [distance(train[place], t) for i, t in enumerate(train) if i != place]
        authentic += not min(to_train) < min(others)
    return authentic / len(nearest)


@pytest.mark.parametrize("mean_size", [3, 12])
def test_it_is_the_naive_one_ties_and_all(mean_size):
    users = taste_world(120, n_items=20, mean_size=mean_size, seed=2)
    matrix = users.matrix.toarray()
    matrix[100:105] = 0
    users = profiles(sp.csr_array(matrix))
    train, others = users[:70], users[range(70, 120)]
    sets = [set(users.matrix[[row]].indices.tolist()) for row in range(120)]
    found = authentic_shares(train, others, nearest_similarity(train))
    naive = [naive_authentic(sets[:70], user) for user in sets[70:]]
    assert found == pytest.approx(naive)
    if mean_size == 3:
        assert np.any((found > 0) & (found < 1))  # ties are met


def test_by_hand():
    # Training users {0,1,2}, {2,3} and {4,5}: similarities 1/4, 0 and 0, so their nearest have
    # 1/4, 1/4 and 0. The user {0,1} has 2/3 with the first: nearer, not authentic. {2} has 1/2 with
    # the second: not authentic. {0,3,6,7} has 1/6 and 1/5: no nearer than 1/4, authentic. {6}
    # shares nothing, all are equally near at 0 <= 1/4, 1/4, 0: authentic.
    rows = [[0, 1, 2], [2, 3], [4, 5], [0, 1], [2], [0, 3, 6, 7], [6]]
    matrix = np.zeros((7, 8), dtype=np.float32)
    for place, row in enumerate(rows):
        matrix[place, row] = 1
    users = profiles(sp.csr_array(matrix))
    own = nearest_similarity(users[:3])
    assert own.tolist() == [0.25, 0.25, 0.0]
    assert authentic_shares(users[:3], users[range(3, 7)], own).tolist() == [0, 0, 1, 1]


def test_copies_of_one_user_without_a_twin_are_not_authentic(evaluator, world):
    lone = Profiles.from_matrix(world.matrix[np.zeros(500, dtype=int)], world.item_ids)
    result = measured(evaluator, lone)
    assert result.value == 0.0
    assert np.all(result.per_user == 0.0)
    assert CopiedUsers().measure(evaluator, lone, rng=1).value == pytest.approx(1.0)


def test_copies_of_a_user_with_a_twin_are_authentic():
    users = taste_world(40, seed=1)
    twins = profiles(sp.csr_array(users.matrix[[0, 0, *range(1, 20)]]))
    copy = profiles(sp.csr_array(users.matrix[[0, 1]]), prefix="s")
    assert authentic_shares(twins, copy, nearest_similarity(twins)).tolist() == [1.0, 0.0]


def test_new_users_are_at_the_ceiling_and_copies_and_near_copies_below(evaluator, fresh, world):
    result = measured(evaluator, fresh)
    assert result.low <= result.ceiling <= result.high
    assert 0.4 < result.ceiling < 0.95
    copies = Profiles.from_matrix(world.matrix[:120], world.item_ids)
    assert measured(evaluator, copies).value == 0.0
    noisy = swap(copies.matrix, 0.1, popularity=world.item_counts, rng=1)
    near = measured(evaluator, Profiles.from_matrix(noisy, world.item_ids))
    assert near.high < result.ceiling
    assert near.loss == pytest.approx(near.ceiling - near.value)
    far = swap(copies.matrix, 0.9, popularity=world.item_counts, rng=1)
    assert measured(evaluator, Profiles.from_matrix(far, world.item_ids)).value > near.value
    assert result.floor > near.value


def test_value_is_the_mean_over_users_and_order_does_not_matter(evaluator, fresh):
    result = measured(evaluator, fresh)
    assert result.value == pytest.approx(np.mean(result.per_user), abs=0.05)
    assert result.per_user.shape == (120,)
    turned = measured(evaluator, fresh[np.arange(120)[::-1]])
    assert np.array_equal(turned.per_user[::-1], result.per_user)
    order = evaluator.held_out.item_ids[::-1]
    groups = (evaluator.train, evaluator.reference, evaluator.held_out)
    other = Evaluator.fit(*(group.align(order) for group in groups), rng=1)
    assert np.array_equal(measured(other, fresh.align(order)).per_user, result.per_user)


def test_neighbours_of_training_users_are_found_once(evaluator, world, fresh, monkeypatch):
    from cornac_mle.metrics import authenticity

    calls = []
    monkeypatch.setattr(
        authenticity,
        "nearest_similarity",
        lambda users: calls.append(1) or nearest_similarity(users),
    )
    made = Evaluator.fit(world[:200], world[range(200, 300)], world[range(300, 420)], rng=1)
    for users in (fresh, fresh[:100], fresh):
        measured(made, users)
    assert calls == [1]


def test_it_needs_training_users(evaluator, fresh):
    alone = Evaluator.fit(None, evaluator.reference, evaluator.held_out, rng=1)
    with pytest.raises(NotMeasurableError, match="`train` must be given; got None for Authentic"):
        measured(alone, fresh)
