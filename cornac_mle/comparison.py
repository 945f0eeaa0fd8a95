"""Fit several models on the same users, let them make up users, and measure."""

import copy
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd
from cornac.metrics import NDCG, RankingMetric, RatingMetric, Recall
from cornac.models import Recommender

from cornac_mle.checks import check_count, check_different_names, check_entries, refusal, written
from cornac_mle.diagnostics.gallery import look_at
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
    LikelihoodRatioAttack,
    MembershipInference,
    MissingShare,
    NeighbourCoverage,
    NeighbourDensity,
    NeighbourPrecision,
    NeighbourRecall,
    PairCounts,
    PairError,
    PlausibilityKS,
    PopularityJS,
    ProfileSizeKS,
    RatingKS,
    RealismMetric,
    UnrealisticShare,
    UnrealisticUsers,
)
from cornac_mle.models.cloning import failure, fresh_clone, is_fixed
from cornac_mle.models.shared_fits import shared_fits
from cornac_mle.report.made import made_now
from cornac_mle.report.progress import Progress
from cornac_mle.report.report import Report
from cornac_mle.workers import one_thread

logger = logging.getLogger("cornac_mle")


def default_metrics() -> list[Any]:
    """Metrics of `compare`: seven of realism, two more judges, two of Cornac's own.

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
        MembershipInference(),
        CopiedUsers(),
        PopularityJS(),
        ProfileSizeKS(),
        Recall(k=20),
        NDCG(k=100),
    ]


def default_realism_metrics() -> list[RealismMetric]:
    """Those of `default_metrics` that ask about users alone: the metrics of `audit`.

    Examples
    --------
    >>> [metric.name for metric in default_realism_metrics()][-1]
    'ProfileSizeKS'
    """
    return [metric for metric in default_metrics() if isinstance(metric, RealismMetric)]


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
        PairCounts(),
        MembershipInference(),
        LikelihoodRatioAttack(),
        CopiedUsers(),
        Authenticity(),
        PopularityJS(),
        ProfileSizeKS(),
        PairError(),
        RatingKS(),
        HeldOutLogLikelihood(),
    ]


@one_thread()
def compare(
    models: Sequence[Recommender],
    data: HeldOutUsers | pd.DataFrame | Iterable[tuple[object, ...]],
    *,
    metrics: Sequence[Any] | None = None,
    rating_threshold: float | None = None,
    fit_seeds: Sequence[int] = (),
    seed: int | None = None,
    on_fit: Callable[[str, int], None] | None = None,
    report: Report | None = None,
) -> Report:
    """Compare models by the users they make up, and as recommenders of unseen users.

    Autoencoders that differ in `latent` alone, or that a remedy begins with, are fitted once. A
    model whose fit or measurement raises an error costs its own rows: `Report.failed` says why,
    and the others stand. What takes longer than two seconds shows its progress in a terminal or a
    notebook, unless `on_fit` is given.

    Parameters
    ----------
    models : sequence of Recommender
        Ours are sampled, and so are Cornac's own (`Sampled`), as they were fitted. Names must
        differ. Models are cloned, so those handed over stay as they are. A fitted model that is not
        trainable, one that was loaded say, is measured as it is; it must have been fitted to the
        training users of `data`.
    data : HeldOutUsers, DataFrame or iterable of tuples
        An evaluation method, or feedback to make one of.
    metrics : sequence of metrics, optional
        Realism metrics and Cornac's; `default_metrics()` if not given.
    rating_threshold : float, optional
        Least value that is a like; for feedback only.
    fit_seeds : sequence of int, optional
        Random seeds with each of which a model that has a `seed` is fitted once; otherwise it is
        fitted once, as it is.
    seed : int, optional
        Random seed of the split and of sampling, 123 if not given; for feedback only.
    on_fit : callable, optional
        Function that is called before each fit with the model's name and the number of fits done.
    report : Report, optional
        Report to fill as models finish, so that what is finished is kept where a comparison is
        interrupted; a new one if not given. The report of an evaluation method stays as it was. One
        that is given gets no users to look at: `diagnostics.gallery.look_at` adds them.

    Returns
    -------
    Report
        Scores of these models alone.

    Raises
    ------
    TypeError, ValueError
        If there is no model, or two have one name, or what is handed over is no model or no metric;
        if the data are too few; or with the error of the first model, if all fail.

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
    models = checked_models(models)
    chosen = default_metrics() if metrics is None else checked_metrics(metrics)
    if not isinstance(fit_seeds, Iterable):
        raise TypeError(refusal("fit_seeds", "be a sequence of integers", written(fit_seeds)))
    fit_seeds = [check_count("fit_seeds", fit_seed, minimum=0) for fit_seed in fit_seeds]
    started = time.monotonic()
    method = _method(data, rating_threshold, seed)
    fits = [(model, parameters) for model in models for parameters in _fits(model, fit_seeds)]
    first_error: Exception | None = None
    with (
        shared_fits(),
        method.report.redirected(Report() if report is None else report) as filled,
        Progress(len(fits), is_shown=on_fit is None) as progress,
    ):
        for number, (model, parameters) in enumerate(fits):
            progress.begin(model.name)
            if on_fit is not None:
                on_fit(model.name, number)
            before = len(filled.entries)
            try:
                method.evaluate(
                    _fitted_or_fresh(model, parameters),
                    chosen,
                    user_based=True,
                    show_validation=False,
                )
            except Exception as error:  # whatever a model does, the others stand
                first_error = first_error or error
                del filled.entries[before:]
                filled.failed[model.name] = failure(error)
                logger.warning("%s failed: %s", model.name, filled.failed[model.name])
            if report is None:
                _look_at(filled, method)
            progress.end()
        if first_error is not None and not filled.entries:
            raise first_error
        filled.made = filled.made or made_now(started, {"seed": method.seed}, "")
    compared: Report = filled
    return compared


