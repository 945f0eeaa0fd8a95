"""Families whose factors are above 0, taken as logarithms: what they hold, and fold-in."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import digamma

from cornac_mle.adapters.adapter import as_floats
from cornac_mle.sparse import FloatArray, user_of

FOLD_IN_STEPS = 100
"""Updates of a user's Gamma posterior in Poisson factorisation, and of NMF's factors."""
PRIOR_SHAPE = 0.3
"""Shape of the Gamma prior of factors in Cornac's HPF."""
LEAST_SHARE = 1e-3
"""Floor of the factors, as a share of the training users' mean."""


def log_floored(factors: FloatArray, fitted: FloatArray) -> FloatArray:
    """Take logarithms, so that a density over them draws factors above 0; floored by the fitted."""
    return np.log(np.maximum(factors, LEAST_SHARE * max(float(fitted.mean()), 1e-12)))


# ------------------------------------------------------------------------------------------- NMF


def positive_points(model: Any) -> FloatArray:
    """Lay out each training user as the logarithms of its factors, and its bias."""
    factors = as_floats(model.u_factors)[: model.num_users]
    return np.column_stack(
        [log_floored(factors, factors), as_floats(model.u_biases)[: model.num_users]]
    )


def positive_scores(model: Any, points: FloatArray) -> FloatArray:
    """Predict ratings as NMF does."""
    known = model.global_mean + as_floats(model.i_biases)
    return as_floats(known + points[:, -1:] + np.exp(points[:, :-1]) @ as_floats(model.i_factors).T)


def positive_fold_in(model: Any, matrix: sp.csr_array, train: sp.csr_array) -> FloatArray:
    r"""Run NMF's multiplicative updates for the user's factors, with the items' fixed.

    With held items :math:`I`, ratings :math:`r` and predictions :math:`\hat r`,

    .. math::

        p_k \leftarrow p_k \frac{\sum_{i \in I} r_i q_{ik}}
        {\sum_{i \in I} \hat r_i q_{ik} + |I| \lambda p_k}
    """
    items = as_floats(model.i_factors)
    users = np.full((matrix.shape[0], items.shape[1]), 1 / np.sqrt(items.shape[1]))
    known = model.global_mean + as_floats(model.i_biases)[matrix.indices]
    rows = user_of(matrix)
    counts = np.diff(matrix.indptr)[:, None]
    wanted = matrix.astype(np.float64) @ items
    given = matrix.astype(np.float64)
    for _ in range(FOLD_IN_STEPS):
        given.data = known + np.einsum("ek,ek->e", users[rows], items[matrix.indices])
        users = users * wanted / (given @ items + counts * model.lambda_u * users + 1e-9)
    fitted = as_floats(model.u_factors)[: model.num_users]
    return np.column_stack([log_floored(users, fitted), np.zeros(len(users))])


# ----------------------------------------------------------------- HPF: Gamma users, Poisson items


def poisson_points(model: Any) -> FloatArray:
    """Lay out each training user as the logarithms of its posterior mean factors."""
    factors = as_floats(model.Theta)[: model.num_users]
    return log_floored(factors, factors)


def poisson_scores(model: Any, points: FloatArray) -> FloatArray:
    """Log-rates of the Poisson counts: the order of HPF's own scores."""
    return np.log(np.maximum(np.exp(points) @ as_floats(model.Beta).T, 1e-12))


def poisson_draw(model: Any, n_users: int, rng: np.random.Generator) -> FloatArray:
    """Draw each user from the Gamma posterior of a training user drawn at random."""
    shape, rate = as_floats(model.Gs), as_floats(model.Gr)
    of = rng.integers(model.num_users, size=n_users)
    return np.log(np.maximum(rng.gamma(shape[of]) / rate[of], 1e-12))


def poisson_fold_in(model: Any, matrix: sp.csr_array, train: sp.csr_array) -> FloatArray:
    r"""Coordinate ascent of the user's Gamma posterior, with the items' posterior fixed.

    The user's part of algorithm 1 of Gopalan, Hofman & Blei (2015): with ratings :math:`r` of the
    held items :math:`I` and the prior shape :math:`a`, the shapes of the posterior are

    .. math::

        \gamma_k = a + \sum_{i \in I} r_i
        \frac{e^{E[\log \theta_k] + E[\log \beta_{ik}]}}
        {\sum_l e^{E[\log \theta_l] + E[\log \beta_{il}]}}

    and its rates the prior's rate + :math:`\sum_j E[\beta_{jk}]`. The prior's rate is that of
    the median training user.

    References
    ----------
    Gopalan, Hofman & Blei (2015), "Scalable recommendation with hierarchical Poisson
    factorization", UAI.
    """
    items, total = as_floats(model.Beta), as_floats(model.Beta).sum(axis=0)
    beta = np.exp(digamma(as_floats(model.Ls))) / as_floats(model.Lr)  # geometric means
    rate = np.median(np.mean(as_floats(model.Gr) - total, axis=1)) + total
    counts = matrix.astype(np.float64)
    rows = user_of(matrix)
    shape = np.tile(PRIOR_SHAPE + counts.sum(axis=1)[:, None] / items.shape[1], (1, items.shape[1]))
    for _ in range(FOLD_IN_STEPS):
        theta = np.exp(digamma(shape)) / rate
        counts.data = matrix.data / np.maximum(
            np.einsum("ek,ek->e", theta[rows], beta[matrix.indices]), 1e-300
        )
        shape = PRIOR_SHAPE + theta * (counts @ beta)
    return log_floored(shape / rate, as_floats(model.Theta)[: model.num_users])
