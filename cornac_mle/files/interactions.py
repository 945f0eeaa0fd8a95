"""Long tables (user, item, rating) in CSV, TSV and Parquet files; files appear whole or not at all.

Reading checks every line and stops at the first that is wrong, with its number and its value.
Writing goes to a temporary file beside the target, which takes the target's name only when it is
complete.
"""

import csv
import gzip
import io
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from cornac_mle.files.paths import SEPARATORS, atomic_path, existing_file, table_suffix
from cornac_mle.files.records import Record, parquet_records, pyarrow_parquet, text_records
from cornac_mle.files.refusals import ContentError, naming_file, spelled_path

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("user", "item", "rating", "timestamp")
# What people call these columns, without case, blanks and punctuation: for a hint, never a guess.
NEAR_MISSES = {
    "user": {"user", "users", "userid", "uid", "customer", "customerid", "householdid"},
    "item": {"item", "items", "itemid", "iid", "movie", "movieid", "product", "productid", "isbn"},
    "rating": {
        *("rating", "ratings", "rate", "score", "scores", "star", "stars"),
        *("value", "values", "preference", "preferences"),
    },
}


def read_table(
    path: str | Path, *, empty_ids: bool = False, single_precision: bool = False
) -> "pd.DataFrame":
    """Read a long table with the columns user, item[, rating[, timestamp]].

    Other columns are left out and blank lines are skipped. Repeated pairs and ratings of 0 or less
    are kept: whether they mean something is the caller's to say.

    ``Profiles.write`` gives an empty user a row without an item, and an item a row without a user,
    where it must; neither has a rating. Such rows are no interactions: they are left out, and
    counted.

    Parameters
    ----------
    path : str or Path
        A .csv, .tsv, .txt (tab-separated), .csv.gz, .tsv.gz or .parquet file. Text is UTF-8 with a
        header line; a field that holds the separator, a quote or a line break is in double quotes.
    empty_ids : bool
        Keep the rows of empty users and unheld items that ``Profiles.write`` makes. The missing id
        is ``""`` and the rating NaN.
    single_precision : bool
        Refuse ratings that are infinite or 0 once they are float32, as profiles hold them.

    Returns
    -------
    DataFrame
        ``user`` and ``item`` are text exactly as written ("01" stays "01"; integers of a Parquet
        file become text). ``rating`` is float64 and finite. ``timestamp`` is float64 with NaN
        where blank if all of it is numbers, and as written otherwise. ``attrs["dropped_rows"]``
        counts the users without items and the items that nobody holds that were left out.

    Warns
    -----
    UserWarning
        If any were; says how many.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, or at the first line that is wrong. The message is one line.
    ImportError
        If a Parquet file is to be read and pyarrow is not installed.
    """
    path = existing_file(path)
    suffix = table_suffix(path)
    separator = SEPARATORS[suffix]
    with naming_file(path):
        if separator is None:
            records, word = parquet_records(path, COLUMNS), "row"
        else:
            records, word = text_records(path, separator, packed=suffix.endswith(".gz")), "line"
        frame = _collect(records, word, empty_ids, single_precision)
        return frame if empty_ids else _pairs(frame, path, word)


def write_table(frame: "pd.DataFrame", path: str | Path) -> None:
    """Write a table, without its index, in the format of the suffix; whole or not at all.

    Folders are created where they are missing. The same table gives the same bytes each time.

    Raises
    ------
    ValueError
        If the suffix is none of .csv, .tsv, .txt, .csv.gz, .tsv.gz, .parquet.
    ImportError
        If Parquet is asked for and pyarrow is not installed.
    OSError
        If the disk is full, the folder is not writable, and so on.
    """
    path = Path(path)
    suffix = table_suffix(path)
    separator = SEPARATORS[suffix]
    if separator is None:
        pyarrow_parquet()
    with atomic_path(path) as temporary:
        if separator is None:
            frame.to_parquet(temporary, engine="pyarrow", index=False)
        else:
            _write_text(frame, temporary, separator, packed=suffix.endswith(".gz"))


