"""Are the users that Cornac's models make up believable, and does ranking well help?

Every model of Cornac's that can be sampled (`Sampled`), and ours: ranking of unseen users, the
share of made-up users that the worst of three judges flags at .05, coverage, copying, popularity,
sizes, and seconds. Models with a generative distribution of their own are drawn from that, and once
more from a mixture fitted over their training users. Settings are fixed beforehand, the same for
both data sets; no model is tuned. CVAECF needs a graph of users and is left out; so are models that
need texts, images or the order of items.

Command: python experiments/cornac_zoo.py --data ../shared/data
Minutes: about 35 on one core, most of them for MovieLens-1M.
Writes: cornac_zoo.csv in experiments/results, .png in experiments/pictures
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cornac import models as cornac
from cornac.metrics import NDCG, Recall
from diagnosis import FLAGGED
from matplotlib.figure import Figure
from real_data import Chosen, evaluate, panels, run

from cornac_mle import (
    LDA,
    PMF,
    VAE,
    GenerativeRecommender,
    HeldOutUsers,
    Mixture,
    MMDTuning,
    Popularity,
    Sampled,
    TrainingUsers,
)
from cornac_mle.datasets import complete_journey
from cornac_mle.metrics import (
    CopiedUsers,
    NeighbourCoverage,
    PopularityJS,
    ProfileSizeKS,
    UnrealisticUsers,
)
from cornac_mle.report.placing import Named, place_labels
from cornac_mle.report.style import draw_ends, look

RANKING = "NDCG@100"
TIMED_USERS = 1_000
DENSITY, OWN_DISTRIBUTION, OURS, TUNED = (
    "Cornac, fitted density",
    "Cornac, own distribution",
    "ours",
    "ours, tuned",
)


def cornacs(seed: int) -> dict[str, Any]:
    """Cornac's models, with settings that suit some thousands of users and items."""
    network = {"backend": "pytorch", "num_epochs": 5, "batch_size": 1024, "lr": 0.01}
    return {
        "MostPop": cornac.MostPop(),
        "GlobalAvg": cornac.GlobalAvg(),
        "BaselineOnly": cornac.BaselineOnly(seed=seed),
        "MF": cornac.MF(k=20, seed=seed),
        "SVD": cornac.SVD(k=20, seed=seed),
        "PMF (Cornac)": cornac.PMF(k=20, seed=seed),
        "NMF": cornac.NMF(k=20, seed=seed),
        "BPR": cornac.BPR(k=50, max_iter=200, learning_rate=0.05, seed=seed),
        "WBPR": cornac.WBPR(k=50, max_iter=200, learning_rate=0.05, seed=seed),
        "MMMF": cornac.MMMF(k=50, max_iter=200, learning_rate=0.05, seed=seed),
        "IBPR": cornac.IBPR(k=20, max_iter=3),
        "HPF": cornac.HPF(k=20, max_iter=50, seed=seed),
        "EASE": cornac.EASE(lamb=300, posB=False, verbose=False),
        "ItemKNN": cornac.ItemKNN(k=50, verbose=False),
        "UserKNN": cornac.UserKNN(k=50, verbose=False),
        "SKMeans": cornac.SKMeans(k=20, verbose=False, seed=seed),
        "VAECF": cornac.VAECF(k=50, autoencoder_structure=[200], n_epochs=30, seed=seed),
        "BiVAECF": cornac.BiVAECF(
            k=50, encoder_structure=[200], n_epochs=30, use_gpu=False, seed=seed
        ),
        "RecVAE": cornac.RecVAE(
            hidden_dim=200, latent_dim=50, n_epochs=15, batch_size=100, use_gpu=False, seed=seed
        ),
        "GMF": cornac.GMF(num_factors=16, verbose=False, seed=seed, **network),
        "MLP": cornac.MLP(verbose=False, seed=seed, **network),
        "NeuMF": cornac.NeuMF(verbose=False, seed=seed, **network),
    }


def models(
    method: HeldOutUsers, seed: int, chosen: Chosen
) -> Iterator[tuple[str, str, GenerativeRecommender, float]]:
    """Yield (name, kind, fitted model, seconds of the fit)."""
    data = method.train_set, method.val_set
    for name, model in cornacs(seed).items():
        if not chosen(name, f"{name} mixture"):
            continue
        start = time.perf_counter()
        # HPF and IBPR print whatever `verbose` says.
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            model.fit(*data)
        fit_seconds = time.perf_counter() - start
        sampled = Sampled(model, seed=seed).fit()
        own = "own generative distribution" in sampled.sampler_
        yield name, OWN_DISTRIBUTION if own else DENSITY, sampled, fit_seconds
        if own:
            mixture = Sampled(model, density="mixture", seed=seed).fit()
            yield f"{name} mixture", DENSITY, mixture, fit_seconds
    for name, ours in {
        "Popularity": Popularity(),
        "Training users": TrainingUsers(),
        "Mixture": Mixture(k=50, seed=seed),
        "LDA": LDA(k=20, seed=seed),
        "PMF": PMF(k=20, seed=seed),
        "VAE": VAE(seed=seed),
    }.items():
        if not chosen(name) and not (name == "VAE" and chosen("VAE prior", "VAE tuned")):
            continue
        start = time.perf_counter()
        ours.fit(*data)
        yield name, OURS, ours, time.perf_counter() - start
    if not chosen("VAE prior", "VAE tuned"):
        return
    yield "VAE prior", OURS, ours.with_latent("prior"), time.perf_counter() - start
    tuned = MMDTuning(ours, seed=seed).fit(*data)
    yield "VAE tuned", TUNED, tuned, time.perf_counter() - start


