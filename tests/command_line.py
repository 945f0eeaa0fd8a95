"""The command line in this process, and in a forked one that may be killed."""

import io
import os
import re
import signal
import sys
import tempfile
import warnings
from contextlib import suppress
from dataclasses import dataclass

from typer.testing import CliRunner

from cornac_mle.cli import app
from cornac_mle.files.locks import MARK


def invoke(*arguments):
    """Run the command line in this process; returns exit status and output without colours."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@dataclass(frozen=True)
class Done:
    """How a process ended: its exit status, or minus the signal that killed it; what it said."""

    status: int
    output: str
    errors: str


def start(*arguments, before=None, output=None, errors=None, encoding="utf-8"):
    """Fork a process that runs the command line; `before` is called in it, to lay traps.

    `output` and `errors` are open files, by number, in the place of those that `end` reads.
    """
    files = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115  # closed by `end`
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # on forks beside threads
        process = os.fork()
    if process:
        return process, files
    status = 99
    with suppress(BaseException):
        os.dup2(files[0].fileno() if output is None else output, 1)
        os.dup2(files[1].fileno() if errors is None else errors, 2)
        streams = [io.BufferedWriter(io.FileIO(number, "wb", closefd=False)) for number in (1, 2)]
        sys.stdout = io.TextIOWrapper(streams[0], encoding=encoding)
        sys.stderr = io.TextIOWrapper(streams[1], errors="backslashreplace", line_buffering=True)
        try:
            if before is not None:
                before()
            app([str(argument) for argument in arguments], prog_name="cornac-mle")
        except SystemExit as end_:
            status = end_.code
        finally:
            sys.stdout.flush()
    os._exit(status)


def end(started):
    """Wait for a process of `start`."""
    process, files = started
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    texts = []
    for file in files:
        with file:
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return Done(status, *texts)


def run(*arguments, **settings):
    """Run the command line in a forked process."""
    return end(start(*arguments, **settings))


def at_call(owner, name, number, action):
    """Call `action` in the place of the `number`-th call of a function, counted from 1."""
    original, calls = getattr(owner, name), []

    def trapped(*arguments, **settings):
        calls.append(name)
        if len(calls) == number:
            action()
        return original(*arguments, **settings)

    setattr(owner, name, trapped)


def die():
    """Be killed, as by the system when memory is out."""
    os.kill(os.getpid(), signal.SIGKILL)


def hidden(folder):
    """Files and folders in the making in a folder."""
    if not folder.exists():
        return []
    return sorted(path for path in folder.iterdir() if path.name.startswith(MARK))


def is_one_error(text, pattern):
    """Whether a text is one line that names an error, and matches."""
    lines = text.strip().splitlines()
    return len(lines) == 1 and lines[0].startswith("error: ") and bool(re.search(pattern, lines[0]))
