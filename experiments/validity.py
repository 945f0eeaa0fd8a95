"""Do the p-values, bounds and intervals hold what they promise, on data of every kind?

1. Type I error: 200 splits a data set, one real test user a split; overall, and by size and
   popularity of the test user, with and without `conditional`. Then the same with a planted leak.
2. Power at .05 against planted corruption, by data set.
3. False discoveries among flagged users, 20% of whom are planted.
4. The certified share of unrealistic users against the true share.
5. Coverage of 95% intervals in a world from which fresh users can be drawn.
6. What each metric sees and what it is blind to.

Command: python experiments/validity.py --data ../shared/data --out docs/validity
Minutes: about 25 on two cores. --quick takes a tenth of the repeats, to see that it runs; --draw
computes nothing, and draws the pictures from the tables in the folder.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # two processes on two cores; set before numpy reads it

import numpy as np
import pandas as pd
import scipy.sparse as sp
from certificates import certified_share
from joblib import Parallel, delayed
from metric_ladder import coverage_of_intervals, draw_ladder, ladder
from power import COLUMNS, JudgedSplit, flagged_shares, judged_split
from real_data import TABLE, load
from scipy import stats
from validity_picture import TABLES, draw

from cornac_mle.plausibility.judge import PlausibilityModel
from cornac_mle.stats.conformal import Cells, conditional_p_values, conformal_p_values, merged_cells

LEAKED = ("complete_journey", "lastfm", "movietweetings")
SETS = (*TABLE, "book_crossing", "movietweetings", "ta_feng")
ALPHAS = (0.01, 0.05, 0.10)
N_REFERENCE, N_CALIBRATION, SPARE = 200, 399, 150
DATA: dict[str, sp.csr_array] = {}
"""The data sets, shared with worker processes by forking."""
PARTS = ("type1", "judges", "power", "coverage", "ladder")
FIFTHS = ("lowest", "2nd", "3rd", "4th", "highest")


def binomial_limits(n: int, alpha: float, comparisons: int = 1) -> tuple[int, int]:
    """Find counts between which binomial(n, alpha) lies with probability .95, all comparisons."""
    tail = 0.025 / comparisons
    return int(stats.binom.ppf(tail, n, alpha)), int(stats.binom.isf(tail, n, alpha))


# 1 ----------------------------------------------------------------------------------- type I error


def one_test_user(
    name: str, seed: int, family: str = "ease", leak: bool = False
) -> dict[str, float]:
    """Find p-values of one real test user of one split, and the fifths of size and popularity.

    With `leak` the judge has been fitted on the calibration users.
    """
    users = DATA[name]
    order = np.random.default_rng(seed).permutation(users.shape[0])
    n_seen = N_REFERENCE + N_CALIBRATION
    # Some more than are needed, for those who are left with too few items of training users.
    fresh, train = np.split(order, [n_seen + SPARE])
    known = np.unique(users[train].indices)
    others = sp.csr_array(users[fresh][:, known])
    others = others[np.diff(others.indptr) >= 2]
    if others.shape[0] <= n_seen:
        msg = f"{name}: {others.shape[0]} users are too few"
        raise RuntimeError(msg)
    reference = others[:N_REFERENCE]
    calibration, test = others[N_REFERENCE:n_seen], others[n_seen : n_seen + 1]
    judge = PlausibilityModel.fit(calibration if leak else reference, family=family, rng=seed)
    scores, real = judge.score(test), judge.score(calibration)

    counts = np.bincount(users[train].indices, minlength=users.shape[1])[known]

    def circumstances(group: sp.csr_array) -> tuple[np.ndarray, np.ndarray]:
        sizes = np.diff(group.indptr)
        return sizes, (group.astype(bool) @ np.log1p(counts)) / sizes

    of_everyone = circumstances(others)
    place = {}
    for name, everyone, own in zip(
        ("size", "popularity"), of_everyone, circumstances(test), strict=True
    ):
        below, equal = np.sum(everyone < own[0]), np.sum(everyone == own[0])
        # Ties are split at random, so that every fifth is a fifth.
        share = (below + equal * np.random.default_rng(seed).random()) / everyone.size
        place[name] = min(int(5 * share), 4)

    cells = Cells.fit(*circumstances(reference))
    expected = np.bincount(cells.of(*circumstances(reference)), minlength=cells.count)
    expected = expected * (N_CALIBRATION / N_REFERENCE)
    found = {"marginal": float(conformal_p_values(scores, real)[0]), **place}
    for alpha in ALPHAS:
        needed = 1 / alpha - 1
        merged = merged_cells(expected, needed + 3 * np.sqrt(needed))
        own, theirs = (merged[cells.of(*circumstances(group))] for group in (test, calibration))
        found[f"conditional {alpha:g}"] = float(conditional_p_values(scores, own, real, theirs)[0])
        inside = int(np.sum(theirs == own[0]))
        found[f"attainable {alpha:g}"] = float(np.floor(alpha * (inside + 1) + 1e-9) / (inside + 1))
    return found


def type_one_table(trials: pd.DataFrame, group: str) -> pd.DataFrame:
    """Rejections among real test users by `group`, with exact binomial limits over its rows."""
    rows = []
    groups = trials.groupby(group, sort=False)
    for name, part in groups:
        row: dict[str, Any] = {group: name, "users": len(part)}
        for alpha in ALPHAS:
            for kind, level in (
                ("marginal", alpha),
                # In a cell of n users the level is floor(alpha (n + 1)) / (n + 1), below alpha.
                ("conditional", float(part[f"attainable {alpha:g}"].mean())),
            ):
                column = "marginal" if kind == "marginal" else f"conditional {alpha:g}"
                low, high = binomial_limits(len(part), level, groups.ngroups)
                rejected = int(np.sum(part[column] <= alpha))
                mark = "" if low <= rejected <= high else " !"
                row[f"{kind[:4]}. {alpha:g}"] = f"{rejected} ({low}-{high}){mark}"
        rows.append(row)
    return pd.DataFrame(rows)


# 3, 4 ---------------------------------------------------- false discoveries and certified shares


def false_discoveries(judged: JudgedSplit, seed: int, q: float = 0.1) -> tuple[float, float]:
    """Find false discovery proportion and power where a fifth of the users is half swapped."""
    random = np.random.default_rng(seed)
    order = random.permutation(judged.real.size)
    calibration, judged_rows = np.array_split(order, 2)
    planted = np.arange(judged_rows.size) < judged_rows.size // 5
    scores = np.where(planted, judged.corrupted["swap 50%"][judged_rows], judged.real[judged_rows])
    p_values = conformal_p_values(scores, judged.real[calibration])
    flagged = stats.false_discovery_control(p_values) <= q
    false = np.sum(flagged & ~planted) / max(1, np.sum(flagged))
    return float(false), float(np.mean(flagged[planted]))


# ----------------------------------------------------------------------------------------- the run


def show(title: str, table: pd.DataFrame, folder: Path, name: str) -> None:
    """Print a table and keep it as CSV."""
    print(f"\n{title}\n{table.to_string(index=False)}", flush=True)
    table.to_csv(folder / f"{name}.csv", index=False)


def spread(work: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Do `work` for each call, on two forked processes, which share DATA."""
    workers = Parallel(n_jobs=2, backend="multiprocessing", batch_size=4)
    return list(workers(delayed(work)(*call) for call in calls))


