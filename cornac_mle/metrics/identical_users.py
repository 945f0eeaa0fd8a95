"""Synthetic users who are real users of the comparison, renamed: then no metric means anything."""

from collections.abc import Mapping
from dataclasses import dataclass

import scipy.sparse as sp
from scipy import stats

from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.profiles import Profiles
from cornac_mle.sparse import item_sets

ALARMING_P_VALUE = 1e-3
"""p-value from which on identical users are more than chance gives."""


@dataclass(frozen=True)
class IdenticalUsers:
    """Synthetic users who hold exactly the items of a real user, beside real users who do.

    Attributes
    ----------
    group : {"held-out", "reference"}
        Real users that synthetic ones are identical to.
    count, n_synthetic : int
        Synthetic users who are, of how many.
    real_count, n_real : int
        Users of the other of the two groups who are, of how many: what chance gives.
    p_value : float
        Fisher's exact test, one-sided, that synthetic users are so no more often than real ones.
    """

    group: str
    count: int
    n_synthetic: int
    real_count: int
    n_real: int
    p_value: float

    def __str__(self) -> str:
        return (
            f"{self.count:,} of {self.n_synthetic:,} synthetic users hold exactly the items of a "
            f"{self.group} user ({self.real_count:,} of {self.n_real:,} other real users do). Were "
            "they made from these users? Split before you synthesise: no metric holds otherwise."
        )


def identical_users(evaluator: Evaluator, synthetic: Profiles) -> list[IdenticalUsers]:
    """Find groups of real users that synthetic users repeat beyond chance.

    A copy of the training users is what `CopiedUsers` sees. A copy of the users of the comparison
    itself it cannot see, since these are its zero; to every other metric they look perfect. Small
    profiles are alike by chance, as often among real users: those are the null hypothesis.

    Parameters
    ----------
    evaluator : Evaluator
        Real users: reference and held-out ones are looked at.
    synthetic : Profiles
        Users of a model, over items of the real users.

    Returns
    -------
    list of IdenticalUsers
        Held-out and reference users, if synthetic ones repeat them; empty where all is well.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> identical_users(evaluator, synthetic)
    []
    >>> identical_users(evaluator, evaluator.held_out)[0].group
    'held-out'
    """
    users = evaluator.comparable("synthetic", synthetic).matrix
    return identical_by_count(
        evaluator, identical_counts(real_sets(evaluator), users), users.shape[0]
    )


RealSets = Mapping[str, frozenset[bytes]]
"""Item sets of the held-out and of the reference users, as `item_sets` spells them."""


def real_sets(evaluator: Evaluator) -> RealSets:
    """Item sets of the real users that synthetic ones may be identical to, by group."""
    groups = {"held-out": evaluator.held_out, "reference": evaluator.reference}
    return {name: frozenset(item_sets(group.matrix)) for name, group in groups.items()}


def identical_counts(known: RealSets, users: sp.csr_array) -> dict[str, int]:
    """Count users who hold exactly the items of a real user, by group: a sum over users."""
    sets = item_sets(users)
    return {name: sum(map(group.__contains__, sets)) for name, group in known.items()}


def identical_by_count(
    evaluator: Evaluator, counts: Mapping[str, int], n_synthetic: int
) -> list[IdenticalUsers]:
    """Find the groups that synthetic users repeat beyond chance, from `identical_counts`."""
    known = real_sets(evaluator)
    real = {"held-out": evaluator.held_out, "reference": evaluator.reference}
    found = []
    for group, other in (("held-out", "reference"), ("reference", "held-out")):
        count, n_real = counts[group], len(real[other])
        real_count = identical_counts({group: known[group]}, real[other].matrix)[group]
        table = [[count, n_synthetic - count], [real_count, n_real - real_count]]
        p_value = float(stats.fisher_exact(table, alternative="greater").pvalue)
        if p_value <= ALARMING_P_VALUE:
            found.append(IdenticalUsers(group, count, n_synthetic, real_count, n_real, p_value))
    return found
