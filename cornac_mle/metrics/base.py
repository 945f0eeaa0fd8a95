"""What every realism metric shares: half-splits, ceiling, floor, interval, a place in Cornac."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, Protocol, final

import numpy as np
import pandas as pd
from cornac.metrics import RankingMetric
from numpy.random import Generator

from cornac_mle.checks import refusal
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.splits import Splits
from cornac_mle.profiles import Profiles
from cornac_mle.randomness import RngLike, repeatable_generator
from cornac_mle.report.measurement import Measurement, MetricNote, with_normalised
from cornac_mle.sampling.importance import LikelihoodEstimate
from cornac_mle.sparse import FloatArray
from cornac_mle.stats.intervals import POWER_SHIFT, share_standard_error, split_interval
from cornac_mle.workers import one_thread


class NotMeasurableError(ValueError):
    """A metric has no value for these users or this model; the message says why.

    There are too few users, say, or the model has no likelihood. `HeldOutUsers` writes NaN and logs
    the reason, so that one metric does not cost the others; every other error stops it.

    Examples
    --------
    >>> from cornac_mle.metrics import UnrealisticUsers
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> UnrealisticUsers(alpha=0.001).measure(evaluator, synthetic, rng=1)
    Traceback (most recent call last):
    cornac_mle.metrics.base.NotMeasurableError: `held_out` and `synthetic` must each be at least
    1998 users; got 200 and 200 for UnrealisticUsers@0.001. Hold out more users, or leave this...
    """


class Samplable(Protocol):
    """What a metric may ask of a model: new users, and the log-probability of given ones."""

    name: str
    catalogue_: pd.Index | None

    def sample(self, n_users: int, *, rng: RngLike) -> Profiles:
        """Draw new users."""

    def estimate_log_likelihood(
        self, profiles: Profiles, *, rng: RngLike, values: bool
    ) -> LikelihoodEstimate:
        """Nats per user, (n_users,), and whether they are exact; of item sets, without `values`."""


class RealismMetric(RankingMetric, ABC):  # type: ignore[misc]  # Cornac has no types
    """Holds synthetic users against held-out real users.

    It goes into ``metrics=[...]`` of a `cornac.Experiment` beside Cornac's own; the evaluation
    method must be of `cornac_mle.eval_methods`, which has whole held-out users.

    Attributes
    ----------
    name : str
        Column of the result table.
    bounds : tuple of float
        Smallest and largest possible value.
    ideal : float or None
        Best value; None where the best value is the ceiling (what real users get).
    note : MetricNote
        How to read it: its best value and one sentence.

    Examples
    --------
    A metric of one's own is a subclass of `SplitMetric`, which see:

    >>> from cornac_mle.metrics import PopularityJS
    >>> metric = PopularityJS()
    >>> isinstance(metric, SplitMetric), isinstance(metric, RealismMetric)
    (True, True)
    >>> metric.name, metric.bounds, metric.ideal, metric.higher_better
    ('PopularityJS', (0.0, 1.0), 0.0, False)
    """

    bounds: tuple[float, float]
    ideal: float | None
    note: MetricNote
    is_bound: bool = False
    """Whether the value is a certified bound, which must not be averaged over sampling seeds."""

    def __init__(self, name: str, *, higher_better: bool | None = None) -> None:
        if higher_better is None:
            higher_better = self.ideal is None or self.ideal == self.bounds[1]
        super().__init__(name=name, k=-1, higher_better=higher_better)

    def __repr__(self) -> str:
        return str(self.name)

    @final
    def measure(self, evaluator: Evaluator, synthetic: Profiles, *, rng: RngLike) -> Measurement:
        """Measure synthetic users against the held-out users of `evaluator`.

        Parameters
        ----------
        evaluator : Evaluator
            Real users.
        synthetic : Profiles
            Users made up by a model, over items of the evaluator's users, in any order. Those with
            fewer than `evaluator.min_items` items are left out and counted, as real ones were.
        rng : int, SeedSequence or Generator
            Random seed of permutations and the like.

        Raises
        ------
        NotMeasurableError
            If the metric has no value for these users: there are too few of them, say.
        TypeError, ValueError
            If `synthetic` are no Profiles, or have other items.
        """
        users = evaluator.comparable("synthetic", synthetic)
        with one_thread():
            found = self._measure(evaluator, users, repeatable_generator(rng))
        if found.per_user is not None and found.user_ids is None:
            found = replace(found, user_ids=users.user_ids)
        return replace(found, n_left_out=len(synthetic) - len(users))

    @abstractmethod
    def _measure(self, evaluator: Evaluator, synthetic: Profiles, rng: Generator) -> Measurement:
        """Measure users whose items have been checked."""

    def caution(self, evaluator: Evaluator) -> str | None:
        """Say how far to trust the metric on these real users; None if nothing is amiss."""
        return None

    def doubt(self, found: Measurement) -> str | None:
        """Say how far to trust the value of these synthetic users; None if nothing is amiss."""
        return None

    def compute(self, **arguments: Any) -> float:
        """Refuse: Cornac hands over one user's ranking here, and realism is about whole users."""
        msg = (
            f"{self.name} needs an evaluation method that holds out whole users; got one that "
            "splits ratings. Use HeldOutUsers, or RatioSplit and the others of "
            "cornac_mle.eval_methods."
        )
        raise RuntimeError(msg)

    @final
    def loss(self, value: float, ceiling: float) -> float:
        """Distance of a value from its ideal; lower is better."""
        return abs(value - (ceiling if self.ideal is None else self.ideal))


