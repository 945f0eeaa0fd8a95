"""Variational autoencoder: a user is a latent point that is decoded into tastes.

A new user is drawn in three steps that can each be wrong: a point and a size from a density over
the latent space, scores by the decoder, items by the scores. Which density is taken decides how
believable the users are, so all of them can be had from one fitted model.
"""

import copy
from collections.abc import Hashable, Sequence
from typing import Self

import numpy as np
import scipy.sparse as sp

from cornac_mle.checks import (
    check_choice,
    check_count,
    check_flag,
    check_name,
    check_number,
    check_seed,
)
from cornac_mle.models.base import GenerativeRecommender
from cornac_mle.models.vae._diagnostics import Diagnostics, diagnose
from cornac_mle.models.vae._latent_densities import fit_densities
from cornac_mle.models.vae._likelihoods import LIKELIHOODS
from cornac_mle.models.vae._log_likelihood import log_likelihood
from cornac_mle.models.vae._log_likelihood_of_posteriors import (
    TrainingPosteriors,
    log_likelihood_of_posteriors,
)
from cornac_mle.models.vae.decoder import Decoder
from cornac_mle.models.vae.divergence import check_finite
from cornac_mle.models.vae.network import check_widths, encode, forward, posterior, unit_rows
from cornac_mle.models.vae.torch_extra import check_torch
from cornac_mle.models.validation import Validation
from cornac_mle.sampling.importance import LikelihoodEstimate
from cornac_mle.sampling.latent_densities import LatentDensity
from cornac_mle.sampling.plackett_luce import draw_values
from cornac_mle.sparse import FloatArray, pattern

BETAS = {"normal": 0.5, "composite": 0.15, "vamp": 0.5}
"""Weight of the KL term by prior, where none is given."""
DECODED_SCORES = 2**22
"""Scores that are decoded together, at most; part of the definition of `sample`, like a chunk."""
LATENTS = ("prior", "gaussian", "mixture", "posterior")
NOT_FITTED = ("name", "trainable", "verbose", "latent")
"""Parameters that no fitted attribute depends on."""


