"""How plausible is it that a real user has this profile? Reference users judge, item by item.

1. *Leave one out.* A predictor fitted on the reference users scores every held item by the other
   items of the profile. There are three families of them: EASE, item nearest neighbours and the
   residual of an SVD, so that no model is judged by its own kind alone.
2. *Evidence.* The score of a held item is read in two ways: its percentile among the items that the
   user does not hold, and its lift over the share of reference users who hold the item.
3. *Judgement.* A logistic regression on this evidence, the item's popularity and the profile's size
   tells items that reference users really hold from items planted in their profiles, most of them
   drawn by popularity.
   The raw score of a profile is the mean, over its items, of the log probability of being genuine.
4. *Adjustment.* Location and scale of the raw score are regressed on size and popularity.
5. *Calibration*, outside: `conformal.conformal_p_values` against users that nothing above has seen.

Whatever steps 3 and 4 learn from is cross-fitted: a reference user is scored by weights fitted
without that user. EASE needs no refitting for that, since leaving users out of a ridge regression
has a closed form.

What it cannot see: an item that hardly any reference user holds speaks neither for nor against a
profile. On very sparse data, profiles made of nothing else pass as plausible. Where reference users
and items are both many, `MAX_USERS` of the users judge: the evidence of the others is given up, so
that memory and time stay bounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.stats import rankdata

from cornac_mle.checks import check_choice, refusal
from cornac_mle.null_models.corruption import swap
from cornac_mle.plausibility._cross_fitting import blind_folds, cross_fitted, cross_refitted
from cornac_mle.plausibility._ease import EasePredictor
from cornac_mle.plausibility._evidence import (
    evidence_of,
    fitted_regression,
    log_genuine,
    log_genuine_unseen,
)
from cornac_mle.plausibility._item_knn import ItemKnnPredictor
from cornac_mle.plausibility._regression import QuadraticRegression
from cornac_mle.plausibility._svd import SvdPredictor
from cornac_mle.plausibility.predictor import LeaveOneOutPredictor
from cornac_mle.randomness import RngLike, repeatable_generator
from cornac_mle.sparse import pattern, user_of
from cornac_mle.workers import in_threads, one_thread

FAMILIES: dict[str, type[LeaveOneOutPredictor]] = {
    "ease": EasePredictor,
    "item-knn": ItemKnnPredictor,
    "svd": SvdPredictor,
}
"""Families of judges; the first is the primary one."""
BLOCK_USERS = 1024
"""Profiles scored together, at most."""
BLOCK_ENTRIES = 2**22
"""Scores of such a block, at most: the largest dense array. One of 16 MiB is used again and again;
the memory of larger ones goes back to the system, and to get it again costs more than to score."""
PREPARED_USERS = 8192
"""Profiles that a predictor is prepared for at a time, by arrays of them x reference users."""
FOLDS = 10
"""Groups of reference users; each is scored by weights fitted on the others."""
PLANTED_SHARE = 0.25
"""Share of the items of a reference profile that planted items replace."""
UNIFORM_SHARE = 0.1
"""Weight of uniform draws among planted items, the rest following popularity: without them an item
too rare to be planted would count as genuine whatever the profile."""
ADJUSTED_RANGE = (0.05, 0.95)
"""Quantiles of the reference users' circumstances beyond which the adjustment stays as it is, so
that no profile is excused for being unlike real ones in size or popularity."""
MIN_REFERENCE_USERS = 20
"""Users of 2 items or more that teach a judge, at least."""
MAX_USERS = 4000
"""Reference users that judge where the catalogue, too, has more items than that: time is cubic and
memory quadratic in the smaller of the two."""
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
"""Quantiles of the evidence on a profile's items that describe it."""


