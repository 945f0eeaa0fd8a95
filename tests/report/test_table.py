"""What people see: the tables fit 80 columns, say their directions and lose no number."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from cornac_mle.report import _layout
from cornac_mle.report.measurement import Measurement, MetricNote, Score
from cornac_mle.report.report import Report
from cornac_mle.report.table import WIDTH, score_table

METRICS = {
    "NDCG@100": MetricNote("high", "on items hidden of unseen users"),
    "UnrealisticUsers@0.05": MetricNote(
        "0.05", "users less plausible than 95% of real users", "ease", 0.05, "implausible"
    ),
    "CopiedUsers": MetricNote("0", "users nearest to a training user"),
}
MODELS = ("VAE prior", "PMF", "LDA", "EASE")


def report(fit_seeds, models=MODELS[:1], metrics=METRICS):
    made = Report(
        dataset="tastes",
        groups={"train": 1200, "validation": 5, "reference": 600, "held_out": 600},
        dropped={"repeated pairs": 12},
        metrics=dict(metrics),
    )
    for model in models:
        for seed in fit_seeds:
            for metric in metrics:
                realism = metric != "NDCG@100"
                measurement = Measurement(
                    value=-0.0123 + seed / 100,
                    low=-0.1123,
                    high=0.0877,
                    ceiling=0.047 if realism else None,
                    floor=0.96 if realism else None,
                    minimum_detectable=0.031 if realism else None,
                )
                made.entries.append(
                    Score("tastes", model, "k=3", metric, "held-out", seed, 0, measurement)
                )
    return made


def text(made, width=WIDTH):
    console = Console(width=width, file=io.StringIO())
    console.print(score_table(made.summary(), width))
    return console.file.getvalue()


def line_of(shown, start):
    return next(line for line in shown.splitlines() if line.strip().startswith(start))


def test_realism_stands_before_accuracy_and_every_best_value_is_named():
    shown = text(report([0], MODELS))
    heading = line_of(shown, "users made up by")
    assert heading.index("unreal.") < heading.index("copied") < heading.index("NDCG")
    assert line_of(shown, "best value").split()[2:] == ["0.05", "0", "high"]


def test_ceiling_floor_value_and_interval():
    shown = text(report([0], MODELS))
    assert line_of(shown, "real users (ceiling)").split()[3:] == [".047", ".047", "-"]
    assert line_of(shown, "popularity (floor)").split()[2:] == [".96", ".96", "-"]
    rows = [line for line in shown.splitlines() if line.strip().startswith("VAE prior")]
    assert rows[-1].split()[2:] == ["-.012±.10"] * 3


def test_few_models_stand_side_by_side():
    shown = text(report([0], MODELS[:2]))
    assert (
        line_of(shown, "CopiedUsers ").split()
        == ["CopiedUsers", "0", ".047", ".96"] + ["-.012±.10"] * 2
    )
    assert "nobody's?    Users lie nearest to a training user" in shown


def test_the_text_below_explains_the_numbers():
    shown = text(report([0]))
    assert "UnrealisticUsers@0.05: users less plausible than 95% of real users (.031)" in shown
    assert "Left out before anything was measured: 12 repeated pairs." in shown
    assert "1,200 train, 5 validation, 600 reference, 600 held-out users" in shown
    assert "standard deviation over fits" not in shown


def test_several_fits_are_averaged_with_their_spread_below():
    lines = text(report([0, 2], MODELS)).splitlines()
    place = max(i for i, line in enumerate(lines) if line.strip().startswith("VAE prior"))
    assert lines[place].split()[2] == "-.002±.10"
    assert lines[place + 1].split() == ["(.014)"] * 3  # sd of -.0123 and .0077
    assert any("standard deviation over fits" in line for line in lines)


@pytest.mark.parametrize("n_models", [1, 3, 12])
@pytest.mark.parametrize("n_metrics", [3, 9, 30])
def test_every_number_is_whole_whatever_the_width(n_models, n_metrics):
    metrics = dict(METRICS)
    metrics |= {f"Another{number}@0.05": METRICS["CopiedUsers"] for number in range(n_metrics - 3)}
    models = [f"A model of a long name {number}" for number in range(n_models)]
    shown = text(report([0], models, metrics))
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= WIDTH
    assert "…" not in shown
    values = shown.count("-.012±.10")
    in_answers = 2 * n_models if n_models > 3 else 0
    assert values == n_models * n_metrics + in_answers


def test_names_are_shown_as_they_are_and_failures_are_listed():
    made = report([0])
    made.failed["VAE[k=3]"] = "ValueError: two\nlines\x1b[31m"
    made.entries = [replace(entry, model=f"[bold]{entry.model}[/x]") for entry in made.entries]
    shown = " ".join(text(made).split())
    assert "[bold]VAE prior[/x]" in shown
    assert "every fit. VAE[k=3]: ValueError: two lines\\x1b[31m" in shown
    assert "\x1b" not in shown


def test_an_empty_report_has_no_rows():
    assert "VAE" not in text(Report(dataset="nothing"))


@pytest.mark.parametrize("metric", ["NDCG@100", "CopiedUsers"])
def test_scores_table_is_tidy(metric):
    scores = report([0, 1]).scores
    assert scores[scores.metric == metric].fit_seed.tolist() == [0, 1]


def test_a_likelihood_that_is_a_bound_says_so():
    made = Report("tastes", metrics={"HeldOutLogLikelihood": MetricNote("high", "nats")})
    for model, size in (("exact", None), ("bound", 12.0)):
        measurement = Measurement(value=-80.0, low=-81.0, high=-79.0, effective_sample_size=size)
        made.entries.append(
            Score("tastes", model, "", "HeldOutLogLikelihood", "held-out", 0, 0, measurement)
        )
    lines = [line for line in text(made).splitlines() if "80.00" in line]
    assert " -80.00±" in next(line for line in lines if line.strip().startswith("exact"))
    assert " >=-80.00±" in next(line for line in lines if line.strip().startswith("bound"))


def test_users_whom_no_single_preference_gives_away_are_listed_with_the_oddest():
    odd, even = ({"item": one, "name": None, "is_offending": one == "a"} for one in "ab")
    assert _layout.listed({"items": [odd, even]}, 3) == [odd]
    assert _layout.listed({"items": [even, even]}, 3) == [even]
    assert _layout.listed({"items": []}, 3) == []


def test_items_that_are_named_by_whole_texts_are_cut():
    joke = "A man walks\ninto a bar " * 20
    called = _layout.called({"item": "i7", "name": joke})
    assert called.startswith("A man walks into a bar A man")
    assert (len(called), called[-1]) == (60, "…")
    assert _layout.called({"item": "i7", "name": None}) == "i7"
