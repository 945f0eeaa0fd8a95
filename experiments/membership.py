"""Whose users are they? What membership inference, exposed users and copying say of known cases.

*null*: users who were not trained on pass as training users. Four random groups of at most 300
users; the synthetic users come from the first (those users themselves, or a mixture fitted to
them), and the "training" users are the second. And independent popularity, fitted to the training
users, who has copied nobody. Claims: the AUC's interval covers .5, the bound on epsilon is above 0
in at most 5%, p-values of exposure are uniform, a false discovery rate of at most q = .1, copying
covers 0. A split tells one p-value, of one user: users of one split share their calibration. Splits
are numbered, and seeded, from 1000: those below 20 and from 500 to 520 chose among variants of the
attacks.

*power*: LDA, fitted to users of no other group, makes up as many users as were trained on; 5% of
them give way to copies of training users, or to copies of whom 30% of the items are swapped. How
many of the copied users are named, and how many by the distance to the nearest synthetic user
alone, with the same calibration.

*models*: flagged by the worst of three judges against the AUC of membership, for our models and
those of Cornac's zoo that are fitted in seconds (WBPR, MMMF, IBPR, BiVAECF, RecVAE, GMF, MLP and
NeuMF are not). *curve*: the AUC by
the number of synthetic users, 1, 3 and 10 for each training user.

Command: python experiments/membership.py --data ../shared/data [--parts null power models curve]
Resumable: what is in a table already is not measured again.
Minutes: about 80 for 200 splits of the null, 3 for the power, 20 for the models, on one core.
Writes: membership_{null,power,models,curve}.csv in experiments/results, membership.png in pictures
"""

import argparse
import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from cornac_zoo import cornacs
from matplotlib.patches import Rectangle
from real_data import evaluate, held_out_users, load, panels
from scipy import stats

from cornac_mle import (
    LDA,
    PMF,
    VAE,
    Evaluator,
    HeldOutUsers,
    Mixture,
    Popularity,
    Profiles,
    Sampled,
    TrainingUsers,
    exposed_users,
)
from cornac_mle.diagnostics.exposed_users import _calibration as calibration_of
from cornac_mle.metrics import (
    CopiedUsers,
    MembershipInference,
    UnrealisticUsers,
    membership_attack,
)
from cornac_mle.metrics.membership_attacks import nearest
from cornac_mle.null_models.corruption import popularity_draws, swap
from cornac_mle.report.placing import Named, place_labels
from cornac_mle.report.style import REAL, look, save, styled
from cornac_mle.stats.conformal import conformal_p_values

NULL_SETS = (
    "movielens_100k",
    "complete_journey",
    "lastfm",
    "anime",
    "movielens_1m",
    "book_crossing",
    "movietweetings",
    "ta_feng",
    "citeulike",
)
SETS = ("complete_journey", "movielens_100k", "lastfm", "anime", "movielens_1m")
GROUP_USERS = 300
FIRST_SPLIT = 1000
Q = 0.1
PLANTED_SHARE = 0.05
SWAPPED = (0.0, 0.3)
OURS = ("Popularity", "Mixture", "LDA", "PMF", "VAE", "Training users")
QUICK = (
    "EASE",
    "MostPop",
    "ItemKNN",
    "UserKNN",
    "SVD",
    "MF",
    "PMF (Cornac)",
    "NMF",
    "BPR",
    "HPF",
    "SKMeans",
    "VAECF",
    "BaselineOnly",
    "GlobalAvg",
)
FLAGGED = "UnrealisticUsers@0.05 (worst)"
Rows = Iterator[dict[str, Any]]


def groups_of(
    likes: sp.csr_array, shares: tuple[float, ...], most: int, seed: int
) -> list[Profiles]:
    """Cut users at random into groups over the items of all of them.

    Over the items of training users, whoever is no training user loses some, which tells them
    apart: on CiteULike strangers were told with an AUC of .515 by that alone.
    """
    random = np.random.default_rng(seed)
    rows = random.permutation(likes.shape[0])[:most]
    edges = (np.cumsum(shares)[:-1] * len(rows)).astype(int)
    parts = np.split(rows, edges)
    items = np.unique(likes[rows].indices)
    names = pd.Index([f"i{item}" for item in items])
    groups = []
    for part in parts:
        matrix = sp.csr_array(likes[part][:, items])
        fit = np.diff(matrix.indptr) >= 2
        ids = pd.Index([f"u{row}" for row in part[fit]])
        groups.append(Profiles(sp.csr_array(matrix[fit]), ids, names))
    return groups


