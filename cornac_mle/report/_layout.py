"""What stands in the tables and below them: shared by the terminal, Markdown and the page."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from cornac_mle.files.markup import shortened
from cornac_mle.report._numbers import NO_VALUE, counted, half_width, number, percent, printable
from cornac_mle.report.summary import Metric, Model, Summary, UnknownItems, Value

LONGEST_ITEM = 60
"""Letters of an item in a table: some are named by whole texts."""
AT_LEAST = ">="
"""Before a log-likelihood that is estimated, and so a lower bound on average."""
OWN_FAMILY = "*"
"""Beside the verdict of a judge of the model's own family."""
QUESTIONS = {"believable": "believable?", "complete": "complete?", "nobodys": "nobody's?"}
"""Headings of the three answers."""
NOBODY_HOLDS_IT = "no real user holds it"
ODDER = (
    "Odder than: the share of real users' preferences, for items about as popular in profiles "
    "about as large, that are more in place."
)
MOST_ITEMS = 5
"""Unknown items, and reasons, that are named in a sentence."""


def title(summary: Summary) -> str:
    """Name the data and count the real users."""
    groups = [
        f"{count:,} {name.replace('_', '-')}" for name, count in summary["groups"].items() if count
    ]
    return printable(f"{summary['dataset']}: {', '.join(groups)} users")


def shown_models(summary: Summary) -> list[Model]:
    """Models that have values."""
    return [model for model in summary["models"] if model["values"]]


def shown_metrics(summary: Summary) -> list[Metric]:
    """Metrics of the main table; judges of second opinion have one of their own."""
    return [metric for metric in summary["metrics"] if not metric["second_opinion"]]


def cell(value: Value | None) -> tuple[str, str, str]:
    """Spell a value in three parts: the number, half its interval, its deviation over fits."""
    if value is None or value["value"] is None:
        return NO_VALUE, "", ""
    half = half_width(value["low"], value["high"])
    spread = value["sd_over_fits"]
    over_fits = "" if spread is None else f"({spread:.3f})".replace("0.", ".", 1)
    return (
        AT_LEAST * value["is_bound"] + number(value["value"]),
        f"±{half}" if half else "",
        over_fits,
    )


def reference(summary: Summary, metric: str, key: Literal["real_users", "popularity"]) -> str:
    """Spell what real users or popularity get, of the first model that has it."""
    for model in summary["models"]:
        value = model["values"].get(metric)
        found = None if value is None else value[key]
        if found is not None:
            return number(found)
    return NO_VALUE


def answer_rows(summary: Summary) -> list[tuple[str, list[str]]]:
    """List the three answers: what real users get, then each model, "worse" where it is shown."""
    rows = []
    models = shown_models(summary)
    real = []
    for question in QUESTIONS:
        metric = next(
            (found for model in models if (found := model["answers"][question]["metric"])), None
        )
        real.append(NO_VALUE if metric is None else reference(summary, metric, "real_users"))
    rows.append(("real users", real))
    for model in models:
        cells = []
        for question in QUESTIONS:
            answer = model["answers"][question]
            if answer["metric"] is None:
                cells.append("not asked")
                continue
            value, half, _ = cell(model["values"][answer["metric"]])
            cells.append(f"{value}{half}{' worse' if answer['verdict'] == 'worse' else ''}")
        rows.append((printable(model["name"]), cells))
    return rows


def answer_note(summary: Summary) -> str:
    """Say which metric answers which question."""
    parts = []
    for question, heading in QUESTIONS.items():
        names = {model["answers"][question]["metric"] for model in shown_models(summary)} - {None}
        parts += [f"{heading} {name}" for name in sorted(map(str, names))]
    return (
        f'Asked by {", ".join(parts)}. ± is half of a 95% interval; "worse" stands where it is '
        "shown to be worse than real users. Without that word no difference was found, which is "
        "not the same as none."
    )


