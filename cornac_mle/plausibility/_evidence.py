"""What speaks for and against every held item, and the regression that weighs it."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from cornac_mle.plausibility.predictor import LeaveOneOutPredictor, held_percentiles
from cornac_mle.sparse import user_of


def item_evidence(
    profiles: sp.csr_array,
    predictor: LeaveOneOutPredictor,
    user_counts: NDArray[np.float64],
    n_users: int,
) -> NDArray[np.float64]:
    """Collect what speaks for and against every held item, (profiles.nnz, 4).

    The columns are the logit of the score's percentile; the log lift of the score over the item's
    share of the reference users, both smoothed by one user; the log of the number of reference
    users who hold the item, plus 1; and the log of the profile's size.

    Parameters
    ----------
    profiles : csr_array, shape (n_block, n_items)
        Block of profiles.
    predictor : LeaveOneOutPredictor
        Predictor fitted on reference users.
    user_counts : ndarray, shape (n_items,)
        Number of reference users who hold the item.
    n_users : int
        Number of reference users that the counts are of; the predictor may know fewer.
    """
    return evidence_of(profiles, predictor.scores(profiles), user_counts, n_users)


def evidence_of(
    profiles: sp.csr_array,
    scores: NDArray[np.float32],
    user_counts: NDArray[np.float64],
    n_users: int,
) -> NDArray[np.float64]:
    """Collect the evidence of `item_evidence` from the scores of all items, (n_block, n_items)."""
    user, item = user_of(profiles), profiles.indices
    percentile = held_percentiles(profiles, scores)
    predicted = n_users * np.maximum(scores[user, item].astype(np.float64), 0)  # users
    evidence = np.empty((profiles.nnz, 4))
    evidence[:, 0] = np.log(percentile / (1 - percentile))
    evidence[:, 1] = np.log((predicted + 1) / (user_counts[item] + 1))
    evidence[:, 2] = np.log(user_counts + 1)[item]
    sizes = np.diff(profiles.indptr)
    evidence[:, 3] = np.log(np.maximum(sizes, 1))[user]
    return evidence


def fitted_regression(
    evidence: NDArray[np.float64], is_planted: NDArray[np.bool_]
) -> tuple[Pipeline, float]:
    """Fit the regression, genuine and planted items weighing alike, and give its mean log loss."""
    weight = np.where(is_planted, 0.5 / is_planted.mean(), 0.5 / (~is_planted).mean())
    regression = make_pipeline(
        StandardScaler(),
        PolynomialFeatures(degree=2, include_bias=False),
        StandardScaler(),
        # Newton steps reach the minimum: where steps stop short of it, float noise picks a setting.
        LogisticRegression(solver="newton-cholesky", tol=1e-8),
    )
    regression.fit(evidence, is_planted, logisticregression__sample_weight=weight)
    log_odds = regression.decision_function(evidence)
    loss = np.average(np.logaddexp(0, np.where(is_planted, -log_odds, log_odds)), weights=weight)
    return regression, float(loss)


def log_genuine(
    regression: Pipeline, evidence: NDArray[np.float64], log_unseen: float | None
) -> NDArray[np.float64]:
    """Log P(genuine) of each piece of evidence, (n,)."""
    found = -np.logaddexp(0, _log_odds(regression, evidence))
    return found if log_unseen is None else np.where(_is_unseen(evidence), log_unseen, found)


def _log_odds(regression: Pipeline, evidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the decision function, (n,): scaled squares and products, brought to one formula."""
    first, polynomial, second, logistic = (step for _, step in regression.steps)
    coefficients = logistic.coef_[0] / second.scale_  # (n_terms,)
    constant = logistic.intercept_[0] - coefficients @ second.mean_
    linear, square = np.zeros(evidence.shape[1]), np.zeros(2 * evidence.shape[1:])
    for coefficient, power in zip(coefficients, polynomial.powers_, strict=True):
        factors = np.repeat(np.arange(len(power)), power)  # one column, or two
        if len(factors) == 1:
            linear[factors] += coefficient
        else:
            square[tuple(factors)] += coefficient
    scaled = (evidence - first.mean_) / first.scale_
    return np.asarray(np.einsum("ni,ni->n", scaled @ square + linear, scaled) + constant)


def _is_unseen(evidence: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether no reference user holds the item: the log of their number plus 1 is 0."""
    return np.asarray(evidence[:, 2] == 0)


def log_genuine_unseen(own: NDArray[np.float64]) -> float:
    """Log P(genuine) of an unseen item, from the evidence on the reference users' own items."""
    unseen = (1 + np.count_nonzero(_is_unseen(own))) / (2 + len(own))
    return float(np.log(unseen / (unseen + 0.5)))
