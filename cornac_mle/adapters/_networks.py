"""Families with a torch network: autoencoders and embeddings. Scored without a gradient."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, log_softmax, logit

from cornac_mle.adapters._probable_points import likely_points
from cornac_mle.adapters.adapter import as_floats
from cornac_mle.sparse import FloatArray, pattern

if TYPE_CHECKING:
    from torch import Tensor

LEAST_RATE = 1e-7
"""Probabilities that a network gives as 0 in float32 are taken as this."""
PAIRS = 2**18
"""User-item pairs that a network with embeddings scores at once."""


def _tensor(values: FloatArray, device: Any) -> "Tensor":
    import torch

    return torch.as_tensor(values, dtype=torch.float32, device=device)


def _ones(matrix: sp.csr_array) -> FloatArray:
    return as_floats(pattern(matrix).toarray())


@contextmanager
def evaluating(module: Any) -> "Iterator[None]":
    """Score without dropout or sampling, and leave the network as it was."""
    import torch

    was = module.training
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        module.train(was)


# ------------------------------------------------------------------------------------------- VAECF


def vaecf_fold_in(model: Any, matrix: sp.csr_array, train: sp.csr_array) -> FloatArray:
    """Encode: the mean of the posterior of z."""
    with evaluating(model.vae):
        return as_floats(model.vae.encode(_tensor(_ones(matrix), model.device))[0].cpu())


def vaecf_points(model: Any) -> FloatArray:
    """Encode the training users."""
    return encode_blocks(vaecf_fold_in, model, sp.csr_array(model.r_mat))


def vaecf_scores(model: Any, points: FloatArray) -> FloatArray:
    """Log-rates at which items are chosen: the order of VAECF's own scores."""
    with evaluating(model.vae):
        probabilities = as_floats(model.vae.decode(_tensor(points, model.device)).cpu())
    return log_rates(probabilities, model.likelihood)


def vaecf_draw(model: Any, n_users: int, rng: np.random.Generator) -> FloatArray:
    """Draw z from its prior, N(0, I)."""
    return rng.standard_normal((n_users, model.k))


def log_rates(probabilities: FloatArray, likelihood: str) -> FloatArray:
    """Log of the rates at which items arrive, from a decoder's outputs in (0, 1).

    Items are drawn one after the other in proportion to their rates. Multinomial and Poisson
    outputs are rates; a Bernoulli's odds are the rates of its distribution given the number of
    items.
    """
    inside = np.clip(probabilities, LEAST_RATE, 1 - LEAST_RATE)
    return as_floats(logit(inside) if likelihood == "bern" else np.log(inside))


def encode_blocks(encode: Any, model: Any, matrix: sp.csr_array) -> FloatArray:
    """Encode many users, a block at a time: no dense users x items array beyond one block."""
    starts = range(0, matrix.shape[0], 1024)
    return np.concatenate([encode(model, matrix[start : start + 1024], matrix) for start in starts])


# ------------------------------------------------------------------------------------------ CVAECF


def cvaecf_fold_in(model: Any, matrix: sp.csr_array, train: sp.csr_array) -> FloatArray:
    """Encode (z, h) by the profile alone: an unseen user has no place in the user graph."""
    net, rows = model.cvae, _tensor(_ones(matrix), model.device)
    with evaluating(net):
        return np.column_stack(
            [as_floats(net.encode_qz(rows)[0].cpu()), as_floats(net.encode_qhy(rows)[0].cpu())]
        )


def cvaecf_points(model: Any) -> FloatArray:
    """Encode the training users: z by the profile, h by the user graph."""
    z = encode_blocks(cvaecf_fold_in, model, sp.csr_array(model.r_mat))[:, : model.z_dim]
    return np.column_stack([z, _graph_latent(model, np.arange(len(z)), "encode_qhx")])


def cvaecf_scores(model: Any, points: FloatArray) -> FloatArray:
    """Log-rates at which items are chosen: the order of CVAECF's own scores."""
    both = _tensor(points, model.device)
    with evaluating(model.cvae):
        probabilities = model.cvae.decode(both[:, : model.z_dim], both[:, model.z_dim :])
    return log_rates(as_floats(probabilities.cpu()), model.likelihood)


def cvaecf_draw(model: Any, n_users: int, rng: np.random.Generator) -> FloatArray:
    """Draw z from N(0, I), and h from its prior, N(mean, I), given a training user's neighbours."""
    of = rng.integers(model.num_users, size=n_users)
    h = _graph_latent(model, of, "encode_phx")
    return np.column_stack(
        [rng.standard_normal((n_users, model.z_dim)), h + rng.standard_normal(h.shape)]
    )


def _graph_latent(model: Any, users: Any, encoder: str) -> FloatArray:
    graph = sp.csr_array(model.u_adj_mat)
    blocks = []
    with evaluating(model.cvae):
        for start in range(0, len(users), 1024):
            rows = _tensor(_ones(graph[users[start : start + 1024]]), model.device)
            blocks.append(as_floats(getattr(model.cvae, encoder)(rows)[0].cpu()))
    return np.concatenate(blocks)


# ----------------------------------------------------------------------------------------- BiVAECF


def bivae_points(model: Any) -> FloatArray:
    """Lay out each training user as the mean of its posterior."""
    return as_floats(model.bivae.mu_theta.detach().cpu())[: model.num_users]


