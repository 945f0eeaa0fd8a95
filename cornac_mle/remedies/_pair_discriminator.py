"""A classifier that tells real users from a model's: which pairs of items go together in whom.

What gives synthetic users away is rarely one item and mostly two that nobody holds together. So a
profile is described by how much more often real users hold its pairs than synthetic users do.
Reference users, held-out users and the judges of plausibility play no part.
"""

from typing import Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from cornac_mle.sparse import Float32Array, FloatArray, IntArray, pattern

FOLDS = 5
PAIR_ITEMS = 4000
"""Items whose pairs are counted, the most held ones: the table stays below 64 MB."""
PRIOR_USERS = 10.0
"""Users by whom a pair is held as often as synthetic users hold it, added to those counted."""
QUANTILES = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
GATHERED_PAIRS = 2**18
"""Pairs of items looked up at once."""
RARE_LIFT = -0.5
"""A pair that real users hold less than exp(-.5) = .6 times as often as synthetic ones is odd."""


class PairDiscriminator:
    """Log density ratio of real to synthetic users, by logistic regression on lifts of item pairs.

    With c_ij the real users who hold items i and j, and m_ij those expected if real users held them
    as often as synthetic users do, the lift of the pair is log((c_ij + a) / (m_ij + a)), a = 10;
    that of an item is the lift of (i, i). A profile is described by the mean lift of each item with
    the others, over which are taken the mean, the standard deviation and five quantiles; by the
    mean lift of its items, the share of its pairs with a lift below -.5, and the logarithm of its
    size and that squared. The regression is linear in these eleven numbers.

    Real users are described by lifts counted on others (5 folds): lifts know the users whom they
    were counted on, and would tell the regression to trust them too far.

    Attributes
    ----------
    auc_ : float
        Probability that a real user looks more real than a synthetic one, each described by lifts
        and judged by a regression that were fitted to others. In [0, 1]; .5: the filter can do
        nothing, 1: it knows them all.

    Notes
    -----
    Tried beside it, with 3,000 training users: a factorisation machine on the items themselves. It
    was better where the model is far from real users (a variational autoencoder's prior) and worse
    where it is closer (a mixture over its latent space). Time: counting is the sum of squared
    profile sizes; memory at most 4,000 x 4,000 float32, a few times while fitting.
    """

    def fit(
        self,
        real: sp.csr_array,
        counted: sp.csr_array,
        compared: sp.csr_array,
        rng: np.random.Generator,
    ) -> Self:
        """Learn to tell `real` users from synthetic ones.

        Parameters
        ----------
        real : csr_array, shape (n_users, n_items)
            Training users, at least two.
        counted, compared : csr_array, shape (n_counted, n_items) and (n_compared, n_items)
            Synthetic users: whose pairs are counted, and whom the regression compares with.
        rng : Generator
            Generator of the folds.
        """
        real, counted, compared = pattern(real), pattern(counted), pattern(compared)
        popularity = np.bincount(real.indices, minlength=real.shape[1])
        taken = np.argsort(-popularity, kind="stable")[:PAIR_ITEMS]
        self.place_ = np.full(real.shape[1], -1)  # of each item in the table; -1: not in it
        self.place_[taken] = np.arange(len(taken))
        expected = pair_counts(counted[:, taken]) / counted.shape[0]
        of_real = rng.permutation(real.shape[0]) % FOLDS
        of_compared = rng.permutation(compared.shape[0]) % FOLDS
        matrix = sp.csr_array(sp.vstack([real, compared], format="csr"))
        fold = np.concatenate([of_real, of_compared])
        is_real = np.arange(matrix.shape[0]) < real.shape[0]
        features = np.empty((matrix.shape[0], 4 + len(QUANTILES) + 2))
        total = pair_counts(real[:, taken])
        for number in np.unique(fold):
            own = real[of_real == number]
            others = real.shape[0] - own.shape[0]
            lifts = log_lifts(total - pair_counts(own[:, taken]), expected * others)
            features[fold == number] = describe(matrix[fold == number], self.place_, lifts)
        self.lifts_ = log_lifts(total, expected * real.shape[0])  # (n_taken, n_taken)
        self.auc_ = float(roc_auc_score(is_real, self._cross_fitted(features, is_real, fold)))
        self.regression_ = regression().fit(features, is_real)
        # As if there had been as many synthetic users as real ones.
        self.offset_ = float(np.log(compared.shape[0] / real.shape[0]))
        return self

    def log_ratio(self, matrix: sp.csr_array) -> FloatArray:
        """Log density ratio of real to synthetic users, (n_users,); higher is more real."""
        features = describe(pattern(matrix), self.place_, self.lifts_)
        odds: FloatArray = self.regression_.decision_function(features)
        return odds + self.offset_

    @staticmethod
    def _cross_fitted(
        features: FloatArray, is_real: npt.NDArray[np.bool_], fold: IntArray
    ) -> FloatArray:
        """Log-odds of each user by a regression fitted on the other folds."""
        odds = np.zeros(len(fold))
        for number in np.unique(fold):
            own = fold == number
            if len(np.unique(is_real[~own])) == 2:
                fitted = regression().fit(features[~own], is_real[~own])
                odds[own] = fitted.decision_function(features[own])
        return odds


