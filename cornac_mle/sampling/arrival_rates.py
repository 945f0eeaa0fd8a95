"""Rates at which items arrive, from log-odds of holding them after unit time."""

import numpy as np

from cornac_mle.sparse import Float32Array


def softplus(log_odds: Float32Array) -> Float32Array:
    """Rate log(1 + exp(log-odds)) of an arrival within unit time with these odds.

    Faster than `numpy.logaddexp` on large arrays, and the same but for the last digit.
    """
    rates: Float32Array = np.exp(-np.abs(log_odds))
    np.log1p(rates, out=rates)
    rates += np.maximum(log_odds, 0)
    return rates


def log_rates_of_odds(log_odds: Float32Array) -> Float32Array:
    """Log of log(1 + odds): items arriving at this rate are there after unit time at these odds.

    Examples
    --------
    Odds of 1 are a probability of 1/2: the rate is log 2 = .693, and 1 - exp(-.693) = .5.

    >>> np.exp(log_rates_of_odds(np.zeros(1, dtype=np.float32)))
    array([0.693], dtype=float32)
    """
    rates = softplus(log_odds)
    np.maximum(rates, np.finfo(np.float32).tiny, out=rates)
    return np.log(rates)
