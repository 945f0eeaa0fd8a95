"""What a notebook shows of a report and of a measurement."""

from typing import TYPE_CHECKING

from cornac_mle.files.markup import block, named_values, note, table
from cornac_mle.report import _layout
from cornac_mle.report._numbers import number
from cornac_mle.report.summary import Summary, Value

if TYPE_CHECKING:
    from cornac_mle.report.measurement import Measurement

PAGE = "report.plot draws it, report.markdown() and report.write(folder) write it down."


def report_html(summary: Summary) -> str:
    """Lay out the title, the answers of each model, all metrics and what went wrong."""
    models = _layout.shown_models(summary)
    parts = []
    if models:
        headings = ("model", *(text.capitalize() for text in _layout.QUESTIONS.values()))
        parts.append(
            table(headings, [(name, *cells) for name, cells in _layout.answer_rows(summary)])
        )
        parts.append(note(_layout.answer_note(summary)))
        parts.append(_metrics(summary))
        difference = _layout.difference_note(summary)
        parts += [note(difference)] if difference else []
    else:
        parts.append(note("Nothing was measured yet."))
    parts += [note(line) for line in (*_layout.warnings_of(summary), *_layout.left_out(summary))]
    parts.append(note(PAGE))
    return block(_layout.title(summary), *parts)


def _metrics(summary: Summary) -> str:
    """Lay out all metrics, a row each, a column a model."""
    models = _layout.shown_models(summary)
    rows = [
        (
            metric["name"],
            metric["best"],
            *(
                _layout.reference(summary, metric["name"], key)
                for key in ("real_users", "popularity")
            ),
            *(_cell(model["values"].get(metric["name"])) for model in models),
        )
        for metric in _layout.shown_metrics(summary)
    ]
    headings = ("metric", "best", "real users", "popularity", *(one["name"] for one in models))
    return table(headings, rows)


def _cell(value: Value | None) -> str:
    mean, half, over_fits = _layout.cell(value)
    return f"{mean}{half} {over_fits}".strip()


def measurement_html(found: "Measurement") -> str:
    """Lay out the numbers of a measurement that it has."""
    low_to_high = ""
    if found.low is not None and found.high is not None:
        low_to_high = f"{number(found.low)} to {number(found.high)}"
    rows = {
        "value": number(found.value),
        "95% interval": low_to_high,
        "p-value": _shown(found.p_value),
        "real users": _shown(found.ceiling),
        "popularity": _shown(found.floor),
        "normalised (0 popularity, 1 real users)": _shown(found.normalised),
        "smallest difference that is found, about": _shown(found.minimum_detectable),
        "users compared": f"{found.n_real:,} real, {found.n_synthetic:,} synthetic",
        "left out": f"{found.n_left_out:,}" if found.n_left_out else "",
    }
    return block("Measurement", named_values({name: text for name, text in rows.items() if text}))


def _shown(value: float | None) -> str:
    return "" if value is None else number(value)
