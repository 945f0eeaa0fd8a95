"""Conformal p-values: the error rate of a score that may be anything, by ranks among real users."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cornac_mle.checks import check_reals, refusal
from cornac_mle.sparse import FloatArray


def conformal_p_values(scores: ArrayLike, calibration: ArrayLike) -> FloatArray:
    """Conformal p-values of scores, lower tail. In (0, 1]; small is implausible.

    ``p(x) = (1 + #{calibration <= x}) / (1 + n)``. If a real user's score is exchangeable with the
    n calibration scores, P(p <= alpha) <= alpha, whatever the score [1]_. A tie counts as at least
    as extreme, so that p is never 0. For the upper tail ("too typical") negate both.

    Parameters
    ----------
    scores : array_like, shape (n_users,)
        Scores of users; -inf is allowed.
    calibration : array_like, shape (n,)
        Scores of real users on whom the score was not fitted.

    Returns
    -------
    ndarray, shape (n_users,)
        p-values, float64.

    Raises
    ------
    ValueError
        If there is no calibration score, or any score is NaN.

    References
    ----------
    .. [1] Vovk, Gammerman & Shafer (2005), "Algorithmic Learning in a Random World", Springer.

    Examples
    --------
    >>> conformal_p_values([0, 1, 1.5, 9], [1, 2, 3]).tolist()
    [0.25, 0.5, 0.5, 1.0]
    """
    values = check_reals("scores", scores)
    against = np.sort(check_reals("calibration", calibration), axis=None)
    if against.size == 0:
        advice = "Keep some real users back for calibration."
        raise ValueError(refusal("calibration", "hold at least 1 score", "none", advice))
    for name, array in (("scores", values), ("calibration", against)):
        if np.isnan(array).any():
            advice = "Score profiles with `PlausibilityModel.score`, which gives none."
            raise ValueError(refusal(name, "be free of NaN", "NaN", advice))
    return (1 + np.searchsorted(against, values, side="right")) / (1 + against.size)


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of profile size x popularity, within each of which p-values hold their level.

    Attributes
    ----------
    size_edges : ndarray, shape (n_size_bins - 1,)
        Cuts between bins of profile size; a size at a cut is above it.
    popularity_edges : tuple of ndarray, each of shape (n_popularity_bins - 1,)
        Cuts of mean popularity, one array for each bin of size.
    """

    size_edges: FloatArray
    popularity_edges: tuple[FloatArray, ...]

    @classmethod
    def fit(
        cls, sizes: ArrayLike, popularity: ArrayLike, *, n_sizes: int = 5, n_popularities: int = 2
    ) -> Self:
        """Cut at quantiles of reference users: never at those of the users to be calibrated."""
        size, mean = np.asarray(sizes, dtype=np.float64), np.asarray(popularity, dtype=np.float64)
        size_edges = np.unique(np.quantile(size, np.arange(1, n_sizes) / n_sizes))
        of_size = np.searchsorted(size_edges, size, side="right")
        shares = np.arange(1, n_popularities) / n_popularities
        cuts = []
        for number in range(size_edges.size + 1):
            inside = mean[of_size == number]
            cuts.append(np.unique(np.quantile(inside, shares)) if inside.size else np.empty(0))
        return cls(size_edges, tuple(cuts))

    @property
    def count(self) -> int:
        """How many cells there are."""
        return sum(edges.size + 1 for edges in self.popularity_edges)

    def of(self, sizes: ArrayLike, popularity: ArrayLike) -> NDArray[np.intp]:
        """Find the cell of each user, (n_users,); neighbours have neighbouring numbers."""
        size, mean = np.asarray(sizes, dtype=np.float64), np.asarray(popularity, dtype=np.float64)
        of_size = np.searchsorted(self.size_edges, size, side="right")
        cell = np.zeros(size.size, dtype=np.intp)
        first = 0
        for number, edges in enumerate(self.popularity_edges):
            inside = of_size == number
            cell[inside] = first + np.searchsorted(edges, mean[inside], side="right")
            first += edges.size + 1
        return cell


def merged_cells(users: ArrayLike, least: float) -> NDArray[np.intp]:
    """Merge neighbouring cells until each has at least `least` users.

    Cells are taken in order; a rest that is short joins the cell before it. The users are reference
    users, or numbers that they let expect: cells cut by who the calibration users happen to be
    would not treat a new user and a calibration user alike.

    Parameters
    ----------
    users : array_like, shape (n_cells,) or (n_users, n_cells)
        Number of users of each cell; or whether each user is in it, where a user may be in several
        cells and counts once where they merge.
    least : float
        Number of users wanted.

    Returns
    -------
    ndarray of int, shape (n_cells,)
        Number of the merged cell, from 0.

    Examples
    --------
    >>> merged_cells([30, 5, 10, 4], 12).tolist()
    [0, 1, 1, 1]

    One user is in the first two cells, another in the last two:

    >>> merged_cells([[True, True, False], [False, True, True]], 2).tolist()
    [0, 0, 0]
    """
    inside = np.asarray(users)
    merged = np.zeros(inside.shape[-1], dtype=np.intp)
    number, first = 0, 0
    for cell in range(merged.size):
        merged[cell] = number
        joined = inside[..., first : cell + 1]
        count = joined.any(axis=1).sum() if inside.ndim == 2 else np.cumsum(joined)[-1]
        if count >= least:
            number, first = number + 1, cell + 1
    return np.minimum(merged, max(number - 1, 0))


def conditional_p_values(
    scores: ArrayLike,
    cells: NDArray[np.intp],
    calibration: ArrayLike,
    calibration_cells: NDArray[np.intp],
) -> FloatArray:
    """Conformal p-values within cells, (n_users,): Mondrian conformal prediction [1]_.

    Each score is ranked among the calibration scores of its own cell, so that the level holds in
    every cell and not on average only. A cell without calibration users gives p = 1.

    Parameters
    ----------
    scores, cells : ndarray, shape (n_users,)
        Scores of users and their cells.
    calibration, calibration_cells : ndarray, shape (n,)
        Scores of real users and their cells.

    References
    ----------
    .. [1] Vovk, Lindsay, Nouretdinov & Gammerman (2003), "Mondrian confidence machine", technical
       report, Royal Holloway.

    Examples
    --------
    >>> conditional_p_values([0, 0], np.array([0, 1]), [1, 2, -1], np.array([0, 0, 1])).tolist()
    [0.3333333333333333, 1.0]
    """
    values = np.asarray(scores, dtype=np.float64)
    against = np.asarray(calibration, dtype=np.float64)
    p_values = np.ones(values.size)
    for cell in np.intersect1d(cells, calibration_cells):
        own = cells == cell
        p_values[own] = conformal_p_values(values[own], against[calibration_cells == cell])
    return p_values
