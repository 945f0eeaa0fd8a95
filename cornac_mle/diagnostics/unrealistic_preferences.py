"""Which preferences make a synthetic user unrealistic, and which held items speak against them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from cornac_mle.checks import check_count, check_share
from cornac_mle.diagnostics.flagged_users import flagged_users
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.plausibility.judge import users_of_block
from cornac_mle.plausibility.predictor import held_percentiles, unit_profiles
from cornac_mle.plausibility.preference_p_values import (
    JudgedPreferences,
    PreferenceCells,
    peel,
    preference_p_values,
)
from cornac_mle.profiles import Profiles
from cornac_mle.sparse import FloatArray, IndexArray, pattern, user_of
from cornac_mle.workers import in_threads, one_thread

BLOCK_ITEMS = 256
"""Items whose weights are held at once, for all items."""
MOST_CALIBRATING = 2_000
"""Held-out users, chosen at random, whose preferences calibrate, at most: peeling costs six times
what judging does, and more users hardly sharpen the p-values of preferences, which are ranked."""
REASONS = 3
"""Held items that `why` names, at most."""
NEGLIGIBLE_WEIGHT = 1e-4
"""Weights nearer to zero than this speak neither for nor against an item."""


@one_thread()
def unrealistic_preferences(
    evaluator: Evaluator, synthetic: Profiles, *, q: float = 0.1, worst: int | None = 5
) -> pd.DataFrame:
    """List the least believable preferences of each synthetic user, worst first.

    *Users* are found with an error rate: among those flagged, a share `q` at most is as believable
    as real users, on average (`flagged_users`). *Preferences* inside a user are only ranked. Each
    has a p-value, but the worst of a user is chosen for being low, so that no error rate holds for
    it: read `flagged` first, then `rank`, then `why`.

    An item is judged by the judge's log P(genuine), given the user's other items. The worst are
    taken out and the rest is judged again, several times (`preference_p_values.peel`), because
    planted items spoil the context of genuine ones.

    Parameters
    ----------
    evaluator : Evaluator
        Real users; its held-out ones calibrate, and are judged and peeled once for all models:
        2,000 of them at most, chosen at random, calibrate the preferences.
    synthetic : Profiles
        Users made up by a model, over items of the evaluator in any order.
    q : float
        False discovery rate over users, in (0, 1).
    worst : int or None
        Number of preferences listed of each user, at least 1; None lists all.

    Returns
    -------
    DataFrame
        A row for each listed preference, users in their order, worst first, with the columns

        - ``user``, ``item``: ids.
        - ``rank``: 1 is the user's worst: items in the order in which they were taken out, then
          the others by their score.
        - ``percentile``: EASE's percentile of the item among those the user does not hold, given
          all other items of the user. In (0, 1); about .5 says that nothing is known, .01 that
          99% of all other items would fit better.
        - ``p_value``: in (0, 1], small is implausible: .02 says that 2% of the preferences of real
          users, for items about as popular in profiles about as large, are as bad. Valid for a
          random preference of a user, not for the worst.
        - ``user_p_value``: conformal p-value of the whole user (`Evaluator.p_values`).
        - ``user_q_value``: smallest `q` at which the user is flagged.
        - ``flagged``: whether ``user_q_value`` is at most `q`.
        - ``why``: held items that speak most against the preference, with their EASE weights: "IPA
          BEER -.021; DIAPERS -.017" says that holding IPA BEER takes .021 from a prediction that is
          about 1 for items that are held and 0 for others. Or "no held item speaks against it";
          or, if none speaks for it either (nobody holds it together with any of them, say), "no
          held item supports it". Items taken out earlier have no say.

        An empty user has no row, though it may be flagged. A one-item user has one, of which
        percentile and p-value are NaN.

        `DataFrame.attrs` holds `q`, `n_users`, `n_users_flagged`, `n_empty_users`, `n_left_out`
        (users of fewer items than real ones must have), `n_calibration` (held-out users, who
        calibrate users), `n_preference_calibration` (those of them who calibrate preferences) and
        `minimum_detectable_users`: fewer flagged users than that can not be found, however
        implausible, since p-values are at least 1 / (n_calibration + 1); None where even all of
        them could not.

    Raises
    ------
    ValueError
        If `q` or `worst` is out of range, there is no synthetic user, or items differ.

    Notes
    -----
    Costs PEELING_ROUNDS + 1 times as much as scoring the users, and a row of weights for each item
    held by a listed user.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> table = unrealistic_preferences(evaluator, synthetic, worst=1)
    >>> table[table["flagged"]][["user", "item", "percentile", "p_value"]].head(3)
         user    item  percentile  p_value
    9      s9  tea 18       0.009     0.05
    101  s101  jam 35       0.009     0.02
    104  s104  jam 47       0.009     0.02
    """
    q = check_share("q", q)
    most = None if worst is None else check_count("worst", worst)
    users = flagged_users(evaluator, synthetic, q=q)
    synthetic = evaluator.comparable("synthetic", synthetic)
    table = listed_preferences(evaluator, synthetic, most)
    of_user = users.iloc[table["row"]].reset_index(drop=True)
    table = pd.concat([of_user[["user"]], table, of_user.drop(columns="user")], axis=1)
    columns = ["user", "item", "rank", "percentile", "p_value"]
    columns += ["user_p_value", "user_q_value", "flagged", "why"]
    table = table[columns]
    n_held_out = users.attrs["n_calibration"]
    table.attrs = users.attrs | {"n_preference_calibration": min(n_held_out, MOST_CALIBRATING)}
    return table


def preferences_by_model(evaluator: Evaluator, synthetic: Mapping[str, Profiles]) -> pd.DataFrame:
    """List `unrealistic_preferences` of several models' users, one below the other.

    Parameters
    ----------
    evaluator : Evaluator
        Its held-out users calibrate.
    synthetic : mapping of str to Profiles
        Synthetic users by name of the model.

    Returns
    -------
    DataFrame
        The column ``model``, then those of `unrealistic_preferences`; no rows without models.
    """
    parts = [
        unrealistic_preferences(evaluator, users).assign(model=model)
        for model, users in synthetic.items()
    ]
    table = pd.concat(parts or [pd.DataFrame(columns=["model"])])
    return table[["model", *table.columns.drop("model")]]


def listed_preferences(
    evaluator: Evaluator, users: Profiles, worst: int | None = None
) -> pd.DataFrame:
    """List the least believable preferences of users over the evaluator's items.

    Returns
    -------
    DataFrame
        A row for each listed preference, users in their order, worst first: ``row`` of the user,
        ``item``, ``rank``, ``percentile``, ``p_value``, ``why`` as in `unrealistic_preferences`,
        and ``against``, a list of the held items that ``why`` names.
    """
    cells, calibration = evaluator.remembered(_calibration, compute=lambda: _calibration(evaluator))
    parts, step = [], users_of_block(len(users.item_ids))
    for first in range(0, len(users), step):
        block = pattern(users.matrix[first : first + step])
        table = _listed(evaluator, users.item_ids, block, cells, calibration, worst)
        parts.append(table.assign(row=table["row"] + first))
    return pd.concat(parts, ignore_index=True)


def _calibration(evaluator: Evaluator) -> tuple[PreferenceCells, JudgedPreferences]:
    """Cells of the reference users, and held-out users' preferences in them, peeled."""
    held_out = evaluator.held_out.matrix
    if held_out.shape[0] > MOST_CALIBRATING:
        random = np.random.default_rng(evaluator.split_seeds[0])
        held_out = held_out[random.choice(held_out.shape[0], MOST_CALIBRATING, replace=False)]
    cells = PreferenceCells.fit(evaluator.reference.matrix, held_out.shape[0])
    users = pattern(held_out[np.diff(held_out.indptr) >= 2])  # a lone item is not judged
    step = users_of_block(users.shape[1])

    def scores_of_block(first: int) -> FloatArray:
        return peel(users[first : first + step], evaluator.judge.log_genuine)[1]

    scores = np.concatenate([[], *in_threads(scores_of_block, range(0, users.shape[0], step))])
    return cells, JudgedPreferences(user_of(users), cells.of(users), scores)


