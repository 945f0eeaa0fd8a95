"""Do likelihood, ranking and believability agree on which model is best?

All models and all latent densities of the VAE: log-likelihood of held-out users in nats (exact, or
a lower bound on average, marked >=, with the median effective sample size), NDCG@100 of what unseen
users hide, the share of made-up users that the worst of three judges flags at .05, coverage,
copying. Values are ones, so that every likelihood is that of an item set.

Command: python experiments/likelihood_vs_realism.py --data ../shared/data
Minutes: about 30 on two cores.
Writes: likelihood_vs_realism.csv in experiments/results, .png in experiments/pictures
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import pandas as pd
from cornac.metrics import NDCG
from diagnosis import FLAGGED
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from real_data import MULTINOMIAL, Chosen, evaluate, held_out_users, panels, run
from scipy.stats import kendalltau

from cornac_mle import (
    LDA,
    PMF,
    VAE,
    GenerativeRecommender,
    HeldOutUsers,
    Mixture,
    MMDTuning,
    Popularity,
    TrainingUsers,
)
from cornac_mle.metrics import (
    CopiedUsers,
    HeldOutLogLikelihood,
    NeighbourCoverage,
    UnrealisticUsers,
)
from cornac_mle.report.placing import Named, place_labels
from cornac_mle.report.style import draw_ends, look

NATS, RANKING = "HeldOutLogLikelihood", "NDCG@100"


def models(
    method: HeldOutUsers, seed: int, chosen: Chosen
) -> Iterator[tuple[str, GenerativeRecommender]]:
    """Yield (name, fitted model) of those chosen; the VAE's latent densities share one fit."""
    data = method.train_set, method.val_set

    @cache
    def vae() -> VAE:
        return VAE(**MULTINOMIAL, seed=seed).fit(*data)

    def of_likelihood(likelihood: str) -> GenerativeRecommender:
        return VAE(**MULTINOMIAL | {"likelihood": likelihood}, seed=seed).fit(*data)

    def of_sets(likelihood: str) -> GenerativeRecommender:
        """Train by the distribution of what is drawn."""
        return VAE(likelihood=likelihood, seed=seed).fit(*data)

    makers: dict[str, Callable[[], GenerativeRecommender]] = {
        "Popularity": lambda: Popularity().fit(*data),
        "TrainingUsers": lambda: TrainingUsers().fit(*data),
        "Mixture 10": lambda: Mixture(k=10, seed=seed).fit(*data),
        "Mixture 100, rough": lambda: Mixture(k=100, lambda_reg=1, n_init=1, seed=seed).fit(*data),
        "LDA 20": lambda: LDA(k=20, seed=seed).fit(*data),
        "PMF": lambda: PMF(k=20, seed=seed).fit(*data),
        **{
            f"VAE {latent}": partial(lambda latent: vae().with_latent(latent), latent)
            for latent in ("prior", "gaussian", "mixture", "posterior")
        },
        **{f"VAE {one}": partial(of_likelihood, one) for one in ("bern", "pois", "gaus")},
        "VAE VampPrior": lambda: VAE(
            **MULTINOMIAL | {"prior": "vamp"}, latent="prior", seed=seed
        ).fit(*data),
        "VAE mixture, tuned": lambda: MMDTuning(vae().with_latent("mixture"), seed=seed).fit(*data),
        "VAE sets": partial(of_sets, "conditional-poisson"),
        "VAE Plackett-Luce": partial(of_sets, "plackett-luce"),
    }
    for label, make in makers.items():
        if chosen(label):
            yield label, make()


def measure(name: str, data: Path, seed: int, chosen: Chosen) -> pd.DataFrame:
    method = held_out_users(name, data, seed)
    metrics = [UnrealisticUsers(judge="worst"), NeighbourCoverage(), CopiedUsers()]
    metrics += [HeldOutLogLikelihood(), NDCG(k=100)]
    made = models(method, seed, chosen)
    rows = [evaluate(method, model, label, metrics) for label, model in made]
    columns = ["dataset", "model", "metric", "value", "low", "high", "ceiling", "floor"]
    return pd.concat(rows)[[*columns, "effective_sample_size"]]


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Kendall's tau between the orders of models by two metrics, each with the better one first."""
    rows = []
    for name, own in table.groupby("dataset", sort=False):
        wide = own.pivot_table(index="model", columns="metric", values="value")
        for metric in (NATS, RANKING):
            both = wide[[metric, FLAGGED]].dropna()
            tau, p_value = kendalltau(both[metric], -both[FLAGGED])
            rows.append((name, f"{metric} / believability", len(both), tau, p_value))
    return pd.DataFrame(rows, columns=["dataset", "orders", "models", "tau", "p_value"])


def draw(table: pd.DataFrame) -> Figure:
    sets = list(dict.fromkeys(table["dataset"]))
    figure, axes = panels(len(sets), 2, (11, 4.6 * len(sets)), sharey=True)
    for row, name in zip(axes, sets, strict=True):
        own = table[table["dataset"] == name]
        flagged = own[own["metric"] == FLAGGED].set_index("model")
        for axis, metric in zip(row, (NATS, RANKING), strict=True):
            found = own[(own["metric"] == metric) & (own["value"] > -1e9)].set_index("model")
            for model, score in found.iterrows():
                share = flagged.loc[model]
                is_bound = pd.notna(score["effective_sample_size"])
                axis.errorbar(
                    score["value"],
                    share["value"],
                    [[share["value"] - share["low"]], [share["high"] - share["value"]]],
                    **look(int(is_bound)).points() | {"marker": ">" if is_bound else "o"},
                )
            draw_ends(axis, flagged["ceiling"].iloc[0], flagged["floor"].iloc[0])
            axis.set(ylim=(0, 1.05))
            axis.margins(x=0.12)
        row[0].set_title(name.replace("_", " "))
        row[0].set_ylabel("flagged at .05, worst of three judges")
        row[0].set_xlabel("log-likelihood of held-out users, nats a user")
        row[1].set_xlabel("NDCG@100 of unseen users")
    for place, label in enumerate(("exact", "at least (likelihood is estimated)")):
        marks = look(place).points(label) | {"marker": "o>"[place]}
        axes[0, 0].plot([], [], **marks)
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=4, frameon=False)
    for row, name in zip(axes, sets, strict=True):
        own = table[table["dataset"] == name]
        for axis, metric in zip(row, (NATS, RANKING), strict=True):
            name_points(axis, own, metric)
    return figure


def name_points(axis: Axes, own: pd.DataFrame, metric: str) -> None:
    """Write the model beside each point."""
    flagged = own[own["metric"] == FLAGGED].set_index("model")
    found = own[(own["metric"] == metric) & (own["value"] > -1e9)].set_index("model")["value"]
    shares = flagged.loc[found.index]
    points = [
        Named(str(model), across, share.value, across, across, share.low, share.high)
        for (model, across), share in zip(found.items(), shares.itertuples(), strict=True)
    ]
    lines = [(None, flagged["ceiling"].iloc[0]), (None, flagged["floor"].iloc[0])]
    place_labels(axis, points, lines=lines, size=7.5)


if __name__ == "__main__":
    table = run(__doc__, ("complete_journey", "movielens_1m"), measure, draw, by_model=True)
    print(agreement(table).round(3).to_string(index=False))
