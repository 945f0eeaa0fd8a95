import copy
import logging
import re

import cornac
import joblib
import numpy as np
import pandas as pd
import pytest
from cornac.eval_methods import CrossValidation, NextItemEvaluation, RatioSplit
from cornac.hyperopt import GridSearch as CornacGridSearch
from cornac.hyperopt import RandomSearch as CornacRandomSearch
from cornac.metrics import AUC, NDCG, RMSE, Recall
from cornac.models import BPR, MF, MostPop, Recommender

from cornac_mle.datasets import complete_journey
from cornac_mle.eval_methods.held_out_users import HeldOutUsers
from cornac_mle.eval_methods.held_out_users_cv import HeldOutUsersCV
from cornac_mle.eval_methods.rating_splits import RatioSplit as OurRatioSplit
from cornac_mle.metrics import (
    NeighbourCoverage,
    PlausibilityKS,
    PopularityJS,
    UnrealisticShare,
    UnrealisticUsers,
)
from cornac_mle.models.mixture import Mixture
from cornac_mle.models.popularity import Popularity
from cornac_mle.search import Continuous, Discrete
from cornac_mle.search.grid_search import GridSearch
from cornac_mle.search.random_search import RandomSearch
from worlds import checkerboard, rated, taste_world

KINDS = [Discrete("k", [1, 2])]
"""Two communities: 2 is right, and the second in Cornac's order."""


@pytest.fixture(scope="module")
def method():
    return HeldOutUsers(checkerboard(600).to_frame(), seed=1, validation_share=0.3)


@pytest.fixture(scope="module")
def split():
    """A split of ratings, not of users, where Cornac's search is right."""
    frame = rated(taste_world(200, mean_size=20, seed=3)).to_frame()
    rows = list(frame.itertuples(index=False, name=None))
    return RatioSplit(rows, test_size=0.2, val_size=0.2, rating_threshold=3, seed=5)


def mixture(**settings):
    return Mixture(lambda_reg=0.5, n_init=1, **settings)


def fitted(search):
    return search.fit(search.eval_method.train_set, search.eval_method.val_set)


def without_seconds(table):
    return table.drop(columns=["fit_seconds", "evaluation_seconds"])


class Fails(Mixture):
    """Cannot be fitted with two kinds."""

    def _fit(self, matrix, validation):
        if self.k == 2:
            msg = "two kinds are one too many\nand a line more"
            raise RuntimeError(msg)
        super()._fit(matrix, validation)


# ----------------------------------------------------------------------------- the planted winner


@pytest.mark.parametrize("metric", [NDCG(k=10), Recall(k=5)], ids=lambda metric: metric.name)
def test_cornacs_search_gives_every_candidate_one_score_and_takes_the_first(method, metric):
    search = fitted(CornacGridSearch(mixture(), KINDS, metric, method))
    others = fitted(CornacGridSearch(mixture(), [Discrete("k", [2, 1])], metric, method))
    assert search.best_params == others.best_params == {"k": 1}
    alone = fitted(CornacGridSearch(mixture(), [Discrete("k", [2])], metric, method))
    assert alone.best_score == search.best_score


@pytest.mark.parametrize(
    "metric",
    [NDCG(k=10), Recall(k=5), UnrealisticUsers(), PlausibilityKS(49), NeighbourCoverage()],
    ids=lambda metric: metric.name,
)
def test_ours_finds_the_planted_number_of_communities(method, metric):
    """By a metric that is high, low, or near alpha or its ceiling when it is good."""
    search = fitted(GridSearch(mixture(), KINDS, metric, method))
    assert search.best_params == {"k": 2}
    assert search.results["rank"].tolist() == [2, 1]
    assert search.best_score == search.results[metric.name][1]
    assert search.best_model.k_ == 2


def test_a_model_of_cornacs_own_is_chosen_by_rankings_and_by_the_users_it_makes_up(method):
    space = [Discrete("learning_rate", [1e-7, 0.05])]
    model = BPR(k=5, max_iter=100, seed=1)
    with pytest.raises(IndexError):  # Cornac asks it for the factors of users it has none of
        fitted(CornacGridSearch(model, space, NDCG(k=10), method))
    for metric in (NDCG(k=10), NeighbourCoverage()):
        search = fitted(GridSearch(model, space, metric, method))
        assert search.best_params == {"learning_rate": 0.05}


