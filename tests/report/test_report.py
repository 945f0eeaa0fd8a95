"""Comparing models: paired differences, Holm's adjustment, agreement of judges."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from cornac_mle.metrics import Evaluator, PlausibilityKS
from cornac_mle.null_models.corruption import swap
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import Measurement, Score
from cornac_mle.report.report import Report
from cornac_mle.stats.multiple_testing import holm_adjusted, paired_p_value
from worlds import taste_world


def entry(model, metric, value, on_splits=None, loss=None, users="held-out", **judging):
    measurement = Measurement(
        value, loss=value if loss is None else loss, on_splits=on_splits, low=value, high=value
    )
    return Score("data", model, "", metric, users, None, 0, measurement, **judging)


def report_of(values, *, spread=0.01, seed=0):
    """One entry a model: its value on 20 splits, with noise that is shared by all models."""
    shared = np.random.default_rng(seed).normal(0, 5 * spread, 20)
    own = np.random.default_rng(seed + 1)
    entries = []
    for model, value in values.items():
        on_splits = value + shared + own.normal(0, spread, 20)
        entries.append(entry(model, "PlausibilityKS", float(on_splits.mean()), on_splits))
    return Report(entries=entries)


def test_holm_by_hand():
    # .005 x 4 = .02; .01 x 3 = .03; .03 x 2 = .06; .04 x 1 = .04, but not below .06.
    np.testing.assert_allclose(holm_adjusted([0.04, 0.01, 0.005, 0.03]), [0.06, 0.03, 0.02, 0.06])
    assert holm_adjusted([0.7, 0.9]).tolist() == [1.0, 1.0]
    assert holm_adjusted([]).size == 0


def test_equal_values_on_all_splits_are_no_difference():
    assert paired_p_value(np.zeros(5)) == 1.0
    assert paired_p_value(np.full(5, 0.1)) == 2 * 0.5**5


def test_differences_are_paired_and_named_from_the_better_model():
    table = report_of({"worst": 0.8, "best": 0.1, "second": 0.2}).compare()
    assert list(table[["model", "other"]].itertuples(index=False, name=None)) == [
        ("best", "worst"),
        ("second", "worst"),
        ("best", "second"),
    ]
    # Noise that all models share is five times their own: unpaired, .1 would be lost in it.
    assert table["established"].all()
    assert table["difference"].iloc[2] == pytest.approx(-0.1, abs=0.02)
    assert (table["high"] < 0).all()
    assert (table["holm_p_value"] >= table["p_value"]).all()


def test_equal_models_are_not_told_apart():
    table = report_of({"a": 0.3, "b": 0.3, "c": 0.3}).compare()
    assert not table["established"].any()


def test_models_without_half_splits_take_no_part():
    report = report_of({"a": 0.1, "b": 0.5})
    report.entries.append(entry("EASE", "PlausibilityKS", 0.2))
    report.entries.append(entry("a", "PlausibilityKS", 0.9, np.full(20, 0.9), users="validation"))
    assert len(report.compare()) == 1
    with pytest.raises(ValueError, match="`report` must have two models measured on half-splits"):
        report.compare("NDCG@100")


def test_probability_of_claiming_a_difference_between_equal_models():
    """150 worlds of three pools of one distribution that is not the real one: half of each user is
    swapped.

    (Pools of real users would prove nothing: there the metric is at its least, and no interval
    excludes anything.) Claims in more than 24 worlds have a probability below 1e-6 at a rate of
    .05.
    """
    size, worlds = 160, 150
    everyone = taste_world(150 + worlds * 4 * size, n_items=60, mean_size=10, seed=1)
    first = Evaluator.fit(None, everyone[:150], everyone[range(150, 150 + size)], rng=1)
    metric, claims = PlausibilityKS(9), 0
    for number in range(worlds):
        start = 150 + number * 4 * size
        evaluator = first.with_held_out(everyone[range(start, start + size)], rng=number)
        entries = []
        for place in range(1, 4):
            rows = range(start + place * size, start + (place + 1) * size)
            users = swap(
                everyone.matrix[list(rows)], 0.5, popularity=everyone.item_counts, rng=start + place
            )
            pool = Profiles.from_matrix(users, everyone.item_ids)
            found = metric.measure(evaluator, pool, rng=np.random.default_rng(number))
            entries.append(Score("", f"m{place}", "", metric.name, "held-out", None, 0, found))
        claims += bool(Report(entries=entries).compare()["established"].any())
    assert binom.sf(claims - 1, worlds, 0.05) > 1e-6


def test_judges_give_worst_case_agreement_and_own_family():
    shares = {"PMF": (0.10, 0.20, 0.08), "VAE": (0.50, 0.40, 0.30), "Popularity": (0.9, 0.8, 0.95)}
    entries = []
    for model, values in shares.items():
        verdict = {"level": 0.05, "tail": "implausible"}
        for judge, value in zip(("ease", "item-knn", "svd"), values, strict=True):
            entries.append(entry(model, f"by {judge}", value, judge=judge, **verdict))
        others = (
            {"judge": "ease", "conditional": True},
            {"judge": "worst"},
            {"judge": "ease", "tail": "typical"},
            {"judge": "ease", "level": 0.1},
        )
        entries += [entry(model, "no plain verdict", 0.99, **verdict | other) for other in others]
    report = Report(entries=entries, judge_families={"PMF": "svd", "VAE": "svd"})
    table = report.judges()
    assert list(table.columns) == ["ease", "item-knn", "svd", "worst", "own_family"]
    assert table.loc["PMF", "worst"] == 0.20
    assert table.loc["VAE", "own_family"] == "svd"
    assert table.loc["Popularity", "own_family"] == ""
    assert (table.attrs["rank_agreement"].to_numpy() == 1).all()
    with pytest.raises(ValueError, match=r"`alpha` must be a level measured; got 0\.2"):
        report.judges(0.2)


def test_without_the_primary_metric_the_first_on_half_splits_is_compared():
    report = report_of({"a": 0.1, "b": 0.5})
    assert report.compare().attrs["metric"] == "PlausibilityKS"
    others = [replace(one, metric="NeighbourCoverage@5") for one in report.entries]
    report = Report(entries=[entry("a", "CopiedUsers", 0.1), *others])
    table = report.compare()
    assert table.attrs["metric"] == "NeighbourCoverage@5"
    assert len(table) == 1


def test_values_of_synthetic_users_bear_their_names_and_of_real_users_theirs():
    values = np.array([0.5, 0.25])
    synthetic = Measurement(0.375, per_user=values)
    real = Measurement(0.375, per_user=values, user_ids=pd.Index(["ann", "bob"]))
    entries = [
        Score("data", "PMF", "", name, "held-out", None, 0, one)
        for name, one in (("PlausibilityKS", synthetic), ("HeldOutLogLikelihood", real))
    ]
    table = Report(entries=entries).per_user
    assert table["user"].tolist() == ["s0", "s1", "ann", "bob"]
    assert table["value"].tolist() == [0.5, 0.25, 0.5, 0.25]


def test_a_report_is_named_in_a_line():
    report = report_of({f"m{number}": number / 10 for number in range(8)})
    report.dataset, report.groups = "tastes", {"train": 1200, "held_out": 600}
    assert repr(report) == (
        "Report('tastes': 8 models (m0, m1, m2, m3, m4, m5, ...) x 1 metric (PlausibilityKS); "
        "users: 1,200 train, 600 held_out)"
    )
    assert repr(Report()) == "Report('': 0 models x 0 metrics; users: none)"
