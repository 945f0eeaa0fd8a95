"""Cornac's splits of ratings with realism: change the import and keep the script."""

from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from typing import Any

import cornac.eval_methods
import numpy as np
import numpy.typing as npt
from cornac.models import Recommender

from cornac_mle.checks import refusal
from cornac_mle.eval_methods._rating_split_users import Row, as_rows, check_apart
from cornac_mle.eval_methods._realism_mixin import HELD_OUT_SHARE, RealismMixin
from cornac_mle.models.cloning import check_refittable
from cornac_mle.report.report import Report


class RatioSplit(RealismMixin, cornac.eval_methods.RatioSplit):  # type: ignore[misc]
    """Cornac's `RatioSplit`, with realism against users that are set aside.

    Accuracy is that of ``cornac.eval_methods.RatioSplit`` on the ratings of the users who are not
    set aside, number for number; with ``against="test"``, on all ratings. Of the users set aside
    the same share of ratings, drawn at random, makes the profiles that training users have on
    average.

    Parameters
    ----------
    data, test_size, val_size, rating_threshold, seed, exclude_unknowns, verbose
        Arguments of Cornac's, in the same order; `data` may also be a DataFrame with the columns
        user, item, rating. ``seed=None`` makes another split each time.
    held_out_share, against, **settings
        Settings of realism, see `RealismMixin`. Validation ratings are of training users, so
        realism on them is NaN.

    Examples
    --------
    >>> data = [(user, item, 1.0) for user in range(10) for item in range(user % 3, 9, 2)]
    >>> split = RatioSplit(data, test_size=0.2, seed=1)
    >>> split.train_set.num_users
    6
    """

    def __init__(
        self,
        data: Any,
        test_size: float | None = 0.2,
        val_size: float | None = 0.0,
        rating_threshold: float = 1.0,
        seed: int | None = None,
        exclude_unknowns: bool = True,
        verbose: bool = False,
        *,
        held_out_share: tuple[float, float] = HELD_OUT_SHARE,
        against: str = "users",
        **settings: Any,
    ) -> None:
        rows, of_cornac = self._begin(data, seed, held_out_share, against, settings)
        super().__init__(
            rows,
            test_size,
            val_size,
            rating_threshold,
            seed,
            exclude_unknowns,
            verbose,
            **of_cornac,
        )

    def _training_part(self, name: str) -> list[Row]:
        return self._random_part(name, self.train_size / len(self.data))


class StratifiedSplit(RealismMixin, cornac.eval_methods.StratifiedSplit):  # type: ignore[misc]
    """Cornac's `StratifiedSplit`, with realism against users that are set aside.

    Accuracy is that of Cornac's own on the ratings of the users who are not set aside. Of the
    users set aside those ratings make the profiles that would have been training data: with
    ``group_by="user"`` the same number, the first ones where `chrono`; with ``group_by="item"`` the
    same share over all users.

    Parameters
    ----------
    data, group_by, chrono, fmt, test_size, val_size, rating_threshold, seed, exclude_unknowns, \
verbose
        Arguments of Cornac's, in the same order.
    held_out_share, against, **settings
        Settings of realism, see `RealismMixin`.

    Examples
    --------
    >>> rows = [(user, item, 1.0, (item + user) % 8) for user in range(20) for item in range(8)]
    >>> StratifiedSplit(rows, chrono=True, test_size=0.2, seed=1)
    StratifiedSplit('data': 12 training users x 8 items; users held out: 4 reference, 4 held-out)
    """

    def __init__(
        self,
        data: Any,
        group_by: str = "user",
        chrono: bool = False,
        fmt: str = "UIRT",
        test_size: float | None = 0.2,
        val_size: float | None = 0.0,
        rating_threshold: float = 1.0,
        seed: int | None = None,
        exclude_unknowns: bool = True,
        verbose: bool = False,
        *,
        held_out_share: tuple[float, float] = HELD_OUT_SHARE,
        against: str = "users",
        **settings: Any,
    ) -> None:
        rows, of_cornac = self._begin(data, seed, held_out_share, against, settings)
        super().__init__(
            rows,
            group_by,
            chrono,
            fmt,
            test_size,
            val_size,
            rating_threshold,
            seed,
            exclude_unknowns,
            verbose,
            **of_cornac,
        )

    def _training_part(self, name: str) -> list[Row]:
        if self.group_by == "item":
            return self._random_part(name, self.train_set.num_ratings / len(self.data))
        random = self._left_out_stream(name)
        by_user: dict[Any, list[Row]] = defaultdict(list)
        rows = self._group_rows[name]
        for row in sorted(rows, key=lambda row: row[3]) if self.chrono else rows:
            by_user[row[0]].append(row)
        found: list[Row] = []
        for own in by_user.values():
            try:
                count, _, _ = self._sizes(len(own))
            except ValueError:  # too few ratings to split, at which Cornac stops
                continue
            places = np.arange(len(own)) if self.chrono else random.permutation(len(own))
            found += [own[place] for place in places[:count]]
        return found

    def _sizes(self, n_ratings: int) -> tuple[int, int, int]:
        """Ratings of one group that go into training, validation and test set, as Cornac says."""
        sizes: tuple[int, int, int] = cornac.eval_methods.RatioSplit.validate_size(
            self.val_size, self.test_size, n_ratings
        )
        return sizes


