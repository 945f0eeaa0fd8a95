"""The page: escaped, bounded, self-contained, and every number is the summary's."""

import base64
import hashlib
import html
import json
import re
import sys

import pytest
from page_worlds import HOSTILE, many_models, planted_summary

from cornac_mle.report import _layout
from cornac_mle.report._numbers import half_width, number
from cornac_mle.report.page import Pictures, as_page, page
from cornac_mle.report.page._bars import Scale, distance

pytest.importorskip("jinja2")


@pytest.fixture(scope="module")
def summary():
    return planted_summary()


@pytest.fixture(scope="module")
def text(summary):
    return as_page(summary)


def shown(fragment):
    """Text that a reader sees, without pictures."""
    fragment = re.sub(r"<(svg|script|style).*?</\1>", " ", fragment, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", "", fragment))


def section(text, name):
    return re.search(rf'<section id="{name}".*?</section>\n', text, re.DOTALL)[0]


def table_rows(fragment):
    """Words of each cell, by row."""
    rows = re.findall(r"<tr>(.*?)</tr>", fragment, re.DOTALL)
    return [
        [
            " ".join(shown(cell).split())
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        ]
        for row in rows
    ]


def test_text_of_the_data_is_text(text):
    tags = {tag.lower() for tag in re.findall(r"<([a-zA-Z]+)", text)}
    assert "img" not in tags
    assert "b>and" in html.unescape(text)
    assert "<b>and" not in text
    assert text.count("<script") == text.count("<style") == 1
    assert not re.search(r"<[^>]*\son\w+=", text)
    for name in (HOSTILE["i50"], HOSTILE["i55"]):
        assert str(html.escape(name)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;") in text


def test_control_characters_are_spelt_and_long_names_cut(text):
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)
    assert "two lines, \\x1b[31mred\\x00 {{ 7 * 7 }}" in html.unescape(text)
    assert "\\u202eright to left" in text
    assert "x" * 199 + "…" in text
    assert "x" * 200 not in text


def test_names_of_the_data_do_not_turn_what_stands_beside_them(text):
    for name in re.findall(r"<mark>.*?</mark>", text):
        assert "<bdi>" in name
    for words in re.findall(r"jam \d+</", text):
        assert f"<bdi>{words}bdi>" in text


def test_the_policy_lets_in_this_script_and_this_style_only(text):
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1])
    rules = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for tag, rule in (("script", "script-src"), ("style", "style-src-elem")):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert "unsafe-inline" not in rules["script-src"]
    assert text.index("Content-Security-Policy") < text.index("<style")


def test_nothing_is_loaded_and_links_lead_to_places_of_the_page(text):
    assert not re.search(r"<[^>]*\s(src|srcset|action|formaction|data)=", text)
    assert not re.search(r"@import|url\((?!#)", text)
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for link in re.findall(r'\shref="([^"]*)"', text):
        assert link.startswith("#")
        assert link[1:] in ids
    for names in re.findall(r'aria-labelledby="([^"]+)"', text):
        assert names in ids


def test_the_cells_of_the_table_are_the_summarys(summary, text):
    model = summary["models"][0]
    rows = table_rows(section(text, "metrics"))
    assert rows[0] == ["metric", "synthetic", "real users", "popularity", "best"]
    for metric, row in zip(_layout.shown_metrics(summary), rows[1:], strict=True):
        value, half, _ = _layout.cell(model["values"].get(metric["name"]))
        ends = [_layout.reference(summary, metric["name"], k) for k in ("real_users", "popularity")]
        assert row[0].startswith(metric["name"])
        assert row[1:] == [value + half, *ends, metric["best"]]


def test_the_cells_of_many_models_are_the_summarys():
    summary = many_models(5)
    text = as_page(summary)
    metrics = _layout.shown_metrics(summary)
    rows = table_rows(section(text, "metrics"))
    assert rows[0] == ["made up by", *(metric["name"] for metric in metrics)]
    for model, row in zip(summary["models"], rows[4:], strict=True):
        spelt = ["".join(_layout.cell(model["values"].get(m["name"]))[:2]) for m in metrics]
        assert row == [model["name"], *spelt]
    answers = table_rows(section(text, "answers"))
    assert answers[1] == ["real users", *_layout.answer_rows(summary)[0][1]]
    for row, (name, cells) in zip(answers[2:], _layout.answer_rows(summary)[1:], strict=True):
        assert row[0] == name
        for found, cell in zip(row[1:], cells, strict=True):
            assert found.replace("✕ ", "").replace("- ", "").startswith(cell)


def numbers_of(thing):
    """All numbers of a summary, and those in its sentences, as they are spelt."""
    if isinstance(thing, dict):
        found = set().union(*map(numbers_of, thing.values()), set())
        if {"low", "high"} <= set(thing):
            found.add(half_width(thing["low"], thing["high"]))
        return found
    if isinstance(thing, list):
        return set().union(*map(numbers_of, thing), set())
    if isinstance(thing, str):
        return set(re.findall(NUMBER, thing))
    return {number(thing)} if isinstance(thing, float) else set()


NUMBER = r"(?<![\w.])-?\d*\.\d+"


