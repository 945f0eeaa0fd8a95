"""`cornac-mle compare` in several processes: what each fit has given is kept as it comes."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from cornac_mle.cli._jobs import Job, Schedule, jobs_of
from cornac_mle.cli._progress import Steps, finished_line
from cornac_mle.cli._shared_folder import read
from cornac_mle.cli._tasks import EVALUATOR, METHOD, Measured, draw_models
from cornac_mle.cli._terminal import STOP, say
from cornac_mle.cli._workers import Workers
from cornac_mle.eval_methods.held_out_users import HeldOutUsers
from cornac_mle.report.page import Picture
from cornac_mle.report.partial_run import PartialRun
from cornac_mle.report.run_folder import Draw
from cornac_mle.report.summary import Summary

logger = logging.getLogger("cornac_mle")


def fit_in_processes(
    fits: Sequence[tuple[Any, Sequence[int]]],
    method: HeldOutUsers,
    metrics: Sequence[Any],
    workers: Workers,
    run: PartialRun,
    keep: Callable[[], None],
    steps: Steps,
) -> None:
    """Fit and measure models, each with its random seeds; `keep` writes finished fits down.

    Raises
    ------
    Exception
        What the fit of a judge raises, or the end of a worker.
    """
    is_new = {model.name: model.name not in run.report.synthetic for model, _ in fits}
    jobs = jobs_of([(model, seeds, is_new[model.name]) for model, seeds in fits])
    workers.write(METHOD, method)
    schedule = Schedule(jobs, metrics, workers)
    found: dict[int, Measured] = {}
    kept: set[int] = set()

    def show() -> None:
        running = ", ".join(schedule.running())
        steps.busy(len(found), f"{running}: fit, sample, measure" if running else "judges")

    try:
        for job, measured in schedule.results(show):
            STOP.check()
            found[job.number] = measured
            _take_in_order(jobs, found, kept, run, keep, steps)
    except BaseException:
        workers.end()
        raise
    finally:
        if (workers.folder / EVALUATOR).exists():  # for what is left to be looked at
            method.take_evaluator(read(workers.folder, EVALUATOR))


def _take_in_order(
    jobs: Sequence[Job],
    found: dict[int, Measured],
    kept: set[int],
    run: PartialRun,
    keep: Callable[[], None],
    steps: Steps,
) -> None:
    """Take what is measured into the run; of one model, fits in the order of their seeds."""
    waiting: set[str] = set()
    for job in jobs:
        if job.number in kept or job.name in waiting:
            continue
        if job.number not in found:
            waiting.add(job.name)
            continue
        kept.add(job.number)
        measured = found[job.number]
        run.report.take(measured.report)
        keep()
        if measured.preferences is not None and job.name not in run.preferences:
            try:
                run.keep_preferences(job.name, measured.preferences)
            except OSError as error:
                say(f"warning: what is finished cannot be kept yet: {error}")
        of_model = [one for one in jobs if one.name == job.name]
        if all(one.number in kept for one in of_model):
            seconds = sum(one.seconds for one in of_model)
            steps.tell(finished_line(run.report, job.name, seconds))


def draw_in_processes(workers: Workers) -> Draw | None:
    """Give a function that draws the pictures of models in several processes, where there are."""

    def draw(summary: Summary) -> dict[str, list[Picture]]:
        names = [model["name"] for model in summary["models"]]
        parts = [workers.submit(draw_models, summary, [name]) for name in names]
        drawn: dict[str, list[Picture]] = {}
        try:
            for part in parts:
                drawn |= part.result().value
        except Exception as error:  # the others are drawn here
            logger.debug("pictures: %s: %s", type(error).__name__, error)
        return drawn

    return draw if workers.are_at_work else None
