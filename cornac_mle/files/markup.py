"""HTML of a few lines that a notebook shows of an object: scoped, escaped, light or dark."""

import html
from collections.abc import Iterable, Mapping, Sequence

CLASS = "cornac-mle-shown"
"""Class of every block: its styles reach nothing else in a notebook."""
NO_FORMULAS = "mathjax_ignore tex2jax_ignore"
"""Classes that keep a notebook from taking "$" in a name for a formula."""
STYLE = (
    f".{CLASS}{{color:inherit;background:transparent;max-width:100%;overflow-x:auto}}"
    f".{CLASS} .head{{font-weight:600;margin:.3em 0}}"
    f".{CLASS} .note{{opacity:.8;font-size:90%;margin:.3em 0;max-width:52em}}"
    f".{CLASS} table{{border-collapse:collapse;margin:.4em 0;color:inherit;border:0}}"
    f".{CLASS} tr,.{CLASS} tbody tr:nth-child(odd),.{CLASS} tbody tr:nth-child(even),"
    f".{CLASS} tbody tr:hover{{background:transparent}}"
    f".{CLASS} th,.{CLASS} td{{padding:.15em .7em .15em 0;text-align:right;vertical-align:top;"
    "border:0;border-bottom:1px solid rgba(128,128,128,.35);color:inherit;background:transparent;"
    "max-width:24em;overflow-wrap:anywhere;white-space:normal}"
    f".{CLASS} th:first-child,.{CLASS} td:first-child,.{CLASS} .words td,.{CLASS} .words th"
    "{text-align:left}"
)
"""Only greys that can be seen on white and on black, and the notebook's own text colour."""

JOINERS = "\u200c\u200d"
"""Signs without width that Persian names and some emoji need, and that do no harm."""


def printable(text: object) -> str:
    r"""Spell text of a data file without line breaks and control characters.

    >>> printable("two\nlines, \x1b[31mred")
    'two lines, \\x1b[31mred'
    """
    words = " ".join(str(text).split())
    return "".join(
        sign
        if sign.isprintable() or sign in JOINERS
        else sign.encode("unicode_escape").decode("ascii")
        for sign in words
    )


def shortened(text: object, longest: int = 40) -> str:
    """Make a label of text of a data file.

    >>> shortened("a very long name", 8)
    'a very …'
    """
    words = printable(text)
    return words if len(words) <= longest else f"{words[: longest - 1]}…"


def escaped(text: object) -> str:
    """Write text so that HTML shows it as it is.

    >>> escaped("<b> & 'c'")
    '&lt;b&gt; &amp; &#x27;c&#x27;'
    """
    return html.escape(printable(text))


def table(
    headings: Sequence[object], rows: Iterable[Sequence[object]], *, of_words: bool = False
) -> str:
    """Lay out rows as an HTML table, numbers to the right; without headings where these are empty.

    >>> table(["metric", "value"], [["PairError", ".02"]])
    '<table><thead><tr><th scope="col">metric</th>...<td>.02</td></tr></tbody></table>'
    """
    head = "".join(f'<th scope="col">{escaped(one)}</th>' for one in headings)
    body = "".join(f"<tr>{''.join(f'<td>{escaped(one)}</td>' for one in row)}</tr>" for row in rows)
    opening = '<table class="words">' if of_words else "<table>"
    return (
        f"{opening}{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"
    )


def named_values(values: Mapping[str, object]) -> str:
    """Lay out names and values in two columns."""
    return table((), values.items(), of_words=True)


def note(text: object) -> str:
    """Write a line below."""
    return f'<div class="note">{escaped(text)}</div>'


def block(heading: object, *parts: str) -> str:
    """Put parts, which are HTML, under a heading, which is text, into a block of this style."""
    head = f'<div class="head">{escaped(heading)}</div>'
    return f'<div class="{CLASS} {NO_FORMULAS}"><style>{STYLE}</style>{head}{"".join(parts)}</div>'
