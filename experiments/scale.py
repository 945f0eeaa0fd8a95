"""What does an audit cost that is shared by workers, a user and an item, and how much memory?

Real users of eight tastes over items of skewed popularity: 1,000 training, 1,000 reference and
1,000 held-out ones, 15 items each. `cornac-mle sample --out FOLDER/` draws users of independent
popularity in partitions, `cornac-mle audit --dask` holds them against the real ones on a local
cluster of two workers of one thread each, with all default metrics, training users among them.
Workers keep the memory that they free, unless with `--dask-memory`, as Dask starts them.

Memory is the sum of the resident sets of all processes, scheduler and workers included, at its
peak; processor time is that of all of them together.

Two parts of it are timed alone: what a worker does with one block of users, by the number of items,
and the last step, in which one process makes measurements of what is known of all blocks.

Command: python experiments/scale.py --users 1000 20000 100000 1000000 10000000
    python experiments/scale.py --items 1000 2000 10000 100000
    python experiments/scale.py --finish 10000000
    python experiments/scale.py --draw
Minutes: 6, 2 and 4 on two cores with nothing else to do; 27 for ten million users.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import scipy.sparse as sp
from distributed import LocalCluster
from matplotlib.ticker import EngFormatter, NullFormatter

from cornac_mle.comparison import default_metrics
from cornac_mle.files.partitions import PARTITION_USERS
from cornac_mle.metrics.base import RealismMetric
from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.membership_attacks import MOST_JUDGING
from cornac_mle.null_models.corruption import popularity_draws
from cornac_mle.partial.block import Block, Plan, map_block
from cornac_mle.partial.scan import user_order
from cornac_mle.partial.sums import Kept
from cornac_mle.partial.whole import Whole
from cornac_mle.profiles import Profiles
from cornac_mle.report.style import POPULARITY, look, new_figure, save, styled

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "scale.csv"
PICTURE = HERE / "pictures" / "scale.png"
COMMON_ITEMS, BLOCK_USERS = 2_000, 4_096
AUDIT, DASK_AUDIT = "audit", "audit, Dask's memory"
STAGES = {
    "sample": "sample",
    AUDIT: "audit, two workers",
    DASK_AUDIT: "audit, workers as Dask starts them",
    "block": "a worker, one block",
    "finish": "the last step",
}
N_TASTES, GROUP_USERS, WORKERS = 8, 1_000, 2
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
KEPT_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "268435456", "MALLOC_MMAP_THRESHOLD_": "33554432"}
"""Bytes up to which a worker keeps what it frees: by default Dask has it give all back at once, and
half of the work is to ask for it again."""
COMMAND_LINE = "from cornac_mle.cli import main; main()"
SECONDS = 0.5
"""Between two looks at the processes."""


def real_users(n_items: int, seed: int) -> Profiles:
    """Draw three times `GROUP_USERS` users of eight tastes, in random order."""
    random = np.random.default_rng(seed)
    popularity = random.lognormal(sigma=1.5, size=n_items)
    parts = []
    for n_users in np.full(N_TASTES, 3 * GROUP_USERS // N_TASTES):
        weights = popularity * random.gamma(0.3, size=n_items) + 1e-9
        sizes = np.clip(random.lognormal(2.5, 0.6, n_users).round(), 3, n_items // 4).astype(int)
        parts.append(popularity_draws(weights, sizes, rng=random))
    matrix = sp.csr_array(sp.vstack(parts, format="csr"))[random.permutation(3 * GROUP_USERS)]
    items = pd.Index([f"i{item}" for item in range(n_items)])
    return Profiles(matrix, pd.Index([f"u{user}" for user in range(3 * GROUP_USERS)]), items)


def write_real(folder: Path, n_items: int, seed: int) -> None:
    """Write real.csv, twice `GROUP_USERS` users, and train.csv."""
    users = real_users(n_items, seed)
    for name, part in (("train", users[:GROUP_USERS]), ("real", users[GROUP_USERS:])):
        part.to_frame()[["user", "item"]].to_csv(folder / f"{name}.csv", index=False)


class Watch(threading.Thread):
    """Watches this process and all below it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.cpu: dict[int, float] = {}
        self.peak = 0
        self.look()
        self.before = dict(self.cpu)
        self.peak = 0

    def look(self) -> None:
        """Note processor time and memory."""
        total = 0
        own = psutil.Process()
        for process in (own, *own.children(recursive=True)):
            try:
                times, memory = process.cpu_times(), process.memory_info().rss
            except psutil.Error:
                continue
            self.cpu[process.pid] = times.user + times.system
            total += memory
        self.peak = max(self.peak, total)

    def run(self) -> None:
        """Look until it has ended."""
        while not self.ended.wait(SECONDS):
            self.look()


