"""The evaluator: everything that metrics need of real users, fitted once for all models."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import numpy as np

from cornac_mle.checks import check_choice, check_count, check_share, refusal
from cornac_mle.metrics._memory import Memory
from cornac_mle.metrics._user_groups import check_groups
from cornac_mle.metrics.splits import Split, half_splits
from cornac_mle.null_models.corruption import popularity_draws
from cornac_mle.plausibility.combined import COMBINED, CombinedJudge
from cornac_mle.plausibility.judge import FAMILIES, PlausibilityModel
from cornac_mle.plausibility.profile_features import LEAST, profile_features
from cornac_mle.profiles import Profiles, check_profiles
from cornac_mle.randomness import RngLike, children, repeatable_generator
from cornac_mle.sparse import FloatArray, IndexArray
from cornac_mle.stats.conformal import Cells, conditional_p_values, conformal_p_values, merged_cells

T = TypeVar("T")
PRIMARY = next(iter(FAMILIES))
"""Family of the judge whose scores metrics report."""


@dataclass(frozen=True, eq=False, repr=False)
class Evaluator:
    """Real users that no model has seen, and a plausibility judge fitted on some of them.

    Fitted once; serves every metric and every model. Build it with `Evaluator.fit`.

    Attributes
    ----------
    train : Profiles or None
        Users that the models were fitted on, where they are at hand: `CopiedUsers`, `Authenticity`
        and the ceiling of `MissingShare` need them.
    reference : Profiles
        Users that judges are fitted on.
    held_out : Profiles
        Users that synthetic users are compared with.
    judge : PlausibilityModel
        The primary judge, of the EASE family.
    floor_users : Profiles
        Independent-popularity users, as many as held-out users, of sizes and popularity of `seen`.
    n_splits : int
        Number of half-splits of the held-out users.
    split_seeds : tuple of SeedSequence
        Random seeds of the half-splits, one each.
    judge_seed : SeedSequence
        Random seed of the judges.

    Examples
    --------
    Three groups of real users, 40 items; every user's taste is one half of the items.

    >>> import pandas as pd, scipy.sparse as sp
    >>> random = np.random.default_rng(1)
    >>> likes_first = random.random((90, 1)) < 0.5
    >>> holds = random.random((90, 40)) < np.where(likes_first == (np.arange(40) < 20), 0.4, 0.05)
    >>> users = pd.Index([f"u{row}" for row in range(90)])
    >>> items = pd.Index([f"i{column}" for column in range(40)])
    >>> real = Profiles(sp.csr_array(holds, dtype=np.float32), users, items)
    >>> evaluator = Evaluator.fit(real[:30], real[30:60], real[60:], rng=1)
    >>> evaluator
    Evaluator(30 train, 30 reference, 30 held-out users, 40 items)
    >>> evaluator.p_values(evaluator.floor_users).shape
    (30,)
    """

    train: Profiles | None
    reference: Profiles
    held_out: Profiles
    judge: PlausibilityModel
    floor_users: Profiles
    n_splits: int
    split_seeds: tuple[np.random.SeedSequence, ...]
    judge_seed: np.random.SeedSequence
    min_items: int = 0
    _other_judges: dict[str, PlausibilityModel] = field(init=False, default_factory=dict)
    _memory: Memory = field(init=False, default_factory=Memory)

    def __repr__(self) -> str:
        groups = ("reference", self.reference), ("held-out", self.held_out)
        sizes = ", ".join(f"{len(group):,} {name}" for name, group in groups)
        train = "no" if self.train is None else f"{len(self.train):,}"
        return f"Evaluator({train} train, {sizes} users, {len(self.held_out.item_ids):,} items)"

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is remembered of users: it is computed again where it is asked for."""
        return {name: part for name, part in self.__dict__.items() if name != "_memory"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _memory=Memory())

    @classmethod
    def fit(
        cls,
        train: Profiles | None,
        reference: Profiles,
        held_out: Profiles,
        *,
        rng: RngLike,
        n_splits: int = 20,
        min_items: int = 0,
        unseen_is_evidence: bool = False,
    ) -> Self:
        """Fit the judge on `reference` and draw the floor and the half-splits of `held_out`.

        Parameters
        ----------
        train, reference, held_out : Profiles
            Disjoint groups of users over the same items in the same order. `train` may be None:
            then popularity is that of the reference users.
        rng : int, SeedSequence or Generator
            Random seed of the judges, the floor and the half-splits.
        n_splits : int
            Number of half-splits, at least 2.
        min_items : int
            Fewest items that the real users were asked to have, at least 0. Synthetic users with
            fewer are left out of every comparison, and counted.
        unseen_is_evidence : bool
            Whether an item that no reference user holds makes its user less plausible.

        Raises
        ------
        ValueError
            If groups share a user or differ in items, or a group has fewer than 2 users.
        """
        n_splits = check_count("n_splits", n_splits, minimum=2)
        min_items = check_count("min_items", min_items, minimum=0)
        groups = {"reference": reference, "held_out": held_out}
        if train is not None:
            groups = {"train": train, **groups}
        check_groups(groups)
        judge_seed, rest = children(repeatable_generator(rng), 2)
        judge = PlausibilityModel.fit(
            reference.matrix, unseen_is_evidence=unseen_is_evidence, rng=judge_seed
        )
        return cls._assembled(
            train, reference, held_out, judge, n_splits, rest, judge_seed, min_items
        )

    def with_held_out(self, held_out: Profiles, *, rng: RngLike) -> Self:
        """Compare with other real users (validation users, say); the judge is not fitted again."""
        groups = {"reference": self.reference, "held_out": held_out}
        check_groups(groups if self.train is None else {"train": self.train, **groups})
        (seed,) = children(repeatable_generator(rng), 1)
        moved = type(self)._assembled(
            self.train,
            self.reference,
            held_out,
            self.judge,
            self.n_splits,
            seed,
            self.judge_seed,
            self.min_items,
        )
        # One dictionary for both: a judge that either of them fits later serves the other too.
        object.__setattr__(moved, "_other_judges", self._other_judges)
        return moved

    @classmethod
    def _assembled(
        cls,
        train: Profiles | None,
        reference: Profiles,
        held_out: Profiles,
        judge: PlausibilityModel,
        n_splits: int,
        seed: np.random.SeedSequence,
        judge_seed: np.random.SeedSequence,
        min_items: int,
    ) -> Self:
        floor_seed, *split_seeds = seed.spawn(n_splits + 1)
        seen = reference if train is None else train
        random = np.random.default_rng(floor_seed)
        # Sizes of the users who are seen: those of the held-out users would make the floor's users
        # depend on whom they are compared with.
        sizes = random.choice(seen.sizes[seen.sizes >= min_items], len(held_out))
        floor = popularity_draws(seen.item_counts, sizes, rng=random)
        return cls(
            train=train,
            reference=reference,
            held_out=held_out,
            judge=judge,
            floor_users=Profiles.from_matrix(floor, held_out.item_ids),
            n_splits=n_splits,
            split_seeds=tuple(split_seeds),
            judge_seed=judge_seed,
            min_items=min_items,
        )

    @property
    def seen(self) -> Profiles:
        """Users whose popularity is known to the floor: training users, else reference users."""
        return self.reference if self.train is None else self.train

    def judge_for_family(self, family: str) -> PlausibilityModel:
        """Judge of a family: "ease", "item-knn" or "svd"; the latter are fitted when asked for.

        Raises
        ------
        ValueError
            If there is no such family.
        """
        if check_choice("family", family, FAMILIES) == PRIMARY:
            return self.judge
        if family not in self._other_judges:
            self._other_judges[family] = PlausibilityModel.fit(
                self.reference.matrix,
                family=family,
                unseen_is_evidence=self.judge.log_unseen is not None,
                rng=self.judge_seed,
            )
        return self._other_judges[family]

    def take_judge(self, family: str, judge: PlausibilityModel) -> None:
        """Take a judge of another family that `judge_for_family` of a copy has fitted."""
        self._other_judges[check_choice("family", family, FAMILIES)] = judge

    def plausibility(self, profiles: Profiles, *, family: str = PRIMARY) -> FloatArray:
        """Score how plausible each user is, shape (n_users,); higher is more believable.

        An empty or one-item profile scores -inf. The family "combined" is `CombinedJudge`.
        """
        if family == COMBINED:
            return self.remembered(
                profiles, COMBINED, compute=lambda: self._combined_scores(profiles)
            )
        return self.description(profiles, family)[:, 0]

    def _combined_scores(self, profiles: Profiles) -> FloatArray:
        judges = [self.judge_for_family(family) for family in FAMILIES]
        judge = self.remembered(
            CombinedJudge, compute=lambda: CombinedJudge.fit(judges, rng=self.judge_seed)
        )
        return judge.score_features(self.rich_features(profiles), profiles.sizes)

    @property
    def reference_scores(self) -> FloatArray:
        """Scores of the reference users, shape (n_reference,): thresholds are fixed on these.

        The evidence on each user comes from others only; the few coefficients that weigh it were
        fitted to all of them.
        """
        return self.judge.reference_scores

    def p_values(
        self, profiles: Profiles, *, family: str = PRIMARY, conditional_at: float | None = None
    ) -> FloatArray:
        """Conformal p-value of each user against all held-out users, shape (n_users,).

        In [1 / (n + 1), 1], n held-out users; small is implausible. For a real user who was in no
        group, P(p <= a) <= a for every a, on average over the held-out users that calibrate. (A
        held-out user itself counts as one of those: compare halves instead.)

        Parameters
        ----------
        profiles : Profiles
            Users to judge, over the items of the held-out users.
        family : {"ease", "item-knn", "svd", "combined"}
            Family of the judge, or the one that combines all three.
        conditional_at : float, optional
            Level, in (0, 1), of p-values that hold within cells: users are ranked within cells of
            profile size x popularity only, large enough for p-values of this level: then P(p <= a)
            <= a holds in every cell, not only on average.
        """
        scores = self.plausibility(profiles, family=family)
        calibration = self.plausibility(self.held_out, family=family)
        if conditional_at is None:
            return conformal_p_values(scores, calibration)
        cells = self.cells_of(profiles, len(calibration), conditional_at)
        calibration_cells = self.cells_of(self.held_out, len(calibration), conditional_at)
        return conditional_p_values(scores, cells, calibration, calibration_cells)

    def cells_of(self, profiles: Profiles, n_calibration: int, alpha: float) -> IndexArray:
        """Cell of profile size x mean popularity of each user, shape (n_users,).

        Cut by the reference users, so that about three standard deviations more than the
        1 / alpha - 1 users that a p-value of `alpha` needs are expected in each.
        """
        cells = self.remembered(
            Cells,
            compute=lambda: Cells.fit(self.reference.sizes, self._mean_popularity(self.reference)),
        )
        needed = 1 / check_share("conditional_at", alpha) - 1
        of_reference = cells.of(self.reference.sizes, self._mean_popularity(self.reference))
        expected = np.bincount(of_reference, minlength=cells.count) * (
            n_calibration / len(self.reference)
        )
        merged = merged_cells(expected, needed + 3 * np.sqrt(needed))
        return merged[cells.of(profiles.sizes, self._mean_popularity(profiles))]

    def _mean_popularity(self, profiles: Profiles) -> FloatArray:
        """Mean over a user's items of the log of reference holders plus 1; 0 for an empty user."""
        total = profiles.matrix.astype(bool) @ np.log1p(self.judge.user_counts)
        return np.asarray(total / np.maximum(profiles.sizes, 1), dtype=np.float64)

    def features(self, profiles: Profiles) -> FloatArray:
        """Describe profiles for a classifier, shape (n_users, n_features), all finite.

        What the three judges, which know reference users only, say of a profile: the mean and
        quantiles over its items of log P(genuine), of each judge; then the log of 1 + its size and
        its mean log popularity.
        """
        parts = [self.description(profiles, family)[:, 1:] for family in FAMILIES]
        sizes = np.log1p(profiles.sizes)
        described = np.column_stack([*parts, sizes, self._mean_popularity(profiles)])
        finite: FloatArray = np.maximum(described, LEAST)
        return finite

    def rich_features(self, profiles: Profiles) -> FloatArray:
        """Describe profiles for judges that learn, once: see `profile_features`."""
        self.check_users("profiles", profiles)
        judges = [self.judge_for_family(family) for family in FAMILIES]
        said = [self.description(profiles, family) for family in FAMILIES]
        return self.remembered(
            profiles,
            profile_features,
            compute=lambda: profile_features(judges, profiles.matrix, said),
        )

    def description(self, profiles: Profiles, family: str) -> FloatArray:
        """Let a judge describe profiles, once: see `PlausibilityModel.describe`."""
        self.check_users("profiles", profiles)
        return self.remembered(
            profiles,
            PlausibilityModel,
            family,
            compute=lambda: self.judge_for_family(family).describe(profiles.matrix),
        )

    def half_size(self, n_synthetic: int) -> int:
        """Users on each side of a matched comparison: half of the smaller group."""
        return min(len(self.held_out), n_synthetic) // 2

    def splits(self, size: int, n_others: int | None) -> list[Split]:
        """Half-splits: `size` held-out users against `size` others.

        The others are rows of a pool of `n_others` users; None takes them from the held-out users
        that are left, which gives the ceiling. The held-out halves depend on `size` only, so every
        model and the floor meet the same ones.
        """
        return half_splits(self.split_seeds, len(self.held_out), size, n_others)

    def remembered(self, owner: object, *arguments: Hashable, compute: Callable[[], T]) -> T:
        """Return what belongs to an owner and arguments, computing it the first time only.

        Parameters
        ----------
        owner : function, Profiles or metric
            Whom the result belongs to: a function of real users alone; users, as long as they live;
            or a metric. Metrics of one class share a result only where all their settings are plain
            values and equal.
        *arguments : hashable
            All else that the result depends on, the users of this evaluator apart; of users as the
            owner, the function that is computed too.
        compute : callable
            Function without arguments that gives the result.
        """
        return self._memory.remembered(owner, *arguments, compute=compute)

    def comparable(self, name: str, profiles: Profiles) -> Profiles:
        """Bring users to the catalogue and the rule of the real users that they are held against.

        Items are put in the order of the held-out users' catalogue, users with fewer than
        `min_items` items are left out. Remembered, so that each user is judged once.

        Parameters
        ----------
        name : str
            Name of the argument, for errors.
        profiles : Profiles
            Users over items of the catalogue, in any order.

        Returns
        -------
        Profiles
            The same object where nothing is to be done.

        Raises
        ------
        TypeError, ValueError
            If they are no Profiles, or hold items that are not in the catalogue.
        """
        check_profiles(name, profiles)
        items = self.held_out.item_ids
        is_short = profiles.sizes < self.min_items
        if profiles.item_ids.equals(items) and not is_short.any():
            return profiles

        def brought() -> Profiles:
            aligned, unknown = profiles.split_items(items)
            if unknown.size:
                rule = "hold items of the real users only"
                first = profiles.item_ids[unknown[0]]
                got = f"{unknown.size:,} others, {first!r} first"
                advice = "profiles.align(evaluator.held_out.item_ids) leaves them out and says so."
                raise ValueError(refusal(name, rule, got, advice))
            return aligned[~is_short] if is_short.any() else aligned

        return self.remembered(profiles, Evaluator.comparable, compute=brought)

    def check_users(self, name: str, profiles: Profiles) -> None:
        """Refuse what are no profiles over the items of the held-out users.

        Raises
        ------
        TypeError, ValueError
            Naming the argument.
        """
        check_profiles(name, profiles)
        if not profiles.item_ids.equals(self.held_out.item_ids):
            rule = "have the items of the held-out users, in the same order"
            got = f"{len(profiles.item_ids)} others"
            advice = "Call profiles.align(evaluator.held_out.item_ids) first."
            raise ValueError(refusal(name, rule, got, advice))
