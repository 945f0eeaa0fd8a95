"""A certified bound on the share of real users whom a model does not produce."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.random import Generator

from cornac_mle.metrics._certified import certified_measurement, nothing_certifiable
from cornac_mle.metrics.base import ModelMetric, Samplable
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.null_models.corruption import popularity_draws
from cornac_mle.plausibility.judge import MIN_REFERENCE_USERS, PlausibilityModel
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import Measurement, MetricNote
from cornac_mle.sparse import FloatArray, item_sets
from cornac_mle.stats.contamination import contamination_bound, minimum_detectable_share

LEAST_USERS = 500
"""Fewest synthetic users that a judge is fitted on, and calibrated on, where a model is at hand."""
LARGEST_LEVEL = 0.05
"""Largest share of the model's users among whom held-out users are counted: see below."""
ERROR_PROBABILITY = 0.05
"""Probability that the bound is too high, at most; half of it for each of two scores."""


class MissingShare(ModelMetric):
    r"""Certified lower bound on the share of real users whom the model does not produce.

    In [0, 1]; 0 is best. A value of .31 says: real users are at best a mixture of 69% users like
    the model's and 31% others, and such a claim is wrong at most 5 times in 100. The mirror of
    `UnrealisticShare`, and read like it: the model's users are the norm, and held-out users are
    held against it. Half of a synthetic sample is learnt from and half of it calibrates
    `contamination_bound`, on two scores of a user:

    - how plausible the user is to a judge who has seen the model's users only: low where the model
      lacks a taste, or never makes such a combination of items;
    - how *im*plausible to the judge of the evaluator, who has seen real users: low where real users
      have more of a taste than any of the model's users.

    The value is the larger of both bounds, each at .025. Only the lowest twentieth of the model's
    users is looked at, so that the value is about users who are hardly made at all. Real users whom
    the model makes at a rate r of the right one add at most .053 (1 / r - 1): a model with 30% of
    nonsense beside real users has a value near 0. Both judges look at whether items go together.
    What they do not see: profile sizes and popularity as such
    (they allow for them), items that no synthetic user holds (they take them for rare ones), and
    kinds of users whose every combination of items is found in other users too. A memoriser lacks,
    by definition, whoever it has not memorised, but this shows only where it has seen few users.

    A half without 20 different users of two items or more teaches no judge. In place of the first
    score it is then asked if that half of the sample has a user with the very same items, so that a
    model that has collapsed on a few users is found to lack nearly everyone.

    *ceiling* is the bound with training users in place of synthetic ones, as many of them where
    there are so many (None without training users), *floor* that with independent-popularity users,
    as many as there are synthetic ones; where the two are equal there is no normalised value.

    Notes
    -----
    One judge is fitted a measurement: time min(users, items)^3.

    Examples
    --------
    A model that has collapsed on one user lacks nearly everyone:

    >>> from cornac_mle.metrics.example import example_users
    >>> from cornac_mle.profiles import Profiles
    >>> evaluator, synthetic = example_users()
    >>> matrix, items = synthetic.matrix[[0] * 200], synthetic.item_ids
    >>> MissingShare().measure(evaluator, Profiles.from_matrix(matrix, items), rng=1).value
    0.9
    """

    bounds = (0.0, 1.0)
    ideal = 0.0
    is_bound = True
    note = MetricNote(
        "0", "real users who certainly do not follow the model's distribution, at least"
    )

    def __init__(self) -> None:
        super().__init__(name="MissingShare")

    def _measure_model(
        self, evaluator: Evaluator, model: Samplable, rng: np.random.Generator
    ) -> Measurement:
        """Draw twice as many users as are held out, at least 1,000, and measure them.

        Raises
        ------
        NotMeasurableError
            If there are too few held-out users for any bound to be above 0.
        """
        n_users = 2 * max(LEAST_USERS, len(evaluator.held_out))
        drawn = model.sample(n_users, rng=rng)
        users = evaluator.comparable("synthetic", drawn)
        found = self._measure(evaluator, users, rng)
        return replace(found, n_left_out=n_users - len(users))

    def _measure(self, evaluator: Evaluator, synthetic: Profiles, rng: Generator) -> Measurement:
        """Fit a judge on one half of the synthetic users, and calibrate on the other.

        Raises
        ------
        NotMeasurableError
            If there are too few users for any bound to be above 0.
        """
        n_real, n_half = len(evaluator.held_out), len(synthetic) // 2
        value, detectable = missing_share(evaluator, synthetic, rng) if n_half else (0.0, None)
        if detectable is None:
            raise nothing_certifiable(n_real, "held-out", n_half, "synthetic (half)")
        ceiling, floor = evaluator.remembered(
            self,
            len(synthetic),
            compute=lambda: self._ceiling_and_floor(evaluator, len(synthetic)),
        )
        return certified_measurement(
            value,
            ceiling=ceiling,
            floor=floor,
            n_real=n_real,
            n_synthetic=len(synthetic),
            minimum_detectable=detectable,
        )

    def _ceiling_and_floor(self, evaluator: Evaluator, size: int) -> tuple[float | None, float]:
        held_out, train = evaluator.held_out, evaluator.train
        # A fixed stream: the first model to be measured must not decide what the others see.
        random = np.random.default_rng(evaluator.split_seeds[0])
        popularity = evaluator.seen.item_counts
        drawn = popularity_draws(popularity, random.choice(evaluator.seen.sizes, size), rng=random)
        floor, _ = missing_share(evaluator, Profiles.from_matrix(drawn, held_out.item_ids), random)
        if train is None:
            return None, floor
        some = train[random.permutation(len(train))[:size]]
        return missing_share(evaluator, some, random)[0], floor


