"""What a measurement is, how to read its metric, and what it is of."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import pandas as pd

from cornac_mle.sparse import FloatArray

WORST_JUDGE = "worst"
"""Judge that is whichever family flags most in each half-split."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """One metric of one set of synthetic users.

    Attributes
    ----------
    value : float
        The metric, in its own unit; its expectation at the size of half the held-out users.
    low, high : float or None
        95% interval.
    p_value : float or None
        p-value of the null hypothesis that synthetic users come from the distribution of real ones,
        where it is a test.
    ceiling, floor : float or None
        The same metric of real users and of independent-popularity users, against real users.
    normalised : float or None
        (value - floor) / (ceiling - floor): 1 as real users, 0 as independent popularity. None
        where ceiling and floor are less than two standard errors apart (no power here), or where
        popularity is no worse than real users.
    loss : float
        Distance from the ideal, lower is better: what a search minimises.
    n_real, n_synthetic : int
        Users compared.
    n_left_out : int
        Synthetic users who have fewer items than real users were asked to have, and so take no
        part.
    minimum_detectable : float or None
        Distance from the ceiling that is about large enough to be found: 2.8 standard errors of
        the ceiling. A rough guide, since the standard error grows with the distance: in simulations
        it was found in 55% to 70% of cases. For `UnrealisticShare` and `MissingShare` it is exact,
        with probability .8.
    effective_sample_size : float or None
        Effective sample size of a likelihood that is estimated, and so a lower bound on average:
        the median over users of `LikelihoodEstimate.effective_sample_size`. None where the value is
        no such bound.
    per_user : ndarray or None, shape (n_synthetic,)
        The metric's value of each synthetic user, where it has one; of each user in `user_ids`,
        where these are given.
    user_ids : Index or None
        Real users that `per_user` is of. None: the synthetic users "s0", "s1", ... in order.
    on_splits : ndarray or None, shape (n_splits,)
        The metric on each half-split. The splits are the same for all models of an evaluator, so
        that two models can be compared pair by pair.
    details : mapping of str to float, or None
        Further numbers of the same measurement by name, where the metric has some: the error rates
        and the bound of `MembershipInference`, the smallest share that `PairCounts` finds.

    Examples
    --------
    >>> with_normalised(Measurement(0.2, ceiling=0.1, floor=0.6), standard_error=0.01).normalised
    0.8
    """

    value: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    ceiling: float | None = None
    floor: float | None = None
    normalised: float | None = None
    loss: float = float("nan")
    n_real: int = 0
    n_synthetic: int = 0
    n_left_out: int = 0
    minimum_detectable: float | None = None
    effective_sample_size: float | None = None
    per_user: FloatArray | None = None
    user_ids: pd.Index | None = None
    on_splits: FloatArray | None = None
    details: Mapping[str, float] | None = None

    def _repr_html_(self) -> str:
        from cornac_mle.report._html import measurement_html

        return measurement_html(self)


@dataclass(frozen=True)
class MetricNote:
    """How to read a metric.

    Attributes
    ----------
    best : str
        Best value, or the direction: "0", "ceiling", "high".
    meaning : str
        One sentence on what the value is.
    judge : str or None
        Family of the judge of plausibility that gives the verdict, where the metric is one judge's.
    level : float or None
        Level of the p-values behind a share of flagged users.
    tail : str or None
        Who is flagged: "implausible" or "typical" users.
    conditional : bool
        Whether p-values are conditional on size and popularity.
    second_opinion : bool
        Whether the judge is not the primary one; tables show such metrics apart.
    """

    best: str
    meaning: str
    judge: str | None = None
    level: float | None = None
    tail: str | None = None
    conditional: bool = False
    second_opinion: bool = False


@dataclass(frozen=True, eq=False)
class Score:
    """A measurement and what it is of: a row of `Report.scores`.

    `judge`, `level`, `tail` and `conditional` are those of the metric, see `MetricNote`.
    """

    dataset: str
    model: str
    parameters: str
    metric: str
    users: str
    fit_seed: int | None
    sampling_seed: int | None
    measurement: Measurement
    judge: str | None = None
    level: float | None = None
    tail: str | None = None
    conditional: bool = False

    def row(self) -> dict[str, Any]:
        """Flatten to the columns of scores.csv."""
        return {
            name: getattr(self.measurement if name in NUMBER_FIELDS else self, name)
            for name in SCORE_COLUMNS
        }


NUMBER_FIELDS = tuple(
    item.name
    for item in fields(Measurement)
    if item.name not in ("per_user", "user_ids", "on_splits", "details")
)
"""Fields of a measurement that are one number."""
SCORE_COLUMNS = (
    *(item.name for item in fields(Score) if item.name != "measurement"),
    *NUMBER_FIELDS,
)
"""Columns of scores.csv."""


def with_normalised(measurement: Measurement, *, standard_error: float) -> Measurement:
    """Add the normalised value, if ceiling and floor are two standard errors apart."""
    if measurement.ceiling is None or measurement.floor is None:
        return measurement
    gap = measurement.ceiling - measurement.floor
    if gap == 0 or abs(gap) < 2 * standard_error:
        return measurement
    return replace(measurement, normalised=(measurement.value - measurement.floor) / gap)
