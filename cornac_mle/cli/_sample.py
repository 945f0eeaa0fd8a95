"""`cornac-mle sample`: fit one model on all users and write users that it makes up."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from cornac_mle.checks import check_count, refusal
from cornac_mle.cli._asked import check_one_source, check_seed, feedback
from cornac_mle.cli._models import model_of
from cornac_mle.cli._progress import progress, status
from cornac_mle.cli._terminal import NOT_PRINTED, one_line, output_dropped, say, write
from cornac_mle.files.partitions import (
    MANIFEST,
    PARTITION_USERS,
    Manifest,
    check_claim,
    missing_partitions,
    write_users,
)
from cornac_mle.files.paths import check_writable, existing_file, table_suffix
from cornac_mle.files.profile_layouts import text_ids
from cornac_mle.files.records import pyarrow_parquet
from cornac_mle.models.base import CHUNK_USERS
from cornac_mle.report.made import hash_feedback, versions

MOST_PREFERENCES, MOST_USERS = 10**8, 10**7
"""Preferences that are drawn at once: they are held in memory, as text too for a table. Parquet is
written as users are drawn, and knows no such limit."""


def sample(
    out: Path,
    model: str,
    n: int,
    dataset: str,
    data: Path | None,
    rating_threshold: float | None,
    seed: int,
    *,
    jobs: int,
    force: bool,
    given: Collection[str],
) -> int:
    """Draw users and write them; gives the exit status.

    Raises
    ------
    ValueError, TypeError, OSError, ImportError, RuntimeError
        If something that was asked for cannot be.
    """
    from cornac_mle.eval_methods.user_splits import feedback_frame, whole_data
    from cornac_mle.models import GenerativeRecommender, Sampled

    check_one_source(given)
    check_seed(seed)
    check_count("--jobs", jobs)
    n = check_count("--n", n)
    fresh = model_of(model, seed)
    if not isinstance(fresh, GenerativeRecommender):
        fresh = Sampled(fresh, name=fresh.name, seed=seed)
    in_partitions = _is_folder(out)
    if in_partitions:
        pyarrow_parquet()
    else:
        _check_out(out, dataset, data, force)
    _, frame, threshold = feedback(dataset, data, rating_threshold)
    frame = feedback_frame(frame)
    made = {
        "model": model,
        "seed": seed,
        "rating_threshold": threshold,
        "data_sha256": hash_feedback(frame),
        "versions": versions(),
    }
    manifest = Manifest(n, PARTITION_USERS, made)
    if in_partitions:
        check_claim(out, manifest)
        check_writable(out / MANIFEST)
    with status(f"{fresh.name}: fitting"), output_dropped():
        train_set, val_set = whole_data(frame, threshold, seed=seed)
        if not (in_partitions or out.name.lower().endswith(".parquet")):
            _check_amount(n, train_set)
        fresh.fit(train_set, val_set)
    if in_partitions:
        return _write_partitions(fresh, out, manifest, seed, jobs)
    with status(f"{fresh.name}: drawing {n:,} users"):
        if out.name.lower().endswith(".parquet"):
            chunks = fresh.sample_chunks(n, rng=seed, n_jobs=jobs)
            write_users(out, chunks, text_ids("item_ids", fresh.catalogue_), items_listed=True)
        else:
            fresh.sample(n, rng=seed, n_jobs=jobs).write(out)
    line = one_line(f"Written: {out} ({n:,} users of {fresh.name})")
    return 0 if write(f"{line}\n") else NOT_PRINTED


def _is_folder(out: Path) -> bool:
    """Whether a path means a folder of partitions: it has no suffix, or is a folder without one."""
    return not out.suffix


def _write_partitions(model: Any, out: Path, manifest: Manifest, seed: int, jobs: int) -> int:
    """Draw the partitions that are not there yet."""
    items = text_ids("item_ids", model.catalogue_)
    missing = missing_partitions(out, manifest)
    a_partition = manifest.partition_users // CHUNK_USERS
    with progress(len(missing), f"{model.name}: drawing") as steps:
        for number in missing:
            users = manifest.users_of(number)
            steps.next(f"{model.name}: users {users.start:,} to {users.stop - 1:,}")
            first = number * a_partition
            last = -(-users.stop // CHUNK_USERS)
            chunks = model.sample_chunks(
                manifest.n_users, rng=seed, n_jobs=jobs, numbers=range(first, last)
            )
            write_users(out / manifest.names[number], chunks, items, first_user=users.start)
    kept = len(manifest.names) - len(missing)
    there = f"; {kept:,} of {len(manifest.names):,} partitions were there" if kept else ""
    line = one_line(f"Written: {out} ({manifest.n_users:,} users of {model.name}{there})")
    return 0 if write(f"{line}\n") else NOT_PRINTED


def _check_out(out: Path, dataset: str, data: Path | None, force: bool) -> None:
    """Refuse a file that cannot be written, or is the data: before minutes of fitting, not after.

    Raises
    ------
    ValueError, OSError, ImportError
        If it is so.
    """
    from cornac_mle.datasets import DATASETS

    if table_suffix(out, also=(".npz",)) == ".parquet":
        pyarrow_parquet()
    source = data
    if data is not None:
        existing_file(data)
    elif dataset in DATASETS:
        source = DATASETS[dataset].path
    if source is not None and source.exists() and out.exists() and out.samefile(source):
        advice = "Name another file: this one would be lost."
        raise ValueError(refusal("--out", "not be the data", repr(str(out)), advice))
    check_writable(out)
    if out.exists() and not force:
        say(f"{out} is there and will be replaced (--force: without this line)")


def _check_amount(n: int, train_set: Any) -> None:
    """Refuse more users than memory holds.

    Raises
    ------
    ValueError
        Naming how many there may be.
    """
    mean_size = train_set.num_ratings / train_set.num_users
    most = min(MOST_USERS, int(MOST_PREFERENCES / mean_size))
    if n > most:
        rule = f"be at most {most:,}, as users of this data have {mean_size:.1f} items"
        advice = "Write several files, with other random seeds."
        raise ValueError(refusal("--n", rule, n, advice))
