"""Run Cornac's own tests with our classes in place of Cornac's.

    python tests/cornac_conformance.py PATH [--list] [--plain]

PATH is a checkout of https://github.com/PreferredAI/cornac at the installed version; its tests lie
in PATH/tests/cornac and are no part of what pip installs. Nothing is written there: each file runs
in a process and a working directory of its own, whose `tests` are links. One line a run says how
many tests passed and how many should; a difference is named below it.

Exit status: 0, every run came out as expected; 1, some did not; 2, all that ran did, but a file or
the Flask that serving needs is missing. `--plain` substitutes nothing: where it fails too, the
checkout does not fit the installed Cornac. `--list` shows what is substituted where.
"""

import argparse
import contextlib
import functools
import importlib
import importlib.util
import io
import os
import random
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from conformance_runs import RUNS, Run

Outcomes = dict[str, str]
"""Why a test did not pass, by its name; empty where it did."""


def differences(run: Run, outcomes: Outcomes) -> list[str]:
    """Name what differs from what is expected of a run; empty where nothing does."""
    found = []
    for test, reason in outcomes.items():
        known = run.by_design.get(test)
        if known is None and reason:
            found.append(f"{test} did not pass: {reason}")
        elif known is not None and not reason:
            found.append(f"{test} passed, but is expected not to: {known.why}")
        elif known is not None and known.error not in reason:
            found.append(f"{test} failed, but otherwise than by {known.error!r}: {reason}")
    absent = [test for test in run.by_design if test not in outcomes]
    found += [f"{test} is expected not to pass, but is not there" for test in absent]
    if not found and passed(outcomes) != run.passes:
        found.append("the file has other tests than those that the expectation is of")
    return found


def passed(outcomes: Outcomes) -> int:
    """How many tests passed."""
    return sum(not reason for reason in outcomes.values())


# ------------------------------------------------------------------------------------------ running


def _named(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


class Conformance:
    """A pytest plugin: has tests find our classes, and keeps what did not pass, with its reason.

    Classes are exchanged among the names that a test file has imported, as its author would by
    changing the imports: Cornac itself, on which ours are built, stays as it is.
    """

    def __init__(self, substitutes: Mapping[str, str]) -> None:
        self.stand_ins = [(_named(theirs), _named(ours)) for theirs, ours in substitutes.items()]
        self.outcomes: Outcomes = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        """Exchange the classes before the first test runs."""
        exchanged = 0
        for module in {item.module for item in items}:
            for name, value in list(vars(module).items()):
                for theirs, ours in self.stand_ins:
                    if value is theirs:
                        setattr(module, name, ours)
                        exchanged += 1
        if self.stand_ins and items and not exchanged:
            self.outcomes["(substitution)"] = "the file imports nothing that is substituted"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep a file that cannot be imported."""
        if not report.passed:
            self.outcomes["(import)"] = _reason(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep one phase of one test: it passed where set-up, call and tear-down did."""
        test = report.nodeid.partition("::")[2].replace("::", ".")
        known = self.outcomes.setdefault(test, "")
        self.outcomes[test] = known or ("" if report.passed else _reason(report))


def _reason(report: pytest.CollectReport | pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = report.longreprtext if crash is None else str(crash.message)
    lines = [line.removeprefix("E").strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return str(report.outcome)
    return lines[-1] if crash is None else lines[0]


def run_file(run: Run, tests: Path) -> Outcomes:
    """Run one file below `tests` in this process, which must be a fresh one.

    Parameters
    ----------
    run : Run
        What to run and to substitute.
    tests : Path
        Folder `tests` of the checkout.
    """
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ.pop("PYTEST_ADDOPTS", None)
    sys.dont_write_bytecode = True  # the checkout stays as it was
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        _lay_out(Path("tests"), tests, many_users=run.many_users)
        Path("pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        settings = ["-c", "pytest.ini", "--import-mode=importlib", "-p", "no:cacheprovider", "-q"]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                conformance = Conformance(run.substitutes)
            except (ImportError, AttributeError) as error:
                return {"(substitution)": f"{type(error).__name__}: {error}"}
            pytest.main([*settings, f"tests/cornac/{run.file}"], plugins=[conformance])
    return conformance.outcomes


def _lay_out(folder: Path, tests: Path, *, many_users: bool) -> None:
    """Link to the files of the checkout, so that what tests write does not land there."""
    folder.mkdir()
    for source in tests.iterdir():
        (folder / source.name).symlink_to(source, target_is_directory=source.is_dir())
    if many_users:
        data = folder / "data.txt"
        data.unlink(missing_ok=True)
        data.write_text(_many_users(), encoding="utf-8")


def _many_users() -> str:
    """120 users who rate about half of 20 items, tab-separated as Cornac's own file is."""
    source = random.Random(1)
    rows = [
        (f"{user}", f"{item}", source.randint(3, 5), 882606572 + user)
        for user in range(120)
        for item in range(20)
        if source.random() < 0.5
    ]
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


def run_all(runs: Sequence[Run], tests: Path, say: Callable[[str], object]) -> int:
    """Run files in processes of their own, two at a time; say what came out; the exit status."""
    present = [run for run in runs if (tests / "cornac" / run.file).is_file() and _can(run)]
    status = 0
    context = get_context("forkserver")
    context.set_forkserver_preload(["cornac", "sklearn.ensemble"])  # imported once for all
    fresh = ProcessPoolExecutor(2, mp_context=context, max_tasks_per_child=1)
    with fresh as workers:
        found = {run.label: workers.submit(run_file, run, tests) for run in present}
        for run in runs:
            if run.label not in found:
                why = "no such file" if _can(run) else f"needs {run.needs}"
                say(f"{run.label}: not run: {why}")
                status = status or 2
                continue
            outcomes = found[run.label].result()
            total, expected = len(outcomes), run.passes
            say(f"{run.label}: {passed(outcomes)} of {total} passed (expected {expected})")
            for difference in differences(run, outcomes):
                say(f"    {difference}")
                status = 1
    return status


def _can(run: Run) -> bool:
    return not run.needs or importlib.util.find_spec(run.needs) is not None


def plain(runs: Sequence[Run]) -> list[Run]:
    """Each file once, nothing substituted: all of its tests should pass."""
    files = {run.file: run for run in runs}
    return [
        Run(run.file, "nothing substituted", {}, run.passes + len(run.by_design), needs=run.needs)
        for run in files.values()
    ]


def describe(runs: Sequence[Run], say: Callable[[str], object]) -> None:
    """Say what is substituted where, what should pass, and what cannot."""
    for run in runs:
        say(f"{run.label}: {run.passes} should pass")
        for theirs, ours in run.substitutes.items():
            say(f"    {ours} for {theirs}")
        for test, refusal in run.by_design.items():
            say(f"    cannot pass: {test}: {refusal.why}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and run; the exit status."""
    parser = argparse.ArgumentParser(description="Cornac's own tests on our classes.")
    parser.add_argument("path", type=Path, help="checkout of Cornac's repository")
    parser.add_argument("--list", action="store_true", help="say what is substituted where")
    parser.add_argument("--plain", action="store_true", help="substitute nothing")
    given = parser.parse_args(arguments)
    runs = plain(RUNS) if given.plain else RUNS
    say = functools.partial(print, flush=True)
    if given.list:
        describe(runs, say)
        return 0
    return run_all(runs, given.path.resolve() / "tests", say)


if __name__ == "__main__":
    sys.exit(main())
