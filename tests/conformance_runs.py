"""Which of our classes stand in for which of Cornac's in Cornac's own tests, and what comes out.

The table of `cornac_conformance.py`, which runs them.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cornac

from cornac_mle import VAE, eval_methods
from cornac_mle.models.sampled.model import Sampled

OUR_PMF = {
    "cornac.models.MF": "cornac_mle.models.pmf.model.PMF",  # MF(1, 0) and PMF(1, 0): k, max_iter
    "cornac.models.PMF": "cornac_mle.models.pmf.model.PMF",
}
OUR_VAE = {
    "cornac.models.MF": "conformance_runs.vae_for_factors",
    "cornac.models.PMF": "conformance_runs.vae_for_factors",
    "cornac.models.BPR": "conformance_runs.vae_for_factors",
}
SAMPLED = {
    "cornac.models.MF": "conformance_runs.sampled_mf",
    "cornac.models.PMF": "conformance_runs.sampled_pmf",
}
SPLITS = {
    f"cornac.eval_methods.{name}": f"cornac_mle.eval_methods.{name}"
    for name in ("RatioSplit", "StratifiedSplit", "TimestampSplit", "CrossValidation")
}
# Files that count ratings need all of them: by default ours set users aside first.
ALL_RATINGS = {
    f"cornac.eval_methods.{name}": f"conformance_runs.{name}WithAllRatings"
    for name in ("RatioSplit", "TimestampSplit", "CrossValidation")
}
HELD_OUT_USERS = {
    "cornac.eval_methods.RatioSplit": "conformance_runs.held_out_users_for_ratio",
    "cornac.eval_methods.CrossValidation": "conformance_runs.held_out_users_for_folds",
}
BASE_METHOD = {"cornac.eval_methods.BaseMethod": "cornac_mle.eval_methods.HeldOutUsers"}
FROM_SPLITS = {"cornac.eval_methods.BaseMethod": "cornac_mle.eval_methods.RatioSplit"}
SEARCH = {
    f"cornac.hyperopt.{name}": f"cornac_mle.search._base.{name}"
    for name in ("GridSearch", "RandomSearch")
}
EXPERIMENT = {"cornac.Experiment": "cornac_mle.experiment.Experiment"}


class RatioSplitWithAllRatings(eval_methods.RatioSplit):
    """Ours, setting nobody aside."""

    __init__ = functools.partialmethod(eval_methods.RatioSplit.__init__, against="test")


class TimestampSplitWithAllRatings(eval_methods.TimestampSplit):
    """Ours, setting nobody aside."""

    __init__ = functools.partialmethod(eval_methods.TimestampSplit.__init__, against="test")


class CrossValidationWithAllRatings(eval_methods.CrossValidation):
    """Ours, setting nobody aside."""

    __init__ = functools.partialmethod(eval_methods.CrossValidation.__init__, against="test")


def sampled_mf(*arguments: Any, **settings: Any) -> Any:
    """Make Cornac's MF samplable."""
    return Sampled(cornac.models.MF(*arguments, **settings))


def sampled_pmf(*arguments: Any, **settings: Any) -> Any:
    """Make Cornac's PMF samplable."""
    return Sampled(cornac.models.PMF(*arguments, **settings))


def vae_for_factors(k: int = 10, max_iter: int = 20, **settings: Any) -> Any:
    """Make our VAE from the arguments of a factor model; passes over the data become epochs."""
    known = ("name", "trainable", "verbose", "seed", "learning_rate")
    taken = {name: value for name, value in settings.items() if name in known}
    return VAE(k=k, n_epochs=max(max_iter, 1), **taken)


def held_out_users_for_ratio(
    data: Sequence[tuple[object, ...]],
    test_size: float = 0.2,
    val_size: float = 0.0,
    *,
    exclude_unknowns: bool = True,
    seed: int | None = None,
    verbose: bool = False,
) -> Any:
    """Split users in the shares that ratings were to be split in; all pairs are likes."""
    # Unknown users are what it is about: `exclude_unknowns` has no meaning.
    shares = (1.0 - 2 * test_size, test_size, test_size)
    share = val_size / (1.0 - 2 * test_size)
    return eval_methods.HeldOutUsers(
        data, shares=shares, validation_share=share, seed=seed or 0, verbose=verbose
    )