def type_one(n_splits: int, folder: Path) -> None:
    """Make the tables of the rejections of real test users."""
    calls = [(name, seed) for name in DATA for seed in range(n_splits)]
    trials = pd.DataFrame(spread(one_test_user, calls))
    trials["data"] = [name for name, _ in calls]
    trials["all"] = "all"
    show("Rejections of real users, all data", type_one_table(trials, "all"), folder, "type1_all")
    show("... by data set", type_one_table(trials, "data"), folder, "type1_data")
    for kind in ("size", "popularity"):
        named = trials.sort_values(kind).assign(**{kind: trials[kind].map(dict(enumerate(FIFTHS)))})
        title = f"... by {kind} of the test user"
        show(title, type_one_table(named, kind), folder, f"type1_{kind}")


def other_judges_and_leak(n_splits: int, folder: Path) -> None:
    """Make the tables of the other judges, and of the judge that has seen the calibration users."""
    some = [(name, seed) for name in LEAKED for seed in range(n_splits)]
    others = []
    for family in ("item-knn", "svd"):
        found = spread(one_test_user, [(*call, family) for call in some])
        others.append(pd.DataFrame(found).assign(judge=family))
    show("... other judges", type_one_table(pd.concat(others), "judge"), folder, "type1_judges")
    leaked = pd.DataFrame(spread(one_test_user, [(*call, "ease", True) for call in some]))
    leaked["data"] = [name for name, _ in some]
    show("... planted leak: must be outside", type_one_table(leaked, "data"), folder, "type1_leak")


def split_of(name: str, seed: int) -> JudgedSplit:
    """Judge one random split of a data set."""
    return judged_split(DATA[name], seed=seed)


