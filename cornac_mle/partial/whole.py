"""From what is known of all blocks to measurements: the numbers of an audit of one table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
import pandas as pd

from cornac_mle.diagnostics.curves import curves_of
from cornac_mle.diagnostics.gallery import Chosen, gallery_of, preferences_of
from cornac_mle.diagnostics.kept_apart import pairs_by_count
from cornac_mle.metrics.base import NotMeasurableError, RealismMetric, SplitMetric
from cornac_mle.metrics.copied_users import CopiedUsers
from cornac_mle.metrics.evaluator import PRIMARY, Evaluator
from cornac_mle.metrics.identical_users import IdenticalUsers, identical_by_count
from cornac_mle.metrics.membership_attacks import (
    ATTACKS,
    MOST_JUDGING,
    Scores,
    freed,
    independent_draws,
    nearest_differences,
    nearness_differences,
)
from cornac_mle.metrics.membership_inference import MembershipInference, attack_by_scores
from cornac_mle.metrics.plausibility_ks import PlausibilityKS
from cornac_mle.metrics.splits import Split, Splits
from cornac_mle.metrics.unrealistic_share import ERROR, UnrealisticShare
from cornac_mle.metrics.unrealistic_users import UnrealisticUsers, flagged_p_value
from cornac_mle.partial.block import (
    FALSE_DISCOVERY_RATE,
    Block,
    Plan,
    compared_users,
    histogram_of,
    is_counted,
    map_block,
)
from cornac_mle.partial.engines import Submits, in_order
from cornac_mle.partial.scan import Scan
from cornac_mle.partial.sums import Kept, Partial, merge, p_values_of_ranks, size_array
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import Measurement
from cornac_mle.sparse import FloatArray, IndexArray
from cornac_mle.stats.contamination import contamination_bound
from cornac_mle.stats.kolmogorov_smirnov import ks_permutation_p_value

MOST_FLOOR = 100_000
"""Users of independent popularity who are the floor of `MembershipInference`, at most."""
N_WORST = 8
"""Least plausible users of the gallery."""


@dataclass(frozen=True, eq=False)
class Whole:
    """Everything that is known of one set of synthetic users in partitions.

    Attributes
    ----------
    evaluator : Evaluator
        Real users.
    plan : Plan
        What was asked of every user.
    blocks : tuple of Block
        Blocks of users.
    splits : sequence of Split
        Half-splits of all compared users.
    taken : ndarray of int
        Places of the users whom `partial.picked` holds, ascending.
    partial : Partial
        What is known of all blocks.
    """

    evaluator: Evaluator
    plan: Plan
    blocks: tuple[Block, ...]
    splits: Splits
    taken: IndexArray
    partial: Partial

    @property
    def n_users(self) -> int:
        """Compared users."""
        return self.partial.n_users

    @cached_property
    def scores(self) -> FloatArray:
        """Plausibility of all users, in the order of their ids, (n_users,)."""
        scores = np.empty(self.n_users)
        for block in self.blocks:
            scores[block.places] = self.partial.scores[block.number]
        return scores

    def picked(self, places: IndexArray) -> Profiles:
        """Users of given places, ascending, of those who are kept whole."""
        kept = self.partial.picked
        order = np.argsort(kept.places, kind="stable")
        rows = order[np.searchsorted(kept.places[order], places)]
        return _profiles(self.plan, kept.taken(rows))

    def measure(self, metric: RealismMetric, seed: int) -> Measurement:
        """Measure a metric, as `RealismMetric.measure` does all users, but for `per_user`.

        Raises
        ------
        NotMeasurableError
            If it has no value, or asks for all users at once.
        """
        if isinstance(metric, SplitMetric):
            metric.checked_size(self.evaluator, self.n_users)
            splits = _renumbered(self.splits, self.taken)
            return metric.measure_splits(
                self.evaluator,
                self._of_splits,
                splits,
                n_synthetic=self.n_users,
                p_value=self._p_value(metric, seed),
            )
        if isinstance(metric, UnrealisticShare) and is_counted(metric):
            return metric.measured(self.evaluator, self.n_users, lambda: self._bound(metric))
        if isinstance(metric, CopiedUsers):
            return self._copied(metric)
        if isinstance(metric, MembershipInference):
            return self._membership(metric)
        msg = f"not asked of partitions: {metric.name} takes all synthetic users at once"
        raise NotMeasurableError(msg)

    @cached_property
    def _of_splits(self) -> Profiles:
        """Users whom half-splits take: one object, since what is known of them is remembered."""
        return self.picked(self.taken)

    def _p_value(self, metric: SplitMetric, seed: int) -> float | None:
        if is_counted(metric) and isinstance(metric, UnrealisticUsers):
            counts = self.partial.ranks[histogram_of(metric)]
            flagged = int(counts[p_values_of_ranks(counts)[0] <= metric.alpha].sum())
            sizes = [(self.n_users, len(self.evaluator.held_out))]
            return flagged_p_value(flagged, sizes, metric.alpha)
        if isinstance(metric, PlausibilityKS):
            real = self.evaluator.plausibility(self.evaluator.held_out)
            random = np.random.default_rng(np.random.SeedSequence(seed))
            return ks_permutation_p_value(self.scores, real, metric.n_permutations, random)
        return None

    def _bound(self, metric: UnrealisticShare) -> float:
        """Find the bound from ranks: users of one rank lie between the same two real ones."""
        counts = self.partial.ranks[histogram_of(metric)]
        ranks = np.arange(len(counts))
        return contamination_bound(np.repeat(ranks + 0.5, counts), ranks[1:], error=ERROR)

    def _copied(self, metric: CopiedUsers) -> Measurement:
        copying = self.partial.copying
        if copying is None or self.n_users < 2:
            # The metric says why.
            return metric.measure(self.evaluator, self.picked(self.taken[:1]), rng=1)
        return metric.measured(
            self.evaluator,
            copying.weights / self.n_users,
            copying.n_train_nearest / self.n_users,
            n_synthetic=self.n_users,
        )

    def _membership(self, metric: MembershipInference) -> Measurement:
        copying, evaluator = self.partial.copying, self.evaluator
        if copying is None or self.n_users < 2:
            return metric.measure(evaluator, self.picked(self.taken[:1]), rng=1)
        sizes = size_array(self.partial.sizes)
        drawn = independent_draws(evaluator, sizes, self.partial.item_counts)
        teachers = self.picked(np.arange(min(MOST_JUDGING, self.n_users)))
        n_train = self.plan.n_train
        similarity = copying.similarity[:n_train], copying.similarity[n_train:]
        found: dict[str, Scores] = {}
        for name, attack in ATTACKS.items():
            if attack is nearest_differences:
                own = nearness_differences(evaluator, similarity)
            else:
                own = attack(evaluator, teachers)
            found[name] = freed(own, attack(evaluator, drawn))
        attacked = attack_by_scores(evaluator, found, self.n_users)
        return metric.measured(evaluator, attacked, min(self.n_users, MOST_FLOOR))

    def identical(self) -> list[IdenticalUsers]:
        """Find the groups of real users whom synthetic ones repeat beyond chance."""
        return identical_by_count(self.evaluator, self.partial.identical, self.n_users)

    def curves(self) -> dict[str, Any]:
        """Give the distributions to be drawn, see `diagnostics.curves.curves`."""
        partial = self.partial
        return curves_of(
            self.evaluator, self.scores, size_array(partial.sizes), partial.item_counts
        )

    def gallery(self, item_names: dict[Any, str]) -> dict[str, Any]:
        """Choose the users to look at, see `diagnostics.gallery.gallery`."""
        worst = self.partial.worst.taken(np.arange(min(N_WORST, self.n_users)))
        counts = self._ranks
        _, q_values = p_values_of_ranks(counts)
        chosen = [
            self._chosen("worst", _profiles(self.plan, worst), worst.scores),
            self._chosen("typical", *self._typical()),
        ]
        pairs = pairs_by_count(
            self.evaluator,
            self.partial.pairs,
            self.n_users,
            float(size_array(self.partial.sizes).mean()),
            FALSE_DISCOVERY_RATE,
        )
        return gallery_of(
            self.evaluator,
            chosen,
            pairs,
            q=FALSE_DISCOVERY_RATE,
            n_users=self.n_users,
            n_flagged=int(counts[q_values <= FALSE_DISCOVERY_RATE].sum()),
            item_names=item_names,
        )

    def worst_preferences(self) -> pd.DataFrame:
        """List preferences of the least plausible users, as `worst_preferences` does."""
        worst = self.partial.worst
        users = _profiles(self.plan, worst)
        found = self._chosen("worst", users, worst.scores)
        _, q_values = p_values_of_ranks(self._ranks)
        table = pd.DataFrame(
            {
                "user": users.user_ids,
                "user_p_value": found.p_values,
                "user_q_value": q_values[self._rank(worst.scores)],
                "flagged": found.is_flagged,
            }
        )
        return preferences_of(self.evaluator, users, table)

    @property
    def _ranks(self) -> Any:
        return self.partial.ranks[PRIMARY, "implausible"]

    def _rank(self, scores: FloatArray) -> IndexArray:
        calibration = np.sort(self.plan.calibration[PRIMARY])
        return np.searchsorted(calibration, scores, side="right")

    def _chosen(self, kind: str, users: Profiles, scores: FloatArray) -> Chosen:
        p_values, q_values = p_values_of_ranks(self._ranks)
        ranks = self._rank(scores)
        return Chosen(kind, users, p_values[ranks], q_values[ranks] <= FALSE_DISCOVERY_RATE)

    def _typical(self) -> tuple[Profiles, FloatArray]:
        """Read the user in the middle of the order of plausibility once more."""
        scores = self.scores
        place = np.argsort(scores, kind="stable")[len(scores) // 2]
        for block in self.blocks:
            row = np.flatnonzero(block.places == place)
            if row.size:
                return compared_users(self.plan, block, row), scores[[place]]
        raise AssertionError(place)


def whole(
    engine: Submits,
    evaluator: Evaluator,
    plan: Plan,
    looked: Scan,
    step: Callable[[str], None],
    name: str,
) -> Whole:
    """Look at all users of all partitions and merge what is found, in the order of the blocks.

    Raises
    ------
    ValueError
        If nobody has enough items, or a partition has changed.
    """
    n_users = looked.n_compared
    size = evaluator.half_size(n_users)
    splits = evaluator.splits(size, n_users)
    is_taken = np.zeros(n_users, dtype=np.bool_)
    for split in splits:
        is_taken[split.other] = True
    of_splits = np.flatnonzero(is_taken)
    if evaluator.train is not None:  # the first ones teach the judge of an attack
        is_taken[:MOST_JUDGING] = True
    blocks = tuple(
        Block(number, path, places, np.flatnonzero(is_taken[places]))
        for number, (path, places) in enumerate(zip(looked.paths, looked.places, strict=True))
    )

    def found() -> Any:
        for block, partial in zip(blocks, in_order(engine, map_block, plan, blocks), strict=True):
            step(f"{name}: judged {block.number + 1:,} of {len(blocks):,} partitions")
            yield partial

    return Whole(evaluator, plan, blocks, splits, of_splits, reduce(merge, found()))


def lacks_p_value(metric: RealismMetric) -> bool:
    """Whether a metric is a test of all users at once, of which partitions give no p-value."""
    is_test = isinstance(metric, SplitMetric) and type(metric)._p_value is not SplitMetric._p_value
    return is_test and not (is_counted(metric) or isinstance(metric, PlausibilityKS))


def _renumbered(splits: Splits, taken: IndexArray) -> Sequence[Split]:
    """Give half-splits of all users as half-splits of those who are taken."""
    return [Split(split.real, np.searchsorted(taken, split.other)) for split in splits]


def _profiles(plan: Plan, kept: Kept) -> Profiles:
    return Profiles(kept.matrix, pd.Index(kept.user_ids, dtype=object), plan.item_ids)
