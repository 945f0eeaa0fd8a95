"""Make the page: pick the detail that fits, lay it out, forbid it to load anything."""

from base64 import b64encode
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from cornac_mle.checks import refusal
from cornac_mle.report.page._detail import DETAILS, Detail
from cornac_mle.report.page._pictures import Drawn, Pictures
from cornac_mle.report.page._view import view_of
from cornac_mle.report.summary import FORMAT, VERSION, Summary

if TYPE_CHECKING:
    import jinja2

LARGEST_PAGE = 2_000_000
"""Bytes of a page at most; less is shown of the users until it fits."""


def as_page(summary: Summary, drawn: Drawn | None = None) -> str:
    """Lay out a summary as one self-contained page of HTML, of 2 MB at most.

    Text of the data is escaped everywhere. The page loads nothing, and its content-security policy
    forbids it to; the one script only sorts and unfolds, and all can be read without it.

    Parameters
    ----------
    summary : Summary
        What is shown: `Report.summary`, or the ``summary.json`` of a run folder.
    drawn : mapping, optional
        Pictures of models of this very summary that have been drawn elsewhere, by model.

    Returns
    -------
    str
        HTML, to be written as UTF-8.

    Raises
    ------
    ValueError
        If `summary` is none, or one of a newer version.
    ImportError
        If Jinja is missing, with the command that installs it.
    """
    found = (summary.get("format"), summary.get("version"))
    if found != (FORMAT, VERSION):
        raise ValueError(
            refusal(
                "summary",
                f"be a {FORMAT!r} of version {VERSION}",
                f"{found[0]!r} of version {found[1]!r}",
                "Pass what `Report.summary()` gives, or rebuild it with this version.",
            )
        )
    template = _environment().get_template("page.html.jinja")
    pictures = Pictures(summary, drawn)
    return _fitting(lambda detail: _rendered(template, summary, detail, pictures))


def _fitting(render: Callable[[Detail], str]) -> str:
    """Render with the most detail that fits; with the least if none does."""
    page = ""
    for detail in DETAILS:
        page = render(detail)
        if len(page.encode()) <= LARGEST_PAGE:
            break
    return page


def _rendered(
    template: "jinja2.Template", summary: Summary, detail: Detail, pictures: Pictures
) -> str:
    style, script = _text("page.css"), _text("page.js")
    return template.render(
        view_of(summary, detail, pictures),
        style=style,
        script=script,
        policy=_policy(style, script),
    )


def _policy(style: str, script: str) -> str:
    """Forbid everything but this style and this script; pictures style their own marks."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src-elem '{_hash(style)}'",
            "style-src-attr 'unsafe-inline'",
            "style-src 'unsafe-inline'",  # for browsers that do not know the two lines above
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


@cache
def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


@cache
def _environment() -> "jinja2.Environment":
    try:
        import jinja2
    except ImportError as error:
        msg = "The page needs Jinja. Install it with: pip install cornac-mle[report]"
        raise ImportError(msg) from error
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
