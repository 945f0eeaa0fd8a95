"""Gaussian factor models of which items are held and of which values they have: the pure maths.

Users have full-covariance Gaussian posteriors in both, items in the second. A vector v carries its
second moments E[v v'] *packed*: the d (d + 1) / 2 entries of the upper triangle, so that a weighted
sum over items, for all users at once, is one matrix product.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from cornac_mle.models.pmf._gaussians import (
    START_SD,
    Gaussian,
    Posterior,
    packed_products,
    posterior_given,
    posterior_given_one,
    refit_covariance,
    ridge,
    unpacked,
    with_one,
)
from cornac_mle.models.pmf._selection import Selection
from cornac_mle.sparse import FloatArray, pattern

NOISE_TOLERANCE = 1e-5
"""Relative change of the noise variance in one pass at which the fit of values stops."""
MINIMUM_NOISE = 1e-4
"""Noise variance of values that are explained perfectly."""


class Values(NamedTuple):
    """Distribution of the values of items held: mean + v_i'u + b_i + N(0, noise_sd^2)."""

    mean: float
    noise_sd: float
    users: Posterior  # (n_users, d)
    items: Posterior  # (n_items, d + 1): (v_i, b_i)
    user_map: FloatArray  # (d_selection + 1, d): E[u | t] = (t, 1) @ user_map


# ------------------------------------------------------------------------------- Gaussian algebra


# ----------------------------------------------------------------------- which items are held


# ------------------------------------------------------------------------ which values they have


def fit_values(
    matrix: sp.csr_array,
    k: int,
    selection: Selection,
    *,
    passes: Iterable[int],
    rng: np.random.Generator,
) -> Values:
    """Fit value = mean + v_i'u + b_i + N(0, noise_sd^2) to the stored values.

    Variational Bayes with full-covariance Gaussians for every user's u (k + 1 dimensions)
    and every item's (v_i, b_i).
    The prior mean of u is linear in the user's factors of choice, that of (v_i, b_i) in the item's:
    what is chosen, and by whom, tells how it is rated. Both maps, both prior covariances (full) and
    the noise are learnt. One pass costs O(stored values x k^2 + (users + items) x k^3).

    Parameters
    ----------
    matrix : csr_array, shape (n_users, n_items)
        Values; what is not stored is unknown.
    k : int
        Dimensions of taste; one more starts as the user's bias.
    selection : Selection
        Fitted to the same matrix.
    passes : iterable
        One pass each; fitting stops before its end on convergence.
    rng : Generator
        Starting point.
    """
    n_users, n_items = matrix.shape
    size = k + 1
    mean = float(matrix.data.mean(dtype=np.float64))
    here = pattern(matrix)
    centred = sp.csr_array((matrix.data - mean, matrix.indices, matrix.indptr), shape=matrix.shape)
    here_by_item, centred_by_item = sp.csr_array(here.T), sp.csr_array(centred.T)
    total = float((centred.data**2).sum(dtype=np.float64))
    user_features = np.column_stack([selection.users, np.ones(n_users)])
    item_features = np.column_stack([selection.items, np.ones(n_items)])
    start = START_SD * rng.standard_normal((n_items, size + 1))
    start[:, 0] += 1.0
    start[:, size] = centred.sum(axis=0) / (here.sum(axis=0) + 5.0)
    items = Posterior(start, np.tile(START_SD**2 * np.eye(size + 1), (n_items, 1, 1)))
    user_map = np.zeros((user_features.shape[1], size))
    user_covariance = 0.1 * np.eye(size)
    users = Posterior(np.zeros((n_users, size)), np.tile(user_covariance, (n_users, 1, 1)))
    noise = max(total / matrix.nnz, MINIMUM_NOISE)
    for _ in passes:
        products = packed_products(*items)
        users = posterior_given_one(
            Gaussian(user_features @ user_map, user_covariance),
            unpacked(here @ products, size + 1) / noise,
            centred @ items.mean / noise,
        )
        user_map = ridge(user_features, users.mean)
        user_covariance = refit_covariance(users, user_features @ user_map)
        item_mean = item_features @ ridge(item_features, items.mean)
        item_prior = Gaussian(item_mean, refit_covariance(items, item_mean))
        one = with_one(users)
        seconds = unpacked(here_by_item @ packed_products(*one), size + 1)
        linear = centred_by_item @ one.mean
        items = posterior_given(item_prior, seconds / noise, linear / noise)
        # E[(y - v'u)^2] summed over stored values: y^2 - 2 y E[v]'E[u] + trace(E[vv'] E[uu']).
        fitted = np.einsum("iab,iab->", seconds, items.covariance)
        fitted += np.einsum("iab,ia,ib->", seconds, items.mean, items.mean, optimize=True)
        before = noise
        noise = (total - 2 * float((linear * items.mean).sum()) + float(fitted)) / matrix.nnz
        noise = max(noise, MINIMUM_NOISE)
        if abs(before - noise) < NOISE_TOLERANCE * noise:
            break
    return Values(mean, float(np.sqrt(noise)), users, items, user_map)