def made_of(matrix: sp.csr_array, items: pd.Index) -> Profiles:
    return Profiles.from_matrix(matrix, items)


# -------------------------------------------------------------------------------------------- null


def null_rows(likes: sp.csr_array, split: int) -> Rows:
    strangers, train, reference, held_out = groups_of(likes, (0.25,) * 4, 4 * GROUP_USERS, split)
    evaluator = Evaluator.fit(train, reference, held_out, rng=split, min_items=2)
    random = np.random.default_rng(split)
    items = train.item_ids
    sizes = random.choice(train.sizes, len(train))
    mixture = Mixture(k=10, seed=split).fit(strangers.to_dataset())
    drawn = mixture.sample(len(train), rng=split).align(items)
    made = {
        "strangers": made_of(strangers.matrix, items),
        "mixture of strangers": made_of(drawn.matrix, items),
        "popularity of training users": made_of(
            popularity_draws(train.item_counts, sizes, rng=random), items
        ),
    }
    one = int(random.integers(len(train)))
    for name, users in made.items():
        found = membership_attack(evaluator, users)
        copied = CopiedUsers().measure(evaluator, users, rng=1)
        row = {
            "users": name,
            "auc": found.auc,
            "low": found.low,
            "high": found.high,
            "epsilon": found.epsilon,
            "tpr_05": found.true_positive_rates[0.05],
            "copied": copied.value,
            "copied_low": copied.low,
            "copied_high": copied.high,
        }
        for attack in found.aucs:
            table = exposed_users(evaluator, users, q=Q, attack=attack)
            row[f"p_value_{attack}"] = table["user_p_value"].iloc[one]
            row[f"exposed_{attack}"] = table.attrs["n_users_exposed"]
        yield row


def null_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Coverage and error rates over splits, for each data set and kind of users."""
    rows = []
    for (name, users), own in table.groupby(["dataset", "users"], sort=False):
        rows.append(
            {
                "dataset": name,
                "users": users,
                "splits": len(own),
                "auc": own["auc"].mean(),
                "auc_sd": own["auc"].std(),
                "covers_half": own["low"].le(0.5).mul(own["high"].ge(0.5)).mean(),
                "low_above_half": own["low"].gt(0.5).mean(),
                "epsilon_above_0": own["epsilon"].gt(0).mean(),
                "p_at_.1_nearest": own["p_value_nearest"].le(0.1).mean(),
                "p_at_.1_judge": own["p_value_judge"].le(0.1).mean(),
                "ks_p_nearest": stats.kstest(own["p_value_nearest"], "uniform").pvalue,
                "ks_p_judge": stats.kstest(own["p_value_judge"], "uniform").pvalue,
                "fdr_nearest": own["exposed_nearest"].gt(0).mean(),
                "fdr_judge": own["exposed_judge"].gt(0).mean(),
                "copied": own["copied"].mean(),
                "copied_covers_0": own["copied_low"].le(0).mul(own["copied_high"].ge(0)).mean(),
                "copied_low_above_0": own["copied_low"].gt(0).mean(),
            }
        )
    return pd.DataFrame(rows)


# ------------------------------------------------------------------------------------------- power


def power_rows(likes: sp.csr_array, split: int) -> Rows:
    train, reference, held_out, strangers = groups_of(likes, (0.4, 0.2, 0.2, 0.2), 4000, split)
    evaluator = Evaluator.fit(train, reference, held_out, rng=split, min_items=2)
    items = train.item_ids
    model = LDA(k=20, seed=split).fit(strangers.to_dataset())
    drawn = model.sample(len(train), rng=split).align(items).matrix
    random = np.random.default_rng(split)
    count = round(PLANTED_SHARE * len(train))
    planted = random.choice(len(train), count, replace=False)
    others = reference.concat(held_out)
    for share in SWAPPED:
        copies = sp.csr_array(train.matrix[planted])
        if share:
            copies = swap(copies, share, popularity=train.item_counts, rng=split)
        users = made_of(sp.csr_array(sp.vstack([drawn[count:], copies])), items)
        table = exposed_users(evaluator, users, q=Q)
        distance = nearest(train.matrix, users.matrix)[0]
        calibration = nearest(others.matrix, users.matrix)[0]
        p_values = conformal_p_values(-distance, -calibration)
        alone = stats.false_discovery_control(p_values) <= Q
        exposed = table["exposed"].to_numpy()
        yield {
            "swapped": share,
            "n_train": len(train),
            "n_calibration": len(calibration_of(users, others)),
            "planted": count,
            "found": int(exposed[planted].sum()),
            "named": int(exposed.sum()),
            "found_by_distance": int(alone[planted].sum()),
            "named_by_distance": int(alone.sum()),
            "auc": membership_attack(evaluator, users).auc,
            "copied": CopiedUsers().measure(evaluator, users, rng=1).value,
        }


# ----------------------------------------------------------------------------------- models, curve


def models(seed: int) -> dict[str, Any]:
    """Ours, and the models of Cornac's zoo that are fitted in seconds, unfitted."""
    ours = {
        "Popularity": Popularity(),
        "Mixture": Mixture(k=50, seed=seed),
        "LDA": LDA(k=20, seed=seed),
        "PMF": PMF(k=20, seed=seed),
        "VAE": VAE(seed=seed),
        "Training users": TrainingUsers(),
    }
    theirs = {name: model for name, model in cornacs(seed).items() if name in QUICK}
    return ours | {name: Sampled(model, seed=seed) for name, model in theirs.items()}


