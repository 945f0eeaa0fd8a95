"""How blunt is the decoder of a multinomial VAE?

The decoder's outputs are multiplied by one number before users are drawn, which changes no ranking.
For each factor: the share of users that the EASE judge flags at .05, and the discrepancy from
training users that `MMDTuning` minimises, by which it chooses its start. One fit of a VAE for both
latent densities.

Command: python experiments/sharpness.py --data ../shared/data
Minutes: about 5 on two cores.
Writes: experiments/results/sharpness.csv, experiments/pictures/sharpness.png
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator
from real_data import MULTINOMIAL, evaluate, held_out_users, panels, run

from cornac_mle import VAE
from cornac_mle.metrics import UnrealisticUsers
from cornac_mle.remedies._expected_mmd import Kernel
from cornac_mle.remedies._tuning import CHECK_USERS, Monitor
from cornac_mle.report.style import draw_ends, look
from cornac_mle.sparse import pattern

FACTORS = (0.8, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5)
SETS = ("complete_journey", "movielens_100k", "lastfm", "movielens_1m")


def sharpened(vae: VAE, factor: float) -> VAE:
    model = vae.with_latent(vae.latent)
    last = tuple(part * np.float32(factor) for part in vae.decoder_[-1])
    model.decoder_ = [*vae.decoder_[:-1], last]
    return model


def measure(name: str, data: Path, seed: int) -> pd.DataFrame:
    method = held_out_users(name, data, seed)
    vae = VAE(**MULTINOMIAL, seed=seed).fit(method.train_set, method.val_set)
    rng = np.random.default_rng(seed)
    kernel, real = Kernel.of(vae.train_matrix_, rng), pattern(vae.train_matrix_)
    rows = []
    for latent in ("prior", "mixture"):
        points = vae.densities_[latent].draw(CHECK_USERS, rng)
        monitor = Monitor(kernel, real, *points)
        for factor in FACTORS:
            model = sharpened(vae.with_latent(latent), factor)
            found = evaluate(method, model, f"{latent} x {factor:g}", [UnrealisticUsers()])
            layers = [tuple(torch.from_numpy(part) for part in pair) for pair in model.decoder_]
            row = found[["dataset", "value", "low", "high", "ceiling", "floor"]]
            discrepancy = monitor.discrepancy(layers, model._decoder())
            rows.append(row.assign(latent=latent, factor=factor, discrepancy=discrepancy))
    return pd.concat(rows)


def draw(table: pd.DataFrame) -> Figure:
    sets = list(dict.fromkeys(table["dataset"]))
    figure, axes = panels(2, len(sets), (3.1 * len(sets), 5), sharex=True)
    for (flagged, discrepancy), name in zip(axes.T, sets, strict=True):
        own = table[table["dataset"] == name]
        for place, (latent, part) in enumerate(own.groupby("latent", sort=False)):
            style = look(place).line(f"latent {latent}") | {"marker": look(place).marker, "ms": 4}
            errors = [part["value"] - part["low"], part["high"] - part["value"]]
            flagged.errorbar(part["factor"], part["value"], errors, **style)
            discrepancy.plot(part["factor"], 1e3 * part["discrepancy"], **style)
        draw_ends(flagged, own["ceiling"].iloc[0], own["floor"].iloc[0])
        flagged.set(title=name.replace("_", " "), ylim=(0, 1.05))
        discrepancy.set(xlabel="factor on the decoder's outputs", yscale="symlog")
        discrepancy.yaxis.set_major_locator(FixedLocator((0, 1, 3, 10, 30)))
        discrepancy.yaxis.set_major_formatter("{x:g}")
    axes[0, 0].set_ylabel("share of users flagged at .05\n(EASE judge)")
    axes[1, 0].set_ylabel("MMD\N{SUPERSCRIPT TWO} from training\nusers, x 1000")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=4, frameon=False)
    return figure


if __name__ == "__main__":
    run(__doc__, SETS, measure, draw)
