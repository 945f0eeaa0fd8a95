"""Files and folders in the making: locked by the process that makes them, and only while it lives.

A killed process can clean nothing up. Its lock goes with it, whatever killed it, so that the next
one can tell what was left behind from what is still being written. Where there are no locks (on
Windows, on some network file systems) nothing is ever taken to be left behind.
"""

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

MARK = ".cornac-mle-"
"""What the names of all files and folders in the making begin with."""


def take(path: Path) -> int | None:
    """Lock a file or folder; give what `os.close` releases, or None if another process has it.

    The lock ends with the process. None, too, where it is gone or cannot be locked.
    """
    if fcntl is None:
        return None
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    if _lock(handle) and _is_at(handle, path):
        return handle
    os.close(handle)
    return None


def new_file(path: Path) -> tuple[Path, int]:
    """Make an empty file in the folder of `path`, locked, whose name ends like that of `path`."""
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR
    return _made(path, lambda made: os.open(made, flags, 0o666))


def new_folder(path: Path) -> tuple[Path, int]:
    """Make a folder in the folder of `path`, locked, whose name ends like that of `path`."""

    def make(made: Path) -> int:
        made.mkdir()
        return os.open(os.devnull if fcntl is None else made, os.O_RDONLY)

    return _made(path, make)


@contextmanager
def left_behind(folder: Path) -> Iterator[list[Path]]:
    """Files and folders in the making that nobody makes any more; locked meanwhile."""
    handles: list[int] = []
    found: list[Path] = []
    try:
        with suppress(OSError):
            for path in sorted(folder.iterdir()):
                if path.name.startswith(MARK) and (handle := take(path)) is not None:
                    handles.append(handle)
                    found.append(path)
        yield found
    finally:
        for handle in handles:
            os.close(handle)


def flush(handle: int) -> None:
    """Have what was written to a file of `new_file` on the disk, which may be full only now.

    Raises
    ------
    OSError
        If it is.
    """
    if fcntl is not None:
        os.fsync(handle)


def remove_left_files(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder."""
    with left_behind(folder) as found:
        for path in found:
            with suppress(OSError):
                if stat.S_ISREG(path.lstat().st_mode):
                    path.unlink()


def _made(path: Path, make: Callable[[Path], int]) -> tuple[Path, int]:
    """Make and lock; once more where another process took it for left behind before the lock."""
    while True:
        made = path.with_name(f"{MARK}{secrets.token_hex(6)}-{path.name[-40:]}")
        try:
            handle = make(made)
        except FileNotFoundError:
            if made.parent.is_dir():
                continue
            raise
        if fcntl is None:  # Windows does not rename what is open
            os.close(handle)
            return made, os.open(os.devnull, os.O_RDONLY)
        if _lock(handle) is not False and _is_at(handle, made):
            return made, handle
        os.close(handle)


def _lock(handle: int) -> bool | None:
    """Lock what is open; False where another process has the lock, None where there are none."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_at(handle: int, path: Path) -> bool:
    """Whether what was opened still has that name."""
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except OSError:
        return False
