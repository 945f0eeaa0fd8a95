"""One dictionary behind every face: JSON, Markdown and the terminal agree on every number."""

import io
import itertools
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from cornac_mle.auditing import audit
from cornac_mle.metrics import CopiedUsers, MembershipInference, PlausibilityKS, UnrealisticUsers
from cornac_mle.report._answers import verdict_of
from cornac_mle.report._numbers import number
from cornac_mle.report.measurement import Measurement, MetricNote, Score
from cornac_mle.report.report import Report
from cornac_mle.report.table import score_table
from worlds import taste_world

HOSTILE = "<script>alert(1)</script> | *bold* [link](http://x) `code` @all"


@pytest.fixture(scope="module")
def report():
    world = taste_world(500, n_items=40, mean_size=8, seed=3).to_frame()[["user", "item"]]
    users = sorted(world["user"].unique())
    real = world[world["user"].isin(users[:300])]
    others = world[world["user"].isin(users[300:])]
    shuffled = others.assign(item=np.random.default_rng(1).permutation(others["item"]))
    invented = pd.concat([others, others.assign(item="=cmd|x " + others["item"])])
    sets = {"others": others, "shuffled": shuffled.drop_duplicates(), "invented": invented}
    names = {item: f"{HOSTILE} {item}" for item in real["item"].unique()[:5]}
    metrics = [UnrealisticUsers(), PlausibilityKS(19), CopiedUsers()]
    made = audit(real, sets, metrics=metrics, names=names)
    made.made["arguments"]["real"] = "real.csv"
    return made


@pytest.fixture(scope="module")
def written(report, tmp_path_factory):
    """Run folder of the report, to be read."""
    return report.write(tmp_path_factory.mktemp("written") / "run")


def test_it_is_plain_json_and_says_what_it_is(report):
    summary = report.summary()
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert (summary["format"], summary["version"]) == ("cornac-mle summary", 1)
    assert (summary["kind"], [one["name"] for one in summary["models"]]) == (
        "audit",
        ["others", "shuffled", "invented"],
    )


def test_numbers_are_those_of_the_measurements(report):
    for entry in report.entries:
        (model,) = [one for one in report.summary()["models"] if one["name"] == entry.model]
        value = model["values"][entry.metric]
        measured = entry.measurement
        assert value["value"] == measured.value
        assert (value["low"], value["high"]) == (measured.low, measured.high)
        assert (value["real_users"], value["popularity"]) == (measured.ceiling, measured.floor)
        assert value["n_synthetic"] == measured.n_synthetic


def cells(summary):
    """Every number of the main table, as it is to be read."""
    for model in summary["models"]:
        for value in model["values"].values():
            yield number(value["value"]), f"{(value['high'] - value['low']) / 2:.2f}".lstrip("0")


def test_json_markdown_and_terminal_agree_on_every_number(report):
    summary = report.summary()
    console = Console(width=80, file=io.StringIO())
    console.print(score_table(summary, 80))
    for shown in (console.file.getvalue(), report.markdown()):
        found = re.findall(r"(>?=?-?\d*\.\d+)±(\.\d\d)", shown)
        assert sorted(set(found)) == sorted(set(cells(summary)))
        assert len(found) == len(list(cells(summary)))
        for answer in summary["models"][0]["answers"].values():
            words = answer["sentence"].split()
            assert " ".join(words) in " ".join(shown.replace("\\", "").split())


def test_markdown_shows_text_of_the_data_as_it_is(report):
    shown = report.markdown()
    assert not re.search(r"(?<!\\)<script", shown)
    assert not re.search(r"(?<!\\)\|\s*\*bold", shown)
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    for one, other in itertools.pairwise(rows):
        if not other.startswith("| ---"):
            continue
        assert len(re.findall(r"(?<!\\)\|", one)) == len(re.findall(r"(?<!\\)\|", other))


