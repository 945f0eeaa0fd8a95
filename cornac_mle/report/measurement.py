"""What a measurement is, and how to read a metric."""

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt


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
        Of the hypothesis that synthetic users come from the distribution of real ones, where it is
        a test.
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
    minimum_detectable : float or None
        Distance from the ceiling that is about large enough to be found: 2.8 standard errors of
        the ceiling. A rough guide, since the standard error grows with the distance: in simulations
        it was found in 55% to 70% of cases. For `UnrealisticShare` and `MissingShare` it is exact,
        with probability .8.
    effective_sample_size : float or None
        Of a likelihood that is estimated, and so a lower bound on average: the median over users of
        `LikelihoodEstimate.effective_sample_size`. None where the value is no such bound.
    per_user : ndarray or None, shape (n_synthetic,)
        The metric's value of each synthetic user, where it has one.
    on_splits : ndarray or None, shape (n_splits,)
        The metric on each half-split. The splits are the same for all models of an evaluator, so
        that two models can be compared pair by pair.
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
    minimum_detectable: float | None = None
    effective_sample_size: float | None = None
    per_user: npt.NDArray[np.float64] | None = None
    on_splits: npt.NDArray[np.float64] | None = None


NUMBER_FIELDS = tuple(
    item.name for item in fields(Measurement) if item.name not in ("per_user", "on_splits")
)


@dataclass(frozen=True)
class MetricNote:
    """How to read a metric: its best value and one sentence."""

    best: str
    meaning: str


def with_normalised(measurement: Measurement, *, standard_error: float) -> Measurement:
    """Add the normalised value, if ceiling and floor are two standard errors apart."""
    if measurement.ceiling is None or measurement.floor is None:
        return measurement
    gap = measurement.ceiling - measurement.floor
    if gap == 0 or abs(gap) < 2 * standard_error:
        return measurement
    return replace(measurement, normalised=(measurement.value - measurement.floor) / gap)