class VAE(GenerativeRecommender):
    r"""Variational autoencoder of item sets.

    Values are ignored: a user is the set of its items. The encoder sees the set as a vector of
    Euclidean length 1 with entries dropped out at random and gives a posterior N(mean, variance)
    over the latent point; the decoder, whose last layer sees its hidden layer and the point
    itself, gives a natural parameter for each item. Minimised is, by Adam, the sum over users of

    .. math::
        -c \, E_{z \sim q(z \mid S)}[\log p(S \mid z)]
        + \beta_t \frac{|S|}{\overline{|S|}} \, \mathrm{KL}(q(z \mid S) \,\|\, p(z))

    with q the posterior, p(z) the prior, c = 1 (the inverse variance of indicators where
    `likelihood` is Gaussian), :math:`\overline{|S|}` the mean profile size and :math:`\beta_t`
    rising in a straight line from 0 to `beta`. What is validated and kept is the moving average of
    the last 100 or so steps' weights.

    Sampling draws a latent point and a profile size by `latent`, decodes, and draws that many
    distinct items: a set in proportion to the product of its items' odds or, where `likelihood` is
    another one, item after item in proportion to rates. An item that no training user holds is
    never drawn; a value is that of a random training user who holds the item.

    `log_likelihood` is that of the item set under this distribution, with r(z) the rates at z and
    p the density of `latent`,

    .. math:: \log P(S) = \log \int p(z, |S|) \, P(S \mid |S|, r(z)) \, dz

    estimated from below by importance sampling; `estimate_log_likelihood` has the effective sample
    sizes.

    Parameters
    ----------
    name : str
        Name of the recommender.
    k : int
        Number of latent dimensions.
    likelihood : {"conditional-poisson", "plackett-luce", "mult", "bern", "gaus", "pois"}
        Likelihood of a profile given the decoder's outputs eta, in training. By the first two,
        training and sampling are one distribution. ``"conditional-poisson"``: items held
        independently at odds exp(eta), given how many, so that a set is drawn in proportion to the
        product of its odds. ``"plackett-luce"``: the set of the first items that arrive at rates
        exp(eta), given how many. By the others, items are drawn one after the other at rates of
        the same meaning as eta. ``"mult"``: multinomial, log softmax(eta) at each item held, as if
        an item could be drawn again; rates exp(eta). ``"pois"``: counts of mean exp(eta); rates
        exp(eta). ``"bern"``: log-odds eta; rates log(1 + exp(eta)), at which an item is there after
        unit time with its probability. ``"gaus"``: indicators of mean eta and fixed variance; rates
        -log(1 - eta).
    autoencoder_structure : sequence of int
        Sizes of the encoder's hidden layers, from the items on; the decoder mirrors them.
    n_epochs : int
        Passes over the training users, fewer if stopped early. More of them make users more
        believable and give more of the training users away.
    batch_size : int
        Number of users of a step.
    learning_rate : float
        Learning rate of Adam.
    dropout : float
        Share of a user's items hidden from the encoder in training, in [0, 1).
    beta : float, optional
        Final weight of the KL term of a user of mean size; at 1 the evidence lower bound, but for
        the proportion to sizes. None: .15 with the composite prior, .5 with another.
    anneal_epochs : int
        Number of epochs in which the KL weight rises from 0; 0: it is `beta` from the start.
    patience : int
        Number of epochs without a better NDCG@100 of what validation users are not shown, after
        which training stops and the weights of the best epoch are taken; with a validation set.
    prior : {"normal", "composite", "vamp"}
        Prior of training. ``"normal"``: N(0, I). ``"composite"``: a mixture of N(0, I), of what the
        user's own posterior was before the epoch, and of a wide normal, so that posteriors change
        slowly and need not shrink. ``"vamp"``: the even mixture of the posteriors of
        `n_pseudo_inputs` made-up users, which are learnt with the weights: posteriors then lie
        where a mixture can follow them, for up to twice the time.
    n_pseudo_inputs : int
        Number of made-up users of the prior ``"vamp"``.
    latent : {"prior", "gaussian", "mixture", "posterior"}
        Density that latent points come from. ``"prior"``: that of training, of a composite one the
        part that knows no user; with N(0, I) a size is drawn whatever the point, otherwise given
        the point. ``"gaussian"``: one full Gaussian over point and size, fitted to the posteriors
        of the training users. ``"mixture"``: a mixture of such. ``"posterior"``: the posterior and
        the size of a random training user, so believable but close to that user. `with_latent`
        gives another one without training again.
    n_components : int, optional
        Number of components of the mixture; None: chosen by the likelihood of training users left
        out of its fit.
    trainable, verbose : bool
        Switches, as in Cornac.
    seed : int, optional
        Random seed of training; None: another model each time.
    use_gpu : bool
        Whether to train on CUDA; where there is none, a warning says so. Ranking and sampling run
        on the CPU and need no PyTorch.

    Attributes
    ----------
    validation_ndcg_ : list of float
        NDCG@100 of the validation users after each epoch, in [0, 1]; empty without any.
    encoder_, decoder_ : list of tuple of ndarray
        Weights (n_in, n_out) and biases (n_out,) of each layer, float32, of the best epoch.
    pseudo_inputs_ : ndarray, shape (n_pseudo_inputs, n_items), or None
        Made-up users of the prior ``"vamp"``, as rows of length 1.
    densities_ : dict of str to LatentDensity
        Distributions of points and sizes, by `latent`; ``"posterior"`` needs none.
    sizes_ : ndarray of int, shape (n_users,)
        Profile sizes of the training users.

    Raises
    ------
    ImportError
        By `fit`, without PyTorch: ``pip install cornac-mle[vae]``.
    ValueError
        By `fit`, if training diverges: the loss or the posteriors are not finite.

    Notes
    -----
    Time to fit: epochs x users x items x width of the decoder's last layer. Every item is decoded
    for every user, so memory for a batch is batch_size x items; samples are decoded 4 million
    scores at a time. `log_likelihood` costs k x items x (width + k) for a few Newton steps a user
    and items x width a draw, and, by conditional Poisson, some 35 complex products an item; with
    ``latent="posterior"`` the first part is for each training user of a size in question.

    References
    ----------
    Liang, Krishnan, Hoffman, Jebara: Variational Autoencoders for Collaborative Filtering, WWW 2018
    (there `beta` is found by search and latent points come from the posterior only).
    Chen, Dempster, Liu: Weighted finite population sampling to maximize entropy, Biometrika 1994
    (conditional Poisson).
    Caron, Doucet: Efficient Bayesian Inference for Generalized Bradley-Terry Models, Journal of
    Computational and Graphical Statistics 2012 (arrival times behind draws without repeats).
    Tomczak, Welling: VAE with a VampPrior, AISTATS 2018.
    Shenbin et al.: RecVAE, WSDM 2020 (a KL weight in proportion to the profile's size, and the
    composite prior).

    Examples
    --------
    >>> import numpy as np, pandas as pd, scipy.sparse as sp
    >>> from cornac_mle import VAE, Profiles
    >>> likes = np.kron(np.eye(2), np.ones((20, 5)))  # 20 users like items 0-4, 20 like 5-9
    >>> users = Profiles.from_matrix(sp.csr_array(likes), pd.Index(range(10)))
    >>> model = VAE(k=2, autoencoder_structure=(), n_epochs=100, n_components=2, learning_rate=2e-2)
    >>> drawn = model.fit(users.to_dataset()).sample(100, rng=1).matrix
    >>> of_first_half = drawn[:, :5].sum(axis=1) / drawn.sum(axis=1)
    >>> float(np.maximum(of_first_half, 1 - of_first_half).mean())  # 1: of one kind each
    0.9
    >>> model.with_latent("prior").name
    'VAE prior'
    """

    judge_family = "svd"  # few factors behind all items

    def __init__(
        self,
        name: str = "VAE",
        *,
        k: int = 24,
        likelihood: str = "conditional-poisson",
        autoencoder_structure: Sequence[int] = (300,),
        n_epochs: int = 100,
        batch_size: int = 100,
        learning_rate: float = 1e-3,
        dropout: float = 0.5,
        beta: float | None = None,
        anneal_epochs: int = 20,
        patience: int = 10,
        prior: str = "composite",
        n_pseudo_inputs: int = 100,
        latent: str = "mixture",
        n_components: int | None = None,
        trainable: bool = True,
        verbose: bool = False,
        seed: int | None = 123,
        use_gpu: bool = False,
    ) -> None:
        super().__init__(name=name, trainable=trainable, verbose=verbose)
        self.k = check_count("k", k)
        self.likelihood = check_choice("likelihood", likelihood, LIKELIHOODS)
        self.autoencoder_structure = check_widths("autoencoder_structure", autoencoder_structure)
        self.n_epochs = check_count("n_epochs", n_epochs)
        self.batch_size = check_count("batch_size", batch_size)
        self.learning_rate = check_number("learning_rate", learning_rate, above=0.0)
        self.dropout = check_number("dropout", dropout, minimum=0.0, below=1.0)
        self.beta = None if beta is None else check_number("beta", beta, minimum=0.0)
        self.anneal_epochs = check_count("anneal_epochs", anneal_epochs, minimum=0)
        self.patience = check_count("patience", patience)
        self.prior = check_choice("prior", prior, BETAS)
        self.n_pseudo_inputs = check_count("n_pseudo_inputs", n_pseudo_inputs)
        self.latent = check_choice("latent", latent, LATENTS)
        if n_components is not None:
            n_components = check_count("n_components", n_components)
        self.n_components = n_components
        self.seed = check_seed(seed)
        self.use_gpu = check_flag("use_gpu", use_gpu)

    @property
    def kl_weight(self) -> float:
        """Final weight of the KL term: `beta`, or what goes with the prior."""
        return BETAS[self.prior] if self.beta is None else self.beta

    def with_latent(self, latent: str, *, name: str | None = None) -> Self:
        """Copy the model with another `latent`; fitted weights are shared, nothing is trained.

        Parameters
        ----------
        latent : {"prior", "gaussian", "mixture", "posterior"}
            Density that latent points come from.
        name : str, optional
            Name of the copy; None: this model's, followed by `latent` ("VAE prior").

        Returns
        -------
        VAE
            Copy with ``trainable=False`` of a fitted model, so that an experiment evaluates it as
            it is; unfitted copy of an unfitted one.

        Raises
        ------
        ValueError
            If `latent` is none of these.
        TypeError
            If `name` is no string.
        """
        check_choice("latent", latent, LATENTS)
        if name is not None:
            check_name(name)
        other = copy.copy(self)
        other.latent = latent
        # A copy of a copy is named after the latent density it has, not after both.
        plain = self.name.removesuffix(f" {self.latent}")
        other.name = f"{plain} {latent}" if name is None else name
        other.trainable = self.trainable and self.catalogue_ is None
        return other

    def diagnostics(self) -> Diagnostics:
        """How the training users' posteriors use the latent space, and how far the prior is off.

        Returns
        -------
        Diagnostics
            Active units, eigenvalues of the aggregate posterior, and KL terms in nats; the same for
            every `latent`. Time n_users^2 x k.

        Raises
        ------
        RuntimeError
            If the model is not fitted.
        """
        self._fitted_catalogue()
        seed = np.random.default_rng(0)  # of a Monte Carlo estimate, so that one model has one
        return diagnose(*self._posteriors(), self.densities_["prior"], seed)

    # ------------------------------------------------------------------------------- formulas

    def _shared_settings(self) -> Hashable:
        """Everything but names, switches and `latent`, which is asked when users are drawn."""
        if self.seed is None or type(self) is not VAE:
            return None
        own = (getattr(self, name) for name in self._get_init_params() if name not in NOT_FITTED)
        return (VAE, *own)

    def _fit(self, matrix: sp.csr_array, validation: Validation | None) -> None:
        check_torch()
        from cornac_mle.models.vae._training import train

        rng = np.random.default_rng(self.seed)
        self.by_item_ = sp.csc_array(matrix)
        self.sizes_ = np.diff(matrix.indptr).astype(np.int64)  # (n_users,)
        network, self.validation_ndcg_ = train(self, matrix, validation, rng)
        self.encoder_, self.decoder_, self.pseudo_inputs_ = network
        means, deviations = self._posteriors()
        check_finite(self.learning_rate, [means, deviations])
        held = int(np.count_nonzero(np.diff(self.by_item_.indptr)))
        self.densities_: dict[str, LatentDensity] = fit_densities(
            network, means, deviations, self.sizes_, held, self.n_components, rng
        )

    def _draw(self, n_users: int, rng: np.random.Generator) -> sp.csr_array:
        if self.latent == "posterior":
            users = rng.integers(0, len(self.sizes_), size=n_users)
            assert self.train_matrix_ is not None  # a fitted model has it
            means, deviations = encode(self.encoder_, self.train_matrix_[users])
            points = means + deviations * rng.standard_normal(means.shape)
            sizes = self.sizes_[users]
        else:
            points, sizes = self.densities_[self.latent].draw(n_users, rng)
        decoder, step = self._decoder(), max(1, DECODED_SCORES // self.by_item_.shape[1])
        drawn = [
            decoder.draw(points[tile], sizes[tile], rng)
            for tile in (slice(start, start + step) for start in range(0, n_users, step))
        ]
        return draw_values(sp.csr_array(sp.vstack(drawn, format="csr")), self.by_item_, rng)

    def _fold_in(self, matrix: sp.csr_array) -> FloatArray:
        means, _ = posterior(self.encoder_, unit_rows(matrix))
        return forward(self.decoder_, means).astype(np.float64)

    def _log_likelihood(
        self, matrix: sp.csr_array, n_draws: int, rng: np.random.Generator
    ) -> LikelihoodEstimate:
        decoder, held = self._decoder(), pattern(matrix).astype(np.float32)
        if self.latent == "posterior":
            posteriors = TrainingPosteriors(*self._posteriors(), self.sizes_)
            return log_likelihood_of_posteriors(decoder, posteriors, held, n_draws, rng)
        start, _ = encode(self.encoder_, matrix)
        density = self.densities_[self.latent]
        return log_likelihood(decoder, density, held, start, n_draws, rng)

    def _decoder(self) -> Decoder:
        """Bring together what makes the distribution of items given a latent point."""
        never = np.diff(self.by_item_.indptr) == 0
        least = 1 / (2 * len(self.sizes_))
        return Decoder(self.decoder_, LIKELIHOODS[self.likelihood], least, never)

    def _posteriors(self) -> tuple[FloatArray, FloatArray]:
        """Posterior means and standard deviations of the training users, (n_users, k) each."""
        assert self.train_matrix_ is not None  # a fitted model has it
        return encode(self.encoder_, self.train_matrix_)
