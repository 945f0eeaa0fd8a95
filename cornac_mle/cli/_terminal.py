"""What goes to the terminal: what it can show, an error in one line, and never a traceback."""

import _thread
import codecs
import io
import logging
import os
import signal
import sys
import threading
import traceback
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from types import FrameType
from typing import Any, cast

import typer
from typer.core import TyperGroup

BAD_INPUT, FAULT, NOT_PRINTED, MODEL_FAILED = 2, 70, 1, 3
"""Exit statuses: input at fault, our fault, no place to print, a model that has no row."""
LONGEST_LINE = 2000
PLAIN = "cornac_mle.plain"
"""Error handler of codecs: a character the terminal cannot show becomes one that it can."""
_SECONDS_TO_COME_AGAIN = 0.05
# Of the vendored or the installed click, whichever this typer uses.
ClickException = cast("type[Exception]", typer.BadParameter.__mro__[2])


def one_line(text: object) -> str:
    r"""Spell text in one line of characters that can be shown, and of bearable length.

    >>> one_line("two\nlines, \x1b[31mred")
    'two lines, \\x1b[31mred'
    """
    words = " ".join(str(text).split())
    line = "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii")
        for sign in words
    )
    if len(line) > LONGEST_LINE:
        line = f"{line[: LONGEST_LINE // 2]} ... {line[-LONGEST_LINE // 2 :]}"
    return line


def say(text: object) -> None:
    """Write one line to standard error, if there is one."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            sys.stderr.write(f"{one_line(text)}\n")
            sys.stderr.flush()


def write(text: str) -> bool:
    """Write to standard output; False, with the reason said, where that cannot be."""
    try:
        if sys.stdout is None:
            say("could not print: standard output is closed")
            return False
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough
        _silence_output()
        return False
    except (OSError, ValueError) as error:
        _silence_output()
        say(f"could not print: {error}")
        return False
    return True


def _silence_output() -> None:
    """Let what is left in the buffer of standard output go nowhere when Python ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def hushed(is_quiet: bool) -> Iterator[None]:
    """Leave out warnings, of the log and of Python, where only errors are wanted."""
    if not is_quiet:
        yield
        return
    log = logging.getLogger()
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


@contextmanager
def output_dropped() -> Iterator[None]:
    """Let what a library prints go nowhere: standard output is for results.

    Some of Cornac's models print each epoch, whether they are told to or not.
    """
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        yield


class Stop:
    """Ctrl-C, SIGTERM and SIGHUP: each raises KeyboardInterrupt, and is remembered.

    Remembered, because a library that is interrupted may make another error of it. Python can
    only print what is raised inside a callback (of the import system, of compiled code, of the
    garbage collector): a signal that arrives there comes again a moment later.

    Attributes
    ----------
    signal : int
        Number of the signal that came, or 0.
    is_told : bool
        Whether the user has been told what became of the work.
    """

    def __init__(self) -> None:
        self.signal = 0
        self.is_told = False
        self._is_deferred = False
        self._hook = sys.unraisablehook
        self._again = threading.Timer(0, _thread.interrupt_main)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take over the signals, for a while."""
        self.signal, self.is_told = 0, False
        kept: dict[int, Any] = {}
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # A signal that is ignored (nohup) stays so; only the main thread may take one over.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                with suppress(ValueError):
                    kept[number] = signal.signal(number, self._come)
        self._hook, sys.unraisablehook = sys.unraisablehook, self._come_again
        try:
            yield
        finally:
            sys.unraisablehook = self._hook
            self._again.cancel()
            for number, handler in kept.items():
                signal.signal(number, handler)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let a signal wait until some short work is done."""
        self._is_deferred = True
        try:
            yield
        finally:
            self._is_deferred = False

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal came."""
        if self.signal:
            raise KeyboardInterrupt

    @property
    def status(self) -> int:
        """Exit status that tells of the signal: 130 after Ctrl-C, 143 after SIGTERM."""
        return 128 + (self.signal or signal.SIGINT)

    @property
    def word(self) -> str:
        """How the work ended."""
        return "interrupted" if self.signal in (0, signal.SIGINT) else "terminated"

    def _come(self, number: int, _frame: FrameType | None) -> None:
        self.signal = number
        if not self._is_deferred:
            raise KeyboardInterrupt

    def _come_again(self, lost: "sys.UnraisableHookArgs") -> None:
        if self.signal and issubclass(lost.exc_type, KeyboardInterrupt):
            self._again.cancel()
            self._again = threading.Timer(
                _SECONDS_TO_COME_AGAIN, _thread.interrupt_main, (self.signal,)
            )
            self._again.daemon = True
            self._again.start()
        else:
            self._hook(lost)


STOP = Stop()


class OneLine(logging.Handler):
    """Log to standard error, a line a message."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


class OneLineGroup(TyperGroup):
    """Commands that end in one line and an exit status, whatever happens."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command: click's entry."""
        settings = {
            "args": list(sys.argv[1:] if args is None else args) or ["--help"],
            "prog_name": prog_name,
            "complete_var": complete_var,
            "windows_expand_args": windows_expand_args,
        }
        _take_plain_characters()
        with STOP.listening(), warnings.catch_warnings():
            warnings.showwarning = _say_warning  # type: ignore[assignment]  # it has more arguments
            status = self._status(settings | extra)
        with suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
        if standalone_mode:
            sys.exit(status)
        return status

    def _status(self, settings: dict[str, Any]) -> int:
        try:
            status = super().main(standalone_mode=False, **settings)
        except ClickException as error:
            return _usage(error)
        except KeyboardInterrupt:
            return _stopped()
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                _silence_output()
                return NOT_PRINTED
            return _failed(error)
        except Exception as error:  # a traceback helps nobody who has no part in the code
            return _stopped() if STOP.signal else _failed(error)
        if STOP.signal and not STOP.is_told:  # typer makes an exit status of Ctrl-C
            return _stopped()
        return status if isinstance(status, int) else 0


def _take_plain_characters() -> None:
    """Let standard output replace the characters that its encoding lacks."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        with suppress(OSError, ValueError):
            sys.stdout.reconfigure(errors=PLAIN)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain_sign, error.object[error.start : error.end])), error.end


def _plain_sign(sign: str) -> str:
    """Give one ASCII character for another one, so that columns stay where they are."""
    base = unicodedata.normalize("NFKD", sign)[:1]
    return "~" if sign == "±" else base if base.isascii() else "?"


codecs.register_error(PLAIN, _plain)


def _say_warning(message: Warning | str, *_where: Any) -> None:
    say(f"warning: {message}")


def _usage(error: Any) -> int:
    """Say in one line what is wrong with the arguments."""
    context = getattr(error, "ctx", None)
    command = "cornac-mle" if context is None else context.command_path
    say(f"error: {error.format_message().rstrip('.')}. See `{command} --help`.")
    return int(error.exit_code)


def _stopped() -> int:
    if not STOP.is_told:
        say(f"{STOP.word}: nothing was written")
    return STOP.status


def _failed(error: Exception) -> int:
    """Say what is wrong with the input, or that the fault is ours."""
    expected = (ValueError, TypeError, OSError, ImportError, RuntimeError)
    if isinstance(error, MemoryError):
        say(f"error: out of memory ({error or 'no more is said'}). Take fewer users or less data.")
    elif isinstance(error, expected) and str(error):
        say(f"error: {error}")
    else:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{os.path.basename(place.filename)}:{place.lineno}"  # noqa: PTH119  # text
        say(f"error: {type(error).__name__}: {error} at {where}; please report this fault")
        return FAULT
    return BAD_INPUT
