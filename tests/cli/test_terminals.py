"""What is printed where: files first, then what the terminal can show; never a traceback."""

import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pandas as pd
import pytest

from command_line import run
from cornac_mle.cli._terminal import STOP, one_line
from cornac_mle.report import table as tables

pytestmark = pytest.mark.usefixtures("undrawn")

MODELS = ("--models", "popularity,ease")
FEW = (*MODELS, "--metrics", "UnrealisticUsers,PlausibilityKS")


@pytest.fixture
def command(small, tmp_path):
    return ("compare", "--data", small, *FEW, "--out", tmp_path / "runs")


def is_written(tmp_path):
    return set(pd.read_csv(tmp_path / "runs" / "small-123" / "scores.csv").model) == {
        "Popularity",
        "EASEᴿ",
    }


@pytest.mark.parametrize(
    ("encoding", "model", "sign"),
    [("ascii", "EASER ", "~"), ("latin-1", "EASER ", "\ufffd"), ("utf-8", "EASEᴿ ", "±")],
)
def test_a_terminal_gets_what_it_can_show(small, tmp_path, encoding, model, sign):
    command = ("compare", "--data", small, *MODELS, "--out", tmp_path / "runs")
    done = run(*command, encoding=encoding)
    assert (done.status, done.errors) == (0, "")
    assert is_written(tmp_path)
    assert model in done.output
    # ± is a byte of latin-1
    assert f"{sign} is half of a 95% interval" in " ".join(done.output.split())
    widths = {len(line) for line in done.output.splitlines() if line.startswith((" Pop", " EASE"))}
    assert len(widths) <= 2  # columns stay in their places, in either table


def test_a_full_standard_output_costs_only_the_table(command, tmp_path):
    with Path("/dev/full").open("wb", buffering=0) as full:
        done = run(*command, output=full.fileno())
    assert done.status == 1
    assert is_written(tmp_path)
    assert done.errors.splitlines() == [
        "could not print: [Errno 28] No space left on device",
        f"Written: {tmp_path / 'runs' / 'small-123'}",
    ]


@pytest.mark.parametrize("arguments", [("datasets",), ("--version",), ("--help",)])
def test_a_full_standard_output_is_said(arguments):
    with Path("/dev/full").open("wb", buffering=0) as full:
        done = run(*arguments, output=full.fileno())
    assert done.status in (1, 2)
    assert len(done.errors.splitlines()) == 1
    assert "No space left on device" in done.errors


def test_a_closed_pipe_costs_only_the_table(command, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    done = run(*command, output=writing)
    os.close(writing)
    assert done.status == 1
    assert is_written(tmp_path)
    assert done.errors == f"Written: {tmp_path / 'runs' / 'small-123'}\n"


def test_a_table_that_cannot_be_laid_out_costs_only_itself(command, tmp_path):
    def before():
        tables._explained = None

    done = run(*command, before=before)
    assert done.status == 1
    assert is_written(tmp_path)
    assert "could not print the table: TypeError" in done.errors
    assert f"Written: {tmp_path / 'runs' / 'small-123'}" in done.errors


def test_text_becomes_one_line_that_can_be_shown():
    assert one_line("a\nb\tc \x1b[31m \udcff ᴿ") == "a b c \\x1b[31m \\udcff ᴿ"
    assert len(one_line("x" * 10**6)) < 2100


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_libraries_are_imported_is_one_line(stop, tmp_path):
    code = "from cornac_mle.cli import main; print('here', flush=True); main()"
    for wait in (0.05, 0.6, 1.2):
        process = subprocess.Popen(
            [sys.executable, "-c", code, "compare", "--out", str(tmp_path / "runs")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "here\n"
        time.sleep(wait)
        process.send_signal(stop)
        _, errors = process.communicate(timeout=60)
        if stop == signal.SIGTERM and process.returncode == -stop:
            continue  # it came before anything of ours
        assert process.returncode == 128 + stop
        word = "interrupted" if stop == signal.SIGINT else "terminated"
        assert errors == f"{word}: nothing was written\n"
    assert not list((tmp_path / "runs").glob("*"))


class Held:
    """Anything that can be referred to weakly."""


def let_go(callback):
    """Call a callback where Python can only print what it raises; wait for what comes of it."""
    held = Held()
    _reference = weakref.ref(held, callback)
    del held
    time.sleep(1)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_within_a_callback_is_neither_lost_nor_printed(stop, capfd):
    with pytest.raises(KeyboardInterrupt), STOP.listening():
        let_go(lambda _: signal.raise_signal(stop))
    assert STOP.signal == stop
    assert capfd.readouterr().err == ""


def test_what_else_is_lost_in_a_callback_is_still_told(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: told.append(lost.exc_type))
    with STOP.listening():
        let_go(lambda _: 1 / 0)
    assert told == [ZeroDivisionError]
