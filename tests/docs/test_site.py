"""The site is built without a warning, is small, whole, and needs no network."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from paths import REPOSITORY

MOST_BYTES = 10_000_000
NOT_OURS = {"cornac_mle.search.Continuous", "cornac_mle.search.Discrete"}
"""Names of Cornac's that a module of ours gives, too."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    run = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return folder


class Loaded(HTMLParser):
    """Addresses that a browser fetches to show a page."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        fetched = values.get("href") if tag == "link" else values.get("src")
        if fetched:
            self.found.append(fetched)


def test_it_is_small_whole_and_needs_no_network(site):
    # One test, so that no second process builds the site again.
    files = [path for path in site.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert loaded.found
        assert not [one for one in loaded.found if re.match(r"(https?:)?//", one)], page
    check_api(site)
    check_formulas(site)
    check_in_browser(site)


def check_api(site):
    """Each public name and member has an entry."""
    text = "".join(page.read_text("utf-8") for page in (site / "reference" / "api").glob("*.html"))
    documented = {tail(entry) for entry in re.findall(r'id="cornac_mle\.([\w.]+)"', text)}
    listed = (REPOSITORY / "tests" / "golden" / "public_api.txt").read_text(encoding="utf-8")
    names = [line.split(": ")[0] for line in listed.splitlines() if ": is " not in line]
    missing = {name for name in names if tail(name.removeprefix("cornac_mle.")) not in documented}
    assert missing == NOT_OURS


def tail(name):
    """Name without the module; of a member, with its class.

    "models.base.VAE.fit" and "VAE.fit" are one, and so are "auditing.audit" and "audit".
    """
    parts = name.split(".")
    of_class = len(parts) > 1 and parts[-2][0].isupper()
    return ".".join(parts[-2:]) if of_class else parts[-1]


def check_formulas(site):
    text = (site / "reference" / "api" / "metrics.html").read_text(encoding="utf-8")
    assert text.count('<math xmlns="http://www.w3.org/1998/Math/MathML"') > 20
    assert ":math:" not in text
    assert ".. math" not in text


def check_in_browser(site):
    """Open a page from the disk, without a network, and search."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for width, scheme in ((1280, "light"), (360, "dark")):
            page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
            asked = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto((Path(site) / "results" / "zoo.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            if width > 1000:
                page.fill("input.md-search__input", "memoriser")
                page.wait_for_selector(".md-search-result__item", timeout=15_000)
            assert all(url.startswith(("file:", "data:", "blob:", "about:")) for url in asked)
        browser.close()
