"""What does each way to fit one Gaussian make up, when the data are two? The post's figure.

The data are 1/2 N(0, 1) + 1/2 N(16, 1), the model is one Gaussian. It is fitted by maximum
likelihood and by four other divergences, each minimised numerically on the distributions themselves
(no sample, no noise) from 21 starts; maximum likelihood and Wasserstein 2 are checked against their
closed forms, maximum likelihood also on a sample. Then two Gaussians are fitted by maximum
likelihood.

*Unrealistic* is what a model draws outside the smallest region that holds 95% (99%) of the data,
their highest-density region: .05 (.01) of real data, as in the metric `UnrealisticUsers`. *Missed*
is the mirror: the share of the data outside the model's own such region. *Between* is what is drawn
between the modes, more than three standard deviations from both: .001 of the data.

Command: python experiments/figure1.py [--out experiments/pictures]
Minutes: about 15 seconds on one core.

What came out. Maximum likelihood gives N(8, 8.06²), numerically, in closed form, and from 10,000
points but for .01 in the mean: .76 of what it draws is unrealistic, .46 lies between the modes,
and it misses nothing. Wasserstein does not help: N(8, 7.40²) for order 1, N(8, 6.96²) for order 2,
.76 and .77 unrealistic, with more between the modes, .50 and .53. Reverse KL and Jensen-Shannon
settle on one mode, either one: .05 unrealistic, as real data, and .525 of the data missed. Both
have a worse local optimum that spans the modes, N(8, 6.54²) and N(8, 8.03²), where 1 and 8 of the
21 starts end: descent on such a divergence need not leave a mass-covering start. Two Gaussians
fitted by maximum likelihood are the data: .05 unrealistic, .05 missed.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from gaussian_distributions import (
    FloatArray,
    Gaussians,
    jensen_shannon,
    kullback_leibler,
    wasserstein_1,
    wasserstein_2,
)
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize
from sklearn.mixture import GaussianMixture

from cornac_mle.report.style import (
    GRID,
    INK,
    PAPER,
    POPULARITY,
    REAL,
    look,
    new_figure,
    save,
    styled,
)

START_MEANS, START_DEVIATIONS = (-4, 0, 4, 8, 12, 16, 20), (0.5, 2, 8)
N_STARTS = len(START_MEANS) * len(START_DEVIATIONS)
DATA = Gaussians((0.5, 0.5), (0.0, 16.0), (1.0, 1.0))
BETWEEN = np.array([[3.0, 13.0]])
TWO = "two Gaussians, ML"
DIVERGENCES: dict[str, Callable[[Gaussians], float]] = {
    "maximum likelihood": lambda model: kullback_leibler(DATA, model),
    "reverse KL": lambda model: kullback_leibler(model, DATA),
    "Jensen-Shannon": lambda model: jensen_shannon(DATA, model),
    "Wasserstein 1": lambda model: wasserstein_1(DATA, model),
    "Wasserstein 2": lambda model: wasserstein_2(DATA, model),
}
"""What each fit minimises. Maximum likelihood is KL(data, model) less the data's own entropy."""


# ------------------------------------------------------------------------------------------ fits


class Optimum(NamedTuple):
    """A local optimum, the value there, and how many starts lead to it."""

    model: Gaussians
    value: float
    n_starts: int


def local_optima(divergence: Callable[[Gaussians], float]) -> list[Optimum]:
    """Fit one Gaussian from a grid of starts; distinct optima, the best first, ties by mean."""

    def gaussian(parameters: FloatArray) -> Gaussians:
        return Gaussians((1.0,), (float(parameters[0]),), (float(np.exp(parameters[1])),))

    found: dict[tuple[float, float, float], list[Gaussians]] = {}
    for mean in START_MEANS:
        for deviation in START_DEVIATIONS:
            result = minimize(
                lambda parameters: divergence(gaussian(parameters)),
                [mean, np.log(deviation)],
                method="Nelder-Mead",
                options={"xatol": 1e-7, "fatol": 1e-12},
            )
            model = gaussian(result.x)
            place = (round(result.fun, 6), round(model.means[0], 3), round(model.deviations[0], 3))
            found.setdefault(place, []).append(model)
    return [
        Optimum(models[0], divergence(models[0]), len(models))
        for _, models in sorted(found.items())
    ]


