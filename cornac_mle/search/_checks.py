"""What a search refuses before it fits anything: models, metrics, evaluation methods, sets."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from cornac.data import Dataset
from cornac.eval_methods import BaseMethod, NextItemEvaluation
from cornac.hyperopt import SearchDomain
from cornac.metrics import RankingMetric, RatingMetric
from cornac.models import Recommender

from cornac_mle.checks import check_different_names, refusal
from cornac_mle.eval_methods.held_out_users import HeldOutUsers
from cornac_mle.eval_methods.held_out_users_cv import HeldOutUsersCV
from cornac_mle.metrics.base import RealismMetric
from cornac_mle.search._domains import check_space


def check_search(
    model: object, space: Sequence[SearchDomain], metric: object, eval_method: object
) -> None:
    """Refuse what cannot be searched.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    """
    if not isinstance(model, Recommender):
        advice = "Write the model with brackets." if isinstance(model, type) else ""
        raise TypeError(refusal("model", "be a Cornac model", repr(model), advice))
    if not isinstance(eval_method, BaseMethod) or isinstance(eval_method, NextItemEvaluation):
        rule, got = "be an evaluation method of sets of items", type(eval_method).__name__
        raise TypeError(refusal("eval_method", rule, got, "HeldOutUsers is one."))
    realism = [one.name for one in metric_list(metric) if isinstance(one, RealismMetric)]
    if realism and not isinstance(eval_method, HeldOutUsers | HeldOutUsersCV):
        rule = f"have whole validation users for {realism[0]}"
        got, advice = type(eval_method).__name__, "Use cornac_mle.HeldOutUsers."
        raise ValueError(refusal("eval_method", rule, got, advice))
    check_space(model, space)


def metric_list(metric: object) -> list[Any]:
    """Make a list of one metric or several.

    Raises
    ------
    TypeError, ValueError
        If there is none, one is no metric or has several cut-offs, or two have one name.
    """
    metrics: list[Any] = list(metric) if isinstance(metric, Sequence) else [metric]
    if not metrics:
        raise ValueError(refusal("metric", "be a metric, or several", "none"))
    for one in metrics:
        if not isinstance(one, RankingMetric | RatingMetric):
            advice = f"Write {one.__name__}()." if isinstance(one, type) else ""
            raise TypeError(refusal("metric", "be a metric, or several", repr(one), advice))
    for one in metrics:
        if np.ndim(getattr(one, "k", -1)) > 0:
            raise ValueError(refusal("metric", "have one `k`", one.k, "List a metric for each k."))
    check_different_names("metric", [one.name for one in metrics])
    return metrics


def check_sets(method: BaseMethod | None, train_set: Dataset, val_set: Dataset | None) -> None:
    """Refuse sets that nothing can be chosen on.

    Raises
    ------
    ValueError
        If there are no validation data, or they are the test data, or not those of `method`.
    """
    if val_set is None:
        advice = "Set `validation_share` of HeldOutUsers, or `val_size` of RatioSplit, above 0."
        raise ValueError(refusal("val_set", "be given to choose on", None, advice))
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


def same_pairs(one: Dataset, other: Dataset) -> bool:
    """Whether two sets hold the same users, items and values, in whatever order."""
    parts = []
    for dataset in (one, other):
        users, items, values = dataset.uir_tuple
        parts.append(np.column_stack([users, items, values])[np.lexsort((items, users))])
    return np.array_equal(parts[0], parts[1])
