import pickle
import re
from functools import cache

import numpy as np
import pytest
from cornac.metrics import RankingMetric
from scipy import stats

from cornac_mle.comparison import all_metrics
from cornac_mle.metrics import (
    MMD,
    Authenticity,
    ClassifierTest,
    ClippedCoverage,
    ClippedDensity,
    CopiedUsers,
    Evaluator,
    FrontierMissing,
    FrontierUnrealistic,
    MembershipInference,
    MissingShare,
    ModelMetric,
    NeighbourCoverage,
    NeighbourDensity,
    NeighbourPrecision,
    NeighbourRecall,
    NotMeasurableError,
    PairCounts,
    PairError,
    PlausibilityKS,
    PopularityJS,
    ProfileSizeKS,
    RealismMetric,
    SplitMetric,
    UnrealisticShare,
    UnrealisticUsers,
)
from cornac_mle.metrics.copied_users import copying_excess
from cornac_mle.metrics.marginals import popularity_divergence
from cornac_mle.metrics.unrealistic_users import flagged_p_value
from cornac_mle.null_models.corruption import popularity_draws, swap
from cornac_mle.profiles import Profiles, ids_index
from cornac_mle.stats.kolmogorov_smirnov import ks_distance, ks_permutation_p_value
from worlds import taste_world

METRICS = [
    UnrealisticUsers(0.1),
    PlausibilityKS(99),
    NeighbourCoverage(k=3),
    CopiedUsers(),
    MembershipInference(),
    PopularityJS(),
    ProfileSizeKS(),
    UnrealisticUsers(0.1, judge="worst"),
    UnrealisticUsers(0.1, judge="combined"),
    UnrealisticUsers(0.1, judge="adaptive"),
    UnrealisticUsers(0.1, judge_users="cross"),
    UnrealisticUsers(0.1, conditional=True),
    UnrealisticUsers(0.1, tail="typical"),
    UnrealisticShare(),
    MissingShare(),
    NeighbourPrecision(k=3),
    NeighbourRecall(k=3),
    NeighbourDensity(k=3),
    ClippedDensity(k=3),
    ClippedCoverage(k=3),
    ClassifierTest(),
    FrontierUnrealistic(),
    FrontierMissing(),
    MMD(19),
    PairCounts(19),
    Authenticity(),
    PairError(),
]
FLOOR_IS_REAL = (
    "Authenticity",
    "ProfileSizeKS",
    "CopiedUsers",
    "MembershipInference",
    "PopularityJS",
)
"""Independent popularity copies nobody, and has real sizes and popularity by design."""
SMALL_GAP = ("MMD", "NeighbourRecall@3", "UnrealisticUsers@0.1 (typical)")
"""The floor is within noise of the ceiling, or on its wrong side, with 40 users against 40."""
N_SPLITS = 10
"""Fewer than by default, as classifiers are fitted in each."""
JUDGED = (
    UnrealisticUsers,
    PlausibilityKS,
    UnrealisticShare,
    MissingShare,
    ClassifierTest,
    FrontierUnrealistic,
    FrontierMissing,
    MembershipInference,
    CopiedUsers,
)
"""Planted items, and the users of popularity that copying is held against, are drawn in the order
of items."""


@pytest.fixture(scope="module")
def world():
    return taste_world(480, mean_size=12, seed=5)


@pytest.fixture(scope="module")
def evaluator(world):
    groups = (world[:200], world[range(200, 320)], world[range(320, 400)])
    return Evaluator.fit(*groups, rng=1, n_splits=N_SPLITS)


@pytest.fixture(scope="module")
def turned(evaluator):
    """The same evaluator, items in reverse order."""
    order = ids_index(list(evaluator.held_out.item_ids[::-1]))
    groups = (evaluator.train, evaluator.reference, evaluator.held_out)
    return Evaluator.fit(*(group.align(order) for group in groups), rng=1, n_splits=N_SPLITS)


@pytest.fixture(scope="module")
def fresh(world):
    """Real users of no group, dressed as synthetic ones."""
    return Profiles.from_matrix(world.matrix[400:], world.item_ids)


