"""Audits in parts: the numbers of one table, whatever the blocks, the order and the workers."""

import itertools
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cornac_mle import Profiles, audit
from cornac_mle.files.partitions import Manifest, missing_partitions, write_users
from cornac_mle.metrics import (
    MMD,
    MissingShare,
    NeighbourPrecision,
    PlausibilityKS,
    PopularityJS,
    UnrealisticShare,
    UnrealisticUsers,
)
from cornac_mle.metrics.example import example_users
from cornac_mle.partial import Block, Plan, in_order, map_block, merge, sums
from cornac_mle.partial.sums import p_values_of_ranks, rank_counts
from worlds import taste_world

WORLD = taste_world(900, n_items=60, mean_size=8, seed=3)
FRAME = WORLD.to_frame()[["user", "item"]]
USERS = list(WORLD.user_ids)
REAL, TRAIN = (
    FRAME[FRAME["user"].isin(USERS[a:b])].reset_index(drop=True) for a, b in ((0, 300), (300, 500))
)
SYNTHETIC = WORLD[500:]
OF_TABLES = ("value", "low", "high", "p_value", "ceiling", "floor", "normalised", "loss")
FEW = [UnrealisticUsers(), PlausibilityKS(n_permutations=99), PopularityJS()]
COUNTS = ("n_real", "n_synthetic", "n_left_out", "minimum_detectable")


class Here:
    """An engine that does what it is asked at once."""

    def submit(self, function, /, *arguments):
        future = Future()
        future.set_result(function(*arguments))
        return future


def written(folder, users=SYNTHETIC, partition_users=150):
    """Write users in partitions, as `sample` does."""
    manifest = Manifest(len(users), partition_users, {})
    items = users.item_ids.to_numpy()
    for number in missing_partitions(folder, manifest):
        rows = manifest.users_of(number)
        part = users.matrix[rows.start : rows.stop]
        write_users(folder / manifest.names[number], [part], items, first_user=rows.start)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return written(tmp_path_factory.mktemp("made") / "made")


def assert_same(in_parts, of_table):
    """Whether two reports say the same."""
    one, other = (report.scores.set_index("metric") for report in (in_parts, of_table))
    assert list(one.index) == list(other.index)
    for name in (*OF_TABLES, *COUNTS):
        # Sums of fractions (CopiedUsers) are added in another order.
        np.testing.assert_allclose(
            one[name].astype(float), other[name].astype(float), rtol=1e-12, atol=1e-14, err_msg=name
        )
    exact = one.index != "CopiedUsers"
    pd.testing.assert_frame_equal(one[exact], other[exact], check_exact=True)
    assert in_parts.gallery == of_table.gallery
    assert in_parts.curves == of_table.curves
    pd.testing.assert_frame_equal(in_parts.preferences, of_table.preferences)
    for name in ("dropped", "alerts", "cautions", "groups"):
        assert getattr(in_parts, name) == getattr(of_table, name), name


@pytest.mark.parametrize("train", [None, TRAIN], ids=["without training users", "with them"])
def test_the_numbers_are_those_of_one_table(made, train):
    of_table = audit(REAL, {"made": made}, train=train)
    in_parts = audit(REAL, {"made": made}, train=train, engine=Here())
    assert len(in_parts.scores) == (7 if train is None else 9)
    assert_same(in_parts, of_table)
    assert in_parts.notes[0] == of_table.notes[0]
    assert in_parts.notes[1] == (
        "made: 400 users in 3 partitions; values of single users, and the users themselves, are "
        "not kept"
    )
    assert (in_parts.synthetic, len(in_parts.per_user)) == ({}, 0)


@pytest.mark.parametrize("drop", ["evidence", "drop"])
def test_odd_users_and_items_are_counted_alike(tmp_path, drop):
    # Short users, users without items, items that no real user holds, the same row twice.
    matrix = SYNTHETIC.matrix[:200].tolil()
    matrix[0], matrix[7, 1:], matrix[160], matrix[3], matrix[90] = 0, 0, 0, 0, 0
    matrix[[3, 90], SYNTHETIC.item_ids.get_loc("i5")] = 1
    users = SYNTHETIC[:200]
    users = replace(
        users,
        matrix=matrix.tocsr(),
        item_ids=users.item_ids.map(
            lambda item: "new" if item == "i5" else "newer" if item == "i6" else item
        ),
    )
    real = REAL[~REAL["item"].isin(["i5", "i6"])]
    folder = written(tmp_path / "odd", users, 80)
    for part in folder.glob("part-000001*"):
        table = pd.read_parquet(part)
        pd.concat([table, table.head(3)]).to_parquet(part, index=False)
    given = {"unknown_items": drop, "min_items": 4, "metrics": FEW}
    of_table = audit(real, {"odd": folder}, **given)
    in_parts = audit(real, {"odd": folder}, engine=Here(), **given)
    assert_same(in_parts, of_table)
    assert in_parts.dropped["repeated pairs (odd)"] == 3
    unknown = in_parts.unknown_items["odd"].to_dict()
    assert unknown == of_table.unknown_items["odd"].to_dict()
    assert set(unknown) == {"new", "newer"}
    lost = in_parts.dropped.get("users of no item that a real user holds, as was asked (odd)")
    assert lost == (2 if drop == "drop" else None)


