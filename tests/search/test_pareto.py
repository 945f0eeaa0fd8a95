import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cornac_mle.metrics import PopularityJS
from cornac_mle.report.measurement import Measurement, MetricNote, Score
from cornac_mle.report.report import Report
from cornac_mle.search.pareto import non_dominated, pareto_front


def naive_front(rows):
    """Which rows no other dominates, by the definition."""

    def dominates(one, other):
        pairs = list(zip(one, other, strict=True))
        return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

    return [
        not any(np.isnan(row)) and not any(dominates(other, row) for other in rows) for row in rows
    ]


numbers = st.one_of(st.integers(-3, 3).map(float), st.just(float("nan")), st.just(float("inf")))


@given(st.integers(1, 4).flatmap(lambda m: st.lists(st.tuples(*[numbers] * m), min_size=1)))
def test_the_front_is_that_of_the_definition(rows):
    assert non_dominated(np.array(rows)).tolist() == naive_front(rows)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1), st.randoms())
def test_the_front_does_not_depend_on_the_order_of_rows(rows, random):
    shuffled = random.sample(rows, len(rows))
    first, second = (np.array(some, dtype=np.float64) for some in (rows, shuffled))
    fronts = first[non_dominated(first)], second[non_dominated(second)]
    assert sorted(fronts[0].tolist()) == sorted(fronts[1].tolist())


def test_ties_are_kept_and_the_best_of_the_first_column_comes_first():
    # b and c are equal; d is worse than b in both; e has no second value.
    table = pd.DataFrame(
        {"ndcg": [0.3, 0.4, 0.4, 0.35, 0.9], "flagged": [0.1, 0.3, 0.3, 0.4, np.nan]},
        index=list("abcde"),
    )
    front = pareto_front(table, ["ndcg", "flagged"], ["high", "low"])
    assert front.index.tolist() == ["b", "c", "a"]
    assert pareto_front(table, ["flagged", "ndcg"], ["low", "high"]).index[0] == "a"
    pd.testing.assert_frame_equal(front, table.loc[["b", "c", "a"]])


def test_nearest_to_a_number_is_best():
    # Distances from .05: .05, .01, .02; so b alone, though a has the lowest value.
    table = pd.DataFrame({"flagged": [0.0, 0.06, 0.07]}, index=list("abc"))
    assert pareto_front(table, ["flagged"], [0.05]).index.tolist() == ["b"]
    assert pareto_front(table, ["flagged"], ["0.05"]).index.tolist() == ["b"]
    assert pareto_front(table, ["flagged"], ["low"]).index.tolist() == ["a"]


def test_the_notes_of_a_report_are_directions():
    report = Report(metrics={"NDCG": MetricNote("high", ""), "PopularityJS": PopularityJS.note})
    for model, ndcg, divergence in (("A", 0.4, 0.1), ("B", 0.5, 0.3), ("C", 0.3, 0.2)):
        for metric, value in (("NDCG", ndcg), ("PopularityJS", divergence)):
            measurement = Measurement(value)
            report.entries.append(
                Score("data", model, "", metric, "held-out", None, 0, measurement)
            )
    table = report.scores.pivot_table(index="model", columns="metric", values="value")
    directions = [report.metrics[name].best for name in table.columns]
    # B ranks best, A is most alike; C is worse than A in both.
    assert pareto_front(table, list(table.columns), directions).index.tolist() == ["B", "A"]


@pytest.mark.parametrize(
    ("columns", "directions", "error", "message"),
    [
        ([], [], ValueError, "be as many, at least one; got 0 and 0"),
        (["a"], ["high", "low"], ValueError, "be as many, at least one; got 1 and 2"),
        ("a", ["high"], TypeError, "`columns` must be a list; got 'a'"),
        (["b"], ["high"], ValueError, "`columns` must be in the table; got 'b'. It has a, text"),
        (["text"], ["high"], ValueError, "`columns` must hold numbers; got object in 'text'"),
        (["a"], ["ceiling"], ValueError, "the best value; got 'ceiling'. Where the ceiling"),
        (["a"], [None], ValueError, "`directions` must each be 'high', 'low' or the best value"),
        (["a"], [float("nan")], ValueError, "`directions` must each be"),
    ],
)
def test_wrong_arguments(columns, directions, error, message):
    table = pd.DataFrame({"a": [1.0], "text": pd.Series(["x"], dtype=object)})
    with pytest.raises(error, match=message):
        pareto_front(table, columns, directions)
