"""Names of items, from files of any usual layout."""

import gzip

import pandas as pd
import pytest

from cornac_mle.files.item_names import read_names
from paths import SHARED_DATA

IDS = ["007", "8", "a,b"]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("id,title\n007,Milk\n8,Tea\n", "item = id, name = title"),
        ("007|Milk|1999\n8|Tea|2001\n", "item = column 1, name = column 2"),
        ("1999::007::Milk\n2001::8::Tea\n", "item = column 2, name = column 3"),
        ("year\tkey\tlabel\n1999\t007\tMilk\n2001\t8\tTea\n", "item = key, name = label"),
        ("\ufeffname;id\nMilk;007\nTea;8\n", "item = id, name = name"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_columns_are_found(tmp_path, text, note, packed):
    path = tmp_path / "items.txt"
    data = text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    names, said = read_names(path, IDS)
    assert names == {"007": "Milk", "8": "Tea"}
    assert said == f"{note}; 2 of 3 items named"


def test_quoted_names_blank_names_and_other_items(tmp_path):
    path = tmp_path / "items.csv"
    path.write_text('item,description\n"a,b","Tea, green"\n8,\n9,Not ours\n007,Milk\n')
    assert read_names(path, IDS)[0] == {"a,b": "Tea, green", "007": "Milk"}


def test_columns_can_be_named(tmp_path):
    path = tmp_path / "items.csv"
    path.write_text("id,title,short\n007,Milk of cows,Milk\n")
    assert read_names(path, IDS, item_column="id", name_column="short")[0] == {"007": "Milk"}
    with pytest.raises(ValueError, match="`name_column` must be one of id, title, short; got 'x'"):
        read_names(path, IDS, name_column="x")


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "items.parquet"
    pd.DataFrame({"sku": ["007", None], "name": ["Milk", "Tea"]}).to_parquet(path)
    assert read_names(path, IDS) == ({"007": "Milk"}, "item = sku, name = name; 1 of 3 items named")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,title\n70,Milk\n", "must have a column with ids of the data; got items.csv with id:"),
        ("id\n007\n", "items.csv` must have at least two fields a line; got 'id'"),
    ],
)
def test_what_is_refused(tmp_path, text, message):
    path = tmp_path / "items.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_names(path, IDS)


@pytest.mark.skipif(not SHARED_DATA.exists(), reason="no real data beside the repository")
@pytest.mark.parametrize(
    ("file", "item", "name"),
    [
        ("cornac_cache/ml-100k/u.item", "50", "Star Wars (1977)"),
        ("cornac_cache/ml-1m/movies.dat", "2", "Jumanji (1995)"),
        ("lastfm_hetrec2k/artists.csv.gz", "51", "Duran Duran"),
        ("movietweetings_100k/movies.csv.gz", "0111161", "The Shawshank Redemption (1994)"),
    ],
)
def test_files_of_real_data(file, item, name):
    assert read_names(SHARED_DATA / file, [item])[0] == {item: name}
