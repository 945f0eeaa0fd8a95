"""Engines that share work: anything with `submit`, of this machine or of many."""

import contextlib
import pickle
import re
import sys
import tempfile
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from cornac_mle.checks import check_count, refusal
from cornac_mle.workers import ONE_THREAD_VARIABLES

Part = TypeVar("Part")
AHEAD = 16
"""Parts that are handed out before the first is back: more would wait in memory."""

PATIENCE_SECONDS = 10.0
"""How long a scheduler may take to answer."""


class Promise(Protocol):
    """What `submit` gives."""

    def result(self) -> Any:
        """Wait for the result."""


class Submits(Protocol):
    """An engine: `concurrent.futures`, joblib's loky, a Dask client, MPI's pool, ..."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Promise:
        """Have a function called somewhere, later."""


@dataclass(frozen=True)
class _SharedFile:
    """A value that many calls need, in a file that each process reads once."""

    path: str


def in_order(
    engine: Submits, function: Callable[[Any, Part], Any], shared: object, parts: Iterable[Part]
) -> Iterator[Any]:
    """Yield `function(shared, part)` of each part, in the order of the parts.

    The function must be pure: an engine may call it once more where a worker was lost. No more than
    `AHEAD` parts are under way. `shared` travels once: to a Dask scheduler as a task that makes it,
    so that it can be made again; to other engines as a file in the folder of temporary files, which
    workers on other machines must see too.

    Parameters
    ----------
    engine : object with `submit`
        Workers.
    function : callable
        Pure function, importable on the workers.
    shared : object
        What all calls need.
    parts : iterable
        What each call needs.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as pool:
    ...     list(in_order(pool, pow, 2, [1, 2, 3]))
    [2, 4, 8]
    """
    # A Dask client would take a call for one before it, though a file may have changed since.
    submit: Any = engine.submit
    if _is_dask(engine):
        submit = partial(submit, pure=False)
    with _handed_over(engine, shared) as token:
        waiting: deque[Promise] = deque()
        for part in parts:
            waiting.append(submit(_call, function, token, part))
            if len(waiting) >= AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _handed_over(engine: Submits, shared: object) -> Iterator[object]:
    content = pickle.dumps(shared)
    if _is_dask(engine):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            future = engine.submit(pickle.loads, content)
        yield future
        return
    with tempfile.TemporaryDirectory(prefix="cornac-mle-") as folder:
        path = Path(folder) / "shared.pickle"
        path.write_bytes(content)
        yield _SharedFile(str(path))


def _call(function: Callable[[Any, Any], Any], token: object, part: object) -> Any:
    return function(_read(token.path) if isinstance(token, _SharedFile) else token, part)


@lru_cache(maxsize=2)
def _read(path: str) -> Any:
    return pickle.loads(Path(path).read_bytes())  # written by `_handed_over`


def _is_dask(engine: object) -> bool:
    """Whether an engine is a Dask client; nothing is imported to find out."""
    distributed = sys.modules.get("distributed")
    return distributed is not None and isinstance(engine, distributed.Client)


@contextmanager
def processes(jobs: int) -> Iterator[Executor]:
    """Lend processes of this machine, of one thread of linear algebra each.

    Raises
    ------
    ValueError
        If there is to be less than one.
    """
    from joblib.externals.loky import ProcessPoolExecutor

    with ProcessPoolExecutor(check_count("jobs", jobs), env=ONE_THREAD_VARIABLES) as pool:
        yield pool


@contextmanager
def dask_client(address: str) -> Iterator[Submits]:
    """Connect to the Dask scheduler at an address such as ``tcp://10.0.0.1:8786``.

    Raises
    ------
    ImportError
        If Dask is not installed.
    OSError
        If no scheduler answers.
    ValueError
        If it is no address.
    """
    try:
        import distributed
    except ImportError as error:
        msg = "A Dask scheduler needs dask: pip install cornac-mle[dask]"
        raise ImportError(msg) from error
    advice = "Start one: dask scheduler, and workers: dask worker ADDRESS --nthreads 1."
    if not re.fullmatch(r"[a-z]+://\S+:\d+", address):
        rule = "be the address of a Dask scheduler, such as tcp://10.0.0.1:8786"
        raise ValueError(refusal("--dask", rule, repr(address), advice))
    try:
        connect: Any = distributed.Client  # it has no types
        client = connect(address, timeout=PATIENCE_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        rule = "be the address of a Dask scheduler that answers"
        raise OSError(refusal("--dask", rule, repr(address), advice)) from error
    try:
        yield client
    finally:
        with contextlib.suppress(OSError):
            client.close()
