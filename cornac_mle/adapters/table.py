"""The table of families: Cornac models that can be sampled, and how each scores unseen users.

A model that is in no family is scored by its training users alone (`OTHERS`). To add a family,
write its formulas and `register` them::

    register(Adapter(family="my factors", holds=("P", "Q"),
                     points=lambda model: model.P, scores=lambda model, points: points @ model.Q.T))

Examples
--------
>>> [adapter.family for adapter in ADAPTERS][:3]
['popularity (MostPop)', 'Poisson factors (HPF)', 'autoencoder (VAECF)']
>>> OTHERS.family
'any other model'
"""

from typing import Any

import numpy as np
import scipy.sparse as sp
from cornac.models import NextBasketRecommender, NextItemRecommender, Recommender

from cornac_mle.adapters import _knn as knn
from cornac_mle.adapters import _like_factors as likes
from cornac_mle.adapters import _networks as networks
from cornac_mle.adapters import _positive_factors as positive
from cornac_mle.adapters import _rating_factors as ratings
from cornac_mle.adapters import _rows as rows
from cornac_mle.adapters.adapter import Adapter, as_floats
from cornac_mle.sparse import FloatArray


def popularity_points(model: Any) -> FloatArray:
    """All users alike: no coordinates."""
    return np.zeros((model.num_users, 0))


def popularity_scores(model: Any, points: FloatArray) -> FloatArray:
    """Score by the number of training users who hold an item, for all users alike."""
    return np.tile(as_floats(model.item_pop)[: model.num_items], (len(points), 1))


def no_coordinates(model: Any, matrix: sp.csr_array, train: sp.csr_array) -> FloatArray:
    """All users alike."""
    return np.zeros((matrix.shape[0], 0))


ADAPTERS: list[Adapter] = [
    Adapter(
        family="popularity (MostPop)",
        holds=("item_pop",),
        points=popularity_points,
        fold_in=no_coordinates,
        scores=popularity_scores,
    ),
    Adapter(
        family="Poisson factors (HPF)",
        holds=("Theta", "Beta", "Gs", "Gr"),
        points=positive.poisson_points,
        fold_in=positive.poisson_fold_in,
        scores=positive.poisson_scores,
        draw=positive.poisson_draw,
        values=True,
        judge_family="svd",
    ),
    Adapter(
        family="autoencoder (VAECF)",
        holds=("vae", "r_mat"),
        points=networks.vaecf_points,
        fold_in=networks.vaecf_fold_in,
        scores=networks.vaecf_scores,
        draw=networks.vaecf_draw,
        judge_family="svd",
    ),
    Adapter(
        family="autoencoder with a user graph (CVAECF)",
        holds=("cvae", "u_adj_mat"),
        points=networks.cvaecf_points,
        fold_in=networks.cvaecf_fold_in,
        scores=networks.cvaecf_scores,
        draw=networks.cvaecf_draw,
        judge_family="svd",
    ),
    Adapter(
        family="two-sided autoencoder (BiVAECF)",
        holds=("bivae",),
        points=networks.bivae_points,
        fold_in=networks.bivae_fold_in,
        scores=networks.bivae_scores,
        ratings=networks.bivae_ratings,
        draw=networks.bivae_draw,
        judge_family="svd",
    ),
    Adapter(
        family="autoencoder (RecVAE)",
        holds=("recvae_model", "mydata"),
        points=networks.recvae_points,
        fold_in=networks.recvae_fold_in,
        scores=networks.recvae_scores,
        values=True,
        judge_family="svd",
    ),
    Adapter(
        family="item-item weights (EASE)",
        holds=("B", "U"),
        row_scores=rows.ease_scores,
        values=True,
        judge_family="ease",
    ),
    Adapter(
        family="item neighbours (ItemKNN)",
        holds=("sim_mat", "ui_mat"),
        row_scores=knn.item_knn_scores,
        values=True,
        judge_family="item-knn",
    ),
    Adapter(
        family="user neighbours (UserKNN)",
        holds=("sim_mat", "iu_mat"),
        row_scores=knn.user_knn_scores,
        values=True,
    ),
    Adapter(
        family="clusters (SKMeans)",
        holds=("centroids", "user_center_sim"),
        points=rows.cluster_points,
        fold_in=rows.cluster_fold_in,
        scores=rows.cluster_scores,
        values=True,
    ),
    Adapter(
        family="embeddings (NeuMF)",
        holds=("model.gmf.user_embedding", "model.mlp.user_embedding"),
        points=networks.neumf_points,
        scores=networks.neumf_scores,
        judge_family="svd",
    ),
    Adapter(
        family="embeddings (MLP)",
        holds=("model.user_embedding", "model.mlp_model"),
        points=networks.embedding_points,
        scores=networks.mlp_scores,
        judge_family="svd",
    ),
    Adapter(
        family="embeddings (GMF)",
        holds=("model.user_embedding", "model.item_embedding"),
        points=networks.embedding_points,
        fold_in=networks.gmf_fold_in,
        scores=networks.gmf_scores,
        judge_family="svd",
    ),
    Adapter(
        family="factors of ratings (PMF)",
        holds=("U", "V", "variant"),
        points=likes.dot_points,
        fold_in=ratings.pmf_fold_in,
        scores=likes.dot_scores,
        ratings=ratings.pmf_ratings,
        values=True,
        judge_family="svd",
    ),
    Adapter(
        family="factors and item features (VMF)",
        holds=("U", "V", "P", "Q"),
        row_scores=rows.neighbour_scores,  # as any other: its scores are more than U times V
    ),
    Adapter(
        family="factors of likes (IBPR, WMF)",
        holds=("U", "V"),
        points=likes.dot_points,
        fold_in=likes.dot_fold_in,
        scores=likes.dot_scores,
        judge_family="svd",
    ),
    Adapter(
        family="factors above 0 (NMF)",
        holds=("u_factors", "i_factors", "lambda_u", "u_biases"),
        points=positive.positive_points,
        fold_in=positive.positive_fold_in,
        scores=positive.positive_scores,
        values=True,
        judge_family="svd",
    ),
    Adapter(
        family="factors of ratings (MF, SVD)",
        holds=("u_factors", "i_factors", "u_biases", "i_biases"),
        points=ratings.rating_points,
        fold_in=ratings.rating_fold_in,
        scores=ratings.rating_scores,
        values=True,
        judge_family="svd",
    ),
    Adapter(
        family="factors of likes (BPR, WBPR, MMMF)",
        holds=("u_factors", "i_factors", "i_biases"),
        points=likes.like_points,
        fold_in=likes.like_fold_in,
        scores=likes.like_scores,
        judge_family="svd",
    ),
    Adapter(
        family="biases (BaselineOnly)",
        holds=("u_biases", "i_biases"),
        points=ratings.bias_points,
        fold_in=ratings.bias_fold_in,
        scores=ratings.bias_scores,
        values=True,
    ),
]
"""Special families first. `register` puts one before all others."""


