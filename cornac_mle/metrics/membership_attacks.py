"""Scores by which synthetic users may give away who was a training user: two attacks.

An attack sees the synthetic users, and reference users whom no model has seen; these say how high
the score of a user is who has nothing to do with the synthetic users.
"""

from collections.abc import Callable, Mapping

import numpy as np
import scipy.sparse as sp

from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.neighbours.similarity import similarity_blocks
from cornac_mle.plausibility.taught import mean_log_genuine
from cornac_mle.profiles import Profiles
from cornac_mle.sparse import FloatArray, IndexArray

MOST_JUDGING = 3_000
"""Synthetic users who teach a judge, at most: its time is cubic in the smaller of users and items.
"""
TWIN_MARGIN = 0.05
"""Added to the distance from the nearest real user, so that twins among real users prove little."""


def judge_differences(evaluator: Evaluator, synthetic: Profiles) -> tuple[FloatArray, FloatArray]:
    r"""How much more a user's items belong together by synthetic users than by reference users.

    With P_S(i | x) the probability that item i of user x is genuine, as the evaluator's judge sees
    it by x's other items where synthetic users have taught it what goes together, and P_R where
    reference users have,

    .. math:: \frac{1}{|x|} \sum_{i \in x} \log P_S(i \mid x) - \log P_R(i \mid x).

    The ridge, and the weights of the evidence, are those of the reference judge in both; the first
    `MOST_JUDGING` synthetic users teach. 0 for a user without items.

    Returns
    -------
    tuple of ndarray, shapes (n_train,) and (n_held_out,)
        Differences of training users and of held-out users.
    """
    train = evaluator.train
    assert train is not None  # callers have checked it
    groups = train.matrix, evaluator.held_out.matrix
    judge, users = evaluator.judge, synthetic.matrix[synthetic.sizes > 0][:MOST_JUDGING]
    by_reference = evaluator.remembered(
        judge_differences, compute=lambda: mean_log_genuine(judge, groups)
    )
    by_synthetic = mean_log_genuine(judge, groups, taught_by=users)
    first, second = (own - base for own, base in zip(by_synthetic, by_reference, strict=True))
    return first, second


def nearest_differences(evaluator: Evaluator, synthetic: Profiles) -> tuple[FloatArray, FloatArray]:
    """How far a user is on the way from the nearest reference user to an exact copy.

    See `exposure`. Users are item sets, close when their Jaccard similarity is large.

    Returns
    -------
    tuple of ndarray, shapes (n_train,) and (n_held_out,)
        Differences of training users and of held-out users.
    """
    train = evaluator.train
    assert train is not None  # callers have checked it
    groups = train, evaluator.held_out
    by_reference = evaluator.remembered(
        nearest_differences,
        compute=lambda: [nearest(group.matrix, evaluator.reference.matrix)[0] for group in groups],
    )
    first, second = (
        exposure(nearest(group.matrix, synthetic.matrix)[0], base)
        for group, base in zip(groups, by_reference, strict=True)
    )
    return first, second


def exposure(synthetic_similarity: FloatArray, real_similarity: FloatArray) -> FloatArray:
    """How far a synthetic user is from the nearest other real user towards a copy, (n_users,).

    At most 1 / 1.05, that of an exact copy of a user who has nothing in common with anyone; about 0
    where the nearest synthetic user is as near as the nearest other real one.

    >>> exposure(np.array([1.0, 0.6]), np.array([0.25, 0.6])).round(2).tolist()
    [0.94, 0.0]
    """
    gap = synthetic_similarity - real_similarity
    return np.asarray(gap / (1 + TWIN_MARGIN - real_similarity), dtype=np.float64)


def nearest(
    rows: sp.csr_array, columns: sp.csr_array, *, themselves_from: int | None = None
) -> tuple[FloatArray, IndexArray]:
    """Jaccard similarity of each user to the nearest other one, and who that is, both (n_rows,).

    The first of several that are equally near; `themselves_from` as for `similarity_blocks`.
    """
    similarity, place = np.empty(rows.shape[0]), np.empty(rows.shape[0], dtype=np.intp)
    for block, values in similarity_blocks(rows, columns, themselves_from=themselves_from):
        place[block] = values.argmax(axis=1)
        similarity[block] = values[np.arange(len(values)), place[block]]
    return similarity, place


Attack = Callable[[Evaluator, Profiles], tuple[FloatArray, FloatArray]]
"""Function that scores training and held-out users; training users score higher if it succeeds."""
ATTACKS: Mapping[str, Attack] = {"judge": judge_differences, "nearest": nearest_differences}
"""Attacks by name."""
