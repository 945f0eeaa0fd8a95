"""What models need before they can be cloned, kept as they are, or scored."""

import copy
import inspect
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from cornac.data import Dataset
from cornac.models import CVAECF, Recommender, RecVAE

from cornac_mle.checks import refusal
from cornac_mle.models._spelling import spelled
from cornac_mle.profiles import dataset_items, dataset_users
from cornac_mle.sparse import FloatArray

if TYPE_CHECKING:
    from cornac_mle.models.base import GenerativeRecommender

RECVAE_ITEMS = 100
"""Items without which Cornac's RecVAE cannot find the first 100."""
FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What data that a model is not made for may raise; want of memory is no such thing."""
MODALITIES = {CVAECF: "user_graph"}
"""Families that can be sampled, and what of a Dataset they need beside ratings."""
MODALITY = re.compile("'Dataset' object has no attribute '([a-z]+_?[a-z]*)'")
"""What Cornac's models say of data that they lack."""


def fresh_clone(model: Recommender, new_params: dict[str, Any] | None = None) -> Recommender:
    """Clone a model, unfitted, with other arguments where `new_params` has some.

    Cornac's `clone` fails for RecVAE, which does not keep `use_gpu`: an argument that a model has
    forgotten has its default again.
    """
    kept = copy.copy(model)
    for name, argument in inspect.signature(type(model)).parameters.items():
        vars(kept).setdefault(name, argument.default)
    return kept.clone(new_params)


def fitted_or_refused(
    model: Recommender, train_set: Dataset, val_set: Dataset | None = None
) -> Recommender:
    """Fit a model; where Cornac's own code fails on these data, say which model it is, and why.

    Raises
    ------
    ValueError
        Naming the model and the reason.
    """
    check_fittable(model, train_set)
    try:
        return model.fit(train_set, val_set)
    except FAILURES as error:
        if is_refusal(error) or isinstance(error, NotImplementedError):
            raise
        raise ValueError(unfittable(model, f"{type(error).__name__}: {error}")) from error


def check_fittable(model: Recommender, train_set: Dataset) -> None:
    """Refuse data that a Cornac model cannot be fitted to, where the reason is known.

    Raises
    ------
    ValueError
        Naming the model and the reason.
    """
    if isinstance(model, RecVAE) and train_set.num_items < RECVAE_ITEMS:
        reason = f"{train_set.num_items} items: it stops early by NDCG@{RECVAE_ITEMS}"
        raise ValueError(unfittable(model, reason, f"Give at least {RECVAE_ITEMS} items."))
    for kind, modality in MODALITIES.items():
        if isinstance(model, kind) and getattr(train_set, modality, None) is None:
            advice = f"Pass {modality}=... to the evaluation method."
            raise ValueError(unfittable(model, f"data without a {modality}", advice))


def finite(model: Recommender, numbers: FloatArray) -> FloatArray:
    """Return factors or scores of a fitted model, or raise if it has diverged.

    Raises
    ------
    ValueError
        Naming the model.
    """
    if not np.isfinite(numbers).all():
        rule, advice = "have finite factors and scores", "Lower its learning rate, or rescale."
        got = "NaN or infinity after its fit"
        raise ValueError(refusal("model", rule, got, advice, context=model.name))
    return numbers


def unfittable(model: Recommender, reason: str, advice: str = "Leave this model out.") -> str:
    """Say that a model cannot be fitted to the data it was given."""
    return refusal("model", "be one that can be fitted to these data", reason, advice, model.name)


def is_refusal(error: BaseException) -> bool:
    """Whether an error is one of ours, which says what is wrong in one line."""
    return str(error).startswith("`")


def failure(error: BaseException) -> str:
    """Say why a model failed: the error, or what it lacks, where that is known.

    >>> failure(ModuleNotFoundError("No module named 'dgl'", name="dgl"))
    'it needs the library dgl, which is not installed'
    """
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"it needs the library {error.name}, which is not installed"
    wanted = MODALITY.fullmatch(str(error))
    if wanted:
        return f"it needs {wanted[1]} data beside interactions, and there are none"
    return f"{type(error).__name__}: {error}"


def frozen(model: Recommender) -> bool:
    """Whether a user wants the model as it is; GlobalAvg is never trainable, and never frozen."""
    return not model.trainable and "trainable" in inspect.signature(type(model)).parameters


def is_fixed(model: Recommender) -> bool:
    """Whether a model is to be used as it was fitted: not trainable, as models are once loaded."""
    return bool(getattr(model, "is_fitted", False)) and frozen(model)


def check_fixed(model: Recommender, train_set: Dataset) -> None:
    """Refuse a fitted model that is not trainable unless it was fitted to these users and items.

    Cornac would give it the numbers of other users and items without a word, and score the wrong
    ones.

    Raises
    ------
    ValueError
        Naming the model.
    """
    if not is_fixed(model):
        return
    same = {
        "users": dataset_users(model).equals(dataset_users(train_set)),
        "items": dataset_items(model).equals(dataset_items(train_set)),
    }
    for what, is_same in same.items():
        if not is_same:
            rule = f"have been fitted to the training {what} of this split where trainable=False"
            advice = "Set trainable=True to fit it again, or use the split that it was fitted on."
            raise ValueError(refusal("model", rule, f"others, of {model.name!r}", advice))


def check_refittable(model: Recommender) -> None:
    """Refuse a fitted model that is not trainable where each fold fits a clone.

    Raises
    ------
    ValueError
        Naming the model.
    """
    if is_fixed(model):
        advice = "Set trainable=True: each fold fits a clone."
        raise ValueError(
            refusal("model", "be trainable", f"{model.name!r} with trainable=False", advice)
        )


def check_frozen(model: "GenerativeRecommender", catalogue: pd.Index | None) -> None:
    """Raise unless `model`, which a remedy takes as it is, is fitted to the items `catalogue`."""
    if model.catalogue_ is None or not model.catalogue_.equals(catalogue):
        rule = "be fitted to the items of `train_set` where trainable=False"
        got = "no fitted model" if model.catalogue_ is None else "others"
        raise ValueError(refusal("model", rule, got, "Pass it with trainable=True."))


def load_torch(model: Recommender) -> None:
    """Import PyTorch for a model of Cornac's that would: only then can its threads be limited."""
    module = sys.modules[type(model).__module__]
    if "torch" not in sys.modules and not module.__name__.startswith("cornac_mle."):
        with suppress(OSError, TypeError, ImportError):  # no source, or no PyTorch, as `fit` says
            if "import torch" in inspect.getsource(module):
                import_module("torch")


def to_evaluation(model: Recommender) -> None:
    """Put a model's networks into evaluation mode: Cornac scores RecVAE with dropout."""
    torch = sys.modules.get("torch")
    if torch is not None:
        for part in vars(model).values():
            if isinstance(part, torch.nn.Module):
                part.eval()


def model_parameters(model: Recommender, *, leave_out: Sequence[str] = ()) -> str:
    """Write the constructor arguments of a model as text: ``k=20, seed=1``."""
    hidden = ("name", "verbose", *leave_out)
    names = [name for name in model._get_init_params() if name not in hidden]
    pairs = [(name, getattr(model, name, None)) for name in names]
    return ", ".join(
        f"{name}={spelled(value) if isinstance(value, Recommender) else repr(value)}"
        for name, value in pairs
    )
