"""All that is known about a profile: three judges, affinities of its items, its neighbours.

Everything is learnt from reference users. Profiles made from reference users themselves are
described by what is blind to them: predictors, counts and neighbours without their fold.
"""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import normalize

from cornac_mle.plausibility._evidence import item_evidence, log_genuine
from cornac_mle.plausibility._svd import SvdPredictor
from cornac_mle.plausibility.judge import (
    BLOCK_USERS,
    FOLDS,
    PlausibilityModel,
    circumstances_of,
    count_users,
    mean_by_user,
    quantiles_by_user,
)
from cornac_mle.plausibility.predictor import LeaveOneOutPredictor
from cornac_mle.sparse import FloatArray, IndexArray, pattern
from cornac_mle.workers import in_threads

LEAST = -20.0
"""Stands for -inf among features: less than any item's log P(genuine)."""
DIRECTIONS = 16
"""Leading directions of the SVD in which items have affinities."""
NEIGHBOURS = 10
"""Nearest reference users whose cosines are averaged."""
N_TASTES = 10
"""Directions of taste: judges do not see that a kind of user is missing, directions do."""

Judges = Sequence[PlausibilityModel]


def profile_features(
    judges: Judges, profiles: sp.csr_array, said: Sequence[FloatArray] | None = None
) -> FloatArray:
    """Describe users whom the judges have not seen, (n_users, n_features), all finite.

    The columns are what each judge says (`PlausibilityModel.describe`); size and popularity; how
    alike the items of the profile are, and how much they fall into two kinds; and the cosines of
    the nearest reference users. Users of fewer than 2 items are described alike.

    Parameters
    ----------
    judges : sequence of PlausibilityModel
        Judges of the same reference users, fitted with the same random seed, one of the SVD family.
    profiles : csr_array, shape (n_users, n_items)
        Profiles over the catalogue of the reference users.
    said : sequence of ndarray, optional
        What the judges say of these profiles, where that is known already.
    """
    if said is None:
        said = [judge.describe(profiles) for judge in judges]
    described = np.column_stack(said)
    judged = np.flatnonzero(np.diff(profiles.indptr) >= 2)
    block = pattern(profiles[judged])
    predictor, counts = judges[0].predictor, judges[0].user_counts
    svd = _svd([judge.predictor for judge in judges])

    def of_block(first: int) -> FloatArray:
        return _relations(block[first : first + BLOCK_USERS], svd, predictor.reference)

    starts = range(0, max(1, block.shape[0]), BLOCK_USERS)
    others = np.concatenate(in_threads(of_block, starts))
    added = np.column_stack([circumstances_of(block, counts)[:, 1:], others])
    relations = np.zeros((profiles.shape[0], added.shape[1]))
    relations[judged] = added
    return np.column_stack([np.maximum(described, LEAST), relations])


def blind_features(judges: Judges, groups: Sequence[sp.csr_array]) -> list[FloatArray]:
    """Describe profiles made from reference users by what is blind to them, group by group.

    Parameters
    ----------
    judges : sequence of PlausibilityModel
        As for `profile_features`.
    groups : sequence of csr_array, shape (n_reference, n_items)
        Profiles of 2 items or more. Row i is made from user i of ``judges[0].predictor.reference``
        and from others of the same fold (`folds_of`).
    """
    users, counts = judges[0].predictor.reference, judges[0].user_counts
    n_users = users.shape[0]

    def of_fold(fold: IndexArray) -> list[FloatArray]:
        blind_counts = (counts - count_users(users[fold])) * n_users / (n_users - fold.size)
        block = pattern(sp.csr_array(sp.vstack([one[fold] for one in groups], format="csr")))
        predictors = [judge.predictor.without(fold) for judge in judges]
        circumstances = circumstances_of(block, blind_counts)
        parts = []
        for judge, predictor in zip(judges, predictors, strict=True):
            evidence = item_evidence(block, predictor, blind_counts, n_users)
            genuine = log_genuine(judge.regression, evidence, judge.log_unseen)
            raw = mean_by_user(block, genuine)
            score = judge.adjusted(raw, circumstances)
            said = np.column_stack([score, raw, quantiles_by_user(block, genuine)])
            parts.append(np.maximum(said, LEAST))
        others = users[np.setdiff1d(np.arange(n_users), fold)]
        relations = _relations(block, _svd(predictors), others)
        described = np.column_stack([*parts, circumstances[:, 1:], relations])
        return np.split(described, len(groups))

    found = in_threads(of_fold, folds_of(judges))
    return [np.vstack(parts) for parts in zip(*found, strict=True)]


