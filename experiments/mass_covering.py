"""Does a more probable mixture make up more believable users?

The post's figure on real users. Mixtures of K = 1, 2, 5, ..., 100 kinds of users are fitted by
maximum likelihood; for each, the log-likelihood of held-out users (what the fit aims at) and the
share of its own users that are implausible at .05 (what it does not see), by the worst of three
judges. Each mixture once with much smoothing (`lambda_reg=20`, the default, best in likelihood) and
once with little (1).

Command: python experiments/mass_covering.py --data ../shared/data
Minutes: about 10 on two cores.
Writes: experiments/results/mass_covering.csv, experiments/pictures/mass_covering.png
"""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from real_data import evaluate, held_out_users, panels, run

from cornac_mle import Mixture
from cornac_mle.metrics import HeldOutLogLikelihood, NeighbourCoverage, UnrealisticUsers
from cornac_mle.report.style import draw_ends, look

KINDS = (1, 2, 5, 10, 20, 50, 100)
SMOOTHING = {20.0: "much smoothing (20 users)", 1.0: "little smoothing (1 user)"}
SETS = ("complete_journey", "movielens_100k", "lastfm", "movielens_1m")


def measure(name: str, data: Path, seed: int) -> pd.DataFrame:
    method = held_out_users(name, data, seed)
    rows = []
    for smoothing in SMOOTHING:
        for kinds in KINDS:
            label = f"{kinds} kinds, lambda_reg={smoothing:g}"
            model = Mixture(k=kinds, lambda_reg=smoothing, n_init=1)
            model.fit(method.train_set, method.val_set)
            metrics = [UnrealisticUsers(judge="worst"), NeighbourCoverage(), HeldOutLogLikelihood()]
            found = evaluate(method, model, label, metrics)
            rows.append(found.assign(kinds=kinds, smoothing=smoothing))
    columns = [
        "dataset",
        "smoothing",
        "kinds",
        "metric",
        "value",
        "low",
        "high",
        "ceiling",
        "floor",
    ]
    return pd.concat(rows)[columns]


def draw(table: pd.DataFrame) -> Figure:
    sets = list(dict.fromkeys(table["dataset"]))
    figure, axes = panels(2, len(sets), (3.1 * len(sets), 5.4), sharex=True)
    for column, name in enumerate(sets):
        likelihood, flagged = axes[0, column], axes[1, column]
        for place, (smoothing, label) in enumerate(SMOOTHING.items()):
            style = look(place).line(label) | {"marker": look(place).marker, "ms": 4}
            own = table[(table["dataset"] == name) & (table["smoothing"] == smoothing)]
            nats = own[own["metric"] == "HeldOutLogLikelihood"]
            share = own[own["metric"].str.startswith("UnrealisticUsers")]
            likelihood.plot(nats["kinds"], nats["value"], **style)
            errors = [share["value"] - share["low"], share["high"] - share["value"]]
            flagged.errorbar(share["kinds"], share["value"], errors, **style)
        draw_ends(flagged, share["ceiling"].iloc[0], share["floor"].iloc[0])
        likelihood.set_title(name.replace("_", " "))
        flagged.set(xscale="log", ylim=(0, 1.05), xlabel="kinds of users, K")
        flagged.set_xticks([1, 10, 100], ["1", "10", "100"])
    axes[0, 0].set_ylabel("log-likelihood of held-out users\n(nats a user, higher is better)")
    axes[1, 0].set_ylabel("share of made-up users flagged\nat .05 (lower is better)")
    handles = axes[1, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=4, frameon=False)
    return figure


if __name__ == "__main__":
    run(__doc__, SETS, measure, draw)
