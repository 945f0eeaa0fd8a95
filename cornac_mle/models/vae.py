"""Multinomial variational autoencoder: a user is a latent point that is decoded into tastes.

A new user is drawn in three steps that can each be wrong: a point and a size from a density over
the latent space, scores by the decoder, items by the scores. Which density is taken decides how
believable the users are, so all of them can be had from one fitted model.
"""

import copy
import itertools
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from tqdm.auto import tqdm

from cornac_mle.checks import check_choice, check_count, check_number, check_share, refusal
from cornac_mle.drawing import draw_values, plackett_luce, size_law
from cornac_mle.models.base import (
    CHUNK_USERS,
    FloatArray,
    GenerativeRecommender,
    Validation,
)
from cornac_mle.models.latent_densities import (
    LatentDensity,
    StandardNormal,
    fit_gaussian,
    fit_mixture,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    TorchLayers = list[tuple[Tensor, Tensor]]

Float32Array = npt.NDArray[np.float32]
Layers = list[tuple[Float32Array, Float32Array]]
"""Weights (n_in, n_out) and biases (n_out,) of each layer, tanh between them."""

LATENTS = ("prior", "gaussian", "mixture", "posterior")


class VAE(GenerativeRecommender):
    """Variational autoencoder with a multinomial likelihood.

    Values are ignored: a user is the set of its items. The encoder sees the set as a vector of
    Euclidean length 1 with entries dropped out at random and gives a posterior N(mean, variance)
    over the latent point; the decoder gives logits over items. Minimised is, per user,
    ``-sum of log softmax(logits) at its items + weight * KL(posterior || N(0, I))``, by Adam, the
    weight rising in a straight line from 0 to `beta`.

    Sampling draws a latent point and a profile size by `latent`, decodes, and draws that many
    distinct items one after the other in proportion to exp(logit). An item that no training user
    holds is never drawn; a value is that of a random training user who holds the item.

    Parameters
    ----------
    name : str
        Name of the recommender.
    k : int
        Latent dimensions.
    autoencoder_structure : sequence of int
        Sizes of the encoder's hidden layers, from the items on; the decoder mirrors them.
    n_epochs : int
        Passes over the training users, fewer if stopped early.
    batch_size : int
        Users per step.
    learning_rate : float
        Of Adam.
    dropout : float
        Share of a user's items hidden from the encoder in training, in [0, 1).
    beta : float
        Final weight of the KL term; 1 is the evidence lower bound.
    anneal_epochs : int
        Epochs in which the KL weight rises from 0; 0: it is `beta` from the start.
    patience : int
        With a validation set: stop after so many epochs without a better NDCG@100 of what
        validation users are not shown, and take the weights of the best epoch.
    latent : {"prior", "gaussian", "mixture", "posterior"}
        Where latent points come from. ``"prior"``: N(0, I), with the size of a random training
        user. ``"gaussian"``: one full Gaussian over point and size, fitted to the posteriors of
        the training users. ``"mixture"``: a mixture of such. ``"posterior"``: the posterior and
        the size of a random training user, so believable but close to that user.
        `with_latent` gives another one without training again.
    n_components : int, optional
        Of the mixture; None: chosen by the likelihood of training users left out of its fit.
    trainable, verbose : bool
        As in Cornac.
    seed : int, optional
        Of training; None: another model each time.
    use_gpu : bool
        Train on CUDA where there is one. Ranking and sampling run on the CPU and need no PyTorch.

    References
    ----------
    Liang, Krishnan, Hoffman, Jebara: Variational Autoencoders for Collaborative Filtering, WWW 2018
    (there `beta` is found by search and latent points come from the posterior only).
    """

    judge_family = "svd"  # few factors behind all items

    def __init__(
        self,
        name: str = "VAE",
        *,
        k: int = 64,
        autoencoder_structure: Sequence[int] = (300,),
        n_epochs: int = 100,
        batch_size: int = 100,
        learning_rate: float = 1e-3,
        dropout: float = 0.5,
        beta: float = 0.2,
        anneal_epochs: int = 20,
        patience: int = 10,
        latent: str = "mixture",
        n_components: int | None = None,
        trainable: bool = True,
        verbose: bool = False,
        seed: int | None = None,
        use_gpu: bool = False,
    ) -> None:
        super().__init__(name=name, trainable=trainable, verbose=verbose)
        check_count("k", k)
        if isinstance(autoencoder_structure, str) or not isinstance(
            autoencoder_structure, Sequence
        ):
            rule, got = "be a sequence of layer sizes", repr(autoencoder_structure)
            raise TypeError(refusal("autoencoder_structure", rule, got, "Pass for example (300,)."))
        for width in autoencoder_structure:
            check_count("autoencoder_structure", width)
        check_count("n_epochs", n_epochs)
        check_count("batch_size", batch_size)
        check_number("learning_rate", learning_rate, above=0.0)
        if dropout != 0:
            check_share("dropout", dropout)
        if beta != 0:
            check_number("beta", beta, above=0.0)
        check_count("anneal_epochs", anneal_epochs, minimum=0)
        check_count("patience", patience)
        check_choice("latent", latent, LATENTS)
        if n_components is not None:
            check_count("n_components", n_components)
        if seed is not None:
            check_count("seed", seed, minimum=0)
        self.k = k
        self.autoencoder_structure = autoencoder_structure
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.dropout = dropout
        self.beta = beta
        self.anneal_epochs = anneal_epochs
        self.patience = patience
        self.latent = latent
        self.n_components = n_components
        self.seed = seed
        self.use_gpu = use_gpu

    def with_latent(self, latent: str) -> Self:
        """Copy the model with another `latent`; fitted weights are shared, nothing is trained."""
        other = copy.copy(self)
        other.latent = check_choice("latent", latent, LATENTS)
        return other

    # ------------------------------------------------------------------------------- formulas

    def _fit(self, matrix: sp.csr_array, validation: Validation | None) -> None:
        rng = np.random.default_rng(self.seed)
        self.by_item_ = sp.csc_array(matrix)
        self.sizes_ = np.diff(matrix.indptr).astype(np.int64)  # (n_users,)
        self.encoder_, self.decoder_, self.validation_ndcg_ = self._train(matrix, validation, rng)
        means, deviations = self._encode(matrix)
        held = int(np.count_nonzero(np.diff(self.by_item_.indptr)))
        posteriors = means, deviations, self.sizes_, held
        self.densities_: dict[str, LatentDensity] = {
            "prior": StandardNormal(self.k, size_law(self.sizes_, held)),
            "gaussian": fit_gaussian(*posteriors, rng),
            "mixture": fit_mixture(*posteriors, self.n_components, rng),
        }

    def _draw(self, n_users: int, rng: np.random.Generator) -> sp.csr_array:
        if self.latent == "posterior":
            users = rng.integers(0, len(self.sizes_), size=n_users)
            assert self.train_matrix_ is not None  # a fitted model has it
            means, deviations = self._encode(self.train_matrix_[users])
            points = means + deviations * rng.standard_normal(means.shape)
            sizes = self.sizes_[users]
        else:
            points, sizes = self.densities_[self.latent].draw(n_users, rng)
        logits = forward(self.decoder_, points.astype(np.float32))
        logits[:, np.diff(self.by_item_.indptr) == 0] = -np.inf
        return draw_values(plackett_luce(logits, sizes, rng), self.by_item_, rng)

    def _fold_in(self, matrix: sp.csr_array) -> FloatArray:
        means, _ = posterior(self.encoder_, unit_rows(matrix))
        return forward(self.decoder_, means).astype(np.float64)

    def _why_no_log_likelihood(self) -> str:
        return "the integral over latent points has no closed form."

    def _encode(self, matrix: sp.csr_array) -> tuple[FloatArray, FloatArray]:
        """Posterior means and standard deviations (n_users, k), block by block."""
        blocks = [
            posterior(self.encoder_, unit_rows(matrix[start : start + CHUNK_USERS]))
            for start in range(0, matrix.shape[0], CHUNK_USERS)
        ]
        means = np.concatenate([mean for mean, _ in blocks])
        deviations = np.concatenate([np.exp(log_variance / 2) for _, log_variance in blocks])
        return means.astype(np.float64), deviations.astype(np.float64)

    # ------------------------------------------------------------------------------- training

    def _train(
        self, matrix: sp.csr_array, validation: Validation | None, rng: np.random.Generator
    ) -> tuple[Layers, Layers, list[float]]:
        """Return encoder, decoder and the validation NDCG@100 of each epoch."""
        torch = import_torch()
        device = torch.device("cuda" if self.use_gpu and torch.cuda.is_available() else "cpu")
        widths = [matrix.shape[1], *self.autoencoder_structure]
        encoder = new_layers(torch, [*widths, 2 * self.k], device, rng)
        decoder = new_layers(torch, [self.k, *reversed(widths)], device, rng)
        parameters = [tensor for layer in encoder + decoder for tensor in layer]
        optimizer = torch.optim.Adam(parameters, lr=self.learning_rate, fused=True)
        inputs = unit_rows(matrix)
        best = (to_numpy(encoder), to_numpy(decoder))
        ndcg: list[float] = []
        progress = tqdm(range(self.n_epochs), disable=not self.verbose, desc=self.name)
        for epoch in progress:
            order = rng.permutation(matrix.shape[0])
            losses = []
            for start in range(0, len(order), self.batch_size):
                done = (epoch + start / len(order)) / max(self.anneal_epochs, 1)
                users = order[start : start + self.batch_size]
                batch = inputs[users]
                noise = rng.standard_normal((len(users), self.k), dtype=np.float32)
                losses.append(
                    set_gradients(
                        torch,
                        encoder,
                        decoder,
                        shown=drop_out(batch, self.dropout, rng),
                        held=batch,
                        noise=torch.from_numpy(noise).to(device),
                        kl_weight=self.beta * (min(1.0, done) if self.anneal_epochs else 1.0),
                    )
                )
                optimizer.step()
            progress.set_postfix(loss=float(np.mean(losses)))
            if validation is not None:
                layers = to_numpy(encoder), to_numpy(decoder)
                ndcg.append(validation_ndcg(*layers, validation))
                progress.set_postfix(loss=float(np.mean(losses)), ndcg=ndcg[-1])
                if ndcg[-1] > max(ndcg[:-1], default=-1.0):
                    best = layers
                elif epoch - int(np.argmax(ndcg)) >= self.patience:
                    break
        progress.close()
        if validation is None:
            best = (to_numpy(encoder), to_numpy(decoder))
        return (*best, ndcg)


# ----------------------------------------------------------------------- the network, in numpy


def forward(layers: Layers, inputs: sp.csr_array | Float32Array) -> Float32Array:
    """Run layers with tanh between them: (n_users, n_in) -> (n_users, n_out)."""
    for weights, biases in layers[:-1]:
        inputs = np.tanh(inputs @ weights + biases)
    weights, biases = layers[-1]
    outputs: Float32Array = inputs @ weights + biases
    return outputs


def posterior(encoder: Layers, inputs: sp.csr_array) -> tuple[Float32Array, Float32Array]:
    """Mean and log-variance, each (n_users, k), of the latent points of users."""
    mean, log_variance = np.split(forward(encoder, inputs), 2, axis=1)
    return mean, log_variance


def unit_rows(matrix: sp.csr_array) -> sp.csr_array:
    """Replace the values of each user by 1 / sqrt(profile size): Euclidean length 1."""
    sizes = np.diff(matrix.indptr)
    values = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes).astype(np.float32)
    return sp.csr_array((values, matrix.indices, matrix.indptr), shape=matrix.shape)