def test_values_intervals_and_losses_are_those_of_the_report():
    """Averages over sampling seeds; of a certified bound, which is never averaged, the first."""
    method = HeldOutUsers(checkerboard(400).to_frame(), seed=1, validation_share=0.3, n_samples=2)
    metrics = [UnrealisticUsers(0.6), NeighbourCoverage(), UnrealisticShare(), NDCG(k=10)]
    table = fitted(GridSearch(mixture(), KINDS, metrics, method)).results
    assert method.report.scores.empty
    losses = []
    for row, kinds in enumerate([1, 2]):
        name = f"{kinds} kinds"
        method.evaluate(mixture(k=kinds, name=name), metrics, user_based=True)
        scores = method.report.scores
        scores = scores[(scores["users"] == "validation") & (scores["model"] == name)]
        for metric in metrics:
            seeds = scores[scores["metric"] == metric.name]
            seeds = seeds[:1] if metric.name == UnrealisticShare().name else seeds
            for column in ("value", "low", "high", "loss"):
                heading = metric.name if column == "value" else f"{metric.name}_{column}"
                expected = seeds[column].astype(float).mean()
                assert table[heading][row] == pytest.approx(expected, nan_ok=True)
        first = scores[scores["metric"] == metrics[0].name]
        losses.append(first["loss"].mean())
        # Nearest to the share of real users flagged is best, not lowest.
        assert losses[-1] == pytest.approx((first["value"] - first["ceiling"]).abs().mean())
    assert table["rank"].tolist() == (1 + np.argsort(np.argsort(losses))).tolist()


def test_held_out_users_take_no_part():
    users = checkerboard(300).to_frame()
    number = users.user.str[1:].astype(int)
    train, validation, reference, one, other = (
        users[number.between(first, last)]
        for first, last in ((0, 99), (100, 159), (160, 219), (220, 259), (260, 299))
    )
    tables = []
    for held_out in (one, other):
        method = HeldOutUsers.from_splits(
            train, held_out, validation, reference_data=reference, seed=1
        )
        metrics = [UnrealisticUsers(), PopularityJS()]
        tables.append(fitted(GridSearch(mixture(), KINDS, metrics, method)).results)
    pd.testing.assert_frame_equal(without_seconds(tables[0]), without_seconds(tables[1]))


# ------------------------------------------------------------------------------- Cornac's interface


def test_it_goes_into_an_unpatched_experiment(method, tmp_path):
    search = GridSearch(mixture(), KINDS, UnrealisticUsers(), method, name="chosen")
    metrics = [NDCG(k=10), UnrealisticUsers(), PopularityJS()]
    right = mixture(k=2, name="right")
    experiment = cornac.Experiment(method, [search, right], metrics, save_dir=str(tmp_path))
    experiment.run()
    ours, theirs = (result.metric_avg_results for result in experiment.result)
    for name in ("NDCG@10", "UnrealisticUsers@0.05", "PopularityJS"):
        assert ours[name] == theirs[name]
    validation = experiment.val_result[0].metric_avg_results
    assert validation["UnrealisticUsers@0.05"] == search.best_score
    # Saved with the experiment, and without the data.
    loaded = Recommender.load(str(tmp_path / "chosen"))
    assert loaded.eval_method is None
    assert loaded.best_params == {"k": 2}
    assert loaded.score(3).tolist() == search.score(3).tolist()
    result, _ = method.evaluate(loaded, metrics, user_based=True)
    assert result.metric_avg_results["PopularityJS"] == ours["PopularityJS"]
    assert loaded.best_model.train_set is method.train_set
    loaded.trainable = True
    with pytest.raises(ValueError, match="`eval_method` must be an evaluation method; got None"):
        loaded.fit(method.train_set, method.val_set)


