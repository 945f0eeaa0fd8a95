"""What every evaluation method with realism shares: one way through Cornac's `eval`."""

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any

from cornac.data import Dataset
from cornac.eval_methods import BaseMethod
from cornac.experiment.result import Result
from cornac.models import Recommender

from cornac_mle.eval_methods._markup import method_html
from cornac_mle.eval_methods._realism_evaluation import RealismEvaluation, realism_apart
from cornac_mle.eval_methods._report_entries import Metrics, ResultsByName, ordered_result
from cornac_mle.metrics.base import RealismMetric
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.models.cloning import check_fixed, is_fixed, load_torch
from cornac_mle.workers import one_thread


class RealismMethod(BaseMethod):  # type: ignore[misc]  # Cornac has no types
    """An evaluation method that measures accuracy its own way, and realism like all others."""

    report: Any
    """Report of everything measured so far; of all folds where there are several."""

    @abstractmethod
    def _evaluation(self) -> RealismEvaluation:
        """Realism against the held-out users, of the current fold where there are several."""

    @abstractmethod
    def _users_name(self, test_set: Dataset) -> str:
        """Which users a set that Cornac evaluates on stands for: "held-out" or "validation"."""

    @abstractmethod
    def _accuracy(
        self, model: Recommender, users: str, user_based: bool, rating: Metrics, ranking: Metrics
    ) -> ResultsByName:
        """Cornac's metrics of a fitted model, which are noted in the report, too."""

    def _realism(
        self, model: Recommender, users: str, metrics: Sequence[RealismMetric]
    ) -> ResultsByName:
        return self._evaluation().measure(model, users, metrics)

    def _repr_html_(self) -> str:
        return method_html(repr(self), self.report)

    @property
    def evaluator(self) -> Evaluator:
        """Evaluator against the held-out users (of the current fold); fitted at the first call."""
        return self._evaluation().evaluator

    def take_evaluator(self, evaluator: Evaluator) -> None:
        """Take the evaluator that a copy of this method has fitted, in another process say."""
        self._evaluation().take_evaluator(evaluator)

    def user_names(self) -> dict[int, Hashable]:
        """Ids of users by Cornac's index (in the current fold)."""
        return {index: name for name, index in self.global_uid_map.items()}

    def evaluate(
        self,
        model: Recommender,
        metrics: Sequence[Any],
        user_based: bool,
        show_validation: bool = True,
    ) -> tuple[Result, Result | None]:
        """Fit and evaluate a model; called by `cornac.Experiment`.

        Raises
        ------
        ValueError
            If the model is fitted and not trainable, and was fitted to other users or items.
        """
        check_fixed(model, self.train_set)
        if is_fixed(model):
            model.is_fitted = False  # Cornac would warn of a refit, and there is none
        load_torch(model)
        with one_thread():
            found: tuple[Result, Result | None] = super().evaluate(
                model, metrics, user_based, show_validation
            )
        return found

    def evaluate_fitted(
        self, model: Recommender, metrics: Sequence[Any], *, user_based: bool
    ) -> Result:
        """Evaluate a model that was fitted to this method's training and validation users."""
        rating, ranking = self.organize_metrics(metrics)
        with one_thread():
            model.transform(self.test_set)
            return self.eval(
                model=model,
                train_set=self.train_set,
                test_set=self.test_set,
                val_set=self.val_set,
                rating_threshold=self.rating_threshold,
                exclude_unknowns=self.exclude_unknowns,
                user_based=user_based,
                rating_metrics=rating,
                ranking_metrics=ranking,
                verbose=self.verbose,
            )

    def eval(
        self,
        model: Recommender,
        train_set: Dataset,
        test_set: Dataset,
        val_set: Dataset | None,
        rating_threshold: float,
        exclude_unknowns: bool,
        user_based: bool,
        rating_metrics: Sequence[Any],
        ranking_metrics: Sequence[Any],
        verbose: bool,
    ) -> Result:
        """Evaluate a fitted model: accuracy as the method has it, realism metrics by sampling.

        Cornac calls this from `evaluate`, on the test set and on the validation set. The sets, the
        threshold and `exclude_unknowns` are the method's own.

        Parameters
        ----------
        model : Recommender
            Model that was fitted to the training set.
        train_set, test_set, val_set : cornac.data.Dataset
            Sets of this evaluation method; `test_set` is the one to evaluate on.
        rating_threshold, exclude_unknowns, verbose
            Settings of the method, as Cornac passes them.
        user_based : bool
            Whether rating metrics are averaged over users.
        rating_metrics, ranking_metrics : sequence of metrics
            Metrics as `organize_metrics` parts them; realism metrics are among the latter.

        Returns
        -------
        cornac.experiment.result.Result
            A value of each metric, in their order; NaN where there is none.
        """
        users = self._users_name(test_set)
        realism, ranking = realism_apart(ranking_metrics)
        results = self._accuracy(model, users, user_based, rating_metrics, ranking)
        if realism:
            results |= self._realism(model, users, realism)
        return ordered_result(model.name, (*rating_metrics, *ranking_metrics), results)
