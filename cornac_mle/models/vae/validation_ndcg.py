"""How well the autoencoder ranks what validation users are not shown: what training stops by."""

import numpy as np

from cornac_mle.models.base import CHUNK_USERS
from cornac_mle.models.vae.network import Layers, forward, posterior, unit_rows
from cornac_mle.models.validation import Validation


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
