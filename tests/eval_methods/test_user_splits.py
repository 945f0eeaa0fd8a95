import numpy as np
import pandas as pd
import pytest

from cornac_mle.eval_methods.user_splits import feedback_frame, join_groups, keep_likes, split_users
from cornac_mle.sampling.item_holdout import hold_out_items
from worlds import rated, taste_world

WORLD = rated(taste_world(60)).to_frame()


def split(frame, shares=(0.5, 0.25, 0.25), validation_share=0.2, min_items=2, seed=1):
    random = np.random.default_rng(seed)
    return split_users(frame, shares, validation_share, min_items, random)


def test_groups_are_disjoint_and_complete():
    groups = split(WORLD)
    assert groups.sizes == {"train": 24, "validation": 6, "reference": 15, "held_out": 15}
    parts = (groups.train, groups.validation, groups.reference, groups.held_out)
    users = [user for part in parts for user in part.user_ids]
    assert len(users) == len(set(users)) == 60


UNKNOWN = "interactions with items of no training user, from fits and rankings only"


def test_no_group_loses_items_and_those_of_training_users_come_first():
    groups = split(WORLD)
    parts = (groups.train, groups.validation, groups.reference, groups.held_out)
    for part in parts:
        assert part.item_ids.equals(groups.train.item_ids)
        before = WORLD[WORLD["user"].isin(part.user_ids)]
        assert part.matrix.nnz == len(before)
    known = groups.training_items
    assert (groups.train.item_counts[: len(known)] > 0).all()
    assert groups.train.item_counts[len(known) :].sum() == 0
    others = sum(int(part.item_counts[len(known) :].sum()) for part in parts)
    assert groups.dropped[UNKNOWN] == others > 0


def test_the_order_of_rows_makes_no_difference():
    shuffled = WORLD.sample(frac=1, random_state=3)
    for frame in (shuffled, shuffled.iloc[::-1]):
        for name in ("train", "validation", "reference", "held_out"):
            one, other = getattr(split(WORLD), name), getattr(split(frame), name)
            assert one.user_ids.equals(other.user_ids)
            assert one.item_ids.equals(other.item_ids)
            assert (one.matrix != other.matrix).nnz == 0


def test_a_like_is_kept_whenever_it_was_given():
    rows = [("a", "x", 2, 10), ("a", "x", 5, 20), ("a", "x", 3, 30), ("b", "x", 4, 1)]
    kept = {"first": 2.0, "last": 3.0, "max": 5.0, None: 5.0}
    for order in (rows, rows[::-1]):
        for duplicates, value in kept.items():
            likes, dropped = keep_likes(feedback_frame(order), 1, "likes", duplicates)
            assert likes.set_index("user")["rating"].to_dict() == {"a": value, "b": 4.0}
            assert dropped["repeated pairs"] == 2
    ratings, _ = keep_likes(feedback_frame(rows), None, "ratings")
    assert ratings.set_index("user")["rating"]["a"] == 2.0  # the first, as in Cornac
    with pytest.raises(ValueError, match="`duplicates` must be one of 'first', 'last', 'max'"):
        keep_likes(feedback_frame(rows), None, "likes", "mean")


def test_groups_of_items_of_two_types_are_refused():
    """Integers of one file never equal the text of another: nothing would be left to compare."""
    numbers = WORLD.assign(item=WORLD["item"].str[1:].astype(int), user="other " + WORLD["user"])
    with pytest.raises(ValueError, match="a str never equals an integer: convert one side"):
        join_groups(numbers, None, WORLD, WORLD.assign(user="x" + WORLD["user"]), 2, {})
    mixed = [("a", 1, 1.0), ("b", "1", 1.0)]
    with pytest.raises(TypeError, match="`item` must be of one type; got both 1 and '1'"):
        feedback_frame(mixed)


@pytest.mark.parametrize("name", ["stars", "Rating", "score", "Value"])
def test_ratings_of_another_name_are_named(name):
    frame = pd.DataFrame({"user": ["a"], "item": ["x"], name: [3]})
    with pytest.raises(ValueError, match=f"ratings in a column `rating`.*Rename '{name}'"):
        feedback_frame(frame)


def test_a_column_of_a_name_twice_is_refused():
    frame = pd.DataFrame([["a", "x", 1.0, "b"]], columns=["user", "item", "rating", "user"])
    with pytest.raises(ValueError, match="`data` must have one column 'user'; got columns user, i"):
        feedback_frame(frame)


def test_times_are_no_ratings():
    frame = pd.DataFrame({"user": ["a"], "item": ["x"], "rating": [pd.Timestamp("2020-01-01")]})
    with pytest.raises(ValueError, match="`rating` must be a number; got 2020-01-01 00:00:00"):
        feedback_frame(frame)


def test_the_same_seed_gives_the_same_groups():
    assert list(split(WORLD).held_out.user_ids) == list(split(WORLD).held_out.user_ids)
    assert list(split(WORLD).held_out.user_ids) != list(split(WORLD, seed=2).held_out.user_ids)


def test_profiles_keep_their_values():
    held_out = split(WORLD).held_out
    merged = held_out.to_frame().merge(WORLD, on=["user", "item"], suffixes=("", "_before"))
    assert len(merged) == held_out.matrix.nnz
    assert (merged["rating"] == merged["rating_before"]).all()


def test_small_users_are_dropped_and_counted():
    one = pd.DataFrame({"user": ["x", "y"], "item": ["i0", "i1"], "rating": 1.0})
    groups = split(pd.concat([WORLD, one]))
    assert groups.dropped["users with fewer than 2 items"] == 2


