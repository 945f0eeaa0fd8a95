import numpy as np
import pytest
from scipy.stats import kstest, spearmanr

from cornac_mle.models.sampled._user_densities import (
    BANDWIDTHS,
    DENSITIES,
    SmoothedBootstrap,
    choose_bandwidth,
    fit_density,
    sizes_near,
)
from cornac_mle.sampling.latent_densities import size_scores
from cornac_mle.sampling.sizes import size_distribution

N_ITEMS = 60


def two_clusters(n_users: int = 400, seed: int = 1):
    """Users near (-3, 10) have few items, those near (3, 10) many; the second axis is 100 wide."""
    random = np.random.default_rng(seed)
    of = np.arange(n_users) % 2
    points = random.normal([0, 10], [0.4, 100], (n_users, 2))
    points[:, 0] += 6 * of - 3
    return points, random.integers(3, 9, n_users) + 20 * of


@pytest.fixture(scope="module", params=DENSITIES)
def drawn(request):
    points, sizes = two_clusters()
    density = fit_density(request.param, points, sizes, N_ITEMS, np.random.default_rng(1))
    return request.param, density.draw(20_000, np.random.default_rng(2))


def test_points_have_the_mean_and_spread_of_the_fitted(drawn):
    kind, (points, _) = drawn
    fitted, _ = two_clusters()
    assert points.shape == (20_000, 2)
    assert points.mean(axis=0) == pytest.approx(fitted.mean(axis=0), abs=0.05 * 100)
    # A kernel widens by its bandwidth, at most 1.5 sd; it is far smaller here.
    wider = 1.25 if kind == "bootstrap" else 1.05
    assert (points.std(axis=0) < wider * fitted.std(axis=0)).all()
    assert (points.std(axis=0) > 0.95 * fitted.std(axis=0)).all()


def test_two_clusters_stay_two_but_in_one_gaussian(drawn):
    """Within 1.5 of 0 lies nobody; of one Gaussian of sd 3, 38%."""
    kind, (points, _) = drawn
    between = np.mean(np.abs(points[:, 0]) < 1.5)
    assert (0.3 < between < 0.45) if kind == "gaussian" else between < 0.1


def test_sizes_follow_the_distribution(drawn):
    """The largest difference of distribution functions; of 20,000 draws from the distribution
    itself it is above .02 once in 10 million, and the mixture's and the kernel's sizes are not
    quite the distribution.
    """
    _, (_, sizes) = drawn
    _, fitted = two_clusters()
    below = np.cumsum(size_distribution(fitted, N_ITEMS))
    shares = np.array([np.mean(sizes <= size) for size in range(1, N_ITEMS + 1)])
    assert np.abs(shares - below).max() < 0.04
    assert sizes.min() >= 1
    assert sizes.max() <= N_ITEMS
    assert sizes.mean() == pytest.approx(fitted.mean(), rel=0.05)


def test_sizes_go_with_points(drawn):
    _, (points, sizes) = drawn
    fitted, their_sizes = two_clusters()
    planted = spearmanr(fitted[:, 0], their_sizes).statistic
    assert planted > 0.7
    assert spearmanr(points[:, 0], sizes).statistic > 0.85 * planted
    assert abs(spearmanr(points[:, 1], sizes).statistic) < 0.15


def test_sizes_that_are_independent_stay_so():
    points, _ = two_clusters()
    sizes = np.random.default_rng(5).integers(3, 30, len(points))
    for kind in DENSITIES:
        density = fit_density(kind, points, sizes, N_ITEMS, np.random.default_rng(1))
        drawn, of_drawn = density.draw(4_000, np.random.default_rng(2))
        assert abs(spearmanr(drawn[:, 0], of_drawn).statistic) < 0.2


def test_same_rng_same_users(drawn):
    kind, (points, sizes) = drawn
    fitted = fit_density(kind, *two_clusters(), N_ITEMS, np.random.default_rng(1))
    again = fitted.draw(20_000, np.random.default_rng(2))
    assert np.array_equal(again[0], points)
    assert np.array_equal(again[1], sizes)