def test_users_below_a_threshold_are_counted_alike(tmp_path):
    frame = SYNTHETIC.to_frame()
    users = Profiles.from_frame(frame.assign(rating=1 + pd.factorize(frame["user"])[0] % 3))
    folder = written(tmp_path / "own", users, 80)
    given = {"rating_threshold": 2, "metrics": FEW}
    real = REAL.assign(rating=3.0)
    of_table = audit(real, {"own": folder}, **given)
    in_parts = audit(real, {"own": folder}, engine=Here(), **given)
    assert_same(in_parts, of_table)
    assert in_parts.dropped["users without a rating of 2 or more (own)"] > 0


def test_partitions_of_another_tool(tmp_path):
    frame = SYNTHETIC.to_frame().rename(columns={"user": "userId", "item": "movieId"})
    frame["rating"] += np.arange(len(frame)) % 4
    place = pd.factorize(frame["userId"])[0] % 3
    for number in range(3):
        frame[place == number].to_parquet(tmp_path / f"{number}.snappy.parquet")
    frame.head(0).to_parquet(tmp_path / "3.snappy.parquet")  # as Spark leaves some
    frame[place == 0].head(2).assign(userId=["x", "y"], rating=1.0).to_parquet(
        tmp_path / "4.snappy.parquet"
    )
    real = REAL.assign(rating=3.0)
    of_table = audit(real, {"theirs": tmp_path}, rating_threshold=2, metrics=FEW)
    in_parts = audit(real, {"theirs": tmp_path}, rating_threshold=2, metrics=FEW, engine=Here())
    assert_same(in_parts, of_table)
    assert "movieId" in in_parts.notes[0]
    assert in_parts.dropped["users without a rating of 2 or more (theirs)"] >= 2


def test_fewer_synthetic_than_real_users(tmp_path):
    folder = written(tmp_path / "few", SYNTHETIC[:50], 20)
    assert_same(
        audit(REAL, {"few": folder}, metrics=FEW, engine=Here()),
        audit(REAL, {"few": folder}, metrics=FEW),
    )


def test_metrics_that_are_not_sums_are_named_not_guessed(made):
    metrics = [UnrealisticUsers(conditional=True), MMD(), NeighbourPrecision(), UnrealisticShare()]
    of_table = audit(REAL, {"made": made}, metrics=metrics)
    in_parts = audit(REAL, {"made": made}, metrics=[*metrics, MissingShare()], engine=Here())
    one, other = (report.scores.set_index("metric") for report in (in_parts, of_table))
    assert list(one.index) == list(other.index)
    np.testing.assert_allclose(one["value"], other.loc[one.index, "value"], rtol=1e-9, atol=1e-12)
    lost = one.index[one["p_value"].isna() & other.loc[one.index, "p_value"].notna()]
    assert set(lost) == {"UnrealisticUsers@0.05 (conditional)", "MMD"}
    assert f"made: no p-value is given of {', '.join(lost)}" in in_parts.notes
    reason = in_parts.cautions["MissingShare"]
    assert reason == "not asked of partitions: MissingShare takes all synthetic users at once"


def test_two_sets_are_two_rows(made, tmp_path):
    other = written(tmp_path / "other", WORLD[400:800], 300)
    report = audit(REAL, {"one": made, "other": other}, metrics=[PlausibilityKS()], engine=Here())
    assert list(report.scores["model"]) == ["one", "other"]
    assert set(report.preferences["model"]) == {"one", "other"}


def blocks_of(plan, cuts):
    """Partials of the users of the example, cut at some rows."""
    _, synthetic = example_users()
    edges = [0, *cuts, len(synthetic)]
    found = []
    for number, (start, stop) in enumerate(itertools.pairwise(edges)):
        rows = np.arange(start, stop)
        block = Block(number, synthetic[rows], rows, np.flatnonzero(rows % 3 == 0))
        found.append(map_block(plan, block))
    return found


def test_the_order_of_merges_does_not_matter(monkeypatch):
    monkeypatch.setattr(sums, "MOST_WORST", 7)
    evaluator, synthetic = example_users()
    plan = Plan.of(evaluator, [])
    one, two, three = blocks_of(plan, [60, 61])
    whole = blocks_of(plan, [])[0]
    for merged in (merge(merge(one, two), three), merge(three, merge(two, one))):
        for name, counts in whole.ranks.items():
            np.testing.assert_array_equal(merged.ranks[name], counts)
        for name in ("item_counts", "sizes", "pairs"):
            np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name))
        assert merged.identical == whole.identical
        assert merged.worst.places.tolist() == whole.worst.places.tolist()
        assert len(merged.worst.places) == 7
        assert (merged.worst.matrix != whole.worst.matrix).nnz == 0
        assert sorted(merged.picked.places) == list(range(0, 200, 3))
        np.testing.assert_array_equal(merged.copying.similarity, whole.copying.similarity)
        np.testing.assert_allclose(merged.copying.weights, whole.copying.weights, rtol=1e-12)
    assert whole.sizes.sum() == whole.n_users == len(synthetic)
    assert whole.item_counts.tolist() == synthetic.item_counts.tolist()


