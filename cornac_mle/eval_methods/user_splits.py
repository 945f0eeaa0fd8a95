"""From raw feedback to disjoint groups of users over one catalogue, with a count of losses."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from cornac.data import Dataset

from cornac_mle.checks import check_choice, check_count, check_number, refusal
from cornac_mle.profiles import Profiles, ids_index

GROUPS = ("train", "validation", "reference", "held_out")


@dataclass(frozen=True, eq=False)
class Groups:
    """Disjoint groups of users over the catalogue, the items of training users.

    Attributes
    ----------
    train, reference, held_out : Profiles
        Users that models are fitted on, that judges are fitted on, that others are compared with.
    validation : Profiles or None
        Users that models stop early on.
    dropped : dict
        What was left out before anything was fitted, and how much.
    """

    train: Profiles
    validation: Profiles | None
    reference: Profiles
    held_out: Profiles
    dropped: dict[str, int]

    @property
    def sizes(self) -> dict[str, int]:
        """Users in each group."""
        validation = 0 if self.validation is None else len(self.validation)
        counts = (len(self.train), validation, len(self.reference), len(self.held_out))
        return dict(zip(GROUPS, counts, strict=True))


def feedback_frame(data: pd.DataFrame | Iterable[tuple[object, ...]]) -> pd.DataFrame:
    """Long table (user, item, rating) from a DataFrame or from Cornac's triplets.

    A DataFrame without a rating column gets 1 everywhere; further columns, and timestamps of
    quadruplets, are left out.

    Raises
    ------
    TypeError, ValueError
        If it is neither, is empty, lacks a column, or an id or a rating is missing or no number.
    """
    if isinstance(data, pd.DataFrame):
        for column in ("user", "item"):
            if column not in data.columns:
                got = f"columns {', '.join(map(str, data.columns))}"
                rule = "have the columns user, item[, rating]"
                raise ValueError(refusal("data", rule, got, "Rename the columns."))
        frame = data.reindex(columns=["user", "item", "rating"])
        if "rating" not in data.columns:
            frame["rating"] = 1.0
    else:
        rows = [tuple(row)[:3] for row in data]
        if any(len(row) != 3 for row in rows):
            short = next(row for row in rows if len(row) != 3)
            raise ValueError(refusal("data", "hold (user, item, rating) triplets", repr(short)))
        frame = pd.DataFrame(rows, columns=["user", "item", "rating"])
    if frame.empty:
        raise ValueError(refusal("data", "hold at least one interaction", "none"))
    numbers = pd.to_numeric(frame["rating"], errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        place = int(np.argmax(wrong))
        user, item, rating = frame.iloc[place]
        context = f"user {user!r}, item {item!r} (row {place})"
        advice = "Drop or fill such rows."
        raise ValueError(refusal("rating", "be a finite number", rating, advice, context))
    for name in ("user", "item"):
        missing = frame[name].isna().to_numpy()
        if missing.any():
            context = f"row {int(np.argmax(missing))}"
            raise ValueError(refusal(name, "be given in every row", "none", context=context))
    return frame.assign(rating=numbers).reset_index(drop=True)


def keep_likes(
    frame: pd.DataFrame, rating_threshold: float | None, feedback: str
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Drop repeated pairs (the first counts) and, for likes, values below the threshold.

    Returns
    -------
    DataFrame, dict
        What is left, and counts of what is not.

    Raises
    ------
    ValueError
        If a value that is left is not above 0.
    """
    check_choice("feedback", feedback, ("likes", "ratings"))
    if rating_threshold is not None:
        check_number("rating_threshold", rating_threshold)
    twice = frame.duplicated(["user", "item"])
    frame = frame[~twice]
    dropped = {"repeated pairs": int(twice.sum())}
    if feedback == "likes" and rating_threshold is not None:
        low = frame["rating"] < rating_threshold
        frame = frame[~low]
        dropped[f"ratings below {rating_threshold:g}"] = int(low.sum())
        if frame.empty:
            rule = "be at most the largest rating, or nothing is a like"
            raise ValueError(refusal("rating_threshold", rule, rating_threshold))
    wrong = ~(frame["rating"].to_numpy() > 0)
    if wrong.any():
        user, item, rating = frame.iloc[int(np.argmax(wrong))]
        advice = "Give a rating_threshold above 0 (lower ratings are no likes), or shift the scale."
        context = f"user {user!r}, item {item!r}"
        raise ValueError(refusal("rating", "be above 0", rating, advice, context))
    return frame, dropped


def users_with(frame: pd.DataFrame, min_items: int) -> pd.Index:
    """Users with at least `min_items` items, in order of first appearance."""
    sizes = frame.groupby("user", sort=False)["item"].size()
    return sizes.index[sizes >= min_items]


