"""A report as Markdown, for a pull request or a wiki."""

import re
from collections.abc import Sequence

from cornac_mle.report import _layout
from cornac_mle.report._numbers import number, printable
from cornac_mle.report.summary import Model, Summary, Value

ACTIVE = re.compile(r"([\\`*_{}\[\]<>|#~!@])")
"""Signs that Markdown, or the HTML in it, would act on; @ would call somebody."""

MOST_USERS, MOST_LISTED = 5, 3
"""Users to look at first, and preferences of each."""


def as_markdown(summary: Summary) -> str:
    """Lay out a summary as Markdown: answers, metrics, judges, users to look at, what was lost."""
    models = _layout.shown_models(summary)
    parts = [f"## {escaped(_layout.title(summary))}"]
    if models:
        parts += [_answers(summary, models), _scores(summary, models)]
        meanings = "\n".join(f"- {escaped(line)}" for line in _layout.meanings(summary))
        parts.append(
            "Real users get the ceiling, users drawn from item popularity alone the floor; ± is "
            "half of a 95% interval; in brackets about the smallest difference that the data can "
            f"show.\n\n{meanings}"
        )
        headings, rows = _layout.judge_rows(summary)
        if rows:
            parts.append(_table(["flagged by the judge", *headings], [[n, *c] for n, c in rows]))
            parts += map(escaped, _layout.judge_notes(summary))
        parts.append(escaped(_layout.difference_note(summary)))
        parts += [text for model in models if (text := _worst_users(model))]
    notes = [
        *_layout.warnings_of(summary),
        *_layout.left_out(summary),
        *_layout.assumptions(summary),
    ]
    parts.append("\n".join(f"- {escaped(line)}" for line in notes))
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: object) -> str:
    r"""Write text so that Markdown shows it as it is.

    >>> print(escaped("<b>50% | [x](y)"))
    \<b\>50% \| \[x\](y)
    """
    return ACTIVE.sub(r"\\\1", printable(text))


def _answers(summary: Summary, models: Sequence[Model]) -> str:
    lines = []
    for model in models:
        lines.append(f"**{escaped(model['name'])}**\n")
        for question, heading in _layout.QUESTIONS.items():
            lines.append(f"- {heading} {escaped(model['answers'][question]['sentence'])}")
        lines.append("")
    return "\n".join(lines).rstrip()


def _scores(summary: Summary, models: Sequence[Model]) -> str:
    rows = [
        [
            metric["name"],
            metric["best"],
            *(
                _layout.reference(summary, metric["name"], key)
                for key in ("real_users", "popularity")
            ),
            *(_cell(model["values"].get(metric["name"])) for model in models),
        ]
        for metric in _layout.shown_metrics(summary)
    ]
    headings = ["metric", "best", "real users", "popularity", *(m["name"] for m in models)]
    return _table(headings, rows)


def _cell(value: Value | None) -> str:
    mean, half, over_fits = _layout.cell(value)
    return f"{mean}{half}{' ' + over_fits if over_fits else ''}"


def _worst_users(model: Model) -> str:
    gallery = model["gallery"] or {}
    rows = [
        [user["id"], number(user["p_value"]), _layout.called(item), *_layout.against(item)]
        for user in [one for one in gallery.get("users", []) if one["kind"] == "worst"][:MOST_USERS]
        for item in _layout.listed(user, MOST_LISTED)
    ]
    if not rows:
        return ""
    table = _table(["user", "p-value", "preference", "odder than", "does not go with"], rows)
    return (
        f"Look at these users of {escaped(model['name'])} first. "
        f"{_layout.flagged_sentence(model)} {_layout.ODDER}\n\n{table}"
    )


def _table(headings: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(
        f"| {' | '.join(escaped(one) if place != 1 else '---' for one in line)} |"
        for place, line in enumerate(lines)
    )
