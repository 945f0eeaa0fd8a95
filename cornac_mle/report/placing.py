"""Put the names of points beside them, so that none lies over another or over a point."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cornac_mle.report.style import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DISTANCES = (7.0, 14.0, 24.0, 36.0, 50.0, 70.0, 95.0)
"""How far a label may stand from its point, in 1/72 inch; the nearest free place is taken."""
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
FAR = 16
"""From that distance on a thin line leads to the point."""
MARKER = 5.0
N_STEPS = 16
"""Parts of a line to a label, at the ends of which it is seen whether it crosses another."""


class Named(NamedTuple):
    """A point that is to be named; `low_x` to `high_y` are the ends of its intervals."""

    text: str
    x: float
    y: float
    low_x: float
    high_x: float
    low_y: float
    high_y: float


Box = tuple[float, float, float, float]


def place_labels(
    axes: "Axes",
    points: Sequence[Named],
    *,
    lines: Sequence[tuple[float | None, float | None]] = (),
    size: float = 8.5,
) -> None:
    """Name points of axes, whose limits and place in the figure are kept from then on.

    Each label takes the nearest free place of 8 directions and 7 distances; where none is free,
    that with the least overlap. Labels stay within the axes.

    Parameters
    ----------
    axes : Axes
        Where the points are drawn.
    points : sequence of Named
        What is to be named.
    lines : sequence of pairs
        Places x of vertical and y of horizontal lines across the axes, which labels avoid, too.
    size : float
        Size of the letters, in points.
    """
    from cornac_mle.report._shown import ShownFigure

    if not points:
        return
    axes.autoscale_view()
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    figure = axes.get_figure(root=True)
    assert figure is not None
    if isinstance(figure, ShownFigure):
        figure.settle()
    else:
        figure.draw_without_rendering()
    scale = figure.dpi / 72
    frame = axes.get_window_extent()
    inside = (frame.x0, frame.y0, frame.x1, frame.y1)
    taken = _across(axes, lines, inside, scale)
    centres = []
    for point in points:
        x, y = axes.transData.transform((point.x, point.y))
        left, bottom = axes.transData.transform((point.low_x, point.low_y))
        right, top = axes.transData.transform((point.high_x, point.high_y))
        centres.append((x, y))
        around, thin = MARKER * scale, scale
        taken.append((x - around, y - around, x + around, y + around))
        taken += [(left, y - thin, right, y + thin), (x - thin, bottom, x + thin, top)]
    space = _Space(taken, [], centres, inside, scale)
    # From the crowd outwards: who has the nearest neighbour chooses first.
    for place in sorted(range(len(points)), key=lambda one: _nearest(centres, one)):
        _place(axes, points[place], centres[place], space, size)


class _Space(NamedTuple):
    """What is taken, and by labels alone; where points are; the frame; pixels a point."""

    taken: list[Box]
    labels: list[Box]
    centres: list[tuple[float, float]]
    inside: Box
    scale: float


def _place(
    axes: "Axes", point: Named, centre: tuple[float, float], space: _Space, size: float
) -> None:
    """Put one label at the best place, which is then taken."""
    look: dict[str, Any] = {"fontsize": size, "ha": "center", "va": "center", "parse_math": False}
    trial = axes.annotate(point.text, (point.x, point.y), **look)
    extent = trial.get_window_extent()
    trial.remove()
    width, height, scale = extent.width + 2 * space.scale, extent.height, space.scale
    best: tuple[float, Box, tuple[float, float], float] | None = None
    for distance in DISTANCES:
        for right, up in DIRECTIONS:
            x = centre[0] + right * (distance * scale + width / 2)
            y = centre[1] + up * (distance * scale * (1 if right == 0 else 0.8) + height / 2)
            box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            cost = sum(_overlap(box, other) for other in space.taken)
            cost += 4 * sum(_overlap(box, other) for other in space.labels)
            cost += 4 * _outside(box, space.inside)
            if distance >= FAR:
                cost += width * height * _crossed(centre, (x, y), space.labels) / N_STEPS
            elif any(_gap(box, one) <= _gap(box, centre) for one in space.centres if one != centre):
                cost += width * height / 2  # it would be read as the other's
            if best is None or cost < best[0]:
                best = (cost, box, (x, y), distance)
        if best is not None and best[0] == 0:
            break
    assert best is not None
    _, box, (x, y), distance = best
    space.taken.append(box)
    space.labels.append(box)
    line = {"arrowstyle": "-", "color": INK, "lw": 0.6, "shrinkA": 1, "shrinkB": 4}
    axes.annotate(
        point.text,
        (point.x, point.y),
        ((x - centre[0]) / scale, (y - centre[1]) / scale),
        textcoords="offset points",
        annotation_clip=False,
        bbox={"boxstyle": "square,pad=0.05", "facecolor": "none", "edgecolor": "none"},
        arrowprops=line if distance >= FAR else None,
        **look,
    )
    if distance >= FAR:
        thin = scale
        space.taken.extend(
            (a - thin, b - thin, a + thin, b + thin) for a, b in _way(centre, (x, y))
        )


def _way(one: tuple[float, float], other: tuple[float, float]) -> list[tuple[float, float]]:
    """Points on the line from a point to its label."""
    steps = [place / N_STEPS for place in range(1, N_STEPS)]
    return [
        (one[0] + step * (other[0] - one[0]), one[1] + step * (other[1] - one[1])) for step in steps
    ]


def _crossed(one: tuple[float, float], other: tuple[float, float], labels: Sequence[Box]) -> int:
    """Count points of the line between that lie in labels."""
    return sum(
        box[0] < x < box[2] and box[1] < y < box[3] for x, y in _way(one, other) for box in labels
    )


def _across(
    axes: "Axes",
    lines: Sequence[tuple[float | None, float | None]],
    inside: Box,
    thin: float,
) -> list[Box]:
    """Boxes of lines across the axes."""
    boxes = []
    for x, y in lines:
        if x is not None:
            middle = axes.transData.transform((x, 0))[0]
            boxes.append((middle - thin, inside[1], middle + thin, inside[3]))
        if y is not None:
            middle = axes.transData.transform((0, y))[1]
            boxes.append((inside[0], middle - thin, inside[2], middle + thin))
    return boxes


def _nearest(centres: Sequence[tuple[float, float]], place: int) -> float:
    own = centres[place]
    return min(
        (
            (own[0] - other[0]) ** 2 + (own[1] - other[1]) ** 2
            for number, other in enumerate(centres)
            if number != place
        ),
        default=0.0,
    )


def _gap(box: Box, point: tuple[float, float]) -> float:
    """Distance of a point from a box."""
    across = max(box[0] - point[0], 0.0, point[0] - box[2])
    return math.hypot(across, max(box[1] - point[1], 0.0, point[1] - box[3]))


def _overlap(one: Box, other: Box) -> float:
    """Area that two boxes share."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    up = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, across) * max(0.0, up)


def _outside(box: Box, frame: Box) -> float:
    """Area of a box that lies outside of the frame."""
    return (box[2] - box[0]) * (box[3] - box[1]) - _overlap(box, frame)