def split_users(
    frame: pd.DataFrame,
    shares: tuple[float, float, float],
    validation_share: float,
    min_items: int,
    rng: np.random.Generator,
) -> Groups:
    """Put whole users at random into train (and validation), reference and held-out.

    Parameters
    ----------
    frame : DataFrame
        From `keep_likes`.
    shares : tuple of float
        Shares of train (with validation), reference and held-out users; they are scaled to sum to
        1.
    validation_share : float
        Share of the train group that models stop early on, in [0, 1).
    min_items : int
        Users with fewer items are dropped and counted.
    """
    if len(shares) != 3 or not all(np.isfinite(share) and share > 0 for share in shares):
        advice = "Pass for example (0.5, 0.25, 0.25)."
        raise ValueError(refusal("shares", "be three numbers above 0", repr(shares), advice))
    if not 0 <= validation_share < 1:
        raise ValueError(refusal("validation_share", "be in [0, 1)", validation_share))
    check_count("min_items", min_items)
    users = users_with(frame, min_items)
    small = frame["user"].nunique() - len(users)
    edges = np.round(np.cumsum(shares) / np.sum(shares) * len(users)).astype(int)
    n_train, n_reference = edges[0], edges[1] - edges[0]
    if min(n_train, n_reference, edges[2] - edges[1]) < 2:
        got = f"{len(users)} users with at least {min_items} items"
        rule = "leave at least 2 users in each of train, reference and held-out"
        raise ValueError(refusal("data", rule, got, "Use a larger data set."))
    shuffled = users[rng.permutation(len(users))]
    n_validation = round(validation_share * int(n_train))
    parts = np.split(np.arange(len(users)), [n_train - n_validation, n_train, edges[1]])
    train, validation, reference, held_out = (
        frame[frame["user"].isin(shuffled[part])] for part in parts
    )
    counted = {f"users with fewer than {min_items} items": small}
    return join_groups(train, validation, reference, held_out, min_items, counted)


def join_groups(
    train: pd.DataFrame,
    validation: pd.DataFrame | None,
    reference: pd.DataFrame,
    held_out: pd.DataFrame,
    min_items: int,
    dropped: dict[str, int],
) -> Groups:
    """Bring groups to one catalogue, the items of training users; count what no model can make.

    Raises
    ------
    ValueError
        If a group has fewer than 2 users left, or two groups share a user.
    """
    items = ids_index(list(train["item"].unique()))
    counts = dict(dropped)
    lost = small = 0
    groups: dict[str, Profiles | None] = {}
    frames = (train, validation, reference, held_out)
    seen: dict[object, str] = {}
    for name, frame in zip(GROUPS, frames, strict=True):
        if frame is None or frame.empty:
            groups[name] = None
            continue
        known = frame[frame["item"].isin(items)]
        lost += len(frame) - len(known)
        users = users_with(known, min_items)
        small += frame["user"].nunique() - len(users)
        for user in users:
            if user in seen:
                rule, got = f"share no user with `{seen[user]}`", repr(user)
                advice = "A user may be in one group only."
                raise ValueError(refusal(name, rule, got, advice))
            seen[user] = name
        kept = known[known["user"].isin(users)]
        groups[name] = Profiles.from_frame(kept, user_ids=ids_index(list(users)), item_ids=items)
    for name in ("train", "reference", "held_out"):
        group = groups[name]
        if group is None or len(group) < 2:
            left = 0 if group is None else len(group)
            rule = f"have at least 2 users with {min_items} items of the training users' catalogue"
            raise ValueError(refusal(name, rule, left, "Use a larger data set."))
    counts["interactions with items of no training user"] = lost
    counts[f"users left with fewer than {min_items} items"] = small
    assert groups["train"] is not None
    assert groups["reference"] is not None
    assert groups["held_out"] is not None
    return Groups(
        groups["train"], groups["validation"], groups["reference"], groups["held_out"], counts
    )


def whole_data(
    frame: pd.DataFrame, rating_threshold: float | None, *, seed: int, validation_share: float = 0.1
) -> tuple[Dataset, Dataset | None]:
    """Training and validation sets of Cornac with all users of a feedback table.

    For fitting a model that is to be used, not evaluated: no user is held out, but a share stops
    the fit early (none where that would leave fewer than two).

    Returns
    -------
    train_set, val_set : cornac.data.Dataset
    """
    likes, _ = keep_likes(frame, rating_threshold, "likes")
    everyone = Profiles.from_frame(likes)
    rows = np.random.default_rng(seed).permutation(len(everyone))
    n_validation = round(validation_share * len(rows))
    if n_validation < 2:
        return everyone.to_dataset(seed=seed), None
    train, validation = everyone[rows[n_validation:]], everyone[rows[:n_validation]]
    val_set = validation.to_dataset(first_user=len(train), seed=seed)
    return train.to_dataset(seed=seed), val_set