def validation_ndcg(
    encoder: Layers, decoder: Layers, validation: Validation, cutoff: int = 100
) -> float:
    """Mean NDCG at `cutoff` of validation users' target items among those not shown; in [0, 1]."""
    cutoff = min(cutoff, validation.shown.shape[1])
    discounts = 1 / np.log2(np.arange(2, cutoff + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])
    values: list[float] = []
    for start in range(0, validation.shown.shape[0], CHUNK_USERS):
        shown = validation.shown[start : start + CHUNK_USERS]
        target = validation.target[start : start + CHUNK_USERS].toarray() > 0
        mean, _ = posterior(encoder, unit_rows(shown))
        scores = forward(decoder, mean)
        scores[shown.tocoo().coords] = -np.inf
        top = np.argpartition(-scores, cutoff - 1, axis=1)[:, :cutoff]
        order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
        hits = np.take_along_axis(target, np.take_along_axis(top, order, axis=1), axis=1)
        counts = target.sum(axis=1)
        gains = (hits @ discounts)[counts > 0] / ideal[np.minimum(counts[counts > 0], cutoff)]
        values.extend(gains)
    return float(np.mean(values)) if values else 0.0


# ------------------------------------------------------------------------- its training, in torch


def import_torch() -> ModuleType:
    """Import torch, which only training needs."""
    try:
        import torch
    except ImportError as error:
        msg = "`VAE` needs PyTorch. Install it with: pip install cornac-mle[vae]"
        raise ImportError(msg) from error
    return torch


