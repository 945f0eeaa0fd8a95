"""What a judge would say had other users taught it which items go together."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from cornac_mle.plausibility._ease import EasePredictor
from cornac_mle.plausibility._evidence import item_evidence, log_genuine
from cornac_mle.plausibility.judge import PlausibilityModel, users_of_block
from cornac_mle.sparse import FloatArray, pattern, user_of
from cornac_mle.workers import in_threads


def mean_log_genuine(
    judge: PlausibilityModel,
    groups: Sequence[sp.csr_array],
    *,
    taught_by: sp.csr_array | None = None,
) -> list[FloatArray]:
    """Mean over each user's items of log P(genuine), (n_users,) for each group; at most 0.

    0 for a user without items. Whoever teaches, the ridge and the weights of the evidence are those
    that the judge's own reference users gave, and popularity is that of as many users.

    Parameters
    ----------
    judge : PlausibilityModel
        Judge of the EASE family.
    groups : sequence of csr_array, shape (n_users, n_items)
        Profiles over the catalogue of the judge.
    taught_by : csr_array, shape (n_teachers, n_items), optional
        Users who teach what goes together and what is popular, in place of the reference users.
    """
    predictor, counts = judge.predictor, judge.user_counts
    n_judging = predictor.reference.shape[0]
    if taught_by is not None:
        users = pattern(taught_by)
        predictor = EasePredictor.at_each([predictor.setting], users)[0]
        counts = np.bincount(users.indices, minlength=users.shape[1]) * (n_judging / users.shape[0])

    def mean_of_each(block: sp.csr_array) -> FloatArray:
        evidence = item_evidence(block, predictor, counts, n_judging)
        genuine = log_genuine(judge.regression, evidence, None)
        return np.asarray(np.bincount(user_of(block), weights=genuine) / np.diff(block.indptr))

    found = []
    for profiles in groups:
        judged, step = np.flatnonzero(np.diff(profiles.indptr)), users_of_block(profiles.shape[1])
        parts = (judged[first : first + step] for first in range(0, judged.size, step))
        blocks = (pattern(profiles[rows]) for rows in parts)
        means = np.zeros(profiles.shape[0])
        means[judged] = np.concatenate([[], *in_threads(mean_of_each, blocks)])
        found.append(means)
    return found
