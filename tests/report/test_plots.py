"""Pictures show the summary's numbers, say what they are, and lose or cover nothing."""

import matplotlib as mpl
import numpy as np
import pytest
from hand_made import NAMES, summary, value
from matplotlib.figure import Figure

from cornac_mle.report import plots
from cornac_mle.report.measurement import Measurement, MetricNote, Score
from cornac_mle.report.report import Report
from cornac_mle.report.style import POPULARITY, REAL, SYNTHETIC

KINDS = {
    "scores": plots.scores,
    "plausibility": plots.plausibility,
    "one plausibility": lambda s, axes=None: plots.plausibility(s, "PMF", axes),
    "sizes": plots.sizes,
    "popularity": plots.popularity,
    "fidelity_coverage": plots.fidelity_coverage,
    "frontier": plots.frontier,
    "user": lambda s, axes=None: plots.user(s, "s7", axes=axes),
}
LONG = [f"a model whose name is long, number {place} of many" for place in range(9)]


def legend_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def points_of(axes, label):
    """Places of the points with this label, (n, 2), and the ends of their error bars."""
    for container in axes.containers:
        if container.get_label() == label:
            line, _, bars = container
            ends = [np.array(one.get_segments()) for one in bars]
            return np.column_stack(line.get_data()), ends
    line = next(
        one for one in axes.lines if one.get_label() == label and one.get_marker() != "None"
    )
    return np.column_stack(line.get_data()), []


def steps_of(axes):
    """Histograms by look: (values, edges, baseline)."""
    return [patch.get_data() for patch in axes.patches if not patch.get_fill()]


def texts_of(axes):
    return [text.get_text() for text in axes.texts]


# ----------------------------------------------------------------------------------- all of them


@pytest.mark.parametrize("kind", KINDS)
def test_axes_are_taken_returned_and_labelled(kind):
    own = Figure().add_subplot()
    assert KINDS[kind](summary(), axes=own) is own
    made = KINDS[kind](summary())
    for axes in (own, made):
        assert axes.get_xlabel()
        assert axes.get_title(loc="left")
        assert axes.get_ylabel() or all(text.get_text() for text in axes.get_yticklabels())


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_global_changes(kind):
    before = dict(mpl.rcParams)
    axes = KINDS[kind](summary())
    plots.as_svg(axes.figure)
    assert dict(mpl.rcParams) == before


