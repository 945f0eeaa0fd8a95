"""Latent Dirichlet allocation: every user is a blend of topics, a topic a popularity of items."""

import numpy as np
import scipy.sparse as sp
from scipy.special import logsumexp

from cornac_mle.checks import check_count, check_number
from cornac_mle.models._choose_k import ChoosesK
from cornac_mle.models._lda_topics import (
    dirichlet_log_density,
    fit_topics,
    log_dirichlet,
    user_evidence,
)
from cornac_mle.models.base import CHUNK_USERS
from cornac_mle.sampling.importance import LikelihoodEstimate, importance_estimate
from cornac_mle.sampling.plackett_luce import (
    draw_values,
    plackett_luce,
    plackett_luce_log_probability,
)
from cornac_mle.sampling.sizes import draw_own_sizes, size_distributions, size_probability
from cornac_mle.sparse import FloatArray

TEMPERS = (1.0, 0.5, 0.25, 0.1, 0.0)
"""Shares of the evidence that the proposals for topic shares take in: the wider ones are there
because the variational posterior is too narrow."""

CHOICE_DRAWS = 30
"""Draws a user from which the likelihood is estimated that chooses k."""


class LDA(ChoosesK):
    r"""Latent Dirichlet allocation: a user's taste is a blend of `k` topics.

    A synthetic user draws topic shares theta from a Dirichlet distribution, a size by the sizes of
    training users with the same main topics (smoothed, `size_distribution`; the distributions of
    topics blended by theta), and items one after the other in proportion to sum over k of theta_k
    phi_ki. Fitted by variational EM; `alpha`, one for each topic, by Minka's fixed point. The
    ranking score is the expected item weight given the items that are known.

    `log_likelihood` is that of the item set under the distribution of the samples,

    .. math::
        \log P(S) = \log \int \mathrm{Dir}(\theta \mid \alpha)
        \left[\sum_{z=1}^k \theta_z P_z(|S|)\right]
        P\left(S \,\middle|\, |S|, \sum_{z=1}^k \theta_z \phi_z\right) d\theta

    estimated by importance sampling: a lower bound on average (`estimate_log_likelihood` gives the
    effective sample size).

    Parameters
    ----------
    k : int, optional
        Number of topics. None: of 1, 2, 5, 10, 20, 50, 100, raised as long as users left out become
        more probable (validation users, otherwise a fifth of the training users).
    name : str
        Name of the recommender.
    max_iter : int
        EM iterations at most; it stops when the bound grows by less than 1e-5 of itself.
    lambda_reg : float
        Users of overall popularity added to every topic, above 0: an item that no user of a topic
        holds keeps a probability above 0. On three data sets 1 and less gave more believable users
        than 5 and 20, and no less probable new ones.
    trainable, verbose : bool
        Switches, as in Cornac.
    seed : int, optional
        Random seed of the starting point; None: another one each time.

    Attributes
    ----------
    k_ : int
        Number of topics fitted.
    held_out_nats_ : dict of int to float
        Mean log-likelihood of a user left out, for each k tried; empty where k was given.
    alpha_ : ndarray, shape (k,)
        Parameters of the Dirichlet distribution of a user's topic shares.
    weights_ : ndarray, shape (n_items, k)
        Item weights phi of the topics; columns sum to 1.
    bounds_ : list of float
        Lower bound of the objective after each iteration; it never falls, but where `alpha` starts
        to be fitted it is that of another prior.

    Notes
    -----
    Time: iterations x preferences x k; memory: 65,536 x k beside the users x k.

    Given topics t of the arrivals, the posterior is approximated by Dirichlet(evidence) times
    Poisson counts of arrivals that are at least 1 for held and 0 for other items: a mean field on
    the Bernoulli-Poisson link, which is close to the distribution of sets (there the time is such
    that the size comes out, here it is estimated for each user).

    References
    ----------
    Blei, Ng, Jordan: Latent Dirichlet Allocation, JMLR 2003 (there each word arrives as often as
    it is seen). Minka: Estimating a Dirichlet distribution, 2000. Zhou: Infinite Edge Partition
    Models for Overlapping Community Detection, AISTATS 2015 (Bernoulli-Poisson link).

    Examples
    --------
    >>> import numpy as np, pandas as pd, scipy.sparse as sp
    >>> from cornac_mle import LDA, Profiles
    >>> likes = np.kron(np.eye(2), np.ones((20, 5)))  # 20 users like items 0-4, 20 like 5-9
    >>> users = Profiles.from_matrix(sp.csr_array(likes), pd.Index(range(10)))
    >>> model = LDA(k=2, max_iter=60).fit(users.to_dataset())
    >>> model.fold_in(users[:1]).round(2)
    array([[0.2, 0.2, 0.2, 0.2, 0.2, 0. , 0. , 0. , 0. , 0. ]])
    >>> model.sample(2, rng=1).matrix.toarray().astype(int)
    array([[1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
           [1, 1, 0, 1, 1, 0, 0, 1, 0, 0]])
    """

    def __init__(
        self,
        k: int | None = 20,
        *,
        name: str = "LDA",
        max_iter: int = 200,
        lambda_reg: float = 1.0,
        trainable: bool = True,
        verbose: bool = False,
        seed: int | None = 123,
    ) -> None:
        super().__init__(k, name=name, trainable=trainable, verbose=verbose, seed=seed)
        self.max_iter = check_count("max_iter", max_iter)
        self.lambda_reg = check_number("lambda_reg", lambda_reg, above=0)

    # ------------------------------------------------------------------------------- formulas

    def _fit_with(self, matrix: sp.csr_array, k: int) -> None:
        passes = self._progress(self.max_iter, f"k = {k}")
        topics = fit_topics(matrix, k, self.lambda_reg, passes, self.seed)
        self.alpha_, self.weights_, self.bounds_ = topics.alpha, topics.weights, topics.bounds
        held = int(np.count_nonzero(np.bincount(matrix.indices, minlength=matrix.shape[1])))
        main_topics = topics.evidence.argmax(axis=1)
        self.size_distributions_ = size_distributions(np.diff(matrix.indptr), main_topics, k, held)

    def _choice_nats(self, left_out: sp.csr_array) -> FloatArray:
        rng = np.random.default_rng(self.seed)
        blocks = [
            self._log_likelihood(left_out[start : start + CHUNK_USERS], CHOICE_DRAWS, rng).nats
            for start in range(0, left_out.shape[0], CHUNK_USERS)
        ]
        return np.concatenate(blocks)

    def _draw(self, n_users: int, rng: np.random.Generator) -> sp.csr_array:
        shares = rng.dirichlet(self.alpha_, size=n_users)  # (n_users, k)
        sizes = draw_own_sizes(shares @ self.size_distributions_, rng)
        drawn = plackett_luce(self._log_weights(shares), sizes, rng)
        return draw_values(drawn, self.by_item_, rng)

    def _fold_in(self, matrix: sp.csr_array) -> FloatArray:
        evidence = user_evidence(matrix, self.alpha_, self.weights_)
        shares = evidence / evidence.sum(axis=1, keepdims=True)
        return np.asarray(shares @ self.weights_.T)

    def _log_likelihood(
        self, matrix: sp.csr_array, n_draws: int, rng: np.random.Generator
    ) -> LikelihoodEstimate:
        evidence = user_evidence(matrix, self.alpha_, self.weights_) - self.alpha_
        proposals = np.stack([self.alpha_ + temper * evidence for temper in TEMPERS])
        numbers = np.arange(n_draws) % len(proposals)
        shares_of_draws = np.bincount(numbers, minlength=len(proposals)) / n_draws
        n_users = matrix.shape[0]
        at_once = max(1, CHUNK_USERS // max(n_users, 1))  # draws, where there are few users
        log_ratios = []
        for start in range(0, n_draws, at_once):
            drawn = numbers[start : start + at_once]
            log_shares = log_dirichlet(proposals[drawn], rng)  # (n_drawn, n_users, k)
            # Over all proposals, not its own alone, so that no ratio is above what the prior,
            # which is one of them, allows.
            log_proposal = logsumexp(
                [dirichlet_log_density(log_shares, proposal) for proposal in proposals],
                axis=0,
                b=shares_of_draws[:, None, None],
            )
            shares = np.exp(log_shares).reshape(-1, len(self.alpha_))
            copies = sp.csr_array(sp.vstack([matrix] * len(drawn), format="csr"))
            log_probabilities = plackett_luce_log_probability(self._log_weights(shares), copies)
            of_sizes = size_probability(self.size_distributions_, np.diff(copies.indptr))
            with np.errstate(divide="ignore"):
                log_probabilities += np.log((shares * of_sizes.T).sum(axis=1))
            log_prior = dirichlet_log_density(log_shares, self.alpha_)
            log_ratios.append(log_probabilities.reshape(-1, n_users) + log_prior - log_proposal)
        return importance_estimate(np.concatenate(log_ratios))

    def _log_weights(self, shares: FloatArray) -> FloatArray:
        """Log-weights (n_users, n_items) of blends of topics."""
        with np.errstate(divide="ignore"):  # an item that no training user holds
            return np.asarray(np.log(shares @ self.weights_.T))
