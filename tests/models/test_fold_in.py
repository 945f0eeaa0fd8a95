import numpy as np
import pytest
from cornac.models import BPR, EASE, MF, PMF, SVD, WBPR, BiVAECF, GlobalAvg, MostPop

from cornac_mle.adapters import OTHERS, adapter_of
from cornac_mle.models import fold_in
from cornac_mle.models.fold_in import UnseenUsers, fold_in_scores
from cornac_mle.models.pmf import model as pmf
from worlds import rated, taste_world

WORLD = rated(taste_world(150, n_items=40, mean_size=10, seed=3))
TRAIN, NEW = WORLD[:100], WORLD[100:]


def fitted(model):
    return model.fit(TRAIN.to_dataset(seed=1))


def test_ease_is_the_profile_times_its_weights():
    model = fitted(EASE(verbose=False))
    expected = NEW.matrix.toarray().astype(float) @ np.asarray(model.B)
    assert np.allclose(fold_in_scores(model, NEW), expected)
    # A training user, folded in, gets what EASE itself says of that user.
    assert np.allclose(fold_in_scores(model, TRAIN[:3])[1], np.ravel(model.score(1)))


def test_most_popular_counts_training_users():
    scores = fold_in_scores(fitted(MostPop()), NEW)
    assert np.array_equal(scores, np.tile(TRAIN.item_counts, (50, 1)))


@pytest.mark.parametrize("variant", ["linear", "non_linear"])
def test_cornacs_pmf_ranks_a_training_user_much_as_it_does_itself(variant):
    model = fitted(PMF(k=3, max_iter=300, learning_rate=0.02, variant=variant, seed=1))
    folded = fold_in_scores(model, TRAIN)
    own = np.array([model.score(user) for user in range(100)])
    agreement = [np.corrcoef(*pair)[0, 1] for pair in zip(folded, own, strict=True)]
    assert np.median(agreement) > 0.8


def test_families_are_found_by_what_they_hold():
    assert adapter_of(fitted(WBPR(k=2, seed=1))) is adapter_of(fitted(BPR(k=2, seed=1)))
    assert adapter_of(fitted(SVD(k=2, seed=1))) is adapter_of(fitted(MF(k=2, seed=1)))
    assert adapter_of(fitted(GlobalAvg())) is OTHERS


def test_a_view_scores_unseen_users_in_blocks(monkeypatch):
    monkeypatch.setattr(fold_in, "BLOCK_USERS", 7)
    model = fitted(EASE(verbose=False))
    view = UnseenUsers(model, NEW, 100)
    whole = fold_in_scores(model, NEW)
    for user in (100, 149, 120, 106, 107):
        assert np.allclose(view.score(user), whole[user - 100])
    assert view.score(120, 5) == pytest.approx(whole[20, 5])
    assert view._scores.shape == (7, 40)


@pytest.mark.parametrize("variant", ["linear", "non_linear"])
def test_ratings_of_unseen_users_go_through_the_models_own_link(variant):
    model = fitted(PMF(k=3, max_iter=300, learning_rate=0.02, variant=variant, seed=1))
    view = UnseenUsers(model, TRAIN, 100)
    score = view.score(107, 5)
    # On a scale from 1 to 5: 1 + 4 / (1 + exp(-score)), or the score itself, cut to the scale.
    expected = 1 + 4 / (1 + np.exp(-score)) if variant == "non_linear" else np.clip(score, 1, 5)
    assert view.rate(107, 5) == pytest.approx(expected)
    assert np.isnan(UnseenUsers(fitted(pmf.PMF(k=2, max_iter=5, seed=1)), NEW, 100).rate(100, 5))


def test_bivae_rates_as_it_rates_a_training_user():
    """The user's own row is folded in to its own point, so both ratings are the same."""
    model = fitted(BiVAECF(k=2, n_epochs=3, use_gpu=False, likelihood="bern", seed=1))
    own = np.ravel([model.rate(7, item) for item in range(40)])
    view = UnseenUsers(model, TRAIN, 100)
    assert np.array([view.rate(107, item) for item in range(40)]) == pytest.approx(own, abs=0.05)
    assert own.std() > 0
