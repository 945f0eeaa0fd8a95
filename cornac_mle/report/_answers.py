"""The three questions, each answered by one metric, in a sentence, with what real users get."""

import math
from collections.abc import Mapping

from cornac_mle.report._numbers import number, percent
from cornac_mle.report.measurement import MetricNote
from cornac_mle.report.summary import Answer, Leak, Value

MEMBERSHIP = "MembershipInference"
QUESTIONS = {
    "believable": ("UnrealisticUsers", "PlausibilityKS"),
    "complete": ("NeighbourCoverage", "NeighbourRecall"),
    "nobodys": (MEMBERSHIP, "CopiedUsers"),
}
"""Metrics that answer each question; the first that was measured does."""
POWER_SHIFT = 2.8
"""Standard errors of the ceiling in `minimum_detectable`."""
NORMAL_REACH = 1.96
DEFAULT_REASON = "not asked: no metric of it was measured"


def answers_of(
    values: Mapping[str, Value],
    notes: Mapping[str, MetricNote],
    cautions: Mapping[str, str],
    leak: Leak | None = None,
) -> dict[str, Answer]:
    """Answer the three questions of one set of synthetic users."""
    answers = {question: _answer(question, values, notes, cautions) for question in QUESTIONS}
    told = answers["nobodys"]
    if leak is not None and told["metric"] == MEMBERSHIP:
        told["sentence"] += f" {leak_sentence(leak)}"
    return answers


def leak_sentence(leak: Leak) -> str:
    """Say how many training users are found at low false alarms, and what that does not promise."""
    parts = [
        f"at {rate} false alarms {percent(share)} of the training users are found"
        for rate, share in (("5%", leak["found_at_5_percent"]), ("1%", leak["found_at_1_percent"]))
        if share is not None
    ]
    if leak["epsilon"] is not None:
        parts.append(f"the lower bound on epsilon is {number(leak['epsilon'])}")
    parts.append(f"the attacks saw {leak['n_synthetic']:,} synthetic users")
    return f"{_ended('; '.join(parts))} No privacy guarantee."


def _answer(
    question: str,
    values: Mapping[str, Value],
    notes: Mapping[str, MetricNote],
    cautions: Mapping[str, str],
) -> Answer:
    for stem in QUESTIONS[question]:
        for name, value in values.items():
            note = notes[name]
            plain = note.tail in (None, "implausible") and not note.conditional
            if name.split("@")[0] == stem and plain and not note.second_opinion:
                if value["value"] is None:
                    continue
                verdict = verdict_of(question, value, is_known=stem == MEMBERSHIP)
                asked = stem if stem == MEMBERSHIP else question
                sentence = f"{_SENTENCES[stem](value, note)} {_VERDICTS[asked, verdict]}"
                return Answer(metric=name, verdict=verdict, sentence=sentence)
        if stem in cautions:
            return Answer(metric=None, verdict="not asked", sentence=_ended(cautions[stem]))
    return Answer(metric=None, verdict="not asked", sentence=_ended(DEFAULT_REASON))


def verdict_of(question: str, value: Value, *, is_known: bool = False) -> str:
    """Say whether an interval shows synthetic users to be worse than real ones.

    The distance from what real users get must exceed 1.96 standard errors, those of the value and
    of the ceiling together. A measure of copying is 0 by its definition where nobody was copied, so
    that a ceiling which came out below 0 counts as 0. Where the ceiling `is_known` by construction
    it has no standard error.
    """
    mean, real = value["value"], value["real_users"]
    if mean is None or real is None or value["low"] is None or value["high"] is None:
        return "open"
    if question == "nobodys":
        real = max(real, 0.0)
    own = (value["high"] - value["low"]) / (2 * NORMAL_REACH)
    others = 0.0 if is_known else (value["minimum_detectable"] or 0.0) / POWER_SHIFT
    excess = real - mean if question == "complete" else mean - real
    return "worse" if excess > NORMAL_REACH * math.hypot(own, others) else "as real users"


def _ended(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def _unrealistic(value: Value, note: MetricNote) -> str:
    level = 1 - (note.level or 0.05)
    return (
        f"{percent(value['value'] or 0)} of the users are less plausible than {level:.0%} of real "
        f"users (real users: {_real(value)})."
    )


def _plausibility(value: Value, _note: MetricNote) -> str:
    return (
        f"Plausibility is {number(value['value'])} away from that of real users "
        f"(real users: {number(value['real_users'])})."
    )


def _covered(value: Value, _note: MetricNote) -> str:
    return (
        f"{percent(value['value'] or 0)} of real users have a synthetic user near them "
        f"(real users: {_real(value)})."
    )


def _told(value: Value, _note: MetricNote) -> str:
    return (
        f"Training users can be told from new users with an AUC of {number(value['value'])} "
        f"({number(value['real_users'])} would be by chance)."
    )


def _copied(value: Value, _note: MetricNote) -> str:
    return (
        f"Users lie nearest to a training user {number(value['value'])} more often than chance "
        f"gives, where 1 is copies (new real users: {number(value['real_users'])})."
    )


def _real(value: Value) -> str:
    real = value["real_users"]
    return "not known" if real is None else percent(real)


_SENTENCES = {
    "UnrealisticUsers": _unrealistic,
    "PlausibilityKS": _plausibility,
    "NeighbourCoverage": _covered,
    "NeighbourRecall": _covered,
    MEMBERSHIP: _told,
    "CopiedUsers": _copied,
}
_VERDICTS = {
    ("believable", "worse"): "Less believable than real users.",
    ("believable", "as real users"): "No difference from real users was found.",
    ("believable", "open"): "Whether that differs from real users is open.",
    ("complete", "worse"): "Some kinds of real users are missing.",
    ("complete", "as real users"): "No kind of real users was found missing.",
    ("complete", "open"): "Whether kinds of users are missing is open.",
    ("nobodys", "worse"): "Nearer to the training users than new real users are.",
    ("nobodys", "as real users"): "No copying beyond that of new real users was found.",
    ("nobodys", "open"): "Whether users were copied is open.",
    (MEMBERSHIP, "worse"): "The synthetic users give training users away.",
    (MEMBERSHIP, "as real users"): "No leak was found by these attacks, which is no guarantee.",
    (MEMBERSHIP, "open"): "Whether training users are given away is open.",
}
