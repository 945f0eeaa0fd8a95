import math

import cornac
import cornac.eval_methods
import numpy as np
import pandas as pd
import pytest
from cornac.experiment.result import PSTResult, Result
from cornac.metrics import NDCG, RMSE, Recall
from cornac.models import BPR, MF, MostPop

from cornac_mle.eval_methods import CrossValidation, HeldOutUsers, HeldOutUsersCV, RatioSplit
from cornac_mle.experiment import Experiment
from cornac_mle.metrics import PopularityJS, UnrealisticUsers
from cornac_mle.models.popularity import Popularity
from worlds import rated, taste_world

METRICS = [Recall(k=[5, 10]), RMSE(), UnrealisticUsers(0.1)]
NAMES = ["RMSE", "Recall@10", "Recall@5", "UnrealisticUsers@0.1"]


@pytest.fixture(scope="module")
def rows():
    frame = rated(taste_world(200, n_items=60, mean_size=12, seed=5)).to_frame()
    return list(frame.itertuples(index=False, name=None))


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(method, metrics=METRICS, models=None, **settings):
    models = [Popularity(), MF(k=3, seed=1)] if models is None else models
    made = Experiment(method, models, metrics, **settings)
    made.run()
    return made


def test_it_prints_what_cornac_prints_and_leaves_no_file(rows, nowhere, capsys):
    def lines(experiment):
        experiment.run()
        table = [line.split("|") for line in capsys.readouterr().out.splitlines()]
        return [[cell.strip() for cell in row[:-2]] for row in table]  # without seconds

    settings = {"models": [MF(k=3, seed=1), BPR(k=3, seed=1)], "metrics": METRICS[:2]}
    ours = lines(Experiment(cornac.eval_methods.RatioSplit(rows, 0.2, 0.1, seed=1), **settings))
    assert list(nowhere.iterdir()) == []
    settings["models"] = [MF(k=3, seed=1), BPR(k=3, seed=1)]
    theirs = cornac.Experiment(cornac.eval_methods.RatioSplit(rows, 0.2, 0.1, seed=1), **settings)
    assert ours == lines(theirs)
    assert sum("MF" in row[0] for row in ours if row) == 2  # validation and test
    assert [path.suffix for path in nowhere.iterdir()] == [".log"]


def test_logs_and_models_are_stored_on_request(rows, nowhere):
    run(RatioSplit(rows, seed=1), models=[MostPop()], save_dir="kept/here")
    names = [path.name for path in (nowhere / "kept" / "here").iterdir()]
    assert "MostPop" in names
    assert any(name.startswith("CornacExp-") for name in names)


def test_scores_are_tidy(rows):
    made = run(RatioSplit(rows, 0.2, 0.1, seed=1))
    scores = made.scores
    assert list(scores.columns) == ["model", "metric", "fold", "split", "value"]
    assert scores.fold.isna().all()
    for split, results in (("test", made.result), ("validation", made.val_result)):
        for result in results:
            own = scores[(scores.model == result.model_name) & (scores.split == split)]
            assert dict(zip(own.metric, own.value, strict=True)) == pytest.approx(
                dict(result.metric_avg_results), nan_ok=True
            )
    of_test = scores[scores.split == "test"]
    assert of_test.metric[:6].tolist() == [*NAMES, "Train (s)", "Test (s)"]


def test_values_of_users_have_the_ids_of_the_data(rows):
    made = run(RatioSplit(rows, seed=1))
    table = made.per_user
    assert list(table.columns) == ["model", "metric", "fold", "split", "user", "value"]
    own = table[(table.model == "MF") & (table.metric == "Recall@10")]
    means = made.scores.set_index(["model", "metric"]).value
    assert own.value.mean() == pytest.approx(means["MF", "Recall@10"])
    test_set = made.eval_method.test_set
    names = {index: name for name, index in made.eval_method.global_uid_map.items()}
    by_user = made.result[1].metric_user_results["Recall@10"]
    assert own.user.tolist() == [names[user] for user in by_user]
    assert set(own.user) <= {row[0] for row in rows}
    assert len(own) == len(set(test_set.uir_tuple[0]))
    made_up = table[(table.model == "MF") & (table.metric == "UnrealisticUsers@0.1")]
    assert made_up.user.tolist() == [f"s{number}" for number in range(len(made_up))]
    # Conformal p-values: the share of those up to .1 is the metric on all users.
    assert made_up.value.between(0, 1).all()