@dataclass(frozen=True, eq=False)
class PlausibilityModel:
    """A judge of profiles, fitted on reference users. Higher scores are more believable.

    Attributes
    ----------
    predictor : LeaveOneOutPredictor
        Predictor at the setting that told planted items best.
    user_counts : ndarray, shape (n_items,)
        Number of reference users who hold the item.
    regression : QuadraticRegression
        Logistic regression of "planted" on `item_evidence`, its squares and products.
    location, log_scale : ndarray, shape (5,)
        Coefficients of the adjustment, see `circumstances_of`.
    bounds : ndarray, shape (2, 5)
        Range of circumstances beyond which the adjustment stays as it is.
    reference_scores : ndarray, shape (n_users,)
        Cross-fitted scores of the users that it was fitted on.
    log_unseen : float or None
        Log P(genuine) of an item that no reference user holds, where that is evidence; None where
        it is left to the regression.
    """

    predictor: LeaveOneOutPredictor
    user_counts: NDArray[np.float64]
    regression: QuadraticRegression
    location: NDArray[np.float64]
    log_scale: NDArray[np.float64]
    bounds: NDArray[np.float64]
    reference_scores: NDArray[np.float64]
    log_unseen: float | None = None

    @classmethod
    @one_thread()
    def fit(
        cls,
        reference: sp.csr_array,
        *,
        family: str = "ease",
        unseen_is_evidence: bool = False,
        rng: RngLike,
    ) -> Self:
        """Fit the judge.

        Parameters
        ----------
        reference : csr_array, shape (n_users, n_items)
            Profiles of real users; those of fewer than 2 items are left out. No user of it may be a
            user that p-values are computed for or calibrated on.
        family : {"ease", "item-knn", "svd"}
            Family of the leave-one-out predictor.
        unseen_is_evidence : bool
            Whether an item that no reference user holds speaks against a profile. Then P(genuine)
            of such an item is s / (s + 1/2), where s is the share of reference users' preferences
            that no other reference user has: an invented item is never seen, a real one seldom
            unseen. For users from elsewhere, who may hold items that no real user has.
        rng : int, SeedSequence or Generator
            Random seed of the folds and the planted items.

        Raises
        ------
        ValueError
            If fewer than 20 reference users hold 2 items or more, or all hold all items.
        """
        random = repeatable_generator(rng)
        kind = FAMILIES[check_choice("family", family, FAMILIES)]
        users = pattern(reference[np.diff(reference.indptr) >= 2])
        n_users = users.shape[0]
        if n_users < MIN_REFERENCE_USERS:
            rule = f"hold at least {MIN_REFERENCE_USERS} users of 2 items or more"
            raise ValueError(refusal("reference", rule, n_users, "Give this group more users."))
        users = users[random.permutation(n_users)]
        if min(users.shape) > MAX_USERS:
            users, n_users = users[:MAX_USERS], MAX_USERS
        folds = blind_folds(users, FOLDS)
        counts = count_users(users)
        weights = (1 - UNIFORM_SHARE) * counts / counts.sum() + UNIFORM_SHARE / counts.size
        altered = swap(users, PLANTED_SHARE, popularity=weights, rng=random)
        is_planted = _planted(altered, users)

        candidates = kind.candidates(users)
        if kind.refits:
            on_altered, on_users = cross_refitted(candidates, altered, users, folds)
        else:
            on_altered = cross_fitted(candidates, altered, folds)
        judged = [fitted_regression(each, is_planted) for each in on_altered]
        best = int(np.argmin([loss for _, loss in judged]))
        predictor, (regression, _) = candidates[best], judged[best]

        own = on_users[best] if kind.refits else cross_fitted([predictor], users, folds)[0]
        log_unseen = log_genuine_unseen(own) if unseen_is_evidence else None
        raw = mean_by_user(users, log_genuine(regression, own, log_unseen))
        circumstances = np.concatenate(
            [circumstances_of(users[fold.rows], fold.user_counts) for fold in folds]
        )
        location = np.linalg.lstsq(circumstances, raw)[0]
        spread = np.abs(raw - circumstances @ location)
        log_scale = np.linalg.lstsq(circumstances, np.log(spread + 1e-3))[0]
        bounds = np.quantile(circumstances, ADJUSTED_RANGE, axis=0)
        within = circumstances.clip(*bounds)
        scores = (raw - within @ location) / np.exp(within @ log_scale)
        return cls(predictor, counts, regression, location, log_scale, bounds, scores, log_unseen)

    def score(self, profiles: sp.csr_array) -> NDArray[np.float64]:
        """Score profiles: (n_users,) float64; higher is more believable, about 0 for a real user.

        Profiles of fewer than 2 items get -inf. A score depends on the profile's items alone.

        Parameters
        ----------
        profiles : csr_array, shape (n_users, n_items)
            Profiles over the catalogue of the reference users.

        Raises
        ------
        ValueError
            If the catalogue has another size.
        """
        return self._described(profiles, [])[:, 0]

    def describe(self, profiles: sp.csr_array) -> NDArray[np.float64]:
        """Score profiles and tell what the score is made of, (n_users, 2 + len(QUANTILES)).

        The columns are the score, the mean over the profile's items of log P(genuine), and its
        `QUANTILES`; all are -inf for profiles of fewer than 2 items.

        Raises
        ------
        ValueError
            If the catalogue has another size.
        """
        return self._described(profiles, QUANTILES)

    def _described(self, profiles: sp.csr_array, quantiles: Sequence[float]) -> NDArray[np.float64]:
        """Score, mean and some quantiles of each user's log P(genuine), `PREPARED_USERS` a time."""
        if profiles.shape[1] != self.user_counts.size:
            rule = f"have the {self.user_counts.size} items of the reference users"
            advice = "Align the profiles with their catalogue."
            raise ValueError(refusal("profiles", rule, f"{profiles.shape[1]} items", advice))
        described = np.full((profiles.shape[0], 2 + len(quantiles)), -np.inf)
        judged = np.flatnonzero(np.diff(profiles.indptr) >= 2)
        for first in range(0, judged.size, PREPARED_USERS):
            rows = judged[first : first + PREPARED_USERS]
            described[rows] = self._prepared(pattern(profiles[rows]), quantiles)
        return described

    def _prepared(self, profiles: sp.csr_array, quantiles: Sequence[float]) -> NDArray[np.float64]:
        """Describe profiles of at least 2 items, block by block."""
        described = np.empty((profiles.shape[0], 2 + len(quantiles)))
        scorer, step = self.predictor.scorer(profiles), users_of_block(profiles.shape[1])

        def describe_block(start: int) -> None:
            rows = slice(start, start + step)
            block = profiles[rows]
            genuine = self._log_genuine(block, scorer(rows))
            raw = mean_by_user(block, genuine)
            described[rows, 0] = self.adjusted(raw, circumstances_of(block, self.user_counts))
            described[rows, 1] = raw
            if quantiles:  # they are not free
                described[rows, 2:] = quantiles_by_user(block, genuine, quantiles)

        in_threads(describe_block, range(0, profiles.shape[0], step))
        return described

    def adjusted(
        self, raw: NDArray[np.float64], circumstances: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Score of each user, from its raw score and its circumstances, (n_users,)."""
        within = circumstances.clip(*self.bounds)
        return (raw - within @ self.location) / np.exp(within @ self.log_scale)

    def log_genuine(self, profiles: sp.csr_array) -> NDArray[np.float64]:
        """Log probability that each held item is genuine, (nnz,), for a block of profiles.

        Profiles hold 1 wherever something is stored, and every user has an item.
        """
        return self._log_genuine(profiles, self.predictor.scores(profiles))

    def _log_genuine(
        self, profiles: sp.csr_array, scores: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Log probability that each held item is genuine, from the scores of all items."""
        n_users = self.predictor.reference.shape[0]
        evidence = evidence_of(profiles, scores, self.user_counts, n_users)
        return log_genuine(self.regression, evidence, self.log_unseen)


def users_of_block(n_items: int) -> int:
    """Profiles that are scored together; results do not depend on it."""
    return min(BLOCK_USERS, max(1, BLOCK_ENTRIES // max(1, n_items)))


def circumstances_of(
    profiles: sp.csr_array, user_counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Size and popularity of profiles, (n_users, 5).

    The columns are 1, log size and its square, and the means over the items of log(count + 1) and
    of the rank of the count as a share of the catalogue.
    """
    rank = rankdata(user_counts) / user_counts.size
    log_size = np.log(np.diff(profiles.indptr))
    return np.column_stack(
        [
            np.ones(profiles.shape[0]),
            log_size,
            log_size**2,
            mean_by_user(profiles, np.log(user_counts + 1)[profiles.indices]),
            mean_by_user(profiles, rank[profiles.indices]),
        ]
    )


def count_users(profiles: sp.csr_array) -> NDArray[np.float64]:
    """Count the users who hold each item, (n_items,)."""
    return np.bincount(profiles.indices, minlength=profiles.shape[1]).astype(np.float64)


def mean_by_user(profiles: sp.csr_array, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over each user's items of one value an item held, (n_users,)."""
    total = np.bincount(user_of(profiles), weights=values, minlength=profiles.shape[0])
    return np.asarray(total / np.diff(profiles.indptr), dtype=np.float64)


def quantiles_by_user(
    profiles: sp.csr_array, values: NDArray[np.float64], quantiles: Sequence[float] = QUANTILES
) -> NDArray[np.float64]:
    """Quantiles over each user's items of one value an item held, (n_users, n_quantiles)."""
    order = np.argsort(values)
    # A block has few users: 16 bits are sorted by their digits, in linear time.
    user = user_of(profiles).astype(np.min_scalar_type(profiles.shape[0]))
    ordered = values[order[np.argsort(user[order], kind="stable")]]
    sizes = np.diff(profiles.indptr)
    place = np.rint(np.asarray(quantiles) * (sizes[:, np.newaxis] - 1)).astype(np.intp)
    return np.asarray(ordered[profiles.indptr[:-1, np.newaxis] + place])


def _planted(altered: sp.csr_array, users: sp.csr_array) -> NDArray[np.bool_]:
    """Whether each stored entry of `altered` is planted: not stored in `users`, (nnz,)."""
    n_items = np.int64(users.shape[1])
    keys = user_of(altered) * n_items + altered.indices
    planted = ~np.isin(keys, user_of(users) * n_items + users.indices)
    if not planted.any():
        raise ValueError(refusal("reference", "hold users who lack an item", "none"))
    return planted