def two_gaussians() -> Optimum:
    """Fit two Gaussians by maximum likelihood to the data; the best of nine starts."""

    def distribution(parameters: FloatArray) -> Gaussians:
        weight, *means = (float(value) for value in parameters[:3])
        share = float(1 / (1 + np.exp(-weight)))
        one, other = (float(value) for value in np.exp(parameters[3:]))
        return Gaussians((share, 1 - share), (means[0], means[1]), (one, other))

    starts = [
        [weight, 8 - apart, 8 + apart, 2.0, 2.0] for weight in (-1, 0, 1) for apart in (1, 4, 12)
    ]
    results = [
        minimize(
            lambda parameters: kullback_leibler(DATA, distribution(parameters)),
            start,
            method="BFGS",
            tol=1e-9,
        )
        for start in starts
    ]
    best = min(results, key=lambda result: result.fun)
    return Optimum(distribution(best.x), best.fun, sum(r.fun < best.fun + 1e-6 for r in results))


def moments() -> Gaussians:
    """Find the closed form of maximum likelihood: the data's mean and standard deviation."""
    mean = DATA.expectation(lambda x: x)
    return Gaussians((1.0,), (mean,), (DATA.expectation(lambda x: (x - mean) ** 2) ** 0.5,))


def wasserstein_2_closed_form() -> Gaussians:
    """Find the closed form of Wasserstein 2: mean, and integral of data times normal quantile."""
    spread = DATA.expectation(lambda x: x * DATA.normal_score(x))
    return Gaussians((1.0,), (DATA.expectation(lambda x: x),), (spread,))


def from_sample(n: int, seed: int) -> tuple[Gaussians, Gaussians]:
    """Maximum likelihood on `n` points drawn from the data: one Gaussian, and two by EM."""
    random = np.random.default_rng(seed)
    points = random.choice(DATA.means, size=n) + random.standard_normal(n)
    two = GaussianMixture(2, random_state=seed).fit(points[:, None])
    order = np.argsort(two.means_[:, 0])
    return Gaussians((1.0,), (float(points.mean()),), (float(points.std()),)), Gaussians(
        tuple(two.weights_[order].tolist()),
        tuple(two.means_[order, 0].tolist()),
        tuple(np.sqrt(two.covariances_[order, 0, 0]).tolist()),
    )


class Shares(NamedTuple):
    """What a model makes up and what it misses, shares in [0, 1]; see the top of this file."""

    unrealistic_05: float
    unrealistic_01: float
    between: float
    missed_05: float
    missed_01: float


def shares(model: Gaussians) -> Shares:
    """Find the shares of a model, from distribution functions."""
    return Shares(
        unrealistic_05=1 - model.inside(DATA.region(0.95)),
        unrealistic_01=1 - model.inside(DATA.region(0.99)),
        between=model.inside(BETWEEN),
        missed_05=1 - DATA.inside(model.region(0.95)),
        missed_01=1 - DATA.inside(model.region(0.99)),
    )


# ---------------------------------------------------------------------------------------- output

FITS = (
    "maximum likelihood",
    "reverse KL",
    "Jensen-Shannon",
    "Wasserstein 1",
    "Wasserstein 2",
    TWO,
)
"""Drawn from the second colour of the style on, which is the strongest."""
BIMODAL = ("reverse KL", "Jensen-Shannon")
"""What is as good at either mode."""


def draw(models: dict[str, Gaussians], path: Path) -> None:
    """Draw the densities of data and fits, and beside them what is unrealistic and missed."""
    with styled():
        drawn = new_figure(9.5, 5.4)
        densities, bars = drawn.subplots(1, 2, width_ratios=(1.4, 1))
        draw_densities(densities, models)
        draw_shares(bars, models)
        handles = densities.get_legend_handles_labels()
        drawn.legend(*handles, frameon=False, loc="outside upper center", ncols=2)
        drawn.set_label(__doc__.splitlines()[0])
        save(drawn, path)


