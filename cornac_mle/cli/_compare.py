"""`cornac-mle compare`: fit models, sample, measure; keep what is finished, whatever happens."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cornac_mle.checks import refusal
from cornac_mle.cli._asked import (
    Asked,
    check_amounts,
    check_one_source,
    feedback,
)
from cornac_mle.cli._config_text import CONFIG, config_text
from cornac_mle.cli._faces import show
from cornac_mle.cli._in_processes import draw_in_processes, fit_in_processes
from cornac_mle.cli._metrics import metrics_of
from cornac_mle.cli._models import models_of
from cornac_mle.cli._progress import Steps, finished_line, progress
from cornac_mle.cli._settings import arguments_of, check_format, check_same, settings_of
from cornac_mle.cli._terminal import (
    BAD_INPUT,
    MODEL_FAILED,
    STOP,
    hushed,
    output_dropped,
    say,
)
from cornac_mle.cli._workers import Workers
from cornac_mle.comparison import checked_models
from cornac_mle.comparison import compare as compare_models
from cornac_mle.diagnostics.gallery import look_at
from cornac_mle.diagnostics.unrealistic_preferences import preferences_by_model
from cornac_mle.eval_methods.held_out_users import HeldOutUsers
from cornac_mle.models.shared_fits import shared_fits
from cornac_mle.report.made import hash_feedback, made_now
from cornac_mle.report.partial_run import PartialRun, left_runs

if TYPE_CHECKING:
    from cornac_mle.report.report import Report


@dataclass(frozen=True, kw_only=True)
class _Task:
    """What was asked for, made ready: everything but the run that takes the results."""

    asked: Asked
    models: Sequence[Any]
    metrics: Sequence[Any]
    method: HeldOutUsers
    frame: pd.DataFrame
    settings: dict[str, Any]
    place: Path
    started: float
    workers: Workers


def compare(
    asked: Asked,
    given: Collection[str],
    resume: Path | None,
    config: Path | None,
    workers: Workers,
) -> int:
    """Compare models and write a run folder; gives the exit status.

    Raises
    ------
    ValueError, TypeError, OSError, ImportError, RuntimeError
        If something that was asked for cannot be.
    """
    check_one_source(given)
    with hushed(asked.quiet):
        if resume is None:
            if config is not None:
                asked = asked.configured(_configuration(config), given)
            return _compare(asked.spelled(), None, workers)
        if config is not None:
            advice = "A run that is gone on with has its own settings."
            raise ValueError(refusal("--config", "be left out beside --resume", "both", advice))
        with PartialRun.resume(resume) as run:
            check_format(run.settings)
            out = asked.out if "out" in given else resume.absolute().parent
            return _compare(asked.spelled().going_on(run.settings, given, out), run, workers)


def _configuration(path: Path) -> dict[str, Any]:
    """Read a configuration, or say which libraries that needs.

    Raises
    ------
    ValueError, OSError, ImportError
        If it cannot be read.
    """
    try:
        from cornac_mle.cli._config import read_config
    except ImportError as error:
        msg = (
            f"--config needs PyYAML and pydantic ({error}). "
            "Install them: pip install cornac-mle[report]"
        )
        raise ImportError(msg) from error
    return read_config(path)


def _compare(asked: Asked, run: PartialRun | None, workers: Workers) -> int:
    """Compare models in a new run (None) or one that was cut short."""
    started = time.monotonic()
    check_amounts(asked)
    models = checked_models(models_of(asked.models, asked.seed))
    metrics = metrics_of(asked.metrics)
    name, frame, threshold = feedback(asked.dataset, asked.data, asked.rating_threshold)
    task = _Task(
        asked=asked,
        models=models,
        metrics=metrics,
        method=HeldOutUsers(
            frame,
            rating_threshold=threshold,
            seed=asked.seed,
            n_samples=asked.samples,
            dataset_name=name,
        ),
        frame=frame,
        settings=settings_of(asked, name, threshold, hash_feedback(frame)),
        place=asked.out / f"{name}-{asked.seed}",
        started=started,
        workers=workers,
    )
    for folder, finished in left_runs(asked.out):
        models_ = ", ".join(finished)
        if not asked.quiet:
            say(f"{folder} was cut short; it has {models_}. Go on with --resume, or remove it.")
    if run is not None:
        check_same(run.settings, task.settings)
        return _work(task, run)
    with PartialRun.begin(task.place, task.settings) as new:
        return _work(task, new)


def _work(task: _Task, run: PartialRun) -> int:
    """Fit, write, print, in this order; gives the exit status."""
    interrupted = False
    try:
        try:
            _fit(task, run)
        except KeyboardInterrupt:
            interrupted = True
            run.drop_unfinished()
        try:
            _list_preferences(task.method, run)
        except KeyboardInterrupt:  # a second Ctrl-C does without
            interrupted = True
        with STOP.deferred():
            _complete(run.report, task)
            status = STOP.status if interrupted else MODEL_FAILED if run.report.failed else 0
            if run.report.entries:
                status = _write_and_print(run, task, interrupted, status)
            _say_ending(run, interrupted)
    finally:
        if run.is_left:
            say(f"what is finished is in {run.folder}: go on with --resume {run.folder}")
            STOP.is_told = True
    return status


def _fit(task: _Task, run: PartialRun) -> None:
    """Fit and measure what is not finished yet; each finished fit goes to the disk at once."""
    seeds = range(task.asked.seed, task.asked.seed + task.asked.fits)
    open_seeds = {
        model.name: run.open_seeds(model.name, "seed" in model._get_init_params(), seeds)
        for model in task.models
    }
    total, is_shown = sum(map(len, open_seeds.values())), not task.asked.quiet
    with progress(total, "judge of plausibility", is_shown=is_shown) as steps, output_dropped():
        if task.workers.count > 1 and total:
            fits = [(model, open_seeds[model.name]) for model in task.models]
            fit_in_processes(
                fits, task.method, task.metrics, task.workers, run, lambda: _keep(run), steps
            )
            return
        _ = task.method.evaluator
        with shared_fits():
            for model in task.models:
                if open_seeds[model.name]:
                    _fit_model(model, task, run, open_seeds[model.name], steps)


def _fit_model(
    model: Any, task: _Task, run: PartialRun, seeds: Sequence[int], steps: Steps
) -> None:
    """Fit and measure one model with several random seeds."""
    begun = time.monotonic()

    def on_fit(name: str, _done: int) -> None:
        _keep(run)
        STOP.check()
        steps.next(f"{name}: fit, sample, measure")

    try:
        compare_models(
            [model],
            task.method,
            metrics=task.metrics,
            fit_seeds=seeds,
            on_fit=on_fit,
            report=run.report,
        )
    except Exception:
        if model.name not in run.report.failed:
            raise  # not of this model alone
    _keep(run)
    if STOP.signal:
        run.report.failed.pop(model.name, None)
    STOP.check()
    steps.tell(finished_line(run.report, model.name, time.monotonic() - begun))
    _list_preferences(task.method, run, steps)


def _keep(run: PartialRun) -> None:
    """Write finished fits down; where that fails, the run goes on, and tries again."""
    try:
        run.fit_done()
    except OSError as error:
        say(f"warning: what is finished cannot be kept yet: {error}")


def _list_preferences(method: HeldOutUsers, run: PartialRun, steps: Steps | None = None) -> None:
    """List the least believable preferences of models that are finished."""
    for model, users in run.report.synthetic.items():
        if model in run.preferences:
            continue
        if steps is not None:
            steps.note(f"{model}: unrealistic preferences")
        try:
            table = preferences_by_model(method.evaluator, {model: users})
        except Exception as error:  # its scores stand
            run.report.failed[model] = f"unrealistic preferences: {type(error).__name__}: {error}"
            say(f"{model} failed: {run.report.failed[model]}")
            continue
        try:
            run.keep_preferences(model, table)
        except OSError as error:
            say(f"warning: what is finished cannot be kept yet: {error}")
    if steps is None and set(run.report.synthetic) - set(run.report.curves):
        look_at(run.report, method.evaluator)


def _complete(report: "Report", task: _Task) -> None:
    """Bring a report into the order of the models, and say what was left out."""
    places = {model.name: place for place, model in enumerate(task.models)}
    report.entries.sort(key=lambda entry: places.get(entry.model, len(places)))
    users = sorted(report.synthetic.items(), key=lambda pair: places.get(pair[0], len(places)))
    report.synthetic = dict(users)
    own = task.method.report
    report.dataset = own.dataset
    report.groups, report.dropped = dict(own.groups), dict(own.dropped)
    if left_out := task.frame.attrs.get("dropped_rows", 0):
        report.dropped["rows, users or items that are no interactions, on reading"] = left_out


def _write_and_print(run: PartialRun, task: _Task, interrupted: bool, status: int) -> int:
    """Write the run folder, then print; what cannot be printed is in the folder."""
    report, asked = run.report, task.asked
    tables = [run.preferences[model] for model in report.synthetic if model in run.preferences]
    report.preferences = pd.concat(tables or [pd.DataFrame(columns=["model"])], ignore_index=True)
    arguments = arguments_of(asked, task.settings) | {"interrupted": interrupted}
    report.made = made_now(task.started, arguments, task.settings["data_sha256"])
    folder = None
    try:
        _keep(run)
        folder = run.finish(
            task.place,
            is_whole=not (interrupted or report.failed),
            extra_files={CONFIG: config_text(asked, task.settings["rating_threshold"])},
            draw=draw_in_processes(task.workers),
        )
    except OSError as error:
        say(f"error: the run folder cannot be written: {error}")
        status = BAD_INPUT
    printed = show(report, folder, as_json=asked.as_json, quiet=asked.quiet)
    return status or printed


def _say_ending(run: PartialRun, interrupted: bool) -> None:
    """Say what is missing, and how to go on."""
    STOP.is_told = True
    for model, reason in run.report.failed.items():
        say(f"not in the table, or not with every fit: {model} ({reason})")
    if interrupted:
        kept = "models that were not finished are not in the table"
        say(f"{STOP.word}: {kept if run.report.entries else 'nothing was written'}")
