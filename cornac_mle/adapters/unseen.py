"""Scores of users that a Cornac model has not seen, whatever its family."""

import numpy as np
import scipy.sparse as sp
from cornac.models import Recommender

from cornac_mle.adapters._rows import nearest_users
from cornac_mle.adapters.adapter import Adapter
from cornac_mle.adapters.table import adapter_of
from cornac_mle.sparse import FloatArray, IntArray, pattern


def unseen_points(
    adapter: Adapter,
    model: Recommender,
    matrix: sp.csr_array,
    train: sp.csr_array,
    own: IntArray | None = None,
) -> FloatArray:
    """Fold users in as points, (n, k); `own` as in `Adapter`."""
    if adapter.fold_in is not None:
        return adapter.fold_in(model, handed(adapter, matrix), handed(adapter, train))
    assert adapter.points is not None  # an adapter without points has row_scores
    users, weights = nearest_users(matrix, train, own)
    return np.asarray(np.einsum("nm,nmk->nk", weights, adapter.points(model)[users]))


def unseen_scores(
    model: Recommender,
    matrix: sp.csr_array,
    train: sp.csr_array,
    own: IntArray | None = None,
) -> FloatArray:
    """Ranking scores of one block of users that the model has not seen.

    Parameters
    ----------
    model : Recommender
        Fitted Cornac model; it is not changed.
    matrix : csr_array, shape (n, n_items)
        Items that are known of the users.
    train : csr_array, shape (n_users, n_items)
        Users that the model was fitted on.
    own : ndarray of int, shape (n,), optional
        Training users whom the profiles are parts of, and who must not be their own neighbours.

    Returns
    -------
    ndarray, shape (n, n_items)
        Scores; higher ranks higher.

    Examples
    --------
    >>> from cornac.data import Dataset
    >>> from cornac.models import EASE
    >>> pairs = [("ann", "tea"), ("ann", "jam"), ("bob", "tea"), ("bob", "jam"), ("cid", "oil")]
    >>> data = Dataset.from_uir([(user, item, 1.0) for user, item in pairs])
    >>> model = EASE(lamb=1, verbose=False).fit(data)
    >>> train = sp.csr_array(data.csr_matrix)
    >>> newcomer = sp.csr_array([[1.0, 0.0, 0.0]])  # holds tea
    >>> unseen_scores(model, newcomer, train).round(2)  # of tea, jam and oil
    array([[0.  , 0.67, 0.  ]])
    """
    adapter = adapter_of(model)
    if adapter.row_scores is not None:
        return adapter.row_scores(model, handed(adapter, matrix), train, own)
    assert adapter.scores is not None  # as above
    return adapter.scores(model, unseen_points(adapter, model, matrix, train, own))


def handed(adapter: Adapter, matrix: sp.csr_array) -> sp.csr_array:
    """Profiles as the family takes them: with ratings, or as ones."""
    return matrix if adapter.values else pattern(matrix)
