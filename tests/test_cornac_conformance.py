"""The shim that runs Cornac's own tests on our classes, on a tiny made-up checkout."""

import pytest

import cornac_conformance
from conformance_runs import OUR_PMF, RUNS, Refusal, Run
from cornac_conformance import describe, differences, main, passed, plain, run_all, run_file

MADE_UP = """
import unittest
from pathlib import Path

from cornac.data import Dataset, Reader
from cornac.models import MF, PMF


class TestMadeUp(unittest.TestCase):
    def setUp(self):
        self.data = Reader().read("./tests/data.txt")

    def test_ours_are_found(self):
        self.assertEqual(MF().name, PMF(1, 0).name)
        self.assertTrue(MF.__module__.startswith("cornac_mle."))

    def test_cornac_itself_is_left_alone(self):
        import cornac.models
        self.assertEqual(cornac.models.MF.__module__, "cornac.models.mf.recom_mf")

    def test_fit(self):
        Path("written.txt").write_text("where tests run")
        MF(1, 0, seed=1).fit(Dataset.from_uir(self.data))

    def test_number_of_users(self):
        self.assertEqual(len({user for user, _, _ in self.data}), 3)
"""


@pytest.fixture
def checkout(tmp_path):
    tests = tmp_path / "tests"
    (tests / "cornac").mkdir(parents=True)
    (tests / "data.txt").write_text("".join(f"u{n}\ti{n}\t{n + 2}\t{n}\n" for n in range(3)))
    (tests / "cornac" / "test_made_up.py").write_text(MADE_UP)
    (tests / "cornac" / "test_broken.py").write_text("import cornac.nothing")
    return tmp_path


def test_a_run_says_what_passed_and_what_differs(checkout):
    few = Refusal("120 != 3", "there are more users")
    runs = [
        Run(
            "test_made_up.py",
            "many users",
            OUR_PMF,
            passes=3,
            by_design={"TestMadeUp.test_number_of_users": few},
            many_users=True,
        ),
        Run("test_made_up.py", "not used", {"cornac.models.BPR": "json.JSONDecoder"}, passes=4),
        Run("test_broken.py", "PMF", OUR_PMF, passes=4),
        Run("test_absent.py", "PMF", OUR_PMF, passes=1),
        Run("test_made_up.py", "absent module", OUR_PMF, passes=4, needs="no_such_module"),
    ]
    said = []
    status = run_all(runs, checkout / "tests", said.append)
    assert said == [
        "test_made_up.py, many users: 3 of 4 passed (expected 3)",
        "test_made_up.py, not used: 3 of 5 passed (expected 4)",
        "    (substitution) did not pass: the file imports nothing that is substituted",
        "    TestMadeUp.test_ours_are_found did not pass: AssertionError: 'MF' != 'PMF'",
        "test_broken.py, PMF: 0 of 1 passed (expected 4)",
        "    (import) did not pass: ModuleNotFoundError: No module named 'cornac.nothing'",
        "test_absent.py, PMF: not run: no such file",
        "test_made_up.py, absent module: not run: needs no_such_module",
    ]
    assert status == 1
    written = {path.name for path in checkout.rglob("*") if path.is_file()}
    assert written == {"data.txt", "test_made_up.py", "test_broken.py"}


def test_all_is_well(checkout, monkeypatch, capsys):
    runs = [Run("test_made_up.py", "PMF", OUR_PMF, passes=4)]
    monkeypatch.setattr(cornac_conformance, "RUNS", runs)
    assert main([str(checkout)]) == 0
    assert capsys.readouterr().out == "test_made_up.py, PMF: 4 of 4 passed (expected 4)\n"


def test_a_slip_in_the_table_differs(checkout, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # run_file sets it in its process
    run = Run("test_made_up.py", "PMF", {"cornac.models.MF": "cornac_mle.Nothing"}, passes=4)
    (reason,) = run_file(run, checkout / "tests").values()
    assert reason == "AttributeError: module 'cornac_mle' has no attribute 'Nothing'"


def test_what_is_expected_to_fail_must_fail_as_expected():
    refused = {"one": Refusal("no zeros", "zeros are refused")}
    run = Run("test_made_up.py", "PMF", OUR_PMF, passes=1, by_design=refused)
    assert differences(run, {"one": "ValueError: no zeros here", "two": ""}) == []
    assert differences(run, {"one": "", "two": ""}) == [
        "one passed, but is expected not to: zeros are refused"
    ]
    assert differences(run, {"one": "KeyError: 3", "two": ""}) == [
        "one failed, but otherwise than by 'no zeros': KeyError: 3"
    ]
    assert differences(run, {"two": ""}) == ["one is expected not to pass, but is not there"]
    assert differences(run, {"one": "no zeros", "two": "", "three": ""}) == [
        "the file has other tests than those that the expectation is of"
    ]
    assert passed({"one": "no zeros", "two": "", "three": ""}) == 2


def test_nothing_there_is_said_and_has_a_status_of_its_own(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(RUNS)
    assert lines[0] == "test_recommender.py, PMF: not run: no such file"


def test_the_table_can_be_read(capsys, tmp_path):
    assert main([str(tmp_path), "--list"]) == 0
    text = capsys.readouterr().out
    assert "test_recommender.py, PMF: 6 should pass" in text
    assert "cornac_mle.models.pmf.model.PMF for cornac.models.MF" in text
    assert "cannot pass: TestBaseMethod.test_init: likes are chosen before the split" in text
    assert len({run.label for run in RUNS}) == len(RUNS)


def test_unsubstituted_each_file_runs_once_and_all_passes():
    runs = plain(RUNS)
    assert len({run.file for run in runs}) == len(runs)
    of_method = next(run for run in runs if run.file.endswith("test_base_method.py"))
    assert of_method.passes == 7
    said = []
    describe(runs, said.append)
    assert said[0] == "test_recommender.py, nothing substituted: 6 should pass"
    assert len(said) == len(runs)
