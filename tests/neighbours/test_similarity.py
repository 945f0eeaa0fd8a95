import numpy as np
import pytest
import scipy.sparse as sp

from cornac_mle.neighbours import similarity as kernels
from cornac_mle.neighbours.similarity import (
    EuclideanCloseness,
    JaccardCloseness,
    jaccard_similarity,
    similarity_blocks,
)
from cornac_mle.sparse import pattern
from worlds import rated, taste_world


def test_jaccard_by_hand():
    # {a, b, c} and {b, c, d}: 2 shared of 4; {a, b, c} and {}: 0; {} and {}: 0.
    sets = sp.csr_array(np.array([[1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 0, 0]], dtype=np.float32))
    expected = [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 0]]
    assert jaccard_similarity(sets, sets).tolist() == expected


def test_values_do_not_count():
    world = taste_world(20)
    values = rated(world)
    assert np.array_equal(
        jaccard_similarity(values.matrix, world.matrix),
        jaccard_similarity(world.matrix, world.matrix),
    )
    assert set(pattern(values.matrix).data.tolist()) == {1.0}
    assert values.matrix.data.max() > 1  # the argument is left as it was


def test_blocks_do_not_change_the_answer(monkeypatch):
    world = taste_world(50)
    whole = jaccard_similarity(world.matrix, world.matrix)
    monkeypatch.setattr(kernels, "BLOCK_BYTES", 4 * 50 * 7)
    blocks = list(similarity_blocks(world.matrix, world.matrix))
    assert [rows.stop - rows.start for rows, _ in blocks] == [7] * 7 + [1]
    assert np.array_equal(np.vstack([block for _, block in blocks]), whole)


def test_jaccard_looks_its_pairs_up():
    world = taste_world(12)
    closeness = JaccardCloseness(world.matrix, world.matrix)
    rows = slice(4, 10)
    block = closeness.upper(rows)
    row, column = np.array([0, 5]), np.array([3, 9])
    similarity = jaccard_similarity(world.matrix, world.matrix)
    expected = [similarity[4, 3], similarity[9, 9]]
    assert closeness.exact(rows, block, row, column).tolist() == expected
    needed = np.array([expected[0], 1.5])
    assert closeness.reaches(rows, block, row, column, needed).tolist() == [True, False]
    assert closeness.slack(rows).tolist() == [0.0] * 6
    assert closeness.median(np.array([0.1, 0.2, 0.9])) == 0.2


@pytest.mark.parametrize("spread", [1.0, 1e-3, 1e-12])
@pytest.mark.parametrize("outlier", [False, True])
def test_euclidean_bounds_hold(spread, outlier):
    """float32 blocks bound minus the squared distance from above, and not by much."""
    random = np.random.default_rng(1)
    points = 0.5 + spread * random.uniform(-0.4, 0.4, size=(60, 7))
    if outlier:
        points[3] = -1.0
    exact = -((points[:40, np.newaxis] - points[20:]) ** 2).sum(axis=2)
    closeness = EuclideanCloseness(points[:40], points[20:])
    rows = slice(10, 30)
    upper = closeness.upper(rows)
    assert upper.dtype == np.float32
    assert np.all(upper >= exact[rows])
    assert np.all(upper - exact[rows] <= 2e-4 * max(spread**2, outlier) + 1e-20)
    row, column = (index.ravel() for index in np.indices(upper.shape))
    found = closeness.exact(rows, upper, row, column)
    assert found == pytest.approx(exact[rows].ravel(), rel=1e-12, abs=0)
    assert np.all(closeness.reaches(rows, upper, row, column, found))
    above = np.nextafter(found, np.inf)
    assert not closeness.reaches(rows, upper, row, column, above).any()


def test_identical_vectors_are_at_distance_zero(monkeypatch):
    monkeypatch.setattr(kernels, "PAIR_BYTES", 8 * 3 * 2)  # two pairs at a time
    points = np.random.default_rng(1).uniform(-1, 1, size=(5, 3))
    closeness = EuclideanCloseness(points, points)
    rows = slice(0, 5)
    found = closeness.exact(rows, closeness.upper(rows), np.arange(5), np.arange(5))
    assert found.tolist() == [0.0] * 5


def test_the_median_ball_is_that_of_the_median_distance():
    # Distances 1, 2, 4, 8: the median is 3, squared 9; the median of squares would be 10.
    points = np.zeros((2, 1))
    squares = -np.array([1.0, 4.0, 16.0, 64.0])
    assert EuclideanCloseness(points, points).median(squares) == pytest.approx(-9.0)


@pytest.mark.parametrize("share", [0.0, 0.005, 0.1, 2.0])
def test_head_and_tail_count_the_same(share, monkeypatch):
    """All items by a product, some, or none; a few pairs at a time, or all together."""
    world = taste_world(60, n_items=40, n_tastes=4, seed=3).matrix
    lonely = sp.csr_array(sp.vstack([world, sp.csr_array((2, 40), dtype=np.float32)]))
    held = lonely.toarray() > 0
    shared = held.astype(int) @ held[:30].T.astype(int)
    either = np.maximum((held[:, np.newaxis] | held[np.newaxis, :30]).sum(axis=2), 1)
    monkeypatch.setattr(kernels, "HEAD_PAIRS", share)
    for pairs, entries in ((7, 2**24), (2**17, 2**24), (2**17, 100)):
        monkeypatch.setattr(kernels, "COUNTED_PAIRS", pairs)
        monkeypatch.setattr(kernels, "HEAD_ENTRIES", entries)
        found = jaccard_similarity(lonely, sp.csr_array(lonely[:30]))
        assert np.array_equal(found, (shared / either).astype(np.float32))


def test_the_head_is_what_many_hold_on_both_sides():
    rows = sp.csr_array(np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]], dtype=np.float32))
    columns = sp.csr_array(np.array([[1, 0, 1], [1, 0, 1]], dtype=np.float32))
    # Pairs that share items 0, 1, 2: 3 x 2, 2 x 0 and 1 x 2 of 6.
    assert kernels._head(rows, columns).tolist() == [0, 2]
