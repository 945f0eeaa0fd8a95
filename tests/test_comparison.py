import io

import numpy as np
import pytest
from cornac.models import MostPop
from rich.console import Console

from cornac_mle.comparison import all_metrics, compare
from cornac_mle.metrics import PlausibilityKS, PopularityJS
from cornac_mle.models.pmf.model import PMF
from cornac_mle.models.popularity import Popularity
from cornac_mle.models.training_users import TrainingUsers
from cornac_mle.report.table import WIDTH, score_table
from worlds import rated, taste_world

FRAME = rated(taste_world(200, n_items=60, mean_size=10, seed=5)).to_frame()
METRICS = [PopularityJS()]


def test_models_are_cloned_and_fitted_once_a_seed_where_they_have_one():
    seen = []
    model = PMF(k=2, max_iter=3, seed=9)
    report = compare(
        [Popularity(), model],
        FRAME,
        metrics=METRICS,
        rating_threshold=2,
        fit_seeds=[4, 5],
        on_fit=lambda name, done: seen.append((name, done)),
    )
    assert seen == [("Popularity", 0), ("PMF", 1), ("PMF", 2)]
    assert report.scores[report.scores.model == "PMF"].fit_seed.tolist() == [4, 5]
    assert not model.is_fitted
    assert report.dropped["ratings below 2"] > 0


def test_without_fit_seeds_a_model_keeps_its_own():
    report = compare([PMF(k=2, max_iter=3, seed=9)], FRAME, metrics=METRICS, seed=3)
    assert report.scores.fit_seed.tolist() == [9]


def test_every_metric_in_one_report_and_one_table():
    """Likes of several values: each metric has a value for a model that has a likelihood."""
    data = rated(taste_world(480, seed=1)).to_frame()
    report = compare([Popularity(), TrainingUsers()], data, metrics=all_metrics())
    values = report.scores.pivot(index="metric", columns="model", values="value")
    assert set(values.index) == {metric.name for metric in all_metrics()}
    assert values["Popularity"].notna().all()
    of_the_likelihood = ["HeldOutLogLikelihood", "LikelihoodRatioAttack"]
    assert values.index[values["TrainingUsers"].isna()].tolist() == of_the_likelihood
    assert "no power" in report.cautions["NeighbourRecall@5"]
    console = Console(width=WIDTH, file=io.StringIO())
    console.print(score_table(report.summary(), WIDTH))
    lines = console.file.getvalue().splitlines()
    row = next(line for line in lines if line.strip().startswith("CopiedUsers"))
    assert row.split()[-1] == "1.00±.00"
    row = next(line for line in lines if line.strip().startswith("HeldOutLogLikelihood"))
    assert row.split()[-1] == "-"
    assert all(len(line) <= WIDTH for line in lines)


def test_few_users_cost_the_metrics_that_need_more_and_no_others(caplog):
    report = compare([Popularity()], rated(taste_world(130, seed=1)).to_frame())
    assert "PlausibilityKS" in set(report.scores.metric)
    assert "UnrealisticUsers@0.05" not in set(report.scores.metric)
    assert "each be at least 38 users; got" in caplog.text


@pytest.mark.parametrize(
    ("models", "metrics", "message"),
    [
        (Popularity(), None, "`models` must be a list of Cornac models; got one model"),
        ([Popularity()], [PlausibilityKS], "`metrics` must hold metrics; got the class Plausib"),
    ],
)
def test_wrong_types_are_named(models, metrics, message):
    with pytest.raises(TypeError, match=message):
        compare(models, rated(taste_world(130, seed=1)).to_frame(), metrics=metrics)


def test_default_metrics_are_realism_and_accuracy():
    report = compare([Popularity()], rated(taste_world(400, seed=1)).to_frame())
    assert set(report.scores.metric) == {
        "UnrealisticUsers@0.05",
        "UnrealisticUsers@0.05 (item-knn)",
        "UnrealisticUsers@0.05 (svd)",
        "PlausibilityKS",
        "NeighbourCoverage@5",
        "MembershipInference",
        "CopiedUsers",
        "PopularityJS",
        "ProfileSizeKS",
        "Recall@20",
        "NDCG@100",
    }


@pytest.mark.parametrize(
    ("models", "settings", "message"),
    [
        ([], {}, "`models` must hold at least one model; got none"),
        ([MostPop(), MostPop()], {}, "different names; got 'MostPop' twice. Pass name="),
        ([MostPop()], {"fit_seeds": np.array([-1])}, "`fit_seeds` must be at least 0; got -1"),
        (
            [MostPop()],
            {"metrics": [PlausibilityKS(19), PlausibilityKS()]},
            "'PlausibilityKS' twice",
        ),
    ],
)
def test_wrong_arguments(models, settings, message):
    with pytest.raises(ValueError, match=message):
        compare(models, FRAME, **settings)


def test_one_seed_is_no_sequence_of_seeds():
    with pytest.raises(TypeError, match="`fit_seeds` must be a sequence of integers; got 3"):
        compare([MostPop()], FRAME, fit_seeds=3)
