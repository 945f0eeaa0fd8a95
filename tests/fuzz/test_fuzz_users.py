"""Profiles and held-out users of random tables: types mixed, pairs repeated, rows in any order."""

import datetime

import numpy as np
import pandas as pd
import scipy.sparse as sp
from fuzzing import JUNK, OUR_FORM, fuzzed, tried
from hypothesis import strategies as st

from cornac_mle import HeldOutUsers, Popularity, Profiles
from cornac_mle.metrics import PopularityJS, ProfileSizeKS, UnrealisticUsers

IDS = st.one_of(
    st.integers(-2, 9),
    st.integers(0, 9).map(str),
    st.text(max_size=3),
    st.floats(),
    st.none(),
    st.booleans(),
    st.binary(max_size=2),
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
    st.dates().map(pd.Timestamp),
    st.sampled_from([pd.NaT, pd.NA, np.nan, np.int8(1), np.str_("1"), datetime.date(2020, 1, 1)]),
)
VALUES = st.one_of(
    st.sampled_from([1, 2, 5, 0.5, "3", True]),
    st.floats(),
    st.integers(),
    st.sampled_from([0, -1, np.nan, np.inf, 1e39, 1e-50, 10**400, None, "x", 1j, pd.NaT]),
)


def sound(users):
    """Assert that profiles are what they promise."""
    assert users.matrix.shape == (len(users.user_ids), len(users.item_ids))
    assert users.matrix.dtype == np.float32
    assert users.matrix.has_canonical_format
    assert (users.matrix.data > 0).all()
    assert np.isfinite(users.matrix.data).all()
    assert users.user_ids.is_unique
    assert users.item_ids.is_unique
    repr(users)
    assert len(users.to_frame()) == users.matrix.nnz == users.sizes.sum() == users.item_counts.sum()


@st.composite
def matrices(draw):
    """A matrix of small numbers, odd ones among them, in any form that numpy and scipy have."""
    shape = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    number = st.sampled_from([0, 1, 2, 5, 0, 1, 0.5, -1, np.nan, np.inf, 1e39, 1e-50])
    odd = draw(st.integers(0, 3)) == 0
    number = number if odd else st.integers(0, 5)
    dense = np.array(
        [[draw(number) for _ in range(shape[1])] for _ in range(shape[0])], dtype=np.float64
    ).reshape(shape)
    forms = [
        lambda: dense,
        lambda: dense.tolist(),
        lambda: pd.DataFrame(dense),
        lambda: sp.csr_array(dense),
        lambda: sp.csc_matrix(dense),
        lambda: sp.coo_array(dense),
        lambda: np.ma.masked_invalid(dense),
        lambda: dense > 0,
        lambda: np.nan_to_num(dense).astype(np.int64) if not odd else dense,
        lambda: sp.coo_array(
            (np.ones(3), ([0, 0, 0], [0, 0, 0])), shape=(max(shape[0], 1), max(shape[1], 1))
        ),
    ]
    return draw(st.sampled_from(forms))()


def ids(shape):
    """Ids for about so many rows, as a list, an array, an Index, or something else."""
    fitting = st.sampled_from(
        [
            list(range(shape)),
            np.arange(shape),
            pd.Index([f"a{place}" for place in range(shape)]),
            pd.Series(range(shape)),
            tuple(range(shape)),
            range(shape),
        ]
    )
    return st.one_of(fitting, fitting, st.lists(IDS, max_size=4), JUNK)


@fuzzed(100, 3000, data=st.data())
def test_profiles_of_matrices(data):
    matrix = data.draw(st.one_of(matrices(), matrices(), matrices(), JUNK))
    shape = getattr(matrix, "shape", (2, 2))
    rows, columns = shape if len(shape) == 2 else (2, 2)
    users, items = data.draw(ids(rows)), data.draw(ids(columns))
    for call in (
        lambda: Profiles.from_matrix(matrix, items),
        lambda: Profiles.from_matrix(matrix, items, users),
        lambda: Profiles(matrix, users, items),
    ):
        made = tried(call, form=OUR_FORM)
        if made is not None:
            sound(made)


@fuzzed(100, 3000, data=st.data())
def test_rows_of_profiles(data):
    count = data.draw(st.integers(0, 5))
    users = Profiles.from_matrix(np.ones((count, 2)), ["a", "b"])
    rows = data.draw(
        st.one_of(
            JUNK,
            st.lists(st.integers(-count - 1, count), max_size=4),
            st.lists(st.booleans(), max_size=5),
            st.slices(count),
            st.lists(st.integers(0, 3), max_size=3).map(np.array),
            st.integers(-6, 6),
        )
    )
    part = tried(lambda: users[rows], form=OUR_FORM, also=(IndexError,))
    if part is not None:
        sound(part)
        if isinstance(rows, list):
            wanted = np.arange(count)[np.asarray(rows, dtype=None if rows else int)]
            assert part.user_ids.tolist() == users.user_ids[wanted].tolist()


