"""The judge of profiles by its definition, user by user, on dense arrays; EASE refitted each time.

Of the package only `swap` is used, which draws the planted items; the settings are written out.
"""

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression

from cornac_mle.null_models.corruption import swap

RIDGES = (30.0, 100.0, 300.0, 1000.0, 3000.0)
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)


def rounded(scores):
    """11 significant bits of magnitudes above 2^-20, those below being 0, and below 4,096."""
    fraction, exponent = np.frexp(np.minimum(np.abs(scores.astype(float)), 4095.999))
    magnitude = np.ldexp(np.floor(fraction * 2**11) / 2**11, exponent)
    return np.where(magnitude <= 2.0**-20, 0, np.sign(scores) * magnitude)


class NaiveJudge:
    """Fit on rows of zeros and ones (n_users, n_items) with a random seed."""

    def __init__(self, reference, seed):
        random = np.random.default_rng(seed)
        users = reference[reference.sum(axis=1) >= 2]
        users = users[random.permutation(len(users))]
        n = len(users)
        counts = users.sum(axis=0)
        weights = 0.9 * counts / counts.sum() + 0.1 / len(counts)
        sparse = sp.csr_array(users.astype(np.float32))
        altered = swap(sparse, 0.25, popularity=weights, rng=random).toarray() > 0
        planted = np.concatenate([~users[u, altered[u]].astype(bool) for u in range(n)])
        folds = np.array_split(np.arange(n), 10)
        fold_of = np.repeat(np.arange(10), [len(fold) for fold in folds])
        blind = [np.delete(users, fold, axis=0).sum(axis=0) * n / (n - len(fold)) for fold in folds]

        def evidence_of(profiles, ridge):
            parts = []
            for number, fold in enumerate(folds):
                b = ease(np.delete(users, fold, axis=0), ridge)
                parts += [evidence(profiles[user], b, blind[number], n) for user in fold]
            return parts

        judged = []
        for ridge in RIDGES:
            rows = np.concatenate(evidence_of(altered, ridge))
            judge = Regression(rows, planted)
            judged.append((judge.loss, ridge, judge))
        self.loss, self.ridge, self.judge = min(judged, key=lambda one: one[0])
        self.weights, self.counts, self.n = ease(users, self.ridge), counts, n

        raw = np.array(
            [self.judge.log_genuine(rows).mean() for rows in evidence_of(users, self.ridge)]
        )
        seen = np.array([circumstances(users[u], blind[fold_of[u]]) for u in range(n)])
        inverse = np.linalg.pinv(seen)
        self.location = inverse @ raw
        self.log_scale = inverse @ np.log(np.abs(raw - seen @ self.location) + 1e-3)
        self.low, self.high = (np.quantile(seen, q, axis=0) for q in (0.05, 0.95))
        self.reference_scores = np.array(
            [self.adjusted(r, s) for r, s in zip(raw, seen, strict=True)]
        )

    def adjusted(self, raw, seen):
        within = np.minimum(np.maximum(seen, self.low), self.high)
        return (raw - within @ self.location) / np.exp(within @ self.log_scale)

    def describe(self, profile):
        """Score, mean log P(genuine) and its quantiles, of one row of zeros and ones."""
        rows = evidence(profile, self.weights, self.counts, self.n)
        log_genuine = np.sort(self.judge.log_genuine(rows))
        last = len(log_genuine) - 1
        quantiles = [log_genuine[round(q * last)] for q in QUANTILES]
        raw = log_genuine.mean()
        return [self.adjusted(raw, circumstances(profile, self.counts)), raw, *quantiles]


class Regression:
    """Logistic regression on evidence, its squares and products; both classes weigh the same."""

    def __init__(self, rows, planted):
        self.first = rows.mean(axis=0), rows.std(axis=0)
        products = self.products(rows)
        self.second = products.mean(axis=0), products.std(axis=0)
        weight = np.where(planted, 0.5 / planted.mean(), 0.5 / (1 - planted.mean()))
        self.model = LogisticRegression(solver="newton-cholesky", tol=1e-8).fit(
            self.features(rows), planted, weight
        )
        log_odds = self.log_odds(rows)
        losses = np.where(planted, np.log1p(np.exp(-log_odds)), np.log1p(np.exp(log_odds)))
        self.loss = float(np.sum(weight * losses) / np.sum(weight))

    def products(self, rows):
        x = (rows - self.first[0]) / self.first[1]
        n = x.shape[1]
        return np.column_stack([x, *(x[:, i] * x[:, j] for i in range(n) for j in range(i, n))])

    def features(self, rows):
        return (self.products(rows) - self.second[0]) / self.second[1]

    def log_odds(self, rows):
        return self.features(rows) @ self.model.coef_[0] + self.model.intercept_[0]

    def log_genuine(self, rows):
        return -np.log1p(np.exp(self.log_odds(rows)))


def ease(users, ridge):
    """Weights of the ridge regressions of each item on the others."""
    inverse = np.linalg.inv(users.T @ users + ridge * np.eye(users.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def evidence(profile, weights, counts, n_users):
    """Four numbers on each held item, (n_held, 4)."""
    scores = profile.astype(float) @ weights
    levels = rounded(scores)
    held, others = np.flatnonzero(profile), np.flatnonzero(profile == 0)
    rows = []
    for item in held:
        below = np.sum(levels[others] < levels[item]) + np.sum(levels[others] == levels[item]) / 2
        share = (below + 0.5) / (len(others) + 1)
        lift = (n_users * max(scores[item], 0) + 1) / (counts[item] + 1)
        rows.append(
            [np.log(share / (1 - share)), np.log(lift), np.log(counts[item] + 1), np.log(len(held))]
        )
    return np.array(rows)


def circumstances(profile, counts):
    """1, log size, its square, mean log(count + 1), mean rank of the count, of one user."""
    held = np.flatnonzero(profile)
    ranks = [(np.sum(counts < c) + (np.sum(counts == c) + 1) / 2) / len(counts) for c in counts]
    size = np.log(len(held))
    return [1.0, size, size**2, np.mean(np.log(counts[held] + 1)), np.mean(np.array(ranks)[held])]
