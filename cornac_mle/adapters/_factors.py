"""Families whose users are factors and biases: what they hold, and fold-in by their own loss."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize_scalar
from scipy.special import digamma, expit, logit, logsumexp, softmax

from cornac_mle.adapters.adapter import as_floats
from cornac_mle.sparse import FloatArray

FOLD_IN_STEPS = 100
"""Updates of a user's Gamma posterior in Poisson factorisation, and of NMF's factors."""
PRIOR_SHAPE = 0.3
"""Shape of the Gamma prior of factors in Cornac's HPF."""
NEWTON_STEPS = 25
LARGEST_STEP = 3.0
"""Prior standard deviations that a point moves at once."""
CLOSE_ENOUGH = 1e-6
LEAST_VARIANCE = 1e-12
"""Variance of fitted points that are all alike."""
TEMPERATURE_USERS = 256
TEMPERATURES = (1e-2, 1e4)
LEAST_SHARE = 1e-3
"""Factors above 0 are taken as logarithms, floored at this share of the training users' mean."""


def ridge(
    matrix: sp.csr_array,
    factors: FloatArray,
    target: sp.csr_array,
    fitted: FloatArray,
    noise: float,
) -> FloatArray:
    """Most probable points, given values at held items, if users are like the fitted ones.

    The prior of a point has the mean and the variances of the fitted points, so that a model that
    is far from converged, whose points are all alike, takes an unseen user to be like them too.

    Parameters
    ----------
    matrix, target : csr_array, shape (n_users, n_items)
        Of one pattern.
    factors : ndarray, shape (n_items, k)
    fitted : ndarray, shape (n_training_users, k)
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


def likely_points(
    matrix: sp.csr_array,
    factors: FloatArray,
    biases: FloatArray | None,
    fitted: FloatArray,
    train: sp.csr_array,
) -> FloatArray:
    """Most probable points of users of whom likes are known, if they are like the fitted ones.

    Likes are multinomial in exp(temperature * (factors @ point + biases)), the prior of a point has
    the mean and the variances of the fitted points, and the temperature is the one at which the
    likes of training users are most probable at their own points: near 1 for BPR, far from it for
    losses whose scores have another scale.

    Parameters
    ----------
    matrix : csr_array, shape (n_users, n_items)
    factors : ndarray, shape (n_items, k)
    biases : ndarray, shape (n_items,), or None
    fitted : ndarray, shape (n_training_users, k)
    train : csr_array, shape (n_training_users, n_items)

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
    """Scale of scores at which the likes of (some) training users are most probable."""
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

    return ridge(matrix, factors, rest(matrix), fitted, noise(rest(train), factors, fitted))


def noise(target: sp.csr_array, factors: FloatArray, fitted: FloatArray) -> float:
    """Variance of the training users' values around what their points give; 1 if there are none."""
    if target.nnz == 0:
        return 1.0
    rows = np.repeat(np.arange(target.shape[0]), np.diff(target.indptr))
    given = np.einsum("ek,ek->e", fitted[rows], factors[target.indices])
    return max(float(np.mean((target.data - given) ** 2)), LEAST_VARIANCE)


# ------------------------------------------------------------------- BaselineOnly: one bias a user


def bias_points(model: Any) -> FloatArray:
    """Lay out each training user as its bias."""
    return as_floats(model.u_biases)[: model.num_users, None]


def bias_scores(model: Any, points: FloatArray) -> FloatArray:
    """Predict ratings by the two biases."""
    return as_floats(model.global_mean + as_floats(model.i_biases) + points)


def bias_fold_in(model: Any, matrix: sp.csr_array, train: sp.csr_array) -> FloatArray:
    """Average what the user's ratings are above the items' biases, shrunk as in training."""
    target = matrix.astype(np.float64)
    target.data = target.data - model.global_mean - as_floats(model.i_biases)[matrix.indices]
    counts = np.diff(matrix.indptr).clip(1)
    return as_floats(target.sum(axis=1) / (counts * (1 + model.lambda_reg)))[:, None]


# ----------------------------------------------------------------------------- NMF: factors above 0


