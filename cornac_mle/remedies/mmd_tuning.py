"""Remedy B, another divergence: a decoder tuned until its own users look like training users.

Maximum likelihood asks that real users be probable, and says little of the users that the model
makes up. Here the decoder of a fitted variational autoencoder goes on learning from the users that
it draws: their maximum mean discrepancy to training users falls by gradient descent.
"""

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from tqdm.auto import tqdm

from cornac_mle.checks import check_count, check_number, check_seed, check_share, refusal
from cornac_mle.models.base import GenerativeRecommender, check_frozen
from cornac_mle.models.vae.decoder import Decoder, log_times
from cornac_mle.models.vae.model import VAE
from cornac_mle.models.vae.network import Layers
from cornac_mle.models.vae.training import (
    check_finite,
    import_torch,
    into_last,
    to_numpy,
    validation_ndcg,
)
from cornac_mle.models.validation import Validation
from cornac_mle.remedies._expected_mmd import Kernel, among_real, set_gradients
from cornac_mle.sampling.importance import LikelihoodEstimate
from cornac_mle.sparse import FloatArray, IntArray, pattern

if TYPE_CHECKING:
    from torch import Tensor

    TorchLayers = list[tuple[Tensor, Tensor]]


REAL_USERS = 4096
"""Training users at most that a step compares with, so that memory does not grow with them."""
CHECK_STEPS = 25
"""Steps between two looks at the validation users."""
PATIENCE = 6
"""Looks without a smaller discrepancy after which tuning stops."""
CHECK_USERS = 512
"""Synthetic users of such a look; always the same latent points, so that looks can be compared."""
SCALES = (0.8, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25)
"""Of the decoder's outputs, tried before the first step: one number does much of the work."""
SHARPNESS_RATE = 1e-2
"""Learning rate of the scale between the distribution of the samples and that of the ranking."""
LOG_RATE_NEVER = -80.0
"""Log-rate of an item that is never drawn: exp(-80) is 0 in every sum, and has a gradient of 0."""


