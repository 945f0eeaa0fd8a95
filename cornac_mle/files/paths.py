"""Paths of files: suffixes that are known, and files that appear whole or not at all."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path

from cornac_mle.checks import refusal

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
    and an older file at `path` stays as it was. The temporary name ends like `path`, for writers
    that look at the suffix.

    Examples
    --------
    >>> with atomic_path("runs/manifest.json") as temporary:  # doctest: +SKIP
    ...     temporary.write_text("{}")
    """
    path = Path(path)
    if path.is_dir():
        rule = "be a file"
        raise ValueError(refusal("path", rule, f"the folder {str(path)!r}", "Add a file name."))
    folders = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        message = refusal("path", "lie in a folder", repr(str(path)), "A file has that name.")
        raise NotADirectoryError(message) from error
    temporary = path.with_name(f".{secrets.token_hex(6)}-{path.name[-40:]}")
    try:
        yield temporary
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        for folder in folders:  # deepest first
            with suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError) and error.filename is None and error.errno is not None:
            error.filename = str(path)  # a full disk does not say which file it was
        raise


def existing_file(path: str | Path) -> Path:
    """Return `path` if it is a file, or raise with the nearest name in its folder."""
    path = Path(path)
    if path.is_dir():
        rule = "be a file"
        raise ValueError(refusal("path", rule, f"the folder {str(path)!r}", "Name a file in it."))
    if not path.exists():
        advice = "Check the spelling."
        if not path.parent.is_dir():
            advice = f"There is no folder {str(path.parent)!r}."
        else:
            beside = [other.name for other in path.parent.iterdir()]
            if near := get_close_matches(path.name, beside, n=1):
                advice = f"Did you mean {near[0]!r}?"
        raise FileNotFoundError(refusal("path", "be a file", f"no {str(path)!r}", advice))
    return path


def table_suffix(path: str | Path, *, also: Sequence[str] = ()) -> str:
    """Return the suffix that `path` ends in, of those of tables and those of `also`, or raise."""
    path = Path(path)
    known = (*SEPARATORS, *also)
    for suffix in known:
        if path.name.lower().endswith(suffix):
            return suffix
    rule = f"end in {', '.join(known)}"
    raise ValueError(refusal("path", rule, repr(str(path)), "The suffix says the format."))
