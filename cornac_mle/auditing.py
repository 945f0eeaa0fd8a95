"""Hold any synthetic users, from whatever tool, against real ones: two tables and one question."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from cornac_mle._audit_parts import catalogue_of, looked_at, note_measured, report_whole
from cornac_mle._audit_tables import (
    Users,
    catalogue,
    fitted,
    named_sets,
    profiles_of,
    real_groups,
    tables_of,
)
from cornac_mle.checks import check_choice, check_count, refusal, written
from cornac_mle.comparison import checked_metrics, default_realism_metrics
from cornac_mle.diagnostics.gallery import look_at, worst_preferences
from cornac_mle.files.item_names import read_names
from cornac_mle.metrics.base import RealismMetric
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.identical_users import identical_users
from cornac_mle.partial.block import Plan
from cornac_mle.partial.engines import Submits
from cornac_mle.partial.parts import Reading
from cornac_mle.partial.scan import Known, Scan
from cornac_mle.partial.whole import whole
from cornac_mle.profiles import Profiles, check_alike
from cornac_mle.report.made import file_hash, made_now
from cornac_mle.report.report import Report
from cornac_mle.workers import one_thread

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
    engine: Submits | None = None,
) -> Report:
    """Measure synthetic users of any origin against real users.

    Real users are cut at random into reference users, who teach the judges, and held-out users, who
    are compared. `train` are the users that the generator learnt from: without them nothing is said
    of copying, which is not the same as no copying. An item that no real user holds is evidence: it
    makes its user less plausible, is counted and listed.

    Parameters
    ----------
    real : file, DataFrame, tuples, sparse matrix or Profiles
        Real users whom the generator has not seen. Those who are in `train`, too, are left out;
        users without ids cannot be, and `notes` say how many of them hold exactly the items of a
        training user.
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
    engine : object with ``submit``, optional
        Workers that share the audit: an executor of `concurrent.futures`, a Dask client. Each
        synthetic set is then a folder of Parquet partitions, is never held whole, and is not part
        of the report. The numbers are those without workers; `notes` say what is not kept.

    Returns
    -------
    Report
        A row for each synthetic set and metric; `notes` on what was assumed, `unknown_items`,
        `gallery` and `preferences` of the least plausible users. `Report.evaluator` is the judge,
        for ``unrealistic_preferences(report.evaluator, report.synthetic[name])``.

    Raises
    ------
    TypeError, ValueError
        If a table cannot be read, holds no user, or shares no item with the real ones, if most real
        users without ids hold exactly the items of training users, or an argument is wrong.

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
    seed = check_count("seed", seed, minimum=0)
    chosen = default_realism_metrics() if metrics is None else _realism(checked_metrics(metrics))
    report = Report(dataset_name, kind="audit")
    named = named_sets(synthetic)
    layout = (columns or {}, wide)
    sources: dict[str, Users] = {"real": real} | ({} if train is None else {"train": train})
    whole_tables = named if engine is None else {}
    tables = tables_of(sources | whole_tables, layout, rating_threshold, report, step)
    groups = real_groups(tables, report, min_items, seed)
    items = catalogue(tables, groups.items, report, unknown_items)
    scans: dict[str, Scan] = {}
    if engine is not None:
        known = Known(
            Reading(*layout, rating_threshold), frozenset(groups.items), unknown_items == "drop"
        )
        scans = {
            name: looked_at(engine, name, source, known, min_items, report, step)
            for name, source in named.items()
        }
        items = catalogue_of(scans, groups.items, report, unknown_items)
    step("judge of plausibility")
    evaluator = fitted(groups, items, report, min_items, unknown_items, seed, n_splits)
    report.evaluator = evaluator
    if names is not None:
        _name_items(report, names, evaluator.held_out.item_ids)
    parts = []
    for name in named:
        if engine is not None:
            plan = Plan.of(evaluator, chosen, known.reading)
            found = whole(engine, evaluator, plan, scans[name], step, name)
            parts.append(report_whole(report, name, found, chosen, seed, step))
            continue
        users = profiles_of(tables[name], items)
        report.synthetic[name] = users = _compared(evaluator, name, users, report)
        same = identical_users(evaluator, users)
        if same:
            report.alerts[name] = " ".join(str(one) for one in same)
        for metric in chosen:
            step(f"{name}: {metric.name}")
            random = np.random.SeedSequence(seed)
            measure = partial(metric.measure, evaluator, users, rng=random)
            note_measured(report, evaluator, name, metric, seed, measure)
        step(f"{name}: users to look at")
        look_at(report, evaluator)
        parts.append(worst_preferences(evaluator, users).assign(model=name))
    report.preferences = pd.concat(parts, ignore_index=True)
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
        by_id = _names_by_id(names, {str(item) for item in items})
    report.item_names = {item: by_id[str(item)] for item in items if str(item) in by_id}
    if not report.item_names and len(items):
        if not by_id:
            raise ValueError(refusal("names", "name items of the data", "none"))
        check_alike("names", next(iter(by_id)), "items", items[0])


def _names_by_id(
    names: Mapping[Any, str] | pd.Series | pd.DataFrame, items: set[str]
) -> dict[str, str]:
    """Names by id as text, without missing ones; an item of the data has one."""
    pairs: Iterable[tuple[Any, Any]]
    if isinstance(names, pd.DataFrame):
        if names.shape[1] < 2:
            rule = "have two columns, ids and names"
            raise ValueError(refusal("names", rule, f"{names.shape[1]} column"))
        pairs = zip(names.iloc[:, 0], names.iloc[:, 1], strict=True)
    elif isinstance(names, Mapping | pd.Series):
        pairs = names.items()
    else:
        rule = "be a file, a mapping, a Series or a table of ids and names"
        raise TypeError(refusal("names", rule, written(names)))
    by_id: dict[str, str] = {}
    given_names = pd.DataFrame(list(pairs), columns=["id", "name"], dtype=object).dropna()
    for item, name in zip(given_names["id"], given_names["name"], strict=True):
        given = by_id.setdefault(str(item), str(name))
        if given != str(name) and str(item) in items:
            got = f"{given!r} and {str(name)!r}"
            raise ValueError(refusal("names", "have one name an id", got, context=f"id {item!r}"))
    return by_id


def _hashes(
    real: Users, synthetic: Users | Mapping[str, Users], train: Users | None
) -> dict[str, str]:
    """SHA-256 of the files that were read, by name."""
    sources: dict[str, Any] = {"real": real, "train": train}
    sources |= named_sets(synthetic)
    return {
        name: file_hash(Path(source))
        for name, source in sources.items()
        if isinstance(source, str | Path)
    }


def _realism(metrics: Sequence[Any]) -> list[RealismMetric]:
    """Metrics of users alone: what needs a recommender cannot be asked of a table."""
    for metric in metrics:
        if not isinstance(metric, RealismMetric):
            rule, advice = "be of users alone", "Ask `compare`, which has models that rank."
            raise TypeError(refusal("metrics", rule, metric.name, advice))
    return list(metrics)
