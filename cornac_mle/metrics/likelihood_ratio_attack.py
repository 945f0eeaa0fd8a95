"""Membership by the model's own likelihood: what somebody finds who holds the model itself."""

import numpy as np
from numpy.random import Generator
from scipy import stats

from cornac_mle.checks import refusal
from cornac_mle.metrics.base import ModelMetric, NotMeasurableError, Samplable
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.likelihood import known_users
from cornac_mle.metrics.membership_attacks import freed
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import Measurement, MetricNote
from cornac_mle.sampling.plackett_luce import item_set_log_probability
from cornac_mle.sampling.sizes import size_distribution
from cornac_mle.sparse import FloatArray
from cornac_mle.stats.auc import auc_with_error, null_auc_error
from cornac_mle.stats.intervals import POWER_SHIFT


class LikelihoodRatioAttack(ModelMetric):
    r"""How well training users can be told from new users by the likelihood of the model itself.

    In [0, 1], an area under the ROC curve as of `MembershipInference`; .5 is right, what a coin
    gets; .7 says that it puts the training user first in 70 of 100 pairs, and .31 would be chance,
    on the wrong side of .5. A white-box attack [1]_ [2]_: whoever holds the model scores user x by

    .. math:: \log P_\text{model}(x) - \log P_\text{reference}(x),

    where the second term is independent popularity, sizes included, of the reference users, whom
    the model has not seen: it says how probable x is without the model. What the popularity of the
    training users gives away by itself does not count: the scores are freed, as those of
    `MembershipInference` are, of the same ratio with independent popularity of the training users
    in the model's place. Items that no training user holds, which no model knows, are left out of
    held-out users.

    It is reported apart: a reader of synthetic users does not have the model. It may be above or
    below `MembershipInference`, whose attacks use what this one has not; where a likelihood is
    estimated from latent points, by its lower bound, it is the weaker for that. A value of .5 is no
    guarantee, and not differential privacy.

    *ceiling* is .5 by construction; the interval is by DeLong's standard error. `per_user` holds
    the scores of training users, then of held-out users.

    Raises
    ------
    NotMeasurableError
        On measuring, if the evaluator was fitted without training users, the model has no
        likelihood, or only users are given.

    References
    ----------
    .. [1] Murakonda, Shokri & Theodorakopoulos (2021), "Quantifying the privacy risks of learning
       high-dimensional graphical models", AISTATS.
    .. [2] Carlini, Chien, Nasr, Song, Terzis & Tramer (2022), "Membership inference attacks from
       first principles", IEEE S&P.

    Examples
    --------
    A mixture of two groups has no room for single users:

    >>> from cornac_mle.metrics.example import example_users
    >>> from cornac_mle.models.mixture import Mixture
    >>> evaluator, _ = example_users()
    >>> model = Mixture(k=2, seed=1).fit(evaluator.train.to_dataset())
    >>> LikelihoodRatioAttack().measure_model(evaluator, model, rng=1).value
    0.5
    """

    bounds = (0.0, 1.0)
    ideal = 0.5
    note = MetricNote(".5", "AUC of telling training users by the model's likelihood; white box")

    def __init__(self) -> None:
        super().__init__(name="LikelihoodRatioAttack", higher_better=False)

    def _measure(self, evaluator: Evaluator, synthetic: Profiles, rng: Generator) -> Measurement:
        """Refuse: users alone do not say how probable other users are."""
        msg = f"{self.name} needs the model itself, not only users that it has drawn"
        raise NotMeasurableError(msg)

    def _measure_model(self, evaluator: Evaluator, model: Samplable, rng: Generator) -> Measurement:
        if evaluator.train is None:
            advice = "Give the users that the models were fitted on, or leave this metric out."
            raise NotMeasurableError(refusal("train", "be given", None, advice, context=self.name))
        seen = evaluator.train.item_ids[evaluator.train.item_counts > 0]
        catalogue = seen if model.catalogue_ is None else model.catalogue_
        groups = [
            known_users(users, seen).split_items(catalogue)[0]
            for users in (evaluator.train, evaluator.held_out)
        ]
        members, others = groups
        try:
            nats = [
                model.estimate_log_likelihood(users, rng=rng, values=False)[0] for users in groups
            ]
        except NotImplementedError as error:
            raise NotMeasurableError(str(error)) from error
        ratios, by_popularity = [], []
        for own, users in zip(nats, groups, strict=True):
            base = _by_popularity(evaluator.reference, users)
            ratios.append(own - base)
            by_popularity.append(_by_popularity(evaluator.train, users) - base)
        scores = freed(ratios, by_popularity)
        auc, error_of_auc = auc_with_error(*scores)
        reach = float(stats.norm.ppf(0.975)) * error_of_auc
        return Measurement(
            value=auc,
            low=max(0.0, auc - reach),
            high=min(1.0, auc + reach),
            loss=self.loss(auc, 0.5),
            n_real=len(others),
            minimum_detectable=POWER_SHIFT * null_auc_error(len(members), len(others)),
            ceiling=0.5,
            per_user=np.concatenate(scores),
            user_ids=members.user_ids.append(others.user_ids),
        )


def _by_popularity(known: Profiles, users: Profiles) -> FloatArray:
    """Log-probability of users under smoothed popularity of other users, (n_users,)."""
    group = known.split_items(users.item_ids)[0]
    sizes = size_distribution(group.sizes[group.sizes > 0], len(users.item_ids))
    log_weights = np.log(group.item_counts + 1.0)
    return item_set_log_probability(log_weights, sizes, users.matrix)
