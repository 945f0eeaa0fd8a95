"""Recommenders trained on real or on synthetic users and tried out, each fit done only once."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from cornac.models import Recommender
from tqdm.auto import tqdm

from cornac_mle.checks import refusal
from cornac_mle.metrics.base import NotMeasurableError
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.profiles import Profiles
from cornac_mle.randomness import cornac_seed
from cornac_mle.sampling.item_holdout import hold_out_items
from cornac_mle.sparse import FloatArray
from cornac_mle.utility._holdout_accuracy import hidden_item_accuracy
from cornac_mle.utility._recommenders import fitted

LEAST_USERS = 20
"""Fewest users that recommenders are fitted on, and that they are tested on."""


@dataclass(frozen=True, eq=False)
class RealSide:
    """Accuracy of each recommender on each test user, (n_test_users, n_recommenders)."""

    real: FloatArray
    ceiling: FloatArray | None
    floor: FloatArray


@dataclass(frozen=True, kw_only=True)
class Trials:
    """How recommenders are trained on a group of users, and tested.

    Parameters
    ----------
    recommenders : tuple of Recommender
        Recommenders that are cloned and trained.
    cutoff : int
        Places of the list that count.
    accuracy : {"ndcg", "recall"}
        Accuracy that is measured.
    hidden_share : float
        Share of a test user's items that are hidden, in (0, 1).
    on_themselves : bool
        Whether other than real users are split, and one half tests what the other half trained;
        held-out users test otherwise.
    verbose : bool
        Whether to show the fits as they go on.
    name : str
        Name of the metric, for messages.
    """

    recommenders: tuple[Recommender, ...]
    cutoff: int
    accuracy: str
    hidden_share: float
    on_themselves: bool
    verbose: bool
    name: str

    def key(self, size: int) -> tuple[object, ...]:
        """Key of what an evaluator remembers: all that accuracies depend on."""
        shown = (self.cutoff, self.accuracy, self.hidden_share, self.on_themselves)
        return (*self.recommenders, *shown, size)

    def size(self, evaluator: Evaluator, n_synthetic: int) -> int:
        """Users that each fit is of; 0 where there are too few held-out users to test on."""
        groups = [n_synthetic, len(evaluator.floor_users)]
        groups += [len(evaluator.reference)] * (evaluator.train is not None)
        usable = [count // 2 if self.on_themselves else count for count in groups]
        n_test = int(np.sum(evaluator.held_out.sizes >= 2))
        return min(*usable, len(evaluator.seen)) if n_test >= LEAST_USERS else 0

    def real_side(self, evaluator: Evaluator, size: int) -> RealSide:
        """Accuracies after training on `size` real users, of ceiling and floor too."""
        return evaluator.remembered(
            Trials._fit_real, *self.key(size), compute=lambda: self._fit_real(evaluator, size)
        )

    def synthetic_side(self, evaluator: Evaluator, synthetic: Profiles, size: int) -> FloatArray:
        """Accuracies after training on `size` synthetic users, (n_test_users, n_recommenders)."""
        users = synthetic[synthetic.sizes > 0]  # an empty user is no row of anybody's data
        return evaluator.remembered(
            synthetic,
            Trials._tested,
            *self.key(size),
            compute=lambda: self._tested(evaluator, users, size, self.on_themselves),
        )

    def _fit_real(self, evaluator: Evaluator, size: int) -> RealSide:
        ceiling = None
        if evaluator.train is not None:
            ceiling = self._tested(evaluator, evaluator.reference, size, self.on_themselves)
        return RealSide(
            real=self._tested(evaluator, evaluator.seen, size, on_themselves=False),
            ceiling=ceiling,
            floor=self._tested(evaluator, evaluator.floor_users, size, self.on_themselves),
        )

    def _tested(
        self, evaluator: Evaluator, users: Profiles, size: int, on_themselves: bool
    ) -> FloatArray:
        """Fit each recommender on `size` of the users, test it, (n_test_users, n_recommenders)."""
        rows = np.random.default_rng(evaluator.split_seeds[0]).permutation(len(users))
        test = users[rows[size:]] if on_themselves else evaluator.held_out
        test = test[test.sizes >= 2]
        if len(test) < LEAST_USERS:
            raise NotMeasurableError(self.too_few(len(test)))
        # In the order of their names: which items are hidden must not depend on their columns.
        columns = users.item_ids[np.argsort([str(name) for name in users.item_ids], kind="stable")]
        test, chosen = (part.split_items(columns)[0] for part in (test, users[rows[:size]]))
        hiding = np.random.default_rng(evaluator.split_seeds[1])
        shown, hidden = hold_out_items(test, self.hidden_share, hiding)
        found = partial(hidden_item_accuracy, k=self.cutoff, kind=self.accuracy)
        steps = tqdm(self.recommenders, disable=not self.verbose, desc=f"{self.name}: fits")
        models = fitted(steps, chosen, cornac_seed(evaluator.split_seeds[0]))
        return np.column_stack([found(model, shown, hidden) for model in models])

    def too_few(self, count: int) -> str:
        """Say that there are too few users, and what to do."""
        rule = f"leave at least {LEAST_USERS} users with items to train on, and to test on"
        advice = "Give more users, or leave this metric out."
        return refusal("users", rule, count, advice, context=self.name)
