"""The one rule for randomness: public functions take ``rng``, private ones a Generator."""

import numpy as np

from cornac_mle.checks import refusal, written

RngLike = np.random.Generator | np.random.SeedSequence | int


def generator(rng: RngLike) -> np.random.Generator:
    """Make a Generator of an int or a SeedSequence; a Generator is advanced, not copied.

    Raises
    ------
    TypeError
        If `rng` is anything else (``None`` too: results must be repeatable).
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
    root = np.random.SeedSequence(rng.integers(0, 2**32, size=4, dtype=np.uint32).tolist())
    return root.spawn(count)


def cornac_seed(rng: RngLike) -> int:
    """Draw a seed for Cornac and scikit-learn, which take 32-bit ints only."""
    return int(generator(rng).integers(0, 2**31 - 1))
