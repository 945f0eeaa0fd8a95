"""Users set aside from a split of ratings, as profiles over the items of its training set."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from cornac.data import Dataset

from cornac_mle.checks import refusal
from cornac_mle.eval_methods.user_splits import Groups, feedback_frame, keep_likes, users_with
from cornac_mle.profiles import Profiles, ids_index

Row = tuple[Any, ...]
"""One interaction: user, item, rating[, timestamp]."""

SETTINGS = {"min_items": 2, "n_splits": 20, "n_samples": 1, "dataset_name": "data"}
"""Further settings of realism, with their defaults."""
OF_CORNAC = (
    "fmt", "global_uid_map", "global_iid_map", "user_feature", "user_text", "user_image",
    "user_graph", "item_feature", "item_text", "item_image", "item_graph", "sentiment",
    "review_text",
)  # fmt: skip
"""What Cornac's methods take beyond their signature."""

NOTABLE_SHARE = 0.01
"""Share of training users too small to be compared with that is worth a word."""


def split_settings(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tell settings of realism, with defaults filled in, from those of Cornac.

    Raises
    ------
    TypeError
        If a name is neither: Cornac would take it without a word.
    """
    for name in settings:
        if name not in (*SETTINGS, *OF_CORNAC):
            known = ", ".join(("held_out_share", "against", *SETTINGS))
            raise TypeError(refusal("settings", f"be of {known}", f"{name!r}"))
    own = {name: settings.get(name, default) for name, default in SETTINGS.items()}
    return own, {name: settings[name] for name in OF_CORNAC if name in settings}


def as_rows(data: Any) -> Any:
    """Make Cornac's tuples of a DataFrame; leave any other data, and None, as they are.

    Raises
    ------
    ValueError
        If a DataFrame lacks a column user, item or rating.
    """
    if not isinstance(data, pd.DataFrame):
        return data
    columns = ["user", "item", "rating"]
    missing = [name for name in columns if name not in data.columns]
    if missing:
        got = f"columns {', '.join(map(str, data.columns))}"
        rule = "have the columns user, item, rating[, timestamp]"
        raise ValueError(refusal("data", rule, got, "Rename the columns."))
    columns += ["timestamp"] if "timestamp" in data.columns else []
    return list(data[columns].itertuples(index=False, name=None))


def checked_shares(shares: tuple[float, float]) -> tuple[float, float]:
    """Return the shares of reference and held-out users, or raise."""
    rule = "be two numbers above 0, of a sum below 1"
    advice = 'Pass for example (0.2, 0.2), or against="test" to set nobody aside.'
    try:
        reference, held_out = (float(share) for share in shares)
    except (TypeError, ValueError):
        raise ValueError(refusal("held_out_share", rule, repr(shares), advice)) from None
    if not (reference > 0 and held_out > 0 and reference + held_out < 1):
        raise ValueError(refusal("held_out_share", rule, repr(shares), advice))
    return reference, held_out


def check_apart(train_rows: Iterable[Row], aside: Mapping[str, Iterable[Row]]) -> None:
    """Raise if a user of a group set aside is a training user, or is in both groups."""
    seen = dict.fromkeys((row[0] for row in train_rows), "train_data")
    for name, rows in aside.items():
        for user in dict.fromkeys(row[0] for row in rows):
            if user in seen:
                rule, got = f"share no user with `{seen[user]}`", repr(user)
                advice = "A user may be in one group only."
                raise ValueError(refusal(f"{name}_data", rule, got, advice))
            seen[user] = f"{name}_data"


def known_profiles(
    rows: Sequence[Row], item_ids: pd.Index, min_items: int
) -> tuple[Profiles, dict[str, int]]:
    """Profiles of users set aside over the items of the training set, and counts of losses.

    All pairs are kept, whatever the rating, as models are fitted on all of them.

    Returns
    -------
    Profiles, dict
        Users who have at least `min_items` of the items; what was left out, and how much of it.

    Raises
    ------
    ValueError
        If nothing is left, or an id or a rating is missing, or a rating is not above 0.
    """
    frame, dropped = keep_likes(feedback_frame(rows), None, "likes")
    known = frame[frame["item"].isin(item_ids)]
    users = users_with(known, min_items)
    kept = known[known["user"].isin(users)]
    counts = dropped | {
        "interactions with items of no training user": len(frame) - len(known),
        f"users left with fewer than {min_items} items": frame["user"].nunique() - len(users),
    }
    part = Profiles.from_frame(kept, user_ids=ids_index(list(users)), item_ids=item_ids)
    return part, counts


def halves_of_test(
    test_set: Dataset, item_ids: pd.Index, min_items: int, rng: np.random.Generator
) -> tuple[Profiles, Profiles, dict[str, int]]:
    """Split the users of a test set at random into reference and held-out users.

    Each is its test items that are of `item_ids`. Most are training users, too, so they get names
    of their own.
    """
    everyone = Profiles.from_dataset(test_set).align(item_ids)
    enough = np.flatnonzero(everyone.sizes >= min_items)
    counts = {f"test users with fewer than {min_items} known items": len(everyone) - len(enough)}
    halves = []
    for rows in np.array_split(rng.permutation(enough), 2):
        part = everyone[np.sort(rows)]
        names = ids_index([f"{user} in the test set" for user in part.user_ids])
        halves.append(Profiles(part.matrix, names, item_ids))
    return halves[0], halves[1], counts


def caution_of(groups: Groups, against: str, min_items: int) -> str | None:
    """Say in what the real users differ by design from those that a model is fitted on."""
    if against == "test":
        mean_test, mean_train = (
            float(np.mean(part.sizes)) if len(part) else 0.0
            for part in (groups.held_out, groups.train)
        )
        return (
            f"compared with test items of training users, {mean_test:.1f} a user, where a training "
            f"profile has {mean_train:.1f}: sizes differ by design, and copying is overstated"
        )
    small = float(np.mean(groups.train.sizes < min_items))
    if small < NOTABLE_SHARE:
        return None
    return (
        f"{small:.0%} of the training users have fewer than {min_items} items, and so about as "
        "many synthetic users, but none of the real users that they are compared with"
    )
