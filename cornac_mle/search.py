"""Choose hyper-parameters on validation users: by ranking, by rating or by realism.

Cornac's own search scores users by their number. Validation users of a split of users were never
trained on, so every candidate gets the same score there, and the first one wins. Here a candidate
is measured as the evaluation method measures any model: fold-in for ranking, samples for realism.
"""

from abc import ABC
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, Self

import numpy as np
import pandas as pd
from cornac import hyperopt
from cornac.data import Dataset
from cornac.eval_methods import BaseMethod
from cornac.hyperopt import BaseSearch, Continuous, Discrete, SearchDomain
from cornac.metrics import RankingMetric, RatingMetric
from cornac.models import Recommender
from cornac.utils import get_rng
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from cornac_mle.candidates import Candidate, Parameters, fit_and_measure, fold_of, results_table
from cornac_mle.checks import check_count, check_seed, refusal
from cornac_mle.metrics.base import RealismMetric
from cornac_mle.models.base import check_jobs
from cornac_mle.pareto import pareto_front
from cornac_mle.search_checks import check_search, metric_list, same_pairs

__all__ = ["Continuous", "Discrete", "GridSearch", "RandomSearch"]

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
            Those of `eval_method`.

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
        self._check_sets(train_set, val_set)
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

    def _check_sets(self, train_set: Dataset, val_set: Dataset | None) -> None:
        if val_set is None:
            advice = "Set `validation_share` of HeldOutUsers, or `val_size` of RatioSplit, above 0."
            raise ValueError(refusal("val_set", "be given to choose on", None, advice))
        method = fold_of(self.eval_method)
        if method is None:
            advice = "A search that was saved or copied has none: set search.eval_method."
            raise ValueError(refusal("eval_method", "be an evaluation method", None, advice))
        if train_set is not method.train_set or val_set is not method.val_set:
            advice = "Pass eval_method.train_set and eval_method.val_set."
            name = "train_set` and `val_set"
            raise ValueError(refusal(name, "be those of `eval_method`", "others", advice))
        if method.test_set is not None and same_pairs(val_set, method.test_set):
            advice = "Choose on a split of its own: Cornac's CrossValidation validates on its test."
            raise ValueError(refusal("val_set", "differ from the test set", "the same", advice))

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


class GridSearch(ValidationSearch, hyperopt.GridSearch):  # type: ignore[misc]
    """Try every combination of values and keep the one that does best on the validation users.

    It goes into the models of a `cornac.Experiment`, in place of Cornac's search, with Cornac's
    `Discrete` domains. A candidate is a clone of `model` with other parameters, fitted to the
    training users and measured on the validation users by `eval_method` itself; held-out users take
    no part. Models that stop early do so on the validation users too, so that the winner's value on
    them is mildly optimistic: report its value on the held-out users.

    Parameters
    ----------
    model : Recommender
        Ours or Cornac's; it is cloned, never fitted.
    space : list of Discrete
        Parameters of `model` and the values to try: numbers, text, None, lists, even models (the
        ``model`` of a wrapper). The first domain by name varies slowest.
    metric : metric, or list of metrics
        Cornac's or realism metrics, each with one `k`. The winner is the best by the first one; the
        others are measured too, and `pareto_front` holds what is left to choose from if all count.
        What is best of a metric is known: the highest, the lowest, or what real users get
        (`UnrealisticUsers`, `NeighbourCoverage`).
    eval_method : BaseMethod
        The one of the experiment, with validation users: `HeldOutUsers` or `HeldOutUsersCV`, which
        chooses anew in each fold. A split of ratings, Cornac's or ours, has no whole validation
        users, so it takes Cornac's metrics only, and they are what Cornac's search computes.
    user_based : bool
        Whether rating metrics are averaged over users; over ratings, as in Cornac's search, if not.
        Only averages over users have an interval.
    n_jobs : int
        Candidates fitted at a time, each in a process of its own; -1: one a core. Processes take
        seconds to start, so that it pays for fits of many. The winner and the table do not depend
        on it, as far as the model's arithmetic does not depend on how many threads it gets.
    name : str, optional
        Name of the recommender; "GridSearch_" and the model's name if None. Two searches of one
        experiment need two names.
    verbose : bool, optional
        Show progress, of searches of more than two seconds. None: as `model`.

    Attributes
    ----------
    best_model : Recommender
        The fitted winner: it scores, ranks, rates and is sampled in the name of the search.
    best_params : dict
        Its parameters. Of equally good candidates, the first.
    best_score : float
        Its value of the first metric.
    results : DataFrame
        A row a candidate: the parameters, models written out (``param_rank`` if one is called rank,
        say); of each metric its value, ``<metric>_low`` and ``<metric>_high`` (95% interval, of one
        fit; NaN where there is none) and ``<metric>_loss`` (distance from the best value, lower is
        better); ``fit_seconds``, ``evaluation_seconds``; ``rank`` by the first metric, 1 is best,
        equal ones share it; with several metrics ``pareto``, whether it is on the front;
        ``reason``: "", or why it has no rank. A candidate that fails, or has no value of one of the
        metrics, has none and never wins.

    Raises
    ------
    TypeError, ValueError
        If the space is empty, or names what `model` has no parameter for; if a metric is none, or
        is of realism where `eval_method` cannot measure that.

    Notes
    -----
    Cost: one fit and one evaluation for every candidate.

    A difference between candidates that is small beside their intervals is noise: the lowest loss
    of many candidates looks better on the validation users than it is. Take few candidates, or many
    validation users.

    A search that is saved or deeply copied leaves `eval_method`, and with it all data, behind.
    """

    def __init__(
        self,
        model: Recommender,
        space: Sequence[Discrete],
        metric: RankingMetric | RatingMetric | Sequence[RankingMetric | RatingMetric],
        eval_method: BaseMethod,
        *,
        user_based: bool = False,
        n_jobs: int = 1,
        name: str | None = None,
        verbose: bool | None = None,
    ) -> None:
        check_search(model, space, metric, eval_method)
        others = [domain for domain in space if not isinstance(domain, Discrete)]
        if others:
            got, advice = type(others[0]).__name__, "RandomSearch takes others too."
            context = repr(others[0].name)
            raise ValueError(refusal("space", "hold Discrete domains", got, advice, context))
        hyperopt.GridSearch.__init__(self, model, space, metric, eval_method)
        self._prepare(metric, user_based, n_jobs, name, verbose)

    def _build_param_set(self) -> list[Parameters]:
        """List all combinations, values in the order given: not all can be sorted."""
        names = [domain.name for domain in self.space]
        values = [[_plain(value) for value in domain.values] for domain in self.space]
        return [dict(zip(names, chosen, strict=True)) for chosen in product(*values)]