def measured(*command: str) -> dict[str, float]:
    """Run the command line; give its seconds, processor seconds and peak memory."""
    watch, started = Watch(), time.monotonic()
    watch.start()
    run = subprocess.run(
        [sys.executable, "-c", COMMAND_LINE, *command],
        env=os.environ | ONE_THREAD,
        check=False,
        capture_output=True,
        text=True,
    )
    watch.look()
    watch.ended.set()
    watch.join()
    if run.returncode:
        raise SystemExit(run.stderr)
    spent = sum(watch.cpu.values()) - sum(watch.before.values())
    return {
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(spent, 1),
        "peak_mib": round(watch.peak / 2**20),
    }


def rows_of(
    stage: str, address: str, folder: Path, n_users: int, n_items: int
) -> list[dict[str, float]]:
    """Sample and audit so many users over so many items."""
    place = folder / f"{n_users}-{n_items}"
    place.mkdir()
    write_real(place, n_items, seed=n_items)
    out = place / "made"
    sampled = measured(
        *("sample", "--model", "popularity", "--data", str(place / "train.csv")),
        *("--n", str(n_users), "--out", str(out)),
    )
    audited = measured(
        *("audit", "--real", str(place / "real.csv"), "--train", str(place / "train.csv")),
        *("--synthetic", str(out), "--dask", address, "--quiet", "--out", str(place / "runs")),
    )
    size = sum(path.stat().st_size for path in out.iterdir())
    shared = {"n_users": n_users, "n_items": n_items, "bytes": size}
    return [{"stage": "sample", **shared, **sampled}, {"stage": stage, **shared, **audited}]


def evaluator_and_plan(n_items: int) -> tuple[Evaluator, Plan, list[RealismMetric]]:
    """Fit the judges, as an audit does."""
    real = real_users(n_items, seed=n_items)
    groups = (real[start : start + GROUP_USERS] for start in range(0, len(real), GROUP_USERS))
    evaluator = Evaluator.fit(*groups, rng=1, min_items=2, unseen_is_evidence=True)
    metrics = [one for one in default_metrics() if isinstance(one, RealismMetric)]
    return evaluator, Plan.of(evaluator, metrics), metrics


def popular_users(evaluator: Evaluator, n_users: int) -> Profiles:
    """Draw users of independent popularity."""
    random, seen = np.random.default_rng(3), evaluator.seen
    sizes = random.choice(seen.sizes, n_users)
    drawn = popularity_draws(seen.item_counts, sizes, rng=random)
    return Profiles.from_matrix(drawn, seen.item_ids)


def block_row(n_items: int, n_users: int) -> dict[str, float]:
    """Take the processor time of one block on a worker, the shortest of three."""
    evaluator, plan, _ = evaluator_and_plan(n_items)
    block = Block(0, popular_users(evaluator, n_users), np.arange(n_users), np.arange(0))
    spent = []
    for _ in range(3):
        started = time.process_time()
        map_block(plan, block)
        spent.append(time.process_time() - started)
    return {"stage": "block", "n_users": n_users, "n_items": n_items, "cpu_seconds": min(spent)}


