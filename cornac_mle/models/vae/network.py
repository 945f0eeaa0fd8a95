"""The variational autoencoder's two networks, run in numpy: ranking and sampling need no torch."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from cornac_mle.checks import check_count, refusal
from cornac_mle.models.base import CHUNK_USERS
from cornac_mle.sparse import Float32Array, FloatArray

Layers = list[tuple[Float32Array, Float32Array]]
"""Weights (n_in, n_out) and biases (n_out,) of each layer, tanh between them."""


class Network(NamedTuple):
    """What training leaves behind.

    Attributes
    ----------
    encoder : layers
        Layers from unit rows (n_users, n_items) to posterior means and log-variances
        (n_users, 2 k).
    decoder : layers
        Layers from latent points (n_users, k) to natural parameters (n_users, n_items); the last
        one also sees the points themselves.
    pseudo_inputs : ndarray, shape (n_pseudo_inputs, n_items), or None
        Unit rows whose posteriors make up the prior; None: the prior is N(0, I).
    """

    encoder: Layers
    decoder: Layers
    pseudo_inputs: Float32Array | None


def check_widths(name: str, value: object) -> tuple[int, ...]:
    """Return the sizes of hidden layers as a tuple, or raise."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        rule, advice = "be a sequence of layer sizes", "Pass for example (300,)."
        raise TypeError(refusal(name, rule, repr(value), advice))
    return tuple(check_count(name, width) for width in value)


def forward(layers: Layers, inputs: sp.csr_array | Float32Array) -> Float32Array:
    """Run layers with tanh between them: (n_users, n_in) -> (n_users, n_out).

    A last layer with more rows than the one before has outputs sees the inputs too, below them.
    """
    hidden = inputs
    for weights, biases in layers[:-1]:
        hidden = np.tanh(hidden @ weights + biases)
    weights, biases = layers[-1]
    if len(weights) > hidden.shape[1]:
        hidden = np.concatenate([hidden, inputs], axis=1)
    outputs: Float32Array = hidden @ weights
    outputs += biases
    return outputs


def posterior(
    encoder: Layers, inputs: sp.csr_array | Float32Array
) -> tuple[Float32Array, Float32Array]:
    """Mean and log-variance, each (n_users, k), of the latent points of users."""
    mean, log_variance = np.split(forward(encoder, inputs), 2, axis=1)
    return mean, log_variance


def encode(encoder: Layers, matrix: sp.csr_array) -> tuple[FloatArray, FloatArray]:
    """Posterior means and standard deviations of users, (n_users, k) each, block by block."""
    blocks = [
        posterior(encoder, unit_rows(matrix[start : start + CHUNK_USERS]))
        for start in range(0, matrix.shape[0], CHUNK_USERS)
    ]
    means = np.concatenate([mean for mean, _ in blocks])
    deviations = np.concatenate([np.exp(log_variance / 2) for _, log_variance in blocks])
    return means.astype(np.float64), deviations.astype(np.float64)


def gradients(decoder: Layers, points: Float32Array) -> Float32Array:
    """Differentiate natural parameters by the points (n_users, k): (n_users, k, n_items)."""
    n_users, k = points.shape
    chain = np.broadcast_to(np.eye(k, dtype=np.float32), (n_users, k, k))
    hidden = points
    for weights, biases in decoder[:-1]:
        hidden = np.tanh(hidden @ weights + biases)
        chain = (chain @ weights) * (1 - hidden**2)[:, None, :]
    last = decoder[-1][0]
    if len(last) > chain.shape[2]:
        itself = np.broadcast_to(np.eye(k, dtype=np.float32), (n_users, k, k))
        chain = np.concatenate([chain, itself], axis=2)
    # One product of matrices, which is several times faster than one a user.
    flat = chain.reshape(n_users * k, -1) @ last
    return np.asarray(flat.reshape(n_users, k, -1))


def unit_rows(matrix: sp.csr_array) -> sp.csr_array:
    """Replace the values of each user by 1 / sqrt(profile size): Euclidean length 1."""
    sizes = np.diff(matrix.indptr)
    values = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes).astype(np.float32)
    return sp.csr_array((values, matrix.indices, matrix.indptr), shape=matrix.shape)
