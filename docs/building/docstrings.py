"""Docstrings are numpydoc, and the site is Markdown: what differs between the two, translated."""

import re
from typing import Any

import griffe

FORMULA = re.compile(r"^( *)\.\. math::(.*(?:\n\1 +\S.*|\n *(?=\n\1 +\S))*)", re.MULTILINE)
REFERENCE = re.compile(r"^( *)\.\. (\[\d+\]) (.*(?:\n\1 +\S.*)*)", re.MULTILINE)


def as_markdown(text: str) -> str:
    r"""Translate a numpydoc text.

    >>> print(as_markdown("In :math:`[0, 1]` [1]_.\n\n.. math:: x^2,\n    y\n\n.. [1] A\n   book."))
    In `#!math [0, 1]` \[1].
    <BLANKLINE>
    ```math
    x^2, y
    ```
    <BLANKLINE>
    - \[1] A book.
    """
    text = FORMULA.sub(_fence, text)
    text = re.sub(r":math:`([^`]+)`", lambda match: f"`#!math {_line(match[1])}`", text)
    text = REFERENCE.sub(lambda match: f"{match[1]}- \\{match[2]} {_line(match[3])}", text)
    return re.sub(r"(\[\d+\])_(?!\w)", r"\\\1", text)


def _line(text: str) -> str:
    return " ".join(text.split())


def _fence(match: re.Match[str]) -> str:
    indent = match[1]
    formulas = [_line(part) for part in re.split(r"\n\s*\n", match[2]) if part.strip()]
    return "\n\n".join(f"{indent}```math\n{indent}{one}\n{indent}```" for one in formulas)


class Numpydoc(griffe.Extension):
    """Translates each docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Translate the docstring of an object, if it has one."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
