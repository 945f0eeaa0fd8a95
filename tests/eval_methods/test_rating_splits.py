import inspect
import logging
from collections import Counter

import cornac
import cornac.eval_methods
import numpy as np
import pandas as pd
import pytest
from cornac.metrics import NDCG, RMSE, Recall
from cornac.models import BPR, EASE, MF, MostPop

from cornac_mle import eval_methods
from cornac_mle.eval_methods import CrossValidation, RatioSplit, StratifiedSplit, TimestampSplit
from cornac_mle.metrics import CopiedUsers, PlausibilityKS, ProfileSizeKS, UnrealisticUsers
from cornac_mle.models.popularity import Popularity
from cornac_mle.models.sampled._calibrated_link import centred
from cornac_mle.models.sampled.model import Sampled
from cornac_mle.models.training_users import TrainingUsers
from cornac_mle.profiles import Profiles
from cornac_mle.report.report import Report
from worlds import rated, taste_world

ACCURACY = [RMSE(), Recall(k=10), NDCG(k=10)]
REALISM = [UnrealisticUsers(0.1), PlausibilityKS(49), CopiedUsers(), ProfileSizeKS()]

SPLITS = {
    "RatioSplit": {"test_size": 0.2, "val_size": 0.1},
    "StratifiedSplit": {"test_size": 0.2, "val_size": 0.1, "chrono": True},
    "TimestampSplit": {"test_size": 0.2, "val_size": 0.1},
    "CrossValidation": {"n_folds": 3},
}


@pytest.fixture(scope="module")
def rows():
    """Quadruplets of 300 users with 4 tastes, at random times."""
    frame = rated(taste_world(300, n_items=80, mean_size=15, seed=5)).to_frame()
    times = np.random.default_rng(1).permutation(len(frame))
    ids = zip(frame.user, frame.item, frame.rating, times.tolist(), strict=True)
    order = np.random.default_rng(2).permutation(len(frame))
    data = list(ids)
    return [data[place] for place in order]


def models():
    return [MF(k=3, max_iter=10, seed=1), BPR(k=3, max_iter=20, seed=1)]


def numbers(results):
    """All averages but the seconds, fold by fold."""
    parts = []
    for result in results:
        if result is not None:
            for one in result if isinstance(result, list) else [result]:
                found = one.metric_avg_results.items()
                parts.append({name: value for name, value in found if "(s)" not in name})
    return parts


def evaluated(method, model, metrics):
    return numbers(method.evaluate(model, metrics, user_based=True, show_validation=True))


@pytest.mark.parametrize("name", SPLITS)
def test_the_constructor_is_cornacs(name):
    def positional(split):
        parameters = inspect.signature(split).parameters.values()
        kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
        return [(one.name, one.default) for one in parameters if one.kind not in kinds]

    theirs = getattr(cornac.eval_methods, name)
    assert positional(getattr(eval_methods, name)) == positional(theirs)
    assert issubclass(getattr(eval_methods, name), theirs)


@pytest.mark.parametrize("name", SPLITS)
def test_accuracy_is_cornacs_where_nobody_is_set_aside(rows, name):
    theirs = getattr(cornac.eval_methods, name)(rows, rating_threshold=3, seed=9, **SPLITS[name])
    ours = getattr(eval_methods, name)(
        rows, rating_threshold=3, seed=9, against="test", **SPLITS[name]
    )
    for one, other in zip(models(), models(), strict=True):
        expected = evaluated(theirs, one, ACCURACY)
        assert evaluated(ours, other, ACCURACY) == expected
        assert expected[0]["NDCG@10"] > 0


@pytest.mark.parametrize("name", SPLITS)
def test_accuracy_is_cornacs_on_the_users_who_are_left(rows, name):
    """Realism metrics beside Cornac's change neither the split nor Cornac's values."""
    ours = getattr(eval_methods, name)(rows, rating_threshold=3, seed=9, **SPLITS[name])
    (found, *_) = evaluated(ours, models()[1], [*ACCURACY, REALISM[3]])
    left = [row for row in rows if row[0] in ours.global_uid_map]
    assert 0.55 < len({row[0] for row in left}) / 300 <= 0.6
    theirs = getattr(cornac.eval_methods, name)(left, rating_threshold=3, seed=9, **SPLITS[name])
    (expected, *_) = evaluated(theirs, models()[1], ACCURACY)
    assert {metric: found[metric] for metric in expected} == expected
    assert 0 < found["ProfileSizeKS"] < 0.3


