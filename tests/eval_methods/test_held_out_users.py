import logging
import pickle

import cornac
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from cornac.hyperopt import Discrete, GridSearch
from cornac.metrics import NDCG, RMSE, Recall
from cornac.models import BPR, EASE, MF, PMF, GlobalAvg, MostPop, NextItemRecommender

from cornac_mle.eval_methods.held_out_users import HeldOutUsers
from cornac_mle.experiment import Experiment
from cornac_mle.metrics import (
    CopiedUsers,
    HeldOutLogLikelihood,
    PlausibilityKS,
    PopularityJS,
    UnrealisticUsers,
)
from cornac_mle.models.popularity import Popularity
from cornac_mle.models.sampled.model import Sampled
from cornac_mle.models.training_users import TrainingUsers
from worlds import checkerboard, profiles, rated, taste_world

REALISM = [UnrealisticUsers(0.1), PlausibilityKS(49), PopularityJS(), CopiedUsers()]


@pytest.fixture(scope="module")
def triplets():
    frame = rated(taste_world(400, mean_size=12, seed=5)).to_frame()
    return list(frame.itertuples(index=False, name=None))


@pytest.fixture(scope="module")
def method(triplets):
    return HeldOutUsers(triplets, seed=7, dataset_name="tastes")


@pytest.fixture(scope="module")
def experiment(method, tmp_path_factory):
    made = cornac.Experiment(
        method,
        models=[Popularity(), TrainingUsers(), EASE(verbose=False), MostPop()],
        metrics=[Recall(k=20), NDCG(k=100), RMSE(), *REALISM],
        show_validation=True,
        save_dir=str(tmp_path_factory.mktemp("experiment")),
    )
    made.run()
    return made


def test_an_unpatched_experiment_has_one_table_with_both(experiment):
    headings = list(experiment.result[0].metric_avg_results)
    for name in ("Recall@20", "NDCG@100", "RMSE", *(metric.name for metric in REALISM)):
        assert name in headings
    assert "TrainingUsers" in str(experiment.result)
    assert "nan" not in str(experiment.result)


def test_the_memoriser_is_real_and_copied(experiment):
    popularity, memoriser = (result.metric_avg_results for result in experiment.result[:2])
    assert memoriser["UnrealisticUsers@0.1"] < 0.2 < popularity["UnrealisticUsers@0.1"]
    assert memoriser["PlausibilityKS"] < popularity["PlausibilityKS"]
    assert memoriser["CopiedUsers"] > 0.95


class NextItems(NextItemRecommender):
    """A model of sequences: it has no whole users."""

    def __init__(self, name="NextItems"):
        super().__init__(name)


def test_what_cannot_be_sampled_has_nan_with_a_logged_reason(method, caplog):
    with caplog.at_level(logging.WARNING, logger="cornac_mle"):
        result, _ = method.evaluate(
            NextItems(), REALISM[:1], user_based=True, show_validation=False
        )
    assert np.isnan(result.metric_avg_results["UnrealisticUsers@0.1"])
    assert "NextItems: no realism on held-out users: NextItems cannot be sampled: " in caplog.text


def test_cornacs_models_are_sampled_under_the_names_that_users_gave_them(experiment, method):
    ease, most_popular = (result.metric_avg_results for result in experiment.result[2:])
    assert ease["PlausibilityKS"] < most_popular["PlausibilityKS"]
    scores = method.report.scores
    assert set(scores.model) == {"Popularity", "TrainingUsers", EASE().name, "MostPop"}
    assert not scores.parameters.str.contains("Sampled").any()
    assert method.samplers == dict.fromkeys((EASE().name, "MostPop"), "density=None, seed=123")
    assert method.report.judge_families[EASE().name] == "ease"
    assert set(method.report.synthetic) == set(scores.model)


def test_cornacs_models_are_sampled_as_they_were_fitted(triplets):
    """The users are those of `Sampled` of the fitted model; a second wrap changes nothing."""
    method = HeldOutUsers(triplets, seed=7, validation_share=0.3)
    model = MF(k=3, max_iter=5, seed=1)
    method.evaluate(model, [PopularityJS()], user_based=True)
    drawn = method.report.synthetic["MF"]
    wrapped = Sampled(MF(k=3, max_iter=5, seed=1))
    method.evaluate(wrapped, [PopularityJS()], user_based=True)
    assert (drawn.matrix != method.report.synthetic["Sampled(MF)"].matrix).nnz == 0


