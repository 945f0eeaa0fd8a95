"""Models that were saved before modules, classes and attributes had their present names."""

from pathlib import Path

import numpy as np
import pytest
from cornac.models import Recommender

from cornac_mle.models.base import GenerativeRecommender
from cornac_mle.models.popularity import Popularity

FOLDER = Path(__file__).parents[1] / "golden" / "saved_0.1"
SAVED = sorted(FOLDER.glob("*.pkl"))


def test_all_of_them_are_there():
    assert len(SAVED) == 13
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 300_000


# A fitted scikit-learn regression is in one of them.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
def test_it_draws_the_users_that_it_drew_then(path):
    model = GenerativeRecommender.load(str(path))
    drawn = model.sample(20, rng=1).matrix.toarray()
    with np.load(path.with_suffix(".npz")) as then:
        np.testing.assert_allclose(drawn, then["sample"], rtol=1e-5)
    assert repr(model).endswith("fitted to 40 users x 12 items")
    assert (model.trainable, model.load_from) == (False, str(path))
    assert np.isfinite(model.score(3)).all()
    assert not any(name.startswith(("law", "size_law", "slope")) for name in vars(model))


def test_the_latest_of_a_folder_is_loaded(tmp_path):
    model = Popularity(name="first")
    model.save(str(tmp_path))
    folder = Path(model.save(str(tmp_path))).parent
    loaded = GenerativeRecommender.load(str(folder), trainable=True)
    assert loaded.load_from == str(sorted(folder.glob("*.pkl"))[-1])
    assert loaded.trainable


def test_attributes_alone_are_renamed_by_cornac_too():
    assert len(Recommender.load(str(FOLDER / "popularity.pkl")).sample(3, rng=1)) == 3