@pytest.fixture(scope="module")
def ratio(rows):
    """All models on one split."""
    method = RatioSplit(rows, 0.2, 0.1, rating_threshold=3, seed=3, dataset_name="tastes")
    for model in (Popularity(), TrainingUsers(), MostPop(), *models()):
        method.evaluate(model, [*ACCURACY, *REALISM], user_based=True)
    return method


def test_realism_has_ceiling_and_floor_beside_accuracy(ratio):
    scores = ratio.report.scores
    table = scores[scores.users == "held-out"].pivot_table(
        index="model", columns="metric", values="value"
    )
    assert table.shape == (5, 7)
    assert table.notna().all().all()
    own = scores[(scores.metric == "PlausibilityKS") & (scores.users == "held-out")]
    own = own.set_index("model")
    popularity, memoriser = own.loc["Popularity"], own.loc["TrainingUsers"]
    assert popularity.ceiling < memoriser.value + 0.1 < popularity.value
    assert popularity.value == pytest.approx(popularity.floor, abs=0.1)
    assert table["CopiedUsers"].idxmax() == "TrainingUsers"
    assert set(scores.dataset) == {"tastes"}
    assert set(ratio.samplers) == {"MostPop", "MF", "BPR"}
    assert set(ratio.report.groups) == {"train", "validation", "reference", "held_out"}


def test_groups_share_no_user_and_the_catalogue_is_of_training_users(ratio):
    groups = ratio.groups
    users = [*groups.train.user_ids, *groups.reference.user_ids, *groups.held_out.user_ids]
    assert len(set(users)) == len(users)
    assert len(groups.reference) == len(groups.held_out) == 60
    assert not set(groups.held_out.user_ids) & set(ratio.global_uid_map)
    assert set(groups.train.item_ids) == set(ratio.train_set.item_ids)
    assert groups.held_out.item_ids.equals(groups.train.item_ids)


def test_real_users_are_thinned_as_training_users_are(ratio):
    """70% of ratings are trained on; without thinning sizes of real users would be 1.43 times."""
    sizes = [part.sizes.mean() for part in (ratio.groups.held_out, ratio.groups.train)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)
    own = ratio.report.scores.set_index(["model", "metric", "users"])
    copied_sizes = own.loc[("TrainingUsers", "ProfileSizeKS", "held-out")]
    assert copied_sizes.value < copied_sizes.ceiling + 0.1


def test_validation_ratings_are_of_training_users_so_realism_is_nan(ratio, caplog):
    with caplog.at_level(logging.WARNING, logger="cornac_mle"):
        _, found = ratio.evaluate(Popularity(), [*ACCURACY, *REALISM], user_based=True)
    assert np.isnan(found.metric_avg_results["PlausibilityKS"])
    assert found.metric_avg_results["NDCG@10"] > 0
    assert "no realism on validation users: this evaluation method sets none aside." in caplog.text


def test_an_unpatched_experiment_takes_it(rows, tmp_path):
    method = RatioSplit(rows, seed=3)
    assert repr(method).startswith("RatioSplit('data': ")
    assert "users held out: " in repr(method)
    experiment = cornac.Experiment(
        method, [MostPop()], [Recall(k=[5, 10]), REALISM[1]], save_dir=str(tmp_path)
    )
    experiment.run()
    assert "PlausibilityKS" in str(experiment.result)
    assert "nan" not in str(experiment.result)
    assert method.evaluator.n_splits == 20


def pairs_of(rows, users):
    return Counter(row[:2] for row in rows if row[0] in users)


def held_pairs(part):
    frame = part.to_frame()
    return Counter(zip(frame.user, frame.item, strict=True))


def test_profiles_are_of_the_training_period(rows):
    method = TimestampSplit(rows, val_timestamp=2500, test_timestamp=3500, seed=1)
    for part in (method.groups.reference, method.groups.held_out):
        early = [row for row in rows if row[3] < 2500 and row[1] in set(part.item_ids)]
        assert held_pairs(part) == pairs_of(early, set(part.user_ids))
    assert method.groups.held_out.sizes.mean() < 11


def test_the_first_ratings_of_each_user_are_kept_where_chrono(rows):
    method = StratifiedSplit(rows, chrono=True, test_size=0.3, seed=1)
    part = method.groups.held_out
    expected = []
    for user in part.user_ids:
        own = sorted((row for row in rows if row[0] == user), key=lambda row: row[3])
        # As Cornac: 0.3 of n is rounded up for the test set.
        expected += own[: len(own) - int(np.ceil(0.3 * len(own)))]
    known = [row for row in expected if row[1] in set(part.item_ids)]
    assert held_pairs(part) == pairs_of(known, set(part.user_ids))