def _listed(
    evaluator: Evaluator,
    item_ids: pd.Index,
    block: sp.csr_array,
    cells: PreferenceCells,
    calibration: JudgedPreferences,
    worst: int | None,
) -> pd.DataFrame:
    """Rows of one block of users: row number in the block, item, rank, percentile, p_value, why."""
    judge, user, sizes = evaluator.judge, user_of(block), np.diff(block.indptr)
    has_context = sizes[user] >= 2  # (nnz,)
    rounds = np.zeros(block.nnz, dtype=np.intp)
    scores, percentiles, p_values = (np.full(block.nnz, np.nan) for _ in range(3))
    judged = block[np.flatnonzero(sizes >= 2)]
    if judged.nnz:
        rounds[has_context], scores[has_context] = peel(judged, judge.log_genuine)
        percentiles[has_context] = held_percentiles(judged, judge.predictor.scores(judged))
        preferences = JudgedPreferences(user_of(judged), cells.of(judged), scores[has_context])
        p_values[has_context] = preference_p_values(preferences, calibration)
    order = np.lexsort((scores, rounds, user))
    ranks = np.arange(block.nnz) - block.indptr[user] + 1  # of the preferences in `order`
    listed = order if worst is None else order[ranks <= worst]
    against, is_supported = _against(evaluator, item_ids, block, listed, rounds)
    return pd.DataFrame(
        {
            "row": user[listed],
            "item": item_ids.take(block.indices[listed]),
            "rank": ranks if worst is None else ranks[ranks <= worst],
            "percentile": percentiles[listed],
            "p_value": p_values[listed],
            "why": [_reason(*pair) for pair in zip(against, is_supported, strict=True)],
            "against": [[item for item, _ in held] for held in against],
        }
    )


