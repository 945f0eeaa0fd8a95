"""`cornac-mle compare`: fit models, sample, measure; keep what is finished, whatever happens."""

import time
from collections.abc import Collection, Sequence
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
from cornac_mle.cli._models import model_of
from cornac_mle.cli._progress import Steps, progress
from cornac_mle.cli._terminal import (
    BAD_INPUT,
    MODEL_FAILED,
    NOT_PRINTED,
    STOP,
    one_line,
    say,
    write,
)
from cornac_mle.comparison import checked_models
from cornac_mle.comparison import compare as compare_models
from cornac_mle.diagnostics.unrealistic_preferences import preferences_by_model
from cornac_mle.eval_methods.held_out_users import HeldOutUsers
from cornac_mle.report.partial_run import PartialRun, left_runs
from cornac_mle.report.run_folder import hash_feedback, made_now, versions
from cornac_mle.report.table import output_console, score_table

if TYPE_CHECKING:
    from cornac_mle.report.report import Report
SETTINGS = (
    *("name", "dataset", "data", "rating_threshold", "models", "seed", "fits", "samples"),
    *("data_sha256", "versions"),
)
FORMAT = 1
"""Of what is written of a run in the making; another one is not gone on with."""


def compare(asked: Asked, out: Path, given: Collection[str], resume: Path | None) -> int:
    """Compare models and write a run folder; gives the exit status.

    Raises
    ------
    ValueError, TypeError, OSError, ImportError, RuntimeError
        If something that was asked for cannot be.
    """
    check_one_source(given)
    if resume is None:
        return _compare(asked, out, None)
    with PartialRun.resume(resume) as run:
        _check_format(run.settings)
        asked = asked.going_on(run.settings, given)
        out = out if "out" in given else resume.absolute().parent
        return _compare(asked, out, run)


def _compare(asked: Asked, out: Path, run: PartialRun | None) -> int:
    """Compare models in a new run (None) or one that was cut short."""
    names = [name.strip() for name in asked.models.split(",")]
    check_amounts(asked, len(names))
    models = checked_models([model_of(name, asked.seed) for name in names])
    name, frame, threshold = feedback(asked.dataset, asked.data, asked.rating_threshold)
    method = HeldOutUsers(
        frame,
        rating_threshold=threshold,
        seed=asked.seed,
        n_samples=asked.samples,
        dataset_name=name,
    )
    settings = _settings(asked, name, threshold, hash_feedback(frame))
    for folder, finished in left_runs(out):
        say(
            f"{folder} was cut short; it has {', '.join(finished)}. "
            f"Go on with --resume, or remove it."
        )
    place = out / f"{name}-{asked.seed}"
    if run is not None:
        _check_same(run.settings, settings)
        return _work(asked, models, method, run, place, settings, frame)
    with PartialRun.begin(place, settings) as new:
        return _work(asked, models, method, new, place, settings, frame)


def _work(
    asked: Asked,
    models: Sequence[Any],
    method: HeldOutUsers,
    run: PartialRun,
    place: Path,
    settings: dict[str, Any],
    frame: pd.DataFrame,
) -> int:
    """Fit, write, print, in this order; gives the exit status."""
    started = time.monotonic()
    seeds = range(asked.seed, asked.seed + asked.fits)
    interrupted = False
    try:
        try:
            _fit(models, method, run, seeds)
        except KeyboardInterrupt:
            interrupted = True
            run.drop_unfinished()
        try:
            _list_preferences(method, run)
        except KeyboardInterrupt:  # a second Ctrl-C does without
            interrupted = True
        with STOP.deferred():
            _complete(run.report, method, models, frame)
            status = STOP.status if interrupted else MODEL_FAILED if run.report.failed else 0
            if run.report.entries:
                arguments = _arguments(asked, settings) | {"interrupted": interrupted}
                run.report.made = made_now(started, arguments, settings["data_sha256"])
                status = _write_and_print(run, place, interrupted, status)
            _say_ending(run, interrupted)
    finally:
        if run.is_left:
            say(f"what is finished is in {run.folder}: go on with --resume {run.folder}")
            STOP.is_told = True
    return status


