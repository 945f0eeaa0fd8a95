"""Conformal fidelity and diversity of any two sets of points, without an evaluator."""

import numpy as np
import scipy.sparse as sp

from cornac_mle.checks import refusal
from cornac_mle.metrics._point_scores import joint_p_values, oddness
from cornac_mle.metrics.point_sets import Points, checked_points
from cornac_mle.randomness import RngLike, repeatable_generator
from cornac_mle.sparse import FloatArray

ALPHA = 0.1
"""Level at which `conformal_fidelity` asks whether a point is too odd beside real ones."""
FEWEST = 2 * int(np.ceil(1 / ALPHA - 1))
"""Fewest points of which p <= ALPHA is possible, in either half."""


def point_p_values(
    real: Points, synthetic: Points, *, rng: RngLike, coordinates: bool = False
) -> FloatArray:
    r"""p-value of each synthetic point: how many real points are as odd beside other real ones.

    In (0, 1]; small is odd. A value of .31 says that 31% of real points are as odd. Real points are
    halved at random. A point is ranked, among the n points of the second half and itself, by each
    of some scores that look at its neighbours in the first half, and

    .. math:: p(y) = \frac{1 + \#\{i : R_y(x_i) \le R_y(y)\}}{1 + n},

    where R_y is the smallest of the ranks. The scores, each with one meaning:

    - distance to the 5th neighbour: far from everybody;
    - local intrinsic dimension [2]_ by 20 neighbours, upper tail: they are all as far away, as seen
      from inside a shell; vectors only;
    - with `coordinates`, the largest gap in a coordinate to the nearest of 20 neighbours, in units
      of the .95 quantile of such gaps of real points: a value that nobody near has.

    All ranks are those among the same n + 1 points, so that of real points P(p <= alpha) <= alpha,
    exactly, whatever the scores and the distribution [1]_.

    Parameters
    ----------
    real, synthetic : ndarray, shape (n, d), or sparse array, shape (n, n_items)
        Points as for `prdc`; at least 18 real ones. The numbers of points need not agree.
    rng : int, SeedSequence or Generator
        Random seed of the halves.
    coordinates : bool
        Whether each coordinate has a meaning of its own, as the columns of a table have and those
        of an embedding have not. Vectors only.

    Returns
    -------
    ndarray, shape (n_synthetic,)

    Raises
    ------
    TypeError
        If one is sparse and the other is not, or one holds no real numbers.
    ValueError
        If an array is not two-dimensional or not finite, if a sparse one holds negative values, if
        the two differ in columns, or if there are fewer than 18 real points or no synthetic ones.

    Notes
    -----
    p-values of one call share the halves: they are exact one by one, and not independent. Time
    n_real x (n_real + n_synthetic).

    References
    ----------
    .. [1] Vovk, Gammerman & Shafer (2005), "Algorithmic Learning in a Random World", Springer.
    .. [2] Levina & Bickel (2004), "Maximum likelihood estimation of intrinsic dimension", NeurIPS.

    Examples
    --------
    >>> points = np.random.default_rng(1).normal(size=(200, 2))
    >>> point_p_values(points[:100], [[0, 0], [9, 9]], rng=1)
    array([0.98, 0.02])
    """
    one, two = checked_points(real, synthetic, least=FEWEST, least_synthetic=1)
    _check_coordinates(coordinates, one)
    near, calibration = _halves(one, repeatable_generator(rng))
    scores, against = (oddness(x, near, coordinates=coordinates) for x in (two, calibration))
    return joint_p_values(scores, against)


