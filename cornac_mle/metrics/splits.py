"""Half-splits: equally many held-out users and others, so that a metric is of one size."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from cornac_mle.sparse import IndexArray


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of one matched comparison: `real` of the held-out users, `other` of the users judged.

    Attributes
    ----------
    real : ndarray of int, shape (size,)
        Row numbers among the held-out users, ascending.
    other : ndarray of int, shape (size,)
        Row numbers among the users judged, ascending.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> split = evaluator.splits(3, len(synthetic))[0]
    >>> split.real, split.other
    (array([..., ..., ...]), array([..., ..., ...]))
    """

    real: IndexArray
    other: IndexArray


Splits = Sequence[Split]
"""Half-splits of one size, which every model and the floor meet alike."""


def split_key(splits: Splits, *, real_only: bool = False) -> bytes:
    """Digest of the rows of splits: an argument under which to remember what depends on them."""
    digest = blake2b(digest_size=16)
    for split in splits:
        for rows in (split.real,) if real_only else (split.real, split.other):
            digest.update(len(rows).to_bytes(8, "little") + rows.astype(np.int64).tobytes())
    return digest.digest()


def half_splits(
    seeds: Sequence[np.random.SeedSequence], n_held_out: int, size: int, n_others: int | None
) -> list[Split]:
    """Draw a split from each seed: `size` of the held-out users, and `size` of `n_others` users.

    None takes the others from the held-out users that are left.
    """
    splits = []
    for seed in seeds:
        random = np.random.default_rng(seed)
        rows = random.permutation(n_held_out)
        others = rows[size : 2 * size] if n_others is None else random.permutation(n_others)
        splits.append(Split(np.sort(rows[:size]), np.sort(others[:size])))
    return splits