def new_layers(
    torch: Any, widths: list[int], device: "torch.device", rng: np.random.Generator
) -> "TorchLayers":
    """Make trainable layers: Glorot normal weights, biases 0."""
    layers = []
    for n_in, n_out in itertools.pairwise(widths):
        scale = np.float32(np.sqrt(2 / (n_in + n_out)))
        weights = rng.standard_normal((n_in, n_out), dtype=np.float32) * scale
        pair = (torch.from_numpy(weights).to(device), torch.zeros(n_out, device=device))
        layers.append((pair[0].requires_grad_(), pair[1].requires_grad_()))
    return layers


def to_numpy(layers: "TorchLayers") -> Layers:
    """Copy trained layers."""
    return [(w.detach().cpu().numpy().copy(), b.detach().cpu().numpy().copy()) for w, b in layers]


def drop_out(inputs: sp.csr_array, share: float, rng: np.random.Generator) -> sp.csr_array:
    """Drop stored entries at random; the others grow by 1 / (1 - share)."""
    if share == 0:
        return inputs
    kept = rng.random(inputs.nnz, dtype=np.float32) >= share
    ends = np.concatenate([[0], np.cumsum(kept)])[inputs.indptr]
    values = inputs.data[kept] / np.float32(1 - share)
    return sp.csr_array((values, inputs.indices[kept], ends), shape=inputs.shape)