def held_out_users_for_folds(
    data: Sequence[tuple[object, ...]],
    n_folds: int = 5,
    *,
    exclude_unknowns: bool = True,
    verbose: bool = False,
) -> Any:
    """Split users into folds."""
    return eval_methods.HeldOutUsersCV(data, n_folds=n_folds, verbose=verbose)


@dataclass(frozen=True)
class Run:
    """One file of Cornac's tests under one substitution, and what should come out."""

    file: str
    what: str
    substitutes: Mapping[str, str]
    passes: int
    by_design: Mapping[str, "Refusal"] = field(default_factory=dict)
    """Tests that cannot hold for ours."""
    many_users: bool = False
    """Whether tests/data.txt (ten users of one item) is replaced by users that can be held out."""
    needs: str = ""
    """A module without which the file cannot run."""

    @property
    def label(self) -> str:
        """What the run is called in the output."""
        return f"{Path(self.file).name}, {self.what}"


@dataclass(frozen=True)
class Refusal:
    """How a test fails that cannot hold for ours, and why it cannot."""

    error: str
    """Part of its error: failing in another way is a difference."""
    why: str


NO_DATA = Refusal("has no len()", "Cornac's RatioSplit cannot be made without data either")
NO_REFERENCE = Refusal("'reference_data'", "realism needs a third group: reference users")
RUNS = [
    Run("models/test_recommender.py", "PMF", OUR_PMF, passes=6),
    Run("models/test_recommender.py", "VAE", OUR_VAE, passes=6),
    Run("models/test_recommender.py", "Sampled", SAMPLED, passes=6),
    Run(
        "experiment/test_experiment.py",
        "PMF, splits",
        {**OUR_PMF, **SPLITS, **EXPERIMENT},
        passes=2,
    ),
    Run(
        "experiment/test_experiment.py",
        "VAE, splits",
        {**OUR_VAE, **SPLITS, **EXPERIMENT},
        passes=2,
    ),
    Run(
        "experiment/test_experiment.py",
        "Sampled, splits",
        {**SAMPLED, **SPLITS, **EXPERIMENT},
        passes=2,
    ),
    Run(
        "experiment/test_experiment.py",
        "PMF, held-out users",
        {**OUR_PMF, **HELD_OUT_USERS, **EXPERIMENT},
        passes=2,
        many_users=True,
    ),
    Run("test_hyperopt.py", "VAE, search", {**OUR_VAE, **SEARCH}, passes=2),
    Run("test_hyperopt.py", "VAE, splits, search", {**OUR_VAE, **SPLITS, **SEARCH}, passes=2),
    Run(
        "test_hyperopt.py",
        "VAE, held-out users, search",
        {**OUR_VAE, **HELD_OUT_USERS, **SEARCH, **EXPERIMENT},
        passes=2,
        many_users=True,
    ),
    Run("eval_methods/test_base_method.py", "PMF", OUR_PMF, passes=7),
    Run("eval_methods/test_base_method.py", "Sampled", SAMPLED, passes=7),
    Run(
        "eval_methods/test_base_method.py",
        "HeldOutUsers",
        {**OUR_PMF, **BASE_METHOD},
        passes=3,
        by_design={
            "TestBaseMethod.test_init": Refusal(
                "0.0 != 1.0", "likes are chosen before the split; all of them count for rankings"
            ),
            "TestBaseMethod.test_from_splits": NO_REFERENCE,
            "TestBaseMethod.test_with_modalities": NO_REFERENCE,
            "TestBaseMethod.test_evaluate": NO_REFERENCE,
        },
    ),
    Run(
        "eval_methods/test_base_method.py",
        "RatioSplit",
        {**OUR_PMF, **FROM_SPLITS},
        passes=4,
        by_design={
            "TestBaseMethod.test_init": NO_DATA,
            "TestBaseMethod.test_trainset_none": NO_DATA,
            "TestBaseMethod.test_testset_none": NO_DATA,
        },
    ),
    Run("eval_methods/test_ratio_split.py", "PMF", {**OUR_PMF, **ALL_RATINGS}, passes=3),
    Run("eval_methods/test_cross_validation.py", "all ratings", ALL_RATINGS, passes=3),
    Run("eval_methods/test_stratified_split.py", "splits", SPLITS, passes=3),
    Run("eval_methods/test_timestamp_split.py", "all ratings", ALL_RATINGS, passes=15),
    Run("serving/test_app.py", "VAE", OUR_VAE, passes=9, needs="flask"),
]