def power(judged: dict[str, list[JudgedSplit]], folder: Path) -> pd.DataFrame:
    rows = []
    for name, splits in judged.items():
        shares = pd.DataFrame([flagged_shares(one, seed=n) for n, one in enumerate(splits)])
        cells = {c: f"{shares[c].mean():.3f} ({shares[c].sem():.3f})" for c in COLUMNS}
        rows.append({"data": name, **cells})
    table = pd.DataFrame(rows)
    show("Share flagged at .05 (standard error over splits)", table, folder, "power")
    return table


def discoveries(judged: dict[str, list[JudgedSplit]], repeats: int, folder: Path) -> None:
    rows = []
    for name, splits in judged.items():
        found = np.array(
            [
                [false_discoveries(one, seed) for seed in range(max(1, repeats // len(splits)))]
                for one in splits
            ]
        )  # (n_splits, repeats of a split, 2)
        false = found[:, :, 0].mean(axis=1)  # repeats of one split share its judge
        error = false.std(ddof=1) / np.sqrt(len(splits))
        rows.append(
            {
                "data": name,
                "repeats": found.shape[0] * found.shape[1],
                "mean FDP at q = .1": f"{false.mean():.3f} (s.e. {error:.3f})",
                "of planted users found": f"{found[:, :, 1].mean():.3f}",
            }
        )
    show("False discoveries, a fifth half swapped", pd.DataFrame(rows), folder, "fdp")


def certified(judged: dict[str, list[JudgedSplit]], repeats: int, folder: Path) -> None:
    rows = []
    for name, splits in judged.items():
        for share in (0.0, 0.1, 0.3):
            bounds = np.array(
                [
                    certified_share(one, share, seed)
                    for one in splits
                    for seed in range(max(1, repeats // len(splits)))
                ]
            )
            above = int(np.sum(bounds > share))
            rows.append(
                {
                    "data": name,
                    "true share": share,
                    "bound above it": f"{above} of {bounds.size}",
                    "allowed": binomial_limits(bounds.size, 0.05)[1],
                    "median bound": f"{np.median(bounds):.3f}",
                }
            )
    show("Certified share of unrealistic users", pd.DataFrame(rows), folder, "certified")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--out", type=Path, required=True, help="folder for tables and figure")
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--quick", action="store_true", help="a tenth of the repeats")
    parser.add_argument("--draw", action="store_true", help="draw tables of an earlier run only")
    options = parser.parse_args()
    if options.draw:
        draw(options.out)
        files = [options.out / f"ladder_{name}.csv" for name in SETS]
        tables = {
            file.stem: pd.read_csv(file, index_col="metric") for file in files if file.is_file()
        }
        draw_ladder(tables, options.out / "ladder.png")
        return
    if options.data is None:
        parser.error("--data is needed, unless with --draw")
    options.out.mkdir(parents=True, exist_ok=True)
    fraction = 10 if options.quick else 1
    started = time.perf_counter()

    def clock() -> None:
        print(f"[{(time.perf_counter() - started) / 60:.1f} minutes]", flush=True)

    DATA.update({name: load(name, options.data) for name in SETS})
    if "type1" in options.parts:
        type_one(200 // fraction, options.out)
        clock()
    if "judges" in options.parts:
        other_judges_and_leak(50 // fraction, options.out)
        clock()
    if "power" in options.parts:
        # Seeds that no choice about the judge was made on.
        n_splits = max(2, 10 // fraction)
        calls = [(name, seed) for name in SETS for seed in range(400, 400 + n_splits)]
        found = spread(split_of, calls)
        judged = {
            name: [one for (of, _), one in zip(calls, found, strict=True) if of == name]
            for name in SETS
        }
        power(judged, options.out)
        discoveries(judged, 200 // fraction, options.out)
        certified(judged, 500 // fraction, options.out)
        if all((options.out / f"{name}.csv").is_file() for name in TABLES):
            draw(options.out)
        clock()
    if "coverage" in options.parts:
        table = coverage_of_intervals(100 // fraction)
        show("Coverage of 95% intervals", table, options.out, "coverage")
        clock()
    if "ladder" in options.parts:
        tables = {}
        for name in SETS if not options.quick else SETS[:2]:
            tables[name] = ladder(DATA[name], seed=0)
            title = f"What each metric sees: {name}"
            show(title, tables[name].reset_index(), options.out, f"ladder_{name}")
        draw_ladder(tables, options.out / "ladder.png")
        clock()


if __name__ == "__main__":
    main()
