"""The one rule for randomness: public functions take ``rng``, private ones a Generator."""

import numpy as np

from cornac_mle.checks import refusal, written

RngLike = np.random.Generator | np.random.SeedSequence | int


def generator(rng: RngLike | None) -> np.random.Generator:
    """Make a Generator, as `numpy.random.default_rng` does.

    Parameters
    ----------
    rng : int, SeedSequence, Generator or None
        A Generator is advanced, not copied; None: fresh entropy, another result each time.

    Raises
    ------
    TypeError
        If `rng` is anything else.
    ValueError
        If `rng` is a negative int.

    Examples
    --------
    >>> int(generator(1).integers(100)), int(generator(1).integers(100))
    (47, 47)
    """
    return np.random.default_rng() if rng is None else repeatable_generator(rng)


def repeatable_generator(rng: RngLike) -> np.random.Generator:
    """Make a Generator for what must be repeatable, such as a metric; None is refused.

    Raises
    ------
    TypeError
        If `rng` is no int, SeedSequence or Generator.
    ValueError
        If `rng` is a negative int.
    """
    if isinstance(rng, np.random.Generator | np.random.SeedSequence):
        return np.random.default_rng(rng)
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer):
        rule = "be an int, a numpy SeedSequence or a numpy Generator"
        raise TypeError(refusal("rng", rule, written(rng), "Pass for example rng=123."))
    if rng < 0:
        raise ValueError(refusal("rng", "be at least 0", int(rng), "Pass for example rng=123."))
    return np.random.default_rng(int(rng))


def children(rng: np.random.Generator, count: int) -> list[np.random.SeedSequence]:
    """Derive `count` independent seeds; the i-th does not depend on how many are asked for."""
    return root_seed(rng).spawn(count)


def root_seed(rng: np.random.Generator) -> np.random.SeedSequence:
    """Draw the seed that `children` are derived from."""
    return np.random.SeedSequence(rng.integers(0, 2**32, size=4, dtype=np.uint32).tolist())


def child(root: np.random.SeedSequence, number: int) -> np.random.SeedSequence:
    """Derive one of the children of a root, without those before it.

    >>> root = root_seed(np.random.default_rng(1))
    >>> child(root, 2).spawn_key == children(np.random.default_rng(1), 3)[2].spawn_key
    True
    """
    return np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, number))


def cornac_seed(rng: RngLike) -> int:
    """Draw a seed for Cornac and scikit-learn, which take 32-bit ints only."""
    return int(repeatable_generator(rng).integers(0, 2**31 - 1))