def regression() -> Pipeline:
    """Make a logistic regression on standardised features."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def pair_counts(matrix: sp.csr_array) -> Float32Array:
    """Users who hold both items of each pair, (n_items, n_items); holders on the diagonal."""
    held = sp.csr_array(matrix, dtype=np.float32)
    counts: Float32Array = sp.csr_array(held.T @ held).toarray()
    return counts


def log_lifts(counts: Float32Array, expected: Float32Array) -> Float32Array:
    """Log of counts over expected counts, both with `PRIOR_USERS` added; 0: as often as expected.

    >>> log_lifts(np.float32([10, 30, 0]), np.float32([10, 10, 30])).round(2)
    array([ 0.  ,  0.69, -1.39], dtype=float32)
    """
    lifts = np.log(counts + np.float32(PRIOR_USERS))
    lifts -= np.log(expected + np.float32(PRIOR_USERS))
    return np.asarray(lifts)


def describe(matrix: sp.csr_array, place: IntArray, lifts: Float32Array) -> FloatArray:
    """Eleven numbers on each profile, (n_users, 11), as `PairDiscriminator` lists them.

    Parameters
    ----------
    matrix : csr_array, shape (n_users, n_items)
        Profiles.
    place : ndarray of int, shape (n_items,)
        Row of each item in `lifts`, -1 for an item that has none.
    lifts : ndarray, shape (n_taken, n_taken)
        Log-lifts of pairs; of items on the diagonal.
    """
    sizes = np.log(np.diff(matrix.indptr) + 1.0)
    features = np.zeros((matrix.shape[0], 4 + len(QUANTILES) + 2))
    features[:, -2] = sizes
    features[:, -1] = sizes**2
    taken = place[matrix.indices] >= 0
    ends = np.concatenate([[0], np.cumsum(taken)])[matrix.indptr]
    items, counts = place[matrix.indices[taken]], np.diff(ends)
    # Users of the same size at once. Without a pair: as ordinary as lifts of 0.
    for count in np.unique(counts[counts >= 2]):
        users = np.flatnonzero(counts == count)
        step = max(1, GATHERED_PAIRS // count**2)
        for block in np.split(users, np.arange(step, len(users), step)):
            own = items[ends[block, None] + np.arange(count)]  # (n_block, count)
            features[block, :-2] = of_pairs(own, lifts)
    return features


def of_pairs(items: IntArray, lifts: Float32Array) -> FloatArray:
    """Nine numbers on users of the same size, (n_users, 9), from their items (n_users, count)."""
    count = items.shape[1]
    pairs = lifts[items[:, :, None], items[:, None, :]]  # (n_users, count, count)
    alone = np.diagonal(pairs, axis1=1, axis2=2)
    with_others = np.sort((pairs.sum(axis=2) - alone) / (count - 1), axis=1)
    odd = np.count_nonzero(pairs < RARE_LIFT, axis=(1, 2))
    odd = odd - np.count_nonzero(alone < RARE_LIFT, axis=1)
    numbers = [
        with_others.mean(axis=1),
        with_others.std(axis=1),
        alone.mean(axis=1),
        odd / (count * (count - 1)),
    ]
    places = np.rint(QUANTILES * (count - 1)).astype(np.int64)
    return np.column_stack([*numbers, with_others[:, places]]).astype(np.float64)
