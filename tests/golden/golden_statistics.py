"""Golden p-values, bounds and tails: by fractions and 50 digits."""

import itertools
import math
from fractions import Fraction

import mpmath as mp
import numpy as np

mp.mp.dps = 50
INFINITY = math.inf


# ------------------------------------------------------------------------------- p-values by ranks


def conformal():
    random = np.random.default_rng(1)
    calibration = [*random.integers(0, 12, 23).tolist(), -INFINITY]
    scores = [*random.integers(-1, 14, 15).tolist(), 3.5, -INFINITY]
    return {
        "scores": scores,
        "calibration": calibration,
        "p_values": [rank_p_value(score, calibration) for score in scores],
    }


def rank_p_value(score, calibration):
    return (1 + sum(other <= score for other in calibration)) / (1 + len(calibration))


def conditional():
    random = np.random.default_rng(2)
    cells, calibration_cells = (random.integers(0, 4, n).tolist() for n in (14, 30))
    cells[0] = 9  # of which there is no calibration user
    scores, calibration = (random.integers(0, 20, n).tolist() for n in (14, 30))
    p_values = []
    for score, cell in zip(scores, cells, strict=True):
        own = [c for c, of in zip(calibration, calibration_cells, strict=True) if of == cell]
        p_values.append(rank_p_value(score, own) if own else 1.0)
    return {
        "scores": scores,
        "cells": cells,
        "calibration": calibration,
        "calibration_cells": calibration_cells,
        "p_values": p_values,
    }


def preferences():
    """Each user of a cell weighs the same; the judged user's own share joins them."""
    random = np.random.default_rng(3)
    judged, calibration = (
        {
            "user": np.sort(random.integers(0, n_users, n)).tolist(),
            "cell": random.integers(0, 3, n).tolist(),
            "score": random.integers(0, 9, n).tolist(),
        }
        for n_users, n in ((3, 20), (7, 45))
    )
    for number, cell in enumerate(judged["cell"]):
        judged["cell"][number] = 5 if number == 4 else cell  # alone in its cell

    def share(group, user, cell, score):
        own = [
            s
            for u, c, s in zip(group["user"], group["cell"], group["score"], strict=True)
            if (u, c) == (user, cell)
        ]
        return Fraction(sum(s <= score for s in own), len(own)) if own else None

    p_values = []
    for user, cell, score in zip(judged["user"], judged["cell"], judged["score"], strict=True):
        others = [share(calibration, u, cell, score) for u in set(calibration["user"])]
        shares = [one for one in others if one is not None]
        total = sum(shares, share(judged, user, cell, score))
        p_values.append(float(total / (1 + len(shares))))
    return {"judged": judged, "calibration": calibration, "p_values": p_values}


# ----------------------------------------------------------------------- binomial limits and bounds


def binomial_tail(least, n, share):
    """P(N >= least) of a binomial count N."""
    share = mp.mpf(share)
    return mp.fsum(
        mp.binomial(n, c) * share**c * (1 - share) ** (n - c) for c in range(max(least, 0), n + 1)
    )


def bisected(rises_to, low=0, high=1):
    """Where an increasing function of [0, 1] passes 0."""
    low, high = mp.mpf(low), mp.mpf(high)
    for _ in range(90):
        middle = (low + high) / 2
        low, high = (middle, high) if rises_to(middle) < 0 else (low, middle)
    return low


def flagged():
    """Tail of a sum of beta-binomial counts, as fractions."""
    cases = []
    for number, counts, alpha in (
        (3, [(10, 19)], 0.1),
        (5, [(8, 12), (6, 30), (4, 3)], 0.25),
        (0, [(5, 9)], 0.5),
        (7, [(7, 39)], 0.2),
    ):
        distribution = [Fraction(1)]
        for n, n_real in counts:
            rank = math.floor(Fraction(str(alpha)) * (n_real + 1))
            if rank == 0:
                continue
            # Ranks of n new users among n_real: c of them below the rank-th, all orders alike.
            cell = [
                Fraction(
                    math.comb(c + rank - 1, c) * math.comb(n - c + n_real - rank, n - c),
                    math.comb(n + n_real, n),
                )
                for c in range(n + 1)
            ]
            joined = [Fraction(0)] * (len(distribution) + n)
            for (i, a), (j, b) in itertools.product(enumerate(distribution), enumerate(cell)):
                joined[i + j] += a * b
            distribution = joined
        p_value = float(sum(distribution[number:]))
        cases.append({"flagged": number, "counts": counts, "alpha": alpha, "p_value": p_value})
    return cases


# ---------------------------------------------------------------------------- intervals, many tests


def student_quantile(share, degrees):
    """The t below which a Student variable lies with probability `share` > 1/2."""

    def distribution(t):
        x = degrees / (degrees + t * t)
        return 1 - mp.betainc(mp.mpf(degrees) / 2, mp.mpf(1) / 2, 0, x, regularized=True) / 2

    return bisected(lambda t: distribution(t) - mp.mpf(share), 0, 1000)


