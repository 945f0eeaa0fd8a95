import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from cornac.data import Dataset
from hypothesis import given
from hypothesis import strategies as st

from cornac_mle.profiles import Profiles, ids_index
from worlds import profiles, rated, taste_world

TABLE = pd.DataFrame(
    {"user": ["ann", "bob", "ann"], "item": ["tea", "tea", "jam"], "rating": [1.0, 2.0, 3.0]}
)


def test_from_frame_keeps_order_of_appearance():
    made = Profiles.from_frame(TABLE)
    assert list(made.user_ids) == ["ann", "bob"]
    assert list(made.item_ids) == ["tea", "jam"]
    assert made.matrix.toarray().tolist() == [[1.0, 3.0], [2.0, 0.0]]
    assert made.sizes.tolist() == [2, 1]
    assert made.item_counts.tolist() == [2, 1]
    assert made.matrix.dtype == np.float32


def test_given_ids_keep_empty_users_and_unheld_items():
    made = Profiles.from_frame(
        TABLE, user_ids=ids_index(["cat", "ann", "bob"]), item_ids=ids_index(["jam", "tea", "oil"])
    )
    assert made.sizes.tolist() == [0, 2, 1]
    assert made.item_counts.tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (TABLE.drop(columns="user"), "`frame` must have the columns user.*no column 'user'"),
        (pd.concat([TABLE, TABLE[:1]]), r"`frame` must hold a pair once; got \('ann', 'tea'\)"),
        (TABLE.assign(rating=[1.0, -2.0, 1.0]), "above 0; got -2.0 for user 'bob', item 'tea'"),
        (TABLE.assign(rating=[1.0, np.nan, 1.0]), "above 0; got nan for user 'bob', item 'tea'"),
        (TABLE.assign(rating=[0.0, 1.0, 1.0]), "above 0; got 0.0 for user 'ann', item 'tea'"),
    ],
)
def test_a_frame_that_is_no_set_of_profiles(frame, message):
    with pytest.raises(ValueError, match=message):
        Profiles.from_frame(frame)


def test_unknown_id():
    with pytest.raises(ValueError, match="`item` must be in `item_ids`; got 'jam'"):
        Profiles.from_frame(TABLE, item_ids=ids_index(["tea"]))


def test_wrong_shape_and_repeated_ids():
    matrix = sp.csr_array(np.ones((2, 2), dtype=np.float32))
    with pytest.raises(ValueError, match=r"`matrix` must have one row a user id"):
        Profiles(matrix, ids_index(["a"]), ids_index(["x", "y"]))
    with pytest.raises(ValueError, match="`user_ids` must be unique; got 'a' more than once"):
        Profiles(matrix, ids_index(["a", "a"]), ids_index(["x", "y"]))


@given(st.data())
def test_frame_and_dataset_round_trips(data):
    n_users, n_items = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))
    cells = st.lists(st.sampled_from([0.0, 0.5, 3.0]), min_size=n_items, max_size=n_items)
    rows = data.draw(st.lists(cells, min_size=n_users, max_size=n_users))
    made = profiles(sp.csr_array(np.array(rows, dtype=np.float32)))
    frame = Profiles.from_frame(made.to_frame(), user_ids=made.user_ids, item_ids=made.item_ids)
    assert (frame.matrix != made.matrix).nnz == 0
    if made.matrix.nnz:
        dataset = made.to_dataset()
        assert dataset.num_users == n_users
        assert (sp.csr_array(dataset.csr_matrix) != made.matrix).nnz == 0


def test_from_dataset_follows_cornacs_indices():
    rows = [("u9", "z", 4.0), ("u1", "a", 5.0), ("u9", "a", 3.0)]
    dataset = Dataset.build(rows)
    made = Profiles.from_dataset(dataset)
    assert list(made.user_ids) == ["u9", "u1"]
    assert list(made.item_ids) == ["z", "a"]
    assert made.matrix.toarray().tolist() == [[4.0, 3.0], [0.0, 5.0]]


def test_taking_users_by_mask_and_by_number():
    world = rated(taste_world(10))
    odd = world[np.arange(10) % 2 == 1]
    again = world[[1, 3, 5, 7, 9]]
    assert list(odd.user_ids) == ["u1", "u3", "u5", "u7", "u9"] == list(again.user_ids)
    assert (odd.matrix != again.matrix).nnz == 0
    assert (odd.matrix != world.matrix[1::2]).nnz == 0


def test_align_permutes_and_drops_columns():
    world = rated(taste_world(10, n_items=6, mean_size=3))
    order = ids_index(["i5", "i0", "new"])
    with pytest.warns(UserWarning, match=r"align left out \d+ of \d+ preferences, of 4 items"):
        aligned = world.align(order)
    expected = np.column_stack(
        [world.matrix.toarray()[:, 5], world.matrix.toarray()[:, 0], np.zeros(10)]
    )
    assert np.array_equal(aligned.matrix.toarray(), expected)
    assert world.align(world.item_ids) is world
    reversed_ids = world.item_ids[::-1]
    assert (world.align(reversed_ids).matrix != world.matrix[:, ::-1]).nnz == 0  # and no warning


def test_items_of_two_types_are_refused_and_named():
    """Ids of `Profiles.read` are text, those of a plain read_csv integers: none is equal."""
    table = pd.DataFrame({"user": ["ann", "bob"], "item": [1, 2]})
    numbers = Profiles.from_frame(table)
    text = Profiles.from_frame(table.astype({"item": str}))
    with pytest.raises(ValueError, match="such as '1'; got none, but 1 and others"):
        numbers.align(text.item_ids)
    with pytest.raises(ValueError, match="Are these the same items"):
        text.align(ids_index(["x", "y"]))


@pytest.mark.parametrize("column", ["user", "item"])
def test_missing_ids_are_no_user(column):
    table = pd.DataFrame({"user": ["ann", "bob"], "item": ["tea", "jam"]})
    table.loc[1, column] = None
    with pytest.raises(ValueError, match=f"`{column}` must be given in every row; got none for ro"):
        Profiles.from_frame(table)


def test_times_are_no_ratings():
    table = pd.DataFrame({"user": ["ann"], "item": ["tea"], "rating": [pd.Timestamp("2020-01-01")]})
    with pytest.raises(ValueError, match="`rating` must be a number; got 2020-01-01 00:00:00"):
        Profiles.from_frame(table)


def test_concat_wants_the_same_items():
    world = taste_world(4)
    other = profiles(world.matrix, prefix="v")
    both = world.concat(other)
    assert len(both) == 8
    assert list(both.user_ids[4:]) == ["v0", "v1", "v2", "v3"]
    with pytest.raises(ValueError, match="`other` must have the same items"):
        world.concat(taste_world(4, n_items=60))
