"""A bar with the time that is left, while models are fitted; none where nobody looks."""

import sys
from threading import Event, Thread

from tqdm.auto import tqdm

PATIENCE_SECONDS = 2.0
"""What is done before that shows no bar."""
REFRESH_SECONDS = 1.0


class Progress:
    """A bar over so many steps, on standard error, in a terminal or a notebook only.

    Parameters
    ----------
    total : int
        Number of steps.
    is_shown : bool
        Whether a bar is wanted at all.
    """

    def __init__(self, total: int, *, is_shown: bool = True) -> None:
        is_shown = is_shown and somebody_looks()
        self._bar = tqdm(
            total=total, delay=PATIENCE_SECONDS, disable=not is_shown, leave=False, unit="fit"
        )
        self._is_over = Event()
        # A step may take minutes, and the time that is gone should be seen to go.
        self._clock = Thread(target=self._refresh, daemon=True) if is_shown else None

    def __enter__(self) -> "Progress":
        if self._clock is not None:
            self._clock.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_over.set()
        if self._clock is not None:
            self._clock.join()
        self._bar.close()

    def begin(self, what: str) -> None:
        """Say which step begins."""
        self._bar.set_description(what, refresh=False)

    def end(self) -> None:
        """Count a step that is done."""
        self._bar.update()

    def _refresh(self) -> None:
        wait = PATIENCE_SECONDS
        while not self._is_over.wait(wait):
            self._bar.refresh()
            wait = REFRESH_SECONDS


def somebody_looks() -> bool:
    """Whether standard error is a terminal, or this runs in a notebook."""
    # A kernel's shell has this name; IPython in a terminal has another.
    shell = sys.modules.get("IPython")
    running = None if shell is None else shell.get_ipython()
    return type(running).__name__ == "ZMQInteractiveShell" or (
        sys.stderr is not None and sys.stderr.isatty()
    )
