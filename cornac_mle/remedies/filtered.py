"""Remedy C: draw from a model, and keep the users whom a classifier cannot tell from real ones.

Rejection sampling turns a density ratio into users: who is r times as frequent among real users as
among the model's is kept with a probability in proportion to r. The ratio is learnt from training
users and users that the model makes up.
"""

import copy
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import brentq

from cornac_mle.checks import check_seed, check_share, refusal
from cornac_mle.models.base import CHUNK_USERS, GenerativeRecommender, chunk_sizes
from cornac_mle.models.cloning import check_frozen
from cornac_mle.models.validation import Validation
from cornac_mle.remedies._pair_discriminator import PairDiscriminator
from cornac_mle.sampling.importance import LikelihoodEstimate
from cornac_mle.sparse import FloatArray

COUNTED_PER_USER = 4
"""Synthetic users a training user whose pairs are counted."""
COMPARED_PER_USER = 2
"""Synthetic users a training user that the discriminator is fitted to."""
LEAST_USERS = 2048
"""Synthetic users of either kind at least."""
RATE_USERS = 16 * CHUNK_USERS
"""Draws that the acceptance rate is estimated from: 3.4% of itself (s.e.) at a rate of .05."""


class Filtered(GenerativeRecommender):
    r"""A model whose synthetic users pass a discriminator before they count.

    `fit` fits `model`, draws users from it and learns the log density ratio D(x) of training users
    to them (`PairDiscriminator`). A user x that the model draws is then kept with probability

    .. math:: a(x) = \min(1, \exp(D(x) - c))

    and drawn again otherwise, until there are enough. c is the largest D among 16,384 draws, which
    is plain rejection sampling, or the smaller one at which a share `least_acceptance` of the draws
    is kept: of all filters that keep so many, this one comes closest to the real distribution, by
    any f-divergence, if D is right (Verine et al.). Scores, ranks and ratings are those of
    `model`: ranking loses nothing. A model that was fitted to other users than the filter scores
    the filter's training users by `fold_in`, and rates them as users that it does not know.

    What it can do is limited by the discriminator, and that by the number of training users. A
    distribution that is far from the real one (a variational autoencoder's prior) has few users to
    find; a distribution that is close leaves nothing to learn. `auc_` says which it is, before any
    judge does.

    Not for a model that gives back training users: they pass.

    Parameters
    ----------
    model : GenerativeRecommender
        Model to filter. A clone is fitted, so this one is left alone; one with ``trainable=False``
        must be fitted to the same items, in the same order, and is filtered as it is.
    name : str, optional
        None: "Filtered", and the model's name in parentheses.
    least_acceptance : float
        Share of draws that is kept at least, in (0, 1). A user costs 1 / `acceptance_rate_` draws,
        20 at most at .05; lower filters harder.
    trainable, verbose : bool
        Switches, as in Cornac. The model is as verbose as it says itself.
    seed : int, optional
        Random seed of the filter; None: another one each time. The model has its own.

    Attributes
    ----------
    acceptance_rate_ : float
        Share of the model's draws that is kept, estimated from draws that c was not chosen on.
    acceptance_rate_error_ : float
        Its standard error.
    model_ : GenerativeRecommender
        The fitted model.
    auc_ : float
        Area under the curve of the discriminator, on training users it has not seen; .5: nothing to
        filter by.

    Raises
    ------
    TypeError
        If `model` is no GenerativeRecommender, or `name` no string.
    ValueError
        If an argument is out of its range; by `fit`, if a model with ``trainable=False`` is not
        fitted, or to other items.
    NotImplementedError
        By `log_likelihood`, if the model has none.

    Notes
    -----
    With q the model's distribution and A the `acceptance_rate_`, the log-likelihood is

    .. math:: \log p(x) = \log q(x) + \log a(x) - \log A

    as exact as the model's, but for one constant for all users whose standard error, in nats, is
    `acceptance_rate_error_` / `acceptance_rate_`.

    Time to fit, beyond the model: 6 draws a training user and 32,768 more, and their descriptions,
    about a sum of squared profile sizes.

    References
    ----------
    Azadi et al.: Discriminator Rejection Sampling, ICLR 2019 (there D is a network's and the filter
    a logistic function of D - c). Verine et al.: Optimal Budgeted Rejection Sampling for Generative
    Models, AISTATS 2024.

    Examples
    --------
    Independent popularity mixes two kinds of users, and the filter takes the mixed ones out:

    >>> import numpy as np, pandas as pd, scipy.sparse as sp
    >>> from cornac_mle import Filtered, Popularity, Profiles
    >>> likes = np.kron(np.eye(2), np.ones((20, 5)))  # 20 users like items 0-4, 20 like 5-9
    >>> users = Profiles.from_matrix(sp.csr_array(likes), pd.Index(range(10)))
    >>> model = Filtered(Popularity()).fit(users.to_dataset())
    >>> def purity(model):
    ...     drawn = model.sample(200, rng=1).matrix
    ...     of_first_half = drawn[:, :5].sum(axis=1) / drawn.sum(axis=1)
    ...     return float(np.maximum(of_first_half, 1 - of_first_half).mean())
    >>> purity(model.model_), purity(model)  # 1: of one kind each
    (0.64, 0.80)
    >>> model.acceptance_rate_
    0.05
    """

    def __init__(
        self,
        model: GenerativeRecommender,
        *,
        name: str | None = None,
        least_acceptance: float = 0.05,
        trainable: bool = True,
        verbose: bool = False,
        seed: int | None = 123,
    ) -> None:
        if not isinstance(model, GenerativeRecommender):
            rule, got = "be a GenerativeRecommender", repr(model)
            raise TypeError(refusal("model", rule, got, "Pass for example VAE()."))
        super().__init__(
            name=f"Filtered({model.name})" if name is None else name,
            trainable=trainable,
            verbose=verbose,
        )
        self.model = model
        self.judge_family = model.judge_family
        self.least_acceptance = check_share("least_acceptance", least_acceptance)
        self.seed = check_seed(seed)

    # ------------------------------------------------------------------------------- formulas

    def _fit(self, matrix: sp.csr_array, validation: Validation | None) -> None:
        self.model_: GenerativeRecommender
        if self.model.trainable:
            # The model makes validation users of the sets in its own way, so it gets them whole.
            self.model_ = self.model.clone().fit(self.train_set, self.val_set)
        else:
            check_frozen(self.model, self.catalogue_)
            self.model_ = copy.deepcopy(self.model)
        own = self.model_.train_matrix_
        assert own is not None  # a fitted model has one
        # Cornac's numbers of users mean the same to the model.
        self.same_users_ = own.shape == matrix.shape and (own != matrix).nnz == 0
        rng = np.random.default_rng(self.seed)
        counted, compared = (
            self._drawn(max(share * matrix.shape[0], LEAST_USERS), rng)
            for share in (COUNTED_PER_USER, COMPARED_PER_USER)
        )
        self.discriminator_ = PairDiscriminator().fit(matrix, counted, compared, rng)
        self.auc_ = self.discriminator_.auc_
        self.log_ceiling_ = log_ceiling(self._ratios_of_draws(rng), self.least_acceptance)
        kept = np.exp(np.minimum(self._ratios_of_draws(rng) - self.log_ceiling_, 0.0))
        self.acceptance_rate_ = float(kept.mean())
        self.acceptance_rate_error_ = float(kept.std(ddof=1) / np.sqrt(len(kept)))

    def _draw(self, n_users: int, rng: np.random.Generator) -> sp.csr_array:
        kept: list[sp.csr_array] = []
        missing = n_users
        while missing:
            drawn = self.model_._draw(CHUNK_USERS, rng)
            passed = np.log(rng.random(drawn.shape[0])) < self._log_acceptance(drawn)
            rows = np.flatnonzero(passed)[:missing]
            kept.append(drawn[rows])
            missing -= len(rows)
        return sp.csr_array(sp.vstack(kept, format="csr"))

    def _fold_in(self, matrix: sp.csr_array) -> FloatArray:
        return self.model_._fold_in(matrix)

    def _log_likelihood(
        self, matrix: sp.csr_array, n_draws: int, rng: np.random.Generator
    ) -> LikelihoodEstimate:
        return self._filtered(self.model_._log_likelihood(matrix, n_draws, rng), matrix)

    def _item_set_log_likelihood(
        self, matrix: sp.csr_array, n_draws: int, rng: np.random.Generator
    ) -> LikelihoodEstimate:
        # Values do not count in the acceptance.
        return self._filtered(self.model_._item_set_log_likelihood(matrix, n_draws, rng), matrix)

    def _filtered(self, of_model: LikelihoodEstimate, matrix: sp.csr_array) -> LikelihoodEstimate:
        filtered = self._log_acceptance(matrix) - np.log(self.acceptance_rate_)
        return LikelihoodEstimate(of_model.nats + filtered, of_model.effective_sample_size)

    # --------------------------------------------------------------------- the model's, unchanged

    def _score_user(self, user_idx: int) -> FloatArray:
        if self.same_users_:
            return self.model_._score_user(user_idx)
        return super()._score_user(user_idx)

    def rate(self, user_idx: int, item_idx: int, clipping: bool = True) -> Any:
        """Rating of an item by a training user, by the model; unknown, if it had other users."""
        self._fitted_catalogue()
        known = user_idx if self.same_users_ else None
        return self.model_.rate(known, item_idx, clipping)

    # -------------------------------------------------------------------------------- the filter

    def _log_acceptance(self, matrix: sp.csr_array) -> FloatArray:
        """Log of the probability that a drawn user is kept, (n_users,); at most 0."""
        ratios = self.discriminator_.log_ratio(matrix)
        return np.asarray(np.minimum(ratios - self.log_ceiling_, 0.0))

    def _drawn(self, n_users: int, rng: np.random.Generator) -> sp.csr_array:
        """Draw users from the model, chunk by chunk."""
        sizes = chunk_sizes(n_users)
        steps = self._progress(len(sizes), f"{n_users:,} draws")
        chunks = [self.model_._draw(sizes[step], rng) for step in steps]
        return sp.csr_array(sp.vstack(chunks, format="csr"))

    def _ratios_of_draws(self, rng: np.random.Generator) -> FloatArray:
        """Log density ratios of `RATE_USERS` fresh draws from the model."""
        sizes = chunk_sizes(RATE_USERS)
        ratio, draw = self.discriminator_.log_ratio, self.model_._draw
        steps = self._progress(len(sizes), "acceptance")
        parts = [ratio(draw(sizes[step], rng)) for step in steps]
        return np.concatenate(parts)


def log_ceiling(log_ratios: FloatArray, least_acceptance: float) -> float:
    """Log density ratio c from which a user is always kept.

    The largest of `log_ratios`, or the smaller c at which the mean of min(1, exp(ratio - c)) is
    `least_acceptance`.

    Parameters
    ----------
    log_ratios : ndarray, shape (n_draws,)
        Log density ratios of draws from the model.
    least_acceptance : float
        Least mean acceptance, in (0, 1).

    Examples
    --------
    Kept are 1 of ratio 4, 1/4 of ratio 1 each, (1 + 3 x 1/4) / 4 = .4375; a mean of .625 takes 1/2.

    >>> ratios = np.log([1.0, 1.0, 1.0, 4.0])
    >>> np.exp([log_ceiling(ratios, 0.1), log_ceiling(ratios, 0.625)]).round(6)
    array([4., 2.])
    """

    def excess(ceiling: float) -> float:
        return float(np.exp(np.minimum(log_ratios - ceiling, 0.0)).mean()) - least_acceptance

    top, bottom = float(log_ratios.max()), float(log_ratios.min())
    if excess(top) >= 0:
        return top
    return float(brentq(excess, bottom, top))
