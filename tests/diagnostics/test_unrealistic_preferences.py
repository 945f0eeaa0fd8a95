from importlib import import_module

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy import stats

from cornac_mle.diagnostics.flagged_users import flagged_users
from cornac_mle.diagnostics.unrealistic_preferences import unrealistic_preferences
from cornac_mle.metrics import Evaluator
from cornac_mle.null_models.corruption import popularity_draws, swap
from cornac_mle.plausibility.preference_p_values import (
    PEELING_ROUNDS,
    JudgedPreferences,
    PreferenceCells,
    peel,
    preference_p_values,
)
from cornac_mle.profiles import Profiles, ids_index
from cornac_mle.stats.conformal import merged_cells
from worlds import checkerboard, profiles, taste_world

module = import_module("cornac_mle.diagnostics.unrealistic_preferences")


@pytest.fixture(scope="module")
def world():
    return taste_world(6400, mean_size=18, seed=3)


@pytest.fixture(scope="module")
def evaluator(world):
    return Evaluator.fit(None, world[:300], world[range(300, 500)], rng=1)


@pytest.fixture(scope="module")
def fresh(world):
    """Users of no group."""
    return world[500:]


@pytest.fixture(scope="module")
def swapped(world, fresh):
    """The first 150 of them with a quarter of their items planted, dressed as synthetic."""
    matrix = swap(fresh.matrix[:150], 0.25, popularity=world.item_counts, rng=4)
    return Profiles.from_matrix(matrix, world.item_ids)


@pytest.fixture(scope="module")
def table(evaluator, swapped):
    return unrealistic_preferences(evaluator, swapped, worst=None)


# ------------------------------------------------------------------------------------------- cells


def test_a_user_in_two_bins_counts_once_where_they_merge():
    members = np.array([[1, 1, 0, 1], [1, 1, 1, 1]], dtype=bool)  # 2, 2, 1, 2 members
    assert merged_cells(members, 2).tolist() == [0, 1, 2, 2]
    assert merged_cells(members[:, [2, 0, 1, 3]], 2).tolist() == [0, 0, 1, 2]
    assert merged_cells(members, 3).tolist() == [0, 0, 0, 0]  # 2 users are never 3
    assert merged_cells(np.eye(5, dtype=bool), 2).tolist() == [0, 0, 1, 1, 1]


def test_cells_by_hand():
    """Sizes 1 x 50 and 3 x 50; item 0 is held by all, items 1 and 2 by the large users only."""
    reference = np.zeros((100, 4), dtype=np.float32)
    reference[:, 0] = 1
    reference[50:, 1:3] = 1
    reference = sp.csr_array(reference)
    cells = PreferenceCells.fit(reference, 100)  # 19 users a cell are wanted
    small, large = cells.of(sp.csr_array([[1, 0, 0, 0]])), cells.of(sp.csr_array([[1, 1, 1, 0]]))
    assert small.tolist() == [0]  # the small users hold no rare item: one cell
    assert large[1] == large[2] == 1
    assert large[0] == 2
    assert cells.of(sp.csr_array([[0, 1, 1, 1]])).tolist() == [1, 1, 1]  # an item nobody holds
    few = PreferenceCells.fit(reference, 30)  # 15 users of each size: one bin of size
    assert few.of(sp.csr_array([[1, 0, 0, 0]]))[0] == few.of(sp.csr_array([[1, 1, 1, 0]]))[0]
    assert few.of(sp.csr_array([[1, 1, 1, 0]])).tolist() == [0, 0, 0]  # 15 users with a rare item
    some = PreferenceCells.fit(reference, 38)  # exactly 19 of each size
    assert some.of(sp.csr_array([[1, 1, 1, 0]])).tolist() == large.tolist()
    empty = sp.csr_array(sp.vstack([sp.csr_array((70, 4)), reference]))
    assert np.array_equal(PreferenceCells.fit(empty, 100).size_edges, cells.size_edges)
    assert np.array_equal(PreferenceCells.fit(empty, 30).cells, few.cells)
    assert PreferenceCells.fit(reference[:1], 5).of(reference[99:]).tolist() == [0, 0, 0]


