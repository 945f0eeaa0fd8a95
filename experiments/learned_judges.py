"""Do the combined, the adaptive and the cross judge hold their level, and what do they find?

1. Type I error: one new real user a split, passed off as synthetic; then with a planted leak, where
   judges and classifier are taught by the users that calibrate. The level that is proved for the
   cross judge is about twice the one named; the limits are of the one named.
2. Models, against the best of the three fixed judges: share flagged at .05.
3. Planted corruption of held-out users, the same.
4. Few real users, at most 550: the share of corrupted training users, whom no judge has seen, that
   a judge flags whom reference users teach, and judges whom all real users teach.
5. A file in which one user in ten has half of another's items: how many of the ten least believable
   users are these?

Command: python experiments/learned_judges.py --data ../shared/data --part type1
Minutes: about 90 a part on one core for type1 and models, 10 for the others. Rows are written as
they are found, so that a run that is cut short leaves a table.
Writes: experiments/results/learned_judges_<part>.csv
"""

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from real_data import MULTINOMIAL, load, split
from scipy import stats

from cornac_mle import LDA, PMF, VAE, Mixture, Popularity, TrainingUsers
from cornac_mle.auditing import audit
from cornac_mle.metrics import Evaluator, UnrealisticUsers
from cornac_mle.metrics.adaptive_judge import fitted_classifier
from cornac_mle.null_models.corruption import chimera, popularity_draws, swap
from cornac_mle.plausibility.combined import CombinedJudge
from cornac_mle.plausibility.cross import CrossJudge
from cornac_mle.plausibility.judge import FAMILIES, PlausibilityModel
from cornac_mle.plausibility.profile_features import profile_features
from cornac_mle.profiles import Profiles
from cornac_mle.stats.conformal import conformal_p_values

EIGHT = (
    *("complete_journey", "movielens_100k", "lastfm", "anime", "movielens_1m"),
    *("book_crossing", "movietweetings", "ta_feng"),
)
FIVE = ("movielens_100k", "complete_journey", "lastfm", "movietweetings", "anime")
JUDGES = (*FAMILIES, "combined", "adaptive")
ALPHAS = (0.01, 0.05, 0.10)
N_REFERENCE, N_CALIBRATION, N_SYNTHETIC, N_KNOWN, SPARE = 100, 99, 100, 200, 60
FEW = {"movielens_100k": None, "complete_journey": 1100, "filmtrust": 1100}
Row = dict[str, object]


def one_test_user(users: sp.csr_array, seed: int, leak: bool) -> Row:
    """Find p-values of one new real user who is passed off as a synthetic one."""
    random = np.random.default_rng(seed)
    n_seen = N_REFERENCE + N_CALIBRATION
    order = random.permutation(users.shape[0])
    fresh, train = np.split(order, [n_seen + SPARE])
    items = np.unique(users[train[:N_KNOWN]].indices)
    others, known = (sp.csr_array(users[rows][:, items]) for rows in (fresh, train[:N_KNOWN]))
    others, known = (group[np.diff(group.indptr) >= 2] for group in (others, known))
    reference, calibration = others[:N_REFERENCE], others[N_REFERENCE:n_seen]
    test = others[n_seen : n_seen + 1]
    if leak:
        reference = known = calibration
    judges = [PlausibilityModel.fit(reference, family=one, rng=seed) for one in FAMILIES]
    synthetic = swap(known[:N_SYNTHETIC], 0.5, popularity=judges[0].user_counts + 0.1, rng=random)
    features = {
        name: profile_features(judges, group)
        for name, group in (
            ("known", known),
            ("synthetic", synthetic),
            ("calibration", calibration),
            ("test", test),
        )
    }
    combined = CombinedJudge.fit(judges, rng=seed).classifier
    adaptive = fitted_classifier(features["known"], features["synthetic"])
    found: Row = {"seed": seed, "leak": leak}
    for name, judge in (("combined", combined), ("adaptive", adaptive)):
        scores, real = (-judge.decision_function(features[one]) for one in ("test", "calibration"))
        found[name] = float(conformal_p_values(scores, real)[0])
    found["cross"] = _cross_p_value(reference, calibration, test, seed, leak)
    return found


def _cross_p_value(
    reference: sp.csr_array, calibration: sp.csr_array, test: sp.csr_array, seed: int, leak: bool
) -> float:
    real = sp.csr_array(sp.vstack([reference, calibration], format="csr"))
    if leak:
        judge = PlausibilityModel.fit(real, rng=seed)
        return float(conformal_p_values(judge.score(test), judge.score(real))[0])
    cross = CrossJudge.fit(real, rng=seed)
    return float(cross.p_values(cross.scores(test), np.arange(real.shape[0]))[0])


