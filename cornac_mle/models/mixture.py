"""A mixture of kinds of users, each with its own popularity of items."""

from collections.abc import Iterable

import numpy as np
import scipy.sparse as sp
from scipy.special import logsumexp

from cornac_mle.checks import check_count, check_number
from cornac_mle.models._choose_k import ChoosesK
from cornac_mle.sampling.importance import LikelihoodEstimate
from cornac_mle.sampling.plackett_luce import draw_values, item_set_log_probability, plackett_luce
from cornac_mle.sampling.sizes import draw_own_sizes, size_distributions
from cornac_mle.sparse import FloatArray, pattern


class Mixture(ChoosesK):
    r"""Mixture model: a user is of one of `k` kinds, and a kind is a popularity of items.

    Fitted by EM for a mixture of multinomials over the items held, in log space, from several
    random starts; the start of the highest objective counts. A synthetic user has a kind in
    proportion to the kinds' weights, a size by the sizes of training users of that kind (smoothed,
    `size_distribution`) and items drawn one after the other in proportion to the kind's weights.
    The ranking score is the expected item weight given the items that are known.

    EM maximises, over shares pi and item weights w of the kinds,

    .. math::
        \sum_u \log \sum_{z=1}^k \pi_z \prod_{i \in S_u} w_{zi} + \sum_z \log \pi_z
        + \lambda \sum_z \sum_i \frac{c_i}{n} \log w_{zi}

    with c_i of n training users holding item i and :math:`\lambda` = `lambda_reg`.
    `log_likelihood` is exact, of the item set, under the distribution of the samples:

    .. math:: \log P(S) = \log \sum_{z=1}^k \pi_z \, P_z(|S|) \, P(S \mid |S|, w_z)

    Distinct items are drawn, which multinomials do not do, so the objective of EM is another
    number.

    Parameters
    ----------
    k : int, optional
        Number of kinds. None: of 1, 2, 5, 10, 20, 50, 100, raised as long as users left out become
        more probable (validation users, otherwise a fifth of the training users).
    name : str
        Name of the recommender.
    max_iter : int
        EM iterations at most; it stops when the log-likelihood plus the log-prior, which EM raises,
        grows by less than 1e-5 of itself.
    lambda_reg : float
        Users of overall popularity added to every kind, above 0: an item that no user of a kind
        holds keeps a probability above 0. 20 gave a higher likelihood of new users than 1 or 5 on
        three data sets.
    n_init : int
        Number of random starts.
    trainable, verbose : bool
        Switches, as in Cornac.
    seed : int, optional
        Random seed of the starts; None: others each time.

    Attributes
    ----------
    k_ : int
        Number of kinds fitted.
    held_out_nats_ : dict of int to float
        Mean log-likelihood of a user left out, for each k tried; empty where k was given.
    log_shares_ : ndarray, shape (k,)
        Log-probabilities of the kinds.
    log_weights_ : ndarray, shape (k, n_items)
        Log-weights of the items of each kind; weights sum to 1.
    size_distributions_ : ndarray, shape (k, n_held_items)
        Probabilities of sizes 1, 2, ..., of each kind.

    Notes
    -----
    Time a start: iterations x preferences x k.

    References
    ----------
    Dempster, Laird and Rubin: Maximum Likelihood from Incomplete Data via the EM Algorithm, JRSS B
    1977. Plackett: The Analysis of Permutations, JRSS C 1975 (items drawn one after the other).

    Examples
    --------
    >>> import numpy as np, pandas as pd, scipy.sparse as sp
    >>> from cornac_mle import Mixture, Profiles
    >>> likes = np.kron(np.eye(2), np.ones((20, 5)))  # 20 users like items 0-4, 20 like 5-9
    >>> users = Profiles.from_matrix(sp.csr_array(likes), pd.Index(range(10)))
    >>> model = Mixture(k=2, lambda_reg=1.0).fit(users.to_dataset())
    >>> model.fold_in(users[:1]).round(2)
    array([[0.2, 0.2, 0.2, 0.2, 0.2, 0. , 0. , 0. , 0. , 0. ]])
    >>> drawn = model.sample(100, rng=1).matrix
    >>> of_first_half = drawn[:, :5].sum(axis=1) / drawn.sum(axis=1)
    >>> float(np.maximum(of_first_half, 1 - of_first_half).mean())  # 1: of one kind each
    0.94
    """

    def __init__(
        self,
        k: int | None = 10,
        *,
        name: str = "Mixture",
        max_iter: int = 100,
        lambda_reg: float = 20.0,
        n_init: int = 3,
        trainable: bool = True,
        verbose: bool = False,
        seed: int | None = 123,
    ) -> None:
        super().__init__(k, name=name, trainable=trainable, verbose=verbose, seed=seed)
        self.max_iter = check_count("max_iter", max_iter)
        self.lambda_reg = check_number("lambda_reg", lambda_reg, above=0)
        self.n_init = check_count("n_init", n_init)

    def _fit_with(self, matrix: sp.csr_array, k: int) -> None:
        items = pattern(matrix).astype(np.float64)
        counts = items.sum(axis=0)
        # The items of `lambda_reg` average users, (n_items,).
        prior = self.lambda_reg * counts / items.shape[0]
        starts = []
        for number, seed in enumerate(np.random.SeedSequence(self.seed).spawn(self.n_init), 1):
            passes = self._progress(self.max_iter, f"start {number} of {self.n_init}, k = {k}")
            starts.append(_em(items, prior, k, passes, np.random.default_rng(seed)))
        _, self.log_shares_, self.log_weights_, kinds = max(starts, key=lambda start: start[0])
        held = int(np.count_nonzero(counts))
        # (k, n_held_items)
        self.size_distributions_ = size_distributions(np.diff(matrix.indptr), kinds, k, held)

    def _draw(self, n_users: int, rng: np.random.Generator) -> sp.csr_array:
        kinds = rng.choice(self.k_, size=n_users, p=np.exp(self.log_shares_))
        sizes = draw_own_sizes(self.size_distributions_[kinds], rng)
        drawn = plackett_luce(self.log_weights_[kinds], sizes, rng)
        return draw_values(drawn, self.by_item_, rng)

    def _fold_in(self, matrix: sp.csr_array) -> FloatArray:
        held = pattern(matrix).astype(np.float64)
        kinds = _responsibilities(held, self.log_shares_, self.log_weights_)[0]
        scores: FloatArray = kinds @ np.exp(self.log_weights_)
        return scores

    def _log_likelihood(
        self, matrix: sp.csr_array, n_draws: int, rng: np.random.Generator
    ) -> LikelihoodEstimate:
        return LikelihoodEstimate(self._choice_nats(matrix), None)

    def _choice_nats(self, matrix: sp.csr_array) -> FloatArray:
        of_kinds = [
            share + item_set_log_probability(weights, distribution, matrix)
            for share, weights, distribution in zip(
                self.log_shares_, self.log_weights_, self.size_distributions_, strict=True
            )
        ]
        return np.asarray(logsumexp(of_kinds, axis=0))


