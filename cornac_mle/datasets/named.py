"""Data sets by name: the embedded one and those that Cornac's loaders bring.

Cornac keeps its files in ``~/.cornac`` and downloads what is missing. Its loaders of sessions and
baskets are left out: they give no (user, item, rating).

Examples
--------
>>> list(DATASETS)[:3]
['complete-journey', 'movielens-100k', 'movielens-1m']
>>> DATASETS["complete-journey"].is_local
True
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from cornac_mle.datasets import complete_journey


@dataclass(frozen=True, kw_only=True)
class NamedDataset:
    """A data set that can be loaded by its name.

    Parameters
    ----------
    name : str
        Name for ``--dataset`` and ``load_named``.
    title : str
        Subject, in a few words.
    users, items, interactions : int
        Counts: those of Cornac's documentation, corrected for CiteULike.
    feedback : str
        Scale of the ratings, or "implicit".
    rating_threshold : float or None
        Least rating that is a like; None for implicit feedback.
    terms : str
        Licence or terms of use, as far as they are stated.
    cache_file : str or None
        Cornac's file, relative to its cache folder; None if the data is embedded.
    loader : callable
        Function that gives (user, item, rating) tuples; it downloads the file where it is missing.

    Examples
    --------
    >>> from cornac_mle.datasets import DATASETS
    >>> dataset = DATASETS["movielens-100k"]
    >>> dataset.title, dataset.users, dataset.items, dataset.rating_threshold
    ('movies', 943, 1682, 4.0)
    """

    name: str
    title: str
    users: int
    items: int
    interactions: int
    feedback: str = "rating 1-5"
    rating_threshold: float | None = 4.0
    terms: str
    cache_file: str | None
    loader: Callable[[], list[tuple[Any, ...]]]

    @property
    def path(self) -> Path | None:
        """Where Cornac keeps the file now (it depends on HOME); None if the data is embedded."""
        return None if self.cache_file is None else cornac_cache() / self.cache_file

    @property
    def is_local(self) -> bool:
        """Whether it can be loaded without a download. Nothing is read, made or downloaded."""
        return self.path is None or os.path.isfile(self.path)  # noqa: PTH113  # it never raises


def cornac_cache() -> Path:
    """Return the folder where Cornac looks for its files, without making it."""
    home = Path.home()
    cache = home / ".cornac"
    # Not Path.exists, which raises where the home folder may not be entered.
    writable = os.access(cache if os.access(cache, os.F_OK) else home, os.W_OK)
    return cache if writable else Path("/tmp/.cornac")


def _of_cornac(module: str, **settings: str) -> list[tuple[Any, ...]]:
    """Load by a module of Cornac's, which takes long to import, when it is asked for."""
    loaded: list[tuple[Any, ...]] = import_module(f"cornac.datasets.{module}").load_feedback(
        **settings
    )
    return loaded


MOVIELENS_TERMS = (
    "GroupLens: research use with acknowledgement; no redistribution, no commercial use without "
    "permission; see https://grouplens.org/datasets/movielens"
)
AMAZON_TERMS = "none stated by Cornac; see https://cseweb.ucsd.edu/~jmcauley/datasets/amazon"
NETFLIX_TERMS = "see https://www.kaggle.com/netflix-inc/netflix-prize-data"

