"""Scores by which synthetic users may give away who was a training user: two attacks.

An attack sees the synthetic users, and reference users whom no model has seen; these say how high
the score of a user is who has nothing to do with the synthetic users.

What is popular among few users says by itself who they are [1]_ [2]_, whatever else a model knows:
independent popularity, which has copied nobody, leaks it. Scores are freed of it, see
`beyond_popularity`.

References
----------
.. [1] Homer et al. (2008), "Resolving individuals contributing trace amounts of DNA to highly
   complex mixtures using high-density SNP genotyping microarrays", PLoS Genetics 4(8).
.. [2] Sankararaman, Obozinski, Jordan & Halperin (2009), "Genomic privacy and limits of individual
   detection in a pool", Nature Genetics 41.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.neighbours.similarity import similarity_blocks
from cornac_mle.null_models.corruption import popularity_draws
from cornac_mle.plausibility.taught import mean_log_genuine
from cornac_mle.profiles import Profiles
from cornac_mle.sparse import FloatArray, IndexArray

MOST_INDEPENDENT = 1_000
"""Independent users at most: more of them change areas by less than .01 and take time."""
MOST_JUDGING = 3_000
"""Synthetic users who teach a judge, at most: its time is cubic in the smaller of users and items.
"""
TWIN_MARGIN = 0.05
"""Added to the distance from the nearest real user, so that twins among real users prove little."""


Scores = tuple[FloatArray, FloatArray]
"""Scores of training users, (n_train,), and of held-out users, (n_held_out,)."""
Attack = Callable[[Evaluator, Profiles], Scores]
"""Function that scores training and held-out users; training users score higher if it succeeds."""


def beyond_popularity(evaluator: Evaluator, synthetic: Profiles, attack: Attack) -> Scores:
    r"""Scores of an attack, freed of what the popularity of the synthetic users gives away.

    The same attack is made with *independent users*: as many, 1,000 at most, of the same sizes and
    popularity, with items that have nothing to do with each other. With its scores b and the
    attack's own scores a, over training and held-out users together, the scores are the residuals

    .. math:: a - \hat\alpha - \hat\beta b

    of the regression of a on b by least squares. The regression does not know who is a training
    user, so that scores of users who were left out of training stay exchangeable.

    Parameters
    ----------
    evaluator : Evaluator
        Real users, training users among them.
    synthetic : Profiles
        Users made up by a model, over the items of the evaluator.
    attack : callable
        `judge_differences` or `nearest_differences`.
    """

    def compute() -> Scores:
        drawn = evaluator.remembered(
            synthetic, independent_users, compute=lambda: independent_users(evaluator, synthetic)
        )
        return freed(attack(evaluator, synthetic), attack(evaluator, drawn))

    return evaluator.remembered(synthetic, attack, compute=compute)


def freed(scores: Sequence[FloatArray], known: Sequence[FloatArray]) -> Scores:
    """Residuals of the scores of two groups regressed on known ones, both groups together.

    -inf, the score of somebody who is impossible, counts as 1 less than the least other one.

    >>> one, other = freed([np.array([1.0, 3.0]), np.array([2.0])], [np.zeros(2), np.ones(1)])
    >>> one.round(2).tolist(), other.round(2).tolist()
    ([-1.0, 1.0], [0.0])
    """
    together = np.concatenate(scores)
    finite = together[np.isfinite(together)]
    together = np.maximum(together, finite.min() - 1 if finite.size else 0.0)
    others = np.concatenate(known)
    line = np.column_stack([np.ones(len(others)), others])
    left = together - line @ np.linalg.lstsq(line, together)[0]
    return left[: len(scores[0])], left[len(scores[0]) :]


def independent_users(evaluator: Evaluator, synthetic: Profiles) -> Profiles:
    """Draw users of the sizes and the popularity of the synthetic users, items independent."""
    sizes = np.sort(synthetic.sizes[synthetic.sizes > 0])  # the order of users must not matter
    return independent_draws(evaluator, sizes, synthetic.item_counts)


def independent_draws(
    evaluator: Evaluator, sizes: npt.NDArray[np.int64], item_counts: npt.NDArray[np.int64]
) -> Profiles:
    """Draw independent users, of the sizes, ascending, and the item counts of synthetic users."""
    seed = evaluator.judge_seed  # a stream of its own, the same for whatever is measured first
    stream = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, len(ATTACKS)))
    if len(sizes) > MOST_INDEPENDENT:
        sizes = sizes[np.linspace(0, len(sizes) - 1, MOST_INDEPENDENT).round().astype(np.intp)]
    drawn = popularity_draws(item_counts, sizes, rng=np.random.default_rng(stream))
    return Profiles.from_matrix(drawn, evaluator.held_out.item_ids)


def judge_differences(evaluator: Evaluator, synthetic: Profiles) -> Scores:
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


def nearest_differences(evaluator: Evaluator, synthetic: Profiles) -> Scores:
    """How far a user is on the way from the nearest reference user to an exact copy.

    See `exposure`. Users are item sets, close when their Jaccard similarity is large.

    Returns
    -------
    tuple of ndarray, shapes (n_train,) and (n_held_out,)
        Differences of training users and of held-out users.
    """
    groups = _members_and_others(evaluator)
    one, other = (nearest(group.matrix, synthetic.matrix)[0] for group in groups)
    return nearness_differences(evaluator, (one, other))


def nearness_differences(evaluator: Evaluator, similarity: Scores) -> Scores:
    """Turn the similarity of training and held-out users to the nearest synthetic one to scores."""
    groups = _members_and_others(evaluator)
    by_reference = evaluator.remembered(
        nearest_differences,
        compute=lambda: [nearest(group.matrix, evaluator.reference.matrix)[0] for group in groups],
    )
    first, second = (
        exposure(own, base) for own, base in zip(similarity, by_reference, strict=True)
    )
    return first, second


def _members_and_others(evaluator: Evaluator) -> tuple[Profiles, Profiles]:
    assert evaluator.train is not None  # callers have checked it
    return evaluator.train, evaluator.held_out


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


ATTACKS: Mapping[str, Attack] = {"judge": judge_differences, "nearest": nearest_differences}
"""Attacks by name."""
