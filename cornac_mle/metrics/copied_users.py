"""Copying: are synthetic users nearer to training users than new real users are."""

import warnings
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.random import Generator
from scipy import stats

from cornac_mle.checks import refusal
from cornac_mle.metrics.base import NotMeasurableError, RealismMetric
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.identical_users import identical_users
from cornac_mle.neighbours.balls import pairs_from
from cornac_mle.neighbours.similarity import similarity_blocks
from cornac_mle.null_models.corruption import popularity_draws
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import Measurement, MetricNote
from cornac_mle.sparse import BoolArray, Float32Array, FloatArray
from cornac_mle.stats.intervals import POWER_SHIFT

POPULARITY_USERS = 3_000
"""Users of independent popularity who say what chance gives: many, since chance is small numbers.
"""


class Chance(NamedTuple):
    """How often each real user is nearest to users who have copied nobody, of two kinds."""

    popularity: FloatArray  # (n_train + n_held_out,), sum 1
    reference: FloatArray  # (n_train + n_held_out,), sum 1
    n_popularity: int
    n_reference: int

    def popularity_weight(self, weights: FloatArray) -> float:
        """How like popularity users are who have these weights, in [0, 1], by least squares.

        The squares are freed of what the sampling of the two kinds adds to them: it would draw the
        weight to the kind of which there are more users.
        """
        noise = [
            np.sum(hubs * (1 - hubs)) / count
            for hubs, count in (
                (self.popularity, self.n_popularity),
                (self.reference, self.n_reference),
            )
        ]
        gap = self.popularity - self.reference
        square = gap @ gap - noise[0] - noise[1]
        if square <= 0:  # the two kinds cannot be told apart
            return 0.5
        return float(np.clip((gap @ (weights - self.reference) - noise[1]) / square, 0, 1))


