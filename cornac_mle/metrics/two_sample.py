"""A classifier between synthetic and real users: how well it does, and on which side.

Every user is described by numbers that know reference users only: what the judges of plausibility
say of the profile (`Evaluator.features`), and where its taste lies among the main directions of
reference users' tastes. A logistic regression tells synthetic from real users; every user is scored
by a regression fitted on other users (5 folds).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy import stats
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from cornac_mle.metrics.base import SplitMetric
from cornac_mle.metrics.evaluator import Evaluator, Split, split_key
from cornac_mle.profiles import Profiles
from cornac_mle.randomness import children, cornac_seed
from cornac_mle.report.measurement import MetricNote
from cornac_mle.sparse import FloatArray, pattern

FOLDS = 5
"""Groups of users; each is scored by a regression fitted on the others."""
MIN_USERS = 2 * FOLDS
"""Users on each side of a half-split, at least: two a fold."""
N_DIRECTIONS = 10
"""Directions of taste: judges do not see that a kind of user is missing, directions do."""
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


class ClassifierTest(SplitMetric):
    r"""Area under the ROC curve of a classifier that tells synthetic users from real ones.

    In [0, 1]; .5 is best: nothing tells them apart. With s(x) the score of a classifier that has
    not seen user x, for real users x and synthetic users y of one fold, averaged over folds [1]_,

    .. math:: P(s(y) > s(x)) + \tfrac{1}{2} P(s(y) = s(x)).

    A value of .81 says that of a synthetic and a real user, both new to the classifier, it knows
    which is which 81 times in 100; 1 that it always does; .31, with few users, that it learnt
    nothing. The ceiling is about .5. It is one-sided in effect: below .5 is chance, not better than
    real (the expectation for equal distributions is .5, since an AUC is taken within each fold, on
    users whom the regression has not seen; with few users a single value scatters widely around it,
    and two small groups that happen to be alike can be far below .5).

    The classifier is linear in its features, and sees only what these say: plausibility by item,
    profile size, popularity and main directions of taste. A model may fool it; `NeighbourCoverage`
    and `MMD` look at the raw sets. A model that copies training users is at .5.

    `p_value` of a measurement is that of a classifier two-sample test: the classifier is fitted on
    one half of all held-out and all synthetic users, and a Mann-Whitney test, one-sided, compares
    its scores of the others. Small where the distributions differ.

    Notes
    -----
    The AUC stands in the place of the accuracy. On halves of 118 to 442 users of four data sets the
    AUC of boosted trees was higher by .04 at most and they took six times as long. Needs 10 users
    on each side of a half-split. Time n_splits x 10 regressions on n_real + n_synthetic users,
    shared with `FrontierUnrealistic` and `FrontierMissing`.

    References
    ----------
    .. [1] Lopez-Paz & Oquab (2017), "Revisiting classifier two-sample tests", ICLR.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = ClassifierTest().measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling, found.floor
    (0.7, 0.5, 1.0)
    >>> found.p_value < 0.001
    True
    """

    bounds = (0.0, 1.0)
    ideal = 0.5
    minimum_users = MIN_USERS
    note = MetricNote("0.5", "probability that a classifier knows a synthetic user from a real one")

    def __init__(self) -> None:
        super().__init__(name="ClassifierTest")

    def _on_splits(
        self, evaluator: Evaluator, users: Profiles, splits: Sequence[Split]
    ) -> FloatArray:
        return np.asarray([scores.auc for scores in class_scores(evaluator, users, splits)])

    def _p_value(
        self, evaluator: Evaluator, synthetic: Profiles, rng: np.random.Generator
    ) -> float | None:
        real = classifier_features(evaluator, evaluator.held_out)
        return classifier_p_value(real, classifier_features(evaluator, synthetic), rng)


class FrontierMetric(SplitMetric):
    """One side of `frontier`: where synthetic users are too many, or where they are too few."""

    bounds = (-np.inf, 1.0)
    ideal = 0.0
    minimum_users = MIN_USERS
    place: int
    """Place of the metric among what `frontier` gives."""

    def __init__(self) -> None:
        super().__init__(name=type(self).__name__)

    def _on_splits(
        self, evaluator: Evaluator, users: Profiles, splits: Sequence[Split]
    ) -> FloatArray:
        scores = class_scores(evaluator, users, splits)
        return np.asarray([frontier(one.real, one.synthetic)[self.place] for one in scores])


class FrontierUnrealistic(FrontierMetric):
    r"""Divergence of synthetic from real users where synthetic ones are too many, in bits.

    At most 1; 0 is best: nowhere are there more synthetic than real users. If a share of the users
    are of kinds that no real user is, and the others are as real ones, it is about that share (.31:
    31% junk); 1 says that no user is like a real one. Always read it with `FrontierMissing`, its
    mirror. The estimate is not clipped, so that it may be slightly below 0, which is chance.

    With P the distribution of real users, Q that of synthetic ones, M = (P + Q) / 2 and eta the
    probability that a user of M is synthetic, twice the Jensen-Shannon divergence is

    .. math:: KL(Q, M) + KL(P, M) = E_Q \log_2(2 \eta) + E_P \log_2(2 (1 - \eta)).

    This metric is the part of the sum from users with eta > 1/2, FrontierMissing the part from
    those with eta < 1/2; neither is negative, neither exceeds 1. Probabilities are calibrated and
    of a classifier that has not seen the user; a classifier that misses a difference gives less,
    never systematically more.

    Notes
    -----
    Divergence frontiers [1]_ [2]_ [3]_ hold KL(Q, M) against KL(P, M) over all weights of the
    mixture M. At equal weights these two have the same sum as here but are the wrong way round:
    with a share a of junk, KL(P, M) = -log2(1 - a / 2) exceeds KL(Q, M) (a = .3: .23 against .10),
    since all real users have become a little too many. Taken by sides, that costs next to nothing
    (a = .3: unrealistic .30, missing .04). Needs 10 users on each side of a half-split.

    References
    ----------
    .. [1] Djolonga et al. (2020), "Precision-recall curves using information divergence frontiers",
       AISTATS.
    .. [2] Liu et al. (2021), "Divergence frontiers for generative models", NeurIPS.
    .. [3] Pillutla et al. (2021), "MAUVE: measuring the gap between neural text and human text
       using divergence frontiers", NeurIPS.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = FrontierUnrealistic().measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling, found.floor
    (0.3, 0.0, 0.7)
    """

    place = 0
    note = MetricNote("0", "divergence where there are more synthetic than real users, bits")


class FrontierMissing(FrontierMetric):
    r"""Divergence of synthetic from real users where synthetic ones are too few, in bits.

    At most 1; 0 is best: nowhere are there fewer synthetic than real users. .31 says, of a model
    that is right elsewhere, that about 31% of real users are missing. If the model leaves out
    a share of the real users, and the others are as they should be, it is about that share. The
    estimate is not clipped, so that it may be slightly below 0, which is chance. The mirror of
    `FrontierUnrealistic`, which has the sources; always read both. With eta the probability that a
    user is synthetic, where as many are synthetic as real, it is the part from eta < 1/2 of

    .. math:: E_Q \log_2(2 \eta) + E_P \log_2(2 (1 - \eta)).

    What is missing must be visible to the classifier: profile size, popularity, plausibility and
    main directions of taste. Kinds of users beyond these are seen by `NeighbourCoverage`.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = FrontierMissing().measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling, found.floor
    (0.0, 0.0, 0.6)
    """

    place = 1
    note = MetricNote("0", "divergence where there are fewer synthetic than real users, bits")


def class_scores(
    evaluator: Evaluator, users: Profiles, splits: Sequence[Split]
) -> list[ClassScores]:
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


def taste_directions(reference: sp.csr_array) -> FloatArray:
    """Find the first right singular vectors of normalised profiles, (n_items, n_directions).

    At most 10; directions in which reference users do not differ are left out.
    """
    count = min(N_DIRECTIONS, min(reference.shape) - 1)
    # Exact to rounding, hence the same in any order of items; the seed is that of a start vector.
    svd = TruncatedSVD(count, algorithm="arpack", random_state=0)
    svd.fit(normalize(pattern(reference)).astype(np.float64))
    along = svd.singular_values_ > 1e-6 * svd.singular_values_.max()
    return np.asarray(svd.components_[along].T)


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
        For the folds.
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
