"""Audits of synthetic users from anywhere: two tables and one question."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from cornac_mle.auditing import audit
from cornac_mle.diagnostics.unrealistic_preferences import unrealistic_preferences
from cornac_mle.metrics import CopiedUsers, PlausibilityKS, UnrealisticUsers
from cornac_mle.profiles import Profiles
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
    assert any("were dropped, as was asked" in note for note in made.notes)
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
    ],
)
def test_what_is_refused(real, fake, settings, message):
    with pytest.raises(ValueError, match=message):
        audit(real, fake, **settings)
