"""Training users whom synthetic users give away, at a false discovery rate."""

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.stats import false_discovery_control

from cornac_mle.checks import check_choice, check_share, refusal
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.membership_attacks import (
    ATTACKS,
    beyond_popularity,
    exposure,
    judge_differences,
    nearest,
)
from cornac_mle.profiles import Profiles
from cornac_mle.sparse import FloatArray
from cornac_mle.stats.conformal import conformal_p_values

NEAREST = "nearest"


def exposed_users(
    evaluator: Evaluator, synthetic: Profiles, *, q: float = 0.1, attack: str = NEAREST
) -> pd.DataFrame:
    """Name the training users whom a synthetic set gives away, at a false discovery rate.

    A training user's score is compared with those of real users whom the model has not seen: the
    p-value is conformal, so that it is uniform for a user who was left out of training [1]_, and
    Benjamini-Hochberg holds over users: of those named a share `q` at most is given away no more
    than somebody who was never there.

    By the attack "nearest" the score is how far the nearest synthetic user is on the way from the
    nearest other real user, held-out or reference, to an exact copy. Held-out and reference users
    calibrate, each beside the others, who are one fewer than a training user has: that errs on the
    safe side. By "judge" the score is how much more the user's items belong together by the
    synthetic users than by the reference users; held-out users calibrate. It sees models that
    overfit without copying. Choose the attack beforehand: the better of two has no such guarantee.

    Parameters
    ----------
    evaluator : Evaluator
        Real users, training users among them.
    synthetic : Profiles
        Users made up by a model, over items of the evaluator in any order.
    q : float
        False discovery rate, in (0, 1).
    attack : {"nearest", "judge"}
        Score by which users are given away.

    Returns
    -------
    DataFrame
        A row for each training user, in their order: ``user``, ``score``, ``user_p_value``,
        ``user_q_value``, ``exposed``; ``synthetic_user``, the nearest, its Jaccard ``similarity``,
        the ``real_similarity`` of the nearest other real user, and ``shared_items``, those that the
        user has in common with the synthetic one, a tuple, items of few training users first.
        ``attrs`` holds "q", "attack", "n_users", "n_users_exposed", "n_synthetic", "n_calibration"
        and "minimum_detectable_users", the fewest that can be named at all.

    Raises
    ------
    ValueError
        If `q` is out of range, there are no training users or no synthetic user, or items differ.

    Notes
    -----
    With n calibration users, k exposed users of m need k >= m / (q (n + 1)). More synthetic users
    expose more. That a user is not named is no guarantee of anything.

    References
    ----------
    .. [1] Bates, Candes, Lei, Romano & Sesia (2023), "Testing for outliers with conformal
       p-values", Annals of Statistics 51(1).

    Examples
    --------
    Forty of the two hundred training users are given back among others; a tenth of those named may
    be others:

    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> leaking = Profiles.from_matrix(
    ...     sp.vstack([synthetic.matrix[:100], evaluator.train.matrix[:40]]), synthetic.item_ids
    ... )
    >>> table = exposed_users(evaluator, leaking)
    >>> table.attrs["n_users_exposed"], int(table["exposed"][:40].sum())
    (47, 40)
    >>> table.loc[0, ["user", "synthetic_user"]].tolist()
    ['u0', 's100']
    """
    q = check_share("q", q)
    attack = check_choice("attack", attack, tuple(ATTACKS))
    train = evaluator.train
    if train is None:
        advice = "Give the users that the model was fitted on."
        raise ValueError(refusal("train", "be given", None, advice))
    users = evaluator.comparable("synthetic", synthetic)
    if not np.any(users.sizes):
        rule, advice = "hold at least 1 user with an item", "Sample some."
        raise ValueError(refusal("synthetic", rule, 0, advice))
    others = evaluator.reference.concat(evaluator.held_out)
    similarity, place = nearest(train.matrix, users.matrix)
    real_similarity, _ = nearest(train.matrix, others.matrix)
    if attack == NEAREST:
        scores = exposure(similarity, real_similarity)
        calibration = _calibration(users, others)
    else:
        scores, calibration = beyond_popularity(evaluator, users, judge_differences)
    p_values = conformal_p_values(-scores, -calibration)
    q_values = false_discovery_control(p_values)
    table = pd.DataFrame(
        {
            "user": train.user_ids,
            "score": scores,
            "user_p_value": p_values,
            "user_q_value": q_values,
            "exposed": q_values <= q,
            "synthetic_user": users.user_ids[place],
            "similarity": similarity,
            "real_similarity": real_similarity,
            "shared_items": _shared_items(train, users.matrix[place]),
        }
    )
    fewest = int(np.ceil(len(train) / (q * (len(calibration) + 1)) - 1e-9))
    table.attrs = {
        "q": q,
        "attack": attack,
        "n_users": len(train),
        "n_users_exposed": int(table["exposed"].sum()),
        "n_synthetic": len(users),
        "n_calibration": len(calibration),
        "minimum_detectable_users": fewest if fewest <= len(train) else None,
    }
    return table


def _calibration(users: Profiles, others: Profiles) -> FloatArray:
    """Score real users whom the model has not seen, each beside the other ones."""
    similarity, _ = nearest(others.matrix, users.matrix)
    real_similarity, _ = nearest(others.matrix, others.matrix, themselves_from=0)
    return exposure(similarity, real_similarity)


def _shared_items(train: Profiles, partners: sp.csr_array) -> list[tuple[object, ...]]:
    """Items that each training user has in common with a partner, items of few users first."""
    common = train.matrix.astype(bool).multiply(partners.astype(bool)).tocsr()
    counts, ids = train.item_counts, train.item_ids
    shared = []
    for start, stop in zip(common.indptr[:-1], common.indptr[1:], strict=True):
        items = np.sort(common.indices[start:stop])
        shared.append(tuple(ids[items[np.argsort(counts[items], kind="stable")]]))
    return shared
