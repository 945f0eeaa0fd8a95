"""How random inputs are tried: few of them in every run, many with ``-m fuzz``, and what may come.

An input either works or is refused in one line. ``FUZZ_SCALE=2 pytest -m fuzz`` tries twice as many
inputs as the long run does otherwise; ``FUZZ_COUNT=path`` adds a line with their number for each
test.
"""

import contextlib
import os
import re
import resource
import traceback
import warnings
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

REFUSALS = (ValueError, TypeError, ImportError, RuntimeError)
OUR_FORM = re.compile(r"`[^\n]+` must [^\n]+; got [^\n]*\.")
MEMORY = 2**30
"""Bytes that reading may take beyond those of the process so far."""

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.sampled_from([0, 1, -1, 2**31, 2**32, 2**63, 2**64, 10**30, -(10**30), 10**400]),
    st.floats(),
    st.sampled_from([0.0, -0.0, 0.5, 1.0, 1e39, 1e-50, 1e300, 5e-324, np.nan, np.inf, -np.inf]),
    st.sampled_from([np.int64(3), np.float32(0.5), np.float64("nan"), np.bool_(True)]),
    st.complex_numbers(),
    st.fractions(),
    st.decimals(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.lists(st.one_of(st.integers(-2, 5), st.floats(), st.text(max_size=3)), max_size=3),
    st.sampled_from([(), {}, set(), object(), object, len, range(3), ..., slice(None), "a\nb"]),
    st.sampled_from([np.zeros(0), np.ones(3), np.eye(2), np.array(None), np.ma.masked]),
)
"""What nobody should pass for a number or a name, and a little of what one should."""


def fuzzed(few, many, **strategies):
    """Make two tests of a function of random inputs: one of `few` in every run, one of `many`."""

    def decorate(function):
        @pytest.mark.parametrize(
            "examples",
            [
                pytest.param(few, id="few"),
                pytest.param(many, id="many", marks=pytest.mark.fuzz),
            ],
        )
        def test(examples):
            is_long = examples == many
            tried = []

            def once(**inputs):
                tried.append(None)
                function(**inputs)

            run = settings(
                max_examples=int(examples * float(os.environ.get("FUZZ_SCALE", "1")))
                if is_long
                else examples,
                deadline=None,
                derandomize=not is_long,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[phase for phase in hypothesis.Phase if phase.name != "explain"],
            )(given(**strategies)(once))
            run()
            count(function.__name__, len(tried))

        return test

    return decorate


def count(name, number):
    """Note how many inputs were tried."""
    if path := os.environ.get("FUZZ_COUNT"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{name} {number}\n")


def in_one_line(error, form):
    """Assert that an error says what is wrong in one line, of `form` if given."""
    text = str(error)
    assert text.strip(), f"{type(error).__name__} without a word"
    assert len(text.splitlines()) == 1, f"{type(error).__name__} of several lines: {text!r}"
    assert len(text) < 2000, f"{type(error).__name__} of {len(text)} characters"
    if form is not None:
        assert form.match(text), f"not in our form: {type(error).__name__}: {text}"


def tried(call, *, form=None, also=()):
    """Call, and return what comes; None where it is refused in one line, of `form` if given."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)  # ours: what was left out
        try:
            return call()
        except (*REFUSALS, *also) as error:
            in_one_line(error, None if isinstance(error, RuntimeError) else form)
            return None


def within_memory(function):
    """Call in a forked process that may take `MEMORY` more; its assertions fail here."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # on forks beside threads
        child = os.fork()
    if not child:
        status = 1
        with contextlib.suppress(BaseException):
            os.close(reading)
            size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
            try:
                function()
                status = 0
            except BaseException as error:
                with os.fdopen(writing, "w") as pipe:
                    notes = "\n".join(getattr(error, "__notes__", []))
                    pipe.write(f"{notes}\n{''.join(traceback.format_exception(error)[-12:])}")
        os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, said or f"the process ended with status {status}"
