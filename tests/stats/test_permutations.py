import tracemalloc

import numpy as np
import pytest
from scipy import stats

from cornac_mle.metrics import MMD, PlausibilityKS
from cornac_mle.metrics.mmd import mmd_permutation_p_value
from cornac_mle.stats import permutations
from cornac_mle.stats.kolmogorov_smirnov import ks_distance, ks_permutation_p_value
from worlds import taste_world


def test_batches_sum_to_the_permutations(monkeypatch):
    monkeypatch.setattr(permutations, "BATCH_ENTRIES", 100)
    assert list(permutations.batches(25, 10)) == [10, 10, 5]
    assert list(permutations.batches(2, 1000)) == [1, 1]


@pytest.mark.parametrize("entries", [1, 700, 2**40])
def test_p_values_do_not_depend_on_the_batches(monkeypatch, entries):
    first, second = np.random.default_rng(1).normal(size=(2, 30))
    one, other = taste_world(20, seed=1), taste_world(20, seed=2)

    def p_values():
        random = [np.random.default_rng(5) for _ in range(2)]
        return (
            ks_permutation_p_value(first, second, 199, random[0]),
            mmd_permutation_p_value(one, other, 99, random[1]),
        )

    plain = p_values()
    monkeypatch.setattr(permutations, "BATCH_ENTRIES", entries)
    assert p_values() == plain


@pytest.mark.parametrize(
    ("sizes", "n_permutations"), [((30, 20), 199), ((5, 5), 251), ((5, 5), 252), ((2, 9), 999)]
)
def test_the_p_value_of_ks_is_that_of_scipy(sizes, n_permutations):
    """Of the same relabellings, with ties and -inf, which scipy can only take as ranks."""
    random = np.random.default_rng(2)
    for seed in range(8):
        first, second = (random.integers(0, 9, size) / 2 for size in sizes)
        first[0] = -np.inf
        ranks = stats.rankdata(np.concatenate([first, second]), method="dense")
        expected = stats.permutation_test(
            (ranks[: sizes[0]], ranks[sizes[0] :]),
            ks_distance,
            alternative="greater",
            n_resamples=n_permutations,
            vectorized=False,
            rng=np.random.default_rng(seed),
        )
        found = ks_permutation_p_value(first, second, n_permutations, np.random.default_rng(seed))
        assert found == pytest.approx(expected.pvalue, rel=1e-12)


def test_memory_does_not_grow_with_the_permutations(monkeypatch):
    """In one array, 8 bytes for each user and relabelling: 6.4 MB; 4 MB more for each copy."""
    monkeypatch.setattr(permutations, "BATCH_ENTRIES", 2**14)
    first, second = np.random.default_rng(1).normal(size=(2, 200))
    tracemalloc.start()
    ks_permutation_p_value(first, second, 2_000, np.random.default_rng(1))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2e6


@pytest.mark.parametrize("metric", [PlausibilityKS, MMD])
def test_permutations_are_bounded(metric):
    assert metric(n_permutations=10**6).n_permutations == 10**6
    with pytest.raises(ValueError, match="`n_permutations` must be at most 1000000; got 1000001"):
        metric(n_permutations=10**6 + 1)
