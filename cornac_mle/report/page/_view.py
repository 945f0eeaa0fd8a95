"""What the template lays out: a summary with every number spelt and every name cut."""

from collections.abc import Mapping
from typing import Any

from cornac_mle.report import _layout
from cornac_mle.report._answers import leak_sentence
from cornac_mle.report._numbers import NO_VALUE, half_width, number
from cornac_mle.report.page._bars import Scale, distance
from cornac_mle.report.page._detail import Detail
from cornac_mle.report.page._explanations import explained
from cornac_mle.report.page._pictures import Pictures
from cornac_mle.report.page._users import gallery_of, name_of
from cornac_mle.report.summary import Metric, Model, Summary, Value

FEW_MODELS = 3
"""So many models have cards at the top; more have a table there, and their cards below."""
HEADINGS = {"believable": "Believable?", "complete": "Complete?", "nobodys": "Nobody's?"}
ASKED = {
    "believable": "Could the users be real?",
    "complete": "Are all kinds of users there?",
    "nobodys": "Are they copies of nobody?",
}
COUNTED = {
    "UnrealisticUsers": "unrealistic",
    "PlausibilityKS": "away from real users",
    "NeighbourCoverage": "covered",
    "NeighbourRecall": "covered",
    "MembershipInference": "AUC of telling members",
    "CopiedUsers": "copied",
}
"""What a number counts: .58 beside "Believable?" is not how believable the users are."""
CHIPS = {
    "worse": ("✕", "worse than real users"),
    "as real users": ("≈", "no difference found"),
    "open": ("?", "open"),
    "not asked": ("-", "not asked"),
}
MADE_FIRST = ("date", "command", "seconds")
MADE_NAMES = {
    "seconds": "Seconds",
    "sha256": "SHA-256 of the data",
    "data_sha256": "SHA-256 of the data",
}


def view_of(summary: Summary, detail: Detail, pictures: Pictures) -> dict[str, Any]:
    """Make all that the template needs, in this much detail."""
    models = _layout.shown_models(summary)
    shown = models[: detail.models]
    scales = {
        metric["name"]: Scale.of(
            [m["values"][metric["name"]] for m in models if metric["name"] in m["values"]]
        )
        for metric in _layout.shown_metrics(summary)
    }
    headings, judge_rows = _layout.judge_rows(summary)
    drawn = pictures.of_all() if detail.galleries and shown else []
    return {
        "title": detail.sentence(_layout.title(summary)),
        "dataset": detail.name(summary["dataset"]),
        "kind": summary["kind"],
        "groups": [
            (name.replace("_", "-"), f"{count:,}")
            for name, count in summary["groups"].items()
            if count
        ],
        "models": [
            _model(model, place, summary, scales, detail, pictures)
            for place, model in enumerate(shown)
        ],
        "has_few": len(models) <= FEW_MODELS,
        "answers": _layout.answer_rows(summary)[: detail.models + 1],
        "answer_note": detail.sentence(_layout.answer_note(summary)),
        "headings": [
            (
                heading,
                next((c for m in models if (c := _counted(m["answers"][question]["metric"]))), ""),
            )
            for question, heading in HEADINGS.items()
        ],
        "warnings": [_warning(line, detail) for line in _layout.warnings_of(summary)],
        "metrics": [_metric(m, summary, detail) for m in _layout.shown_metrics(summary)],
        "has_bars": any(scales.values()),
        "several_fits": _layout.has_several_fits(summary),
        "ceilings_differ": _layout.ceilings_differ(summary),
        "pictures": drawn,
        "odder": _layout.ODDER,
        "judges": {
            "headings": headings,
            "rows": judge_rows[: detail.models],
            "notes": [detail.sentence(line) for line in _layout.judge_notes(summary)],
        },
        "difference": detail.sentence(_layout.difference_note(summary)),
        "left_out": [
            detail.sentence(line)
            for line in (*_layout.left_out(summary), *_layout.assumptions(summary))
        ],
        "parameters": [
            (detail.name(m["name"]), detail.sentence(m["parameters"]))
            for m in shown
            if m["parameters"]
        ],
        "made": _made(summary["made"], detail),
        "cut": _cut(models, detail),
    }


def _warning(line: str, detail: Detail) -> tuple[bool, str]:
    """Say whether a warning makes results worthless, and give it."""
    return line.startswith(("WARNING", "FAILED")), detail.sentence(line)


