"""One candidate of a search: fitted, measured on the validation users, its failures kept."""

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from cornac.data import Dataset
from cornac.eval_methods import BaseMethod
from cornac.models import Recommender

from cornac_mle.models.cloning import fresh_clone
from cornac_mle.search._validation import Value, measure

Parameters = dict[str, Any]


@dataclass
class Candidate:
    """A setting of parameters and what became of it.

    Attributes
    ----------
    parameters : dict
        Values of Python's own types, by name of the parameter.
    model : Recommender or None
        Fitted model, without its training and validation sets (`with_sets`); None if it failed.
    measured : dict
        Values by name of the metric, in the order of the metrics.
    fit_seconds, evaluation_seconds : float
        Seconds of the fit and of the measuring; NaN where it did not come to that.
    reason : str
        Reason why it failed, in one line; "" if it did not.
    """

    parameters: Parameters
    model: Recommender | None = None
    measured: dict[str, Value] = field(default_factory=dict)
    fit_seconds: float = float("nan")
    evaluation_seconds: float = float("nan")
    reason: str = ""

    @property
    def loss(self) -> float:
        """Loss of the first metric."""
        return next(iter(self.measured.values())).loss

    def with_sets(self, train_set: Dataset, val_set: Dataset | None) -> Recommender:
        """Give the model its sets back, which do not travel between processes."""
        assert self.model is not None
        self.model.train_set, self.model.val_set = train_set, val_set
        self.model.uid_map, self.model.iid_map = train_set.uid_map, train_set.iid_map
        return self.model


def fit_and_measure(
    model: Recommender,
    parameters: Parameters,
    method: BaseMethod,
    metrics: Sequence[Any],
    user_based: bool,
) -> Candidate:
    """Fit a clone of `model` with other parameters and measure it on the validation users.

    Whatever goes wrong, and a value that is not finite, becomes the candidate's `reason`: one that
    cannot be fitted must not cost the others. Nothing that was handed over is changed.
    """
    candidate = Candidate(parameters)
    heard = _Listener()
    logger = logging.getLogger("cornac_mle")
    logger.addHandler(heard)
    try:
        start = perf_counter()
        # A value may be a model itself, which its wrapper might fit.
        own = copy.deepcopy(parameters)
        fitted = fresh_clone(model, own).fit(method.train_set, method.val_set)
        candidate.fit_seconds = perf_counter() - start
        start = perf_counter()
        candidate.measured = measure(fitted, method, metrics, user_based)
        candidate.evaluation_seconds = perf_counter() - start
    except Exception as error:
        lines = str(error).splitlines() or ["no message"]
        candidate.reason = f"{type(error).__name__}: {lines[0]}"
        return candidate
    finally:
        logger.removeHandler(heard)
    missing = [name for name, one in candidate.measured.items() if not np.isfinite(one.loss)]
    if missing:
        what = f"no value of {', '.join(missing)}"
        candidate.reason = "; ".join([what, *dict.fromkeys(heard.texts)])
        return candidate
    fitted.train_set = fitted.val_set = fitted.uid_map = fitted.iid_map = None
    candidate.model = fitted
    return candidate


class _Listener(logging.Handler):
    """Keeps what is logged: the reason of a metric without a value."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one text."""
        self.texts.append(record.getMessage())