def test_the_mixture_has_as_many_components_as_help():
    points, sizes = two_clusters()
    mixture = fit_density("mixture", points, sizes, N_ITEMS, np.random.default_rng(1)).mixture
    assert 2 <= len(mixture.weights) <= 4
    one = np.random.default_rng(3).normal(size=(400, 2))
    alone = fit_density("mixture", one, np.full(400, 5), N_ITEMS, np.random.default_rng(1)).mixture
    assert len(alone.weights) <= 2
    assert (
        len(
            fit_density(
                "gaussian", points, sizes, N_ITEMS, np.random.default_rng(1)
            ).mixture.weights
        )
        == 1
    )


def test_more_users_and_tighter_clusters_take_a_narrower_kernel():
    random = np.random.default_rng(1)
    few, many = random.normal(size=(40, 2)), random.normal(size=(2_000, 2))
    narrow = random.normal(size=(400, 2)) * 0.05 + random.integers(0, 2, (400, 1)) * 2
    chosen = [choose_bandwidth(part, np.random.default_rng(1)) for part in (few, many, narrow)]
    assert all(np.isclose(BANDWIDTHS, bandwidth).any() for bandwidth in chosen)
    assert chosen[2] < chosen[1] < chosen[0]
    # Silverman's for 2,000 normal points of the plane: 2000^(-1/6) = .28.
    assert 0.15 < chosen[1] < 0.5
    assert choose_bandwidth(few[:9], np.random.default_rng(1)) == 1.0


def test_a_kernel_moves_points_by_its_bandwidth():
    """One user at (1, 2), scales 10 and 100, bandwidth .5: sd 5 and 50."""
    density = SmoothedBootstrap(
        np.array([[1.0, 2.0]]), np.zeros(1), 0.5, np.array([7.0, 0.0]), np.array([10.0, 100.0]),
        np.array([0.5, 0.5]),
    )  # fmt: skip
    points, _ = density.draw(10_000, np.random.default_rng(1))
    assert points.mean(axis=0) == pytest.approx([17, 200], rel=0.02)
    assert points.std(axis=0) == pytest.approx([5, 50], rel=0.04)
    assert kstest((points[:, 0] - 17) / 5, "norm").pvalue > 1e-6


def test_sizes_near_a_score():
    """Without noise a score below the 30% point of N(0, 1), -.52, is size 1, above .52 size 3."""
    distribution, rng = np.array([0.3, 0.4, 0.3]), np.random.default_rng(1)
    near = sizes_near(np.array([-2.0, -0.53, -0.51, 0.51, 0.53, 2.0]), 0.0, distribution, rng)
    assert near.tolist() == [1, 1, 2, 2, 3, 3]
    # Over all users' scores, whatever the noise, sizes follow the distribution: 30,000 users, 6
    # s.e. .017.
    scores = size_scores(rng.integers(1, 9, 30_000), rng)
    for bandwidth in (0.1, 2.0):
        drawn = sizes_near(scores, bandwidth, distribution, rng)
        assert np.bincount(drawn, minlength=4)[1:] / 30_000 == pytest.approx(
            distribution, abs=0.017
        )


@pytest.mark.parametrize("kind", DENSITIES)
@pytest.mark.parametrize(
    "points",
    [
        np.zeros((50, 0)),
        np.full((50, 3), 0.1),
        np.column_stack([np.arange(50.0), np.full(50, 1e-30)]),
        np.array([[0.0, 1.0], [2.0, 1.0]]),
    ],
    ids=["no coordinates", "all alike", "one without spread", "two users"],
)
def test_degenerate_points(kind, points):
    sizes = np.arange(len(points)) % 5 + 1
    density = fit_density(kind, points, sizes, 5, np.random.default_rng(1))
    drawn, of_drawn = density.draw(500, np.random.default_rng(2))
    assert drawn.shape == (500, points.shape[1])
    assert np.isfinite(drawn).all()
    assert set(of_drawn) <= {1, 2, 3, 4, 5}
    still = points.std(axis=0) < 1e-12
    if points.size:  # what does not vary stays nearly where it was
        assert np.abs(drawn[:, still] - points[0, still]).max(initial=0) < 8


def test_one_user_is_enough():
    density = fit_density("mixture", np.ones((1, 2)), np.array([3]), 5, np.random.default_rng(1))
    points, sizes = density.draw(50, np.random.default_rng(2))
    assert np.allclose(points, 1, atol=0.2)
    assert sizes.min() >= 1
