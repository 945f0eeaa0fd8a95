"""Realism of the users that models make up, measured alike in every evaluation method."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from cornac.data import Dataset
from cornac.models import Recommender

from cornac_mle.eval_methods._report_entries import (
    ResultsByName,
    no_realism,
    note_score,
)
from cornac_mle.eval_methods.user_splits import Groups
from cornac_mle.metrics.base import ModelMetric, NotMeasurableError, RealismMetric
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.identical_users import identical_users
from cornac_mle.models.base import GenerativeRecommender
from cornac_mle.models.cloning import model_parameters
from cornac_mle.models.fold_in import searched
from cornac_mle.models.sampled.model import Sampled
from cornac_mle.profiles import Profiles, synthetic_ids
from cornac_mle.randomness import children
from cornac_mle.report.measurement import Measurement
from cornac_mle.report.report import Report

logger = logging.getLogger("cornac_mle")


PURPOSES = ("split", "hide", "evaluator", "validation", "sample", "measure")


def random_stream(seed: int, purpose: str) -> np.random.Generator:
    """Random stream of one purpose, so that one more draw in one leaves the others alone."""
    key = (PURPOSES.index(purpose),)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def realism_apart(metrics: Sequence[Any]) -> tuple[list[RealismMetric], list[Any]]:
    """Tell realism metrics from Cornac's own."""
    realism = [metric for metric in metrics if isinstance(metric, RealismMetric)]
    return realism, [metric for metric in metrics if not isinstance(metric, RealismMetric)]


