"""One judge from all three: it tells reference users from planted corruption of several kinds.

Fitted on reference users alone, so that its p-values are exact when it is calibrated on users that
it has not seen, which the smallest of three judges' p-values are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp
from sklearn.ensemble import HistGradientBoostingClassifier

from cornac_mle.null_models.corruption import chimera, popularity_draws, swap
from cornac_mle.plausibility.judge import UNIFORM_SHARE, PlausibilityModel
from cornac_mle.plausibility.profile_features import blind_features, folds_of, profile_features
from cornac_mle.randomness import RngLike, cornac_seed, repeatable_generator
from cornac_mle.sparse import FloatArray, IntArray

COMBINED = "combined"
"""Name of the judge among the families of judges."""
SWAPPED = (0.25, 0.5)
"""Shares of the items that are swapped in two of the kinds of corruption."""
CHIMERAS = 2
"""Times that every reference user is made a chimera: the kind that is hardest to tell."""
BOOSTING = {"max_iter": 100, "learning_rate": 0.05, "max_leaf_nodes": 8, "min_samples_leaf": 20}
"""Settings of the boosted trees, the same for all data."""


@dataclass(frozen=True, eq=False)
class CombinedJudge:
    """A judge of profiles that has all three families' evidence. Higher is more believable.

    Attributes
    ----------
    judges : tuple of PlausibilityModel
        Judges that describe profiles.
    classifier : HistGradientBoostingClassifier
        Classifier of "corrupted" on `profile_features`.
    reference_features : ndarray, shape (n_reference, n_features)
        Features of the reference users, by what is blind to them.
    """

    judges: tuple[PlausibilityModel, ...]
    classifier: HistGradientBoostingClassifier
    reference_features: FloatArray

    @classmethod
    def fit(cls, judges: Sequence[PlausibilityModel], *, rng: RngLike) -> Self:
        """Tell reference users from swaps, chimeras and popularity users made from them.

        Parameters
        ----------
        judges : sequence of PlausibilityModel
            Judges of the same reference users, fitted with the same random seed.
        rng : int, SeedSequence or Generator
            Random seed of the corruption and of the classifier.
        """
        random = repeatable_generator(rng)
        users, counts = judges[0].predictor.reference, judges[0].user_counts
        weights = (1 - UNIFORM_SHARE) * counts / counts.sum() + UNIFORM_SHARE / counts.size
        groups = [users]
        groups += [swap(users, share, popularity=weights, rng=random) for share in SWAPPED]
        groups.append(popularity_draws(weights, np.diff(users.indptr), rng=random))
        for _ in range(CHIMERAS):  # within folds: what judges a chimera is blind to both its users
            halves = [chimera(users[fold], rng=random) for fold in folds_of(judges)]
            groups.append(sp.csr_array(sp.vstack(halves, format="csr")))
        features = blind_features(judges, groups)
        is_corrupted = np.arange(len(groups) * users.shape[0]) >= users.shape[0]
        # Without class weights, which find the same and make bins three times as slow as all else.
        classifier = HistGradientBoostingClassifier(
            **BOOSTING,
            early_stopping=False,
            random_state=cornac_seed(random),
        )
        classifier.fit(np.vstack(features), is_corrupted)
        return cls(tuple(judges), classifier, features[0])

    def score(self, profiles: sp.csr_array) -> FloatArray:
        """Log odds of being a real user, (n_users,); -inf for fewer than 2 items."""
        return self.score_features(
            profile_features(self.judges, profiles), np.diff(profiles.indptr)
        )

    def score_features(self, features: FloatArray, sizes: IntArray) -> FloatArray:
        """Score users by their features, (n_users,)."""
        scores = -np.asarray(self.classifier.decision_function(features), dtype=np.float64)
        return np.where(sizes >= 2, scores, -np.inf)
