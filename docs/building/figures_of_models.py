"""What models make up, and how well they rank: tables from the scripts that compare models."""

from collections.abc import Callable

import pandas as pd

from building.registry import (
    COVERED,
    DATA,
    FLAGGED,
    RESULTS,
    TITLES,
    VALIDITY,
    by,
    digits,
    figure,
    or_zero,
    table,
)


@figure("blind_ruler", f"blind_spots.py {DATA} --out docs/validity", f"{VALIDITY}/blind_spots.csv")
def blind_ruler(found: pd.DataFrame) -> str:
    """Every metric of six models."""
    models = ["Popularity", "Mixture", "VAE prior", "VAE posterior", "PMF", "TrainingUsers"]
    names = ["popularity", "mixture (50)", "VAE prior", "VAE posterior", "PMF", "training users"]
    bounds = {"VAE prior", "VAE posterior", "PMF"}

    def cell(row: pd.Series, column: str) -> str:
        value = row[column]
        if pd.isna(value):
            return "-"
        if not row["metric"].startswith("HeldOutLogLikelihood"):
            return digits(value, 2 if abs(value) >= 0.9995 else 3)
        bound = ">= " if column in bounds and value > -float("inf") else ""
        return bound + (f"{value:.1f}" if value > -float("inf") else "-inf")

    rows = [
        [f"`{row['metric']}`", *(cell(row, column) for column in [*models, "ceiling", "floor"])]
        for _, row in found.iterrows()
    ]
    return table(["metric", *names, "real users", "floor"], rows)


@figure(
    "diagnosis",
    f"diagnosis.py {DATA}",
    f"{RESULTS}/diagnosis.csv",
    f"{RESULTS}/likelihood_vs_realism.csv",
)
def diagnosis(found: pd.DataFrame, others: pd.DataFrame) -> str:
    """One VAE fit, by where its latent points come from, and remedies."""
    found = found[found["dataset"] == "movielens_1m"].set_index(["model", "metric"])
    metrics = (FLAGGED, COVERED, "CopiedUsers", "ClassifierTest")

    def row(name: str, model: str) -> list[str]:
        cells = [digits(found.loc[(model, metric), "value"]) for metric in metrics]
        copied = found.loc[(model, "CopiedUsers")]
        cells[2] += f" ± {digits((copied['high'] - copied['low']) / 2)}"
        return [name, *cells, digits(found.loc[(model, "NDCG@100"), "value"], 3)]

    def end(name: str, column: str, ndcg: str) -> list[str]:
        ends = found[column].groupby("metric").first()
        cells = [digits(ends[metric]) for metric in metrics]
        return [name, *cells[:2], cells[2] if column == "ceiling" else "", cells[3], ndcg]

    one = others[(others["dataset"] == "movielens_1m") & (others["model"] == "Popularity")]
    ranked = one[one["metric"] == "NDCG@100"]["value"].iloc[0]
    rows = [
        end("real users", "ceiling", ""),
        row("VAE, prior", "prior N(0, I)"),
        row("VAE, one Gaussian", "one Gaussian"),
        row("VAE, mixture of Gaussians", "mixture of Gaussians"),
        row("VAE, posterior of a training user", "posterior (not a remedy)"),
        row("VAE, mixture, filtered", "mixture + filter"),
        row("VAE, Bernoulli likelihood, mixture", "Bernoulli, mixture"),
        row("VAE, mixture, MMD tuning", "mixture + MMD tuning"),
        row("VAE of sets (24 dimensions), prior", "Conditional Poisson, prior"),
        row("VAE of sets, mixture", "Conditional Poisson, mixture"),
        row("VAE of sets, mixture, MMD tuning", "Conditional Poisson, mixture + MMD tuning"),
        row("PMF", "PMF"),
        end("popularity", "floor", digits(ranked, 3)),
    ]
    head = [
        "users made up by",
        "flagged at .05, worst judge",
        "neighbour coverage",
        "copied users",
        "classifier AUC",
        "NDCG@100",
    ]
    return table(head, rows)


