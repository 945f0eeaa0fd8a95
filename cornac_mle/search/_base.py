"""Choose hyper-parameters on validation users: by ranking, by rating or by realism.

Cornac's own search scores users by their number. Validation users of a split of users were never
trained on, so every candidate gets the same score there, and the first one wins. Here a candidate
is measured as the evaluation method measures any model: fold-in for ranking, samples for realism.
"""

from abc import ABC
from collections.abc import Iterator, Sequence
from typing import Any, Self

import pandas as pd
from cornac.data import Dataset
from cornac.eval_methods import BaseMethod
from cornac.hyperopt import BaseSearch
from cornac.metrics import RankingMetric, RatingMetric
from cornac.models import Recommender
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from cornac_mle.checks import check_jobs, refusal
from cornac_mle.metrics.base import RealismMetric
from cornac_mle.search._candidate import Candidate, Parameters, fit_and_measure
from cornac_mle.search._checks import check_sets, metric_list
from cornac_mle.search._results import results_table
from cornac_mle.search._validation import fold_of
from cornac_mle.search.pareto import pareto_front

QUIET_SECONDS = 2
"""A search that takes no longer shows no progress."""


class ValidationSearch(BaseSearch, ABC):  # type: ignore[misc]  # Cornac has no types
    """What `GridSearch` and `RandomSearch` share: all but which candidates there are."""

    # A saved or deeply copied search carries no data, as Cornac's models carry no training set.
    eval_method: BaseMethod | None = None
    name: str
    verbose: bool
    ignored_attrs: list[str]

    def _prepare(
        self,
        metric: RankingMetric | RatingMetric | Sequence[RankingMetric | RatingMetric],
        user_based: bool,
        n_jobs: int,
        name: str | None,
        verbose: bool | None,
    ) -> None:
        """Take the settings that Cornac's search does not have."""
        check_jobs(n_jobs)
        self.metric = metric
        self.user_based = user_based
        self.n_jobs = n_jobs
        self.name = self.name if name is None else name
        self.verbose = self.verbose if verbose is None else verbose
        self.ignored_attrs = [*self.ignored_attrs, "eval_method"]
        self._forget()

    def _forget(self) -> None:
        """Be as before the first fit."""
        self.is_fitted = False
        self.best_model: Recommender | None = None
        self.best_params: Parameters | None = None
        self.best_score = float("nan")
        self.results = pd.DataFrame()

    def clone(self, new_params: dict[str, Any] | None = None) -> Self:
        """Make an unfitted search with the same settings and the same evaluation method."""
        # Cornac would copy the method with all its data, and the copy's sets are other sets.
        settings = {"eval_method": self.eval_method} | (new_params or {})
        copied: Self = super().clone(settings)
        return copied

    def fit(self, train_set: Dataset, val_set: Dataset | None = None) -> Self:
        """Fit and measure every candidate; keep the best.

        Parameters
        ----------
        train_set, val_set : cornac.data.Dataset
            Training and validation set of `eval_method`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there are no validation data, or they are the test data, or not those of
            `eval_method`; or if no candidate can be fitted and measured.
        """
        if not self.trainable and self.best_model is not None:
            return self._keep_best(train_set, val_set)
        check_sets(fold_of(self.eval_method), train_set, val_set)
        self._forget()
        metrics = metric_list(self.metric)
        candidates = self._build_param_set()
        rows: list[Candidate] = []
        best: Candidate | None = None
        for candidate in self._measured(candidates, metrics):
            rows.append(candidate)
            beaten: Candidate | None = candidate
            if not candidate.reason and (best is None or candidate.loss < best.loss):
                beaten, best = best, candidate
            if beaten is not None:
                beaten.model = None  # as many fitted models may not fit into memory
        self.results = results_table(rows, metrics)
        if best is None:
            rule = "hold a candidate that can be fitted and measured"
            got = f"none in {len(rows)}; the first: {rows[0].reason}"
            raise ValueError(refusal("space", rule, got, "The column `reason` of results has all."))
        super(BaseSearch, self).fit(train_set, val_set)
        self.best_model = best.with_sets(train_set, val_set)
        self.best_params = best.parameters
        self.best_score = best.measured[metrics[0].name].value
        return self

    def _keep_best(self, train_set: Dataset, val_set: Dataset | None) -> Self:
        """Give a search that is not trainable, one that was loaded say, its data back."""
        assert self.best_model is not None
        trainable, self.best_model.trainable = self.best_model.trainable, False
        for model in (self, self.best_model):
            model.is_fitted = False  # Cornac warns otherwise
        super(BaseSearch, self).fit(train_set, val_set)
        self.best_model.fit(train_set, val_set)
        self.best_model.trainable = trainable
        return self

    def _measured(
        self, candidates: list[Parameters], metrics: Sequence[Any]
    ) -> Iterator[Candidate]:
        """Fit and measure candidates in their order, several at a time."""
        method = fold_of(self.eval_method)
        assert method is not None  # `fit` has checked it
        if any(isinstance(metric, RealismMetric) for metric in metrics):
            _ = method.evaluator  # fitted here: once for all processes, in no candidate's time
        # Threads would share random streams, those of the data sets and torch's, and the report.
        workers = Parallel(n_jobs=self.n_jobs, backend="loky", return_as="generator")
        call = delayed(fit_and_measure)
        tasks = (
            call(self.model, parameters, method, metrics, self.user_based)
            for parameters in candidates
        )
        yield from tqdm(
            workers(tasks),
            total=len(candidates),
            desc=self.name,
            disable=not self.verbose,
            delay=QUIET_SECONDS,
        )

    @property
    def pareto_front(self) -> pd.DataFrame:
        """Rows of `results` that no other candidate beats in all metrics; best of the first first.

        Raises
        ------
        RuntimeError
            If the search is not fitted.
        """
        self._fitted_best()
        columns = [f"{metric.name}_loss" for metric in metric_list(self.metric)]
        found = self.results[self.results["reason"] == ""]
        return pareto_front(found, columns, ["low"] * len(columns))

    # ------------------------------------------------------------------------ Cornac's interface

    def _fitted_best(self) -> Recommender:
        if self.best_model is None:
            msg = f"{self.name} is not fitted. Call fit(train_set, val_set) first."
            raise RuntimeError(msg)
        return self.best_model

    def transform(self, test_set: Dataset) -> None:
        """Let the best model prepare for `test_set`."""
        self._fitted_best().transform(test_set)

    def score(self, user_idx: int, *arguments: Any, **settings: Any) -> Any:
        """Score with the best model."""
        return self._fitted_best().score(user_idx, *arguments, **settings)

    def rate(self, user_idx: int, item_idx: int, clipping: bool = True) -> Any:
        """Rate with the best model."""
        return self._fitted_best().rate(user_idx, item_idx, clipping)

    def rank(
        self, user_idx: int, item_indices: Any = None, k: int = -1, **settings: Any
    ) -> tuple[Any, Any]:
        """Rank with the best model."""
        ranked: tuple[Any, Any] = self._fitted_best().rank(user_idx, item_indices, k, **settings)
        return ranked