def test_users_are_drawn_once_for_a_model_a_group_and_a_seed(triplets, monkeypatch):
    wrapped, drawn = [], []
    fit, sample = Sampled.fit, Popularity._draw

    def counted_fit(self, *sets, **named):
        wrapped.append(self.model.name)
        return fit(self, *sets, **named)

    def counted_draw(self, n_users, rng):
        drawn.append(n_users)
        return sample(self, n_users, rng)

    monkeypatch.setattr(Sampled, "fit", counted_fit)
    monkeypatch.setattr(Popularity, "_draw", counted_draw)
    method = HeldOutUsers(triplets, seed=7, n_samples=2)
    model = MostPop()
    method.evaluate(model, [PopularityJS(), CopiedUsers()], user_based=True)
    assert wrapped == ["MostPop"]  # for held-out and validation users together
    model.is_fitted = False  # Cornac warns otherwise
    method.evaluate(model, [PopularityJS()], user_based=True)
    assert wrapped == ["MostPop", "MostPop"]  # it may have been fitted otherwise
    method.evaluate(Popularity(), [PopularityJS(), CopiedUsers()], user_based=True)
    sizes = [2 * (len(part) // 2) for part in (method.groups.held_out, method.groups.validation)]
    assert drawn == [sizes[0], sizes[0], sizes[1], sizes[1]]


def test_a_search_is_measured_by_its_best_model(triplets):
    method = HeldOutUsers(triplets, seed=7)
    search = GridSearch(MF(k=3, max_iter=5, seed=1), [Discrete("k", [2, 4])], RMSE(), method)
    found, _ = method.evaluate(search, [PopularityJS()], user_based=True, show_validation=False)
    best = search.best_model.clone()
    best.name = "best"
    expected, _ = method.evaluate(best, [PopularityJS()], user_based=True, show_validation=False)
    assert found.model_name == "GridSearch_MF"
    assert found.metric_avg_results["PopularityJS"] == expected.metric_avg_results["PopularityJS"]
    scores = method.report.scores
    assert scores.parameters[0] == scores.parameters[1]
    assert f"k={search.best_params['k']}" in scores.parameters[0]


def test_validation_users_are_measured_too(experiment):
    values = experiment.val_result[0].metric_avg_results
    assert 0 < values["PopularityJS"] < 1
    assert values["NDCG@100"] > 0


def test_few_validation_users_are_no_reason_to_stop(triplets, caplog):
    small = HeldOutUsers(triplets, seed=7, validation_share=0.05)
    with caplog.at_level(logging.WARNING, logger="cornac_mle"):
        _, validation = small.evaluate(Popularity(), [UnrealisticUsers(0.1)], user_based=True)
    assert np.isnan(validation.metric_avg_results["UnrealisticUsers@0.1"])
    assert "must each be at least 18 users" in caplog.text


def test_per_user_results(experiment, method):
    by_user = experiment.result[0].metric_user_results
    assert len(by_user["UnrealisticUsers@0.1"]) == 2 * (len(method.groups.held_out) // 2)
    assert set(by_user["NDCG@100"]) <= set(range(method.total_users))
    table = method.report.per_user
    assert {"dataset", "model", "metric", "users", "user", "value"} <= set(table.columns)
    own = table[(table.model == "Popularity") & (table.metric == "NDCG@100")]
    own = own[own.users == "held-out"]
    assert own.value.mean() == pytest.approx(experiment.result[0].metric_avg_results["NDCG@100"])
    assert set(own.user) <= set(method.groups.held_out.user_ids)
    made_up = table[(table.model == "Popularity") & (table.metric == "UnrealisticUsers@0.1")]
    made_up = made_up[made_up.users == "held-out"]
    assert made_up.user.tolist() == [f"s{number}" for number in range(len(made_up))]


def test_values_of_real_users_bear_their_ids(triplets):
    """The log-likelihood is of held-out users: theirs are the names, in every table."""
    method = HeldOutUsers(triplets, seed=7)
    made = Experiment(method, [Popularity()], [HeldOutLogLikelihood()])
    made.run()
    ids = list(method.groups.held_out.user_ids)
    table = method.report.per_user
    assert table[table.users == "held-out"].user.tolist() == ids
    assert made.per_user.query("split == 'test'").user.tolist() == ids
    known = method.groups.held_out.split_items(method.groups.training_items)[0]
    nats = dict(
        zip(
            ids,
            Popularity().fit(method.train_set).log_likelihood(known, rng=1),
            strict=True,
        )
    )
    own = made.per_user.query("split == 'test'").set_index("user").value
    assert dict(own) == pytest.approx(nats)


def test_the_threshold_is_the_one_that_was_given(triplets):
    rated_rows = [(user, item, 1.0 + len(str(item)) % 2 * 4) for user, item, _ in triplets]
    assert HeldOutUsers(rated_rows, rating_threshold=1).rating_threshold == 1
    assert HeldOutUsers(rated_rows).rating_threshold == 0  # every pair is a like
    assert HeldOutUsers(rated_rows, rating_threshold=1, feedback="ratings").rating_threshold == 1


def test_a_method_is_named_in_a_line(triplets):
    method = HeldOutUsers(triplets, seed=7, dataset_name="tastes")
    sizes = method.groups.sizes
    counts = ", ".join(f"{count:,} {name}" for name, count in sizes.items())
    n_items = len(method.groups.train.item_ids)
    assert repr(method) == f"HeldOutUsers('tastes': {counts} users x {n_items:,} items, seed=7)"
    assert repr(HeldOutUsers()) == "HeldOutUsers('data': no data)"


def test_the_report_is_tidy_and_has_ceiling_and_floor(experiment, method):
    scores = method.report.scores
    held_out = scores[scores.users == "held-out"]
    row = held_out[(held_out.model == "Popularity") & (held_out.metric == "PlausibilityKS")].iloc[0]
    assert row.dataset == "tastes"
    assert row.ceiling < row.low <= row.value <= row.high
    assert row.floor == pytest.approx(row.value, abs=row.high - row.low)
    assert row.p_value == pytest.approx(1 / 50)
    assert row.value == experiment.result[0].metric_avg_results["PlausibilityKS"]


def test_models_are_compared_on_the_same_splits(experiment, method):
    difference = method.report.difference("PlausibilityKS", "Popularity", "TrainingUsers")
    assert 0 < difference.low < difference.value < difference.high
    with pytest.raises(ValueError, match="`metric` must be measured on half-splits; got 'Recall"):
        method.report.difference("Recall@20", "Popularity", "TrainingUsers")


def test_same_seed_same_numbers(triplets, method, experiment):
    again = HeldOutUsers(triplets, seed=7)
    result, _ = again.evaluate(Popularity(), REALISM, user_based=True, show_validation=False)
    for name in (metric.name for metric in REALISM):
        assert result.metric_avg_results[name] == experiment.result[0].metric_avg_results[name]


def test_order_of_models_does_not_matter(triplets, experiment):
    again = HeldOutUsers(triplets, seed=7)
    for model in (TrainingUsers(), Popularity()):
        result, _ = again.evaluate(model, REALISM, user_based=True, show_validation=False)
    expected = experiment.result[0].metric_avg_results
    assert all(result.metric_avg_results[m.name] == expected[m.name] for m in REALISM)


def test_users_of_the_three_sets_follow_one_another(method):
    assert method.train_set.num_users == len(method.groups.train)
    assert min(method.val_set.uir_tuple[0]) == len(method.groups.train)
    first = len(method.groups.train) + len(method.groups.validation)
    assert min(method.test_set.uir_tuple[0]) == first
    assert method.total_users == first + len(method.groups.held_out)
    assert not set(method.groups.reference.user_ids) & set(method.global_uid_map)


def ranked(method, model, k=10):
    result, _ = method.evaluate(model, [NDCG(k=k)], user_based=True, show_validation=False)
    return result.metric_avg_results[f"NDCG@{k}"]


@pytest.mark.parametrize(
    "model",
    [
        EASE(verbose=False),
        BPR(k=5, max_iter=200, learning_rate=0.05, seed=1),
        TrainingUsers(),
    ],
    ids=lambda model: model.name,
)
def test_unseen_users_are_scored_by_their_own_items(model):
    """In a checkerboard world a folded-in user gets items of the own community."""
    method = HeldOutUsers(checkerboard(300).to_frame(), seed=1)
    assert ranked(method, model) > 1.4 * ranked(method, MostPop())


def test_unseen_users_get_ratings_of_their_own():
    """Users of one half love what the others hate; MF and PMF must tell new users apart."""
    random = np.random.default_rng(1)
    held = random.random((300, 40)) < 0.6
    loves = (np.arange(40) < 20)[None, :] == (np.arange(300) % 2 == 0)[:, None]
    frame = rated(profiles(sp.csr_array(held.astype(np.float32)))).to_frame()
    rows = frame.user.str[1:].astype(int)
    columns = frame.item.str[1:].astype(int)
    frame["rating"] = np.where(loves[rows, columns], 5.0, 1.0)
    method = HeldOutUsers(frame, feedback="ratings", rating_threshold=4, seed=1)
    for model in (
        MF(k=3, max_iter=100, learning_rate=0.02, seed=1),
        PMF(k=3, max_iter=200, learning_rate=0.05, seed=1),
    ):
        assert ranked(method, model) > 1.4 * ranked(method, MostPop()), model.name


def test_rankings_do_not_depend_on_the_order_of_items():
    """A constant score ranks by item number; a folded-in model of Cornac's must not."""
    frame = rated(taste_world(300, mean_size=12, seed=2)).to_frame()
    values = []
    for table in (frame, frame.sort_values("item", ascending=False)):
        number = table.user.str[1:].astype(int)
        train, reference, held_out = (
            table[number.between(first, last)] for first, last in ((0, 149), (150, 219), (220, 299))
        )
        method = HeldOutUsers.from_splits(train, held_out, reference_data=reference, seed=3)
        values.append(ranked(method, EASE(verbose=False), k=100))
    assert values[0] == pytest.approx(values[1], abs=0.05)
    assert values[0] > ranked(method, MostPop(), k=100) + 0.05


def test_unknown_families_are_scored_by_neighbours_and_say_so(method, caplog):
    with caplog.at_level(logging.WARNING, logger="cornac_mle"):
        ranked(method, GlobalAvg())
    assert "no formula for unseen users is known for GlobalAvg" in caplog.text


def test_a_cut_off_beyond_the_catalogue_takes_all_of_it():
    """Cornac's argpartition fails where fewer candidates are left than NDCG@100 asks for."""
    method = HeldOutUsers(checkerboard(100).to_frame(), seed=1)
    assert ranked(method, MostPop(), k=100) == pytest.approx(ranked(method, MostPop(), k=-1))


def test_own_splits_must_not_share_users(triplets):
    with pytest.raises(ValueError, match="`held_out` must share no user with `train`; got 'u0'"):
        HeldOutUsers.from_splits(triplets[:600], triplets[:60], reference_data=triplets[700:])


def test_own_splits_are_taken_as_they_are(triplets):
    users = sorted({row[0] for row in triplets})
    parts = [
        [row for row in triplets if row[0] in set(users[start:stop])]
        for start, stop in ((0, 200), (200, 220), (220, 300), (300, 400))
    ]
    method = HeldOutUsers.from_splits(
        parts[0], parts[3], parts[1], reference_data=parts[2], rating_threshold=2, seed=1
    )
    assert method.report.groups == {
        "train": 200,
        "validation": 20,
        "reference": 80,
        "held_out": 100,
    }
    result, _ = method.evaluate(Popularity(), REALISM, user_based=True, show_validation=False)
    assert result.metric_avg_results["UnrealisticUsers@0.1"] > 0.1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": -1}, "`seed` must be at least 0; got -1"),
        ({"hidden_share": 1.0}, "`hidden_share` must be finite, above 0 and below 1; got 1.0"),
        ({"min_items": 1}, "`min_items` must be at least 2; got 1"),
        ({"feedback": "clicks"}, "`feedback` must be one of 'likes', 'ratings'; got 'clicks'"),
        ({"n_samples": 0}, "`n_samples` must be at least 1; got 0"),
        ({"n_splits": 1}, "`n_splits` must be at least 2; got 1"),
    ],
)
def test_wrong_settings(triplets, settings, message):
    with pytest.raises(ValueError, match=message):
        HeldOutUsers(triplets, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shares": "abc"}, "`shares` must be an array of real numbers; got 'abc'"),
        ({"validation_share": ".1"}, "`validation_share` must be a number; got '.1'"),
    ],
)
def test_settings_of_wrong_types(triplets, settings, message):
    with pytest.raises(TypeError, match=message):
        HeldOutUsers(triplets, **settings)


