"""Users to look at, made ready to be laid out: names cut, reasons in words."""

from collections.abc import Mapping
from typing import Any

from cornac_mle.report import _layout
from cornac_mle.report._numbers import NO_VALUE, counted, number
from cornac_mle.report.page._detail import Detail
from cornac_mle.report.summary import Model

KINDS = {
    "worst": ("The least plausible", "-u"),
    "typical": ("A typical one", "-t"),
    "real": ("Real users, to compare", "-r"),
}
"""Headings of the groups, and what the ids of their users begin with."""


def gallery_of(model: Model, detail: Detail) -> dict[str, Any] | None:
    """Make the users of a model ready; None where none were chosen, or none are to be shown."""
    found = model["gallery"]
    if not found or not detail.worst:
        return None
    most = {"worst": detail.worst, "typical": 1, "real": detail.real}
    groups = []
    for kind, (heading, prefix) in KINDS.items():
        users = [user for user in found.get("users", []) if user["kind"] == kind]
        if users and most[kind]:
            groups.append(
                {
                    "kind": kind,
                    "heading": heading,
                    "prefix": prefix,
                    "users": [_user(user, detail) for user in users[: most[kind]]],
                }
            )
    return {
        "n_flagged": found.get("n_flagged"),
        "flagged": _layout.flagged_sentence(model),
        "groups": groups,
        "pairs": [_pair(pair, detail) for pair in found.get("pairs", [])],
        "example": _example(found.get("users", [])[: detail.worst], detail),
    }


def name_of(item: Mapping[str, Any], key: str = "name", otherwise: str = "item") -> str:
    """Give the name of an item, or its id where it has none."""
    return str(item.get(key) or item[otherwise])


def _user(user: Mapping[str, Any], detail: Detail) -> dict[str, Any]:
    odd = [item for item in user["items"] if item["is_offending"]]
    others = [item for item in user["items"] if not item["is_offending"]]
    listed = others[: detail.items]
    return {
        "id": detail.name(user["id"]),
        "kind": user["kind"],
        "is_flagged": user["is_flagged"],
        "p_value": number(user["p_value"]),
        "n_items": counted(user["n_items"], "item"),
        "n_odd": len(odd),
        "odd": [_odd(item, detail) for item in odd],
        "others": [detail.name(name_of(item)) for item in listed],
        "n_more": user["n_more"] + len(others) - len(listed),
    }


def _odd(item: Mapping[str, Any], detail: Detail) -> dict[str, str]:
    """Say how odd a preference is and why: what real users who hold the others do."""
    share, against = _layout.against(item)
    why = item["why"] or ""
    if why.startswith("odder than"):  # the share says it already
        why = why.partition("; ")[2]
    if not why:
        why = against.strip("()") if against.startswith("(") else f"does not go with {against}"
    return {
        "name": detail.name(name_of(item)),
        "share": "" if share == NO_VALUE else share,
        "why": detail.sentence(why),
    }


def _example(users: list[Mapping[str, Any]], detail: Detail) -> dict[str, Any] | None:
    """Choose one preference that shows best what is wrong with the least plausible users.

    One that no real user has, or else the oddest of those that counts of real users tell, or else
    of those that something speaks against.
    """
    found = [
        (
            item["why"] != _layout.NOBODY_HOLDS_IT,
            "; only " not in (item["why"] or ""),
            not item["against"],
            item["p_value"] or 0.0,
            place,
        )
        for place, (_, item) in enumerate(_worst(users))
    ]
    if not found:
        return None
    user, item = _worst(users)[min(found)[-1]]
    return {
        "place": [id(one) for one in users].index(id(user)),
        "user": detail.name(user["id"]),
        "is_flagged": user["is_flagged"],
        **_odd(item, detail),
    }


def _worst(users: list[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return [
        (user, item)
        for user in users
        if user["kind"] == "worst"
        for item in user["items"]
        if item["is_offending"]
    ]


def _pair(pair: Mapping[str, Any], detail: Detail) -> dict[str, str]:
    return {
        "item": detail.name(name_of(pair)),
        "other": detail.name(name_of(pair, "other_name", "other_item")),
        "real": f"{pair['real_count']:,}",
        "expected": number(pair["expected_count"]),
        "synthetic": f"{pair['synthetic_count']:,}",
    }