def _em(
    items: sp.csr_array, prior: FloatArray, k: int, passes: Iterable[int], rng: np.random.Generator
) -> tuple[float, FloatArray, FloatArray, np.ndarray]:
    """Run EM from one random start: objective, log shares (k,), log weights (k, n_items), kinds.

    The objective is the log-likelihood plus the log-prior of what is fitted, so it never falls.
    """
    n_users = items.shape[0]
    kinds = rng.dirichlet(np.full(k, 0.1), size=n_users)  # (n_users, k)
    held, objective = prior > 0, -np.inf
    for _ in passes:
        log_shares = np.log((kinds.sum(axis=0) + 1) / (n_users + k))
        weights = (items.T @ kinds).T + prior
        with np.errstate(divide="ignore"):  # an item that no training user holds
            log_weights = np.log(weights / weights.sum(axis=1, keepdims=True))
        kinds, reached = _responsibilities(items, log_shares, log_weights)
        reached += float(log_shares.sum() + (log_weights[:, held] * prior[held]).sum())
        if reached - objective < 1e-5 * abs(reached):
            break
        objective = reached
    return reached, log_shares, log_weights, kinds.argmax(axis=1)


def _responsibilities(
    items: sp.csr_array, log_shares: FloatArray, log_weights: FloatArray
) -> tuple[FloatArray, float]:
    """Probability of each kind given the items, (n_users, k), and the log-likelihood."""
    finite = np.maximum(log_weights, np.finfo(np.float64).min / 1e6)  # 0 x -inf would be NaN
    joint = log_shares + items @ finite.T
    of_user = logsumexp(joint, axis=1, keepdims=True)
    return np.exp(joint - of_user), float(of_user.sum())
