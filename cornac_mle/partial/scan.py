"""First look at all partitions: who is there, in which order, and which items nobody real holds.

The order of users is that of their ids, as in an audit of one table, so that half-splits take the
same users. A user of two partitions would be counted twice, and is refused.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cornac_mle.checks import refusal
from cornac_mle.files.refusals import spelled_path
from cornac_mle.partial.engines import Submits, in_order
from cornac_mle.partial.parts import Reading, read_part
from cornac_mle.sparse import IndexArray, IntArray

ONLY_UNKNOWN = "users of no item that a real user holds, as was asked"
"""Users of whom nothing is left where unknown items are dropped."""


@dataclass(frozen=True, eq=False)
class Scan:
    """What a first look at the partitions of one set found.

    Attributes
    ----------
    paths : tuple of Path
        Partitions.
    sizes : tuple of ndarray of int
        Items of each user who has one, by partition.
    places : tuple of ndarray of int
        Place of each compared user in the order of ids, by partition.
    unknown : Counter
        Users who hold each item that no real user holds.
    dropped : Counter
        What was left out on reading.
    assumed : list of str
        What was assumed.
    n_users : int
        Users with an item.
    n_known_preferences : int
        Preferences for items that a real user holds.
    """

    paths: tuple[Path, ...]
    sizes: tuple[IntArray, ...]
    places: tuple[IndexArray, ...]
    unknown: "Counter[str]"
    dropped: "Counter[str]"
    assumed: list[str]
    n_users: int
    n_known_preferences: int

    @property
    def n_compared(self) -> int:
        """Users who have enough items."""
        return sum(map(len, self.places))


@dataclass(frozen=True)
class Known:
    """What a worker needs to look at a partition."""

    reading: Reading
    items: frozenset[Any]
    drop_unknown: bool


def scan(
    engine: Submits,
    name: str,
    paths: list[Path],
    known: Known,
    min_items: int,
    step: Callable[[str], None],
) -> Scan:
    """Look at all partitions.

    Raises
    ------
    ValueError
        If columns differ, a user is in two partitions, or nobody is there.
    """
    import pyarrow as pa

    ids, sizes, dropped, unknown = [], [], Counter[str](), Counter[str]()
    assumed: list[str] = []
    columns: tuple[str, ...] = ()
    n_known = 0
    for path, found in zip(paths, in_order(engine, _looked_at, known, paths), strict=True):
        step(f"{name}: reading {path.name}")
        if columns and found["columns"] != columns:
            rule = f"have the columns of {spelled_path(paths[0].name)}, {', '.join(columns)}"
            got = f"{', '.join(found['columns'])} in {spelled_path(path.name)}"
            raise ValueError(refusal(name, rule, got, "Are these partitions of one table?"))
        columns = found["columns"]
        ids.append(found["ids"])
        sizes.append(found["sizes"])
        dropped.update(found["dropped"])
        unknown.update(found["unknown"])
        n_known += found["n_known"]
        assumed = assumed or found["assumed"]
    order = user_order(name, pa.chunked_array(ids, pa.large_string()), paths, sizes)
    if not len(order) and not unknown:
        raise ValueError(refusal(name, "hold at least one user with an item", "none"))
    parts = np.split(_places(order, np.concatenate(sizes) >= min_items), _edges(sizes))
    places = tuple(part[part >= 0] for part in parts)
    many = f" ({len(paths):,} parts)" if len(paths) > 1 else ""
    assumed = [one + many if one == "read Parquet" else one for one in assumed]
    return Scan(tuple(paths), tuple(sizes), places, unknown, dropped, assumed, len(order), n_known)


def _looked_at(known: Known, path: Path) -> dict[str, Any]:
    """Look at one partition, on a worker."""
    import pyarrow as pa

    users = read_part(path, known.reading)
    is_known = np.fromiter((one in known.items for one in users.item_ids), bool)
    counts = np.bincount(users.matrix.indices, minlength=len(users.item_ids))
    counted = users.matrix[:, np.flatnonzero(is_known)] if known.drop_unknown else users.matrix
    sizes = np.diff(counted.indptr).astype(np.int32)
    held = np.flatnonzero(sizes)
    lost = int(np.count_nonzero(np.diff(users.matrix.indptr))) - len(held)
    return {
        "ids": pa.array(users.user_ids[held], pa.large_string()),
        "sizes": sizes[held],
        "columns": users.columns,
        "assumed": users.assumed,
        "n_known": int(counts[is_known].sum()),
        "dropped": users.dropped | ({ONLY_UNKNOWN: lost} if lost else {}),
        "unknown": {
            str(item): int(count)
            for item, count, real in zip(users.item_ids, counts, is_known, strict=True)
            if count and not real
        },
    }


def user_order(name: str, ids: Any, paths: list[Path], sizes: list[IntArray]) -> IndexArray:
    """Row numbers of all users in the order of their ids."""
    import pyarrow.compute as compute

    ordered = compute.sort_indices(ids)
    sorted_ids = compute.take(ids, ordered).combine_chunks()
    twice = compute.equal(sorted_ids[1:], sorted_ids[:-1]).to_numpy(zero_copy_only=False)
    rows: IndexArray = ordered.to_numpy().astype(np.intp)
    if np.any(twice):
        at = int(np.argmax(twice))
        part = np.searchsorted(_edges(sizes), rows[at : at + 2], side="right")
        where = " and ".join(spelled_path(paths[one].name) for one in part)
        rule, advice = "hold each user in one partition", "Partition by user, then audit."
        raise ValueError(refusal(name, rule, f"user {sorted_ids[at].as_py()!r} in {where}", advice))
    return rows


def _places(order: IndexArray, is_compared: Any) -> IndexArray:
    """Place of each row among the compared users in order; -1 of the others."""
    places = np.full(len(order), -1, dtype=np.intp)
    compared = order[is_compared[order]]
    places[compared] = np.arange(len(compared))
    return places


def _edges(sizes: list[IntArray]) -> IndexArray:
    return np.cumsum([len(one) for one in sizes])[:-1].astype(np.intp)
