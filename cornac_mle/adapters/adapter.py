"""What a family of Cornac models holds of a user, where an unseen user lies, and how it scores."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import scipy.sparse as sp

from cornac_mle.sparse import FloatArray, IntArray

FittedPoints = Callable[[Any], FloatArray]
FoldIn = Callable[[Any, sp.csr_array, sp.csr_array], FloatArray]
Scores = Callable[[Any, FloatArray], FloatArray]
RowScores = Callable[[Any, sp.csr_array, sp.csr_array, IntArray | None], FloatArray]
Draw = Callable[[Any, int, np.random.Generator], FloatArray]


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """How the users of one family of Cornac models are represented, folded in, scored and drawn.

    Either a user is a *point* (factors, an embedding, a latent variable): give `points` and
    `scores`, and `fold_in` where there is better than the mean of the nearest training users'
    points. Or a user is its *profile* (item-item and user-user models): give `row_scores`.

    Attributes
    ----------
    family : str
        Name of the family, for messages and tables.
    holds : tuple of str
        Attributes, dotted where nested, that a fitted model of the family has and that are not
        None. The first adapter of the table whose attributes a model has is taken.
    points : callable, optional
        model -> (n_users, k): where the training users lie.
    fold_in : callable, optional
        (model, profiles (n, n_items), train (n_users, n_items)) -> (n, k): where users lie that the
        model has not seen. `train` are its training users; no rows, where it has forgotten them.
    scores : callable, optional
        (model, points (n, k)) -> (n, n_items): higher ranks higher.
    row_scores : callable, optional
        (model, profiles (n, n_items), train (n_users, n_items), own) -> (n, n_items). `train` are
        the training users; `own`, (n,), says which of them each profile is a part of, and must not
        be a neighbour of itself; None: of nobody.
    ratings : callable, optional
        (model, scores) -> predicted ratings, of the same shape, where they are no scores.
    draw : callable, optional
        (model, n, rng) -> (n, k): points of the model's own generative distribution. `scores` are
        then logarithms of the rates at which items are chosen, and nothing is fitted to sample.
    values : bool
        Whether profiles are handed over with their ratings; otherwise as ones.
    judge_family : str or None
        Family of judges of plausibility that the models are kin to; reports mark that cell.

    Examples
    --------
    A model that ranks by the product of its attributes P and Q:

    >>> from types import SimpleNamespace
    >>> adapter = Adapter(
    ...     family="my factors",
    ...     holds=("P", "Q"),
    ...     points=lambda model: model.P,
    ...     scores=lambda model, points: points @ model.Q.T,
    ... )
    >>> model = SimpleNamespace(P=np.array([[1.0, 0.0]]), Q=np.array([[2.0, 5.0], [3.0, 5.0]]))
    >>> adapter.fits(model), adapter.fits(SimpleNamespace(P=model.P))
    (True, False)
    >>> adapter.scores(model, adapter.points(model)).tolist()
    [[2.0, 3.0]]
    """

    family: str
    holds: tuple[str, ...]
    points: FittedPoints | None = None
    fold_in: FoldIn | None = None
    scores: Scores | None = None
    row_scores: RowScores | None = None
    ratings: Scores | None = None
    draw: Draw | None = None
    values: bool = False
    judge_family: str | None = None

    def fits(self, model: object) -> bool:
        """Whether `model` has every attribute of the family."""
        return all(_held(model, path) is not None for path in self.holds)


def _held(model: object, path: str) -> object:
    try:
        return attrgetter(path)(model)
    except AttributeError:
        return None


def as_floats(values: object) -> FloatArray:
    """Make float64 of a model's array of any type."""
    return np.asarray(values, dtype=np.float64)
