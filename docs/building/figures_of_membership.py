"""Whose users they are: tables from `experiments/membership.py`."""

import pandas as pd

from building.registry import DATA, FLAGGED, RESULTS, TITLES, by, digits, figure, table


@figure("membership_models", f"membership.py {DATA}", f"{RESULTS}/membership_models.csv")
def membership_models(found: pd.DataFrame) -> str:
    """Membership against believability, of the data sets on which all models were measured."""
    counts = found.groupby("dataset", sort=False)["model"].nunique()
    sets = list(counts.index[counts == counts.max()])
    values = found.set_index(["model", "dataset", "metric"])["value"]
    rows = []
    for model in found.loc[found["dataset"] == sets[0], "model"].unique():
        cells = [
            f"{digits(values[model, data, 'MembershipInference'])}, "
            f"{digits(values[model, data, FLAGGED])}"
            for data in sets
        ]
        rows.append([str(model), *cells])
    return table(["users made up by", *(TITLES[data] for data in sets)], rows)


@figure("membership_null", f"membership.py {DATA}", f"{RESULTS}/membership_null.csv")
def membership_null(found: pd.DataFrame) -> str:
    """Sum up what attacks find where nobody was trained on, over all data sets and splits."""
    rows = []
    for users in found["users"].unique():
        one = found[found["users"] == users]
        rows.append(
            [
                {"strangers": "new real users"}.get(users, users),
                f"{len(one):,}",
                digits(one["auc"].mean(), 3),
                f"{((one['low'] <= 0.5) & (one['high'] >= 0.5)).mean():.0%}",
                f"{(one['low'] > 0.5).mean():.0%}",
                f"{(one['epsilon'] > 0).mean():.0%}",
                f"{(one['exposed_nearest'] > 0).mean():.1%}",
                f"{(one['exposed_judge'] > 0).mean():.1%}",
            ]
        )
    head = ["users", "cases", "mean AUC", "interval holds .5", "is above .5", "epsilon above 0"]
    return table([*head, "somebody named: nearest", "judge"], rows)


@figure("membership_copies", f"membership.py {DATA}", f"{RESULTS}/membership_power.csv")
def membership_copies(found: pd.DataFrame) -> str:
    """Planted copies that are named."""
    sums = found.groupby(["dataset", "swapped"], sort=False).sum(numeric_only=True)
    rows = [
        [
            TITLES[data],
            f"{swapped:.0%}",
            f"{one['planted']:.0f}",
            f"{one['found']:.0f}",
            f"{one['found_by_distance']:.0f}",
            f"{one['named'] - one['found']:.0f}",
        ]
        for (data, swapped), one in sums.iterrows()
    ]
    head = ["", "items swapped", "planted", "named", "by distance alone", "others named"]
    return table(head, rows)


@figure("membership_curve", f"membership.py {DATA}", f"{RESULTS}/membership_curve.csv")
def membership_curve(found: pd.DataFrame) -> str:
    """More synthetic users give more away."""
    value = by(found, "dataset", "model", "times", value="auc")
    times = sorted(found["times"].unique())
    rows = [
        [TITLES[data], model, *(digits(value[data, model, n]) for n in times)]
        for data in found["dataset"].unique()
        for model in found["model"].unique()
    ]
    return table(["", "users made up by", *(f"{n} a training user" for n in times)], rows)
