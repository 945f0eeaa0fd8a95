"""Independent popularity: the floor, a recommender that knows no user from another."""

import numpy as np
import scipy.sparse as sp

from cornac_mle.drawing import draw_sizes, draw_values, plackett_luce
from cornac_mle.models.base import FloatArray, GenerativeRecommender, Validation


class Popularity(GenerativeRecommender):
    """Independent popularity, the floor of every realism metric.

    A synthetic user has the size of a random training user; items are drawn one after the other
    in proportion to how many training users hold them; a value is that of a random training user
    who holds the item. The ranking score of an item is its popularity, the same for everyone.
    """

    def __init__(
        self, name: str = "Popularity", *, trainable: bool = True, verbose: bool = False
    ) -> None:
        super().__init__(name=name, trainable=trainable, verbose=verbose)

    def _fit(self, matrix: sp.csr_array, validation: Validation | None) -> None:
        self.popularity_ = np.diff(matrix.tocsc().indptr).astype(np.int64)  # (n_items,) users
        self.sizes_ = np.diff(matrix.indptr).astype(np.int64)  # (n_users,)
        self.by_item_ = sp.csc_array(matrix)

    def _draw(self, n_users: int, rng: np.random.Generator) -> sp.csr_array:
        log_weights = np.full(len(self.popularity_), -np.inf)
        np.log(self.popularity_, out=log_weights, where=self.popularity_ > 0)
        drawn = plackett_luce(log_weights, draw_sizes(self.sizes_, n_users, rng), rng)
        return draw_values(drawn, self.by_item_, rng)

    def _fold_in(self, matrix: sp.csr_array) -> FloatArray:
        return np.tile(self.popularity_.astype(np.float64), (matrix.shape[0], 1))
