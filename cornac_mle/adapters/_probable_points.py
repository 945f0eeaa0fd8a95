"""Where a user lies of whom ratings or likes are known: the most probable point among factors."""

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax

from cornac_mle.sparse import FloatArray, user_of

NEWTON_STEPS = 25
LARGEST_STEP = 3.0
"""Prior standard deviations that a point moves at once."""
CLOSE_ENOUGH = 1e-6
LEAST_VARIANCE = 1e-12
"""Variance of fitted points that are all alike."""
TEMPERATURE_USERS = 256
TEMPERATURES = (1e-2, 1e4)


def ridge(
    matrix: sp.csr_array,
    factors: FloatArray,
    target: sp.csr_array,
    fitted: FloatArray,
    noise: float,
) -> FloatArray:
    r"""Most probable points, given values at held items, if users are like the fitted ones.

    The prior of a point has the mean and the variances of the fitted points, so that a model that
    is far from converged, whose points are all alike, takes an unseen user to be like them too.
    With the items :math:`Q` that a user holds, their values :math:`t`, the noise
    :math:`\sigma^2`, and mean :math:`m` and variances :math:`V` of the prior, it is

    .. math:: m + (Q^\top Q + \sigma^2 V^{-1})^{-1} Q^\top (t - Q m)

    Parameters
    ----------
    matrix, target : csr_array, shape (n_users, n_items)
        Held items, and their values: two arrays of one pattern.
    factors : ndarray, shape (n_items, k)
        Factors of the items.
    fitted : ndarray, shape (n_training_users, k)
        Points of the training users.
    noise : float
        Variance of a value around the product of point and factors.

    Returns
    -------
    ndarray, shape (n_users, k)
    """
    mean, precision = fitted.mean(axis=0), noise / np.maximum(fitted.var(axis=0), LEAST_VARIANCE)
    users = np.tile(mean, (matrix.shape[0], 1))
    for user in range(matrix.shape[0]):
        held = slice(matrix.indptr[user], matrix.indptr[user + 1])
        items = factors[matrix.indices[held]]
        gram = items.T @ items + np.diag(precision)
        users[user] += np.linalg.solve(gram, items.T @ (target.data[held] - items @ mean))
    return users


def noise_variance(target: sp.csr_array, factors: FloatArray, fitted: FloatArray) -> float:
    """Variance of the training users' values around what their points give; 1 if there are none."""
    if target.nnz == 0:
        return 1.0
    rows = user_of(target)
    given = np.einsum("ek,ek->e", fitted[rows], factors[target.indices])
    return max(float(np.mean((target.data - given) ** 2)), LEAST_VARIANCE)


def likely_points(
    matrix: sp.csr_array,
    factors: FloatArray,
    biases: FloatArray | None,
    fitted: FloatArray,
    train: sp.csr_array,
) -> FloatArray:
    r"""Most probable points of users of whom likes are known, if they are like the fitted ones.

    Likes are multinomial in exp(temperature * (factors @ point + biases)), the prior of a point has
    the mean and the variances of the fitted points, and the temperature is the one at which the
    likes of training users are most probable at their own points: near 1 for BPR, far from it for
    losses whose scores have another scale. With the temperature :math:`\tau`, the items :math:`I`
    that a user holds, and mean :math:`m` and variances :math:`v` of the prior, the point :math:`p`
    maximises

    .. math::

        \sum_{i \in I} \tau (q_i^\top p + b_i)
        - |I| \log \sum_j e^{\tau (q_j^\top p + b_j)}
        - \sum_k \frac{(p_k - m_k)^2}{2 v_k}

    Parameters
    ----------
    matrix : csr_array, shape (n_users, n_items)
        Items that the users hold.
    factors : ndarray, shape (n_items, k)
        Factors of the items, q.
    biases : ndarray, shape (n_items,), or None
        Biases of the items, b; None: zeros.
    fitted : ndarray, shape (n_training_users, k)
        Points of the training users.
    train : csr_array, shape (n_training_users, n_items)
        Items that the training users hold.

    Returns
    -------
    ndarray, shape (n_users, k)

    Notes
    -----
    Newton's method on a concave function; a step is at most `LARGEST_STEP` prior standard
    deviations long. Time: some 10 x n_users x n_items x k^2.
    """
    scale = temperature(fitted, factors, biases, train)
    known = np.zeros(len(factors)) if biases is None else biases
    held = (matrix > 0).astype(np.float64)
    counts = np.diff(matrix.indptr)[:, None]
    mean, precision = fitted.mean(axis=0), 1 / np.maximum(fitted.var(axis=0), LEAST_VARIANCE)
    users = np.tile(mean, (matrix.shape[0], 1))
    for _ in range(NEWTON_STEPS):
        probabilities = softmax(scale * (users @ factors.T + known), axis=1)
        expected = probabilities @ factors
        gradient = scale * (held @ factors - counts * expected) - (users - mean) * precision
        spread = np.stack([(factors.T * row) @ factors for row in probabilities])
        spread -= expected[:, :, None] * expected[:, None, :]
        curvature = scale**2 * counts[:, :, None] * spread + np.diag(precision)
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        length = np.sqrt((step**2 * precision).sum(axis=1, keepdims=True))
        users = users + step * np.minimum(1, LARGEST_STEP / np.maximum(length, 1e-12))
        if length.max(initial=0) < CLOSE_ENOUGH:
            break
    return users


def temperature(
    fitted: FloatArray, factors: FloatArray, biases: FloatArray | None, train: sp.csr_array
) -> float:
    r"""Scale of scores at which the likes of (some) training users are most probable.

    Of scores :math:`s` and held items :math:`I_u` it maximises

    .. math:: \sum_u \sum_{i \in I_u} \tau s_{ui} - |I_u| \log \sum_j e^{\tau s_{uj}}
    """
    some = min(TEMPERATURE_USERS, train.shape[0])
    if some == 0:
        return 1.0
    scores = fitted[:some] @ factors.T + (0 if biases is None else biases)
    held = train[:some]
    total = float(scores[held.nonzero()].sum())
    counts = np.diff(held.indptr)

    def loss(log_scale: float) -> float:
        scale = np.exp(log_scale)
        return float(counts @ logsumexp(scale * scores, axis=1) - scale * total)

    best = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded")
    return float(np.exp(best.x))
