"""Balls around users that reach to their k-th neighbour, and how many others lie within.

The ball of a user is closed: it holds whoever is at least as close as the k-th neighbour. What all
neighbour metrics need is how many points each ball holds, and how many balls hold each point.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import stats

from cornac_mle.neighbours.similarity import Closeness
from cornac_mle.sparse import Float32Array, FloatArray, IntArray

MAX_PAIRS = 2**20
"""Members of balls that are kept for a second use; results do not depend on it."""


@dataclass(frozen=True, eq=False)
class Counts:
    """Incidence of balls around the rows of a `Closeness` and points, its columns.

    Attributes
    ----------
    of_ball : ndarray of int, shape (n_rows,)
        Number of points in each ball.
    of_point : ndarray of int, shape (n_columns,)
        Number of balls that hold each point.
    of_point_clipped : ndarray of int, shape (n_columns,)
        Number of balls that hold it with no ball wider than the median one.
    in_reach : ndarray of bool, shape (n_rows,)
        Whether each row lies within a ball around a column; all False without such balls.
    """

    of_ball: IntArray
    of_point: IntArray
    of_point_clipped: IntArray
    in_reach: npt.NDArray[np.bool_]

    @classmethod
    def none(cls, n_rows: int, n_columns: int) -> Self:
        """Start to count."""
        of_ball, of_point, of_point_clipped = (
            np.zeros(count, dtype=np.intp) for count in (n_rows, n_columns, n_columns)
        )
        return cls(of_ball, of_point, of_point_clipped, np.zeros(n_rows, dtype=np.bool_))

    def add(
        self, rows: slice, row: IntArray, column: IntArray, in_clipped: npt.NDArray[np.bool_]
    ) -> None:
        """Count the points that lie in the balls of a block of rows.

        Parameters
        ----------
        rows : slice
            Rows of the block, counted once only.
        row, column : ndarray of int, shape (n_pairs,)
            Ball, from the first of the block, and point within it.
        in_clipped : ndarray of bool, shape (n_pairs,)
            Whether the point is in the clipped ball, too.
        """
        n_columns = len(self.of_point)
        self.of_ball[rows] = np.bincount(row, minlength=rows.stop - rows.start)
        self.of_point[:] += np.bincount(column, minlength=n_columns)
        self.of_point_clipped[:] += np.bincount(column[in_clipped], minlength=n_columns)


def kth_closeness(closeness: Closeness, k: int, *, themselves: bool = False) -> FloatArray:
    """Find the closeness of each row's k-th closest column, which it takes to be in its ball.

    Parameters
    ----------
    closeness : Closeness
        Closeness to at least k columns, k + 1 if `themselves`.
    k : int
        Number of neighbours.
    themselves : bool
        Whether row i and column i are the same user, who is not their own neighbour.

    Returns
    -------
    ndarray, shape (n_rows,)
        Closeness needed, at least ``closeness.least``.

    Notes
    -----
    Time n_rows x n_columns.
    """
    kth = np.empty(closeness.shape[0])
    for rows in closeness.blocks():
        upper = _upper(closeness, rows, themselves)
        kth[rows] = _nearest_of_block(closeness, rows, upper, k)[0]
    return kth


def own_balls(closeness: Closeness, k: int) -> tuple[FloatArray, IntArray]:
    """Find each row's ball among the other rows, and count the clipped balls around each.

    Parameters
    ----------
    closeness : Closeness
        Closeness of rows to themselves, more than k of them.
    k : int
        Number of neighbours.

    Returns
    -------
    needed : ndarray, shape (n_rows,)
        Closeness needed, by `kth_closeness`.
    of_point_clipped : ndarray of int, shape (n_rows,)
        Counts as by `ball_counts`, in the same pass as long as the balls hold no more than
        `MAX_PAIRS`.
    """
    n_rows = closeness.shape[0]
    needed, pairs, n_pairs = np.empty(n_rows), [], 0
    for rows in closeness.blocks():
        upper = _upper(closeness, rows, themselves=True)
        needed[rows], row, column, values = _nearest_of_block(closeness, rows, upper, k)
        n_pairs += len(row)
        if n_pairs <= MAX_PAIRS:
            pairs.append((rows.start + row, column, values))
    if n_pairs > MAX_PAIRS:
        return needed, ball_counts(closeness, needed, themselves=True).of_point_clipped
    row, column, values = (np.concatenate(part) for part in zip(*pairs, strict=True))
    clipped = np.maximum(needed, closeness.median(needed))
    return needed, np.bincount(column[values >= clipped[row]], minlength=n_rows)


def ball_counts(
    closeness: Closeness,
    needed: FloatArray,
    needed_of_points: FloatArray | None = None,
    *,
    themselves: bool = False,
) -> Counts:
    """Count the points in each ball and the balls around each point.

    Parameters
    ----------
    closeness : Closeness
        Rows are the centres of balls, columns the points.
    needed : ndarray, shape (n_rows,)
        Closeness it takes to be in a ball, by `kth_closeness`.
    needed_of_points : ndarray, shape (n_columns,), optional
        Balls around the points, to see which rows they reach.
    themselves : bool
        Whether row i and column i are the same user, who does not count in their own ball.

    Notes
    -----
    Time n_rows x n_columns.
    """
    clipped = np.maximum(needed, closeness.median(needed))
    counts = Counts.none(*closeness.shape)
    for rows in closeness.blocks():
        upper = _upper(closeness, rows, themselves)
        row, column = pairs_from(upper, needed[rows, np.newaxis])
        held = closeness.reaches(rows, upper, row, column, needed[rows][row])
        row, column = row[held], column[held]
        inner = closeness.reaches(rows, upper, row, column, clipped[rows][row])
        counts.add(rows, row, column, inner)
        if needed_of_points is not None:
            row, column = pairs_from(upper, needed_of_points[np.newaxis])
            held = closeness.reaches(rows, upper, row, column, needed_of_points[column])
            counts.in_reach[rows.start + row[held]] = True
    return counts


def expected_clipped_coverage(n_real: int, n_good: npt.ArrayLike, k: int) -> FloatArray:
    r"""Mean of min(count / k, 1) over real users when `n_good` synthetic users are like them.

    In [0, 1], grows with `n_good`. The ball of a real user, up to the k-th of n_real - 1 others,
    holds a share of the distribution that is Beta(k, n_real - k), whatever the distribution, as
    long as it has no ties; so the count N is beta-binomial and the mean is

    .. math:: 1 - \sum_{c < k} P(N = c) \left(1 - \frac{c}{k}\right).

    Parameters
    ----------
    n_real : int
        Number of real users, more than k.
    n_good : array_like of int
        Number of synthetic users who are like them.
    k : int
        Number of neighbours.

    Examples
    --------
    One good user, k = 1: in the ball with probability 1 / n_real.

    >>> expected_clipped_coverage(4, [0, 1], 1).tolist()
    [0.0, 0.25]
    """
    fewer = np.arange(k)  # counts that are worth less than 1
    probability = stats.betabinom.pmf(fewer, np.asarray(n_good)[..., np.newaxis], k, n_real - k)
    return np.asarray(1 - probability @ (1 - fewer / k))


def clipped_density(
    counts: npt.NDArray[np.integer], own_counts: npt.NDArray[np.integer], k: int
) -> float:
    """Clipped density from how many clipped balls hold each synthetic and each real user.

    In [0, 1]; 1 is best. mean min(counts / k, 1) of synthetic users over the same of real users,
    who do not count in their own balls; at most 1. NaN where real users are in no other's ball.
    """
    own = np.minimum(own_counts / k, 1).mean()
    return float(min(np.minimum(counts / k, 1).mean() / own, 1)) if own > 0 else float("nan")


def clipped_coverage(counts: npt.NDArray[np.integer], n_synthetic: int, k: int) -> float:
    """Clipped coverage from how many of `n_synthetic` users each real user's ball holds.

    In [0, 1]; 1 is best. The share of good synthetic users of which `expected_clipped_coverage` is
    mean min(counts / k, 1); linear between whole numbers of good users.
    """
    n_good = np.arange(n_synthetic + 1)
    expected = expected_clipped_coverage(len(counts), n_good, k)
    covered = np.minimum(counts / k, 1).mean()
    return float(np.interp(covered, expected, n_good / n_synthetic))


def pairs_from(upper: Float32Array, start: npt.NDArray[np.floating]) -> tuple[IntArray, IntArray]:
    """Row and column of all entries that are at least `start`, in the order of rows."""
    place = np.flatnonzero(upper >= start.astype(np.float32))
    row, column = np.divmod(place, upper.shape[1])
    return row, column


def kth_bound(values: Float32Array, k: int) -> Float32Array:
    """Lower bound of the k-th largest of each row, (n_rows,), which is exact or nearly so.

    The k-th largest of the maxima of groups: cheaper than to sort. Group g is of the columns
    g, g + n_groups, ..., a power of 2 of them, so that halves can be folded: faster than a
    reduction. The last few columns, fewer than that number, are in no group.
    """
    n_groups = max(128, 16 * k)
    depth = 1 << max(0, (values.shape[1] // n_groups).bit_length() - 1)
    width = values.shape[1] // depth * depth
    maxima = values[:, :width]
    while depth > 1:
        depth, width = depth // 2, width // 2
        maxima = np.maximum(maxima[:, :width], maxima[:, width:])
    return np.asarray(np.partition(maxima, -k, axis=1)[:, -k])


def kth_of_rows(values: FloatArray, row: IntArray, n_rows: int, k: int, least: float) -> FloatArray:
    """Return the k-th largest of the values of each row, (n_rows,); `least` of fewer than k.

    Parameters
    ----------
    values, row : ndarray, shape (n_values,)
        Values and their rows, in the order of rows.
    """
    kth = np.full(n_rows, least)
    first = np.searchsorted(row, np.arange(n_rows + 1))
    enough = np.flatnonzero(np.diff(first) >= k)
    kth[enough] = values[np.lexsort((-values, row))][first[enough] + k - 1]
    return kth


def _nearest_of_block(
    closeness: Closeness, rows: slice, upper: Float32Array, k: int
) -> tuple[FloatArray, IntArray, IntArray, FloatArray]:
    """Find the k-th closeness of each row, and row, column and closeness of all pairs up to it."""

    def pairs(start: FloatArray) -> tuple[FloatArray, IntArray, IntArray, FloatArray]:
        row, column = pairs_from(upper, start[:, np.newaxis])
        values = closeness.exact(rows, upper, row, column)
        return kth_of_rows(values, row, len(upper), k, closeness.least), row, column, values

    start = np.maximum(kth_bound(upper, k) - closeness.slack(rows), closeness.least)
    found = pairs(start)
    kth = found[0]
    if np.any(kth < start):  # someone below `start` may be closer than the k-th from it
        found = pairs(np.minimum(start, kth))
    return found


def _upper(closeness: Closeness, rows: slice, themselves: bool) -> Float32Array:
    upper = closeness.upper(rows)
    if themselves:
        upper[np.arange(len(upper)), np.arange(rows.start, rows.stop)] = -np.inf
    return upper
