"""Where does a VAE lose its believability, and what does each remedy give back?

The ladder: real users; users drawn from the *posterior* of a random training user (what is lost:
the decoder); from a *mixture* or one *Gaussian* fitted to all posteriors (lost besides: the latent
density); from the *prior* N(0, I). One fit of the VAE stands behind all rungs. Then the remedies:
on the same fit, or with another prior or likelihood; and PMF beside them. Each is measured by its
fidelity (share of users flagged at .05, worst of three judges), coverage, copying and NDCG@100.
The posterior needs real users to be drawn from, so it is a rung and not a remedy.

Command: python experiments/diagnosis.py --data ../shared/data
Minutes: about 35 on two cores.
Writes: experiments/results/diagnosis.csv, experiments/pictures/diagnosis.png
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from cornac.metrics import NDCG
from matplotlib.figure import Figure
from real_data import MULTINOMIAL, Chosen, evaluate, held_out_users, panels, run

from cornac_mle import PMF, VAE, Filtered, GenerativeRecommender, HeldOutUsers, MMDTuning
from cornac_mle.metrics import ClassifierTest, CopiedUsers, NeighbourCoverage, UnrealisticUsers
from cornac_mle.report.style import draw_ends, look

SETS = ("complete_journey", "movielens_100k", "lastfm", "anime", "movielens_1m")
FLAGGED = "UnrealisticUsers@0.05 (worst)"
NUMBERS = ["value", "low", "high", "ceiling", "floor"]
SAMPLES = 3
"""Sets of users drawn from each fit."""
RUNGS = {
    "prior": "prior N(0, I)",
    "gaussian": "one Gaussian",
    "mixture": "mixture of Gaussians",
    "posterior": "posterior (not a remedy)",
}
MENDED = ("prior", "mixture")
REMEDIES = ("MMD tuning", "filter")


Models = Iterator[tuple[str, str, GenerativeRecommender]]


def models(method: HeldOutUsers, seed: int, chosen: Chosen) -> Models:
    """Yield (what it is, name, fitted model); those of one part share fits."""
    parts = {
        (*RUNGS.values(), *(f"{one} + {remedy}" for one in MENDED for remedy in REMEDIES)): ladder,
        ("VampPrior",): vamp_prior,
        tuned_names("Bernoulli"): bernoulli,
        tuned_names("Conditional Poisson"): conditional_poisson,
        ("PMF",): pmf,
    }
    for names, part in parts.items():
        if chosen(*names):
            yield from part((method.train_set, method.val_set), seed)


def tuned_names(family: str) -> tuple[str, ...]:
    return f"{family}, prior", f"{family}, mixture", f"{family}, mixture + {REMEDIES[0]}"


def ladder(data: tuple[Any, Any], seed: int) -> Models:
    vae = VAE(**MULTINOMIAL, seed=seed).fit(*data)
    for latent, label in RUNGS.items():
        yield "ladder", label, vae.with_latent(latent)
    for latent in MENDED:
        inner = vae.with_latent(latent)
        for remedy, kind in zip(REMEDIES, (MMDTuning, Filtered), strict=True):
            yield "remedy", f"{latent} + {remedy}", kind(inner, seed=seed).fit(*data)


def vamp_prior(data: tuple[Any, Any], seed: int) -> Models:
    vamp = VAE(**MULTINOMIAL | {"prior": "vamp"}, latent="prior", seed=seed)
    yield "remedy", "VampPrior", vamp.fit(*data)


def bernoulli(data: tuple[Any, Any], seed: int) -> Models:
    """Fit a likelihood of sets: these are drawn without repeats, unlike the multinomial."""
    yield from family("Bernoulli", VAE(**MULTINOMIAL | {"likelihood": "bern"}, seed=seed), data)


def conditional_poisson(data: tuple[Any, Any], seed: int) -> Models:
    """Fit the likelihood of what is drawn, in fewer dimensions: the density has less to fit."""
    yield from family("Conditional Poisson", VAE(seed=seed), data)


def family(name: str, vae: VAE, data: tuple[Any, Any]) -> Models:
    prior, mixture, tuned = tuned_names(name)
    vae.fit(*data)
    yield "remedy", prior, vae.with_latent("prior")
    yield "remedy", mixture, vae.with_latent("mixture")
    yield "remedy", tuned, MMDTuning(vae.with_latent("mixture"), seed=vae.seed).fit(*data)


def pmf(data: tuple[Any, Any], seed: int) -> Models:
    yield "other model", "PMF", PMF(k=20, seed=seed).fit(*data)


def measure(name: str, data: Path, seed: int, chosen: Chosen) -> pd.DataFrame:
    method = held_out_users(name, data, seed, n_samples=SAMPLES)
    kinds = {}
    for kind, label, model in models(method, seed, chosen):
        if not chosen(label):
            continue
        kinds[label] = kind
        metrics = [UnrealisticUsers(judge="worst"), NeighbourCoverage(), CopiedUsers()]
        evaluate(method, model, label, [*metrics, ClassifierTest(), NDCG(k=100)])
    scores = method.report.scores
    scores = scores[scores["users"] == "held-out"]
    # The mean over sampling seeds, of values and of the ends of their intervals.
    found = scores.groupby(["model", "metric"], sort=False)[NUMBERS].mean().reset_index()
    found.insert(0, "kind", found["model"].map(kinds))
    found.insert(0, "dataset", name)
    return found


def draw(table: pd.DataFrame) -> Figure:
    sets = list(dict.fromkeys(table["dataset"]))
    labels = list(dict.fromkeys(table["model"]))
    height = {label: -place for place, label in enumerate(labels)}
    looks = {kind: look(place) for place, kind in enumerate(dict.fromkeys(table["kind"]))}
    figure, axes = panels(1, len(sets), (2.6 + 2.5 * len(sets), 4.8), sharey=True)
    for axis, name in zip(axes[0], sets, strict=True):
        own = table[(table["dataset"] == name) & (table["metric"] == FLAGGED)]
        for row in own.itertuples():
            error = [[row.value - row.low], [row.high - row.value]]
            known = axis.get_legend_handles_labels()[1]
            points = looks[row.kind].points(None if row.kind in known else row.kind)
            axis.errorbar(row.value, height[row.model], xerr=error, **points)
        draw_ends(axis, own["ceiling"].iloc[0], own["floor"].iloc[0], upright=True)
        axis.set(xlim=(0, 1.03), title=name.replace("_", " "))
    axes[0, 0].set_yticks(list(height.values()), labels)
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=5, frameon=False)
    figure.supxlabel("share of made-up users flagged at .05 by the worst of three judges")
    return figure


if __name__ == "__main__":
    run(__doc__, SETS, measure, draw, by_model=True)
