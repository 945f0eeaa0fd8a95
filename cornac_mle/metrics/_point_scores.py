"""How odd a point is beside others: scores with one meaning each, and one p-value of them all."""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.spatial.distance import cdist

from cornac_mle.metrics.point_sets import Points, closeness_of
from cornac_mle.neighbours.balls import kth_closeness
from cornac_mle.sparse import FloatArray

N_NEAREST = 5
"""Neighbour whose distance is the first score: with 1 a single outlier would vouch for all."""
N_LOCAL = 20
"""Neighbours that tell the local dimension and the gaps."""
GAP_QUANTILE = 0.95
"""Quantile of the gaps of reference points that is the unit of a coordinate."""
BLOCK = 4_000_000
"""Numbers held at a time."""


def oddness(
    points: Points, others: Points, *, coordinates: bool, kin: Points | None = None
) -> FloatArray:
    """Score points by their neighbours among other points, (n_points, n_scores); high is odd.

    The distance to the 5th neighbour; of vectors also the local intrinsic dimension, which is high
    inside a shell; with `coordinates` also the largest gap in one coordinate to the nearest of 20
    neighbours, in units of what is usual among `others`, and every coordinate has the unit of its
    middle half. With `kin` also how many times farther the others are than these.
    """
    if sp.issparse(points):
        # Jaccard distances are 1 less the closeness.
        scores = [1 - kth_closeness(closeness_of(points, others), N_NEAREST)]
        if kin is not None:
            of_kin = 1 - kth_closeness(closeness_of(points, kin), N_NEAREST)
            scores.append(_ratio(scores[0], of_kin))
        return np.column_stack(scores)
    n_local = min(N_LOCAL, len(others) - 1)
    unit = None
    if coordinates:
        spread = _spread(np.asarray(others))
        points, others = points / spread, others / spread
        kin = None if kin is None else kin / spread
        _, own_gaps = _local(others, others, n_local, themselves=True)
        unit = np.quantile(own_gaps, GAP_QUANTILE, axis=0)  # (d,)
    distances, gaps = _local(points, others, n_local, themselves=False)
    far = distances[:, min(N_NEAREST, n_local) - 1]
    scores = [far, _local_dimension(distances)]
    if unit is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            scores.append(np.nan_to_num(gaps / unit, nan=0.0, posinf=np.inf).max(axis=1))
    if kin is not None:
        near = min(N_NEAREST, len(kin))
        scores.append(_ratio(far, _local(points, kin, near, themselves=False)[0][:, -1]))
    return np.column_stack(scores)


def _ratio(distances: FloatArray, of_kin: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.nan_to_num(distances / of_kin, nan=1.0, posinf=np.inf))


def joint_p_values(scores: FloatArray, calibration: FloatArray) -> FloatArray:
    """Conformal p-values of the smallest rank over several scores, (n_points,); high is odd.

    For each point all ranks are those among the calibration points and itself, so that no
    calibration point is treated otherwise than the point is, and the level is exact.
    """
    n, n_scores = calibration.shape
    ordered = np.sort(calibration, axis=0)
    own_rank = np.empty(scores.shape, dtype=np.int64)  # of the points
    rank = np.empty(calibration.shape, dtype=np.int64)  # of the calibration points
    for column in range(n_scores):
        values = ordered[:, column]
        own_rank[:, column] = 1 + n - np.searchsorted(values, scores[:, column], side="left")
        rank[:, column] = n - np.searchsorted(values, calibration[:, column], side="left")
    least = own_rank.min(axis=1)
    p_values = np.empty(len(scores))
    step = max(1, BLOCK // (n * n_scores))
    for start in range(0, len(scores), step):
        block = slice(start, start + step)
        raised = rank + (scores[block, np.newaxis] >= calibration)  # (n_block, n, n_scores)
        as_odd = raised.min(axis=2) <= least[block, np.newaxis]
        p_values[block] = (1 + as_odd.sum(axis=1)) / (1 + n)
    return p_values


def _spread(points: npt.NDArray[np.floating]) -> FloatArray:
    """Half the range of the middle half of each coordinate, (d,), so that units do not matter."""
    low, high = np.quantile(points, (0.25, 0.75), axis=0)
    spread = np.where(high > low, (high - low) / 2, points.std(axis=0))
    # So that squared distances stay finite: no coordinate is above 1 before.
    return np.asarray(np.where(spread > 0, np.maximum(spread, 1e-100), 1.0))


def _local(
    points: npt.NDArray[np.floating],
    others: npt.NDArray[np.floating],
    n_local: int,
    *,
    themselves: bool,
) -> tuple[FloatArray, FloatArray]:
    """Sorted distances to the nearest others, (n, n_local), and the gaps to them, (n, d)."""
    distances = np.empty((len(points), n_local))
    gaps = np.empty(points.shape)
    step = max(1, BLOCK // max(len(others), n_local * points.shape[1]))
    for start in range(0, len(points), step):
        block = slice(start, start + step)
        part = cdist(points[block], others)
        if themselves:
            rows = np.arange(len(part))
            part[rows, start + rows] = np.inf
        near = np.argpartition(part, n_local - 1, axis=1)[:, :n_local]
        distances[block] = np.sort(np.take_along_axis(part, near, axis=1), axis=1)
        gaps[block] = np.abs(points[block, np.newaxis] - others[near]).min(axis=1)
    return distances, gaps


def _local_dimension(distances: FloatArray) -> FloatArray:
    """Estimate the local intrinsic dimension by maximum likelihood, (n_points,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shrinkage = np.log(distances[:, -1:]) - np.log(distances)
    mean = np.nan_to_num(shrinkage, nan=0.0, posinf=1e3).mean(axis=1)
    return np.asarray(1 / np.maximum(mean, 1e-12))
