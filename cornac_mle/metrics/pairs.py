"""Item pairs: are the same items held together, beyond what their popularity gives."""

import numpy as np
import scipy.sparse as sp

from cornac_mle.checks import refusal
from cornac_mle.metrics.base import NotMeasurableError, SplitMetric
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.splits import Splits, split_key
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import MetricNote
from cornac_mle.sparse import FloatArray, IndexArray, pattern

MAX_ITEMS = 200
"""Most popular items whose pairs are compared: rarer pairs are noise at a few hundred users."""
MIN_EXPECTED = 1.0
"""Users who hold a pair by chance alone, below which its lift cannot be estimated."""
MIN_PAIRS = 10
"""Pairs of which the mean is taken, at least."""


class PairError(SplitMetric):
    r"""Mean absolute error of the log-lift of item pairs.

    At least 0, without an upper end; 0 is best in principle. The lift of a pair is how many times
    more often two items are held by the same user than if users held them independently of each
    other; an error of .31 is a factor of exp(.31) = 1.36, too many or too few. Each half of the
    users has its own sampling error, so that real users are well above 0 too (.16 to .58 on eight
    data sets with some hundred users): look at the ceiling. The floor, independent popularity, has
    lifts near 1; its error is the size of the real lifts and of the sampling error.

    With c_i the number of users who hold item i and c_ij both, among n users, and l and l' the
    log-lifts of synthetic and of real users,

    .. math:: \frac{1}{\#\text{pairs}} \sum_{i < j} |l_{ij} - l'_{ij}|, \qquad
        l_{ij} = \log \frac{c_{ij} + 1/2}{c_i c_j / n + 1/2}.

    Synthetic lifts are measured against synthetic popularity, so that `PopularityJS` and this
    metric see different errors. The pairs are fixed in advance, by reference users, for every split
    and model of one size: those among the 200 most popular items that at least one of n users would
    hold by chance. Absolute errors are averaged, since squares would let the rarest of these pairs,
    the noisiest ones, decide.

    Lifts also rise where few users hold much and many hold little, so that profile sizes that vary
    too little (or too much) are an error too; `ProfileSizeKS` tells.

    It sees pairs of popular items only: not rare items, not three at a time, and not which user
    holds them. `UnrealisticUsers` sees these.

    Raises
    ------
    NotMeasurableError
        On measuring, if fewer than 10 pairs are expected often enough.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = PairError().measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling, found.floor
    (0.70, 0.52, 1.01)
    """

    bounds = (0.0, np.inf)
    ideal = 0.0
    note = MetricNote("0", "error of the log-lift of pairs of popular items")

    def __init__(self) -> None:
        super().__init__(name="PairError")

    def _on_splits(self, evaluator: Evaluator, users: Profiles, splits: Splits) -> FloatArray:
        size = len(splits[0].real)
        items, pairs = evaluator.remembered(
            frequent_pairs, size, compute=lambda: frequent_pairs(evaluator.reference, size)
        )
        n_pairs = len(pairs[0])
        if n_pairs < MIN_PAIRS:
            rule = f"leave at least {MIN_PAIRS} pairs of items that {size} users hold by chance"
            advice = "Hold out more users, or leave this metric out."
            msg = refusal("reference", rule, n_pairs, advice, context=self.name)
            raise NotMeasurableError(msg)
        real = evaluator.remembered(
            log_lift,
            split_key(splits, real_only=True),
            compute=lambda: [log_lift(evaluator.held_out.matrix[s.real][:, items]) for s in splits],
        )
        errors = [
            np.mean(np.abs(log_lift(users.matrix[split.other][:, items])[pairs] - lift[pairs]))
            for split, lift in zip(splits, real, strict=True)
        ]
        return np.asarray(errors)


def frequent_pairs(
    reference: Profiles, size: int
) -> tuple[IndexArray, tuple[IndexArray, IndexArray]]:
    """Find the pairs of popular items that one of `size` users at least would hold by chance.

    Returns
    -------
    items : ndarray, shape (n_popular,)
        Columns of the items, at most 200, the most popular first; ties in the order of ids.
    pairs : tuple of ndarray, each of shape (n_pairs,)
        Places i < j among `items`.
    """
    counts = reference.item_counts
    items = np.lexsort((reference.item_ids.astype(str), -counts))[:MAX_ITEMS]
    shares = counts[items] / len(reference)
    expected = size * np.outer(shares, shares)
    first, second = np.nonzero(np.triu(expected >= MIN_EXPECTED, 1))
    return items, (first, second)


def log_lift(matrix: sp.csr_array) -> FloatArray:
    """Log-lift of every pair of items, (n_items, n_items); the diagonal means nothing.

    Parameters
    ----------
    matrix : csr_array, shape (n_users, n_items)
        Only which entries are stored counts.

    Examples
    --------
    Of 4 users 2 hold each item, both together: (2 + 1/2) / (2 * 2 / 4 + 1/2) = 5/3.

    >>> both = sp.csr_array(np.array([[1, 1], [1, 1], [0, 0], [0, 0]]))
    >>> round(float(np.exp(log_lift(both)[0, 1])), 3)
    1.667
    """
    held = pattern(matrix)
    together = (held.T @ held).toarray().astype(np.float64)
    counts = np.diag(together)
    expected = np.outer(counts, counts) / matrix.shape[0]
    return np.asarray(np.log((together + 0.5) / (expected + 0.5)))
