"""Tables of other libraries, polars and pyarrow among them, as pandas knows them."""

from typing import Any, Protocol, runtime_checkable

import pandas as pd

from cornac_mle.checks import refusal


@runtime_checkable
class SupportsArrow(Protocol):
    """A table that speaks the Arrow PyCapsule interface, as polars and pyarrow do."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Give a stream of its rows."""


@runtime_checkable
class SupportsInterchange(Protocol):
    """A table that speaks the older DataFrame interchange protocol."""

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any:
        """Give the interchange object."""


def frame_of(data: object) -> pd.DataFrame | None:
    """Give a table of another library as a DataFrame; None where `data` is no table.

    Raises
    ------
    ImportError
        If it takes pyarrow, and that is not installed.
    """
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, pd.Series):
        rule, advice = "be a table with the columns user and item", "Pass a DataFrame."
        raise TypeError(refusal("data", rule, "a Series", advice))
    if isinstance(data, SupportsArrow):
        try:
            import pyarrow
        except ImportError as error:
            msg = "Tables of other libraries need pyarrow: pip install cornac-mle[parquet]"
            raise ImportError(msg) from error
        frame: pd.DataFrame = pyarrow.table(data).to_pandas()
        return frame
    if isinstance(data, SupportsInterchange):
        return pd.api.interchange.from_dataframe(data)
    return None
