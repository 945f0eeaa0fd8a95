"""Worker processes, each of one thread, that begin to import while the command reads its data."""

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from joblib.externals.loky import ProcessPoolExecutor, cpu_count
from tqdm import tqdm

from cornac_mle.checks import check_count
from cornac_mle.cli._shared_folder import write
from cornac_mle.cli._terminal import STOP
from cornac_mle.workers import ONE_THREAD_VARIABLES

LOOK_SECONDS = 1.0
"""Time between two looks of a worker at whether its parent still lives."""


class Workers:
    """Worker processes and a folder that they share; a context manager, which ends both at once.

    Workers ignore Ctrl-C, which the command hears for them, and end where the command is killed.

    Parameters
    ----------
    count : int
        Number of processes; with 1 none is started, and the command does the work itself.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.folder = Path()
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        if self.count > 1:
            with STOP.deferred():  # `__exit__` is called only if this comes to its end
                self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()
        if self.count > 1:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cornac-mle-"))
        self._executor = ProcessPoolExecutor(
            self.count,
            initializer=_begin,
            initargs=(os.getpid(), self.folder),
            env=ONE_THREAD_VARIABLES,
        )
        self._executor.submit(_import)

    @property
    def are_at_work(self) -> bool:
        """Whether there are processes that take tasks."""
        return self._executor is not None

    def end(self) -> None:
        """End all processes, whatever they do."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=True, kill_workers=True)

    def submit(self, function: Callable[..., Any], *arguments: object) -> "Future[Any]":
        """Let a worker call a function, which it imports."""
        assert self._executor is not None  # callers ask for `count` first
        future: Future[Any] = self._executor.submit(function, *arguments)
        return future

    def write(self, name: str, content: object) -> None:
        """Write what workers share."""
        write(self.folder, name, content)


def job_count(jobs: int | None, n_tasks: int) -> int:
    """Count the processes for so many tasks: `jobs` at most, else one a processor to be used.

    Raises
    ------
    TypeError, ValueError
        If `jobs` is no positive number.
    """
    most = cpu_count() if jobs is None else check_count("--jobs", jobs)
    return max(1, min(most, n_tasks))


def _begin(parent: int, folder: Path) -> None:
    """Prepare a worker: nothing on standard output, no Ctrl-C of its own, no life of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # until it ends
    tqdm.set_lock(threading.RLock())  # its own would be left behind by a worker that is killed
    threading.Thread(target=_end_with, args=(parent, folder), daemon=True).start()


def _end_with(parent: int, folder: Path) -> None:
    """End when the parent has ended, and leave nothing of it behind."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _import() -> None:
    """Import what all tasks need, before there is one."""
    import cornac_mle.cli._tasks  # noqa: F401