class RandomSearch(ValidationSearch, hyperopt.RandomSearch):  # type: ignore[misc]
    """Try random combinations and keep the one that does best on the validation users.

    As `GridSearch`, where all that is not said here is said; the space may hold `Continuous`
    domains too. Values are drawn as Cornac's search draws them, so that the same seed tries the
    same candidates; one that is drawn again is not fitted again. Whole numbers stay Python's, so
    that models take them.

    Parameters
    ----------
    model, space, metric, eval_method, user_based, n_jobs, name, verbose
        As in `GridSearch`.
    n_trails : int
        Candidates to draw. The name is Cornac's.
    seed : int, optional
        Of the candidates; None: the model's, and if it has none, others each time.
    """

    def __init__(
        self,
        model: Recommender,
        space: Sequence[SearchDomain],
        metric: RankingMetric | RatingMetric | Sequence[RankingMetric | RatingMetric],
        eval_method: BaseMethod,
        n_trails: int = 10,
        *,
        seed: int | None = None,
        user_based: bool = False,
        n_jobs: int = 1,
        name: str | None = None,
        verbose: bool | None = None,
    ) -> None:
        check_search(model, space, metric, eval_method)
        check_count("n_trails", n_trails)
        self.seed = check_seed(seed)
        hyperopt.RandomSearch.__init__(self, model, space, metric, eval_method, n_trails)
        self._prepare(metric, user_based, n_jobs, name, verbose)

    def _build_param_set(self) -> list[Parameters]:
        """Draw candidates; those drawn again are left out."""
        own = getattr(self.model, "seed", None)
        random = get_rng(own if self.seed is None else self.seed)
        found: dict[str, Parameters] = {}
        for _ in range(self.n_trails):
            drawn = {domain.name: _draw(domain, random) for domain in self.space}
            found.setdefault(repr(drawn), drawn)  # values need not be hashable
        return list(found.values())


def _draw(domain: SearchDomain, random: np.random.RandomState) -> Any:
    """Draw a value of a domain, of its own type."""
    if isinstance(domain, Discrete):
        # The place is drawn: numpy would make 1 of 1.0 and text of all if one value is text.
        return _plain(domain.values[random.choice(len(domain.values))])
    return _plain(domain._sample(random))


def _plain(value: Any) -> Any:
    """Make Python's own number of a numpy one: models refuse those, or save them badly."""
    return value.item() if isinstance(value, np.generic) else value