class ModelMetric(RealismMetric):
    """A metric that asks the model itself, for more users than a pool has or for a likelihood.

    A subclass writes `_measure_model`, and `_measure` for users without their model.

    Examples
    --------
    >>> from cornac_mle.metrics import HeldOutLogLikelihood
    >>> from cornac_mle.metrics.example import example_users
    >>> from cornac_mle.models.popularity import Popularity
    >>> evaluator, _ = example_users()
    >>> metric = HeldOutLogLikelihood()
    >>> isinstance(metric, ModelMetric)
    True
    >>> model = Popularity().fit(evaluator.train.to_dataset())
    >>> metric.measure_model(evaluator, model, rng=1).value
    -25.66
    """

    @final
    def measure_model(self, evaluator: Evaluator, model: Samplable, *, rng: RngLike) -> Measurement:
        """Measure a fitted model against the held-out users of `evaluator`.

        Parameters
        ----------
        evaluator : Evaluator
            Real users.
        model : GenerativeRecommender
            Fitted model, over items of the evaluator's users, in any order. Those with
            fewer than `evaluator.min_items` items are left out and counted, as real ones were.
        rng : int, SeedSequence or Generator
            Random seed of the users that the model makes up.

        Raises
        ------
        NotMeasurableError
            If the metric has no value for this model.
        """
        with one_thread():
            return self._measure_model(evaluator, model, repeatable_generator(rng))

    @abstractmethod
    def _measure_model(
        self, evaluator: Evaluator, model: Samplable, rng: np.random.Generator
    ) -> Measurement:
        """Measure a fitted model."""


