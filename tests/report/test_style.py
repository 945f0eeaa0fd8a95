"""Series are told apart by everyone; a page takes a picture as it is, whatever names are in it."""

import re
from itertools import combinations
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hand_made import summary
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from cornac_mle.report import plots
from cornac_mle.report.placing import Named, place_labels
from cornac_mle.report.style import (
    INK,
    PAPER,
    POPULARITY_LOOK,
    REAL_LOOK,
    look,
    new_figure,
    save,
    styled,
)

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)
PROTANOPIA = np.array(
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]
)
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = TO_XYZ @ np.ones(3)
TELLS_APART = 11.0
"""CIE 1976 distance in Lab; about 2.3 can just be seen side by side."""


def linear(colour):
    rgb = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(colour, seen=None):
    rgb = linear(colour) if seen is None else np.clip(seen @ linear(colour), 0, 1)
    ratio = TO_XYZ @ rgb / WHITE
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one, other):
    """WCAG's contrast of two colours."""
    low, high = sorted(0.05 + linear(colour) @ TO_XYZ[1] for colour in (one, other))
    return high / low


def test_the_distance_is_that_of_lab():
    # White, black and sRGB's red are (100, 0, 0), (0, 0, 0) and (53.2, 80.1, 67.2).
    assert lab("#ffffff") == pytest.approx([100, 0, 0], abs=0.01)
    assert lab("#ff0000") == pytest.approx([53.24, 80.09, 67.20], abs=0.05)
    # A deuteranope takes red and green of the same lightness for each other, blue for neither.
    assert np.linalg.norm(lab("#9f7a00", DEUTERANOPIA) - lab("#b56e00", DEUTERANOPIA)) < 5


@pytest.mark.parametrize("seen", [None, DEUTERANOPIA, PROTANOPIA], ids=["all", "deutan", "protan"])
def test_every_pair_of_colours_is_told_apart(seen):
    colours = [look(place).colour for place in range(6)] + [
        REAL_LOOK.colour,
        POPULARITY_LOOK.colour,
    ]
    distances = {
        pair: np.linalg.norm(lab(pair[0], seen) - lab(pair[1], seen))
        for pair in combinations(colours, 2)
    }
    close = {pair: round(float(one), 1) for pair, one in distances.items() if one < TELLS_APART}
    assert not close


def test_without_colour_markers_and_dashes_tell_series_apart():
    ends = [REAL_LOOK, POPULARITY_LOOK]
    markers = [one.marker for one in [*map(look, range(11)), *ends[:1]]]
    assert len(set(markers)) == 12
    dashes = [str(one.dash) for one in [*map(look, range(7)), *ends]]
    assert len(set(dashes)) == 9
    assert len({str(look(place)) for place in range(400)}) == 400
    assert (REAL_LOOK.dash, POPULARITY_LOOK.dash) == ("-", ":")


def test_text_and_ends_can_be_read():
    assert contrast(INK, PAPER) > 7
    assert contrast(POPULARITY_LOOK.colour, PAPER) > 4.5
    assert contrast(REAL_LOOK.colour, PAPER) > 7


# ------------------------------------------------------------------------------------------- SVG


def ids_of(svg):
    return re.findall(r'\bid="([^"]+)"', svg)


def test_svg_is_one_element_that_reaches_nothing_outside():
    svg = plots.as_svg(plots.user(summary(), "s7").figure)
    root = ET.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    for unwanted in (
        "<?xml",
        "DOCTYPE",
        "<style",
        "<script",
        "xlink",
        "<metadata",
        "http://www.w3.org/1999",
    ):
        assert unwanted not in svg
    assert re.findall(r"https?://[^\"' ]+", svg) == ["http://www.w3.org/2000/svg"]
    assert set(re.findall(r"url\((.)", svg)) == {"#"}
    targets = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', svg))
    assert {one or other for one, other in targets} <= set(ids_of(svg))


def test_svg_takes_the_colours_of_the_page():
    svg = plots.as_svg(plots.fidelity_coverage(summary()).figure)
    named = set(re.findall(r"var\((--[a-z0-9-]+), #[0-9a-f]{6}\)", svg))
    assert named == {
        "--real", "--popularity", "--synthetic-1", "--synthetic-2", "--ink", "--grid", "--paper"
    }  # fmt: skip
    outside = re.sub(r"var\(--[a-z0-9-]+, #[0-9a-f]{6}\)", "", svg)
    assert not re.findall(r"(?:fill|stroke)(?:: |=\")#[0-9a-f]{3,6}", outside)


def test_svg_is_the_same_each_time_and_ids_differ_between_figures():
    made = summary()
    first, again = (plots.as_svg(plots.scores(made).figure) for _ in range(2))
    assert first == again
    other = plots.as_svg(plots.popularity(made).figure)
    assert not set(ids_of(first)) & set(ids_of(other))
    assert len(ids_of(first)) == len(set(ids_of(first)))
    figure = plots.scores(made).figure
    one, two = (plots.as_svg(figure, prefix=prefix) for prefix in ("a", "b"))
    assert not set(ids_of(one)) & set(ids_of(two))