def folds_of(judges: Judges) -> list[NDArray[np.intp]]:
    """Row numbers of the reference users of each fold, in their order."""
    return np.array_split(np.arange(judges[0].predictor.reference.shape[0]), FOLDS)


def taste_directions(reference: sp.csr_array) -> FloatArray:
    """Find the first right singular vectors of normalised profiles, (n_items, n_directions).

    At most 10; directions in which reference users do not differ are left out.
    """
    count = min(N_TASTES, min(reference.shape) - 1)
    # Exact to rounding, hence the same in any order of items; the seed is that of a start vector.
    svd = TruncatedSVD(count, algorithm="arpack", random_state=0)
    with np.errstate(divide="ignore", invalid="ignore"):  # shares of a variance of 0: all alike
        svd.fit(normalize(pattern(reference)).astype(np.float64))
    along = svd.singular_values_ > 1e-6 * svd.singular_values_.max()
    return np.asarray(svd.components_[along].T)


def _svd(predictors: Sequence[LeaveOneOutPredictor]) -> SvdPredictor:
    return next(one for one in predictors if isinstance(one, SvdPredictor))


def _relations(profiles: sp.csr_array, svd: SvdPredictor, others: sp.csr_array) -> FloatArray:
    return np.column_stack([_affinities(profiles, svd), _neighbours(profiles, others)])


def _affinities(profiles: sp.csr_array, svd: SvdPredictor) -> FloatArray:
    """How alike the held items are, (n_users, 5), by their directions in the SVD.

    The columns are the mean cosine of two items; the two leading eigenvalues of the items' mean
    outer product, and its entropy; and the leading one about the items' mean, which is large where
    there are two kinds of items.
    """
    items = normalize(svd.components[:DIRECTIONS].T.astype(np.float64))  # (n_items, rank)
    rank = items.shape[1]
    sizes = np.diff(profiles.indptr)
    products = (items[:, :, np.newaxis] * items[:, np.newaxis, :]).reshape(-1, rank * rank)
    second = (profiles @ products).reshape(-1, rank, rank) / sizes[:, np.newaxis, np.newaxis]
    mean = (profiles @ items) / sizes[:, np.newaxis]
    cosine = ((mean**2).sum(axis=1) * sizes - 1) / (sizes - 1)
    values = np.linalg.eigvalsh(second)
    about = np.linalg.eigvalsh(second - mean[:, :, np.newaxis] * mean[:, np.newaxis, :])
    shares = np.maximum(values, 1e-9)
    entropy = -(shares * np.log(shares)).sum(axis=1)
    least = np.zeros(len(values)) if rank == 1 else values[:, -2]
    return np.column_stack([cosine, values[:, -1], least, entropy, about[:, -1]])


def _neighbours(profiles: sp.csr_array, others: sp.csr_array) -> FloatArray:
    """Cosines of the nearest of other users: the largest, the mean of ten, the mean of all."""
    own, theirs = normalize(profiles), sp.csr_array(normalize(others).T)
    count = min(NEIGHBOURS, others.shape[0])
    cosines = (own @ theirs).toarray()
    nearest = np.partition(cosines, -count, axis=1)[:, -count:]
    return np.column_stack([nearest.max(axis=1), nearest.mean(axis=1), cosines.mean(axis=1)])
