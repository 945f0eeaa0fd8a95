"""Hold any synthetic users, from whatever tool, against real ones: two tables and one question."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import scipy.sparse as sp

from cornac_mle.checks import check_choice, check_count, refusal
from cornac_mle.comparison import checked_metrics, default_metrics
from cornac_mle.diagnostics.gallery import look_at, worst_preferences
from cornac_mle.eval_methods.user_splits import feedback_frame, keep_likes, users_with
from cornac_mle.files.any_layout import read_interactions
from cornac_mle.files.item_names import read_names
from cornac_mle.files.tables import SupportsArrow, SupportsInterchange
from cornac_mle.metrics.base import NotMeasurableError, RealismMetric
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.identical_users import identical_users
from cornac_mle.profiles import Profiles, check_alike, ids_index, sorted_ids
from cornac_mle.report.measurement import Score
from cornac_mle.report.report import Report
from cornac_mle.report.run_folder import file_hash, made_now
from cornac_mle.workers import one_thread

logger = logging.getLogger("cornac_mle")


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
Names: TypeAlias = str | Path | Mapping[Any, str] | pd.Series | pd.DataFrame
"""Names of items: a file, or a mapping, Series or two columns of ids and names."""


@one_thread()
def audit(
    real: Users,
    synthetic: Users | Mapping[str, Users],
    *,
    train: Users | None = None,
    names: Names | None = None,
    metrics: Sequence[RealismMetric] | None = None,
    rating_threshold: float | None = None,
    min_items: int = 2,
    unknown_items: str = "evidence",
    seed: int = 123,
    n_splits: int = 20,
    dataset_name: str = "audit",
    columns: Mapping[str, str | int] | None = None,
    wide: bool = False,
    on_step: Callable[[str], None] | None = None,
) -> Report:
    """Measure synthetic users of any origin against real users.

    Real users are cut at random into reference users, who teach the judges, and held-out users, who
    are compared. `train` are the users that the generator learnt from: without them nothing is said
    of copying, which is not the same as no copying. An item that no real user holds is evidence: it
    makes its user less plausible, is counted and listed.

    Parameters
    ----------
    real : file, DataFrame, tuples, sparse matrix or Profiles
        Real users whom the generator has not seen. Those who are in `train`, too, are left out.
    synthetic : as `real`, or a mapping of names to such
        Synthetic users; each name is a row of the table.
    train : as `real`, optional
        Users that the generator learnt from.
    names : file, mapping, Series or DataFrame, optional
        Names of items, shown beside their ids.
    metrics : sequence of RealismMetric, optional
        Metrics to measure; the realism metrics of `compare` if not given.
    rating_threshold : float, optional
        Least value that is a like, in all tables alike; lower ones are left out and counted.
    min_items : int
        Fewest items of a user who is compared, at least 2; others are left out and counted.
    unknown_items : {"evidence", "drop"}
        What becomes of items that no real user holds: "drop" leaves them out of the synthetic
        users, and says so in `notes`.
    seed : int
        Random seed of the groups and of the measurements.
    n_splits : int
        Number of half-splits on which intervals rest.
    dataset_name : str
        Name of the data in results.
    columns : mapping, optional
        Which column of a file is which, where it cannot be known: ``{"user": "client", ...}``, with
        the keys "user", "item", "rating", "time".
    wide : bool
        Whether a line of a file holds all ratings of a user, or a list of items (baskets).
    on_step : callable, optional
        Function that is called with a few words before each step.

    Returns
    -------
    Report
        A row for each synthetic set and metric; `notes` on what was assumed, `unknown_items`,
        `gallery` and `preferences` of the least plausible users. `Report.evaluator` is the judge,
        for ``unrealistic_preferences(report.evaluator, report.synthetic[name])``.

    Raises
    ------
    TypeError, ValueError
        If a table cannot be read, holds no user, or shares no item with the real ones.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> rows = [(f"u{u}", f"i{i}") for u in range(300) for i in random.choice(30, 9, replace=False)]
    >>> real = pd.DataFrame(rows[:1800], columns=["user", "item"])
    >>> fake = pd.DataFrame(rows[1800:], columns=["user", "item"])
    >>> report = audit(real, {"fake": fake})
    >>> report
    Report('audit': 1 model (fake) x 7 metrics (...); users: 100 reference, 100 held_out)
    >>> print(report.summary()["models"][0]["answers"]["nobodys"]["sentence"])
    Not asked: no training users were given.
    """
    started = time.monotonic()
    step = on_step or (lambda _text: None)
    check_choice("unknown_items", unknown_items, ("evidence", "drop"))
    min_items = check_count("min_items", min_items, minimum=2)
    chosen = _realism(default_metrics() if metrics is None else checked_metrics(metrics))
    report = Report(dataset_name, kind="audit")
    tables = _tables(real, synthetic, train, (columns or {}, wide), rating_threshold, report, step)
    step("judge of plausibility")
    evaluator, users = _groups(tables, report, min_items, unknown_items, seed, n_splits)
    report.evaluator = evaluator
    if names is not None:
        _name_items(report, names, evaluator.held_out.item_ids)
    for name, profiles in users.items():
        report.synthetic[name] = _compared(evaluator, name, profiles, report)
        found = identical_users(evaluator, profiles)
        if found:
            report.alerts[name] = " ".join(str(one) for one in found)
        for metric in chosen:
            step(f"{name}: {metric.name}")
            _measure(report, evaluator, name, profiles, metric, seed)
        step(f"{name}: users to look at")
        look_at(report, evaluator)
    report.preferences = pd.concat(
        [
            worst_preferences(evaluator, one).assign(model=name)
            for name, one in report.synthetic.items()
        ],
        ignore_index=True,
    )
    report.preferences.insert(0, "model", report.preferences.pop("model"))
    arguments = {
        "rating_threshold": rating_threshold,
        "min_items": min_items,
        "unknown_items": unknown_items,
        "seed": seed,
        "n_splits": n_splits,
        "metrics": [metric.name for metric in chosen],
    }
    report.made = made_now(started, arguments, _hashes(real, synthetic, train))
    return report


def _compared(evaluator: Evaluator, name: str, users: Profiles, report: Report) -> Profiles:
    """Take the users who have enough items; refuse where nobody has."""
    compared = evaluator.comparable(name, users)
    if not len(compared):
        rule = f"hold users of at least {evaluator.min_items} items"
        raise ValueError(refusal(name, rule, f"none among {len(users):,}"))
    if len(compared) < len(users):
        label = f"synthetic users with fewer than {evaluator.min_items} items ({name})"
        report.dropped[label] = len(users) - len(compared)
    return compared


def _name_items(report: Report, names: Names, items: pd.Index) -> None:
    """Take the names of items, and note where they came from."""
    if isinstance(names, str | Path):
        by_id, note = read_names(names, [str(item) for item in items])
        report.notes.append(f"names: {note}")
    else:
        if isinstance(names, pd.DataFrame):
            if names.shape[1] < 2:
                rule = "have two columns, ids and names"
                raise ValueError(refusal("names", rule, f"{names.shape[1]} column"))
            names = dict(zip(names.iloc[:, 0], names.iloc[:, 1], strict=True))
        elif isinstance(names, pd.Series):
            names = names.to_dict()
        by_id = {str(item): str(name) for item, name in names.items()}
    report.item_names = {item: by_id[str(item)] for item in items if str(item) in by_id}
    if not report.item_names and len(items):
        check_alike("names", next(iter(by_id), "nothing"), "items", items[0])
        raise ValueError(
            refusal("names", "name items of the data", f"ids as {next(iter(by_id), '')!r}")
        )


def _hashes(
    real: Users, synthetic: Users | Mapping[str, Users], train: Users | None
) -> dict[str, str]:
    """SHA-256 of the files that were read, by name."""
    sources: dict[str, Any] = {"real": real, "train": train}
    sources |= synthetic if isinstance(synthetic, Mapping) else {_name(synthetic): synthetic}
    return {
        name: file_hash(Path(source))
        for name, source in sources.items()
        if isinstance(source, str | Path)
    }


def _measure(
    report: Report,
    evaluator: Evaluator,
    name: str,
    users: Profiles,
    metric: RealismMetric,
    seed: int,
) -> None:
    """Measure one metric of one synthetic set, or note why it has no value."""
    try:
        measurement = metric.measure(evaluator, users, rng=np.random.SeedSequence(seed))
    except NotMeasurableError as error:
        reason = str(error)
        if evaluator.train is None and "`train`" in reason:
            reason = "not asked: no training users were given"
        report.cautions[metric.name] = reason
        return
    note = metric.note
    report.metrics[metric.name] = note
    caution = metric.caution(evaluator)
    if caution:
        report.cautions[metric.name] = caution
    report.entries.append(
        Score(
            dataset=report.dataset,
            model=name,
            parameters="",
            metric=metric.name,
            users="held-out",
            fit_seed=None,
            sampling_seed=seed,
            measurement=measurement,
            judge=note.judge,
            level=note.level,
            tail=note.tail,
            conditional=note.conditional,
        )
    )


def _realism(metrics: Sequence[Any]) -> list[RealismMetric]:
    """Metrics of users alone: what needs a recommender cannot be asked of a table."""
    return [metric for metric in metrics if isinstance(metric, RealismMetric)]


def _tables(
    real: Users,
    synthetic: Users | Mapping[str, Users],
    train: Users | None,
    layout: Layout,
    rating_threshold: float | None,
    report: Report,
    step: Callable[[str], None],
) -> dict[str, pd.DataFrame]:
    """Read everything: the real table, the training table if there is one, then synthetic ones."""
    named = dict(synthetic) if isinstance(synthetic, Mapping) else {_name(synthetic): synthetic}
    if not named:
        raise ValueError(refusal("synthetic", "hold at least one table", "none"))
    sources: dict[str, Users] = {"real": real}
    if train is not None:
        sources["train"] = train
    for name, users in named.items():
        if name in ("real", "train"):
            raise ValueError(refusal("synthetic", "have other names than those", repr(name)))
        sources[name] = users
    tables = {}
    for name, source in sources.items():
        step(f"reading: {name}")
        frame = _frame(name, source, layout, report)
        tables[name], dropped = keep_likes(frame, rating_threshold, "likes")
        for reason, count in dropped.items():
            if count:
                report.dropped[f"{reason} ({name})"] = count
    return tables


def _name(users: Users) -> str:
    return Path(users).name.split(".")[0] if isinstance(users, str | Path) else "synthetic"


def _frame(name: str, source: Users, layout: Layout, report: Report) -> pd.DataFrame:
    """Turn users of any kind into a long table, and note what was assumed and left out."""
    if isinstance(source, Profiles):
        empty = int(np.count_nonzero(source.sizes == 0))
        if empty:
            report.dropped[f"users without items ({name})"] = empty
        return feedback_frame(source.to_frame())
    if sp.issparse(source):
        coo = sp.coo_array(source)
        report.notes.append(f"{name}: a matrix without ids, users and items are row numbers")
        return feedback_frame(
            pd.DataFrame({"user": coo.coords[0], "item": coo.coords[1], "rating": coo.data})
        )
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
        report.notes.append(f"{name}: {'; '.join(read.assumed)}")
        logger.info("%s", report.notes[-1])
        for reason, count in read.left_out.items():
            if count:
                report.dropped[f"{reason} ({name})"] = count
        return feedback_frame(read.frame)
    return feedback_frame(source)


def _groups(
    tables: dict[str, pd.DataFrame],
    report: Report,
    min_items: int,
    unknown_items: str,
    seed: int,
    n_splits: int,
) -> tuple[Evaluator, dict[str, Profiles]]:
    """Cut real users into reference and held-out ones, and bring all to one catalogue."""
    real, train = tables.pop("real"), tables.pop("train", None)
    if train is not None:
        known = real["user"].isin(train["user"].unique())
        report.dropped["real users who are training users, too"] = int(
            real.loc[known, "user"].nunique()
        )
        real = real[~known]
        train = train[train["user"].isin(users_with(train, min_items))]
    users = users_with(real, min_items)
    label = f"real users with fewer than {min_items} items"
    report.dropped[label] = real["user"].nunique() - len(users)
    drawn = np.random.default_rng(seed).permutation(len(users))
    halves = [np.sort(part) for part in np.array_split(drawn, 2)]
    frames = [real[real["user"].isin(users[part])] for part in halves]
    known_items = sorted_ids(
        pd.concat([part["item"] for part in (*frames, train) if part is not None]).unique()
    )
    items = _catalogue(tables, known_items, report, unknown_items)
    reference, held_out = (_profiles(part, items) for part in frames)
    training = None if train is None else _profiles(train, items)
    report.dropped = {reason: count for reason, count in report.dropped.items() if count}
    report.groups = {"train": len(training)} if training is not None else {}
    report.groups |= {"reference": len(reference), "held_out": len(held_out)}
    evaluator = Evaluator.fit(
        training,
        reference,
        held_out,
        rng=seed,
        n_splits=n_splits,
        min_items=min_items,
        unseen_is_evidence=unknown_items == "evidence",
    )
    return evaluator, {name: _profiles(part, items) for name, part in tables.items()}


def _catalogue(
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
        report.unknown_items[name] = counts
        if unknown_items == "drop":
            label = f"preferences for {len(counts):,} items that no real user holds, as was asked"
            report.dropped[f"{label} ({name})"] = int(is_unknown.sum())
            tables[name] = frame[~is_unknown]
        else:
            unknown.update(counts.index)
    return ids_index([*known, *sorted_ids(unknown)])


def _profiles(frame: pd.DataFrame, items: pd.Index) -> Profiles:
    return Profiles.from_frame(frame, user_ids=sorted_ids(frame["user"].unique()), item_ids=items)
