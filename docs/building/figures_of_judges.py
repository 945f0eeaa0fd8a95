"""Judges that learn, and judges whom all real users teach: `experiments/learned_judges.py`."""

import pandas as pd
from scipy import stats

from building.registry import DATA, RESULTS, TITLES, digits, figure, table

SCRIPT = "learned_judges.py"
FIXED = ("ease", "item-knn", "svd")
ALPHAS = (0.01, 0.05, 0.10)


@figure("learned_few", f"{SCRIPT} {DATA} --part few", f"{RESULTS}/learned_judges_few.csv")
def learned_few(found: pd.DataFrame) -> str:
    """Share flagged where real users are few, by whom they teach."""
    names = {"filmtrust": "FilmTrust"} | TITLES
    rows = []
    for data, part in found.groupby("data", sort=False):
        row = [names[str(data)], f"{part['real users'].mean():.0f}"]
        for kind in ("real", "chimera", "swap 25%"):
            gap = part[f"{kind}, cross"] - part[f"{kind}, reference"]
            before, after = (part[f"{kind}, {one}"].mean() for one in ("reference", "cross"))
            row.append(f"{digits(before, 3)}, {digits(after, 3)} ({digits(gap.sem(), 3)})")
        rows.append(row)
    head = ["likes", "real users", "new real users", "chimera", "swap 25%"]
    return table(head, rows)


@figure("learned_models", f"{SCRIPT} {DATA} --part models", f"{RESULTS}/learned_judges_models.csv")
def learned_models(found: pd.DataFrame) -> str:
    """Share flagged of what models make up."""
    return _against_fixed(found, "users made up by")


@figure(
    "learned_planted", f"{SCRIPT} {DATA} --part planted", f"{RESULTS}/learned_judges_planted.csv"
)
def learned_planted(found: pd.DataFrame) -> str:
    """Share flagged of held-out users who were corrupted, and of training users."""
    return _against_fixed(found, "users")


def _against_fixed(found: pd.DataFrame, what: str) -> str:
    """Share flagged by the best of the fixed judges, and by those that learn."""
    rows = []
    for (data, model), part in found.groupby(["data", "model"], sort=False):
        best = part[list(FIXED)].mean().idxmax()
        cells = [f"{digits(part[best].mean(), 3)} ({best})"]
        for judge in ("combined", "adaptive"):
            gap = part[judge] - part[best]
            cells.append(f"{digits(part[judge].mean(), 3)} ({gap.mean():+.3f} ± {gap.sem():.3f})")
        rows.append([TITLES[str(data)], str(model), *cells])
    head = ["likes", what, "best fixed judge", "combined (gap, s.e.)", "adaptive (gap, s.e.)"]
    return table(head, rows)


@figure("short_profiles", f"short_profiles.py {DATA}", f"{RESULTS}/short_profiles.csv")
def short_profiles(found: pd.DataFrame) -> str:
    """Tell how often pairs of items, and whole item sets, show a difference."""
    whole = found[found["share"] == 1]
    rows = []
    for data, part in whole.groupby("data", sort=False):
        row = [TITLES[str(data)]]
        for kind in ("real", "chimera", "swap 25%"):
            own = part[part["kind"] == kind]
            row.append(", ".join(digits((own[how] <= 0.05).mean()) for how in ("pairs", "Jaccard")))
        rows.append(row)
    return table(["likes", "new real users", "chimera", "swap 25%"], rows)


@figure(
    "learned_type1",
    f"{SCRIPT} {DATA} --part type1",
    f"{RESULTS}/learned_judges_type1.csv",
)
def learned_type1(found: pd.DataFrame) -> str:
    """Count the new real users who are flagged, beside exact binomial limits of 95%."""
    rows = []
    for is_leak, part in found.groupby("leak"):
        for judge in ("combined", "adaptive", "cross"):
            cells = []
            for alpha in ALPHAS:
                low, high = stats.binom.interval(0.95, len(part), alpha)
                cells.append(f"{(part[judge] <= alpha + 1e-9).sum()} ({low:.0f} to {high:.0f})")
            rows.append([f"{judge}{', planted leak' if is_leak else ''}", f"{len(part):,}", *cells])
    return table(["judge", "users", *(f"at {digits(alpha)}" for alpha in ALPHAS)], rows)