def missing_share(
    evaluator: Evaluator, synthetic: Profiles, rng: np.random.Generator
) -> tuple[float, float | None]:
    """Bound the share of held-out users who do not follow the distribution of `synthetic`.

    Returns
    -------
    bound : float
        Certified lower bound, in [0, 1].
    detectable : float or None
        Smallest share with a bound above 0 in 8 cases of 10; None with too few users for any.
    """
    order = rng.permutation(len(synthetic))
    seen, others = (np.sort(half) for half in np.array_split(order, 2))
    matrix, real = synthetic.matrix, evaluator.held_out.matrix
    # Each comparison: scores of held-out users, and of the other half.
    comparisons = []
    if count_different_sets(matrix[seen]) >= MIN_REFERENCE_USERS:
        judge = PlausibilityModel.fit(matrix[seen], rng=rng)
        comparisons.append((judge.score(real), judge.score(matrix[others])))
    else:
        known = set(item_sets(matrix[seen]))
        comparisons.append((is_among(real, known), is_among(matrix[others], known)))
    typical = -evaluator.plausibility(synthetic)
    comparisons.append((-evaluator.plausibility(evaluator.held_out), typical[others]))

    options = {"largest": LARGEST_LEVEL, "error": ERROR_PROBABILITY / len(comparisons)}
    bound = max(contamination_bound(*comparison, **options) for comparison in comparisons)
    return bound, minimum_detectable_share(len(evaluator.held_out), len(others), **options)


def count_different_sets(matrix: sp.csr_array) -> int:
    """Count the different item sets of two items or more.

    >>> count_different_sets(sp.csr_array([[1, 1, 0], [2, 2, 0], [0, 1, 1], [1, 0, 0], [0, 0, 0]]))
    2
    """
    return len(set(item_sets(matrix[np.diff(matrix.indptr) >= 2])))


def is_among(matrix: sp.csr_array, known: set[bytes]) -> FloatArray:
    """Tell, for each user, (n_users,), if the item set is among the `known` ones: 1, else 0.

    >>> known = set(item_sets(sp.csr_array([[2, 1, 0]])))
    >>> is_among(sp.csr_array([[1, 1, 0], [0, 0, 1]]), known).tolist()
    [1.0, 0.0]
    """
    return np.asarray([items in known for items in item_sets(matrix)], dtype=np.float64)
