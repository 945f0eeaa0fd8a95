"""Users to look at: what a page shows of one set of synthetic users, beside real ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from cornac_mle.diagnostics.curves import curves
from cornac_mle.diagnostics.flagged_users import flagged_users
from cornac_mle.diagnostics.forbidden_pairs import forbidden_pairs
from cornac_mle.diagnostics.kept_apart import as_large_as_real, pairs_kept_apart
from cornac_mle.diagnostics.unrealistic_preferences import listed_preferences
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.profiles import Profiles
from cornac_mle.report.report import Report
from cornac_mle.sparse import FloatArray
from cornac_mle.workers import one_thread

MOST_ITEMS = 60
"""Items that are listed of a user; the others are counted."""
OFFENDING_P_VALUE = 0.1
MOST_OFFENDING = 5
"""A preference is marked if it is among the user's worst so many and has at most that p-value."""
REAL_QUANTILES = (0.25, 0.5, 0.75)
"""Real users that are shown: those at these quantiles of plausibility, whoever they are."""
TOLD_ERRORS = 2.0
"""Standard errors by which fewer real users than expected hold a preference where that is told."""
MOST_PAIRS = 10


@one_thread()
def look_at(report: Report, evaluator: Evaluator) -> None:
    """Fill the gallery and the curves of models of a report that have users and none yet."""
    for model, users in report.synthetic.items():
        if model not in report.curves and np.any(users.sizes >= max(1, evaluator.min_items)):
            report.gallery[model] = gallery(evaluator, users, item_names=report.item_names)
            report.curves[model] = curves(evaluator, users)


