"""Several processes: the same numbers, and nothing finished is lost, whatever happens to them."""

import logging
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pandas as pd
import pytest

from command_line import Done, end, hidden, invoke, is_one_error, run, start
from cornac_mle.cli import _workers
from cornac_mle.cli._jobs import Schedule, jobs_of
from cornac_mle.cli._workers import Workers, job_count
from cornac_mle.comparison import default_metrics
from cornac_mle.models import LDA, VAE, Popularity
from cornac_mle.remedies import MMDTuning

MODELS = "popularity,lda(k=2),vae(n_epochs=3),vae-prior(n_epochs=3),vae-tuned(n_steps=5),bpr"
SAME = ("scores.csv", "unrealistic_users.csv", "unrealistic_preferences.csv", "arrays.npz")


# Pages of empty pictures, unless workers draw them: half the time of a run on few users.
PROGRAM = """
from cornac_mle.cli import main
from cornac_mle.report.page import _pictures
_pictures._picture = lambda heading, _, *words: _pictures.Picture(heading, "<svg/>", *words[:2])
main()
"""


def with_threads(count, *arguments):
    """Run the command line in a process of its own, whose libraries may use so many threads."""
    environment = os.environ | {"OMP_NUM_THREADS": str(count), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def is_same(folder, other):
    for name in SAME:
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name
    for path in (other / "profiles").iterdir():
        assert (folder / "profiles" / path.name).read_bytes() == path.read_bytes()
    return True


def ends(touch):
    """Whether a process, or a group, ends within a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            touch()
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Run folders by number of processes and of threads."""
    from conftest import write_small

    folder = tmp_path_factory.mktemp("jobs")
    data = write_small(folder / "small.csv")
    found = {}
    for jobs, threads in ((1, 2), (2, 1)):  # whatever numbers depend on, it differs
        out = folder / f"{jobs}-{threads}"
        arguments = ("compare", "--data", data, "--models", MODELS, "--fits", "2")
        done = with_threads(threads, *arguments, "--out", out, "--jobs", jobs)
        assert done.status == 0, done.errors
        found[jobs, threads] = (out / "small-123", done)
    return found


def test_numbers_depend_neither_on_processes_nor_on_threads(runs):
    assert is_same(runs[2, 1][0], runs[1, 2][0])


def test_the_same_is_printed_and_said(runs):
    one, two = runs[1, 2][1], runs[2, 1][1]
    assert one.output.splitlines()[:-1] == two.output.splitlines()[:-1]
    assert sorted(one.errors.splitlines()) == sorted(two.errors.splitlines())


def test_a_model_that_fails_costs_its_own_rows(small, tmp_path):
    def as_in_a_fresh_process():
        warnings.simplefilter("ignore")  # numpy's, of what the model overflows
        logging.getLogger().handlers.clear()  # pytest's

    done = run(
        *("compare", "--data", small, "--models", "popularity,vae(learning_rate=1e30)"),
        *("--out", tmp_path, "--jobs", "2"),
        before=as_in_a_fresh_process,
    )
    assert done.status == 3
    assert done.errors.count("VAE(learning_rate=1e+30) failed: ValueError: ") == 1
    assert "not in the table, or not with every fit: VAE(learning_rate=1e+30)" in done.errors
    table = pd.read_csv(tmp_path / "small-123" / "scores.csv")
    assert list(table.model.unique()) == ["Popularity"]


def test_what_no_judge_can_be_fitted_on_is_one_error(small, tmp_path):
    few = tmp_path / "few.csv"
    few.write_text("\n".join(small.read_text().splitlines()[:200]))
    status, output = invoke("compare", "--data", few, "--out", tmp_path, "--jobs", "2")
    assert status == 2
    assert is_one_error(output, "must hold at least 20 users")
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("jobs", ["0", "-1"])
def test_jobs_must_be_a_number_of_processes(small, tmp_path, jobs):
    status, output = invoke("compare", "--data", small, "--out", tmp_path, "--jobs", jobs)
    assert status == 2
    assert is_one_error(output, "`--jobs` must be at least 1")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_what_is_finished_and_ends_the_workers(small, tmp_path, number):
    slow = "vae(n_epochs=100000,patience=100000)"
    arguments = ("compare", "--data", small, "--models", f"popularity,{slow}", "--jobs", "2")
    started = start(*arguments, "--out", tmp_path, before=os.setsid)
    process = started[0]
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob(".*/finished/000/preferences.npz")):
        assert time.monotonic() < deadline
        assert os.waitpid(process, os.WNOHANG) == (0, 0)
        time.sleep(0.1)
    os.killpg(process, number)  # as a terminal does with Ctrl-C
    done = end(started)
    assert done.status == 128 + number, done.errors
    word = "interrupted" if number == signal.SIGINT else "terminated"
    assert done.errors == f"{word}: models that were not finished are not in the table\n"
    assert "Popularity" in done.output
    folder = tmp_path / "small-123"
    assert list(pd.read_csv(folder / "scores.csv").model.unique()) == ["Popularity"]
    assert ends(lambda: os.killpg(process, 0))  # nobody is left of the group


