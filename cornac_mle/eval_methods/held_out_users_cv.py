"""Cross-validation over users: every user is held out once."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Self

import cornac.eval_methods
import numpy as np
import numpy.typing as npt
import pandas as pd
from cornac.eval_methods import BaseMethod
from cornac.experiment.result import CVResult, Result
from cornac.models import Recommender

from cornac_mle.checks import check_count, check_number, check_share, refusal
from cornac_mle.eval_methods._markup import method_html
from cornac_mle.eval_methods._realism_evaluation import random_stream
from cornac_mle.eval_methods._report_entries import merged_report
from cornac_mle.eval_methods._user_folds import Folds, Splitter, labelled_folds, split_by
from cornac_mle.eval_methods.held_out_users import HeldOutUsers
from cornac_mle.eval_methods.user_splits import feedback_frame, keep_likes, users_with
from cornac_mle.models.cloning import check_refittable, fresh_clone
from cornac_mle.randomness import children, cornac_seed
from cornac_mle.report.report import Report


class HeldOutUsersCV(cornac.eval_methods.CrossValidation):  # type: ignore[misc]
    """Cornac evaluation method that holds out every user once.

    In each fold one part of the users is held out; the others are split at random into training
    users, the validation users among them, and reference users. A fold is a `HeldOutUsers`: models
    are fitted on its training users, the evaluator on its reference users, held-out users are what
    synthetic users are compared with and whose hidden items ranking metrics ask for.

    An unpatched `cornac.Experiment` prints a row a fold, their mean and their standard deviation.
    The latter says how values vary from fold to fold, with the users and the fit together. It is
    not an interval of any one fold (those are in `report`, over half-splits of the fold's users),
    nor, divided by the root of `n_folds`, the standard error of the mean: folds share training
    users, and no unbiased estimate of that error exists (Bengio & Grandvalet 2004).

    Parameters
    ----------
    data : DataFrame or iterable of tuples
        Feedback in the forms of `HeldOutUsers`.
    n_folds : int
        Parts that users are cut into at random, at least 2. Not with `cv`.
    cv : splitter, optional
        An object of scikit-learn's that splits *users*, in the order of their ids: KFold, or
        GroupKFold for users that belong together. Each user must be held out once.
    groups : mapping or Series, optional
        The group of each user, for `cv`; otherwise every user is a group.
    reference_share : float
        Share of the users not held out that the evaluator is fitted on, in (0, 1). With 5 folds
        and the default, 60% of all users are trained on, 20% are reference, 20% held-out users.
    validation_share : float
        Share of the other users not held out that models stop early on; in [0, 1).
    rating_threshold, feedback, duplicates, hidden_share, min_items, n_splits, n_samples, seed, \
dataset_name, verbose
        Settings of each fold, as for `HeldOutUsers`, in `settings`.

    Attributes
    ----------
    folds : list of HeldOutUsers
        Each with id maps, an evaluator and a report of its own.
    current_fold : int
        The fold whose data sets are `train_set`, `val_set` and `test_set`: while it is evaluated,
        that one; the first otherwise.
    report : Report
        All folds together; `dataset` says which.

    Examples
    --------
    >>> data = [(user, item, 1.0) for user in range(40) for item in range(user % 3, 9, 2)]
    >>> method = HeldOutUsersCV(data, n_folds=4, seed=1)
    >>> [len(fold.groups.held_out) for fold in method.folds]
    [10, 10, 10, 10]
    """

    def __init__(
        self,
        data: pd.DataFrame | Iterable[tuple[object, ...]],
        n_folds: int = 5,
        *,
        cv: Splitter | None = None,
        groups: Mapping[Hashable, Hashable] | pd.Series | None = None,
        reference_share: float = 0.25,
        validation_share: float = 0.1,
        **settings: Any,
    ) -> None:
        frame, dropped, min_items = self._begin(data, settings)
        users = np.asarray(users_with(frame, min_items), dtype=object)
        if cv is None:
            n_folds = check_count("n_folds", n_folds, minimum=2)
            if n_folds > len(users):
                got = f"{n_folds} for {len(users)} users"
                raise ValueError(refusal("n_folds", "be at most the number of users", got))
            drawn = random_stream(self.seed, "split").permutation(len(users))
            held_out = np.array_split(drawn, n_folds)
        else:
            held_out = split_by(cv, users, groups)
        self._fill(frame, dropped, users, held_out, reference_share, validation_share, settings)

    @classmethod
    def from_splits(
        cls,
        data: pd.DataFrame | Iterable[tuple[object, ...]],
        folds: Folds,
        *,
        reference_share: float = 0.25,
        validation_share: float = 0.1,
        **settings: Any,
    ) -> Self:
        """Take your own folds of users; `from_methods` takes all groups of each fold.

        Parameters
        ----------
        data : DataFrame or iterable of tuples
            Feedback of all users.
        folds : mapping, Series, DataFrame or sequence of collections
            A fold label for each user, as a mapping, a Series over users or a DataFrame with the
            columns user, fold; or, for each fold, the users that it holds out. Folds are in the
            order of their labels. Users without data are left out.
        reference_share, validation_share, **settings
            Arguments of the constructor.

        Raises
        ------
        ValueError
            If a user of the data is in no fold, or in two; the message names one.
        """
        method = cls.__new__(cls)
        frame, dropped, min_items = method._begin(data, settings)
        users = np.asarray(users_with(frame, min_items), dtype=object)
        held_out = labelled_folds(folds, users)
        method._fill(frame, dropped, users, held_out, reference_share, validation_share, settings)
        return method

    @classmethod
    def from_methods(cls, folds: Sequence[HeldOutUsers], *, dataset_name: str = "data") -> Self:
        """Take evaluation methods as folds, from `HeldOutUsers.from_splits`, say.

        Raises
        ------
        ValueError
            If there are fewer than two.
        """
        if len(folds) < 2 or not all(isinstance(fold, HeldOutUsers) for fold in folds):
            got = ", ".join(type(fold).__name__ for fold in folds) or "none"
            raise ValueError(refusal("folds", "be at least 2 HeldOutUsers", got))
        method = cls.__new__(cls)
        BaseMethod.__init__(method, rating_threshold=folds[0].rating_threshold, seed=folds[0].seed)
        method.dataset_name, method._dropped = dataset_name, {}
        method._take_folds(list(folds))
        return method

    def _begin(
        self, data: pd.DataFrame | Iterable[tuple[object, ...]], settings: dict[str, Any]
    ) -> tuple[pd.DataFrame, dict[str, int], int]:
        """Check the settings of the folds and take what counts of the data."""
        if "shares" in settings:
            advice = "Pass n_folds and reference_share."
            raise TypeError(refusal("settings", "be of a fold", "'shares'", advice))
        pattern = HeldOutUsers(None, **settings)  # refuses what is no setting
        BaseMethod.__init__(
            self,
            rating_threshold=pattern.rating_threshold,
            seed=pattern.seed,
            verbose=pattern.verbose,
        )
        self.dataset_name = pattern.report.dataset
        frame = feedback_frame(data)
        frame, dropped = keep_likes(
            frame, pattern._given_threshold, pattern.feedback, pattern.duplicates
        )
        return frame, dropped, pattern.min_items

    def _fill(
        self,
        frame: pd.DataFrame,
        dropped: dict[str, int],
        users: npt.NDArray[np.object_],
        held_out: Sequence[npt.NDArray[np.intp]],
        reference_share: float,
        validation_share: float,
        settings: dict[str, Any],
    ) -> None:
        """Make a `HeldOutUsers` of each fold."""
        reference_share = check_share("reference_share", reference_share)
        validation_share = check_number("validation_share", validation_share, minimum=0, below=1)
        small = frame["user"].nunique() - len(users)
        self._dropped = dropped | {"users with too few items": small}
        seeds = children(random_stream(self.seed, "sample"), len(held_out))
        place_of = pd.Series(np.arange(len(users)), index=pd.Index(users, dtype=object))
        places = place_of.reindex(frame["user"]).to_numpy()
        folds = []
        for fold, (held, seed) in enumerate(zip(held_out, seeds, strict=True)):
            random = np.random.default_rng(seed)
            others = random.permutation(np.setdiff1d(np.arange(len(users)), held))
            n_reference = round(reference_share * len(others))
            n_validation = round(validation_share * (len(others) - n_reference))
            edges = [n_reference, n_reference + n_validation]
            reference, validation, train = (
                frame[np.isin(places, part)] for part in np.split(others, edges)
            )
            named = {"dataset_name": f"{self.dataset_name}, fold {fold}"}
            folds.append(
                HeldOutUsers.from_splits(
                    train,
                    frame[np.isin(places, held)],
                    validation if n_validation else None,
                    reference_data=reference,
                    **settings | named | {"seed": cornac_seed(random)},
                )
            )
        self._take_folds(folds)

    def __repr__(self) -> str:
        sizes = [len(fold.groups.held_out) for fold in self.folds]
        return (
            f"HeldOutUsersCV({self.dataset_name!r}: {self.n_folds} folds of "
            f"{min(sizes):,} to {max(sizes):,} held-out users)"
        )

    def _repr_html_(self) -> str:
        return method_html(repr(self), self.report)

    def _take_folds(self, folds: list[HeldOutUsers]) -> None:
        self.folds = folds
        self.n_folds = len(folds)
        self._enter(0)

    def _enter(self, fold: int) -> None:
        """Show the data sets of a fold, as Cornac's cross-validation does."""
        method = self.folds[fold]
        self.current_fold = fold
        self.train_set, self.test_set = method.train_set, method.test_set
        self.val_set = method.val_set
        self.global_uid_map, self.global_iid_map = method.global_uid_map, method.global_iid_map

    def eval(self, *arguments: Any, **named: Any) -> Result:
        """Evaluate a fitted model in the current fold, as `HeldOutUsers.eval` does."""
        return self.folds[self.current_fold].eval(*arguments, **named)

    @property
    def report(self) -> Report:
        """Everything measured so far in all folds; sizes of groups are those of the first."""
        report = merged_report([fold.report for fold in self.folds], self.dataset_name)
        report.dropped = {reason: n for reason, n in self._dropped.items() if n} | report.dropped
        return report

    @property
    def samplers(self) -> dict[str, str]:
        """Settings of the `Sampled` that drew the users of models without a sampler, by model."""
        return {name: text for fold in self.folds for name, text in fold.samplers.items()}

    def evaluate(
        self,
        model: Recommender,
        metrics: Sequence[Any],
        user_based: bool,
        show_validation: bool = True,
    ) -> tuple[CVResult, Result | None]:
        """Fit and evaluate a clone of the model in each fold; called by `cornac.Experiment`."""
        check_refittable(model)
        result = CVResult(model.name)
        for fold, method in enumerate(self.folds):
            self._enter(fold)
            method.verbose = self.verbose
            found, _ = method.evaluate(
                fresh_clone(model), metrics, user_based, show_validation=False
            )
            result.append(found)
        self._enter(0)
        result.organize()
        return result, None
