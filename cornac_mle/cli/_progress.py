"""Signs of life on the terminal while models are fitted; none where nobody looks."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from cornac_mle.cli._terminal import say

if TYPE_CHECKING:
    from cornac_mle.report.report import Report
PRIMARY_METRIC = "PlausibilityKS"
"""Metric in the line of a finished model; where it was not measured, the first that was."""


@contextmanager
def progress(total: int, first: str, *, is_shown: bool = True) -> Iterator["Steps"]:
    """Show a bar of `total` steps, after a first one of unknown length."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn("line"),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        _TimeLeft(),
    )
    shown = Progress(*columns, console=console, transient=True)
    is_shown = is_shown and console.is_terminal
    # A disabled one would do, but rich before 14.3 ends it with an empty line.
    with shown if is_shown else nullcontext():
        yield Steps(shown, total, first, is_shown=is_shown)


@contextmanager
def status(text: str) -> Iterator[None]:
    """Show what is being done."""
    with progress(0, text):
        yield


class _TimeLeft(ProgressColumn):
    """Time left, as if steps took as long as those before; rich's forgets all before 30 s."""

    def render(self, task: Task) -> Text:
        """Show nothing until a step is done, and nothing where the guess is used up."""
        left = task.fields.get("end", 0.0) - task.get_time()
        return Text(f"about {spelled_time(left)} left" if left > 0 else "")


class Steps:
    """A bar that moves on."""

    def __init__(self, shown: Progress, total: int, first: str, *, is_shown: bool) -> None:
        self._shown = shown
        self._is_shown = is_shown
        self._total = total
        self._task = shown.add_task(first, total=None)
        self._done = 0
        self._begun = 0.0

    def next(self, text: str) -> None:
        """Begin the next step."""
        now = self._shown.get_time()
        if self._done == 0:
            self._begun = now
        end = now + time_left(now - self._begun, self._done, self._total)
        self._shown.update(
            self._task, description=text, total=self._total, completed=self._done, end=end
        )
        self._done += 1

    def busy(self, done: int, text: str) -> None:
        """Say how many steps are done, and what goes on, where several go on at once."""
        now = self._shown.get_time()
        self._begun = self._begun or now
        end = now + time_left(now - self._begun, done, self._total)
        self._shown.update(self._task, description=text, total=self._total, completed=done, end=end)

    def note(self, text: str) -> None:
        """Say what the present step has come to."""
        self._shown.update(self._task, description=text)

    def tell(self, line: str) -> None:
        """Leave a line above the bar, where there is one."""
        if self._is_shown and line:
            say(line)


def time_left(seconds: float, done: int, total: int) -> float:
    """Seconds that the open steps take at the pace of those that are done; 0 without any.

    >>> time_left(60.0, 3, 9)
    120.0
    """
    return seconds / done * (total - done) if done else 0.0


def spelled_time(seconds: float) -> str:
    """Spell a time in two units at most.

    >>> spelled_time(7.4), spelled_time(190), spelled_time(7300)
    ('7 s', '3 min 10 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def finished_line(report: "Report", model: str, seconds: float) -> str:
    """Say what became of a model: "PMF: 8% flagged, PlausibilityKS .16 (12 s)"; "" if it failed."""
    values: dict[str, list[float]] = {}
    for entry in report.entries:
        if entry.model == model and entry.users == "held-out":
            values.setdefault(entry.metric, []).append(entry.measurement.value)
    if not values:
        return ""
    parts = []
    for name in values:
        note = report.metrics.get(name)
        if note is not None and note.tail == "implausible" and not note.second_opinion:
            parts.append(f"{100 * np.mean(values.pop(name)):.0f}% flagged")
            break
    if values:
        name = PRIMARY_METRIC if PRIMARY_METRIC in values else next(iter(values))
        parts.append(f"{name} {np.mean(values[name]):.2f}".replace(" 0.", " ."))
    return f"{model}: {', '.join(parts)} ({spelled_time(seconds)})"