@pytest.fixture(scope="module")
def random_users(world, evaluator):
    sizes = evaluator.held_out.sizes
    drawn = popularity_draws(world.item_counts, sizes, rng=9)
    return Profiles.from_matrix(drawn, world.item_ids)


# Metrics that learn remember what they learnt of the same users: these are made once for all.


@pytest.fixture(scope="module")
def turned_items(turned, fresh):
    return fresh.align(turned.held_out.item_ids)


@pytest.fixture(scope="module")
def turned_users(fresh):
    return fresh[np.arange(len(fresh))[::-1]]


@pytest.fixture(scope="module")
def odd(fresh):
    """Twenty users without items, and ten with one."""
    matrix = fresh.matrix.toarray()
    matrix[:20] = 0
    matrix[20:30, 1:] = 0
    matrix[20:30, 0] = 1
    return Profiles.from_matrix(matrix, fresh.item_ids)


def measure(metric, evaluator, users):
    return metric.measure(evaluator, users, rng=np.random.default_rng(3))


@pytest.fixture(scope="module")
def of_fresh(evaluator, fresh):
    """What a metric says of `fresh`, measured once for all that ask."""
    return cache(lambda metric: measure(metric, evaluator, fresh))


# ------------------------------------------------------------------------- contracts of all metrics


@pytest.mark.parametrize("metric", METRICS, ids=repr)
class TestContract:
    def test_cornac_takes_it_for_a_ranking_metric(self, metric):
        assert isinstance(metric, RankingMetric)
        assert metric.k == -1
        with pytest.raises(
            RuntimeError, match=re.escape(f"{metric.name} needs an evaluation method that")
        ):
            metric.compute(gt_pos=[], pd_rank=[])

    def test_what_cannot_be_compared_is_refused(self, metric, evaluator, turned, fresh):
        other = Profiles(fresh.matrix, fresh.user_ids, fresh.item_ids + " of another shop")
        with pytest.raises(ValueError, match="`synthetic` must hold items of the real users only"):
            metric.measure(turned, other, rng=1)
        with pytest.raises(TypeError, match=r"`synthetic` must be Profiles; got DataFrame\."):
            metric.measure(evaluator, fresh.to_frame(), rng=1)
        with pytest.raises(TypeError, match="`rng` must be an int, a numpy SeedSequence or a num"):
            metric.measure(evaluator, fresh, rng=None)

    def test_too_few_users_are_no_reason_to_stop_all(self, metric, evaluator, fresh):
        with pytest.raises(NotMeasurableError):
            metric.measure(evaluator, fresh[:1], rng=1)

    def test_same_rng_same_answer(self, metric, evaluator, fresh, of_fresh):
        first, again = of_fresh(metric), measure(metric, evaluator, fresh)
        assert first.value == again.value
        assert (first.low, first.high, first.p_value) == (again.low, again.high, again.p_value)

    def test_value_lies_in_its_interval_and_bounds(self, metric, of_fresh):
        result = of_fresh(metric)
        assert result.low <= result.value <= result.high
        assert metric.bounds[0] <= result.value <= metric.bounds[1]

    def test_real_users_are_nearer_to_the_ceiling_than_to_the_floor(self, metric, of_fresh):
        result = of_fresh(metric)
        if metric.name in FLOOR_IS_REAL:
            assert result.normalised is None or metric.name == "PopularityJS"
        elif metric.name in SMALL_GAP:
            assert abs(result.value - result.ceiling) <= result.high - result.low
        else:
            assert abs(result.value - result.ceiling) < abs(result.value - result.floor) / 2
            assert result.normalised > 0.6

    def test_the_floor_is_what_popularity_users_get(self, metric, evaluator, random_users):
        result = measure(metric, evaluator, random_users)
        width = result.high - result.low
        assert abs(result.value - result.floor) <= width

    def test_order_of_items_does_not_matter(self, metric, turned, turned_items, of_fresh):
        result = of_fresh(metric)
        other = measure(metric, turned, turned_items)
        judged = isinstance(metric, JUDGED)
        tolerance = (result.high - result.low) / 2 if judged else 1e-6
        assert other.value == pytest.approx(result.value, abs=tolerance)

    def test_order_of_users_changes_splits_only(self, metric, evaluator, turned_users, of_fresh):
        result = of_fresh(metric)
        other = measure(metric, evaluator, turned_users)
        assert abs(result.value - other.value) <= (result.high - result.low) / 2

    def test_empty_and_one_item_users_are_measured(self, metric, evaluator, odd):
        before = odd.matrix.toarray()
        result = measure(metric, evaluator, odd)
        assert np.isfinite(result.value)
        assert np.array_equal(odd.matrix.toarray(), before)
        if metric.name == "UnrealisticUsers@0.1":
            lowest = 1 / (1 + len(evaluator.held_out))
            assert np.allclose(result.per_user[:30], lowest)
        if metric.name == "UnrealisticUsers@0.1 (conditional)":
            assert np.all(result.per_user[:30] <= 0.1)
        if metric.name == "UnrealisticUsers@0.1 (typical)":
            assert np.all(result.per_user[:30] == 1)


