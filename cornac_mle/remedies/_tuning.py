"""Gradient descent of MMD tuning: its steps, its looks at validation users, and when it ends."""

from typing import NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp
import torch
from tqdm.auto import tqdm

from cornac_mle.models.vae.adam import Adam
from cornac_mle.models.vae.decoder import Decoder
from cornac_mle.models.vae.divergence import check_finite
from cornac_mle.models.vae.model import VAE
from cornac_mle.models.vae.network import Layers, encode
from cornac_mle.models.vae.torch_layers import TorchLayers, chosen_device, to_numpy, to_torch
from cornac_mle.models.vae.validation_ndcg import validation_ndcg
from cornac_mle.models.validation import Validation
from cornac_mle.remedies._expected_mmd import Kernel, among_real, set_gradients
from cornac_mle.remedies._held_probabilities import held_probabilities, log_rates, reconstruction
from cornac_mle.sampling.latent_densities import LatentDensity
from cornac_mle.sparse import FloatArray, IntArray, pattern
from cornac_mle.workers import one_thread

REAL_USERS = 4096
"""Training users at most that a step compares with, so that memory does not grow with them."""
CHECK_STEPS = 25
"""Steps between two looks at the validation users."""
PATIENCE = 6
"""Looks without a smaller discrepancy after which tuning stops."""
CHECK_USERS = 512
"""Synthetic users of such a look; always the same latent points, so that looks can be compared."""
SCALES = (0.8, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25)
"""Scales of the decoder's outputs, tried before the first step: one number does much of it all."""
SHARPNESS_RATE = 1e-2
"""Learning rate of the scale between the distribution of the samples and that of the ranking."""


class Settings(Protocol):
    """What tuning asks of a remedy; `MMDTuning` says what each of them is."""

    name: str
    verbose: bool
    n_steps: int
    batch_size: int
    learning_rate: float
    reconstruction_weight: float
    max_ndcg_loss: float
    use_gpu: bool


class Tuned(NamedTuple):
    """What tuning leaves behind.

    Attributes
    ----------
    decoder : layers
        Layers of the best look, of the last step without validation users.
    validation_mmd, validation_ndcg : list of float
        Squared discrepancy and NDCG@100 of each look.
    """

    decoder: Layers
    validation_mmd: list[float]
    validation_ndcg: list[float]


@one_thread()  # `fit` could not limit PyTorch before it was imported
def tune(
    settings: Settings,
    vae: VAE,
    matrix: sp.csr_array,
    validation: Validation | None,
    rng: np.random.Generator,
) -> Tuned:
    """Tune the decoder of a fitted autoencoder.

    Raises
    ------
    ValueError
        If the loss of a step, or the log-rates after the last one, are not finite.
    """
    kernel, density = Kernel.of(matrix, rng), vae.densities_[vae.latent]
    descent = Descent(settings, vae, matrix, kernel, rng)
    looks = None
    if validation is not None:
        left_out = pattern(sp.csr_array(validation.shown + validation.target))
        monitor = Monitor(kernel, left_out, *density.draw(CHECK_USERS, rng))
        looks = Looks(monitor, vae.encoder_, validation, settings.max_ndcg_loss)
        looks.look(descent.layers, descent.decoder)  # as fitted
    points = descent.start()
    progress = tqdm(range(settings.n_steps + 1), disable=not settings.verbose, desc=settings.name)
    for step in progress:
        if looks is not None and step % CHECK_STEPS == 0:
            looks.look(descent.layers, descent.decoder)
            if looks.stalled:
                break
        if step < settings.n_steps:
            progress.set_postfix(mmd=descent.step())
    progress.close()
    if looks is not None:
        return Tuned(looks.best, looks.mmd, looks.ndcg)
    with torch.no_grad():  # the last step has no loss after it
        last = log_rates(descent.layers, descent.decoder, points).cpu().numpy()
    check_finite(settings.learning_rate, last)
    return Tuned(to_numpy(descent.layers), [], [])


