import logging

import cornac
import numpy as np
import pandas as pd
import pytest
from cornac.metrics import NDCG, RMSE, Recall
from cornac.models import EASE, MF, MostPop
from sklearn.model_selection import GroupKFold, KFold, RepeatedKFold, ShuffleSplit

from cornac_mle.eval_methods.held_out_users import HeldOutUsers
from cornac_mle.eval_methods.held_out_users_cv import HeldOutUsersCV
from cornac_mle.metrics import CopiedUsers, PlausibilityKS, PopularityJS, UnrealisticUsers
from cornac_mle.models.popularity import Popularity
from cornac_mle.models.training_users import TrainingUsers
from worlds import checkerboard, rated, taste_world

REALISM = [UnrealisticUsers(0.1), PlausibilityKS(49), CopiedUsers()]


@pytest.fixture(scope="module")
def frame():
    return rated(taste_world(300, mean_size=12, seed=5)).to_frame()


@pytest.fixture(scope="module")
def experiment(frame, tmp_path_factory):
    method = HeldOutUsersCV(frame, n_folds=3, seed=7, dataset_name="tastes")
    made = cornac.Experiment(
        method,
        models=[Popularity(), TrainingUsers(), EASE(verbose=False), MostPop()],
        metrics=[Recall(k=20), NDCG(k=10), RMSE(), *REALISM],
        save_dir=str(tmp_path_factory.mktemp("experiment")),
    )
    made.run()
    return made


def held_out_of(method):
    return [set(fold.groups.held_out.user_ids) for fold in method.folds]


def test_an_unpatched_experiment_prints_folds_mean_and_deviation(experiment):
    text = str(experiment.result)
    for word in ("[Popularity]", "[MostPop]", "Fold 0", "Fold 2", "Mean", "Std", "PlausibilityKS"):
        assert word in text
    assert "nan" not in text
    for result in experiment.result:
        for name in ("PlausibilityKS", "NDCG@10", "RMSE"):
            values = [fold.metric_avg_results[name] for fold in result]
            assert len(set(values)) == 3
            assert result.metric_mean[name] == pytest.approx(np.mean(values))
            assert result.metric_std[name] == pytest.approx(np.std(values))


def test_realism_and_ranking_are_right_in_every_fold(experiment):
    popularity, memoriser, ease, most_popular = experiment.result
    for fold in range(3):
        one, other = popularity[fold].metric_avg_results, memoriser[fold].metric_avg_results
        assert other["PlausibilityKS"] < one["PlausibilityKS"]
        assert other["UnrealisticUsers@0.1"] < one["UnrealisticUsers@0.1"]
        assert one["CopiedUsers"] + 0.3 < 0.9 < other["CopiedUsers"]  # 100 held-out users
        accuracy = [part[fold].metric_avg_results["NDCG@10"] for part in (ease, most_popular)]
        assert accuracy[0] > accuracy[1]


def test_every_user_is_held_out_once(frame):
    method = HeldOutUsersCV(frame, n_folds=4, seed=1)
    users = [user for fold in held_out_of(method) for user in fold]
    assert len(users) == len(set(users)) == frame.user.nunique() == 300
    assert [len(fold) for fold in held_out_of(method)] == [75] * 4
    for fold in method.folds:
        sizes = fold.groups.sizes
        # Of 225 others a quarter, 56, are reference users; of the 169 left a tenth validate.
        assert sizes == {"train": 152, "validation": 17, "reference": 56, "held_out": 75}
    assert method.report.groups == method.folds[0].groups.sizes


def test_every_fold_is_held_out_users(frame):
    """A fold gives what HeldOutUsers gives on the same groups with the same seed."""
    method = HeldOutUsersCV(frame, n_folds=3, seed=1)
    result, _ = method.evaluate(MF(k=3, seed=1), [NDCG(k=10), *REALISM], user_based=True)
    fold = method.folds[1]
    groups = fold.groups
    sets = {
        name: frame[frame.user.isin(getattr(groups, name).user_ids)]
        for name in ("train", "validation", "reference", "held_out")
    }
    alone = HeldOutUsers.from_splits(
        sets["train"],
        sets["held_out"],
        sets["validation"],
        reference_data=sets["reference"],
        seed=fold.seed,
    )
    expected, _ = alone.evaluate(MF(k=3, seed=1), [NDCG(k=10), *REALISM], user_based=True)
    for name, value in result[1].metric_avg_results.items():
        if "(s)" not in name:
            assert value == expected.metric_avg_results[name]


def test_folds_have_maps_of_their_own(frame):
    method = HeldOutUsersCV(frame, n_folds=3, seed=1)
    fitted = []

    class Kept(MostPop):
        def fit(self, train_set, val_set=None):
            fitted.append((self, dict(train_set.uid_map)))
            return super().fit(train_set, val_set)

    method.evaluate(Kept(), [RMSE()], user_based=True)
    assert len({id(model) for model, _ in fitted}) == 3
    assert all(dict(model.uid_map) == then for model, then in fitted)
    assert method.current_fold == 0
    assert method.train_set is method.folds[0].train_set
    assert method.total_users == method.folds[0].total_users > 0


