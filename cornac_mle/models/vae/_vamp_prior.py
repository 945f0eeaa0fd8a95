"""The prior that training has learnt, as a distribution of latent points and profile sizes."""

import numpy as np
from scipy.special import softmax

from cornac_mle.sampling.latent_densities import RIDGE, NormalMixture, size_scores
from cornac_mle.sampling.sizes import size_distribution
from cornac_mle.sparse import FloatArray, IntArray


def fit_vamp(
    pseudo_means: FloatArray,
    pseudo_deviations: FloatArray,
    means: FloatArray,
    deviations: FloatArray,
    sizes: IntArray,
    n_items: int,
    rng: np.random.Generator,
) -> NormalMixture:
    """Give the even mixture of pseudo-inputs' posteriors a distribution of sizes.

    The score of the size is normal in each component, with the moments of the training users, who
    count in proportion to how probable the component is at a draw of their posterior. One user of
    overall distribution is added, so that a component without users has that.

    Parameters
    ----------
    pseudo_means, pseudo_deviations : ndarray, shape (n_components, k)
        Moments of the pseudo-inputs' posteriors.
    means, deviations : ndarray, shape (n_users, k)
        Moments of the posterior of each training user.
    sizes : ndarray of int, shape (n_users,)
        Profile sizes.
    n_items : int
        Largest size that a profile can have.
    rng : Generator
        Generator of the draws of posteriors and of ties of sizes.
    """
    n_components, k = pseudo_means.shape
    points = means + deviations * rng.standard_normal(means.shape)
    parts = [
        -0.5 * (((points - centre) / spread) ** 2).sum(axis=1) - np.log(spread).sum()
        for centre, spread in zip(pseudo_means, pseudo_deviations, strict=True)
    ]
    shares = softmax(parts, axis=0)  # (n_components, n_users)
    scores = size_scores(sizes, rng)
    counts = shares.sum(axis=1) + 1
    centres = shares @ scores / counts
    variances = (shares @ scores**2 + 1) / counts - centres**2
    covariances = np.zeros((n_components, k + 1, k + 1))
    diagonal = np.arange(k + 1)
    covariances[:, diagonal, diagonal] = np.column_stack([pseudo_deviations**2, variances]) + RIDGE
    weights = np.full(n_components, 1 / n_components)
    distribution = size_distribution(sizes, n_items)
    return NormalMixture(
        weights, np.column_stack([pseudo_means, centres]), covariances, distribution
    )
