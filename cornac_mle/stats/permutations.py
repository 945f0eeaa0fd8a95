"""How many relabellings of users a permutation test takes, in all and at a time."""

from collections.abc import Iterator

from cornac_mle.checks import check_count

MOST_PERMUTATIONS = 10**6
"""More would take many minutes, for p-values below a millionth."""
BATCH_ENTRIES = 2**22
"""Users times relabellings held at a time: 32 MiB."""


def check_permutations(n_permutations: object) -> int:
    """Return a number of relabellings as an int from 1 to a million, or raise."""
    return check_count("n_permutations", n_permutations, maximum=MOST_PERMUTATIONS)


def batch_size(n_users: int) -> int:
    """Relabellings of `n_users` users that are held at a time, at least 1.

    >>> batch_size(400)
    10485
    """
    return max(1, BATCH_ENTRIES // n_users)


def batches(n_permutations: int, n_users: int) -> Iterator[int]:
    """Sizes of the batches of `n_permutations` relabellings of `n_users` users.

    >>> list(batches(15000, 400))
    [10485, 4515]
    """
    size = batch_size(n_users)
    for start in range(0, n_permutations, size):
        yield min(size, n_permutations - start)
