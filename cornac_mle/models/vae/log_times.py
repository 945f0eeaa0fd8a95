"""The time at which as many items have arrived, on average, as a profile has."""

import numpy as np
import numpy.typing as npt

from cornac_mle.sparse import Float32Array, IntArray

CACHED_RATES = 2**15
"""Rates of a block whose arrays fit a processor's cache; results do not depend on it."""


def log_times(
    log_rates: Float32Array, sizes: IntArray, *, dtype: npt.DTypeLike = np.float64
) -> Float32Array:
    """Log of the time at which `sizes` items are expected to have arrived, (n_users,).

    By Newton's method from below, in numbers of `dtype`; the expected number of items is concave in
    the time.
    """
    n_users, n_items = log_rates.shape
    step = max(1, CACHED_RATES // max(1, n_items))
    blocks = [slice(first, first + step) for first in range(0, n_users, step)]
    found = [_log_times_of_block(log_rates[block], sizes[block], dtype) for block in blocks]
    return np.concatenate(found) if found else np.zeros(0, dtype=np.float32)


def _log_times_of_block(
    log_rates: Float32Array, sizes: IntArray, dtype: npt.DTypeLike
) -> Float32Array:
    possible = np.isfinite(log_rates).sum(axis=1)
    wanted = np.minimum(sizes, possible - 0.5).clip(0.01).astype(dtype)
    rates = np.exp(log_rates - log_rates.max(axis=1, keepdims=True))
    times = wanted / rates.sum(axis=1)
    absent, buffer = (np.empty(rates.shape, dtype=dtype) for _ in range(2))
    for _ in range(8):
        np.multiply(rates, -times[:, None], out=absent)
        np.exp(absent, out=absent)
        missing = wanted - np.subtract(1, absent, out=buffer).sum(axis=1)
        derivative = np.multiply(rates, absent, out=buffer).sum(axis=1)
        before = times
        times = before + np.maximum(missing, 0) / np.maximum(derivative, 1e-30)
        if np.array_equal(times, before):
            break
    return np.asarray(np.log(times) - log_rates.max(axis=1), dtype=np.float32)