_ALL = (
    NamedDataset(
        name="complete-journey",
        title="a year of households' groceries by product type (embedded)",
        users=2_469,
        items=2_242,
        interactions=434_211,
        feedback="baskets 1-5",
        rating_threshold=3.0,
        terms="MIT (Python package), CC0 (R package); see complete_journey.md",
        cache_file=None,
        loader=complete_journey.load_feedback,
    ),
    NamedDataset(
        name="movielens-100k",
        title="movies",
        users=943,
        items=1_682,
        interactions=100_000,
        terms=MOVIELENS_TERMS,
        cache_file="ml-100k/u.data",
        loader=partial(_of_cornac, "movielens", variant="100K"),
    ),
    NamedDataset(
        name="movielens-1m",
        title="movies",
        users=6_040,
        items=3_706,
        interactions=1_000_209,
        terms=MOVIELENS_TERMS,
        cache_file="ml-1m/ratings.dat",
        loader=partial(_of_cornac, "movielens", variant="1M"),
    ),
    NamedDataset(
        name="movielens-10m",
        title="movies",
        users=69_878,
        items=10_677,
        interactions=10_000_054,
        feedback="rating 0.5-5",
        terms=MOVIELENS_TERMS,
        cache_file="ml-10M100K/ratings.dat",
        loader=partial(_of_cornac, "movielens", variant="10M"),
    ),
    NamedDataset(
        name="movielens-20m",
        title="movies",
        users=138_493,
        items=26_744,
        interactions=20_000_263,
        feedback="rating 0.5-5",
        terms=MOVIELENS_TERMS,
        cache_file="ml-20m/ratings.csv",
        loader=partial(_of_cornac, "movielens", variant="20M"),
    ),
    NamedDataset(
        name="filmtrust",
        title="movies",
        users=1_508,
        items=2_071,
        interactions=35_497,
        feedback="rating 0.5-4",
        rating_threshold=3.0,
        terms="none stated; used for research",
        cache_file="filmtrust/ratings.txt",
        loader=partial(_of_cornac, "filmtrust"),
    ),
    NamedDataset(
        name="citeulike",
        title="scientific papers in users' libraries",
        users=5_551,
        items=16_980,
        interactions=204_986,
        feedback="implicit",
        rating_threshold=None,
        terms="none stated; used for research",
        cache_file="citeulike/users.dat",
        loader=partial(_of_cornac, "citeulike"),
    ),
    NamedDataset(
        name="epinions",
        title="product reviews",
        users=40_163,
        items=139_738,
        interactions=664_824,
        terms="none stated by Cornac; see http://www.trustlet.org/downloaded_epinions.html",
        cache_file="epinions/ratings_data.txt",
        loader=partial(_of_cornac, "epinions"),
    ),
    NamedDataset(
        name="netflix-small",
        title="movies, a part",
        users=10_000,
        items=5_000,
        interactions=607_803,
        terms=NETFLIX_TERMS,
        cache_file="netflix/data_small.csv",
        loader=partial(_of_cornac, "netflix", variant="small"),
    ),
    NamedDataset(
        name="netflix-original",
        title="movies",
        users=480_189,
        items=17_770,
        interactions=100_480_507,
        terms=NETFLIX_TERMS,
        cache_file="netflix/data.csv",
        loader=partial(_of_cornac, "netflix", variant="original"),
    ),
    NamedDataset(
        name="tradesy",
        title="second-hand fashion",
        users=19_243,
        items=165_906,
        interactions=394_421,
        feedback="implicit",
        rating_threshold=None,
        terms="none stated by Cornac; see http://jmcauley.ucsd.edu/data/tradesy",
        cache_file="tradesy/users.csv",
        loader=partial(_of_cornac, "tradesy"),
    ),
    NamedDataset(
        name="amazon-clothing",
        title="clothing",
        users=5_377,
        items=3_393,
        interactions=13_689,
        terms=AMAZON_TERMS,
        cache_file="amazon_clothing/rating.txt",
        loader=partial(_of_cornac, "amazon_clothing"),
    ),
    NamedDataset(
        name="amazon-digital-music",
        title="music",
        users=5_541,
        items=3_568,
        interactions=64_706,
        terms=AMAZON_TERMS,
        cache_file="amazon_digital_music/rating.txt",
        loader=partial(_of_cornac, "amazon_digital_music"),
    ),
    NamedDataset(
        name="amazon-office",
        title="office products",
        users=3_703,
        items=6_523,
        interactions=53_282,
        terms=AMAZON_TERMS,
        cache_file="amazon_office/rating.txt",
        loader=partial(_of_cornac, "amazon_office"),
    ),
    NamedDataset(
        name="amazon-toy",
        title="toys and games",
        users=19_412,
        items=11_924,
        interactions=167_597,
        terms=AMAZON_TERMS,
        cache_file="amazon_toy/rating.txt",
        loader=partial(_of_cornac, "amazon_toy"),
    ),
    NamedDataset(
        name="amazon-review-beauty",
        title="beauty products, reviews of 2014",
        users=22_363,
        items=12_101,
        interactions=198_502,
        terms=AMAZON_TERMS,
        cache_file="amazon_review/beauty_2014.json.gz",
        loader=partial(_of_cornac, "amazon_review", category="beauty", fmt="UIR"),
    ),
    NamedDataset(
        name="amazon-review-sports",
        title="sports and outdoors, reviews of 2014",
        users=35_598,
        items=18_357,
        interactions=296_337,
        terms=AMAZON_TERMS,
        cache_file="amazon_review/sports_2014.json.gz",
        loader=partial(_of_cornac, "amazon_review", category="sports", fmt="UIR"),
    ),
    NamedDataset(
        name="amazon-review-toys",
        title="toys and games, reviews of 2014",
        users=19_412,
        items=11_924,
        interactions=167_597,
        terms=AMAZON_TERMS,
        cache_file="amazon_review/toys_2014.json.gz",
        loader=partial(_of_cornac, "amazon_review", category="toys", fmt="UIR"),
    ),
)

DATASETS = {dataset.name: dataset for dataset in _ALL}
"""Data sets by name."""
