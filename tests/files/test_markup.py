"""What a notebook shows: the right numbers, escaped, and with styles that reach nothing else."""

import io
import re
import sys
import time
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cornac_mle import (
    PMF,
    HeldOutUsers,
    HeldOutUsersCV,
    Popularity,
    Profiles,
    TrainingUsers,
    compare,
)
from cornac_mle.eval_methods import RatioSplit
from cornac_mle.files.markup import CLASS, block, table
from cornac_mle.metrics import PlausibilityKS, PopularityJS, UnrealisticUsers
from cornac_mle.report import progress as progress_module
from cornac_mle.report.measurement import Measurement
from cornac_mle.report.progress import Progress, somebody_looks
from cornac_mle.report.report import Report

METRICS = [UnrealisticUsers(), PlausibilityKS(), PopularityJS()]
BAD = "<script>alert('1')</script>"


class Seen(HTMLParser):
    """Cells, tags and text of a piece of HTML; every tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.cells, self.tags, self.text, self._open = [], set(), "", []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self._open.append(tag)
        assert not any(name.startswith("on") for name, _ in attributes)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] != "style":
            self.text += data
            if self._open[-1] in ("td", "th"):
                self.cells[-1] += data


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    return [
        (f"u{user}", f"{BAD} {item}", 1.0)
        for user in range(160)
        for item in rng.choice(20, size=8, replace=False)
    ]


@pytest.fixture(scope="module")
def method(data):
    return HeldOutUsers(data, seed=1, dataset_name=f"tastes {BAD}", n_splits=5)


@pytest.fixture(scope="module")
def report(method):
    return compare([Popularity(name=BAD), TrainingUsers()], method, metrics=METRICS)


def shown_by_all(data, method, report):
    model = Popularity(name=BAD).fit(method.train_set)
    return {
        "report": report,
        "empty report": Report(BAD),
        "profiles": model.sample(30, rng=1),
        "measurement": report.entries[0].measurement,
        "model": model,
        "method": method,
        "folds": HeldOutUsersCV(data, seed=1, n_folds=4, dataset_name=BAD),
        "ratio split": RatioSplit(data, seed=1, dataset_name=BAD),
    }


def test_everything_is_escaped_and_scoped(data, method, report):
    for name, thing in shown_by_all(data, method, report).items():
        text = thing._repr_html_()
        seen = Seen(text)
        assert seen.tags <= {"div", "style", "table", "thead", "tbody", "tr", "th", "td"}, name
        assert "script" not in seen.tags
        for sheet in re.findall(r"<style>(.*?)</style>", text):
            for selectors in re.findall(r"(?:^|})([^{}]+){", sheet):
                assert all(one.strip().startswith(f".{CLASS}") for one in selectors.split(","))
        # Greys that are seen on white and black alike, and no colour besides.
        assert set(re.findall(r"#[0-9a-f]{3,6}\b|rgba?\([^)]*\)", text.split("</style>")[0])) == {
            "rgba(128,128,128,.35)"
        }


def test_a_report_shows_title_answers_and_metrics(report):
    seen = Seen(report._repr_html_())
    summary = report.summary()
    assert "80 train" not in seen.text or "reference" in seen.text
    place = seen.cells.index("UnrealisticUsers@0.05")
    row = seen.cells[place : place + 6]
    values = [model["values"]["UnrealisticUsers@0.05"] for model in summary["models"]]
    assert row[1] == "0.05"
    assert row[4].startswith(f"{values[0]['value']:.2f}"[1:])
    assert row[5].startswith(f"{values[1]['value']:.2f}"[1:]) or values[1]["value"] < 0.1
    assert "Believable?" in seen.cells
    assert BAD in seen.cells
    assert "Asked by believable? UnrealisticUsers@0.05" in seen.text


def test_an_empty_report_says_so():
    assert "Nothing was measured yet" in Seen(Report("tastes")._repr_html_()).text


def test_profiles_show_counts_and_first_users():
    frame = pd.DataFrame({"user": ["ann"] * 7 + ["bob"], "item": [*"abcdefg", "a"]})
    profiles = Profiles.from_frame(frame, item_ids=[*"abcdefgh"], user_ids=["ann", "bob", "cy"])
    cells = Seen(profiles._repr_html_()).cells
    named = dict(zip(cells[::2], cells[1::2], strict=False))
    assert named["users"] == "3"
    assert named["items"] == "8, of which 7 are held"
    assert named["items a user"] == "0 to 7, median 1"
    assert cells[cells.index("ann") :][:3] == ["ann", "7", "a, b, c, d, e, 2 more"]
    assert cells[cells.index("cy") :][:3] == ["cy", "0", "none"]
    assert "items a user" not in Seen(profiles[[]]._repr_html_()).cells


def test_a_measurement_shows_what_it_has():
    found = Measurement(0.2, low=0.1, high=0.3, ceiling=0.05, n_real=1200, n_synthetic=90)
    cells = Seen(found._repr_html_()).cells
    assert dict(zip(cells[::2], cells[1::2], strict=True)) == {
        "value": ".20",
        "95% interval": ".10 to .30",
        "real users": ".050",
        "users compared": "1,200 real, 90 synthetic",
    }


def test_a_model_shows_its_call_and_what_it_is_fitted_to(method):
    cells = Seen(PMF(k=3, seed=1)._repr_html_()).cells
    assert cells == ["made by", "PMF(k=3, seed=1)", "fitted to", "nothing yet"]
    fitted = Popularity().fit(method.train_set)
    n_users, n_items = fitted.train_matrix_.shape
    assert Seen(fitted._repr_html_()).cells[-1] == f"{n_users} users x {n_items} items"


def test_a_method_shows_its_split_and_then_its_report(data):
    method = HeldOutUsers(data, seed=1, n_splits=5)
    assert "not measured" not in Seen(method._repr_html_()).text
    assert repr(method) in Seen(method._repr_html_()).text
    method.evaluate(Popularity(), [PopularityJS()], user_based=True)
    assert "PopularityJS" in Seen(method._repr_html_()).cells


def test_a_table_without_rows_or_headings():
    assert table((), []) == "<table><tbody></tbody></table>"
    assert Seen(block("<b>", table(["<i>"], [["&"]]))).cells == ["<i>", "&"]


# ---------------------------------------------------------------------------------------- progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_shown_in_a_terminal_after_a_while(data, monkeypatch):
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    compare([Popularity()], data, metrics=[PopularityJS()])
    assert shown.getvalue() == ""
    monkeypatch.setattr(progress_module, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(progress_module, "REFRESH_SECONDS", 0.001)
    compare([Popularity(), TrainingUsers()], data, metrics=[PopularityJS()])
    assert "Popularity:   0%" in shown.getvalue()
    assert "TrainingUsers:  50%" in shown.getvalue()
    assert re.search(r"1/2 \[\d\d:\d\d<\d\d:\d\d", shown.getvalue())  # gone < left


def test_progress_is_left_to_who_takes_it(data, monkeypatch):
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(progress_module, "PATIENCE_SECONDS", 0.0)
    names = []
    compare(
        [Popularity()],
        data,
        metrics=[PopularityJS()],
        on_fit=lambda name, done: names.append((name, done)),
    )
    assert names == [("Popularity", 0)]
    assert shown.getvalue() == ""


def test_no_progress_where_nobody_looks(capsys, monkeypatch):
    monkeypatch.setattr(progress_module, "PATIENCE_SECONDS", 0.0)
    with Progress(2) as progress:
        progress.begin("one")
        time.sleep(0.02)
        progress.end()
    assert capsys.readouterr().err == ""


def test_a_notebook_is_somebody(monkeypatch):
    kernel = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: kernel))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert somebody_looks()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert not somebody_looks()
