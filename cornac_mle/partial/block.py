"""The map: what is to be known of one block of synthetic users, a pure function of the block."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from cornac_mle.checks import refusal
from cornac_mle.diagnostics.kept_apart import pairs_kept_apart
from cornac_mle.diagnostics.rare_pairs import pair_counts
from cornac_mle.metrics.base import RealismMetric
from cornac_mle.metrics.copied_users import nearest_of_block
from cornac_mle.metrics.evaluator import PRIMARY, Evaluator
from cornac_mle.metrics.identical_users import RealSets, identical_counts, real_sets
from cornac_mle.metrics.unrealistic_share import UnrealisticShare
from cornac_mle.metrics.unrealistic_users import UnrealisticUsers
from cornac_mle.neighbours.similarity import similarity_blocks
from cornac_mle.partial.parts import PartUsers, Reading, read_part
from cornac_mle.partial.sums import Copying, Kept, Partial, rank_counts
from cornac_mle.plausibility.judge import FAMILIES, PlausibilityModel
from cornac_mle.profiles import Profiles
from cornac_mle.sparse import FloatArray, IndexArray, coo_to_csr

FALSE_DISCOVERY_RATE = 0.1
"""Of the gallery and its table of preferences, over users."""
TAILS = {"implausible": 1.0, "typical": -1.0}
"""Sign of the score of which a low one is flagged."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of items whose holders are counted: places in a part of the catalogue."""

    columns: IndexArray
    item: IndexArray
    other_item: IndexArray


@dataclass(frozen=True, eq=False)
class Plan:
    """All that a worker must know of the real users, and of what is asked.

    Build it with `Plan.of`.

    Attributes
    ----------
    reading : Reading
        How partitions are read.
    item_ids : Index, shape (n_items,)
        Catalogue.
    min_items : int
        Fewest items of a user who is compared.
    judges : dict of str to PlausibilityModel
        Judges that are asked, by family.
    calibration : dict of str to ndarray, shape (n_held_out,)
        Their scores of the held-out users.
    asked : tuple of (str, str)
        Judge and tail of each histogram of ranks.
    known : RealSets
        Item sets that synthetic users may be identical to.
    pairs : Pairs
        Pairs that real users keep apart.
    real : csr_array or None, shape (n_train + n_held_out, n_items)
        Training and held-out users; None where there are no training users.
    n_train : int
        Training users.
    """

    reading: Reading
    item_ids: pd.Index
    min_items: int
    judges: dict[str, PlausibilityModel]
    calibration: dict[str, FloatArray]
    asked: tuple[tuple[str, str], ...]
    known: RealSets
    pairs: Pairs
    real: sp.csr_array | None
    n_train: int

    @classmethod
    def of(
        cls, evaluator: Evaluator, metrics: list[RealismMetric], reading: Reading | None = None
    ) -> "Plan":
        """Plan what metrics ask of every synthetic user."""
        asked = {(PRIMARY, "implausible")}
        asked |= {histogram_of(one) for one in metrics if is_counted(one)}
        families = sorted({family for family, _ in asked})
        train = evaluator.train
        real = None if train is None else train.concat(evaluator.held_out).matrix
        return cls(
            reading=reading or Reading(),
            item_ids=evaluator.held_out.item_ids,
            min_items=evaluator.min_items,
            judges={family: evaluator.judge_for_family(family) for family in families},
            calibration={
                family: evaluator.plausibility(evaluator.held_out, family=family)
                for family in families
            },
            asked=tuple(sorted(asked)),
            known=real_sets(evaluator),
            pairs=_counted_pairs(evaluator),
            real=real,
            n_train=0 if train is None else len(train),
        )


@dataclass(frozen=True, eq=False)
class Block:
    """One block of synthetic users.

    Attributes
    ----------
    number : int
        Number of the block.
    users : Path or Profiles
        Partition, or the users themselves, over the catalogue.
    places : ndarray of int, shape (n_compared,)
        Place of each compared user among all compared users.
    picked : ndarray of int
        Rows, among the compared users of the block, of those whom half-splits take.
    """

    number: int
    users: Path | Profiles
    places: IndexArray
    picked: IndexArray


def is_counted(metric: RealismMetric) -> bool:
    """Whether a histogram of ranks holds all that a metric asks of every user."""
    if isinstance(metric, UnrealisticUsers):
        plain = not metric.conditional and metric.judge_users == "reference"
        return plain and metric.judge in FAMILIES
    return isinstance(metric, UnrealisticShare) and metric.judge in FAMILIES


