"""From raw feedback to disjoint groups of users over one catalogue, with a count of losses."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from cornac.data import Dataset

from cornac_mle.checks import check_choice, check_count, check_number, check_reals, refusal, written
from cornac_mle.files.ids import factorised, spelled_id
from cornac_mle.files.tables import SupportsArrow, SupportsInterchange, frame_of
from cornac_mle.profiles import (
    Profiles,
    check_alike,
    check_one_type,
    ids_index,
    rating_numbers,
    sorted_ids,
)

GROUPS = ("train", "validation", "reference", "held_out")
RATING_WORDS = frozenset({"rating", "ratings", "rate", "score", "scores", "star", "stars", "value"})
"""Names of columns, in lower case, that may well hold ratings: never ignored without a word."""
DUPLICATES = ("first", "last", "max")


@dataclass(frozen=True, eq=False)
class Groups:
    """Disjoint groups of users over one catalogue, the items that anybody holds.

    The catalogue does not depend on who is in which group, so that no group loses items that
    another one keeps: a training user and a held-out user are cut alike, namely not at all.

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

    @property
    def training_items(self) -> pd.Index:
        """Items that training users hold: all that a model can know, the first of the catalogue."""
        return self.train.item_ids[: int(np.count_nonzero(self.train.item_counts))]


def feedback_frame(
    data: pd.DataFrame | SupportsArrow | SupportsInterchange | Iterable[tuple[object, ...]],
) -> pd.DataFrame:
    """Long table (user, item, rating[, timestamp]) from a table or from Cornac's tuples.

    A table may be of another library that speaks Arrow or the interchange protocol. One without a
    rating column gets 1 everywhere; further columns are left out.

    Raises
    ------
    TypeError, ValueError
        If it is neither, is empty, lacks a column or has ratings under another name, if an id or a
        rating is missing or no number, or if ids of two types look alike.
    """
    table = frame_of(data)
    if table is not None:
        frame = _named_columns(table)
    else:
        if not isinstance(data, Iterable) or isinstance(data, str | bytes | Mapping):
            rule = "be a table or (user, item, rating) tuples"
            raise TypeError(refusal("data", rule, written(data)))
        triplets: Iterable[Any] = data
        rows = [tuple(row) for row in triplets]
        width = len(rows[0]) if rows else 3
        if other := next((row for row in rows if not 3 <= len(row) == width <= 4), None):
            rule = "hold (user, item, rating[, timestamp]) tuples, all of one length"
            advice = "Are these lists of items? Make a row of every item."
            raise ValueError(refusal("data", rule, repr(other), advice))
        columns = ["user", "item", "rating", "timestamp"][:width]
        frame = pd.DataFrame(rows, columns=columns)
    if frame.empty:
        raise ValueError(refusal("data", "hold at least one interaction", "none"))
    numbers = rating_numbers(frame["rating"])
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        place = int(np.argmax(wrong))
        user, item, rating = (frame[name].iloc[place] for name in ("user", "item", "rating"))
        context = f"user {spelled_id(user)}, item {spelled_id(item)} (row {place})"
        advice = "Drop or fill such rows."
        raise ValueError(refusal("rating", "be a finite number", rating, advice, context))
    for name in ("user", "item"):
        places, ids = factorised(frame[name])
        if (places < 0).any():
            context = f"row {int(np.argmax(places < 0))}"
            raise ValueError(refusal(name, "be given in every row", "none", context=context))
        check_one_type(name, ids)
    return frame.assign(rating=numbers).reset_index(drop=True)


