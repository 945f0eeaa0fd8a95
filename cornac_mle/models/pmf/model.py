"""Probabilistic matrix factorisation: which items a user holds, and which values they have."""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from cornac_mle.checks import check_choice, check_count, check_number, check_seed, refusal
from cornac_mle.models.base import GenerativeRecommender
from cornac_mle.models.pmf import _gaussian_variant as pmf_gaussian
from cornac_mle.models.pmf._gaussian_variant import GaussianDistribution
from cornac_mle.models.pmf._log_likelihood import (
    HurdleDistribution,
    hurdle_log_likelihood,
    log_odds,
)
from cornac_mle.models.pmf._selection import Selection, fold_in_selection
from cornac_mle.models.pmf._selection_fit import fit_selection
from cornac_mle.models.pmf._value_distribution import value_distribution
from cornac_mle.models.pmf._value_factors import Values, fit_values
from cornac_mle.models.validation import Validation
from cornac_mle.sampling.arrival_rates import log_rates_of_odds
from cornac_mle.sampling.importance import LikelihoodEstimate
from cornac_mle.sampling.latent_densities import RIDGE, NormalMixture, size_scores
from cornac_mle.sampling.plackett_luce import plackett_luce
from cornac_mle.sampling.sizes import size_distribution
from cornac_mle.sparse import FloatArray, pattern

LEAST_SPREAD, LARGEST_SPREAD = 0.1, 1e15
"""Differences of the largest and the smallest value that can be told from the least noise, .01,
and whose squares 32 bits hold."""
VARIANTS = ("hurdle", "gaussian")