def log_floored(factors: FloatArray, fitted: FloatArray) -> FloatArray:
    """Take logarithms, so that a density over them draws factors above 0; floored by the fitted."""
    return np.log(np.maximum(factors, LEAST_SHARE * max(float(fitted.mean()), 1e-12)))


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
    """Run NMF's multiplicative updates for the user's factors, with the items' fixed."""
    items = as_floats(model.i_factors)
    users = np.full((matrix.shape[0], items.shape[1]), 1 / np.sqrt(items.shape[1]))
    known = model.global_mean + as_floats(model.i_biases)[matrix.indices]
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    counts = np.diff(matrix.indptr)[:, None]
    wanted = matrix.astype(np.float64) @ items
    given = matrix.astype(np.float64)
    for _ in range(FOLD_IN_STEPS):
        given.data = known + np.einsum("ek,ek->e", users[rows], items[matrix.indices])
        users = users * wanted / (given @ items + counts * model.lambda_u * users + 1e-9)
    fitted = as_floats(model.u_factors)[: model.num_users]
    return np.column_stack([log_floored(users, fitted), np.zeros(len(users))])


# ---------------------------------------------------------------- PMF: ratings through a sigmoid


def dot_points(model: Any) -> FloatArray:
    """Lay out each training user as its factors, of models that score by U and V alone."""
    return as_floats(model.U)[: model.num_users]


def dot_scores(model: Any, points: FloatArray) -> FloatArray:
    """Rank by the product of factors."""
    return as_floats(points @ as_floats(model.V)[: model.num_items].T)


def pmf_ratings(model: Any, scores: FloatArray) -> FloatArray:
    """Predict ratings through PMF's own link, where it has one; it ranks without."""
    if model.variant != "non_linear":
        return scores
    return as_floats(model.min_rating + (model.max_rating - model.min_rating) * expit(scores))


def pmf_fold_in(model: Any, matrix: sp.csr_array, train: sp.csr_array) -> FloatArray:
    """Most probable factors, given ratings mapped to (0, 1) and to log-odds by PMF's own link."""
    factors, fitted = as_floats(model.V), dot_points(model)

    def linked(rows: sp.csr_array) -> sp.csr_array:
        target = rows.astype(np.float64)
        if model.variant == "non_linear":
            width = max(float(model.max_rating - model.min_rating), 1e-12)
            target.data = logit(np.clip((target.data - model.min_rating) / width, 0.02, 0.98))
        return target

    return ridge(matrix, factors, linked(matrix), fitted, noise(linked(train), factors, fitted))


# --------------------------------------------------- BPR, WBPR, MMMF; IBPR, WMF: factors of likes


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


def dot_fold_in(model: Any, matrix: sp.csr_array, train: sp.csr_array) -> FloatArray:
    """Most probable factors, given the user's likes (`likely_points`)."""
    factors = as_floats(model.V)[: matrix.shape[1]]
    return likely_points(matrix, factors, None, dot_points(model), train)


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
    """Coordinate ascent of the user's Gamma posterior, with the items' posterior fixed.

    As in Gopalan, Hofman & Blei (2015), algorithm 1, for the user's part. The prior's rate
    is that of the median training user.
    """
    items, total = as_floats(model.Beta), as_floats(model.Beta).sum(axis=0)
    beta = np.exp(digamma(as_floats(model.Ls))) / as_floats(model.Lr)  # geometric means
    rate = np.median(np.mean(as_floats(model.Gr) - total, axis=1)) + total
    counts = matrix.astype(np.float64)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    shape = np.tile(PRIOR_SHAPE + counts.sum(axis=1)[:, None] / items.shape[1], (1, items.shape[1]))
    for _ in range(FOLD_IN_STEPS):
        theta = np.exp(digamma(shape)) / rate
        counts.data = matrix.data / np.maximum(
            np.einsum("ek,ek->e", theta[rows], beta[matrix.indices]), 1e-300
        )
        shape = PRIOR_SHAPE + theta * (counts @ beta)
    return log_floored(shape / rate, as_floats(model.Theta)[: model.num_users])