# ---------------------------------------------------------------------------------------- p-values


def naive_p_values(judged, calibration):
    """p-values by the definition, in plain Python."""

    def share(preferences, user, cell, score):
        own = [
            s
            for u, c, s in zip(preferences.user, preferences.cell, preferences.score, strict=True)
            if u == user and c == cell
        ]
        return sum(s <= score for s in own) / len(own)

    p_values = []
    for user, cell, score in zip(judged.user, judged.cell, judged.score, strict=True):
        others = {u for u, c in zip(calibration.user, calibration.cell, strict=True) if c == cell}
        total = sum(share(calibration, other, cell, score) for other in others)
        p_values.append((share(judged, user, cell, score) + total) / (1 + len(others)))
    return p_values


def test_p_values_are_the_naive_ones_with_ties():
    random = np.random.default_rng(1)

    def draw(n_users):
        user = np.sort(random.integers(n_users, size=80))
        scores = random.integers(8, size=80) / 4
        return JudgedPreferences(user, random.integers(3, size=80) + user % 2, scores)

    judged, calibration = draw(9), draw(20)
    judged.cell[:3] = 7  # nobody to compare with
    found = preference_p_values(judged, calibration)
    assert found == pytest.approx(naive_p_values(judged, calibration))
    assert found.max() <= 1.0
    empty = JudgedPreferences(*(np.empty(0, dtype=int),) * 2, np.empty(0))
    assert preference_p_values(empty, calibration).shape == (0,)


def one_random_preference(judged, calibration, random):
    """p-value and place of one random preference of the one user in `judged`."""
    place = random.integers(judged.score.size)
    return preference_p_values(judged, calibration)[place], place


def test_cells_and_weights_make_type_one_errors_right():
    """2,000 users of 1 or 30 items in 2 cells, against 60 others each. Criterion: p > 1e-7, 12 of
    them. Rare items (cell 0) and light users score lower: one pool, or pairs alike, is wrong.
    """
    random = np.random.default_rng(1)

    def users(count):
        size = np.where(random.random(count) < 0.8, 1, 30)
        user = np.repeat(np.arange(count), size)
        cell = random.integers(2, size=user.size)
        level = random.normal(size=count)[user] - 1.0 * (size[user] == 1) + 2.0 * cell
        return JudgedPreferences(user, cell, level + random.normal(size=user.size))

    errors = {name: [] for name in ("cells", "pool", "pairs")}
    cells = []
    for _ in range(2_000):
        judged, real = users(1), users(60)
        p_value, place = one_random_preference(judged, real, random)
        errors["cells"].append(p_value)
        cells.append(judged.cell[place])
        pool = [JudgedPreferences(p.user, 0 * p.cell, p.score) for p in (judged, real)]
        errors["pool"].append(preference_p_values(*pool)[place])
        pairs = JudgedPreferences(np.arange(real.user.size), real.cell, real.score)
        errors["pairs"].append(preference_p_values(judged, pairs)[place])
    cells = np.asarray(cells)
    for alpha in (0.05, 0.1):
        for cell in (0, 1):
            found = np.asarray(errors["cells"])[cells == cell] <= alpha
            test = stats.binomtest(int(found.sum()), found.size, alpha, alternative="greater")
            assert test.pvalue > 1e-7
            assert found.mean() > alpha / 2  # and not by saying nothing
    assert np.mean(np.asarray(errors["pool"])[cells == 0] <= 0.1) > 0.15
    assert np.mean(np.asarray(errors["pairs"]) <= 0.1) > 0.15