def shown_texts(figure):
    """Texts that are drawn, and their boxes in pixels."""
    figure.draw_without_rendering()
    beyond = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.majorTicks, *axis.minorTicks]:
                if not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                    beyond |= {tick.label1, tick.label2}
    return [
        (text.get_text(), mpl.text.Text.get_window_extent(text).extents)
        for text in figure.findobj(mpl.text.Text)
        if text.get_text().strip() and text.get_visible() and text not in beyond
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("names", [NAMES, ("PMF", *LONG)])
def test_no_text_is_cut_off_or_lies_over_another(kind, names):
    figure = KINDS[kind](summary(names)).figure
    boxes = shown_texts(figure)
    page = figure.bbox.extents
    for place, (one, first) in enumerate(boxes):
        assert first[0] >= page[0] - 1, one
        assert first[1] >= page[1] - 1, one
        assert first[2] <= page[2] + 1, one
        assert first[3] <= page[3] + 1, one
        for other, second in boxes[:place]:
            across = min(first[2], second[2]) - max(first[0], second[0])
            up = min(first[3], second[3]) - max(first[1], second[1])
            assert min(across, up) < 2, (one, other)


def test_a_name_is_text_and_no_formula():
    axes = plots.scores(summary())
    axes.figure.draw_without_rendering()
    assert NAMES[1] in legend_of(axes)
    assert not any(text.get_parse_math() for text in axes.get_legend().get_texts())


# --------------------------------------------------------------------------------------- scores


def test_scores_are_drawn_from_popularity_to_real_users():
    axes = plots.scores(summary())
    assert legend_of(axes) == ["real users", "independent popularity", *NAMES]
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["UnrealisticUsers@0.05", "NeighbourCoverage@5", "CopiedUsers", "PopularityJS"]
    points, (ends,) = points_of(axes, "PMF")
    # (.2 - .8) / (.05 - .8) = .8; (.9 - .4) / (.96 - .4) = .893; PopularityJS: 0 lies at 2, beyond.
    assert points[:, 0] == pytest.approx([0.8, 0.8929], abs=1e-4)
    # Intervals: (.1 - .8) / -.75 and (.6 - .8) / -.75; (.5 - .4) / .56 and (.95 - .4) / .56.
    assert np.sort(ends[:, :, 0]) == pytest.approx(
        np.array([[0.2667, 0.9333], [0.1786, 0.9821]]), abs=1e-4
    )
    ends = {line.get_label(): line.get_xdata()[0] for line in axes.lines}
    assert (ends["real users"], ends["independent popularity"]) == (1.0, 0.0)


def test_scores_beyond_the_scale_are_arrows_with_their_number():
    axes = plots.scores(summary())
    arrows = [
        line for line in axes.lines if line.get_marker() in "<>" and len(line.get_xdata()) == 1
    ]
    # PMF: (0 - .2) / (.1 - .2) = 2; VAE: (.9 - .2) / -.1 = -7.
    assert sorted(line.get_xdata()[0] for line in arrows) == [-0.5, 1.5]
    assert {"2.00", "-7.00"} <= set(texts_of(axes))


def test_scores_name_what_has_no_scale():
    assert sum("not told apart" in text for text in texts_of(plots.scores(summary()))) == 1


# ------------------------------------------------------------------------------------ histograms


@pytest.mark.parametrize("kind", ["plausibility", "sizes"])
def test_one_model_is_drawn_with_its_shares(kind):
    made = summary()
    axes = getattr(plots, kind)(made, NAMES[1])
    curve = made["models"][1]["curves"][kind]
    for found, group in zip(steps_of(axes), ("synthetic", "popularity", "real"), strict=True):
        assert found.values == pytest.approx(curve[group])
        assert found.edges == pytest.approx(curve["edges"])
    assert legend_of(axes) == [NAMES[1], "independent popularity", "real users"]


@pytest.mark.parametrize("kind", ["plausibility", "sizes"])
def test_many_models_are_rows_of_one_scale(kind):
    made = summary()
    axes = getattr(plots, kind)(made)
    steps = steps_of(axes)
    assert len(steps) == 6
    for row, base in enumerate((1.0, 0.0)):
        curve = made["models"][row]["curves"][kind]
        found = steps[3 * row]
        assert found.baseline == base
        # The highest bar of all, .4, is .9 high.
        assert (found.values - base) * 0.4 / 0.9 == pytest.approx(curve["synthetic"])
    assert [text.get_text() for text in axes.get_yticklabels()] == list(NAMES)
    assert legend_of(axes) == ["synthetic users", "independent popularity", "real users"]


def test_popularity_curves():
    made = summary()
    axes = plots.popularity(made)
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines) == ["real users", *NAMES, "independent popularity"] == legend_of(axes)
    assert list(lines["real users"].get_ydata()) == [0.0, 0.8, 1.0]
    assert list(lines[NAMES[1]].get_ydata()) == pytest.approx([0.0, 0.7, 1.0])
    assert list(lines["independent popularity"].get_xdata()) == [0.0, 0.5, 1.0]
    dashes = {name: lines[name].get_linestyle() for name in lines}
    assert (dashes["real users"], dashes["independent popularity"]) == ("-", ":")


def test_curves_that_are_not_there():
    with pytest.raises(ValueError, match="`model` must name a model of the report; got GAN"):
        plots.plausibility(summary(), "GAN")
    made = summary()
    for one in made["models"]:
        one["curves"] = None
    with pytest.raises(ValueError, match="`summary` must hold curves of sizes"):
        plots.sizes(made)


# ---------------------------------------------------------------------------------------- points


def test_fidelity_against_coverage():
    axes = plots.fidelity_coverage(summary())
    points, (across, up) = points_of(axes, "PMF")
    assert points[0] == pytest.approx([0.9, 0.8])  # 1 - .2 are not flagged
    assert np.sort(across[0, :, 0]) == pytest.approx([0.5, 0.95])
    assert np.sort(up[0, :, 1]) == pytest.approx([0.4, 0.9])  # 1 - .6, 1 - .1
    assert points_of(axes, NAMES[1])[0][0] == pytest.approx([0.6, 0.5])
    assert points_of(axes, "real users")[0][0] == pytest.approx([0.96, 0.95])
    assert points_of(axes, "independent popularity")[0][0] == pytest.approx([0.4, 0.2])
    assert {*NAMES, "real users", "independent popularity"} <= set(texts_of(axes))
    assert "1 - UnrealisticUsers@0.05" in axes.get_ylabel()


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (("FrontierUnrealistic", "FrontierMissing"), "bits"),
        (("UnrealisticShare", "MissingShare"), "at least"),
    ],
)
def test_the_frontier_takes_the_best_pair_and_says_which(pair, words):
    made = summary()
    for one in made["models"][:2]:
        one["values"][pair[0]] = value(0.3, 0.25, 0.4, 0.0, 0.7)
        one["values"][pair[1]] = value(0.1, None, 0.2, 0.02, 0.6)
    made["metrics"] += [{**made["metrics"][0], "name": name} for name in pair]
    axes = plots.frontier(made)
    points, (across, up) = points_of(axes, "PMF")
    assert points[0] == pytest.approx([0.1, 0.3])
    assert np.sort(across[0, :, 0]) == pytest.approx([0.1, 0.2])
    assert np.sort(up[0, :, 1]) == pytest.approx([0.25, 0.4])
    assert points_of(axes, "real users")[0][0] == pytest.approx([0.02, 0.0])
    for label, name in ((axes.get_ylabel(), pair[0]), (axes.get_xlabel(), pair[1])):
        assert name in label
        assert words in label