def test_all_metrics_are_all_that_are_public():
    import cornac_mle.metrics as public

    classes = {
        kind
        for name in public.__all__
        if isinstance(kind := getattr(public, name), type)
        and issubclass(kind, RealismMetric)
        and kind not in (RealismMetric, ModelMetric, SplitMetric)
    }
    listed = all_metrics()
    assert {type(metric) for metric in listed} == classes
    names = [metric.name for metric in listed]
    assert len(set(names)) == len(names)
    for metric in listed:
        assert ".31" in type(metric).__doc__ or "nats" in type(metric).__doc__, metric
        assert metric.note.meaning


def test_few_held_out_users_are_said_to_leave_no_cells(evaluator, world):
    metric = UnrealisticUsers(0.1, conditional=np.bool_(True))
    assert metric.name == UnrealisticUsers(0.1, conditional=True).name
    few = evaluator.with_held_out(world[range(400, 440)], rng=1)
    assert "no conditioning: 20 held-out users" in metric.caution(few)
    assert metric.caution(evaluator) is None


# ----------------------------------------------------------------------------------- the evaluator


def test_groups_that_share_a_user_are_refused(world):
    with pytest.raises(ValueError, match="`train` must share no user with `held_out`; got 10 sh"):
        Evaluator.fit(world[:200], world[range(200, 300)], world[range(190, 200)], rng=1)


def test_groups_of_one_user_are_refused(world):
    with pytest.raises(ValueError, match="`held_out` must have at least 2 users; got 1"):
        Evaluator.fit(world[:200], world[range(200, 300)], world[[400]], rng=1)


def test_other_items_are_refused(evaluator, world):
    with pytest.raises(ValueError, match="`profiles` must have the items of the held-out users"):
        evaluator.plausibility(world.split_items(world.item_ids[:50])[0])


def test_nothing_real_is_fitted_or_scored_twice(world, fresh, random_users, monkeypatch):
    from cornac_mle.metrics import evaluator as module
    from cornac_mle.plausibility.judge import PlausibilityModel

    calls = {"fit": 0, "score": 0}
    fit, score = PlausibilityModel.fit, PlausibilityModel.describe

    def counted_fit(*args, **kwargs):
        calls["fit"] += 1
        return fit(*args, **kwargs)

    def counted_score(self, matrix):
        calls["score"] += 1
        return score(self, matrix)

    monkeypatch.setattr(module.PlausibilityModel, "fit", counted_fit)
    monkeypatch.setattr(module.PlausibilityModel, "describe", counted_score)
    groups = (world[:200], world[range(200, 320)], world[range(320, 400)])
    made = Evaluator.fit(*groups, rng=1, n_splits=2)
    for users in (fresh, random_users):
        for metric in METRICS:
            # `MissingShare` fits judges to what a model makes, "cross" one for each fold.
            if not isinstance(metric, MissingShare) and "cross" not in metric.name:
                measure(metric, made, users)
    # Three judges; held-out users, floor users, training users and two sets of users.
    assert calls == {"fit": 3, "score": 3 * 5}


