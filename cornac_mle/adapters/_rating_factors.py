"""Families of factors and biases that predict ratings: what they hold of a user, and fold-in."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, logit

from cornac_mle.adapters._like_factors import dot_points
from cornac_mle.adapters._probable_points import noise_variance, ridge
from cornac_mle.adapters.adapter import as_floats
from cornac_mle.sparse import FloatArray

# ----------------------------------------------------------- MF, SVD: factors and biases of ratings


def rating_points(model: Any) -> FloatArray:
    """Lay out each training user as (factors, bias)."""
    return np.column_stack([model.u_factors[: model.num_users], model.u_biases[: model.num_users]])


def rating_scores(model: Any, points: FloatArray) -> FloatArray:
    """Predict ratings as MF does."""
    known = model.global_mean + as_floats(model.i_biases)
    return as_floats(known + points[:, -1:] + points[:, :-1] @ as_floats(model.i_factors).T)


def rating_fold_in(model: Any, matrix: sp.csr_array, train: sp.csr_array) -> FloatArray:
    """Most probable factors and bias, given the user's ratings (`ridge`)."""
    factors = np.column_stack([as_floats(model.i_factors), np.ones(matrix.shape[1])])
    known = model.global_mean + as_floats(model.i_biases)
    fitted = rating_points(model)

    def rest(rows: sp.csr_array) -> sp.csr_array:
        target = rows.astype(np.float64)
        target.data = target.data - known[rows.indices]
        return target

    noise = noise_variance(rest(train), factors, fitted)
    return ridge(matrix, factors, rest(matrix), fitted, noise)


# ------------------------------------------------------------------- BaselineOnly: one bias a user


def bias_points(model: Any) -> FloatArray:
    """Lay out each training user as its bias."""
    return as_floats(model.u_biases)[: model.num_users, None]


def bias_scores(model: Any, points: FloatArray) -> FloatArray:
    """Predict ratings by the two biases."""
    return as_floats(model.global_mean + as_floats(model.i_biases) + points)


def bias_fold_in(model: Any, matrix: sp.csr_array, train: sp.csr_array) -> FloatArray:
    r"""Average what the user's ratings are above the items' biases, shrunk as in training.

    .. math:: b_u = \frac{\sum_{i \in I} (r_{ui} - \mu - b_i)}{|I| (1 + \lambda)}
    """
    target = matrix.astype(np.float64)
    target.data = target.data - model.global_mean - as_floats(model.i_biases)[matrix.indices]
    counts = np.diff(matrix.indptr).clip(1)
    return as_floats(target.sum(axis=1) / (counts * (1 + model.lambda_reg)))[:, None]


# ----------------------------------------------------------- PMF: ratings through a sigmoid


def pmf_ratings(model: Any, scores: FloatArray) -> FloatArray:
    """Predict ratings through PMF's own link, where it has one; it ranks without."""
    if model.variant != "non_linear":
        return scores
    return as_floats(model.min_rating + (model.max_rating - model.min_rating) * expit(scores))


def pmf_fold_in(model: Any, matrix: sp.csr_array, train: sp.csr_array) -> FloatArray:
    r"""Most probable factors (`ridge`), given ratings mapped to log-odds by PMF's own link.

    .. math:: t_{ui} = \operatorname{logit} \frac{r_{ui} - r_{\min}}{r_{\max} - r_{\min}}
    """
    factors, fitted = as_floats(model.V), dot_points(model)

    def linked(rows: sp.csr_array) -> sp.csr_array:
        target = rows.astype(np.float64)
        if model.variant == "non_linear":
            width = max(float(model.max_rating - model.min_rating), 1e-12)
            target.data = logit(np.clip((target.data - model.min_rating) / width, 0.02, 0.98))
        return target

    noise = noise_variance(linked(train), factors, fitted)
    return ridge(matrix, factors, linked(matrix), fitted, noise)
