"""What does each metric see, what is it blind to, and do its intervals cover?

`ladder` puts users through planted corruptions of growing size and through the classic ways to
cheat a metric; `coverage_of_intervals` draws fresh users from a known distribution again and again.
Used by `validity.py`.
"""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from joblib import Parallel, delayed

from cornac_mle import all_metrics
from cornac_mle.metrics import (
    Evaluator,
    MissingShare,
    NotMeasurableError,
    RealismMetric,
    UnrealisticShare,
)
from cornac_mle.null_models.corruption import chimera, popularity_draws, swap
from cornac_mle.profiles import Profiles, ids_index
from cornac_mle.report.measurement import Measurement
from cornac_mle.report.style import PAPER, REAL, new_figure, save, styled
from cornac_mle.sampling.plackett_luce import plackett_luce

POOLS = (
    "real",
    "swap 10%",
    "swap 25%",
    "swap 50%",
    "chimera",
    "popularity",
    "top popular",
    "mode drop",
    "one user",
    "copies",
)


def pool_metrics() -> list[RealismMetric]:
    """Every metric that needs synthetic users only."""
    return [metric for metric in all_metrics() if metric.name != "HeldOutLogLikelihood"]


def corruptions(spare: sp.csr_array, train: sp.csr_array, seed: int) -> dict[str, sp.csr_array]:
    """Corrupt half of the real users that are in no other group; POOLS names what comes back."""
    random = np.random.default_rng(seed)
    fresh = spare[: spare.shape[0] // 2]
    popularity = np.bincount(train.indices, minlength=train.shape[1])
    sizes = np.minimum(np.diff(fresh.indptr), np.count_nonzero(popularity))
    order = np.argsort(-popularity, kind="stable")
    top = [np.sort(order[:size]) for size in sizes]
    # The half of the spare users that is most like one typical user: distinct users, because
    # repeated ones would cover less whatever their kind.
    first = spare[[int(np.argsort(np.diff(spare.indptr), kind="stable")[spare.shape[0] // 2])]]
    likeness = (spare @ first.T).toarray()[:, 0] / np.sqrt(np.diff(spare.indptr))
    near = np.sort(np.argsort(-likeness, kind="stable")[: fresh.shape[0]])
    typical = int(np.argsort(sizes, kind="stable")[sizes.size // 2])
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    return {
        "real": fresh,
        **{
            f"swap {share:.0%}": swap(fresh, share, popularity=popularity, rng=random)
            for share in (0.10, 0.25, 0.50)
        },
        "chimera": chimera(fresh, rng=random),
        "popularity": popularity_draws(popularity, sizes, rng=random),
        "top popular": sp.csr_array(
            (np.ones(indptr[-1], dtype=np.float32), np.concatenate(top), indptr), shape=fresh.shape
        ),
        "mode drop": spare[near],
        "one user": fresh[np.full(fresh.shape[0], typical)],
        "copies": train[random.choice(train.shape[0], fresh.shape[0], replace=False)],
    }


def as_profiles(matrix: sp.csr_array, prefix: str | None = None) -> Profiles:
    items = ids_index([f"i{column}" for column in range(matrix.shape[1])])
    names = None if prefix is None else ids_index([f"{prefix}{n}" for n in range(matrix.shape[0])])
    return Profiles.from_matrix(matrix, items, names)


def measured(
    evaluator: Evaluator, metric: RealismMetric, users: Profiles, seed: int
) -> Measurement | None:
    try:
        return metric.measure(evaluator, users, rng=np.random.default_rng(seed))
    except NotMeasurableError:
        return None


def ladder(profiles: sp.csr_array, *, seed: int) -> pd.DataFrame:
    """Value of every metric for each of POOLS, its ceiling and floor, and what it can detect.

    Users are split 35/20/15/30 into train, reference, held-out and spare ones to corrupt.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(profiles.shape[0])
    cuts = (np.array([0.35, 0.55, 0.7]) * order.size).astype(int)
    parts = [profiles[rows] for rows in np.split(order, cuts)]
    known = np.unique(parts[0].indices)
    groups = [sp.csr_array(part[:, known]) for part in parts]
    train, reference, held_out, spare = (part[np.diff(part.indptr) >= 2] for part in groups)
    evaluator = Evaluator.fit(
        as_profiles(train, "t"), as_profiles(reference, "r"), as_profiles(held_out, "h"), rng=seed
    )
    pools = {name: as_profiles(matrix) for name, matrix in corruptions(spare, train, seed).items()}
    rows = {}
    for metric in pool_metrics():
        found = {name: measured(evaluator, metric, pools[name], seed) for name in POOLS}
        first = found["real"]
        if first is None:
            continue
        row: dict[str, float | None] = {
            name: None if one is None else one.value for name, one in found.items()
        }
        row |= {"ceiling": first.ceiling, "floor": first.floor}
        rows[metric.name] = row | {"detectable": first.minimum_detectable}
    table = pd.DataFrame.from_dict(rows, orient="index").astype(float).round(3)
    table.index.name = "metric"
    return table


def draw_ladder(tables: dict[str, pd.DataFrame], path: Path) -> None:
    """Draw what each metric sees: distance from the ceiling in smallest detectable distances.

    The median over data sets; 1 is just seen (with probability .8), 0 is blind.
    """
    distances = []
    for table in tables.values():
        away = table[list(POOLS)].sub(table["ceiling"], axis=0).abs()
        distances.append(away.div(table["detectable"].where(table["detectable"] > 0), axis=0))
    seen = pd.concat(distances).groupby(level=0, sort=False).median()
    with styled():
        drawn = new_figure(9.5, 8.5)
        axis = drawn.add_subplot()
        image = axis.imshow(np.clip(seen, 0, 5), cmap="cividis", aspect="auto", vmin=0, vmax=5)
        axis.grid(visible=False)
        axis.set_xticks(range(len(POOLS)), POOLS, rotation=35, ha="right")
        axis.set_yticks(range(len(seen)), seen.index)
        for row, column in np.ndindex(*seen.shape):
            value = float(seen.iloc[row, column])
            if np.isfinite(value):
                text = f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
                colour = PAPER if value < 2.5 else REAL
                axis.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
        axis.set_xlabel("users measured")
        axis.set_ylabel("metric")
        bar = drawn.colorbar(image, extend="max")
        name = "distance from the ceiling / smallest detectable"
        bar.set_label(f"{name}, median of {len(tables)} sets")
        drawn.set_label("What each metric sees of each corruption")
        save(drawn, path)


class KnownDistribution:
    """Users of one of a few tastes: a distribution from which fresh users can be drawn."""

    def __init__(self, *, n_items: int, n_tastes: int, mean_size: float, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.weights = random.gamma(0.3, size=(n_tastes, n_items)) + 1e-2
        self.mean_size = mean_size

    def draw(self, n_users: int, random: np.random.Generator) -> sp.csr_array:
        """Draw users: a taste, a size, and items in proportion to the taste's weights."""
        tastes = random.integers(len(self.weights), size=n_users)
        n_items = self.weights.shape[1]
        sizes = np.clip(random.poisson(self.mean_size, n_users), 3, n_items // 2)
        return plackett_luce(np.log(self.weights[tastes]), sizes, random)

    @property
    def popularity(self) -> np.ndarray:
        """Mean share of each item."""
        return (self.weights / self.weights.sum(axis=1, keepdims=True)).mean(axis=0)


def one_repeat(
    distribution: KnownDistribution, first: Evaluator, seed: int, *, n_users: int
) -> list[tuple[str, str, float, float, float]]:
    """Measure fresh users against fresh held-out users: metric, users, value, low, high."""
    rows = []
    random = np.random.default_rng(seed)
    held_out = as_profiles(distribution.draw(n_users, random), "h")
    evaluator = first.with_held_out(held_out, rng=seed)
    fresh = distribution.draw(n_users, random)
    pools = {
        "real": fresh,
        "swap 25%": swap(fresh, 0.25, popularity=distribution.popularity, rng=random),
        "popularity": popularity_draws(distribution.popularity, np.diff(fresh.indptr), rng=random),
    }
    for metric in pool_metrics():
        if isinstance(metric, UnrealisticShare | MissingShare):
            continue  # bounds of another quantity, tested by themselves
        for name, matrix in pools.items():
            found = measured(evaluator, metric, as_profiles(matrix), seed)
            if found is not None and found.low is not None and found.high is not None:
                rows.append((metric.name, name, found.value, found.low, found.high))
    return rows


def coverage_of_intervals(repeats: int, *, n_users: int = 200, seed: int = 0) -> pd.DataFrame:
    """Share of repeats whose 95% interval holds the mean of the metric over all repeats.

    The mean over repeats is the metric's expectation at the size compared, the estimand.
    """
    distribution = KnownDistribution(n_items=80, n_tastes=4, mean_size=12, seed=seed)
    random = np.random.default_rng(seed)
    train, reference, held_out = (
        as_profiles(distribution.draw(count, random), prefix)
        for count, prefix in ((200, "t"), (200, "r"), (n_users, "x"))
    )
    first = Evaluator.fit(train, reference, held_out, rng=seed)
    first.features(held_out)  # all judges are fitted before the work is shared out
    work = partial(one_repeat, distribution, first, n_users=n_users)
    workers = Parallel(n_jobs=2, backend="multiprocessing", batch_size=4)
    found = workers(delayed(work)(number) for number in range(1, repeats + 1))
    rows = [row for part in found for row in part]
    table = pd.DataFrame(rows, columns=["metric", "users", "value", "low", "high"])
    truth = table.groupby(["metric", "users"])["value"].transform("mean")
    table["covered"] = (table["low"] <= truth) & (truth <= table["high"])
    shares = table.pivot_table(index="metric", columns="users", values="covered", sort=False)
    return shares.round(3).reset_index()
