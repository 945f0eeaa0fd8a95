"""Paths of files: suffixes that are known, and files that appear whole or not at all."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path

from cornac_mle.checks import refusal
from cornac_mle.files.locks import flush, new_file, remove_left_files

# The suffix says the format: what separates the fields, or None for Parquet.
SEPARATORS = {
    ".csv": ",",
    ".tsv": "\t",
    ".txt": "\t",
    ".csv.gz": ",",
    ".tsv.gz": "\t",
    ".parquet": None,
}


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Lend a temporary path in the folder of `path`; on success it becomes `path`.

    On any exception, Ctrl-C included, the temporary file and the folders made for it are removed
    and an older file at `path` stays as it was. A process that is killed leaves the temporary file,
    and the next one that writes into the folder removes it. The temporary name ends like `path`,
    for writers that look at the suffix. If `path` is a link, what it points to is written.

    Raises
    ------
    ValueError
        If `path` is there and is no regular file.
    OSError
        If the folder is not writable, the disk is full, and so on.

    Examples
    --------
    >>> with atomic_path("runs/manifest.json") as temporary:  # doctest: +SKIP
    ...     temporary.write_text("{}")
    """
    path = Path(path)
    if path.is_symlink():
        path = Path(os.path.realpath(path))
    if path.is_dir():
        rule = "be a file"
        raise ValueError(refusal("path", rule, f"the folder {str(path)!r}", "Add a file name."))
    if path.exists() and not path.is_file():
        raise ValueError(refusal("path", "be a regular file", _kind(path)))
    folders = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        message = refusal("path", "lie in a folder", repr(str(path)), "A file has that name.")
        raise NotADirectoryError(message) from error
    try:
        remove_left_files(path.parent)
        temporary, handle = new_file(path)
        try:
            yield temporary
            flush(handle)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
    except BaseException as error:
        for folder in folders:  # deepest first
            with suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError) and error.filename is None and error.errno is not None:
            error.filename = str(path)  # a full disk does not say which file it was
        raise


class _Given(Exception):  # noqa: N818  # no error: it ends a write that was only tried
    """Ends `check_writable` with nothing written."""


def check_writable(path: str | Path) -> None:
    """Raise what `atomic_path` would raise, before the work whose result goes there.

    Raises
    ------
    ValueError, OSError
        As `atomic_path` does; a temporary file is made and removed.
    """
    with suppress(_Given), atomic_path(path):
        raise _Given


def existing_file(path: str | Path) -> Path:
    """Return `path` if it is a regular file, or raise with the nearest name in its folder.

    What is no regular file is not opened: a named pipe would wait for a writer, and a device such
    as /dev/zero never ends.
    """
    path = Path(path)
    if path.is_dir():
        rule = "be a file"
        raise ValueError(refusal("path", rule, f"the folder {str(path)!r}", "Name a file in it."))
    if not path.exists():
        advice = "Check the spelling."
        if path.is_symlink():
            advice = f"It is a link to {str(path.readlink())!r}, where nothing is."
        elif not path.parent.is_dir():
            advice = f"There is no folder {str(path.parent)!r}."
        else:
            with suppress(OSError):  # a folder that may be entered but not listed
                beside = [other.name for other in path.parent.iterdir()]
                if near := get_close_matches(path.name, beside, n=1):
                    advice = f"Did you mean {near[0]!r}?"
        raise FileNotFoundError(refusal("path", "be a file", f"no {str(path)!r}", advice))
    if not path.is_file():
        advice = "Save what it gives to a file first."
        raise ValueError(refusal("path", "be a regular file", _kind(path), advice))
    return path


def _kind(path: Path) -> str:
    """Say what something is that is no regular file."""
    mode = path.stat().st_mode
    kinds = {stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket"}
    return f"the {kinds.get(stat.S_IFMT(mode), 'device')} {str(path)!r}"


def table_suffix(path: str | Path, *, also: Sequence[str] = ()) -> str:
    """Return the suffix that `path` ends in, of those of tables and those of `also`, or raise."""
    path = Path(path)
    known = (*SEPARATORS, *also)
    for suffix in known:
        if path.name.lower().endswith(suffix):
            return suffix
    rule = f"end in {', '.join(known)}"
    raise ValueError(refusal("path", rule, repr(str(path)), "The suffix says the format."))
