"""Random arguments, and files of random bytes, under the command line."""

import contextlib
import io
import re
import signal
import sys
import tempfile
import warnings
from pathlib import Path

import pytest
from fuzzing import fuzzed
from hypothesis import strategies as st
from test_fuzz_readers import CONTENTS, encoded, tables

from cornac_mle.cli import main

SECONDS = 60
COMMANDS = ("compare", "sample", "datasets")
OPTIONS = (
    *("--data", "--dataset", "--rating-threshold", "--models", "--model", "--seed", "--fits"),
    *("--samples", "--out", "--n", "--help", "-h", "--version", "--resume", "--force", "--x"),
    *("--metrics", "--config", "--quiet"),
)
FLAGS = ("--help", "-h", "--version", "--force", "--quiet")
WORDS = st.one_of(
    st.sampled_from(["", "-1", "0", "1", "2", "1e39", "nan", "inf", "4294967296", "9" * 400, "x"]),
    st.sampled_from(["popularity", "training-users", "popularity,popularity", ",", "no-model"]),
    st.sampled_from([".", "/", "/dev/null", "/no/such.csv", "a\x00b.csv", "\udcff.csv", "a\n.csv"]),
    st.sampled_from(["PMF(k=2", "PMF(k=2)", "popularity()", "NDCG(k=2)", "NDCG(2)", "f(k=g())"]),
    st.text(max_size=6),
)
WHOLE = encoded(
    "user,item,rating\n"
    + "".join(f"u{user},i{item},3\n" for user in range(40) for item in range(user % 3, 9, 2))
)
"""A table that is as it should be."""
OUR_FAULT = re.compile("Traceback|please report this fault|Error: ")


def run(arguments):
    """Run the command line in this process; returns its exit status and what it said."""

    def late(*_):
        pytest.fail(f"{arguments} took more than {SECONDS} s")

    output, errors = io.StringIO(), io.StringIO()
    before = signal.signal(signal.SIGALRM, late)
    kept = sys.argv
    signal.alarm(SECONDS)
    try:
        sys.argv = ["cornac-mle", *arguments]
        with (
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("error")
            warnings.simplefilter("default", UserWarning)  # ours: what was left out
            main()
    except SystemExit as end:
        return end.code or 0, output.getvalue(), errors.getvalue()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        sys.argv = kept
    return 0, output.getvalue(), errors.getvalue()


def ended_well(arguments):
    """Assert that a run did what it was asked for, or said in one line why not."""
    status, output, errors = run(arguments)
    assert status in (0, 1, 2), (status, errors)
    assert not OUR_FAULT.search(output + errors), errors
    if status:
        lines = [line for line in errors.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, errors
    return status


@contextlib.contextmanager
def inside(folder):
    """Work in a folder, so that files named by chance lie there."""
    with contextlib.chdir(folder):
        yield Path(folder)


@fuzzed(
    20,
    800,
    command=st.sampled_from([*COMMANDS, "", "x"]),
    pairs=st.lists(st.tuples(st.sampled_from(OPTIONS), WORDS), max_size=4),
    more=st.lists(WORDS, max_size=1),
)
def test_any_arguments_end_in_one_line(command, pairs, more):
    chosen = dict(pairs)
    # What works must work in no time: few users, quick models, one fit.
    quick = {"compare": ["--models", "popularity"], "sample": ["--model", "popularity"]}
    arguments = [command, *quick.get(command, [])]
    for option, word in chosen.items():
        arguments += [option] if option in FLAGS else [option, word]
    if command == "compare" and "--data" not in chosen and "--dataset" not in chosen:
        arguments += ["--data", "/no/such.csv"]
    with tempfile.TemporaryDirectory() as folder, inside(folder):
        ended_well([*arguments, *more])


@fuzzed(
    12,
    500,
    content=st.one_of(CONTENTS, tables().map(encoded), st.just(WHOLE)),
    suffix=st.sampled_from([".csv", ".tsv", ".csv.gz", ".parquet", ".npz"]),
    threshold=st.sampled_from([None, "1", "0", "nan"]),
    command=st.sampled_from(["sample", "compare"]),
)
def test_any_file_ends_in_one_line(content, suffix, threshold, command):
    with tempfile.TemporaryDirectory() as folder, inside(folder) as place:
        (place / f"data{suffix}").write_bytes(content)
        arguments = [command, "--data", f"data{suffix}"]
        if threshold is not None:
            arguments += ["--rating-threshold", threshold]
        if command == "sample":
            arguments += ["--model", "popularity", "--n", "3", "--out", "drawn.csv"]
        else:
            arguments += ["--models", "popularity,training-users", "--out", "runs"]
        before = (place / f"data{suffix}").read_bytes()
        if not ended_well(arguments) and command == "sample":
            assert (place / "drawn.csv").stat().st_size > 0
        assert (place / f"data{suffix}").read_bytes() == before
        assert not list(place.glob(".*"))  # nothing is left in the making
