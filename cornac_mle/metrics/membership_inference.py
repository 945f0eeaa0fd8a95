"""Membership inference: can training users be told from new users by the synthetic ones."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from scipy import stats

from cornac_mle.checks import refusal
from cornac_mle.metrics.base import ModelMetric, NotMeasurableError, Samplable
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.membership_attacks import ATTACKS, Scores, beyond_popularity
from cornac_mle.null_models.corruption import popularity_draws
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import Measurement, MetricNote
from cornac_mle.sparse import IndexArray
from cornac_mle.stats.auc import area, auc_with_error, null_auc_error
from cornac_mle.stats.conformal import conformal_p_values
from cornac_mle.stats.intervals import POWER_SHIFT
from cornac_mle.stats.privacy import epsilon_lower_bound

DRAWS_A_TRAINING_USER, MOST_DRAWN = 3, 10_000
"""Synthetic users that are asked of a model: so many a training user, and no more than that."""
FALSE_POSITIVE_RATES = (0.01, 0.05)
EPSILON_RATES = (0.01, 0.05, 0.2, 0.5)
"""Shares of held-out users above the thresholds of the bound on epsilon."""
EPSILON_ERROR = 0.05
LEAST_USERS = 4
"""Training users, and held-out users, at least: two in each half."""

Half = tuple[IndexArray, IndexArray]


@dataclass(frozen=True, eq=False)
class MembershipAttack:
    """What attacks on membership achieve; see `membership_attack`.

    Attributes
    ----------
    auc, low, high : float
        Area under the ROC curve of the attack that does best, chosen on one half of the users and
        measured on the other, and its 95% interval; .5 is what a coin gets.
    attack : str
        Name of the attack that was chosen most often, a key of `aucs`.
    aucs : dict
        Area of each attack over all users, by its name.
    true_positive_rates : dict
        Share of training users found, by the false-positive rate, .01 and .05: the share of new
        users who are wrongly taken for training users. None where half the held-out users are too
        few for the rate.
    epsilon : float
        Lower bound on epsilon that holds with probability .95, in nats; see `epsilon_lower_bound`.
    n_train, n_held_out, n_synthetic : int
        Number of members, of others, and of synthetic users that the attacks saw.
    scores : dict
        Scores of training users and of held-out users, (n_train,) and (n_held_out,), by attack.
    """

    auc: float
    low: float
    high: float
    attack: str
    aucs: dict[str, float]
    true_positive_rates: dict[float, float | None]
    epsilon: float
    n_train: int
    n_held_out: int
    n_synthetic: int
    scores: dict[str, Scores]


class MembershipInference(ModelMetric):
    r"""How well training users can be told from new users by the synthetic users alone.

    In [0, 1], the area under the ROC curve (AUC): the probability that a training user scores
    above a held-out user. .5 is right, what a coin gets. A value of .7 says that the attack puts
    the training user first in 70 of 100 pairs; one far below .5, .31 say, would be chance. A model
    that repeats its training users gets about 1, independent popularity about .5.

    Two attacks [1]_ score users, by the synthetic users and, for comparison, by reference users:
    "judge" asks how much more the items of a user belong together by the former
    (`judge_differences`), "nearest" how much nearer the nearest of them is
    (`nearest_differences`). On each half-split of the training and the held-out users the attack
    that does best on one half is measured on the other half, both ways; the value is the mean, so
    that it is .5 on average where nothing leaks. The interval is by DeLong's standard error.

    More synthetic users give more away. A model is asked for three users a training user, at most
    10,000; users without their model are taken as they are. `n_synthetic` is their number.

    *ceiling* is .5 by construction, held-out users against held-out users; *floor* that of
    independent popularity, as many users, fitted on the training users.

    Popularity itself leaks where the training users are few [2]_, and that would be held against
    models that know nothing else: scores are freed of it (`beyond_popularity`).

    It is a lower bound on what leaks, by these attacks: somebody may know a better one. A value of
    .5 is no guarantee, and certainly not differential privacy. `membership_attack` gives the
    true-positive rates at low false-positive rates, a lower bound on epsilon, and the scores;
    `exposed_users` names the users.

    Raises
    ------
    NotMeasurableError
        On measuring, if the evaluator was fitted without training users, there are fewer than 4
        training or held-out users, or fewer than 2 synthetic ones with an item.

    Notes
    -----
    Time min(n_synthetic, 3,000, n_items)^3, and n_synthetic x (n_train + n_held_out), both twice.

    References
    ----------
    .. [1] Shokri, Stronati, Song & Shmatikov (2017), "Membership inference attacks against machine
       learning models", IEEE S&P.
    .. [2] Homer et al. (2008), "Resolving individuals contributing trace amounts of DNA to highly
       complex mixtures using high-density SNP genotyping microarrays", PLoS Genetics 4(8).

    Examples
    --------
    Training users, given back, are all told from new ones; the synthetic users of the example were
    made from nobody:

    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> MembershipInference().measure(evaluator, evaluator.train, rng=1).value
    1.0
    >>> MembershipInference().measure(evaluator, synthetic, rng=1).value
    0.5
    """

    bounds = (0.0, 1.0)
    ideal = 0.5
    note = MetricNote(".5", "AUC of telling training users from new ones; .5 = nothing leaks")

    def __init__(self) -> None:
        super().__init__(name="MembershipInference", higher_better=False)

    def _measure_model(self, evaluator: Evaluator, model: Samplable, rng: Generator) -> Measurement:
        """Draw three users a training user, and measure them."""
        n_users = min(DRAWS_A_TRAINING_USER * len(self._train(evaluator)), MOST_DRAWN)
        drawn = model.sample(n_users, rng=rng)
        drawn = drawn.split_items(evaluator.held_out.item_ids)[0]
        users = evaluator.comparable("synthetic", drawn)
        measured = self._attacked(evaluator, users, n_users)
        return replace(measured, n_left_out=n_users - len(users))

    def _measure(self, evaluator: Evaluator, synthetic: Profiles, rng: Generator) -> Measurement:
        self._train(evaluator)
        return self._attacked(evaluator, synthetic, len(synthetic))

    def _attacked(self, evaluator: Evaluator, synthetic: Profiles, n_floor: int) -> Measurement:
        return self.measured(evaluator, membership_attack(evaluator, synthetic), n_floor)

    def measured(self, evaluator: Evaluator, found: MembershipAttack, n_floor: int) -> Measurement:
        """Measure what an attack achieved, beside `n_floor` users of independent popularity."""
        floor = evaluator.remembered(self, n_floor, compute=lambda: self._floor(evaluator, n_floor))
        error = null_auc_error(found.n_train, found.n_held_out)
        return Measurement(
            value=found.auc,
            low=found.low,
            high=found.high,
            loss=self.loss(found.auc, 0.5),
            n_real=found.n_held_out,
            n_synthetic=found.n_synthetic,
            minimum_detectable=POWER_SHIFT * error,
            ceiling=0.5,
            floor=floor,
            details={
                f"true_positive_rate_{100 * rate:02.0f}": share
                for rate, share in found.true_positive_rates.items()
                if share is not None
            }
            | {"epsilon": found.epsilon},
        )

    def _train(self, evaluator: Evaluator) -> Profiles:
        if evaluator.train is None:
            advice = "Give the users that the models were fitted on, or leave this metric out."
            raise NotMeasurableError(refusal("train", "be given", None, advice, context=self.name))
        return evaluator.train

    def _floor(self, evaluator: Evaluator, size: int) -> float:
        # A fixed stream: the first model to be measured must not decide what the others see.
        random = np.random.default_rng(evaluator.split_seeds[0])
        seen = evaluator.seen
        sizes = random.choice(seen.sizes[seen.sizes >= evaluator.min_items], size)
        drawn = popularity_draws(seen.item_counts, sizes, rng=random)
        users = Profiles.from_matrix(drawn, evaluator.held_out.item_ids)
        return membership_attack(evaluator, users).auc


def membership_attack(evaluator: Evaluator, synthetic: Profiles) -> MembershipAttack:
    """Attack training users by synthetic users; everything that `MembershipInference` knows.

    Parameters
    ----------
    evaluator : Evaluator
        Real users, training users among them.
    synthetic : Profiles
        Users made up by a model, over items of the evaluator's users, in any order.

    Raises
    ------
    NotMeasurableError
        If there are no training users, or too few users.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, _ = example_users()
    >>> found = membership_attack(evaluator, evaluator.train[:40])
    >>> found.attack, round(found.auc, 2), found.true_positive_rates[0.05], round(found.epsilon, 2)
    ('nearest', 0.59, 0.21, 0.44)
    """
    users = evaluator.comparable("synthetic", synthetic)
    _check_enough(evaluator, users)
    scores = {name: beyond_popularity(evaluator, users, attack) for name, attack in ATTACKS.items()}
    return attack_by_scores(evaluator, scores, len(users))


def attack_by_scores(
    evaluator: Evaluator, scores: dict[str, Scores], n_synthetic: int
) -> MembershipAttack:
    """Attack by scores of training and held-out users, (n_train,) and (n_held_out,), by attack."""
    full = {name: auc_with_error(*pair) for name, pair in scores.items()}
    n_train, n_held_out = (len(part) for part in next(iter(scores.values())))
    areas, chosen = [], []
    rates: dict[float, list[float]] = {rate: [] for rate in FALSE_POSITIVE_RATES}
    for seed in evaluator.split_seeds:
        one, other = _halves(n_train, n_held_out, seed)
        for choosing, measuring in ((one, other), (other, one)):
            best = _best(scores, choosing)
            members, others = _part(scores[best], measuring)
            known = _part(scores[best], choosing)[1]
            chosen.append(best)
            areas.append(area(members, others))
            for rate, found in rates.items():
                if rate * (len(known) + 1) >= 1:
                    found.append(float(np.mean(conformal_p_values(-members, -known) <= rate)))
    shares = {name: chosen.count(name) / len(chosen) for name in scores}
    auc = float(np.mean(areas))
    reach = float(stats.norm.ppf(0.975)) * sum(shares[name] * full[name][1] for name in scores)
    return MembershipAttack(
        auc=auc,
        low=max(0.0, auc - reach),
        high=min(1.0, auc + reach),
        attack=max(shares, key=lambda name: shares[name]),
        aucs={name: of_all for name, (of_all, _) in full.items()},
        true_positive_rates={
            rate: float(np.mean(found)) if found else None for rate, found in rates.items()
        },
        epsilon=_epsilon(scores, evaluator.split_seeds[0]),
        n_train=n_train,
        n_held_out=n_held_out,
        n_synthetic=n_synthetic,
        scores=scores,
    )


def _check_enough(evaluator: Evaluator, users: Profiles) -> None:
    if evaluator.train is None:
        advice = "Give the users that the model was fitted on."
        raise NotMeasurableError(refusal("train", "be given", None, advice))
    groups = {"train": evaluator.train, "held_out": evaluator.held_out}
    for name, group in groups.items():
        if len(group) < LEAST_USERS:
            rule, advice = f"be at least {LEAST_USERS} users", "Give more users."
            raise NotMeasurableError(refusal(name, rule, len(group), advice))
    n_users = int(np.count_nonzero(users.sizes))
    if n_users < 2:
        rule, advice = "be at least 2 users with an item", "Draw more users."
        raise NotMeasurableError(refusal("synthetic", rule, n_users, advice))


def _halves(n_train: int, n_held_out: int, seed: np.random.SeedSequence) -> tuple[Half, Half]:
    """Cut training users and held-out users into halves at random."""
    random = np.random.default_rng(seed)
    rows = [random.permutation(count) for count in (n_train, n_held_out)]
    first, second = (np.array_split(part, 2) for part in rows)
    return (first[0], second[0]), (first[1], second[1])


def _part(scores: Scores, half: Half) -> Scores:
    return scores[0][half[0]], scores[1][half[1]]


def _best(scores: dict[str, Scores], choosing: Half) -> str:
    """Name of the attack of the largest area on one half of the users."""
    return max(scores, key=lambda name: area(*_part(scores[name], choosing)))


def _epsilon(scores: dict[str, Scores], seed: np.random.SeedSequence) -> float:
    """Lower bound on epsilon, attack and thresholds chosen on the other half of the users.

    Thresholds are quantiles of that half's held-out users. The larger of the bounds of the two
    halves counts, hence half the error for each; the largest over half-splits would not hold.
    """
    bounds = []
    members, others = next(iter(scores.values()))
    one, other = _halves(len(members), len(others), seed)
    for choosing, measuring in ((one, other), (other, one)):
        best = _best(scores, choosing)
        known = _part(scores[best], choosing)[1]
        thresholds = np.quantile(known, 1 - np.asarray(EPSILON_RATES))
        members, others = _part(scores[best], measuring)
        hits, alarms = (
            np.sum(part[:, np.newaxis] > thresholds, axis=0) for part in (members, others)
        )
        error = EPSILON_ERROR / 2
        bounds.append(epsilon_lower_bound(hits, len(members), alarms, len(others), error=error))
    return max(bounds)