def finish_row(n_users: int, n_items: int) -> dict[str, float]:
    """Take the time and memory of all that one process does with what is known of the blocks.

    Of `n_users` users in blocks that are copies of one, with scores of their own: that all users
    are put in order, half-splits, measurements, users to look at. Whom half-splits take are users
    of that block.
    """
    evaluator, plan, metrics = evaluator_and_plan(n_items)
    users = popular_users(evaluator, PARTITION_USERS)
    known = map_block(plan, Block(0, users, np.arange(PARTITION_USERS), np.arange(0)))
    n_blocks = -(-n_users // PARTITION_USERS)
    n_users = n_blocks * PARTITION_USERS
    ids = [
        pa.array([f"s{user}" for user in range(first, first + PARTITION_USERS)], pa.large_string())
        for first in range(0, n_users, PARTITION_USERS)
    ]
    random = np.random.default_rng(1)
    scores = {
        number: known.scores[0] + 0.01 * random.standard_normal(PARTITION_USERS)
        for number in range(n_blocks)
    }
    before = peak_mib()
    started = time.process_time()
    order = user_order("made", pa.chunked_array(ids), [], [np.ones(len(one)) for one in ids])
    places = np.empty(n_users, dtype=np.intp)
    places[order] = np.arange(n_users)
    splits = evaluator.splits(evaluator.half_size(n_users), n_users)
    taken = np.unique(np.concatenate([split.other for split in splits]))
    teachers = np.union1d(taken, np.arange(MOST_JUDGING))
    rows = teachers % PARTITION_USERS
    names = np.array([f"s{place}" for place in teachers], dtype=object)
    kept = Kept(teachers, known.scores[0][rows], names, users.matrix[rows])
    partial = replace(
        known,
        scores=scores,
        ranks={name: n_blocks * counts for name, counts in known.ranks.items()},
        item_counts=n_blocks * known.item_counts,
        sizes=n_blocks * known.sizes,
        identical={name: n_blocks * count for name, count in known.identical.items()},
        pairs=n_blocks * known.pairs,
        copying=replace(
            known.copying,
            weights=n_blocks * known.copying.weights,
            n_train_nearest=n_blocks * known.copying.n_train_nearest,
        ),
        picked=kept,
    )
    blocks = tuple(
        Block(number, users, part, np.arange(0))
        for number, part in enumerate(np.split(places, n_blocks))
    )
    found = Whole(evaluator, plan, blocks, splits, taken, partial)
    for metric in metrics:
        found.measure(metric, seed=1)
    found.gallery({})
    found.curves()
    found.worst_preferences()
    return {
        "stage": "finish",
        "n_users": n_users,
        "n_items": n_items,
        "cpu_seconds": round(time.process_time() - started, 1),
        "peak_mib": peak_mib(),
        "before_mib": before,
    }


def peak_mib() -> int:
    """Largest memory of this process so far."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def draw(table: pd.DataFrame) -> None:
    """Draw processor time a user, by users and by items, and memory by users."""
    table = table.assign(cost=1e6 * table["cpu_seconds"] / table["n_users"])
    with styled():
        figure = new_figure(14, 4.2)
        axes = figure.subplots(1, 3)
        for place, (stage, label) in enumerate(STAGES.items()):
            style, own = look(place), table[table["stage"] == stage]
            by_users = own[own["n_items"] == COMMON_ITEMS].sort_values("n_users")
            drawn = [(axes[2], by_users, "n_users", "peak_mib")]
            if stage == "block":
                by_items = own[own["n_users"] == BLOCK_USERS].sort_values("n_items")
                drawn = [(axes[1], by_items, "n_items", "cost")]
            else:
                drawn.append((axes[0], by_users, "n_users", "cost"))
            for axis, part, against, column in drawn:
                line = style.line(label)
                axis.loglog(part[against], part[column], marker=style.marker, **line)
        for axis in (axes[0], axes[1]):
            axis.set_ylabel("processor time a user, µs")
        axes[2].set_ylabel("memory of all processes, MiB")
        axes[2].axhline(4096, lw=1, color=POPULARITY, label="4 GiB")
        for axis in (axes[0], axes[2]):
            axis.set_xlabel(f"synthetic users, {COMMON_ITEMS:,} items")
        axes[1].set_xlabel(f"items, a block of {BLOCK_USERS:,} users")
        for axis in axes:
            for side in (axis.xaxis, axis.yaxis):
                side.set_major_formatter(EngFormatter(sep=""))
                side.set_minor_formatter(NullFormatter())
            axis.legend()
        axes[1].set_ylim(100, 1000)
        axes[2].set_ylim(300, 10_000)
        figure.set_label("Cost and memory of a shared audit")
        save(figure, PICTURE)


def keep(rows: list[dict[str, float]]) -> None:
    """Put rows into the table, in the place of those of the same stage and size."""
    print(pd.DataFrame(rows).to_string(index=False), flush=True)
    known = pd.read_csv(RESULTS) if RESULTS.exists() else pd.DataFrame()
    table = pd.concat([known, pd.DataFrame(rows)], ignore_index=True)
    table = table.drop_duplicates(["stage", "n_users", "n_items"], keep="last")
    table.sort_values(["stage", "n_items", "n_users"]).to_csv(RESULTS, index=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, nargs="*", default=[], help="Sample and audit.")
    parser.add_argument("--items", type=int, nargs="*", default=[], help="Time one block.")
    parser.add_argument("--finish", type=int, help="Time the last step for so many users.")
    parser.add_argument("--dask-memory", action="store_true", help="As Dask starts workers.")
    parser.add_argument("--draw", action="store_true", help="Draw the table that is there.")
    asked = parser.parse_args()
    os.environ.update(ONE_THREAD | ({} if asked.dask_memory else KEPT_MEMORY))
    for n_items in asked.items:
        keep([block_row(n_items, BLOCK_USERS)])
    if asked.finish:
        keep([finish_row(asked.finish, COMMON_ITEMS)])
    if asked.users:
        with (
            tempfile.TemporaryDirectory() as folder,
            LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as made,
        ):
            made.wait_for_workers(WORKERS)
            stage, address = DASK_AUDIT if asked.dask_memory else AUDIT, made.scheduler_address
            for n_users in asked.users:
                keep(rows_of(stage, address, Path(folder), n_users, COMMON_ITEMS))
    draw(pd.read_csv(RESULTS))


if __name__ == "__main__":
    main()
