"""What an evaluator remembers belongs to whoever it was computed for, and to nobody else."""

import copy
import gc
import inspect
import pickle
import weakref
from dataclasses import dataclass, replace

import numpy as np
import pytest

from cornac_mle.metrics.base import SplitMetric
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.mmd import MMD
from cornac_mle.metrics.neighbours import NeighbourRecall
from cornac_mle.metrics.pairs import PairError
from cornac_mle.metrics.splits import Split, split_key
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import MetricNote
from worlds import taste_world


class SizeExcess(SplitMetric):
    """A user's own metric, of one name whatever its settings."""

    bounds = (0.0, 1.0)
    ideal = None
    note = MetricNote("ceiling", "users who hold more than so many items")

    def __init__(self, limit):
        self.limit = limit
        super().__init__(name="SizeExcess")

    def _on_splits(self, evaluator, users, splits):
        CALLS.append(users)
        limit = np.asarray(self.limit).max()
        return np.asarray([np.mean(users.sizes[split.other] > limit) for split in splits])


CALLS = []


@pytest.fixture(scope="module")
def world():
    return taste_world(400, mean_size=12, seed=5)


@pytest.fixture
def evaluator(world):
    return Evaluator.fit(None, world[:120], world[range(120, 240)], rng=1, n_splits=4)


@pytest.fixture(scope="module")
def fresh(world):
    return Profiles.from_matrix(world.matrix[240:360], world.item_ids)


def measured(metric, evaluator, users):
    found = metric.measure(evaluator, users, rng=3)
    return found.value, found.ceiling, found.floor


@pytest.mark.parametrize("setting", [lambda n: n, lambda n: [n], np.asarray, lambda n: (n, 0)])
def test_metrics_of_one_name_do_not_share_their_ceiling(evaluator, world, fresh, setting):
    """A setting may be a plain value, or one that cannot be a key of a dictionary."""
    alone = Evaluator.fit(None, world[:120], world[range(120, 240)], rng=1, n_splits=4)
    first = measured(SizeExcess(setting(8)), evaluator, fresh)
    second = measured(SizeExcess(setting(14)), evaluator, fresh)
    assert second == measured(SizeExcess(setting(14)), alone, fresh)
    assert first[1] > second[1] + 0.3


def test_a_setting_that_is_changed_is_another_one(evaluator, fresh):
    metric = SizeExcess(8)
    first = measured(metric, evaluator, fresh)
    metric.limit = 14
    assert measured(metric, evaluator, fresh) == measured(SizeExcess(14), evaluator, fresh)
    assert measured(metric, evaluator, fresh) != first


def test_true_is_not_one(evaluator, fresh):
    class Counted(SizeExcess):
        def _on_splits(self, evaluator, users, splits):
            return np.full(len(splits), 0.25 if self.limit is True else 0.5)

    assert measured(Counted(1), evaluator, fresh)[1] == 0.5
    assert measured(Counted(True), evaluator, fresh)[1] == 0.25


def test_classes_of_one_name_are_two(evaluator, fresh):
    def made(limit):
        class Local(SizeExcess):
            def _on_splits(self, evaluator, users, splits):
                return np.asarray([np.mean(users.sizes[s.other] > limit) for s in splits])

        return Local(0)

    assert measured(made(8), evaluator, fresh)[1] != measured(made(14), evaluator, fresh)[1]


def test_equal_plain_settings_share(evaluator, fresh):
    CALLS.clear()
    measured(SizeExcess(8), evaluator, fresh)
    assert [fresh, evaluator.held_out, evaluator.floor_users] == CALLS
    measured(SizeExcess(8), evaluator, fresh)
    assert CALLS[3:] == [fresh]


def test_a_metric_of_other_settings_is_remembered_while_it_lives(evaluator, fresh):
    CALLS.clear()
    metric = SizeExcess([8])
    for _ in range(2):
        measured(metric, evaluator, fresh)
    assert CALLS[3:] == [fresh]
    owned = weakref.ref(metric)
    n_owners = len(evaluator._memory._answers)
    del metric
    gc.collect()
    assert owned() is None
    assert len(evaluator._memory._answers) == n_owners - 1


def test_a_metric_that_has_no_hash_can_be_an_owner(evaluator, fresh):
    @dataclass(eq=True)
    class Listed(SizeExcess):
        limit: list[int]

        def __post_init__(self):
            super().__init__(self.limit)

    first, second = Listed([8]), Listed([8])
    assert first == second
    CALLS.clear()
    for metric in (first, first, second):
        measured(metric, evaluator, fresh)
    assert len(CALLS) == 3 + 1 + 3


def test_an_owner_that_cannot_last_is_refused(evaluator):
    metric = SizeExcess(8)
    with pytest.raises(TypeError, match="`owner` must be a function, a group of users or a metric"):
        evaluator.remembered(metric.caution, compute=int)


@pytest.mark.parametrize("metric", [MMD(19), NeighbourRecall(3), PairError()], ids=repr)
def test_other_halves_of_the_same_size_are_others(metric, evaluator, fresh):
    """What is remembered of real users knows which of them are in a half."""
    splits = evaluator.splits(60, len(fresh))
    other = [Split(np.arange(60), split.other) for split in splits]
    metric._on_splits(evaluator, fresh, splits)
    seen = metric._on_splits(evaluator, fresh, other)
    evaluator.__setstate__(evaluator.__getstate__())  # remembers nothing
    assert np.array_equal(metric._on_splits(evaluator, fresh, other), seen)


def test_keys_of_splits():
    one, other = Split(np.array([1, 2]), np.array([3])), Split(np.array([1]), np.array([2, 3]))
    assert split_key([one]) != split_key([other])
    assert split_key([one], real_only=True) != split_key([one])
    same_real = Split(one.real.astype(np.int32), other.other)
    assert split_key([one], real_only=True) == split_key([same_real], real_only=True)


# ------------------------------------------------------------------------------- the evaluator


def test_the_signature_of_an_evaluator_has_public_names_only(evaluator):
    assert not [name for name in inspect.signature(Evaluator).parameters if name.startswith("_")]


def test_copies_of_an_evaluator_work(evaluator, fresh):
    expected = measured(SizeExcess(8), evaluator, fresh)
    judge = evaluator.judge_for_family("svd")
    for twin in (
        pickle.loads(pickle.dumps(evaluator)),
        copy.copy(evaluator),
        copy.deepcopy(evaluator),
        replace(evaluator),
    ):
        assert not twin._memory._answers
        assert measured(SizeExcess(8), twin, fresh) == expected
    assert copy.copy(evaluator).judge_for_family("svd") is judge
    fewer = replace(evaluator, n_splits=2, split_seeds=evaluator.split_seeds[:2])
    assert len(fewer.splits(10, 20)) == 2


def test_an_evaluator_can_be_referred_to_weakly(world):
    made = Evaluator.fit(None, world[:120], world[range(120, 240)], rng=1, n_splits=2)
    made.p_values(made.held_out, conditional_at=0.1)
    reference = weakref.ref(made)
    del made
    gc.collect()
    assert reference() is None