def test_cross_validation_over_users_chooses_in_each_fold(tmp_path):
    folds = HeldOutUsersCV(checkerboard(400).to_frame(), 2, validation_share=0.3, seed=1)
    for metric in (NDCG(k=10), PlausibilityKS(19)):
        search = GridSearch(mixture(), [Discrete("k", [1, 2])], metric, folds)
        right = mixture(k=2, name="right")
        metrics = [NDCG(k=10), UnrealisticUsers()]
        experiment = cornac.Experiment(folds, [search, right], metrics, save_dir=str(tmp_path))
        experiment.run()
        ours, theirs = experiment.result
        assert len(ours) == 2
        for one, other in zip(ours, theirs, strict=True):
            for name in ("NDCG@10", "UnrealisticUsers@0.05"):
                assert one.metric_avg_results[name] == other.metric_avg_results[name]
        # A fold is entered for as long as it is evaluated; by hand, the first one is.
        assert fitted(search).best_params == {"k": 2}
    assert set(folds.report.scores["users"]) == {"held-out"}


@pytest.mark.parametrize("metric", [NDCG(k=10), RMSE(), AUC()], ids=lambda metric: metric.name)
def test_where_cornacs_search_is_right_ours_is_the_same(split, metric):
    space = [Discrete("k", [2, 8]), Discrete("learning_rate", [0.001, 0.05])]
    model = MF(max_iter=20, seed=2)
    theirs = fitted(CornacGridSearch(model, space, metric, split))
    ours = fitted(GridSearch(model, space, metric, split, user_based=False))
    assert ours.best_params == theirs.best_params
    assert ours.best_score == theirs.best_score
    assert ours.results["rank"].nunique() > 1
    assert ours.score(0).tolist() == theirs.score(0).tolist()
    assert ours.rank(0, k=5)[0].tolist() == theirs.rank(0, k=5)[0].tolist()
    assert ours.rate(0, 1) == theirs.rate(0, 1)


def test_our_splits_of_ratings_are_searched_as_cornacs(split):
    frame = rated(taste_world(200, mean_size=20, seed=3)).to_frame()
    rows = list(frame.itertuples(index=False, name=None))
    settings = {"test_size": 0.2, "val_size": 0.2, "rating_threshold": 3, "seed": 5}
    ours = OurRatioSplit(rows, **settings, against="test")  # nobody is set aside
    model, space = MF(max_iter=20, seed=2), [Discrete("k", [2, 8])]
    tables = [fitted(GridSearch(model, space, NDCG(k=10), one)).results for one in (split, ours)]
    pd.testing.assert_frame_equal(*map(without_seconds, tables))
    assert ours.report.scores.empty


def test_rating_metrics_have_an_interval_over_users(split):
    model, space = MF(max_iter=20, seed=2), [Discrete("k", [2])]
    over_ratings = fitted(GridSearch(model, space, RMSE(), split, user_based=False))
    (row,) = over_ratings.results.to_dict("records")
    assert np.isnan(row["RMSE_low"])
    (row,) = fitted(GridSearch(model, space, RMSE(), split)).results.to_dict("records")
    assert row["RMSE_low"] < row["RMSE"] < row["RMSE_high"]
    assert row["RMSE_loss"] == row["RMSE"]


def test_the_best_score_is_the_value_on_validation_data_that_an_experiment_gives(split, tmp_path):
    search = GridSearch(MF(max_iter=20, seed=2), [Discrete("k", [2, 8])], RMSE(), split)
    experiment = cornac.Experiment(split, [search], [RMSE()], save_dir=str(tmp_path))
    experiment.run()
    assert experiment.val_result[0].metric_avg_results["RMSE"] == search.best_score


def test_a_clone_has_the_settings_and_the_very_evaluation_method(method):
    space = [Continuous("lambda_reg", 0.1, 1.0), *KINDS]
    search = RandomSearch(
        mixture(), space, [NDCG(k=10), PopularityJS()], method, 3, seed=4, n_jobs=1, name="random"
    )
    fitted(search)
    clone = search.clone({"n_trails": 2})
    assert clone.eval_method is method
    assert (clone.name, clone.seed, clone.n_trails) == ("random", 4, 2)
    assert clone.best_model is None
    assert not clone.is_fitted
    expected = without_seconds(search.results[:2]).drop(columns=["rank", "pareto"])
    again = without_seconds(fitted(clone).results).drop(columns=["rank", "pareto"])
    pd.testing.assert_frame_equal(again, expected)


