"""Training on a CUDA device against one thread of the processor: ``tests/benchmarks/on_cuda.py``.

Fits of the same seed, each once to warm up and then the faster of two, in seconds on the clock:
on the device, on one thread, and Cornac's VAECF of the same shape on the device. Memory is what
PyTorch took of the device. Writes experiments/results/on_cuda.csv, where there is a device.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from timing import seconds

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS), str(TESTS / "benchmarks")]

TABLE = TESTS.parent / "experiments" / "results" / "on_cuda.csv"
EPOCHS = 5
SHAPE = {"k": 200, "autoencoder_structure": [600], "batch_size": 500, "likelihood": "mult"}


def warm_seconds(action: Callable[[], Any], repeats: int = 2) -> float:
    """Best of some runs on the clock, after one that warms up."""

    def finished() -> None:
        action()
        torch.cuda.synchronize()

    finished()
    return float(seconds(finished, repeats))


def main() -> None:
    """Measure, print and write."""
    from cornac.models import VAECF
    from rows import movielens

    from cornac_mle import VAE
    from cornac_mle.models.vae._training import train

    if not torch.cuda.is_available():
        sys.exit("PyTorch finds no CUDA device")
    users = movielens()
    data = users.to_dataset(seed=1)

    def training(matrix: Any, use_gpu: bool, **shape: Any) -> Callable[[], Any]:
        model = VAE(n_epochs=EPOCHS, seed=1, use_gpu=use_gpu, **shape)
        return lambda: train(model, matrix, None, np.random.default_rng(1))

    published = VAECF(verbose=False, n_epochs=EPOCHS, seed=1, use_gpu=True, **SHAPE)
    normal = SHAPE | {"prior": "normal"}
    rows = {
        f"VAE, the default, {EPOCHS} epochs, MovieLens-1M": (
            lambda use_gpu: training(users.matrix, use_gpu),
            None,
        ),
        f"VAE, 600 x 200, multinomial, {EPOCHS} epochs, MovieLens-1M": (
            lambda use_gpu: training(users.matrix, use_gpu, **normal),
            lambda: published.clone().fit(data),
        ),
    }
    table = []
    for what, (ours, peer) in rows.items():
        torch.cuda.reset_peak_memory_stats()
        row = {"what": what, "cuda_seconds": warm_seconds(ours(True))}
        row["cuda_mebibytes"] = round(torch.cuda.max_memory_allocated() / 2**20)
        row["cpu_seconds"] = warm_seconds(ours(False), repeats=1)
        row["peer_seconds"] = warm_seconds(peer) if peer else float("nan")
        row["device"] = torch.cuda.get_device_name()
        table.append(row)
        print(row, flush=True)
        pd.DataFrame(table).to_csv(TABLE, index=False, float_format="%.4f")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
