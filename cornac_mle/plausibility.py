"""How plausible is it that a real user has this profile? Reference users judge, item by item.

1. *Leave one out.* EASE, fitted on the reference users, predicts every held item from the profile's
   other items (Steck 2019). Its weights have a zero diagonal, so that the scores at held items are
   leave-one-out as they stand.
2. *Evidence.* The score of a held item is read in two ways: its percentile among the items that the
   user does not hold, and its lift over the share of reference users who hold the item.
3. *Judgement.* A logistic regression on this evidence, the item's popularity and the profile's size
   tells items that reference users really hold from items planted in their profiles, most of them
   drawn by popularity.
   The raw score of a profile is the mean, over its items, of the log probability of being genuine.
4. *Adjustment.* Location and scale of the raw score are regressed on size and popularity.
5. *Calibration*, outside: `conformal_p_values` against users that nothing above has seen.

Whatever steps 3 and 4 learn from is cross-fitted: a reference user is scored by weights fitted
without that user. No refitting is needed, because leaving users out of a ridge regression has a
closed form (`RidgeInverse.without`).

What it cannot see: an item that hardly any reference user holds speaks neither for nor against a
profile. On very sparse data, profiles made of nothing else pass as plausible.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from cornac_mle.checks import refusal
from cornac_mle.leave_one_out import (
    RidgeInverse,
    held_percentiles,
    leave_one_out_scores,
    user_of,
)
from cornac_mle.nulls import swap
from cornac_mle.randomness import RngLike, generator

BLOCK_USERS = 1024
"""Profiles scored together: the largest dense array is one of 1,024 users x all items."""
RIDGES = (30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Candidates for the ridge of EASE, in users."""
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


def conformal_p_values(scores: ArrayLike, calibration: ArrayLike) -> NDArray[np.float64]:
    """Conformal p-values of scores, lower tail. In (0, 1]; small is implausible.

    ``p(x) = (1 + #{calibration <= x}) / (1 + n)``. If a real user's score is exchangeable with the
    n calibration scores, P(p <= alpha) <= alpha, whatever the score. A tie counts as at least as
    extreme, so that p is never 0.

    Parameters
    ----------
    scores : (n_users,) scores; -inf is allowed.
    calibration : (n,) scores of real users on whom the score was not fitted.

    Returns
    -------
    (n_users,) float64.

    Raises
    ------
    ValueError
        If there is no calibration score, or any score is NaN.

    Notes
    -----
    Vovk, Gammerman & Shafer (2005), "Algorithmic Learning in a Random World".

    Examples
    --------
    >>> conformal_p_values([0, 1, 1.5, 9], [1, 2, 3]).tolist()
    [0.25, 0.5, 0.5, 1.0]
    """
    values = np.asarray(scores, dtype=np.float64)
    against = np.sort(np.asarray(calibration, dtype=np.float64), axis=None)
    if against.size == 0:
        advice = "Keep some real users back for calibration."
        raise ValueError(refusal("calibration", "hold at least 1 score", "none", advice))
    for name, array in (("scores", values), ("calibration", against)):
        if np.isnan(array).any():
            advice = "Score profiles with `PlausibilityModel.score`, which gives none."
            raise ValueError(refusal(name, "be free of NaN", "NaN", advice))
    return (1 + np.searchsorted(against, values, side="right")) / (1 + against.size)


