"""Synthetic users who are real users of the comparison, renamed: then no metric means anything."""

from dataclasses import dataclass

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
    users = item_sets(evaluator.comparable("synthetic", synthetic).matrix)
    real = {
        "held-out": item_sets(evaluator.held_out.matrix),
        "reference": item_sets(evaluator.reference.matrix),
    }
    found = []
    for group, other in (("held-out", "reference"), ("reference", "held-out")):
        known = set(real[group])
        count, real_count = (sum(one in known for one in part) for part in (users, real[other]))
        n_synthetic, n_real = len(users), len(real[other])
        table = [[count, n_synthetic - count], [real_count, n_real - real_count]]
        p_value = float(stats.fisher_exact(table, alternative="greater").pvalue)
        if p_value <= ALARMING_P_VALUE:
            found.append(IdenticalUsers(group, count, n_synthetic, real_count, n_real, p_value))
    return found
