"""Neighbour metrics by their definitions, one pair at a time."""

import numpy as np

from cornac_mle.neighbours.balls import expected_clipped_coverage


def naive(real, synthetic, k, distance, apart=np.inf):
    """All six of k neighbours; never neighbours at a distance of `apart` or more."""

    def radius(points, place):
        others = [distance(points[place], p) for i, p in enumerate(points) if i != place]
        return sorted(others)[k - 1]

    def inside(d, r):
        return d <= r and d < apart

    radii = [radius(real, i) for i in range(len(real))]
    synthetic_radii = [radius(synthetic, j) for j in range(len(synthetic))]
    clipped = [min(r, np.median(radii)) for r in radii]
    between = [[distance(a, b) for b in synthetic] for a in real]
    n, m = len(real), len(synthetic)
    hits = [[inside(between[i][j], radii[i]) for j in range(m)] for i in range(n)]

    def crowd(points, own):
        total = 0.0
        for j, point in enumerate(points):
            count = sum(
                inside(distance(real[i], point), clipped[i])
                for i in range(n)
                if not (own and i == j)
            )
            total += min(count / k, 1)
        return total / len(points)

    covered = np.mean([min(sum(row) / k, 1) for row in hits])
    expected = expected_clipped_coverage(n, np.arange(m + 1), k)
    return {
        "precision": np.mean([any(hits[i][j] for i in range(n)) for j in range(m)]),
        "recall": np.mean(
            [any(inside(between[i][j], synthetic_radii[j]) for j in range(m)) for i in range(n)]
        ),
        "density": np.sum(hits) / (k * m),
        "coverage": np.mean([any(row) for row in hits]),
        "clipped_density": min(crowd(synthetic, False) / crowd(real, True), 1),
        "clipped_coverage": np.interp(covered, expected, np.arange(m + 1) / m),
    }


def euclidean(a, b):
    return float(np.sqrt(np.sum((a - b) ** 2)))


def jaccard(a, b):
    return 1.0 - len(a & b) / len(a | b) if a | b else 1.0


def as_sets(matrix):
    return [set(matrix[[row]].indices.tolist()) for row in range(matrix.shape[0])]
