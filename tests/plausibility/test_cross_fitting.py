"""What a user is told by is blind to that user, and the same in one pass as in two."""

import numpy as np
import pytest

from cornac_mle.plausibility._cross_fitting import blind_folds, cross_fitted, cross_refitted
from cornac_mle.plausibility._evidence import item_evidence
from cornac_mle.plausibility._item_knn import ItemKnnPredictor
from cornac_mle.plausibility._svd import SvdPredictor
from worlds import taste_world

KINDS = {ItemKnnPredictor: [3, 9], SvdPredictor: [2, 5]}


def worlds():
    return taste_world(45, seed=1).matrix, taste_world(45, seed=2).matrix


def test_counts_of_a_fold_are_those_of_the_other_users():
    users, _ = worlds()
    folds = blind_folds(users, 4)
    assert [len(fold.rows) for fold in folds] == [12, 11, 11, 11]
    others = np.delete(users.toarray() > 0, folds[1].rows, axis=0)
    np.testing.assert_allclose(folds[1].user_counts, others.sum(axis=0) * 45 / 34)


@pytest.mark.parametrize("kind", KINDS)
def test_evidence_is_that_of_predictors_fitted_without_the_user(kind):
    users, altered = worlds()
    folds = blind_folds(users, 4)
    for setting in KINDS[kind]:
        (evidence,) = cross_fitted(kind.at_each([setting], users), altered, folds)
        for fold in folds:
            kept = np.setdiff1d(np.arange(45), fold.rows)
            (other,) = kind.at_each([setting], users[kept])
            expected = item_evidence(altered[fold.rows], other, fold.user_counts, 45)
            rows = slice(altered.indptr[fold.rows[0]], altered.indptr[fold.rows[-1] + 1])
            np.testing.assert_array_equal(evidence[rows], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_one_pass_finds_what_two_find(kind):
    users, altered = worlds()
    folds = blind_folds(users, 4)
    candidates = kind.at_each(KINDS[kind], users)
    on_altered, on_users = cross_refitted(candidates, altered, users, folds)
    for one, other in zip(on_altered, cross_fitted(candidates, altered, folds), strict=True):
        np.testing.assert_array_equal(one, other)
    for one, candidate in zip(on_users, candidates, strict=True):
        (other,) = cross_fitted([candidate], users, folds)
        np.testing.assert_allclose(one, other, atol=1e-5)
