"""Families that know a user by its profile: item-item, user-user and cluster models."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from cornac.models.knn.recom_knn import compute_score

from cornac_mle.adapters.adapter import as_floats
from cornac_mle.neighbours.similarity import jaccard_similarity
from cornac_mle.sparse import FloatArray, IntArray, pattern, user_of

# ------------------------------------------------------------------------------------------- EASE


def ease_scores(
    model: Any, matrix: sp.csr_array, train: sp.csr_array, own: IntArray | None
) -> FloatArray:
    """Score by the item-item weights: profile times B, as EASE itself scores."""
    return as_floats(matrix.astype(np.float64) @ model.B)


# ----------------------------------------------------------------------------- ItemKNN and UserKNN


def item_knn_scores(
    model: Any, matrix: sp.csr_array, train: sp.csr_array, own: IntArray | None
) -> FloatArray:
    """Average the user's ratings, weighted by the k most similar items, by Cornac's own routine."""
    similar = sp.csr_matrix(model.sim_mat)
    centred, means = centred_rows(model, matrix)
    scores = np.zeros(matrix.shape)
    for user in range(matrix.shape[0]):
        row = np.ravel(centred[[user]].toarray())
        parts = similar.indptr, similar.indices, similar.data
        compute_score(
            False, row, *parts, k=model.k, num_threads=model.num_threads, output=scores[user]
        )
    return scores + means[:, None]


def user_knn_scores(
    model: Any, matrix: sp.csr_array, train: sp.csr_array, own: IntArray | None
) -> FloatArray:
    """Average the ratings of the k most similar training users, by Cornac's own routine."""
    raters = sp.csr_matrix(model.iu_mat)
    similar = user_similarities(model, matrix)
    if own is not None:
        similar[np.arange(len(own)), own] = 0
    _, means = centred_rows(model, matrix)
    scores = np.zeros(matrix.shape)
    for user in range(matrix.shape[0]):
        parts = raters.indptr, raters.indices, raters.data
        compute_score(
            True,
            similar[user],
            *parts,
            k=model.k,
            num_threads=model.num_threads,
            output=scores[user],
        )
    return scores + means[:, None]


def user_similarities(model: Any, matrix: sp.csr_array) -> FloatArray:
    """Cosines over the items that both hold, (n, n_training_users), as Cornac weighs them."""
    theirs = sp.csr_array(sp.csr_matrix(model.iu_mat).T, dtype=np.float64)
    mine = matrix.astype(np.float64)
    if model.mean_centered or model.similarity == "pearson":
        mine, _ = centred_rows(model, matrix)
    elif np.any(model.mean_arr):
        theirs.data = theirs.data + model.mean_arr[user_of(theirs)]
    if model.weighting is not None:
        mine, theirs = weighted(model, mine, theirs)
    products = as_floats((mine @ theirs.T).toarray())
    held, squares = mine.copy(), theirs.copy()
    held.data, squares.data = mine.data**2, theirs.data**2
    norms = (held @ pattern(theirs).T).toarray() * (pattern(mine) @ squares.T).toarray()
    similar = np.divide(products, np.sqrt(norms), out=np.zeros_like(products), where=norms > 0)
    return np.asarray(np.sign(similar) * np.abs(similar) ** model.amplify)


def weighted(
    model: Any, mine: sp.csr_array, theirs: sp.csr_array
) -> tuple[sp.csr_array, sp.csr_array]:
    """Weigh items by inverse user frequency or BM25 (k1 = 1.2, b = 0.8), as Cornac does."""
    n_users = theirs.shape[0]
    counts = np.bincount(theirs.indices, minlength=theirs.shape[1])
    frequency = np.log(n_users / np.maximum(counts, 1))
    lengths = np.diff(theirs.indptr)
    mean = lengths.mean()
    result = []
    for rows in (mine, theirs):
        weights = frequency[rows.indices]
        if model.weighting == "bm25":
            norm = 0.2 + 0.8 * np.repeat(np.diff(rows.indptr), np.diff(rows.indptr)) / mean
            weights = weights * 2.2 / (1.2 * norm + 1)
        scaled = rows.copy()
        scaled.data = rows.data * np.sqrt(weights + 1e-8)
        result.append(scaled)
    return result[0], result[1]


