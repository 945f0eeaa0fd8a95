"""Whether p-values, bounds and intervals hold: tables from the scripts that try them."""

from typing import Any

import pandas as pd

from building.registry import DATA, RESULTS, TITLES, VALIDITY, digits, figure, or_zero, table

LIKES = {
    "complete_journey": "Complete Journey, 3 baskets or more",
    "movielens_100k": "MovieLens-100K, 4 or more",
    "lastfm": "Last.fm, 10-core",
    "anime": "Anime, 8 or more, 10-core",
    "movielens_1m": "MovieLens-1M, 4 or more",
    "book_crossing": "Book-Crossing, history",
    "movietweetings": "MovieTweetings, 5-core",
    "ta_feng": "Ta-Feng, 6,000 users, subclasses",
}


@figure("type1", f"validity.py {DATA} --out docs/validity", f"{VALIDITY}/type1_all.csv")
def type1(found: pd.DataFrame) -> str:
    """Real users flagged, of all."""
    rows = [
        [name, *(found[f"{short} {level}"].iloc[0] for level in ("0.01", "0.05", "0.1"))]
        for name, short in (("marginal", "marg."), ("conditional", "cond."))
    ]
    return table(["", ".01", ".05", ".10"], rows)


@figure(
    "type1_kinds",
    f"validity.py {DATA} --out docs/validity",
    f"{VALIDITY}/type1_size.csv",
    f"{VALIDITY}/type1_popularity.csv",
)
def type1_kinds(sizes: pd.DataFrame, popularity: pd.DataFrame) -> str:
    """Real users flagged, by fifths of size and of popularity."""
    columns = ["marg. 0.05", "cond. 0.05", "marg. 0.1", "cond. 0.1"]
    rows = []
    for kind, frame, ends in (
        ("size", sizes, ("smallest", "largest")),
        ("popularity", popularity, ("rarest", "most popular")),
    ):
        names = [f"{kind}: {ends[0]}", "2nd", "3rd", "4th", ends[1]]
        for name, (_, row) in zip(names, frame.iterrows(), strict=True):
            outside = [f"**{row[c][:-2]}**" if row[c].endswith("!") else row[c] for c in columns]
            rows.append([name, *outside])
    head = ["marginal .05", "conditional .05", "marginal .10", "conditional .10"]
    return table(["fifths of the data set", *head], rows)


@figure("power", f"validity.py {DATA} --out docs/validity", f"{VALIDITY}/power.csv")
def power(found: pd.DataFrame) -> str:
    """Corrupted users flagged where 5% of real users are."""
    columns = ["popularity", "chimera", "swap 10%", "swap 25%", "swap 50%"]
    rows = [
        [
            LIKES[row["data"]],
            row["real"].split(" ")[0].replace("0.", ".", 1),
            *(row[column].replace("0.", ".") for column in columns),
        ]
        for _, row in found.iterrows()
    ]
    return table(["likes", "real", *columns], rows)


@figure("discoveries", f"validity.py {DATA} --out docs/validity", f"{VALIDITY}/fdp.csv")
def discoveries(found: pd.DataFrame) -> str:
    """Lay out false discoveries among flagged users, and planted ones that are found."""
    rows = [
        [
            TITLES[row["data"]],
            row["mean FDP at q = .1"].replace("s.e. ", "").replace("0.", "."),
            digits(row["of planted users found"], 3),
        ]
        for _, row in found.iterrows()
    ]
    return table(["likes", "mean false discovery proportion", "planted users found"], rows)


def _by_share(found: pd.DataFrame, data: str, column: str) -> list[Any]:
    return found[found["data"] == data].sort_values("true share")[column].tolist()


