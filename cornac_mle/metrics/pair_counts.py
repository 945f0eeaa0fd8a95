"""Pair counts: do synthetic users as a set hold the same pairs of items as real ones."""

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp

from cornac_mle.checks import refusal
from cornac_mle.metrics.base import NotMeasurableError, SplitMetric
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.mmd import (
    Kernel,
    indicators,
    kernel_sums,
    mean_among,
    mmd_permutation_p_value,
    relabelled_mmd,
)
from cornac_mle.metrics.splits import Splits, split_key
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import MetricNote
from cornac_mle.sparse import FloatArray, pattern
from cornac_mle.stats.permutations import check_permutations

BLOCK_ENTRIES = 2**20
"""Kernel values held at a time; results do not depend on it."""
RELABELLINGS = 99
"""Relabellings that tell what the test finds."""
POWER_80 = 0.84
"""Quantile .8 of the normal distribution."""


class PairCounts(SplitMetric):
    r"""How much of what users share in pairs of items is shared with their own group only.

    At most 1; 0 is best, and a value below 0 is sampling error. A user is the list of all pairs of
    items that it holds, as a vector of length 1, in which pairs of rare items weigh more. A value
    of .31 says that a real and a synthetic user have 31% less in common, on average, than two of
    one group. With k the product of two such vectors, of real users x and synthetic users y, n of
    each,

    .. math:: 1 - \frac{2 \bar k(x, y)}{\bar k(x, x') + \bar k(y, y')}, \qquad
        k(x, y) \propto \sum_{i < j \in x \cap y} (p_i p_j)^{-1/2},

    where p_i is the share of reference users who hold item i, half a user added, and means are over
    pairs of different users. (The weights were chosen among three on four data sets.)

    It is about the *set* of users, and so finds what no single user shows where profiles are short:
    pairs that hardly a real user holds, each of them too seldom to be suspicious. On such data it
    finds chimeras and swapped items where `MMD` finds few (``experiments/short_profiles.py``); it
    does not say whose fault it is. It also sees wrong popularity, and users who repeat each other.
    It cannot see profile sizes (every user has length 1), nor what three items do that no two do.
    Users of fewer than 2 items hold no pair: they are like each other (k = 1) and like nobody else.

    `details` of a measurement has "smallest_share_found": the share of users of independent
    popularity among real ones that the p-value finds (at .05, with probability .8, of as many users
    as are held out). A share pi of them gives about pi squared times the floor.

    `p_value` of a measurement is a permutation p-value over users, of the squared distance between
    the mean vectors (`MMD` with kernel k), all synthetic against all held-out users.

    Parameters
    ----------
    n_permutations : int
        Number of random relabellings of users; the smallest attainable p-value is
        1 / (n_permutations + 1). At most a million.

    Raises
    ------
    NotMeasurableError
        On measuring, if hardly two users share a pair of items.

    Notes
    -----
    Time grows with the square of the number of users; memory does not.

    References
    ----------
    Gretton et al. (2012), "A kernel two-sample test", JMLR 13, lemma 6; the kernel is our own.

    Examples
    --------
    Half of the users of the example have no taste:

    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = PairCounts().measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling, found.floor
    (0.04, -0.00, 0.28)
    >>> found.p_value
    0.01
    >>> round(found.details["smallest_share_found"], 1)
    0.3
    """

    bounds = (-np.inf, 1.0)
    ideal = 0.0
    note = MetricNote("0", "pairs of items shared less with real users than with each other")

    def __init__(self, n_permutations: int = 199) -> None:
        self.n_permutations = check_permutations(n_permutations)
        super().__init__(name="PairCounts")

    def _on_splits(self, evaluator: Evaluator, users: Profiles, splits: Splits) -> FloatArray:
        held_out, size = evaluator.held_out, len(splits[0].real)
        kernel = _kernel_of(evaluator)
        real = indicators([split.real for split in splits], len(held_out))
        other = indicators([split.other for split in splits], len(users))
        among_real = evaluator.remembered(
            pair_kernel,
            split_key(splits, real_only=True),
            compute=lambda: mean_among(held_out, real, kernel),
        )
        among = (among_real + mean_among(users, other, kernel)) / 2
        if np.any(among <= 0):
            rule = "hold users who share pairs of items"
            advice = "Hold out more users, or leave this metric out."
            raise NotMeasurableError(refusal("held_out", rule, "none", advice, context=self.name))
        mixed = kernel_sums(held_out, users, real, other, kernel) / size**2
        return np.asarray(1 - mixed / among)

    def _details(self, evaluator: Evaluator, synthetic: Profiles) -> dict[str, float]:
        share = evaluator.remembered(
            smallest_share, compute=lambda: smallest_share(evaluator, _kernel_of(evaluator))
        )
        return {"smallest_share_found": share}

    def _p_value(
        self, evaluator: Evaluator, synthetic: Profiles, rng: np.random.Generator
    ) -> float | None:
        return mmd_permutation_p_value(
            evaluator.held_out, synthetic, self.n_permutations, rng, _kernel_of(evaluator)
        )


