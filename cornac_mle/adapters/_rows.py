"""Families that know a user by its profile: item-item weights, clusters, nearest users."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from cornac_mle.adapters.adapter import as_floats
from cornac_mle.neighbours.similarity import jaccard_similarity
from cornac_mle.sparse import FloatArray, IntArray

# ------------------------------------------------------------------------------------------- EASE


def ease_scores(
    model: Any, matrix: sp.csr_array, train: sp.csr_array, own: IntArray | None
) -> FloatArray:
    """Score by the item-item weights: profile times B, as EASE itself scores."""
    return as_floats(matrix.astype(np.float64) @ model.B)


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
