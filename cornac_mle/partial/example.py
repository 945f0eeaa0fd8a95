"""Two blocks of the users of `metrics.example`, for examples of the documentation."""

import numpy as np

from cornac_mle.metrics.example import example_users
from cornac_mle.partial.block import Block, Plan, map_block
from cornac_mle.partial.sums import Partial


def example_blocks() -> tuple[Partial, Partial]:
    """Look at 150 and at 50 synthetic users.

    Examples
    --------
    >>> first, second = example_blocks()
    >>> first.n_users, second.n_users
    (150, 50)
    """
    evaluator, synthetic = example_users()
    plan = Plan.of(evaluator, [])
    nobody = np.empty(0, dtype=np.intp)
    one, other = (
        map_block(plan, Block(number, synthetic[rows], rows, nobody))
        for number, rows in enumerate((np.arange(150), np.arange(150, 200)))
    )
    return one, other