def model_rows(method: HeldOutUsers, label: str, seed: int) -> Rows:
    metrics = [UnrealisticUsers(judge="worst"), MembershipInference(), CopiedUsers()]
    model = models(seed)[label]
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        model.fit(method.train_set, method.val_set)  # HPF prints whatever `verbose` says
    found = evaluate(method, model, label, metrics)
    columns = ["model", "metric", "value", "low", "high", "ceiling", "floor", "n_synthetic"]
    yield from found[columns].to_dict("records")


def measured_models(file: Path, data: Path, seed: int) -> pd.DataFrame:
    """Measure each model that is not in the table yet, one data set after the other."""
    table = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=["dataset", "model"])
    for name in SETS:
        done = set(table.loc[table["dataset"] == name, "model"])
        left = [label for label in models(seed) if label not in done]
        method = held_out_users(name, data, seed) if left else None
        for label in left:
            fresh = pd.DataFrame(
                [{"dataset": name} | row for row in model_rows(method, label, seed)]
            )
            table = pd.concat([table, fresh], ignore_index=True)
            table.to_csv(file, index=False, float_format="%.4f")
    return table


def curve_rows(name: str, data: Path, seed: int) -> Rows:
    method = held_out_users(name, data, seed)
    evaluator = method.evaluator
    for label in ("Popularity", "LDA", "PMF", "Training users"):
        model = models(seed)[label].fit(method.train_set, method.val_set)
        for times in (1, 3, 10):
            drawn = model.sample(times * len(evaluator.train), rng=seed)
            found = membership_attack(evaluator, drawn.split_items(evaluator.held_out.item_ids)[0])
            yield {
                "model": label,
                "times": times,
                "auc": found.auc,
                "low": found.low,
                "high": found.high,
                "attack": found.attack,
                "tpr_01": found.true_positive_rates[0.01],
                "tpr_05": found.true_positive_rates[0.05],
                "epsilon": found.epsilon,
            }