class Descent:
    """A decoder on its way down: its layers, the scale beside them, and one step of Adam.

    Parameters
    ----------
    settings : Settings
        Rates, weights and sizes of a step.
    vae : VAE
        Fitted autoencoder, which is not changed.
    matrix : csr_array, shape (n_users, n_items)
        Training users.
    kernel : Kernel
        Kernel of the discrepancy.
    rng : Generator
        Generator of synthetic users and of the training users of a step.
    """

    def __init__(
        self,
        settings: Settings,
        vae: VAE,
        matrix: sp.csr_array,
        kernel: Kernel,
        rng: np.random.Generator,
    ) -> None:
        device = chosen_device(settings.use_gpu)
        self.settings, self.kernel, self.rng = settings, kernel, rng
        self.decoder: Decoder = vae._decoder()
        self.density: LatentDensity = vae.densities_[vae.latent]
        self.layers = to_torch(self.decoder.layers, device)
        self.sharpness = torch.ones((), device=device, requires_grad=True)
        weights = [tensor for layer in self.layers for tensor in layer]
        self.optimizers = (
            Adam(weights, settings.learning_rate),
            Adam([self.sharpness], SHARPNESS_RATE),
        )
        self.held = pattern(matrix)
        self.means, self.deviations = encode(vae.encoder_, matrix)

    def start(self) -> FloatArray:
        """Scale the last layer as is best; return the points (n_points, k) that have shown it."""
        points, sizes = self.density.draw(CHECK_USERS, self.rng)
        monitor = Monitor(self.kernel, self._some_users(), points, sizes)
        scale = best_scale(self.layers, monitor, self.decoder)
        with torch.no_grad():
            self.sharpness /= scale
            for part in self.layers[-1]:
                part *= scale
        return points

    def step(self) -> float:
        """Take one step; return the discrepancy before it, without its constant part."""
        learning_rate, n_users = self.settings.learning_rate, self.settings.batch_size
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        drawn = self.density.draw(n_users, self.rng)
        probabilities = held_probabilities(self.layers, self.decoder, *drawn)
        loss = set_gradients(probabilities, self.kernel, self._some_users())
        check_finite(learning_rate, loss)
        if self.settings.reconstruction_weight:
            users = self.rng.integers(len(self.means), size=n_users)
            noise = self.rng.standard_normal((n_users, self.means.shape[1]))
            points = self.means[users] + self.deviations[users] * noise
            rates = log_rates(self.layers, self.decoder, points)
            cost = reconstruction(self.sharpness * rates, self.held[users])
            check_finite(learning_rate, cost.item())
            torch.autograd.backward(self.settings.reconstruction_weight * cost)
        for optimizer in self.optimizers:
            optimizer.step()
        return loss

    def _some_users(self) -> sp.csr_array:
        """Training users to compare with, at most `REAL_USERS`."""
        return self.held[self.rng.permutation(len(self.means))[:REAL_USERS]]


class Looks:
    """Looks at validation users on the way: the best layers so far, and whether to go on.

    Parameters
    ----------
    monitor : Monitor
        Discrepancy from the validation users.
    encoder : layers
        Encoder that the decoder belongs to.
    validation : Validation
        Users whose ranking is to be kept.
    max_ndcg_loss : float
        Largest share of the first look's NDCG@100 that a look may lose, in (0, 1).

    Attributes
    ----------
    mmd, ndcg : list of float
        Squared discrepancy and NDCG@100 of each look.
    best : layers
        Layers of the best look, by `best_look`.
    """

    def __init__(
        self, monitor: "Monitor", encoder: Layers, validation: Validation, max_ndcg_loss: float
    ) -> None:
        self.monitor, self.encoder, self.validation = monitor, encoder, validation
        self.max_ndcg_loss = max_ndcg_loss
        self.mmd: list[float] = []
        self.ndcg: list[float] = []
        self.best: Layers = []

    def look(self, layers: TorchLayers, decoder: Decoder) -> None:
        """Measure the decoder on validation users, and keep it if it is the best so far."""
        copied = to_numpy(layers)
        self.ndcg.append(validation_ndcg(self.encoder, copied, self.validation))
        self.mmd.append(self.monitor.discrepancy(layers, decoder))
        if best_look(self.mmd, self.ndcg, self.max_ndcg_loss) == len(self.mmd) - 1:
            self.best = copied

    @property
    def stalled(self) -> bool:
        """Whether the discrepancy has not fallen for `PATIENCE` looks."""
        return len(self.mmd) - 1 - int(np.argmin(self.mmd)) >= PATIENCE


class Monitor:
    """Discrepancy of the model's users from users that it is not tuned on."""

    def __init__(
        self,
        kernel: Kernel,
        real: sp.csr_array,
        points: FloatArray,
        sizes: IntArray,
    ) -> None:
        self.kernel, self.points, self.sizes = kernel, points, sizes
        self.real = sp.csr_array(real[:REAL_USERS])
        self.among = among_real(kernel, self.real)

    def discrepancy(self, layers: TorchLayers, decoder: Decoder) -> float:
        """Unbiased MMD^2, of the model's users by their probabilities; it may be negative."""
        with torch.no_grad():
            probabilities = held_probabilities(layers, decoder, self.points, self.sizes)
            return self.among + set_gradients(probabilities, self.kernel, self.real)


def best_look(mmd: list[float], ndcg: list[float], max_loss: float) -> int:
    """Place of the smallest discrepancy among those that keep the NDCG of the first.

    >>> best_look([0.5, 0.1, 0.3], [0.40, 0.30, 0.399], 0.01)
    2
    """
    kept = np.asarray(ndcg) >= (1 - max_loss) * ndcg[0]
    return int(np.argmin(np.where(kept, mmd, np.inf)))


def best_scale(layers: TorchLayers, monitor: "Monitor", decoder: Decoder) -> float:
    """Choose the scale of the decoder's outputs with the smallest discrepancy."""
    weights, biases = layers[-1]
    looks = [
        monitor.discrepancy([*layers[:-1], (weights * scale, biases * scale)], decoder)
        for scale in SCALES
    ]
    return SCALES[int(np.argmin(looks))]
