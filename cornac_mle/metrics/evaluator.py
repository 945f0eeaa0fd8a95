"""The evaluator: everything that metrics need of real users, fitted once for all models."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from cornac_mle.checks import check_choice, check_count, check_share, refusal
from cornac_mle.null_models.corruption import popularity_draws
from cornac_mle.plausibility.judge import FAMILIES, PlausibilityModel
from cornac_mle.profiles import Profiles, check_profiles
from cornac_mle.randomness import RngLike, children, repeatable_generator
from cornac_mle.sparse import FloatArray, IndexArray
from cornac_mle.stats.conformal import Cells, conditional_p_values, conformal_p_values, merged_cells

_MEMORIES = ("_described", "_remembered")
PRIMARY = next(iter(FAMILIES))
"""Family of the judge whose scores metrics report."""
LEAST_LOG_GENUINE = -20.0
"""Stands for -inf among features: less than any item's log P(genuine)."""


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of one matched comparison: `real` of the held-out users, `other` of the users judged."""

    real: IndexArray
    other: IndexArray


@dataclass(frozen=True, eq=False, repr=False)
class Evaluator:
    """Real users that no model has seen, and a plausibility judge fitted on some of them.

    Fitted once; serves every metric and every model. Build it with `Evaluator.fit`.

    Attributes
    ----------
    train : Profiles or None
        Users that the models were fitted on: needed by `CopiedUsers` only.
    reference : Profiles
        Users that the judge is fitted on, and nothing else.
    held_out : Profiles
        Users that synthetic users are compared with.
    judge : PlausibilityModel
        The primary judge, of the EASE family.
    floor_users : Profiles
        Independent-popularity users, as many as held-out users, of sizes of training users.
    n_splits : int
        Half-splits of the held-out users.
    """

    train: Profiles | None
    reference: Profiles
    held_out: Profiles
    judge: PlausibilityModel
    floor_users: Profiles
    n_splits: int
    split_seeds: tuple[np.random.SeedSequence, ...]
    judge_seed: np.random.SeedSequence
    _described: "WeakKeyDictionary[Profiles, dict[str, FloatArray]]" = field(
        default_factory=WeakKeyDictionary
    )
    _other_judges: dict[str, PlausibilityModel] = field(default_factory=dict)
    _remembered: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        groups = ("reference", self.reference), ("held-out", self.held_out)
        sizes = ", ".join(f"{len(group):,} {name}" for name, group in groups)
        train = "no" if self.train is None else f"{len(self.train):,}"
        return f"Evaluator({train} train, {sizes} users, {len(self.held_out.item_ids):,} items)"

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is remembered of users: it is computed again where it is asked for."""
        return {name: part for name, part in self.__dict__.items() if name not in _MEMORIES}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _described=WeakKeyDictionary(), _remembered={})

    @classmethod
    def fit(
        cls,
        train: Profiles | None,
        reference: Profiles,
        held_out: Profiles,
        *,
        rng: RngLike,
        n_splits: int = 20,
    ) -> Self:
        """Fit the judge on `reference` and draw the floor and the half-splits of `held_out`.

        Parameters
        ----------
        train, reference, held_out : Profiles
            Disjoint groups of users over the same items in the same order. `train` may be None:
            then popularity is that of the reference users.
        rng : int, SeedSequence or Generator
        n_splits : int
            Half-splits, at least 2.

        Raises
        ------
        ValueError
            If groups share a user or differ in items, or a group has fewer than 2 users.
        """
        check_count("n_splits", n_splits, minimum=2)
        groups = {"reference": reference, "held_out": held_out}
        if train is not None:
            groups = {"train": train, **groups}
        check_groups(groups)
        judge_seed, rest = children(repeatable_generator(rng), 2)
        judge = PlausibilityModel.fit(reference.matrix, rng=judge_seed)
        return cls._with(train, reference, held_out, judge, n_splits, rest, judge_seed)

    def with_held_out(self, held_out: Profiles, *, rng: RngLike) -> Self:
        """Compare with other real users (validation users, say); the judge is not fitted again."""
        groups = {"reference": self.reference, "held_out": held_out}
        check_groups(groups if self.train is None else {"train": self.train, **groups})
        (seed,) = children(repeatable_generator(rng), 1)
        moved = type(self)._with(
            self.train, self.reference, held_out, self.judge, self.n_splits, seed, self.judge_seed
        )
        # One dictionary for both: a judge that either of them fits later serves the other too.
        return replace(moved, _other_judges=self._other_judges)

    @classmethod
    def _with(
        cls,
        train: Profiles | None,
        reference: Profiles,
        held_out: Profiles,
        judge: PlausibilityModel,
        n_splits: int,
        seed: np.random.SeedSequence,
        judge_seed: np.random.SeedSequence,
    ) -> Self:
        floor_seed, *split_seeds = seed.spawn(n_splits + 1)
        seen = reference if train is None else train
        random = np.random.default_rng(floor_seed)
        # Sizes of the users who are seen: those of the held-out users would make the floor's users
        # depend on whom they are compared with.
        sizes = random.choice(seen.sizes, len(held_out))
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
                self.reference.matrix, family=family, rng=self.judge_seed
            )
        return self._other_judges[family]

    def plausibility(self, profiles: Profiles, *, family: str = PRIMARY) -> FloatArray:
        """Score how plausible each user is, shape (n_users,); higher is more believable.

        An empty or one-item profile scores -inf.
        """
        return self._description(profiles, family)[:, 0]

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
        conditional_at : float, optional
            Rank users within cells of profile size x popularity only, large enough for p-values
            of this level: then P(p <= a) <= a holds in every cell, not only on average.
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
        cells: Cells = self.remember(
            ("cells",),
            lambda: Cells.fit(self.reference.sizes, self._mean_popularity(self.reference)),
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
        parts = [self._description(profiles, family)[:, 1:] for family in FAMILIES]
        sizes = np.log1p(profiles.sizes)
        described = np.column_stack([*parts, sizes, self._mean_popularity(profiles)])
        finite: FloatArray = np.maximum(described, LEAST_LOG_GENUINE)
        return finite

    def _description(self, profiles: Profiles, family: str) -> FloatArray:
        """Let a judge describe profiles, once."""
        self.check_users("profiles", profiles)
        of_profiles = self._described.setdefault(profiles, {})
        if family not in of_profiles:
            of_profiles[family] = self.judge_for_family(family).describe(profiles.matrix)
        return of_profiles[family]

    def half_size(self, n_synthetic: int) -> int:
        """Users on each side of a matched comparison: half of the smaller group."""
        return min(len(self.held_out), n_synthetic) // 2

    def splits(self, size: int, n_others: int | None) -> list[Split]:
        """Half-splits: `size` held-out users against `size` others.

        The others are rows of a pool of `n_others` users; None takes them from the held-out users
        that are left, which gives the ceiling. The held-out halves depend on `size` only, so every
        model and the floor meet the same ones.
        """
        splits = []
        for seed in self.split_seeds:
            random = np.random.default_rng(seed)
            rows = random.permutation(len(self.held_out))
            others = rows[size : 2 * size] if n_others is None else random.permutation(n_others)
            splits.append(Split(np.sort(rows[:size]), np.sort(others[:size])))
        return splits

    def remember(self, key: tuple[Any, ...], compute: Callable[[], Any]) -> Any:
        """Return what was computed under `key`, computing it the first time only."""
        if key not in self._remembered:
            self._remembered[key] = compute()
        return self._remembered[key]

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


def check_groups(groups: dict[str, Profiles]) -> None:
    """Refuse groups that share a user, differ in items or are too small.

    Raises
    ------
    ValueError
        Naming the groups and the first shared user.
    """
    for name, group in groups.items():
        check_profiles(name, group)
    names = list(groups)
    items = groups[names[0]].item_ids
    for name, group in groups.items():
        if len(group) < 2:
            advice = "Give more users, or a larger share of them."
            raise ValueError(refusal(name, "have at least 2 users", len(group), advice))
        if not group.item_ids.equals(items):
            rule = f"have the items of `{names[0]}`, in the same order"
            advice = "Call align(item_ids) first."
            raise ValueError(refusal(name, rule, "others", advice))
    for place, name in enumerate(names):
        for other in names[place + 1 :]:
            shared = groups[name].user_ids.intersection(pd.Index(groups[other].user_ids))
            if len(shared):
                rule = f"share no user with `{other}`"
                got = f"{len(shared)} shared, {shared[0]!r} first"
                advice = "A user may be in one group only."
                raise ValueError(refusal(name, rule, got, advice))
