"""Training that runs away is refused, in words that say what to do."""

import numpy as np
import numpy.typing as npt

from cornac_mle.checks import refusal


def check_finite(learning_rate: float, values: npt.ArrayLike) -> None:
    """Refuse losses, weights or posteriors that have run away: nothing can be fitted to them."""
    if not np.isfinite(values).all():
        advice = "Pass a smaller one, for example 1e-3."
        raise ValueError(refusal("learning_rate", "keep the loss finite", learning_rate, advice))
