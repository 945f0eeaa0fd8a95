from functools import partial

import numpy as np
import prdc as peer
import pytest
import scipy.sparse as sp
from scipy.spatial.distance import cdist

from cornac_mle.metrics.point_fidelity import conformal_fidelity
from cornac_mle.metrics.point_sets import prdc
from cornac_mle.neighbours import balls as neighbour_balls
from cornac_mle.neighbours import similarity as kernels
from cornac_mle.neighbours.balls import (
    clipped_coverage,
    clipped_density,
    expected_clipped_coverage,
    kth_bound,
    kth_closeness,
)
from cornac_mle.neighbours.similarity import EuclideanCloseness
from cornac_mle.null_models.corruption import popularity_draws
from naive_neighbours import as_sets, euclidean, jaccard, naive
from worlds import taste_world

FIRST_FOUR = ("precision", "recall", "density", "coverage")


def values(found):
    return vars(found)


@pytest.mark.parametrize("k", [3, 5, 10])
@pytest.mark.parametrize(
    ("n_real", "n_synthetic", "d"), [(60, 60, 3), (500, 450, 64), (900, 1000, 8)]
)
def test_equal_to_prdc_without_ties(k, n_real, n_synthetic, d, capsys):
    random = np.random.default_rng(k)
    real = random.normal(size=(n_real, d))
    synthetic = 0.2 + 0.9 * random.normal(size=(n_synthetic, d))
    theirs = peer.compute_prdc(real, synthetic, k)
    ours = values(prdc(real, synthetic, k))
    for name in FIRST_FOUR:
        assert ours[name] == pytest.approx(theirs[name], abs=1e-9)
    assert 0.02 < ours["recall"] < 1  # nothing is trivially met


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("levels", [3, 10_000])
def test_vectors_are_as_the_naive_ones(k, levels):
    """Integer grids: with 3 levels nearly every distance is tied, and rows are repeated."""
    random = np.random.default_rng(k)
    real = random.integers(levels, size=(40, 3)).astype(float)
    synthetic = random.integers(levels, size=(35, 3)).astype(float)
    expected = naive(real, synthetic, k, euclidean)
    assert values(prdc(real, synthetic, k)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("mean_size", [3, 12])
def test_sets_are_as_the_naive_ones(k, mean_size):
    real = taste_world(40, mean_size=mean_size, seed=1)
    drawn = popularity_draws(real.item_counts, real.sizes[:35], rng=1).tolil()
    drawn[0] = 0  # an empty user
    synthetic = sp.csr_array(drawn)
    synthetic.eliminate_zeros()
    expected = naive(as_sets(real.matrix), as_sets(synthetic), k, jaccard, apart=1.0)
    assert values(prdc(real.matrix, synthetic, k)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", [30, 700])
def test_blocks_do_not_change_the_answer(n, monkeypatch):
    random = np.random.default_rng(1)
    real, synthetic = random.integers(9, size=(2, n, 3))
    whole = prdc(real, synthetic, 3)
    monkeypatch.setattr(kernels, "BLOCK_BYTES", 4 * n * 7)
    assert prdc(real, synthetic, 3) == whole
    monkeypatch.setattr(neighbour_balls, "MAX_PAIRS", 20)  # forget the pairs, and go twice
    assert prdc(real, synthetic, 3) == whole


@pytest.mark.parametrize("outlier", [1.0, 1e6])
def test_an_outlier_or_an_offset_spoils_no_decision(outlier):
    """float32 alone would see one point here: everything lies within 1e-3 of (1000, ...)."""
    random = np.random.default_rng(1)
    real = 1000 + 1e-3 * random.normal(size=(200, 4))
    synthetic = 1000 + 1e-3 * random.normal(size=(200, 4))
    synthetic[0] *= outlier
    distances = cdist(real, real)
    radii = np.sort(distances, axis=1)[:, 3]
    inside = cdist(real, synthetic) <= radii[:, np.newaxis]
    found = prdc(real, synthetic, 3)
    assert found.precision == pytest.approx(inside.any(axis=0).mean(), abs=1e-12)
    assert found.density == pytest.approx(inside.sum() / 600, abs=1e-12)
    assert found.coverage == pytest.approx(inside.any(axis=1).mean(), abs=1e-12)


def test_equal_discrete_sets_are_at_their_ceiling_where_prdc_gives_0(capsys):
    """Every point six times: the ball of 5 neighbours has radius 0, and `<` leaves it empty."""
    vectors = np.repeat(np.random.default_rng(1).integers(9, size=(20, 4)), 6, axis=0)
    theirs = peer.compute_prdc(vectors, vectors, 5)
    assert [theirs[name] for name in FIRST_FOUR] == [0] * 4
    sets = sp.csr_array(np.repeat(taste_world(20).matrix.toarray(), 6, axis=0))
    for points in (vectors, sets):
        found = values(prdc(points, points, 5))
        assert found.pop("density") == pytest.approx(6 / 5)  # each in the balls of its 6 copies
        assert set(found.values()) == {1.0}


def test_sets_that_share_nothing_are_never_neighbours():
    # Every real point's neighbours are at distance 1, and so is every synthetic point.
    real = sp.csr_array(np.eye(4, 8))
    strange = sp.csr_array(np.eye(4, 8, 4))
    found = prdc(real, strange, 1)
    assert (found.precision, found.recall, found.density, found.coverage) == (0, 0, 0, 0)
    assert np.isnan(found.clipped_density)
    assert prdc(real, real, 1).coverage == 1.0


def test_an_entry_stored_twice_is_one_item():
    plain = taste_world(20).matrix
    doubled = sp.coo_array(
        (np.ones(2 * plain.nnz), (np.tile(plain.tocoo().row, 2), np.tile(plain.tocoo().col, 2))),
        shape=plain.shape,
    )
    indices = np.repeat(plain.indices, 2)
    raw = sp.csr_array((np.ones(2 * plain.nnz), indices, 2 * plain.indptr), shape=plain.shape)
    expected = prdc(plain, plain, 2)
    assert prdc(doubled, plain, 2) == prdc(raw, plain, 2) == expected
    assert raw.nnz == 2 * plain.nnz  # the argument is left as it was


def test_missing_modes_cost_recall_and_coverage_only():
    random = np.random.default_rng(1)
    modes = np.repeat([0.0, 50.0], 100)[:, np.newaxis]
    real = modes + random.normal(size=(200, 2))
    one_mode = random.normal(size=(200, 2))
    found = prdc(real, one_mode, 5)
    assert found.precision > 0.85
    assert found.clipped_density > 0.85
    assert found.recall <= 0.5
    assert found.coverage <= 0.5
    assert 0.3 < found.clipped_coverage <= 0.5


def test_one_typical_point_repeated():
    random = np.random.default_rng(1)
    real = random.normal(size=(200, 2))
    lone = np.zeros((200, 2))
    found = prdc(real, lone, 5)
    assert found.precision == 1
    assert found.density >= 1
    assert found.recall == 0  # its balls have radius 0
    assert found.coverage < 0.15
    assert found.clipped_coverage < 0.15


def test_outliers_among_real_points_do_not_let_noise_pass_when_clipped():
    random = np.random.default_rng(1)
    real = random.normal(size=(300, 2))
    real[:10] *= 300
    noise = random.uniform(-300, 300, size=(300, 2))
    found = prdc(real, noise, 5)
    assert found.precision > 0.5
    assert found.clipped_density < 0.02


# ------------------------------------------------------------------------------------ the formulas


def test_expected_clipped_coverage_by_hand():
    # k = 2, 4 real users, 2 good ones: the ball's share B ~ Beta(2, 2), density 6 b (1 - b).
    # P(0) = E (1 - B)^2 = 6 (1/2 - 3/3 + 3/4 - 1/5) = .3, P(1) = 2 E B(1 - B) = 2 * 6 / 30 = .4
    # E min(c / 2, 1) = 1 - .3 - .4 / 2 = .5
    assert expected_clipped_coverage(4, [0, 2], 2) == pytest.approx([0.0, 0.5])
    assert clipped_coverage(np.array([2, 2, 0, 0]), 2, 2) == 1.0  # mean .5, that of 2 good of 2
    assert clipped_coverage(np.array([2, 0, 0, 0]), 2, 2) < 1


def test_clipped_density_by_hand():
    # Synthetic: min(1/2, 1), min(4/2, 1), 0 -> .5; real: 1/2, 2/2 -> .75.
    assert clipped_density(np.array([1, 4, 0]), np.array([1, 2]), 2) == pytest.approx(0.5 / 0.75)
    assert clipped_density(np.array([9, 9]), np.array([1, 2]), 2) == 1.0


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 1.0])
def test_clipped_metrics_are_the_share_of_good_points(share, k):
    """A share of good points, the others far away: 40 draws of 300 and 300.

    The mean is within 6 standard errors plus .003 (the size of the share's steps). With 39 degrees
    of freedom 6 standard errors are passed by chance with a probability below 1e-6.
    """
    random = np.random.default_rng(1)
    found = []
    for _ in range(40):
        real, synthetic = random.normal(size=(300, 3)), random.normal(size=(300, 3))
        synthetic[round(share * 300) :] += 1e3
        result = prdc(real, synthetic, k)
        found.append((result.clipped_density, result.clipped_coverage))
    distance = np.abs(np.mean(found, axis=0) - share)
    if share < 1:
        assert np.all(distance <= 6 * np.std(found, axis=0, ddof=1) / np.sqrt(40) + 0.003)
        assert np.all(distance <= 0.05)
    else:  # cut off at 1, which costs about half the spread
        assert np.all(distance <= 0.1)


