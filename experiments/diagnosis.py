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

import argparse
import copy
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from cornac.metrics import NDCG
from real_data import held_out_users

from cornac_mle import PMF, VAE, Filtered, GenerativeRecommender, HeldOutUsers, MMDTuning
from cornac_mle.metrics import ClassifierTest, CopiedUsers, NeighbourCoverage, UnrealisticUsers

HERE = Path(__file__).parent
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


def frozen(model: GenerativeRecommender, name: str) -> GenerativeRecommender:
    """Copy a fitted model, for an evaluation that does not fit it again."""
    model = copy.copy(model)
    model.name, model.trainable = name, False
    return model


def models(method: HeldOutUsers, seed: int) -> Iterator[tuple[str, GenerativeRecommender]]:
    """Yield (what it is, fitted model); all but PMF have one and the same fit of a VAE."""
    vae = VAE(seed=seed).fit(method.train_set, method.val_set)
    for latent, label in RUNGS.items():
        yield "ladder", frozen(vae.with_latent(latent), label)
    for latent in ("prior", "mixture"):
        inner = frozen(vae.with_latent(latent), "inner")
        tuned = MMDTuning(inner, seed=seed).fit(method.train_set, method.val_set)
        filtered = Filtered(inner, seed=seed).fit(method.train_set, method.val_set)
        yield "remedy", frozen(tuned, f"{latent} + MMD tuning")
        yield "remedy", frozen(filtered, f"{latent} + filter")
    vamp = VAE(prior="vamp", latent="prior", seed=seed, name="VampPrior")
    yield "remedy", vamp.fit(method.train_set, method.val_set)
    yield from bernoulli(method, seed)
    yield "other model", PMF(k=20, seed=seed, name="PMF").fit(method.train_set, method.val_set)


def bernoulli(method: HeldOutUsers, seed: int) -> Iterator[tuple[str, GenerativeRecommender]]:
    """Yield a VAE fitted by the Bernoulli likelihood, whose sets are drawn without repeats."""
    vae = VAE(likelihood="bern", seed=seed).fit(method.train_set, method.val_set)
    yield "remedy", frozen(vae.with_latent("prior"), "Bernoulli, prior")
    yield "remedy", frozen(vae.with_latent("mixture"), "Bernoulli, mixture")
    inner = frozen(vae.with_latent("mixture"), "inner")
    tuned = MMDTuning(inner, seed=seed).fit(method.train_set, method.val_set)
    yield "remedy", frozen(tuned, "Bernoulli, mixture + MMD tuning")


def measure(name: str, data: Path, seed: int) -> pd.DataFrame:
    method = held_out_users(name, data, seed, n_samples=SAMPLES)
    kinds = {}
    for kind, model in models(method, seed):
        kinds[model.name] = kind
        metrics = [UnrealisticUsers(judge="worst"), NeighbourCoverage(), CopiedUsers()]
        metrics += [ClassifierTest(), NDCG(k=100)]
        method.evaluate(frozen(model, model.name), metrics, user_based=True, show_validation=False)
        found = method.report.scores.query("model == @model.name and users == 'held-out'")
        print(name, model.name, found.set_index("metric")["value"].round(3).to_dict(), flush=True)
    scores = method.report.scores
    scores = scores[scores["users"] == "held-out"]
    # The mean over sampling seeds, of values and of the ends of their intervals.
    found = scores.groupby(["model", "metric"], sort=False)[NUMBERS].mean().reset_index()
    found.insert(0, "kind", found["model"].map(kinds))
    found.insert(0, "dataset", name)
    return found


def draw(table: pd.DataFrame, path: Path) -> None:
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    sets = list(dict.fromkeys(table["dataset"]))
    labels = list(dict.fromkeys(table["model"]))
    height = {label: -place for place, label in enumerate(labels)}
    colours = {"ladder": "tab:blue", "remedy": "tab:orange", "other model": "tab:purple"}
    figure, axes = plt.subplots(
        1,
        len(sets),
        figsize=(2.6 + 2.5 * len(sets), 4.6),
        sharey=True,
        layout="constrained",
        squeeze=False,
    )
    for axis, name in zip(axes[0], sets, strict=True):
        own = table[(table["dataset"] == name) & (table["metric"] == FLAGGED)]
        for row in own.itertuples():
            error = [[row.value - row.low], [row.high - row.value]]
            axis.errorbar(
                row.value, height[row.model], xerr=error, fmt="o", color=colours[row.kind], ms=5
            )
        axis.axvline(own["ceiling"].iloc[0], color="tab:green", ls="--", label="real users")
        axis.axvline(own["floor"].iloc[0], color="tab:red", ls="--", label="popularity")
        axis.set(xlim=(0, 1.03), title=name.replace("_", " "))
        axis.grid(axis="y", alpha=0.3)
    axes[0, 0].set_yticks(list(height.values()), labels)
    axes[0, -1].legend(loc="lower right", fontsize=8)
    figure.supxlabel(
        "share of made-up users flagged at .05 by the worst of three judges", fontsize=10
    )
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real data sets")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--seed", type=int, default=123)
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    table = pd.concat([measure(name, arguments.data, arguments.seed) for name in arguments.sets])
    for folder in ("results", "pictures"):
        (arguments.out / folder).mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.out / "results" / "diagnosis.csv", index=False, float_format="%.4f")
    draw(table, arguments.out / "pictures" / "diagnosis.png")


if __name__ == "__main__":
    main()