def type_one(data: Path, seeds: range) -> Iterator[Row]:
    sets = {name: load(name, data) for name in EIGHT}
    for seed in seeds:
        for name, users in sets.items():
            for leak in (False, True) if seed % 10 == 0 else (False,):
                yield {"data": name, **one_test_user(users, seed, leak)}


def type_one_table(trials: pd.DataFrame) -> pd.DataFrame:
    """Rejections, with exact binomial limits."""
    rows = []
    whole = trials.assign(data="all")
    for (leak, name), part in pd.concat([whole, trials]).groupby(["leak", "data"], sort=False):
        row: Row = {"leak": leak, "data": name, "splits": len(part)}
        for judge in ("combined", "adaptive", "cross"):
            for alpha in ALPHAS:
                low, high = (
                    stats.binom.ppf(0.025, len(part), alpha),
                    stats.binom.isf(0.025, len(part), alpha),
                )
                count = int(np.sum(part[judge] <= alpha))
                mark = "" if low <= count <= high else " !"
                row[f"{judge} {alpha:g}"] = f"{count} ({low:.0f}-{high:.0f}){mark}"
        rows.append(row)
    return pd.DataFrame(rows)


def evaluator_of(users: sp.csr_array, seed: int) -> tuple[Evaluator, np.random.Generator]:
    """Split users 50/25/25 and fit an evaluator."""
    random = np.random.default_rng(seed)
    groups = split(users, random)
    items = pd.Index([f"i{item}" for item in range(groups[0].shape[1])])
    named = [
        Profiles(group, pd.Index([f"{name}{row}" for row in range(group.shape[0])]), items)
        for name, group in zip(("train", "reference", "held"), groups, strict=True)
    ]
    return Evaluator.fit(*named, rng=seed), random


def shares(evaluator: Evaluator, users: Profiles) -> Row:
    """Share flagged at .05 by each judge."""
    return {
        judge: UnrealisticUsers(judge=judge).measure(evaluator, users, rng=1).value
        for judge in JUDGES
    }


def models(data: Path, seeds: range) -> Iterator[Row]:
    for seed in seeds:
        for name in FIVE:
            evaluator, _ = evaluator_of(load(name, data), seed)
            train = evaluator.train.to_dataset()
            vae = VAE(**MULTINOMIAL, seed=seed).fit(train)
            fitted = {
                "Popularity": Popularity().fit(train),
                "Mixture": Mixture(k=50, seed=seed).fit(train),
                "LDA": LDA(k=20, seed=seed).fit(train),
                "PMF": PMF(k=20, seed=seed).fit(train),
                "VAE prior": vae.with_latent("prior"),
                "VAE posterior": vae.with_latent("posterior"),
                "TrainingUsers": TrainingUsers().fit(train),
            }
            for model, one in fitted.items():
                users = one.sample(len(evaluator.held_out), rng=seed)
                row = {"data": name, "seed": seed, "model": model}
                yield row | shares(evaluator, users.align(evaluator.held_out.item_ids))


def planted(data: Path, seeds: range) -> Iterator[Row]:
    for seed in seeds:
        for name in FIVE:
            evaluator, random = evaluator_of(load(name, data), seed)
            counts, real = evaluator.train.item_counts, evaluator.held_out.matrix
            sizes = np.minimum(np.diff(real.indptr), np.count_nonzero(counts))
            corrupted = {
                "popularity": popularity_draws(counts, sizes, rng=random),
                "chimera": chimera(real, rng=random),
                "swap 25%": swap(real, 0.25, popularity=counts, rng=random),
                "swap 50%": swap(real, 0.5, popularity=counts, rng=random),
                "training": evaluator.train.matrix[: real.shape[0]],
            }
            for kind, users in corrupted.items():
                made = Profiles.from_matrix(users, evaluator.held_out.item_ids)
                yield {"data": name, "seed": seed, "model": kind, **shares(evaluator, made)}