def test_a_killed_worker_ends_the_run_and_another_goes_on(small, tmp_path):
    def trap():
        take = Schedule._take

        def kill_workers(self, kind, what, told):
            found = take(self, kind, what, told)
            if found is not None:
                for one in self.workers._executor._processes:
                    os.kill(one, signal.SIGKILL)
            return found

        Schedule._take = kill_workers

    models = "popularity,lda(k=2),mixture(k=2),training-users"
    arguments = ("compare", "--data", small, "--models", models, "--out", tmp_path, "--jobs", "2")
    killed = run(*arguments, before=trap)
    assert killed.status not in (0, 3), killed
    [left] = hidden(tmp_path)
    assert "go on with --resume" in killed.errors
    resumed = run("compare", "--resume", left, "--jobs", "2")
    assert resumed.status == 0, resumed.errors
    names = pd.read_csv(tmp_path / "small-123" / "scores.csv").model.unique()
    assert list(names) == ["Popularity", "LDA(k=2)", "Mixture(k=2)", "TrainingUsers"]


def test_workers_end_with_the_command(small, tmp_path):
    pipe = os.pipe()

    def trap():
        submit = Schedule._submit

        def die(self, kind, what):
            found = submit(self, kind, what)
            workers = list(self.workers._executor._processes)
            os.write(pipe[1], " ".join(map(str, [*workers, self.workers.folder])).encode())
            os.kill(os.getpid(), signal.SIGKILL)
            return found

        Schedule._submit = die

    slow = "vae(n_epochs=100000,patience=100000)"
    arguments = ("compare", "--data", small, "--models", f"popularity,{slow}", "--jobs", "2")
    assert run(*arguments, "--out", tmp_path, before=trap).status == -signal.SIGKILL
    *numbers, folder = os.read(pipe[0], 1000).decode().split()
    workers = [int(number) for number in numbers]
    assert len(workers) == 2
    assert all(ends(lambda number=number: os.kill(number, 0)) for number in workers)
    assert not Path(folder).exists()


def test_one_fit_serves_all_that_begin_with_it_and_comes_first():
    vae = VAE(n_epochs=3)
    models = [Popularity(), vae, vae.with_latent("prior"), MMDTuning(VAE(n_epochs=3))]
    models += [VAE("other", n_epochs=4), LDA(k=2)]
    jobs = jobs_of([(model, [123], True) for model in models])
    schedule = Schedule(jobs, default_metrics(), Workers(1))
    assert [job.base for job in jobs] == [None, 0, 0, 0, None, None]
    assert [job.begins_with for job in jobs] == [False, False, False, True, False, False]
    order = []
    while (task := schedule._next()) is not None:
        kind, what = task
        order.append((kind, getattr(what, "name", what)))
        if kind == "base":
            schedule.bases[what] = (schedule.bases[what][0], "done")
        elif kind == "judge":
            schedule.judges[what] = "done"
        else:
            what.state = "fitted" if kind == "fit" else "done"
    assert order == [
        ("base", 0),
        ("judge", "evaluator"),
        ("judge", "item-knn"),
        ("judge", "svd"),
        ("fit", "MMDTuning(VAE)"),
        ("measure", "VAE"),
        ("measure", "VAE prior"),
        ("measure", "MMDTuning(VAE)"),
        ("fit", "Popularity"),
        ("measure", "Popularity"),
        ("fit", "other"),
        ("measure", "other"),
        ("fit", "LDA"),
        ("measure", "LDA"),
    ]


def test_processes_are_as_many_as_there_are_processors_and_tasks(monkeypatch):
    monkeypatch.setattr(_workers, "cpu_count", lambda: 4)
    assert [job_count(None, tasks) for tasks in (0, 1, 3, 9)] == [1, 1, 3, 4]
    assert [job_count(6, tasks) for tasks in (1, 9)] == [1, 6]
