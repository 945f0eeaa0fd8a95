"""Distributions of one set of synthetic users beside real ones, to be drawn."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.profiles import Profiles
from cornac_mle.sparse import FloatArray, IndexArray

N_BINS = 40
N_POINTS = 41


def curves(evaluator: Evaluator, synthetic: Profiles) -> dict[str, Any]:
    """Distributions of real users, synthetic users and independent popularity, to be drawn.

    Parameters
    ----------
    evaluator : Evaluator
        Real users; the held-out ones are drawn.
    synthetic : Profiles
        Users made up by a model, over items of the evaluator in any order.

    Returns
    -------
    dict
        ``plausibility`` (score, higher is more believable) and ``sizes`` (items a user):
        dictionaries with ``edges`` of n + 1 bins and the shares of users in them, ``real``,
        ``synthetic``, ``popularity``. ``popularity``: ``items``, shares of the catalogue from the
        most popular item on, and the shares of all preferences that go to these.

    Examples
    --------
    >>> from cornac_mle.metrics.example import example_users
    >>> evaluator, synthetic = example_users()
    >>> drawn = curves(evaluator, synthetic)
    >>> sum(drawn["sizes"]["synthetic"])
    1.0
    """
    users = evaluator.comparable("synthetic", synthetic)
    return curves_of(evaluator, evaluator.plausibility(users), users.sizes, users.item_counts)


def curves_of(
    evaluator: Evaluator,
    scores_of_users: FloatArray,
    sizes_of_users: npt.NDArray[np.int64],
    item_counts: npt.NDArray[np.int64],
) -> dict[str, Any]:
    """Give the dictionary of `curves` from scores, sizes and item counts of synthetic users.

    Parameters
    ----------
    evaluator : Evaluator
        Real users.
    scores_of_users, sizes_of_users : ndarray, shape (n_synthetic,)
        In any order.
    item_counts : ndarray, shape (n_items,)
        Synthetic users who hold each item.
    """
    real, floor = evaluator.held_out, evaluator.floor_users
    scores = {
        "real": evaluator.plausibility(real),
        "synthetic": scores_of_users,
        "popularity": evaluator.plausibility(floor),
    }
    sizes = {"real": real.sizes, "synthetic": sizes_of_users, "popularity": floor.sizes}
    counts = {
        "real": real.item_counts,
        "synthetic": item_counts,
        "popularity": floor.item_counts,
    }
    finite = np.concatenate([one[np.isfinite(one)] for one in scores.values()])
    if not finite.size:
        finite = np.zeros(1)
    low, high = np.quantile(finite, [0.002, 0.998])
    if low == high:
        low, high = low - 0.5, high + 0.5
    plausibility_edges = np.linspace(low, high, N_BINS + 1)
    most = max(int(one.max(initial=1)) for one in sizes.values())
    size_edges = np.unique(np.geomspace(1, most + 1, N_BINS + 1).round())
    size_edges = size_edges if size_edges.size > 1 else np.array([1.0, 2.0])
    order = np.argsort(-evaluator.seen.item_counts, kind="stable")
    places = np.linspace(0, len(order), N_POINTS).round().astype(int)
    return {
        "plausibility": _histograms(scores, plausibility_edges),
        "sizes": _histograms(sizes, size_edges),
        "popularity": {
            "items": (places / max(len(order), 1)).tolist(),
            **{name: _cumulative(one, order, places) for name, one in counts.items()},
        },
    }


def _histograms(values: Mapping[str, npt.NDArray[Any]], edges: FloatArray) -> dict[str, Any]:
    """Shares of values in bins; what lies outside goes into the first and last."""
    inside = {name: np.clip(one, edges[0], edges[-1]) for name, one in values.items()}
    return {
        "edges": [float(edge) for edge in edges],
        **{
            name: (np.histogram(one, edges)[0] / max(len(one), 1)).tolist()
            for name, one in inside.items()
        },
    }


def _cumulative(
    item_counts: npt.NDArray[np.int64], order: IndexArray, places: IndexArray
) -> list[float]:
    counts = np.append(0, np.cumsum(item_counts[order]))
    return [float(count) for count in counts[places] / max(counts[-1], 1)]
