"""A small world of two tastes, on which the examples of the documentation are worked."""

from functools import cache

import numpy as np
import pandas as pd
import scipy.sparse as sp

from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.profiles import Profiles, synthetic_ids

N_ITEMS = 60
"""Items of the world: the first half are teas, the second half are jams."""
GROUP_USERS = 200
"""Users of each group."""


@cache
def example_users() -> tuple[Evaluator, Profiles]:
    """Fit an evaluator on real users of two tastes, and make up users of whom half have none.

    Each of 600 real users (200 training, 200 reference, 200 held-out ones) holds a tea with
    probability .3 and a jam with probability .01, or the other way round. Of 200 synthetic users
    the first 100 are like that; the others hold every item with probability .155, so that nothing
    is wrong with their sizes, nor with the popularity of items. Items of one's own taste are rated
    4 or 5, the others 1 to 3.

    Returns
    -------
    evaluator : Evaluator
    synthetic : Profiles

    Examples
    --------
    >>> evaluator, synthetic = example_users()
    >>> evaluator
    Evaluator(200 train, 200 reference, 200 held-out users, 60 items)
    >>> synthetic
    Profiles(200 users x 60 items, 1,859 preferences)
    """
    random = np.random.default_rng(1)
    real = _users(random, 3 * GROUP_USERS)
    real = Profiles(real.matrix, pd.Index([f"u{row}" for row in range(len(real))]), real.item_ids)
    train, reference, held_out = (
        real[start : start + GROUP_USERS] for start in range(0, len(real), GROUP_USERS)
    )
    evaluator = Evaluator.fit(train, reference, held_out, rng=1, n_splits=4)
    synthetic = _users(random, GROUP_USERS, n_tasteless=GROUP_USERS // 2)
    return evaluator, synthetic


def _users(random: np.random.Generator, n_users: int, *, n_tasteless: int = 0) -> Profiles:
    """Draw users of a taste each, the last ones of none."""
    likes_tea = random.random((n_users, 1)) < 0.5
    is_own = likes_tea == (np.arange(N_ITEMS) < N_ITEMS // 2)  # (n_users, n_items)
    probability = np.where(is_own, 0.3, 0.01)
    probability[n_users - n_tasteless :] = 0.155
    holds = random.random(is_own.shape) < probability
    rating = np.where(
        is_own, random.integers(4, 6, is_own.shape), random.integers(1, 4, is_own.shape)
    )
    items = pd.Index([f"{'tea' if n < N_ITEMS // 2 else 'jam'} {n}" for n in range(N_ITEMS)])
    return Profiles.from_matrix(
        sp.csr_array(np.where(holds, rating, 0)), items, synthetic_ids(n_users)
    )