def test_a_copy_of_another_process_measures_the_same(evaluator, fresh):
    measure(PlausibilityKS(99), evaluator, fresh)  # so that there is something remembered
    copy = pickle.loads(pickle.dumps(evaluator))
    assert measure(MMD(19), copy, fresh).value == measure(MMD(19), evaluator, fresh).value
    assert np.array_equal(copy.p_values(fresh), evaluator.p_values(fresh))


def test_with_held_out_keeps_the_judge(evaluator, fresh):
    other = evaluator.with_held_out(fresh, rng=2)
    assert other.judge is evaluator.judge
    assert len(other.floor_users) == len(fresh)
    with pytest.raises(ValueError, match="`reference` must share no user"):
        evaluator.with_held_out(evaluator.reference, rng=2)


def test_half_splits_are_disjoint_and_the_same_for_every_model(evaluator):
    ceiling, models = evaluator.splits(40, None), evaluator.splits(40, 80)
    for own, other in zip(ceiling, models, strict=True):
        assert np.array_equal(own.real, other.real)
        assert not set(own.real) & set(own.other)
        assert len(own.other) == len(other.other) == 40


def test_fewer_synthetic_users_are_matched_by_fewer_real_ones(evaluator, fresh):
    result = measure(PopularityJS(), evaluator, fresh[:40])
    assert result.n_real == result.n_synthetic == 20


# ------------------------------------------------------------------------------- single metrics


def test_flagged_p_value_is_the_distribution_of_exchangeable_users():
    """Against simulation: 5 flagged or more of 20 users, 39 calibration users, alpha .1."""
    random = np.random.default_rng(1)
    count = 0
    for _ in range(4_000):
        scores = random.random(59)
        p_values = [(1 + np.sum(scores[:39] <= one)) / 40 for one in scores[39:]]
        count += np.sum(np.asarray(p_values) <= 0.1) >= 5
    assert stats.binomtest(int(count), 4_000, flagged_p_value(5, [(20, 39)], 0.1)).pvalue > 1e-6
    assert flagged_p_value(0, [(20, 39)], 0.1) == pytest.approx(1.0)


def test_too_few_users_for_a_level(evaluator, fresh):
    with pytest.raises(ValueError, match="each be at least 198 users; got 80 and 80"):
        measure(UnrealisticUsers(0.01), evaluator, fresh)


def test_swaps_are_found_the_more_the_larger(evaluator, fresh, world):
    shares, distances = [], []
    for share in (0.0, 0.3, 0.9):
        matrix = swap(fresh.matrix, share, popularity=world.item_counts, rng=4) if share else None
        users = fresh if matrix is None else Profiles.from_matrix(matrix, world.item_ids)
        shares.append(measure(UnrealisticUsers(0.1), evaluator, users).value)
        distances.append(measure(PlausibilityKS(99), evaluator, users).value)
    assert shares == sorted(shares)
    assert distances == sorted(distances)
    assert shares[0] < 0.25 < 0.4 < shares[2]


def test_ks_distance_is_scipys_and_takes_infinities():
    random = np.random.default_rng(1)
    first, second = random.normal(size=30).round(1), random.normal(size=41).round(1)
    assert ks_distance(first, second) == pytest.approx(stats.ks_2samp(first, second).statistic)
    assert ks_distance([-np.inf, 0.0], [0.0, 1.0]) == 0.5


def test_ks_p_value_has_its_level():
    """300 null data sets of 15 and 20: rejections at .1 are binomial."""
    random = np.random.default_rng(1)
    rejected = 0
    for _ in range(300):
        first, second = random.normal(size=15), random.normal(size=20)
        rejected += ks_permutation_p_value(first, second, 39, random) <= 0.1
    assert stats.binomtest(rejected, 300, 0.1, alternative="greater").pvalue > 1e-4
    far = ks_permutation_p_value(np.arange(30.0), np.arange(30.0) + 100, 99, random)
    assert far == pytest.approx(0.01)


