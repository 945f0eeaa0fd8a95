"""Evidence on profiles of reference users, from predictors and counts that are blind to the user.

To leave users out is cheap in closed form; where it means to fit again, that takes longer than to
score, and is done once a fold (`cross_refitted`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from cornac_mle.plausibility._evidence import evidence_of
from cornac_mle.plausibility.predictor import LeaveOneOutPredictor
from cornac_mle.workers import in_threads

Evidence = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BlindFold:
    """Some of `n_users` reference users, and what the others hold.

    Attributes
    ----------
    rows : ndarray of int
        Row numbers of the users.
    user_counts : ndarray, shape (n_items,)
        Other users who hold each item, raised to `n_users` of them: a user's own items would count
        one user more than a new user's do.
    n_users : int
        Reference users.
    """

    rows: NDArray[np.intp]
    user_counts: NDArray[np.float64]
    n_users: int


def blind_folds(users: sp.csr_array, count: int) -> list[BlindFold]:
    """Cut users into folds of neighbouring rows."""
    n_users, n_items = users.shape
    counts = np.bincount(users.indices, minlength=n_items).astype(np.float64)
    folds = []
    for rows in np.array_split(np.arange(n_users), count):
        own = np.bincount(users[rows].indices, minlength=n_items)
        folds.append(BlindFold(rows, (counts - own) * n_users / (n_users - rows.size), n_users))
    return folds


def cross_fitted(
    predictors: Sequence[LeaveOneOutPredictor], profiles: sp.csr_array, folds: Sequence[BlindFold]
) -> list[Evidence]:
    """Evidence on one profile of each user by predictors of different settings, (nnz, 4) each."""
    kind = type(predictors[0])

    def of_fold(fold: BlindFold) -> list[Evidence]:
        return _evidence(kind, kind.each_without(predictors, fold.rows), profiles, fold)

    return _over_folds(of_fold, folds)


def cross_refitted(
    predictors: Sequence[LeaveOneOutPredictor],
    altered: sp.csr_array,
    users: sp.csr_array,
    folds: Sequence[BlindFold],
) -> tuple[list[Evidence], list[Evidence]]:
    """Evidence on altered profiles by predictors fitted together, and on users by each alone.

    As `cross_fitted` finds with all predictors, and with one of them.
    """
    kind, reference = type(predictors[0]), predictors[0].reference
    settings = [each.setting for each in predictors]

    def of_fold(fold: BlindFold) -> list[Evidence]:
        kept = np.setdiff1d(np.arange(fold.n_users), fold.rows)
        together, alone = zip(*kind.together_and_alone(settings, reference[kept]), strict=True)
        return [*_evidence(kind, together, altered, fold), *_evidence(kind, alone, users, fold)]

    found = _over_folds(of_fold, folds)
    return found[: len(settings)], found[len(settings) :]


def _over_folds(
    of_fold: Callable[[BlindFold], list[Evidence]], folds: Sequence[BlindFold]
) -> list[Evidence]:
    found = in_threads(of_fold, folds)
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def _evidence(
    kind: type[LeaveOneOutPredictor],
    predictors: Iterable[LeaveOneOutPredictor],
    profiles: sp.csr_array,
    fold: BlindFold,
) -> list[Evidence]:
    block = profiles[fold.rows]
    return [
        evidence_of(block, scores, fold.user_counts, fold.n_users)
        for scores in kind.scores_of_each(predictors, block)
    ]