def test_wrong_groups_are_named(triplets):
    users = sorted({row[0] for row in triplets})
    parts = [
        [row for row in triplets if row[0] in set(users[start:stop])]
        for start, stop in ((0, 200), (200, 300), (300, 400))
    ]
    with pytest.raises(TypeError, match="`reference_data` must be interactions; got None"):
        HeldOutUsers.from_splits(parts[0], parts[1], reference_data=None)
    digits = [[(user[1:], *row) for user, *row in part] for part in parts]
    digits[0] += [(int(digits[1][0][0]), "i1", 5.0), (int(digits[1][0][0]), "i2", 5.0)]
    with pytest.raises(TypeError, match="`users of the groups` must be of one type; got both"):
        HeldOutUsers.from_splits(*digits[:2], reference_data=digits[2])
    strangers = [
        (user, f"new {place % 3}" if place else "i1", 5.0) for user in "ab" for place in range(3)
    ]
    with pytest.raises(
        ValueError, match="`held-out` must hold users of two or more items of train"
    ):
        HeldOutUsers.from_splits(parts[0], strangers, reference_data=parts[2])


def test_losses_are_counted(triplets):
    method = HeldOutUsers(
        [*triplets, triplets[0], ("lonely", "i1", 5.0)], rating_threshold=3, seed=1
    )
    assert method.report.dropped["repeated pairs"] == 1
    assert method.report.dropped["ratings below 3"] > 100
    assert method.report.dropped["users with fewer than 2 items"] >= 1