def draw(table: pd.DataFrame, file: Path) -> None:
    """Draw flagged against membership, a panel each finished data set: be below left."""
    counts = table.groupby("dataset", sort=False)["model"].nunique()
    sets = list(counts.index[counts == counts.max()])
    with styled():
        columns = min(3, len(sets))
        rows = -(-len(sets) // columns)
        figure, axes = panels(rows, columns, (5.2 * columns, 5.4 * rows), sharey=True)
        for axis in axes.flat[len(sets) :]:
            axis.set_axis_off()
        used = axes.flat[: len(sets)]
        for axis, name in zip(used, sets, strict=True):
            own = table[table["dataset"] == name].set_index(["metric", "model"])
            flagged, told = own.loc[FLAGGED], own.loc["MembershipInference"]
            real = flagged["ceiling"].iloc[0]
            axis.axvline(real, color=REAL, lw=1, zorder=0)
            axis.axhline(0.5, color=REAL, lw=1, zorder=0)
            axis.add_patch(
                Rectangle((-0.05, 0.42), real + 0.13, 0.12, color=REAL, alpha=0.12, lw=0, zorder=0)
            )
            for place, is_ours in enumerate((True, False)):
                some = [label for label in flagged.index if (label in OURS) == is_ours]
                axis.errorbar(
                    flagged.loc[some, "value"],
                    told.loc[some, "value"],
                    xerr=_reach(flagged.loc[some]),
                    yerr=_reach(told.loc[some]),
                    elinewidth=0.8,
                    **look(place).points("ours" if is_ours else "Cornac's, sampled"),
                )
            axis.set(title=name.replace("_", " "), xlim=(-0.05, 1.08), ylim=(0.42, 1.06))
        figure.supylabel("AUC of telling training users from new ones (line: chance)")
        figure.supxlabel("made-up users flagged at .05 by the worst of three judges (line: real)")
        handles = axes[0][0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper center", ncols=2, frameon=False)
        for axis, name in zip(used, sets, strict=True):
            own = table[table["dataset"] == name].set_index(["metric", "model"])
            flagged, told = own.loc[FLAGGED], own.loc["MembershipInference"]
            points = [
                Named(label, one.value, other.value, one.low, one.high, other.low, other.high)
                for label, one, other in zip(
                    flagged.index,
                    flagged.itertuples(),
                    told.loc[flagged.index].itertuples(),
                    strict=True,
                )
            ]
            place_labels(axis, points, lines=[(flagged["ceiling"].iloc[0], 0.5)])
            axis.text(0.07, 0.563, "believable\nand nobody's", fontsize=8.5, color=REAL)
        figure.set_label("Believable and nobody's?")
        save(figure, file)


def _reach(found: pd.DataFrame) -> list[pd.Series]:
    """Give how far intervals reach below and above the values."""
    return [found["value"] - found["low"], found["high"] - found["value"]]


# -------------------------------------------------------------------------------------------- runs


def resumed(file: Path, keys: list[tuple[Any, ...]], rows: Callable[..., Rows]) -> pd.DataFrame:
    """Measure what is not in the table yet; each key, (dataset, split or seed), is kept at once."""
    table = pd.read_csv(file) if file.exists() else pd.DataFrame()
    done = set() if table.empty else set(zip(table["dataset"], table["split"], strict=True))
    for name, split in keys:
        if (name, split) in done:
            continue
        fresh = pd.DataFrame([{"dataset": name, "split": split} | row for row in rows(name, split)])
        table = pd.concat([table, fresh], ignore_index=True)
        table.to_csv(file, index=False, float_format="%.4f")
        print(file.stem, name, split, flush=True)
    return table


def main() -> None:
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real data sets")
    parser.add_argument("--parts", nargs="+", default=["null", "power", "models", "curve"])
    parser.add_argument("--splits", type=int, default=200, help="splits of the null")
    parser.add_argument("--seed", type=int, default=123)
    parser.add_argument("--out", type=Path, default=here, help="results/ and pictures/ go there")
    arguments = parser.parse_args()
    data, results = arguments.data, arguments.out / "results"
    results.mkdir(parents=True, exist_ok=True)
    likes: dict[str, sp.csr_array] = {}

    def loaded(name: str) -> sp.csr_array:
        if name not in likes:
            matrix = load(name, data)
            likes[name] = sp.csr_array(matrix[np.diff(matrix.indptr) >= 2])
        return likes[name]

    warnings.simplefilter("ignore", UserWarning)  # strangers are no copies of held-out users
    fresh = range(FIRST_SPLIT, FIRST_SPLIT + arguments.splits)
    parts: dict[str, tuple[list[tuple[Any, ...]], Callable[..., Rows]]] = {
        "null": (
            [(name, split) for split in fresh for name in NULL_SETS],
            lambda name, split: null_rows(loaded(name), split),
        ),
        "power": (
            [(name, split) for name in SETS for split in range(5)],
            lambda name, split: power_rows(loaded(name), split),
        ),
        "curve": (
            [(name, arguments.seed) for name in SETS[:3]],
            lambda name, seed: curve_rows(name, data, seed),
        ),
    }
    for part in arguments.parts:
        file = results / f"membership_{part}.csv"
        if part == "models":
            table = measured_models(file, data, arguments.seed)
        else:
            table = resumed(file, *parts[part])
        if part == "null":
            table = null_summary(table)
            table.to_csv(results / "membership_null_summary.csv", index=False, float_format="%.4f")
        if part == "models":
            draw(table, arguments.out / "pictures" / "membership.png")
        print(table.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