def test_users_of_each_fold_are_named_by_its_own_map(rows):
    """Cornac refills one map fold by fold: the last map would misname users of the others."""
    labels = np.arange(len(rows)) % 3
    for split in (cornac.eval_methods.CrossValidation, CrossValidation):
        settings = {} if split is not CrossValidation else {"against": "test"}
        method = split(rows, 3, partition=labels, seed=1, **settings)
        made = run(method, [RMSE()], [MostPop()])
        table = made.per_user
        assert table.fold.tolist() == sorted(table.fold)
        for fold in range(3):
            train = [row for row, label in zip(rows, labels, strict=True) if label != fold]
            test = [row for row, label in zip(rows, labels, strict=True) if label == fold]
            held = {user: [row for row in test if row[0] == user] for user, _, _ in test}
            own = table[table.fold == fold].set_index("user").value
            assert set(own.index) == set(held)
            # MostPop predicts the number of ratings that an item has in training, cut at 5.
            counts = pd.Series([row[1] for row in train]).value_counts()
            for user in sorted(held)[:20]:
                errors = [row[2] - min(counts.get(row[1], 1), 5) for row in held[user]]
                assert own[user] == pytest.approx(math.sqrt(np.mean(np.square(errors))))
        assert made.scores.fold.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        assert method.current_fold == 0


def test_users_held_out_in_folds(rows):
    method = HeldOutUsersCV(rows, n_folds=3, seed=1, validation_share=0)
    made = run(method, [Recall(k=5), PopularityJS()], [MF(k=3, seed=1)])
    table = made.per_user
    for fold, part in enumerate(method.folds):
        own = table[(table.fold == fold) & (table.metric == "Recall@5")]
        assert set(own.user) == set(part.groups.held_out.user_ids)
        mean = made.result[0][fold].metric_avg_results["Recall@5"]
        assert own.value.mean() == pytest.approx(mean)
    assert len(made.scores) == 3 * 4  # two metrics and two times
    assert made.val_result is None


def test_validation_users(rows):
    method = HeldOutUsers(rows, seed=1)
    made = run(method, [Recall(k=5), PopularityJS()])
    own = made.per_user.query("split == 'validation' and metric == 'Recall@5' and model == 'MF'")
    assert set(own.user) == set(method.groups.validation.user_ids)
    assert not run(method, [Recall(k=5)], show_validation=False).scores.split.eq("validation").any()


def test_parts_of_another_kind(rows):
    """As of Cornac's propensity-stratified evaluation: the last part has no values of users."""

    class Parts(cornac.eval_methods.CrossValidation):
        def evaluate(self, model, metrics, user_based, show_validation=True):
            found, _ = super().evaluate(model, metrics, user_based, show_validation)
            parts = PSTResult(model.name)
            parts += [found[0], Result(model.name, {"RMSE": 0.5}, None)]
            parts.table = "parts"
            return parts, None

    made = run(Parts(rows, 2, seed=1), [RMSE()], [MostPop()])
    assert made.scores.fold.tolist() == [0, 0, 0, 1]
    assert made.scores.value.iloc[-1] == 0.5
    assert set(made.per_user.fold) == {0}
    assert set(made.per_user.user) <= {row[0] for row in rows}


