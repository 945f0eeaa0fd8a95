"""The mixin that gives Cornac's splits of ratings realism: whole users are set aside first."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from cornac.data import Dataset
from cornac.eval_methods import BaseMethod
from cornac.models import Recommender

from cornac_mle.checks import check_choice, check_count, check_seed, refusal
from cornac_mle.eval_methods._rating_split_users import (
    Row,
    as_rows,
    caution_of,
    check_apart,
    checked_shares,
    groups_beside,
    halves_of_test,
    set_aside_note,
    split_settings,
)
from cornac_mle.eval_methods._realism_evaluation import (
    RealismEvaluation,
    random_stream,
)
from cornac_mle.eval_methods._realism_method import RealismMethod
from cornac_mle.eval_methods._report_entries import (
    Metrics,
    ResultsByName,
    merged_report,
    no_realism,
    note_accuracy,
    say_once,
)
from cornac_mle.eval_methods.user_splits import Groups
from cornac_mle.metrics.base import RealismMetric
from cornac_mle.profiles import Profiles, sorted_ids
from cornac_mle.randomness import children
from cornac_mle.report.report import Report

REALISM_GROUPS = ("reference", "held_out")
HELD_OUT_SHARE = (0.2, 0.2)


class RealismMixin(RealismMethod):
    """Mixin that gives one of Cornac's splits of ratings realism metrics.

    Realism needs real users that no model has seen. So whole users are set aside at random, as
    reference and as held-out users, before Cornac splits the ratings of the others. Whether a
    realism metric is asked for makes no difference to the split: accuracy is that of Cornac's own
    method on the ratings of the users who are left. The first realism metric logs one line that
    says how many are set aside, which is among the `notes` of the report, too.

    **What a profile is.** Cornac's models are fitted on all training pairs, whatever the rating,
    and `rating_threshold` concerns the ranking metrics only. So a profile, real or synthetic, is
    everything that a user *rated*. To compare what users *like*, drop low ratings from the data,
    or use `HeldOutUsers`. And models see a part of each training user only, so of the users set
    aside that part is taken which would have been training data: the same share of their ratings,
    their first ones, or those of the training period.

    Parameters
    ----------
    held_out_share : tuple of float
        Shares of all users, drawn with `seed`, that are set aside as reference and as held-out
        users; below 1 together. They are neither trained on nor tested on by Cornac's metrics:
        with more of them realism is known better, and accuracy less well.
    against : {"users", "test"}
        "test": nobody is set aside, so that accuracy is that of Cornac on all data, and synthetic
        users are compared with what the test set holds of half of its users, the other half being
        reference users. That loses much: these users are training users, at another time or on
        other items, and have as many test items as the split left them. Sizes differ by design,
        and with them most metrics, and `CopiedUsers` overstates copying, since synthetic users are
        like training profiles in size. The report says so. On MovieLens-100K, split at random, 12%
        of users drawn from popularity alone are flagged at a level of 5%; where users are set
        aside, 96%.
    min_items : int
        Users set aside, and synthetic users, with fewer items are dropped, and counted. Training
        users are left to Cornac.
    n_splits, n_samples, dataset_name
        Settings of realism, as for `HeldOutUsers`.
    """

    def _begin(
        self,
        data: Any,
        seed: int | None,
        held_out_share: tuple[float, float],
        against: str,
        settings: dict[str, Any],
    ) -> tuple[Any, dict[str, Any]]:
        """Check the settings and hold users out; give what is left, and Cornac's settings."""
        of_cornac = self._check_settings(seed, held_out_share, against, settings)
        self._reports = [Report(dataset=self.dataset_name)]
        self._evaluations: dict[int, RealismEvaluation] = {}
        self._group_rows: dict[str, list[Row]] = {}
        self._group_places: dict[str, npt.NDArray[np.intp]] = {}
        self._is_own_split = False
        self._set_aside = ""
        self._said: set[str] = set()
        return self._hold_out_users(as_rows(data)), of_cornac

    def _check_settings(
        self,
        seed: int | None,
        held_out_share: tuple[float, float],
        against: str,
        settings: dict[str, Any],
    ) -> dict[str, Any]:
        """Take the settings of realism, and give those that are Cornac's."""
        own, of_cornac = split_settings(settings)
        self.against = check_choice("against", against, ("users", "test"))
        self.min_items = check_count("min_items", own["min_items"], minimum=2)
        self.n_splits = check_count("n_splits", own["n_splits"], minimum=2)
        self.n_samples = check_count("n_samples", own["n_samples"])
        self.dataset_name = str(own["dataset_name"])
        self.held_out_share = checked_shares(held_out_share)
        known_seed = check_seed(seed)
        fresh = int(np.random.SeedSequence().generate_state(1)[0])
        self._realism_seed = fresh if known_seed is None else known_seed
        return of_cornac

    def _hold_out_users(self, rows: Any) -> Any:
        """Draw reference and held-out users; give the rows of the others, in their order."""
        if self.against == "test" or rows is None:
            self._kept = np.arange(0 if rows is None else len(rows))
            return rows
        users = list(sorted_ids(row[0] for row in rows))
        drawn = random_stream(self._realism_seed, "split").permutation(len(users))
        edges = np.cumsum([round(share * len(users)) for share in self.held_out_share])
        group_of = dict.fromkeys(users, "")
        for name, places in zip(REALISM_GROUPS, np.split(drawn, edges), strict=False):
            group_of |= {users[place]: name for place in places}
        groups = np.array([group_of[row[0]] for row in rows], dtype=object)
        self._group_places = {name: np.flatnonzero(groups == name) for name in REALISM_GROUPS}
        self._group_rows = {
            name: [rows[place] for place in places] for name, places in self._group_places.items()
        }
        self._set_aside = set_aside_note(group_of.values())
        self._kept = np.flatnonzero(groups == "")
        return [rows[place] for place in self._kept]

    def __repr__(self) -> str:
        held_out = ", ".join(
            f"{len({row[0] for row in rows}):,} {name.replace('_', '-')}"
            for name, rows in self._group_rows.items()
        )
        data = "no data"
        if self.train_set is not None:
            users, items = self.train_set.num_users, self.train_set.num_items
            data = f"{users:,} training users x {items:,} items"
        others = f"; users held out: {held_out}" if held_out else f"; against={self.against!r}"
        return f"{type(self).__name__}({self.dataset_name!r}: {data}{others})"

    @classmethod
    def from_splits(
        cls,
        train_data: Any,
        test_data: Any,
        val_data: Any = None,
        fmt: str = "UIR",
        rating_threshold: float = 1.0,
        exclude_unknowns: bool = False,
        seed: int | None = None,
        verbose: bool = False,
        *,
        reference_data: Any = None,
        held_out_data: Any = None,
        **settings: Any,
    ) -> Self:
        """Take your own split.

        Parameters
        ----------
        train_data, test_data, val_data, fmt, rating_threshold, exclude_unknowns, seed, verbose
            Arguments of Cornac's `BaseMethod.from_splits`; data may be a DataFrame.
            `CrossValidation` takes lists with one set a fold.
        reference_data, held_out_data
            Interactions of users that are in no other set; they are taken as they are, so let
            them be such as training users have in `train_data`. Without them realism is measured
            against the test set, see `against`.
        **settings
            `min_items`, `n_splits`, `n_samples`, `dataset_name` and Cornac's modalities.

        Raises
        ------
        ValueError
            If only one of `reference_data` and `held_out_data` is there, or a user is in a set of
            these and in `train_data`.
        """
        aside = {"reference": reference_data, "held_out": held_out_data}
        given = {name: as_rows(data) for name, data in aside.items() if data is not None}
        if len(given) == 1:
            got, advice = f"only `{next(iter(given))}_data`", "Realism needs both."
            rule = "come together"
            raise ValueError(refusal("reference_data` and `held_out_data", rule, got, advice))
        method = cls.__new__(cls)
        against = "users" if given else "test"
        _, of_cornac = method._begin(None, seed, HELD_OUT_SHARE, against, settings)
        method._group_rows, method._is_own_split = given, True
        BaseMethod.__init__(
            method,
            fmt=fmt,
            rating_threshold=rating_threshold,
            seed=seed,
            exclude_unknowns=exclude_unknowns,
            verbose=verbose,
            **of_cornac,
        )
        method._take_splits(train_data, test_data, val_data)
        return method

    def _take_splits(self, train_data: Any, test_data: Any, val_data: Any) -> None:
        train_rows = as_rows(train_data)
        if train_rows is not None:  # Cornac refuses that
            check_apart(train_rows, self._group_rows)
        self.build(train_rows, as_rows(test_data), as_rows(val_data))

    # ---------------------------------------------------------------------------------- realism

    def _training_part(self, name: str) -> list[Row]:
        """Of the rows of a group set aside those that would have been training data."""
        raise NotImplementedError

    def _left_out_stream(self, name: str) -> np.random.Generator:
        """Random stream of what is left out of a group set aside."""
        seeds = children(random_stream(self._realism_seed, "hide"), len(REALISM_GROUPS))
        return np.random.default_rng(seeds[REALISM_GROUPS.index(name)])

    def _random_part(self, name: str, share: float) -> list[Row]:
        """Draw a share of the rows of a group set aside."""
        rows = self._group_rows[name]
        order = self._left_out_stream(name).permutation(len(rows))
        return [rows[place] for place in np.sort(order[: round(share * len(rows))])]

    @property
    def _fold(self) -> int:
        return 0

    @property
    def report(self) -> Report:
        """Everything measured so far, with intervals, ceilings and floors."""
        if len(self._reports) == 1:
            return self._reports[0]
        return merged_report(self._reports, self.dataset_name)

    @property
    def samplers(self) -> dict[str, str]:
        """Settings of the `Sampled` that drew the users of models without a sampler, by model."""
        of_folds = [evaluation.samplers for evaluation in self._evaluations.values()]
        return {name: text for samplers in of_folds for name, text in samplers.items()}

    @property
    def groups(self) -> Groups:
        """Users that realism is measured with (of the current fold)."""
        return self._evaluation().groups

    def _evaluation(self) -> RealismEvaluation:
        """Realism against the users set aside, or the test users; made at the first call."""
        if self._fold not in self._evaluations:
            groups = self._real_users()
            self._evaluations[self._fold] = RealismEvaluation(
                groups,
                self._reports[self._fold],
                seed=self._realism_seed,
                n_splits=self.n_splits,
                n_samples=self.n_samples,
                min_items=self.min_items,
                caution=caution_of(groups, self.against),
            )
        return self._evaluations[self._fold]

    def _real_users(self) -> Groups:
        train = Profiles.from_dataset(self.train_set)
        if self.against == "test":
            random = random_stream(self._realism_seed, "split")
            reference, held_out, counts = halves_of_test(
                self.test_set, train.item_ids, self.min_items, random
            )
            return Groups(train, None, reference, held_out, counts)
        rows = {
            name: self._group_rows[name] if self._is_own_split else self._training_part(name)
            for name in REALISM_GROUPS
        }
        return groups_beside(train, rows["reference"], rows["held_out"], self.min_items)

    def _users_name(self, test_set: Dataset) -> str:
        return "validation" if test_set is self.val_set else "held-out"

    def _accuracy(
        self, model: Recommender, users: str, user_based: bool, rating: Metrics, ranking: Metrics
    ) -> ResultsByName:
        """Cornac's metrics, as Cornac's own method computes them."""
        test_set = self.val_set if users == "validation" else self.test_set
        found = BaseMethod.eval(
            model=model,
            train_set=self.train_set,
            test_set=test_set,
            val_set=None if users == "validation" else self.val_set,
            rating_threshold=self.rating_threshold,
            exclude_unknowns=self.exclude_unknowns,
            user_based=user_based,
            rating_metrics=rating,
            ranking_metrics=ranking,
            verbose=self.verbose,
        )
        metrics = [*rating, *ranking]
        evaluated = (
            [found.metric_avg_results[metric.name] for metric in metrics],
            [found.metric_user_results[metric.name] for metric in metrics],
        )
        meaning = "on found_ratings of training users that were held out"
        report = self._reports[self._fold]
        names = self.user_names()
        return note_accuracy(report, model, users, metrics, evaluated, meaning, names)

    def _realism(
        self, model: Recommender, users: str, metrics: Sequence[RealismMetric]
    ) -> ResultsByName:
        if self._set_aside and users == "held-out":  # nothing is measured on validation users
            say_once(self._reports[self._fold], self._set_aside, self._said)
        try:
            _ = self.evaluator  # fits it
        except ValueError as error:  # too few users, or no profiles: accuracy need not suffer
            return no_realism(model, users, metrics, error)
        return super()._realism(model, users, metrics)
