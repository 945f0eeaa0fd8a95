"""What Cornac does not see to: downloads that were cut short, homes that cannot be written."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cornac_mle.checks import refusal
from cornac_mle.files.locks import MARK, new_file, take


@contextmanager
def downloading(path: Path) -> Iterator[None]:
    """Mark a file as being downloaded, with a locked file beside it that a kill leaves there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    marker, handle = new_file(path)
    try:
        yield
    finally:
        with suppress(OSError):
            marker.unlink()
        os.close(handle)


def set_cut_download_aside(name: str, path: Path) -> None:
    """Rename a file whose download was cut short: Cornac would take a part for the whole.

    Raises
    ------
    RuntimeError
        If another process is downloading it.
    """
    for marker in sorted(path.parent.glob(f"{MARK}*-{path.name[-40:]}")):
        handle = take(marker)
        if handle is None and marker.exists():
            rule, got = f"be whole at {path}", "a download by another process"
            raise RuntimeError(refusal(name, rule, got, "Wait for it."))
        if handle is None:
            continue
        try:
            if path.is_file():
                aside = path.with_name(f"{path.name}.unfinished")
                path.replace(aside)
                text = f"{name}: a download was cut short; its part is now {aside}."
                warnings.warn(text, UserWarning, stacklevel=4)
            marker.unlink()
        finally:
            os.close(handle)


def check_home(name: str) -> None:
    """Refuse a home folder that Cornac cannot write to, where it fails in a riddle.

    Raises
    ------
    RuntimeError
        Naming the folder.
    """
    home = Path("~").expanduser()
    if not os.access(home, os.W_OK):
        rule = "be a folder that can be written, as Cornac keeps data sets there"
        advice = f"Set HOME to another one, or name a file of your own, not {name}."
        raise RuntimeError(refusal("HOME", rule, repr(str(home)), advice))
