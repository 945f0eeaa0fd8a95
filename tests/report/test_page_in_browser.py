"""The page in a browser: it opens from disk, asks nobody for anything, and can be used by all."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from page_worlds import HOSTILE, PLANTED, many_models, planted_summary

from cornac_mle.report.page import as_page

pytest.importorskip("jinja2")
sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("there is no Chromium here (Debian: chromium)", allow_module_level=True)

WIDTHS = (360, 1280)


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The pages of an audit and of a comparison of many models."""
    folder = tmp_path_factory.mktemp("pages")
    made = {}
    for name, summary in (("audit", planted_summary()), ("models", many_models(5, 40, n_items=8))):
        made[name] = folder / f"{name}.html"
        made[name].write_text(as_page(summary), encoding="utf-8")
    return made


@contextmanager
def opened(browser, path: Path, width=1280, scheme="light", **settings):
    """Open a page from disk; nothing may be asked for, and nothing complained of."""
    viewport = {"width": width, "height": 800}
    context = browser.new_context(viewport=viewport, color_scheme=scheme, **settings)
    page = context.new_page()
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    yield page
    assert asked == [path.as_uri()]
    assert complaints == []
    context.close()


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
@pytest.mark.parametrize("name", ["audit", "models"])
def test_it_opens_and_fits_its_window_and_everybody_can_use_it(browser, files, name, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    with opened(browser, files[name], width, scheme) as page:
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
        response = axe.Axe().run(page).response
    assert len(response["passes"]) > 20
    found = response["violations"]
    grave = [
        (one["id"], [node["html"][:200] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert not grave


def first_column(page):
    names = page.locator("#metrics table tbody:last-of-type th").all_inner_texts()
    return [name.strip().split("\n")[0] for name in names]


@pytest.mark.parametrize("key", ["click", "Enter", "Space"])
def test_a_table_is_sorted_by_click_and_by_keyboard(browser, files, key):
    with opened(browser, files["models"]) as page:
        before = first_column(page)
        heading = page.locator("#metrics thead button").nth(1)
        cells = page.locator("#metrics table tbody:last-of-type tr td:nth-child(2)")

        def press():
            if key == "click":
                heading.click()
            else:
                heading.focus()
                page.keyboard.press(key)

        def values():
            return [float(cell.get_attribute("data-value")) for cell in cells.all()]

        press()
        press()
        assert values() == sorted(values(), reverse=True)
        assert first_column(page) == before[::-1]
        assert page.locator("#metrics thead th").nth(1).get_attribute("aria-sort") == "descending"
        press()
        assert values() == sorted(values())


def planted_user(page):
    return page.locator("#m0 details.user.worst").filter(has=page.get_by_text("s4", exact=True))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_user_is_opened_and_the_planted_preferences_are_marked(
    browser, files, width, has_scripts
):
    with opened(browser, files["audit"], width, java_script_enabled=has_scripts) as page:
        user = planted_user(page)
        assert user.count() == 1
        if user.get_attribute("open") is None:
            user.locator("summary").click()
        marks = user.locator("mark")
        names = [text.replace("\n", "") for text in marks.all_inner_texts()]
        for planted in PLANTED:
            assert any(HOSTILE[planted] in name for name in names)
        assert all(name.startswith("▲") for name in names)  # not by colour alone
        assert marks.first.is_visible()
        assert "odder than 99" in user.inner_text()
        other = page.locator("#m0 details.user.worst").nth(1)
        other.locator("summary").click()
        assert other.locator(".odd").is_visible()


def test_without_scripts_nothing_pretends_to_be_a_button(browser, files):
    with opened(browser, files["audit"], java_script_enabled=False) as page:
        assert page.locator("button").count() == 0
        metric = page.locator("#metrics th details").first
        metric.locator("summary").click()
        assert "less plausible" in metric.inner_text()
        assert page.locator("#answers .card").count() == 3


def test_hostile_names_do_nothing(browser, files):
    with opened(browser, files["audit"]) as page:
        assert page.title().startswith("jams <b>and</b> teas")
        assert page.locator("img, #users style, #users script").count() == 0
        assert page.locator("h1").inner_text() == "jams <b>and</b> teas"
        assert "x" * 199 in page.locator("#users").inner_text()


def test_a_link_to_a_user_unfolds_it(browser, files):
    with opened(browser, files["models"]) as page:
        assert page.locator("#m3").get_attribute("open") is None
        page.locator("#answers tbody a").nth(3).click()
        page.locator("#m3[open]").wait_for()
        page.locator("#m3 .example a").click()
        target = page.evaluate("location.hash")
        page.locator(f"{target}[open]").wait_for()


def test_the_policy_stops_what_would_slip_in(browser, files):
    context = browser.new_context()
    page = context.new_page()
    page.goto(files["audit"].as_uri())
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'taken over'";
            document.body.append(script);
            const style = document.createElement("style");
            style.textContent = "body { display: none }";
            document.body.append(style);
        }"""
    )
    assert page.title() != "taken over"
    assert page.locator("h1").is_visible()
    context.close()
