"""Certified bound on the share of synthetic users who do not come from the real distribution."""

from collections.abc import Callable

from numpy.random import Generator

from cornac_mle.checks import check_choice
from cornac_mle.metrics._certified import (
    certified_measurement,
    is_certifiable,
    nothing_certifiable,
)
from cornac_mle.metrics.adaptive_judge import (
    ADAPTIVE,
    JudgedPart,
    adaptive_halves,
    adaptive_on_split,
)
from cornac_mle.metrics.base import RealismMetric
from cornac_mle.metrics.evaluator import PRIMARY, Evaluator
from cornac_mle.plausibility.combined import COMBINED
from cornac_mle.plausibility.judge import FAMILIES
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import Measurement, MetricNote
from cornac_mle.stats.contamination import contamination_bound, minimum_detectable_share

ERROR = 0.05
"""Probability that the bound exceeds the share, at most."""


class UnrealisticShare(RealismMetric):
    r"""Certified lower bound on the share of synthetic users who are not like real users.

    In [0, 1]; 0 is best. A value of .31 says: whatever real users may do, at least 31% of the
    model's users come from another distribution than they do, and such a claim is wrong at most 5
    times in 100 (`contamination_bound`, on plausibility scores, lower tail only). The numbers of
    synthetic users who score below the r-th lowest of the n held-out users, for all r up to
    .2 (n + 1), are compared with what m users would give of whom a share pi is beneath everybody
    and the others are exchangeable with held-out users; the value is the largest share pi that
    would have given such large counts with a probability of .05 at most.

    0 certifies nothing; what would still have been found is `minimum_detectable`, the smallest
    share that gives a value above 0 with probability .8, provided that those users are as
    implausible as can be.

    Only the lowest fifth of real users is looked at, so that the value is about users that real
    ones hardly ever are. Real users whom the model makes r times too often add at most
    .25 (r - 1), and that only if they are the least plausible of all.

    Nothing is assumed of what is wrong; where a fault hardly shows, the value is far below the
    truth: use `UnrealisticUsers` or `PlausibilityKS` to compare models, and this to say what is
    beyond doubt. It is about the distribution; of the very users at hand, all or a list, a little
    more is certain (`certified_precision`). It does not see users who are *too* typical (a
    suspicious score is a low one), nor kinds of users that are left out (`MissingShare`), nor
    copies (`CopiedUsers`).

    Computed once, on all held-out users: a bound is never an average over splits. The interval is
    [bound, 1]. *ceiling* is the bound of one half of the held-out users against the other, *floor*
    that of independent popularity; where the two are equal, 0 both as a rule, there is no
    normalised value. With a handful of users it is not measured.

    Parameters
    ----------
    judge : {"ease", "item-knn", "svd", "combined", "adaptive"}
        Judge whose scores are compared, see `UnrealisticUsers`. With "adaptive" each half of the
        users is judged by what the other half teaches, at half the error; the value is the larger
        of the two bounds, and the smallest share that would be found is that of half the users.

    Examples
    --------
    Half of the users of the example have no taste; of one in twenty that is beyond doubt.

    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = UnrealisticShare().measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling, found.floor
    (0.048, 0.0, 0.16)
    >>> found.minimum_detectable
    0.034
    """

    bounds = (0.0, 1.0)
    ideal = 0.0
    is_bound = True
    note = MetricNote(
        "0", "users who certainly do not follow the distribution of real users, at least"
    )

    def __init__(self, judge: str = PRIMARY) -> None:
        self.judge = check_choice("judge", judge, (*FAMILIES, COMBINED, ADAPTIVE))
        suffix = "" if judge == PRIMARY else f" ({judge})"
        super().__init__(name=f"UnrealisticShare{suffix}")

    def _measure(self, evaluator: Evaluator, synthetic: Profiles, rng: Generator) -> Measurement:
        """Bound the share of unrealistic users.

        Raises
        ------
        NotMeasurableError
            If there are too few users to find a share of a half.
        """
        return self.measured(evaluator, len(synthetic), lambda: self._bound(evaluator, synthetic))

    def measured(
        self, evaluator: Evaluator, n_users: int, bound: Callable[[], float]
    ) -> Measurement:
        """Measure `n_users` of whom a function finds the bound, if they are enough.

        Raises
        ------
        NotMeasurableError
            If there are too few users to find a share of a half.
        """
        n_real = len(evaluator.held_out)
        n_judged, error = (n_users // 2, ERROR / 2) if self.judge == ADAPTIVE else (n_users, ERROR)
        detectable = None
        if n_judged:
            detectable = evaluator.remembered(
                minimum_detectable_share,
                n_judged,
                error,
                compute=lambda: minimum_detectable_share(n_judged, n_real, error=error),
            )
        if not is_certifiable(detectable):
            raise nothing_certifiable(n_users, "synthetic", n_real, "held-out")
        ceiling, floor = evaluator.remembered(
            self, compute=lambda: self._ceiling_and_floor(evaluator)
        )
        return certified_measurement(
            bound(),
            ceiling=ceiling,
            floor=floor,
            n_real=n_real,
            n_synthetic=n_users,
            minimum_detectable=detectable,
        )

    def _bound(self, evaluator: Evaluator, users: Profiles) -> float:
        if self.judge == ADAPTIVE:
            return _larger_bound(adaptive_halves(evaluator, users))
        scores = evaluator.plausibility(users, family=self.judge)
        real = evaluator.plausibility(evaluator.held_out, family=self.judge)
        return contamination_bound(scores, real, error=ERROR)

    def _ceiling_and_floor(self, evaluator: Evaluator) -> tuple[float, float]:
        users, floor_users = evaluator.held_out, evaluator.floor_users
        half = evaluator.splits(len(users) // 2, None)[0]
        if self.judge == ADAPTIVE:
            parts = adaptive_on_split(evaluator, users, half.real, half.other)
            ceiling = _larger_bound(parts)
        else:
            real = evaluator.plausibility(users, family=self.judge)
            ceiling = contamination_bound(real[half.other], real[half.real], error=ERROR)
        return ceiling, self._bound(evaluator, floor_users)


def _larger_bound(parts: list[JudgedPart]) -> float:
    """Larger of the bounds by each half of the users, which hold together."""
    return max(
        contamination_bound(part.scores, part.real_scores, error=ERROR / len(parts))
        for part in parts
    )