class PMF(GenerativeRecommender):
    r"""Probabilistic matrix factorisation of choices and of values, for likes and for ratings.

    A user is a vector of tastes for choosing, t (`k` dimensions and activity), and, where training
    values differ, one of tastes for rating, u (`k` dimensions and a bias). Item i is held with a
    probability that depends on t, and has a value that depends on u:

    .. math::
        P(i \text{ held} \mid t) = \frac{1}{1 + \exp(-w_i't - a_i)}, \qquad
        x_i \mid u \sim N(\mu + v_i'u + b_i, \sigma^2)

    **Fit.** Choices: variational Bayes with a Gaussian of full covariance for every user and for
    the loadings w_i of every item. How much these vary along each direction of taste is learnt, and
    directions for which they give no evidence are taken away (automatic relevance
    determination): `k` bounds the number of tastes, the data choose it. Values: variational Bayes
    over users and items, whose priors depend linearly on the factors of choice (who chooses what
    tells how it is rated). Users of a validation set are not looked at.

    **Sampling.** (t, u, normal score of the profile size) is drawn from one Gaussian with full
    covariance, the moments of the training users' posteriors; so t ~ N(0, I) as in the fit, and
    choosing, rating and activity are coupled. The size follows from its score, by the smoothed
    distribution of training sizes: these are too skewed for the sum of independent choices under a
    Gaussian. Given the size, items are drawn one after the other in proportion to log(1 + odds),
    the rate at which an item arrives within unit time with probability sigmoid(log-odds). Values
    are cut to the training values at points that give each its training frequency (above 25
    different training values: clipped to their range). If all training values are equal, so are
    drawn ones.

    **Uncertain parameters.** (v_i, b_i) is drawn from its posterior for every user: the variance of
    a value is noise^2 + (u, 1)' C_i (u, 1). Loadings of choice are the means of their posteriors,
    and t has the moments of the training users' posteriors given these. Drawn from their posteriors
    they make users less believable.

    **Memory.** Every direction of taste is learnt from all the items of a user, so it tells a
    little of who the training users were: the more directions and the fewer users, the more. A
    larger `lambda_reg` or a smaller `k` gives less away than the default, and ranks less well;
    more training users give less away as well. `MembershipInference` measures it.

    **Log-likelihood.** That of all of this, size and values included, by importance sampling:

    .. math::
        \log p(S, x) = \log \int p(t, u, |S|) \,
        P\left(S \mid |S|, \log(1 + e^{w't + a})\right) \prod_{i \in S} p(x_i \mid u) \, dt \, du

    Values that are all equal in training are no part of it. Continuous values contribute a density,
    and one outside the training range, or not among few training values, cannot be drawn: -inf.

    **Gaussian variant.** The model of values alone: sizes and items are those of independent
    popularity, u ~ N(m, S) does not depend on them, values are Gaussian, not cut. Its
    log-likelihood is exact, with a density for the values: compare it with no model whose values
    are discrete. A profile cannot hold drawn values at or below 0; they become the smallest
    training value, which the density does not know of (.001 of all on MovieLens-100K). It ranks by
    predicted value.

    `score`, `rank` and `fold_in` give log-odds of holding an item; `rate` predicts the *value*.

    Parameters
    ----------
    k : int
        Number of dimensions of taste at most, at least 1; one more is activity.
    max_iter : int
        Passes over the data of each of the two fits, fewer on convergence; 0: the starting point.
    name : str
        Name of the recommender.
    lambda_reg : float
        Factor on the precision of the prior of the items' loadings for choice, above 0. That
        precision is learnt, as is that of loadings for values. Above 1 fewer tastes are left, and
        less of who the training users were.
    variant : {"hurdle", "gaussian"}
        Model of choices and values, or of values alone.
    trainable, verbose : bool
        Switches, as in Cornac.
    seed : int, optional
        Random seed of the starting point; None: another one each time.

    Attributes
    ----------
    user_factors_ : ndarray, shape (n_users, k + 1)
        Posterior means of t, strongest taste first, columns of 0 for those that the fit took away;
        no columns in the Gaussian variant.
    item_factors_ : ndarray, shape (n_items, k + 2)
        Loadings (w_i, a_i), with the same columns of 0; no columns in the Gaussian variant.
    user_values_ : ndarray, shape (n_users, k + 1), or None
        Posterior means of u; None where all training values are equal.
    item_values_ : ndarray, shape (n_items, k + 2), or None
        Posterior means of loadings (v_i, b_i).
    value_mean_, value_noise_sd_ : float
        Mean and standard deviation of the noise, in units of the values.
    value_range_ : tuple of float
        Lowest and highest training value.
    distribution_ : HurdleDistribution or GaussianDistribution
        Distribution that `sample` draws from and `log_likelihood` weighs by.

    Raises
    ------
    ValueError
        By `fit`, if all training values are equal and the variant is Gaussian, or if the largest
        is less than .1 above the smallest, or more than 1e15.

    Notes
    -----
    `cornac.models.PMF` has more parameters: `learning_rate` and `gamma` steer stochastic gradients,
    which are not needed here; `init_params` (U, V) are modes without the spread that a distribution
    needs. Its variants, "linear" and "non_linear", are two ways to fit such modes.

    References
    ----------
    Salakhutdinov and Mnih: Probabilistic Matrix Factorization, NIPS 2007 (values only, modes).
    Opper and Archambeau: The Variational Gaussian Approximation Revisited, 2009 (choices). On
    data of known distribution it finds the loadings' Gram matrix at .95 of its size, the quadratic
    bound of Jaakkola and Jordan (2000) at .71: users drawn from that have too little in common.
    Bishop: Variational Principal Components, ICANN 1999 (how many directions; there one variance
    for each, here a full covariance).

    Examples
    --------
    >>> import numpy as np, pandas as pd, scipy.sparse as sp
    >>> from cornac_mle import PMF, Profiles
    >>> likes = np.kron(np.eye(2), np.ones((20, 5)))  # 20 users like items 0-4, 20 like 5-9
    >>> users = Profiles.from_matrix(sp.csr_array(likes), pd.Index(range(10)))
    >>> model = PMF(k=2).fit(users.to_dataset())
    >>> model
    PMF(k=2, seed=123) fitted to 40 users x 10 items
    >>> model.fold_in(users[:1]).round()  # log-odds of holding each item
    array([[ 4.,  4.,  4.,  4.,  4., -4., -4., -4., -4., -4.]])
    >>> model.log_likelihood(users[[0, 39]], rng=1, n_draws=10_000).round(1)
    array([-1., -1.])
    """

    judge_family = "svd"  # few factors behind all items

    def __init__(
        self,
        k: int = 10,
        max_iter: int = 50,
        *,
        name: str = "PMF",
        lambda_reg: float = 1.0,
        variant: str = "hurdle",
        trainable: bool = True,
        verbose: bool = False,
        seed: int | None = 123,
    ) -> None:
        super().__init__(name=name, trainable=trainable, verbose=verbose)
        self.k = check_count("k", k)
        self.max_iter = check_count("max_iter", max_iter, minimum=0)
        self.lambda_reg = check_number("lambda_reg", lambda_reg, above=0.0)
        self.variant = check_choice("variant", variant, VARIANTS)
        self.seed = check_seed(seed)

    # ------------------------------------------------------------------------------- formulas

    def _fit(self, matrix: sp.csr_array, validation: Validation | None) -> None:
        rng = np.random.default_rng(self.seed)
        self.user_values_: FloatArray | None = None
        self.item_values_: FloatArray | None = None
        self.value_range_ = float(matrix.data.min()), float(matrix.data.max())
        self.value_mean_ = float(matrix.data.mean(dtype=np.float64))
        self.value_noise_sd_ = 0.0
        differ = self.value_range_[0] < self.value_range_[1]
        if not differ and self.variant == "gaussian":
            rule, got = "hold different values for the Gaussian variant", "equal ones"
            advice = "Use variant='hurdle', or Popularity."
            raise ValueError(refusal("train_set", rule, got, advice))
        check_spread(self.value_range_)
        selection = self._fit_selection(matrix, rng)
        self.user_factors_, self.item_factors_ = _padded(selection, self.k)
        values = None
        if differ:
            values = fit_values(
                matrix, self.k, selection, passes=self._progress(self.max_iter, "values"), rng=rng
            )
            self.user_values_, self.item_values_ = values.users.mean, values.items.mean
            self.value_noise_sd_ = values.noise_sd
        self.distribution_: HurdleDistribution | GaussianDistribution
        if values is not None and self.variant == "gaussian":
            self.distribution_ = pmf_gaussian.gaussian_distribution(matrix, values)
            return
        of_values = None if values is None else value_distribution(matrix, values, rng)
        sizes = np.diff(matrix.indptr).astype(np.int64)
        density = joint_density(selection, values, sizes, rng)
        self.distribution_ = HurdleDistribution(density, selection.items, of_values)

    def _fit_selection(self, matrix: sp.csr_array, rng: np.random.Generator) -> Selection:
        if self.variant == "gaussian":  # choices tell nothing
            return Selection(np.empty((matrix.shape[0], 0)), np.empty((matrix.shape[1], 0)))
        return fit_selection(
            pattern(matrix),
            self.k,
            lambda_reg=self.lambda_reg,
            passes=self._progress(self.max_iter, "choices"),
            rng=rng,
        )

    def _draw(self, n_users: int, rng: np.random.Generator) -> sp.csr_array:
        if isinstance(self.distribution_, GaussianDistribution):
            return pmf_gaussian.draw(self.distribution_, n_users, rng)
        points, sizes = self.distribution_.density.draw(n_users, rng)
        tastes, rest = np.split(points, [self.distribution_.n_tastes], axis=1)
        drawn = plackett_luce(
            log_rates_of_odds(log_odds(tastes, self.distribution_.items)), sizes, rng
        )
        if self.distribution_.values is None:
            drawn.data[:] = self.value_range_[0]
        else:
            drawn.data = self.distribution_.values.draw(drawn, rest, rng).astype(np.float32)
        return drawn

    def _fold_in(self, matrix: sp.csr_array) -> FloatArray:
        if isinstance(self.distribution_, GaussianDistribution):
            _, found = pmf_gaussian.tastes(self.distribution_, matrix)
            return self._predicted(self.distribution_.users.mean + found.users.mean)
        items = self.distribution_.items  # without columns of 0
        return np.asarray(log_odds(fold_in_selection(pattern(matrix), items), items), dtype=float)

    def _score_user(self, user_idx: int) -> FloatArray:
        if self.user_values_ is not None and isinstance(self.distribution_, GaussianDistribution):
            predicted: FloatArray = self._predicted(self.user_values_[[user_idx]])[0]
            return predicted
        users = self.user_factors_[[user_idx]]
        return np.asarray(log_odds(users, self.item_factors_)[0], dtype=np.float64)

    def _predicted(self, users: FloatArray) -> FloatArray:
        """Values (n_users, n_items) of users of rating tastes (n_users, k + 1), not clipped."""
        assert self.item_values_ is not None  # values differ in the Gaussian variant
        items = self.item_values_
        return np.asarray(self.value_mean_ + users @ items[:, :-1].T + items[:, -1])

    def _log_likelihood(
        self, matrix: sp.csr_array, n_draws: int, rng: np.random.Generator
    ) -> LikelihoodEstimate:
        if isinstance(self.distribution_, GaussianDistribution):
            return LikelihoodEstimate(pmf_gaussian.log_likelihood(self.distribution_, matrix), None)
        return hurdle_log_likelihood(self.distribution_, matrix, n_draws, rng)

    def _item_set_log_likelihood(
        self, matrix: sp.csr_array, n_draws: int, rng: np.random.Generator
    ) -> LikelihoodEstimate:
        if isinstance(self.distribution_, GaussianDistribution):
            return LikelihoodEstimate(
                pmf_gaussian.item_set_log_likelihood(self.distribution_, matrix), None
            )
        return hurdle_log_likelihood(self.distribution_._replace(values=None), matrix, n_draws, rng)

    # ------------------------------------------------------------------------------- values

    def rate(self, user_idx: int, item_idx: int, clipping: bool = True) -> np.float64:
        """Predict the value that a user gives an item (not the score that `rank` goes by).

        Parameters
        ----------
        user_idx, item_idx : int
            Numbers in the training set. An unknown user is rated as the mean training user, an
            unknown item as the mean training item.
        clipping : bool
            Whether to bring the prediction into [min_rating, max_rating] of the training set.

        Returns
        -------
        float64
            Value in the units of the data.
        """
        self._fitted_catalogue()
        value = np.float64(self.value_mean_)
        if self.user_values_ is not None and self.item_values_ is not None:
            users, items = self.user_values_, self.item_values_
            user = users[user_idx] if self.knows_user(user_idx) else users.mean(axis=0)
            item = items[item_idx] if self.knows_item(item_idx) else items.mean(axis=0)
            value += user @ item[:-1] + item[-1]
        return np.clip(value, *self.value_range_) if clipping else value