def test_too_small_to_split():
    few = WORLD[WORLD["user"].isin(["u0", "u1", "u2", "u3", "u4"])]
    with pytest.raises(ValueError, match=r"got 5 users with at least 2 items. Use a larger"):
        split(few)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (1.0, 0.0, 0.5), (0.5, float("nan"), 0.5)])
def test_shares(shares):
    with pytest.raises(ValueError, match="`shares` must be three numbers above 0"):
        split(WORLD, shares=shares)


def test_validation_share():
    assert split(WORLD, validation_share=0.0).validation is None
    with pytest.raises(ValueError, match=r"`validation_share` must be in \[0, 1\); got 1"):
        split(WORLD, validation_share=1)


def test_a_user_in_two_groups_is_named():
    train, held_out = WORLD[:600], WORLD[400:]
    with pytest.raises(ValueError, match="`held_out` must share no user with `train`; got 'u"):
        join_groups(train, None, WORLD[:0], held_out, 2, {})


def test_likes_are_kept_and_losses_counted():
    frame = feedback_frame([("a", "x", 5), ("a", "y", 2), ("a", "x", 1), ("b", "x", 3)])
    likes, dropped = keep_likes(frame, 3, "likes")
    assert likes[["user", "item", "rating"]].values.tolist() == [["a", "x", 5.0], ["b", "x", 3.0]]
    assert dropped == {"repeated pairs": 1, "ratings below 3": 1}
    ratings, dropped = keep_likes(frame, 3, "ratings")
    assert len(ratings) == 3
    assert dropped == {"repeated pairs": 1}


@pytest.mark.parametrize("feedback", ["likes", "ratings"])
def test_negative_ratings_need_a_threshold_or_a_shift(feedback):
    frame = feedback_frame([("a", "x", 5), ("a", "y", -2)])
    with pytest.raises(
        ValueError,
        match=r"above 0; got -2.0 for user 'a', item 'y'. Give a rating_threshold above 0",
    ):
        keep_likes(frame, None, feedback)
    if feedback == "likes":
        assert len(keep_likes(frame, 1.0, feedback)[0]) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([("a", "x")], r"tuples, all of one length; got \('a', 'x'\). Are these lists of items"),
        ([(3, 17, 5, 44, 8)], r"all of one length; got \(3, 17, 5, 44, 8\)"),
        ([(1, 2, 3.0), (1, 2, 3.0, 4)], r"all of one length; got \(1, 2, 3.0, 4\)"),
        ([], "`data` must hold at least one interaction; got none"),
        ([("a", "x", float("nan"))], "`rating` must be a finite number; got nan for user 'a'"),
        ([("a", "x", "good")], "`rating` must be a finite number; got good for user 'a'"),
        ([("a", None, 1.0)], "`item` must be given in every row; got none for row 0"),
        (pd.DataFrame({"usr": ["a"]}), "must have the columns user, item.*got columns usr"),
    ],
)
def test_what_is_no_feedback(data, message):
    with pytest.raises(ValueError, match=message):
        feedback_frame(data)


def test_users_of_whom_a_threshold_leaves_nothing_are_counted():
    frame = feedback_frame([("a", "x", 1.0), ("a", "y", 2.0), ("b", "x", 4.0), ("b", "y", 1.0)])
    _, dropped = keep_likes(frame, 3, "likes")
    assert dropped["users without a rating of 3 or more"] == 1
    assert dropped["ratings below 3"] == 3
    assert "users without a rating of 2 or more" not in keep_likes(frame, 2, "likes")[1]
    with pytest.raises(ValueError, match=r"the largest rating, 4, or nothing is a like; got 5.0"):
        keep_likes(frame, 5, "likes", name="made")
    ones = frame.assign(rating=1.0)
    with pytest.raises(ValueError, match=r"for table 'made'. All its values are 1: has it no rat"):
        keep_likes(ones, 5, "likes", name="made")


def test_ids_in_errors_are_as_they_are():
    frame = feedback_frame([(0, 1, 1.0), (2, 3, -1.0)])
    with pytest.raises(ValueError, match=r"be above 0; got -1\.0 for user 2, item 3\."):
        keep_likes(frame, None, "likes")
    with pytest.raises(ValueError, match=r"number; got inf for user 2, item 3 \(row 0\)"):
        feedback_frame([(2, 3, np.inf)])


def test_times_of_two_types_have_no_order():
    frame = feedback_frame([("a", "x", 1.0, 3), ("a", "x", 2.0, "late")])
    with pytest.raises(TypeError, match="`timestamp` must be all numbers, or all text; got int an"):
        keep_likes(frame, None, "likes", "last")


def test_a_frame_without_ratings_gets_ones():
    frame = feedback_frame(pd.DataFrame({"item": ["x"], "user": ["a"], "other": [3]}))
    assert frame.to_dict("records") == [{"user": "a", "item": "x", "rating": 1.0}]


def test_hidden_items_are_a_fifth_of_each_profile():
    world = rated(taste_world(200))
    shown, hidden = hold_out_items(world, 0.2, np.random.default_rng(1))
    assert ((shown.matrix + hidden.matrix) != world.matrix).nnz == 0
    assert (hidden.sizes == np.maximum(1, np.round(0.2 * world.sizes))).all()
    assert (shown.sizes >= 1).all()


def test_two_items_are_parted_and_one_is_shown():
    world = rated(taste_world(3)).to_frame().groupby("user").head(2)
    pair = type(rated(taste_world(1))).from_frame(world)
    shown, hidden = hold_out_items(pair, 0.2, np.random.default_rng(1))
    assert shown.sizes.tolist() == hidden.sizes.tolist() == [1, 1, 1]
    alone, nothing = hold_out_items(shown, 0.9, np.random.default_rng(1))
    assert alone.sizes.tolist() == [1, 1, 1]
    assert nothing.sizes.tolist() == [0, 0, 0]