def test_a_fixed_number_of_test_ratings_is_taken_of_each_user(rows):
    triplets = [row[:3] for row in rows]
    method = StratifiedSplit(triplets, fmt="UIR", test_size=4, seed=1)
    part = method.groups.held_out
    whole = Counter(row[0] for row in triplets)
    sizes = dict(zip(part.user_ids, part.sizes, strict=True))
    assert np.mean([whole[user] - 4 == size for user, size in sizes.items()]) > 0.9
    assert all(size <= whole[user] - 4 for user, size in sizes.items())


def test_grouping_by_item_keeps_the_share_of_training_ratings(rows):
    method = StratifiedSplit(rows, "item", False, test_size=0.5, seed=1)
    sizes = [part.sizes.mean() for part in (method.groups.held_out, method.groups.train)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.15)


def test_folds_leave_out_their_own_ratings_of_real_users_too(rows):
    labels = np.arange(len(rows)) % 3
    method = CrossValidation(rows, 3, partition=labels, seed=1)
    seen = []
    for fold in range(3):
        method.current_fold = fold
        method._get_train_test()
        kept = [row for row, label in zip(rows, labels, strict=True) if label != fold]
        left = [row for row in kept if row[0] in method.global_uid_map]
        assert method.train_set.num_ratings == len(left)
        part = method.groups.held_out
        known = [row for row in kept if row[1] in set(part.item_ids)]
        assert held_pairs(part) == pairs_of(known, set(part.user_ids))
        seen.append(set(part.user_ids))
    assert seen[0] == seen[1] == seen[2]


def test_each_fold_of_ratings_has_its_own_measurements_and_maps(rows):
    method = CrossValidation(rows, 3, seed=1, dataset_name="tastes")
    kept = []

    class Kept(MostPop):
        def fit(self, train_set, val_set=None):
            kept.append((self, dict(train_set.uid_map)))
            return super().fit(train_set, val_set)

    result, _ = method.evaluate(Kept(), [REALISM[1], RMSE()], True, False)
    values = [one.metric_avg_results["PlausibilityKS"] for one in result]
    scores = method.report.scores
    own = scores[scores.metric == "PlausibilityKS"]
    assert own.dataset.tolist() == ["tastes, fold 0", "tastes, fold 1", "tastes, fold 2"]
    assert own.value.tolist() == values
    assert len(set(values)) == 3
    assert result.metric_mean["PlausibilityKS"] == pytest.approx(np.mean(values))
    assert len({id(model.uid_map) for model, _ in kept}) == 3
    for model, then in kept:
        assert all(model.uid_map[name] == at for name, at in then.items())


def test_against_the_test_set_users_are_compared_at_another_time(rows):
    method = TimestampSplit(rows, test_size=0.3, seed=1, against="test")
    assert method.train_set.num_users == 300
    result, _ = method.evaluate(TrainingUsers(), REALISM, True)
    groups = method.groups
    late = [row for row in rows if row[3] >= method.test_timestamp]
    halves = [
        {str(user).removesuffix(" in the test set") for user in part.user_ids}
        for part in (groups.reference, groups.held_out)
    ]
    assert not halves[0] & halves[1]
    assert abs(len(halves[0]) - len(halves[1])) <= 1
    assert sum(groups.held_out.sizes) == sum(pairs_of(late, halves[1]).values())
    # A third of the ratings against two thirds: sizes differ by design, and the report says so.
    assert result.metric_avg_results["ProfileSizeKS"] > 0.5
    caution = method.report.cautions["ProfileSizeKS"]
    assert caution.startswith("compared with test items of training users, 5.0 a user")
    assert "sizes differ by design" in caution


def test_against_the_test_set_of_each_fold(rows):
    method = CrossValidation(rows, 3, seed=1, against="test")
    found = evaluated(method, MostPop(), [REALISM[1]])
    assert len({fold["PlausibilityKS"] for fold in found}) == 3
    assert method.report.groups["train"] == 300
    none = RatioSplit(rows[:400], seed=1, against="test")
    assert np.isnan(evaluated(none, MostPop(), [RMSE(), REALISM[1]])[0]["PlausibilityKS"])