def _padded(selection: Selection, k: int) -> Selection:
    """Append columns of 0 for tastes that the fit has taken away; k + 1 in all, if there are any.

    They come before the offsets.
    """
    users, items = selection
    missing = k + 1 - users.shape[1] if users.shape[1] else 0
    return Selection(
        np.pad(users, [(0, 0), (0, missing)]),
        np.insert(items, [items.shape[1] - 1] * missing, 0.0, axis=1) if missing else items,
    )


def check_spread(value_range: tuple[float, float]) -> None:
    """Refuse values, unless all equal, on whose scale the least noise or 32 bits would count.

    Raises
    ------
    ValueError
        Naming how far apart they are.
    """
    spread = value_range[1] - value_range[0]
    if spread and not LEAST_SPREAD <= spread <= LARGEST_SPREAD:
        rule = f"hold values that are from {LEAST_SPREAD:g} to {LARGEST_SPREAD:g} apart"
        raise ValueError(refusal("train_set", rule, f"{spread:g}", "Rescale the ratings."))


def joint_density(
    selection: Selection,
    values: Values | None,
    sizes: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> NormalMixture:
    """One Gaussian over (t, u) and the normal score of the size: moments of all posteriors.

    The aggregate posterior of t is N(0, I) by the fit. The covariance of t and u is the map from t
    to the mean of u; that of both with the size comes from posterior means, the size being known.
    """
    points, count = selection.users, selection.users.shape[1]
    mean, covariance = np.zeros(count), np.eye(count)
    if values is not None:
        users, cross = values.users.mean, values.user_map[:-1]
        mean = np.append(mean, users.mean(axis=0))
        inner = np.atleast_2d(np.cov(users.T, bias=True)) + values.users.covariance.mean(axis=0)
        covariance = np.block([[covariance, cross], [cross.T, inner]])
        points = np.column_stack([points, users])
    scores = size_scores(sizes, rng)
    distribution = size_distribution(sizes, len(selection.items))  # every item can be drawn
    with_size = (points - points.mean(axis=0)).T @ scores[:, None] / len(sizes)
    joint = np.block([[covariance, with_size], [with_size.T, np.ones((1, 1))]])
    # Blocks come from different estimates, so an eigenvalue can fall below 0.
    roots, axes = np.linalg.eigh(joint)
    joint = (axes * np.maximum(roots, RIDGE)) @ axes.T
    return NormalMixture(np.ones(1), np.append(mean, 0.0)[None], joint[None], distribution)