def _named_columns(data: pd.DataFrame) -> pd.DataFrame:
    """Take the columns user, item, rating[, timestamp]; say so where ratings have another name."""
    got = f"columns {', '.join(map(str, data.columns))}"
    for column in ("user", "item"):
        if column not in data.columns:
            rule = "have the columns user, item[, rating]"
            raise ValueError(refusal("data", rule, got, "Rename the columns."))
    for column in ("user", "item", "rating", "timestamp"):
        if np.count_nonzero(data.columns == column) > 1:
            rule = f"have one column {column!r}"
            raise ValueError(refusal("data", rule, got, "Drop or rename the others."))
    if "rating" not in data.columns:
        alike = [name for name in data.columns if str(name).strip().lower() in RATING_WORDS]
        if alike:
            rule = "have its ratings in a column `rating`"
            advice = f"Rename {alike[0]!r} to 'rating', or drop it: then every pair counts as 1."
            raise ValueError(refusal("data", rule, got, advice))
    columns = ["user", "item", "rating", *(["timestamp"] if "timestamp" in data.columns else [])]
    frame = data.reindex(columns=columns)
    return frame if "rating" in data.columns else frame.assign(rating=1.0)


def keep_likes(
    frame: pd.DataFrame,
    rating_threshold: float | None,
    feedback: str,
    duplicates: str | None = None,
    *,
    name: str = "",
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Keep one row of repeated pairs and, for likes, values of at least the threshold.

    Parameters
    ----------
    frame : DataFrame
        Table of `feedback_frame`.
    rating_threshold : float or None
        Least value of a like.
    feedback : {"likes", "ratings"}
        Whether values below the threshold are dropped.
    duplicates : {"first", "last", "max"}, optional
        Row of a repeated pair that counts: by time where there are timestamps, otherwise by place,
        or the largest rating. None: the largest for likes, so that a like is not lost because it
        was given at another time, and the first for ratings, as in Cornac.
    name : str
        What errors call the table, where there are several.

    Returns
    -------
    DataFrame, dict
        Columns user, item, rating of what is left, and counts of what is not: rows, and users of
        whom nothing is left.

    Raises
    ------
    ValueError
        If a value that is left is not above 0.
    """
    check_choice("feedback", feedback, ("likes", "ratings"))
    if rating_threshold is not None:
        rating_threshold = check_number("rating_threshold", rating_threshold)
    if duplicates is None:
        duplicates = "max" if feedback == "likes" else "first"
    check_choice("duplicates", duplicates, DUPLICATES)
    order = "rating" if duplicates == "max" else "timestamp"
    if order in frame.columns and not frame[order].is_monotonic_increasing:
        try:
            frame = frame.sort_values(order, kind="stable")
        except TypeError:  # text and numbers have no order
            kinds = " and ".join(sorted({type(value).__name__ for value in frame[order]}))
            raise TypeError(refusal(order, "be all numbers, or all text", kinds)) from None
    twice = frame.duplicated(["user", "item"], keep="first" if duplicates == "first" else "last")
    frame = frame.loc[~twice, ["user", "item", "rating"]].sort_index()
    dropped = {"repeated pairs": int(twice.sum())}
    if feedback == "likes" and rating_threshold is not None:
        low = frame["rating"] < rating_threshold
        if low.all():
            raise ValueError(_nothing_is_a_like(frame["rating"], rating_threshold, name))
        users = frame["user"].nunique()
        frame = frame[~low]
        dropped[f"ratings below {rating_threshold:g}"] = int(low.sum())
        if lost := users - frame["user"].nunique():
            dropped[f"users without a rating of {rating_threshold:g} or more"] = lost
    wrong = ~(frame["rating"].to_numpy() > 0)
    if wrong.any():
        place = int(np.argmax(wrong))
        user, item, rating = (frame[name].iloc[place] for name in ("user", "item", "rating"))
        advice = "Give a rating_threshold above 0 (lower ratings are no likes), or shift the scale."
        context = f"user {spelled_id(user)}, item {spelled_id(item)}"
        raise ValueError(refusal("rating", "be above 0", rating, advice, context))
    return frame, dropped


def _nothing_is_a_like(ratings: "pd.Series[float]", threshold: float, name: str) -> str:
    """Spell that a threshold leaves nothing, and why that may be."""
    rule = f"be at most the largest rating, {ratings.max():g}, or nothing is a like"
    advice = ""
    if ratings.eq(1).all():
        advice = "All its values are 1: has it no ratings, or are they in another column?"
    return refusal("rating_threshold", rule, threshold, advice, f"table {name!r}" if name else "")


def users_with(frame: pd.DataFrame, min_items: int) -> pd.Index:
    """Users with at least `min_items` items, in an order that is not the table's."""
    sizes = frame.groupby("user", sort=False)["item"].size()
    return sorted_ids(sizes.index[sizes >= min_items])


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
    given = check_reals("shares", shares)
    if given.shape != (3,) or not np.all(np.isfinite(given) & (given > 0)):
        advice = "Pass for example (0.5, 0.25, 0.25)."
        raise ValueError(refusal("shares", "be three numbers above 0", repr(shares), advice))
    if not 0 <= check_number("validation_share", validation_share) < 1:
        raise ValueError(refusal("validation_share", "be in [0, 1)", validation_share))
    min_items = check_count("min_items", min_items)
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
    """Bring groups to one catalogue: the items of training users, then those of others.

    Raises
    ------
    ValueError
        If a group has fewer than 2 users left, holds nothing that training users hold, or shares a
        user with another.
    """
    frames = dict(zip(GROUPS, (train, validation, reference, held_out), strict=True))
    present = {name: part for name, part in frames.items() if part is not None and len(part)}
    kept = {
        name: part[part["user"].isin(users_with(part, min_items))] for name, part in present.items()
    }
    small = sum(
        present[name]["user"].nunique() - part["user"].nunique() for name, part in kept.items()
    )
    check_one_type(
        "users of the groups", [user for p in kept.values() for user in p["user"].unique()]
    )
    check_disjoint({name: part["user"].unique() for name, part in kept.items()})
    for name in ("train", "reference", "held_out"):
        left = kept[name]["user"].nunique() if name in kept else 0
        if left < 2:
            rule = f"have at least 2 users with {min_items} items or more"
            raise ValueError(refusal(name, rule, left, "Use a larger data set."))
    known = sorted_ids(kept["train"]["item"].unique())
    others = {item for part in kept.values() for item in part["item"].unique()}
    items = ids_index([*known, *sorted_ids(others.difference(known))])
    counts = dict(dropped)
    lost = 0
    groups: dict[str, Profiles] = {}
    for name, part in kept.items():
        unknown = ~part["item"].isin(known)
        if unknown.all():
            check_alike(name, part["item"].iloc[0], "train", known[0])
        lost += int(unknown.sum())
        users = sorted_ids(part["user"].unique())
        groups[name] = Profiles.from_frame(part, user_ids=users, item_ids=items)
    label = "interactions with items of no training user, from fits and rankings only"
    counts |= {label: lost, f"users of a group with fewer than {min_items} items": small}
    return Groups(
        groups["train"],
        groups.get("validation"),
        groups["reference"],
        groups["held_out"],
        counts,
    )


def check_disjoint(groups: Mapping[str, Iterable[Hashable]]) -> None:
    """Refuse groups that share a user.

    Raises
    ------
    ValueError
        Naming the first shared user and both groups.
    """
    seen: dict[Hashable, str] = {}
    for name, users in groups.items():
        for user in users:
            if user in seen:
                rule, got = f"share no user with `{seen[user]}`", repr(user)
                advice = "A user may be in one group only."
                raise ValueError(refusal(name, rule, got, advice))
            seen[user] = name


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
    users, items = (sorted_ids(likes[name].unique()) for name in ("user", "item"))
    everyone = Profiles.from_frame(likes, user_ids=users, item_ids=items)
    rows = np.random.default_rng(seed).permutation(len(everyone))
    n_validation = round(validation_share * len(rows))
    if n_validation < 2:
        return everyone.to_dataset(seed=seed), None
    train, validation = everyone[rows[n_validation:]], everyone[rows[:n_validation]]
    val_set = validation.to_dataset(first_user=len(train), seed=seed)
    return train.to_dataset(seed=seed), val_set