class TimestampSplit(RealismMixin, cornac.eval_methods.TimestampSplit):  # type: ignore[misc]
    """Cornac's `TimestampSplit`, with realism against users that are set aside.

    Accuracy is that of Cornac's own on the ratings of the users who are not set aside (where sizes
    are given, the cut-offs, too, are theirs). Profiles of the users set aside are of the training
    period, too.

    Parameters
    ----------
    data, val_timestamp, test_timestamp, test_size, val_size, fmt, rating_threshold, seed, \
exclude_unknowns, verbose
        Arguments of Cornac's, in the same order.
    held_out_share, against, **settings
        Settings of realism, see `RealismMixin`. ``against="test"`` asks whether synthetic users are
        like those of the test *period*.

    Examples
    --------
    >>> rows = [(user, item, 1.0, (item + user) % 8) for user in range(20) for item in range(8)]
    >>> TimestampSplit(rows, val_timestamp=5, test_timestamp=7, seed=1)
    TimestampSplit('data': 12 training users x 8 items; users held out: 4 reference, 4 held-out)
    """

    def __init__(
        self,
        data: Any,
        val_timestamp: float | None = None,
        test_timestamp: float | None = None,
        test_size: float | None = None,
        val_size: float | None = None,
        fmt: str = "UIRT",
        rating_threshold: float = 1.0,
        seed: int | None = None,
        exclude_unknowns: bool = True,
        verbose: bool = False,
        *,
        held_out_share: tuple[float, float] = HELD_OUT_SHARE,
        against: str = "users",
        **settings: Any,
    ) -> None:
        rows, of_cornac = self._begin(data, seed, held_out_share, against, settings)
        super().__init__(
            rows,
            val_timestamp,
            test_timestamp,
            test_size,
            val_size,
            fmt,
            rating_threshold,
            seed,
            exclude_unknowns,
            verbose,
            **of_cornac,
        )

    def _training_part(self, name: str) -> list[Row]:
        return [row for row in self._group_rows[name] if row[3] < self.val_timestamp]


