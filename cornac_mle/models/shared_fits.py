"""One fit for several models of equal settings, where somebody fits them on the same data."""

import copy
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeAlias

from cornac.data import Dataset

if TYPE_CHECKING:
    from cornac_mle.models._fold_in_recommender import FoldInRecommender

Key: TypeAlias = tuple[Hashable, Dataset, Dataset | None]
"""Settings, training set and validation set; sets are equal where they are the same object."""
_fitted: ContextVar["dict[Key, FoldInRecommender] | None"] = ContextVar("fitted", default=None)


@contextmanager
def shared_fits(
    known: "Sequence[FoldInRecommender]" = (),
    train_set: Dataset | None = None,
    val_set: Dataset | None = None,
) -> Iterator[None]:
    """Fit models of equal settings once on the same data for a while, whatever their names.

    A model says by `_shared_settings` what its fit depends on. The data must not change meanwhile.
    Fitted weights are shared, as by `VAE.with_latent`; they are kept until the end. Within another
    `shared_fits` it is that one that goes on.

    Parameters
    ----------
    known : sequence of FoldInRecommender
        Models that were fitted to `train_set` and `val_set` before.
    train_set, val_set : Dataset, optional
        Their data.

    Examples
    --------
    >>> with shared_fits():
    ...     pass
    """
    outer = _fitted.get()
    fitted = {} if outer is None else outer
    token = _fitted.set(fitted)
    try:
        if train_set is not None:
            for model in known:
                fitted[model._shared_settings(), train_set, val_set] = model
        yield
    finally:
        _fitted.reset(token)


def take_shared(model: "FoldInRecommender", train_set: Dataset, val_set: Dataset | None) -> bool:
    """Give a model the fit of another one, if there was one; tell whether there was."""
    fitted, settings = _fitted.get(), model._shared_settings()
    if fitted is None or settings is None:
        return False
    other = fitted.get((settings, train_set, val_set))
    if other is None:
        return False
    for name, value in vars(other).items():
        if name.endswith("_") and not name.startswith("_"):  # fitted state, as ours are spelt
            setattr(model, name, value)
    return True


def share(model: "FoldInRecommender", train_set: Dataset, val_set: Dataset | None) -> None:
    """Keep a fit for other models, where fits are shared and this one may be."""
    fitted, settings = _fitted.get(), model._shared_settings()
    if fitted is not None and settings is not None:
        fitted[settings, train_set, val_set] = copy.copy(model)
