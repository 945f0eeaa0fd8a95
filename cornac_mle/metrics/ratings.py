"""Ratings: are items rated as real users rate them."""

import numpy as np
import numpy.typing as npt

from cornac_mle.checks import refusal
from cornac_mle.metrics.base import NotMeasurableError, SplitMetric
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.splits import Splits
from cornac_mle.profiles import Profiles
from cornac_mle.randomness import children
from cornac_mle.report.measurement import MetricNote
from cornac_mle.sparse import FloatArray

MIN_VALUES = 5
"""Values of an item on either side, below which its distribution is not compared."""


class RatingKS(SplitMetric):
    r"""Kolmogorov-Smirnov distance between synthetic and real ratings of an item, over items.

    In [0, 1]; 0 is best in principle. With r_i the number of real ratings of item i, and F_i and
    G_i the distribution functions of its synthetic and of its real ratings, over all items with at
    least 5 ratings on both sides,

    .. math:: \frac{\sum_i r_i \max_v |F_i(v) - G_i(v)|}{\sum_i r_i}.

    A value of .31 says that for a typical rating's item some threshold is passed by a share of its
    synthetic ratings that is 31 percentage points larger (or smaller) than that of its real ones.
    Five ratings differ from five by chance, so that the ceiling is well above 0: look at it.

    The floor is not the independent-popularity users as they stand, who have no ratings: each of
    their pairs gets one of the reference users' ratings at random, whatever the item. Hence the gap
    between ceiling and floor is what knowing the item is worth. Worse than the floor are models
    whose ratings vary too little: on MovieLens-100K the rounded mean rating of each item is at .42,
    where real users are at .17 and the floor at .26.

    It says nothing about *which* items are held, nor about who rates high: a model that draws a
    user's ratings from the items' distributions one by one is at the ceiling. Items that the model
    leaves out do not count; `PopularityJS` sees them.

    Raises
    ------
    NotMeasurableError
        On measuring, if all real ratings or all synthetic ones are one value, or no item has 5
        ratings on both sides. With ``feedback="likes"`` the values of the likes are compared.

    Examples
    --------
    Users without a taste rate too many items low:

    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = RatingKS().measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling
    (0.26, 0.16)
    """

    bounds = (0.0, 1.0)
    ideal = 0.0
    note = MetricNote("0", "distance between synthetic and real ratings of the same item")

    def __init__(self) -> None:
        super().__init__(name="RatingKS")

    def _on_splits(self, evaluator: Evaluator, users: Profiles, splits: Splits) -> FloatArray:
        real = evaluator.held_out
        for name, group in (("real", real), ("synthetic", users)):
            self._check_varied(name, group)
        distances = [rating_distance(users[s.other], real[s.real]) for s in splits]
        if np.isnan(distances).any():
            rule = f"rate at least one item {MIN_VALUES} times on both sides of every half-split"
            advice = "Hold out more users, or leave this metric out."
            raise NotMeasurableError(refusal("synthetic", rule, "none", advice, context=self.name))
        return np.asarray(distances)

    def _check_varied(self, name: str, users: Profiles) -> None:
        values = users.matrix.data
        if values.size == 0 or values.min() == values.max():
            got = "no rating" if values.size == 0 else f"{values[0]:g} everywhere"
            advice = "It needs data of several values, and a model that makes values."
            rule = "hold more than one rating value"
            raise NotMeasurableError(refusal(name, rule, got, advice, context=self.name))

    def _floor_users(self, evaluator: Evaluator) -> Profiles:
        return rated_at_random(evaluator)


def rated_at_random(evaluator: Evaluator) -> Profiles:
    """Give the floor users ratings of the reference users, drawn whatever the item."""
    # A child of the first split's stream: the splits themselves stay independent of the ratings.
    (seed,) = children(np.random.default_rng(evaluator.split_seeds[0]), 1)
    matrix = evaluator.floor_users.matrix.copy()
    matrix.data = np.random.default_rng(seed).choice(evaluator.reference.matrix.data, matrix.nnz)
    return Profiles.from_matrix(matrix, evaluator.floor_users.item_ids)


def rating_distance(synthetic: Profiles, real: Profiles) -> float:
    """Mean over items of the distance between two distributions of ratings, in [0, 1].

    Items count in proportion to their real ratings; nan if none has 5 ratings on both sides.
    """
    items = np.concatenate([synthetic.matrix.indices, real.matrix.indices])
    values = np.concatenate([synthetic.matrix.data, real.matrix.data])
    from_real = np.arange(items.size) >= synthetic.matrix.nnz
    distances, compared = ks_by_item(items, values, from_real, len(real.item_ids))
    weights = real.item_counts[compared]
    return float(np.average(distances, weights=weights)) if compared.size else float("nan")


def ks_by_item(
    items: npt.NDArray[np.integer],
    values: npt.NDArray[np.floating],
    from_real: npt.NDArray[np.bool_],
    n_items: int,
) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Kolmogorov-Smirnov distance of the two groups of ratings of each item.

    Parameters
    ----------
    items, values, from_real : ndarray, shape (n_ratings,)
        Item, value and group of each rating.
    n_items : int
        Number of items of the catalogue.

    Returns
    -------
    distances : ndarray, shape (n_compared,)
    compared : ndarray, shape (n_compared,)
        Items with at least 5 ratings in both groups, in ascending order.
    """
    real = np.bincount(items[from_real], minlength=n_items)
    other = np.bincount(items[~from_real], minlength=n_items)
    enough = (real >= MIN_VALUES) & (other >= MIN_VALUES)
    kept = enough[items]
    items, values, from_real = items[kept], values[kept], from_real[kept]
    order = np.lexsort((values, items))
    items, values, from_real = items[order], values[order], from_real[order]
    # Difference of the distribution functions after each rating: steps of one item sum to 0, so
    # one running sum serves all items.
    step = np.where(from_real, 1.0 / real[items], -1.0 / other[items])
    difference = np.abs(np.cumsum(step))
    tied = (items[1:] == items[:-1]) & (values[1:] == values[:-1])
    difference[:-1][tied] = 0.0  # only after the last of equal ratings
    distances = np.zeros(n_items)
    np.maximum.at(distances, items, difference)
    compared = np.flatnonzero(enough)
    return distances[compared], compared
