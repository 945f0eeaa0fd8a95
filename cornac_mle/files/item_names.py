"""Names of items beside their ids, from a file of any usual layout."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pandas as pd

from cornac_mle.checks import refusal
from cornac_mle.files._facts import facts_of
from cornac_mle.files._sniff import sniff
from cornac_mle.files._text_layout import text_lines
from cornac_mle.files._unpack import find_source, is_parquet
from cornac_mle.files.paths import existing_file
from cornac_mle.files.records import pyarrow_parquet
from cornac_mle.files.refusals import naming_file

NAME_HEADERS = (
    *("name", "title", "itemname", "itemtitle", "movietitle", "productname", "producttype"),
    *("artist", "artistname", "trackname", "booktitle", "label", "description", "text", "joke"),
)
"""Headers of names, without case and punctuation, the likeliest first."""
MOST_ROWS = 5_000_000
SEEN_ROWS = 2000


def read_names(
    path: str | Path,
    item_ids: Sequence[str],
    *,
    item_column: str | None = None,
    name_column: str | None = None,
) -> tuple[dict[str, str], str]:
    r"""Read the names of items, and say which columns were taken.

    The column of ids is the one that holds most ids of the data; the column of names has a usual
    header ("title", "name", ...), or is the first of text beside it.

    Parameters
    ----------
    path : str or Path
        Text, packed or not, or Parquet.
    item_ids : sequence of str
        Ids of the data, as text.
    item_column, name_column : str, optional
        Headers of the two, where they cannot be known.

    Returns
    -------
    dict, str
        Name by id, of items of the data only; and what was assumed.

    Raises
    ------
    FileNotFoundError, ValueError, ImportError
        If there is no such file, or no column of it holds ids of the data, or none names.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "items.csv"
    ...     _ = path.write_text("id;title;year\n007;Milk;1999\n008;Tea;2001\n")
    ...     read_names(path, ["007", "009"])
    ({'007': 'Milk'}, 'item = id, name = title; 1 of 2 items named')
    """
    path = existing_file(path)
    with naming_file(path):
        headers, columns = _columns(path)
    ids = set(map(str, item_ids))
    place = _chosen("item_column", item_column, headers)
    if place is None:
        matches = [len(ids.intersection(column)) for column in columns]
        place = max(range(len(columns)), key=matches.__getitem__)
        if not matches[place]:
            rule = "have a column with ids of the data"
            seen = "; ".join(f"{h}: {c[0]!r}" for h, c in zip(headers, columns, strict=True) if c)
            got = f"{path.name} with {seen}" if seen else f"{path.name}, which is empty"
            raise ValueError(refusal("names", rule, got, "Ids must be written alike."))
    names_place = _chosen("name_column", name_column, headers)
    if names_place is None:
        names_place = _names_place(headers, columns, place)
    names: dict[str, str] = {}
    for item, name in zip(columns[place], columns[names_place], strict=True):
        if item in ids and name.strip() and names.setdefault(item, name.strip()) != name.strip():
            got = f"{names[item]!r} and {name.strip()!r} for {item!r}"
            advice = "Name the right columns, or give one row an item."
            raise ValueError(refusal("names", "name an item in one way", got, advice))
    note = f"item = {headers[place]}, name = {headers[names_place]}"
    return names, f"{note}; {len(names):,} of {len(ids):,} items named"


def _columns(path: Path) -> tuple[list[str], list[list[str]]]:
    """Read all columns as text."""
    if is_parquet(path):
        frame = pyarrow_parquet().read_table(path).to_pandas()
        return [str(name) for name in frame.columns], [
            _texts(frame[name]) for name in frame.columns
        ]
    source = find_source(path)
    facts = facts_of(source)
    layout = sniff(source, facts, [])
    rows = [row for _, row in islice(text_lines(source, facts, layout), MOST_ROWS) if row]
    width = layout.width
    rows = [[*row[:width], *[""] * (width - len(row))] for row in rows]
    headers = layout.names or [f"column {place}" for place in range(1, width + 1)]
    return list(headers), [[row[place].strip() for row in rows] for place in range(width)]


def _texts(column: "pd.Series") -> list[str]:
    return ["" if pd.isna(value) else str(value) for value in column]


def _chosen(option: str, wanted: str | None, headers: Sequence[str]) -> int | None:
    if wanted is None:
        return None
    if wanted not in headers:
        raise ValueError(refusal(option, f"be one of {', '.join(headers)}", repr(wanted)))
    return list(headers).index(wanted)


def _names_place(headers: Sequence[str], columns: Sequence[list[str]], ids_place: int) -> int:
    others = [place for place in range(len(columns)) if place != ids_place]
    plain = ["".join(sign for sign in h.lower() if sign.isalnum()) for h in headers]
    for wanted in NAME_HEADERS:
        for place in others:
            if plain[place] == wanted:
                return place
    for place in others:
        seen = columns[place][:SEEN_ROWS]
        texts = [text for text in seen if any(sign.isalpha() for sign in text)]
        if len(texts) > len(seen) / 2 and len(set(texts)) > len(texts) / 2:
            return place
    if others:
        return others[0]
    raise ValueError(refusal("names", "have a column of names beside the ids", "one column"))
