"""Training users given back: a memoriser, loved by fidelity and exposed by copying metrics."""

import numpy as np
import scipy.sparse as sp

from cornac_mle.models.base import GenerativeRecommender
from cornac_mle.models.validation import Validation
from cornac_mle.neighbours.similarity import jaccard_similarity
from cornac_mle.sparse import FloatArray, pattern


class TrainingUsers(GenerativeRecommender):
    r"""Gives back training users: perfectly real, and perfectly copied.

    A synthetic user is a training user drawn at random with replacement. For a user that it has
    not seen, the score of an item is the sum, over the training users who hold it, of their
    Jaccard similarity to that user's profile, over the number of training users:

    .. math:: s_i(S) = \frac{1}{n} \sum_{u: i \in S_u} \frac{|S \cap S_u|}{|S \cup S_u|}

    It has no log-likelihood: whoever is no training user has probability 0.

    Parameters
    ----------
    name : str
        Name of the recommender.
    trainable, verbose : bool
        Switches, as in Cornac.

    Attributes
    ----------
    users_ : csr_array, shape (n_users, n_items)
        Training users.

    Examples
    --------
    >>> from cornac.data import Dataset
    >>> from cornac_mle import TrainingUsers
    >>> likes = [("ann", "tea", 1.0), ("ann", "jam", 1.0), ("bob", "tea", 1.0), ("cat", "ale", 1.0)]
    >>> model = TrainingUsers().fit(Dataset.from_uir(likes))
    >>> model.sample(3, rng=1).matrix.toarray().astype(int)  # tea, jam, ale
    array([[0, 0, 1],
           [0, 0, 1],
           [1, 1, 0]])
    >>> model.score(1).round(2)  # bob: (1/2 + 1) / 3 for tea, 1/2 / 3 for jam
    array([0.5 , 0.17, 0.  ], dtype=float32)
    """

    def __init__(
        self, name: str = "TrainingUsers", *, trainable: bool = True, verbose: bool = False
    ) -> None:
        super().__init__(name=name, trainable=trainable, verbose=verbose)

    def _fit(self, matrix: sp.csr_array, validation: Validation | None) -> None:
        self.users_ = matrix

    def _draw(self, n_users: int, rng: np.random.Generator) -> sp.csr_array:
        return self.users_[rng.integers(0, self.users_.shape[0], size=n_users)]

    def _why_no_log_likelihood(self) -> str:
        return "a user who is no training user has probability 0."

    def _fold_in(self, matrix: sp.csr_array) -> FloatArray:
        scores: FloatArray = jaccard_similarity(matrix, self.users_) @ pattern(self.users_)
        mean: FloatArray = scores / self.users_.shape[0]
        return mean
