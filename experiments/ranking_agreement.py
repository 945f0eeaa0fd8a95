"""Would synthetic users have led to the same recommender, and does believability tell?

Seven recommenders of Cornac are trained on the users that a generator made up, and on as many real
training users; held-out users order them by NDCG@100. Kendall's tau of the two orders and the
regret of picking by the synthetic one, with intervals; the same where synthetic users also test
(half train, half test). Beside them the share of users flagged at .05 and coverage. A ladder of
known quality: training users of whose items 25% and 50% are replaced by popular ones.

Command: python experiments/ranking_agreement.py --data ../shared/data
Minutes: about 20 on one core.
Writes: ranking_agreement.csv in experiments/results, .png in experiments/pictures
"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from real_data import MULTINOMIAL, held_out_users, panels, run
from scipy.stats import kendalltau

from cornac_mle import LDA, PMF, VAE, HeldOutUsers, Mixture, Popularity, Profiles, TrainingUsers
from cornac_mle.metrics import NeighbourCoverage, RealismMetric, UnrealisticUsers
from cornac_mle.null_models.corruption import swap
from cornac_mle.report.style import draw_ends, look
from cornac_mle.utility.ranking_agreement import RankingAgreement

TAU, REGRET = RankingAgreement(), RankingAgreement(statistic="regret")
BLIND = RankingAgreement(test_on="synthetic")
BLIND_REGRET = RankingAgreement(statistic="regret", test_on="synthetic")
FLAGGED = UnrealisticUsers(judge="worst")
METRICS: tuple[RealismMetric, ...] = (
    TAU, REGRET, RankingAgreement(statistic="relative_regret"), BLIND, BLIND_REGRET, FLAGGED,
    NeighbourCoverage(),
)  # fmt: skip
SHARES = (0.25, 0.5)
N_SAMPLES = 3


def synthetic_users(method: HeldOutUsers, seed: int) -> dict[str, list[Profiles]]:
    """Three sets of users by each generator, as many in each as there are held out."""
    data = method.train_set, method.val_set
    vae = VAE(**MULTINOMIAL, seed=seed).fit(*data)
    models = {
        "Popularity": Popularity().fit(*data),
        "Mixture 10": Mixture(k=10, seed=seed).fit(*data),
        "LDA 20": LDA(k=20, seed=seed).fit(*data),
        "VAE prior": vae.with_latent("prior"),
        "VAE mixture": vae.with_latent("mixture"),
        "PMF": PMF(k=20, seed=seed).fit(*data),
        "TrainingUsers": TrainingUsers().fit(*data),
    }
    n_users = 2 * (len(method.groups.held_out) // 2)
    made = {
        name: [model.sample(n_users, rng=number) for number in range(N_SAMPLES)]
        for name, model in models.items()
    }
    popularity = method.groups.train.item_counts
    for share in SHARES:
        made[f"{share:.0%} swapped"] = [
            Profiles.from_matrix(
                swap(users.matrix, share, popularity=popularity, rng=number), users.item_ids
            )
            for number, users in enumerate(made["TrainingUsers"])
        ]
    return made


def measure(name: str, data: Path, seed: int) -> pd.DataFrame:
    method = held_out_users(name, data, seed)
    rows = []
    for model, sets in synthetic_users(method, seed).items():
        for number, users in enumerate(sets):
            for metric in METRICS:
                found = metric.measure(method.evaluator, users, rng=number)
                parts = found.value, found.low, found.high, found.ceiling, found.floor
                rows.append((name, model, number, metric.name, *parts, found.n_synthetic))
        print(name, model, flush=True)
        print(TAU.table(method.evaluator, sets[0]).round(3).to_string(index=False), flush=True)
    columns = ["dataset", "model", "sampling_seed", "metric", "value", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "ceiling", "floor", "n_users"])


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Kendall's tau, over generators, of believability and coverage with what a pick is worth."""
    wide = table.pivot_table(index=["dataset", "model"], columns="metric", values="value")
    rows = []
    for name, own in wide.groupby(level="dataset", sort=False):
        for metric, sign in ((FLAGGED.name, -1), (NeighbourCoverage().name, 1)):
            for worth, direction in ((TAU, 1), (REGRET, -1), (BLIND, 1), (BLIND_REGRET, -1)):
                tau, p_value = kendalltau(sign * own[metric], direction * own[worth.name])
                rows.append((name, metric, worth.name, len(own), tau, p_value))
    return pd.DataFrame(rows, columns=["dataset", "by", "of", "generators", "tau", "p_value"])


def draw(table: pd.DataFrame) -> Figure:
    sets = list(dict.fromkeys(table["dataset"]))
    models = list(dict.fromkeys(table["model"]))
    figure, axes = panels(2, len(sets), (4.6 * len(sets), 8))
    means = table.groupby(["dataset", "metric", "model"])[["value", "low", "high"]].mean()
    bounds = table.groupby(["dataset", "metric"])[["ceiling", "floor"]].mean()
    for column, name in zip(axes.T, sets, strict=True):
        for axis, metric in zip(column, (TAU, REGRET), strict=True):
            for place, model in enumerate(models):
                across = means.loc[name, FLAGGED.name, model]["value"]
                found = means.loc[name, metric.name, model]
                spread = np.abs(found[["low", "high"]].to_numpy() - found["value"])[:, None]
                axis.errorbar(across, found["value"], spread, **look(place).points(model))
            draw_ends(axis, *bounds.loc[name, metric.name][["ceiling", "floor"]])
            axis.set(xlim=(-0.03, 1.03))
        column[0].set_title(name.replace("_", " "))
        column[1].set_xlabel("flagged at .05, worst of three judges")
    axes[0, 0].set_ylabel("Kendall's tau of the orders of recommenders")
    axes[1, 0].set_ylabel("regret of the pick, NDCG@100")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=6, frameon=False)
    return figure


if __name__ == "__main__":
    table = run(__doc__, ("complete_journey", "movielens_100k", "lastfm", "anime"), measure, draw)
    print(agreement(table).round(3).to_string(index=False))
