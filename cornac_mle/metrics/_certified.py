"""What the two certified shares, `UnrealisticShare` and `MissingShare`, have in common."""

from typing import TypeGuard

from cornac_mle.metrics.base import NotMeasurableError
from cornac_mle.report.measurement import Measurement, with_normalised

LARGEST_DETECTABLE = 0.5
"""Largest minimum detectable share with which a bound is given at all."""


def certified_measurement(
    bound: float,
    *,
    ceiling: float | None,
    floor: float,
    n_real: int,
    n_synthetic: int,
    minimum_detectable: float,
) -> Measurement:
    """Measurement of a lower bound: the interval is [bound, 1], and the ideal is 0."""
    measurement = Measurement(
        value=bound,
        low=bound,
        high=1.0,
        loss=bound,
        n_real=n_real,
        n_synthetic=n_synthetic,
        minimum_detectable=minimum_detectable,
        ceiling=ceiling,
        floor=floor,
    )
    if ceiling is None or floor <= ceiling:  # then 1 would not be the best
        return measurement
    # A bound above 0 is beyond chance already, so that any gap counts.
    return with_normalised(measurement, standard_error=0.0)


def is_certifiable(minimum_detectable: float | None) -> TypeGuard[float]:
    """Tell if half a sample of certain fakes would be found; of fewer users a bound is idle."""
    return minimum_detectable is not None and minimum_detectable <= LARGEST_DETECTABLE


def nothing_certifiable(n: int, who: str, n_others: int, others: str) -> NotMeasurableError:
    """Make the error that says why there is no bound."""
    return NotMeasurableError(
        f"{n} {who} and {n_others} {others} users are too few to certify a share of a half"
    )
