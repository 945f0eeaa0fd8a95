import numpy as np
import scipy.sparse as sp

from cornac_mle import kernels
from cornac_mle.kernels import jaccard_similarity, pattern, similarity_blocks
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
