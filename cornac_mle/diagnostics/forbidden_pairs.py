"""Pairs of items that real users keep apart and synthetic users do not.

1. *Real users keep them apart.* Fewer hold both than the sizes of profiles and the popularity of
   items explain: the lower tail of the two-margin null (`fit_two_margin_null`).
2. *Synthetic users do not.* A larger share of them than of real users holds both: Fisher's exact
   test, one-sided.

A pair is forbidden only if both hold. Its p-value is the larger of the two, which is valid
whichever of them fails (Berger 1982, "Multiparameter hypothesis testing and acceptance sampling",
Technometrics 24), and Benjamini-Hochberg runs over it once. The second test cannot be confined to
the pairs that passed the first: they were chosen for their small real counts, which it uses again,
so that even fresh real users would seem to hold them too often.

No pair is ever called impossible. That nobody holds a pair is evidence only if many were expected
to; pairs without enough expected users are *untestable*, and are counted.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from cornac_mle.checks import refusal
from cornac_mle.diagnostics.rare_pairs import LowPairs, pair_counts
from cornac_mle.profiles import Profiles, check_profiles
from cornac_mle.sparse import FloatArray, IntArray
from cornac_mle.stats.multiple_testing import benjamini_hochberg_adjusted


def implausible_pairs(real: Profiles, *, q: float = 0.1) -> pd.DataFrame:
    """Pairs of items that significantly fewer users hold than two margins explain.

    Parameters
    ----------
    real : Profiles
        A few hundred users at least: with n users, items held by a share s each are testable if
        n s^2 is above ln(n_testable / q), about 12 on real data.
    q : float
        False discovery rate, in (0, .5).

    Returns
    -------
    DataFrame
        Strongest first, empty if there are none. Columns:

        - *item*, *other_item*: ids, the more popular item first;
        - *real_count*: users who hold both; *expected_count*: users who would;
        - *real_p_value*: P(real_count or fewer) under the null;
        - *real_q_value*: adjusted p-value, the false discovery rate of the pairs up to this one.

        ``attrs``: *n_pairs*, *n_testable* and *n_untestable* pairs (see `LowPairs`), and
        *minimum_expected_count* = ln(n_testable / q): pairs that fewer users are expected to hold
        are untestable (somewhat fewer where users' probabilities are far from 0).

    Raises
    ------
    ValueError
        If `q` is out of range, or there is no user or no item.
    RuntimeError
        If the two-margin null could not be fitted.

    Notes
    -----
    Benjamini & Hochberg's procedure [1]_ is proved for independent tests and for a kind of positive
    dependence (PRDS). Counts of pairs are positively associated under the null, each being an
    increasing function of the same independent entries; that is weaker than PRDS, so the rate is
    backed by simulation, not by proof. Under fixed margins (`curveball`) counts vary less than the
    null says, which makes the test conservative.

    References
    ----------
    .. [1] Benjamini & Hochberg (1995), "Controlling the false discovery rate", J. R. Stat. Soc. B
       57(1).

    Examples
    --------
    Whoever holds a tea rarely holds a jam:

    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, _ = example_users()
    >>> found = implausible_pairs(evaluator.train.concat(evaluator.held_out))
    >>> found[["item", "other_item", "real_count", "expected_count"]].head(1)
         item other_item  real_count  expected_count
    0  tea 10     jam 43           0            14.5
    """
    low = LowPairs.fit(real, q=q)
    return _table(low, benjamini_hochberg_adjusted(low.p_values, low.n_testable), {})


def forbidden_pairs(
    real: Profiles, synthetic: Profiles, *, q: float = 0.1, low: LowPairs | None = None
) -> pd.DataFrame:
    """Pairs of items that real users keep apart and synthetic users do not.

    No row is best, and is what new real users give with a probability of about 1 - q or more. A
    row says: real users hold these two together less often than chance, and synthetic users more
    often than real users. Popularity draws give many.

    Parameters
    ----------
    real : Profiles
        Users that the model was *not* fitted on: the second test takes both groups for
        independent.
    synthetic : Profiles
        Users of a model, over the same items in the same order. Not for synthetic users who hold
        more items each than real users: they hold more of every pair.
    q : float
        False discovery rate, in (0, .5).
    low : LowPairs, optional
        ``LowPairs.fit(real, q=q)``, where several models meet the same real users.

    Returns
    -------
    DataFrame
        Columns and ``attrs`` of `implausible_pairs`, and

        - *synthetic_count*: synthetic users who hold both;
        - *synthetic_p_value*: P(as many or more of the users who hold both are synthetic) if the
          shares were equal, given the number of these users;
        - *q_value*: adjusted p-value of the larger of the two p-values, never below
          *real_q_value*; rows are in its order.

    Raises
    ------
    ValueError
        If items differ, `q` is out of range or not that of `low`, `low` is of other users, or there
        is no user or no item.
    RuntimeError
        If the two-margin null could not be fitted.

    Examples
    --------
    Half of the synthetic users of the example hold teas beside jams:

    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> real = evaluator.train.concat(evaluator.reference).concat(evaluator.held_out)
    >>> found = forbidden_pairs(real, synthetic)
    >>> len(found)
    24
    >>> found[["item", "other_item", "real_count", "expected_count", "synthetic_count"]].head(1)
         item other_item  real_count  expected_count  synthetic_count
    0  jam 42     tea 29           0            18.7                6
    """
    check_profiles("real", real)
    check_profiles("synthetic", synthetic)
    if not synthetic.item_ids.equals(real.item_ids):
        rule, advice = "have the items of `real`, in the same order", "Call align(item_ids) first."
        raise ValueError(refusal("synthetic", rule, "others", advice))
    if not len(synthetic):
        raise ValueError(refusal("synthetic", "have users", 0))
    if low is None:
        low = LowPairs.fit(real, q=q)
    if low.real is not real:
        raise ValueError(refusal("low", "be LowPairs.fit(real, q=q) of `real`", "other users"))
    if low.q != q:
        raise ValueError(refusal("low", f"be fitted with q = {q:g}", f"q = {low.q:g}"))
    counts = pair_counts(synthetic.matrix, low.item, low.other_item)
    return forbidden_by_count(low, counts, len(synthetic))


def forbidden_by_count(low: LowPairs, counts: IntArray, n_synthetic: int) -> pd.DataFrame:
    """Give the table of `forbidden_pairs` from the synthetic users who hold each of `low`.

    Parameters
    ----------
    low : LowPairs
        Pairs that few real users hold.
    counts : ndarray, shape (n_low,)
        Synthetic users who hold both items of each, by `pair_counts`.
    n_synthetic : int
        Synthetic users in all.
    """
    p_values = excess_p_values(low.counts, len(low.real), counts, n_synthetic)
    q_values = benjamini_hochberg_adjusted(np.maximum(low.p_values, p_values), low.n_testable)
    more = {"synthetic_count": counts, "synthetic_p_value": p_values, "q_value": q_values}
    return _table(low, q_values, more)


def excess_p_values(
    real_counts: IntArray, n_real: int, synthetic_counts: IntArray, n_synthetic: int
) -> FloatArray:
    """Fisher's exact test that a share of synthetic users exceeds that of real users, (n_pairs,).

    P(C >= synthetic count), where C of the ``real + synthetic`` counted users are synthetic and
    every user is as likely to be counted: a hypergeometric distribution.

    Examples
    --------
    Of 3 counted among 2 real and 3 synthetic users all are synthetic: 1 of the 10 choices.

    >>> excess_p_values(np.array([0]), 2, np.array([3]), 3)
    array([0.1])
    """
    # Pairs by the million have few different counts, and scipy takes one distribution at a time.
    cases, place = np.unique(np.stack([real_counts, synthetic_counts]), axis=1, return_inverse=True)
    p_values = stats.hypergeom.sf(
        cases[1] - 1, n_real + n_synthetic, cases[0] + cases[1], n_synthetic
    )
    return np.asarray(np.minimum(p_values, 1.0)[place], dtype=np.float64)


def _table(
    low: LowPairs, q_values: FloatArray, more: Mapping[str, NDArray[np.generic]]
) -> pd.DataFrame:
    """Table of the pairs with a small q-value, strongest first."""
    ids = low.real.item_ids
    columns = {
        "item": ids.take(low.item),
        "other_item": ids.take(low.other_item),
        "real_count": low.counts,
        "expected_count": low.expected,
        "real_p_value": low.p_values,
        "real_q_value": benjamini_hochberg_adjusted(low.p_values, low.n_testable),
        **more,
    }
    strongest = np.lexsort((low.counts - low.expected, low.p_values, q_values))
    found = strongest[q_values[strongest] <= low.q]
    frame = pd.DataFrame(columns).iloc[found].reset_index(drop=True)
    n_pairs = len(ids) * (len(ids) - 1) // 2
    frame.attrs = {
        "n_pairs": n_pairs,
        "n_testable": low.n_testable,
        "n_untestable": n_pairs - low.n_testable,
        "minimum_expected_count": float(np.log(max(low.n_testable, 1) / low.q)),
    }
    return frame