def gallery(
    evaluator: Evaluator,
    synthetic: Profiles,
    *,
    item_names: Mapping[Any, str] | None = None,
    q: float = 0.1,
    n_worst: int = 8,
) -> dict[str, Any]:
    """Choose the users to look at: the least plausible, a typical one, and real ones beside them.

    Parameters
    ----------
    evaluator : Evaluator
        Real users; its held-out ones calibrate.
    synthetic : Profiles
        Users made up by a model, over items of the evaluator in any order.
    item_names : mapping, optional
        Names of items by id.
    q : float
        False discovery rate over users, in (0, 1).
    n_worst : int
        Number of the least plausible users.

    Returns
    -------
    dict
        ``q``, ``n_users``, ``n_flagged``, and ``users``: a list of dictionaries with ``kind``
        ("worst", "typical", "real"), ``id``, ``p_value`` of the user (small is implausible),
        ``is_flagged``, ``n_items``, ``n_more`` items that are not listed, and ``items``, the least
        believable first: ``item``, ``name``, ``p_value``, ``percentile``, ``is_offending``,
        ``against`` (held items that speak against it, by name) and ``why``, in words.
        ``pairs``: the strongest `forbidden_pairs`.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> shown = gallery(evaluator, synthetic, n_worst=2)
    >>> [(user["kind"], user["id"], user["p_value"]) for user in shown["users"]][:3]
    [('worst', 's120', 0.005), ('worst', 's162', 0.005), ('typical', 's39', 0.373)]
    >>> first = shown["users"][0]["items"][0]
    >>> first["item"], first["why"]
    ('jam 50', "odder than 96.4% of real users' preferences for items about as popular")
    """
    users = evaluator.comparable("synthetic", synthetic)
    table = flagged_users(evaluator, users, q=q)
    scores = evaluator.plausibility(users)
    by_score = np.argsort(scores, kind="stable")
    worst = by_score[:n_worst]
    typical = by_score[len(by_score) // 2 : len(by_score) // 2 + 1]
    chosen = [
        Chosen(
            kind,
            users[rows],
            table["user_p_value"].to_numpy()[rows],
            table["flagged"].to_numpy()[rows],
        )
        for kind, rows in (("worst", worst), ("typical", typical))
    ]
    low = pairs_kept_apart(evaluator, q)
    pairs = pd.DataFrame()
    if low is not None and as_large_as_real(evaluator, float(users.sizes.mean())):
        pairs = forbidden_pairs(low.real, users.split_items(low.real.item_ids)[0], q=q, low=low)
    return gallery_of(
        evaluator,
        chosen,
        pairs,
        q=q,
        n_users=len(users),
        n_flagged=int(table["flagged"].sum()),
        item_names=item_names,
    )


@dataclass(frozen=True, eq=False)
class Chosen:
    """Synthetic users of one kind who are shown: who they are, and what was found of each."""

    kind: str
    users: Profiles
    p_values: FloatArray
    is_flagged: npt.NDArray[np.bool_]


def gallery_of(
    evaluator: Evaluator,
    chosen: Sequence[Chosen],
    pairs: pd.DataFrame,
    *,
    q: float,
    n_users: int,
    n_flagged: int,
    item_names: Mapping[Any, str] | None = None,
) -> dict[str, Any]:
    """Give the dictionary of `gallery` from the users that are shown and the forbidden pairs."""
    names = dict(item_names or {})
    shown = []
    for one in chosen:
        shown += _described(evaluator, one.users, one.kind, one.p_values, one.is_flagged, names)
    shown += _real_users(evaluator, names)
    return {
        "q": q,
        "n_users": n_users,
        "n_flagged": n_flagged,
        "users": shown,
        "pairs": _listed_pairs(pairs, names),
    }


def _real_users(evaluator: Evaluator, names: Mapping[Any, str]) -> list[dict[str, Any]]:
    """Describe held-out users at fixed quantiles of plausibility."""
    scores = evaluator.plausibility(evaluator.held_out)
    order = np.argsort(scores, kind="stable")
    rows = np.unique([order[int(share * (len(order) - 1))] for share in REAL_QUANTILES])
    rows = rows[np.argsort(scores[rows], kind="stable")]
    ranks = np.searchsorted(np.sort(scores), scores[rows], side="right") / len(scores)
    nobody = np.zeros(len(rows), dtype=np.bool_)
    return _described(evaluator, evaluator.held_out[rows], "real", ranks, nobody, names)


def _described(
    evaluator: Evaluator,
    users: Profiles,
    kind: str,
    p_values: npt.NDArray[Any],
    is_flagged: npt.NDArray[np.bool_],
    names: Mapping[Any, str],
) -> list[dict[str, Any]]:
    """Describe some users, their items the least believable first."""
    listed = listed_preferences(evaluator, users)
    found = []
    for row, (user, p_value, flagged) in enumerate(
        zip(users.user_ids, p_values, is_flagged, strict=True)
    ):
        own = listed[listed["row"] == row]
        items = [
            _item(evaluator, preference, names)
            for preference in own.head(MOST_ITEMS).to_dict("records")
        ]
        found.append(
            {
                "kind": kind,
                "id": str(user),
                "p_value": float(p_value),
                "is_flagged": bool(flagged),
                "n_items": len(own),
                "n_more": max(0, len(own) - MOST_ITEMS),
                "items": items,
            }
        )
    return found


def _item(
    evaluator: Evaluator, preference: Mapping[Any, Any], names: Mapping[Any, str]
) -> dict[str, Any]:
    item, p_value = preference["item"], float(preference["p_value"])
    percentile = float(preference["percentile"])
    offends = preference["rank"] <= MOST_OFFENDING and p_value <= OFFENDING_P_VALUE
    against = preference["against"] if offends else []
    return {
        "item": str(item),
        "name": names.get(item),
        "p_value": p_value if np.isfinite(p_value) else None,
        "percentile": percentile if np.isfinite(percentile) else None,
        "is_offending": bool(offends),
        "against": [str(names.get(other, other)) for other in against],
        "why": _in_words(evaluator, item, p_value, against, names) if offends else None,
    }


def _in_words(
    evaluator: Evaluator,
    item: Any,
    p_value: float,
    against: Sequence[Any],
    names: Mapping[Any, str],
) -> str:
    """Say what the judge sees, and what real users do, where that says the same.

    The judge weighs all items of a user at once. That few users hold two items together may come
    of their small profiles, so that what is held is set against what popularity and size give.
    """
    users, items = evaluator.remembered(_holders, compute=lambda: _holders(evaluator))
    places = evaluator.held_out.item_ids.get_indexer(pd.Index([item, *against], dtype=object))
    own = items.indices[slice(*items.indptr[places[0] : places[0] + 2])]
    if not own.size:
        if _is_trained_on(evaluator, item):
            return "of real users, only those that models were fitted on hold it"
        return "no real user holds it"
    share = f"{100 * (1 - p_value):.3g}%"
    words = f"odder than {share} of real users' preferences for items about as popular"
    if not against:
        return words
    parts = [items.indices[slice(*items.indptr[one : one + 2])] for one in places[1:]]
    with_any = np.unique(np.concatenate(parts))
    both = int(np.isin(with_any, own).sum())
    sizes = np.diff(users.indptr)
    expected = float(np.minimum(1.0, sizes[with_any] * (own.size / users.nnz)).sum())
    if expected - both < TOLD_ERRORS * np.sqrt(expected):
        return words
    spelled = [str(names.get(one, one)) for one in against]
    listed = " or ".join([", ".join(spelled[:-1]), spelled[-1]] if spelled[1:] else spelled)
    return (
        f"{words}; only {both:,} of {with_any.size:,} real users with {listed} hold it, "
        f"popularity and size would give {expected:,.0f}"
    )


def _is_trained_on(evaluator: Evaluator, item: Any) -> bool:
    """Whether a training user holds an item."""
    train = evaluator.train
    return train is not None and bool(train.item_counts[train.item_ids == item].any())


def _holders(evaluator: Evaluator) -> tuple[sp.csr_array, sp.csc_array]:
    """Take reference and held-out users, by user and by item."""
    users = evaluator.reference.concat(evaluator.held_out).matrix
    return users, sp.csc_array(users)


def _listed_pairs(table: pd.DataFrame, names: Mapping[Any, str]) -> list[dict[str, Any]]:
    """List the strongest pairs."""
    return [
        {
            "item": str(row["item"]),
            "name": names.get(row["item"]),
            "other_item": str(row["other_item"]),
            "other_name": names.get(row["other_item"]),
            "real_count": int(row["real_count"]),
            "expected_count": float(row["expected_count"]),
            "synthetic_count": int(row["synthetic_count"]),
        }
        for row in table.head(MOST_PAIRS).to_dict("records")
    ]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def worst_preferences(
    evaluator: Evaluator, synthetic: Profiles, *, q: float = 0.1, n_users: int = 1000
) -> pd.DataFrame:
    """List `unrealistic_preferences` of the least plausible users only, the worst user first.

    Parameters
    ----------
    evaluator : Evaluator
        Real users; its held-out ones calibrate.
    synthetic : Profiles
        Users made up by a model, over items of the evaluator in any order.
    q : float
        False discovery rate over all users, in (0, 1).
    n_users : int
        Users that are listed at most.

    Returns
    -------
    DataFrame
        Columns of `unrealistic_preferences`.
    """
    users = evaluator.comparable("synthetic", synthetic)
    table = flagged_users(evaluator, users, q=q)
    rows = np.argsort(evaluator.plausibility(users), kind="stable")[:n_users]
    return preferences_of(evaluator, users[rows], table.iloc[rows])


def preferences_of(evaluator: Evaluator, users: Profiles, table: pd.DataFrame) -> pd.DataFrame:
    """Give the table of `worst_preferences` from those users and their rows of `flagged_users`."""
    listed = listed_preferences(evaluator, users, worst=MOST_OFFENDING)
    of_user = table.iloc[listed["row"].to_numpy()].reset_index(drop=True)
    columns = ["item", "rank", "percentile", "p_value"]
    parts = [of_user[["user"]], listed[columns], of_user.drop(columns="user"), listed[["why"]]]
    joined: pd.DataFrame = pd.concat(parts, axis=1)
    return joined