def bivae_fold_in(model: Any, matrix: sp.csr_array, train: sp.csr_array) -> FloatArray:
    """Encode: the mean of the posterior of theta."""
    with evaluating(model.bivae):
        return as_floats(model.bivae.encode_user(_tensor(_ones(matrix), model.device))[0].cpu())


def bivae_scores(model: Any, points: FloatArray) -> FloatArray:
    """Log-rates at which items are chosen: the order of BiVAECF's own scores."""
    items = as_floats(model.bivae.mu_beta.detach().cpu())
    return log_rates(expit(points @ items.T), model.likelihood)


def bivae_draw(model: Any, n_users: int, rng: np.random.Generator) -> FloatArray:
    """Draw theta from its prior, N(0, I)."""
    if model.cap_priors.get("user", False):
        msg = (
            f"{model.name} has a prior that depends on a user's features, and a new user has none. "
            'Use density="mixture".'
        )
        raise NotImplementedError(msg)
    return rng.standard_normal((n_users, model.k))


def bivae_ratings(model: Any, scores: FloatArray) -> FloatArray:
    """Bring scores, as BiVAECF does for one item, to the scale of ratings."""
    probabilities = expit(scores) if model.likelihood == "bern" else np.exp(scores)
    return as_floats(model.min_rating + (model.max_rating - model.min_rating) * probabilities)


# ------------------------------------------------------------------------------------------ RecVAE


def recvae_fold_in(model: Any, matrix: sp.csr_array, train: sp.csr_array) -> FloatArray:
    """Encode without dropout; Cornac scores in training mode."""
    net = model.recvae_model
    rows = _tensor(as_floats(matrix.toarray()), model.device)
    with evaluating(net):
        return as_floats(net.encoder(rows, dropout_rate=0)[0].cpu())


def recvae_points(model: Any) -> FloatArray:
    """Encode the training users."""
    return encode_blocks(recvae_fold_in, model, sp.csr_array(model.mydata.matrix))


def recvae_scores(model: Any, points: FloatArray) -> FloatArray:
    """Log-probabilities of the multinomial that RecVAE is trained as."""
    with evaluating(model.recvae_model):
        outputs = model.recvae_model.decoder(_tensor(points, model.device))
    return as_floats(log_softmax(as_floats(outputs.cpu()), axis=1))


# ------------------------------------------------------------------------------- GMF, MLP and NeuMF


def embedding_points(model: Any) -> FloatArray:
    """Lay out each training user as its embedding."""
    return as_floats(model.model.user_embedding.weight.detach().cpu())[: model.num_users]


def gmf_scores(model: Any, points: FloatArray) -> FloatArray:
    """Log-odds of a like: the order of GMF's own scores."""
    return as_floats(points @ gmf_items(model).T)


def gmf_fold_in(model: Any, matrix: sp.csr_array, train: sp.csr_array) -> FloatArray:
    """Most probable embedding (`likely_points`): scores are linear in it."""
    return likely_points(matrix, gmf_items(model), None, embedding_points(model), train)


def gmf_items(model: Any) -> FloatArray:
    """Item embeddings weighed by the output layer: GMF is a factor model of these."""
    net = model.model
    items = as_floats(net.item_embedding.weight.detach().cpu())
    return items * as_floats(net.logit.weight.detach().cpu())


def mlp_scores(model: Any, points: FloatArray) -> FloatArray:
    """Log-odds of a like: the order of MLP's own scores."""
    net = model.model
    with evaluating(net):
        return _pair_scores(
            points,
            net.num_items,
            model.device,
            lambda users, items: net.logit(_mlp(net, users, items)),
        )


def neumf_points(model: Any) -> FloatArray:
    """Lay out each training user as its two embeddings, side by side."""
    net = model.model
    both = (net.gmf.user_embedding.weight, net.mlp.user_embedding.weight)
    return np.column_stack([as_floats(one.detach().cpu())[: model.num_users] for one in both])


def neumf_scores(model: Any, points: FloatArray) -> FloatArray:
    """Log-odds of a like: the order of NeuMF's own scores."""
    import torch

    net = model.model
    width = net.gmf.user_embedding.weight.shape[1]

    def logits(users: "Tensor", items: "Tensor") -> "Tensor":
        product = users[:, :width] * net.gmf.item_embedding(items)
        scores: Tensor = net.logit(
            torch.cat([product, _mlp(net.mlp, users[:, width:], items)], dim=-1)
        )
        return scores

    with evaluating(net):
        return _pair_scores(points, net.gmf.num_items, model.device, logits)


def _mlp(net: Any, users: "Tensor", items: "Tensor") -> "Tensor":
    import torch

    hidden: Tensor = net.mlp_model(torch.cat([users, net.item_embedding(items)], dim=-1))
    return hidden


def _pair_scores(points: FloatArray, n_items: int, device: Any, logits: Any) -> FloatArray:
    """Score every pair of a point and an item, some pairs at a time."""
    import torch

    scores = np.empty((len(points), n_items))
    items = torch.arange(n_items, device=device)
    step = max(1, PAIRS // n_items)
    for start in range(0, len(points), step):
        users = _tensor(points[start : start + step], device)
        pairs = users.repeat_interleave(n_items, dim=0), items.repeat(len(users))
        scores[start : start + step] = logits(*pairs).view(len(users), n_items).cpu().numpy()
    return scores
