"""Golden metrics of samples, predictors and margins: loops, refits and peers."""

import contextlib
import io
import itertools
import math

import mpmath as mp
import numpy as np
import prdc as peer
from scipy import optimize

mp.mp.dps = 50


# ------------------------------------------------------------------------------------- two margins


def margins():
    """Solve for x and y one at a time, each by root finding: no Hessian, no classes."""
    random = np.random.default_rng(6)
    matrix = (random.random((9, 7)) < np.linspace(0.2, 0.75, 7)).astype(int)
    matrix[0], matrix[:, 6] = 0, 1  # an empty user but for the item that all hold
    sizes, popularity = matrix[:, :6].sum(axis=1), matrix[:, :6].sum(axis=0)
    open_users = np.flatnonzero(sizes > 0)
    if np.any(sizes == 6) or np.any(popularity == len(open_users)) or np.any(popularity == 0):
        msg = "the example has a user or an item that the equations leave out"
        raise RuntimeError(msg)
    x, y = np.ones(len(open_users)), np.ones(6)

    def solved(wanted, others):
        def excess(log_own):
            odds = np.exp(log_own) * others
            return float(np.sum(odds / (1 + odds)) - wanted)

        return np.exp(optimize.brentq(excess, -60, 60, xtol=1e-15))

    for _ in range(500):
        x = np.array([solved(sizes[u], y) for u in open_users])
        y = np.array([solved(popularity[i], x) for i in range(6)])
    odds = np.outer(x, y)
    probabilities = np.zeros(matrix.shape)
    probabilities[:, 6] = 1
    probabilities[open_users, :6] = odds / (1 + odds)
    return {"matrix": matrix.tolist(), "probabilities": probabilities.tolist()}


# ------------------------------------------------------------------------------- metrics of samples


def random_sets(n_users, n_items, seed, share=0.35):
    """0/1 lists of users who hold at least two items."""
    likes = np.random.default_rng(seed).random((n_users, n_items)) < share
    likes[:, :2] |= (likes.sum(axis=1) < 2)[:, None]
    return likes.astype(int).tolist()


def likeness(first, second):
    """Jaccard similarity of two 0/1 lists; 1 of two empty ones."""
    one, two = ({i for i, held in enumerate(row) if held} for row in (first, second))
    return len(one & two) / len(one | two) if one | two else 1.0


def mmd():
    real, synthetic = random_sets(9, 8, 1), random_sets(7, 8, 2, share=0.6)
    real[3] = synthetic[4] = synthetic[5] = [0] * 8
    among = [
        np.mean([likeness(a, b) for a, b in itertools.permutations(group, 2)])
        for group in (real, synthetic)
    ]
    mixed = np.mean([likeness(a, b) for a, b in itertools.product(real, synthetic)])
    return {"real": real, "synthetic": synthetic, "value": among[0] + among[1] - 2 * mixed}


def neighbours():
    """The package prdc; no two distances are equal."""
    random = np.random.default_rng(5)
    real = random.normal(size=(30, 4)).round(6)
    synthetic = (0.4 + 0.8 * random.normal(size=(26, 4))).round(6)
    values = {}
    for k in (2, 5):
        with contextlib.redirect_stdout(io.StringIO()):
            found = peer.compute_prdc(real, synthetic, k)
        values[str(k)] = {name: float(value) for name, value in found.items()}
    return {"real": real.tolist(), "synthetic": synthetic.tolist(), "values": values}


def popularity():
    cases = []
    for first, second in (([3, 0, 5, 1], [1, 1, 0, 9]), ([1, 2], [2, 4]), ([1, 0], [0, 7])):
        p, q = ([mp.mpf(c) / sum(counts) for c in counts] for counts in (first, second))
        value = mp.mpf(0)
        for a, b in zip(p, q, strict=True):
            middle = (a + b) / 2
            value += a / 2 * mp.log(a / middle, 2) if a else 0
            value += b / 2 * mp.log(b / middle, 2) if b else 0
        cases.append({"first": first, "second": second, "value": float(value)})
    return cases


# --------------------------------------------------------------------------------------- predictors


def ease():
    """Ridge regression of each item on the others, without the users left out."""
    cases = []
    for n_users, n_items in ((14, 9), (8, 13)):
        reference = np.array(random_sets(n_users, n_items, n_users), dtype=float)
        profiles = np.array(random_sets(3, n_items, 1), dtype=float)
        out, ridge = [1, 4, 6], 3.5
        scores = {}
        for name, rows in (("all", reference), ("without", np.delete(reference, out, axis=0))):
            predicted = np.zeros(profiles.shape)
            for item in range(n_items):
                others = np.delete(np.arange(n_items), item)
                x, y = rows[:, others], rows[:, item]
                weights = np.linalg.solve(x.T @ x + ridge * np.eye(n_items - 1), x.T @ y)
                predicted[:, item] = profiles[:, others] @ weights
            scores[name] = predicted.tolist()
        cases.append(
            {
                "reference": reference.astype(int).tolist(),
                "profiles": profiles.astype(int).tolist(),
                "ridge": ridge,
                "left_out": out,
                "scores": scores,
            }
        )
    return cases


def item_knn():
    """Shrunken cosine of items, of the 3 nearest of each item; no ties at the third."""
    reference, shrinkage, k = random_sets(60, 8, 12), 10.0, 3
    profiles = random_sets(4, 8, 8)
    n = len(reference[0])
    held = [sum(row[i] for row in reference) for i in range(n)]
    scores = [[0.0] * n for _ in profiles]
    for j in range(n):
        similar = sorted(
            (
                sum(row[i] * row[j] for row in reference)
                / (math.sqrt(held[i] * held[j]) + shrinkage),
                i,
            )
            for i in range(n)
            if i != j
        )[::-1]
        if similar[k - 1][0] - similar[k][0] < 1e-9:
            msg = "the third and fourth neighbour tie"
            raise RuntimeError(msg)
        for user, row in enumerate(profiles):
            scores[user][j] = sum(s for s, i in similar[:k] if row[i])
    return {"reference": reference, "profiles": profiles, "neighbours": k, "scores": scores}


def evidence():
    """What the judge reads from scores: percentile, lift, popularity, size, item by item."""
    random = np.random.default_rng(9)
    profiles = random_sets(4, 9, 10)
    scores = random.normal(0.1, 0.3, size=(4, 9)).round(1).astype(np.float32)  # ties, and below 0
    counts = random.integers(0, 30, 9).tolist()
    n_users, rows = 40, []
    for user, row in enumerate(profiles):
        others = [float(scores[user, i]) for i in range(9) if not row[i]]
        for item in (i for i in range(9) if row[i]):
            own = float(scores[user, item])
            below = sum(s < own for s in others) + sum(s == own for s in others) / 2
            share = (below + 0.5) / (len(others) + 1)
            lift = (n_users * max(own, 0) + 1) / (counts[item] + 1)
            rows.append(
                [
                    math.log(share / (1 - share)),
                    math.log(lift),
                    math.log(counts[item] + 1),
                    math.log(sum(row)),
                ]
            )
    return {
        "profiles": profiles,
        "scores": scores.astype(float).tolist(),
        "counts": counts,
        "n_users": n_users,
        "evidence": rows,
    }
