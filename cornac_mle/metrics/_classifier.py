"""A classifier between synthetic and real users: how well it does, and on which side.

Every user is described by numbers that know reference users only: what the judges of plausibility
say of the profile (`Evaluator.features`), and where its taste lies among the main directions of
reference users' tastes. A logistic regression tells synthetic from real users; every user is scored
by a regression fitted on other users (5 folds).
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.splits import Splits, split_key
from cornac_mle.plausibility.profile_features import taste_directions
from cornac_mle.profiles import Profiles
from cornac_mle.randomness import children, cornac_seed
from cornac_mle.sparse import FloatArray, pattern

FOLDS = 5
"""Groups of users; each is scored by a regression fitted on the others."""
MIN_USERS = 2 * FOLDS
"""Users on each side of a half-split, at least: two a fold."""
INVERSE_PENALTY = 0.1
"""scikit-learn's C: some thirty features are learned from as few as a hundred users."""


@dataclass(frozen=True, eq=False)
class ClassScores:
    """What regressions that have not seen a user say of it, on one half-split.

    Attributes
    ----------
    real, synthetic : ndarray, shape (n_real,) and (n_synthetic,)
        Calibrated log-odds of being synthetic.
    auc : float
        Area under the ROC curve within folds, averaged over folds.
    """

    real: FloatArray
    synthetic: FloatArray
    auc: float


def class_scores(evaluator: Evaluator, users: Profiles, splits: Splits) -> list[ClassScores]:
    """Cross-fitted scores on each split, computed once for the metrics that share them."""

    def compute() -> list[ClassScores]:
        real, other = (
            classifier_features(evaluator, evaluator.held_out),
            classifier_features(evaluator, users),
        )
        return [
            cross_fitted(real[split.real], other[split.other], rng=np.random.default_rng(seed))
            for split, seed in zip(splits, evaluator.split_seeds, strict=True)
        ]

    return evaluator.remembered(users, class_scores, split_key(splits), compute=compute)


def classifier_features(evaluator: Evaluator, users: Profiles) -> FloatArray:
    """Describe users by judges and by directions of taste, (n_users, n_features)."""
    directions = evaluator.remembered(
        taste_directions, compute=lambda: taste_directions(evaluator.reference.matrix)
    )  # (n_items, n_directions)
    taste = normalize(pattern(users.matrix)) @ directions
    return np.column_stack([evaluator.features(users), taste])


def cross_fitted(
    real: FloatArray, synthetic: FloatArray, *, rng: np.random.Generator
) -> ClassScores:
    """Score every user by a regression that has not seen it, and calibrate the scores.

    Calibration is Platt's, a logistic regression on the score; that of a fold is fitted on the
    scores of the other folds. Both sides weigh alike.

    Parameters
    ----------
    real, synthetic : ndarray, shape (n_real, n_features) and (n_synthetic, n_features)
        Finite; at least 5 rows each.
    rng : Generator
        Source of the random folds.
    """
    features = np.vstack([real, synthetic])
    is_synthetic = np.arange(len(features)) >= len(real)
    # A child: half-splits are drawn from the same seeds.
    (seed,) = children(rng, 1)
    folds = list(
        StratifiedKFold(FOLDS, shuffle=True, random_state=cornac_seed(seed)).split(
            features, is_synthetic
        )
    )
    scores, log_odds = np.empty(len(features)), np.empty(len(features))
    for seen, unseen in folds:
        scores[unseen] = (
            _classifier()
            .fit(features[seen], is_synthetic[seen])
            .decision_function(features[unseen])
        )
    for seen, unseen in folds:
        calibrated = _regression(1.0).fit(scores[seen, np.newaxis], is_synthetic[seen])
        log_odds[unseen] = calibrated.decision_function(scores[unseen, np.newaxis])
    aucs = [roc_auc_score(is_synthetic[unseen], scores[unseen]) for _, unseen in folds]
    return ClassScores(log_odds[: len(real)], log_odds[len(real) :], float(np.mean(aucs)))


def frontier(real_log_odds: FloatArray, synthetic_log_odds: FloatArray) -> tuple[float, float]:
    """Split twice the Jensen-Shannon divergence by who is too many, in bits.

    Parameters
    ----------
    real_log_odds, synthetic_log_odds : ndarray, shape (n_real,) and (n_synthetic,)
        log(eta / (1 - eta)), eta the probability of being synthetic where both sides weigh alike.

    Returns
    -------
    unrealistic, missing : float
        The sum of E_Q log2(2 eta) and E_P log2(2 (1 - eta)) over eta > 1/2, and over eta < 1/2.

    Examples
    --------
    >>> frontier(np.array([-40.0, -40.0]), np.array([40.0, 40.0]))
    (1.0, 1.0)
    >>> frontier(np.zeros(2), np.zeros(2))
    (0.0, 0.0)
    """
    real_bits = 1 - np.logaddexp(0, real_log_odds) / np.log(2)
    synthetic_bits = 1 - np.logaddexp(0, -synthetic_log_odds) / np.log(2)
    unrealistic = [
        np.mean(np.where(odds > 0, bits, 0.0))
        for odds, bits in ((real_log_odds, real_bits), (synthetic_log_odds, synthetic_bits))
    ]
    return float(sum(unrealistic)), float(
        np.mean(real_bits) + np.mean(synthetic_bits) - sum(unrealistic)
    )


def classifier_p_value(real: FloatArray, synthetic: FloatArray, rng: np.random.Generator) -> float:
    """Mann-Whitney p-value of scores of users whom the classifier has not seen, one-sided.

    Half of each side, at random, is fitted on, the other half tested; shapes as in `cross_fitted`.
    """
    halves = [np.array_split(rng.permutation(len(side)), 2) for side in (real, synthetic)]
    (fit_real, test_real), (fit_synthetic, test_synthetic) = halves
    features = np.vstack([real[fit_real], synthetic[fit_synthetic]])
    is_synthetic = np.arange(len(features)) >= len(fit_real)
    classifier = _classifier().fit(features, is_synthetic)
    scores = classifier.decision_function(synthetic[test_synthetic])
    real_scores = classifier.decision_function(real[test_real])
    if np.ptp(np.concatenate([scores, real_scores])) == 0:
        return 1.0  # every user is described alike
    return float(stats.mannwhitneyu(scores, real_scores, alternative="greater").pvalue)


def _classifier() -> Pipeline:
    return make_pipeline(StandardScaler(), _regression(INVERSE_PENALTY))


def _regression(inverse_penalty: float) -> LogisticRegression:
    # `balanced`: probabilities are to be those of equal weights, whatever the numbers of users.
    return LogisticRegression(C=inverse_penalty, class_weight="balanced", max_iter=1000)
