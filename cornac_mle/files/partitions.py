"""Synthetic users in partitions: a folder of Parquet files of equally many users, and a manifest.

A partition appears under its name only when it is whole, so that a full disk or a killed process
leaves whole partitions. The manifest says what all of them are of: whoever goes on with a folder
keeps its partitions only where the manifest is the same.

Ids are dictionary-encoded: an id is written once for many rows.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from cornac_mle.checks import check_count, refusal
from cornac_mle.files.paths import atomic_path
from cornac_mle.files.profile_layouts import Texts
from cornac_mle.files.records import pyarrow_parquet
from cornac_mle.files.refusals import spelled_path
from cornac_mle.sparse import user_of

MANIFEST = "_manifest.json"
"""Readers of folders of Parquet files pass over names that begin like this."""
FORMAT = 1
PARTITION_USERS = 64 * 1024
"""Users of a partition: whole chunks, so that their dictionary stays small and so does memory."""
GROUP_ROWS = 2**20
"""Rows that are written together, at least."""


@dataclass(frozen=True)
class Manifest:
    """What the partitions of a folder are of.

    Attributes
    ----------
    n_users : int
        Users in all partitions, "s0", "s1", ...
    partition_users : int
        Users of each partition; the last one may have fewer.
    made : mapping
        How they were made: model, random seed, data, versions; numbers and text alone.

    Examples
    --------
    >>> manifest = Manifest(150_000, 65_536, {"model": "VAE"})
    >>> len(manifest.names), manifest.names[0], manifest.users_of(2)
    (3, 'part-000000.parquet', range(131072, 150000))
    """

    n_users: int
    partition_users: int
    made: Mapping[str, Any]

    @property
    def names(self) -> list[str]:
        """File names of the partitions."""
        count = -(-self.n_users // self.partition_users)
        return [f"part-{number:06d}.parquet" for number in range(count)]

    def users_of(self, number: int) -> range:
        """Numbers of the users of a partition."""
        start = number * self.partition_users
        return range(start, min(start + self.partition_users, self.n_users))


def missing_partitions(folder: Path, manifest: Manifest) -> list[int]:
    """Claim a folder for the partitions of a manifest, and tell which are not there yet.

    Raises
    ------
    ValueError
        If it holds Parquet files of something else.
    OSError
        If it cannot be written.
    """
    check_claim(folder, manifest)
    if read_manifest(folder) is None:
        with atomic_path(folder / MANIFEST) as temporary:
            text = json.dumps({"format": FORMAT, **asdict(manifest)}, indent=2)
            temporary.write_text(f"{text}\n", encoding="utf-8")
    return [n for n, name in enumerate(manifest.names) if not (folder / name).exists()]


def check_claim(folder: Path, manifest: Manifest) -> None:
    """Refuse a folder that holds Parquet files of something else than a manifest says.

    Raises
    ------
    ValueError
        Naming what differs.
    """
    if folder.exists() and not folder.is_dir():
        advice = "A file has that name: name another folder, or a file with a suffix."
        raise ValueError(refusal("path", "be a folder", spelled_path(folder), advice))
    known = read_manifest(folder)
    advice = "Name another folder, or remove this one."
    if known is not None and known != manifest:
        one, other = _flat(known), _flat(manifest)
        name = next(name for name in [*one, *other] if one.get(name) != other.get(name))
        got = f"{spelled_path(folder)!r}, whose {name} is {one.get(name)}, not {other.get(name)}"
        raise ValueError(refusal("folder", "be of the same users", got, advice))
    if known is None and folder.is_dir() and any(folder.glob("*.parquet")):
        got = f"{spelled_path(folder)!r}: Parquet files without {MANIFEST}"
        raise ValueError(refusal("folder", "be empty, or be of the same users", got, advice))


def read_manifest(folder: Path) -> Manifest | None:
    """Read the manifest of a folder; None where it has none.

    Raises
    ------
    ValueError
        If it is damaged or of another version.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        return _parsed(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        rule, got = "be a manifest of partitions", f"a damaged one in {spelled_path(folder)!r}"
        raise ValueError(refusal(MANIFEST, rule, got, "Make the users again.")) from error


def _parsed(kept: dict[str, Any]) -> Manifest:
    if kept.pop("format") != FORMAT:
        raise ValueError(refusal("format", f"be {FORMAT}", "another"))
    manifest = Manifest(**kept)
    check_count("n_users", manifest.n_users)
    check_count("partition_users", manifest.partition_users)
    return Manifest(manifest.n_users, manifest.partition_users, dict(manifest.made))


def whole_partitions(folder: Path) -> list[Path] | None:
    """Return the partitions of a folder that has a manifest; None where it has none.

    Raises
    ------
    ValueError
        If a partition is missing: the users would be fewer than were asked for.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return None
    missing = [name for name in manifest.names if not (folder / name).is_file()]
    if missing:
        rule = f"hold {len(manifest.names):,} partitions, as its manifest says"
        got = f"{spelled_path(folder)!r} without {len(missing):,} of them, {missing[0]} first"
        advice = "Go on with it: give `cornac-mle sample` the same options again."
        raise ValueError(refusal("folder", rule, got, advice))
    return [folder / name for name in manifest.names]


def write_users(
    path: Path,
    chunks: Iterable[sp.csr_array],
    items: Texts,
    *,
    first_user: int = 0,
    items_listed: bool = False,
) -> int:
    """Write chunks of synthetic users to one Parquet file as they come; gives their number.

    The file appears whole or not at all. Columns are user, item, rating; a user without items is a
    row without an item.

    Parameters
    ----------
    path : Path
        File to write.
    chunks : iterable of csr_array, each of shape (n_users, n_items)
        Users, above 0 what is held.
    items : ndarray of str, shape (n_items,)
        Ids of the items.
    first_user : int
        Number of the first user, "s0" that of number 0.
    items_listed : bool
        Whether rows without a user say the order of the items, where it is not that in which they
        appear: `Profiles.read` then gives exactly what was drawn.

    Raises
    ------
    OSError
        If the disk is full, the folder is not writable, and so on.
    ImportError
        If pyarrow is not installed.
    """
    parquet = pyarrow_parquet()
    appeared: dict[int, None] = {}
    n_users = 0
    with atomic_path(path) as temporary:
        schema = _schema()
        with parquet.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for group in _groups(chunks):
                writer.write_table(_table(group, items, first_user + n_users))
                n_users += group.shape[0]
                if items_listed and len(appeared) < len(items):
                    appeared |= dict.fromkeys(_in_order_of_appearance(group.indices))
            if items_listed and list(appeared) != list(range(len(items))):
                writer.write_table(_item_rows(items))
    return n_users


def _groups(chunks: Iterable[sp.csr_array]) -> Iterator[sp.csr_array]:
    """Join chunks until they hold enough rows to be written."""
    waiting: list[sp.csr_array] = []
    for chunk in chunks:
        waiting.append(chunk)
        if sum(one.nnz for one in waiting) >= GROUP_ROWS:
            yield sp.csr_array(sp.vstack(waiting, format="csr"))
            waiting = []
    if waiting:
        yield sp.csr_array(sp.vstack(waiting, format="csr"))


def _schema() -> Any:
    import pyarrow as pa

    ids = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([("user", ids), ("item", ids), ("rating", pa.float64())])


def _table(users: sp.csr_array, items: Texts, first_user: int) -> Any:
    """Lay out users as user, item, rating; a user without items is a row without an item."""
    import pyarrow as pa

    empty = np.flatnonzero(np.diff(users.indptr) == 0)
    places = users.indptr[empty]  # where, among the pairs, the empty users belong
    row = np.insert(user_of(users), places, empty).astype(np.int32)
    item = np.insert(users.indices, places, -1).astype(np.int32)
    rating = np.insert(users.data.astype(np.float64), places, np.nan)
    names = [f"s{number}" for number in range(first_user, first_user + users.shape[0])]
    nothing = item < 0
    return pa.table(
        [
            pa.DictionaryArray.from_arrays(row, pa.array(names, pa.string())),
            pa.DictionaryArray.from_arrays(
                pa.array(item, mask=nothing), pa.array(items, pa.string())
            ),
            pa.array(rating, mask=nothing),
        ],
        schema=_schema(),
    )


def _item_rows(items: Texts) -> Any:
    """Lay out items that nobody need hold: rows without a user."""
    import pyarrow as pa

    count = len(items)
    places = np.arange(count, dtype=np.int32)
    return pa.table(
        [
            pa.array([None] * count, pa.dictionary(pa.int32(), pa.string())),
            pa.DictionaryArray.from_arrays(places, pa.array(items, pa.string())),
            pa.array([None] * count, pa.float64()),
        ],
        schema=_schema(),
    )


def _in_order_of_appearance(columns: Any) -> list[int]:
    first = np.unique(columns, return_index=True)[1]
    return [int(column) for column in columns[np.sort(first)]]


def _flat(manifest: Manifest) -> dict[str, Any]:
    return {"n_users": manifest.n_users, "partition_users": manifest.partition_users} | dict(
        manifest.made
    )
