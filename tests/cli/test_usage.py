"""Arguments: wrong ones cost one line, before anything takes long."""

import re
import sys

import pytest

import cornac_mle
from command_line import invoke, is_one_error
from cornac_mle.cli import _models, _terminal

BAD = {
    "unknown option": (["compare", "--foo"], r"No such option: --foo.*`.* compare --help`"),
    "unknown command": (["frob"], r"No such command 'frob'"),
    "no integer": (["compare", "--fits", "x"], r"Invalid value for '--fits'"),
    "missing option": (["sample"], r"Missing option '--out'"),
    "control characters": (["compare", "--a\x1b[31m\nb"], r"--a\\x1b\[31m"),
    "no fits": (["compare", "--fits", "0"], r"`--fits` must be at least 1; got 0\."),
    "no samples": (["compare", "--samples", "0"], r"`--samples` must be at least 1; got 0\."),
    "no users": (["sample", "--out", "a.csv", "--n", "0"], r"`--n` must be at least 1; got 0\."),
    "negative seed": (["compare", "--seed", "-1"], r"`--seed` must be at least 0; got -1\."),
    "large seed": (["compare", "--seed", "4294967296"], r"at most 4294967295; got 4294967296\."),
    "large seed of a sample": (
        ["sample", "--out", "a.csv", "--seed", "4294967296"],
        r"at most 4294967295; got 4294967296\.",
    ),
    "large seed of the last fit": (
        ["compare", "--seed", "4294967295", "--fits", "2"],
        r"at most 4294967294; got 4294967295\. The last of 2 fits has the seed 4294967296\.",
    ),
    "more fits than a life": (
        ["compare", "--fits", "1000000000"],
        r"at most 1,000; got 1000000000\. At one second .* 8 models they would take 253\.5 years",
    ),
    "more samples than a life": (
        ["compare", "--samples", "1000000000"],
        r"`--samples` must be at most 1,000; got 1000000000\.",
    ),
    "two sources": (
        ["compare", "--data", "a.csv", "--dataset", "filmtrust"],
        r"`--dataset` must be left out beside --data; got both\.",
    ),
    "two sources of a sample": (
        ["sample", "--out", "b.csv", "--data", "a.csv", "--dataset", "complete-journey"],
        r"`--dataset` must be left out beside --data; got both\.",
    ),
    "a model twice": (
        ["compare", "--models", "popularity,popularity"],
        r"`models` must have different names; got 'Popularity' twice\.",
    ),
    "a threshold that is no number": (
        ["compare", "--models", "popularity", "--rating-threshold", "nan"],
        r"`rating_threshold` must be finite; got nan\.",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_arguments_cost_one_line(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, pattern = BAD[case]
    status, output = invoke(*arguments)
    assert status == 2, output
    assert is_one_error(output, pattern), output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_help_lists_the_commands(arguments):
    status, output = invoke(*arguments)
    assert status == 0
    assert {"compare", "sample", "datasets"} <= set(output.split())


def test_short_help_of_a_command():
    assert invoke("compare", "-h") == invoke("compare", "--help")
    assert "--resume" in invoke("compare", "-h")[1]


def test_the_version():
    assert invoke("--version") == (0, f"cornac-mle {cornac_mle.__version__}\n")


def test_a_model_without_its_library_is_refused_before_data_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(_models, "find_spec", lambda _name: None)
    for arguments in (
        ("compare", "--models", "popularity,vae", "--out", tmp_path / "runs", "--data", "none.csv"),
        ("sample", "--model", "vae-prior", "--out", tmp_path / "users.csv", "--data", "none.csv"),
    ):
        status, output = invoke(*arguments)
        assert status == 2
        assert is_one_error(output, r"needs PyTorch\. Install it: pip install cornac-mle\[vae\]")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [KeyError("rating"), AssertionError(), ValueError()])
def test_our_own_faults_are_one_line_too(error, monkeypatch):
    def fail(*_arguments):
        raise error

    monkeypatch.setattr("cornac_mle.cli._models.models_by_name", fail)
    status, output = invoke("compare", "--models", "popularity")
    assert status == _terminal.FAULT
    assert is_one_error(output, rf"{type(error).__name__}.* at test_usage\.py:\d+; please report")


def test_memory_that_runs_out_is_one_line(monkeypatch):
    def fail(*_arguments):
        raise MemoryError

    monkeypatch.setattr("cornac_mle.cli._models.models_by_name", fail)
    status, output = invoke("compare", "--models", "popularity")
    assert status == 2
    assert is_one_error(output, r"error: out of memory .*Take fewer users or less data\.")


def test_data_sets_are_inside_the_one_line_rule(monkeypatch):
    monkeypatch.setitem(sys.modules, "cornac_mle.files.npz", None)
    for name in [name for name in sys.modules if name.startswith("cornac_mle.datasets")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "cornac_mle.report.table", raising=False)
    status, output = invoke("datasets")
    assert status == 2
    assert is_one_error(output, "cornac_mle.files.npz"), output
    assert re.search(r"error: ", output)