def shorten(value: object) -> str:
    """Spell a value in at most 60 characters: a stray quote can make one field of a whole file."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]} ..."


def _collect(
    records: Iterator[Record], word: str, empty_ids: bool, single_precision: bool
) -> "pd.DataFrame":
    """Check the records, the header first, and put them into columns."""
    import pandas as pd

    header = next(records, (1, ()))[1]
    _check_header(header)
    user_at, item_at = header.index("user"), header.index("item")
    rating_at = header.index("rating") if "rating" in header else None
    timestamp_at = header.index("timestamp") if "timestamp" in header else None
    users: list[str] = []
    items: list[str] = []
    ratings: list[float] = []
    timestamps: list[Any] = []
    known: dict[str, str] = {}  # one copy of every id, however often it occurs
    numbers: dict[Any, float] = {}
    for number, record in records:
        if len(record) != len(header):
            rule = f"have {len(header)} fields, as the header has"
            advice = "Put double quotes around a field that holds the separator."
            got, where = str(len(record)), f"{word} {number}"
            raise ContentError(rule=rule, got=got, advice=advice, name="line", where=where)
        user, item = record[user_at] or "", record[item_at] or ""
        field = None if rating_at is None else record[rating_at]
        is_pair = bool(user and item)
        # Without ratings, nothing tells an empty user from a lost item.
        is_empty_row = user != item and _is_blank(field) and (empty_ids or rating_at is not None)
        if not (is_pair or is_empty_row):
            name, at = ("item", item_at) if user else ("user", user_at)
            rule, advice = "not be empty", f"Fill it in or remove the {word}."
            got, where = repr(record[at]), f"{word} {number}"
            raise ContentError(rule=rule, got=got, advice=advice, name=name, where=where)
        users.append(known.setdefault(user, user))
        items.append(known.setdefault(item, item))
        if rating_at is not None:
            rating = numbers.get(field)
            if rating is None:
                rating = numbers[field] = finite_number(field)
                if single_precision and not _fits_single_precision(rating):
                    raise _wrong_rating(field, word, number, "be a number that float32 can hold")
            if is_pair and math.isnan(rating):
                raise _wrong_rating(field, word, number, "be a finite number")
            ratings.append(rating)
        if timestamp_at is not None:
            timestamps.append(record[timestamp_at])
    columns: dict[str, Any] = {"user": text_column(users), "item": text_column(items)}
    if rating_at is not None:
        columns["rating"] = np.array(ratings, dtype=np.float64)
    if timestamp_at is not None:
        columns["timestamp"] = _timestamps(timestamps)
    return pd.DataFrame(columns)


def _pairs(frame: "pd.DataFrame", path: Path, word: str) -> "pd.DataFrame":
    """Leave out rows without a user or an item, and say what is lost with them."""
    has_user, has_item = (frame[name].to_numpy() != "" for name in ("user", "item"))
    pairs: pd.DataFrame = frame[has_user & has_item].reset_index(drop=True)
    if pairs.empty:
        got = f"a header and no {word}s" if frame.empty else f"no {word} with a user and an item"
        raise ContentError(rule="hold interactions", got=got, advice="Name another file.")
    users = frame.loc[~has_item, "user"].nunique()
    # A row of an item that is held only says its place in the catalogue.
    unheld = len(set(frame.loc[~has_user, "item"]).difference(pairs["item"]))
    pairs.attrs["dropped_rows"] = users + unheld
    if users + unheld:
        text = f"{spelled_path(path)}: left out {users:,} users without items and {unheld:,} items "
        warnings.warn(text + "that nobody holds.", UserWarning, stacklevel=3)
    return pairs


def _is_blank(field: Any) -> bool:
    return bool(field in ("", None) or field != field)  # NaN


def _fits_single_precision(number: float) -> bool:
    with np.errstate(over="ignore", under="ignore"):
        single = np.float32(number)
    return not np.isinf(single) and (single != 0 or number == 0)


def _wrong_rating(field: object, word: str, number: int, rule: str) -> ContentError:
    """Refuse a rating, as it is written."""
    got, where, advice = shorten(field), f"{word} {number}", f"Correct it or remove the {word}."
    return ContentError(rule=rule, got=got, advice=advice, name="rating", where=where)


def _check_header(header: Sequence[str]) -> None:
    """Raise if user or item is missing, a column is there twice, or rating is misspelt."""
    if not header:
        advice = "Its first line must name the columns: user, item[, rating]."
        raise ContentError(rule="hold a table", got="an empty file", advice=advice)
    rule = "have the columns user, item[, rating[, timestamp]]"
    got = shorten(", ".join(header))
    plain = {name: "".join(filter(str.isalnum, name)).lower() for name in header}
    for column in ("user", "item", "rating"):
        if column in header:
            continue
        near = [name for name in header if plain[name] in NEAR_MISSES[column]]
        if near:
            advice = f"Rename {near[0]!r} to {column!r}."
            if column == "rating":
                advice += " If it is none, leave it out: every pair is then a 1."
        elif column == "rating":
            continue
        elif len(header) == 1:
            advice = "Separate the fields by commas in .csv, by tabs in .tsv and .txt."
        elif all(not math.isnan(finite_number(name)) for name in header):
            advice = "Add a header line, for example user, item, rating."
        else:
            advice = f"There is no column {column!r}."
        raise ContentError(rule=rule, got=got, advice=advice)
    for column in COLUMNS:
        if list(header).count(column) > 1:
            rule = f"have one column {column!r}"
            raise ContentError(rule=rule, got=got, advice="Remove or rename the others.")


def text_column(texts: Sequence[str] | npt.NDArray[Any]) -> "pd.Series[Any]":
    """Column of text as Python objects: the same with every pandas, with and without pyarrow."""
    import pandas as pd

    return pd.Series(np.asarray(texts, dtype=object), dtype=object)


def finite_number(value: Any) -> float:
    """Return the finite number that a field holds, or NaN where it holds none."""
    if isinstance(value, str) and "_" in value:  # Python's own way of writing 1000 as 1_000
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _timestamps(values: list[Any]) -> npt.NDArray[Any]:
    """Make float64 of numbers and blanks; leave anything else as it is."""
    numbers = [finite_number(value) for value in values]
    for number, value in zip(numbers, values, strict=True):
        if math.isnan(number) and value not in ("", None):
            return np.array(values, dtype=object)
    return np.array(numbers, dtype=np.float64)


def _write_text(frame: "pd.DataFrame", path: Path, separator: str, *, packed: bool) -> None:
    """Write CSV or TSV; gzip without name and time, so that the bytes do not change."""
    names = frame.select_dtypes(exclude="number").columns
    texts = (frame[name].dropna().unique() for name in names)
    # Python before 3.13 leaves a lone carriage return unquoted, and would not read it back.
    returns = any(isinstance(text, str) and "\r" in text for column in texts for text in column)
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) if packed else nullcontext(raw) as stream,
        io.TextIOWrapper(stream, encoding="utf-8", newline="") as text,
    ):
        frame.to_csv(text, sep=separator, index=False, lineterminator="\n", quoting=quoting)
