"""Pairs of items that few users hold together: every pair against the two-margin null."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy import stats

from cornac_mle.checks import check_number
from cornac_mle.neighbours.similarity import BLOCK_BYTES
from cornac_mle.null_models.configuration_model import UserItemOdds, fit_two_margin_null
from cornac_mle.profiles import Profiles
from cornac_mle.sparse import BoolArray, FloatArray, IntArray, pattern
from cornac_mle.stats.poisson_binomial import poisson_binomial_cdf

BERRY_ESSEEN = 0.56
"""Largest error of the normal distribution for a sum of independent events, times its standard
deviation (Shevtsova 2010, "An improvement of convergence rate estimates in the Lyapunov
theorem")."""
BLOCK_DISTRIBUTIONS = 4096
"""Poisson-binomial distributions gathered together."""


@dataclass(frozen=True, eq=False)
class LowPairs:
    """Pairs of items that few real users hold together, tested against the two-margin null.

    Build it with `LowPairs.fit`, once for all models.

    Attributes
    ----------
    real : Profiles
        Real users that were tested.
    q : float
        False discovery rate that the tables are to have.
    item, other_item : ndarray, shape (n_low,)
        Columns of `real` of each pair with a p-value of at most `q`; the more popular item first.
    counts : ndarray, shape (n_low,)
        Real users who hold both.
    expected : ndarray, shape (n_low,)
        Users who would, by the two-margin null.
    p_values : ndarray, shape (n_low,)
        P(that count or a smaller one) under the null.
    n_testable : int
        Number of pairs that could be significant if no other pair were: the smallest possible count
        has a p-value of at most ``q / n_testable`` [1]_. The margins settle this before any pair is
        counted, and Benjamini-Hochberg runs over these pairs [2]_.

    References
    ----------
    .. [1] Tarone (1990), "A modified Bonferroni method for discrete data", Biometrics 46.
    .. [2] Gilbert (2005), "A modified false discovery rate multiple-comparisons procedure for
       discrete data using Tarone's modified Bonferroni method", J. R. Stat. Soc. C 54.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> from cornac_mle.diagnostics.forbidden_pairs import forbidden_pairs
    >>> evaluator, synthetic = example_users()
    >>> low = LowPairs.fit(evaluator.held_out, q=0.1)
    >>> low.n_testable, len(low.p_values)
    (102, 39)
    >>> len(forbidden_pairs(evaluator.held_out, synthetic, q=0.1, low=low))
    0
    """

    real: Profiles
    q: float
    item: IntArray
    other_item: IntArray
    counts: IntArray
    expected: FloatArray
    p_values: FloatArray
    n_testable: int

    @classmethod
    def fit(cls, real: Profiles, *, q: float = 0.1) -> "LowPairs":
        """Test every pair of items that could be significant.

        Parameters
        ----------
        real : Profiles
            Real users; empty and one-item users are allowed.
        q : float
            False discovery rate, in (0, .5).

        Raises
        ------
        ValueError
            If `q` is out of range, or there is no user or no item.
        RuntimeError
            If the two-margin null could not be fitted.

        Notes
        -----
        Items of one popularity have the same distributions, so that a tail is computed once for all
        pairs of two popularities and one count. It is computed exactly unless a bound proves that
        it is above `q`: a count that is not below the mean is not below the median [1]_, and the
        Berry-Esseen inequality. Memory: one block of items x testable items.
        Time: the square of the number of testable items, and the cube of that of distinct
        popularities; ten seconds for MovieLens-1M on one core.

        References
        ----------
        .. [1] Jogdeo & Samuels (1968), "Monotone convergence of binomial probabilities and a
           generalization of Ramanujan's equation", Annals of Mathematical Statistics 39(4).
        """
        q = check_number("q", q, above=0.0, below=0.5)
        null = fit_two_margin_null(real.matrix)
        mean, deviation, testable, n_testable = _distributions(null, q)
        item, other_item, counts = _candidates(real.matrix, null, mean, deviation, testable, q)
        first, second = null.item_class[item], null.item_class[other_item]
        p_values = _lower_tails(null, first, second, counts)
        low = p_values <= q
        return cls(
            real=real,
            q=q,
            item=item[low],
            other_item=other_item[low],
            counts=counts[low],
            expected=mean[first, second][low],
            p_values=p_values[low],
            n_testable=n_testable,
        )


def _distributions(null: UserItemOdds, q: float) -> tuple[FloatArray, FloatArray, BoolArray, int]:
    """Mean and standard deviation of the count, whether pairs are testable, and how many are.

    The first three are (n_popularities, n_popularities).
    """
    share, users = null.probabilities, null.size_users
    mean = share.T @ (share * users[:, np.newaxis])
    variance = mean - (share**2).T @ (share**2 * users[:, np.newaxis])
    smallest = np.empty_like(mean)  # log probability of the smallest count that can be
    for row, own in enumerate(share.T):
        both = own[:, np.newaxis] * share
        smallest[row] = users @ np.log1p(-np.where(both < 1, both, 0))

    items = np.bincount(null.item_class)  # of each popularity
    pairs = np.triu(np.outer(items, items), 1) + np.diag(items * (items - 1) // 2)
    one, other = np.nonzero(pairs)
    order = np.argsort(smallest[one, other], kind="stable")
    one, other = one[order], other[order]
    n_tests = np.cumsum(pairs[one, other])
    enough = smallest[one, other] <= np.log(q / n_tests)  # true, then false
    testable = np.zeros(mean.shape, dtype=np.bool_)
    testable[one[enough], other[enough]] = testable[other[enough], one[enough]] = True
    n_testable = int(n_tests[enough].max(initial=0))
    return mean, np.sqrt(np.maximum(variance, 0)), testable, n_testable


def _candidates(
    matrix: sp.csr_array,
    null: UserItemOdds,
    mean: FloatArray,
    deviation: FloatArray,
    testable: BoolArray,
    q: float,
) -> tuple[IntArray, IntArray, IntArray]:
    """Testable pairs that may have a p-value of at most q: two columns and the count, (n,) each."""
    popularity = np.bincount(matrix.indices, minlength=matrix.shape[1])
    items = np.argsort(-popularity, kind="stable")
    has_partner: BoolArray = np.any(testable, axis=1)
    items = items[has_partner[null.item_class[items]]]
    kinds = null.item_class[items]
    found = [np.empty((3, 0), dtype=np.int64)]
    for rows, counts in _count_blocks(matrix, items, items):
        later = slice(rows.start, None)  # every pair once
        c, distributions = counts[:, later], np.ix_(kinds[rows], kinds[later])
        mu, sigma = mean[distributions], deviation[distributions]
        own, other = np.ogrid[: c.shape[0], : c.shape[1]]
        can_be = testable[distributions] & (c < mu) & (own < other)
        row, column = np.nonzero(can_be)
        c, mu, sigma = c[row, column], mu[row, column], sigma[row, column]
        # P(N <= c) = P(N < c + 1) is within .56 / sigma of the normal distribution's value at c +
        # 1.
        sigma = np.maximum(sigma, np.finfo(np.float64).tiny)
        keep = stats.norm.cdf((c + 1 - mu) / sigma) - BERRY_ESSEEN / sigma <= q
        row, column = row[keep] + rows.start, column[keep] + rows.start
        found.append(np.stack([items[row], items[column], c[keep].astype(np.int64)]))
    first, second, count = np.concatenate(found, axis=1)
    return first, second, count


def _lower_tails(
    null: UserItemOdds, first: IntArray, second: IntArray, counts: IntArray
) -> FloatArray:
    """P(count or fewer) for pairs of popularities, (n_pairs,)."""
    cases, place = np.unique(
        np.stack([counts, np.minimum(first, second), np.maximum(first, second)]),
        axis=1,
        return_inverse=True,
    )  # in the order of counts: distributions that are computed together are alike
    share = np.ascontiguousarray(null.probabilities.T)  # (n_popularities, n_sizes)
    tails = np.empty(cases.shape[1])
    for start in range(0, tails.size, BLOCK_DISTRIBUTIONS):
        block = slice(start, start + BLOCK_DISTRIBUTIONS)
        count, one, other = cases[:, block]
        tails[block] = poisson_binomial_cdf(count, share[one] * share[other], null.size_users)
    return tails[place]


def pair_counts(matrix: sp.csr_array, first: IntArray, second: IntArray) -> IntArray:
    """Count the users who hold both items of each pair, (n_pairs,)."""
    result = np.zeros(first.size, dtype=np.int64)
    rows_of, row = np.unique(first, return_inverse=True)
    columns_of, column = np.unique(second, return_inverse=True)
    for rows, counts in _count_blocks(matrix, rows_of, columns_of):
        own = np.flatnonzero((row >= rows.start) & (row < rows.stop))
        result[own] = counts[row[own] - rows.start, column[own]]
    return result


def _count_blocks(
    matrix: sp.csr_array, items: IntArray, others: IntArray
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield how many users hold each of `items` and each of `others`, some items at a time."""
    held = pattern(matrix)
    columns = sp.csr_array(held[:, others])
    step = max(1, BLOCK_BYTES // (32 * max(1, others.size)))
    for start in range(0, items.size, step):
        rows = slice(start, min(start + step, items.size))
        yield rows, (sp.csr_array(held[:, items[rows]]).T @ columns).toarray()