def item_evidence(
    profiles: sp.csr_array, inverse: RidgeInverse, user_counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Collect what speaks for and against every held item, (profiles.nnz, 4).

    The columns are the logit of the score's percentile; the log lift of the score over the item's
    share of the reference users, both smoothed by one user; the log of the number of reference
    users who hold the item, plus 1; and the log of the profile's size.

    Parameters
    ----------
    profiles : (n_block, n_items) profiles.
    inverse : fitted on reference users.
    user_counts : (n_items,) number of reference users who hold the item.
    """
    n_users = inverse.reference.shape[0]
    scores = leave_one_out_scores(profiles, inverse)
    user, item = user_of(profiles), profiles.indices
    percentile = held_percentiles(profiles, scores)
    predicted = n_users * np.maximum(scores[user, item].astype(np.float64), 0)  # users
    counts = user_counts[item]
    return np.column_stack(
        [
            np.log(percentile / (1 - percentile)),
            np.log((predicted + 1) / (counts + 1)),
            np.log(counts + 1),
            np.log(np.diff(profiles.indptr)[user]),
        ]
    )


@dataclass(frozen=True, eq=False)
class PlausibilityModel:
    """A judge of profiles, fitted on reference users. Higher scores are more believable.

    Attributes
    ----------
    inverse : the leave-one-out predictor, at the ridge that told planted items best.
    user_counts : (n_items,) number of reference users who hold the item.
    judge : logistic regression of "planted" on `item_evidence`, its squares and products.
    location, log_scale : (5,) coefficients of the adjustment, see `_circumstances`.
    bounds : (2, 5) range of circumstances beyond which the adjustment stays as it is.
    """

    inverse: RidgeInverse
    user_counts: NDArray[np.float64]
    judge: Pipeline
    location: NDArray[np.float64]
    log_scale: NDArray[np.float64]
    bounds: NDArray[np.float64]

    @classmethod
    def fit(cls, reference: sp.csr_array, *, rng: RngLike) -> "PlausibilityModel":
        """Fit the judge.

        Parameters
        ----------
        reference : (n_users, n_items) profiles of real users; those of fewer than 2 items are left
            out. No user of it may be a user that p-values are computed for or calibrated on.
        rng : seed or generator, for the folds and the planted items.

        Raises
        ------
        ValueError
            If fewer than 20 reference users hold 2 items or more.
        """
        random = generator(rng)
        users = _pattern(reference[np.diff(reference.indptr) >= 2])
        n_users = users.shape[0]
        if n_users < MIN_REFERENCE_USERS:
            rule = f"hold at least {MIN_REFERENCE_USERS} users of 2 items or more"
            advice = "Give more users to the reference group."
            raise ValueError(refusal("reference", rule, n_users, advice))
        users = users[random.permutation(n_users)]
        folds = np.array_split(np.arange(n_users), FOLDS)
        counts = _user_counts(users)
        weights = (1 - UNIFORM_SHARE) * counts / counts.sum() + UNIFORM_SHARE / counts.size
        altered = swap(users, PLANTED_SHARE, popularity=weights, rng=random)
        is_planted = ~_held_in(altered, users)
        # A user's own items would count one user more than a new user's do.
        blind_counts = [
            (counts - _user_counts(users[fold])) * n_users / (n_users - fold.size) for fold in folds
        ]

        def cross_fitted(inverse: RidgeInverse, profiles: sp.csr_array) -> NDArray[np.float64]:
            """Evidence on profiles made of each user's items, from what is blind to that user."""
            parts = zip(folds, blind_counts, strict=True)
            return np.concatenate(
                [item_evidence(profiles[f], inverse.without(f), blind) for f, blind in parts]
            )

        candidates = RidgeInverse.at_each(RIDGES, users)
        judged = [_fitted_judge(cross_fitted(each, altered), is_planted) for each in candidates]
        best = int(np.argmin([loss for _, loss in judged]))
        inverse, (judge, _) = candidates[best], judged[best]

        raw = _mean_log_genuine(users, judge, cross_fitted(inverse, users))
        circumstances = np.concatenate(
            [_circumstances(users[f], c) for f, c in zip(folds, blind_counts, strict=True)]
        )
        location = np.linalg.lstsq(circumstances, raw)[0]
        spread = np.abs(raw - circumstances @ location)
        log_scale = np.linalg.lstsq(circumstances, np.log(spread + 1e-3))[0]
        bounds = np.quantile(circumstances, ADJUSTED_RANGE, axis=0)
        return cls(
            inverse,
            counts,
            judge,
            location.astype(np.float64),
            log_scale.astype(np.float64),
            bounds,
        )

    def score(self, profiles: sp.csr_array) -> NDArray[np.float64]:
        """Score profiles: (n_users,) float64; higher is more believable, about 0 for a real user.

        Profiles of fewer than 2 items get -inf. A score depends on the profile's items alone.

        Parameters
        ----------
        profiles : (n_users, n_items) over the catalogue of the reference users.

        Raises
        ------
        ValueError
            If the catalogue has another size.
        """
        if profiles.shape[1] != self.user_counts.size:
            rule = f"have the {self.user_counts.size} items of the reference users"
            advice = "Align the profiles with their catalogue."
            raise ValueError(refusal("profiles", rule, f"{profiles.shape[1]} items", advice))
        scores = np.full(profiles.shape[0], -np.inf)
        judged = np.flatnonzero(np.diff(profiles.indptr) >= 2)
        for first in range(0, judged.size, BLOCK_USERS):
            rows = judged[first : first + BLOCK_USERS]
            block = _pattern(profiles[rows])
            evidence = item_evidence(block, self.inverse, self.user_counts)
            raw = _mean_log_genuine(block, self.judge, evidence)
            circumstances = _circumstances(block, self.user_counts).clip(*self.bounds)
            scores[rows] = (raw - circumstances @ self.location) / np.exp(
                circumstances @ self.log_scale
            )
        return scores


def _fitted_judge(
    evidence: NDArray[np.float64], is_planted: NDArray[np.bool_]
) -> tuple[Pipeline, float]:
    """Fit the judge, genuine and planted items weighing alike; return it and its mean log loss."""
    weight = np.where(is_planted, 0.5 / is_planted.mean(), 0.5 / (~is_planted).mean())
    judge = make_pipeline(
        StandardScaler(),
        PolynomialFeatures(degree=2, include_bias=False),
        StandardScaler(),
        LogisticRegression(max_iter=1000),
    )
    judge.fit(evidence, is_planted, logisticregression__sample_weight=weight)
    log_odds = judge.decision_function(evidence)
    loss = np.average(np.logaddexp(0, np.where(is_planted, -log_odds, log_odds)), weights=weight)
    return judge, float(loss)


def _mean_log_genuine(
    profiles: sp.csr_array, judge: Pipeline, evidence: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean over a profile's items of log P(genuine), (n_users,); every profile holds an item."""
    log_genuine = -np.logaddexp(0, judge.decision_function(evidence))
    return _mean_by_user(profiles, log_genuine)


def _circumstances(profiles: sp.csr_array, user_counts: NDArray[np.float64]) -> NDArray[np.float64]:
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
            _mean_by_user(profiles, np.log(user_counts + 1)[profiles.indices]),
            _mean_by_user(profiles, rank[profiles.indices]),
        ]
    )


def _user_counts(profiles: sp.csr_array) -> NDArray[np.float64]:
    """Count the users who hold each item, (n_items,)."""
    return np.bincount(profiles.indices, minlength=profiles.shape[1]).astype(np.float64)


def _mean_by_user(profiles: sp.csr_array, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over each user's items of one value an item held, (n_users,)."""
    total = np.bincount(user_of(profiles), weights=values, minlength=profiles.shape[0])
    return np.asarray(total / np.diff(profiles.indptr), dtype=np.float64)


def _pattern(profiles: sp.csr_array) -> sp.csr_array:
    """Give the same items with value 1: what a user thinks of them does not matter here."""
    ones = np.ones(profiles.nnz, dtype=np.float32)
    return sp.csr_array((ones, profiles.indices, profiles.indptr), shape=profiles.shape)


def _held_in(profiles: sp.csr_array, others: sp.csr_array) -> NDArray[np.bool_]:
    """Whether each stored entry of `profiles` is stored in `others` too, (profiles.nnz,)."""
    n_items = np.int64(profiles.shape[1])
    keys = user_of(profiles) * n_items + profiles.indices
    return np.isin(keys, user_of(others) * n_items + others.indices)
