"""Users set aside from a split of ratings, as profiles over the items of its training set."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from cornac.data import Dataset

from cornac_mle.checks import refusal
from cornac_mle.eval_methods.user_splits import Groups, feedback_frame, keep_likes, users_with
from cornac_mle.profiles import Profiles, ids_index, sorted_ids

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


def set_aside_note(groups: Iterable[str]) -> str:
    """Say in one line how many users are set aside, given the group of each, "" of the others.

    >>> set_aside_note(["", "reference", "held_out", "", "", ""])[:30]
    '2 of 6 users are set aside for'
    """
    counts = Counter(groups)
    everyone, left = sum(counts.values()), counts[""]
    return (
        f"{everyone - left:,} of {everyone:,} users are set aside for realism metrics, so accuracy "
        f'is of models of the other {left:,}; against="test" keeps Cornac\'s numbers exactly, but '
        "realism then has little power"
    )


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


def groups_beside(
    train: Profiles, reference: Sequence[Row], held_out: Sequence[Row], min_items: int
) -> Groups:
    """Join training users and users held out of a split of ratings over one catalogue.

    All pairs are kept, whatever the rating, as models are fitted on all of them; the first of
    repeated pairs counts, as in Cornac. The catalogue is that of the training set, and behind it
    the items that only others hold. Users with fewer than `min_items` items are left out.

    Raises
    ------
    ValueError
        If nothing is left, an id or a rating is missing, or a rating is not above 0.
    """
    counts: dict[str, int] = {}
    frames = []
    for rows in (reference, held_out):
        frame, dropped = keep_likes(feedback_frame(rows), None, "likes", "first")
        users = users_with(frame, min_items)
        dropped[f"users with fewer than {min_items} items"] = frame["user"].nunique() - len(users)
        for reason, lost in dropped.items():
            counts[reason] = counts.get(reason, 0) + lost
        frames.append(frame[frame["user"].isin(users)])
    found = {item for frame in frames for item in frame["item"].unique()}
    others = sorted_ids(found.difference(train.item_ids))
    items = ids_index([*train.item_ids, *others])
    parts = [
        Profiles.from_frame(frame, user_ids=sorted_ids(frame["user"].unique()), item_ids=items)
        for frame in frames
    ]
    return Groups(train.split_items(items)[0], None, parts[0], parts[1], counts)


def halves_of_test(
    test_set: Dataset, item_ids: pd.Index, min_items: int, rng: np.random.Generator
) -> tuple[Profiles, Profiles, dict[str, int]]:
    """Split the users of a test set at random into reference and held-out users.

    Each is its test items that are of `item_ids`, the training set's: Cornac's methods leave
    others out of the test set, too. Most are training users, too, so they get names
    of their own.
    """
    everyone = Profiles.from_dataset(test_set).split_items(item_ids)[0]
    enough = np.flatnonzero(everyone.sizes >= min_items)
    counts = {f"test users with fewer than {min_items} known items": len(everyone) - len(enough)}
    halves = []
    for rows in np.array_split(rng.permutation(enough), 2):
        part = everyone[np.sort(rows)]
        names = ids_index([f"{user} in the test set" for user in part.user_ids])
        halves.append(Profiles(part.matrix, names, item_ids))
    return halves[0], halves[1], counts


def caution_of(groups: Groups, against: str) -> str | None:
    """Say in what the real users differ by design from those that a model is fitted on."""
    if against == "users":
        return None
    mean_test, mean_train = (
        float(np.mean(part.sizes)) if len(part) else 0.0 for part in (groups.held_out, groups.train)
    )
    return (
        f"compared with test items of training users, {mean_test:.1f} a user, where a training "
        f"profile has {mean_train:.1f}: sizes differ by design, and copying is overstated"
    )