def intervals():
    values = [0.31, 0.36, 0.29, 0.4, 0.33, 0.27]
    n = len(values)
    mean = mp.fsum(mp.mpf(v) for v in values) / n
    spread = mp.sqrt(mp.fsum((mp.mpf(v) - mean) ** 2 for v in values) / (n - 1))
    t = student_quantile("0.975", n - 1)
    shrunk = (mp.mpf("0.05") * 60 + 2) / 64
    statistic = mean / spread
    degrees = mp.mpf(n - 1)
    tail = mp.betainc(degrees / 2, 0.5, 0, degrees / (degrees + statistic**2), regularized=True)
    shift = bisected(lambda x: mp.ncdf(x) - mp.mpf("0.975"), 0, 9)
    shift += bisected(lambda x: mp.ncdf(x) - mp.mpf("0.8"), 0, 9)
    return {
        "values": values,
        "split": [float(mean - t * spread), float(mean + t * spread)],
        "split_of_least_error_0.1": [float(mean - t * 0.1), float(mean + t * 0.1)],
        "mean": [float(mean - t * spread / mp.sqrt(n)), float(mean + t * spread / mp.sqrt(n))],
        "paired_p_value": float(tail),
        "share_error_of_0.05_of_60": float(mp.sqrt(shrunk * (1 - shrunk) / 64)),
        "power_shift": float(shift),
    }


def many_tests():
    p_values = [0.012, 0.0004, 0.03, 0.012, 0.4, 0.9, 0.0031]
    m = len(p_values)
    smallest_first = sorted(range(m), key=lambda i: p_values[i])
    holm, largest = [0.0] * m, 0.0
    for place, i in enumerate(smallest_first):
        largest = max(largest, (m - place) * p_values[i])
        holm[i] = min(1.0, largest)
    benjamini_hochberg = {}
    for n_tests in (m, 40):
        adjusted, least = [0.0] * m, 1.0
        for place in reversed(range(m)):
            i = smallest_first[place]
            least = min(least, p_values[i] * n_tests / (place + 1))
            adjusted[i] = least
        benjamini_hochberg[str(n_tests)] = adjusted
    return {"p_values": p_values, "holm": holm, "benjamini_hochberg": benjamini_hochberg}


def kolmogorov_smirnov():
    cases = []
    for first, second in (
        ([1, 2, 2, 5], [2, 3, 6]),
        ([-INFINITY, 0, 1], [1, 2, 3, 4]),
        ([1, 1, 1, 2], [1, 2, 2, 2]),
    ):
        pooled = first + second
        observed = distance(first, second)
        extreme, total = 0, 0
        for chosen in itertools.combinations(range(len(pooled)), len(first)):
            one = [pooled[i] for i in chosen]
            two = [pooled[i] for i in range(len(pooled)) if i not in chosen]
            extreme += distance(one, two) >= observed
            total += 1
        cases.append(
            {
                "first": first,
                "second": second,
                "distance": float(observed),
                "p_value": extreme / total,
            }
        )
    return cases


def distance(first, second):
    """Kolmogorov-Smirnov distance, a fraction."""
    return max(
        abs(
            Fraction(sum(x <= t for x in first), len(first))
            - Fraction(sum(x <= t for x in second), len(second))
        )
        for t in first + second
    )


def poisson_binomial():
    """Convolution at 50 digits, where nothing cancels: far tails have all of theirs."""
    cases = []
    for seed, (events, shape) in enumerate(
        [([1] * 12, (0.3, 2)), ([3, 10, 1, 25], (1, 3)), ([60, 40], (0.5, 8)), ([2, 5, 4], (2, 1))]
    ):
        probabilities = np.random.default_rng(seed).beta(*shape, size=len(events)).tolist()
        if seed == 1:
            probabilities[2] = 1.0  # a sure event
        cases.append((probabilities, events))
    # Events of two kinds, far from one binomial distribution, with tails down to 1e-179.
    cases += [([0.9999, 0.5, 0.01, 1e-6], [40, 60, 100, 200]), ([0.999, 0.3], [50, 150])]
    cases += [([1 - 1e-9, 1e-3], [30, 400]), ([0.09], [400]), ([0.9996, 0.125], [600, 50])]
    written = []
    for probabilities, events in cases:
        distribution = [mp.mpf(1)]
        most = sum(events) if sum(events) < 120 else math.ceil(np.dot(probabilities, events))
        for p, n in zip(map(mp.mpf, probabilities), events, strict=True):
            binomial = [mp.binomial(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)]
            last = min(len(distribution) + n - 1, most)
            distribution = [
                mp.fsum(
                    distribution[total - c] * binomial[c]
                    for c in range(min(total, n) + 1)
                    if total - c < len(distribution)
                )
                for total in range(last + 1)
            ]
        tails = [float(mp.fsum(distribution[: c + 1])) for c in range(len(distribution))]
        written.append({"probabilities": probabilities, "events": events, "cdf": tails})
    return written
