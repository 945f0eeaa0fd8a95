"""Golden sizes, item sets and latent densities: sums over orders, and 50 digits."""

import itertools
import math
from fractions import Fraction

import mpmath as mp
import numpy as np
from golden_statistics import bisected

mp.mp.dps = 50
INFINITY = math.inf


def plackett_luce():
    """Sums over all orders of a set, and for 13 items by the same sum over subsets."""
    weights = ["5", "3", "1", "0.5", "0.001", "1e-9"]
    exact = [Fraction(w) for w in weights]
    sets = [list(s) for size in (1, 2, 3, 5) for s in itertools.combinations(range(6), size)]
    values = []
    for items in sets:
        total = Fraction(0)
        for order in itertools.permutations(items):
            left, probability = sum(exact), Fraction(1)
            for item in order:
                probability *= exact[item] / left
                left -= exact[item]
            total += probability
        values.append(log_of(total))
    random = np.random.default_rng(1)
    many = np.exp(random.normal(size=16)).round(6).tolist()
    large = sorted(random.permutation(16)[:13].tolist())
    return {
        "weights": [float(w) for w in exact],
        "sets": sets,
        "log_probabilities": values,
        "many_weights": many,
        "large_set": large,
        "large_log_probability": log_of(by_subsets([Fraction(str(w)) for w in many], large)),
    }


def by_subsets(weights, items):
    """P(set) by the last item drawn of each subset: 2^n sums instead of n!."""
    total = sum(weights)
    probability, drawn = {0: Fraction(1)}, {0: Fraction(0)}
    for code in range(1, 2 ** len(items)):
        own = [place for place in range(len(items)) if code >> place & 1]
        drawn[code] = drawn[code - (1 << own[0])] + weights[items[own[0]]]
        probability[code] = sum(
            probability[code - (1 << p)] * weights[items[p]] / (total - drawn[code - (1 << p)])
            for p in own
        )
    return probability[2 ** len(items) - 1]


def log_of(fraction):
    return float(mp.log(mp.mpf(fraction.numerator)) - mp.log(mp.mpf(fraction.denominator)))


def sizes():
    """A wide and a narrow normal kernel over log sizes around each user's, cell by cell."""
    cases = []
    for seen, n_items in (([2, 2, 3], 4), ([1, 4, 4, 9, 30], 40), ([5, 5], 12)):
        logs = [mp.log(s) for s in seen]
        n = len(seen)
        mean = mp.fsum(logs) / n
        deviation = mp.sqrt(mp.fsum((x - mean) ** 2 for x in logs) / n)
        bandwidth = max(mp.mpf("0.9") * deviation * mp.mpf(n) ** mp.mpf("-0.2"), mp.mpf("0.001"))
        mass = []
        for size in range(1, n_items + 1):
            low = mp.log(size - mp.mpf(1) / 2) if size > 1 else -mp.inf
            high = mp.log(size + mp.mpf(1) / 2) if size < n_items else mp.inf
            cell = mp.mpf(0)
            for x in logs:
                for spread, weight in ((bandwidth, n), (mp.mpf(1), 1)):
                    centre = x - spread**2 / 2  # so that the mean of exp is the size
                    cell += weight * normal_cell((low - centre) / spread, (high - centre) / spread)
            mass.append(cell)
        total = mp.fsum(mass)
        probabilities = [float(m / total) for m in mass]
        cases.append({"sizes": seen, "n_items": n_items, "probabilities": probabilities})
    return cases


def normal_cell(low, high):
    """P(low < x < high) of a standard normal x, with all digits in both tails."""
    if low > 0:
        low, high = -high, -low
    return mp.ncdf(high) - mp.ncdf(low)


def normal_cells():
    """Log-probability of cells, and mean and 1 - variance of a normal cut to them."""
    cells = [
        (-1.0, 1.0),
        (0.2, 0.3),
        (3.0, 3.5),
        (-12.0, -11.5),
        (30.0, 31.0),
        (-INFINITY, -20.0),
        (5.0, INFINITY),
        (-INFINITY, INFINITY),
        (-INFINITY, 0.7),
        (-0.4, INFINITY),
    ]
    rows = []
    with mp.workdps(400):
        for low, high in cells:
            a, b = mp.mpf(low), mp.mpf(high)
            mass = normal_cell(a, b)
            at_a, at_b = (mp.mpf(0) if mp.isinf(e) else mp.npdf(e) for e in (a, b))
            mean = (at_a - at_b) / mass
            ends = mp.mpf(0)
            ends += 0 if mp.isinf(a) else a * at_a / mass
            ends -= 0 if mp.isinf(b) else b * at_b / mass
            variance = 1 + ends - mean**2
            rows.append([float(mp.log(mass)), float(mean), float(1 - variance)])
    return {"cells": cells, "log_probability_mean_curvature": rows}


