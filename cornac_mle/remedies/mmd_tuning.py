"""Remedy B, another divergence: a decoder tuned until its own users look like training users.

Maximum likelihood asks that real users be probable, and says little of the users that the model
makes up. Here the decoder of a fitted variational autoencoder goes on learning from the users that
it draws: their maximum mean discrepancy to training users falls by gradient descent.
"""

import copy

import numpy as np
import scipy.sparse as sp

from cornac_mle.checks import (
    check_count,
    check_flag,
    check_number,
    check_seed,
    check_share,
    refusal,
)
from cornac_mle.models.base import GenerativeRecommender
from cornac_mle.models.cloning import check_frozen
from cornac_mle.models.vae.model import VAE
from cornac_mle.models.vae.torch_extra import check_torch
from cornac_mle.models.validation import Validation
from cornac_mle.sampling.importance import LikelihoodEstimate
from cornac_mle.sparse import FloatArray


class MMDTuning(GenerativeRecommender):
    r"""A variational autoencoder whose decoder is tuned on the users that it makes up.

    `fit` fits the autoencoder and then goes on with its decoder alone. Minimised, by Adam, over the
    decoder's parameters and s is

    .. math::
        \mathrm{MMD}^2(Q, P) - \rho \, \operatorname{mean}_{u,\, i \in S_u}
        \log \operatorname{softmax}(s \log r(z_u))_i, \qquad
        \mathrm{MMD}^2(Q, P) = E[k(x, x')] - 2 E[k(x, y)] + E[k(y, y')]

    with x, x' of the synthetic users Q, y, y' of the training users P, r the rates of the items,
    z_u a point of the posterior of training user u and :math:`\rho` = `reconstruction_weight`. The
    first term compares profiles as vectors of items weighted by rarity, log((n + 1) / holders), of
    length 1, by a mean of Gaussian kernels of four bandwidths. The encoder, the latent density and
    so the sizes stay as fitted. The second term, at points of the training users' posteriors, keeps
    the ranking; the scale s is learnt beside it, because how sharp the samples should be is for the
    first term to say. Multinomial training leaves a decoder too blunt to be sampled
    (`experiments/sharpness.py`), and one factor on its outputs, at the same ranking, mends much of
    it. So tuning starts at the best of a few scales.

    A draw of distinct items has no gradient, and its probabilities do: given point and size, an
    item is held with the probability that it has arrived by the time at which that many are
    expected. Kernels are averaged over these probabilities, to second order, as if items were then
    held independently. So a step is free of the noise of drawn sets, and needs no relaxation; but
    sets of some ten items and fewer are less independent than that, and the discrepancy of what is
    drawn falls less there.

    Scores, samples and likelihood are those of the tuned autoencoder, `vae_`. It learns from
    training users only, and from none of the judges that realism is measured with.

    Parameters
    ----------
    model : VAE
        Autoencoder, of which a copy is fitted. With ``trainable=False`` one that is already fitted,
        to the same items, is tuned as it is. Its ``latent`` decides from where users are drawn in
        tuning, as in sampling: "prior", "gaussian" or "mixture"; "posterior" needs real users and
        is refused.
    name : str, optional
        None: "MMDTuning", and the autoencoder's name in parentheses.
    n_steps : int
        Number of gradient steps at most; fewer if stopped early. More is closer to the training
        users.
    batch_size : int
        Number of synthetic users of a step, at least 2; below some 100, rare kinds of users are
        drawn too seldom.
    learning_rate : float
        Learning rate of Adam.
    reconstruction_weight : float
        Weight of the ranking beside the discrepancy, at least 0. Too small: NDCG falls.
    max_ndcg_loss : float
        Share of NDCG@100 that may be lost, in (0, 1). With a validation set the weights kept are
        those of the smallest discrepancy from validation users, among those that lose no more. The
        autoencoder's epoch is the best of many on the same users, so part of a loss is regression
        to the mean: with few validation users little passes but the scale, which loses nothing.
        Tuning stops early where the discrepancy falls no longer. Without a validation set the last
        weights are kept.
    trainable, verbose : bool
        Switches, as in Cornac.
    seed : int, optional
        Random seed of tuning; None: another result each time. The autoencoder has its own.
    use_gpu : bool
        Whether to tune on CUDA; where there is none, a warning says so.

    Attributes
    ----------
    vae_ : VAE
        The tuned autoencoder.
    validation_mmd_, validation_ndcg_ : list of float
        Squared discrepancy from validation users (an estimate without bias, so it may be
        negative) and their NDCG@100: before tuning, scaled, and every 25 steps. Empty without a
        validation set.

    Raises
    ------
    TypeError
        If `model` is no VAE.
    ValueError
        If its latent points are those of training users; by `fit`, if it is taken as it is and
        fitted to other items or to none, or if tuning diverges: a loss that is not finite.
    ImportError
        By `fit`, without PyTorch: ``pip install cornac-mle[vae]``.

    Notes
    -----
    Time a step: batch_size x n_items x (batch_size + decoder width), and batch_size x preferences
    of 4,096 users at most.

    References
    ----------
    Gretton et al.: A Kernel Two-Sample Test, JMLR 2012. Li, Swersky and Zemel: Generative Moment
    Matching Networks, ICML 2015 (several bandwidths).

    Examples
    --------
    >>> import numpy as np, pandas as pd, scipy.sparse as sp
    >>> from cornac_mle import VAE, MMDTuning, Profiles
    >>> likes = np.kron(np.eye(2), np.ones((20, 5)))  # 20 users like items 0-4, 20 like 5-9
    >>> users = Profiles.from_matrix(sp.csr_array(likes), pd.Index(range(10)))
    >>> vae = VAE(k=2, autoencoder_structure=(), n_epochs=20, n_components=2, learning_rate=1e-2)
    >>> model = MMDTuning(vae, n_steps=30, learning_rate=3e-2).fit(users.to_dataset())
    >>> def purity(model):
    ...     drawn = model.sample(200, rng=1).matrix
    ...     of_first_half = drawn[:, :5].sum(axis=1) / drawn.sum(axis=1)
    ...     return float(np.maximum(of_first_half, 1 - of_first_half).mean())
    >>> purity(model) - purity(vae.fit(users.to_dataset()))  # more users of one kind
    0.1
    """

    judge_family = "svd"  # as the autoencoder

    def __init__(
        self,
        model: VAE,
        name: str | None = None,
        *,
        n_steps: int = 400,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        reconstruction_weight: float = 3e-3,
        max_ndcg_loss: float = 0.02,
        trainable: bool = True,
        verbose: bool = False,
        seed: int | None = 123,
        use_gpu: bool = False,
    ) -> None:
        if not isinstance(model, VAE):
            got = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
            raise TypeError(refusal("model", "be a VAE", got, "Pass for example VAE()."))
        super().__init__(
            name=f"MMDTuning({model.name})" if name is None else name,
            trainable=trainable,
            verbose=verbose,
        )
        if model.latent == "posterior":
            advice = "Call model.with_latent('prior') or another one first."
            rule = "draw users without a training user behind each"
            raise ValueError(refusal("model", rule, "latent='posterior'", advice))
        self.model = model
        self.n_steps = check_count("n_steps", n_steps)
        self.batch_size = check_count("batch_size", batch_size, minimum=2)
        self.learning_rate = check_number("learning_rate", learning_rate, above=0.0)
        self.reconstruction_weight = check_number(
            "reconstruction_weight", reconstruction_weight, minimum=0.0
        )
        self.max_ndcg_loss = check_share("max_ndcg_loss", max_ndcg_loss)
        self.seed = check_seed(seed)
        self.use_gpu = check_flag("use_gpu", use_gpu)

    # ------------------------------------------------------------------------------- formulas

    def _fit(self, matrix: sp.csr_array, validation: Validation | None) -> None:
        check_torch()
        from cornac_mle.remedies._tuning import tune

        if self.model.trainable:
            fitted = self.model.clone().fit(self.train_set, self.val_set)
        else:
            check_frozen(self.model, self.catalogue_)
            fitted = self.model
        self.vae_: VAE = copy.copy(fitted)
        self.vae_.train_set = self.vae_.val_set = None  # not to be saved a second time
        tuned = tune(self, self.vae_, matrix, validation, np.random.default_rng(self.seed))
        self.vae_.decoder_, self.validation_mmd_, self.validation_ndcg_ = tuned

    def _draw(self, n_users: int, rng: np.random.Generator) -> sp.csr_array:
        return self.vae_._draw(n_users, rng)

    def _fold_in(self, matrix: sp.csr_array) -> FloatArray:
        return self.vae_._fold_in(matrix)

    def _log_likelihood(
        self, matrix: sp.csr_array, n_draws: int, rng: np.random.Generator
    ) -> LikelihoodEstimate:
        return self.vae_._log_likelihood(matrix, n_draws, rng)
