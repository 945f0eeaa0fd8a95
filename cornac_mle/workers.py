"""Work on independent parts in threads, as many as this process may use; one thread for sums."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

Part = TypeVar("Part")
Result = TypeVar("Result")
MOST_WORKERS = 4
"""Threads at most: each holds a block of its own in memory."""
ONE_THREAD_VARIABLES = {
    f"{name}_NUM_THREADS": "1"
    for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM", "NUMEXPR")
}
"""Environment of a process whose libraries, which read it when they are loaded, take one thread."""


def worker_count() -> int:
    """Threads that may work: OMP_NUM_THREADS where it is set, else one a processor; at most 4."""
    given = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if given.isdecimal() and int(given):
        usable = int(given)
    elif hasattr(os, "sched_getaffinity"):  # Linux
        usable = len(os.sched_getaffinity(0))
    else:
        usable = os.cpu_count() or 1
    return min(usable, MOST_WORKERS)


def in_threads(function: Callable[[Part], Result], parts: Iterable[Part]) -> list[Result]:
    """Apply a function to each part, and give the results in the order of the parts.

    The function must be pure and spend its time in numpy or scipy, which let other threads run.
    The linear algebra inside takes one thread of its own, so that threads do not wait for another.

    >>> in_threads(abs, [-1, 2])
    [1, 2]
    """
    todo = list(parts)
    count = min(worker_count(), len(todo))
    if count <= 1:
        return [function(part) for part in todo]
    with _libraries().limit(limits=1, user_api="blas"), ThreadPoolExecutor(count) as pool:
        return list(pool.map(function, todo))


def _libraries() -> ThreadpoolController:
    """Libraries whose threads can be limited; they are looked for anew after every import.

    Looking through all that is loaded takes milliseconds, and a run asks hundreds of times.
    """
    return _found(len(sys.modules))


@lru_cache(maxsize=1)
def _found(_n_modules: int) -> ThreadpoolController:
    """Find the libraries that came with as many modules."""
    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let linear algebra take one thread for a while: sums must not depend on the machine.

    Two threads add up in another order than one, and a fit of many steps makes of that another
    model. They are no faster on the sizes that are usual here. PyTorch is limited where it has been
    imported before; work of one's own threads (`in_threads`) is not.

    >>> with one_thread():
    ...     pass
    """
    torch = sys.modules.get("torch")
    threads = None if torch is None else torch.get_num_threads()
    with _libraries().limit(limits=1):
        if torch is None:
            yield
            return
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