def pair_kernel(item_weights: FloatArray) -> Kernel:
    """Kernel of users by the pairs of items that both hold, in [0, 1]; 1 of a user with itself.

    Parameters
    ----------
    item_weights : ndarray, shape (n_items,)
        Weights w > 0: a pair of items i and j counts w_i w_j.
    """

    def blocks(first: Profiles, second: Profiles) -> Iterator[tuple[slice, FloatArray]]:
        one, two = pattern(first.matrix), pattern(second.matrix)
        lengths = [np.sqrt(_pairs(group, item_weights)) for group in (one, two)]
        holders = two.T.tocsr()
        weighted = [sp.csr_array(one.multiply(item_weights**power)) for power in (1, 2)]
        step = max(1, BLOCK_ENTRIES // max(1, len(second)))
        for start in range(0, len(first), step):
            rows = slice(start, min(start + step, len(first)))
            once, twice = ((each[rows] @ holders).toarray() for each in weighted)
            kernel = (once * once - twice) / 2
            alone = np.outer(lengths[0][rows] == 0, lengths[1] == 0)
            norms = np.outer(lengths[0][rows], lengths[1])
            kernel = np.divide(kernel, norms, out=np.zeros_like(kernel), where=norms > 0)
            kernel[alone] = 1.0
            yield rows, kernel

    return blocks


def smallest_share(evaluator: Evaluator, kernel: Kernel) -> float:
    """Share of popularity users among real ones that a test at .05 finds with probability .8, to 1.

    As many users as held-out ones. A share pi of them moves the mean vector by pi times what all of
    them move it, and so the squared distance by pi squared; the null distribution is that of
    relabellings, taken for normal beyond its 95% quantile.
    """
    real, floor = evaluator.held_out, evaluator.floor_users
    matrix = sp.csr_array(sp.vstack([real.matrix, floor.matrix], format="csr"))
    users, random = Profiles.from_matrix(matrix, real.item_ids), np.random.default_rng(0)
    relabelled = [random.permutation(len(users))[: len(real)] for _ in range(RELABELLINGS)]
    observed, *null = relabelled_mmd(users, [np.arange(len(real)), *relabelled], kernel)
    needed = np.quantile(null, 0.95) + POWER_80 * np.std(null)
    return float(np.sqrt(np.clip(needed / observed, 0, 1))) if observed > 0 else 1.0


def _pairs(users: sp.csr_array, weights: FloatArray) -> FloatArray:
    """Sum over all pairs of a user's items of their squared weights in the vector, (n_users,)."""
    once, twice = (users @ weights**power for power in (1, 2))
    total = (once * once - twice) / 2
    return np.asarray(np.where(np.diff(users.indptr) >= 2, total, 0.0), dtype=np.float64)


def _kernel_of(evaluator: Evaluator) -> Kernel:
    reference = evaluator.reference
    shares = (np.asarray(reference.item_counts, dtype=np.float64) + 0.5) / len(reference)
    return pair_kernel(shares**-0.5)