def histogram_of(metric: RealismMetric) -> tuple[str, str]:
    """Judge and tail of the histogram that holds what a metric asks."""
    if isinstance(metric, UnrealisticUsers):
        return metric.judge, metric.tail
    assert isinstance(metric, UnrealisticShare)  # `is_counted` has seen to it
    return metric.judge, "implausible"


def map_block(plan: Plan, block: Block) -> Partial:
    """Find all that is to be known of the users of one block.

    A pure function: the same block gives the same, on whatever machine, as often as it is asked.

    Raises
    ------
    ValueError
        If the partition has changed since it was looked at.
    """
    matrix, user_ids = _compared(plan, block.users)
    if matrix.shape[0] != len(block.places):
        rule, got = "stay as they were while they are audited", f"other users in {block.users}"
        raise ValueError(refusal("partitions", rule, got, "Start again."))
    scores = {family: judge.score(matrix) for family, judge in plan.judges.items()}
    primary = scores[PRIMARY]
    everyone = Kept(block.places, primary, user_ids, matrix)
    return Partial(
        scores={block.number: primary},
        ranks={
            (family, tail): rank_counts(
                TAILS[tail] * scores[family], TAILS[tail] * plan.calibration[family]
            )
            for family, tail in plan.asked
        },
        item_counts=np.bincount(matrix.indices, minlength=matrix.shape[1]),
        sizes=np.bincount(np.diff(matrix.indptr)),
        identical=identical_counts(plan.known, matrix),
        pairs=_pair_counts(plan.pairs, matrix),
        copying=_copying(plan, matrix),
        picked=everyone.taken(block.picked),
        worst=everyone.worst(),
    )


def compared_users(plan: Plan, block: Block, rows: IndexArray) -> Profiles:
    """Read some of the compared users of a block once more."""
    matrix, user_ids = _compared(plan, block.users)
    return Profiles(matrix[rows], pd.Index(user_ids[rows], dtype=object), plan.item_ids)


def _compared(plan: Plan, users: Path | Profiles) -> tuple[sp.csr_array, Any]:
    """Users of enough items, over the catalogue, and their ids."""
    if isinstance(users, Profiles):
        matrix, user_ids = users.matrix, users.user_ids.to_numpy()
    else:
        matrix, user_ids = _aligned(plan, read_part(users, plan.reading))
    sizes = np.diff(matrix.indptr)
    enough = np.flatnonzero(sizes >= max(plan.min_items, 1))
    return matrix[enough], user_ids[enough]


def _aligned(plan: Plan, users: PartUsers) -> tuple[sp.csr_array, Any]:
    """Bring users to the catalogue; items that are not in it are left out."""
    places = plan.item_ids.get_indexer(pd.Index(users.item_ids, dtype=object))
    coo = users.matrix.tocoo()
    columns = places[coo.coords[1]]
    known = columns >= 0
    shape = (len(users.user_ids), len(plan.item_ids))
    return (
        coo_to_csr(coo.data[known], coo.coords[0][known], columns[known], shape),
        users.user_ids,
    )


def _copying(plan: Plan, matrix: sp.csr_array) -> Copying | None:
    if plan.real is None:
        return None
    n_real = plan.real.shape[0]
    weights, n_train_nearest, similarity = np.zeros(n_real), 0.0, np.full(n_real, -np.inf)
    is_train = np.arange(n_real) < plan.n_train
    for _, block in similarity_blocks(matrix, plan.real):  # once for both directions
        counts, shares = nearest_of_block(block, is_train)
        weights += counts
        n_train_nearest += float(shares.sum())
        similarity = np.maximum(similarity, block.max(axis=0))
    return Copying(weights, n_train_nearest, similarity)


def _counted_pairs(evaluator: Evaluator) -> Pairs:
    low = pairs_kept_apart(evaluator, FALSE_DISCOVERY_RATE)
    if low is None:
        nothing = np.empty(0, dtype=np.intp)
        return Pairs(nothing, nothing, nothing)
    columns = evaluator.held_out.item_ids.get_indexer(low.real.item_ids)
    used, place = np.unique(np.concatenate([low.item, low.other_item]), return_inverse=True)
    item, other_item = np.split(place, 2)
    return Pairs(columns[used], item, other_item)


def _pair_counts(pairs: Pairs, matrix: sp.csr_array) -> Any:
    if not pairs.item.size:
        return np.zeros(0, dtype=np.int64)
    return pair_counts(sp.csr_array(matrix[:, pairs.columns]), pairs.item, pairs.other_item)
