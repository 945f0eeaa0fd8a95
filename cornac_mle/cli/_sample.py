"""`cornac-mle sample`: fit one model on all users and write users that it makes up."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from cornac_mle.checks import check_count, refusal
from cornac_mle.cli._asked import check_one_source, check_seed, feedback
from cornac_mle.cli._models import model_of
from cornac_mle.cli._progress import status
from cornac_mle.cli._terminal import NOT_PRINTED, one_line, output_dropped, say, write

MOST_PREFERENCES, MOST_USERS = 10**8, 10**7
"""Preferences that are drawn at once: they are held in memory, as text too for a table."""


def sample(
    out: Path,
    model: str,
    n: int,
    dataset: str,
    data: Path | None,
    rating_threshold: float | None,
    seed: int,
    *,
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
    n = check_count("--n", n)
    fresh = model_of(model, seed)
    if not isinstance(fresh, GenerativeRecommender):
        fresh = Sampled(fresh, name=fresh.name, seed=seed)
    _check_out(out, dataset, data, force)
    _, frame, threshold = feedback(dataset, data, rating_threshold)
    with status(f"{fresh.name}: fitting"), output_dropped():
        train_set, val_set = whole_data(feedback_frame(frame), threshold, seed=seed)
        _check_amount(n, train_set)
        fresh.fit(train_set, val_set)
    with status(f"{fresh.name}: drawing {n:,} users"):
        fresh.sample(n, rng=seed).write(out)
    line = one_line(f"Written: {out} ({n:,} users of {fresh.name})")
    return 0 if write(f"{line}\n") else NOT_PRINTED


def _check_out(out: Path, dataset: str, data: Path | None, force: bool) -> None:
    """Refuse a file that cannot be written, or is the data: before minutes of fitting, not after.

    Raises
    ------
    ValueError, OSError, ImportError
        If it is so.
    """
    from cornac_mle.datasets import DATASETS
    from cornac_mle.files.paths import check_writable, existing_file, table_suffix
    from cornac_mle.files.records import pyarrow_parquet

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
