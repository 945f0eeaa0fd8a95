"""How well recommenders find what unseen users hide: NDCG and recall, ties shared out evenly."""

import numpy as np
import scipy.sparse as sp
from cornac.models import Recommender

from cornac_mle.checks import refusal
from cornac_mle.metrics.base import NotMeasurableError
from cornac_mle.models.fold_in import BLOCK_USERS, fold_in_scores
from cornac_mle.profiles import Profiles
from cornac_mle.sparse import FloatArray, user_of

ACCURACIES = ("ndcg", "recall")


def hidden_item_accuracy(
    model: Recommender, shown: Profiles, hidden: Profiles, *, k: int, kind: str = "ndcg"
) -> FloatArray:
    """Accuracy at `k` of a fitted model on unseen users, shape (n_users,), each in [0, 1].

    The shown items are folded in and are no candidates.

    Parameters
    ----------
    model : Recommender
        Fitted; unseen users are scored by `fold_in_scores`.
    shown, hidden : Profiles
        Same users and items, disjoint. Each user has at least one hidden item.
    k : int
        Places of the list that count.
    kind : {"ndcg", "recall"}
        Accuracy, as of `found_shares`.

    Raises
    ------
    NotMeasurableError
        If a score is not finite.
    """
    parts = [np.empty(0)]
    for start in range(0, len(shown), BLOCK_USERS):
        rows = np.arange(start, min(start + BLOCK_USERS, len(shown)))
        block = shown[rows]
        scores = fold_in_scores(model, block)
        if not np.isfinite(scores).all():
            reason = refusal("scores", "be finite", "others", context=model.name)
            raise NotMeasurableError(reason)
        parts.append(found_shares(scores, block.matrix, hidden.matrix[rows], k=k, kind=kind))
    return np.concatenate(parts)


def found_shares(
    scores: FloatArray, shown: sp.csr_array, hidden: sp.csr_array, *, k: int, kind: str = "ndcg"
) -> FloatArray:
    r"""NDCG or recall at `k` of one block of users, each in [0, 1]; 1 is best.

    Of a user whose hidden items H are at the places p, from 1, of the list,

    .. math::

        \mathrm{NDCG} = \frac{\sum_{i \in H, p_i \le k} 1 / \log_2(1 + p_i)}
        {\sum_{p=1}^{\min(k, |H|)} 1 / \log_2(1 + p)} \qquad
        \mathrm{recall} = \frac{|\{i \in H : p_i \le k\}|}{|H|}

    as Cornac has them. Items of one score share the gains of their places evenly, so that the
    result does not depend on the order of items: the expectation over random orders of ties.

    Parameters
    ----------
    scores : ndarray, shape (n_block, n_items)
        Finite scores; higher is better.
    shown : csr_array, shape (n_block, n_items)
        Items that are no candidates.
    hidden : csr_array, shape (n_block, n_items)
        Items to be found, none of them shown, at least one a user.
    k : int
        Places of the list that count.
    kind : {"ndcg", "recall"}
        Accuracy that is asked for.

    Returns
    -------
    ndarray, shape (n_block,)

    References
    ----------
    McSherry & Najork (2008), "Computing information retrieval performance measures efficiently in
    the presence of tied scores".

    Examples
    --------
    The hidden items are at the places 1 and, tied, 2 or 3 of the list, of which two places count.

    >>> scores = np.array([[0.9, 0.5, 0.2, 0.2, 0.1]])
    >>> shown, hidden = sp.csr_array([[1, 0, 0, 0, 0]]), sp.csr_array([[0, 1, 1, 0, 0]])
    >>> found_shares(scores, shown, hidden, k=2, kind="recall")
    array([0.75])
    """
    n_items = scores.shape[1]
    places = np.arange(1, n_items + 1)
    gains = (1 / np.log2(1 + places) if kind == "ndcg" else np.ones(n_items)) * (places <= k)
    total = np.append(0.0, np.cumsum(gains))  # (n_items + 1,) of the first places
    ordered = scores.astype(np.float64)
    ordered[user_of(shown), shown.indices] = -np.inf
    ordered.sort(axis=1)
    shares = np.empty(len(scores))
    for user in range(len(scores)):
        items = hidden.indices[hidden.indptr[user] : hidden.indptr[user + 1]]
        own = scores[user, items]
        last = n_items - np.searchsorted(ordered[user], own, side="left")  # of the tied places
        before = n_items - np.searchsorted(ordered[user], own, side="right")
        found = np.sum((total[last] - total[before]) / (last - before))
        shares[user] = found / (total[len(items)] if kind == "ndcg" else len(items))
    return shares