def _cut(models: list[Model], detail: Detail) -> str:
    """Say what the page leaves out to stay small; empty where it is all there."""
    parts = []
    if len(models) > detail.models:
        parts.append(f"models after the first {detail.models}")
    if sum(bool(m["gallery"] or m["curves"]) for m in models) > detail.galleries:
        parts.append(f"users and distributions of models after the first {detail.galleries}")
    shown = [user for m in models if m["gallery"] for user in m["gallery"].get("users", [])]
    if any(len(user["items"]) > detail.items + 5 for user in shown):
        parts.append("some users, and items of users")
    return f"Left out of this page to keep it small: {'; '.join(parts)}." if parts else ""


def _model(
    model: Model,
    place: int,
    summary: Summary,
    scales: Mapping[str, Scale | None],
    detail: Detail,
    pictures: Pictures,
) -> dict[str, Any]:
    has_gallery = place < detail.galleries
    unknown = model["unknown_items"]
    return {
        "anchor": f"m{place}",
        "name": detail.name(model["name"]),
        "alert": model["alert"] and detail.sentence(model["alert"]),
        "cards": [_card(question, model, scales) for question in HEADINGS],
        "cells": [_cell(model, m, scales) for m in _layout.shown_metrics(summary)],
        "pictures": pictures.of_model(model["name"]) if has_gallery else [],
        "gallery": gallery_of(model, detail) if has_gallery else None,
        "unknown": unknown
        and {
            "sentence": detail.sentence(_layout.unknown_sentence(unknown)),
            "listed": [
                (detail.name(name_of(one)), f"{one['n_users']:,}")
                for one in unknown["listed"][: detail.items]
            ],
        },
    }


def _card(question: str, model: Model, scales: Mapping[str, Scale | None]) -> dict[str, Any]:
    """Answer one question: a sentence, one number with its interval, and what real users get."""
    answer = model["answers"][question]
    metric = answer["metric"]
    value = None if metric is None else model["values"][metric]
    spelt, half, over_fits = _layout.cell(value)
    sign, chip = CHIPS[answer["verdict"]]
    leak = model.get("leak") if question == "nobodys" else None
    small_print = leak_sentence(leak) if leak else ""
    return {
        "question": question,
        "heading": HEADINGS[question],
        "asked": ASKED[question],
        "verdict": answer["verdict"].replace(" ", "-"),
        "sign": sign,
        "chip": chip,
        "sentence": answer["sentence"].removesuffix(f" {small_print}"),
        "small_print": small_print,
        "metric": metric,
        "counts": _counted(metric),
        "value": spelt,
        "half": half,
        "over_fits": over_fits,
        "interval": "" if value is None else _interval(value),
        "real_users": NO_VALUE if value is None else number(value["real_users"]),
        "popularity": NO_VALUE if value is None else number(value["popularity"]),
        "bar": _bar(value, scales.get(metric or "")),
    }


def _counted(metric: str | None) -> str:
    return COUNTED.get((metric or "").split("@")[0], "")


def _interval(value: Value) -> str:
    if not half_width(value["low"], value["high"]):
        return ""
    return f"{number(value['low'])} to {number(value['high'])}"


def _bar(value: Value | None, scale: Scale | None) -> Any:
    return None if scale is None else scale.bar(value)


def _cell(model: Model, metric: Metric, scales: Mapping[str, Scale | None]) -> dict[str, Any]:
    value = model["values"].get(metric["name"])
    spelt, half, over_fits = _layout.cell(value)
    return {
        "value": spelt,
        "half": half,
        "over_fits": over_fits,
        "bar": _bar(value, scales[metric["name"]]),
        "raw": None if value is None else value["value"],
        "distance": distance(value),
    }


def _metric(metric: Metric, summary: Summary, detail: Detail) -> dict[str, Any]:
    name = metric["name"]
    values = [m["values"][name] for m in summary["models"] if name in m["values"]]
    ends = {key: _layout.reference(summary, name, key) for key in ("real_users", "popularity")}
    raw = {key: next((v[key] for v in values if v[key] is not None), None) for key in ends}  # type: ignore[literal-required]
    return {
        "name": name,
        "best": metric["best"],
        "explained": [detail.sentence(line) for line in explained(metric, values)],
        **ends,
        "raw": raw,
    }


def _made(made: Mapping[str, Any], detail: Detail) -> list[tuple[str, str]]:
    """Spell how the report was made: what stands first, then the rest as it comes."""
    order = [*(key for key in MADE_FIRST if key in made), *(k for k in made if k not in MADE_FIRST)]
    rows = []
    for key in order:
        value = made[key]
        if value is None or value == {} or value == []:
            continue
        label = MADE_NAMES.get(key, key.replace("_", " ").capitalize())
        rows.append((detail.name(label), detail.sentence(_spelt(value))))
    return rows


def _spelt(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_spelt(one)}" for key, one in value.items() if one is not None)
    if isinstance(value, list | tuple):
        return ", ".join(map(_spelt, value))
    return f"{value:,.1f}" if isinstance(value, float) else str(value)