def test_a_copy_scores_but_holds_no_data(method):
    search = fitted(GridSearch(mixture(), KINDS, NDCG(k=10), method))
    copied = copy.deepcopy(search)
    assert copied.eval_method is None
    assert copied.score(0).tolist() == search.score(0).tolist()
    pd.testing.assert_frame_equal(copied.results, search.results)


def test_what_is_handed_over_stays_as_it_is(method):
    model = mixture(k=7)
    before = copy.deepcopy(method.report.scores)
    notes = dict(method.report.metrics)
    search = fitted(GridSearch(model, KINDS, [NDCG(k=3), PopularityJS()], method))
    assert not model.is_fitted
    assert model.k == 7
    pd.testing.assert_frame_equal(method.report.scores, before)
    assert method.report.metrics == notes
    assert search.best_model.train_set is method.train_set
    assert search.best_model.uid_map is method.train_set.uid_map


class Wrapper(MostPop):
    """Fits the very model that it is given, and scores only after `transform`."""

    def __init__(self, model=None):
        super().__init__()
        self.model = model
        self.prepared = None

    def fit(self, train_set, val_set=None):
        super().fit(train_set, val_set)
        self.model.fit(train_set, val_set)
        return self

    def transform(self, test_set):
        self.prepared = test_set

    def score(self, user_idx, item_idx=None):
        assert self.prepared is not None
        return self.model.score(user_idx, item_idx)


def test_values_may_be_models_which_are_not_fitted_either(split):
    models = [MF(k=2, max_iter=20, seed=2), MF(k=8, max_iter=20, seed=2)]
    search = GridSearch(Wrapper(), [Discrete("model", models)], NDCG(k=10), split)
    result, _ = split.evaluate(search, [NDCG(k=10)], user_based=False, show_validation=False)
    assert not any(model.is_fitted for model in models)
    assert re.fullmatch(r"MF\(.*k=2, lambda_reg=0.02,.*\)", search.results["model"][0])
    assert search.best_model.model.k == search.best_params["model"].k
    # The winner is prepared for the test set in the name of the search.
    assert search.best_model.prepared is split.test_set
    assert result.metric_avg_results["NDCG@10"] > 0


def test_before_a_fit_there_is_nothing_to_score_with(method):
    search = GridSearch(mixture(), KINDS, NDCG(k=10), method)
    for call in (lambda: search.score(0), lambda: search.rank(0), lambda: search.pareto_front):
        with pytest.raises(RuntimeError, match=r"GridSearch_Mixture is not fitted. Call fit"):
            call()


# ---------------------------------------------------------------------------------- the candidates


def test_a_grid_is_every_combination_in_the_order_given(method):
    space = [Discrete("n_init", np.array([2, 1])), Discrete("k", [2, None])]
    search = GridSearch(mixture(), space, NDCG(k=10), method)
    # By name of the parameter, so k before n_init; values as they come: None cannot be sorted.
    assert search._build_param_set() == [
        {"k": 2, "n_init": 2},
        {"k": 2, "n_init": 1},
        {"k": None, "n_init": 2},
        {"k": None, "n_init": 1},
    ]
    assert type(search._build_param_set()[0]["n_init"]) is int


def test_random_candidates_are_those_of_cornac_with_pythons_numbers(method):
    space = [Continuous("lambda_reg", 0.1, 1.0), Discrete("k", [1, 2, 3, 4])]
    theirs = CornacRandomSearch(mixture(seed=9), space, NDCG(k=10), method, 6)._build_param_set()
    model = mixture(seed=9)
    ours = RandomSearch(model, space, NDCG(k=10), method, 6)._build_param_set()
    assert ours == theirs
    assert type(theirs[0]["k"]) is np.int64
    assert {type(one["k"]) for one in ours} == {int}
    assert {type(one["lambda_reg"]) for one in ours} == {float}
    seeded = RandomSearch(model, space, NDCG(k=10), method, 6, seed=1)._build_param_set()
    assert seeded != ours
    assert (
        RandomSearch(mixture(seed=3), space, NDCG(k=10), method, 6, seed=1)._build_param_set()
        == seeded
    )


