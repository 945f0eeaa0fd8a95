"""Evaluation methods: those that split users, and Cornac's splits of ratings with realism."""

from cornac_mle.eval_methods.held_out_users import HeldOutUsers
from cornac_mle.eval_methods.held_out_users_cv import HeldOutUsersCV
from cornac_mle.eval_methods.rating_splits import (
    CrossValidation,
    RatioSplit,
    StratifiedSplit,
    TimestampSplit,
)

__all__ = [
    "CrossValidation",
    "HeldOutUsers",
    "HeldOutUsersCV",
    "RatioSplit",
    "StratifiedSplit",
    "TimestampSplit",
]