def test_values_of_sessions_are_averaged(rows):
    class Sessions(cornac.eval_methods.RatioSplit):
        def evaluate(self, model, metrics, user_based, show_validation=True):
            model.fit(self.train_set)
            return Result(model.name, {"RMSE": 2.0}, {"RMSE": {0: [1.0, 3.0]}}), None

    method = Sessions(rows, seed=1)
    table = run(method, [RMSE()], [MostPop()]).per_user
    assert table.value.tolist() == [2.0]
    assert table.user.tolist() == [next(iter(method.global_uid_map))]


def test_averages_over_ratings_have_no_values_of_users(rows):
    made = run(RatioSplit(rows, seed=1), [RMSE()], [MF(k=3, seed=1)], user_based=False)
    assert made.per_user.empty
    assert list(made.per_user.columns) == ["model", "metric", "fold", "split", "user", "value"]
    assert made.scores.value[0] > 0


def test_csv_files_hold_the_tables(rows, tmp_path):
    made = run(RatioSplit(rows, seed=1))
    made.to_csv(tmp_path / "new" / "folder")
    scores = pd.read_csv(tmp_path / "new" / "folder" / "scores.csv")
    per_user = pd.read_csv(tmp_path / "new" / "folder" / "per_user.csv")
    for found, expected in ((scores, made.scores), (per_user, made.per_user)):
        assert list(found.columns) == list(expected.columns)
        # pandas 2 reads another last digit than is written.
        np.testing.assert_allclose(found.value, expected.value, rtol=1e-12)
    assert per_user.user.tolist() == made.per_user.user.tolist()
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "per_user.csv",
        "scores.csv",
    ]


def test_a_broken_disk_leaves_the_older_file(rows, tmp_path, monkeypatch):
    made = run(RatioSplit(rows, seed=1), [RMSE()], [MostPop()])
    (tmp_path / "scores.csv").write_text("older")

    def full(*_arguments, **_settings):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(OSError, match="No space left"):
        made.to_csv(tmp_path)
    assert (tmp_path / "scores.csv").read_text() == "older"
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


@pytest.mark.parametrize(
    ("models", "metrics", "error", "message"),
    [
        ([MF], METRICS, TypeError, "`models` must hold Cornac models; got the class MF"),
        ([MF(), MF()], METRICS, ValueError, "`models` must have different names; got 'MF' twice"),
        (
            [],
            METRICS,
            ValueError,
            r"`models` must be a list with at least one model; got none. Write",
        ),
        (
            MF(),
            METRICS,
            ValueError,
            r"`models` must be a list with at least one model; got a MF\. Write \[model\]",
        ),
        ([MF()], [NDCG], TypeError, "`metrics` must hold Cornac metrics; got the class .*k=100"),
        (
            [MF()],
            NDCG(),
            ValueError,
            r"`metrics` must be a list with .*; got a NDCG\. Write \[metric\]",
        ),
        ([MF()], [], ValueError, r"`metrics` must be a list with at least one metric; got none."),
    ],
)
def test_what_cornac_drops_silently_is_refused(rows, models, metrics, error, message):
    with pytest.raises(error, match=message):
        Experiment(RatioSplit(rows, seed=1), models, metrics)


def test_tables_need_a_run(rows):
    made = Experiment(RatioSplit(rows, seed=1), [MF()], METRICS)
    for ask in (lambda: made.scores, lambda: made.per_user, lambda: made.to_csv("nowhere")):
        with pytest.raises(RuntimeError, match=r"was not run\. Call run"):
            ask()


def test_filmtrust(cornac_home, nowhere):
    feedback = cornac.datasets.filmtrust.load_feedback()
    feedback = list({row[:2]: row for row in feedback}.values())
    made = run(
        RatioSplit(feedback, 0.2, rating_threshold=2.5, seed=123),
        [NDCG(k=20), PopularityJS()],
        [MostPop(), BPR(k=10, seed=123)],
    )
    assert made.scores.value.notna().all()
    users = {row[0] for row in feedback}
    own = made.per_user[made.per_user.metric == "NDCG@20"]
    assert set(own.user) < users
    assert not list(nowhere.glob("*.log"))
