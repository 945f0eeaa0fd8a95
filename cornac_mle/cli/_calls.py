"""Lists of names with parameters, as `--models` and `--metrics` take them: "bpr, PMF(k=50)".

Parameters are read as literals and never run: whoever writes a list, or a configuration that
somebody else takes over, can name numbers, text and lists of them, and nothing more.
"""

import ast
import inspect
import re
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import isfinite
from typing import Any

from cornac_mle.checks import refusal, written

MOST_CHARACTERS = 20_000
"""Longest list."""
TOKENS = re.compile(
    r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|.""", re.DOTALL
)  # text in quotes as a whole
RESERVED = {
    "seed": "Fits have the random seeds from --seed on.",
    "verbose": "Progress is shown where standard error is a terminal.",
    "trainable": "Every model is fitted.",
    "out_path": "Nothing is read or written there.",  # HypAR would unpickle what it finds
}
"""Parameters that are not for lists, and why."""
LITERALS = (str, int, float, type(None))


@dataclass(frozen=True)
class Call:
    """A name, and the parameters that stand in parentheses behind it.

    >>> str(Call("PMF", {"k": 50, "variant": "hurdle"}))
    "PMF(k=50, variant='hurdle')"
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}{spelled_parameters(self.parameters)}"


def spelled_parameters(parameters: Mapping[str, Any]) -> str:
    """Spell parameters in parentheses; "" where there are none."""
    pairs = ", ".join(f"{name}={value!r}" for name, value in parameters.items())
    return f"({pairs})" if pairs else ""


def calls(option: str, text: str) -> list[Call]:
    """Read a list whose entries are separated by commas outside parentheses and quotes.

    Parameters
    ----------
    option : str
        Name of the list in an error.
    text : str
        The list.

    Returns
    -------
    list of Call
        Its entries, one at least.

    Raises
    ------
    ValueError
        If the list is too long, or an entry is not of the form ``Name(parameter=literal, ...)``.

    Examples
    --------
    >>> [str(call) for call in calls("models", "bpr, PMF(k=50,variant='hurdle'),VAE()")]
    ['bpr', "PMF(k=50, variant='hurdle')", 'VAE']
    """
    if len(text) > MOST_CHARACTERS:
        rule = f"have at most {MOST_CHARACTERS:,} characters"
        raise ValueError(refusal(option, rule, f"{len(text):,}"))
    entries, depth = [""], 0
    for token in TOKENS.findall(text):
        depth += (token in "([{") - (token in ")]}")
        if token == "," and depth == 0:
            entries.append("")
        else:
            entries[-1] += token
    return [_call(option, entry.strip()) for entry in entries]


def call_of(option: str, name: str, parameters: Mapping[str, Any]) -> Call:
    """Make a call of a name and values that are no text, those of a configuration say.

    Raises
    ------
    ValueError
        If a value could not be written as a literal.
    """
    for parameter, value in parameters.items():
        if not parameter.isidentifier():
            raise ValueError(refusal(option, "have names of parameters", repr(parameter)))
        if not _is_literal(value):
            rule = "be text, a finite number, true, false, null, or a list or mapping of those"
            raise ValueError(
                refusal(parameter, rule, written(value), context=f"{name} in {option}")
            )
    return Call(name, dict(parameters))


def _is_literal(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_literal, value))
    if isinstance(value, dict):
        return all(map(_is_literal, [*value, *value.values()]))
    return isinstance(value, LITERALS) and not (isinstance(value, float) and not isfinite(value))


def _call(option: str, text: str) -> Call:
    """Read one entry of a list."""
    name, parenthesis, rest = text.partition("(")
    if not parenthesis:
        return Call(name)
    example = "Write them as in PMF(k=50, lambda_reg=0.5)."
    call = _parsed(rest)
    if call is None:
        rule = "be names, with parameters in parentheses"
        raise ValueError(refusal(option, rule, repr(text), example))
    if call.args or any(keyword.arg is None for keyword in call.keywords):
        rule = "have parameters by name"
        raise ValueError(refusal(option, rule, repr(text), example))
    parameters: dict[str, Any] = {}
    for keyword in call.keywords:
        assert keyword.arg is not None
        if keyword.arg in parameters:
            rule = "have each parameter once"
            raise ValueError(refusal(option, rule, f"{keyword.arg!r} twice", context=text))
        parameters[keyword.arg] = _literal(option, text, keyword)
    return Call(name.strip(), parameters)


def _parsed(rest: str) -> ast.Call | None:
    """Parse what follows an opening parenthesis; None unless it is one list of arguments."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's, of literals that look like a mistake
            call = ast.parse(f"f({rest}", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return call if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else None


def _literal(option: str, text: str, keyword: ast.keyword) -> Any:
    """Read a value: a literal, which is not run."""
    try:
        return ast.literal_eval(keyword.value)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        rule = "have values that are numbers, text in quotes, True, False, None, or lists of those"
        is_word = isinstance(keyword.value, ast.Name)
        advice = f"Write {keyword.arg}={keyword.value.id!r}." if is_word else ""  # type: ignore[attr-defined]
        raise ValueError(refusal(option, rule, repr(text), advice)) from error


def plain(name: str) -> str:
    """Spell a name as it is looked up: without capitals, hyphens and underlines.

    >>> plain("Training-Users")
    'trainingusers'
    """
    return name.lower().replace("-", "").replace("_", "")


def near(name: str, known: Collection[str]) -> str:
    """Ask whether a name that is nearly right was meant; "" where there is none.

    >>> near("VEACF", ["bpr", "vaecf"])
    "Did you mean 'vaecf'?"
    """
    spelled = {plain(one): one for one in known}
    found = get_close_matches(plain(name), spelled, n=3)
    return f"Did you mean {' or '.join(repr(spelled[one]) for one in found)}?" if found else ""


def made(call: Call, kind: type[Any], settings: Mapping[str, Any], *first: Any) -> Any:
    """Make an object of a class: of `first`, of `settings`, and of the parameters of a call.

    Raises
    ------
    ValueError, TypeError
        If the class has no such parameter, or refuses a value.
    """
    parameters = [
        name
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ][len(first) :]
    open_ = [name for name in parameters if name not in RESERVED]
    for name in call.parameters:
        if name in RESERVED and name in parameters:
            rule = f"have no {name} in its parentheses"
            raise ValueError(refusal(call.name, rule, repr(str(call)), RESERVED[name]))
        if name not in open_:
            listed = f"have parameters of {', '.join(open_)}" if open_ else "have no parameters"
            raise ValueError(refusal(call.name, listed, repr(name), near(name, open_)))
    try:
        return kind(*first, **{**settings, **call.parameters})
    except Exception as error:  # Cornac's constructors raise what they like
        if str(error).startswith("`"):
            raise
        rule, got = "be one that can be made", f"{type(error).__name__}: {error}"
        raise ValueError(refusal(str(call), rule, got)) from error