def test_values_keep_their_types_and_are_tried_once(method):
    values = [1, 2.5, None, "text", [3]]
    space = [Discrete("k", values)]
    search = RandomSearch(mixture(), space, NDCG(k=10), method, 100, seed=1)
    drawn = [one["k"] for one in search._build_param_set()]
    # 100 draws miss one of five with a probability below 5 x .8^100 < 1e-9.
    assert sorted(map(repr, drawn)) == sorted(map(repr, values))


def test_a_random_search_finds_the_planted_one(method):
    space = [Discrete("k", [1, 2]), Continuous("lambda_reg", 0.1, 0.5)]
    search = fitted(RandomSearch(mixture(), space, UnrealisticUsers(), method, 6, seed=1))
    assert set(search.results["k"]) == {1, 2}
    assert search.best_params["k"] == 2
    assert search.best_model.lambda_reg == search.best_params["lambda_reg"]


def test_processes_make_no_difference(method):
    metrics = [UnrealisticUsers(), NDCG(k=10)]
    space = [Discrete("k", [1, 2, 3]), Continuous("lambda_reg", 0.1, 0.5)]
    with joblib.parallel_config(backend="threading"):  # not taken: threads share random streams
        searches = [
            fitted(RandomSearch(mixture(), space, metrics, method, 5, seed=2, n_jobs=n_jobs))
            for n_jobs in (1, 2)
        ]
    pd.testing.assert_frame_equal(*(without_seconds(one.results) for one in searches))
    one, two = searches
    assert one.best_params == two.best_params
    assert one.score(0).tolist() == two.score(0).tolist()
    assert two.best_model.train_set is method.train_set
    assert two.best_model.uid_map is method.train_set.uid_map


# ------------------------------------------------------------------------------------ the table


def test_ties_share_a_rank_and_the_first_wins(method):
    space = [Discrete("name", ["b", "a"])]
    search = fitted(GridSearch(Popularity(), space, NDCG(k=10), method))
    assert search.results["rank"].tolist() == [1, 1]
    assert search.best_params == {"name": "b"}
    assert len(search.pareto_front) == 2


def test_two_objectives_leave_a_front_to_choose_from(method):
    metrics = [NDCG(k=10), UnrealisticUsers()]
    # Much smoothing blurs the two communities, which a judge sees more clearly than a ranking.
    space = [Discrete("k", [1, 2]), Discrete("lambda_reg", [0.1, 20.0])]
    search = fitted(GridSearch(mixture(), space, metrics, method))
    table = search.results
    losses = np.column_stack([-table["NDCG@10"], (table["UnrealisticUsers@0.05"] - 0.05).abs()])
    expected = [
        not any((other <= own).all() and (other < own).any() for other in losses) for own in losses
    ]
    assert table["pareto"].tolist() == expected
    assert 0 < sum(expected) < 4
    front = search.pareto_front
    assert sorted(front.index) == np.flatnonzero(expected).tolist()
    assert front["NDCG@10"].is_monotonic_decreasing
    assert search.best_params == dict(front.iloc[0][["k", "lambda_reg"]])
    turned = fitted(GridSearch(mixture(), space, metrics[::-1], method))
    assert turned.best_score == table["UnrealisticUsers@0.05"].min()
    assert turned.results["pareto"].tolist() == expected


def test_a_metric_has_the_value_that_it_has_alone():
    """Cornac sorts as far as the largest k asks, so that k = -1 beside k = 5 is cut off."""
    # Many items: a short list is sorted as a whole while it is cut in two.
    frame = rated(taste_world(60, n_items=2000, mean_size=60, seed=3)).to_frame()
    rows = list(frame.itertuples(index=False, name=None))
    split = RatioSplit(rows, test_size=0.2, val_size=0.2, rating_threshold=3, seed=5)
    model, space = MF(max_iter=20, seed=2), [Discrete("k", [2, 8])]
    both = fitted(GridSearch(model, space, [NDCG(k=5), NDCG(k=-1)], split)).results
    for metric in (NDCG(k=5), NDCG(k=-1)):
        alone = fitted(GridSearch(model, space, metric, split)).results
        assert both[metric.name].tolist() == alone[metric.name].tolist()


