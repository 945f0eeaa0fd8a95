"""How a variational autoencoder uses its latent space, and how far its prior is off."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from cornac_mle.models.vae._log_likelihood import normal_log_density
from cornac_mle.sampling.latent_densities import LatentDensity, StandardNormal
from cornac_mle.sparse import FloatArray

ACTIVE_VARIANCE = 0.01
"""A latent dimension is in use if the posterior means' variance over users is above this."""
BLOCK_USERS = 256


@dataclass(frozen=True, eq=False, repr=False)
class Diagnostics:
    """The training users' posteriors N(mean, diag(deviation^2)), looked at together.

    Attributes
    ----------
    variances_of_means : ndarray, shape (k,)
        Variance over users of the posterior means, of each latent dimension. One near 0 says
        nothing of a user.
    active_units : int
        Dimensions where that is above .01, from 0 to k. Far fewer than k: a smaller `k` would do,
        or the KL weight has switched dimensions off.
    eigenvalues : ndarray, shape (k,)
        Eigenvalues of the covariance of the aggregate posterior (the mixture of all of them), in
        descending order. All 1 where it is N(0, I), as sampling from that prior assumes; values far
        from 1 are places that the prior over- or underpopulates.
    kl_of_dimensions : ndarray, shape (k,), or None
        KL(posterior || prior) of each dimension in nats, mean over users: how much it tells of a
        user. None where the prior is not a product over dimensions.
    kl : float
        KL(posterior || prior) in nats, mean over users; 0 and above. By one draw a user where the
        prior is a mixture.
    aggregate_kl : float
        KL(aggregate posterior || prior) in nats: how far new points from the prior are from what
        the decoder has been trained on. 0 is best, at most `kl`; `kl` less this is the information
        that points carry about who a user is, at most log(n_users). Estimated by one draw a user,
        so it may fall a little below 0.

    References
    ----------
    Burda, Grosse and Salakhutdinov: Importance Weighted Autoencoders, ICLR 2016 (active units).
    Hoffman and Johnson: ELBO surgery, NIPS workshop 2016 (the parts of the KL term).
    """

    variances_of_means: FloatArray
    active_units: int
    eigenvalues: FloatArray
    kl_of_dimensions: FloatArray | None
    kl: float
    aggregate_kl: float

    def __repr__(self) -> str:
        """Say the single numbers; arrays of k would hide them."""
        top, bottom = self.eigenvalues[0], self.eigenvalues[-1]
        return (
            f"Diagnostics({self.active_units} of {len(self.eigenvalues)} units active, "
            f"eigenvalues {top:.2f} to {bottom:.2f}, KL {self.kl:.1f} nats a user, "
            f"of the aggregate posterior {self.aggregate_kl:.1f})"
        )


def diagnose(
    means: FloatArray,
    deviations: FloatArray,
    prior: LatentDensity,
    rng: np.random.Generator,
) -> Diagnostics:
    """Compute `Diagnostics` of posteriors (n_users, k); time n_users^2 x k."""
    variances = means.var(axis=0)
    covariance = np.atleast_2d(np.cov(means.T, bias=True)) + np.diag((deviations**2).mean(axis=0))
    points = means + deviations * rng.standard_normal(means.shape)
    own = normal_log_density(points, means, deviations)
    at_prior = prior.log_point_density(points)
    of_dimensions = None
    kl = float(np.mean(own - at_prior))
    if isinstance(prior, StandardNormal):
        of_dimensions = (0.5 * (means**2 + deviations**2 - 1) - np.log(deviations)).mean(axis=0)
        kl = float(of_dimensions.sum())
    return Diagnostics(
        variances_of_means=variances,
        active_units=int(np.count_nonzero(variances > ACTIVE_VARIANCE)),
        eigenvalues=np.asarray(np.linalg.eigvalsh(covariance)[::-1], dtype=np.float64),
        kl_of_dimensions=of_dimensions,
        kl=kl,
        aggregate_kl=float(np.mean(aggregate_log_density(points, means, deviations) - at_prior)),
    )


def aggregate_log_density(
    points: FloatArray, means: FloatArray, deviations: FloatArray
) -> FloatArray:
    """Log-density (n_points,) of the even mixture of all posteriors, block by block."""
    precisions = deviations**-2.0
    constant = -0.5 * (means**2 * precisions + np.log(2 * np.pi / precisions)).sum(axis=1)
    blocks = []
    for start in range(0, len(points), BLOCK_USERS):
        block = points[start : start + BLOCK_USERS]
        parts = constant + block @ (means * precisions).T - 0.5 * block**2 @ precisions.T
        blocks.append(logsumexp(parts, axis=1) - np.log(len(means)))
    return np.concatenate(blocks)