class MMDTuning(GenerativeRecommender):
    """A variational autoencoder whose decoder is tuned on the users that it makes up.

    `fit` fits the autoencoder and then goes on with its decoder alone. Minimised, by Adam, is ::

        MMD^2(synthetic users, training users)
        + reconstruction_weight x mean of -log softmax(s x log-rates) at training users' items

    The first term compares profiles as vectors of items weighted by rarity, log((n + 1) / holders),
    of length 1, by a mean of Gaussian kernels of four bandwidths. The encoder, the latent density
    and so the sizes stay as fitted. The second term, at points of the training users' posteriors,
    keeps the ranking; the scale s is learnt beside it, because how sharp the samples should be is
    for the first term to say. Multinomial training leaves a decoder too blunt to be sampled
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
        Fitted as a copy. With ``trainable=False`` one that is already fitted, to the same items,
        is tuned as it is. Its ``latent`` decides from where users are drawn in tuning, as in
        sampling: "prior", "gaussian" or "mixture"; "posterior" needs real users and is refused.
    name : str, optional
        None: "MMDTuning", and the autoencoder's name in parentheses.
    n_steps : int
        Gradient steps at most; fewer if stopped early. More is closer to the training users.
    batch_size : int
        Synthetic users per step. At least 2; below some 100, rare kinds of users are drawn too
        seldom.
    learning_rate : float
        Of Adam.
    reconstruction_weight : float
        Weight of the ranking beside the discrepancy, at least 0. Too small: NDCG falls.
    max_ndcg_loss : float
        With a validation set: the weights kept are those of the smallest discrepancy from
        validation users, among those that lose at most this share of NDCG@100, in (0, 1). The
        autoencoder's epoch is the best of many on the same users, so part of a loss is chance: with
        few validation users little passes but the scale, which loses nothing. Tuning stops early
        where the discrepancy falls no longer. Without a validation set the last weights are kept.
    trainable, verbose : bool
        As in Cornac.
    seed : int, optional
        Of tuning; None: another result each time. The autoencoder has its own.
    use_gpu : bool
        Tune on CUDA where there is one.

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
    Gretton et al. (2012), "A kernel two-sample test", JMLR 13; Li, Swersky & Zemel (2015),
    "Generative moment matching networks", ICML, for several bandwidths. Time a step: batch_size x
    n_items x (batch_size + decoder width), and batch_size x preferences of 4,096 users at most.
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
        seed: int | None = None,
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
        self.use_gpu = use_gpu

    # ------------------------------------------------------------------------------- formulas

    def _fit(self, matrix: sp.csr_array, validation: Validation | None) -> None:
        if self.model.trainable:
            fitted = self.model.clone().fit(self.train_set, self.val_set)
        else:
            check_frozen(self.model, self.catalogue_)
            fitted = self.model
        self.vae_: VAE = copy.copy(fitted)
        self.vae_.train_set = self.vae_.val_set = None  # not to be saved a second time
        self.validation_mmd_: list[float] = []
        self.validation_ndcg_: list[float] = []
        self.vae_.decoder_ = self._tune(matrix, validation, np.random.default_rng(self.seed))

    def _draw(self, n_users: int, rng: np.random.Generator) -> sp.csr_array:
        return self.vae_._draw(n_users, rng)

    def _fold_in(self, matrix: sp.csr_array) -> FloatArray:
        return self.vae_._fold_in(matrix)

    def _log_likelihood(
        self, matrix: sp.csr_array, n_draws: int, rng: np.random.Generator
    ) -> LikelihoodEstimate:
        return self.vae_._log_likelihood(matrix, n_draws, rng)

    # --------------------------------------------------------------------------------- tuning

    def _tune(
        self, matrix: sp.csr_array, validation: Validation | None, rng: np.random.Generator
    ) -> Layers:
        torch = import_torch()
        device = torch.device("cuda" if self.use_gpu and torch.cuda.is_available() else "cpu")
        distribution, density = self.vae_._decoder(), self.vae_.densities_[self.vae_.latent]
        layers = [
            tuple(torch.from_numpy(part.copy()).to(device).requires_grad_() for part in layer)
            for layer in distribution.layers
        ]
        sharpness = torch.ones((), device=device, requires_grad=True)
        optimizer = torch.optim.Adam(
            [
                {"params": [tensor for layer in layers for tensor in layer]},
                {"params": [sharpness], "lr": SHARPNESS_RATE},
            ],
            lr=self.learning_rate,
        )
        kernel = Kernel.of(matrix, rng)
        held, (means, deviations) = pattern(matrix), self.vae_._encode(matrix)
        monitor = None
        if validation is not None:
            left_out = pattern(sp.csr_array(validation.shown + validation.target))
            monitor = Monitor(torch, kernel, left_out, *density.draw(CHECK_USERS, rng))
        best = distribution.layers
        if monitor is not None and validation is not None:
            self._look(torch, monitor, layers, distribution, validation)  # as fitted
        points, sizes = density.draw(CHECK_USERS, rng)
        some = held[rng.permutation(len(means))[:REAL_USERS]]
        start = best_scale(torch, layers, Monitor(torch, kernel, some, points, sizes), distribution)
        with torch.no_grad():
            sharpness /= start
            for part in layers[-1]:
                part *= start
        progress = tqdm(range(self.n_steps + 1), disable=not self.verbose, desc=self.name)
        for step in progress:
            if monitor is not None and validation is not None and step % CHECK_STEPS == 0:
                if self._look(torch, monitor, layers, distribution, validation):
                    best = to_numpy(layers)
                newest = len(self.validation_mmd_) - 1
                if newest - int(np.argmin(self.validation_mmd_)) >= PATIENCE:
                    break
            if step == self.n_steps:
                break
            optimizer.zero_grad()
            probabilities = held_probabilities(
                torch, layers, distribution, *density.draw(self.batch_size, rng)
            )
            users = rng.permutation(len(means))[:REAL_USERS]
            loss = set_gradients(torch, probabilities, kernel, held[users])
            check_finite(self.learning_rate, loss)
            if self.reconstruction_weight:
                users = rng.integers(len(means), size=self.batch_size)
                noise = rng.standard_normal((self.batch_size, means.shape[1]))
                points = means[users] + deviations[users] * noise
                rates = log_rates(torch, layers, distribution, points)
                cost = reconstruction(torch, sharpness * rates, held[users])
                check_finite(self.learning_rate, cost.item())
                torch.autograd.backward(self.reconstruction_weight * cost)
            optimizer.step()
            progress.set_postfix(mmd=loss)
        progress.close()
        if monitor is not None:
            return best
        with torch.no_grad():  # the last step has no loss after it
            last = log_rates(torch, layers, distribution, points).cpu().numpy()
        check_finite(self.learning_rate, last)
        return to_numpy(layers)

    def _look(
        self,
        torch: Any,
        monitor: "Monitor",
        layers: "TorchLayers",
        distribution: Decoder,
        validation: Validation,
    ) -> bool:
        """Measure the decoder on validation users; say whether it is the best so far."""
        ndcg = validation_ndcg(self.vae_.encoder_, to_numpy(layers), validation)
        self.validation_mmd_.append(monitor.discrepancy(torch, layers, distribution))
        self.validation_ndcg_.append(ndcg)
        place = best_look(self.validation_mmd_, self.validation_ndcg_, self.max_ndcg_loss)
        return place == len(self.validation_mmd_) - 1


def best_look(mmd: list[float], ndcg: list[float], max_loss: float) -> int:
    """Place of the smallest discrepancy among those that keep the NDCG of the first.

    >>> best_look([0.5, 0.1, 0.3], [0.40, 0.30, 0.399], 0.01)
    2
    """
    kept = np.asarray(ndcg) >= (1 - max_loss) * ndcg[0]
    return int(np.argmin(np.where(kept, mmd, np.inf)))


def best_scale(
    torch: Any, layers: "TorchLayers", monitor: "Monitor", distribution: Decoder
) -> float:
    """Choose the scale of the decoder's outputs with the smallest discrepancy."""
    weights, biases = layers[-1]
    looks = [
        monitor.discrepancy(torch, [*layers[:-1], (weights * scale, biases * scale)], distribution)
        for scale in SCALES
    ]
    return SCALES[int(np.argmin(looks))]


