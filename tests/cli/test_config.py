"""Configurations: read within limits, written back in full, and a run that they repeat."""

import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.progress import Progress

from command_line import at_call, end, hidden, invoke, is_one_error, run, start
from cornac_mle.cli import _progress
from cornac_mle.cli._asked import Asked
from cornac_mle.cli._config_text import config_text, yaml_text
from cornac_mle.cli._metrics import DEFAULT_METRICS
from cornac_mle.cli._models import DEFAULT_MODELS
from cornac_mle.models import Mixture
from cornac_mle.report.measurement import Measurement, MetricNote, Score
from cornac_mle.report.report import Report

yaml = pytest.importorskip("yaml")
pytest.importorskip("pydantic")

pytestmark = pytest.mark.usefixtures("undrawn")

ASKED = Asked(
    dataset="filmtrust",
    data=None,
    rating_threshold=None,
    models=DEFAULT_MODELS,
    metrics=DEFAULT_METRICS,
    seed=123,
    fits=1,
    samples=1,
    out=Path("runs"),
)


def config(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def read(path):
    from cornac_mle.cli._config import read_config

    return read_config(path)


# Reading


def test_what_is_read(tmp_path):
    path = config(
        tmp_path,
        "data: small.csv\nrating_threshold: 3\nseed: 7\nfits: null\nout: ../runs\n"
        "models:\n- bpr\n- PMF( k = 2 )\n- name: VAE\n  parameters: {k: 3, latent: prior}\n"
        "metrics: [PlausibilityKS, {name: NDCG, parameters: {k: 20}}]\n",
    )
    assert read(path) == {
        "data": tmp_path / "small.csv",
        "rating_threshold": 3.0,
        "seed": 7,
        "out": tmp_path / ".." / "runs",
        "models": "bpr,PMF(k=2),VAE(k=3, latent='prior')",
        "metrics": "PlausibilityKS,NDCG(k=20)",
    }
    assert read(config(tmp_path, "{}")) == {}
    assert read(config(tmp_path, "data: ~/a.csv")) == {"data": Path.home() / "a.csv"}


BAD = {
    "no file": (None, r"`path` must be a file; got no '.*config\.yaml'"),
    "nothing": ("", r"config\.yaml` must hold keys with values; got nothing\. Write .*seed: 123"),
    "a list": ("[1]", r"must hold keys with values; got \[1\]"),
    "unknown key": (
        "modles: [bpr]",
        r"`config` must have keys of dataset, data, .*got 'modles' for .* Did you mean 'models' or",
    ),
    "no text as key": ("1: 2", r"`config` must have keys of .*; got "),
    "no integer": ("seed: x", r"`seed` must be an integer from 0 to 4294967295; got 'x' for \S+c"),
    "an integer in quotes": ("fits: '3'", r"`fits` must be an integer from 1 to 1,000; got '3'"),
    "no truth": ("fits: true", r"`fits` must be an integer from 1 to 1,000; got True"),
    "too many": ("samples: 1001", r"`samples` must be an integer from 1 to 1,000; got 1001"),
    "no number": ("rating_threshold: .nan", "`rating_threshold` must be a finite number; got nan"),
    "one model": ("models: bpr", r"`models` must be a list of names, such as PMF\(k=50\), or of"),
    "no models": ("models: []", r"`models` must be a list of names.*; got \[\]"),
    "no name": ("models: [bpr, 3]", r"`models\[1\]` must be a list of names.*; got 3 for"),
    "a mapping with other keys": (
        "models: [{name: PMF, params: {k: 5}}]",
        r"`models\[0\]` must be .* mappings with name and parameters; got \{'name': 'PMF', 'par",
    ),
    "no literal": (
        "models: [{name: PMF, parameters: {k: 2001-01-01}}]",
        "`k` must be text, a finite number, .*; got datetime",
    ),
    "half a call": ("models: ['PMF(k=1', 'x)']", r"`models` must be names, .*; got 'PMF\(k=1'"),
    "unknown model": ("models: [gan]", r"`model` must be one of .*; got 'gan'"),
    "unknown metric": ("metrics: [gan]", r"`metric` must be one of .*; got 'gan'"),
    "two sources": (
        "data: a.csv\ndataset: x",
        "`dataset` must be left out beside `data`; got both",
    ),
    "no YAML": ("seed: [1", r"`config` must be YAML; got .* for line \d of \S+config\.yaml\."),
    "an object": (
        "seed: !!python/object/apply:os.system ['true']",
        r"`config` must be YAML; got the tag 'tag:yaml.org,2002:python/object/apply:os.system', ",
    ),
    "a type": ("seed: !!int ''", "got the tag 'tag:yaml.org,2002:int', which has no place here"),
    "a key twice": ("seed: 1\nseed: 2", r"got the key 'seed' twice for line 2 of"),
    "a nested key twice": ("models: [{name: a, name: b}]", "got the key 'name' twice for line 1"),
    "an alias": ("models: [&a bpr, *a]", r"got an alias, which has no place here: write the value"),
    "deep": ("models: " + "[" * 50 + "]" * 50, "got more than 10 levels for line 1 of"),
    "deep blocks": ("- " * 30 + "x", "got more than 10 levels for line 1 of"),
    "a long value": ("data: " + "x" * 30_000, "got a value of more than 20,000 characters"),
    "a long number": ("seed: " + "9" * 5_000, "`config` must be YAML; got Exceeds the limit"),
    "too large": ("# " + "x" * 2**18, r"must have at most 262,144 bytes; got more\."),
    "control characters": ("seed: \x01", "`config` must be YAML; got unacceptable character"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_configuration_costs_one_line(case, tmp_path):
    text, pattern = BAD[case]
    path = tmp_path / "config.yaml" if text is None else config(tmp_path, text)
    before = list(tmp_path.iterdir())
    status, output = invoke("compare", "--data", "none.csv", "--config", path)
    assert status == 2
    assert is_one_error(output, pattern), output
    assert list(tmp_path.iterdir()) == before


WORDS = [
    "models",
    "seed",
    "name",
    "parameters",
    "PMF(k=1)",
    "1",
    "x",
    "null",
    "~",
    "!!int",
    "&a",
    "*a",
]
SIGNS = [": ", "\n", "- ", "  ", "[", "]", "{", "}", ", ", "'", '"', "#", "? ", "|", "---", "<<"]


@given(st.lists(st.sampled_from(WORDS + SIGNS), max_size=14).map("".join) | st.text(max_size=12))
def test_any_text_is_read_or_refused_in_one_line(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(text, encoding="utf-8", errors="replace")
        try:
            read(path)
        except ValueError as error:
            assert re.fullmatch(r"`[^\n]+` must [^\n]+", str(error))  # noqa: PT017  # either will do


def test_other_files_cost_one_line(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes(b"seed: \xff")
    assert is_one_error(invoke("compare", "--config", path)[1], "must be UTF-8; got the byte 0xff")
    assert is_one_error(invoke("compare", "--config", tmp_path)[1], "`path` must be a file; got")
    path.unlink()
    os.mkfifo(path)
    assert is_one_error(invoke("compare", "--config", path)[1], "must be a regular file")


def test_a_billion_laughs_cost_one_line(tmp_path):
    lines = ["a0: &a0 [lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    path = config(tmp_path, "\n".join([*lines, "models: *a9"]))
    assert is_one_error(invoke("compare", "--config", path)[1], "got an alias")


def test_what_to_install_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)  # newer versions of typer need pydantic, too
    monkeypatch.delitem(sys.modules, "cornac_mle.cli._config", raising=False)
    status, output = invoke("compare", "--config", config(tmp_path, "seed: 1"))
    assert status == 2
    assert is_one_error(output, r"--config needs PyYAML and pydantic .* cornac-mle\[report\]")


def test_a_run_that_is_gone_on_with_has_its_own_settings(tmp_path):
    path = config(tmp_path, "seed: 1")
    status, output = invoke("compare", "--config", path, "--resume", tmp_path)
    assert status == 2
    assert is_one_error(output, "`--config` must be left out beside --resume; got both")


# Writing


TEXT = st.text(max_size=12) | st.text(alphabet="'\"\\:#-\n\t\x00\x7f\x85\ud800\udcff\ufeff\xa0😀é")
VALUES = st.none() | st.integers(0, 2**64) | TEXT | st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.sampled_from("abcdef"), VALUES | st.lists(TEXT, min_size=1, max_size=4)))
def test_what_is_written_is_read_again(settings):
    text = yaml_text(settings)
    text.encode()
    assert (yaml.safe_load(text) or {}) == settings


def test_the_written_configuration_is_whole_and_read_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = config_text(ASKED, 3.0)
    content = yaml.safe_load(text)
    assert set(content) == {
        *("dataset", "rating_threshold", "models", "metrics", "seed", "fits", "samples", "out"),
    }
    assert content["models"] == DEFAULT_MODELS.split(",")
    assert content["metrics"][1] == "UnrealisticUsers(judge='item-knn')"
    found = ASKED.configured(read(config(tmp_path, text)), ())
    assert found == replace(ASKED, rating_threshold=3.0, out=tmp_path / "runs")
    data = config_text(replace(ASKED, data=Path("a.csv")), None)
    assert yaml.safe_load(data)["data"] == str(tmp_path / "a.csv")
    assert "dataset" not in yaml.safe_load(data)


def test_options_win_over_the_configuration(tmp_path):
    settings = {"data": Path("a.csv"), "seed": 7, "fits": 2, "models": "mf"}
    asked = replace(ASKED, dataset="filmtrust", seed=9)
    found = asked.configured(settings, {"seed", "dataset"})
    assert (found.dataset, found.data, found.seed) == ("filmtrust", None, 9)
    assert (found.fits, found.models) == (2, "mf")
    found = replace(ASKED, data=Path("b.csv")).configured(settings, {"data"})
    assert (found.data, found.seed) == (Path("b.csv"), 7)


def test_a_run_is_repeated_byte_for_byte(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = config(
        tmp_path,
        "data: small.csv\nseed: 5\nfits: 2\nsamples: 2\n"
        "models: [popularity, 'bpr(k=3)', {name: PMF, parameters: {k: 2}}]\n"
        "metrics: [UnrealisticUsers, PlausibilityKS, NDCG(k=20)]\n",
    )
    status, output = invoke("compare", "--config", first, "--seed", 6, "--out", "runs")
    assert status == 0, output
    written = tmp_path / "runs" / "small-6"
    content = yaml.safe_load((written / "config.yaml").read_text())
    assert (content["data"], content["seed"], content["fits"]) == (str(small), 6, 2)
    assert content["models"] == ["popularity", "bpr(k=3)", "PMF(k=2)"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    status, output = invoke("compare", "--config", written / "config.yaml")
    assert status == 0, output
    again = tmp_path / "runs" / "small-6-2"
    for name in ("scores.csv", "unrealistic_users.csv", "unrealistic_preferences.csv"):
        assert (written / name).read_bytes() == (again / name).read_bytes()
    assert (written / "config.yaml").read_bytes() == (again / "config.yaml").read_bytes()
    scores = pd.read_csv(written / "scores.csv")
    assert set(scores.model) == {"Popularity", "BPR(k=3)", "PMF(k=2)"}
    assert set(scores.fit_seed.dropna()) == {6, 7}
    assert set(scores.sampling_seed.dropna()) == {0, 1}


def test_a_run_of_defaults_says_what_they_were(small, tmp_path):
    command = ("compare", "--data", small, "--models", "popularity", "--out", tmp_path / "runs")
    assert invoke(*command)[0] == 0
    content = yaml.safe_load((tmp_path / "runs" / "small-123" / "config.yaml").read_text())
    assert ",".join(content["metrics"]) == DEFAULT_METRICS
    assert content["rating_threshold"] is None


def test_a_run_that_is_gone_on_with_keeps_its_metrics(small, tmp_path, monkeypatch):
    out = tmp_path / "runs"
    lists = ("--models", "popularity,Mixture(k=2)", "--metrics", "PlausibilityKS, NDCG(k=20)")
    with monkeypatch.context() as patch:
        patch.setattr(Mixture, "_fit", Mixture._fit)
        at_call(Mixture, "_fit", 1, lambda: os.kill(os.getpid(), signal.SIGINT))
        assert invoke("compare", "--data", small, *lists, "--out", out)[0] == 130
    refused = invoke("compare", "--resume", out / "small-123", "--metrics", "PlausibilityKS")
    pattern = r"`--metrics` must be PlausibilityKS,NDCG\(k=20\), as in the run that --resume names"
    assert (refused[0], is_one_error(refused[1], pattern)) == (2, True)
    status, output = invoke("compare", "--resume", out / "small-123", *lists[2:])
    assert status == 0, output
    scores = pd.read_csv(out / "small-123-2" / "scores.csv")
    assert set(scores.model) == {"Popularity", "Mixture(k=2)"}
    assert set(scores.metric) == {"PlausibilityKS", "NDCG@20"}
    content = yaml.safe_load((out / "small-123-2" / "config.yaml").read_text())
    assert content["models"] == ["popularity", "Mixture(k=2)"]
    assert hidden(out) == []


# What is printed


def test_quiet_prints_the_path_alone(small, tmp_path):
    out = tmp_path / "runs"
    command = ("compare", "--data", small, "--metrics", "PlausibilityKS", "--out", out, "--quiet")
    done = run(*command, "--models", "popularity,hpf")
    assert (done.status, done.output, done.errors) == (0, f"{out / 'small-123'}\n", "")
    done = run(*command, "--models", "popularity,amr")
    assert (done.status, done.output) == (3, f"{out / 'small-123-2'}\n")
    assert len(done.errors.splitlines()) == 1
    assert "AMR (it needs item_image data" in done.errors


def on_terminal(begin, **environment):
    """What a process shows that begins with a terminal and an environment of its own."""
    reading, writing = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    size = {"TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    started = begin(writing, kept | size | environment)
    os.close(writing)
    shown = b""
    while True:
        try:
            part = os.read(reading, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(reading)
    return started, shown.decode()


def terminal(*arguments, **environment):
    """Run the command line on a terminal, forked from this process; gives what it shows."""

    def begin(writing, its_own):
        def change():
            os.environ.clear()
            os.environ.update(its_own)

        return start(*arguments, before=change, output=writing, errors=writing)

    started, shown = on_terminal(begin, **environment)
    assert end(started).status == 0, shown
    return shown


def fresh_terminal(*arguments, **environment):
    """The same, in a process that imports everything itself."""
    program = [sys.executable, "-c", "from cornac_mle.cli import main; main()", *arguments]

    def begin(writing, its_own):
        return subprocess.Popen(
            program, stdin=subprocess.DEVNULL, stdout=writing, stderr=writing, env=its_own
        )

    process, shown = on_terminal(begin, **environment)
    assert process.wait() == 0, shown
    return shown


COLOUR = re.compile(r"\x1b\[[0-9;]*(?:3[0-8]|9[0-7])(?:;[0-9;]*)?m")


def test_a_terminal_shows_models_as_they_finish_and_colours_unless_told_not_to(small, tmp_path):
    lists = (
        "--models",
        "popularity,training-users",
        "--metrics",
        "UnrealisticUsers,PlausibilityKS",
    )
    command = ("compare", "--data", small, *lists, "--out", tmp_path / "runs")
    shown = terminal(*command)
    for model in ("Popularity", "TrainingUsers"):
        assert re.search(rf"{model}: \d+% flagged, PlausibilityKS \.\d\d \(\d+ s\)", shown), shown
    assert COLOUR.search(shown)
    plain = terminal(*command, NO_COLOR="1")
    assert re.search(r"Popularity: \d+% flagged", plain)
    assert not COLOUR.search(plain)
    quiet = terminal(*command, "--quiet")
    assert quiet == f"{tmp_path / 'runs' / 'small-123-3'}\r\n"


def test_help_has_no_colours_where_none_are_wanted():
    assert COLOUR.search(fresh_terminal("--help"))
    assert not COLOUR.search(fresh_terminal("--help", NO_COLOR="1"))


def test_time_left_is_that_of_finished_fits():
    now = [100.0]
    shown = Progress(console=Console(quiet=True), get_time=lambda: now[0])
    steps = _progress.Steps(shown, 4, "judge", is_shown=False)
    column = _progress._TimeLeft()
    assert str(column.render(shown.tasks[0])) == ""
    now[0] = 130.0  # the judge does not count
    steps.next("first")
    assert str(column.render(shown.tasks[0])) == ""
    now[0] = 160.0
    steps.next("second")
    assert str(column.render(shown.tasks[0])) == "about 1 min 30 s left"
    now[0] = 170.0
    assert str(column.render(shown.tasks[0])) == "about 1 min 20 s left"
    now[0] = 300.0
    assert str(column.render(shown.tasks[0])) == ""


def test_steps_that_go_on_at_once_count_when_they_are_done():
    now = [0.0]
    shown = Progress(console=Console(quiet=True), get_time=lambda: now[0])
    steps = _progress.Steps(shown, 4, "judge", is_shown=False)
    now[0] = 30.0
    steps.busy(0, "PMF, VAE")
    [task] = shown.tasks
    assert (task.description, task.completed, task.total) == ("PMF, VAE", 0, 4)
    now[0] = 50.0
    steps.busy(1, "VAE, EASE")
    assert (task.description, task.completed) == ("VAE, EASE", 1)
    assert str(_progress._TimeLeft().render(task)) == "about 1 min 0 s left"


def test_the_line_of_a_finished_model():
    report = Report()
    notes = {
        "UnrealisticUsers@0.05 (svd)": MetricNote(
            "0.05", "", tail="implausible", second_opinion=True
        ),
        "UnrealisticUsers@0.05": MetricNote("0.05", "", tail="implausible"),
        "CopiedUsers": MetricNote("ceiling", ""),
        "PlausibilityKS": MetricNote("0", ""),
    }
    report.metrics |= notes
    for metric, values in {
        "UnrealisticUsers@0.05 (svd)": [0.5],
        "UnrealisticUsers@0.05": [0.06, 0.1],
        "CopiedUsers": [0.4],
        "PlausibilityKS": [0.16, 0.17],
    }.items():
        for number, value in enumerate(values):
            one = Score("d", "PMF", "", metric, "held-out", 1, number, Measurement(value))
            report.entries.append(one)
    line = "PMF: 8% flagged, PlausibilityKS .17 (12 s)"
    assert _progress.finished_line(report, "PMF", 12.3) == line
    assert _progress.finished_line(report, "MF", 12.3) == ""
    del report.entries[1:]
    line = "PMF: UnrealisticUsers@0.05 (svd) .50 (2 min 0 s)"
    assert _progress.finished_line(report, "PMF", 120) == line


def test_completion_knows_the_options():
    command = Path(sys.executable).with_name("cornac-mle")
    asked = {"_CORNAC_MLE_COMPLETE": "complete_bash", "COMP_CWORD": "2"}
    environment = os.environ | asked | {"COMP_WORDS": "cornac-mle compare --m"}
    done = subprocess.run([command], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["--models", "--metrics"]