def test_small_users_are_left_out_on_both_sides(rows):
    few = [(f"one{number}", row[1], 1.0, row[3]) for number, row in enumerate(rows[:100])]
    method = RatioSplit(rows + few, seed=1, fmt="UIRT")
    method.evaluate(Popularity(), [ProfileSizeKS()], True)
    share = np.mean(method.groups.train.sizes < 2)
    assert 0.15 < share < 0.3
    found = method.report.entries[0].measurement
    n_drawn = 2 * (len(method.groups.held_out) // 2)
    assert found.n_left_out == pytest.approx(share * n_drawn, abs=5 * np.sqrt(share * n_drawn))
    assert method.report.synthetic["Popularity"].sizes.min() < 2
    assert len(found.per_user) == n_drawn - found.n_left_out


def test_what_is_no_profile_costs_realism_only(rows, caplog):
    zeros = [(user, item, rating - 1, time) for user, item, rating, time in rows]
    with caplog.at_level(logging.WARNING, logger="cornac_mle"):
        found = evaluated(RatioSplit(zeros, seed=1), MostPop(), [*ACCURACY, *REALISM])[0]
    assert found["RMSE"] > 0
    assert np.isnan(found["PlausibilityKS"])
    assert "MostPop: no realism on held-out users: `rating` must be above 0" in caplog.text


@pytest.mark.parametrize(
    ("count", "reason"),
    [
        (5, "`reference` must have at least 2 users; got 1"),
        (60, "`reference` must hold at least 20 users of 2 items or more; got 12"),
    ],
)
def test_too_few_users_cost_realism_only(rows, caplog, count, reason):
    users = sorted({row[0] for row in rows})[:count]
    small = [row for row in rows if row[0] in users]
    with caplog.at_level(logging.WARNING, logger="cornac_mle"):
        found = evaluated(RatioSplit(small, seed=1), MostPop(), [RMSE(), *REALISM])[0]
    assert found["RMSE"] > 0
    assert np.isnan(found["PlausibilityKS"])
    assert f"MostPop: no realism on held-out users: {reason}" in caplog.text


def test_the_seed_says_who_is_set_aside(rows):
    drawn = [
        set(RatioSplit(rows, seed=seed).groups.held_out.user_ids) for seed in (1, 1, 2, None, None)
    ]
    assert drawn[0] == drawn[1]
    assert len({frozenset(users) for users in drawn}) == 4
    more = RatioSplit(rows, seed=1, held_out_share=(0.2, 0.3)).groups
    assert drawn[0] < set(more.held_out.user_ids)
    assert len(more.held_out) == 90


@pytest.mark.parametrize("name", SPLITS)
def test_one_line_says_how_many_users_are_set_aside(rows, name, caplog):
    """Of 300 users .1 and .2: 30 reference and 60 held-out users; 210 are left."""
    note = (
        "90 of 300 users are set aside for realism metrics, so accuracy is of models of the other "
        '210; against="test" keeps Cornac\'s numbers exactly, but realism then has little power'
    )
    settings = {"seed": 1, "held_out_share": (0.1, 0.2)}
    method = getattr(eval_methods, name)(rows, **settings, **SPLITS[name])
    with caplog.at_level(logging.WARNING, logger="cornac_mle"):
        evaluated(method, MostPop(), ACCURACY)
        assert "set aside" not in caplog.text
        assert method.report.notes == []
        for model in (Popularity(), MostPop()):
            evaluated(method, model, [*ACCURACY, REALISM[3]])
    said = [one.getMessage() for one in caplog.records if " are set aside" in one.getMessage()]
    assert said == [note]
    assert method.report.notes == [note]


@pytest.mark.parametrize("name", SPLITS)
def test_nothing_is_said_where_nobody_is_set_aside(rows, name, caplog):
    method = getattr(eval_methods, name)(rows, seed=1, against="test", **SPLITS[name])
    with caplog.at_level(logging.INFO, logger="cornac_mle"):
        evaluated(method, MostPop(), [*ACCURACY, REALISM[3]])
    assert " are set aside" not in caplog.text
    assert method.report.notes == []


def test_a_report_that_stands_in_for_the_methods_has_the_note_too(rows, caplog):
    method, other = RatioSplit(rows, seed=1), Report()
    with caplog.at_level(logging.WARNING, logger="cornac_mle"):
        with method.report.redirected(other):
            evaluated(method, Popularity(), [REALISM[3]])
        assert method.report.notes == []
        evaluated(method, Popularity(), [REALISM[3]])
    assert other.notes == method.report.notes
    assert other.notes[0].startswith("120 of 300 users are set aside")
    assert caplog.text.count(" are set aside") == 1


def test_small_users_are_dropped_and_counted(rows):
    for settings in ({}, {"against": "test"}):
        some, all_ = (
            RatioSplit(rows, 0.5, seed=1, min_items=count, **settings) for count in (7, 2)
        )
        assert some.groups.held_out.sizes.min() == 7
        assert all_.groups.held_out.sizes.min() < 7
        lost = sum(
            len(getattr(all_.groups, name)) - len(getattr(some.groups, name))
            for name in ("reference", "held_out")
        )
        assert lost > 10
        counts = [sum(method.report.dropped.values()) for method in (some, all_)]
        assert counts[0] - counts[1] == lost


def test_a_data_frame_is_taken_as_tuples_are(rows):
    frame = pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"])
    frame = frame[["timestamp", "rating", "user", "item"]]
    found = evaluated(RatioSplit(frame, seed=1), MostPop(), [*ACCURACY, REALISM[1]])
    assert found == evaluated(RatioSplit(rows, seed=1), MostPop(), [*ACCURACY, REALISM[1]])
    chrono = StratifiedSplit(frame, chrono=True, seed=1)
    assert chrono.groups.held_out.to_frame().equals(
        StratifiedSplit(rows, chrono=True, seed=1).groups.held_out.to_frame()
    )


@pytest.fixture(scope="module")
def parts(rows):
    """Own split: ratings of 200 users into train and test, 50 reference, 50 held-out users."""
    number = np.array([int(row[0][1:]) for row in rows])
    test = (number < 200) & (np.array([row[3] for row in rows]) % 4 == 0)
    masks = {
        "train": (number < 200) & ~test,
        "test": test,
        "reference": (number >= 200) & (number < 250),
        "held_out": number >= 250,
    }
    return {name: [rows[at] for at in np.flatnonzero(mask)] for name, mask in masks.items()}


@pytest.mark.parametrize("split", [RatioSplit, StratifiedSplit, TimestampSplit])
def test_own_splits_are_taken_as_they_are(parts, split):
    method = split.from_splits(
        parts["train"],
        parts["test"],
        reference_data=parts["reference"],
        held_out_data=parts["held_out"],
        rating_threshold=3,
        seed=1,
        dataset_name="own",
    )
    (found,) = evaluated(method, MostPop(), [*ACCURACY, *REALISM])
    theirs = cornac.eval_methods.BaseMethod.from_splits(
        parts["train"], parts["test"], rating_threshold=3, seed=1
    )
    (expected,) = evaluated(theirs, MostPop(), ACCURACY)
    assert {name: found[name] for name in expected} == expected
    assert method.report.groups == {
        "train": 200,
        "validation": 0,
        "reference": 50,
        "held_out": 50,
    }
    known = [row for row in parts["held_out"] if row[1] in method.global_iid_map]
    assert sum(method.groups.held_out.sizes) == len(known)
    assert found["PlausibilityKS"] > 0
    assert set(method.report.scores.dataset) == {"own"}
    assert method.report.notes == []  # it was the caller who held users apart


def test_own_splits_without_users_are_measured_against_the_test_set(parts):
    method = RatioSplit.from_splits(parts["train"], parts["test"], seed=1)
    (found,) = evaluated(method, MostPop(), [REALISM[1]])
    assert 0 < found["PlausibilityKS"] < 1
    assert "sizes differ by design" in method.report.cautions["PlausibilityKS"]


def test_own_folds(parts):
    settings = {"reference_data": parts["reference"], "held_out_data": parts["held_out"]}
    method = CrossValidation.from_splits(
        [parts["train"], parts["test"]], [parts["test"], parts["train"]], seed=1, **settings
    )
    found = evaluated(method, MostPop(), [RMSE(), REALISM[1]])
    for fold, (train, test) in enumerate([("train", "test"), ("test", "train")]):
        alone = RatioSplit.from_splits(parts[train], parts[test], seed=1, **settings)
        assert found[fold] == evaluated(alone, MostPop(), [RMSE(), REALISM[1]])[0]
    with pytest.raises(ValueError, match="must be lists with a set for each fold; got 1, 2, 1"):
        CrossValidation.from_splits([parts["train"]], [parts["test"]] * 2, seed=1)


def test_own_splits_must_hold_users_apart(parts):
    with pytest.raises(ValueError, match="must come together; got only `held_out_data`"):
        RatioSplit.from_splits(parts["train"], parts["test"], held_out_data=parts["held_out"])
    message = "`held_out_data` must share no user with `train_data`; got 'u"
    for split, wrap in ((RatioSplit, lambda part: part), (CrossValidation, lambda part: [part])):
        with pytest.raises(ValueError, match=message):
            split.from_splits(
                wrap(parts["train"]),
                wrap(parts["test"]),
                reference_data=parts["reference"],
                held_out_data=parts["test"],
            )
    message = "`held_out_data` must share no user with `reference_data`; got 'u"
    with pytest.raises(ValueError, match=message):
        RatioSplit.from_splits(
            parts["train"],
            parts["test"],
            reference_data=parts["reference"],
            held_out_data=parts["reference"],
        )


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"held_out_share": 0.2}, ValueError, "`held_out_share` must be two numbers above 0"),
        ({"held_out_share": (0.5, 0.5)}, ValueError, r"of a sum below 1; got \(0.5, 0.5\)"),
        ({"held_out_share": (0.2, 0.0)}, ValueError, r'or against="test" to set nobody aside'),
        ({"held_out_share": ("a", 0.2)}, ValueError, r"got \('a', 0.2\)"),
        ({"against": "tests"}, ValueError, "`against` must be one of 'users', 'test'; got 'tests'"),
        ({"min_items": 1}, ValueError, "`min_items` must be at least 2; got 1"),
        ({"n_splits": 1}, ValueError, "`n_splits` must be at least 2; got 1"),
        ({"n_samples": 0}, ValueError, "`n_samples` must be at least 1; got 0"),
        ({"seed": -1}, ValueError, "`seed` must be at least 0; got -1"),
        ({"held_out_shares": (0.2, 0.2)}, TypeError, "`settings` must be of held_out_share, .*got"),
    ],
)
def test_wrong_settings(rows, settings, error, message):
    with pytest.raises(error, match=message):
        RatioSplit(rows, **settings)