def mixture():
    """Density of point and size: the score of the size is cut where sizes have their shares."""
    weights = [0.3, 0.7]
    means = [[0.5, -1.0, 0.2], [-1.0, 0.4, -0.6]]
    covariances = [
        [[1.0, 0.2, 0.3], [0.2, 0.8, -0.1], [0.3, -0.1, 0.9]],
        [[0.5, -0.1, 0.05], [-0.1, 1.2, 0.4], [0.05, 0.4, 1.5]],
    ]
    distribution = [0.1, 0.25, 0.4, 0.2, 0.05]
    points = [[0.0, 0.0], [1.5, -2.0], [-3.0, 0.7], [0.1, 8.0]]
    exact = [[[mp.mpf(str(c)) for c in row] for row in matrix] for matrix in covariances]

    def share_below(score):
        return mp.fsum(
            mp.mpf(str(w)) * mp.ncdf((score - mp.mpf(str(m[-1]))) / mp.sqrt(c[-1][-1]))
            for w, m, c in zip(weights, means, exact, strict=True)
        )

    edges = [-mp.inf]
    for number in range(1, len(distribution)):
        below = mp.fsum(mp.mpf(str(p)) for p in distribution[:number])
        edges.append(bisected(lambda s, below=below: share_below(s) - below, -50, 50))
    edges.append(mp.inf)

    def densities(point):
        """Density of the point alone, and with each size."""
        alone, joint = mp.mpf(0), [mp.mpf(0)] * len(distribution)
        for w, m, c in zip(weights, means, exact, strict=True):
            inner = mp.matrix([row[:2] for row in c[:2]])
            away = mp.matrix([mp.mpf(str(point[i])) - mp.mpf(str(m[i])) for i in range(2)])
            solved = mp.lu_solve(inner, away)
            density = mp.mpf(str(w)) * mp.exp(-(away.T * solved)[0] / 2)
            density /= 2 * mp.pi * mp.sqrt(mp.det(inner))
            cross = mp.matrix(c[2][:2])
            centre = mp.mpf(str(m[2])) + (cross.T * solved)[0]
            spread = mp.sqrt(c[2][2] - (cross.T * mp.lu_solve(inner, cross))[0])
            alone += density
            for size in range(len(distribution)):
                ends = [(edges[size + e] - centre) / spread for e in (0, 1)]
                joint[size] += density * normal_cell(*ends)
        return alone, joint

    step = mp.mpf("1e-15")
    gradients = []
    for point in points[:2]:
        gradient = []
        for axis in range(2):
            ends = []
            for sign in (1, -1):
                moved = [mp.mpf(str(x)) for x in point]
                moved[axis] += sign * step
                ends.append(mp.log(densities(moved)[1][2]))
            gradient.append(float((ends[0] - ends[1]) / (2 * step)))
        gradients.append(gradient)
    return {
        "weights": weights,
        "means": means,
        "covariances": covariances,
        "distribution": distribution,
        "edges": [float(e) for e in edges[1:-1]],
        "points": points,
        "log_point_density": [float(mp.log(densities(p)[0])) for p in points],
        "log_density": [[float(mp.log(d)) for d in densities(p)[1]] for p in points],
        "gradient_at_size_3": gradients,
    }


def importance():
    log_ratios = [[-3.0, -800.0], [-1.0, -801.5], [-7.5, -INFINITY], [-1.2, -799.0]]
    nats, effective = [], []
    for column in zip(*log_ratios, strict=True):
        ratios = [mp.exp(mp.mpf(r)) if r > -INFINITY else mp.mpf(0) for r in column]
        total = mp.fsum(ratios)
        nats.append(float(mp.log(total / len(ratios))))
        effective.append(float(total**2 / mp.fsum(r**2 for r in ratios)))
    return {"log_ratios": log_ratios, "nats": nats, "effective_sample_size": effective}
