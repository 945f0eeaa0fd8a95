"""Share of synthetic users who are less plausible than real users are."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from cornac_mle.checks import check_share
from cornac_mle.metrics.base import FloatArray, SplitMetric
from cornac_mle.metrics.evaluator import Evaluator, Split
from cornac_mle.plausibility import conformal_p_values
from cornac_mle.profiles import Profiles
from cornac_mle.result import MetricNote


class UnrealisticUsers(SplitMetric):
    """Share of synthetic users with a conformal plausibility p-value of at most `alpha`.

    In [0, 1]; the best value is `alpha`, which real users get. Far above: the model makes up users
    that no real user resembles. Below: its users are more typical than real ones are, which
    `PlausibilityKS` sees. A user's p-value is (1 + #{held-out users at most as plausible}) /
    (1 + #{held-out users}), so at most a share `alpha` of new real users is flagged, whatever the
    plausibility score (Vovk et al. 2005; Bates et al. 2023).

    `p_value` of a measurement tests that synthetic users are flagged no more often than real ones:
    under exchangeability the number flagged is beta-binomial, because all synthetic users share
    one calibration sample. `per_user` holds the p-values of the synthetic users.

    Parameters
    ----------
    alpha : float
        Level, in (0, 1). Needs at least 1 / alpha - 1 users in half the held-out users.
    """

    bounds = (0.0, 1.0)

    def __init__(self, alpha: float = 0.05) -> None:
        self.alpha = check_share("alpha", alpha)
        self.ideal = self.alpha
        self.minimum_users = int(np.ceil(1 / self.alpha - 1 - 1e-9))
        self.note = MetricNote(
            f"{self.alpha:g}", f"users less plausible than {1 - self.alpha:.0%} of real users"
        )
        super().__init__(name=f"UnrealisticUsers@{self.alpha:g}")

    def _on_splits(
        self, evaluator: Evaluator, users: Profiles, splits: Sequence[Split]
    ) -> FloatArray:
        scores, real = evaluator.plausibility(users), evaluator.plausibility(evaluator.held_out)
        shares = [
            np.mean(conformal_p_values(scores[split.other], real[split.real]) <= self.alpha)
            for split in splits
        ]
        return np.asarray(shares)

    def _p_value(
        self, evaluator: Evaluator, synthetic: Profiles, rng: np.random.Generator
    ) -> float | None:
        flagged = int(np.sum(evaluator.p_values(synthetic) <= self.alpha))
        return flagged_p_value(flagged, len(synthetic), len(evaluator.held_out), self.alpha)

    def _per_user(self, evaluator: Evaluator, synthetic: Profiles) -> FloatArray | None:
        return evaluator.p_values(synthetic)


def flagged_p_value(flagged: int, n_synthetic: int, n_real: int, alpha: float) -> float:
    """P(at least `flagged` of `n_synthetic` exchangeable users have p <= `alpha`).

    With r = floor(alpha (n_real + 1)), a user is flagged when fewer than r calibration scores are
    at or below its own, so the count is beta-binomial(n_synthetic, r, n_real + 1 - r).

    Examples
    --------
    One calibration user, alpha = 1/2: r = 1 and the count is uniform on 0, 1, 2.

    >>> round(flagged_p_value(2, 2, 1, 0.5), 6)
    0.333333
    """
    rank = int(np.floor(alpha * (n_real + 1) + 1e-9))
    return float(stats.betabinom.sf(flagged - 1, n_synthetic, rank, n_real + 1 - rank))