def test_a_fitted_model_is_evaluated_in_the_current_fold(frame):
    method = HeldOutUsersCV(frame, n_folds=3, seed=1)
    model = EASE(verbose=False).fit(method.train_set)
    settings = {
        "model": model,
        "train_set": method.train_set,
        "test_set": method.val_set,
        "val_set": None,
        "rating_threshold": method.rating_threshold,
        "exclude_unknowns": True,
        "user_based": True,
        "rating_metrics": [],
        "ranking_metrics": [NDCG(k=10), PopularityJS()],
        "verbose": False,
    }
    found = method.eval(**settings).metric_avg_results
    assert found == method.folds[0].eval(**settings).metric_avg_results
    assert set(method.folds[0].report.scores.users) == {"validation"}


def test_the_report_holds_all_folds_and_tells_them_apart(experiment):
    report = experiment.eval_method.report
    own = report.scores.query("model == 'Popularity' and metric == 'PlausibilityKS'")
    assert own.dataset.tolist() == [f"tastes, fold {fold}" for fold in range(3)]
    values = [fold.metric_avg_results["PlausibilityKS"] for fold in experiment.result[0]]
    assert own.value.tolist() == values
    assert own.ceiling.nunique() == 3
    assert report.dataset == "tastes"
    assert set(experiment.eval_method.samplers) == {EASE().name, "MostPop"}
    difference = report.difference("PlausibilityKS", "Popularity", "TrainingUsers")
    others = [fold.metric_avg_results["PlausibilityKS"] for fold in experiment.result[1]]
    assert difference.value == pytest.approx(np.mean(values) - np.mean(others))
    assert difference.low > 0
    first = experiment.eval_method.folds[0].report
    assert report.synthetic["MostPop"] is first.synthetic["MostPop"]
    assert set(report.metrics) == set(first.metrics)


def test_same_seed_same_folds_and_numbers(frame, experiment):
    again = HeldOutUsersCV(frame, n_folds=3, seed=7)
    assert held_out_of(again) == held_out_of(experiment.eval_method)
    assert held_out_of(HeldOutUsersCV(frame, n_folds=3, seed=8)) != held_out_of(again)
    result, _ = again.evaluate(Popularity(), REALISM[1:2], user_based=True)
    expected = experiment.result[0].metric_mean["PlausibilityKS"]
    assert result.metric_mean["PlausibilityKS"] == expected
    seeds = {fold.seed for fold in again.folds}
    assert len(seeds) == 3


def test_splitters_of_scikit_learn_split_users(frame):
    users = np.array(sorted(frame.user.unique()), dtype=object)
    method = HeldOutUsersCV(frame, cv=KFold(3), seed=1)
    assert held_out_of(method) == [set(part) for part in np.array_split(users, 3)]
    community = pd.Series(users).str[-1].to_numpy()
    groups = dict(zip(users, community, strict=True))
    method = HeldOutUsersCV(frame, cv=GroupKFold(5), groups=groups, seed=1)
    held_out = held_out_of(method)
    assert sum(map(len, held_out)) == 300
    endings = [{groups[user] for user in fold} for fold in held_out]
    assert sum(map(len, endings)) == 10
    as_series = HeldOutUsersCV(frame, cv=GroupKFold(5), groups=pd.Series(groups), seed=1)
    assert held_out_of(as_series) == held_out
    # Without groups every user is one: whole users are held out.
    assert sum(map(len, held_out_of(HeldOutUsersCV(frame, cv=GroupKFold(5), seed=1)))) == 300


@pytest.mark.parametrize("cv", [ShuffleSplit(3, random_state=0), RepeatedKFold(random_state=0)])
def test_splitters_must_hold_out_every_user_once(frame, cv):
    with pytest.raises(
        ValueError, match=r"`cv` must hold out every user once; got \d+ times for 'u"
    ):
        HeldOutUsersCV(frame, cv=cv)


def test_own_folds_by_label_or_by_list(frame):
    users = frame.user.unique()
    labels = {user: "abc"[int(user[1:]) % 3] for user in users} | {"nobody": "d"}
    expected = [{user for user in users if labels[user] == label} for label in "abc"]
    table = pd.DataFrame({"user": list(labels), "fold": list(labels.values())})
    for folds in (labels, pd.Series(labels), table, [sorted(part) for part in expected]):
        method = HeldOutUsersCV.from_splits(frame, folds, seed=1, reference_share=0.5)
        assert held_out_of(method) == expected
        assert len(method.folds[0].groups.reference) == 100
    with pytest.raises(ValueError, match="`folds` must hold out every user of `data` once; got 'u"):
        HeldOutUsersCV.from_splits(frame, [expected[0], expected[1]])
    with pytest.raises(ValueError, match=r"hold out every user once; got 'u.*' in 0 and in 1"):
        HeldOutUsersCV.from_splits(frame, [expected[0], users])
    with pytest.raises(ValueError, match="`folds` must be at least 2; got 1"):
        HeldOutUsersCV.from_splits(frame, [users])