def test_every_number_is_the_summarys(summary, text):
    allowed = numbers_of({**summary, "made": {}})
    odd = {
        _layout.against(i)[0] for u in summary["models"][0]["gallery"]["users"] for i in u["items"]
    }
    allowed |= {number[:-1] for number in odd} | {"0.1", ".31", ".5"}  # q; in explanations
    for name in ("answers", "metrics", "users"):
        part = re.sub(r"<figure>.*?</figure>", "", section(text, name), flags=re.DOTALL)
        found = set(re.findall(NUMBER, shown(part)))
        assert len(found) > 5
        assert found <= allowed, found - allowed


def test_verdict_words_are_the_answers(summary, text):
    cards = re.findall(
        r'<section class="card ([\w-]+)".*?</section>', section(text, "answers") + text
    )
    for model in summary["models"]:
        assert "worse" not in {answer["verdict"] for answer in model["answers"].values()}
    assert "worse" not in cards
    summary = planted_summary()
    summary["models"][0]["answers"]["believable"]["verdict"] = "worse"
    assert 'class="card worse"' in as_page(summary)


@pytest.mark.parametrize(
    ("count", "letters", "is_whole"),
    [(1, 20, True), (9, 40, True), (9, 500, False), (40, 60, False), (400, 60, False)],
)
def test_a_page_is_small_whatever_it_shows(count, letters, is_whole):
    text = as_page(many_models(count, letters))
    assert len(text.encode()) <= page.LARGEST_PAGE
    assert "Model 0 &lt;b&gt;" in text
    assert ("Left out of this page" not in text) == is_whole


def test_warnings_failures_and_unknown_items_are_shown():
    summary = planted_summary()
    summary["models"][0]["alert"] = "its users are the <real> ones"
    summary["models"][0]["unknown_items"] = {
        "n_items": 2,
        "n_preferences": 3,
        "listed": [
            {"item": "i99", "name": "<i>unicorn</i>", "n_users": 2},
            {"item": "i98", "name": None, "n_users": 1},
        ],
    }
    summary["models"].append(
        {**summary["models"][0], "name": "broken", "values": {}, "failed": "ValueError: <two>"}
    )
    text = as_page(summary)
    words = shown(text)
    assert "its users are the <real> ones" in words
    assert "FAILED, and not in the tables or not with every fit. broken: ValueError: <two>" in words
    assert (
        "3 preferences for 2 items that no real user holds: <i>unicorn</i> (2), i98 (1)." in words
    )


def test_no_models_no_pictures_and_what_is_not_made_are_no_obstacle(summary):
    bare = {**planted_summary(), "models": [], "differences": None, "made": {}}
    assert "No users were measured." in as_page(bare)
    plain = planted_summary()
    plain["models"][0].update(gallery=None, curves=None, judges={})
    assert "Users to look at" not in as_page(plain)


def test_how_it_was_made_is_shown(summary, text):
    made = shown(section(text, "made"))
    for words in (summary["made"]["date"], summary["made"]["versions"]["numpy"], "seed 123"):
        assert words in made


def test_a_summary_read_back_gives_the_same_page(summary, text):
    assert as_page(json.loads(json.dumps(summary))) == text


def test_other_dictionaries_are_refused():
    with pytest.raises(ValueError, match="`summary` must be a 'cornac-mle summary' of version 1"):
        as_page({"format": "another"})


def test_without_jinja_the_error_says_what_to_install(summary, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    page._environment.cache_clear()
    with pytest.raises(ImportError, match=r"pip install cornac-mle\[report\]"):
        as_page(summary)


def test_bars_have_real_users_at_the_right(summary):
    for metric in _layout.shown_metrics(summary):
        values = [
            m["values"][metric["name"]] for m in summary["models"] if metric["name"] in m["values"]
        ]
        scale = Scale.of(values)
        bars = [scale.bar(value) for value in values if scale]
        places = [[bar.value, bar.low, bar.high, bar.popularity] for bar in bars]
        assert not bars or min(min(marks) for marks in places) == 4.0  # the most unlike real users
        for bar in bars:
            assert bar.real_users >= 50  # what is most unlike them is at the left end
            marks = [bar.value, bar.low, bar.high, bar.real_users, bar.popularity]
            assert all(0 <= mark <= 100 for mark in marks)
            assert bar.low <= bar.value <= bar.high


def test_distance_is_in_distances_of_popularity():
    value = {"value": 0.4, "real_users": 0.1, "popularity": 0.7, "minimum_detectable": 0.05}
    assert distance(value) == pytest.approx(0.5)
    assert distance({**value, "popularity": 0.1}) == pytest.approx(6.0)
    assert distance({**value, "real_users": None}) is None


def test_pictures_that_were_drawn_elsewhere_are_taken_as_they_are(summary, text, monkeypatch):
    pictures = Pictures(summary)
    names = [model["name"] for model in summary["models"]]
    drawn = {name: pictures.of_model(name) for name in names}
    assert any(drawn.values())
    monkeypatch.setattr("cornac_mle.report.plots.plausibility", None)  # nothing is drawn again
    assert as_page(summary, drawn) == text