class RealismEvaluation:
    """Lets fitted models make up users and measures them against one split of real users.

    The evaluator is fitted when the first realism metric asks for it, once for all models. Users
    are drawn once for a model, a group of users and a sampling seed, whatever the metrics.

    A model that is no `GenerativeRecommender` is sampled as it was fitted, by `Sampled`, whose link
    is calibrated on the validation users or, where a split has none, on the reference users. A
    parameter search of Cornac's is its ``best_model``. What has no value is NaN, with the reason
    logged: Cornac's table needs one for every model.

    Parameters
    ----------
    groups : Groups
        Real users: training, reference, held-out and perhaps validation users.
    report : Report
        Takes every measurement.
    seed : int
        Random seed of the evaluator and of sampling.
    n_splits : int
        Half-splits of the held-out users, on which intervals rest.
    n_samples : int
        Sampling seeds: how many sets of synthetic users are drawn from each model.
    min_items : int
        Fewest items of a user who is compared.
    caution : str, optional
        Words on how far to trust realism on this split, for every metric.

    Attributes
    ----------
    samplers : dict
        Settings of the `Sampled` that drew the users of a model without a sampler, by model.
    """

    def __init__(
        self,
        groups: Groups,
        report: Report,
        *,
        seed: int,
        n_splits: int,
        n_samples: int,
        min_items: int,
        caution: str | None = None,
    ) -> None:
        self.groups = groups
        self.report = report
        self.seed = seed
        self.n_splits = n_splits
        self.n_samples = n_samples
        self.min_items = min_items
        self.caution = caution
        self.samplers: dict[str, str] = {}
        self._evaluators: dict[str, Evaluator] = {}
        self._sampler: tuple[Recommender, GenerativeRecommender, set[str]] | None = None
        self._describe_users()
        for reason, count in report.dropped.items():
            logger.info("%s: left out %d %s", report.dataset, count, reason)

    def _describe_users(self) -> None:
        self.report.groups = self.groups.sizes
        self.report.dropped = {reason: n for reason, n in self.groups.dropped.items() if n}

    @property
    def evaluator(self) -> Evaluator:
        """Evaluator against the held-out users; fitted at the first call."""
        if "held-out" not in self._evaluators:
            self._evaluators["held-out"] = Evaluator.fit(
                self.groups.train,
                self.groups.reference,
                self.groups.held_out,
                rng=random_stream(self.seed, "evaluator"),
                n_splits=self.n_splits,
                min_items=self.min_items,
            )
        return self._evaluators["held-out"]

    def take_evaluator(self, evaluator: Evaluator) -> None:
        """Take the evaluator that a copy of this one has fitted."""
        self._evaluators["held-out"] = evaluator

    def evaluator_for(self, users: str) -> Evaluator:
        """Give the evaluator against "held-out" or "validation" users.

        Raises
        ------
        NotMeasurableError
            If the split has no validation users.
        """
        if users == "held-out":
            return self.evaluator
        if users not in self._evaluators:
            if self.groups.validation is None:
                msg = "this evaluation method sets none aside."
                raise NotMeasurableError(msg)
            self._evaluators[users] = self.evaluator.with_held_out(
                self.groups.validation, rng=random_stream(self.seed, "validation")
            )
        return self._evaluators[users]

    def sampler_of(self, model: Recommender, users: str) -> GenerativeRecommender:
        """Give what draws users of a fitted model: itself, or a `Sampled` of it.

        It is made once for all groups of users, and afresh when a group comes round again: the
        model may have been fitted anew.

        Raises
        ------
        NotMeasurableError
            If the model cannot be sampled; the message says why.
        """
        fitted = searched(model)
        if isinstance(fitted, GenerativeRecommender):
            return fitted
        # Callers may measure several models in threads: what is returned is a local variable.
        last = self._sampler
        if last is None or last[0] is not fitted or users in last[2]:
            try:
                last = (fitted, Sampled(fitted).fit(val_set=self._new_users()), set())
            except NotImplementedError as error:
                raise NotMeasurableError(str(error)) from error
            except (ValueError, RuntimeError, ArithmeticError) as error:
                # A fit that diverged, say: the other models and metrics stand.
                reason = f"it cannot be sampled: {type(error).__name__}: {error}"
                raise NotMeasurableError(reason) from error
        last[2].add(users)
        self._sampler = last
        self.samplers[model.name] = model_parameters(last[1], leave_out=("model", "trainable"))
        return last[1]

    def _new_users(self) -> Dataset | None:
        """Give reference users to calibrate `Sampled` on, where models get no validation users."""
        if self.groups.validation is not None:
            return None
        reference, _ = self.groups.reference.split_items(self.groups.training_items)
        return reference.to_dataset(first_user=len(self.groups.train), seed=self.seed)

    def measure(
        self, model: Recommender, users: str, metrics: Sequence[RealismMetric]
    ) -> ResultsByName:
        """Measure users that a fitted model makes up against "held-out" or "validation" users.

        Returns
        -------
        dict
            Of each metric its value, averaged over sampling seeds, and its values by user: the
            synthetic users of the first seed, "s0", "s1", ..., or real users by id. NaN and nothing
            where there is no value.
        """
        try:
            evaluator = self.evaluator_for(users)
            sampler = self.sampler_of(model, users)
        except NotMeasurableError as error:
            return no_realism(model, users, metrics, error)
        self._describe_users()
        self.report.judge_families[model.name] = sampler.judge_family
        n_users = 2 * (len(evaluator.held_out) // 2)
        seeds = children(random_stream(self.seed, "sample"), self.n_samples)
        pools = [self._on_catalogue(sampler.sample(n_users, rng=seed)) for seed in seeds]
        if users == "held-out":  # of several fits, the first
            self.report.synthetic.setdefault(model.name, pools[0])
            self._note_identical(model.name, evaluator, pools[0])
        results: ResultsByName = {}
        for metric in metrics:
            found = self._measured(metric, evaluator, sampler, pools)
            if isinstance(found, NotMeasurableError):
                text = "%s: %s cannot be measured on %s users: %s"
                logger.warning(text, model.name, metric, users, found)
                results[metric.name] = (float("nan"), {})
                continue
            for number, one in enumerate(found):
                note_score(self.report, model, users, metric.name, metric.note, one, number)
            if users == "held-out":
                doubt = metric.doubt(found[0])
                cautions = [self.caution, metric.caution(evaluator)]
                cautions.append(f"{model.name}: {doubt}" if doubt else None)
                for words in cautions:
                    self.report.add_caution(metric.name, words)
            results[metric.name] = _summary(metric, found)
        return results

    def _note_identical(self, model: str, evaluator: Evaluator, users: Profiles) -> None:
        found = identical_users(evaluator, users)
        if found:
            self.report.alerts[model] = " ".join(str(one) for one in found)
            logger.warning("%s: %s", model, self.report.alerts[model])

    def _on_catalogue(self, users: Profiles) -> Profiles:
        """Bring users, who hold items of training users, to the catalogue of all groups."""
        return users.split_items(self.groups.held_out.item_ids)[0]

    def _measured(
        self,
        metric: RealismMetric,
        evaluator: Evaluator,
        sampler: GenerativeRecommender,
        pools: Sequence[Profiles],
    ) -> list[Measurement] | NotMeasurableError:
        """Measure one metric on each pool of synthetic users, or say why it has no value."""
        measured = []
        seeds = children(random_stream(self.seed, "measure"), self.n_samples)
        try:
            for synthetic, seed in zip(pools, seeds, strict=True):
                random = np.random.default_rng(seed)
                if isinstance(metric, ModelMetric):
                    measured.append(metric.measure_model(evaluator, sampler, rng=random))
                else:
                    measured.append(metric.measure(evaluator, synthetic, rng=random))
        except NotMeasurableError as error:
            return error
        return measured


def _summary(metric: RealismMetric, found: Sequence[Measurement]) -> tuple[float, dict[Any, float]]:
    """Average over sampling seeds (of a certified bound, the first), and the first seed's users."""
    value = found[0].value if metric.is_bound else float(np.mean([one.value for one in found]))
    per_user, ids = found[0].per_user, found[0].user_ids
    if per_user is None:
        return value, {}
    names = synthetic_ids(len(per_user)) if ids is None else ids
    return value, dict(zip(names, per_user.tolist(), strict=True))