def test_own_methods_as_folds(frame):
    methods = [HeldOutUsers(frame, seed=seed, validation_share=0) for seed in (1, 2)]
    method = HeldOutUsersCV.from_methods(methods, dataset_name="two")
    result, _ = method.evaluate(Popularity(), REALISM[1:2], user_based=True)
    for fold, own in zip(result, methods, strict=True):
        (score,) = own.report.entries
        assert fold.metric_avg_results["PlausibilityKS"] == score.measurement.value
    assert method.report.dataset == "two"
    with pytest.raises(ValueError, match="`folds` must be at least 2 HeldOutUsers; got HeldOut"):
        HeldOutUsersCV.from_methods(methods[:1])


def test_unseen_users_are_scored_by_their_own_items():
    method = HeldOutUsersCV(checkerboard(300).to_frame(), n_folds=3, seed=1)
    means = [
        method.evaluate(model, [NDCG(k=10)], user_based=True)[0].metric_mean["NDCG@10"]
        for model in (EASE(verbose=False), MostPop())
    ]
    assert means[0] > 1.4 * means[1]


def test_losses_are_counted(frame, caplog):
    more = pd.concat(
        [frame, frame.iloc[:1], pd.DataFrame([("lonely", "i1", 5.0)], columns=frame.columns)]
    )
    method = HeldOutUsersCV(more, n_folds=3, rating_threshold=2, seed=1)
    dropped = method.report.dropped
    assert dropped["repeated pairs"] == 1
    assert dropped["ratings below 2"] > 100
    assert dropped["users with too few items"] >= 1
    with caplog.at_level(logging.WARNING, logger="cornac_mle"):
        few = HeldOutUsersCV(frame[frame.user.isin(frame.user.unique()[:120])], n_folds=8, seed=1)
        result, _ = few.evaluate(Popularity(), REALISM[:1], user_based=True)
    assert np.isnan(result.metric_mean["UnrealisticUsers@0.1"])
    assert "must each be at least 18 users" in caplog.text


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"n_folds": 1}, ValueError, "`n_folds` must be at least 2; got 1"),
        ({"n_folds": 301}, ValueError, "`n_folds` must be at most the number of users; got 301"),
        ({"cv": 5}, TypeError, "`cv` must have a method `split`; got int"),
        ({"reference_share": 1.0}, ValueError, "`reference_share` must be finite, above 0"),
        ({"validation_share": 1.0}, ValueError, "`validation_share` must be finite, at least 0"),
        ({"shares": (1, 1, 1)}, TypeError, "`settings` must be of a fold; got 'shares'"),
        ({"seed": -1}, ValueError, "`seed` must be at least 0; got -1"),
        ({"feedback": "clicks"}, ValueError, "`feedback` must be one of 'likes', 'ratings'"),
        ({"folds": 3}, TypeError, "unexpected keyword argument 'folds'"),
    ],
)
def test_wrong_settings(frame, settings, error, message):
    with pytest.raises(error, match=message):
        HeldOutUsersCV(frame, **settings)


def test_groups_must_name_every_user(frame):
    with pytest.raises(ValueError, match="`groups` must have a group for every user; got none of"):
        HeldOutUsersCV(frame, cv=GroupKFold(2), groups={"u1": 1})


def test_movielens(shared_data):
    columns = ["user", "item", "rating", "time"]
    path = shared_data / "cornac_cache" / "ml-100k" / "u.data"
    data = pd.read_csv(path, sep="\t", names=columns)
    method = HeldOutUsersCV(data, n_folds=3, rating_threshold=4, seed=1)
    assert len(set.union(*held_out_of(method))) == sum(map(len, held_out_of(method))) > 930
    found = {}
    for model in (Popularity(), TrainingUsers()):
        result, _ = method.evaluate(model, [PopularityJS(), PlausibilityKS(49)], user_based=True)
        found[model.name] = result.metric_mean
    assert found["TrainingUsers"]["PlausibilityKS"] < 0.15
    assert found["Popularity"]["PlausibilityKS"] > 0.5
    assert found["Popularity"]["PopularityJS"] < 0.08


def test_a_fitted_model_that_is_not_trainable_has_no_folds_to_be_fitted_on():
    world = taste_world(120, seed=1)
    method = HeldOutUsersCV(world.to_frame(), n_folds=2, seed=1)
    model = MF(k=2, seed=1).fit(world.to_dataset(seed=1))
    model.trainable = False
    with pytest.raises(
        ValueError, match="`model` must be trainable; got 'MF' with trainable=False"
    ):
        method.evaluate(model, [RMSE()], True)
