"""The adaptive judge: one for each model's own faults.

It is a classifier of real users (class 0) and some synthetic users (class 1), and judges other
synthetic users. Held-out users do not teach it, so that a new real user is exchangeable with them
given the judge, and p-values calibrated on them are exact.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.plausibility.judge import FAMILIES
from cornac_mle.plausibility.profile_features import (
    blind_features,
    taste_directions,
)
from cornac_mle.profiles import Profiles
from cornac_mle.sparse import FloatArray, IndexArray, pattern
from cornac_mle.stats.conformal import conformal_p_values

ADAPTIVE = "adaptive"
INVERSE_PENALTY = 0.03
"""scikit-learn's C: some fifty features are learned from as few as a hundred synthetic users."""


@dataclass(frozen=True, eq=False)
class JudgedPart:
    """Users judged by a classifier that has seen none of them, and held-out users by the same one.

    Attributes
    ----------
    rows : ndarray of int, shape (n_part,)
        Row numbers of the users judged.
    scores, real_scores : ndarray, shape (n_part,) and (n_real,)
        Log odds of being real.
    """

    rows: IndexArray
    scores: FloatArray
    real_scores: FloatArray


def adaptive_on_split(
    evaluator: Evaluator, users: Profiles, real: IndexArray, other: IndexArray
) -> list[JudgedPart]:
    """Judge ``users[other]`` by what the users who are left teach, against ``held_out[real]``.

    Of held-out users none is left to teach, since the others calibrate: there `other` is cut into
    two halves, each of which teaches a judge of the other half.
    """
    if users is not evaluator.held_out:
        left = np.setdiff1d(np.arange(len(users)), other)
        return [_judged(evaluator, users, left, other, real)]
    return [
        _judged(evaluator, users, one, two, real)
        for one, two in ((other[::2], other[1::2]), (other[1::2], other[::2]))
    ]


def adaptive_halves(evaluator: Evaluator, users: Profiles) -> list[JudgedPart]:
    """Judge each random half of the users by what the other half teaches, against all held-out."""

    def compute() -> list[JudgedPart]:
        random = np.random.default_rng(evaluator.split_seeds[0])
        one, two = (np.sort(part) for part in np.array_split(random.permutation(len(users)), 2))
        everyone = np.arange(len(evaluator.held_out))
        return [
            _judged(evaluator, users, one, two, everyone),
            _judged(evaluator, users, two, one, everyone),
        ]

    return evaluator.remembered(users, adaptive_halves, compute=compute)


def adaptive_p_values(evaluator: Evaluator, users: Profiles) -> FloatArray:
    """Conformal p-value of each user by the judge that its own half did not teach, (n_users,)."""
    p_values = np.empty(len(users))
    for part in adaptive_halves(evaluator, users):
        p_values[part.rows] = conformal_p_values(part.scores, part.real_scores)
    return p_values


def _judged(
    evaluator: Evaluator, users: Profiles, taught: IndexArray, rows: IndexArray, real: IndexArray
) -> JudgedPart:
    known = evaluator.remembered(_known_users, compute=lambda: _known_users(evaluator))
    own, held_out = (_with_tastes(evaluator, group) for group in (users, evaluator.held_out))
    classifier = fitted_classifier(known, own[taught])

    def scores(group: Profiles, described: FloatArray, chosen: IndexArray) -> FloatArray:
        found = -classifier.decision_function(described[chosen])
        return np.where(group.sizes[chosen] >= 2, found, -np.inf)

    return JudgedPart(rows, scores(users, own, rows), scores(evaluator.held_out, held_out, real))


def fitted_classifier(known: FloatArray, synthetic: FloatArray) -> Pipeline:
    """Fit the classifier of real users, (n_known, n_features), and synthetic ones."""
    features = np.vstack([known, synthetic])
    is_synthetic = np.arange(len(features)) >= len(known)
    # `balanced`, so that how many are synthetic does not matter.
    regression = LogisticRegression(C=INVERSE_PENALTY, class_weight="balanced", max_iter=1000)
    return make_pipeline(StandardScaler(), regression).fit(features, is_synthetic)


def _known_users(evaluator: Evaluator) -> FloatArray:
    """Features of the real users who teach: training users, else reference users, blindly."""
    if evaluator.train is not None:
        return _with_tastes(evaluator, evaluator.train)
    judges = [evaluator.judge_for_family(family) for family in FAMILIES]
    users = judges[0].predictor.reference
    return np.column_stack([blind_features(judges, [users])[0], _tastes(evaluator, users)])


def _with_tastes(evaluator: Evaluator, users: Profiles) -> FloatArray:
    described = evaluator.rich_features(users)
    tastes = evaluator.remembered(users, _tastes, compute=lambda: _tastes(evaluator, users.matrix))
    return np.column_stack([described, tastes])


def _tastes(evaluator: Evaluator, matrix: sp.csr_array) -> FloatArray:
    """Place of each user along the main directions of reference users' tastes."""
    directions = evaluator.remembered(
        taste_directions, compute=lambda: taste_directions(evaluator.reference.matrix)
    )
    return np.asarray(normalize(pattern(matrix)) @ directions, dtype=np.float64)
