"""What an audit in parts adds to a report."""

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from cornac_mle._audit_tables import note_unknown, tell, with_unknown
from cornac_mle.checks import refusal
from cornac_mle.metrics.base import NotMeasurableError, RealismMetric
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.membership_inference import MembershipInference
from cornac_mle.partial.engines import Submits
from cornac_mle.partial.parts import partitions_of
from cornac_mle.partial.scan import Known, Scan, scan
from cornac_mle.partial.whole import MOST_FLOOR, Whole, lacks_p_value
from cornac_mle.profiles import check_alike, sorted_ids
from cornac_mle.report.measurement import Measurement, Score
from cornac_mle.report.report import Report


def looked_at(
    engine: Submits,
    name: str,
    source: object,
    known: Known,
    min_items: int,
    report: Report,
    step: Callable[[str], None],
) -> Scan:
    """Look at the partitions of one set, and note what was assumed and left out.

    Raises
    ------
    TypeError, ValueError
        If they are none, or nobody has enough items.
    """
    found = scan(engine, name, partitions_of(source, name), known, min_items, step)
    if not found.n_known_preferences:
        check_alike(name, next(iter(found.unknown)), "real", sorted_ids(known.items)[0])
    tell(report, f"{name}: {'; '.join(found.assumed)}")
    for reason, count in found.dropped.items():
        report.dropped[f"{reason} ({name})"] = count
    if not found.n_compared:
        rule = f"hold users of at least {min_items} items"
        raise ValueError(refusal(name, rule, f"none among {found.n_users:,}"))
    if found.n_compared < found.n_users:
        label = f"synthetic users with fewer than {min_items} items ({name})"
        report.dropped[label] = found.n_users - found.n_compared
    return found


def catalogue_of(
    scans: dict[str, Scan], known: pd.Index, report: Report, unknown_items: str
) -> pd.Index:
    """Items of real users, and behind them those that only synthetic users hold, or not."""
    unknown: set[str] = set()
    for name, found in scans.items():
        if found.unknown:
            ordered = sorted(found.unknown.items(), key=lambda pair: (-pair[1], pair[0]))
            counts = pd.Series(dict(ordered), dtype="int64")
            unknown.update(note_unknown(report, name, counts, unknown_items))
    return with_unknown(known, unknown)


def report_whole(
    report: Report,
    name: str,
    found: Whole,
    metrics: Sequence[RealismMetric],
    seed: int,
    step: Callable[[str], None],
) -> pd.DataFrame:
    """Put all that is known of one set into a report; gives its worst preferences."""
    same = found.identical()
    if same:
        report.alerts[name] = " ".join(str(one) for one in same)
    for metric in metrics:
        step(f"{name}: {metric.name}")
        note_measured(
            report,
            found.evaluator,
            name,
            metric,
            seed,
            partial(found.measure, metric, seed),
        )
    step(f"{name}: users to look at")
    report.gallery[name] = found.gallery(report.item_names)
    report.curves[name] = found.curves()
    report.notes += _not_kept(name, found, metrics)
    return found.worst_preferences().assign(model=name)


def _not_kept(name: str, found: Whole, metrics: Sequence[RealismMetric]) -> list[str]:
    """Say what an audit of one table has, and this one has not."""
    count = len(found.blocks)
    notes = [
        f"{name}: {found.n_users:,} users in {count:,} partition{'' if count == 1 else 's'}; "
        "values of single users, and the users themselves, are not kept"
    ]
    if found.n_users > MOST_FLOOR and found.evaluator.train is not None:
        notes += [
            f"{name}: the floor of {metric.name} is of {MOST_FLOOR:,} users of popularity, fewer "
            "than there are synthetic ones"
            for metric in metrics
            if isinstance(metric, MembershipInference)
        ]
    missing = [metric.name for metric in metrics if lacks_p_value(metric)]
    if missing:
        notes.append(f"{name}: no p-value is given of {', '.join(missing)}")
    return notes


def note_measured(
    report: Report,
    evaluator: Evaluator,
    name: str,
    metric: RealismMetric,
    seed: int,
    measure: Callable[[], Measurement],
) -> None:
    """Measure one metric of one synthetic set, or note why it has no value."""
    try:
        measurement = measure()
    except NotMeasurableError as error:
        reason = str(error)
        if evaluator.train is None and "`train`" in reason:
            reason = "not asked: no training users were given"
        report.add_caution(metric.name, reason)
        return
    note = metric.note
    report.metrics[metric.name] = note
    doubt = metric.doubt(measurement)
    for text in (metric.caution(evaluator), f"{name}: {doubt}" if doubt else None):
        report.add_caution(metric.name, text)
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