@figure("ranking", f"accuracy.py {DATA}", f"{RESULTS}/ranking.csv")
def ranking(found: pd.DataFrame) -> str:
    """NDCG@100 of unseen users, and over that of EASE, the best first."""
    ease = found[found["model"] == "EASE"].set_index(["data", "split"])["NDCG@100"]
    places = pd.MultiIndex.from_frame(found[["data", "split"]])
    found = found.assign(ratio=found["NDCG@100"].to_numpy() / ease[places].to_numpy())
    rows = []
    for (data, model), own in found.groupby(["data", "model"], sort=False):
        ratios = [digits(own["ratio"].agg(how)) for how in ("mean", "min", "max")]
        rows.append(
            [
                TITLES[str(data)],
                str(model),
                str(own["setting"].fillna("").iloc[0]),
                digits(own["NDCG@100"].mean(), 3),
                f"{ratios[0]} ({ratios[1]} to {ratios[2]})",
                f"{own['seconds'].mean():.0f}",
            ]
        )
    rows.sort(key=lambda row: (row[0], -float(row[3])))
    return table(["", "model", "setting", "NDCG@100", "/ EASE", "seconds"], rows)


@figure("ranking_choice", f"accuracy.py {DATA}", f"{RESULTS}/ranking_choice.csv")
def ranking_choice(tried: pd.DataFrame) -> str:
    """List the settings that were tried, and their NDCG@100 of validation users."""
    names = ["data", "model", "setting"]
    tried = tried.groupby(names, sort=False)["NDCG@100"].mean().reset_index()  # over splits
    values = by(tried, *names, value="NDCG@100")
    best = tried.groupby(["data", "model"])["NDCG@100"].max()
    sets = list(tried["data"].unique())
    rows = []
    for model, setting in dict.fromkeys(zip(tried["model"], tried["setting"], strict=True)):
        cells = [
            digits(value, 3) + (" (taken)" if value == best.get((name, model)) else "")
            for name in sets
            for value in [values.get((name, model, setting), float("nan"))]
        ]
        rows.append([model, setting, *cells])
    return table(["model", "setting", *(TITLES[name] for name in sets)], rows)


@figure("rating", f"accuracy.py {DATA}", f"{RESULTS}/rating.csv")
def rating(found: pd.DataFrame) -> str:
    """RMSE of values, by split."""
    rows = []
    for data, model in dict.fromkeys(zip(found["data"], found["model"], strict=True)):
        one = found[(found["data"] == data) & (found["model"] == model)].sort_values(
            "split", key=lambda split: split.replace(123, 0)
        )
        cells = [", ".join(digits(v, 3) for v in one[c]) for c in ("RMSE, users", "RMSE, ratings")]
        ours = "PMF (k=10)" if data == "100K" else "PMF (k=20)"
        rows.append([f"MovieLens-{data}", ours if model == "PMF" else model, *cells])
    return table(["", "", "RMSE averaged over users", "RMSE over ratings"], rows)


@figure("zoo", f"cornac_zoo.py {DATA}", f"{RESULTS}/cornac_zoo.csv")
def zoo(found: pd.DataFrame) -> str:
    """Every model: ranking, and what users it makes up, on two data sets."""
    value = by(found, "dataset", "model", "metric")
    metrics = ("NDCG@100", FLAGGED, COVERED, "CopiedUsers", "PopularityJS")
    rows = [["", "NDCG", "flagged", "coverage", "copied", "JS"]]
    rows[0] += [*rows[0][1:], "s"]
    for model in found["model"].unique():
        cells = [
            digits(value[data, model, metric], 3 if metric in ("NDCG@100", "PopularityJS") else 2)
            for data in ("complete_journey", "movielens_1m")
            for metric in metrics
        ]
        rows.append([model, *cells, f"{value['movielens_1m', model, 'fit_seconds']:.0f}"])
    return table(["", "Complete Journey", *[""] * 4, "MovieLens-1M", *[""] * 5], rows)


@figure("agreement", f"ranking_agreement.py {DATA}", f"{RESULTS}/ranking_agreement.csv")
def agreement(found: pd.DataFrame) -> str:
    """Kendall's tau, regret and share flagged of each generator."""
    metrics = ("RankingAgreement@100", "RankingAgreement@100 (regret)", FLAGGED)
    value, real = (
        by(found, "dataset", "model", "metric"),
        by(found, "dataset", "metric", value="ceiling"),
    )
    data_sets = list(found["dataset"].unique())

    def cells(get: Callable[[str, str], float]) -> list[str]:
        written = []
        for data in data_sets:
            tau, regret, flagged = (get(data, metric) for metric in metrics)
            tau_text = "1" if round(tau, 2) == 1 else digits(tau)
            written.append(f"{tau_text} / {or_zero(regret, 3)} / {digits(flagged)}")
        return written

    names = {
        "TrainingUsers": "training users",
        "PMF": "PMF",
        "LDA 20": "LDA, 20 topics",
        "VAE mixture": "VAE, mixture",
        "VAE prior": "VAE, prior",
        "Mixture 10": "mixture of 10",
        "Popularity": "popularity",
    }
    rows = [["real users (ceiling)", *cells(lambda data, metric: real[data, metric])]]
    for model, name in names.items():
        rows.append([name, *cells(lambda data, metric, model=model: value[data, model, metric])])  # type: ignore[misc]
    return table(["users made up by", *(TITLES[data] for data in data_sets)], rows)


