"""Synthetic users who are less plausible than real ones, at a false discovery rate."""

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from cornac_mle.checks import check_choice, check_share, refusal
from cornac_mle.metrics.adaptive_judge import ADAPTIVE, adaptive_p_values
from cornac_mle.metrics.evaluator import PRIMARY, Evaluator
from cornac_mle.profiles import Profiles
from cornac_mle.stats.multiple_testing import storey_null_share


def flagged_users(
    evaluator: Evaluator,
    synthetic: Profiles,
    *,
    q: float = 0.1,
    judge: str = PRIMARY,
    null_share: str = "one",
) -> pd.DataFrame:
    """Flag synthetic users who are less plausible than real users, at a false discovery rate.

    Benjamini-Hochberg [1]_ over the conformal p-values of users. They share their calibration
    users, which makes them positively dependent, so that the rate holds [2]_: of the users flagged
    a share `q` at most is as believable as real users are, on average.

    Parameters
    ----------
    evaluator : Evaluator
        Real users; its held-out ones calibrate.
    synthetic : Profiles
        Users made up by a model, over items of the evaluator in any order.
    q : float
        False discovery rate, in (0, 1).
    judge : {"ease", "item-knn", "svd", "combined", "adaptive"}
        Judge of the p-values; see `UnrealisticUsers`. With "adaptive" each half of the users has a
        judge of its own: the rate is proved within each half at its own thresholds, and not for
        both together.
    null_share : {"one", "storey"}
        Share of believable users that the rate allows for: as if all were, or Storey's estimate
        (`storey_null_share`), at the same rate. Where much is wrong more is found; where little
        is wrong, about the same.

    Returns
    -------
    DataFrame
        A row for each user, in their order (without those of fewer than `evaluator.min_items`
        items, who are counted in ``attrs["n_left_out"]``): ``user``, ``user_p_value``,
        ``user_q_value``, ``flagged``. `DataFrame.attrs` as those of `unrealistic_preferences`.

    Raises
    ------
    ValueError
        If `q` is out of range, there is no synthetic user, or items differ.

    Notes
    -----
    With n calibration users, k flagged users of m need k >= m / (q (n + 1)), times the null share,
    which is in ``attrs["null_share"]``.

    References
    ----------
    .. [1] Benjamini & Hochberg (1995), "Controlling the false discovery rate", J. R. Stat. Soc. B
       57(1).
    .. [2] Bates, Candes, Lei, Romano & Sesia (2023), "Testing for outliers with conformal
       p-values", Annals of Statistics 51(1).

    Examples
    --------
    Most of those flagged are among the second half of the users, who have no taste:

    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> table = flagged_users(evaluator, synthetic, q=0.1)
    >>> table[table["flagged"]].head(3)
         user  user_p_value  user_q_value  flagged
    9      s9         0.005          0.09     True
    101  s101         0.005          0.09     True
    104  s104         0.005          0.09     True
    """
    q = check_share("q", q)
    users = evaluator.comparable("synthetic", synthetic)
    n_users, n_calibration = len(users), len(evaluator.held_out)
    if n_users == 0:
        rule = f"hold at least 1 user of {evaluator.min_items} items or more"
        raise ValueError(refusal("synthetic", rule, 0, "Sample some."))
    check_choice("null_share", null_share, ("one", "storey"))
    if judge == ADAPTIVE:
        p_values = adaptive_p_values(evaluator, users)
    else:
        p_values = evaluator.p_values(users, family=judge)
    share = 1.0 if null_share == "one" else storey_null_share(p_values, n_calibration)
    q_values = false_discovery_control(p_values) * share
    table = pd.DataFrame(
        {
            "user": users.user_ids,
            "user_p_value": p_values,
            "user_q_value": q_values,
            "flagged": q_values <= q,
        }
    )
    fewest = int(np.ceil(share * n_users / (q * (n_calibration + 1)) - 1e-9))
    table.attrs = {
        "q": q,
        "n_users": n_users,
        "n_users_flagged": int(table["flagged"].sum()),
        "n_empty_users": int(np.sum(users.sizes == 0)),
        "n_left_out": len(synthetic) - n_users,
        "n_calibration": n_calibration,
        "null_share": share,
        "minimum_detectable_users": fewest if fewest <= n_users else None,
    }
    return table
