"""A program run as `python program.py` runs it, in a process that need not import libraries.

It is forked from this one, where the libraries are, and imports cornac_mle anew: what a program
gets to see of us, and in which order, is its own. Half the time of a short program is that of
importing Cornac and scikit-learn.
"""

import os
import signal
import sys
import tempfile
import traceback
import warnings
from contextlib import suppress
from dataclasses import dataclass

import cornac  # noqa: F401  # for those that are forked
import numpy as np
import sklearn.ensemble
import sklearn.linear_model  # noqa: F401  # for those that are forked

with suppress(ImportError):
    import torch  # noqa: F401  # which some of Cornac's models import


@dataclass(frozen=True)
class Done:
    """How a program ended: its exit status, or minus the signal that killed it; what it said."""

    status: int
    output: str
    errors: str


def run_program(source, name, folder, seconds, every=1):
    """Run a program's text in a folder, for so many seconds at most.

    It finds every so many-th household only in the embedded data.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # on forks beside threads
            process = os.fork()
        if not process:
            try:
                os.dup2(output.fileno(), 1)
                os.dup2(errors.fileno(), 2)
                os._exit(_run(source, name, folder, seconds, every))
            finally:
                os._exit(99)  # never on into the tests
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return Done(status, *texts)


def _run(source, name, folder, seconds, every):
    """Run a program in this process, as it would be run in one of its own; gives its status."""
    status = 1
    try:
        signal.alarm(seconds)
        os.chdir(folder)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # to the end
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # to the end
        sys.argv = [name]
        warnings.resetwarnings()
        np.random.seed()  # noqa: NPY002  # what Cornac draws without a seed
        for module in [one for one in sys.modules if one.split(".")[0] == "cornac_mle"]:
            del sys.modules[module]
        if every > 1:
            _leave_out_households(every)
        exec(compile(source, name, "exec"), {"__name__": "__main__"})
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return status


def _leave_out_households(every):
    """Let the embedded data be those of every so many-th household."""
    from cornac_mle.datasets import complete_journey

    read = complete_journey._arrays

    def fewer(names):
        arrays = read(names)
        stays = np.arange(len(arrays["households"])) % every == 0
        rows = np.repeat(stays, arrays["row_counts"])
        kept = {"households": stays, "row_counts": stays, "item_steps": rows, "baskets": rows}
        return {name: array[kept.get(name, ...)] for name, array in arrays.items()}

    complete_journey._arrays = fewer
