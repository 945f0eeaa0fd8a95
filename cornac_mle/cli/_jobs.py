"""Which task comes next where models are fitted and measured in several processes."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any

from cornac_mle.cli._tasks import (
    EVALUATOR,
    FITTED,
    Measured,
    Told,
    failed,
    fit_evaluator,
    fit_judge,
    fit_model,
    measure_model,
)
from cornac_mle.cli._workers import Workers
from cornac_mle.models.base import GenerativeRecommender
from cornac_mle.models.cloning import fresh_clone
from cornac_mle.plausibility.judge import FAMILIES

OTHER_FAMILIES = tuple(FAMILIES)[1:]


@dataclass
class Job:
    """A fit of one model.

    Attributes
    ----------
    model : Recommender
        Model to be fitted.
    number : int
        Place among all jobs; of one model they follow one another.
    with_users : bool
        Whether its users are looked at: those of the first fit are.
    base : int or None
        Number of the shared fit that it begins with.
    begins_with : bool
        Whether it goes on from that one, rather than being that one under another name.
    state : str
        "open", "fitting", "fitted", "measuring" or "done".
    seconds : float
        Time that its tasks took so far.
    """

    model: Any
    number: int
    with_users: bool
    base: int | None = None
    begins_with: bool = False
    state: str = "open"
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """Name of the model."""
        return str(self.model.name)

    @property
    def is_fitted_apart(self) -> bool:
        """Whether it is fitted before there is a judge; Cornac's models need not be picklable."""
        return isinstance(self.model, GenerativeRecommender) and (
            self.base is None or self.begins_with
        )

    @property
    def is_fit_ready(self) -> bool:
        """Whether it can be measured, if there is a judge: fitted, or fitted in the same task."""
        return self.state == "fitted" or (self.state == "open" and not self.is_fitted_apart)


def jobs_of(fits: Sequence[tuple[Any, Sequence[int], bool]]) -> list[Job]:
    """Make the jobs of models, of the seeds of their fits, and of whether these are the first."""
    jobs: list[Job] = []
    for model, seeds, is_first in fits:
        for place, seed in enumerate(seeds):
            parameters = {"seed": seed} if "seed" in model._get_init_params() else {}
            fresh = fresh_clone(model, parameters)
            jobs.append(Job(fresh, len(jobs), with_users=is_first and place == 0))
    return jobs


@dataclass
class Schedule:
    """Tasks in the order in which workers take them.

    What others wait for comes first: fits that several models begin with, judges, remedies that go
    on from another model's fit; then finished fits are measured, so that they are on the disk soon;
    then the other models are fitted, in their order.
    """

    jobs: list[Job]
    metrics: Sequence[Any]
    workers: Workers
    bases: dict[int, tuple[Any, str]] = field(init=False, default_factory=dict)
    """Models that are fitted for several jobs, with the states of their fits."""
    judges: dict[str, str] = field(init=False)
    """States of the judges, by family."""

    def __post_init__(self) -> None:
        asked = {getattr(getattr(one, "note", None), "judge", "") for one in self.metrics}
        families = [family for family in OTHER_FAMILIES if family in asked]
        self.judges = {EVALUATOR: "open"} | dict.fromkeys(families, "open")
        self._share()

    def _share(self) -> None:
        """Find models that begin with one and the same fit."""
        by_settings: dict[Any, list[Job]] = {}
        for job in self.jobs:
            inner = getattr(job.model, "model", None)
            for model, begins_with in ((job.model, False), (inner, True)):
                is_ours = isinstance(model, GenerativeRecommender) and model.trainable
                settings = model._shared_settings() if is_ours and model is not None else None
                if settings is not None:
                    job.begins_with = begins_with
                    by_settings.setdefault(settings, []).append(job)
        for jobs in by_settings.values():
            if len(jobs) > 1:
                number = len(self.bases)
                first = jobs[0].model
                self.bases[number] = (first.model if jobs[0].begins_with else first, "open")
                for job in jobs:
                    job.base = number
        for job in self.jobs:
            job.begins_with = job.begins_with and job.base is not None

    def results(self, on_change: Callable[[], None]) -> Iterator[tuple[Job, Measured]]:
        """Let workers do everything; yield each fit when it is measured.

        `on_change` is called when workers have taken their next tasks.

        Raises
        ------
        Exception
            What the fit of a judge raises, or the end of a worker.
        """
        running: dict[Future[Any], tuple[str, Any]] = {}
        while True:
            while len(running) < self.workers.count and (task := self._next()) is not None:
                running[self._submit(*task)] = task
            if not running:
                return
            on_change()
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                found = self._take(*running.pop(future), future.result())
                if found is not None:
                    yield found

    def _next(self) -> tuple[str, Any] | None:
        """Kind and object of the task that comes next; None where all wait for another."""
        for number, (_, state) in self.bases.items():
            if state == "open":
                return "base", number
        for name, state in self.judges.items():
            if state == "open" and (name == EVALUATOR or self.judges[EVALUATOR] == "done"):
                return "judge", name
        is_judged = all(state == "done" for state in self.judges.values())
        ready = [job for job in self.jobs if self._has_base(job)]
        to_fit = [job for job in ready if job.state == "open" and job.is_fitted_apart]
        to_measure = [job for job in ready if is_judged and job.is_fit_ready]
        from_others = [job for job in to_fit if job.begins_with]
        for kind, jobs in (("fit", from_others), ("measure", to_measure), ("fit", to_fit)):
            if jobs:
                return kind, jobs[0]
        return None

    def _has_base(self, job: Job) -> bool:
        return job.base is None or self.bases[job.base][1] in ("done", "failed")

    def _submit(self, kind: str, what: Any) -> "Future[Any]":
        folder = self.workers.folder
        if kind == "base":
            model = self.bases[what][0]
            self.bases[what] = (model, "fitting")
            return self.workers.submit(fit_model, folder, model, f"{FITTED}-base-{what}", ())
        if kind == "judge":
            self.judges[what] = "fitting"
            if what == EVALUATOR:
                return self.workers.submit(fit_evaluator, folder)
            return self.workers.submit(fit_judge, folder, what)
        known = []
        if what.base is not None and self.bases[what.base][1] == "done":
            known.append(f"{FITTED}-base-{what.base}")
        place = f"{FITTED}-{what.number}"
        if kind == "fit":
            what.state = "fitting"
            return self.workers.submit(fit_model, folder, what.model, place, known)
        fitted = place if what.state == "fitted" else None
        what.state = "measuring"
        return self.workers.submit(
            measure_model, folder, what.model, fitted, known, self.metrics, what.with_users
        )

    def _take(self, kind: str, what: Any, told: Told) -> tuple[Job, Measured] | None:
        """Take note of a task that is done; give the fit that it has measured."""
        if kind == "base":  # where it has failed, each of its models fails by itself, and says why
            state = "done" if told.value is None else "failed"
            self.bases[what] = (self.bases[what][0], state)
            if state == "done":
                told.repeat()
                next(job for job in self.jobs if job.base == what).seconds += told.seconds
            return None
        told.repeat()
        if kind == "judge":
            self.judges[what] = "done"
            return None
        what.seconds += told.seconds
        if kind == "fit" and told.value is None:
            what.state = "fitted"
            return None
        what.state = "done"
        return what, told.value if kind == "measure" else failed(what.name, told.value)

    def running(self) -> list[str]:
        """Names of models that are being fitted or measured."""
        busy = [job.name for job in self.jobs if job.state in ("fitting", "measuring")]
        return list(dict.fromkeys(busy))