def test_a_block_does_not_count_twice():
    evaluator, _ = example_users()
    one, _ = blocks_of(Plan.of(evaluator, []), [60])
    with pytest.raises(ValueError, match="must be of other blocks; got a block twice"):
        merge(one, one)


def test_a_histogram_of_ranks_holds_all_p_values():
    from scipy.stats import false_discovery_control

    from cornac_mle.stats.conformal import conformal_p_values

    random = np.random.default_rng(1)
    scores, calibration = random.integers(0, 30, 500) - 3.0, random.integers(0, 40, 80) * 1.0
    counts = rank_counts(scores, calibration)
    p_values, q_values = p_values_of_ranks(counts)
    expected = conformal_p_values(scores, calibration)
    np.testing.assert_array_equal(np.sort(expected), np.repeat(p_values, counts))
    np.testing.assert_array_equal(
        np.sort(false_discovery_control(expected)), np.repeat(q_values, counts)
    )


def test_results_come_in_order_and_few_are_under_way():
    class Counting(ThreadPoolExecutor):
        open_, most = 0, 0

        def submit(self, function, /, *arguments):
            self.open_ += 1
            self.most = max(self.most, self.open_)
            return super().submit(function, *arguments)

    with Counting(3) as pool:
        found = []
        for power in in_order(pool, pow, 2, range(100)):
            pool.open_ -= 1
            found.append(power)
    assert found == [2**number for number in range(100)]
    assert pool.most == 16


def test_a_user_of_two_partitions_is_refused(tmp_path):
    frame = SYNTHETIC.to_frame()
    half = len(frame) // 2 + 1
    frame[:half].to_parquet(tmp_path / "a.parquet")
    frame[half - 1 :].assign(item=lambda rows: rows["item"] + "x").to_parquet(
        tmp_path / "b.parquet"
    )
    rule = r"`made` must hold each user in one partition; got user .* in a.parquet and b.parquet\."
    with pytest.raises(ValueError, match=rule):
        audit(REAL, {"made": tmp_path}, engine=Here())


def test_partitions_of_different_columns_are_refused(tmp_path):
    frame = SYNTHETIC.to_frame()
    place = pd.factorize(frame["user"])[0] % 2
    frame[place == 0].to_parquet(tmp_path / "a.parquet")
    frame[place == 1].rename(columns={"rating": "count"}).to_parquet(tmp_path / "b.parquet")
    rule = (
        r"`made` must have the columns of a.parquet, user, item, rating; got .*count in b.parquet"
    )
    with pytest.raises(ValueError, match=rule):
        audit(REAL, {"made": tmp_path}, engine=Here())


def test_partitions_that_change_are_refused(tmp_path):
    folder = written(tmp_path / "made")

    def spoil(text):
        if text == "judge of plausibility":
            (folder / "part-000001.parquet").write_bytes(
                (folder / "part-000002.parquet").read_bytes()
            )

    with pytest.raises(ValueError, match=r"`partitions` must stay as they were.*Start again"):
        audit(REAL, {"made": folder}, engine=Here(), on_step=spoil)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("nothing", ValueError, "must be a file, or a folder of .parquet files; got a folder"),
        ("a.csv", ValueError, "must be a folder of Parquet partitions, or one file of them"),
        ("none.parquet", FileNotFoundError, "none.parquet"),
        (SYNTHETIC, TypeError, "must be a folder of Parquet partitions, where workers share"),
    ],
)
def test_what_are_no_partitions(tmp_path, name, error, message):
    (tmp_path / "nothing").mkdir()
    (tmp_path / "a.csv").write_text("user,item\na,b\n")
    source = tmp_path / name if isinstance(name, str) else name
    with pytest.raises(error, match=message):
        audit(REAL, {"made": source}, engine=Here())


def test_items_that_nobody_real_holds_alone(tmp_path):
    users = replace(SYNTHETIC, item_ids=SYNTHETIC.item_ids + "x")
    folder = written(tmp_path / "made", users)
    for drop in ("evidence", "drop"):
        with pytest.raises(ValueError, match=r"`made` must hold an item of `real`"):
            audit(REAL, {"made": folder}, engine=Here(), unknown_items=drop)


def test_users_who_are_all_too_small(made):
    large = taste_world(300, n_items=60, mean_size=30, seed=5).to_frame()[["user", "item"]]
    with pytest.raises(ValueError, match=r"`made` must hold users of at least 25 items; got none"):
        audit(large, {"made": made}, engine=Here(), min_items=25)
