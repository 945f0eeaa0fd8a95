"""The evaluation method for Cornac: users are held out, and models make up users of their own."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np
import pandas as pd
from cornac.data import Dataset
from cornac.eval_methods.base_method import ranking_eval, rating_eval
from cornac.models import Recommender

from cornac_mle.adapters import OTHERS, adapter_of
from cornac_mle.checks import check_count, check_share, refusal
from cornac_mle.eval_methods._realism_evaluation import (
    RealismEvaluation,
    random_stream,
)
from cornac_mle.eval_methods._realism_method import RealismMethod
from cornac_mle.eval_methods._report_entries import Metrics, ResultsByName, note_accuracy
from cornac_mle.eval_methods.user_splits import (
    Groups,
    feedback_frame,
    join_groups,
    keep_likes,
    split_users,
)
from cornac_mle.models.base import GenerativeRecommender
from cornac_mle.models.fold_in import UnseenUsers, searched
from cornac_mle.profiles import Profiles
from cornac_mle.report.report import Report
from cornac_mle.sampling.item_holdout import hold_out_items

logger = logging.getLogger("cornac_mle")


class HeldOutUsers(RealismMethod):
    """Cornac evaluation method that splits users: train / reference / held-out.

    Models are fitted on training users. The evaluator of realism is fitted on reference users.
    Held-out users are what synthetic users are compared with, and whose items ranking metrics ask
    for: 80% of a held-out user's items are shown (folded in), the others are to be found.

    Parameters
    ----------
    data : DataFrame or iterable of tuples
        Columns user, item[, rating[, timestamp]], or Cornac's (user, item, rating[, timestamp])
        tuples. The order of the rows makes no difference, but for `duplicates`.
    rating_threshold : float, optional
        A value of at least this is a like. None: every pair is one.
    feedback : {"likes", "ratings"}
        "likes": values below `rating_threshold` are dropped before anything else. "ratings": all
        pairs are kept.
    duplicates : {"first", "last", "max"}, optional
        Row of a repeated pair that counts: the first or last by time (by place, where there are no
        timestamps), or the one of the largest rating. None: the largest for likes, the first for
        ratings, as in Cornac.
    shares : tuple of float
        Shares of train, reference and held-out users.
    validation_share : float
        Share of the train group that models stop early on, and that Cornac's validation table is
        of; in [0, 1).
    hidden_share : float
        Share of an unseen user's items that ranking metrics ask for, in (0, 1).
    min_items : int
        Users with fewer items, real or synthetic, are dropped, and counted.
    n_splits : int
        Half-splits of the held-out users, on which intervals rest.
    seed : int
        Random seed of all splits and of sampling.
    n_samples : int
        Sampling seeds: how many sets of synthetic users are drawn from each model.
    dataset_name : str
        Name of the data in results.
    verbose : bool
        Whether Cornac's progress is printed.

    Attributes
    ----------
    evaluator : Evaluator
        Fitted when the first realism metric asks for it, once.
    report : Report
        Everything measured so far, with intervals, ceilings and floors.

    Examples
    --------
    >>> from cornac.metrics import Recall
    >>> from cornac_mle import Popularity
    >>> data = [(user, item, 1.0) for user in range(40) for item in range(user % 3, 9, 2)]
    >>> method = HeldOutUsers(data, seed=1)
    >>> method
    HeldOutUsers('data': 18 train, 2 validation, 10 reference, 10 held_out users x 9 items, seed=1)
    >>> result, _ = method.evaluate(Popularity(), [Recall(k=3)], user_based=True)
    >>> round(result.metric_avg_results["Recall@3"], 2)
    0.80
    """

    def __init__(
        self,
        data: pd.DataFrame | Iterable[tuple[object, ...]] | None = None,
        *,
        rating_threshold: float | None = None,
        feedback: str = "likes",
        duplicates: str | None = None,
        shares: tuple[float, float, float] = (0.5, 0.25, 0.25),
        validation_share: float = 0.1,
        hidden_share: float = 0.2,
        min_items: int = 2,
        n_splits: int = 20,
        n_samples: int = 1,
        seed: int = 123,
        dataset_name: str = "data",
        verbose: bool = False,
    ) -> None:
        # Without a threshold every kept value is positive for Cornac, which wants a number.
        least_positive = 0.0 if rating_threshold is None else rating_threshold
        super().__init__(rating_threshold=least_positive, seed=check_count("seed", seed, minimum=0))
        self._given_threshold = rating_threshold
        self.verbose = verbose
        self.feedback = feedback
        self.duplicates = duplicates
        self.shares = shares
        self.validation_share = validation_share
        self.hidden_share = check_share("hidden_share", hidden_share)
        self.min_items = check_count("min_items", min_items, minimum=2)
        self.n_splits = check_count("n_splits", n_splits, minimum=2)
        self.n_samples = check_count("n_samples", n_samples)
        self.report = Report(dataset=dataset_name)
        if data is not None:
            frame, dropped = self._likes(data)
            groups = split_users(
                frame, shares, validation_share, self.min_items, random_stream(self.seed, "split")
            )
            self._take(replace(groups, dropped=dropped | groups.dropped))

    @classmethod
    def from_splits(
        cls,
        train_data: pd.DataFrame | Iterable[tuple[object, ...]],
        test_data: pd.DataFrame | Iterable[tuple[object, ...]],
        val_data: pd.DataFrame | Iterable[tuple[object, ...]] | None = None,
        *,
        reference_data: pd.DataFrame | Iterable[tuple[object, ...]],
        **settings: Any,
    ) -> Self:
        """Take your own split of users.

        Parameters
        ----------
        train_data, test_data, val_data, reference_data
            Interactions of training, held-out, validation and reference users, in the forms of
            `data`.
        **settings
            Settings of the constructor, without `data`, `shares` and `validation_share`.

        Raises
        ------
        ValueError
            If two groups share a user; the message names one.
        """
        method = cls(None, **settings)
        counts: dict[str, int] = {}
        frames: list[pd.DataFrame | None] = []
        parts = {
            "train_data": train_data,
            "val_data": val_data,
            "reference_data": reference_data,
            "test_data": test_data,
        }
        for name, part in parts.items():
            if part is None:
                if name != "val_data":
                    raise TypeError(refusal(name, "be interactions", None))
                frames.append(None)
                continue
            frame, dropped = method._likes(part)
            frames.append(frame)
            for reason, count in dropped.items():
                counts[reason] = counts.get(reason, 0) + count
        train, validation, reference, held_out = frames
        assert train is not None
        assert reference is not None
        assert held_out is not None
        groups = join_groups(train, validation, reference, held_out, method.min_items, counts)
        method._take(groups)
        return method

    def _likes(
        self, data: pd.DataFrame | Iterable[tuple[object, ...]]
    ) -> tuple[pd.DataFrame, dict[str, int]]:
        return keep_likes(
            feedback_frame(data), self._given_threshold, self.feedback, self.duplicates
        )

    def _take(self, groups: Groups) -> None:
        """Lay the groups out as Cornac's datasets: training, validation, held-out users."""
        self.groups = groups
        self._realism_evaluation = RealismEvaluation(
            groups,
            self.report,
            seed=self.seed,
            n_splits=self.n_splits,
            n_samples=self.n_samples,
            min_items=self.min_items,
        )
        # Models know the items of training users; the others are for realism only.
        known = groups.training_items
        train = groups.train.split_items(known)[0]
        unseen = {
            name: part.split_items(known)[0]
            for name, part in (("validation", groups.validation), ("held-out", groups.held_out))
            if part is not None
        }
        for place, name in enumerate(known):
            self.global_iid_map[name] = place
        for part in (train, *unseen.values()):
            for name in part.user_ids:
                self.global_uid_map[name] = len(self.global_uid_map)
        self.train_set = train.to_dataset(seed=self.seed)
        random = random_stream(self.seed, "hide")
        self._shown: dict[str, tuple[Profiles, int]] = {}
        self._hidden: dict[str, Dataset] = {}
        first = len(train)
        for name, part in unseen.items():
            shown, hidden = hold_out_items(part, self.hidden_share, random)
            self._shown[name] = (shown, first)
            if hidden.matrix.nnz == 0:
                rule = "hold users of two or more items of training users: one of them is hidden"
                raise ValueError(refusal(name, rule, "none", "Use a larger data set."))
            self._hidden[name] = hidden.to_dataset(first_user=first, seed=self.seed)
            if name == "validation":
                self.val_set = part.to_dataset(first_user=first, seed=self.seed)
            first += len(part)
        self.test_set = self._hidden["held-out"]

    @property
    def samplers(self) -> dict[str, str]:
        """Settings of the `Sampled` that drew the users of models without a sampler, by model."""
        return self._realism_evaluation.samplers

    def __repr__(self) -> str:
        name = f"HeldOutUsers({self.report.dataset!r}"
        if not hasattr(self, "groups"):
            return f"{name}: no data)"
        counts = ", ".join(f"{count:,} {group}" for group, count in self.groups.sizes.items())
        items = len(self.groups.train.item_ids)
        return f"{name}: {counts} users x {items:,} items, seed={self.seed})"

    def _evaluation(self) -> RealismEvaluation:
        return self._realism_evaluation

    def _users_name(self, test_set: Dataset) -> str:
        return "held-out" if test_set is self.test_set else "validation"

    def _accuracy(
        self, model: Recommender, users: str, user_based: bool, rating: Metrics, ranking: Metrics
    ) -> ResultsByName:
        """Cornac's metrics on unseen users: their shown items are folded in."""
        if not (rating or ranking):
            return {}
        fitted = searched(model)
        if not isinstance(fitted, GenerativeRecommender) and adapter_of(fitted) is OTHERS:
            logger.warning(
                "%s: no formula for unseen users is known for %s; they are scored by their nearest "
                "training users. Register an Adapter, see cornac_mle.adapters.table.",
                model.name,
                type(model).__name__,
            )
        shown, first = self._shown[users]
        view = UnseenUsers(model, shown, first)
        hidden = self._hidden[users]
        mask = shown.to_dataset(first_user=first, seed=self.seed)
        # Cornac leaves items below the threshold among the candidates: shown ones must not be.
        mask.csr_matrix.data[:] = np.inf
        found_ratings = rating_eval(view, rating, hidden, user_based, verbose=self.verbose)
        found_rankings = ranking_eval(
            view,
            ranking,
            self.train_set,
            hidden,
            val_set=mask,
            rating_threshold=self.rating_threshold,
            exclude_unknowns=True,
            verbose=self.verbose,
        )
        note = partial(
            note_accuracy,
            self.report,
            model,
            users,
            meaning="on items hidden of unseen users",
            user_names=self.user_names(),
        )
        return note(rating, found_ratings) | note(ranking, found_rankings)
