"""What speaks for and against every held item, and the regression that weighs it."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from cornac_mle.plausibility._regression import QuadraticRegression
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
) -> tuple[QuadraticRegression, float]:
    """Fit the regression, genuine and planted items weighing alike, and give its mean log loss."""
    weight = np.where(is_planted, 0.5 / is_planted.mean(), 0.5 / (~is_planted).mean())
    regression = QuadraticRegression.fit(evidence, is_planted, weight)
    log_odds = regression.log_odds(evidence)
    loss = np.average(np.logaddexp(0, np.where(is_planted, -log_odds, log_odds)), weights=weight)
    return regression, float(loss)


def log_genuine(
    regression: QuadraticRegression, evidence: NDArray[np.float64], log_unseen: float | None
) -> NDArray[np.float64]:
    """Log P(genuine) of each piece of evidence, (n,)."""
    found = -np.logaddexp(0, regression.log_odds(evidence))
    return found if log_unseen is None else np.where(_is_unseen(evidence), log_unseen, found)


def _is_unseen(evidence: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether no reference user holds the item: the log of their number plus 1 is 0."""
    return np.asarray(evidence[:, 2] == 0)


def log_genuine_unseen(own: NDArray[np.float64]) -> float:
    """Log P(genuine) of an unseen item, from the evidence on the reference users' own items."""
    unseen = (1 + np.count_nonzero(_is_unseen(own))) / (2 + len(own))
    return float(np.log(unseen / (unseen + 0.5)))
