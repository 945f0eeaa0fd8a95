"""Do fidelity and diversity pass simple checks? The 30 cells of a position paper, re-implemented.

Räisä, van Breugel & van der Schaar (2025, arXiv 2505.22450) ask 14 simple questions and one of
scaling. What is here was written down from a description of the paper, not from its code:
parameters and limits are our own where that left them open, so that counts are comparable within
this table and not with the paper's. Each question is asked in the dimensions of --dimensions, and a
cell passes if it does in each of them. D1b: the value goes the right way; D4: it reaches .95 and
.05 where it should; D3: it does not depend on n from 1,000 points on; D5: nor on the unit of a
coordinate.

For diversity of a synthetic set that is too wide, high and low both pass (the paper's rule).

Second, real against real on ten distributions: the share of p-values at most .05, .1 and .2.

    python experiments/sanity_checks.py        # 10 minutes on one core

Writes results/sanity_checks.csv and results/points_level.csv. Seeds and dimensions of the defaults
are ones that nothing was chosen on; choices were made at --seed 1 --dimensions 4 32.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from cornac_mle.metrics import conformal_diversity, conformal_fidelity, point_p_values, prdc

RESULTS = Path(__file__).parent / "results"
N = 1000
SLACK = 0.05
Pair = tuple[np.ndarray, np.ndarray]
Measure = Callable[[np.ndarray, np.ndarray], float]
MEASURES: dict[str, tuple[Measure, Measure]] = {
    "conformal, coordinates": (
        lambda r, s: conformal_fidelity(r, s, rng=1, coordinates=True),
        lambda r, s: conformal_diversity(r, s, rng=1, coordinates=True),
    ),
    "conformal, coordinates, not relative": (
        lambda r, s: conformal_fidelity(r, s, rng=1, coordinates=True),
        lambda r, s: conformal_diversity(r, s, rng=1, coordinates=True, relative=False),
    ),
    "conformal": (
        lambda r, s: conformal_fidelity(r, s, rng=1),
        lambda r, s: conformal_diversity(r, s, rng=1),
    ),
    "density, coverage": (lambda r, s: prdc(r, s).density, lambda r, s: prdc(r, s).coverage),
    "precision, recall": (lambda r, s: prdc(r, s).precision, lambda r, s: prdc(r, s).recall),
}


def falls(values: np.ndarray) -> bool:
    """Whether values fall, but for noise, and in the end by more than noise."""
    return bool(np.all(np.diff(values) <= SLACK) and values[-1] < values[0] - 2 * SLACK)


def high(value: float) -> bool:
    return bool(0.95 <= value <= 1.05)


def low(value: float) -> bool:
    return bool(value <= 0.05)


def modes(random: np.random.Generator, counts: np.ndarray, d: int) -> np.ndarray:
    """Points of Gaussian modes in a row, 10 apart in each coordinate."""
    where = np.repeat(np.arange(len(counts)), counts)
    return 10.0 * where[:, np.newaxis] + random.normal(size=(len(where), d))


def sphere(random: np.random.Generator, n: int, d: int) -> np.ndarray:
    x = random.normal(size=(n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def shifted(random: np.random.Generator, d: int, kind: str) -> Iterator[Pair]:
    """Gaussians whose means are 0, 1, 2, 3, 6 apart in each coordinate, either way."""
    for shift in (0, 1, 2, 3, 6, 0, -1, -2, -3, -6):
        real, synthetic = random.normal(size=(N, d)), shift + random.normal(size=(N, d))
        if kind == "outlier in real":
            real[0] = 6 * (np.sign(shift) or 1)
        if kind == "outlier in synthetic":
            synthetic[0] = -6 * (np.sign(shift) or 1)
        if kind == "pareto":
            real, synthetic = (np.column_stack([x, random.pareto(1, N)]) for x in (real, synthetic))
        yield real, synthetic


def mean_difference(m: Measure, random: np.random.Generator, d: int, kind: str) -> list[bool]:
    values = np.array([m(*pair) for pair in shifted(random, d, kind)]).reshape(2, 5)
    return [
        all(falls(side) for side in values),
        all(high(side[0]) and low(side[-1]) for side in values),
    ]


def deviations(m: Measure, random: np.random.Generator, d: int, diversity: bool) -> list[bool]:
    scales = (0.01, 0.1, 0.5, 1, 2, 5, 100)
    v = np.array([m(random.normal(size=(N, d)), s * random.normal(size=(N, d))) for s in scales])
    if diversity:
        wide = v[3:]
        return [
            falls(v[3::-1]) and (bool(np.all(wide >= 0.85)) or falls(wide)),
            high(v[3]) and low(v[0]) and (high(v[-1]) or low(v[-1])),
        ]
    return [bool(np.all(v[:4] >= 0.85)) and falls(v[3:]), high(v[3]) and high(v[0]) and low(v[-1])]


def hypercube(m: Measure, random: np.random.Generator, d: int) -> list[bool]:
    """Let a fifth of the volume overlap: D1b, D4, D3 with n, D1b and D4 with the synthetic n."""
    shift = 1 - 0.2 ** (1 / d)

    def value(n: int, n_synthetic: int, by: float) -> float:
        return m(random.random((n, d)), by + random.random((n_synthetic, d)))

    sizes = (250, 500, 1000, 2000, 4000)
    both = np.array([value(n, n, shift) for n in sizes])
    one = np.array([value(N, n, shift) for n in sizes])
    ends = [(value(n, n, 0.0), value(n, n, 1.0)) for n in (500, 2000)]
    other = [(value(N, n, 0.0), value(N, n, 1.0)) for n in (500, 2000)]
    return [
        bool(np.all(np.abs(both - 0.2) <= 0.1)),
        all(high(a) and low(b) for a, b in ends),
        bool(np.ptp(both[2:]) <= SLACK),
        bool(np.ptp(one) <= 2 * SLACK),
        all(high(a) and low(b) for a, b in other),
    ]


def surface(m: Measure, random: np.random.Generator, d: int) -> list[bool]:
    radii = (0.1, 0.5, 0.8, 1, 1.2, 2, 5)
    v = np.array([m(sphere(random, N, d), r * sphere(random, N, d)) for r in radii])
    return [falls(v[3::-1]) and falls(v[3:]), high(v[3]) and low(v[0]) and low(v[-1])]


def mode_collapse(m: Measure, random: np.random.Generator, d: int, diversity: bool) -> list[bool]:
    """Two modes against one Gaussian of their variance."""
    v = []
    for shift in (0, 1, 2, 4, 10):
        real = random.normal(size=(N, d)) + shift * random.choice([-1, 1], size=(N, 1))
        v.append(m(real, np.sqrt(1 + shift**2) * random.normal(size=(N, d))))
    values = np.array(v)
    if diversity:
        stays = bool(np.all(values >= 0.85))
        return [stays or falls(values), high(values[0]) and (stays or low(values[-1]))]
    return [falls(values), high(values[0])]


def mode_counts(m: Measure, random: np.random.Generator, d: int, diversity: bool) -> list[bool]:
    """Five real modes, one to ten synthetic ones."""
    v, right = [], []
    for k in range(1, 11):
        v.append(m(modes(random, np.full(5, N // 5), d), modes(random, np.full(k, N // k), d)))
        right.append(min(1, k / 5) if diversity else min(1, 5 / k))
    ideal = [high(x) for x, r in zip(v, right, strict=True) if r == 1]
    return [bool(np.all(np.abs(np.array(v) - right) <= 0.1)), all(ideal)]


def dropping(
    m: Measure, random: np.random.Generator, d: int, diversity: bool, together: bool
) -> list[bool]:
    """Ten real modes; synthetic ones go one after the other, or nine become rarer together."""
    v, right = [], []
    for k in range(10):
        weights = np.full(10, N // 10)
        if together:
            weights[1:] = round((1 - k / 9) * N / 10)
            weights[0] = N - weights[1:].sum()
        else:
            weights[10 - k :] = 0
            weights[: 10 - k] = N // (10 - k)
        v.append(m(modes(random, np.full(10, N // 10), d), modes(random, weights, d)))
        right.append(1 - k / 10)
    values = np.array(v)
    if not diversity:
        return [bool(np.all(values >= 0.85)), all(high(x) for x in values)]
    near = np.abs(values - right) <= 0.15
    way = bool(values[-1] < 0.2 and np.all(np.diff(values) <= 0.1)) if together else near.all()
    return [bool(way), high(values[0]) and values[-1] <= 0.15]


def one_disjoint(m: Measure, random: np.random.Generator, d: int) -> list[bool]:
    """One uniform coordinate of d + 10 has no value in common."""
    real, same, other = (
        np.column_stack([random.normal(size=(N, d + 9)), by + random.random(N)])
        for by in (0, 0, 1.5)
    )
    apart = m(real, other)
    return [apart <= 0.2, low(apart) and high(m(real, same))]


def torus(m: Measure, random: np.random.Generator, d: int) -> list[bool]:
    """Put a sphere into the hole of a torus; in three dimensions, whatever `d`."""
    real = 0.8 * sphere(random, N, 3)
    a, b = random.uniform(0, 2 * np.pi, (2, N))
    ring = 2 + 0.8 * np.cos(b)
    value = m(real, np.column_stack([ring * np.cos(a), ring * np.sin(a), 0.8 * np.sin(b)]))
    return [value <= 0.2, low(value)]


def discrete(m: Measure, random: np.random.Generator, d: int) -> list[bool]:
    """Hold rounded values against others, either way; both rounded is the same."""
    one, two, three = random.normal(size=(3, N, d))
    different = m(one, np.rint(two)) < 0.5 and m(np.rint(one), two) < 0.5
    return [different, high(m(np.rint(one), np.rint(three)))]


def scaling(m: Measure, random: np.random.Generator, d: int) -> list[bool]:
    real, synthetic = random.normal(size=(N, d)), 0.5 + random.normal(size=(N, d))
    factors = (1e-3, 0.1, 1, 10, 1e3)
    unit = np.ones(d)
    v = []
    for factor in factors:
        unit[0] = factor
        v.append(m(real * unit, synthetic * unit))
    return [bool(np.ptp(v) <= 2 * SLACK)]


def cells(m: Measure, diversity: bool, seed: int, d: int) -> dict[str, bool]:
    """All 30 cells in one dimension."""
    tasks: list[tuple[tuple[str, ...], Callable[[np.random.Generator], list[bool]]]] = [
        (("mean D1b", "mean D4"), lambda r: mean_difference(m, r, d, "")),
        (("outlier D1b", "outlier D4"), lambda r: outliers(m, r, d)),
        (("Pareto D1b", "Pareto D4"), lambda r: mean_difference(m, r, d, "pareto")),
        (("deviation D1b", "deviation D4"), lambda r: deviations(m, r, d, diversity)),
        (
            ("cube, n D1b", "cube, n D4", "cube, n D3", "cube, syn. n D1b", "cube, syn. n D4"),
            lambda r: hypercube(m, r, d),
        ),
        (("surface D1b", "surface D4"), lambda r: surface(m, r, d)),
        (("collapse D1b", "collapse D4"), lambda r: mode_collapse(m, r, d, diversity)),
        (("modes D1b", "modes D4"), lambda r: mode_counts(m, r, d, diversity)),
        (("one disjoint D1b", "one disjoint D4"), lambda r: one_disjoint(m, r, d)),
        (("sequential D1b", "sequential D4"), lambda r: dropping(m, r, d, diversity, False)),
        (("simultaneous D1b", "simultaneous D4"), lambda r: dropping(m, r, d, diversity, True)),
        (("torus D1b", "torus D4"), lambda r: torus(m, r, d)),
        (("discrete D1b", "discrete D4"), lambda r: discrete(m, r, d)),
        (("scaling D5",), lambda r: scaling(m, r, d)),
    ]
    found: dict[str, bool] = {}
    for number, (names, task) in enumerate(tasks):
        random = np.random.default_rng([seed, d, number])
        found |= dict(zip(names, map(bool, task(random)), strict=True))
    return found


def outliers(m: Measure, random: np.random.Generator, d: int) -> list[bool]:
    ways = [
        mean_difference(m, random, d, kind) for kind in ("outlier in real", "outlier in synthetic")
    ]
    return [all(way[n] for way in ways) for n in (0, 1)]


DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal, 2": lambda r, n: r.normal(size=(n, 2)),
    "normal, 50": lambda r, n: r.normal(size=(n, 50)),
    "uniform, 5": lambda r, n: r.random((n, 5)),
    "sphere, 20": lambda r, n: sphere(r, n, 20),
    "three modes, 4": lambda r, n: 9.0 * r.integers(3, size=(n, 1)) + r.normal(size=(n, 4)),
    "Cauchy, 3": lambda r, n: r.standard_cauchy((n, 3)),
    "Pareto, 6": lambda r, n: r.pareto(1, (n, 6)),
    "binary, 12": lambda r, n: (r.random((n, 12)) < 0.2).astype(float),
    "counts, 4": lambda r, n: r.poisson(1.5, (n, 4)).astype(float),
    "log-normal and binary": lambda r, n: np.column_stack(
        [r.lognormal(sigma=2, size=(n, 3)), r.random((n, 3)) < 0.5]
    ),
}


def levels(seed: int, repeats: int = 1000) -> pd.DataFrame:
    """One new real point against 150 others a repeat: rejections are binomial at most."""
    rows = []
    for number, (name, draw) in enumerate(DISTRIBUTIONS.items()):
        random = np.random.default_rng([seed, number])
        p_values = np.array(
            [
                point_p_values(draw(random, 158), draw(random, 1), rng=repeat, coordinates=True)[0]
                for repeat in range(repeats)
            ]
        )
        shares = {}
        for a in (0.05, 0.1, 0.2):
            most = stats.binom.isf(0.05 / 30, repeats, a) / repeats  # of 30 comparisons
            shares[f"p <= {a}"] = f"{np.mean(p_values <= a):.3f}"
            shares[f"allowed at {a}"] = f"{most:.3f}"
        rows.append({"distribution": name, "repeats": repeats} | shares)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--dimensions", type=int, nargs="+", default=(3, 20))
    parser.add_argument("--measures", nargs="+", default=list(MEASURES), choices=MEASURES)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    table = {}
    for name in options.measures:
        for measure, of in zip(MEASURES[name], ("fidelity", "diversity"), strict=True):
            each = [cells(measure, of == "diversity", options.seed, d) for d in options.dimensions]
            table[f"{of}: {name}"] = {cell: all(one[cell] for one in each) for cell in each[0]}
            failed = [cell for cell, passed in table[f"{of}: {name}"].items() if not passed]
            print(f"{of}: {name}: {30 - len(failed)} of 30; fails {', '.join(failed)}", flush=True)
    found = pd.DataFrame(table)
    found = pd.concat([found.astype(int), found.sum().to_frame("passed").T]).rename_axis("cell")
    found.to_csv(options.out / "sanity_checks.csv")
    level = levels(options.seed)
    print(level.to_string(index=False))
    level.to_csv(options.out / "points_level.csv", index=False)


if __name__ == "__main__":
    main()