def test_the_bound_of_the_kth_is_below_it_and_near():
    rows = np.random.default_rng(1).normal(size=(5, 3_001)).astype(np.float32)
    for k in (1, 7):
        kth = np.sort(rows, axis=1)[:, -k]
        bound = kth_bound(rows, k)
        assert np.all(bound <= kth)
        assert np.all((rows >= bound[:, np.newaxis]).sum(axis=1) < 3 * k)


def test_long_vectors_do_not_hide_who_is_nearer():
    """The bound of the far point is wider, and lies above the bounds of the 100 nearer ones."""
    columns = np.zeros((101, 1))
    columns[0] = 0.8 + 1e-7  # at .4 + 1e-7 from .4
    closeness = EuclideanCloseness(np.array([[0.4]]), columns)
    upper = closeness.upper(slice(0, 1))
    assert upper[0, 0] - closeness.slack(slice(0, 1))[0] > upper[0, 1]
    assert kth_closeness(closeness, 1)[0] == -(0.4**2)


# ------------------------------------------------------------------------------------------- checks


@pytest.mark.parametrize("measure", [prdc, lambda a, b: conformal_fidelity(a, b, rng=1)])
def test_what_cannot_be_compared_is_refused(measure):
    points = np.random.default_rng(1).normal(size=(20, 3))
    broken = points.copy()
    broken[3, 1] = np.nan
    with pytest.raises(TypeError, match="`real` and `synthetic` must both be sparse"):
        measure(sp.csr_array(points), points)
    with pytest.raises(ValueError, match="`synthetic` must be finite; got NaN or infinity"):
        measure(points, broken)
    with pytest.raises(ValueError, match=r"`real` must have two dimensions, .* got shape \(20,\)"):
        measure(points[:, 0], points)
    with pytest.raises(ValueError, match="must have the same columns; got 3 and 2"):
        measure(points, points[:, :2])


