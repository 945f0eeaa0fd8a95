"""What a search refuses before it fits anything."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from cornac.data import Dataset
from cornac.eval_methods import BaseMethod, NextItemEvaluation
from cornac.hyperopt import Continuous, Discrete, SearchDomain
from cornac.metrics import RankingMetric, RatingMetric
from cornac.models import Recommender

from cornac_mle.checks import refusal
from cornac_mle.eval_methods.held_out_users import HeldOutUsers
from cornac_mle.eval_methods.held_out_users_cv import HeldOutUsersCV
from cornac_mle.metrics.base import RealismMetric


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
    for domain in space:
        if not isinstance(domain, SearchDomain):
            advice = "Write for example Discrete('k', [10, 20])."
            raise TypeError(refusal("space", "hold search domains", repr(domain), advice))
        if isinstance(domain, Discrete):
            values = domain.values
            if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray):
                raise TypeError(refusal("space", "list values", repr(values), context=domain.name))
            if len(values) == 0:
                raise ValueError(refusal("space", "list values", "none", context=domain.name))
        if isinstance(domain, Continuous) and not domain.low < domain.high:
            got = f"{domain.low} and {domain.high} of {domain.name!r}"
            raise ValueError(refusal("space", "have low below high", got))
    names = [domain.name for domain in space]
    if not names:
        advice = "Write for example [Discrete('k', [10, 20])]."
        raise ValueError(refusal("space", "hold at least one domain", "none", advice))
    known = model._get_init_params()
    for name in names:
        # Cornac's clone takes no notice of a name that it does not know.
        if name not in known:
            advice = f"It has {', '.join(known)}."
            raise ValueError(
                refusal("space", f"name parameters of {model.name}", repr(name), advice)
            )
        if names.count(name) > 1:
            raise ValueError(refusal("space", "have different names", f"{name!r} twice"))


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
    names = [one.name for one in metrics]
    if len(set(names)) < len(names):
        raise ValueError(refusal("metric", "have different names", ", ".join(names)))
    return metrics


def same_pairs(one: Dataset, other: Dataset) -> bool:
    """Whether two sets hold the same users, items and values, in whatever order."""
    parts = []
    for dataset in (one, other):
        users, items, values = dataset.uir_tuple
        parts.append(np.column_stack([users, items, values])[np.lexsort((items, users))])
    return np.array_equal(parts[0], parts[1])