class CrossValidation(RealismMixin, cornac.eval_methods.CrossValidation):  # type: ignore[misc]
    """Cornac's `CrossValidation` over ratings, with realism against users that are set aside.

    Accuracy is that of Cornac's own on the ratings of the users who are not set aside. The same
    users are set aside in all folds; in each their ratings of that fold are left out, as those of
    training users are. `report` holds all folds: `dataset` says which. The standard deviation over
    folds in Cornac's table is of other fits on overlapping ratings, and no interval of one fold;
    intervals are in the report.

    Parameters
    ----------
    data, n_folds, rating_threshold, partition, seed, exclude_unknowns, verbose
        Arguments of Cornac's, in the same order; `partition` has a fold for every row of `data`.
    held_out_share, against, **settings
        Settings of realism, see `RealismMixin`. For whole users held out in turn: `HeldOutUsersCV`.

    Examples
    --------
    >>> data = [(user, item, 1.0) for user in range(20) for item in range(user % 3, 9, 2)]
    >>> split = CrossValidation(data, n_folds=3, seed=1)
    >>> split.n_folds, split.against
    (3, 'users')
    """

    def __init__(
        self,
        data: Any,
        n_folds: int = 5,
        rating_threshold: float = 1.0,
        partition: npt.ArrayLike | None = None,
        seed: int | None = None,
        exclude_unknowns: bool = True,
        verbose: bool = False,
        *,
        held_out_share: tuple[float, float] = HELD_OUT_SHARE,
        against: str = "users",
        **settings: Any,
    ) -> None:
        rows, of_cornac = self._begin(data, seed, held_out_share, against, settings)
        folds = None if partition is None else np.asarray(partition)
        if folds is not None and len(folds) != len(data):
            rule = "have a fold for every row of `data`"
            raise ValueError(refusal("partition", rule, f"{len(folds)} for {len(data)}"))
        self._own_folds: list[tuple[Any, Any, Any]] = []
        super().__init__(
            rows,
            n_folds,
            rating_threshold,
            None if folds is None else folds[self._kept],
            seed,
            exclude_unknowns,
            verbose,
            **of_cornac,
        )
        self._reports = [self._report_of(fold) for fold in range(self.n_folds)]
        self._group_folds = {
            name: self._left_out_stream(name).permutation(len(places)) % self.n_folds
            if folds is None
            else folds[places]
            for name, places in self._group_places.items()
        }

    def _report_of(self, fold: int) -> Report:
        return Report(dataset=f"{self.dataset_name}, fold {fold}")

    def _take_splits(self, train_data: Any, test_data: Any, val_data: Any) -> None:
        sets = [list(train_data), list(test_data)]
        sets.append([None] * len(sets[0]) if val_data is None else list(val_data))
        if len({len(part) for part in sets}) > 1:
            got = ", ".join(str(len(part)) for part in sets)
            rule = "be lists with a set for each fold"
            raise ValueError(refusal("train_data`, `test_data` and `val_data", rule, got))
        self._own_folds = [
            tuple(as_rows(part) for part in fold) for fold in zip(*sets, strict=True)
        ]
        for train_rows, _, _ in self._own_folds:
            check_apart(train_rows, self._group_rows)
        self.n_folds = len(self._own_folds)
        self.current_fold = 0
        self._reports = [self._report_of(fold) for fold in range(self.n_folds)]

    @property
    def _fold(self) -> int:
        return int(self.current_fold)

    def evaluate(
        self,
        model: Recommender,
        metrics: Sequence[Any],
        user_based: bool,
        show_validation: bool = True,
    ) -> tuple[Any, Any]:
        """Fit and evaluate a clone of the model in each fold; called by `cornac.Experiment`.

        Raises
        ------
        ValueError
            If the model is fitted and not trainable: a clone of it would know nothing.
        """
        check_refittable(model)
        return super().evaluate(model, metrics, user_based, show_validation)

    def _get_train_test(self) -> None:
        # Cornac clears and refills one map of users, and the models of earlier folds hold it.
        self.global_uid_map: OrderedDict[Any, int] = OrderedDict()
        self.global_iid_map: OrderedDict[Any, int] = OrderedDict()
        if self._own_folds:
            train, test, val = self._own_folds[self.current_fold]
            self.build(train, test, test if val is None else val)
        else:
            super()._get_train_test()

    def _training_part(self, name: str) -> list[Row]:
        rows, folds = self._group_rows[name], self._group_folds[name]
        return [rows[place] for place in np.flatnonzero(folds != self.current_fold)]
