"""Copying: are synthetic users nearer to training users than new real users are."""

import warnings

import numpy as np
from numpy.random import Generator
from scipy import stats

from cornac_mle.checks import refusal
from cornac_mle.metrics.base import NotMeasurableError, RealismMetric
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.identical_users import identical_users
from cornac_mle.neighbours.balls import pairs_from
from cornac_mle.neighbours.similarity import similarity_blocks
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import Measurement, MetricNote
from cornac_mle.sparse import FloatArray
from cornac_mle.stats.intervals import POWER_SHIFT


class CopiedUsers(RealismMetric):
    r"""How much more often than a new real user a synthetic user is nearest to a training user.

    At most 1 (every user is a copy); 0 is best; below 0, down to -n_train / n_held_out, the users
    keep away from the training users. A value of .31 is what a set gets of which 31% are copies and
    the others new users. Of realism it says nothing: independent popularity copies nobody. Its
    interval is wide with few held-out users: half of it is about .15 with 550 and 1,000 training
    users. The nearest neighbour (Jaccard, on item sets) is sought among *all* training and held-out
    users, ties are split. With s the share of training users among the nearest neighbours of
    synthetic users, and s_0 what it is for new real users on average,

    .. math:: \frac{s - s_0}{1 - s_0}, \qquad
        s_0 = \frac{n_\text{train}}{n_\text{train} + n_\text{held-out}}.

    All training users take part, because a copy shows only beside its original. *ceiling* is the
    value of the held-out users, each without that very user, *floor* that of independent
    popularity, which copies nobody either: there is no normalised value.

    It cannot see users that were made from the held-out or reference users themselves, who are its
    zero: a warning says where synthetic users are identical to those beyond chance. Split first,
    and synthesise from the training users.

    The interval treats synthetic users with the same nearest neighbour as one observation, since a
    few real users are the nearest neighbours of many. `per_user` holds each synthetic user's share
    of training users among its nearest.

    Raises
    ------
    NotMeasurableError
        On measuring, if the evaluator was fitted without training users, or there are fewer than 2
        synthetic ones.

    Examples
    --------
    Training users, given back, are all copies:

    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> CopiedUsers().measure(evaluator, evaluator.train, rng=1).value
    1.0
    >>> CopiedUsers().measure(evaluator, synthetic, rng=1).value
    0.06
    """

    bounds = (-np.inf, 1.0)
    ideal = 0.0
    note = MetricNote("0", "users nearest to a training user beyond what chance gives; 1 = copies")

    def __init__(self) -> None:
        super().__init__(name="CopiedUsers")

    def _measure(self, evaluator: Evaluator, synthetic: Profiles, rng: Generator) -> Measurement:
        if evaluator.train is None:
            advice = "Give the users that the models were fitted on, or leave this metric out."
            raise NotMeasurableError(refusal("train", "be given", None, advice, context=self.name))
        if len(synthetic) < 2:
            rule, advice = "be at least 2 users", "Draw more users."
            reason = refusal("synthetic", rule, len(synthetic), advice, context=self.name)
            raise NotMeasurableError(reason)
        for found in identical_users(evaluator, synthetic):
            warnings.warn(str(found), UserWarning, stacklevel=4)
        value, error, shares = copying_excess(evaluator.train, evaluator.held_out, synthetic)
        ceiling, floor, spread = evaluator.remembered(
            self, compute=lambda: self._ceiling_and_floor(evaluator)
        )
        reach = float(stats.norm.ppf(0.975)) * error
        # Popularity users copy nobody either, so there is no normalised value.
        return Measurement(
            value=value,
            low=value - reach,
            high=min(1.0, value + reach),
            loss=self.loss(value, ceiling),
            n_real=len(evaluator.held_out),
            n_synthetic=len(synthetic),
            minimum_detectable=POWER_SHIFT * spread,
            per_user=shares,
            ceiling=ceiling,
            floor=floor,
        )

    def _ceiling_and_floor(self, evaluator: Evaluator) -> tuple[float, float, float]:
        train, held_out = evaluator.train, evaluator.held_out
        assert train is not None  # `measure` has checked it
        ceiling, spread, _ = copying_excess(train, held_out, held_out, themselves=True)
        floor, _, _ = copying_excess(train, held_out, evaluator.floor_users)
        return ceiling, floor, spread


def copying_excess(
    train: Profiles, held_out: Profiles, users: Profiles, *, themselves: bool = False
) -> tuple[float, float, FloatArray]:
    """Excess of training users among nearest neighbours, its standard error, and each user's share.

    Parameters
    ----------
    train, held_out, users : Profiles
        Training users, held-out users and users to judge, on the same items.
    themselves : bool
        Whether `users` are the held-out users: a user is not its own neighbour.

    Notes
    -----
    With w the share of judged users whose nearest neighbour is real user r, and t = 1 if r is a
    training user, share = sum w t and its variance is sum w^2 (t - share)^2: judged users with the
    same nearest neighbour are one observation.
    """
    real = train.concat(held_out)
    is_train = np.arange(len(real)) < len(train)
    shares = np.empty(len(users))
    weights = np.zeros(len(real))
    own = len(train) if themselves else None
    for rows, block in similarity_blocks(users.matrix, real.matrix, themselves_from=own):
        row, nearest = pairs_from(block, block.max(axis=1, keepdims=True))
        parts = 1 / np.bincount(row)[row]  # ties are split, (n_pairs,)
        weights += np.bincount(nearest, parts, minlength=len(real)) / len(users)
        shares[rows] = np.bincount(row, parts * is_train[nearest], minlength=len(block))
    neutral = len(train) / (len(real) - themselves)
    share = float(np.mean(shares))
    error = np.sqrt(np.sum(weights**2 * (is_train - share) ** 2))
    return (share - neutral) / (1 - neutral), float(error) / (1 - neutral), shares