def conformal_fidelity(
    real: Points, synthetic: Points, *, rng: RngLike, coordinates: bool = False
) -> float:
    r"""Share of synthetic points that are no odder than real ones; in [0, 1], 1 is best.

    With the p-values of `point_p_values` of m synthetic points y the value is

    .. math:: \min\left(1, \frac{\#\{j : p(y_j) > .1\}}{.9 m}\right).

    .31 says that 28% of the synthetic points are less odd than the oddest tenth of real ones.

    *Precision* of an embedding is nearly blind, because a point passes that lies in any real ball:
    balls of outliers are wide, in many coordinates they overlap and let most of the space pass.
    Here all points face the same measures, how odd new real points are, and the level is known: of
    real points the same share fails whatever the embedding, the distribution and n.

    It is blind to what the embedding does not keep, to missing kinds of points
    (`conformal_diversity`) and to copies; without `coordinates` to one wrong coordinate among many;
    to rounded values where real ones are not rounded; and, in many coordinates, to a small shift.
    Do not use it as the only measure.

    Parameters
    ----------
    real, synthetic, rng, coordinates
        Arguments of `point_p_values`.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        Where `point_p_values` raises one.

    Examples
    --------
    >>> points = np.random.default_rng(1).normal(size=(200, 2))
    >>> conformal_fidelity(points[:100], points[100:], rng=1)
    1.0
    >>> conformal_fidelity(points[:100], points[100:] + 9, rng=1)
    0.0
    """
    p_values = point_p_values(real, synthetic, rng=rng, coordinates=coordinates)
    return min(1.0, float(np.mean(p_values > ALPHA)) / (1 - ALPHA))


def conformal_diversity(
    real: Points,
    synthetic: Points,
    *,
    rng: RngLike,
    coordinates: bool = False,
    relative: bool = True,
) -> float:
    r"""Share of real points that are no odder than synthetic ones; in [0, 1], 1 is best.

    `conformal_fidelity` the other way round: real points beside one half of the synthetic points,
    calibrated by the other half. .31 says that 28% of the real points are less odd, among synthetic
    points, than the oddest tenth of these.

    With `relative`, one more score is asked for: how many times farther the 5th synthetic neighbour
    is than the 5th of the other half of the real points. A real point is then missed, too, where
    synthetic points are much rarer than real ones, and a synthetic set that is merely wide is not
    diverse. Each half of the real points is judged beside the other, and synthetic points are
    judged beside both in the same way, so that the level is exact for every point.

    It is blind to points that nobody real is like (`conformal_fidelity`), to copies, and to what
    `conformal_fidelity` is blind to; not `relative`, also to kinds that are made too seldom.

    Parameters
    ----------
    real, synthetic : ndarray, shape (n, d), or sparse array, shape (n, n_items)
        Points as for `prdc`; at least 18 synthetic ones, and 18 real ones if `relative`.
    rng : int, SeedSequence or Generator
        Random seed of the halves.
    coordinates : bool
        Whether each coordinate has a meaning of its own, as for `point_p_values`.
    relative : bool
        Whether distances to synthetic points are also compared with those to real ones.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        Where `point_p_values` raises one.

    Examples
    --------
    >>> real = np.random.default_rng(1).normal(size=(200, 2))
    >>> conformal_diversity(real, real[real[:, 0] > 0], rng=1)
    0.61
    """
    if not isinstance(relative, bool | np.bool_):
        raise TypeError(refusal("relative", "be True or False", repr(relative)))
    if not relative:
        checked_points(real, synthetic, least=1, least_synthetic=FEWEST)
        return conformal_fidelity(synthetic, real, rng=rng, coordinates=coordinates)
    one, two = checked_points(real, synthetic, least=FEWEST)
    _check_coordinates(coordinates, one)
    random = repeatable_generator(rng)
    near, calibration = _halves(two, random)
    halves = _halves(one, random)
    passed = 0
    for judged, kin in (halves, halves[::-1]):
        scores, against = (
            oddness(x, near, coordinates=coordinates, kin=kin) for x in (judged, calibration)
        )
        passed += int(np.sum(joint_p_values(scores, against) > ALPHA))
    return float(min(1.0, passed / one.shape[0] / (1 - ALPHA)))


def _check_coordinates(coordinates: bool, points: Points) -> None:
    if not isinstance(coordinates, bool | np.bool_):
        raise TypeError(refusal("coordinates", "be True or False", repr(coordinates)))
    if coordinates and sp.issparse(points):
        raise ValueError(refusal("coordinates", "be False for item sets", "True"))


def _halves(points: Points, random: np.random.Generator) -> tuple[Points, Points]:
    """Halve points at random; each half keeps their order."""
    order = random.permutation(points.shape[0])
    half = len(order) // 2
    return points[np.sort(order[:half])], points[np.sort(order[half:])]
