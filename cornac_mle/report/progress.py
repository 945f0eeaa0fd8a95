"""A bar with the time that is left, while models are fitted; none where nobody looks."""

import sys

from tqdm.auto import tqdm

PATIENCE_SECONDS = 2.0
"""What is done before that shows no bar."""


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
        self._bar = tqdm(
            total=total,
            delay=PATIENCE_SECONDS,
            disable=not (is_shown and somebody_looks()),
            leave=False,
            unit="fit",
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_error: object) -> None:
        self._bar.close()

    def begin(self, what: str) -> None:
        """Say which step begins."""
        self._bar.set_description(what)

    def end(self) -> None:
        """Count a step that is done."""
        self._bar.update()


def somebody_looks() -> bool:
    """Whether standard error is a terminal, or this runs in a notebook."""
    # A kernel's shell has this name; IPython in a terminal has another.
    shell = sys.modules.get("IPython")
    running = None if shell is None else shell.get_ipython()
    return type(running).__name__ == "ZMQInteractiveShell" or sys.stderr.isatty()