OTHERS = Adapter(family="any other model", holds=(), row_scores=rows.neighbour_scores)
"""What has a score for its training users only: an unseen user is scored as its nearest ones."""


def register(adapter: Adapter) -> None:
    """Make one more family known, before all others.

    Parameters
    ----------
    adapter : Adapter
        Formulas of the family.

    Examples
    --------
    >>> mine = Adapter(family="mine", holds=("P",), row_scores=lambda *parts: parts[1] @ parts[0].P)
    >>> register(mine)
    >>> ADAPTERS[0].family
    'mine'
    >>> ADAPTERS.remove(mine)
    """
    ADAPTERS.insert(0, adapter)


def adapter_of(model: Recommender) -> Adapter:
    """Find the family of a fitted model; `OTHERS` where nothing is known of it.

    Parameters
    ----------
    model : Recommender
        Fitted model.

    Returns
    -------
    Adapter
        The first of `ADAPTERS` whose attributes the model has.

    Examples
    --------
    >>> from cornac.data import Dataset
    >>> from cornac.models import BPR, GlobalAvg
    >>> data = Dataset.from_uir([("ann", "tea", 1.0), ("bob", "jam", 1.0)])
    >>> adapter_of(BPR(k=2, seed=1).fit(data)).family
    'factors of likes (BPR, WBPR, MMMF)'
    >>> adapter_of(GlobalAvg().fit(data)).family
    'any other model'
    """
    return next((known for known in ADAPTERS if known.fits(model)), OTHERS)


def check_samplable(model: Recommender) -> None:
    """Raise, and say why, where a model has no whole users to draw.

    Parameters
    ----------
    model : Recommender
        Model that is to be sampled, fitted or not.

    Raises
    ------
    NotImplementedError
        If it recommends the next item or basket of a sequence.

    Examples
    --------
    >>> from cornac.models import SPop
    >>> check_samplable(SPop())
    Traceback (most recent call last):
    ...
    NotImplementedError: SPop cannot be sampled: SPop scores the next items of a sequence, and
    profiles have no order.
    """
    if isinstance(model, NextItemRecommender | NextBasketRecommender):
        msg = (
            f"{model.name} cannot be sampled: {type(model).__name__} scores the next items of a "
            "sequence, and profiles have no order."
        )
        raise NotImplementedError(msg)
