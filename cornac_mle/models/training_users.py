"""Training users given back: a memoriser, loved by fidelity and exposed by copying metrics."""

import numpy as np
import scipy.sparse as sp

from cornac_mle.models.base import GenerativeRecommender
from cornac_mle.models.validation import Validation
from cornac_mle.neighbours.similarity import jaccard_similarity
from cornac_mle.sparse import FloatArray, pattern


class TrainingUsers(GenerativeRecommender):
    """Gives back training users: perfectly real, and perfectly copied.

    A synthetic user is a training user drawn at random with replacement. For a user that it has
    not seen, the score of an item is the sum, over the training users who hold it, of their
    Jaccard similarity to that user's profile, over the number of training users.
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