def draw_densities(axes: Axes, models: dict[str, Gaussians]) -> None:
    """Draw the data filled, each fit as a line of its own dash."""
    x = np.arange(-14, 30, 0.02)
    axes.fill_between(x, np.exp(models["data"].log_density(x)), color=GRID, label="data", lw=0)
    for place, name in enumerate(FITS, 1):
        label = name if name == TWO else f"{name}: {models[name]}"
        label += ", or the other mode" if name in BIMODAL else ""
        line = look(place).line(label) | {"lw": 1.8}
        axes.plot(x, np.exp(models[name].log_density(x)), **line)
    for left, right in DATA.region(0.95):
        ends = axes.plot([left, right], [-0.008] * 2, REAL, lw=4, solid_capstyle="butt")
    ends[0].set_label("95% of the data")
    axes.set(xlabel="x", ylabel="density", xlim=(x[0], x[-1]), ylim=(-0.016, 0.42))


def draw_shares(axes: Axes, models: dict[str, Gaussians]) -> None:
    """Draw what is unrealistic, filled, and what is missed, hatched."""
    names = ("data", *FITS)
    for row, name in enumerate(names):
        found = shares(models[name])
        colour = look(row).colour if row else GRID
        upper, lower = row - 0.2, row + 0.2
        axes.barh(upper, found.unrealistic_05, 0.36, color=colour)
        axes.barh(lower, found.missed_05, 0.36, color=PAPER, edgecolor=colour, hatch="////")
        for height, share in ((upper, found.unrealistic_05), (lower, found.missed_05)):
            # Beside the line of real data, not on it.
            axes.text(max(share, 0.05) + 0.02, height, f"{share:.3f}", va="center")
        if found.between > 0.1:
            inside = {"va": "center", "fontsize": 8, "color": INK}
            box = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}
            words = f"{found.between:.3f} between the modes"
            axes.text(0.08, upper, words, bbox=box, **inside)
    axes.axvline(0.05, color=REAL, lw=0.8)
    labels = [name.replace(" likelihood", "\nlikelihood").replace(", ", ",\n") for name in names]
    axes.set_yticks(range(len(names)), labels)
    axes.set(xlim=(0, 1), ylim=(len(names) + 0.9, -0.6), xlabel="share (line: real data, .05)")
    axes.grid(visible=False, axis="y")
    handles = [
        Patch(color=POPULARITY, label="of the samples: unrealistic"),
        Patch(fc=PAPER, ec=POPULARITY, hatch="////", label="of the data: missed"),
    ]
    axes.legend(handles=handles, loc="lower right", frameon=False)


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: names to the left, figures to the right."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "pictures")
    parser.add_argument("--n", type=int, default=10_000, help="size of the sample")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    options = parser.parse_args()

    optima = {name: local_optima(divergence) for name, divergence in DIVERGENCES.items()}
    two = two_gaussians()
    models = {"data": DATA} | {name: found[0].model for name, found in optima.items()}
    # One mode for each of the two that are as good at either, so that both lines are seen.
    models["Jensen-Shannon"] = optima["Jensen-Shannon"][1].model
    models[TWO] = two.model

    show(
        "Fits, and all local optima",
        ("minimised", "model", "value", "starts"),
        (
            (name, str(one.model), f"{one.value:.4f}", f"{one.n_starts} of {N_STARTS}")
            for name, found in optima.items()
            for one in found
        ),
    )
    show(
        "What is made up, and what is missed",
        ("fitted by", "unrealistic .05", ".01", "between", "missed .05", ".01"),
        ((name, *(f"{share:.3f}" for share in shares(model))) for name, model in models.items()),
    )
    show(
        "Every divergence between the data and every fit",
        ("fitted by", "KL nats", "reverse KL nats", "JS bits", "W1", "W2"),
        (
            (name, *(f"{divergence(model):z.3f}" for divergence in DIVERGENCES.values()))
            for name, model in models.items()
        ),
    )
    one_of_sample, two_of_sample = from_sample(options.n, options.seed)
    show(
        f"Checks: closed forms, and {options.n:,} points of seed {options.seed}",
        ("fit", "model"),
        (
            ("one Gaussian, ML, numerical", str(models["maximum likelihood"])),
            ("one Gaussian, ML, closed form", str(moments())),
            ("one Gaussian, ML, sample", str(one_of_sample)),
            ("one Gaussian, W2, numerical", str(models["Wasserstein 2"])),
            ("one Gaussian, W2, closed form", str(wasserstein_2_closed_form())),
            (f"{TWO}, numerical", str(two.model)),
            (f"{TWO}, sample", str(two_of_sample)),
        ),
    )
    picture = options.out / "figure1.png"
    draw(models, picture)
    print(f"Picture: {picture}")


if __name__ == "__main__":
    main()
