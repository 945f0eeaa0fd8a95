"""Means weighted by the k nearest neighbours, block by block, as Cornac's KNN models take them.

Cornac goes through targets one by one and through the columns of each, with a heap of neighbours.
Here a column is taken for all targets of a block at once: a partition finds the weight of the k-th
neighbour. Columns that k or fewer hold need none: they are one sparse product.
"""

import numpy as np
import scipy.sparse as sp

from cornac_mle.sparse import FloatArray

BLOCK_TARGETS = 256
"""Most targets of a block: for some hundred holders of a column they fit a processor's cache."""
BLOCK_ENTRIES = 2**22
"""Most entries of a dense array of a block. Results do not depend on either but in last digits."""
LEAST_TOTAL = 1e-8
"""Cornac adds it to the sum of the weights."""
NO_NEIGHBOUR = -float(np.finfo(np.float64).max)
"""Stands for a weight of 0, below all others: such a neighbour does not count."""
LEAST_WEIGHT = float(np.nextafter(NO_NEIGHBOUR, 0))


def blocks(n_targets: int, n_neighbours: int, n_columns: int) -> list[slice]:
    """Cut targets into blocks."""
    step = max(1, min(BLOCK_TARGETS, BLOCK_ENTRIES // max(1, n_neighbours, n_columns)))
    return [slice(start, min(start + step, n_targets)) for start in range(0, n_targets, step)]


class NearestMeans:
    r"""Means of the columns of `ratings`, weighted by the k nearest of those who hold them.

    .. math:: \frac{\sum_{j \in N} w_j r_{jc}}{\sum_{j \in N} |w_j| + 10^{-8}}

    of weights w and ratings r, where N are the k neighbours of largest weight, other than 0, that
    hold column c. Of equal weights those count that Cornac takes, see `tied_sums`.

    Parameters
    ----------
    ratings : csr_array, shape (n_neighbours, n_columns), float64
        What each neighbour holds.
    k : int
        Neighbours that count, at least 1.
    """

    def __init__(self, ratings: sp.csr_array, k: int) -> None:
        self._ratings, self._k = ratings.tocsc(), k
        holders = np.diff(self._ratings.indptr)
        self._most = int(holders.max(initial=0))
        self._few, self._many = np.flatnonzero(holders <= k), np.flatnonzero(holders > k)
        self._of_few = self._ratings[:, self._few]
        self._held_few = self._of_few.copy()
        self._held_few.data = np.ones(self._of_few.nnz)

    def of(self, weights: FloatArray) -> FloatArray:
        """Means for one block of targets, (n, n_columns), from weights (n, n_neighbours)."""
        result = np.zeros((len(weights), self._ratings.shape[1]))
        if len(self._few):
            totals = np.abs(weights) @ self._held_few
            result[:, self._few] = (weights @ self._of_few) / (totals + LEAST_TOTAL)
        if len(self._many):
            weights = np.where(weights == 0, NO_NEIGHBOUR, weights)
            space = np.empty((2, len(weights) * self._most))  # to allocate it once saves half
        for column in self._many:
            part = slice(*self._ratings.indptr[column : column + 2])
            held_by, ratings = self._ratings.indices[part], self._ratings.data[part]
            size = len(weights) * len(ratings)
            taken, other = space[:, :size].reshape(2, len(weights), len(ratings))
            weights.take(held_by, axis=1, out=taken, mode="clip")
            sums, totals = nearest_sums(taken, ratings, self._k, other)
            result[:, column] = sums / (totals + LEAST_TOTAL)
        return result


def nearest_sums(
    weights: FloatArray, ratings: FloatArray, k: int, space: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Sum weighted ratings, and weights, over the k nearest neighbours of each target.

    Parameters
    ----------
    weights : ndarray, shape (n, n_neighbours)
        Weights of more than k neighbours, in Cornac's numbering; `NO_NEIGHBOUR` of who is none.
    ratings : ndarray, shape (n_neighbours,)
        Ratings by the neighbours.
    k : int
        Neighbours that count.
    space : ndarray, shape (n, n_neighbours)
        Room for what is computed on the way.

    Returns
    -------
    sums, totals : ndarray, shape (n,)
        Sums of weights times ratings, and of the sizes of weights.
    """
    space[...] = weights
    space.partition(space.shape[1] - k, axis=1)
    nearest = space[:, -k:]  # the first column is the least of them
    last = np.maximum(nearest[:, :1], LEAST_WEIGHT)
    totals = np.where(nearest >= LEAST_WEIGHT, np.abs(nearest), 0.0).sum(axis=1)
    tied = np.flatnonzero(space[:, :-k].max(axis=1) == last[:, 0])
    sums = np.multiply(weights, weights >= last, out=space) @ ratings
    if len(tied):
        sums[tied] = tied_sums(weights[tied], last[tied], ratings, k)
    return sums, totals


def tied_sums(weights: FloatArray, last: FloatArray, ratings: FloatArray, k: int) -> FloatArray:
    """Sum weighted ratings where more neighbours than there is room for tie at the weight `last`.

    Cornac has a heap of k neighbours, and goes through them from the last number to the first. One
    enters that is nearer than the farthest in the heap, which leaves; of equally far ones that of
    the lowest rating leaves. So of those at `last`, (n, 1), these count: among the first k who are
    at `last` or nearer, in Cornac's order, those of the highest ratings, as many as there is room
    for beside the nearer ones.
    """
    nearer, ties = weights > last, weights == last
    place = np.cumsum((nearer | ties)[:, ::-1], axis=1)[:, ::-1]  # from 1
    entered = np.where(ties & (place <= k), ratings, -np.inf)
    highest = -np.sort(-entered, axis=1)[:, :k]
    room = k - np.count_nonzero(nearer, axis=1)[:, None]
    of_ties = np.where(np.arange(k) < room, highest, 0.0).sum(axis=1)
    return np.asarray((weights * nearer) @ ratings + last[:, 0] * of_ties)
