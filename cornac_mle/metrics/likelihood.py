"""How probable held-out users are under the model's own distribution."""

import logging

import numpy as np
import pandas as pd
from numpy.random import Generator

from cornac_mle.checks import refusal
from cornac_mle.metrics.base import ModelMetric, NotMeasurableError, Samplable
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import Measurement, MetricNote
from cornac_mle.sampling.plackett_luce import item_set_log_probability
from cornac_mle.sampling.sizes import size_distribution
from cornac_mle.stats.intervals import mean_interval

logger = logging.getLogger(__name__)


class HeldOutLogLikelihood(ModelMetric):
    r"""Mean log-probability of held-out users, in nats a user, under the distribution of `sample`.

    At most 0; higher is better, and only differences mean something: a model that is 10 nats above
    another finds an average user e^10 times as probable, its size included. With S_1, ..., S_n the
    item sets of the held-out users,

    .. math:: \frac{1}{n} \sum_i \log P_\text{model}(S_i).

    The negative mean is, up to a constant of the data, the KL divergence from the model's
    distribution to that of real users, and so it is a test of coverage above all: a model that
    gives some real user probability 0 has the value -inf (that is what the divergence says; a
    warning tells of how many users), while unbelievable users beside believable ones cost little.
    It says nothing of how real a synthetic user looks.

    Models with latent points have an estimate in place of an exact value: a lower bound on average,
    printed with ">=" and with the median effective sample size in `effective_sample_size`; near 1
    the bound may be many nats too low. A bound above an exact value is a better likelihood; a bound
    below one says nothing.

    `Filtered` has an estimated constant in its likelihood: an error common to all users, of
    `acceptance_rate_error_` / `acceptance_rate_` nats, which the interval leaves out.

    Items that no training user holds are left out of held-out users, and counted: no model knows
    them, and every value would be -inf.

    It is the likelihood of item sets, size included, for every model: one that has a distribution
    of values too (`PMF`, where training values differ) would otherwise be compared on more than the
    others.

    *floor* is the value of independent popularity with smoothed sizes, of the training users (the
    reference users without them; None if it is -inf). There is no ceiling: nobody knows the entropy
    of real users. The interval is Student's, over users; models are to be compared user by user, on
    `per_user`, which has one value a *held-out* user, (n_real,).

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> from cornac_mle.models.popularity import Popularity
    >>> evaluator, _ = example_users()
    >>> model = Popularity().fit(evaluator.train.to_dataset())
    >>> found = HeldOutLogLikelihood().measure_model(evaluator, model, rng=1)
    >>> found.value, found.floor
    (-25.66, -25.66)
    >>> found.per_user.shape
    (200,)
    """

    bounds = (-np.inf, 0.0)
    ideal = 0.0
    note = MetricNote("high", "mean log-probability of held-out users, nats a user")

    def __init__(self) -> None:
        super().__init__(name="HeldOutLogLikelihood")

    def caution(self, evaluator: Evaluator) -> str | None:
        """Say how many preferences of held-out users are left out, as no model knows the items."""
        held_out, seen = evaluator.held_out, evaluator.seen
        unknown = int(held_out.item_counts[seen.item_counts == 0].sum())
        if not unknown:
            return None
        return (
            f"without {unknown:,} of {held_out.matrix.nnz:,} preferences of held-out users, "
            "of items that no training user holds"
        )

    def _measure(self, evaluator: Evaluator, synthetic: Profiles, rng: Generator) -> Measurement:
        """Refuse: users alone do not say how probable other users are.

        Raises
        ------
        NotMeasurableError
            Always.
        """
        msg = f"{self.name} needs the model itself, not only users that it has drawn"
        raise NotMeasurableError(msg)

    def _measure_model(
        self, evaluator: Evaluator, model: Samplable, rng: np.random.Generator
    ) -> Measurement:
        """Ask the model for the log-probability of each held-out user.

        Raises
        ------
        NotMeasurableError
            If the model has no likelihood, with its reason.
        ValueError
            If the model answers with NaN.
        """
        try:
            users = known_users(evaluator.held_out, model.catalogue_)
            found = model.estimate_log_likelihood(users, rng=rng, values=False)
        except NotImplementedError as error:
            raise NotMeasurableError(str(error)) from error
        nats, sizes = found  # (n_real,) each
        if np.isnan(nats).any():
            advice = "This is an error of the model."
            raise ValueError(refusal("log_likelihood", "be free of NaN", "NaN", advice, model.name))
        impossible = int(np.isneginf(nats).sum())
        if impossible:
            text = "%s: %s is -inf, because %d of %d held-out users have probability 0."
            logger.warning(text, model.name, self.name, impossible, len(nats))
            # A distribution under which real users have probability 0 is at -inf for every sample
            # size.
            low = high = -np.inf
        else:
            low, high = mean_interval(nats)
        value = float(np.mean(nats))
        return Measurement(
            value=value,
            low=low,
            high=min(0.0, high),
            floor=evaluator.remembered(_floor, compute=lambda: _floor(evaluator)),
            loss=-value,
            n_real=len(nats),
            effective_sample_size=None if sizes is None else float(np.median(sizes)),
            per_user=nats,
            user_ids=users.user_ids,
        )


def known_users(users: Profiles, catalogue: pd.Index | None) -> Profiles:
    """Users on the items that a model knows, without those who hold none of them."""
    known = users if catalogue is None else users.split_items(catalogue)[0]
    return known[known.sizes > 0] if (known.sizes == 0).any() else known


def _floor(evaluator: Evaluator) -> float | None:
    """Mean log-likelihood of held-out users under independent popularity, or None if -inf."""
    seen = evaluator.seen
    with np.errstate(divide="ignore"):
        log_weights = np.log(seen.item_counts)
    sizes = size_distribution(seen.sizes[seen.sizes > 0], int(np.count_nonzero(seen.item_counts)))
    users = known_users(evaluator.held_out, seen.item_ids[seen.item_counts > 0])
    matrix = users.split_items(seen.item_ids)[0].matrix
    value = float(np.mean(item_set_log_probability(log_weights, sizes, matrix)))
    return value if np.isfinite(value) else None
