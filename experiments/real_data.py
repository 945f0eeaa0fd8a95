"""What the experiments share: real data sets, random groups of users, and how one is run."""

import argparse
import copy
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from matplotlib.figure import Figure

from cornac_mle import GenerativeRecommender, HeldOutUsers
from cornac_mle.report.style import new_figure, save, styled
from cornac_mle.sparse import user_of

TABLE = ("complete_journey", "movielens_100k", "lastfm", "anime", "movielens_1m")
MULTINOMIAL = {"likelihood": "mult", "k": 64, "beta": 0.25, "prior": "normal"}
"""The VAE whose losses are taken apart: the published likelihood, as it was the default first."""
LINEAR = {"autoencoder_structure": (), "k": 200, "prior": "normal", "beta": 0.15}
LINEAR |= {"dropout": 0.3, "n_epochs": 300}
"""The VAE that ranks best, without hidden layers: found by some 80 trials on validation users of
splits 7 to 9 of MovieLens-100K and 7 of MovieLens-1M."""
Chosen = Callable[..., bool]
"""Function of names of models: whether one of them is to be measured."""
SPARSE = ("book_crossing", "movietweetings", "ta_feng", "gowalla", "gowalla_whole")


def load(name: str, data: Path) -> sp.csr_array:
    """Likes of one data set, (n_users, n_items) float32 ones, every user with an item."""
    match name:
        case "complete_journey":
            pairs = pd.read_csv(data / "complete_journey" / "household_product_type.csv.gz")
            pairs = pairs[pairs.iloc[:, 2].clip(upper=5) >= 3]
        case "movielens_100k":
            pairs = pd.read_csv(data / "cornac_cache" / "ml-100k" / "u.data", sep="\t", header=None)
            pairs = pairs[pairs[2] >= 4]
        case "movielens_1m":
            pairs = pd.read_csv(data / "movielens_1m" / "ratings_with_order.csv.gz")
            pairs = pairs[pairs["rating"] >= 4]
        case "lastfm":
            pairs = _core(pd.read_csv(data / "lastfm_hetrec2k" / "user_artists.csv.gz"), 10)
        case "anime":
            pairs = pd.read_csv(data / "anime" / "ratings.csv.gz")
            pairs = _core(pairs[pairs["rating"] >= 8], 10)
        case "book_crossing":
            pairs = pd.read_csv(data / "book_crossing_small" / "history.csv.gz")
        case "movietweetings":
            pairs = _core(pd.read_csv(data / "movietweetings_100k" / "ratings.csv.gz"), 5)
        case "ta_feng":
            pairs = pd.read_csv(data / "ta_feng" / "transactions.csv.gz")
            pairs = _some_users(pairs[["customer_id", "product_subclass"]], 6000)
        case "citeulike":
            pairs = pd.read_csv(data / "citeulike_a" / "interactions.csv.gz")
            pairs = _some_users(pairs, 1200)
        case "filmtrust":
            file = data / "cornac_cache" / "filmtrust" / "ratings.txt"
            pairs = pd.read_csv(file, sep=" ", header=None)
            pairs = pairs[pairs[2] >= 3]
        case "jester":
            pairs = pd.read_csv(data / "jester_1" / "ratings.csv.gz")
            pairs = _some_users(pairs[pairs["rating"] >= 4], 3000)
        case "movielens_small":
            pairs = pd.read_csv(data / "movielens_latest_small" / "ratings.csv.gz")
            pairs = pairs[pairs["rating"] >= 4]
        case "gowalla":
            pairs = _some_users(
                pd.read_csv(data / "gowalla_lightgcn" / "interactions.csv.gz"), 6000
            )
        case "gowalla_whole":
            pairs = pd.read_csv(data / "gowalla_lightgcn" / "interactions.csv.gz")
        case _:
            raise ValueError(name)
    user, _ = pd.factorize(pairs.iloc[:, 0], sort=True)
    item, _ = pd.factorize(pairs.iloc[:, 1], sort=True)
    matrix = sp.csr_array((np.ones(user.size, dtype=np.float32), (user, item)))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def held_out_users(name: str, data: Path, seed: int, n_samples: int = 1) -> HeldOutUsers:
    """Make an evaluation method over the likes of one data set, all of value 1."""
    likes = load(name, data)
    pairs = {"user": user_of(likes)}
    frame = pd.DataFrame(pairs | {"item": likes.indices, "rating": 1.0})
    return HeldOutUsers(frame, seed=seed, dataset_name=name, n_samples=n_samples)