def test_several_samples_are_averaged_and_kept_apart(triplets):
    method = HeldOutUsers(triplets, seed=7, n_samples=3)
    result, _ = method.evaluate(Popularity(), [PopularityJS()], user_based=True)
    rows = method.report.scores
    rows = rows[rows.users == "held-out"]
    assert rows.sampling_seed.tolist() == [0, 1, 2]
    assert rows.value.nunique() == 3
    assert rows.value.mean() == pytest.approx(result.metric_avg_results["PopularityJS"])


def test_a_model_that_cannot_be_drawn_from_leaves_the_others_alone(caplog):
    method = HeldOutUsers(rated(taste_world(200, seed=1)).to_frame(), seed=1)
    diverged = MF(k=2, learning_rate=50.0, max_iter=50, seed=1)
    with np.errstate(all="ignore"):
        result, _ = method.evaluate(diverged, [PopularityJS()], True, show_validation=False)
    assert np.isnan(result.metric_avg_results["PopularityJS"])
    assert "cannot be sampled" in caplog.text


def test_a_copy_in_another_process_finds_the_same(triplets):
    metrics = [UnrealisticUsers(judge="svd"), PlausibilityKS(), Recall(k=5)]
    whole = HeldOutUsers(triplets, seed=1)
    whole.evaluate(Popularity(), metrics, user_based=True, show_validation=False)
    copied = pickle.loads(pickle.dumps(HeldOutUsers(triplets, seed=1)))
    evaluator = pickle.loads(pickle.dumps(HeldOutUsers(triplets, seed=1).evaluator))
    judge = whole.evaluator.judge_for_family("svd")
    evaluator.take_judge("svd", judge)
    copied.take_evaluator(evaluator)
    assert copied.evaluator is evaluator
    assert evaluator.judge_for_family("svd") is judge
    model = Popularity().fit(copied.train_set, copied.val_set)
    result = copied.evaluate_fitted(model, metrics, user_based=True)
    assert set(result.metric_avg_results) == {metric.name for metric in metrics}
    pd.testing.assert_frame_equal(copied.report.scores, whole.report.scores)
    with pytest.raises(ValueError, match="`family` must be one of"):
        evaluator.take_judge("nobody", judge)
