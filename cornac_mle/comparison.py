"""Fit several models on the same users, let them make up users, and measure."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd
from cornac.metrics import NDCG, Recall
from cornac.models import Recommender

from cornac_mle.checks import check_count, check_different_names, refusal
from cornac_mle.eval_methods.held_out_users import HeldOutUsers
from cornac_mle.metrics import (
    MMD,
    Authenticity,
    ClassifierTest,
    ClippedCoverage,
    ClippedDensity,
    CopiedUsers,
    FrontierMissing,
    FrontierUnrealistic,
    HeldOutLogLikelihood,
    MissingShare,
    NeighbourCoverage,
    NeighbourDensity,
    NeighbourPrecision,
    NeighbourRecall,
    PairError,
    PlausibilityKS,
    PopularityJS,
    ProfileSizeKS,
    RatingKS,
    RealismMetric,
    UnrealisticShare,
    UnrealisticUsers,
)
from cornac_mle.models.cloning import fresh_clone
from cornac_mle.report.report import Report


def default_metrics() -> list[Any]:
    """Metrics of `compare`: six of realism, two more judges, two of Cornac's own.

    Examples
    --------
    >>> [metric.name for metric in default_metrics()][:2]
    ['UnrealisticUsers@0.05', 'UnrealisticUsers@0.05 (item-knn)']
    """
    return [
        UnrealisticUsers(alpha=0.05),
        UnrealisticUsers(alpha=0.05, judge="item-knn"),
        UnrealisticUsers(alpha=0.05, judge="svd"),
        PlausibilityKS(),
        NeighbourCoverage(k=5),
        CopiedUsers(),
        PopularityJS(),
        ProfileSizeKS(),
        Recall(k=20),
        NDCG(k=100),
    ]


def all_metrics() -> list[RealismMetric]:
    """Every realism metric with its default settings, what they say of fidelity first.

    Examples
    --------
    >>> [metric.name for metric in all_metrics()][-2:]
    ['RatingKS', 'HeldOutLogLikelihood']
    """
    return [
        UnrealisticUsers(),
        UnrealisticUsers(judge="item-knn"),
        UnrealisticUsers(judge="svd"),
        UnrealisticUsers(conditional=True),
        UnrealisticUsers(tail="typical"),
        UnrealisticShare(),
        MissingShare(),
        PlausibilityKS(),
        NeighbourPrecision(),
        NeighbourRecall(),
        NeighbourDensity(),
        NeighbourCoverage(),
        ClippedDensity(),
        ClippedCoverage(),
        ClassifierTest(),
        FrontierUnrealistic(),
        FrontierMissing(),
        MMD(),
        CopiedUsers(),
        Authenticity(),
        PopularityJS(),
        ProfileSizeKS(),
        PairError(),
        RatingKS(),
        HeldOutLogLikelihood(),
    ]


def compare(
    models: Sequence[Recommender],
    data: HeldOutUsers | pd.DataFrame | Iterable[tuple[object, ...]],
    *,
    metrics: Sequence[Any] | None = None,
    rating_threshold: float | None = None,
    fit_seeds: Sequence[int] = (),
    seed: int = 123,
    on_fit: Callable[[str, int], None] | None = None,
) -> Report:
    """Compare models by the users they make up, and as recommenders of unseen users.

    Parameters
    ----------
    models : sequence of Recommender
        Ours are sampled, and so are Cornac's own (`Sampled`), as they were fitted. Names must
        differ. Models are cloned, so those handed over stay as they are.
    data : HeldOutUsers, DataFrame or iterable of tuples
        An evaluation method, or feedback to make one of.
    metrics : sequence of metrics, optional
        Realism metrics and Cornac's; `default_metrics()` if not given.
    rating_threshold : float, optional
        Least value that is a like; for feedback only.
    fit_seeds : sequence of int, optional
        Random seeds with each of which a model that has a `seed` is fitted once; otherwise it is
        fitted once, as it is.
    seed : int
        Random seed of the split and of sampling; for feedback only.
    on_fit : callable, optional
        Function that is called before each fit with the model's name and the number of fits done.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If there is no model, or two have one name, or the data are too few.

    Examples
    --------
    >>> from cornac_mle import Popularity, TrainingUsers
    >>> from cornac_mle.metrics import PopularityJS
    >>> data = [(user, item, 1.0) for user in range(80) for item in range(user % 3, 9, 2)]
    >>> report = compare([Popularity(), TrainingUsers()], data, metrics=[PopularityJS()])
    >>> report.scores[["model", "metric", "n_real"]]
               model        metric  n_real
    0     Popularity  PopularityJS      10
    1  TrainingUsers  PopularityJS      10
    """
    if isinstance(models, Recommender):
        raise TypeError(refusal("models", "be a list of models", "one model", "Write [model]."))
    for metric in metrics or ():
        if isinstance(metric, type):
            advice = f"Write {metric.__name__}()."
            raise TypeError(
                refusal("metrics", "hold metrics", f"the class {metric.__name__}", advice)
            )
    if not models:
        raise ValueError(refusal("models", "hold at least one model", "none"))
    names = [model.name for model in models]
    check_different_names("models", names, "Pass name=... to one of them.")
    for fit_seed in fit_seeds:
        check_count("fit_seeds", fit_seed, minimum=0)
    if not isinstance(data, HeldOutUsers):
        data = HeldOutUsers(data, rating_threshold=rating_threshold, seed=seed)
    chosen = list(default_metrics() if metrics is None else metrics)
    fits = [
        (model, parameters)
        for model in models
        for parameters in (_fits(model, fit_seeds) if fit_seeds else [{}])
    ]
    for number, (model, parameters) in enumerate(fits):
        if on_fit is not None:
            on_fit(model.name, number)
        fresh = fresh_clone(model, parameters)
        data.evaluate(fresh, chosen, user_based=True, show_validation=False)
    return data.report


def _fits(model: Recommender, fit_seeds: Sequence[int]) -> list[dict[str, int]]:
    """Parameters of each fit of a model: one a seed, or one in all where it has no seed."""
    if "seed" not in model._get_init_params():
        return [{}]
    return [{"seed": seed} for seed in fit_seeds]