def test_the_frontier_without_such_metrics():
    axes = plots.frontier(summary())
    assert points_of(axes, "PMF")[0][0] == pytest.approx([0.1, 0.2])  # 1 - .9 covered, flagged
    assert "1 - NeighbourCoverage@5" in axes.get_xlabel()
    assert "flagged" in axes.get_ylabel()


def test_points_that_were_not_measured():
    made = summary()
    made["metrics"] = made["metrics"][:1]
    with pytest.raises(ValueError, match="`summary` must hold NeighbourCoverage"):
        plots.fidelity_coverage(made)
    with pytest.raises(ValueError, match="must hold FrontierUnrealistic and FrontierMissing"):
        plots.frontier(made)


# ------------------------------------------------------------------------------------------ user


def test_a_user_is_drawn_with_the_offending_items_marked():
    axes = plots.user(summary(), "s7")
    bars = axes.patches
    assert [bar.get_width() for bar in bars] == pytest.approx([0.996, 1.0, 0.4, 0.0])
    assert [bar.get_hatch() for bar in bars] == ["////", "////", None, None]
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["tea $1$", "unheard-of", "bread", "milk"]
    beside = texts_of(axes)
    assert beside[0].endswith("99.6%: does not go with jam, <b>")
    assert beside[1].endswith("no real user holds it")
    assert beside[2].startswith("not judged")
    assert legend_of(axes) == ["gives the user away", "other items"]
    assert axes.get_title(loc="left") == "User s7, made up by PMF: 30 items, p-value .010"
    assert "26 more items not drawn" in axes.get_xlabel()


def test_a_real_user_is_called_so():
    assert "u1, a real user: 2 items" in plots.user(summary(), "u1").get_title(loc="left")


def test_a_user_who_is_not_shown():
    with pytest.raises(ValueError, match=r"`user_id` must be a user of the gallery.*s7, u1"):
        plots.user(summary(), "s99")
    with pytest.raises(ValueError, match="No user is shown"):
        plots.user(summary(), "s7", NAMES[1])


# ---------------------------------------------------------------------------------- the accessor


def test_a_report_draws_its_own_summary():
    report = Report("tastes", metrics={"UnrealisticUsers@0.05": MetricNote("0.05", "flagged")})
    found = Measurement(0.2, low=0.1, high=0.3, ceiling=0.05, floor=0.8, normalised=0.8)
    report.entries.append(
        Score("tastes", "PMF", "", "UnrealisticUsers@0.05", "held-out", 1, 0, found)
    )
    made = summary()["models"][0]
    report.curves["PMF"], report.gallery["PMF"] = made["curves"], made["gallery"]
    points, _ = points_of(report.plot.scores(), "PMF")
    assert points[:, 0] == pytest.approx([0.8])
    for axes in (
        report.plot.plausibility(model="PMF"),
        report.plot.sizes("PMF"),
        report.plot.popularity(),
        report.plot.user("s7"),
    ):
        assert axes.get_title(loc="left")
    own = Figure().add_subplot()
    assert report.plot.scores(own) is own
    with pytest.raises(ValueError, match="NeighbourCoverage"):
        report.plot.fidelity_coverage()
    with pytest.raises(ValueError, match="FrontierMissing"):
        report.plot.frontier()
    assert ".fidelity_coverage()" in repr(report.plot)


def test_a_notebook_shows_axes_without_pyplot():
    axes = plots.scores(summary())
    shown = axes._repr_html_()
    assert shown == axes.figure._repr_html_()
    assert "--ink: currentColor" in shown
    assert shown.count("<svg ") == 1


def test_colours_are_those_of_the_style():
    axes = plots.popularity(summary())
    colours = [line.get_color() for line in axes.lines]
    assert colours == [REAL, *SYNTHETIC[:2], POPULARITY]