class CopiedUsers(RealismMetric):
    r"""How much more often a synthetic user is nearest to a training user than chance gives.

    At most 1 (every user is a copy); 0 is best; below 0 the users keep away from the training
    users. A value of .31 is what a set gets of which 31% are copies and the others new users. Of
    realism it says nothing: independent popularity copies nobody and gets about 0. The nearest
    neighbour (Jaccard, on item sets) is sought among *all* training and held-out users, ties are
    split. With s the share of training users among the nearest neighbours of synthetic users,

    .. math:: \frac{s - s_0}{1 - s_0}, \qquad s_0 = \beta s_P + (1 - \beta) s_R,

    where s_P and s_R are what two kinds of users get who have copied nobody: *independent
    popularity*, which knows sizes and popularity of the training users and nothing else, and the
    *reference users*. Neither gets the share of training users among the real ones: the catalogue
    and the popularity are those of the training users, and the few real users with the most popular
    items, who are the nearest neighbours of many, are training users or not by luck. The weight
    beta, in [0, 1], is fitted by least squares to how often each real user is the nearest neighbour
    of a synthetic one, without knowing who is a training user, so that copies do not hide
    themselves: it says how like independent popularity the synthetic users are.

    All training users take part, because a copy shows only beside its original. *ceiling* is the
    value of the held-out users, each without that very user, *floor* that of independent
    popularity: there is no normalised value.

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
    0.03
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
        real = evaluator.train.concat(evaluator.held_out).matrix
        is_train = np.arange(real.shape[0]) < len(evaluator.train)
        weights, shares = nearest_weights(synthetic.matrix, real, is_train)
        return self.measured(
            evaluator, weights, float(np.mean(shares)), n_synthetic=len(synthetic), per_user=shares
        )

    def measured(
        self,
        evaluator: Evaluator,
        weights: FloatArray,
        share: float,
        *,
        n_synthetic: int,
        per_user: FloatArray | None = None,
    ) -> Measurement:
        """Measure users of whom it is known to whom they are nearest.

        Parameters
        ----------
        evaluator : Evaluator
            Real users, training users among them.
        weights : ndarray, shape (n_train + n_held_out,)
            How often each real user is the nearest of a synthetic one, sum 1; ties are split.
        share : float
            Share of training users among the nearest, in [0, 1].
        n_synthetic : int
            Number of synthetic users.
        per_user : ndarray, shape (n_synthetic,), optional
            That share for each synthetic user.
        """
        assert evaluator.train is not None  # callers have checked it
        chance = evaluator.remembered(chance_of, compute=lambda: chance_of(evaluator))
        n_train, n_held_out = len(evaluator.train), len(evaluator.held_out)
        value, error = excess_of(weights, share, n_train, n_held_out, by_chance=chance)
        ceiling, floor, spread = evaluator.remembered(
            self, compute=lambda: self._ceiling_and_floor(evaluator, chance)
        )
        reach = float(stats.norm.ppf(0.975)) * error
        # Popularity users copy nobody either, so there is no normalised value.
        return Measurement(
            value=value,
            low=value - reach,
            high=min(1.0, value + reach),
            loss=self.loss(value, ceiling),
            n_real=n_held_out,
            n_synthetic=n_synthetic,
            minimum_detectable=POWER_SHIFT * spread,
            per_user=per_user,
            ceiling=ceiling,
            floor=floor,
        )

    def _ceiling_and_floor(
        self, evaluator: Evaluator, chance: Chance
    ) -> tuple[float, float, float]:
        train, held_out = evaluator.train, evaluator.held_out
        assert train is not None  # `measure` has checked it
        ceiling, spread, _ = copying_excess(
            train, held_out, held_out, by_chance=chance, themselves=True
        )
        floor, _, _ = copying_excess(train, held_out, evaluator.floor_users, by_chance=chance)
        return ceiling, floor, spread


def chance_of(evaluator: Evaluator) -> Chance:
    """Find whom popularity users, fitted on training users, and reference users are nearest to.

    Real users are training users, then held-out users.
    """
    assert evaluator.train is not None  # callers have checked it
    real = evaluator.train.concat(evaluator.held_out)
    # A fixed stream: the first model to be measured must not decide what the others see.
    random = np.random.default_rng(evaluator.split_seeds[-1])
    sizes = evaluator.train.sizes[evaluator.train.sizes >= evaluator.min_items]
    drawn = popularity_draws(
        evaluator.train.item_counts, random.choice(sizes, POPULARITY_USERS), rng=random
    )
    is_train = np.arange(len(real)) < len(evaluator.train)
    hubs = [
        nearest_weights(group, real.matrix, is_train)[0]
        for group in (drawn, evaluator.reference.matrix)
    ]
    return Chance(hubs[0], hubs[1], POPULARITY_USERS, len(evaluator.reference))


def copying_excess(
    train: Profiles,
    held_out: Profiles,
    users: Profiles,
    *,
    by_chance: Chance | None = None,
    themselves: bool = False,
) -> tuple[float, float, FloatArray]:
    """Excess of training users among nearest neighbours, its standard error, and each user's share.

    Parameters
    ----------
    train, held_out, users : Profiles
        Training users, held-out users and users to judge, on the same items.
    by_chance : Chance, optional
        What users get who have copied nobody; without it the share of training users among the
        real ones.
    themselves : bool
        Whether `users` are the held-out users: a user is not its own neighbour.
    """
    real = train.concat(held_out)
    is_train = np.arange(len(real)) < len(train)
    own = len(train) if themselves else None
    weights, shares = nearest_weights(users.matrix, real.matrix, is_train, own)
    value, error = excess_of(
        weights,
        float(np.mean(shares)),
        len(train),
        len(held_out),
        by_chance=by_chance,
        themselves=themselves,
    )
    return value, error, shares


def excess_of(
    weights: FloatArray,
    share: float,
    n_train: int,
    n_held_out: int,
    *,
    by_chance: Chance | None = None,
    themselves: bool = False,
) -> tuple[float, float]:
    """Excess of training users among nearest neighbours, and its standard error.

    Parameters
    ----------
    weights : ndarray, shape (n_train + n_held_out,)
        How often each real user is the nearest of a judged one, sum 1.
    share : float
        Share of training users among the nearest, in [0, 1].
    n_train, n_held_out : int
        Numbers of real users.
    by_chance, themselves
        As for `copying_excess`.

    Notes
    -----
    With w the share of judged users whose nearest neighbour is real user r, e what chance gives it,
    t = 1 if r is a training user, s = sum w t and s_0 = sum e t, the variance of the excess v is
    that of s - (1 - v) s_0, divided by (1 - s_0)^2: sum (w (t - s) - (1 - v) e (t - s_0))^2. Judged
    users with the same nearest neighbour are one observation.
    """
    n_real = n_train + n_held_out
    is_train = np.arange(n_real) < n_train
    neutral = n_train / (n_real - themselves)
    expected, by_luck = np.zeros(n_real), 0.0
    if by_chance is not None:
        popularity = by_chance.popularity_weight(weights)
        expected = popularity * by_chance.popularity + (1 - popularity) * by_chance.reference
        by_luck = float(expected @ is_train)
        neutral += by_luck - n_train / n_real
    if neutral > 1 - 1e-9:
        rule = "hold an item that training users do not"
        advice = "Are the ids of `train` those of the others?"
        raise NotMeasurableError(refusal("held_out", rule, "none near anybody", advice))
    value = (share - neutral) / (1 - neutral)
    left = weights * (is_train - share) - (1 - value) * expected * (is_train - by_luck)
    return value, float(np.sqrt(np.sum(left**2))) / (1 - neutral)


def nearest_weights(
    users: sp.csr_array, real: sp.csr_array, is_train: BoolArray, own: int | None = None
) -> tuple[FloatArray, FloatArray]:
    """Count how often each real user is nearest, (n_real,), sum 1, and shares of training users.

    The latter are of each judged user's nearest neighbours, (n_users,).
    """
    weights, shares = np.zeros(real.shape[0]), np.empty(users.shape[0])
    for rows, block in similarity_blocks(users, real, themselves_from=own):
        counts, shares[rows] = nearest_of_block(block, is_train)
        weights += counts / len(shares)
    return weights, shares


def nearest_of_block(
    similarity: Float32Array, is_train: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Count how often each real user is nearest, and the share of training users among the nearest.

    From a block of similarities, (n_users, n_real); ties are split. The shapes are (n_real,), sum
    `n_users`, and (n_users,).
    """
    row, nearest = pairs_from(similarity, similarity.max(axis=1, keepdims=True))
    parts = 1 / np.bincount(row)[row]  # (n_pairs,)
    counts = np.bincount(nearest, parts, minlength=similarity.shape[1])
    shares = np.bincount(row, parts * is_train[nearest], minlength=len(similarity))
    return np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