def _against(
    evaluator: Evaluator,
    item_ids: pd.Index,
    block: sp.csr_array,
    listed: IndexArray,
    rounds: IndexArray,
) -> tuple[list[list[tuple[Any, float]]], npt.NDArray[np.bool_]]:
    """Held items, with weights, that speak most against each listed preference (stored entries).

    Returns
    -------
    against : list of lists, of length n_listed
        Pairs of id and weight, the strongest first.
    is_supported : ndarray, shape (n_listed,)
        Whether any held item speaks for the preference.
    """
    preference, other = _contexts(block, listed, rounds)
    weights = _weights(evaluator, block.indices[other], block.indices[listed[preference]])

    worst_first = np.lexsort((weights, preference))
    against = worst_first[weights[worst_first] <= -NEGLIGIBLE_WEIGHT]
    of = preference[against]
    against = against[np.arange(of.size) - np.searchsorted(of, of) < REASONS]
    held: list[list[tuple[Any, float]]] = [[] for _ in range(listed.size)]
    for pair in against:
        held[preference[pair]].append((item_ids[block.indices[other[pair]]], float(weights[pair])))
    is_supported = np.zeros(listed.size, dtype=np.bool_)
    is_supported[preference[weights >= NEGLIGIBLE_WEIGHT]] = True
    return held, is_supported


def _reason(against: Sequence[tuple[Any, float]], is_supported: bool) -> str:
    """Say what speaks against a preference."""
    if not against:
        return "no held item speaks against it" if is_supported else "no held item supports it"
    return "; ".join(f"{item} {weight:.2g}".replace("-0.", "-.") for item, weight in against)


def _contexts(
    block: sp.csr_array, listed: IndexArray, rounds: IndexArray
) -> tuple[IndexArray, IndexArray]:
    """Pair each listed preference with every item that was in the profile when it was judged.

    The preference itself is one of them, with weight 0.

    Returns
    -------
    preference, other : ndarray, shape (n_pairs,)
        Place of the preference in `listed`, and of the item among the stored entries.
    """
    user = user_of(block)[listed]
    sizes = np.diff(block.indptr)[user]
    preference = np.repeat(np.arange(listed.size), sizes)
    place = np.arange(preference.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    other = block.indptr[user][preference] + place
    both = rounds[other] >= rounds[listed[preference]]
    return preference[both], other[both]


def _weights(evaluator: Evaluator, held: IndexArray, target: IndexArray) -> FloatArray:
    """Weight of each held item in the score of its target item, (n_pairs,)."""
    weights = np.empty(held.size)
    by_held = np.argsort(held, kind="stable")
    items, starts = np.unique(held[by_held], return_index=True)
    ends = np.append(starts[1:], held.size)
    for first in range(0, items.size, BLOCK_ITEMS):
        some = slice(first, min(first + BLOCK_ITEMS, items.size))
        rows = evaluator.judge.predictor.scores(
            unit_profiles(items[some], evaluator.reference.matrix.shape[1])
        )  # (block, n_items)
        pairs = by_held[starts[some.start] : ends[some.stop - 1]]
        row = np.searchsorted(items[some], held[pairs])
        weights[pairs] = rows[row, target[pairs]]
    return weights