def few_users(data: Path, seeds: range) -> Iterator[Row]:
    for seed in seeds:
        for name, most in FEW.items():
            users = load(name, data)
            if most is not None:
                chosen = np.random.default_rng(seed).permutation(users.shape[0])[:most]
                users = sp.csr_array(users[np.sort(chosen)])
            evaluator, random = evaluator_of(users, seed)
            assert evaluator.train is not None
            fresh = evaluator.train.matrix
            fresh = sp.csr_array(fresh[np.diff(fresh.indptr) >= 2])
            counts = evaluator.train.item_counts
            kinds = {
                "real": fresh,
                "chimera": chimera(fresh, rng=random),
                "swap 25%": swap(fresh, 0.25, popularity=counts, rng=random),
            }
            row: Row = {
                "data": name,
                "seed": seed,
                "real users": len(evaluator.reference) + len(evaluator.held_out),
            }
            for kind, made in kinds.items():
                profiles = Profiles.from_matrix(made, evaluator.held_out.item_ids)
                for teach in ("reference", "cross"):
                    found = UnrealisticUsers(judge_users=teach)
                    p_values = found.measure(evaluator, profiles, rng=1).per_user
                    row[f"{kind}, {teach}"] = float(np.mean(p_values <= found.alpha))
            yield row


def half_foreign(data: Path, seeds: range) -> Iterator[Row]:
    """Audit a file of real users of whom one in ten has half of another user's items."""
    names = ["user", "item", "rating", "time"]
    everything = pd.read_csv(data / "cornac_cache/ml-100k/u.data", sep="\t", names=names)
    for seed in seeds:
        for least in (1, 4):
            likes = everything.loc[everything["rating"] >= least, ["user", "item"]]
            random = np.random.default_rng(seed)
            users = random.permutation(likes["user"].unique())
            real = likes[likes["user"].isin(users[:700])]
            file, is_planted = with_foreign_halves(likes[likes["user"].isin(users[700:])], random)
            report = audit(
                real.assign(user="r" + real["user"].astype(str)),
                {"file": file},
                metrics=[UnrealisticUsers()],
                seed=seed,
            )
            made = report.synthetic["file"]
            row: Row = {"least rating": least, "seed": seed, "planted": len(is_planted)}
            for judge in (*FAMILIES, "combined"):
                scores = report.evaluator.plausibility(made, family=judge)
                row[judge] = sum(made.user_ids[one] in is_planted for one in scores.argsort()[:10])
            p_values = (
                UnrealisticUsers(judge="adaptive").measure(report.evaluator, made, rng=1).per_user
            )
            row["adaptive"] = sum(
                made.user_ids[one] in is_planted for one in p_values.argsort()[:10]
            )
            yield row


def with_foreign_halves(
    held: pd.DataFrame, random: np.random.Generator
) -> tuple[pd.DataFrame, set[str]]:
    """Give one user in ten half of another user's items."""
    ids = held["user"].unique()
    chosen = set(random.choice(ids, len(ids) // 10, replace=False))
    rows = []
    for user, own in held.groupby("user"):
        items = own["item"].to_numpy()
        if user in chosen:
            other = random.choice([one for one in ids if one != user])
            theirs = held.loc[held["user"] == other, "item"].to_numpy()
            half = len(items) // 2
            kept = random.choice(items, len(items) - half, replace=False)
            foreign = random.choice(theirs, min(half, len(theirs)), replace=False)
            items = np.union1d(kept, foreign)
        rows.append(pd.DataFrame({"user": f"s{user}", "item": items}))
    return pd.concat(rows), {f"s{user}" for user in chosen}


PARTS = {
    "type1": type_one,
    "models": models,
    "planted": planted,
    "few": few_users,
    "file": half_foreign,
}


def summary(part: str, table: pd.DataFrame) -> pd.DataFrame:
    if part == "type1":
        return type_one_table(table)
    if part == "few":
        return table.drop(columns="seed").groupby("data", sort=False).mean().round(3)
    if part == "file":
        return table.drop(columns="seed").groupby("least rating").mean().round(2)
    groups = table.drop(columns="seed").groupby(["data", "model"], sort=False)
    best = groups[list(FAMILIES)].mean().idxmax(axis=1)
    found = groups.mean().round(3)
    for judge in ("combined", "adaptive"):
        gaps = {
            key: own[judge] - own[best[key]] for key, own in groups
        }  # on the same splits, so that their error is that of differences
        found[f"{judge} - best"] = [gaps[key].mean() for key in found.index]
        found[f"{judge} s.e."] = [gaps[key].sem() for key in found.index]
    return found.round(3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--part", choices=PARTS, required=True)
    parser.add_argument("--seeds", type=int, nargs=2, default=(2000, 2200), help="first, and end")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--show", action="store_true", help="show an earlier run's table")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"learned_judges_{options.part}.csv"
    if not options.show:
        rows = []
        for row in PARTS[options.part](options.data, range(*options.seeds)):
            rows.append(row)
            pd.DataFrame(rows).to_csv(path, index=False)
    print(summary(options.part, pd.read_csv(path)).to_string())


if __name__ == "__main__":
    main()
