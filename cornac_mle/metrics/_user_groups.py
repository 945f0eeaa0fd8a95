"""Groups of users that an evaluator may be fitted on: disjoint, over the same items."""

import pandas as pd

from cornac_mle.checks import refusal
from cornac_mle.profiles import Profiles, check_profiles


def check_groups(groups: dict[str, Profiles]) -> None:
    """Refuse groups that share a user, differ in items or are too small.

    Raises
    ------
    ValueError
        Naming the groups and the first shared user.
    """
    for name, group in groups.items():
        check_profiles(name, group)
    names = list(groups)
    items = groups[names[0]].item_ids
    for name, group in groups.items():
        if len(group) < 2:
            advice = "Give more users, or a larger share of them."
            raise ValueError(refusal(name, "have at least 2 users", len(group), advice))
        if not group.item_ids.equals(items):
            rule = f"have the items of `{names[0]}`, in the same order"
            advice = "Call align(item_ids) first."
            raise ValueError(refusal(name, rule, "others", advice))
    for place, name in enumerate(names):
        for other in names[place + 1 :]:
            shared = groups[name].user_ids.intersection(pd.Index(groups[other].user_ids))
            if len(shared):
                rule = f"share no user with `{other}`"
                got = f"{len(shared)} shared, {shared[0]!r} first"
                advice = "A user may be in one group only."
                raise ValueError(refusal(name, rule, got, advice))
