"""Tables of an audit: read, counted, cut into groups of users and brought to one catalogue."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import scipy.sparse as sp

from cornac_mle.checks import check_name, refusal, written
from cornac_mle.eval_methods.user_splits import feedback_frame, keep_likes, users_with
from cornac_mle.files.any_layout import read_interactions
from cornac_mle.files.tables import SupportsArrow, SupportsInterchange
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.partial.scan import ONLY_UNKNOWN
from cornac_mle.profiles import Profiles, check_alike, check_one_type, ids_index, sorted_ids
from cornac_mle.report.report import Report
from cornac_mle.sparse import users_by_items

logger = logging.getLogger("cornac_mle")
FEWEST_REAL = 4
"""Real users who are no training users: two teach the judge and two calibrate it, at the least."""
FEWEST_TO_KNOW = 3
"""Items of a user who can be known by them: the same pair may be held by many."""
COLUMNS = ("user", "item", "rating", "time")
"""Columns that may be named."""

Users: TypeAlias = (
    Profiles
    | pd.DataFrame
    | SupportsArrow
    | SupportsInterchange
    | str
    | Path
    | Iterable[tuple[Any, ...]]
)
"""Users as people have them: a file, a table, tuples or profiles; a sparse matrix, too."""
Layout: TypeAlias = tuple[Mapping[str, str | int], bool]
"""Which column of a file is which, where that was said, and whether the table is wide."""


@dataclass(frozen=True, eq=False)
class RealGroups:
    """Real users, cut at random.

    Attributes
    ----------
    reference, held_out : DataFrame
        Tables of the users who teach the judges, and of those who are compared.
    train : DataFrame or None
        Table of the users that the generator learnt from.
    items : Index
        Items that any of them holds, in order.
    """

    reference: pd.DataFrame
    held_out: pd.DataFrame
    train: pd.DataFrame | None
    items: pd.Index


def named_sets(synthetic: Users | Mapping[str, Users]) -> dict[str, Users]:
    """Name the sets of synthetic users.

    Raises
    ------
    TypeError, ValueError
        If there is none, or a name is no word, or that of a group of real users.
    """
    named: dict[str, Users]
    if isinstance(synthetic, Mapping):
        named = dict(synthetic)
    elif isinstance(synthetic, str | Path):
        named = {Path(synthetic).name.split(".")[0]: synthetic}
    else:
        named = {"synthetic": synthetic}
    if not named:
        raise ValueError(refusal("synthetic", "hold at least one table", "none"))
    for name in named:
        if not isinstance(name, str):
            raise TypeError(refusal("synthetic", "have names of text", written(name)))
        check_name(name)
        if name in ("real", "train"):
            raise ValueError(refusal("synthetic", "have other names than those", repr(name)))
    return named


def tables_of(
    sources: Mapping[str, Users],
    layout: Layout,
    rating_threshold: float | None,
    report: Report,
    step: Callable[[str], None],
) -> dict[str, pd.DataFrame]:
    """Read tables, in their order.

    Raises
    ------
    TypeError, ValueError
        If one cannot be read, or nothing is a like in one.
    """
    chosen, _ = layout
    for column in chosen:
        if column not in COLUMNS:
            rule = f"name {', '.join(map(repr, COLUMNS))}"
            raise ValueError(refusal("columns", rule, repr(column)))
    tables, unnamed = {}, []
    for name, source in sources.items():
        step(f"reading: {name}")
        frame, has_user_ids = _frame(name, source, layout, report)
        if not has_user_ids:
            unnamed.append(name)
        tables[name], dropped = keep_likes(frame, rating_threshold, "likes", name=name)
        for reason, count in dropped.items():
            if count:
                report.dropped[f"{reason} ({name})"] = count
    if "train" in tables:
        _tell_apart(tables, unnamed, sources, report)
    return tables


def _frame(name: str, source: Users, layout: Layout, report: Report) -> tuple[pd.DataFrame, bool]:
    """Turn users of any kind into a long table, and say whether it has ids of users.

    What was assumed and left out is noted.
    """
    if isinstance(source, Profiles):
        empty = int(np.count_nonzero(source.sizes == 0))
        if empty:
            report.dropped[f"users without items ({name})"] = empty
        return feedback_frame(source.to_frame()), True
    if sp.issparse(source):
        coo = users_by_items(source).tocoo()
        note = f"{name}: a matrix without ids, users and items are row numbers"
        if twice := sp.coo_array(source).nnz - coo.nnz:
            note += f"; {twice:,} entries were added to others of their places"
        report.notes.append(note)
        columns = {"user": coo.coords[0], "item": coo.coords[1], "rating": coo.data}
        return feedback_frame(pd.DataFrame(columns)), False
    if isinstance(source, str | Path):
        chosen, wide = layout
        read = read_interactions(
            source,
            user_column=chosen.get("user"),
            item_column=chosen.get("item"),
            rating_column=chosen.get("rating"),
            time_column=chosen.get("time"),
            wide=wide,
        )
        tell(report, f"{name}: {'; '.join(read.assumed)}")
        for reason, count in read.left_out.items():
            if count:
                report.dropped[f"{reason} ({name})"] = count
        return feedback_frame(read.frame), read.has_user_ids
    if isinstance(source, list | tuple) and source and _is_table(source[0]):
        rule = "be one table, or for synthetic users a mapping of names to tables"
        got = f"a list of {written(type(source[0]).__name__)}"
        raise TypeError(refusal(name, rule, got, 'Write {"one name": ..., "another": ...}.'))
    return feedback_frame(source), True


def _is_table(value: object) -> bool:
    return isinstance(value, str | Path | pd.DataFrame | Profiles) or sp.issparse(value)


def _tell_apart(
    tables: dict[str, pd.DataFrame],
    unnamed: Sequence[str],
    sources: Mapping[str, Users],
    report: Report,
) -> None:
    """Give users without ids others than those of the other table, which are not theirs.

    Raises
    ------
    ValueError
        If most real users hold exactly the items of a training user.
    """
    groups = [name for name in ("real", "train") if name in unnamed]
    if not groups and _only_places_are_shared(tables, sources):
        groups = ["real", "train"]
    if not groups:
        return
    sets = {name: _item_sets(tables[name]) for name in ("real", "train")}
    same = int(sets["real"].isin(sets["train"]).sum())
    if 2 * same > len(sets["real"]):
        rule, got = "hold users who are no training users", f"{same:,} with the items of one"
        advice = "Leave these users out of one of the two: without ids nobody else can."
        raise ValueError(refusal("real", rule, got, advice))
    for name in groups:
        places, users = pd.factorize(tables[name]["user"])
        ids = np.array([f"{name} {user}" for user in users], dtype=object)
        tables[name] = tables[name].assign(user=ids[places])
    tell(
        report,
        f"no ids of users in {' and '.join(groups)}: a real user who is a training user, too, is "
        f"not left out; of {len(sets['real']):,} real users of {FEWEST_TO_KNOW} items or more "
        f"{same:,} hold exactly those of a training user",
    )


def tell(report: Report, note: str) -> None:
    """Note what must be known of the data, in the report and in the log."""
    report.notes.append(note)
    logger.info("%s", note)


def _item_sets(frame: pd.DataFrame) -> "pd.Series[int]":
    """Give each user a number that tells its items: the sum of their hashes."""
    hashes = pd.util.hash_array(frame["item"].astype(str).to_numpy(dtype=object))
    found = pd.Series(hashes).groupby(frame["user"].to_numpy()).agg(["sum", "size"])
    return found.loc[found["size"] >= FEWEST_TO_KNOW, "sum"]


def _only_places_are_shared(
    tables: Mapping[str, pd.DataFrame], sources: Mapping[str, Users]
) -> bool:
    """Say whether `Profiles` got their ids from `from_matrix`, and users of one id differ."""
    for name in ("real", "train"):
        source = sources[name]
        if not isinstance(source, Profiles):
            return False
        if list(source.user_ids) != [f"s{place}" for place in range(len(source))]:
            return False
    real, train = (_item_sets(tables[name]) for name in ("real", "train"))
    shared = real.index.intersection(train.index)
    return bool((real[shared] != train[shared]).any())


def real_groups(
    tables: dict[str, pd.DataFrame], report: Report, min_items: int, seed: int
) -> RealGroups:
    """Take real users out of the tables, and cut them into reference and held-out ones."""
    real, train = tables.pop("real"), tables.pop("train", None)
    if train is not None:
        _check_together(real, train, report)
        known = real["user"].isin(train["user"].unique())
        report.dropped["real users who are training users, too"] = int(
            real.loc[known, "user"].nunique()
        )
        real = real[~known]
        learnt_from = users_with(train, min_items)
        label = f"training users with fewer than {min_items} items"
        report.dropped[label] = train["user"].nunique() - len(learnt_from)
        train = train[train["user"].isin(learnt_from)]
    users = users_with(real, min_items)
    label = f"real users with fewer than {min_items} items"
    report.dropped[label] = real["user"].nunique() - len(users)
    if len(users) < FEWEST_REAL:
        rule = f"hold at least {FEWEST_REAL} users of {min_items} items or more"
        rule += "" if train is None else ", who are no training users"
        raise ValueError(refusal("real", rule, len(users), "Were its columns taken for others?"))
    drawn = np.random.default_rng(seed).permutation(len(users))
    halves = [np.sort(part) for part in np.array_split(drawn, 2)]
    reference, held_out = (real[real["user"].isin(users[part])] for part in halves)
    items = sorted_ids(
        pd.concat(
            [part["item"] for part in (reference, held_out, train) if part is not None]
        ).unique()
    )
    return RealGroups(reference, held_out, train, items)


def _check_together(real: pd.DataFrame, train: pd.DataFrame, report: Report) -> None:
    """Refuse real and training users of ids that cannot be compared; note items of one alone."""
    unheld = ~train["item"].isin(real["item"].unique())
    if unheld.all():
        check_alike("train", train["item"].iloc[0], "real", real["item"].iloc[0])
    for column in ("user", "item"):
        ids = pd.unique(pd.concat([real[column], train[column]]))
        check_one_type(f"{column}s of real and train", ids)
    if unheld.any():
        tell(
            report,
            f"train: {int(unheld.sum()):,} of {len(train):,} preferences are for "
            f"{train.loc[unheld, 'item'].nunique():,} items that nobody in real holds",
        )


def fitted(
    groups: RealGroups,
    items: pd.Index,
    report: Report,
    min_items: int,
    unknown_items: str,
    seed: int,
    n_splits: int,
) -> Evaluator:
    """Fit the judge over one catalogue."""
    reference, held_out = (profiles_of(one, items) for one in (groups.reference, groups.held_out))
    training = None if groups.train is None else profiles_of(groups.train, items)
    report.dropped = {reason: count for reason, count in report.dropped.items() if count}
    report.groups = {"train": len(training)} if training is not None else {}
    report.groups |= {"reference": len(reference), "held_out": len(held_out)}
    return Evaluator.fit(
        training,
        reference,
        held_out,
        rng=seed,
        n_splits=n_splits,
        min_items=min_items,
        unseen_is_evidence=unknown_items == "evidence",
    )


def catalogue(
    tables: dict[str, pd.DataFrame], known: pd.Index, report: Report, unknown_items: str
) -> pd.Index:
    """Items of real users, and behind them those that only synthetic users hold, or not."""
    unknown: set[Any] = set()
    for name, frame in tables.items():
        is_unknown = ~frame["item"].isin(known)
        if is_unknown.all():
            check_alike(name, frame["item"].iloc[0], "real", known[0])
        if not is_unknown.any():
            continue
        counts = frame.loc[is_unknown, "item"].value_counts()
        unknown.update(note_unknown(report, name, counts, unknown_items))
        if unknown_items == "drop":
            tables[name] = frame[~is_unknown]
            lost = frame["user"].nunique() - tables[name]["user"].nunique()
            if lost:
                report.dropped[f"{ONLY_UNKNOWN} ({name})"] = lost
    items = with_unknown(known, unknown)
    check_one_type(f"items of real and {', '.join(tables)}", items)
    return items


def note_unknown(
    report: Report, name: str, counts: "pd.Series[int]", unknown_items: str
) -> pd.Index:
    """Note items that no real user holds; gives those that are part of the catalogue."""
    report.unknown_items[name] = counts
    if unknown_items == "drop":
        label = f"preferences for {len(counts):,} items that no real user holds, as was asked"
        report.dropped[f"{label} ({name})"] = int(counts.sum())
        return counts.index[:0]
    return counts.index


def with_unknown(known: pd.Index, unknown: Iterable[Any]) -> pd.Index:
    """Put items that only synthetic users hold behind those of real users."""
    return ids_index([*known, *sorted_ids(unknown)])


def profiles_of(frame: pd.DataFrame, items: pd.Index) -> Profiles:
    return Profiles.from_frame(frame, user_ids=sorted_ids(frame["user"].unique()), item_ids=items)
