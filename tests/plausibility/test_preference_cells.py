"""Cells of preferences, p-values within them and peeling, against loops over users."""

import numpy as np
import pytest
import scipy.sparse as sp

from cornac_mle.plausibility.preference_p_values import (
    JudgedPreferences,
    PreferenceCells,
    peel,
    preference_p_values,
)
from cornac_mle.stats.conformal import merged_cells
from worlds import taste_world


def naive_groups(holders, least):
    """Number of the group of each bin; `holders` are the sets of users who are in each."""
    groups, inside, number = [], set(), 0
    for members in holders:
        groups.append(number)
        inside |= members
        if len(inside) >= least:
            number, inside = number + 1, set()
    return [min(group, max(number - 1, 0)) for group in groups]


def naive_cells(reference, n_calibration):
    """Function of (size, holders of the item) that gives the cell; fifths, cells of 19 users."""
    users = [set(np.flatnonzero(row)) for row in reference if row.any()]
    counts = reference.astype(bool).sum(axis=0)
    sizes = [len(items) for items in users]
    held = [counts[i] for items in users for i in items]
    size_edges, count_edges = (
        sorted({float(np.quantile(values, q)) for q in (0.2, 0.4, 0.6, 0.8)})
        for values in (sizes, held)
    )
    least = 19 * len(users) / n_calibration

    def bin_of(value, edges):
        return sum(value >= edge for edge in edges)

    by_size = [
        {u for u, size in enumerate(sizes) if bin_of(size, size_edges) == b}
        for b in range(len(size_edges) + 1)
    ]
    size_groups = naive_groups(by_size, least)
    first, tables = 0, {}
    for group in sorted(set(size_groups)):
        own = set().union(*(m for m, g in zip(by_size, size_groups, strict=True) if g == group))
        holders = [
            {u for u in own if any(bin_of(counts[i], count_edges) == b for i in users[u])}
            for b in range(len(count_edges) + 1)
        ]
        count_groups = naive_groups(holders, least)
        tables[group] = [first + g for g in count_groups]
        first += max(count_groups) + 1
    return lambda size, count: tables[size_groups[bin_of(size, size_edges)]][
        bin_of(count, count_edges)
    ]


@pytest.mark.parametrize("n_calibration", [60, 150, 700])
def test_cells_are_the_naive_ones(n_calibration):
    world = taste_world(360, mean_size=12, seed=2, size_spread=0.5).matrix
    reference = sp.csr_array(sp.vstack([world[:250], sp.csr_array((1, world.shape[1]))]))
    fitted = PreferenceCells.fit(reference, n_calibration)
    cell = naive_cells(reference.toarray(), n_calibration)
    fresh = world[250:]
    counts = reference.astype(bool).sum(axis=0)
    expected = [
        cell(fresh.indptr[u + 1] - fresh.indptr[u], counts[i])
        for u in range(fresh.shape[0])
        for i in fresh.indices[fresh.indptr[u] : fresh.indptr[u + 1]]
    ]
    np.testing.assert_array_equal(fitted.of(fresh), expected)
    assert len(set(expected)) > 3


@pytest.mark.parametrize("least", [0.5, 2, 3, 6.5, 100])
def test_merged_bins_are_the_naive_ones(least):
    members = np.random.default_rng(1).random((9, 7)) < 0.25
    holders = [set(np.flatnonzero(column)) for column in members.T]
    assert merged_cells(members, least).tolist() == naive_groups(holders, least)


def naive_peel(items, judge):
    """Rounds and scores by item: 5 rounds, a tenth of the items each, 2 items stay."""
    rounds, scores, left = {}, {}, sorted(items)
    for number in range(5):
        found = judge(left)
        scores.update(zip(left, found, strict=True))
        n_out = min(max(1, len(items) // 10), max(len(left) - 2, 0))
        for item in sorted(left, key=lambda i: scores[i])[:n_out]:
            rounds[item] = number
        left = [i for i in left if i not in rounds]
    scores.update(zip(left, judge(left), strict=True))
    rounds.update(dict.fromkeys(left, 5))
    return [rounds[i] for i in sorted(items)], [scores[i] for i in sorted(items)]


def test_peeling_is_the_naive_one():
    """An item's score depends on which items are left, and never ties."""
    weights = np.random.default_rng(1).normal(size=(40, 40))

    def judge_one(items):
        return [float(np.mean(weights[i, items])) for i in items]

    def judge(profiles):
        rows = np.split(profiles.indices, profiles.indptr[1:-1])
        return np.array([score for row in rows for score in judge_one(list(row))])

    random = np.random.default_rng(2)
    users = [sorted(random.permutation(40)[:n].tolist()) for n in (2, 3, 5, 9, 20, 21, 29, 40)]
    matrix = np.zeros((len(users), 40), np.float32)
    for row, items in enumerate(users):
        matrix[row, items] = 1
    rounds, scores = peel(sp.csr_array(matrix), judge)
    expected = [naive_peel(items, judge_one) for items in users]
    assert rounds.tolist() == [number for one, _ in expected for number in one]
    np.testing.assert_allclose(scores, [score for _, one in expected for score in one])


def test_a_sum_of_shares_is_at_most_1_and_nothing_has_no_p_value():
    nothing = JudgedPreferences(np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    assert preference_p_values(nothing, nothing).size == 0
    # 49 users of 49 items each: sums of 1/49 end above 1 by rounding.
    user = np.repeat(np.arange(49), 49)
    real = JudgedPreferences(user, np.zeros(user.size, int), np.tile(np.arange(49.0), 49))
    judged = JudgedPreferences(np.arange(2), np.zeros(2, int), np.array([100.0, -1.0]))
    found = preference_p_values(judged, real)
    assert found[0] == 1.0
    assert found[1] == pytest.approx(1 / 50)
