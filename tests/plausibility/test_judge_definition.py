"""The judge is what its module says, against a naive one that refits EASE for each fold."""

import numpy as np
import pytest
import scipy.sparse as sp

from cornac_mle.plausibility.judge import FAMILIES, PlausibilityModel
from naive_judge import NaiveJudge


def two_tastes(n_users, n_items, seed):
    """Users who hold each item with a probability of their taste; nothing is rare, nothing ties."""
    random = np.random.default_rng(seed)
    share = random.uniform(0.05, 0.4, size=(2, n_items))
    taste = random.integers(2, size=n_users)
    eager = np.exp(0.4 * random.normal(size=n_users))
    likes = random.random((n_users, n_items)) < (share[taste] * eager[:, np.newaxis])
    likes[:, :3] |= likes.sum(axis=1, keepdims=True) < 2
    return sp.csr_array(likes.astype(np.float32))


@pytest.fixture(scope="module", params=[(150, 50), (70, 80)], ids=["more users", "more items"])
def pair(request):
    """A judge and the naive one, fitted on the same users, and users whom they have not seen."""
    n_reference, n_items = request.param
    users = two_tastes(n_reference + 60, n_items, seed=4)
    reference, fresh = users[:n_reference], users[n_reference:]
    fitted = PlausibilityModel.fit(reference, rng=5)
    assert fitted.predictor.dual is (n_reference < n_items)
    return fitted, NaiveJudge(reference.toarray().astype(float), 5), fresh


def test_every_part_is_that_of_the_naive_judge(pair):
    """Scores vary by 1 and more; the package computes evidence in float32."""
    fitted, naive, fresh = pair
    assert fitted.predictor.setting == naive.ridge
    np.testing.assert_array_equal(fitted.user_counts, naive.counts)
    np.testing.assert_allclose(fitted.bounds, [naive.low, naive.high], rtol=1e-12)
    np.testing.assert_allclose(fitted.location, naive.location, atol=1e-4)
    np.testing.assert_allclose(fitted.log_scale, naive.log_scale, atol=1e-3)
    np.testing.assert_allclose(fitted.reference_scores, naive.reference_scores, atol=2e-4)
    expected = [naive.describe(row) for row in fresh.toarray()]
    np.testing.assert_allclose(fitted.describe(fresh), expected, atol=2e-4)
    assert np.std(expected, axis=0).min() > 0.03


@pytest.mark.parametrize(
    ("family", "settings"),
    [("ease", [30, 100, 300, 1000, 3000]), ("item-knn", [50, 200]), ("svd", [8, 16, 32])],
)
def test_settings_tried_are_those_that_results_were_published_with(family, settings):
    users = two_tastes(60, 50, seed=1)
    assert [one.setting for one in FAMILIES[family].candidates(users)] == settings


def test_rows_of_one_item_are_left_out_of_the_reference():
    users = two_tastes(100, 30, seed=2).toarray()
    users[[3, 50]] = np.eye(30)[[0, 7]]
    users[60] = 0
    kept = np.delete(users, [3, 50, 60], axis=0)
    fresh = two_tastes(20, 30, seed=3)
    with_them, without = (
        PlausibilityModel.fit(sp.csr_array(rows), rng=1) for rows in (users, kept)
    )
    np.testing.assert_array_equal(with_them.score(fresh), without.score(fresh))


def test_twenty_users_of_two_items_are_enough():
    users = two_tastes(20, 12, seed=1)
    assert PlausibilityModel.fit(users, rng=1).reference_scores.shape == (20,)
