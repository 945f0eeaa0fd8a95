"""Independent popularity: the floor, a recommender that knows no user from another."""

import numpy as np
import scipy.sparse as sp

from cornac_mle.models.base import GenerativeRecommender
from cornac_mle.models.validation import Validation
from cornac_mle.sampling.importance import LikelihoodEstimate
from cornac_mle.sampling.plackett_luce import draw_values, item_set_log_probability, plackett_luce
from cornac_mle.sampling.sizes import draw_sizes, size_distribution
from cornac_mle.sparse import FloatArray


class Popularity(GenerativeRecommender):
    """Independent popularity, the floor of every realism metric.

    The size of a synthetic user follows the sizes of training users, smoothed
    (`size_distribution`); items are drawn one after the other in proportion to how many training
    users hold them; a value is that of a random training user who holds the item. The ranking score
    of an item is its popularity, the same for everyone.

    Its log-likelihood is exact, and is that of the item set: values do not enter.
    """

    def __init__(
        self, name: str = "Popularity", *, trainable: bool = True, verbose: bool = False
    ) -> None:
        super().__init__(name=name, trainable=trainable, verbose=verbose)

    def _fit(self, matrix: sp.csr_array, validation: Validation | None) -> None:
        self.by_item_ = sp.csc_array(matrix)
        self.popularity_ = np.diff(self.by_item_.indptr).astype(np.int64)  # (n_items,) users
        held = int(np.count_nonzero(self.popularity_))
        self.size_distribution_ = size_distribution(np.diff(matrix.indptr), held)  # (n_held_items,)

    def _draw(self, n_users: int, rng: np.random.Generator) -> sp.csr_array:
        sizes = draw_sizes(self.size_distribution_, n_users, rng)
        return draw_values(plackett_luce(self._log_weights(), sizes, rng), self.by_item_, rng)

    def _fold_in(self, matrix: sp.csr_array) -> FloatArray:
        return np.tile(self.popularity_.astype(np.float64), (matrix.shape[0], 1))

    def _log_likelihood(
        self, matrix: sp.csr_array, n_draws: int, rng: np.random.Generator
    ) -> LikelihoodEstimate:
        nats = item_set_log_probability(self._log_weights(), self.size_distribution_, matrix)
        return LikelihoodEstimate(nats, None)

    def _log_weights(self) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.popularity_))