def test_popularity_divergence_by_hand():
    # p = (1/2, 1/2), q = (1, 0), m = (3/4, 1/4).
    # JS = (1/2)[1/2 log2(2/3) + 1/2 log2(2)] + (1/2) log2(4/3) = .3113
    assert popularity_divergence([1, 1], [5, 0]) == pytest.approx(0.311278, abs=1e-6)
    assert popularity_divergence([0, 0], [1, 0]) == 1.0
    assert popularity_divergence([0, 0], [0, 0]) == 0.0


def naive_copied(train, held_out, users):
    """Excess share of training users among nearest neighbours, in plain Python."""
    total = 0.0
    for user in users:
        near = [
            len(user & other) / len(user | other) if user | other else 0.0
            for other in train + held_out
        ]
        best = [place for place, similarity in enumerate(near) if similarity == max(near)]
        total += sum(place < len(train) for place in best) / len(best)
    neutral = len(train) / (len(train) + len(held_out))
    return (total / len(users) - neutral) / (1 - neutral)


def test_copying_is_the_naive_one(world):
    train, held_out, users = world[:90], world[range(90, 140)], world[range(140, 170)]
    value, error, shares = copying_excess(train, held_out, users)
    sets = [set(world.matrix[[row]].indices.tolist()) for row in range(170)]
    assert value == pytest.approx(naive_copied(sets[:90], sets[90:140], sets[140:]))
    assert 0 < error < 1
    assert shares.shape == (30,)


def test_copies_are_exposed_and_new_users_are_not(evaluator, fresh, world):
    copies = Profiles.from_matrix(world.matrix[np.arange(80) % 200], world.item_ids)
    assert measure(CopiedUsers(), evaluator, copies).value > 0.99
    assert measure(UnrealisticUsers(0.1), evaluator, copies).value < 0.25
    result = measure(CopiedUsers(), evaluator, fresh)
    assert result.low <= 0 <= result.high


def test_copying_is_neutral_for_new_users_and_its_interval_covers_that():
    """60 worlds: the mean of the metric is 0 within 4 standard errors, and 0 is covered.

    At a coverage of .95, fewer than 48 of 60 has a probability below 1e-5.
    """
    values, covered = [], 0
    for seed in range(60):
        new = taste_world(240, n_items=60, mean_size=10, seed=seed)
        value, error, _ = copying_excess(new[:100], new[100:160], new[160:])
        values.append(value)
        covered += abs(value) <= 1.96 * error
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(60)
    assert covered >= 48


def test_one_row_copied_many_times(evaluator, world):
    lone = Profiles.from_matrix(world.matrix[np.zeros(80, dtype=int)], world.item_ids)
    assert measure(CopiedUsers(), evaluator, lone).value == pytest.approx(1.0)
    assert measure(NeighbourCoverage(k=3), evaluator, lone).value < 0.3
    assert measure(PlausibilityKS(99), evaluator, lone).value > 0.4


def test_copying_needs_training_users(evaluator, fresh):
    alone = Evaluator.fit(None, evaluator.reference, evaluator.held_out, rng=1)
    with pytest.raises(ValueError, match="`train` must be given; got None for CopiedUsers"):
        measure(CopiedUsers(), alone, fresh)


def test_coverage_of_one_kind_of_user(evaluator, world):
    """A model that makes one community only covers the others badly: mode drop."""
    fresh = taste_world(480 + 400, mean_size=12, seed=5).matrix[480:]
    likeness = fresh @ fresh[[0]].T
    alike = np.argsort(-likeness.toarray()[:, 0])[:80]
    # Distinct users on both sides, as many: repeated ones would cover less whatever their kind.
    everyone, one_kind = (
        measure(NeighbourCoverage(k=3), evaluator, Profiles.from_matrix(users, world.item_ids))
        for users in (fresh[:80], fresh[np.sort(alike)])
    )
    assert one_kind.value < everyone.value - 0.3
