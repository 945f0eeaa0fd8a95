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

import pandas as pd
from cornac.metrics import NDCG
from matplotlib.figure import Figure
from real_data import MULTINOMIAL, evaluate, held_out_users, panels, run

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


def models(method: HeldOutUsers, seed: int) -> Iterator[tuple[str, str, GenerativeRecommender]]:
    """Yield (what it is, name, fitted model); the ladder and most remedies share a fit."""
    vae = VAE(**MULTINOMIAL, seed=seed).fit(method.train_set, method.val_set)
    for latent, label in RUNGS.items():
        yield "ladder", label, vae.with_latent(latent)
    for latent in ("prior", "mixture"):
        inner = vae.with_latent(latent)
        tuned = MMDTuning(inner, seed=seed).fit(method.train_set, method.val_set)
        filtered = Filtered(inner, seed=seed).fit(method.train_set, method.val_set)
        yield "remedy", f"{latent} + MMD tuning", tuned
        yield "remedy", f"{latent} + filter", filtered
    vamp = VAE(**MULTINOMIAL, prior="vamp", latent="prior", seed=seed).fit(
        method.train_set, method.val_set
    )
    yield "remedy", "VampPrior", vamp
    # Sets are drawn without repeats, as this likelihood has it and the multinomial has not.
    vae = VAE(**MULTINOMIAL | {"likelihood": "bern"}, seed=seed).fit(
        method.train_set, method.val_set
    )
    yield "remedy", "Bernoulli, prior", vae.with_latent("prior")
    yield "remedy", "Bernoulli, mixture", vae.with_latent("mixture")
    tuned = MMDTuning(vae.with_latent("mixture"), seed=seed)
    tuned.fit(method.train_set, method.val_set)
    yield "remedy", "Bernoulli, mixture + MMD tuning", tuned
    # The likelihood of what is drawn, and fewer dimensions, which leave the density less to fit.
    vae = VAE(seed=seed).fit(method.train_set, method.val_set)
    for latent in ("prior", "mixture"):
        yield "remedy", f"Plackett-Luce, {latent}", vae.with_latent(latent)
    tuned = MMDTuning(vae, seed=seed).fit(method.train_set, method.val_set)
    yield "remedy", "Plackett-Luce, mixture + MMD tuning", tuned
    yield "other model", "PMF", PMF(k=20, seed=seed).fit(method.train_set, method.val_set)


def measure(name: str, data: Path, seed: int) -> pd.DataFrame:
    method = held_out_users(name, data, seed, n_samples=SAMPLES)
    kinds = {}
    for kind, label, model in models(method, seed):
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
    run(__doc__, SETS, measure, draw)
