"""What does the page of a comparison look like? Two pictures of it, light and dark.

Two models are fitted to the embedded data, their page is made, and Debian's Chromium takes a
picture of its top, 1280 pixels wide.

Command: python experiments/page_pictures.py [--out docs/pictures]
Minutes: under one, on one core; it needs the extra `report`, playwright and /usr/bin/chromium.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from cornac_mle import PMF, HeldOutUsers, Mixture, compare
from cornac_mle.datasets import complete_journey
from cornac_mle.report.page import as_page

WIDTH, HEIGHT = 1280, 1130
N_COLOURS = 128
"""A palette makes the files small; the page has few colours."""


def page() -> str:
    method = HeldOutUsers(complete_journey.load_feedback(), rating_threshold=3, seed=123)
    report = compare([Mixture(k=20, seed=123), PMF(k=20, seed=123)], method)
    report.dataset = "Groceries of 2,500 households"
    return as_page(report.summary())


def take(html: Path, folder: Path) -> None:
    """Take a picture in each scheme."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for scheme in ("light", "dark"):
            opened = browser.new_page(
                viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme
            )
            opened.goto(html.as_uri())
            path = folder / f"page_{scheme}.png"
            opened.screenshot(path=path)
            with Image.open(path) as picture:
                small = picture.convert("RGB").quantize(N_COLOURS)
            small.save(path, optimize=True)
            print(f"{path}: {path.stat().st_size:,} bytes")
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        html = Path(folder) / "report.html"
        html.write_text(page(), encoding="utf-8")
        take(html, arguments.out)


if __name__ == "__main__":
    main()
