"""Families of factors that rank items by likes: what they hold of a user, and fold-in."""

from typing import Any

import scipy.sparse as sp

from cornac_mle.adapters._probable_points import likely_points
from cornac_mle.adapters.adapter import as_floats
from cornac_mle.sparse import FloatArray

# ------------------------------------------------------------------------------- BPR, WBPR, MMMF


def like_points(model: Any) -> FloatArray:
    """Lay out each training user as its factors; Cornac keeps rows for test users too."""
    return as_floats(model.u_factors)[: model.num_users]


def like_scores(model: Any, points: FloatArray) -> FloatArray:
    """Rank as BPR does."""
    n_items = model.num_items
    return as_floats(points @ as_floats(model.i_factors)[:n_items].T + model.i_biases[:n_items])


def like_fold_in(model: Any, matrix: sp.csr_array, train: sp.csr_array) -> FloatArray:
    """Most probable factors, given the user's likes (`likely_points`)."""
    n_items = matrix.shape[1]
    factors, biases = as_floats(model.i_factors)[:n_items], as_floats(model.i_biases)[:n_items]
    return likely_points(matrix, factors, biases, like_points(model), train)


# ------------------------------------------ IBPR, WMF (and PMF): nothing but a product of factors


def dot_points(model: Any) -> FloatArray:
    """Lay out each training user as its factors, of models that score by U and V alone."""
    return as_floats(model.U)[: model.num_users]


def dot_scores(model: Any, points: FloatArray) -> FloatArray:
    """Rank by the product of factors."""
    return as_floats(points @ as_floats(model.V)[: model.num_items].T)


def dot_fold_in(model: Any, matrix: sp.csr_array, train: sp.csr_array) -> FloatArray:
    """Most probable factors, given the user's likes (`likely_points`)."""
    factors = as_floats(model.V)[: matrix.shape[1]]
    return likely_points(matrix, factors, None, dot_points(model), train)