@st.composite
def frames(draw, most=8):
    """A long table whose ids and values are of one type, or of any."""
    size = draw(st.integers(0, most))
    own = st.sampled_from([IDS, st.integers(0, 5), st.integers(0, 5).map(str), st.text(max_size=2)])
    columns = {}
    for name in ("user", "item"):
        strategy = draw(own)
        columns[name] = [draw(strategy) for _ in range(size)]
    if draw(st.booleans()):
        strategy = draw(st.sampled_from([st.sampled_from([1, 2, 5]), VALUES]))
        columns["rating"] = [draw(strategy) for _ in range(size)]
    frame = pd.DataFrame({name: pd.Series(part, dtype=object) for name, part in columns.items()})
    change = draw(st.sampled_from(["none", "infer", "rename", "twice", "category", "drop"]))
    if change == "infer":
        return frame.infer_objects()
    if change == "rename":
        return frame.rename(columns={"item": draw(st.sampled_from(["Item", "user", "rating"]))})
    if change == "twice":
        return pd.concat([frame, frame["user"]], axis=1)
    if change == "category" and not frame["user"].isna().any():
        with_category = frame.copy()
        try:
            with_category["user"] = with_category["user"].astype("category")
        except (TypeError, ValueError, Warning):  # pandas cannot sort them
            return frame
        return with_category
    return frame.drop(columns="item") if change == "drop" else frame


@fuzzed(100, 3000, frame=frames())
def test_profiles_of_tables(frame):
    made = tried(lambda: Profiles.from_frame(frame), form=OUR_FORM)
    if made is not None:
        sound(made)
        assert made.matrix.nnz == len(frame)


@fuzzed(60, 2000, frame=frames(), threshold=st.one_of(st.none(), st.sampled_from([1, 2, 6]), JUNK))
def test_held_out_users_of_random_tables(frame, threshold):
    data = frame if len(frame.columns) != 3 else [*frame.itertuples(index=False)]
    method = tried(lambda: HeldOutUsers(data, rating_threshold=threshold))
    if method is not None:
        repr(method)


@st.composite
def likes(draw):
    """A table that can be split: a good number of users of a few items each, pairs repeated."""
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    n_users = draw(st.integers(8, 40))
    rows = draw(st.integers(2 * n_users, 8 * n_users))
    users, items = random.integers(0, n_users, rows), random.integers(0, 12, rows)
    kind = draw(st.sampled_from(["numbers", "texts", "mixed", "floats"]))
    if kind == "mixed":  # types differ, and no two are spelt alike
        users = [int(one) if one % 2 else f"u{one}" for one in users]
    elif kind == "texts":
        users = [f"u{one}" for one in users]
    elif kind == "floats":
        users = users + 0.5
    ratings = random.integers(1, 6, rows)
    frame = pd.DataFrame({"user": users, "item": items, "rating": ratings})
    return frame, random.permutation(rows), seed


def same_users(one, other):
    assert one.user_ids.tolist() == other.user_ids.tolist()
    assert one.item_ids.tolist() == other.item_ids.tolist()
    assert (one.matrix != other.matrix).nnz == 0


@fuzzed(12, 500, made=likes(), threshold=st.sampled_from([None, 3]))
def test_the_order_of_rows_makes_no_difference_to_the_groups(made, threshold):
    frame, order, _ = made
    methods = [
        tried(lambda rows=rows: HeldOutUsers(rows, rating_threshold=threshold, seed=3))
        for rows in (frame, frame.iloc[order], [*frame.iloc[order].itertuples(index=False)])
    ]
    assert len({method is None for method in methods}) == 1
    for method in methods[1:]:
        if method is not None:
            for group in ("train", "reference", "held_out"):
                first, other = (getattr(one.groups, group) for one in (methods[0], method))
                same_users(first, other)
            assert method.groups.dropped == methods[0].groups.dropped


@fuzzed(1, 15, seed=st.integers(0, 2**32 - 1))
def test_the_order_of_rows_makes_no_difference_to_the_numbers(seed):
    random = np.random.default_rng(seed)
    held = np.argwhere(random.random((240, 30)) < 0.3)
    frame = pd.DataFrame(held, columns=["user", "item"])
    metrics = [UnrealisticUsers(alpha=0.2), PopularityJS(), ProfileSizeKS()]
    found = []
    for rows in (frame, frame.iloc[random.permutation(len(frame))]):
        method = HeldOutUsers(rows, seed=5, n_splits=3)
        method.evaluate(Popularity(), metrics, user_based=True)
        scores = method.report.scores
        found.append(scores[["metric", "value", "low", "high", "ceiling", "floor"]])
    pd.testing.assert_frame_equal(*found, check_exact=True)
    assert np.isfinite(found[0][["value", "low", "high"]].to_numpy(dtype=float)).all()
