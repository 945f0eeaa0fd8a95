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
    r"""Independent popularity, the floor of every realism metric.

    The size of a synthetic user follows the sizes of training users, smoothed
    (`size_distribution`); items are drawn one after the other in proportion to how many training
    users hold them; a value is that of a random training user who holds the item. The ranking score
    of an item is its popularity, the same for everyone.

    Its log-likelihood is exact, and is that of the item set S: values do not enter. With c_i the
    training users who hold item i and C the sum of all c_i,

    .. math::
        P(S) = P(|S|) \sum_{\text{orders } i_1, i_2, \ldots \text{ of } S} \prod_{j=1}^{|S|}
        \frac{c_{i_j}}{C - c_{i_1} - \ldots - c_{i_{j-1}}}

    Parameters
    ----------
    name : str
        Name of the recommender.
    trainable, verbose : bool
        Switches, as in Cornac.

    Attributes
    ----------
    popularity_ : ndarray of int, shape (n_items,)
        Training users who hold each item.
    size_distribution_ : ndarray, shape (n_held_items,)
        Probabilities of sizes 1, 2, ...

    References
    ----------
    Plackett: The Analysis of Permutations, JRSS C 1975 (items drawn one after the other).

    Examples
    --------
    >>> from cornac.data import Dataset
    >>> from cornac_mle import Popularity
    >>> likes = [("ann", "tea", 1.0), ("bob", "tea", 1.0), ("cat", "tea", 1.0), ("cat", "jam", 1.0)]
    >>> model = Popularity().fit(Dataset.from_uir(likes))
    >>> model
    Popularity() fitted to 3 users x 2 items
    >>> model.score(0)  # tea, jam
    array([3., 1.])
    >>> users = model.sample(1000, rng=1)
    >>> users.item_counts / users.item_counts.sum()
    array([0.62, 0.38])
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