def evaluate(
    method: HeldOutUsers, model: GenerativeRecommender, name: str, metrics: Iterable[Any]
) -> pd.DataFrame:
    """Measure a fitted model, under a name, without fitting it again; print and return its rows."""
    model = copy.copy(model)
    model.name, model.trainable = name, False
    method.evaluate(model, list(metrics), user_based=True, show_validation=False)
    scores = method.report.scores
    found = scores[(scores["model"] == name) & (scores["users"] == "held-out")]
    values = found.groupby("metric", sort=False)["value"].mean().round(3).to_dict()
    print(method.report.dataset, name, values, flush=True)
    return found


def run(
    description: str,
    sets: tuple[str, ...],
    measure: Callable[..., pd.DataFrame],
    draw: Callable[[pd.DataFrame], Figure],
    *,
    by_model: bool = False,
) -> pd.DataFrame:
    """Measure each data set, write the table and the picture, named after the script.

    `measure` takes the name of a data set, the folder of all, a seed and, where one model can be
    measured without the others, a `Chosen`: these scripts have ``--models``, whose rows take the
    place of theirs in the table of an earlier run.
    """
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the real data sets")
    parser.add_argument("--draw", action="store_true", help="draw the table of an earlier run only")
    parser.add_argument("--sets", nargs="+", default=sets)
    if by_model:
        parser.add_argument("--models", nargs="+", help="measure these anew, keep other rows")
    parser.add_argument("--seed", type=int, default=123)
    parser.add_argument("--out", type=Path, default=here, help="results/ and pictures/ go there")
    arguments = parser.parse_args()
    name = Path(parser.prog).stem
    file = arguments.out / "results" / f"{name}.csv"
    if not arguments.draw:
        if arguments.data is None:
            parser.error("--data is needed, unless with --draw")
        file.parent.mkdir(parents=True, exist_ok=True)
        labels = arguments.models if by_model else None

        def chosen(*names: str) -> bool:
            return labels is None or not set(labels).isdisjoint(names)

        settings = (arguments.data, arguments.seed, *([chosen] if by_model else []))
        parts = [measure(one, *settings) for one in arguments.sets]
        if labels is not None:
            old = pd.read_csv(file)
            new = old["model"].isin(labels) & old["dataset"].isin(arguments.sets)
            parts = [
                pd.concat([old[~new], *parts]).sort_values(
                    "dataset", key=_first_seen(old), kind="stable"
                )
            ]
        pd.concat(parts).to_csv(file, index=False, float_format="%.4f")
    table = pd.read_csv(file)
    with styled():
        figure = draw(table)
        figure.set_label(description.splitlines()[0])
        save(figure, arguments.out / "pictures" / f"{name}.png")
    return table


def _first_seen(table: pd.DataFrame) -> Callable[[pd.Series], pd.Series]:
    """Give the key by which data sets are sorted into the order that they have in a table."""
    places = {name: place for place, name in enumerate(dict.fromkeys(table["dataset"]))}
    return lambda names: names.map(places)


def panels(rows: int, columns: int, size: tuple[float, float], **shared: bool) -> tuple[Any, Any]:
    """Make a figure and its axes, (rows, columns)."""
    figure = new_figure(*size)
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


def _core(pairs: pd.DataFrame, least: int) -> pd.DataFrame:
    """Drop users and items with fewer than `least` entries until none is left."""
    while True:
        before = len(pairs)
        for column in pairs.columns[:2]:
            pairs = pairs[pairs.groupby(column)[column].transform("size") >= least]
        if len(pairs) == before:
            return pairs


def _some_users(pairs: pd.DataFrame, count: int) -> pd.DataFrame:
    users = pairs.iloc[:, 0].unique()
    chosen = np.random.default_rng(0).choice(users, count, replace=False)
    return pairs[pairs.iloc[:, 0].isin(chosen)]


def split(
    profiles: sp.csr_array, rng: np.random.Generator
) -> tuple[sp.csr_array, sp.csr_array, sp.csr_array]:
    """Split into train, reference and held-out users, over the items of the train users."""
    profiles = profiles[np.diff(profiles.indptr) >= 2]
    n_users = profiles.shape[0]
    order = rng.permutation(n_users)
    groups = np.split(order, [n_users // 2, n_users // 2 + n_users // 4])
    known = np.unique(profiles[groups[0]].indices)
    train, *others = (sp.csr_array(profiles[group][:, known]) for group in groups)
    reference, held_out = (other[np.diff(other.indptr) >= 2] for other in others)
    return train, reference, held_out
