"""The order of recommenders trained on synthetic users: would the same one have been picked."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from cornac.models import Recommender
from numpy.random import Generator

from cornac_mle.checks import check_choice, check_count, check_flag, check_share, refusal
from cornac_mle.metrics.base import NotMeasurableError, RealismMetric
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import Measurement, MetricNote, with_normalised
from cornac_mle.sparse import FloatArray
from cornac_mle.stats.intervals import POWER_SHIFT
from cornac_mle.utility._holdout_accuracy import ACCURACIES
from cornac_mle.utility._rank_statistics import (
    STATISTICS,
    agreement,
    mean_over_users,
    resampled_means,
)
from cornac_mle.utility._recommenders import checked_recommenders, default_recommenders
from cornac_mle.utility._trials import LEAST_USERS, RealSide, Trials


class RankingAgreement(RealismMetric):
    r"""Agreement of the order of recommenders trained on synthetic users with that on real ones.

    Recommenders are fitted on synthetic users and, apart, on as many training users. Both fits are
    tested on held-out users: a share of each user's items is hidden, and the recommender is shown
    the others and looks for it (NDCG or recall at `k`; ties of scores share their places evenly).
    This gives two orders of the recommenders, by their mean accuracy. `statistic` says what is
    asked of them:

    - ``"tau"``: Kendall's tau-b, in [-1, 1]; 1 is best. .31 says: among pairs of recommenders, 31
      percentage points more are in the same order than in the opposite one. Without the correction
      of tau-b for ties, two equal orders that tie somewhere could not reach 1. Where synthetic
      users make all recommenders alike they give no order, and tau is 0.
    - ``"regret"``: what is lost on real users by picking the recommender that is best after
      training on synthetic users and then training it on real ones: the best mean accuracy less
      that of the pick, in [0, 1]; 0 is best. .031 says that another has .031 more. Of several
      picks that tie, the mean.
    - ``"relative_regret"``: the same, as a share of the best mean.

    *ceiling*: reference users in the place of synthetic ones (real users agree with each other only
    so far); *floor*: independent popularity. Without training users the reference users take their
    place and there is no ceiling. The interval resamples held-out users, the same for both orders,
    1,000 times (percentile bootstrap); the estimand is the statistic of the means over all users,
    *for the recommenders as fitted*. In simulations with the accuracies of real data it held the
    true tau in .95 to 1.00 of cases and, with 235 test users or more, the true regret in .90 to
    1.00; with 60 or 100, where recommenders nearly tie, it can be too narrow (worst: tau .85,
    regret .81). What other synthetic users of the same model would give, several sampling seeds
    show.

    Not to be used where recommenders hardly differ (their order is noise: see `table`), as a
    measure of believability (training users given back do best), or to compare models with one of
    their kin among the recommenders, which they favour. Only which items are held counts, not
    values. Two recommenders give a tau of -1 or 1: take more.

    Parameters
    ----------
    recommenders : sequence of Recommender, optional
        At least two, of different names, Cornac's or ours; unseen users are scored by
        `fold_in_scores`. They are cloned, never changed; one without a seed gets one.
        `default_recommenders()` if not given.
    k : int
        Places of the list that count.
    statistic : {"tau", "regret", "relative_regret"}
        Statistic of the two orders.
    accuracy : {"ndcg", "recall"}
        Accuracy that recommenders are ordered by.
    hidden_share : float
        Share of a test user's items that are hidden, in (0, 1).
    test_on : {"real", "synthetic"}
        Users whom the recommenders trained on synthetic users are tested on. ``"real"``: held-out
        users. ``"synthetic"``: synthetic users; half of them train, the others test. That is what
        someone without real users would do.
    verbose : bool
        Whether to show the fits as they go on.

    Notes
    -----
    As many users train on each side as there are synthetic (with an item), training, reference and
    floor users, whichever are fewest; they are chosen at random. Fits take nearly all of the time:
    once an evaluator for training, reference and floor users, once for each set of synthetic users,
    whatever the statistic.

    With the mean accuracies :math:`a` and :math:`b` of the recommenders after training on real and
    on synthetic users, C pairs of recommenders in the same order by both, D in opposite orders, U
    and V pairs not tied by the one and by the other, and the picks :math:`P = \arg\max b`,

    .. math::

        \tau = \frac{C - D}{\sqrt{U V}} \qquad
        \mathrm{regret} = \max_i a_i - \frac{1}{|P|} \sum_{i \in P} a_i

    and the relative regret is the regret divided by :math:`\max_i a_i`.

    Jordon et al. count the pairs of predictors in the same order when trained and tested on
    synthetic as when trained and tested on real data (here ``test_on="synthetic"``). Esteban et al.
    train on synthetic and test on real data.

    References
    ----------
    Jordon, Yoon & van der Schaar (2018), "Measuring the quality of synthetic data for use in
    competitions".

    Esteban, Hyland & Raetsch (2017), "Real-valued (medical) time series generation with recurrent
    conditional GANs".

    Kendall (1945), "The treatment of ties in ranking problems", Biometrika 33(3).

    Examples
    --------
    >>> from cornac.models import EASE, ItemKNN, MostPop
    >>> from cornac_mle import HeldOutUsers, Mixture
    >>> data = [(u, i, 1.0) for u in range(120) for i in range(u % 2, 20, 2) if (u + i) % 5]
    >>> method = HeldOutUsers(data, seed=1)
    >>> recommenders = [MostPop(), EASE(name="EASE", verbose=False), ItemKNN(verbose=False)]
    >>> metric = RankingAgreement(recommenders, k=5)
    >>> users = Mixture(k=2, seed=1).fit(method.train_set).sample(60, rng=1)
    >>> metric.table(method.evaluator, users)[["recommender", "real", "synthetic"]].round(2)
      recommender  real  synthetic
    0        EASE  0.82       0.38
    1     ItemKNN  0.79       0.32
    2     MostPop  0.25       0.23

    All three pairs are in the same order, and nothing would have been lost by picking the best on
    synthetic users.

    >>> metric.measure(method.evaluator, users, rng=1).value
    1.0
    >>> regret = RankingAgreement(recommenders, k=5, statistic="regret")
    >>> regret.measure(method.evaluator, users, rng=1).value
    0.0
    """

    def __init__(
        self,
        recommenders: Sequence[Recommender] | None = None,
        *,
        k: int = 100,
        statistic: str = "tau",
        accuracy: str = "ndcg",
        hidden_share: float = 0.2,
        test_on: str = "real",
        verbose: bool = False,
    ) -> None:
        chosen = default_recommenders() if recommenders is None else recommenders
        self.recommenders = checked_recommenders(chosen)
        self.cutoff = check_count("k", k)
        self.statistic = check_choice("statistic", statistic, STATISTICS)
        self.accuracy = check_choice("accuracy", accuracy, ACCURACIES)
        self.hidden_share = check_share("hidden_share", hidden_share)
        self.test_on = check_choice("test_on", test_on, ("real", "synthetic"))
        self.verbose = check_flag("verbose", verbose)
        is_tau = statistic == "tau"
        self.bounds = (-1.0, 1.0) if is_tau else (0.0, 1.0)
        self.ideal = 1.0 if is_tau else 0.0
        if is_tau:
            meaning = "order of recommenders trained on synthetic users against that on real ones"
        else:
            meaning = f"{accuracy} lost by the recommender picked by training on synthetic users"
        self.note = MetricNote("1" if is_tau else "0", meaning)
        options = [statistic.replace("_", " ")] * (not is_tau) + [accuracy] * (accuracy != "ndcg")
        options += ["synthetic test"] * (test_on == "synthetic")
        suffix = f" ({', '.join(options)})" if options else ""
        super().__init__(name=f"RankingAgreement@{self.cutoff}{suffix}", higher_better=is_tau)
        self._trials = Trials(
            recommenders=self.recommenders,
            cutoff=self.cutoff,
            accuracy=self.accuracy,
            hidden_share=self.hidden_share,
            on_themselves=test_on == "synthetic",
            verbose=self.verbose,
            name=self.name,
        )

    def _measure(self, evaluator: Evaluator, synthetic: Profiles, rng: Generator) -> Measurement:
        size, real, accuracies = self._accuracies(evaluator, synthetic)
        statistic, paired = STATISTICS[self.statistic], self.test_on == "real"
        value, low, high = agreement(statistic, real.real, accuracies, rng, paired=paired)
        ceiling, floor, spread, error = self._ceiling_and_floor(evaluator, size, real)
        measurement = Measurement(
            value=value,
            low=low,
            high=high,
            loss=self.loss(value, ceiling),
            n_real=size,
            n_synthetic=size,
            minimum_detectable=POWER_SHIFT * spread if spread > 0 else None,
            ceiling=ceiling if np.isfinite(ceiling) else None,
            floor=floor,
        )
        if self.loss(floor, ceiling) > self.loss(ceiling, ceiling):
            return with_normalised(measurement, standard_error=error)
        return measurement

    def caution(self, evaluator: Evaluator) -> str | None:
        """Say "no power" where real users and popularity are not two standard errors apart."""
        size = self._trials.size(evaluator, 2 * (len(evaluator.held_out) // 2))
        if size < LEAST_USERS or evaluator.train is None:
            return None
        real = self._trials.real_side(evaluator, size)
        ceiling, floor, _, error = self._ceiling_and_floor(evaluator, size, real)
        gap = self.loss(floor, ceiling) - self.loss(ceiling, ceiling)
        if gap > 0 and gap >= 2 * error:
            return None
        return f"no power: real users get {ceiling:.3f}, popularity {floor:.3f}"

    def table(self, evaluator: Evaluator, synthetic: Profiles) -> pd.DataFrame:
        """Show the orders that are compared.

        Returns
        -------
        DataFrame
            A row a recommender, the best on real users first: recommender; its mean accuracy after
            training on ``real`` users (and ``standard_error``), on ``synthetic`` ones, on
            ``other_real`` ones (the ceiling; NaN without training users) and on ``popularity``
            users (the floor).

        Raises
        ------
        NotMeasurableError
            If there are too few users.
        TypeError, ValueError
            If `synthetic` are no Profiles, or have other items.
        """
        synthetic = evaluator.comparable("synthetic", synthetic)
        _, real, accuracies = self._accuracies(evaluator, synthetic)
        other_real = np.nan if real.ceiling is None else real.ceiling.mean(axis=0)
        table = pd.DataFrame(
            {
                "recommender": [model.name for model in self.recommenders],
                "real": real.real.mean(axis=0),
                "standard_error": real.real.std(axis=0, ddof=1) / np.sqrt(len(real.real)),
                "synthetic": accuracies.mean(axis=0),
                "other_real": other_real,
                "popularity": real.floor.mean(axis=0),
            }
        )
        return table.sort_values("real", ascending=False, ignore_index=True, kind="stable")

    def _accuracies(
        self, evaluator: Evaluator, synthetic: Profiles
    ) -> tuple[int, RealSide, FloatArray]:
        """Users a fit, and accuracies by real and by synthetic users, (n_test_users, n_models)."""
        size = self._trials.size(evaluator, int(np.sum(synthetic.sizes > 0)))
        if size < LEAST_USERS:
            raise NotMeasurableError(self._trials.too_few(size))
        real = self._trials.real_side(evaluator, size)
        if np.ptp(mean_over_users(real.real)) == 0:
            advice = "Take recommenders that differ."
            rule = "be of different accuracy after training on real users"
            raise NotMeasurableError(refusal("recommenders", rule, "one and the same", advice))
        return size, real, self._trials.synthetic_side(evaluator, synthetic, size)

    def _ceiling_and_floor(
        self, evaluator: Evaluator, size: int, real: RealSide
    ) -> tuple[float, float, float, float]:
        """Give ceiling, floor, the standard error of the ceiling and that of their difference."""
        return evaluator.remembered(
            RankingAgreement._compute_ceiling_and_floor,
            self.statistic,
            *self._trials.key(size),
            compute=lambda: self._compute_ceiling_and_floor(evaluator, real),
        )

    def _compute_ceiling_and_floor(
        self, evaluator: Evaluator, real: RealSide
    ) -> tuple[float, float, float, float]:
        statistic, paired = STATISTICS[self.statistic], self.test_on == "real"
        order = mean_over_users(real.real)
        floor = float(statistic(order, mean_over_users(real.floor)))
        if real.ceiling is None:
            return np.nan, floor, np.nan, np.nan
        # A fixed stream: the first model to be measured must not decide what the others see.
        random = np.random.default_rng(evaluator.split_seeds[0])
        accuracies = [real.real, real.ceiling, real.floor]
        means, upper, lower = resampled_means(accuracies, random, paired=paired)
        ceilings, floors = statistic(means, upper), statistic(means, lower)
        ceiling = float(statistic(order, mean_over_users(real.ceiling)))
        return ceiling, floor, float(np.std(ceilings)), float(np.std(ceilings - floors))
