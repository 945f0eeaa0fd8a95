"""What the user asked for, checked before anything takes long."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cornac_mle.checks import check_count, refusal
from cornac_mle.cli._calls import calls

if TYPE_CHECKING:
    import pandas as pd

MOST_FITS = 1000
MOST_SEED = 2**32 - 1
"""Largest random seed of numpy's and Cornac's older generators."""
SECONDS_PER_YEAR = 31_556_952
OPTIONS = {
    "seed": "--seed",
    "samples": "--samples",
    "metrics": "--metrics",
    "rating_threshold": "--rating-threshold",
}
"""Settings that a run which is gone on with cannot change."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Arguments of `cornac-mle compare`, under the names of its options."""

    dataset: str
    data: Path | None
    rating_threshold: float | None
    models: str
    metrics: str
    seed: int
    fits: int
    samples: int
    out: Path
    quiet: bool = False
    as_json: bool = False

    def configured(self, settings: dict[str, Any], given: Collection[str]) -> "Asked":
        """Take the settings of a configuration, but for what is given beside it."""
        told = {name: value for name, value in settings.items() if name not in given}
        if "data" in given or "dataset" in given:  # one source takes the place of another
            told.pop("data", None)
            told.pop("dataset", None)
        return replace(self, **told)

    def spelled(self) -> "Asked":
        """Spell the lists of models and metrics in one way.

        Raises
        ------
        ValueError
            If they are no such lists.
        """
        return replace(
            self,
            models=",".join(map(str, calls("models", self.models))),
            metrics=",".join(map(str, calls("metrics", self.metrics))),
        )

    def going_on(self, kept: dict[str, Any], given: Collection[str], out: Path) -> "Asked":
        """Take the settings of a run that was cut short; what is given must not contradict them.

        Models and fits may be added, and the data may have moved.

        Raises
        ------
        ValueError
            Naming what contradicts.
        """
        for name, option in OPTIONS.items():
            if name in given and getattr(self, name) != kept[name]:
                rule = f"be {kept[name]}, as in the run that --resume names"
                raise ValueError(refusal(option, rule, getattr(self, name), "Leave it out."))
        data = None if kept["data"] is None else Path(kept["data"])
        told: dict[str, Any] = {name: kept[name] for name in ("models", "fits")} | {
            "data": data,
            "dataset": kept["dataset"],
        }
        if "data" in given or "dataset" in given:
            del told["data"], told["dataset"]
        told = {name: value for name, value in told.items() if name not in given}
        fixed = {name: kept[name] for name in OPTIONS}
        return replace(self, **told, **fixed, out=out)


def given_options(context: typer.Context) -> frozenset[str]:
    """Names of the options that the user gave, rather than left at their defaults."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return frozenset(
        name for name, source in sources.items() if source is not None and source.name != "DEFAULT"
    )


def check_one_source(given: Collection[str]) -> None:
    """Refuse a data set by name beside a file: one of them would be ignored.

    Raises
    ------
    ValueError
        If both are given.
    """
    if {"data", "dataset"} <= set(given):
        raise ValueError(refusal("--dataset", "be left out beside --data", "both"))


def check_amounts(asked: Asked) -> None:
    """Refuse so many fits or samples that nobody would wait for them.

    Raises
    ------
    ValueError
        Naming the time that they would take.
    """
    n_models = len(calls("models", asked.models))
    for option, count in (("--fits", asked.fits), ("--samples", asked.samples)):
        if count > MOST_FITS:
            years = f"{count * n_models / SECONDS_PER_YEAR:,.1f} years"
            advice = f"At one second for each of {n_models} models they would take {years}."
            raise ValueError(refusal(option, f"be at most {MOST_FITS:,}", count, advice))
        check_count(option, count)
    check_seed(asked.seed, asked.fits)


def check_seed(seed: int, fits: int = 1) -> None:
    """Refuse a random seed that some generator would refuse, of the first fit or the last.

    Raises
    ------
    ValueError
        Naming the seed.
    """
    check_count("--seed", seed, minimum=0)
    if seed + fits - 1 > MOST_SEED:
        rule = f"be at most {MOST_SEED - fits + 1}"
        advice = f"The last of {fits:,} fits has the seed {seed + fits - 1}." if fits > 1 else ""
        raise ValueError(refusal("--seed", rule, seed, advice))


def feedback(
    dataset: str, data: Path | None, rating_threshold: float | None
) -> tuple[str, "pd.DataFrame", float | None]:
    """Name, table and like threshold of the data that was asked for.

    Raises
    ------
    ValueError, OSError, ImportError, RuntimeError
        If there is no such data, or ids could not be written.
    """
    from cornac_mle.datasets import DATASETS, load, load_named

    if data is not None:
        name, frame = data_name(data), load(data)
    else:
        name, frame = dataset, load_named(dataset)
        if rating_threshold is None:
            rating_threshold = DATASETS[dataset].rating_threshold
    _check_ids(frame)
    return name, frame, rating_threshold


def data_name(path: Path) -> str:
    """Name a data set after its file: what stands before the first full stop, without riddles."""
    stem = path.name.lstrip(".").split(".")[0]
    return "".join(sign if sign.isprintable() and sign != "/" else "_" for sign in stem) or "data"


def _check_ids(frame: "pd.DataFrame") -> None:
    """Refuse ids that could not be written once the models are fitted."""
    import pandas as pd

    from cornac_mle.files.profile_layouts import text_ids

    for name in ("user", "item"):
        text_ids(name, pd.Index(frame[name].unique()))