def test_what_cannot_be_fitted_is_kept_with_its_reason_and_never_wins(method):
    model = Fails(lambda_reg=0.5, n_init=1)
    search = fitted(GridSearch(model, [Discrete("k", [2, 1])], [NDCG(k=10), Recall(k=5)], method))
    table = search.results
    assert table["reason"].tolist() == ["RuntimeError: two kinds are one too many", ""]
    assert table["rank"].isna().tolist() == [True, False]
    assert table["pareto"].tolist() == [False, True]
    assert np.isnan(table["NDCG@10"][0])
    assert search.best_params == {"k": 1}
    assert len(search.pareto_front) == 1


def test_nothing_that_can_be_fitted_is_an_error_in_one_line(method):
    model = Fails(lambda_reg=0.5, n_init=1)
    search = fitted(GridSearch(model, [Discrete("k", [1])], NDCG(k=10), method))
    search.space = [Discrete("k", [2])]
    message = "`space` must hold a candidate that can be fitted and measured; got none in 1"
    with pytest.raises(ValueError, match=f"{message}; the first: RuntimeError: two") as caught:
        fitted(search)
    assert "\n" not in str(caught.value)
    assert search.best_model is None
    assert not search.is_fitted
    assert search.results["reason"].str.contains("two kinds").all()


def test_no_value_has_its_reason_and_never_wins(caplog):
    method = HeldOutUsers(checkerboard(200).to_frame(), seed=1, validation_share=0.1)
    metrics = [NDCG(k=10), UnrealisticUsers()]
    search = GridSearch(mixture(), KINDS, metrics, method)
    with caplog.at_level(logging.WARNING, logger="cornac_mle"):
        pattern = "no value of UnrealisticUsers@0.05; Mixture: .* must each be at least"
        with pytest.raises(ValueError, match=pattern):
            fitted(search)
    assert search.results["NDCG@10"].notna().all()
    assert search.results["rank"].isna().all()


def test_a_parameter_may_be_called_as_a_column_is(method):
    class Ranked(Mixture):
        def __init__(self, rank=1):
            super().__init__(k=rank)
            self.rank_ = rank

        @property
        def rank(self):
            return self.rank_

    search = fitted(GridSearch(Ranked(), [Discrete("rank", [1, 2])], PopularityJS(), method))
    assert search.results["param_rank"].tolist() == [1, 2]
    assert sorted(search.results["rank"]) == [1, 2]


def test_progress_is_shown_after_a_while_if_asked_for(method, capsys, monkeypatch):
    fitted(GridSearch(mixture(), KINDS, NDCG(k=10), method, verbose=True))
    assert "GridSearch" not in "".join(capsys.readouterr())
    monkeypatch.setattr("cornac_mle.search._base.QUIET_SECONDS", 0)
    fitted(GridSearch(mixture(), KINDS, NDCG(k=10), method, verbose=True))
    assert "GridSearch_Mixture: 100%" in capsys.readouterr().err
    monkeypatch.setattr(method, "verbose", True)
    fitted(GridSearch(mixture(), KINDS, NDCG(k=10), method))
    assert "".join(capsys.readouterr()) == ""


