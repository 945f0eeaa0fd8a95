"""How many of a list of suspicious users are certainly no real ones."""

import numpy as np
import numpy.typing as npt

from cornac_mle.checks import check_count, check_share, refusal
from cornac_mle.sparse import IntArray
from cornac_mle.stats._rank_counts import checked_scores, counted_ranks, critical_value, moments

LARGEST_LEVEL = 0.5
"""Largest p-value that is looked at: on a list users may stand for any reason."""


def certified_precision(
    p_values: npt.ArrayLike, flagged: npt.ArrayLike, n_real: int, *, error: float = 0.05
) -> float:
    r"""Share of flagged users who are certainly not drawn from the real users' distribution.

    In [0, 1]; 1 is best. A value of .31 says: at least 31% of these users are no real ones, and
    such a claim is wrong with probability `error` at most, for all lists of users at once. So the
    list may be chosen by eye, after looking at the p-values, and as often as one likes. The list
    of all users gives the share among these very users; `UnrealisticShare` is about the
    distribution that they come from.

    Of k real users among m, b_r(k) at most have a conformal p-value of r / (n + 1) at most, for all
    r together (the envelope of `contamination_bound`, with pi = 0 and p-values up to .5). With
    D_r(S) the number of such users in a list S, D_r that of all users, the value is

    .. math:: \frac{1}{|S|} \max\left(|S| - k, \max_r\, D_r(S) - \lfloor b_r(k) \rfloor\right),
        \quad k = \max\{k : D_r - \lfloor b_r(k) \rfloor \le m - k \; \forall r\}.

    0 certifies nothing: of a handful of users it never does more, since real users have small
    p-values too. It is blind to whatever the p-values are blind to.

    Parameters
    ----------
    p_values : array_like, shape (m,)
        p-values of all users, flagged or not, as `Measurement.per_user` of `UnrealisticUsers` holds
        them. Not those of ``conditional=True``, which are ranks within cells.
    flagged : array_like of bool, shape (m,)
        Whether each user is on the list.
    n_real : int
        Number of real users that the p-values rank a user among, all held-out users.
    error : float
        Probability that the share is too high for some list, at most; in [1e-12, 1).

    Returns
    -------
    float
        0 for an empty list.

    Raises
    ------
    ValueError
        If a p-value is not a multiple of 1 / (n_real + 1) in (0, 1], or shapes differ.

    References
    ----------
    .. [1] Goeman & Solari (2011), "Multiple testing for exploratory research", Statistical Science
       26(4).
    .. [2] Blanchard, Neuvial & Roquain (2020), "Post hoc confidence bounds on false positives using
       reference families", Annals of Statistics 48(3).

    Examples
    --------
    Half of the users of the example have no taste. Of 29 with p <= .05 two fifths are certain:

    >>> from cornac_mle.metrics import UnrealisticUsers
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> p_values = UnrealisticUsers().measure(evaluator, synthetic, rng=1).per_user
    >>> certified_precision(p_values, p_values <= 0.05, n_real=200)
    0.41
    """
    error, n_real = check_share("error", error), check_count("n_real", n_real)
    rank_of_user, listed = _checked_list(p_values, flagged, n_real)
    if not listed.any():
        return 0.0
    m, ranks = rank_of_user.size, counted_ranks(n_real, LARGEST_LEVEL)
    counts = np.searchsorted(np.sort(rank_of_user), ranks, side="right")

    def envelope(n_null: int) -> IntArray:
        critical = critical_value(n_null, n_real, 0.0, LARGEST_LEVEL, error)
        mean, deviation = moments(ranks, n_null, n_real, 0.0)
        most = np.floor(mean + critical * deviation + 1e-9)
        return np.minimum(most, n_null).astype(np.int64)

    low, high = 0, m + 1  # `low` real users are possible, `high` are not
    while high - low > 1:
        middle = (low + high) // 2
        if np.any(counts - envelope(middle) > m - middle):
            high = middle
        else:
            low = middle
    certain = int(listed.sum()) - low
    if low:
        of_list = np.searchsorted(np.sort(rank_of_user[listed]), ranks, side="right")
        certain = max(certain, int(np.max(of_list - envelope(low))))
    return max(0, certain) / int(listed.sum())


def _checked_list(
    p_values: npt.ArrayLike, flagged: npt.ArrayLike, n_real: int
) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Rank of each user among real ones, 1 to n_real + 1, and whether it is listed."""
    values = checked_scores("p_values", p_values)
    ranks = values * (n_real + 1)
    if not ((ranks > 0.5) & (values <= 1) & (np.abs(ranks - np.rint(ranks)) < 1e-6)).all():
        rule = f"be multiples of 1 / {n_real + 1} in (0, 1], ranks among {n_real} real users"
        advice = "Give those of `UnrealisticUsers`, unconditional, and their number of real users."
        raise ValueError(refusal("p_values", rule, "others", advice))
    listed = np.asarray(flagged)
    if listed.dtype != np.bool_ or listed.shape != values.shape:
        rule = f"hold {values.size} truth values, one a user"
        raise ValueError(refusal("flagged", rule, f"{listed.dtype}, shape {listed.shape}"))
    return np.rint(ranks).astype(np.int64), listed
