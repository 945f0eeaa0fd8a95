"""Nothing finished is lost: kills, signals, full disks, failing models, two runs at once."""

import errno
import json
import os
import shutil
import signal
import subprocess

import pandas as pd
import pytest
from joblib import Parallel, delayed

from command_line import at_call, die, end, hidden, invoke, run, start
from conftest import write_small
from cornac_mle.cli import _compare
from cornac_mle.eval_methods import _realism_evaluation
from cornac_mle.files import interactions, npz, paths
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.models import Mixture, Popularity
from cornac_mle.profiles import Profiles
from cornac_mle.report import _records, partial_run, run_folder

pytestmark = pytest.mark.usefixtures("undrawn")

MODELS = ("--models", "popularity,mixture")
FEW = (*MODELS, "--metrics", "UnrealisticUsers,PlausibilityKS")
FILES = [
    "README.md",
    "arrays.npz",
    "config.yaml",
    "manifest.json",
    "profiles",
    "report.html",
    "report.md",
    "scores.csv",
    "summary.json",
    "unrealistic_preferences.csv",
    "unrealistic_users.csv",
]
NUMBERS = ["model", "metric", "value", "low", "high", "p_value", "fit_seed"]


def undisturbed(folder, *command):
    """Run folder of a command on `small` that nothing disturbed."""
    data = write_small(folder / "small.csv")
    status, output = invoke("compare", "--data", data, *command, "--out", folder / "runs")
    assert status == 0, output
    return folder / "runs" / "small-123"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Run folder of two models and few metrics."""
    return undisturbed(tmp_path_factory.mktemp("whole"), *FEW)


@pytest.fixture(scope="module")
def whole_by_default(tmp_path_factory):
    """Run folder of two models and the metrics that are measured if none are named."""
    return undisturbed(tmp_path_factory.mktemp("whole"), *MODELS)


def scores(folder):
    return pd.read_csv(folder / "scores.csv")[NUMBERS]


def refuse(*_arguments, **_settings):
    msg = "fitted again"
    raise AssertionError(msg)


def is_like(folder, whole):
    """Whether a run folder holds the files of an undisturbed run, and the same tables."""
    pd.testing.assert_frame_equal(scores(folder), scores(whole))
    assert sorted(path.name for path in folder.iterdir()) == FILES
    for name in ("unrealistic_users.csv", "unrealistic_preferences.csv"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()
    for path in (whole / "profiles").iterdir():
        assert (folder / "profiles" / path.name).read_bytes() == path.read_bytes()
    return True


PHASES = {
    "while data are read": (_compare, "feedback", 1, 0),
    "while the run begins": (partial_run, "write_json", 1, 0),
    "while the judge is fitted": (Evaluator, "fit", 1, 0),
    "while the first model is fitted": (Popularity, "_fit", 1, 0),
    "while the first fit is kept": (_records, "write_arrays", 1, 0),
    "while the second model is fitted": (Mixture, "_fit", 1, 1),
    "while preferences are listed": (_compare, "preferences_by_model", 1, 1),
    "while preferences are kept": (_records, "write_arrays", 2, 1),
    "while the second fit is kept": (partial_run, "write_record", 2, 1),
    "while tables are written": (run_folder, "write_table", 2, 2),
    "before the run folder has its name": (run_folder, "_moved", 1, 2),
}


@pytest.mark.parametrize("phase", PHASES)
def test_a_kill_loses_no_finished_fit_and_the_next_run_works(small, tmp_path, whole, phase):
    killed_and_resumed(small, tmp_path / "runs", whole, FEW, *PHASES[phase])


def test_a_kill_loses_nothing_of_any_metric(small, tmp_path, whole_by_default):
    phase = PHASES["while the second fit is kept"]
    killed_and_resumed(small, tmp_path / "runs", whole_by_default, MODELS, *phase)


def killed_and_resumed(small, out, whole, settings, owner, name, number, n_finished):
    """Kill a run at a call, run it anew, and go on with what was killed."""
    command = ("compare", "--data", small, *settings, "--out", out)
    killed = run(*command, before=lambda: at_call(owner, name, number, die))
    assert killed.status == -signal.SIGKILL
    assert [path for path in out.glob("*") if path not in hidden(out)] == []

    following = run(*command)
    assert following.status == 0, following.errors
    assert is_like(out / "small-123", whole)
    left = hidden(out)
    assert len(left) == bool(n_finished)
    if not n_finished:
        assert following.errors == ""
        return
    assert "--resume, or remove it.\n" in following.errors
    assert f"{left[0]} was cut short; it has " in following.errors

    def trap():
        Popularity._fit = refuse
        if n_finished == 2:
            Mixture._fit = refuse

    resumed = run("compare", "--resume", left[0], before=trap)
    assert resumed.status == 0, resumed.errors
    assert is_like(out / "small-123-2", whole)
    assert hidden(out) == []


def test_a_kill_after_the_run_folder_has_its_name_leaves_it_whole(small, tmp_path, whole):
    out = tmp_path / "runs"
    command = ("compare", "--data", small, *FEW, "--out", out)
    killed = run(*command, before=lambda: at_call(partial_run.PartialRun, "__exit__", 1, die))
    assert killed.status == -signal.SIGKILL
    assert is_like(out / "small-123", whole)
    assert run(*command).errors == ""
    assert hidden(out) == []


def test_two_runs_at_once_take_two_names(small, tmp_path, whole):
    out = tmp_path / "runs"
    command = ("compare", "--data", small, *FEW, "--out", out)
    for done in [end(started) for started in [start(*command), start(*command)]]:
        assert (done.status, done.errors) == (0, "")
    assert sorted(path.name for path in out.iterdir()) == ["small-123", "small-123-2"]
    assert is_like(out / "small-123", whole)
    assert is_like(out / "small-123-2", whole)


def test_a_run_that_is_being_written_is_neither_removed_nor_gone_on_with(small, tmp_path):
    out = tmp_path / "runs"
    with partial_run.PartialRun.begin(out / "small-123", {}) as other:
        status, output = invoke("compare", "--data", small, *FEW, "--out", out)
        assert status == 0, output
        assert other.folder.exists()
        status, output = invoke("compare", "--resume", other.folder)
        assert status == 2
        assert "`resume` must be a run that nobody is writing; got" in output
    assert hidden(out) == []


# Signals


@pytest.mark.parametrize(
    ("owner", "name", "number", "models"),
    [
        (Popularity, "_fit", 1, []),
        (Mixture, "_fit", 1, ["Popularity"]),
        (_realism_evaluation, "note_score", 2, []),  # some of its rows are there
        (Evaluator, "p_values", 1, ["Popularity"]),
        (partial_run, "write_record", 1, ["Popularity"]),
        (_compare, "preferences_by_model", 1, ["Popularity"]),
        (partial_run, "write_frame", 2, ["Popularity", "Mixture"]),
    ],
)
@pytest.mark.parametrize("number_of_signal", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_what_is_finished(
    small, tmp_path, monkeypatch, owner, name, number, models, number_of_signal
):
    out = tmp_path / "runs"
    monkeypatch.setattr(owner, name, getattr(owner, name))  # restored afterwards
    at_call(owner, name, number, lambda: os.kill(os.getpid(), number_of_signal))
    status, output = invoke("compare", "--data", small, *FEW, "--out", out)
    assert status == 128 + number_of_signal
    word = "interrupted" if number_of_signal == signal.SIGINT else "terminated"
    assert f"{word}: " in output
    assert hidden(out) == []
    if not models:
        assert f"{word}: nothing was written" in output
        assert list(out.iterdir()) == []
        return
    folder = out / "small-123"
    assert list(scores(folder).model.unique()) == models
    assert set(pd.read_csv(folder / "unrealistic_preferences.csv").model) == set(models)
    assert json.loads((folder / "manifest.json").read_text())["arguments"]["interrupted"] is True


def test_a_signal_while_the_folder_is_written_waits(small, tmp_path, monkeypatch, whole):
    monkeypatch.setattr(run_folder, "write_table", run_folder.write_table)
    at_call(run_folder, "write_table", 2, lambda: os.kill(os.getpid(), signal.SIGINT))
    status, output = invoke("compare", "--data", small, *FEW, "--out", tmp_path / "runs")
    assert status == 0, output
    assert is_like(tmp_path / "runs" / "small-123", whole)


def test_an_interrupted_run_folder_is_gone_on_with(small, tmp_path, monkeypatch, whole):
    out = tmp_path / "runs"
    with monkeypatch.context() as patch:
        patch.setattr(Mixture, "_fit", Mixture._fit)
        at_call(Mixture, "_fit", 1, lambda: os.kill(os.getpid(), signal.SIGINT))
        assert invoke("compare", "--data", small, *FEW, "--out", out)[0] == 130
    interrupted = out / "small-123"
    before = {path: path.read_bytes() for path in interrupted.rglob("*") if path.is_file()}
    monkeypatch.setattr(Popularity, "_fit", refuse)
    status, output = invoke("compare", "--resume", interrupted)
    assert status == 0, output
    assert is_like(out / "small-123-2", whole)
    assert {path: path.read_bytes() for path in interrupted.rglob("*") if path.is_file()} == before


def test_what_contradicts_the_run_is_refused_in_one_line(small, tmp_path, monkeypatch):
    out = tmp_path / "runs"
    with monkeypatch.context() as patch:
        patch.setattr(Mixture, "_fit", Mixture._fit)
        at_call(Mixture, "_fit", 1, lambda: os.kill(os.getpid(), signal.SIGINT))
        assert invoke("compare", "--data", small, *FEW, "--out", out)[0] == 130
    other = tmp_path / "other.csv"
    other.write_text("".join(small.read_text().splitlines(keepends=True)[:-1]))
    folder = out / "small-123"
    for more, message in (
        (("--seed", 7), r"`--seed` must be 123, as in the run that --resume names; got 7"),
        (("--rating-threshold", 3), r"`--rating-threshold` must be None, as in the run"),
        (("--samples", 2), r"`--samples` must be 1, as in the run"),
        (("--data", other), r"`--data` must be those of the run that --resume names; got others"),
        (("--dataset", "complete-journey"), r"`--data` must be those of the run"),
    ):
        status, output = invoke("compare", "--resume", folder, *more)
        assert (status, len(output.splitlines())) == (2, 1), output
        assert pd.Series([output]).str.contains(message).all(), output
    for wrong, message in (
        (tmp_path / "none", "got no "),
        (tmp_path, "another"),
        (small, "got no "),
    ):
        status, output = invoke("compare", "--resume", wrong)
        assert (status, len(output.splitlines())) == (2, 1), output
        assert "`resume` must be a run folder that was cut short" in output
        assert message in output
    settings = folder / "finished" / "run.json"
    content = json.loads(settings.read_text())
    for change, message in (
        ({"format": 0}, "must be written in format 2; got 0. Start anew."),
        ({"versions": 3}, "must say what was asked for; got no versions. Start anew."),
    ):
        settings.write_text(json.dumps(content | change))
        status, output = invoke("compare", "--resume", folder)
        assert (status, len(output.splitlines())) == (2, 1), output
        assert message in output
    (folder / "finished" / "000" / "entries.json").write_text("{")
    status, output = invoke("compare", "--resume", folder)
    assert (status, len(output.splitlines())) == (2, 1), output
    assert "got a damaged one (JSONDecodeError" in output
    assert sorted(path.name for path in out.iterdir()) == ["small-123"]


def test_fits_and_models_may_be_added(small, tmp_path, monkeypatch):
    out = tmp_path / "runs"
    with monkeypatch.context() as patch:
        patch.setattr(Mixture, "_fit", Mixture._fit)
        at_call(Mixture, "_fit", 2, lambda: os.kill(os.getpid(), signal.SIGINT))
        command = ("compare", "--data", small, *FEW, "--fits", 2, "--out", out)
        assert invoke(*command)[0] == 130
    assert set(scores(out / "small-123").fit_seed.dropna()) == {123}
    seeds = []
    fit = Mixture._fit

    def noted(self, matrix, validation):
        seeds.append(self.seed)
        return fit(self, matrix, validation)

    monkeypatch.setattr(Mixture, "_fit", noted)
    more = ("--fits", 3, "--models", "training-users,popularity,mixture")
    status, output = invoke("compare", "--resume", out / "small-123", *more)
    assert status == 0, output
    assert seeds == [124, 125]
    folder = out / "small-123-2"
    assert list(scores(folder).model.unique()) == ["TrainingUsers", "Popularity", "Mixture"]
    assert set(scores(folder).fit_seed.dropna()) == {123, 124, 125}


# Failing models


def killed_worker():
    Parallel(n_jobs=2, backend="loky")(delayed(os._exit)(9) for _ in range(2))


def no_memory():
    raise MemoryError


def not_finite():
    msg = "two\nlines"
    raise FloatingPointError(msg)


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (killed_worker, "TerminatedWorkerError: A worker process managed by the executor"),
        (no_memory, "MemoryError: "),
        (not_finite, "FloatingPointError: two lines"),
    ],
)
@pytest.mark.filterwarnings("default")
def test_a_model_that_fails_costs_its_row(small, tmp_path, monkeypatch, action, reason):
    out = tmp_path / "runs"
    with monkeypatch.context() as patch:
        patch.setattr(Mixture, "_fit", lambda *_: action())
        lists = ("--models", "mixture,popularity", *FEW[2:])
        status, output = invoke("compare", "--data", small, *lists, "--out", out)
    assert status == 3, output
    assert f"not in the table, or not with every fit: Mixture ({reason}" in output
    said = " ".join(output.split())
    assert "FAILED, and not in the tables or not with every fit. Mixture: " in said
    folder = out / "small-123"
    assert set(scores(folder).model) == {"Popularity"}
    assert list(json.loads((folder / "manifest.json").read_text())["failed"]) == ["Mixture"]
    monkeypatch.setattr(Popularity, "_fit", refuse)
    status, output = invoke("compare", "--resume", folder)
    assert status == 0, output
    assert set(scores(out / "small-123-2").model) == {"Popularity", "Mixture"}


def test_if_all_models_fail_nothing_is_written(small, tmp_path, monkeypatch):
    monkeypatch.setattr(Mixture, "_fit", lambda *_: no_memory())
    command = (
        "compare",
        "--data",
        small,
        "--models",
        "mixture",
        *FEW[2:],
        "--out",
        tmp_path / "runs",
    )
    status, output = invoke(*command)
    assert status == 3
    assert "Mixture (MemoryError" in output
    assert list((tmp_path / "runs").iterdir()) == []


# Full disks


def full_at(monkeypatch, number, *, for_good):
    """Let the disk be full at one write, or from it on; returns the writes so far."""
    calls = []

    def full(path):
        calls.append(path)
        if len(calls) == number or (for_good and len(calls) > number):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return paths.atomic_path(path)

    for module in (interactions, npz, _records, run_folder):
        monkeypatch.setattr(module, "atomic_path", full)
    return calls


# run.json; 3 of a record and 1 of preferences, twice; 3 tables, arrays.npz, 2 profiles, manifest,
# summary, report.md, report.html, config.yaml, README.md.
WRITES = 21


def test_how_often_a_run_writes(small, tmp_path, monkeypatch):
    calls = full_at(monkeypatch, 0, for_good=False)
    assert invoke("compare", "--data", small, *FEW, "--out", tmp_path / "runs")[0] == 0
    assert len(calls) == WRITES


@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_a_full_disk_at_any_write_loses_nothing(small, tmp_path, monkeypatch, whole, number):
    out = tmp_path / "runs"
    command = ("compare", "--data", small, *FEW, "--out", out)
    with monkeypatch.context() as patch:
        full_at(patch, number, for_good=True)
        status, output = invoke(*command)
    assert status == 2
    assert "No space left on device" in output
    assert [path for path in out.glob("*") if path not in hidden(out)] == []
    if number == 1:  # before the first fit
        assert len(output.splitlines()) == 1
    else:
        assert "popularity" in output  # what cannot be written is at least printed
    left = hidden(out)
    assert len(left) == (number > 4)
    if left:
        assert f"go on with --resume {left[0]}" in output
    monkeypatch.setattr(Popularity, "_fit", refuse if left else Popularity._fit)
    status, output = invoke(*(("compare", "--resume", left[0]) if left else command))
    assert status == 0, output
    assert is_like(out / "small-123", whole)
    assert hidden(out) == []


@pytest.mark.parametrize("number", [2, 4, 5, 9])
def test_a_disk_that_is_full_for_a_moment_does_no_harm(small, tmp_path, monkeypatch, whole, number):
    full_at(monkeypatch, number, for_good=False)
    status, output = invoke("compare", "--data", small, *FEW, "--out", tmp_path / "runs")
    assert status == 0, output
    assert "warning: what is finished cannot be kept yet" in output
    assert is_like(tmp_path / "runs" / "small-123", whole)


@pytest.fixture
def tiny_disk(tmp_path):
    """A folder on a disk of its own; gives a function that sets its size in KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a disk")

    def resize(size):
        subprocess.run(["mount", "-o", f"remount,size={size}k", str(folder)], check=True)

    yield folder, resize
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full_loses_nothing(small, tiny_disk, monkeypatch, whole):
    out, resize = tiny_disk
    command = ("compare", "--data", small, *FEW, "--out", out)
    for size in (4, 16, 32, 48, 64, 128, 256, 1024):  # each is full at another write
        resize(size)
        status, output = invoke(*command)
        left = hidden(out)
        if status == 0:
            break
        assert status == 2
        assert "No space left on device" in output
        assert list(out.iterdir()) == left
        if left:
            resize(10_000)
            status, output = invoke("compare", "--resume", left[0])
            assert status == 0, output
            assert is_like(out / "small-123", whole)
            shutil.rmtree(out / "small-123")
    assert size > 32


def test_a_killed_sample_leaves_a_temporary_file_that_the_next_removes(small, tmp_path):
    out = tmp_path / "users.csv.gz"
    command = ("sample", "--data", small, "--model", "popularity", "--out", out)
    killed = run(*command, before=lambda: at_call(paths.os, "fsync", 1, die))
    assert killed.status == -signal.SIGKILL
    assert len(hidden(tmp_path)) == 1
    assert not out.exists()
    assert run(*command).status == 0
    assert hidden(tmp_path) == []
    assert len(Profiles.read(out)) == 1000
