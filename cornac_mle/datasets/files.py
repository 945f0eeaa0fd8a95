"""One door for data: a data set's name or a file."""

import contextlib
import math
import sys
import warnings
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cornac_mle.checks import refusal
from cornac_mle.datasets import complete_journey
from cornac_mle.datasets._downloads import check_home, downloading, set_cut_download_aside
from cornac_mle.datasets.named import DATASETS, NamedDataset
from cornac_mle.files.interactions import read_table, text_column
from cornac_mle.files.paths import SEPARATORS
from cornac_mle.files.records import first_line

if TYPE_CHECKING:
    import pandas as pd


def load(source: str | Path) -> "pd.DataFrame":
    """Load a data set by its name, or a CSV, TSV or Parquet file.

    Parameters
    ----------
    source : str or Path
        Name of ``DATASETS`` or path of a file with the columns user, item[, rating[,
        timestamp]]. A name goes before a file of that name; a Path is always a file.

    Returns
    -------
    DataFrame
        ``user`` and ``item`` as text, and ``rating`` where there is one.

    Raises
    ------
    FileNotFoundError, ValueError, RuntimeError, ImportError
        As `load_named` and ``read_table`` do, each with one line that says what to do.

    Examples
    --------
    >>> len(load("complete-journey"))
    434211
    """
    if isinstance(source, str) and (source in DATASETS or not _looks_like_path(source)):
        return load_named(source)
    return read_table(source, single_precision=True)


def load_named(name: str) -> "pd.DataFrame":
    """Load a data set by its name; Cornac's are downloaded into its cache where they are missing.

    Parameters
    ----------
    name : str
        Name of ``DATASETS``.

    Returns
    -------
    DataFrame
        ``user`` and ``item`` as text, ``rating`` float64 (1 for implicit feedback). Repeated pairs
        are kept. ``attrs["dropped_rows"]`` counts rows of Cornac's that are no interactions (only
        CiteULike has them, see `drop_list_lengths`); a warning says so too.

    Raises
    ------
    ValueError
        If there is no such name, or Cornac cannot read its file.
    RuntimeError
        If the file is missing and cannot be downloaded.

    Examples
    --------
    >>> load_named("complete-journey").head(2)
      user              item  rating
    0    1  ADULT ANALGESICS     1.0
    1    1      ADULT CEREAL     1.0
    """
    import pandas as pd

    if name not in DATASETS:
        near = get_close_matches(name.lower().replace("_", "-"), DATASETS, n=3)
        advice = f"Did you mean {', '.join(near)}?" if near else f"There are {', '.join(DATASETS)}."
        raise ValueError(refusal("dataset", "be a known name or a file", repr(name), advice))
    dataset = DATASETS[name]
    if dataset.path is None:
        frame = complete_journey.load_frame()
        frame.attrs["dropped_rows"] = 0
        return frame
    users, items, ratings = zip(*_cornac_tuples(dataset, dataset.path), strict=True)
    frame = pd.DataFrame(
        {
            "user": text_column(users),
            "item": text_column(items),
            "rating": np.array(ratings, dtype=np.float64),
        }
    )
    kept = drop_list_lengths(frame) if name == "citeulike" else frame
    kept.attrs["dropped_rows"] = len(frame) - len(kept)
    if len(kept) < len(frame):
        message = f"{name}: left out {len(frame) - len(kept):,} of {len(frame):,} rows, the length "
        message += "of each user's list, which Cornac's loader takes for an item."
        warnings.warn(message, stacklevel=2)
    return kept


def drop_list_lengths(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Drop each user's first row if it is the length of the user's list, not an item.

    A line of CiteULike is ``length item item ...``, one line a user, and Cornac 3.0.1 makes an
    item of the length: 5,551 rows of 210,537. Nothing is dropped unless this is so for every user.
    """
    first = ~frame.duplicated("user").to_numpy()
    lengths = frame.groupby("user", sort=False)["item"].transform("size").to_numpy() - 1
    if not (frame["item"].to_numpy()[first] == lengths[first].astype(str)).all():
        return frame
    return frame[~first].reset_index(drop=True)


def _cornac_tuples(dataset: NamedDataset, path: Path) -> list[tuple[Any, ...]]:
    """Call Cornac's loader; on any failure leave no part of a download behind."""
    check_home(dataset.name)
    set_cut_download_aside(dataset.name, path)
    was_there = path.is_file()
    try:
        with (
            contextlib.nullcontext() if was_there else downloading(path),
            # Cornac prints about its downloads; standard output belongs to the caller.
            contextlib.redirect_stdout(sys.stderr),
        ):
            tuples = dataset.loader()
    except BaseException as error:
        if not was_there:
            # The next call would take a part of the file for the whole.
            path.unlink(missing_ok=True)
        if not isinstance(error, Exception):  # Ctrl-C
            raise
        got = f"{type(error).__name__}: {first_line(error)}"
        if isinstance(error, OSError) and not was_there:
            rule = f"be at {path} or be downloadable"
            advice = "Put the file there, or name a file of your own (user, item, rating)."
            raise RuntimeError(refusal(dataset.name, rule, got, advice)) from error
        raise ValueError(_unreadable(dataset, path, got)) from error
    if not tuples:
        raise ValueError(_unreadable(dataset, path, "no interactions"))
    wrong = [record for record in tuples if not math.isfinite(record[2])]
    if wrong:
        raise ValueError(_unreadable(dataset, path, f"the rating of {wrong[0]!r}"))
    return tuples


def _unreadable(dataset: NamedDataset, path: Path, got: str) -> str:
    """Spell what Cornac's file must be."""
    rule = f"be (user, item, finite rating) at {path}"
    return refusal(dataset.name, rule, got, "Remove that file to have it downloaded again.")


def _looks_like_path(source: str) -> bool:
    """Tell a path from a misspelt name: it exists, has a folder, or a suffix that we read."""
    path = Path(source)
    return path.exists() or len(path.parts) > 1 or path.name.lower().endswith(tuple(SEPARATORS))