def _look_at(report: Report, method: HeldOutUsers) -> None:
    """Choose users to look at, and take note of the judge; scores stand without it."""
    if report.synthetic:  # else no metric has asked the judge
        report.evaluator = method.evaluator
        try:
            look_at(report, method.evaluator)
        except Exception as error:
            report.notes.append(f"no users to look at: {type(error).__name__}: {error}")


def checked_models(models: object) -> list[Recommender]:
    """Return models as a list, or raise unless they are Cornac models of different names.

    Raises
    ------
    TypeError, ValueError
        Naming what is none.
    """
    checked = check_entries("models", models, Recommender, "Cornac models", "Write [PMF(k=20)].")
    check_different_names(
        "models", [model.name for model in checked], "Pass name=... to one of them."
    )
    return checked


def checked_metrics(metrics: object) -> list[Any]:
    """Return metrics as a list, or raise unless they are metrics, ours or Cornac's.

    Raises
    ------
    TypeError, ValueError
        Naming what is none.
    """
    kinds = (RankingMetric, RatingMetric)
    advice = "Write it with brackets, for example NDCG(k=100)."
    checked = check_entries("metrics", metrics, kinds, "metrics", advice)
    check_different_names("metrics", [metric.name for metric in checked], "Leave one out.")
    return checked


def _method(
    data: HeldOutUsers | pd.DataFrame | Iterable[tuple[object, ...]],
    rating_threshold: float | None,
    seed: int | None,
) -> HeldOutUsers:
    """Make an evaluation method of feedback; one that is given has its own settings."""
    if not isinstance(data, HeldOutUsers):
        return HeldOutUsers(
            data, rating_threshold=rating_threshold, seed=123 if seed is None else seed
        )
    for name, value in (("rating_threshold", rating_threshold), ("seed", seed)):
        if value is not None:
            rule = "be left out where `data` is an evaluation method, which has its own"
            raise ValueError(refusal(name, rule, value, f"Pass it to HeldOutUsers({name}=...)."))
    return data


def _fits(model: Recommender, fit_seeds: Sequence[int]) -> list[dict[str, int]]:
    """Parameters of each fit of a model: one a seed, or one in all where it is fitted once."""
    if not fit_seeds or is_fixed(model) or "seed" not in model._get_init_params():
        return [{}]
    return [{"seed": seed} for seed in fit_seeds]


def _fitted_or_fresh(model: Recommender, parameters: dict[str, int]) -> Recommender:
    """Give a clone to be fitted, or a fitted model that is not trainable with its weights."""
    return copy.copy(model) if is_fixed(model) else fresh_clone(model, parameters)
