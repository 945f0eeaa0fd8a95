"""Neighbour metrics by their definitions, one pair at a time; nothing of the package is used."""

import itertools
import math
import statistics
from fractions import Fraction


def naive(real, synthetic, k, distance, apart=math.inf):
    """All six of k neighbours; never neighbours at a distance of `apart` or more."""
    n, m = len(real), len(synthetic)
    radii = [radius(real, i, k, distance) for i in range(n)]
    synthetic_radii = [radius(synthetic, j, k, distance) for j in range(m)]
    median = statistics.median(radii)
    clipped = [min(r, median) for r in radii]
    between = [[distance(a, b) for b in synthetic] for a in real]
    among = [[distance(a, b) for b in real] for a in real]

    def inside(d, r):
        return d <= r and d < apart

    precise = covered = recalled = hits = 0
    for j in range(m):
        precise += any(inside(between[i][j], radii[i]) for i in range(n))
    clipped_covered = Fraction(0)
    for i in range(n):
        in_ball = sum(inside(between[i][j], radii[i]) for j in range(m))
        hits += in_ball
        covered += in_ball > 0
        clipped_covered += Fraction(min(in_ball, k), k)
        recalled += any(inside(between[i][j], synthetic_radii[j]) for j in range(m))

    crowd = real_crowd = Fraction(0)
    for j in range(m):
        balls = sum(inside(between[i][j], clipped[i]) for i in range(n))
        crowd += Fraction(min(balls, k), k) / m
    for j in range(n):
        balls = sum(inside(among[i][j], clipped[i]) for i in range(n) if i != j)
        real_crowd += Fraction(min(balls, k), k) / n
    return {
        "precision": precise / m,
        "recall": recalled / n,
        "density": hits / (k * m),
        "coverage": covered / n,
        "clipped_density": float(min(crowd / real_crowd, 1)) if real_crowd else math.nan,
        "clipped_coverage": good_share(clipped_covered / n, n, m, k),
    }


def radius(points, place, k, distance):
    """Distance to the k-th nearest of the other points."""
    others = [distance(points[place], p) for i, p in enumerate(points) if i != place]
    return sorted(others)[k - 1]


def good_share(covered, n_real, n_synthetic, k):
    """Share of good points whose expected clipped coverage is `covered`; linear in between."""
    before, expected = Fraction(0), Fraction(0)
    for n_good in range(1, n_synthetic + 1):
        before, expected = expected, expected_coverage(n_real, n_good, k)
        if covered <= expected:
            between = (covered - before) / (expected - before)
            return float((n_good - 1 + between) / n_synthetic)
    return 1.0


def expected_coverage(n_real, n_good, k):
    """Mean of min(count / k, 1), where the count of good points in a ball is beta-binomial.

    The ball around the k-th of n_real - 1 others holds a share that is Beta(k, n_real - k), so that
    P(count = c) = C(c + k - 1, c) C(n_good - c + n_real - k - 1, n_good - c)
    / C(n_good + n_real - 1, n_good): exact, as a fraction.
    """
    mean = Fraction(0)
    for count in range(n_good + 1):
        ways = math.comb(count + k - 1, count)
        ways *= math.comb(n_good - count + n_real - k - 1, n_good - count)
        probability = Fraction(ways, math.comb(n_good + n_real - 1, n_good))
        mean += probability * Fraction(min(count, k), k)
    return mean


def euclidean(a, b):
    """Distance of two vectors."""
    return math.sqrt(sum((float(x) - float(y)) ** 2 for x, y in zip(a, b, strict=True)))


def jaccard(a, b):
    """Distance of two sets; 1 between two empty ones."""
    return 1.0 - len(a & b) / len(a | b) if a | b else 1.0


def as_sets(matrix):
    """Give the items of each row of a sparse matrix as a Python set."""
    ends = matrix.indptr.tolist()
    return [set(matrix.indices[first:last].tolist()) for first, last in itertools.pairwise(ends)]
