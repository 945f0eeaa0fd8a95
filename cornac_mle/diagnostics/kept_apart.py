"""Pairs of items that real users keep apart, and whether synthetic users hold them."""

import numpy as np
import pandas as pd

from cornac_mle.diagnostics.forbidden_pairs import forbidden_by_count
from cornac_mle.diagnostics.rare_pairs import LowPairs
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.profiles import Profiles
from cornac_mle.sparse import IntArray

MOST_PAIR_ITEMS = 3000
"""Most popular items whose pairs are tested; pairs of others are rarely testable."""


def pairs_kept_apart(evaluator: Evaluator, q: float) -> LowPairs | None:
    """Pairs of the most popular items that few real users hold; None where that is not known."""
    real = evaluator.remembered(_pair_users, compute=lambda: _pair_users(evaluator))
    return evaluator.remembered(LowPairs, q, compute=lambda: _low_pairs(real, q))


def pairs_by_count(
    evaluator: Evaluator, counts: IntArray, n_synthetic: int, mean_size: float, q: float
) -> pd.DataFrame:
    """Forbidden pairs from the synthetic users who hold each pair of `pairs_kept_apart`."""
    low = pairs_kept_apart(evaluator, q)
    if low is None or not as_large_as_real(evaluator, mean_size):
        return pd.DataFrame()
    return forbidden_by_count(low, counts, n_synthetic)


def as_large_as_real(evaluator: Evaluator, mean_size: float) -> bool:
    """Whether synthetic users are of the size that the second test takes them to be of.

    It takes them for real ones' equals in size: see `forbidden_pairs`.
    """
    return bool(mean_size <= 1.1 * evaluator.held_out.sizes.mean())


def _pair_users(evaluator: Evaluator) -> Profiles:
    """Real users whom no model was fitted on, with the most popular items only."""
    real = evaluator.reference.concat(evaluator.held_out)
    popular = np.argsort(-real.item_counts, kind="stable")[:MOST_PAIR_ITEMS]
    return real.split_items(real.item_ids[np.sort(popular)])[0]


def _low_pairs(real: Profiles, q: float) -> LowPairs | None:
    """Test all pairs of real users; None where the null cannot be fitted."""
    try:
        return LowPairs.fit(real, q=q)
    except (RuntimeError, ValueError):
        return None
