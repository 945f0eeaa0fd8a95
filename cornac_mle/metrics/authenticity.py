"""Authenticity: is a synthetic user a training user with a little noise."""

import numpy as np
import numpy.typing as npt

from cornac_mle.checks import refusal
from cornac_mle.metrics.base import NotMeasurableError, SplitMetric
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.splits import Splits
from cornac_mle.neighbours.similarity import similarity_blocks
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import MetricNote
from cornac_mle.sparse import FloatArray


class Authenticity(SplitMetric):
    r"""Share of synthetic users who are no nearer to a training user than that one's neighbour.

    In [0, 1]; .31 says that 69 of 100 synthetic users are nearer to a training user than any other
    training user is to that one. Best is the ceiling, what new real users get, which is well below
    1: a new user often is nearer to some training user than that one's nearest neighbour is. Below
    the ceiling: the model copies. 0: every user is a copy or nearly one. Above the ceiling: users
    keep away from training users, as random ones do; the floor (independent popularity) may
    therefore lie above the ceiling. It says nothing about realism, and `CopiedUsers` needs no
    distance between training users, so read the two together.

    With t(s) the training user nearest to synthetic user s of n, and t'(s) the training user
    nearest to t(s) among the others, by Jaccard distance d on item sets [1]_,

    .. math:: \frac{1}{n} \#\{s : d(s, t(s)) \ge d(t(s), t'(s))\}.

    A copy of a training user who has no twin is not authentic, but a copy of one whose twin is also
    in the training set is, since a profile held twice need not have been copied from either. Where
    several training users are equally near, a user counts with the share of them that it is
    authentic for. `per_user` holds these shares.

    Raises
    ------
    NotMeasurableError
        On measuring, if the evaluator was fitted without training users.

    Notes
    -----
    Raw sets stand in the place of an embedding. Do not compare it with figures of the package
    synthcity under the same name: for copies of training users that gives .998, where this
    definition gives 0. Time grows with n_train x (n_train + n_users), memory does not.

    References
    ----------
    .. [1] Alaa et al. (2022), "How faithful is your synthetic data? Sample-level metrics for
       evaluating and auditing generative models", ICML.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = Authenticity().measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling
    (0.74, 0.66)
    >>> Authenticity().measure(evaluator, evaluator.train, rng=1).value
    0.0
    """

    bounds = (0.0, 1.0)
    is_share = True
    ideal = None
    floor_is_real = True  # popularity copies nobody
    note = MetricNote("ceiling", "users no nearer to a training user than its own neighbour is")

    def __init__(self) -> None:
        super().__init__(name="Authenticity")

    def _on_splits(self, evaluator: Evaluator, users: Profiles, splits: Splits) -> FloatArray:
        authentic = self._authentic(evaluator, users)
        return np.asarray([np.mean(authentic[split.other]) for split in splits])

    def _per_user(self, evaluator: Evaluator, synthetic: Profiles) -> FloatArray | None:
        return self._authentic(evaluator, synthetic)

    def _authentic(self, evaluator: Evaluator, users: Profiles) -> FloatArray:
        train = evaluator.train
        if train is None:
            advice = "Give the users that the models were fitted on, or leave this metric out."
            raise NotMeasurableError(refusal("train", "be given", None, advice, context=self.name))
        own = evaluator.remembered(nearest_similarity, compute=lambda: nearest_similarity(train))
        return evaluator.remembered(
            users, authentic_shares, compute=lambda: authentic_shares(train, users, own)
        )


def nearest_similarity(users: Profiles) -> npt.NDArray[np.float32]:
    """Jaccard similarity of each user to the nearest other user, (n_users,); at least 2 users."""
    nearest = np.empty(len(users), dtype=np.float32)
    for rows, block in similarity_blocks(users.matrix, users.matrix, themselves_from=0):
        nearest[rows] = block.max(axis=1)
    return nearest


def authentic_shares(
    train: Profiles, users: Profiles, own_similarity: npt.NDArray[np.float32]
) -> FloatArray:
    """For each user, the share of its nearest training users that it is authentic for.

    Parameters
    ----------
    train, users : Profiles
        Training users and users to judge, on the same items.
    own_similarity : ndarray, shape (n_train,)
        Similarity of each training user to the nearest other one.

    Returns
    -------
    ndarray, shape (n_users,)
        0 or 1 unless several training users are equally near.
    """
    shares = np.empty(len(users))
    for rows, block in similarity_blocks(users.matrix, train.matrix):
        best = block.max(axis=1, keepdims=True)  # (block, 1)
        nearest = block == best
        authentic = nearest & (best <= own_similarity)
        shares[rows] = authentic.sum(axis=1) / nearest.sum(axis=1)
    return shares
