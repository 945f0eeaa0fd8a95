"""The notebook of the documentation runs as it stands, fast enough to be tried, and shows faces."""

import re
import time

import nbformat
import pytest
from nbclient import NotebookClient

from paths import REPOSITORY

NOTEBOOK = REPOSITORY / "docs" / "notebooks" / "audit_and_compare.ipynb"
MOST_SECONDS = 60


@pytest.fixture(scope="module")
def written():
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def executed(written):
    client = NotebookClient(written.copy(), timeout=4 * MOST_SECONDS, kernel_name="python3")
    start = time.perf_counter()
    cells = client.execute(cwd=str(REPOSITORY)).cells
    return cells, time.perf_counter() - start


def html_of(cells):
    """What cells show, by their last line."""
    shown = {}
    for cell in cells:
        for output in cell.get("outputs", []):
            if output.output_type == "execute_result":
                shown[cell.source.splitlines()[-1]] = output.data.get("text/html", "")
    return shown


def test_no_output_is_kept_in_the_repository(written):
    nbformat.validate(written)
    for cell in written.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_it_runs_within_a_minute_and_every_cell_shows_something(executed):
    cells, seconds = executed
    assert seconds < MOST_SECONDS
    shown = html_of(cells)
    assert len(shown) == sum(cell.cell_type == "code" for cell in cells)
    assert all(shown.values())


def test_faces_show_what_they_are_of(executed):
    shown = html_of(executed[0])
    assert "HeldOutUsers(&#x27;Complete Journey&#x27;" in shown["method"]
    for face, words in (
        ("report", ("Believable?", "Mixture", "Popularity", "UnrealisticUsers@0.05")),
        ("audited", ("half shuffled", "other real users", "NeighbourCoverage@5")),
        ("users", ("500", "preferences", "s0")),
        ("model", ("Mixture(n_init=1, seed=1)", "994 users")),
    ):
        assert all(word in shown[face] for word in words)
    # Shuffling takes tastes away, and new real users stay real.
    rows = dict(re.findall(r"<tr><td>([^<]+)</td><td>([^<]+)</td>", shown["audited"]))
    assert rows["half shuffled"].endswith("worse")
    assert not rows["other real users"].endswith("worse")


def test_pictures_are_inline_and_take_the_colour_of_the_text(executed):
    pictures = {line: text for line, text in html_of(executed[0]).items() if ".plot." in line}
    assert len(pictures) == 6
    for text in pictures.values():
        assert text.count("<svg ") == 1
        assert "currentColor" in text
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    ids = [one for text in pictures.values() for one in re.findall(r'\bid="([^"]+)"', text)]
    assert len(ids) == len(set(ids))