class SplitMetric(RealismMetric):
    """A metric whose value depends on how many users are compared, so halves are compared.

    *value* is synthetic users against one half A of the held-out users, *ceiling* the other half
    against A, *floor* independent popularity against A: always |A| users against |A| users, over
    the same half-splits. The estimand is the metric's expectation at that size.

    With v_s, c_s and f_s what `_on_splits` gives of synthetic users, of other held-out users and of
    popularity on half-split s, each is reported by its mean over half-splits; the 95% interval is
    that mean of the v_s plus and minus Student's quantile times their standard deviation, which is
    not divided by the root of their number (see `split_interval`).

    A metric of one's own is a subclass with `bounds`, `ideal`, `note`, a name and `_on_splits`.

    Examples
    --------
    How much more than real users do synthetic users hold?

    >>> class MeanSize(SplitMetric):
    ...     bounds = (0.0, np.inf)
    ...     ideal = None  # the ceiling, what real users have
    ...     note = MetricNote("ceiling", "items that a user holds on average")
    ...
    ...     def __init__(self) -> None:
    ...         super().__init__(name="MeanSize")
    ...
    ...     def _on_splits(self, evaluator, users, splits):
    ...         return np.asarray([users.sizes[split.other].mean() for split in splits])
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = MeanSize().measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling, found.loss
    (9.3, 9.06, 0.24)
    """

    minimum_users: int = 2
    """Fewest users on each side for which the metric is defined."""
    floor_is_real: bool = False
    """Whether independent popularity has by design what is measured, so that it shows no power."""
    is_share: bool = False
    """Whether the value is a share of users, whose standard error cannot be as small as 0."""

    @abstractmethod
    def _on_splits(self, evaluator: Evaluator, users: Profiles, splits: Splits) -> FloatArray:
        """Compute the metric on each split, (n_splits,): `users[other]` against held-out[real]."""

    def _p_value(
        self, evaluator: Evaluator, synthetic: Profiles, rng: np.random.Generator
    ) -> float | None:
        """p-value of synthetic against all held-out users, where the metric is a test."""
        return None

    def _per_user(self, evaluator: Evaluator, synthetic: Profiles) -> FloatArray | None:
        """Value of each synthetic user, (n_synthetic,), where the metric has one."""
        return None

    def _details(self, evaluator: Evaluator, synthetic: Profiles) -> dict[str, float] | None:
        """Further numbers, where the metric has some."""
        return None

    @final
    def _measure(self, evaluator: Evaluator, synthetic: Profiles, rng: Generator) -> Measurement:
        size = self.checked_size(evaluator, len(synthetic))
        values = self._on_splits(evaluator, synthetic, evaluator.splits(size, len(synthetic)))
        return self._measured(
            evaluator,
            size,
            values,
            p_value=self._p_value(evaluator, synthetic, rng),
            per_user=self._per_user(evaluator, synthetic),
            details=self._details(evaluator, synthetic),
        )

    @final
    def measure_splits(
        self,
        evaluator: Evaluator,
        users: Profiles,
        splits: Splits,
        *,
        n_synthetic: int,
        p_value: float | None,
    ) -> Measurement:
        """Measure a few of many synthetic users: those whom half-splits take, and no others.

        The measurement is that of all users, but for `per_user`, which it lacks.

        Parameters
        ----------
        evaluator : Evaluator
            Real users.
        users : Profiles
            Users of `splits`, over the items of the held-out users.
        splits : sequence of Split
            Half-splits of all synthetic users, `other` as rows of `users`.
        n_synthetic : int
            Number of all synthetic users.
        p_value : float or None
            p-value of all synthetic users, where it is known.

        Raises
        ------
        NotMeasurableError
            If there are too few users on either side.
        """
        size = self.checked_size(evaluator, n_synthetic)
        return self._measured(
            evaluator, size, self._on_splits(evaluator, users, splits), p_value=p_value
        )

    @final
    def checked_size(self, evaluator: Evaluator, n_synthetic: int) -> int:
        """Users on each side of a half-split.

        Raises
        ------
        NotMeasurableError
            If these are too few for the metric.
        """
        size = evaluator.half_size(n_synthetic)
        if size < self.minimum_users:
            got = f"{len(evaluator.held_out)} and {n_synthetic}"
            rule = f"each be at least {2 * self.minimum_users} users"
            advice = "Hold out more users, or leave this metric out."
            name = "held_out` and `synthetic"
            raise NotMeasurableError(refusal(name, rule, got, advice, context=self.name))
        return size

    def _measured(
        self,
        evaluator: Evaluator,
        size: int,
        values: FloatArray,
        *,
        p_value: float | None,
        per_user: FloatArray | None = None,
        details: dict[str, float] | None = None,
    ) -> Measurement:
        """Make a measurement of the metric on half-splits of `size` users a side."""
        ceilings, floors = self.ceiling_and_floor(evaluator, size)
        value, ceiling, floor = (float(np.mean(part)) for part in (values, ceilings, floors))
        # Both halves of a pool are used, so the share is of twice as many users.
        least = share_standard_error(value, 2 * size) if self.is_share else 0.0
        low, high = split_interval(values, self.bounds, least_error=least)
        error = float(np.std(ceilings - floors, ddof=1))
        measurement = Measurement(
            value=value,
            low=low,
            high=high,
            p_value=p_value,
            loss=self.loss(value, ceiling),
            n_real=size,
            n_synthetic=size,
            minimum_detectable=POWER_SHIFT * float(np.std(ceilings, ddof=1)),
            per_user=per_user,
            on_splits=values,
            ceiling=ceiling,
            floor=floor,
            details=details,
        )
        if self._floor_is_worse(ceiling, floor):
            return with_normalised(measurement, standard_error=error)
        return measurement

    def _floor_is_worse(self, ceiling: float, floor: float) -> bool:
        """Whether popularity is on the wrong side of real users; else 1 would not be the best."""
        if self.floor_is_real:
            return False
        if self.ideal is None:
            return floor < ceiling if self.higher_better else floor > ceiling
        return abs(floor - self.ideal) > abs(ceiling - self.ideal)

    def caution(self, evaluator: Evaluator) -> str | None:
        """Say "no power" where real users and popularity are not two standard errors apart."""
        if self.floor_is_real:
            return None
        ceilings, floors = self.ceiling_and_floor(
            evaluator, evaluator.half_size(len(evaluator.held_out))
        )
        gaps = ceilings - floors
        ceiling, floor = float(np.mean(ceilings)), float(np.mean(floors))
        seen = abs(np.mean(gaps)) >= 2 * np.std(gaps, ddof=1)
        if seen and self._floor_is_worse(ceiling, floor):
            return None
        return f"no power: real users get {ceiling:.3f}, popularity {floor:.3f}"

    @final
    def ceiling_and_floor(self, evaluator: Evaluator, size: int) -> tuple[FloatArray, FloatArray]:
        """Give the metric of real users and of independent popularity on each split, once."""
        return evaluator.remembered(
            self, size, compute=lambda: self._ceiling_and_floor(evaluator, size)
        )

    def _floor_users(self, evaluator: Evaluator) -> Profiles:
        """Users whose value is the floor: those of independent popularity, as they are."""
        return evaluator.floor_users

    def _ceiling_and_floor(self, evaluator: Evaluator, size: int) -> tuple[FloatArray, FloatArray]:
        held_out, floor_users = evaluator.held_out, self._floor_users(evaluator)
        return (
            self._on_splits(evaluator, held_out, evaluator.splits(size, None)),
            self._on_splits(evaluator, floor_users, evaluator.splits(size, len(floor_users))),
        )