def judge_rows(summary: Summary) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Headings and rows of the table of judges; no rows where one judge was asked only."""
    models = [model for model in summary["models"] if model["judges"]]
    families = [name for name in (models[0]["judges"] if models else {}) if name != "worst"]
    rows = []
    for model in models:
        cells = [
            number(model["judges"].get(name)) + OWN_FAMILY * (model["own_family"] == name)
            for name in families
        ]
        rows.append((printable(model["name"]), [*cells, number(model["judges"].get("worst"))]))
    return [*families, "worst"], rows


def judge_notes(summary: Summary) -> list[str]:
    """Say how to read the table of judges."""
    lines = []
    if any(model["judges"] and model["own_family"] for model in summary["models"]):
        lines.append(f"{OWN_FAMILY} the judge is of the model's own family, and may go easy on it.")
    agreement = summary["judge_agreement"]
    if agreement:
        taus = ", ".join(
            f"{pair['judge']}/{pair['other']} {number(pair['tau'])}" for pair in agreement
        )
        lines.append(f"Rank agreement over models (Kendall's tau): {taus}.")
    return lines


def difference_note(summary: Summary) -> str:
    """Say which differences between models hold on the primary metric; empty with one model."""
    found = summary["differences"]
    if found is None:
        return ""
    pairs = found["pairs"]
    undecided = [pair for pair in pairs if not pair["established"]]
    level = f"{found['level']:g}"
    claim = f"Differences in {found['metric']} between models hold at {level} together (Holm)"
    if not undecided:
        return f"{claim} for {'all ' * (len(pairs) > 1)}{counted(len(pairs), 'pair')}."
    listed = "; ".join(f"{pair['model']} and {pair['other']}" for pair in undecided)
    count = len(pairs) - len(undecided)
    return printable(f"{claim} for {count} of {len(pairs)} pairs, not for: {listed}.")


def meanings(summary: Summary) -> list[str]:
    """One line a metric: what its value is, and about the least difference that is found."""
    lines = []
    for metric in shown_metrics(summary):
        values = [
            model["values"][metric["name"]]
            for model in summary["models"]
            if metric["name"] in model["values"]
        ]
        least = next((v["minimum_detectable"] for v in values if v["minimum_detectable"]), None)
        shown = "" if least is None else f" ({number(least)})"
        lines.append(f"{metric['name']}: {metric['meaning']}{shown}")
    return lines


def warnings_of(summary: Summary) -> list[str]:
    """Say what makes results worthless, missing or weak, the worst first."""
    lines = [f"WARNING. {m['name']}: {m['alert']}" for m in summary["models"] if m["alert"]]
    lines += [
        f"FAILED, and not in the tables or not with every fit. {m['name']}: {m['failed']}"
        for m in summary["models"]
        if m["failed"]
    ]
    for model in summary["models"]:
        unknown = model["unknown_items"]
        if unknown is not None:
            lines.append(f"{model['name']}: {unknown_sentence(unknown)}")
    lines += [f"{m['name']}: {m['caution']}" for m in shown_metrics(summary) if m["caution"]]
    lines += [f"{metric}: {reason}" for metric, reason in summary["not_asked"].items()]
    return [printable(line) for line in lines]


def unknown_sentence(unknown: UnknownItems) -> str:
    """Count and name items that no real user holds."""
    listed, n_items, n_preferences = unknown["listed"], unknown["n_items"], unknown["n_preferences"]
    first = [f"{one['name'] or one['item']} ({one['n_users']:,})" for one in listed[:MOST_ITEMS]]
    more = f" and {n_items - len(first):,} more" if n_items > len(first) else ""
    return (
        f"{counted(n_preferences, 'preference')} for {counted(n_items, 'item')} that no real user "
        f"holds: {', '.join(first)}{more}."
    )


def left_out(summary: Summary) -> list[str]:
    """List what takes no part."""
    lines = []
    for model in summary["models"]:
        count = max((value["n_left_out"] for value in model["values"].values()), default=0)
        if count:
            lines.append(
                f"{model['name']}: left out {counted(count, 'synthetic user')} of fewer items than "
                "real users must have."
            )
    lost = [f"{count:,} {reason}" for reason, count in summary["dropped"].items()]
    if lost:
        lines.append(f"Left out before anything was measured: {'; '.join(lost)}.")
    return [printable(line) for line in lines]


def assumptions(summary: Summary) -> list[str]:
    """List what was assumed of each file, and what else must be known of the data."""
    return [printable(f"Note. {note}") for note in summary["notes"]]


def has_several_fits(summary: Summary) -> bool:
    """Whether any model was fitted with several random seeds."""
    return any(
        value["sd_over_fits"] is not None
        for model in summary["models"]
        for value in model["values"].values()
    )


def ceilings_differ(summary: Summary) -> bool:
    """Whether what real users get is not the same for all models, as it depends on their number."""
    for metric in shown_metrics(summary):
        found = {
            number(model["values"][metric["name"]]["real_users"])
            for model in summary["models"]
            if metric["name"] in model["values"]
        }
        if len(found) > 1:
            return True
    return False


def listed(user: Mapping[str, Any], most: int) -> Sequence[Mapping[str, Any]]:
    """Preferences that give a user away, at most so many; the oddest one where none does alone."""
    offending = [item for item in user["items"] if item["is_offending"]][:most]
    return offending or user["items"][:1]


def called(item: Mapping[str, Any]) -> str:
    """Return the name of an item, or its id, in at most `LONGEST_ITEM` letters."""
    return shortened(item["name"] or item["item"], LONGEST_ITEM)


def against(item: Mapping[str, Any]) -> tuple[str, str]:
    """Spell which share of real preferences is more in place, and what an item does not go with."""
    if item["why"] == NOBODY_HOLDS_IT:
        return "100%", NOBODY_HOLDS_IT
    if item["p_value"] is None:
        return NO_VALUE, ""
    share = f"{100 * (1 - item['p_value']):.1f}%"
    return share, ", ".join(item["against"]) or "(nothing that the user holds goes with it)"


def flagged_sentence(model: Model) -> str:
    """Say how many users are flagged at a false discovery rate; empty where nobody was judged."""
    gallery = model["gallery"]
    if not gallery or gallery.get("n_flagged") is None:
        return ""
    share = gallery["n_flagged"] / max(gallery["n_users"], 1)
    return (
        f"{gallery['n_flagged']:,} of {counted(gallery['n_users'], 'user')} ({percent(share)}) "
        f"flagged at a false discovery rate of {gallery['q']:g}."
    )
