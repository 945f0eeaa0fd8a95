"""Audits of synthetic users from anywhere: two tables and one question."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from cornac.metrics import NDCG

from cornac_mle._audit_parts import note_measured
from cornac_mle.auditing import audit
from cornac_mle.diagnostics.unrealistic_preferences import unrealistic_preferences
from cornac_mle.metrics import CopiedUsers, PlausibilityKS, UnrealisticUsers
from cornac_mle.metrics.example import example_users
from cornac_mle.profiles import Profiles
from cornac_mle.report.report import Report
from paths import SHARED_DATA
from worlds import taste_world

METRICS = [UnrealisticUsers(), PlausibilityKS(19), CopiedUsers()]
WORLD = taste_world(900, n_items=60, mean_size=9, seed=7).to_frame()[["user", "item"]]
USERS = sorted(WORLD["user"].unique())


def of(users):
    return WORLD[WORLD["user"].isin(set(users))]


REAL, OTHERS = of(USERS[:600]), of(USERS[600:])


def values(report, model):
    scores = report.scores
    return scores[scores["model"] == model].set_index("metric")["value"]


@pytest.fixture(scope="module")
def report():
    """Real users, the same with as many invented items, and chimeras of them, in one table."""
    random = np.random.default_rng(1)
    invented = OTHERS.assign(item=[f"new {n}" for n in random.integers(0, 300, len(OTHERS))])
    more = pd.concat([OTHERS, invented]).drop_duplicates()
    shuffled = OTHERS.assign(item=random.permutation(OTHERS["item"])).drop_duplicates()
    sets = {"real": OTHERS, "invented": more, "shuffled": shuffled}
    sets["others"] = sets.pop("real")
    return audit(REAL, sets, metrics=METRICS)


def test_real_users_get_what_real_users_get(report):
    found = report.scores.query("model == 'others'").set_index("metric")
    assert found.loc["UnrealisticUsers@0.05", "value"] < 0.1
    assert found.loc["PlausibilityKS", "low"] <= found.loc["PlausibilityKS", "ceiling"] + 0.02


def test_invented_items_are_found_out_counted_and_listed(report):
    """Left out without a word, they made their users identical to real ones."""
    made, evaluator = report, report.evaluator
    assert values(made, "invented")["UnrealisticUsers@0.05"] > 0.95
    counts = made.unknown_items["invented"]
    assert set(made.unknown_items) == {"invented"}
    users = made.synthetic["invented"]
    is_new = users.item_ids.astype(str).str.startswith("new ")
    assert counts.sum() == users.item_counts[is_new].sum() > 2000
    worst = unrealistic_preferences(evaluator, made.synthetic["invented"], worst=1)
    assert worst["item"].str.startswith("new ").mean() > 0.9


def test_unknown_items_can_be_left_out_and_it_is_said():
    extra = OTHERS.assign(item="new " + OTHERS["item"])
    both = pd.concat([OTHERS, extra])
    made = audit(REAL, {"both": both}, metrics=METRICS, unknown_items="drop")
    assert values(made, "both")["UnrealisticUsers@0.05"] < 0.1
    assert any("as was asked" in reason for reason in made.dropped)
    assert made.unknown_items["both"].sum() == len(extra)


def test_without_training_users_copying_is_not_asked(report):
    made = report
    assert "CopiedUsers" not in set(made.scores["metric"])
    assert made.cautions["CopiedUsers"] == "not asked: no training users were given"
    train = of(USERS[600:800])
    copies = train.assign(user="copy of " + train["user"])
    asked = audit(pd.concat([REAL, train]), {"copies": copies}, train=train, metrics=METRICS)
    assert values(asked, "copies")["CopiedUsers"] == 1
    assert asked.dropped["real users who are training users, too"] == 200
    assert len(asked.evaluator.train) == 200


def test_copies_of_the_real_users_are_said():
    with pytest.warns(UserWarning, match="hold exactly the items of"):
        made = audit(
            REAL, {"copies": REAL.assign(user="z" + REAL["user"])}, train=OTHERS, metrics=METRICS
        )
    assert "Split before you synthesise" in made.alerts["copies"]


def test_every_kind_of_table_gives_the_same_numbers(tmp_path):
    expected = audit(REAL, {"fake": OTHERS}, metrics=METRICS[:1])
    real, fake = tmp_path / "real.csv", tmp_path / "fake.tsv"
    REAL.rename(columns={"user": "customer", "item": "product"}).to_csv(real, sep=";", index=False)
    OTHERS.to_csv(fake, sep="\t", index=False, header=False)
    rows = [(user, item, 1.0) for user, item in REAL.itertuples(index=False, name=None)]
    kinds = {
        "files": (real, {"fake": fake}),
        "tuples": (rows, {"fake": Profiles.from_frame(OTHERS)}),
    }
    for one, other in kinds.values():
        made = audit(one, other, metrics=METRICS[:1])
        pd.testing.assert_frame_equal(made.scores, expected.scores)
    made = audit(real, fake, metrics=METRICS[:1])
    assert set(made.scores["model"]) == {"fake"}
    assert any(note.startswith("real: read ';'-separated") for note in made.notes)


def test_a_matrix_has_numbers_for_ids():
    matrix = Profiles.from_frame(OTHERS).matrix
    real = Profiles.from_frame(REAL, item_ids=Profiles.from_frame(OTHERS).item_ids).matrix
    made = audit(sp.csr_array(real), {"fake": sp.coo_array(matrix)}, metrics=METRICS[:1])
    assert values(made, "fake")["UnrealisticUsers@0.05"] < 0.1
    assert len(made.notes) == 2


@pytest.mark.parametrize(
    ("real", "fake", "settings", "message"),
    [
        (REAL, {}, {}, "`synthetic` must hold at least one table; got none"),
        (REAL, OTHERS, {"unknown_items": "keep"}, "`unknown_items` must be one of 'evidence', 'dr"),
        (REAL, OTHERS.assign(item=3), {}, "an integer never equals a str"),
        (REAL, {"train": OTHERS}, {}, "`synthetic` must have other names than those; got 'train'"),
        (REAL[:1], OTHERS, {}, "`real` must hold at least 4 users of 2 items or more; got 0. Were"),
        (REAL, OTHERS, {"train": REAL}, "4 users of 2 items or more, who are no training users; "),
        (REAL, OTHERS, {"train": OTHERS.assign(item="x")}, "`train` must hold an item of `real`, "),
        (REAL, OTHERS, {"columns": {"users": 1}}, "`columns` must name 'user', 'item', 'rating', "),
        (REAL, OTHERS, {"seed": -1}, "`seed` must be at least 0; got -1"),
        (REAL, {"": OTHERS}, {}, "`name` must be a word, or more, in one line; got ''"),
        (REAL, OTHERS, {"names": {}}, "`names` must name items of the data; got none"),
        (REAL, OTHERS, {"rating_threshold": 4}, "nothing is a like; got 4.0 for table 'real'"),
        (sp.coo_array(np.ones(5)), OTHERS, {}, r"`matrix` must have two dimensions, users x items"),
        (REAL, OTHERS, {"metrics": [PlausibilityKS(19), PlausibilityKS()]}, "have different names"),
    ],
)
def test_what_is_refused(real, fake, settings, message):
    with pytest.raises(ValueError, match=message):
        audit(real, fake, **settings)


@pytest.mark.parametrize(
    ("fake", "settings", "message"),
    [
        ({1: OTHERS}, {}, "`synthetic` must have names of text; got 1"),
        (["a.csv", "b.csv"], {}, "a mapping of names to tables; got a list of 'str'. Write {"),
        ([OTHERS, OTHERS], {}, "a mapping of names to tables; got a list of 'DataFrame'"),
        (OTHERS, {"metrics": [NDCG(k=5)]}, "`metrics` must be of users alone; got NDCG@5. Ask"),
        (OTHERS, {"names": ["Milk"]}, "`names` must be a file, a mapping, a Series or a table of"),
    ],
)
def test_what_is_of_a_wrong_type(fake, settings, message):
    with pytest.raises(TypeError, match=message):
        audit(REAL, fake, **settings)


def test_ids_that_look_alike_are_refused_in_whatever_tables():
    """A third of the preferences was for items that only looked like those of real users."""
    digits = OTHERS.assign(item=OTHERS["item"].str[1:])
    mixed = digits.assign(item=[int(item) if int(item) < 20 else item for item in digits["item"]])
    real = REAL.assign(item=REAL["item"].str[1:])
    for sets in ({"synthetic": mixed}, {"synthetic": real, "train": mixed}):
        with pytest.raises(TypeError, match=r"`item.* must be of one type; got both "):
            audit(real, **sets)
    train = pd.DataFrame([(0, "1"), (0, "2")], columns=["user", "item"])
    users = pd.concat([real, train.assign(user="0")])
    with pytest.raises(TypeError, match="`users of real and train` must be of one type; got both"):
        audit(users, digits, train=train)


def test_items_of_training_users_alone_are_told():
    train = OTHERS.assign(item=OTHERS["item"].where(OTHERS["item"] != "i7", "i07"))
    made = audit(REAL, {"made": OTHERS}, train=train, metrics=METRICS[:1])
    count = int((OTHERS["item"] == "i7").sum())
    [note] = [one for one in made.notes if one.startswith("train: ")]
    assert note.startswith(f"train: {count:,} of {len(train):,} preferences are for 1 items that")


def test_where_nobody_real_is_near_copying_is_not_measurable():
    train = OTHERS.assign(item=OTHERS["item"].where(OTHERS["item"] == "i0", "x" + OTHERS["item"]))
    copies = train.assign(user="copy of " + train["user"])
    made = audit(REAL, {"copies": copies}, train=train, metrics=METRICS[2:])
    assert "Are the ids of `train` those of the others?" in made.cautions["CopiedUsers"]


@pytest.mark.parametrize("kind", ["matrix", "profiles"])
def test_users_without_ids_are_no_users_of_another_table(kind):
    """Rows of two tables were one user where their numbers were equal."""
    items = sorted(WORLD["item"].unique())

    def given(frame):
        matrix = Profiles.from_frame(frame, item_ids=items).matrix
        return matrix if kind == "matrix" else Profiles.from_matrix(matrix, items)

    made = audit(given(REAL), given(OTHERS), train=given(OTHERS), metrics=METRICS[:1])
    assert (len(made.evaluator.train), made.dropped) == (300, {})
    assert sum(made.groups[name] for name in ("reference", "held_out")) == 600
    [note] = [one for one in made.notes if one.startswith("no ids of users in real and train")]
    assert "; of 600 real users of 3 items or more " in note
    if kind == "profiles":  # the same users in both
        real = given(REAL)
        made = audit(real, given(OTHERS), train=real[:200], metrics=METRICS[:1])
        assert made.dropped == {"real users who are training users, too": 200}
        return
    with pytest.raises(ValueError, match="`real` must hold users who are no training users; got 3"):
        audit(given(OTHERS), given(REAL), train=given(OTHERS)[::-1])


def test_entries_of_one_place_are_summed():
    users, items = WORLD["user"].factorize()[0], WORLD["item"].factorize()[0]
    twice = sp.coo_array((np.ones(2 * len(users)), (np.r_[users, users], np.r_[items, items])))
    settings = {"rating_threshold": 2, "metrics": METRICS[:1]}
    one, other = (audit(made, made, **settings) for made in (twice, twice.tocsr()))
    pd.testing.assert_frame_equal(one.scores, other.scores)


def test_training_users_of_too_few_items_are_counted():
    train = pd.concat([OTHERS, pd.DataFrame({"user": ["x"], "item": ["i1"]})])
    made = audit(REAL, {"made": OTHERS}, train=train, metrics=METRICS[:1])
    assert made.dropped == {"training users with fewer than 2 items": 1}


def test_names_in_rows_that_do_not_matter_do_no_harm():
    ids, words = ["i1", None, "gone", "gone", "i2"], ["Milk", "x", "y", "z", None]
    table = pd.DataFrame(zip(ids, words, strict=True), columns=["name", "name"])
    made = audit(REAL, OTHERS, names=table, metrics=METRICS[:1])
    assert made.item_names == {"i1": "Milk"}
    with pytest.raises(ValueError, match="`names` must have one name an id; got 'Milk' and"):
        audit(REAL, OTHERS, names=pd.Series(["Milk", "Tea"], index=["i1", "i1"]))


def test_users_of_unknown_items_alone_are_counted():
    odd = pd.DataFrame({"user": ["x", "x", "y"], "item": ["q1", "q2", "q1"]})
    both = pd.concat([OTHERS, odd])
    made = audit(REAL, {"both": both}, metrics=METRICS[:1], unknown_items="drop")
    assert made.dropped["users of no item that a real user holds, as was asked (both)"] == 2
    assert len(made.synthetic["both"]) == 300


NAMES = {"i1": "Milk", "i2": "Tea"}


@pytest.mark.parametrize("kind", ["mapping", "series", "frame", "file"])
def test_names_of_items_in_any_form(tmp_path, kind):
    ids = pd.Index(list(NAMES), name="id")
    given = {
        "mapping": NAMES,
        "series": pd.Series(NAMES),
        "frame": pd.DataFrame({"id": ids, "name": list(NAMES.values())}),
        "file": tmp_path / "items.csv",
    }
    given["frame"].to_csv(given["file"], index=False)
    made = audit(REAL, {"fake": OTHERS}, names=given[kind], metrics=METRICS[:1])
    assert made.item_names == NAMES
    assert any(note.startswith("names: item = id") for note in made.notes) == (kind == "file")
    shown = [item for user in made.gallery["fake"]["users"] for item in user["items"]]
    assert {item["name"] for item in shown if item["item"] in NAMES} <= set(NAMES.values())


def test_names_of_other_ids_are_refused():
    with pytest.raises(
        ValueError, match="`names` must hold an item of `items`, such as 'i0'; got none, but 'x'"
    ):
        audit(REAL, OTHERS, names={"x": "Milk"}, metrics=METRICS[:1])


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries(library):
    """Iterated, they give columns: users would have been read for items."""
    module = pytest.importorskip(library)
    foreign = module.from_pandas if library == "polars" else module.Table.from_pandas
    expected = audit(REAL, {"fake": OTHERS}, metrics=METRICS[:1])
    made = audit(foreign(REAL), {"fake": foreign(OTHERS)}, metrics=METRICS[:1])
    pd.testing.assert_frame_equal(made.scores, expected.scores)


def test_synthetic_users_without_enough_items_are_refused():
    one_each = OTHERS.groupby("user", as_index=False).first()
    with pytest.raises(
        ValueError, match="`fake` must hold users of at least 2 items; got none amo"
    ):
        audit(REAL, {"fake": one_each}, metrics=METRICS[:1])


def likes_of_movielens():
    path = SHARED_DATA / "cornac_cache" / "ml-100k" / "u.data"
    frame = pd.read_csv(path, sep="\t", names=["user", "item", "rating", "time"], dtype=str)
    return frame[["user", "item"]]


@pytest.fixture(scope="module")
def movielens():
    """Real users, and others of whom 10% hold one half of somebody else's items."""
    random = np.random.default_rng(1)
    table = likes_of_movielens()
    users = random.permutation(sorted(table["user"].unique()))
    real = table[table["user"].isin(users[:700])]
    profiles = dict(list(table[table["user"].isin(users[700:])].groupby("user")["item"]))
    planted = set(random.choice(sorted(profiles), len(profiles) // 10, replace=False))
    rows, foreign = [], set()
    for user, items in profiles.items():
        held = items.to_numpy()
        if user in planted:
            other = profiles[random.choice([one for one in profiles if one != user])].to_numpy()
            kept = random.choice(held, len(held) - len(held) // 2, replace=False)
            some = random.choice(other, min(len(held) // 2, len(other)), replace=False)
            new = np.setdiff1d(some, kept)
            foreign |= {(user, item) for item in new}
            held = np.append(kept, new)
        rows += [(user, item) for item in held]
    return real, pd.DataFrame(rows, columns=["user", "item"]), planted, foreign


needs_movielens = pytest.mark.skipif(
    not SHARED_DATA.exists(), reason="no real data beside the repository"
)


@needs_movielens
def test_foreign_halves_are_among_the_least_believable(movielens):
    """By chance 1 of 10 users would be planted, and 1 of 30 preferences.

    They are hard to find: many real users have two tastes (6 of 10 here).
    """
    real, others, planted, foreign = movielens
    made = audit(real, {"others": others}, metrics=METRICS[:1])
    users = made.synthetic["others"]
    worst = users.user_ids[np.argsort(made.evaluator.plausibility(users))[:10]]
    assert len(planted.intersection(worst)) >= 5
    marked = [
        (user["id"], item["item"]) in foreign
        for user in made.gallery["others"]["users"]
        if user["kind"] == "worst"
        for item in user["items"]
        if item["is_offending"]
    ]
    assert len(marked) > 20
    assert np.mean(marked) > 2 * len(foreign) / len(others)


@needs_movielens
def test_invented_halves_are_the_least_believable(movielens):
    real, others, planted, foreign = movielens
    is_foreign = pd.Index(zip(others["user"], others["item"], strict=True)).isin(foreign)
    invented = others.assign(item=others["item"].where(~is_foreign, "new " + others["item"]))
    made = audit(real, {"invented": invented}, metrics=METRICS[:1])
    users = made.synthetic["invented"]
    worst = users.user_ids[np.argsort(made.evaluator.plausibility(users))[:10]]
    assert len(planted.intersection(worst)) == 10
    first = made.preferences[made.preferences["user"].isin(planted)]
    assert first["item"].str.startswith("new ").mean() > 0.9
    assert made.gallery["invented"]["users"][0]["items"][0]["why"] == "no real user holds it"


@needs_movielens
def test_real_users_with_as_many_invented_items_are_found_out(movielens):
    real, others, planted, _ = movielens
    genuine = others[~others["user"].isin(planted)]
    both = pd.concat([genuine, genuine.assign(item="new " + genuine["item"])])
    made = audit(real, {"genuine": genuine, "both": both}, metrics=METRICS[:1])
    assert values(made, "genuine")["UnrealisticUsers@0.05"] < 0.1
    assert values(made, "both")["UnrealisticUsers@0.05"] == 1
    verdicts = {
        model["name"]: model["answers"]["believable"]["verdict"]
        for model in made.summary()["models"]
    }
    assert verdicts == {"genuine": "as real users", "both": "worse"}


def test_a_set_that_cannot_be_measured_does_not_unsay_what_was_said_of_the_metric():
    evaluator, synthetic = example_users()
    report, metric = Report("audit"), UnrealisticUsers()
    report.add_caution(metric.name, "no power")
    few = synthetic[:3]
    note_measured(
        report, evaluator, "few", metric, 1, lambda: metric.measure(evaluator, few, rng=1)
    )
    assert report.cautions[metric.name].startswith("no power; ")
    assert "must each be at least 38 users" in report.cautions[metric.name]
    assert not report.entries