def test_svg_keeps_text_as_text_and_names_the_figure():
    svg = plots.as_svg(plots.scores(summary()).figure)
    texts = [
        "".join(one.itertext()) for one in ET.fromstring(svg).iter() if one.tag.endswith("text")
    ]
    assert "VAE <prior> & $x$" in texts
    assert "VAE &lt;prior&gt; &amp; $x$" in svg
    title = next(one for one in ET.fromstring(svg) if one.tag.endswith("title"))
    assert title.text == "All metrics: tastes"


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "&amp; ]]> <!-- #0072b2",
        "\u202eright to left\u202c",
        "\x00\x1b[31m\x08",
        "שלום 日本語 🎬",
        "a" * 500,
    ],
)
def test_names_do_no_harm(name):
    made = summary((name, "other"))
    made["models"][0]["gallery"]["users"][0]["items"][0].update(item=name, against=[name])
    made["dataset"] = name
    for axes in (
        plots.scores(made),
        plots.user(made, "s7"),
        plots.plausibility(made),
        plots.fidelity_coverage(made),
    ):
        svg = plots.as_svg(axes.figure)
        root = ET.fromstring(svg)
        allowed = {
            "svg",
            "title",
            "g",
            "path",
            "text",
            "defs",
            "use",
            "clipPath",
            "rect",
            "pattern",
        }
        assert {one.tag.rpartition("}")[2] for one in root.iter()} <= allowed
        assert not any(key.startswith("on") for one in root.iter() for key in one.attrib)
        assert "\u202e" not in svg


def test_save_writes_both_files_and_no_date(tmp_path):
    path = tmp_path / "pictures" / "scores.png"
    save(plots.scores(summary()).figure, path)
    with Image.open(path) as image:
        assert image.width == 1400  # 7 inches
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    svg = path.with_suffix(".svg").read_text(encoding="utf-8")
    assert "var(" not in svg
    first = path.read_bytes(), svg
    save(plots.scores(summary()).figure, path)
    assert (path.read_bytes(), path.with_suffix(".svg").read_text(encoding="utf-8")) == first


# ---------------------------------------------------------------------------------------- labels


def test_labels_lie_over_nothing_in_a_crowd():
    rng = np.random.default_rng(1)
    with styled():
        axes = new_figure(6, 5).add_subplot()
        places = rng.normal(size=(16, 2)) * 0.6
        axes.plot(*places.T, "o")
        points = [
            Named(f"model number {number}", x, y, x, x, y, y)
            for number, (x, y) in enumerate(places)
        ]
        place_labels(axes, points)
    axes.figure.draw_without_rendering()
    boxes = [Text.get_window_extent(one).extents for one in axes.texts if one.get_text()]
    assert len(boxes) == 16
    frame = axes.get_window_extent().extents
    spots = axes.transData.transform(places)
    for place, box in enumerate(boxes):
        assert (box[:2] >= frame[:2] - 1).all()
        assert (box[2:] <= frame[2:] + 1).all()
        assert not ((spots > box[:2]) & (spots < box[2:])).all(axis=1).any()
        for other in boxes[:place]:
            across = min(box[2], other[2]) - max(box[0], other[0])
            assert min(across, min(box[3], other[3]) - max(box[1], other[1])) < 1


def test_labels_keep_off_lines_and_intervals():
    with styled():
        axes = Figure((6, 5)).add_subplot()
        axes.set(xlim=(0, 1), ylim=(0, 1))
        place_labels(axes, [Named("one", 0.5, 0.5, 0.1, 0.9, 0.5, 0.5)], lines=[(0.5, 0.52)])
    axes.figure.draw_without_rendering()
    box = Text.get_window_extent(axes.texts[0]).extents
    x, y = axes.transData.transform((0.5, 0.5))
    _, line = axes.transData.transform((0.5, 0.52))
    assert not box[0] < x < box[2]
    assert not box[1] < y < box[3]
    assert not box[1] < line < box[3]


def test_a_label_stands_nearer_to_its_own_point_than_to_another():
    with styled():
        axes = new_figure(6, 5).add_subplot()
        axes.set(xlim=(0, 1), ylim=(0, 1))
        spots = {"left": (0.5, 0.5), "right": (0.54, 0.53)}
        place_labels(axes, [Named(name, x, y, x, x, y, y) for name, (x, y) in spots.items()])
    axes.figure.draw_without_rendering()
    for text in axes.texts:
        box = Text.get_window_extent(text).extents
        gaps = {}
        for name, spot in spots.items():
            x, y = axes.transData.transform(spot)
            across = max(box[0] - x, 0, x - box[2])
            gaps[name] = np.hypot(across, max(box[1] - y, 0, y - box[3]))
        assert min(gaps, key=gaps.get) == text.get_text()


def test_no_points_no_labels():
    axes = Figure().add_subplot()
    place_labels(axes, [])
    assert not axes.texts