@figure("best_blind", f"blind_spots.py {DATA} --out docs/validity", f"{VALIDITY}/blind_spots.csv")
def best_blind(found: pd.DataFrame) -> str:
    """Say what the usual ruler sees."""
    one = found.set_index("metric")
    usual, ours = one.loc["EmbeddingPrecision@5"], one.loc["UnrealisticUsers@0.05"]
    return (
        "- The field's usual ruler, precision in an embedding, gives users drawn by popularity "
        f"alone {digits(usual['Popularity'], 3)}, and real users {digits(usual['ceiling'], 3)}; "
        f"our judge flags {ours['Popularity']:.0%} and {ours['ceiling']:.0%}"
    )


@figure("best_diagnosis", f"diagnosis.py {DATA}", f"{RESULTS}/diagnosis.csv")
def best_diagnosis(found: pd.DataFrame) -> str:
    """Say what one fit makes up."""
    one = by(found[found["dataset"] == "movielens_1m"], "model", "metric")
    prior, mixture = one["prior N(0, I)", FLAGGED], one["mixture of Gaussians", FLAGGED]
    ranked = digits(one["prior N(0, I)", "NDCG@100"], 3)
    tuned, sets = (
        one[name, FLAGGED] for name in ("mixture + MMD tuning", "Conditional Poisson, mixture")
    )
    return (
        f"- One fit of a VAE, one ranking (NDCG@100 {ranked}): {prior:.0%} of the users from its "
        f"prior are flagged, {mixture:.0%} from a mixture, {tuned:.0%} once it is tuned on its "
        f"own samples; trained by the likelihood of what is drawn, {sets:.0%} from a mixture"
    )


def of_splits(found: pd.DataFrame) -> pd.DataFrame:
    """Means over the fits to each split; seconds are those of the first, all of one machine."""
    found = found.assign(flagged=found[["worst", "adaptive"]].max(axis=1))
    rows = found.drop(columns="fit").groupby(["dataset", "model", "split"], sort=False)
    means, first = rows.mean(), rows["fit_seconds"].first()
    return means.assign(fit_seconds=first).reset_index()


@figure("frontier_models", f"frontier.py {DATA}", f"{RESULTS}/frontier_models.csv")
def frontier_models(found: pd.DataFrame) -> str:
    """Means over splits of what is flagged (by the worst of four judges), told and ranked."""
    found = of_splits(found)
    found["ratio"] = found["ndcg"] / found["ease"]
    for column in ("dataset", "model"):  # in the order in which they were first measured
        found[column] = pd.Categorical(found[column], found[column].unique())
    columns = {"flagged": 2, "auc": 2, "coverage": 2, "ndcg": 3, "ratio": 2, "fit_seconds": 0}
    rows = []
    for (data, model), own in found.groupby(["dataset", "model"], observed=True):
        cells = [digits(own[name].mean(), n) for name, n in columns.items()]
        cells[0] += f" ({digits(own['flagged'].min())} to {digits(own['flagged'].max())})"
        cells[1] += f" ({digits(own['auc'].min())} to {digits(own['auc'].max())})"
        rows.append([TITLES[data], str(model), *cells])
    head = ["", "users made up by", "flagged", "membership AUC", "coverage", "NDCG@100"]
    return table([*head, "/ EASE", "seconds to fit"], rows)


def signed(number: float, n: int = 2) -> str:
    """Write n digits and a sign, which zero has not.

    >>> signed(0.012), signed(-0.012), signed(-0.001), signed(0.0012, 3)
    ('+.01', '-.01', '.00', '+.001')
    """
    rounded = round(number, n)
    return ("+" if rounded > 0 else "") + digits(rounded if rounded else 0.0, n)


SETS_OF_VAES = ("VAE", "VAE, normal prior", "VAE, VampPrior")