# -------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": Mixture}, TypeError, "`model` must be a Cornac model; got .*with brackets"),
        ({"space": []}, ValueError, "`space` must hold at least one domain; got none"),
        ({"space": ["k"]}, TypeError, "`space` must hold search domains; got 'k'"),
        ({"space": [Discrete("k", [])]}, ValueError, "`space` must list values; got none for k"),
        ({"space": [Discrete("k", 5)]}, TypeError, "`space` must list values; got 5 for k"),
        ({"space": [Discrete("k", "ab")]}, TypeError, "`space` must list values; got 'ab' for k"),
        ({"space": KINDS * 2}, ValueError, "have different names; got 'k' twice"),
        (
            {"space": [Discrete("kinds", [1, 2])]},
            ValueError,
            "`space` must name parameters of Mixture; got 'kinds'. It has k, lambda_reg",
        ),
        ({"metric": NDCG}, TypeError, r"`metric` must be a metric, .*Write NDCG\(\)"),
        ({"metric": []}, ValueError, "`metric` must be a metric, or several; got none"),
        ({"metric": "NDCG"}, TypeError, "`metric` must be a metric, or several; got 'N'"),
        ({"metric": NDCG(k=[5, 10])}, ValueError, r"`metric` must have one `k`; got \[5, 10\]"),
        ({"metric": [AUC(), AUC()]}, ValueError, "different names; got 'AUC' twice"),
        ({"eval_method": None}, TypeError, "`eval_method` must be an evaluation method"),
        ({"n_jobs": 0}, ValueError, "`n_jobs` must be at least 1, or -1"),
    ],
)
@pytest.mark.parametrize("search", [GridSearch, RandomSearch])
def test_wrong_settings(method, search, change, error, message):
    settings = {"model": mixture(), "space": KINDS, "metric": NDCG(k=10), "eval_method": method}
    with pytest.raises(error, match=message):
        search(**settings | change)


def test_wrong_settings_of_one_search(method, split):
    continuous = Continuous("lambda_reg", 0.1, 1.0)
    with pytest.raises(ValueError, match="hold Discrete domains; got Continuous for 'lambda_reg'"):
        GridSearch(mixture(), [continuous], NDCG(k=10), method)
    with pytest.raises(ValueError, match=r"have low below high; got 1 and 0.1 of 'lambda_reg'"):
        RandomSearch(mixture(), [Continuous("lambda_reg", 1, 0.1)], NDCG(k=10), method)
    with pytest.raises(ValueError, match="`n_trails` must be at least 1; got 0"):
        RandomSearch(mixture(), [continuous], NDCG(k=10), method, 0)
    with pytest.raises(ValueError, match="`seed` must be at least 0; got -1"):
        RandomSearch(mixture(), [continuous], NDCG(k=10), method, seed=-1)
    pattern = "`eval_method` must have whole validation users for PopularityJS; got RatioSplit"
    with pytest.raises(ValueError, match=pattern):
        GridSearch(mixture(), KINDS, [NDCG(k=10), PopularityJS()], split)
    sessions = object.__new__(NextItemEvaluation)
    with pytest.raises(TypeError, match="sets of items; got NextItemEvaluation"):
        GridSearch(mixture(), KINDS, NDCG(k=10), sessions)


def test_sets_to_choose_on_are_validation_sets_of_the_method(method, split):
    search = GridSearch(mixture(), KINDS, NDCG(k=10), method)
    with pytest.raises(ValueError, match="`val_set` must be given to choose on; got None"):
        search.fit(method.train_set)
    with pytest.raises(ValueError, match="must be those of `eval_method`; got others"):
        search.fit(split.train_set, split.val_set)
    rows = [(f"u{row % 8}", f"i{row % 7}", 1.0 + row % 5) for row in range(56)]
    folds = CrossValidation(rows, n_folds=2, seed=1)
    search = GridSearch(MostPop(), [Discrete("name", ["one"])], RMSE(), folds)
    with pytest.raises(ValueError, match="`val_set` must differ from the test set; got the same"):
        folds.evaluate(search, [RMSE()], user_based=False, show_validation=False)


# ------------------------------------------------------------------------------------- real data


def test_real_households_are_of_more_kinds_than_one():
    rows = complete_journey.load_frame()
    method = HeldOutUsers(rows, rating_threshold=3, seed=1, validation_share=0.3)
    metrics = [NDCG(k=100), UnrealisticUsers()]
    search = GridSearch(Mixture(n_init=1), [Discrete("k", [1, 10, 30])], metrics, method)
    table = fitted(search).results
    assert search.best_params["k"] > 1
    assert table["UnrealisticUsers@0.05"].iloc[0] == table["UnrealisticUsers@0.05"].max()
    assert 0 not in search.pareto_front.index