# ------------------------------------------------------------------------- what users are made of


def log_rates(
    torch: Any, layers: "TorchLayers", distribution: Decoder, points: FloatArray
) -> "Tensor":
    """Log-rates (n_users, n_items) at which items arrive, differentiable by the layers."""
    device = layers[0][0].device
    hidden = into_last(torch, layers, torch.from_numpy(points.astype(np.float32)).to(device))
    weights, biases = layers[-1]
    eta = torch.addmm(biases, hidden, weights)
    numbers = eta.detach().cpu().numpy()
    rates = distribution.likelihood.log_rates(numbers, distribution.least)
    gradients = distribution.likelihood.log_rate_gradients(numbers, distribution.least)
    # Of this value and this gradient, whatever the likelihood.
    linear = torch.from_numpy(gradients).to(device) * eta
    result = linear + (torch.from_numpy(rates).to(device) - linear).detach()
    masked: Tensor = result.masked_fill(
        torch.from_numpy(distribution.never).to(device), LOG_RATE_NEVER
    )
    return masked


def held_probabilities(
    torch: Any, layers: "TorchLayers", distribution: Decoder, points: FloatArray, sizes: IntArray
) -> "Tensor":
    """Probability (n_users, n_items) that each item is drawn, given point and size of the profile.

    An item of rate r has arrived by time t with probability 1 - exp(-r t), and t is such that
    `sizes` items are expected. Rows sum to the sizes, before and after a change of the rates.
    """
    rates = log_rates(torch, layers, distribution, points)
    times = log_times(rates.detach().cpu().numpy(), sizes)
    elapsed = torch.exp(rates + torch.from_numpy(times).to(rates.device)[:, None])
    probabilities = -torch.expm1(-elapsed)
    gradient = (elapsed * (1 - probabilities)).detach().sum(dim=1, keepdim=True).clamp(min=1e-12)
    missing = (probabilities.detach() - probabilities).sum(
        dim=1, keepdim=True
    )  # 0, with a gradient
    # The implicit derivative of the time: one step of Newton's method, of length 0.
    moved: Tensor = -torch.expm1(-elapsed * torch.exp(missing / gradient))
    return moved


def reconstruction(torch: Any, rates: "Tensor", held: sp.csr_array) -> "Tensor":
    """Mean of -log softmax(rates) over the stored entries of `held`, nats an item."""
    row, column = held.tocoo().coords
    places = torch.from_numpy(row.astype(np.int64) * held.shape[1] + column).to(rates.device)
    cost: Tensor = -torch.log_softmax(rates, dim=1).view(-1)[places].mean()
    return cost


class Monitor:
    """Discrepancy of the model's users from users that it is not tuned on."""

    def __init__(
        self,
        torch: Any,
        kernel: Kernel,
        real: sp.csr_array,
        points: FloatArray,
        sizes: IntArray,
    ) -> None:
        self.kernel, self.points, self.sizes = kernel, points, sizes
        self.real = sp.csr_array(real[:REAL_USERS])
        self.among = among_real(torch, kernel, self.real)

    def discrepancy(self, torch: Any, layers: "TorchLayers", distribution: Decoder) -> float:
        """Unbiased MMD^2, of the model's users by their probabilities; it may be negative."""
        with torch.no_grad():
            probabilities = held_probabilities(torch, layers, distribution, self.points, self.sizes)
            return self.among + set_gradients(torch, probabilities, self.kernel, self.real)
