"""Cornac's EASE with a ridge in the scale of the values."""

import numpy as np
import pytest
from cornac.models import EASE

from cornac_mle.models.ease import ScaledEASE
from worlds import rated, taste_world

WORLD = rated(taste_world(60, n_items=20, mean_size=6, seed=1))


def test_the_ridge_is_300_times_the_mean_square_of_the_values():
    train_set = WORLD.to_dataset(seed=1)
    model = ScaledEASE(verbose=False).fit(train_set)
    assert model.lamb == pytest.approx(300 * np.mean(WORLD.matrix.data.astype(float) ** 2))
    plain = EASE(lamb=model.lamb, verbose=False).fit(train_set)
    np.testing.assert_array_equal(model.B, plain.B)
    assert (model.name, plain.name) == ("EASEᴿ", "EASEᴿ")


def test_scores_are_in_proportion_to_the_values():
    doubled = WORLD.to_dataset(seed=1)
    single = ScaledEASE(verbose=False).fit(WORLD.to_dataset(seed=1))
    doubled.uir_tuple[2][:] *= 2
    double = ScaledEASE(verbose=False).fit(doubled)
    np.testing.assert_allclose(double.B, single.B, atol=1e-12)
    assert double.lamb == pytest.approx(4 * single.lamb)


def test_a_clone_fitted_to_other_values_has_another_ridge():
    model = ScaledEASE(verbose=False).fit(WORLD.to_dataset(seed=1))
    other = model.clone().fit(taste_world(60, n_items=20, mean_size=6, seed=1).to_dataset(seed=1))
    assert other.lamb == 300
