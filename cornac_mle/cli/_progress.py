"""Signs of life on the terminal while models are fitted; none where nobody looks."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@contextmanager
def progress(total: int, first: str) -> Iterator["Steps"]:
    """Show a bar of `total` steps, after a first one of unknown length."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn("line"),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
    )
    shown = Progress(*columns, console=console, transient=True)
    # A disabled one would do, but rich before 14.3 ends it with an empty line.
    with shown if console.is_terminal else nullcontext():
        yield Steps(shown, total, first)


@contextmanager
def status(text: str) -> Iterator[None]:
    """Show what is being done."""
    with progress(0, text):
        yield


class Steps:
    """A bar that moves on."""

    def __init__(self, shown: Progress, total: int, first: str) -> None:
        self._shown = shown
        self._total = total
        self._task = shown.add_task(first, total=None)
        self._done = 0

    def next(self, text: str) -> None:
        """Begin the next step."""
        self._shown.update(self._task, description=text, total=self._total, completed=self._done)
        self._done += 1

    def note(self, text: str) -> None:
        """Say what the present step has come to."""
        self._shown.update(self._task, description=text)