def evaluation(name: str, data: Path, seed: int) -> HeldOutUsers:
    if name == "complete_journey":
        feedback, least = complete_journey.load_feedback(), 3
    else:
        file = data / "movielens_1m" / "ratings_with_order.csv.gz"
        feedback, least = pd.read_csv(file).iloc[:, :3], 4
    return HeldOutUsers(feedback, rating_threshold=least, seed=seed, dataset_name=name)


def measure(name: str, data: Path, seed: int, chosen: Chosen) -> pd.DataFrame:
    method = evaluation(name, data, seed)
    realism = [UnrealisticUsers(judge="worst"), NeighbourCoverage(), CopiedUsers()]
    metrics = [*realism, PopularityJS(), ProfileSizeKS(), Recall(k=20), NDCG(k=100)]
    rows = []
    for label, kind, model, fit_seconds in models(method, seed, chosen):
        if not chosen(label):
            continue
        start = time.perf_counter()
        model.sample(TIMED_USERS, rng=seed)
        sample_seconds = time.perf_counter() - start
        sampler = model.sampler_ if isinstance(model, Sampled) else ""
        found = evaluate(method, model, label, metrics).assign(kind=kind, sampler=sampler)
        seconds = found.iloc[[0, 0]].assign(
            metric=["fit_seconds", "sample_seconds"],
            value=[fit_seconds, sample_seconds],
            low=np.nan,
            high=np.nan,
            ceiling=np.nan,
            floor=np.nan,
        )
        rows.append(pd.concat([found, seconds]))
    columns = ["dataset", "model", "kind", "sampler", "metric", "value", "low", "high"]
    return pd.concat(rows)[[*columns, "ceiling", "floor"]]


def draw(table: pd.DataFrame) -> Figure:
    sets = list(dict.fromkeys(table["dataset"]))
    figure, axes = panels(1, len(sets), (8.2 * len(sets), 7.6), sharey=True)
    kinds = list(dict.fromkeys(table["kind"]))
    for axis, name in zip(axes[0], sets, strict=True):
        flagged, ranking = flagged_and_ranking(table, name)
        draw_ends(axis, flagged["ceiling"].iloc[0], flagged["floor"].iloc[0])
        for place, kind in enumerate(kinds):
            some = flagged[flagged["kind"] == kind]
            errors = [some["value"] - some["low"], some["high"] - some["value"]]
            axis.errorbar(
                ranking[some.index],
                some["value"],
                errors,
                elinewidth=0.8,
                **look(place).points(kind) | {"markersize": 7.5},
            )
        axis.set(xlim=(-0.02, ranking.max() * 1.13), ylim=(-0.03, 1.06))
        axis.set_xlabel("NDCG@100 of unseen users  (better to the right)")
        axis.set_title(name.replace("_", " "))
    axes[0][0].set_ylabel(
        "made-up users that no real user is like  (better below)\n"
        "flagged at .05, worst of three judges, 95% interval"
    )
    handles = axes[0][0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=6, frameon=False)
    for axis, name in zip(axes[0], sets, strict=True):
        flagged, ranking = flagged_and_ranking(table, name)
        points = [
            Named(str(row.Index), across, row.value, across, across, row.low, row.high)
            for row, across in zip(flagged.itertuples(), ranking, strict=True)
        ]
        lines = [(None, flagged["ceiling"].iloc[0]), (None, flagged["floor"].iloc[0])]
        place_labels(axis, points, lines=lines)
    return figure


def flagged_and_ranking(table: pd.DataFrame, name: str) -> tuple[pd.DataFrame, pd.Series]:
    """Share of users flagged, with all columns, and ranking of one data set, by model."""
    own = table[table["dataset"] == name]
    ranking = own[own["metric"] == RANKING].set_index("model")["value"]
    return own[own["metric"] == FLAGGED].set_index("model").loc[ranking.index], ranking


if __name__ == "__main__":
    found = run(__doc__, ("complete_journey", "movielens_1m"), measure, draw, by_model=True)
    wide = found.pivot_table(
        index=["dataset", "model"], columns="metric", values="value", sort=False
    )
    print(wide.round(3).to_string())
