"""Partitions of synthetic users: whole or absent, of one run, and read by any reader."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from cornac_mle.files import partitions
from cornac_mle.files.any_layout import read_interactions
from cornac_mle.files.partitions import (
    MANIFEST,
    Manifest,
    missing_partitions,
    read_manifest,
    whole_partitions,
    write_users,
)
from cornac_mle.profiles import Profiles
from worlds import rated, taste_world

WORLD = rated(taste_world(50, n_items=20, mean_size=6))
MADE = Manifest(50, 20, {"model": "VAE", "seed": 1})


def chunks(world, step=7):
    return [world.matrix[start : start + step] for start in range(0, len(world), step)]


def items(world):
    return world.item_ids.to_numpy()


@pytest.fixture
def folder(tmp_path):
    for number in missing_partitions(tmp_path / "made", MADE):
        users = MADE.users_of(number)
        part = WORLD[users.start : users.stop]
        write_users(
            tmp_path / "made" / MADE.names[number],
            chunks(part),
            items(WORLD),
            first_user=users.start,
        )
    return tmp_path / "made"


@pytest.mark.parametrize("group_rows", [1, 2**20])
def test_a_stream_is_read_as_what_was_drawn(tmp_path, monkeypatch, group_rows):
    monkeypatch.setattr(partitions, "GROUP_ROWS", group_rows)
    matrix = WORLD.matrix.tolil()
    matrix[3], matrix[:, 19] = 0, 0  # a user without items, an item that nobody holds
    users = Profiles.from_matrix(sp.csr_array(matrix), WORLD.item_ids)
    path = tmp_path / "users.parquet"
    assert write_users(path, chunks(users), items(users), items_listed=True) == 50
    read = Profiles.read(path)
    assert read.item_ids.equals(users.item_ids)
    assert read.user_ids.equals(users.user_ids)
    assert (read.matrix != users.matrix).nnz == 0


def test_items_in_order_of_appearance_need_no_rows_of_their_own(tmp_path):
    users = Profiles.from_matrix([[1, 1, 0], [0, 0, 1]], ["a", "b", "c"])
    write_users(tmp_path / "u.parquet", [users.matrix], items(users), items_listed=True)
    assert pq.read_table(tmp_path / "u.parquet").num_rows == 3
    assert Profiles.read(tmp_path / "u.parquet").item_ids.equals(users.item_ids)


def test_ids_are_written_once(tmp_path):
    write_users(tmp_path / "u.parquet", chunks(WORLD), items(WORLD))
    encodings = pq.ParquetFile(tmp_path / "u.parquet").metadata.row_group(0).column(0).encodings
    assert "RLE_DICTIONARY" in encodings


def test_any_reader_of_folders_reads_all_partitions(folder):
    read = read_interactions(folder)
    again = Profiles.from_frame(read.frame, item_ids=WORLD.item_ids)
    assert (again.matrix != WORLD.matrix).nnz == 0
    assert list(again.user_ids) == [f"s{number}" for number in range(50)]
    assert len(pd.read_parquet(folder)) == WORLD.matrix.nnz


def test_the_manifest_says_what_is_missing(folder):
    assert read_manifest(folder) == MADE
    assert missing_partitions(folder, MADE) == []
    assert [path.name for path in whole_partitions(folder)] == MADE.names
    (folder / MADE.names[1]).unlink()
    assert missing_partitions(folder, MADE) == [1]
    with pytest.raises(ValueError, match=r"`folder` must hold 3 partitions.*without 1 of them"):
        whole_partitions(folder)


def test_a_folder_without_manifest_has_none(tmp_path):
    assert read_manifest(tmp_path) is None
    assert whole_partitions(tmp_path) is None


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Manifest(51, 20, MADE.made), r"whose n_users is 50, not 51\. Name another folder"),
        (Manifest(50, 10, MADE.made), r"whose partition_users is 20, not 10"),
        (Manifest(50, 20, {"model": "VAE", "seed": 2}), r"whose seed is 1, not 2"),
        (Manifest(50, 20, {"model": "VAE"}), r"whose seed is 1, not None"),
    ],
)
def test_partitions_of_another_run_are_not_touched(folder, other, message):
    with pytest.raises(ValueError, match=message):
        missing_partitions(folder, other)
    assert read_manifest(folder) == MADE


def test_partitions_of_another_tool_are_not_touched(folder):
    (folder / MANIFEST).unlink()
    with pytest.raises(ValueError, match=r"must be empty, or be of the same users; got .*without"):
        missing_partitions(folder, MADE)


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "made").write_text("")
    with pytest.raises(ValueError, match=r"`path` must be a folder; got .*A file has that name"):
        missing_partitions(tmp_path / "made", MADE)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        json.dumps({"format": 2, "n_users": 1, "partition_users": 1, "made": {}}),
        json.dumps({"format": 1, "n_users": 0, "partition_users": 1, "made": {}}),
        json.dumps({"format": 1, "n_users": 1, "partition_users": 1, "made": None}),
        json.dumps({"format": 1, "n_users": 1}),
    ],
)
def test_a_damaged_manifest_is_one_line(tmp_path, text):
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(ValueError, match=r"^`_manifest\.json` must be a manifest.*; got"):
        read_manifest(tmp_path)


def test_a_full_disk_leaves_no_part_of_a_partition(tmp_path):
    def until_full():
        yield WORLD.matrix[:20]
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_users(tmp_path / "part.parquet", until_full(), items(WORLD))
    assert list(tmp_path.iterdir()) == []


def test_users_without_items_only(tmp_path):
    nobody = sp.csr_array((3, 20), dtype=np.float32)
    write_users(tmp_path / "u.parquet", [nobody], items(WORLD), first_user=5, items_listed=True)
    read = Profiles.read(tmp_path / "u.parquet")
    assert (list(read.user_ids), len(read.item_ids)) == (["s5", "s6", "s7"], 20)
