"""Share of synthetic users who are less plausible than real users are."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from cornac_mle.checks import check_choice, check_share, refusal
from cornac_mle.metrics._cross_judged import cross_on_splits, cross_p_values, fold_p_values
from cornac_mle.metrics.adaptive_judge import (
    ADAPTIVE,
    JudgedPart,
    adaptive_halves,
    adaptive_on_split,
)
from cornac_mle.metrics.base import SplitMetric
from cornac_mle.metrics.evaluator import PRIMARY, Evaluator
from cornac_mle.metrics.splits import Splits
from cornac_mle.plausibility.combined import COMBINED
from cornac_mle.plausibility.judge import FAMILIES
from cornac_mle.profiles import Profiles
from cornac_mle.report.measurement import WORST_JUDGE, Measurement, MetricNote
from cornac_mle.sparse import FloatArray, IntArray
from cornac_mle.stats.auc import auc_with_error
from cornac_mle.stats.conformal import conditional_p_values

PIECE = 2**20
"""Probabilities that are computed at a time: scipy takes ten arrays of as many numbers."""
CROSS = "cross"
LITTLE_KNOWN = 0.5
"""Share of popularity users below which most unrealistic users pass one by one."""


class UnrealisticUsers(SplitMetric):
    r"""Share of synthetic users with a conformal plausibility p-value of at most `alpha`.

    In [0, 1]; the best value is the ceiling, what real users get: `alpha`, or a little less, since
    p-values come in steps of 1 / (n + 1). A value of .31 says that 31% of the users are flagged,
    where a share `alpha` of real users is. Below the ceiling they are more typical than real users
    are, which `PlausibilityKS` and ``tail="typical"`` see. With plausibility scores S(x) of
    synthetic users x_1, ..., x_m and of n held-out users y,

    .. math:: \frac{1}{m} \#\{j : p(x_j) \le \alpha\}, \qquad
        p(x) = \frac{1 + \#\{i : S(y_i) \le S(x)\}}{1 + n},

    so that a share `alpha` of new real users at most is flagged, on average, whatever the
    plausibility score [1]_ [2]_.

    `p_value` of a measurement tests that synthetic users are flagged no more often than real ones:
    under exchangeability the number flagged is beta-binomial, because all synthetic users share
    one calibration sample; with ``judge="adaptive"`` it is twice the smaller p-value of the two
    halves, each of which the other has taught. `per_user` holds the p-values of the synthetic
    users. With ``judge="worst"`` there is neither.

    It cannot see a model that repeats one good user, one that gives back its training users, or
    one that leaves kinds of users out: show it with `NeighbourCoverage` and `CopiedUsers`. Where
    profiles are short (a median of 5 items) a judge sees little: look at the floor.

    Parameters
    ----------
    alpha : float
        Level, in (0, 1). Needs at least 1 / alpha - 1 users in half the held-out users.
    judge : {"ease", "item-knn", "svd", "combined", "adaptive", "worst"}
        Family of the judge. A model looks better to a judge of its own kind. "combined" has the
        evidence of all three (`CombinedJudge`): one verdict at an exact level. "adaptive" learns
        each model's own faults [3]_: a classifier of training users (of reference users, where
        there are no training users) and some of the synthetic users judges other synthetic users;
        held-out users do not teach it, so that its level is exact, too, but its scores are not
        comparable over models: .31 says that 31% of this model's users are as unlike real ones, in
        what is wrong with this model, as a share `alpha` of real users is. A user repeated often is
        a fault that it sees. It is blind to memory: training users get `alpha` or less. It has no
        power where the model's faults are not among the features, or the users too few to learn
        them from; then it gets about `alpha`, `p_value` is large, and `doubt` says so: `details`
        has the AUC by which each half is told from held-out users, "auc", and its standard
        error. "worst" takes, in each half-split, the fixed family that flags the largest share, of
        the model, the ceiling and the floor alike: their values are then a little above those of a
        single judge.
    judge_users : {"reference", "cross"}
        Real users who teach the judge. "cross": reference and held-out users both teach and
        calibrate, by folds (`CrossJudge`), for where real users are few. It may find more, or no
        more: measure both. Its level is proved for about twice `alpha` only, and measured at
        `alpha` or less; `p_value` is valid: twice the mean over folds of those of each fold alone.
        Only for a judge of one family; fits 15 judges in place of one.
    conditional : bool
        Whether a user is ranked among held-out users of like size and popularity only: the level
        then holds for small and large, ordinary and out-of-the-way profiles, at the price of some
        power.
    tail : {"implausible", "typical"}
        Side on which users are flagged. "typical" flags users who are more plausible than 1 - alpha
        of real users: the same favourites for everyone look real one by one.

    References
    ----------
    .. [1] Vovk, Gammerman & Shafer (2005), "Algorithmic Learning in a Random World", Springer.
    .. [2] Bates, Candes, Lei, Romano & Sesia (2023), "Testing for outliers with conformal
       p-values", Annals of Statistics 51(1).
    .. [3] Marandon, Lei, Mary & Roquain (2024), "Adaptive novelty detection with false discovery
       rate guarantee", Annals of Statistics 52(1); there held-out users teach, too.

    Examples
    --------
    Half of the users of the example have no taste; at the level of one in ten, a fifth is flagged.

    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> found = UnrealisticUsers(alpha=0.1).measure(evaluator, synthetic, rng=1)
    >>> found.value, found.ceiling, found.floor
    (0.18, 0.105, 0.30)

    A judge of what is wrong with these very users finds them all:

    >>> metric = UnrealisticUsers(alpha=0.1, judge="adaptive")
    >>> round(metric.measure(evaluator, synthetic, rng=1).value, 1)
    0.5
    """

    bounds = (0.0, 1.0)
    ideal = None
    is_share = True

    def __init__(
        self,
        alpha: float = 0.05,
        *,
        judge: str = PRIMARY,
        judge_users: str = "reference",
        conditional: bool = False,
        tail: str = "implausible",
    ) -> None:
        self.alpha = check_share("alpha", alpha)
        self.judge = check_choice("judge", judge, (*FAMILIES, COMBINED, ADAPTIVE, WORST_JUDGE))
        if not isinstance(conditional, bool | np.bool_):
            raise TypeError(refusal("conditional", "be True or False", repr(conditional)))
        self.conditional = conditional = bool(conditional)
        self.tail = check_choice("tail", tail, ("implausible", "typical"))
        if judge == ADAPTIVE and tail != "implausible":
            advice = "Users too typical of what? Choose another judge."
            raise ValueError(refusal("tail", "be 'implausible'", repr(tail), advice, context=judge))
        self.judge_users = check_choice("judge_users", judge_users, ("reference", CROSS))
        if judge_users == CROSS:
            for name, value, plain in (
                ("judge", judge, judge in FAMILIES),
                ("conditional", conditional, not conditional),
                ("tail", tail, tail == "implausible"),
            ):
                if not plain:
                    rule = "be that of one family, unconditional, of the implausible tail"
                    context = "judge_users='cross'"
                    raise ValueError(refusal(name, rule, repr(value), context=context))
        self.minimum_users = int(np.ceil(1 / self.alpha - 1 - 1e-9))
        typical = self.tail == "typical"
        side = "more" if typical else "less"
        self.note = MetricNote(
            f"{self.alpha:g}",
            f"users {side} plausible than {1 - self.alpha:.0%} of real users",
            judge=self.judge,
            level=self.alpha,
            tail=self.tail,
            conditional=conditional,
            second_opinion=judge not in (PRIMARY, WORST_JUDGE) and not conditional and not typical,
        )
        options = [judge] * (judge != PRIMARY) + [CROSS] * (judge_users == CROSS)
        options += ["conditional"] * conditional
        options += ["typical"] * typical
        suffix = f" ({', '.join(options)})" if options else ""
        super().__init__(name=f"UnrealisticUsers@{self.alpha:g}{suffix}", higher_better=False)

    def caution(self, evaluator: Evaluator) -> str | None:
        """Say where there are too few held-out users for cells, and "no power" where there is none.

        A floor below the ceiling is none: popularity is never too typical.
        """
        size = evaluator.half_size(len(evaluator.held_out))
        if self.conditional and not np.any(
            evaluator.cells_of(evaluator.reference, size, self.alpha)
        ):
            return f"no conditioning: {size} held-out users are too few for more than one cell"
        if self.tail == "typical":
            return None
        return super().caution(evaluator) or self._little_known(evaluator)

    def _little_known(self, evaluator: Evaluator) -> str | None:
        """Say where profiles are so short that one user tells little, and what to ask instead."""
        size = evaluator.half_size(len(evaluator.held_out))
        floor = float(np.mean(self.ceiling_and_floor(evaluator, size)[1]))
        if floor >= LITTLE_KNOWN:
            return None
        items = float(np.median(evaluator.held_out.sizes))
        return (
            f"one user tells little: of users of independent popularity {floor:.0%} are flagged, "
            f"real users have a median of {items:g} items. UnrealisticShare and PairCounts ask "
            "about all users together"
        )

    def doubt(self, found: Measurement) -> str | None:
        """Say "no power" where the adaptive judge did not learn to tell the model's users."""
        auc, error = ((found.details or {}).get(name) for name in ("auc", "auc_error"))
        if auc is None or error is None or auc - 2 * error > 0.5:
            return None
        return (
            f"no power: what it learnt of one half of the users tells the other half from real "
            f"users with an AUC of {auc:.2f} ± {2 * error:.2f}"
        )

    def _details(self, evaluator: Evaluator, synthetic: Profiles) -> dict[str, float] | None:
        if self.judge != ADAPTIVE:
            return None
        found = [
            auc_with_error(part.real_scores, part.scores)
            for part in adaptive_halves(evaluator, synthetic)
        ]
        auc, error = np.mean(found, axis=0)  # the halves share their real users
        return {"auc": float(auc), "auc_error": float(error)}

    def _on_splits(self, evaluator: Evaluator, users: Profiles, splits: Splits) -> FloatArray:
        families = tuple(FAMILIES) if self.judge == WORST_JUDGE else (self.judge,)
        shares = [self._flagged_shares(evaluator, users, splits, family) for family in families]
        return np.asarray(np.max(shares, axis=0))

    def _flagged_shares(
        self, evaluator: Evaluator, users: Profiles, splits: Splits, family: str
    ) -> FloatArray:
        if self.judge_users == CROSS:
            on_splits = cross_on_splits(evaluator, users, splits, family)
            return np.asarray([np.mean(p_values <= self.alpha) for p_values in on_splits])
        cells, real_cells = self._cells(evaluator, users, len(splits[0].real))
        if family == ADAPTIVE:
            found = [
                self._part_p_values(part, cells, real_cells[s.real])
                for s in splits
                for part in adaptive_on_split(evaluator, users, s.real, s.other)
            ]
            by_split = np.array_split(np.concatenate(found), len(splits))
            return np.asarray([np.mean(p_values <= self.alpha) for p_values in by_split])
        scores = self._scores(evaluator, users, family)
        real = self._scores(evaluator, evaluator.held_out, family)
        return np.asarray(
            [
                np.mean(
                    conditional_p_values(
                        scores[s.other], cells[s.other], real[s.real], real_cells[s.real]
                    )
                    <= self.alpha
                )
                for s in splits
            ]
        )

    def _part_p_values(self, part: JudgedPart, cells: IntArray, real_cells: IntArray) -> FloatArray:
        return conditional_p_values(part.scores, cells[part.rows], part.real_scores, real_cells)

    def _scores(self, evaluator: Evaluator, users: Profiles, family: str) -> FloatArray:
        sign = 1.0 if self.tail == "implausible" else -1.0
        return sign * evaluator.plausibility(users, family=family)

    def _cells(
        self, evaluator: Evaluator, users: Profiles, n_calibration: int
    ) -> tuple[IntArray, IntArray]:
        """Cells of the users and of the held-out users; unconditionally there is one cell."""
        groups = (users, evaluator.held_out)
        if not self.conditional:
            one, other = (np.zeros(len(group), dtype=np.intp) for group in groups)
            return one, other
        one, other = (evaluator.cells_of(group, n_calibration, self.alpha) for group in groups)
        return one, other

    def _per_user(self, evaluator: Evaluator, synthetic: Profiles) -> FloatArray | None:
        if self.judge == WORST_JUDGE:
            return None
        if self.judge_users == CROSS:
            return cross_p_values(evaluator, synthetic, self.judge)
        cells, real_cells = self._cells(evaluator, synthetic, len(evaluator.held_out))
        if self.judge == ADAPTIVE:
            p_values = np.empty(len(synthetic))
            for part in adaptive_halves(evaluator, synthetic):
                p_values[part.rows] = self._part_p_values(part, cells, real_cells)
            return p_values
        scores = self._scores(evaluator, synthetic, self.judge)
        real = self._scores(evaluator, evaluator.held_out, self.judge)
        return conditional_p_values(scores, cells, real, real_cells)

    def _p_value(
        self, evaluator: Evaluator, synthetic: Profiles, rng: np.random.Generator
    ) -> float | None:
        if self.judge_users == CROSS:
            return self._cross_p_value(evaluator, synthetic)
        p_values = self._per_user(evaluator, synthetic)
        if p_values is None:
            return None
        cells, real_cells = self._cells(evaluator, synthetic, len(evaluator.held_out))
        groups = [np.arange(len(synthetic))]
        if self.judge == ADAPTIVE:  # each half has a judge of its own
            groups = [part.rows for part in adaptive_halves(evaluator, synthetic)]
        found = []
        for rows in groups:
            counts = [
                (int(np.sum(cells[rows] == cell)), int(np.sum(real_cells == cell)))
                for cell in np.unique(cells[rows])
            ]
            flagged = int(np.sum(p_values[rows] <= self.alpha))
            found.append(flagged_p_value(flagged, counts, self.alpha))
        return min(1.0, len(found) * min(found))  # Bonferroni

    def _cross_p_value(self, evaluator: Evaluator, synthetic: Profiles) -> float:
        found = []
        for p_values, n_real in fold_p_values(evaluator, synthetic, self.judge):
            flagged = int(np.sum(p_values <= self.alpha))
            found.append(flagged_p_value(flagged, [(len(synthetic), n_real)], self.alpha))
        return min(1.0, 2 * float(np.mean(found)))  # twice the mean of p-values is one