def centred_rows(model: Any, matrix: sp.csr_array) -> tuple[sp.csr_array, FloatArray]:
    """Take each user's mean rating off where Cornac does, and give the means (n_users,)."""
    rows = matrix.astype(np.float64)
    if model.min_rating == model.max_rating:
        return rows, np.zeros(matrix.shape[0])
    sizes = np.diff(rows.indptr)
    means = as_floats(rows.sum(axis=1)) / np.maximum(sizes, 1)
    rows.data = rows.data - np.repeat(means, sizes)
    rows.data[rows.data == 0] = 1e-8  # Cornac's mark of a rating at the mean
    return rows, means


# ----------------------------------------------------------------------------------------- SKMeans


def cluster_points(model: Any) -> FloatArray:
    """Lay out each training user as its cosines to the cluster centres."""
    return _dense(model.user_center_sim)[: model.num_users]


def cluster_fold_in(model: Any, matrix: sp.csr_array, train: sp.csr_array) -> FloatArray:
    """Cosines to the cluster centres, as for a training user."""
    rows = matrix.astype(np.float64)
    norms = np.sqrt(as_floats(rows.multiply(rows).sum(axis=1))) + 1e-20
    return _dense(rows @ sp.csr_array(model.centroids).T) / norms[:, None]


def cluster_scores(model: Any, points: FloatArray) -> FloatArray:
    """Average the centres by how close they are."""
    weights = np.maximum(points, 0)
    weights = weights / (weights.sum(axis=1, keepdims=True) + 1e-20)
    return as_floats(weights @ _dense(model.centroids))


def _dense(matrix: Any) -> FloatArray:
    return as_floats(matrix.toarray() if sp.issparse(matrix) else matrix)


# ---------------------------------------------------------------------- whatever else has a score

NEIGHBOURS = 20
"""Training users who stand for an unseen user where nothing better is known."""


def nearest_users(
    matrix: sp.csr_array, train: sp.csr_array, own: IntArray | None
) -> tuple[IntArray, FloatArray]:
    """Find each user's nearest training users by Jaccard similarity, and their weights, sum 1.

    Returns
    -------
    users : ndarray of int, shape (n, m)
        Rows of `train`; m is 20, or all where there are fewer. Equally near ones: the first.
    weights : ndarray, shape (n, m)
        Weights in proportion to the similarity; equal for a user who shares no item with anybody.
    """
    if train.shape[0] == 0:
        msg = (
            "The model was loaded without its training set, whose users stand for unseen ones. "
            "Call fit(train_set)."
        )
        raise RuntimeError(msg)
    near = jaccard_similarity(matrix, train)
    if own is not None:
        near[np.arange(len(own)), own] = -1.0
    users = np.argsort(-near, axis=1, kind="stable")[:, :NEIGHBOURS]
    weights = np.maximum(np.take_along_axis(near, users, axis=1), 0) + 1e-9
    return users, weights / weights.sum(axis=1, keepdims=True)


def neighbour_scores(
    model: Any, matrix: sp.csr_array, train: sp.csr_array, own: IntArray | None
) -> FloatArray:
    """Average the scores that the model gives to the nearest training users."""
    users, weights = nearest_users(matrix, train, own)
    wanted, place = np.unique(users, return_inverse=True)
    known = np.stack([as_floats(model.score(user)).ravel() for user in wanted])
    known = known[:, : matrix.shape[1]]
    place = place.reshape(users.shape)
    return np.stack([weight @ known[row] for weight, row in zip(weights, place, strict=True)])
