"""What worker processes do for `cornac-mle compare`: fit a judge, fit a model, measure it."""

import copy
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import pandas as pd

from cornac_mle.cli._shared_folder import read, write
from cornac_mle.diagnostics.gallery import look_at
from cornac_mle.diagnostics.unrealistic_preferences import preferences_by_model
from cornac_mle.eval_methods.held_out_users import HeldOutUsers
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.models.cloning import failure
from cornac_mle.models.shared_fits import shared_fits
from cornac_mle.report.page import Picture, Pictures
from cornac_mle.report.report import Report
from cornac_mle.report.summary import Summary
from cornac_mle.workers import one_thread

METHOD, EVALUATOR, JUDGE, FITTED = "method", "evaluator", "judge", "fitted"
"""Files that the processes of a run share, the last two followed by a name or number."""

logger = logging.getLogger("cornac_mle")
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass
class Told:
    """What a task gives, and what was said on the way.

    Attributes
    ----------
    value : object
        Result.
    log : list of tuple
        Name of the logger, level and text of each message.
    warnings : list of tuple
        Category and text of each warning.
    seconds : float
        Time that the task took.
    """

    value: Any = None
    log: list[tuple[str, int, str]] = field(default_factory=list)
    warnings: list[tuple[type[Warning], str]] = field(default_factory=list)
    seconds: float = 0.0

    def repeat(self) -> None:
        """Say here what was said there."""
        for name, level, text in self.log:
            logging.getLogger(name).log(level, "%s", text)
        for category, text in self.warnings:
            warnings.warn(text, category, stacklevel=2)


class _Notes(logging.Handler):
    def __init__(self, told: Told) -> None:
        super().__init__()
        self.told = told

    def emit(self, record: logging.LogRecord) -> None:
        self.told.log.append((record.name, record.levelno, record.getMessage()))


@contextmanager
def _listening(told: Told) -> Iterator[None]:
    """Take down what is said."""
    log, notes = logging.getLogger(), _Notes(told)
    log.addHandler(notes)
    begun = time.monotonic()
    try:
        with warnings.catch_warnings(record=True) as caught:
            yield
    finally:
        log.removeHandler(notes)
        told.seconds = time.monotonic() - begun
        told.warnings += [(one.category, str(one.message)) for one in caught or []]


def _task(function: Callable[Arguments, Any]) -> Callable[Arguments, Told]:
    """Make a task of a function: one thread, and what is said comes back with the result."""

    @wraps(function)
    def task(*arguments: Arguments.args, **settings: Arguments.kwargs) -> Told:
        told = Told()
        with _listening(told), one_thread():
            told.value = function(*arguments, **settings)
        return told

    return task


@dataclass(frozen=True)
class Measured:
    """What became of one fit.

    Attributes
    ----------
    report : Report
        Entries, users and the like of this fit alone; `failed` where it has failed.
    preferences : DataFrame, optional
        Least believable preferences of its users.
    """

    report: Report
    preferences: pd.DataFrame | None = None


def failed(model: str, reason: str) -> Measured:
    """Give what becomes of a fit that has failed, and log why."""
    logger.warning("%s failed: %s", model, reason)
    return Measured(Report(failed={model: reason}))


@_task
def fit_evaluator(folder: Path) -> None:
    """Fit the judge that all metrics need, and share it."""
    write(folder, EVALUATOR, _method(folder).evaluator)


@_task
def fit_judge(folder: Path, family: str) -> None:
    """Fit one of the other judges, and share it."""
    evaluator: Evaluator = read(folder, EVALUATOR)
    write(folder, f"{JUDGE}-{family}", evaluator.judge_for_family(family))


@_task
def fit_model(folder: Path, model: Any, place: str, known: Sequence[str]) -> str | None:
    """Fit a model, and share it under a name; give the reason where that fails.

    `known` are the names of fitted models that it may begin with.
    """
    method = _method(folder)
    try:
        with _known_fits(folder, known):
            fitted = model.fit(method.train_set, method.val_set)
    except Exception as error:  # whatever a model does, the others stand
        return failure(error)
    fitted = copy.copy(fitted)
    fitted.train_set = fitted.val_set = None  # every process has them
    write(folder, place, fitted)
    return None


@_task
def measure_model(
    folder: Path,
    model: Any,
    place: str | None,
    known: Sequence[str],
    metrics: Sequence[Any],
    with_users: bool,  # of an executor's task
) -> Measured:
    """Measure a model, the one that was fitted under the name `place` or a new fit of `model`."""
    method = _judged(folder)
    report = Report()
    fitted = None
    if place is not None:
        fitted = read(folder, place)
        fitted.train_set, fitted.val_set = method.train_set, method.val_set
    try:
        with method.report.redirected(report), _known_fits(folder, known):
            if fitted is None:
                method.evaluate(model, metrics, user_based=True, show_validation=False)
            else:
                method.evaluate_fitted(fitted, metrics, user_based=True)
    except Exception as error:  # whatever a model does, the others stand
        return failed(model.name, failure(error))
    table = _look_at(report, method.evaluator, model.name) if with_users else None
    return Measured(report, table)


def _look_at(report: Report, evaluator: Evaluator, model: str) -> pd.DataFrame | None:
    """Choose users to look at, and list the least believable preferences."""
    if model not in report.synthetic:
        return None
    try:
        table = preferences_by_model(evaluator, {model: report.synthetic[model]})
    except Exception as error:  # its scores stand
        report.failed[model] = f"unrealistic preferences: {type(error).__name__}: {error}"
        logger.error("%s failed: %s", model, report.failed[model])  # noqa: TRY400  # no traceback
        return None
    look_at(report, evaluator)
    return table


@contextmanager
def _known_fits(folder: Path, known: Sequence[str]) -> Iterator[None]:
    method = _method(folder)
    models = [read(folder, name) for name in known]
    with shared_fits(models, method.train_set, method.val_set):
        yield


@cache
def _method(folder: Path) -> HeldOutUsers:
    """Read the evaluation method, once a process."""
    method: HeldOutUsers = read(folder, METHOD)
    return method


@cache
def _judged(folder: Path) -> HeldOutUsers:
    """Give the evaluation method with its judges, once a process."""
    evaluator: Evaluator = read(folder, EVALUATOR)
    for path in folder.glob(f"{JUDGE}-*"):
        evaluator.take_judge(path.name.removeprefix(f"{JUDGE}-"), read(folder, path.name))
    method = _method(folder)
    method.take_evaluator(evaluator)
    return method


@_task
def draw_models(summary: Summary, models: Sequence[str]) -> dict[str, list[Picture]]:
    """Draw the pictures of some models."""
    pictures = Pictures(summary)
    return {model: pictures.of_model(model) for model in models}
