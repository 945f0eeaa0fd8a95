"""`cornac-mle audit` and `cornac-mle report`: ask about any file, and show an answer again."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cornac_mle.auditing import audit as audit_users
from cornac_mle.checks import check_choice, check_count, refusal
from cornac_mle.cli._asked import check_seed, data_name
from cornac_mle.cli._faces import show
from cornac_mle.cli._progress import progress
from cornac_mle.cli._terminal import OneLine, hushed
from cornac_mle.comparison import default_realism_metrics
from cornac_mle.files.paths import check_writable, existing_file
from cornac_mle.partial.engines import Submits, dask_client, processes
from cornac_mle.partial.parts import partitions_of
from cornac_mle.report.report import Report
from cornac_mle.report.run_folder import write_faces

MOST_JOBS = 1024
"""More processes than that are a slip of the hand."""


def audit(
    real: Path,
    synthetic: list[Path],
    train: Path | None,
    names: Path | None,
    columns: dict[str, str | None],
    out: Path,
    *,
    wide: bool,
    rating_threshold: float | None,
    min_items: int,
    unknown_items: str,
    seed: int,
    jobs: int | None,
    dask: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Measure files of synthetic users against a file of real ones; gives the exit status.

    Raises
    ------
    ValueError, TypeError, OSError, ImportError, RuntimeError
        If something that was asked for cannot be.
    """
    check_seed(seed)
    check_count("--min-items", min_items, minimum=2)
    check_choice("--unknown-items", unknown_items, ("evidence", "drop"))
    for path in (real, *synthetic, *(one for one in (train, names) if one is not None)):
        if not path.is_dir():
            existing_file(path)
    sets = _named(synthetic)
    if jobs is not None and dask is not None:
        raise ValueError(refusal("--jobs", "be left out beside --dask", "both"))
    n_parts = 0
    if jobs is not None or dask is not None:
        n_parts = sum(len(partitions_of(path, f"--synthetic {path}")) for path in sets.values())
    check_writable(out / "report.md")
    metrics = default_realism_metrics()
    n_steps = 2 + (train is not None) + len(sets) * (len(metrics) + 2) + 2 * n_parts
    shown = progress(n_steps, "reading", is_shown=not quiet)
    with hushed(quiet), _assumptions_said(quiet), _workers(jobs, dask) as engine, shown as steps:
        report = audit_users(
            real,
            sets,
            train=train,
            names=names,
            metrics=metrics,
            rating_threshold=rating_threshold,
            min_items=min_items,
            unknown_items=unknown_items,
            seed=seed,
            dataset_name=data_name(real),
            columns={role: _column(one) for role, one in columns.items() if one is not None},
            wide=wide,
            on_step=steps.next,
            engine=engine,
        )
    files = {"real": real, "train": train, "names": names}
    report.made["arguments"] |= {name: str(path) for name, path in files.items() if path} | {
        "synthetic": {name: str(path) for name, path in sets.items()},
    }
    if chosen := {role: one for role, one in columns.items() if one is not None}:
        report.made["arguments"]["columns"] = chosen
    folder = report.write(
        out / f"{data_name(real)}-{'-'.join(map(data_name, synthetic))[:80]}-{seed}"
    )
    return show(report, folder, as_json=as_json, quiet=quiet, assumed=False)


def rebuild(folder: Path, *, as_json: bool, quiet: bool) -> int:
    """Write the faces of a run folder again, and print its table; gives the exit status.

    Raises
    ------
    ValueError, OSError
        If it is no run folder, or cannot be written.
    """
    report = Report.read(folder)
    write_faces(report.summary(), folder)
    return show(report, folder, as_json=as_json, quiet=quiet)


@contextmanager
def _workers(jobs: int | None, dask: str | None) -> Iterator[Submits | None]:
    """Lend the workers that were asked for; None where there are to be none."""
    if dask is not None:
        with dask_client(dask) as client:
            yield client
    elif jobs is not None:
        with processes(check_count("--jobs", jobs, maximum=MOST_JOBS)) as pool:
            yield pool
    else:
        yield None


@contextmanager
def _assumptions_said(quiet: bool) -> Iterator[None]:
    """Let the log say what is assumed of each file, as it is read."""
    log, handler = logging.getLogger("cornac_mle"), OneLine()
    kept = log.level, log.propagate
    log.setLevel(logging.ERROR if quiet else logging.INFO)
    log.propagate = False
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.level, log.propagate = kept


def _named(paths: list[Path]) -> dict[str, Any]:
    """Name each file of synthetic users after itself; two of one name after their folders too."""
    if not paths:
        raise ValueError(refusal("--synthetic", "be given", "no file"))
    sets: dict[str, Any] = {}
    for path in paths:
        name = data_name(path)
        if name in sets or name in ("real", "train"):
            name = f"{data_name(path.absolute().parent)}/{name}"
        if name in sets:
            raise ValueError(refusal("--synthetic", "name each file once", repr(str(path))))
        sets[name] = path
    return sets


def _column(text: str) -> str | int:
    """Give the number of a column where it is one, else its name."""
    return int(text) if text.isdecimal() else text
