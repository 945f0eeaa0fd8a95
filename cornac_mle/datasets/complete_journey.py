"""The Complete Journey: a year of 2,469 households' groceries, by product type; embedded.

One row is a household and a product type; its rating is the number of the household's baskets of
the year that hold the type, 1 to 5, where 5 stands for five or more. 434,211 pairs, 2,242 types.
Source, licence and traps: ``complete_journey.md`` beside this file.
"""

from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cornac_mle.files.interactions import text_column
from cornac_mle.files.npz import read_arrays

if TYPE_CHECKING:
    import pandas as pd

ARRAYS = ("households", "row_counts", "item_steps", "baskets", "items")
ITEM_ARRAYS = ("product_categories", "departments")


def load_frame() -> "pd.DataFrame":
    """Load the pairs as a long table.

    Returns
    -------
    DataFrame, shape (434211, 3)
        ``user``, the household's number as text; ``item``, the product type's name; ``rating``,
        float64, baskets in the year, 1 to 5 (5: five or more). Sorted by household number, then
        item.

    Examples
    --------
    >>> load_frame().head(2)
      user              item  rating
    0    1  ADULT ANALGESICS     1.0
    1    1      ADULT CEREAL     1.0
    """
    import pandas as pd

    arrays = _arrays(ARRAYS)
    households = arrays["households"].astype(str).astype(object)
    items = arrays["items"].astype(object)
    rows = np.repeat(np.arange(len(households)), arrays["row_counts"])
    return pd.DataFrame(
        {
            "user": text_column(households[rows]),
            "item": text_column(items[_columns(arrays)]),
            "rating": arrays["baskets"].astype(np.float64),
        }
    )


def load_feedback() -> list[tuple[str, str, float]]:
    """Load the pairs as Cornac's loaders give them: (user, item, rating) tuples.

    Returns
    -------
    list of tuple
        Household's number, name of the product type, and baskets in the year, in the order of
        `load_frame`.

    Examples
    --------
    >>> load_feedback()[:2]
    [('1', 'ADULT ANALGESICS', 1.0), ('1', 'ADULT CEREAL', 1.0)]
    """
    frame = load_frame()
    return list(zip(frame["user"], frame["item"], frame["rating"].tolist(), strict=True))


def load_items() -> "pd.DataFrame":
    """Load what is known of the product types.

    Returns
    -------
    DataFrame, shape (2242, 4)
        ``item``; ``product_category`` and ``department`` under which most of its lines were sold
        ("" where no category is given); ``households``, how many bought it.

    Examples
    --------
    >>> load_items().set_index("item").loc["ADULT CEREAL"]
    product_category    COLD CEREAL
    department              GROCERY
    households                 1121
    Name: ADULT CEREAL, dtype: object
    """
    import pandas as pd

    arrays = _arrays((*ARRAYS, *ITEM_ARRAYS))
    return pd.DataFrame(
        {
            "item": text_column(arrays["items"].astype(object)),
            "product_category": text_column(arrays["product_categories"].astype(object)),
            "department": text_column(arrays["departments"].astype(object)),
            "households": np.bincount(_columns(arrays), minlength=len(arrays["items"])),
        }
    )


def _arrays(names: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    """Read the embedded arrays."""
    with as_file(files("cornac_mle.datasets") / "complete_journey.npz") as path:
        return read_arrays(path, names)


def _columns(arrays: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
    """Item number of each pair: within a household, the sum of its steps so far."""
    counts = arrays["row_counts"].astype(np.int64)
    sums: npt.NDArray[np.int64] = np.cumsum(arrays["item_steps"], dtype=np.int64)
    before = np.concatenate([[0], sums[np.cumsum(counts)[:-1] - 1]])
    columns: npt.NDArray[np.int64] = sums - np.repeat(before, counts)
    return columns
