"""What people see: the table fits its width, says its directions and loses no number."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from cornac_mle.report.measurement import Measurement, MetricNote, Score
from cornac_mle.report.report import Report
from cornac_mle.report.table import WIDTH, score_table

METRICS = {
    "NDCG@100": MetricNote("high", "on items hidden of unseen users"),
    "UnrealisticUsers@0.05": MetricNote("0.05", "users less plausible than 95% of real users"),
    "CopiedUsers": MetricNote("0", "users nearest to a training user"),
}


def report(fit_seeds):
    made = Report(
        dataset="tastes",
        groups={"train": 1200, "validation": 5, "reference": 600, "held_out": 600},
        dropped={"repeated pairs": 12},
        metrics=dict(METRICS),
    )
    for seed in fit_seeds:
        for metric in METRICS:
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
                Score("tastes", "VAE prior", "k=3", metric, "held-out", seed, 0, measurement)
            )
    return made


def text(made):
    console = Console(width=WIDTH, file=io.StringIO())
    console.print(score_table(made))
    return console.file.getvalue()


def test_realism_stands_before_accuracy_and_every_best_value_is_named():
    lines = text(report([0])).splitlines()
    heading = next(line for line in lines if "users made up by" in line)
    assert heading.index("unreal.") < heading.index("copied") < heading.index("NDCG")
    best = next(line for line in lines if "best value" in line)
    assert best.split()[2:] == ["0.05", "0", "high"]


def test_ceiling_floor_value_and_interval():
    lines = text(report([0])).splitlines()
    assert next(line for line in lines if "ceiling)" in line).split()[3:] == [".047", ".047", "-"]
    assert next(line for line in lines if "floor)" in line).split()[2:] == [".96", ".96", "-"]
    row = next(line for line in lines if line.strip().startswith("VAE prior"))
    assert row.split()[2:] == ["-.012±.10"] * 3


def test_the_text_below_explains_the_numbers():
    shown = text(report([0]))
    assert "UnrealisticUsers@0.05: users less plausible than 95% of real users (0.031)" in shown
    assert "Left out before fitting: 12 repeated pairs." in shown
    assert "1,200 train, 5 validation, 600 reference, 600 held-out users" in shown
    assert "standard deviation over fits" not in shown


def test_several_fits_are_averaged_with_their_spread_below():
    shown = text(report([0, 2]))
    lines = shown.splitlines()
    place = next(i for i, line in enumerate(lines) if line.strip().startswith("VAE prior"))
    assert lines[place].split()[2] == "-.002±.10"
    assert lines[place + 1].split() == ["(.014)"] * 3  # sd of -.0123 and .0077
    assert "standard deviation over fits" in shown
    assert max(len(line.rstrip()) for line in lines) <= WIDTH


def test_names_are_shown_as_they_are_and_failures_are_listed():
    made = report([0])
    made.failed["VAE[k=3]"] = "ValueError: two\nlines"
    made.entries = [replace(entry, model=f"[bold]{entry.model}[/x]") for entry in made.entries]
    shown = text(made)
    assert "[bold]VAE prior[/x]" in shown
    assert "every fit: VAE[k=3] (ValueError: two lines)" in shown


def test_an_empty_report_has_no_rows():
    assert "VAE" not in text(Report(dataset="nothing"))


@pytest.mark.parametrize("metric", ["NDCG@100", "CopiedUsers"])
def test_scores_table_is_tidy(metric):
    scores = report([0, 1]).scores
    assert scores[scores.metric == metric].fit_seed.tolist() == [0, 1]


def test_a_likelihood_that_is_a_bound_says_so():
    made = report([0])
    made.metrics["HeldOutLogLikelihood"] = MetricNote("high", "nats")
    for model, size in (("exact", None), ("bound", 12.0)):
        measurement = Measurement(value=-80.0, low=-81.0, high=-79.0, effective_sample_size=size)
        made.entries.append(
            Score("tastes", model, "", "HeldOutLogLikelihood", "held-out", 0, 0, measurement)
        )
    lines = text(made).splitlines()
    assert " -80.00±" in next(line for line in lines if line.strip().startswith("exact"))
    assert " >=-80.00±" in next(line for line in lines if line.strip().startswith("bound"))