def test_what_is_unknown_and_what_was_not_asked_is_said(report):
    summary = report.summary()
    unknown = summary["models"][2]["unknown_items"]
    counts = report.unknown_items["invented"]
    assert (unknown["n_items"], unknown["n_preferences"]) == (len(counts), counts.sum())
    assert summary["models"][0]["unknown_items"] is None
    for shown in (" ".join(report.markdown().replace("\\", "").split()),):
        assert f"for {len(counts)} items that no real user holds: =cmd|x" in shown
        assert "not asked: no training users were given" in shown
    answer = summary["models"][0]["answers"]["nobodys"]
    assert answer == {
        "metric": None,
        "verdict": "not asked",
        "sentence": "Not asked: no training users were given.",
    }


def test_verdicts_of_planted_users(report):
    verdicts = {
        model["name"]: model["answers"]["believable"]["verdict"]
        for model in report.summary()["models"]
    }
    assert verdicts == {"others": "as real users", "shuffled": "worse", "invented": "worse"}


@pytest.mark.parametrize(
    ("question", "value", "low", "real", "least", "verdict"),
    [
        ("believable", 0.2, 0.1, 0.05, 0.03, "worse"),  # .15 > 1.96 hypot(.051, .011) = .102
        ("believable", 0.12, 0.02, 0.05, 0.03, "as real users"),
        ("believable", 0.01, 0.0, 0.05, 0.03, "as real users"),  # fewer are not worse
        ("complete", 0.7, 0.6, 0.95, 0.03, "worse"),
        ("complete", 0.99, 0.89, 0.95, 0.03, "as real users"),
        ("nobodys", 0.9, 0.8, -0.1, 0.2, "worse"),
        ("nobodys", 0.15, -0.02, -0.11, 0.24, "as real users"),  # .15 < 1.96 hypot(.087, .086)
        ("believable", 0.5, None, 0.05, 0.03, "open"),
        ("believable", 0.5, 0.4, None, 0.03, "open"),
    ],
)
def test_a_verdict_needs_an_interval(question, value, low, real, least, verdict):
    high = None if low is None else 2 * value - low
    given = {"value": value, "low": low, "high": high, "real_users": real}
    assert verdict_of(question, given | {"minimum_detectable": least}) == verdict


def test_models_that_failed_have_a_row_without_numbers():
    made = Report("data", metrics={"M": MetricNote("0", "something")}, failed={"X": "no memory"})
    made.entries.append(Score("data", "Y", "", "M", "held-out", None, 0, Measurement(0.5)))
    rows = {model["name"]: model for model in made.summary()["models"]}
    assert (rows["X"]["failed"], rows["X"]["values"], rows["X"]["answers"]) == ("no memory", {}, {})
    assert rows["Y"]["values"]["M"]["value"] == 0.5
    assert "X: no memory" in made.markdown()


def test_a_run_folder_gives_the_report_back(report, written):
    back = Report.read(written)
    pd.testing.assert_frame_equal(back.scores, report.scores)
    pd.testing.assert_frame_equal(back.per_user, report.per_user)
    pd.testing.assert_frame_equal(back.preferences, report.preferences, check_dtype=False)
    for one, other in zip(back.entries, report.entries, strict=True):
        for name in ("per_user", "on_splits"):
            kept, made = getattr(one.measurement, name), getattr(other.measurement, name)
            np.testing.assert_array_equal(kept, made)
    for name in ("metrics", "groups", "dropped", "notes", "cautions", "alerts", "failed", "made"):
        assert getattr(back, name) == getattr(report, name), name
    for name, users in report.synthetic.items():
        assert (back.synthetic[name].matrix != users.matrix).nnz == 0
        assert back.synthetic[name].user_ids.tolist() == users.user_ids.tolist()
    assert back.summary() == report.summary()
    assert back.markdown() == report.markdown() == (written / "report.md").read_text("utf-8")
    assert json.loads((written / "summary.json").read_text("utf-8")) == report.summary()


