"""Latent densities of a fitted autoencoder: where the next user comes from, by `latent`."""

import numpy as np

from cornac_mle.models.vae._vamp_prior import fit_vamp
from cornac_mle.models.vae.network import Network, posterior
from cornac_mle.sampling.latent_densities import (
    LatentDensity,
    StandardNormal,
    fit_gaussian,
    fit_mixture,
)
from cornac_mle.sampling.sizes import size_distribution
from cornac_mle.sparse import FloatArray, IntArray


def fit_densities(
    network: Network,
    means: FloatArray,
    deviations: FloatArray,
    sizes: IntArray,
    n_items: int,
    n_components: int | None,
    rng: np.random.Generator,
) -> dict[str, LatentDensity]:
    """Fit the densities "prior", "gaussian" and "mixture" to the training users' posteriors.

    Parameters
    ----------
    network : Network
        Trained network, whose pseudo-inputs make up the prior where it has some.
    means, deviations : ndarray, shape (n_users, k)
        Moments of the posterior N(mean, diag(deviation^2)) of each training user.
    sizes : ndarray of int, shape (n_users,)
        Profile sizes.
    n_items : int
        Largest size that a profile can have.
    n_components : int or None
        Components of the mixture; None: chosen by users left out.
    rng : Generator
        Generator of all fits, in this order.
    """
    posteriors = means, deviations, sizes, n_items
    prior: LatentDensity = StandardNormal(means.shape[1], size_distribution(sizes, n_items))
    if network.pseudo_inputs is not None:
        mean, log_variance = posterior(network.encoder, network.pseudo_inputs)
        deviation = np.exp(log_variance.astype(np.float64) / 2)
        prior = fit_vamp(mean.astype(np.float64), deviation, *posteriors, rng)
    return {
        "prior": prior,
        "gaussian": fit_gaussian(*posteriors, rng),
        "mixture": fit_mixture(*posteriors, n_components, rng),
    }
