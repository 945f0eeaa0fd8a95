"""More real users for the judge where they are few: all teach it, and all calibrate it.

Reference and held-out users are dealt into folds. A judge for each fold is taught by the users of
all other folds, so that the users of its own fold, whom it has not seen, calibrate it. Training
users are none of them: a judge that they teach takes their memorised tastes for real.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np
import scipy.sparse as sp

from cornac_mle.plausibility.judge import PlausibilityModel
from cornac_mle.randomness import RngLike, children, repeatable_generator
from cornac_mle.sparse import FloatArray, IndexArray

CROSS_FOLDS = 5
"""Folds: four in five users teach each judge, three in five where real users are tested."""


@dataclass(frozen=True, eq=False)
class CrossJudge:
    r"""Judges of profiles, one for each fold of real users that it has not seen.

    With folds k = 1, ..., K of n real users y_i, S_k the score of the judge of fold k, and R the
    users who calibrate, a profile x has the cross-conformal p-value [1]_

    .. math:: p(x) = \frac{1 + \sum_k \#\{i \in R \cap k : S_k(y_i) \le S_k(x)\}}{1 + |R|}.

    For a new real user, P(p <= a) is at most 2 (a (n + 1) + K - 1) / (n + K), about 2 a, since
    twice the mean of p-values is one [2]_; what is measured is about a.

    Attributes
    ----------
    folds : tuple of ndarray of int
        Row numbers of the real users of each fold.
    judges : tuple of PlausibilityModel
        Judge of each fold.
    own_scores : ndarray, shape (n_real,)
        Score of each real user by the judge of its own fold.
    seed : SeedSequence
        Random seed of every judge.

    References
    ----------
    .. [1] Vovk (2015), "Cross-conformal predictors", Annals of Mathematics and Artificial
       Intelligence 74.
    .. [2] Vovk & Wang (2020), "Combining p-values via averaging", Biometrika 107(4).
    """

    real: sp.csr_array
    folds: tuple[IndexArray, ...]
    judges: tuple[PlausibilityModel, ...]
    own_scores: FloatArray
    family: str
    unseen_is_evidence: bool
    seed: np.random.SeedSequence

    @classmethod
    def fit(
        cls,
        real: sp.csr_array,
        *,
        family: str = "ease",
        unseen_is_evidence: bool = False,
        rng: RngLike,
    ) -> Self:
        """Deal users into folds and fit a judge for each.

        Parameters
        ----------
        real : csr_array, shape (n_real, n_items)
            Real users whom no model has seen.
        family : {"ease", "item-knn", "svd"}
            Family of the judges.
        unseen_is_evidence : bool
            See `PlausibilityModel.fit`.
        rng : int, SeedSequence or Generator
            Random seed of the folds and the judges.

        Raises
        ------
        ValueError
            If fewer than 20 users of 2 items or more are left to teach a judge.
        """
        deal, seed = children(repeatable_generator(rng), 2)
        dealt = np.random.default_rng(deal).permutation(real.shape[0])
        folds = tuple(np.sort(part) for part in np.array_split(dealt, CROSS_FOLDS))
        judges = tuple(
            _taught_without(real, [fold], family, unseen_is_evidence, seed) for fold in folds
        )
        own = np.empty(real.shape[0])
        for fold, judge in zip(folds, judges, strict=True):
            own[fold] = judge.score(sp.csr_array(real[fold]))
        return cls(real, folds, judges, own, family, unseen_is_evidence, seed)

    def scores(self, profiles: sp.csr_array) -> FloatArray:
        """Score profiles by every judge, (n_users, n_folds); higher is more believable."""
        return np.column_stack([judge.score(profiles) for judge in self.judges])

    def p_values(self, scores: FloatArray, calibrating: IndexArray) -> FloatArray:
        """Cross-conformal p-values of users by their `scores`, (n_users,).

        Parameters
        ----------
        scores : ndarray, shape (n_users, n_folds)
            What `scores` gives of users who are none of the real users.
        calibrating : ndarray of int
            Row numbers of the real users who calibrate.
        """
        below = np.zeros(len(scores), dtype=np.intp)
        for fold, of_fold in zip(self.folds, scores.T, strict=True):
            below += _at_most(of_fold, self.own_scores[np.intersect1d(fold, calibrating)])
        return np.asarray((1 + below) / (1 + len(calibrating)))

    def pair_scores(self) -> FloatArray:
        """Scores of real users by judges that have seen neither of two folds, (n_real, n_folds).

        Column k holds, of a user of another fold l, the score of the judge that is blind to k and
        l; of the fold's own users, it is empty (NaN). The judges are fitted on call.
        """
        found = np.full((self.real.shape[0], len(self.folds)), np.nan)
        for one, two in combinations(range(len(self.folds)), 2):
            both = [self.folds[one], self.folds[two]]
            judge = _taught_without(
                self.real, both, self.family, self.unseen_is_evidence, self.seed
            )
            found[both[0], two] = judge.score(sp.csr_array(self.real[both[0]]))
            found[both[1], one] = judge.score(sp.csr_array(self.real[both[1]]))
        return found

    def real_p_values(
        self, pair_scores: FloatArray, tested: IndexArray, calibrating: IndexArray
    ) -> FloatArray:
        """Cross-conformal p-values of real users, (n_tested,), by users of the other folds.

        A user of fold l is judged as a new one is by the folds that are left without l: nothing
        that judges or calibrates has seen it.

        Parameters
        ----------
        pair_scores : ndarray, shape (n_real, n_folds)
            What `pair_scores` gives.
        tested, calibrating : ndarray of int
            Row numbers of the real users who are tested, and of those who calibrate; none is both.
        """
        fold_of = np.empty(self.real.shape[0], dtype=np.intp)
        for number, fold in enumerate(self.folds):
            fold_of[fold] = number
        p_values = np.empty(len(tested))
        for number in np.unique(fold_of[tested]):
            mine = fold_of[tested] == number
            below, n_calibrating = np.zeros(mine.sum(), dtype=np.intp), 0
            for other in range(len(self.folds)):
                if other == number:
                    continue
                against = calibrating[fold_of[calibrating] == other]
                below += _at_most(pair_scores[tested[mine], other], pair_scores[against, number])
                n_calibrating += len(against)
            p_values[mine] = (1 + below) / (1 + n_calibrating)
        return p_values


def _taught_without(
    real: sp.csr_array,
    folds: Sequence[IndexArray],
    family: str,
    unseen_is_evidence: bool,
    seed: np.random.SeedSequence,
) -> PlausibilityModel:
    rest = np.setdiff1d(np.arange(real.shape[0]), np.concatenate(folds))
    return PlausibilityModel.fit(
        sp.csr_array(real[rest]), family=family, unseen_is_evidence=unseen_is_evidence, rng=seed
    )


def _at_most(scores: FloatArray, calibration: FloatArray) -> IndexArray:
    """Count, for each score, the calibration scores that are at or below it."""
    return np.searchsorted(np.sort(calibration), scores, side="right")
