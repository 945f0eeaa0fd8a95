"""ItemKNN and UserKNN: Cornac's own numbers, for a block of users at a time.

Similarities are computed in Cornac's order of operations, so that users who are equally near to
Cornac are equally near here, and the same ones count. Where Cornac was built with other rounding
(fused multiplication), those may differ who are apart by the last digit alone.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from cornac_mle.adapters._nearest_means import NearestMeans, blocks
from cornac_mle.adapters.adapter import as_floats
from cornac_mle.sparse import FloatArray, IntArray, pattern, user_of

AT_THE_MEAN = 1e-8
"""Cornac's mark of a rating at its user's mean, which stays a rating."""
WEIGHT_BESIDE = 1e-8
"""Cornac adds it to the weights of items."""


def item_knn_scores(
    model: Any, matrix: sp.csr_array, train: sp.csr_array, own: IntArray | None
) -> FloatArray:
    """Average each user's ratings, weighted by the similarity of its k items nearest to each."""
    similar = sp.csr_array(model.sim_mat)
    centred, means = centred_rows(model, matrix)
    held = centred.T.tocsr()  # (n_items, n)
    scores = np.empty(matrix.shape)
    nearest = NearestMeans(held, model.k)
    for items in blocks(similar.shape[0], *held.shape):
        scores[:, items] = nearest.of(similar[items].toarray()).T
    return scores + means[:, None]


def user_knn_scores(
    model: Any, matrix: sp.csr_array, train: sp.csr_array, own: IntArray | None
) -> FloatArray:
    """Average the ratings that the k nearest training users give each item, by similarity."""
    raters = sp.csr_array(sp.csr_matrix(model.iu_mat).T.tocsr())  # (n_training_users, n_items)
    nearest, similarities = NearestMeans(raters, model.k), UserSimilarities(model, raters)
    _, means = centred_rows(model, matrix)
    scores = np.empty(matrix.shape)
    for users in blocks(matrix.shape[0], *raters.shape):
        similar = similarities.of(matrix[users])
        if own is not None:
            similar[np.arange(len(similar)), own[users]] = 0
        scores[users] = nearest.of(similar)
    return scores + means[:, None]


class UserSimilarities:
    """Cosines with training users over the items that both hold, as Cornac weighs them.

    Parameters
    ----------
    model : UserKNN
        Fitted model.
    raters : csr_array, shape (n_training_users, n_items)
        Ratings of training users, centred where the model centres them.
    """

    def __init__(self, model: Any, raters: sp.csr_array) -> None:
        self._model = model
        self._is_centred = model.mean_centered or model.similarity == "pearson"
        theirs = raters.astype(np.float64)
        if not self._is_centred and np.any(model.mean_arr):
            # Profiles are of 32 bits: so the ratings themselves come back, to the last digit.
            plain = theirs.data + model.mean_arr[user_of(theirs)]
            theirs.data = plain.astype(np.float32).astype(np.float64)
        self._weights = None if model.weighting is None else ItemWeights(model.weighting, theirs)
        weighted = theirs if self._weights is None else self._weights.times(theirs)
        self._theirs = weighted.T.tocsr()  # (n_items, n_training_users)
        self._squares, self._held = squared(self._theirs), pattern(self._theirs)

    def of(self, matrix: sp.csr_array) -> FloatArray:
        """Similarities of a block of users, (n, n_training_users)."""
        mine = matrix.astype(np.float64)
        if self._is_centred:
            mine, _ = centred_rows(self._model, matrix)
        if self._weights is not None:
            mine = self._weights.times(mine)
        products = as_floats((mine @ self._theirs).toarray())
        norms = as_floats((squared(mine) @ self._held).toarray())
        norms *= (pattern(mine) @ self._squares).toarray()
        np.sqrt(norms, out=norms)
        similar = np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
        if self._model.amplify == 1.0:
            return similar
        return np.asarray(np.sign(similar) * np.abs(similar) ** self._model.amplify)


@dataclass(frozen=True)
class ItemWeights:
    """Weights by inverse user frequency, or BM25 (k1 = 1.2, b = 0.8), in training users.

    Attributes
    ----------
    weighting : str
        "idf" or "bm25", as in Cornac.
    theirs : csr_array, shape (n_training_users, n_items)
        What training users hold.
    """

    weighting: str
    theirs: sp.csr_array

    def times(self, rows: sp.csr_array) -> sp.csr_array:
        """Multiply ratings by the roots of the weights."""
        n_users, n_items = self.theirs.shape
        holders = np.bincount(self.theirs.indices, minlength=n_items)
        # Nobody holds some items of profiles, which count for nothing: no training user has them.
        weights = np.log(n_users / np.maximum(holders, 1))[rows.indices]
        if self.weighting == "bm25":
            sizes = np.repeat(np.diff(rows.indptr), np.diff(rows.indptr))
            mean = self.theirs.nnz / n_users
            lengths = (1.0 - 0.8) + 0.8 * sizes / mean
            weights = (1.2 + 1.0) / (1.2 * lengths + 1.0) * weights
        scaled = rows.copy()
        scaled.data = rows.data * np.sqrt(weights + WEIGHT_BESIDE)
        return scaled


def squared(rows: sp.csr_array) -> sp.csr_array:
    """Square what is stored."""
    result = rows.copy()
    result.data = rows.data**2
    return result


def centred_rows(model: Any, matrix: sp.csr_array) -> tuple[sp.csr_array, FloatArray]:
    """Take each user's mean rating off where Cornac does, and give the means (n_users,)."""
    rows = matrix.astype(np.float64)
    means = np.zeros(matrix.shape[0])
    if model.min_rating == model.max_rating:
        return rows, means
    sizes = np.diff(rows.indptr)
    for user in np.flatnonzero(sizes):  # as numpy means one row: another sum has other last digits
        means[user] = np.mean(rows.data[rows.indptr[user] : rows.indptr[user + 1]])
    rows.data = rows.data - np.repeat(means, sizes)
    rows.data[rows.data == 0] = AT_THE_MEAN
    return rows, means
