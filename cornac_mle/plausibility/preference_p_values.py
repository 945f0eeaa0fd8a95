"""How surprising is one preference of a user, by its own standard? Cells, p-values and peeling.

A rare item, or an item of a small profile, gets lower scores than a popular item of a large one,
from real users too. So a preference is held against preferences of real users of the same *cell*:
a bin of profile size and of item popularity (Mondrian). Within a cell every user weighs the same,
however many items of it the user holds.

Planted items spoil the context that genuine ones are judged in. *Peeling* takes the worst items out
of a profile and judges the rest again; real users are peeled in the same way.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from cornac_mle.sparse import FloatArray, IndexArray, user_of
from cornac_mle.stats.conformal import merged_cells

BINS = 5
"""Bins of profile size, and of item popularity, before any are merged."""
MIN_CELL_USERS = 19
"""Calibration users that a cell is made for: fewer cannot give p = .05 to a user's only pair."""
PEELING_ROUNDS = 5
"""Times that the worst items of a profile are taken out and the rest is judged again."""
PEELED_SHARE = 0.1
"""Share of the items of a profile that one round takes out, rounded down, and at least 1."""
MIN_CONTEXT = 2
"""Items that peeling leaves in a profile: one item alone has nothing to be judged by."""


@dataclass(frozen=True, eq=False)
class PreferenceCells:
    """Cells of (profile size, item popularity), made from reference users alone.

    Nothing in them depends on the users that are calibrated or judged, without which the p-values
    would not be exact.

    Attributes
    ----------
    item_counts : ndarray, shape (n_items,)
        Number of reference users who hold each item.
    size_edges, popularity_edges : ndarray, shape (at most BINS - 1,)
        A value equal to an edge is in the bin above it.
    cells : ndarray, shape (n_size_bins, n_popularity_bins)
        Cell number of each pair of bins.
    """

    item_counts: IndexArray
    size_edges: FloatArray
    popularity_edges: FloatArray
    cells: IndexArray

    @classmethod
    def fit(cls, reference: sp.csr_array, n_calibration: int) -> "PreferenceCells":
        """Cut sizes of users and popularity of preferences into fifths; merge those too small.

        Neighbouring bins are merged until, going by the reference users, at least MIN_CELL_USERS of
        `n_calibration` users are expected in each. First bins of size, smallest first; then,
        within each of them, bins of popularity, rarest first. What is left over at the upper end
        joins the bin below it.

        Parameters
        ----------
        reference : csr_array, shape (n_users, n_items)
            Profiles of reference users, at least one of them with an item.
        n_calibration : int
            Number of real users that p-values will be calibrated on.
        """
        sizes = np.diff(reference.indptr)
        reference, sizes = reference[sizes > 0], sizes[sizes > 0]
        item_counts = np.bincount(reference.indices, minlength=reference.shape[1])
        popularity = item_counts[reference.indices]  # of each preference, (nnz,)
        inner = np.arange(1, BINS) / BINS
        size_edges = np.unique(np.quantile(sizes, inner))
        popularity_edges = np.unique(np.quantile(popularity, inner))
        least = MIN_CELL_USERS * sizes.size / max(1, n_calibration)  # reference users of a cell

        size_bin = np.searchsorted(size_edges, sizes, side="right")  # (n_users,)
        holds = np.zeros((sizes.size, popularity_edges.size + 1), dtype=np.bool_)
        holds[user_of(reference), np.searchsorted(popularity_edges, popularity, side="right")] = (
            True
        )
        size_group = merged_cells(np.eye(size_edges.size + 1, dtype=np.bool_)[size_bin], least)
        cells = np.empty((size_edges.size + 1, popularity_edges.size + 1), dtype=np.intp)
        n_cells = 0
        for group in range(size_group.max() + 1):
            popularity_group = merged_cells(holds[size_group[size_bin] == group], least)
            cells[size_group == group] = n_cells + popularity_group
            n_cells += popularity_group.max() + 1
        return cls(item_counts, size_edges, popularity_edges, cells)

    def of(self, profiles: sp.csr_array) -> IndexArray:
        """Cell of every preference, (profiles.nnz,), in the order of ``profiles.indices``."""
        size_bin = np.searchsorted(self.size_edges, np.diff(profiles.indptr), side="right")
        item_bin = np.searchsorted(self.popularity_edges, self.item_counts, side="right")
        cells: IndexArray = self.cells[size_bin[user_of(profiles)], item_bin[profiles.indices]]
        return cells


@dataclass(frozen=True, eq=False)
class JudgedPreferences:
    """Preferences with a score and the cell that the score is compared in, all (n_preferences,)."""

    user: IndexArray
    cell: IndexArray
    score: FloatArray  # low is implausible