def test_wrong_data(rows):
    with pytest.raises(ValueError, match="`data` must have the columns user, item, rating"):
        RatioSplit(pd.DataFrame({"user": ["a"], "movie": ["b"]}))
    with pytest.raises(ValueError, match="`partition` must have a fold for every row of `data`"):
        CrossValidation(rows, 3, partition=[0, 1, 2])


def test_filmtrust_in_three_lines(cornac_home):
    """As a script of Cornac's that changes its import: the order of models is that of Cornac."""
    feedback = cornac.datasets.filmtrust.load_feedback()
    feedback = list({row[:2]: row for row in feedback}.values())
    method = RatioSplit(data=feedback, test_size=0.2, rating_threshold=2.5, seed=123)
    whole = [BPR(k=10, max_iter=100, seed=123), MostPop(), Popularity(), TrainingUsers()]
    found = {}
    for model in whole:
        (found[model.name],) = evaluated(method, model, [NDCG(k=20), *REALISM])
    assert found["TrainingUsers"]["PlausibilityKS"] < 0.2
    assert found["Popularity"]["PlausibilityKS"] > 0.3
    assert found["TrainingUsers"]["CopiedUsers"] > 0.7
    theirs = cornac.eval_methods.RatioSplit(method.data, 0.2, rating_threshold=2.5, seed=123)
    (expected,) = evaluated(theirs, BPR(k=10, max_iter=100, seed=123), [NDCG(k=20)])
    assert found["BPR"]["NDCG@20"] == expected["NDCG@20"]
    assert 0.59 < len({row[0] for row in method.data}) / len({row[0] for row in feedback}) < 0.61


def test_the_link_is_calibrated_on_users_whom_the_model_has_not_seen():
    """Independent items: training users would give EASE a gradient of .4 deviations and more."""
    random = np.random.default_rng(2)
    likes = random.random((500, 60)) < random.uniform(0.05, 0.5, 60)
    rows = [(f"u{user}", f"i{item}", 1.0) for user, item in np.argwhere(likes)]
    method = RatioSplit(rows, seed=1)
    model = EASE(lamb=5, verbose=False)
    method.evaluate(model, [UnrealisticUsers(alpha=0.1)], user_based=True)
    drawer = method._evaluation().sampler_of(model, "held-out")
    train = Profiles.from_dataset(method.train_set)
    assert drawer.inverse_temperature_ * centred(drawer.fold_in(train)).std() < 0.15
    alone = Sampled(model).fit()
    assert alone.inverse_temperature_ * centred(alone.fold_in(train)).std() > 0.3
