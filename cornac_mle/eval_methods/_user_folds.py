"""Folds of users: by a splitter of scikit-learn's, or as the user has them."""

import warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from cornac_mle.checks import refusal

Folds = Mapping[Hashable, Hashable] | pd.Series | pd.DataFrame | Sequence[Iterable[Hashable]]
"""A fold label for each user, or the users of each fold."""


class Splitter(Protocol):
    """What splits users: an object of scikit-learn's, such as KFold or GroupKFold."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Any:  # noqa: N803
        """Yield the places of training and of test users, fold by fold."""


def split_by(
    cv: Splitter,
    users: npt.NDArray[np.object_],
    groups: Mapping[Hashable, Hashable] | pd.Series | None,
) -> list[npt.NDArray[np.intp]]:
    """Places of the users that each fold of `cv` holds out.

    Raises
    ------
    TypeError, ValueError
        If `cv` does not split, or does not hold out every user once, or a user has no group.
    """
    if not callable(getattr(cv, "split", None)):
        advice = "Pass for example sklearn.model_selection.KFold(5)."
        raise TypeError(refusal("cv", "have a method `split`", type(cv).__name__, advice))
    labels = users if groups is None else np.array([groups.get(user) for user in users], object)
    for user, label in zip(users, labels, strict=True):
        if label is None:
            raise ValueError(refusal("groups", "have a group for every user", f"none of {user!r}"))
    with warnings.catch_warnings():
        # KFold says that it has no use for groups, which is no news.
        warnings.filterwarnings("ignore", message="The groups parameter is ignored")
        codes = pd.factorize(pd.Series(labels, dtype=object))[0]
        held_out = [test for _, test in cv.split(np.arange(len(users))[:, None], groups=codes)]
    times = np.bincount(np.concatenate(held_out), minlength=len(users))
    if (times != 1).any():
        user = users[int(np.argmax(times != 1))]
        got = f"{int(times[times != 1][0])} times for {user!r}"
        raise ValueError(refusal("cv", "hold out every user once", got, "Use KFold or GroupKFold."))
    return held_out


def labelled_folds(folds: Folds, users: npt.NDArray[np.object_]) -> list[npt.NDArray[np.intp]]:
    """Places of the users that each fold holds out, from labels or lists of users."""
    label_of: dict[Hashable, Hashable] = {}
    if isinstance(folds, pd.DataFrame):
        pairs: Iterable[tuple[Any, Any]] = zip(folds["user"], folds["fold"], strict=True)
    elif isinstance(folds, Mapping | pd.Series):
        pairs = folds.items()
    else:
        pairs = ((user, fold) for fold, held in enumerate(folds) for user in held)
    for user, label in pairs:
        if label_of.setdefault(user, label) != label:
            got = f"{user!r} in {label_of[user]!r} and in {label!r}"
            raise ValueError(refusal("folds", "hold out every user once", got))
    for user in users:
        if user not in label_of:
            rule, got = "hold out every user of `data` once", f"{user!r} in none"
            raise ValueError(refusal("folds", rule, got))
    labels = pd.Series([label_of[user] for user in users])
    codes, names = pd.factorize(labels, sort=True)
    if len(names) < 2:
        raise ValueError(refusal("folds", "be at least 2", len(names)))
    return [np.flatnonzero(codes == code) for code in range(len(names))]
