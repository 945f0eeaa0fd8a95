"""Which rows of a table no other row beats: what is left to choose from with several objectives."""

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from cornac_mle.checks import check_number, refusal, written

Direction = str | float
"""What is best: "high", "low", or a number that a value should be near."""


def non_dominated(losses: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Mark the rows that no other row dominates: the Pareto front.

    A row dominates another if it is `<=` in every column and `<` in at least one. Equal rows do
    not dominate one another, so all of them are on the front or none is. A row with a NaN is not
    on it and dominates nothing.

    Parameters
    ----------
    losses : ndarray, shape (n_rows, n_objectives)
        Values of which lower is better.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
        Mark of the rows on the front.

    Notes
    -----
    Cost: the square of the number of rows times the number of columns.

    Examples
    --------
    >>> non_dominated(np.array([[1.0, 3.0], [2.0, 1.0], [2.0, 3.0], [1.0, 3.0]])).tolist()
    [True, True, False, True]
    """
    comparable = np.flatnonzero(~np.isnan(losses).any(axis=1))
    front = np.zeros(len(losses), dtype=np.bool_)
    for row in comparable:
        no_worse = (losses <= losses[row]).all(axis=1)
        front[row] = not (no_worse & (losses < losses[row]).any(axis=1)).any()
    return front


def pareto_front(
    table: pd.DataFrame, columns: Sequence[str], directions: Sequence[Direction]
) -> pd.DataFrame:
    """Keep the rows that no other row beats in all of `columns`; the best of the first one first.

    Row a beats row b if it is at least as good everywhere and better somewhere. Rows that are equal
    in all columns stay together. Rows without a value in one of the columns are left out.

    Parameters
    ----------
    table : DataFrame
        A row for each thing to choose from: `results` of a search, or models of a report, as in the
        example.
    columns : sequence of str
        Columns of numbers, one an objective.
    directions : sequence
        Best values of the columns: "high", "low", or a number, of which the nearest value is best
        (`alpha` for `UnrealisticUsers`, the ceiling where that is the ideal). The notes of a report
        have them, but for the ceiling: ``report.metrics[column].best``.

    Returns
    -------
    DataFrame
        Rows of `table` with their index. Rows that are equal in the first column keep their order.

    Raises
    ------
    TypeError, ValueError
        If there is no table or no column, one is not in the table, is there twice or holds no
        numbers, or a direction is missing or unknown.

    Examples
    --------
    >>> scores = pd.DataFrame({
    ...     "model": ["PMF", "PMF", "VAE", "VAE", "LDA", "LDA"],
    ...     "metric": ["NDCG@100", "UnrealisticUsers@0.05"] * 3,
    ...     "value": [0.40, 0.70, 0.42, 0.75, 0.39, 0.72],
    ... })
    >>> table = scores.pivot_table(index="model", columns="metric", values="value")
    >>> front = pareto_front(table, ["NDCG@100", "UnrealisticUsers@0.05"], ["high", 0.05])
    >>> front.index.tolist()
    ['VAE', 'PMF']

    LDA is not on it: PMF ranks better and is nearer to .05.
    """
    if not isinstance(table, pd.DataFrame):
        raise TypeError(refusal("table", "be a DataFrame", f"a {type(table).__name__}"))
    for name, entries in (("columns", columns), ("directions", directions)):
        is_list = isinstance(entries, Sequence) and not isinstance(entries, str | bytes)
        if not is_list and not (isinstance(entries, np.ndarray | pd.Index) and entries.ndim == 1):
            advice = "Write [column], [direction]."
            raise TypeError(refusal(name, "be a list", written(entries), advice))
    if len(columns) == 0 or len(columns) != len(directions):
        got = f"{len(columns)} and {len(directions)}"
        rule = "be as many, at least one"
        raise ValueError(refusal("columns` and `directions", rule, got))
    pairs = zip(columns, directions, strict=True)
    losses = np.column_stack([_losses(table, *pair) for pair in pairs])
    front = np.flatnonzero(non_dominated(losses))
    return table.iloc[front[np.argsort(losses[front, 0], kind="stable")]]


def _losses(table: pd.DataFrame, column: str, direction: Direction) -> npt.NDArray[np.float64]:
    """Turn a column into numbers of which the lowest is best, (n_rows,)."""
    count = int((table.columns == column).sum()) if isinstance(column, Hashable) else 0
    if count != 1:
        rule = "be once in the table" if count else "be in the table"
        known = ", ".join(map(str, table.columns))
        raise ValueError(refusal("columns", rule, written(column), f"It has {known}."))
    kind = table[column].dtype
    if not pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_complex_dtype(kind):
        raise ValueError(refusal("columns", "hold numbers", f"{kind} in {column!r}"))
    values = table[column].to_numpy(dtype=np.float64, na_value=np.nan)
    if isinstance(direction, str) and direction in ("high", "low"):
        return -values if direction == "high" else values
    try:
        # The notes of a report spell their best values: "0.05".
        number = float(direction) if isinstance(direction, str) else direction
        ideal = check_number("directions", number)
    except (TypeError, ValueError):
        rule = "each be 'high', 'low' or the best value"
        advice = "Where the ceiling is best, give its value."
        raise ValueError(refusal("directions", rule, written(direction), advice)) from None
    return np.abs(values - ideal)