def test_a_run_folder_says_what_is_in_it(written):
    text = (written / "README.md").read_text("utf-8")
    for path in written.iterdir():
        assert path.name == "README.md" or f"`{path.name}`" in text
    for name in ("scores.csv", "unrealistic_users.csv", "unrealistic_preferences.csv"):
        described = text.split(f"## {name}")[1].split("##")[0]
        header = (written / name).read_text("utf-8").splitlines()[0].split(",")
        for column in header:
            assert re.search(rf"\b{column}\b", described), (name, column)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "manifest.json").unlink(), "a folder without manifest.json"),
        (lambda run: (run / "manifest.json").write_text("{}"), "`format` must be"),
        (lambda run: (run / "scores.csv").write_text("a,b\n1,2\n"), "have the columns dataset"),
        (lambda run: (run / "arrays.npz").write_bytes(b"PK"), "arrays.npz"),
        (lambda run: (run / "summary.json").write_text("[1]"), "no JSON object"),
    ],
)
def test_what_is_no_run_folder_is_refused(written, tmp_path, damage, message):
    folder = shutil.copytree(written, tmp_path / "run")
    damage(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        Report.read(folder)
    assert len(str(caught.value).splitlines()) == 1


def test_judges_at_any_level_are_shown():
    """At another level than .05 they were in no table."""
    notes = {
        f"UnrealisticUsers@{level:g} ({judge})": MetricNote(
            f"{level:g}", "users", judge, level, "implausible", second_opinion=True
        )
        for judge, level in (("svd", 0.1), ("item-knn", 0.1), ("svd", 0.2))
    }
    made = Report("data", metrics=notes)
    for name, note in notes.items():
        own = {"judge": note.judge, "level": note.level, "tail": note.tail}
        measured = Measurement(0.3, 0.2, 0.4)
        made.entries.append(Score("data", "Y", "", name, "held-out", None, 0, measured, **own))
    summary = made.summary()
    assert summary["models"][0]["judges"] == {"item-knn": 0.3, "svd": 0.3, "worst": 0.3}
    apart = {metric["name"]: metric["second_opinion"] for metric in summary["metrics"]}
    assert [name for name, is_apart in apart.items() if not is_apart] == [
        "UnrealisticUsers@0.2 (svd)"
    ]
    assert "| UnrealisticUsers\\@0.2 (svd) |" in made.markdown()


def test_what_attacks_find_at_low_false_alarms_is_in_every_face_and_in_the_run_folder(tmp_path):
    world = taste_world(400, n_items=40, mean_size=8, seed=3).to_frame()[["user", "item"]]
    users = sorted(world["user"].unique())
    real = world[world["user"].isin(users[:300])]
    train = world[world["user"].isin(users[300:])]
    made = audit(real, {"copies": train}, train=train, metrics=[MembershipInference()])
    (model,) = made.summary()["models"]
    details = made.entries[0].measurement.details
    assert model["leak"] == {
        "found_at_1_percent": details.get("true_positive_rate_01"),
        "found_at_5_percent": details["true_positive_rate_05"],
        "epsilon": details["epsilon"],
        "n_synthetic": made.entries[0].measurement.n_synthetic,
    }
    assert model["leak"]["found_at_5_percent"] > 0.8
    sentence = model["answers"]["nobodys"]["sentence"]
    assert "At 5% false alarms" in sentence
    assert sentence.endswith("No privacy guarantee.")
    console = Console(width=80, file=io.StringIO())
    console.print(score_table(made.summary(), 80))
    folder = made.write(tmp_path / "run")
    page = " ".join((folder / "report.html").read_text(encoding="utf-8").split())
    for shown in (console.file.getvalue(), made.markdown()):
        assert sentence in " ".join(shown.replace("\\", "").split())
    answer, _, small_print = sentence.partition(" At 5%")
    assert f"<p>{answer}</p>" in page
    assert f"At 5%{small_print}</p>" in page
    assert Report.read(folder).summary()["models"][0]["leak"] == model["leak"]

    entry = made.entries[0]  # as folders of before have it, without details
    made.entries[0] = replace(entry, measurement=replace(entry.measurement, details=None))
    (before,) = Report.read(made.write(tmp_path / "before")).summary()["models"]
    assert before["leak"] is None
    assert "false alarms" not in before["answers"]["nobodys"]["sentence"]