def sparse_product(torch: Any, left: sp.csr_array, right: "Tensor") -> "Tensor":
    """Multiply left @ right without gradient. On the CPU by scipy, the fastest there."""
    right = right.detach()
    product: Tensor
    if right.device.type == "cpu":
        product = torch.from_numpy(left @ right.numpy())
    else:
        product = torch.from_numpy(left.toarray()).to(right.device) @ right
    return product


def set_gradients(
    torch: Any,
    encoder: "TorchLayers",
    decoder: "TorchLayers",
    *,
    shown: sp.csr_array,
    held: sp.csr_array,
    noise: "Tensor",
    kl_weight: float,
) -> float:
    """Write the gradient of a batch's mean loss into the layers; return the loss in nats.

    The first and the last layer, which touch every item, are differentiated by hand: the input is
    sparse, and so is the part of the last gradient that comes from the held items.
    """
    n_users = held.shape[0]
    first_weights, first_biases = encoder[0]
    last_weights, last_biases = decoder[-1]
    first = (sparse_product(torch, shown, first_weights) + first_biases.detach()).requires_grad_()
    hidden = first
    for weights, biases in encoder[1:]:
        hidden = torch.addmm(biases, torch.tanh(hidden), weights)
    mean, log_variance = hidden.chunk(2, dim=1)
    hidden = mean + torch.exp(log_variance / 2) * noise
    for weights, biases in decoder[:-1]:
        hidden = torch.tanh(torch.addmm(biases, hidden, weights))
    kl = (mean**2 + torch.exp(log_variance) - log_variance - 1).sum() / (2 * n_users)

    with torch.no_grad():
        sizes = np.diff(held.indptr)
        rows = np.repeat(np.arange(n_users), sizes)
        places = torch.from_numpy(rows * held.shape[1] + held.indices).to(first.device)
        probabilities = torch.softmax(torch.addmm(last_biases, hidden, last_weights), dim=1)
        likelihood = torch.log(probabilities.view(-1)[places]).sum() / n_users
        weight = torch.from_numpy(sizes.astype(np.float32) / n_users).to(first.device)
        slope = probabilities.mul_(weight[:, None])  # d loss / d logits
        slope.view(-1)[places] -= 1 / n_users
        last_weights.grad = hidden.T @ slope
        last_biases.grad = slope.sum(dim=0)
        hidden_slope = slope @ last_weights.T
    for weights, biases in encoder[1:] + decoder[:-1]:
        weights.grad = biases.grad = None
    torch.autograd.backward([hidden, kl], [hidden_slope, torch.tensor(kl_weight).to(kl)])
    assert first.grad is not None  # `backward` has just written it
    first_weights.grad = sparse_product(torch, sp.csr_array(shown.T), first.grad)
    first_biases.grad = first.grad.sum(dim=0)
    return float(kl_weight * kl.detach() - likelihood)
