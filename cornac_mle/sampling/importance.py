"""Log-likelihoods of models with latent variables, by importance sampling."""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from cornac_mle.sparse import FloatArray


class LikelihoodEstimate(NamedTuple):
    """Log-probabilities of users, and how far to trust them.

    Attributes
    ----------
    nats : ndarray, shape (n_users,)
        Log-probabilities.
    effective_sample_size : ndarray, shape (n_users,), or None
        None: `nats` are exact. Otherwise `nats` are the log of an unbiased estimate of the
        probability, so a lower bound on average; the estimate is as good as that many independent
        draws of the posterior would make it, out of the draws that were taken. Near 1 it hangs on a
        single draw and may be nats too low.
    """

    nats: FloatArray
    effective_sample_size: FloatArray | None

    @property
    def exact(self) -> bool:
        """Whether the log-probabilities are exact."""
        return self.effective_sample_size is None


def importance_estimate(log_ratios: FloatArray) -> LikelihoodEstimate:
    r"""Estimate log-probabilities from draws of latent points.

    With z_1, ..., z_n drawn from a proposal q and r_j = p(x, z_j) / q(z_j),

    .. math::
        \log \hat p(x) = \log \frac{1}{n} \sum_{j=1}^n r_j, \qquad
        \mathrm{ESS} = \frac{(\sum_j r_j)^2}{\sum_j r_j^2} \in [1, n]

    The mean is an unbiased estimate of p(x), and its logarithm a lower bound of log p(x) on
    average, which rises to it with n.

    Parameters
    ----------
    log_ratios : ndarray, shape (n_draws, n_users)
        Logarithms of the r_j; -inf where the profile cannot come from the point.

    Returns
    -------
    LikelihoodEstimate
        -inf and an effective sample size of 0 where no draw can give the profile.

    References
    ----------
    Burda, Grosse and Salakhutdinov: Importance Weighted Autoencoders, ICLR 2016. Kong: A Note on
    Importance Sampling using Standardized Weights, 1992 (effective sample size).

    Examples
    --------
    >>> estimate = importance_estimate(np.log([[0.2, 0.1], [0.2, 0.3]]))
    >>> np.exp(estimate.nats).round(3)
    array([0.2, 0.2])
    >>> estimate.effective_sample_size.round(3)
    array([2. , 1.6])
    """
    total = logsumexp(log_ratios, axis=0)
    possible = total > -np.inf
    sizes = np.zeros(log_ratios.shape[1])
    shares = log_ratios[:, possible] - total[possible]
    sizes[possible] = np.exp(-logsumexp(2 * shares, axis=0))
    return LikelihoodEstimate(np.asarray(total - np.log(len(log_ratios))), sizes)