def preference_p_values(judged: JudgedPreferences, calibration: JudgedPreferences) -> FloatArray:
    r"""Conformal p-value of each preference within its cell. In (0, 1]; small is implausible.

    Let F_i(x) be the share of user i's preferences in the cell that score x or less (ties count).
    With n calibration users in the cell, and F_0 for the judged user,

    .. math:: p(x) = \frac{F_0(x) + F_1(x) + \dots + F_n(x)}{n + 1}.

    It is valid for *a random preference, in the cell, of a random user*: given the n + 1 users but
    not which of them is judged, p is the distribution function of the score of a random preference
    of a random one of them, taken at such a score, so that P(p <= a) <= a for every a. It is not
    valid for a preference chosen because it is the worst of its user. Calibrating on pairs instead
    lets heavy users decide (each F_i would weigh by its user's number of items), and one pool of
    all cells fails on rare items. Putting 1 in the place of F_0 is valid too, but blunter: no
    p-value is then below 1 / (n + 1). Alone in its cell, a user gets p = F_0.

    Parameters
    ----------
    judged, calibration : JudgedPreferences
        Preferences to judge and those of real users. Scores of the two must come from one rule,
        fitted on neither.

    Returns
    -------
    ndarray, shape (n_preferences,)
        p-values of the preferences of `judged`.

    Notes
    -----
    Weights as for the pooled distribution function of [1]_, cells as in [2]_.

    References
    ----------
    .. [1] Dunn, Wasserman & Ramdas (2023), "Distribution-free prediction sets for two-layer
       hierarchical models", JASA 118(544).
    .. [2] Vovk, Gammerman & Shafer (2005), "Algorithmic Learning in a Random World", Springer.

    Examples
    --------
    Two calibration users: one with scores 1 and 3, one with 2. The judged user has 0 and 2.
    p(0) = (1/2 + 0 + 0) / 3 and p(2) = (1 + 1/2 + 1) / 3.

    >>> real = JudgedPreferences(np.array([0, 0, 1]), np.zeros(3, int), np.array([1.0, 3.0, 2.0]))
    >>> user = JudgedPreferences(np.array([0, 0]), np.zeros(2, int), np.array([0.0, 2.0]))
    >>> preference_p_values(user, real).round(3).tolist()
    [0.167, 0.833]
    """
    p_values = _share_at_most(judged)
    for cell in np.unique(judged.cell):
        here, real = judged.cell == cell, calibration.cell == cell
        _, user, count = np.unique(calibration.user[real], return_inverse=True, return_counts=True)
        order = np.argsort(calibration.score[real])
        below = np.append(0.0, np.cumsum((1 / count[user])[order]))
        ordered = calibration.score[real][order]
        p_values[here] += below[np.searchsorted(ordered, judged.score[here], side="right")]
        p_values[here] /= 1 + count.size
    return np.minimum(p_values, 1.0)  # a sum of shares may end one bit above


def peel(
    profiles: sp.csr_array, judge: Callable[[sp.csr_array], FloatArray]
) -> tuple[IndexArray, FloatArray]:
    """Take the worst items out, judge the rest again, and repeat for PEELING_ROUNDS rounds.

    A round takes out max(1, PEELED_SHARE of the user's items), but leaves MIN_CONTEXT of them. The
    number of rounds is fixed, and a user is peeled by that user's items alone, so that real users
    who are peeled too stay comparable; stopping at a p-value would break that.

    Parameters
    ----------
    profiles : csr_array, shape (n_block, n_items)
        One block of users. Only which entries are stored counts.
    judge : callable
        Maps profiles to a score of each item, (nnz,); low is implausible.

    Returns
    -------
    rounds : ndarray, shape (nnz,)
        Round in which an item was taken out, from 0; PEELING_ROUNDS where it stayed.
    scores : ndarray, shape (nnz,)
        Score of an item when it was taken out, or after all rounds.

    Notes
    -----
    Costs PEELING_ROUNDS + 1 judgements of all users.
    """
    user, sizes = user_of(profiles), np.diff(profiles.indptr)
    rounds = np.full(profiles.nnz, PEELING_ROUNDS)
    scores = judge(profiles).copy()
    for number in range(PEELING_ROUNDS):
        left = np.flatnonzero(rounds == PEELING_ROUNDS)
        n_left = np.bincount(user[left], minlength=sizes.size)
        wanted = np.maximum(1, np.floor(PEELED_SHARE * sizes + 1e-9)).astype(np.intp)
        wanted = np.minimum(wanted, np.maximum(n_left - MIN_CONTEXT, 0))
        worst_first = np.lexsort((scores[left], user[left]))
        place = np.empty(left.size, dtype=np.intp)
        place[worst_first] = np.arange(left.size) - (np.cumsum(n_left) - n_left)[user[left]]
        gone = place < wanted[user[left]]
        if not gone.any():
            break
        rounds[left[gone]] = number
        stay = left[~gone]
        scores[stay] = judge(_entries(profiles, stay))
    return rounds, scores


def _share_at_most(judged: JudgedPreferences) -> FloatArray:
    """Share of the user's own preferences in the cell that score no more, itself included."""
    if judged.score.size == 0:
        return np.empty(0)
    _, level = np.unique(judged.score, return_inverse=True)
    n_levels = level.max() + 1
    _, group = np.unique(judged.user * (judged.cell.max() + 1) + judged.cell, return_inverse=True)
    keys = group * n_levels + level
    ordered = np.sort(keys)
    at_most = np.searchsorted(ordered, keys, side="right")
    before = np.searchsorted(ordered, group * n_levels, side="left")
    return np.asarray((at_most - before) / np.bincount(group)[group], dtype=np.float64)


def _entries(profiles: sp.csr_array, kept: IndexArray) -> sp.csr_array:
    """Profiles of the same users that hold only the stored entries at `kept`, ascending."""
    counts = np.bincount(user_of(profiles)[kept], minlength=profiles.shape[0])
    starts = np.append(0, np.cumsum(counts))
    return sp.csr_array((profiles.data[kept], profiles.indices[kept], starts), profiles.shape)