def _fit(
    models: Sequence[Any], method: HeldOutUsers, run: PartialRun, seeds: Sequence[int]
) -> None:
    """Fit and measure what is not finished yet; each finished fit goes to the disk at once."""
    open_seeds = {
        model.name: run.open_seeds(model.name, "seed" in model._get_init_params(), seeds)
        for model in models
    }
    total = sum(map(len, open_seeds.values()))
    with progress(total, "judge of plausibility") as steps:
        _ = method.evaluator
        for model in models:
            if not open_seeds[model.name]:
                continue

            def on_fit(name: str, _done: int) -> None:
                _keep(run)
                STOP.check()
                steps.next(f"{name}: fit, sample, measure")

            try:
                compare_models(
                    [model],
                    method,
                    fit_seeds=open_seeds[model.name],
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
            _list_preferences(method, run, steps)


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


def _complete(
    report: "Report", method: HeldOutUsers, models: Sequence[Any], frame: pd.DataFrame
) -> None:
    """Bring a report into the order of the models, and say what was left out."""
    places = {model.name: place for place, model in enumerate(models)}
    report.entries.sort(key=lambda entry: places.get(entry.model, len(places)))
    users = sorted(report.synthetic.items(), key=lambda pair: places.get(pair[0], len(places)))
    report.synthetic = dict(users)
    report.dataset = method.report.dataset
    report.groups, report.dropped = dict(method.report.groups), dict(method.report.dropped)
    if left_out := frame.attrs.get("dropped_rows", 0):
        report.dropped["rows, users or items that are no interactions, on reading"] = left_out


def _write_and_print(run: PartialRun, place: Path, interrupted: bool, status: int) -> int:
    """Write the run folder, then print; what cannot be printed is in the folder."""
    report = run.report
    tables = [run.preferences[model] for model in report.synthetic if model in run.preferences]
    report.preferences = pd.concat(tables or [pd.DataFrame(columns=["model"])], ignore_index=True)
    is_whole = not (interrupted or report.failed)
    try:
        _keep(run)
        line = f"Written: {run.finish(place, is_whole=is_whole)}"
    except OSError as error:
        say(f"error: the run folder cannot be written: {error}")
        line, status = "", BAD_INPUT
    try:
        console = output_console()
        with console.capture() as captured:
            console.print(score_table(report.summary(), console.width))
        printed = write(captured.get())
    except Exception as error:  # the files are there
        say(f"could not print the table: {type(error).__name__}: {error}")
        printed = False
    if line and not (printed and write(f"{one_line(line)}\n")):
        say(line)
    return status or (0 if printed else NOT_PRINTED)


def _say_ending(run: PartialRun, interrupted: bool) -> None:
    """Say what is missing, and how to go on."""
    STOP.is_told = True
    for model, reason in run.report.failed.items():
        say(f"not in the table, or not with every fit: {model} ({reason})")
    if interrupted:
        kept = "models that were not finished are not in the table"
        say(f"{STOP.word}: {kept if run.report.entries else 'nothing was written'}")


def _settings(asked: Asked, name: str, threshold: float | None, data_hash: str) -> dict[str, Any]:
    """Give what a run must know to be gone on with."""
    return {
        "format": FORMAT,
        "name": name,
        "dataset": asked.dataset,
        "data": None if asked.data is None else str(asked.data.absolute()),
        "rating_threshold": threshold,
        "models": asked.models,
        "seed": asked.seed,
        "fits": asked.fits,
        "samples": asked.samples,
        "data_sha256": data_hash,
        "versions": versions(),
    }


def _arguments(asked: Asked, settings: dict[str, Any]) -> dict[str, Any]:
    """Give what the manifest says was asked for."""
    names = ("rating_threshold", "models", "seed", "fits", "samples")
    return {"dataset": settings["name"]} | {name: settings[name] for name in names}


def _check_format(kept: dict[str, Any]) -> None:
    """Refuse records of another version of this file."""
    if kept.get("format") != FORMAT:
        rule = f"be written in format {FORMAT}"
        raise ValueError(refusal("--resume", rule, kept.get("format"), "Start anew."))
    missing = [name for name in SETTINGS if name not in kept]
    if missing or not isinstance(kept["versions"], dict):
        got = f"no {', '.join(missing) or 'versions'}"
        raise ValueError(refusal("--resume", "say what was asked for", got, "Start anew."))


def _check_same(kept: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse other data than those of the run that is gone on with; say what else differs."""
    if kept["data_sha256"] != now["data_sha256"]:
        got = f"others (SHA-256 {now['data_sha256'][:8]}, not {kept['data_sha256'][:8]})"
        raise ValueError(refusal("--data", "be those of the run that --resume names", got))
    if kept["rating_threshold"] != now["rating_threshold"]:
        rule = f"be {kept['rating_threshold']}, as in the run that --resume names"
        raise ValueError(refusal("--rating-threshold", rule, now["rating_threshold"]))
    changed = [
        f"{package} {kept['versions'].get(package)} -> {version}"
        for package, version in now["versions"].items()
        if kept["versions"].get(package) != version
    ]
    if changed:
        say(f"warning: what is finished was measured with other versions: {', '.join(changed)}")