def test_type_one_error_by_popularity_and_size(world, evaluator, fresh):
    """3,000 real users, a random preference each, against 150 others drawn for each of them.

    Users are the trials. Criterion: p > 1e-8 for each of 24 binomial tests.
    """
    random = np.random.default_rng(2)
    matrix = fresh.matrix
    cells = PreferenceCells.fit(evaluator.reference.matrix, 150)
    assert cells.cells.max() >= 9
    judged = JudgedPreferences(
        np.repeat(np.arange(len(fresh)), fresh.sizes),
        cells.of(matrix),
        peel(matrix, evaluator.judge.log_genuine)[1],
    )

    def of_users(rows):
        taken = [np.arange(matrix.indptr[row], matrix.indptr[row + 1]) for row in rows]
        kept = np.concatenate(taken)
        return JudgedPreferences(judged.user[kept], judged.cell[kept], judged.score[kept])

    p_values, items, sizes = [], [], []
    for row in range(3_000):
        others = random.choice(len(fresh) - 1, 150, replace=False)
        others += others >= row
        p_value, place = one_random_preference(of_users([row]), of_users(others), random)
        p_values.append(p_value)
        items.append(world.item_counts[matrix.indices[matrix.indptr[row] + place]])
        sizes.append(fresh.sizes[row])
    for bins in (stats.rankdata(items), stats.rankdata(sizes)):
        fifths = np.minimum((bins - 1) * 5 // bins.size, 4)
        for alpha in (0.05, 0.1):
            for inside in (*(fifths == fifth for fifth in range(5)), fifths >= 0):
                found = np.asarray(p_values)[inside] <= alpha
                test = stats.binomtest(int(found.sum()), found.size, alpha, alternative="greater")
                assert test.pvalue > 1e-8
    assert np.mean(np.asarray(p_values) <= 0.1) > 0.07


# ----------------------------------------------------------------------------------------- peeling


def test_peeling_takes_out_what_spoils_the_rest():
    """Item 0 scores -9 and lowers items 1 to 3 from 3, 2, 1 to 1, 2, 3 while it is there.

    First round: item 0 goes, then (scores 3, 2, 1) item 3, and two items stay. A user of 30 items
    loses 3 a round: 15 in all.
    """
    calls = []

    def judge(held):
        user = np.repeat(np.arange(held.shape[0]), np.diff(held.indptr))
        calls.append(held.nnz)
        spoilt = np.zeros(held.shape[0], dtype=bool)
        spoilt[user[held.indices == 0]] = True
        scores = np.where(spoilt[user], held.indices, 4 - held.indices).astype(float)
        scores[held.indices == 0] = -9
        return scores

    one = np.zeros((2, 31), dtype=np.float32)
    one[0, :4] = 1
    one[1, 1:] = 1
    held = sp.csr_array(one)
    rounds, scores = peel(held, judge)
    assert rounds[:4].tolist() == [0, PEELING_ROUNDS, PEELING_ROUNDS, 1]
    assert scores[:4].tolist() == [-9, 3, 2, 1]
    assert np.bincount(rounds[4:]).tolist() == [3, 3, 3, 3, 3, 15]
    assert held.indices[4:][rounds[4:] == 0].tolist() == [28, 29, 30]
    assert calls == [34, 30, 26, 23, 20, 17]
    assert np.array_equal(held.toarray(), one)


def test_peeling_a_user_does_not_depend_on_the_others(evaluator, fresh):
    both = peel(fresh.matrix[:40], evaluator.judge.log_genuine)
    alone = peel(fresh.matrix[39:40], evaluator.judge.log_genuine)
    assert np.array_equal(both[0][-alone[0].size :], alone[0])
    assert both[1][-alone[0].size :] == pytest.approx(alone[1], abs=1e-4)


# ----------------------------------------------------------------------------------------- reasons


@pytest.mark.parametrize("n_reference", [80, 300])  # fewer users than items, and more
def test_weights_are_those_of_ease(n_reference):
    world = taste_world(400, mean_size=12, seed=3)
    made = Evaluator.fit(None, world[:n_reference], world[range(300, 400)], rng=1)
    counted = made.judge.predictor.reference.toarray().astype(float)
    inverse = np.linalg.inv(
        counted.T @ counted + made.judge.predictor.setting * np.eye(counted.shape[1])
    )
    random = np.random.default_rng(1)
    held, target = random.integers(120, size=(2, 500))
    held, target = held[held != target], target[held != target]
    expected = -inverse[held, target] / inverse[target, target]
    assert module._weights(made, held, target) == pytest.approx(expected, abs=1e-5)


@pytest.fixture(scope="module")
def boards():
    """Two communities of 20 items each, and 5 items that most users of both hold."""
    apart = checkerboard(400, 40, density=0.5, seed=2).matrix.toarray()
    common = np.random.default_rng(1).random((400, 5)) < 0.7
    sides = [f"{'LEFT' if item < 20 else 'RIGHT'} {item}" for item in range(40)]
    names = ids_index([*sides, *(f"COMMON {item}" for item in range(5))])
    world = Profiles.from_matrix(np.hstack([apart, common]), names, ids_index(range(400)))
    return world, Evaluator.fit(None, world[:200], world[range(200, 340)], rng=1)


def test_an_item_of_another_community_comes_first_and_the_held_items_say_why(boards):
    world, made = boards
    planted = world.matrix[340:].toarray()
    strange = np.where(np.arange(340, 400) % 2 == 0, 30, 10)  # each in the other half
    planted[np.arange(60), strange] = 1
    users = Profiles.from_matrix(planted, world.item_ids)
    found = unrealistic_preferences(made, users)
    worst = found[found["rank"] == 1]
    assert worst["item"].tolist() == list(world.item_ids.take(strange))
    assert (worst["percentile"] < 0.5).all()
    for row, (_, preference) in enumerate(worst.iterrows()):
        reasons = [reason.rsplit(" ", 1) for reason in preference["why"].split("; ")]
        held = set(world.item_ids[planted[row] > 0]) - {preference["item"]}
        assert 1 <= len(reasons) <= 3
        assert {name for name, _ in reasons} <= held
        weights = [float(weight) for _, weight in reasons]
        assert weights == sorted(weights)
        assert weights[-1] < 0
        assert "-0." not in preference["why"]


def test_what_was_taken_out_earlier_has_no_say(boards):
    """The planted item goes first, so that it is no reason against the others."""
    world, made = boards
    planted = world.matrix[340:342].toarray()
    planted[0, 30] = planted[1, 10] = 1
    users = Profiles.from_matrix(planted, world.item_ids)
    found = unrealistic_preferences(made, users, worst=None)
    left = found[(found["user"] == "s0") & (found["rank"] >= 3)]
    assert len(left) == planted[0].sum() - 2
    assert not left["why"].str.contains("RIGHT").any()


def test_items_that_nobody_knows_get_no_support():
    """Items 38 and 39 are held by no reference user: their weights are 0."""
    world = checkerboard(400, 38, seed=2)
    wider = sp.csr_array((world.matrix.data, world.matrix.indices, world.matrix.indptr), (400, 40))
    world = profiles(wider)
    made = Evaluator.fit(None, world[:200], world[range(200, 340)], rng=1)
    lone = np.zeros((1, 40), dtype=np.float32)
    lone[0, 38:] = 1
    found = unrealistic_preferences(made, Profiles.from_matrix(lone, world.item_ids))
    assert found["why"].tolist() == ["no held item supports it"] * 2


# ------------------------------------------------------------------------------------------- users


def test_false_discovery_rate(world, evaluator, fresh):
    """250 repeats of 150 held-out and 50 synthetic users, 10 of them with half their items planted.

    The mean false discovery proportion is q (1 - .2) = .08 at most; it passes .1 + 3 standard
    errors with a probability below 1e-6 (5 standard errors of .004 or more).
    """
    random = np.random.default_rng(5)
    planted = swap(fresh.matrix, 0.5, popularity=world.item_counts, rng=6)
    proportions, found = [], []
    for repeat in range(250):
        rows = random.permutation(len(fresh))[:200]
        real = evaluator.with_held_out(fresh[np.sort(rows[:150])], rng=repeat)
        mixed = sp.csr_array(sp.vstack([fresh.matrix[rows[150:190]], planted[rows[190:]]]))
        table = flagged_users(real, Profiles.from_matrix(mixed, world.item_ids), q=0.1)
        flagged = table["flagged"].to_numpy()
        proportions.append(flagged[:40].sum() / max(1, flagged.sum()))
        found.append(flagged[40:].mean())
    error = np.std(proportions, ddof=1) / np.sqrt(250)
    assert np.mean(proportions) <= 0.1 + 3 * error
    assert np.mean(found) > 0.2


def test_an_estimated_null_share_flags_more_where_much_is_wrong(evaluator, fresh, swapped):
    one = flagged_users(evaluator, swapped)
    storey = flagged_users(evaluator, swapped, null_share="storey")
    share = storey.attrs["null_share"]
    assert one.attrs["null_share"] == 1.0
    assert share < 0.9
    np.testing.assert_allclose(storey["user_q_value"], share * one["user_q_value"])
    assert storey["flagged"].sum() >= one["flagged"].sum()
    with pytest.raises(ValueError, match="`null_share` must be one of 'one', 'storey'"):
        flagged_users(evaluator, swapped, null_share="two")


def test_real_users_are_the_ceiling_and_popularity_the_floor(world, evaluator, fresh, swapped):
    real = Profiles.from_matrix(fresh.matrix[:150], world.item_ids)
    drawn = popularity_draws(world.item_counts, real.sizes, rng=1)
    shares = [
        flagged_users(evaluator, users)["flagged"].mean()
        for users in (real, swapped, Profiles.from_matrix(drawn, world.item_ids))
    ]
    assert shares == sorted(shares)
    assert shares[0] < 0.1
    assert shares[2] > 0.6


def test_planted_items_are_ranked_worst(table, swapped, fresh):
    genuine = fresh.matrix[:150].toarray() > 0
    row = table["user"].str[1:].astype(int)
    column = table["item"].map({item: place for place, item in enumerate(swapped.item_ids)})
    planted = pd.Series(~genuine[row, column])
    # Precision among as many of each user's worst as are planted; by chance about .25.
    wanted = planted.groupby(row).transform("sum")
    assert planted[table["rank"] <= wanted].mean() > 0.5
    assert table["p_value"][planted].median() < 0.15 < 0.35 < table["p_value"][~planted].median()


def test_smallest_number_that_can_be_found_is_attained_and_not_beaten(evaluator, swapped):
    found = flagged_users(evaluator, swapped, q=0.05)
    # 150 users and 200 held-out ones: k >= 150 / (.05 x 201) = 14.9.
    assert found.attrs["minimum_detectable_users"] == 15
    nobody = np.zeros((150, 120), dtype=np.float32)
    nobody[14:] = evaluator.held_out.matrix[:136].toarray()
    real = evaluator.plausibility(evaluator.held_out)
    most = evaluator.held_out.matrix[[int(np.argmax(real))]].toarray()
    nobody[14:] = most
    users = Profiles.from_matrix(nobody, swapped.item_ids)
    assert flagged_users(evaluator, users, q=0.05)["flagged"].sum() == 0
    nobody[14] = 0
    users = Profiles.from_matrix(nobody, swapped.item_ids)
    assert flagged_users(evaluator, users, q=0.05)["flagged"].sum() == 15
    assert flagged_users(evaluator, users, q=0.004).attrs["minimum_detectable_users"] is None


# ------------------------------------------------------------------------------------------- table


def test_table_is_complete_and_consistent(table, evaluator, swapped):
    assert len(table) == swapped.matrix.nnz
    columns = ["user", "item", "rank", "percentile", "p_value"]
    columns += ["user_p_value", "user_q_value", "flagged", "why"]
    assert list(table.columns) == columns
    expected = swapped.to_frame()
    pairs = table.sort_values(["user", "item"])[["user", "item"]].to_numpy()
    assert (pairs == expected.sort_values(["user", "item"])[["user", "item"]].to_numpy()).all()
    for _, own in table.groupby("user"):
        assert own["rank"].tolist() == list(range(1, len(own) + 1))
    p_values = evaluator.p_values(swapped)
    assert table.groupby("user")["user_p_value"].first()["s7"] == p_values[7]
    assert (table["flagged"] == (table["user_q_value"] <= 0.1)).all()
    assert table["percentile"].between(0, 1, inclusive="neither").all()
    assert table["p_value"].between(0, 1, inclusive="right").all()
    users = flagged_users(evaluator, swapped)
    assert table.attrs == users.attrs | {"n_preference_calibration": 200}
    assert table.attrs["n_users_flagged"] == users["flagged"].sum() > 0
    assert (table.attrs["n_users"], table.attrs["n_calibration"]) == (150, 200)


def naive_reason(weights, names):
    """What speaks against a preference, from the weights of the other items, in plain Python."""
    against = sorted((weight, name) for weight, name in zip(weights, names, strict=True))
    against = [pair for pair in against if pair[0] <= -1e-4][:3]
    if against:
        return "; ".join(f"{name} {weight:.2g}".replace(" -0.", " -.") for weight, name in against)
    known = any(weight >= 1e-4 for weight in weights)
    return "no held item speaks against it" if known else "no held item supports it"


def test_ranks_p_values_and_reasons_are_those_of_each_user_alone(table, evaluator, swapped):
    predictor, items = evaluator.judge.predictor, swapped.item_ids
    identity = sp.csr_array(np.eye(len(items), dtype=np.float32))
    weights = predictor.scores(identity)  # B
    cells = PreferenceCells.fit(evaluator.reference.matrix, 200)

    def judged(users):
        user = np.repeat(np.arange(len(users)), users.sizes)
        rounds, scores = peel(users.matrix, evaluator.judge.log_genuine)
        return rounds, JudgedPreferences(user, cells.of(users.matrix), scores)

    _, calibration = judged(evaluator.held_out)
    texts = set()
    for row in range(40):
        rounds, own = judged(swapped[[row]])
        held = swapped.matrix[[row]].indices
        order = np.lexsort((own.score, rounds))
        found = table[table["user"] == f"s{row}"]
        assert found["item"].tolist() == items.take(held[order]).tolist()
        scores = predictor.scores(swapped.matrix[[row]])[0]
        others = np.delete(scores, held)
        less = [(scores[item] > others).sum() for item in held[order]]
        percentiles = (np.asarray(less) + 0.5) / (others.size + 1)
        assert found["percentile"].to_numpy() == pytest.approx(percentiles, abs=0.006)  # near ties
        expected = preference_p_values(own, calibration)[order]
        assert found["p_value"].to_numpy() == pytest.approx(expected, abs=0.01)
        for place, why in zip(order, found["why"], strict=True):
            others = (rounds >= rounds[place]) & (np.arange(held.size) != place)
            assert why == naive_reason(weights[held[others], held[place]], items[held[others]])
            texts.add(why)
    assert "no held item speaks against it" in texts
    assert len(texts) > 200


def test_worst_and_blocks_change_what_is_listed_only(table, evaluator, swapped, monkeypatch):
    monkeypatch.setattr("cornac_mle.plausibility.judge.BLOCK_USERS", 64)
    monkeypatch.setattr(module, "BLOCK_ITEMS", 7)
    short = unrealistic_preferences(evaluator, swapped, worst=2)
    assert len(short) == 300
    same = table[table["rank"] <= 2].reset_index(drop=True)
    assert short[["user", "item", "rank", "why"]].equals(same[["user", "item", "rank", "why"]])
    assert short["p_value"].to_numpy() == pytest.approx(same["p_value"].to_numpy(), abs=0.01)


def test_order_of_users_does_not_matter_and_nothing_is_changed(table, evaluator, swapped):
    before = swapped.matrix.copy()
    turned = unrealistic_preferences(evaluator, swapped[np.arange(150)[::-1]], worst=None)
    assert turned["user"].iloc[0] == "s149"
    one = table.sort_values(["user", "rank"], ignore_index=True)
    other = turned.sort_values(["user", "rank"], ignore_index=True)
    assert (one["item"] == other["item"]).mean() > 0.999  # last bits of products
    assert one["p_value"].to_numpy() == pytest.approx(other["p_value"].to_numpy(), abs=0.01)
    assert one["user_q_value"].equals(other["user_q_value"])
    assert (swapped.matrix != before).nnz == 0


def test_values_of_preferences_do_not_matter(table, evaluator, swapped):
    matrix = swapped.matrix * np.float32(4)
    rated = Profiles(sp.csr_array(matrix), swapped.user_ids, swapped.item_ids)
    again = unrealistic_preferences(evaluator, rated, worst=None)
    assert again["item"].equals(table["item"])
    assert again["p_value"].equals(table["p_value"])
    assert again["why"].equals(table["why"])


def test_held_out_users_are_judged_once(world, swapped, monkeypatch):
    made = Evaluator.fit(None, world[:300], world[range(300, 500)], rng=1)
    calls = []

    def counted(block, judge):
        calls.append(block.shape[0])
        return peel(block, judge)

    monkeypatch.setattr(module, "peel", counted)
    unrealistic_preferences(made, swapped)
    unrealistic_preferences(made, swapped[:20])
    assert calls == [200, 150, 20]


def test_of_many_held_out_users_some_calibrate(world, swapped, monkeypatch):
    """Chosen at random, the same each time; enough of them say what all of them say."""
    made = Evaluator.fit(None, world[:300], world[range(300, 1000)], rng=1)
    of_all = unrealistic_preferences(made, swapped)
    calls = []

    def counted(block, judge):
        calls.append(block.shape[0])
        return peel(block, judge)

    monkeypatch.setattr(module, "peel", counted)
    monkeypatch.setattr(module, "MOST_CALIBRATING", 350)
    made = Evaluator.fit(None, world[:300], world[range(300, 1000)], rng=1)
    of_some = unrealistic_preferences(made, swapped)
    assert calls[0] == 350 == of_some.attrs["n_preference_calibration"]
    assert of_all.attrs["n_preference_calibration"] == 700 == of_some.attrs["n_calibration"]
    pd.testing.assert_frame_equal(of_some[["item", "rank"]], of_all[["item", "rank"]])
    differences = (of_some["p_value"] - of_all["p_value"]).abs()
    assert 0 < differences.mean() < 0.02
    np.testing.assert_array_equal(of_some["user_p_value"], of_all["user_p_value"])


def test_empty_and_one_item_users(evaluator, world, fresh):
    matrix = fresh.matrix[:40].toarray()
    matrix[:5] = 0
    matrix[5:10] = 0
    matrix[5:10, 3] = 1
    users = Profiles.from_matrix(matrix, world.item_ids)
    found = unrealistic_preferences(evaluator, users)
    assert not found["user"].isin([f"s{row}" for row in range(5)]).any()
    lone = found[found["user"].isin([f"s{row}" for row in range(5, 10)])]
    assert lone["item"].tolist() == ["i3"] * 5
    assert lone["rank"].tolist() == [1] * 5
    assert lone[["percentile", "p_value"]].isna().all(axis=None)
    assert lone["why"].tolist() == ["no held item supports it"] * 5
    assert np.allclose(lone["user_p_value"], 1 / 201)
    assert lone["flagged"].all()
    assert found.attrs["n_empty_users"] == 5
    assert found.attrs["n_users_flagged"] >= 10
    rest = found[~found["user"].isin(lone["user"])]
    assert rest["p_value"].notna().all()
    nobody = unrealistic_preferences(evaluator, users[:5])
    assert len(nobody) == 0
    assert list(nobody.columns) == list(found.columns)
    assert nobody.attrs["n_users_flagged"] == 5
    assert len(unrealistic_preferences(evaluator, users[3:8])) == 3


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"q": 1.0}, "`q` must be finite, above 0 and below 1; got 1.0"),
        ({"worst": 0}, "`worst` must be at least 1; got 0"),
    ],
)
def test_options_are_checked(evaluator, swapped, options, text):
    with pytest.raises(ValueError, match=text):
        unrealistic_preferences(evaluator, swapped, **options)


def test_other_users_are_refused(evaluator, swapped):
    with pytest.raises(
        ValueError, match="`synthetic` must hold at least 1 user of 0 items or more; got 0"
    ):
        unrealistic_preferences(evaluator, swapped[:0])
    other = Profiles(swapped.matrix, swapped.user_ids, swapped.item_ids + " of another shop")
    with pytest.raises(ValueError, match="`synthetic` must hold items of the real users only; got"):
        unrealistic_preferences(evaluator, other)