def test_too_few_points_are_refused():
    points = np.random.default_rng(1).normal(size=(20, 3))
    with pytest.raises(ValueError, match="`synthetic` must hold at least 6 points; got 5"):
        prdc(points, points[:5], 5)
    with pytest.raises(ValueError, match="`k` must be at least 1; got 0"):
        prdc(points, points, 0)
    with pytest.raises(ValueError, match="`real` must hold at least 18 points; got 17"):
        conformal_fidelity(points[:17], points, rng=1)
    with pytest.raises(ValueError, match="`synthetic` must hold at least 1 point; got 0"):
        conformal_fidelity(points, points[:0], rng=1)


def test_a_stored_zero_is_no_item():
    """Users who hold nothing in common: with stored zeros, all would hold all items."""
    random = np.random.default_rng(0)
    one, two = ((random.random((40, 30)) < 0.4).astype(float) for _ in range(2))
    one[:, 15:] = two[:, :15] = 0
    stored = [sp.coo_array(np.ones_like(array)) for array in (one, two)]
    for sparse, array in zip(stored, (one, two), strict=True):
        sparse.data = array.ravel()
        assert sparse.nnz == 1200
    plain = prdc(sp.csr_array(one), sp.csr_array(two), k=3)
    assert prdc(*stored, k=3) == plain
    assert plain.precision == plain.recall == 0
    sets = [sp.csr_array(array) for array in (one, two)]
    assert conformal_fidelity(*stored, rng=1) == conformal_fidelity(*sets, rng=1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("measure", [prdc, partial(conformal_fidelity, rng=1)])
def test_what_is_no_item_is_refused(measure, value):
    real = sp.csr_array(np.eye(20))
    other = real.copy()
    other.data[3] = value
    rule = "hold items, entries above 0; got -1" if value == -1 else "be finite; got NaN or infin"
    with pytest.raises(ValueError, match=f"`synthetic` must {rule}"):
        measure(real, other)


def test_masked_points_are_refused():
    points = np.arange(20.0)[:, np.newaxis]
    with pytest.raises(ValueError, match="`real` must be finite; got masked entries"):
        prdc(np.ma.masked_less(points, 3), points)


def test_an_integer_of_numpy_is_an_integer():
    """It reached a message that multiplies text by a comparison, and fails for numpy's."""
    with pytest.raises(ValueError, match="`real` must hold at least 4 points; got 0"):
        prdc(np.zeros((0, 1)), np.zeros((0, 1)), k=np.int64(3))