@figure("frontier_excess", f"frontier.py {DATA}", f"{RESULTS}/frontier_models.csv")
def frontier_excess(found: pd.DataFrame) -> str:
    """Tell what a likelihood of sets takes away of the excess over real users, and what for."""
    found = of_splits(found)
    found["excess"] = found["flagged"] - found["worst_of_real"]
    means = found.groupby(["dataset", "model"])[["excess", "auc"]].mean()
    rows = []
    for name in found["dataset"].unique():
        before = means.loc[(name, "VAE, multinomial")]
        cells = []
        for model in SETS_OF_VAES:
            now = means.loc[(name, model)]
            cells.append(f"{1 - now['excess'] / before['excess']:.0%}")
            cells.append(signed(now["auc"] - before["auc"]))
        rows.append([TITLES[name], *cells])
    head = [cell for model in SETS_OF_VAES for cell in (f"{model}: excess gone", "AUC")]
    return table(["", *head], rows)


@figure("frontier_fits", f"frontier.py {DATA} --parts fits", f"{RESULTS}/frontier_models.csv")
def frontier_fits(found: pd.DataFrame) -> str:
    """Hold the default VAE against the multinomial one where both were fitted again: by split."""
    again = set(found.loc[found["fit"] > 0, "dataset"])
    splits = of_splits(found[found["dataset"].isin(again)]).set_index(["model", "dataset", "split"])
    splits["excess"] = splits["flagged"] - splits["worst_of_real"]
    before, now = splits.loc["VAE, multinomial"], splits.loc["VAE"]
    changes = {
        "excess gone": 1 - now["excess"] / before["excess"],
        "membership AUC": now["auc"] - before["auc"],
        "coverage": now["coverage"] - before["coverage"],
        "NDCG@100": now["ndcg"] - before["ndcg"],
    }
    rows = []
    for name in dict.fromkeys(found.loc[found["dataset"].isin(again), "dataset"]):
        cells = []
        for what, change in changes.items():
            own, n = change.loc[name], 3 if what == "NDCG@100" else 2
            three = (own.mean(), own.min(), own.max())
            spelt = [f"{of:.0%}" if what == "excess gone" else signed(of, n) for of in three]
            cells.append("{} ({} to {})".format(*spelt))
        rows.append([TITLES[name], *cells])
    return table(["", *changes], rows)


PURPOSES = ("complete_journey", "movielens_100k", "lastfm", "anime", "movielens_1m")


@figure("purposes", f"frontier.py {DATA}", f"{RESULTS}/frontier_models.csv")
def purposes(found: pd.DataFrame) -> str:
    """Name the model to take for each purpose, by means over splits of five data sets.

    Independent popularity is left out: it gives least away, fits fastest and is nobody's taste.
    """
    found = of_splits(found[found["model"] != "Popularity"])
    means = found.groupby(["dataset", "model"])[["flagged", "auc", "ndcg", "fit_seconds"]].mean()
    asked = {
        "most believable (share flagged)": ("flagged", False, 2),
        "gives least away (AUC)": ("auc", False, 2),
        "ranks best (NDCG@100)": ("ndcg", True, 3),
        "fastest (seconds to fit)": ("fit_seconds", False, 0),
    }
    rows = []
    for purpose, (column, highest, n) in asked.items():
        cells = []
        for name in PURPOSES:
            values = means.loc[name, column]
            best = values.idxmax() if highest else values.idxmin()
            cells.append(f"{best} ({digits(values[best], n)})")
        rows.append([purpose, *cells])
    return table(["what matters most", *(TITLES[name] for name in PURPOSES)], rows)


@figure("costs", f"frontier.py {DATA} --parts cost", f"{RESULTS}/frontier_cost.csv")
def costs(found: pd.DataFrame) -> str:
    """Tell what one fit to MovieLens-1M takes."""
    known = found[found["model"] != "Popularity"]
    costs = zip(known["model"], known["seconds"], known["mebibytes"], strict=True)
    said = "; ".join(f"{name} {seconds:.0f} and {size:.0f}" for name, seconds, size in costs)
    return f"Seconds and MiB of a fit to MovieLens-1M: {said}"


@figure("frontier_curve", f"frontier.py {DATA} --parts curve", f"{RESULTS}/frontier_curve.csv")
def frontier_curve(found: pd.DataFrame) -> str:
    """Tell both errors along training, by the number of training users."""
    users = sorted(found["users"].unique())
    cells = found.set_index(["users", "epochs"])

    def cell(count: int, epochs: int) -> str:
        own = cells.loc[(count, epochs)]
        return f"{digits(own['worst'])}, {digits(own['auc'])}"

    rows = [
        [str(epochs), *(cell(count, epochs) for count in users)]
        for epochs in sorted(found["epochs"].unique())
    ]
    return table(["epochs", *(f"{count:,} training users" for count in users)], rows)