@figure("certified", f"certificates.py {DATA}", f"{RESULTS}/certificates.csv")
def certified(found: pd.DataFrame) -> str:
    """Certified shares of unrealistic users."""
    rows = []
    for data in found["data"].unique():
        bounds, limits = (_by_share(found, data, c) for c in ("median bound", "by limits"))
        rows.append(
            [
                TITLES[data],
                " / ".join(str(n) for n in _by_share(found, data, "bound above it")),
                " / ".join(or_zero(bound, 3) for bound in bounds),
                digits(limits[2], 3),
                digits(_by_share(found, data, "knowing all")[2], 3),
            ]
        )
    head = ["likes", "above pi, for pi = 0 / .1 / .3", "bound, for pi = 0 / .1 / .3"]
    return table([*head, "by limits, pi = .3", "knowing all, pi = .3"], rows)


@figure("certificates", f"certificates.py {DATA}", f"{RESULTS}/certificates.csv")
def certificates(found: pd.DataFrame) -> str:
    """Certified shares, against the bound of before and against what can be known."""
    rows = []
    for data in found["data"].unique():
        bounds = _by_share(found, data, "median bound")
        last = {c: _by_share(found, data, c)[2] for c in found.columns}
        rows.append(
            [
                TITLES[data],
                " / ".join(str(n) for n in _by_share(found, data, "bound above it")),
                " / ".join(or_zero(bound, 3) for bound in bounds[1:]),
                digits(last["by limits"], 3),
                digits(last["ratio"]),
                digits(last["knowing all"], 3),
                digits(last["of these users"], 3),
            ]
        )
    head = ["likes", "bound above pi, of 500, for pi = 0 / .1 / .3", "median bound, for .1 / .3"]
    return table([*head, "limits, .3", "ratio", "knowing all, .3", "of these users, .3"], rows)


@figure("coverage", f"validity.py {DATA} --out docs/validity", f"{VALIDITY}/coverage.csv")
def coverage(found: pd.DataFrame) -> str:
    """Share of intervals that hold the expectation."""
    columns = ["real", "swap 25%", "popularity"]
    rows = [
        [f"`{row['metric']}`", *(digits(row[c]) for c in columns)] for _, row in found.iterrows()
    ]
    return table(["metric", "real users", *columns[1:]], rows)


@figure("sanity", "sanity_checks.py", f"{RESULTS}/sanity_checks.csv")
def sanity(found: pd.DataFrame) -> str:
    """Count simple questions that measures of points pass."""
    passed = found.set_index("cell").loc["passed"]
    total = len(found) - 1

    def row(name: str, kind: str, *, fidelity: bool = True, of: str = "") -> list[str]:
        two = [f"{passed[f'{side}: {kind}']:.0f}{of}" for side in ("fidelity", "diversity")]
        return [name, two[0] if fidelity else "", two[1]]

    rows = [
        row(
            "`conformal_fidelity`, `conformal_diversity`, `coordinates=True`",
            "conformal, coordinates",
            of=f" of {total}",
        ),
        row("... `relative=False`", "conformal, coordinates, not relative", fidelity=False),
        row("... `coordinates=False`", "conformal"),
        row("density, coverage (k = 5)", "density, coverage"),
        row("precision, recall (k = 5)", "precision, recall"),
    ]
    return table(["", "fidelity", "diversity"], rows)


@figure("points_level", "sanity_checks.py", f"{RESULTS}/points_level.csv")
def points_level(found: pd.DataFrame) -> str:
    """Share of real points with a small p-value."""
    levels = ("0.05", "0.1", "0.2")
    rows = [
        [row["distribution"], *(digits(row[f"p <= {level}"], 3) for level in levels)]
        for _, row in found.iterrows()
    ]
    allowed = [digits(found[f"allowed at {level}"].iloc[0], 3) for level in levels]
    head = ["distribution, coordinates", "p at most .05", ".1", ".2"]
    return table(head, [*rows, ["at most, by a binomial limit", *allowed]])


@figure("best_type1", f"validity.py {DATA} --out docs/validity", f"{VALIDITY}/type1_all.csv")
def best_type1(found: pd.DataFrame) -> str:
    """Say how many real users are flagged."""
    count, limits = found["marg. 0.05"].iloc[0].split(" ")
    low, high = limits.strip("()").split("-")
    return (
        f"- Of {found['users'].iloc[0]:,} new real users of eight data sets {count} are flagged "
        f"at .05, where the binomial distribution allows {low} to {high}"
    )