def flagged_p_value(flagged: int, counts: Sequence[tuple[int, int]], alpha: float) -> float:
    """P(at least `flagged` exchangeable users have p <= `alpha`).

    With r = floor(alpha (n_real + 1)), a user is flagged when fewer than r calibration scores are
    at or below its own, so the count is beta-binomial(n_synthetic, r, n_real + 1 - r); counts of
    several cells are independent.

    Parameters
    ----------
    flagged : int
        Number of users with p <= alpha.
    counts : sequence of tuple of int
        Numbers of synthetic and of real users, (n_synthetic, n_real), of each cell.
    alpha : float
        Level, in (0, 1).

    Examples
    --------
    One calibration user, alpha = 1/2: r = 1 and the count is uniform on 0, 1, 2.

    >>> round(flagged_p_value(2, [(2, 1)], 0.5), 6)
    0.333333
    """
    distribution = np.ones(1)
    for n_synthetic, n_real in counts:
        rank = int(np.floor(alpha * (n_real + 1) + 1e-9))
        if rank == 0:  # no p-value of this cell can be as small as alpha
            continue
        cell = np.concatenate(
            [
                stats.betabinom.pmf(
                    np.arange(start, min(start + PIECE, n_synthetic + 1)),
                    n_synthetic,
                    rank,
                    n_real + 1 - rank,
                )
                for start in range(0, n_synthetic + 1, PIECE)
            ]
        )
        distribution = cell if distribution.size == 1 else np.convolve(distribution, cell)
    return float(min(1.0, distribution[flagged:].sum()))
