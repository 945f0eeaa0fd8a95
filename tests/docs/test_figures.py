"""Numbers in the documentation are those of the files that scripts wrote."""

import re
import shutil
import subprocess
import sys

import pytest

from paths import REPOSITORY

BY_HAND = {
    "README.md": "the table that `cornac-mle compare` prints",
    "experiments/README.md": "figure 1 and the learned judges write no file",
}
"""Pages with tables of figures that no file holds, and why."""
RESULTS = [
    REPOSITORY / "README.md",
    REPOSITORY / "experiments" / "README.md",
    *sorted((REPOSITORY / "docs" / "results").glob("*.md")),
]


def figures(*arguments, root=REPOSITORY):
    command = [sys.executable, str(root / "docs" / "figures.py"), *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path):
    """The pages and the files that they are made from, to be changed."""
    for folder in ("docs", "experiments"):
        skipped = shutil.ignore_patterns("*.png", "*.svg", "__pycache__")
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=skipped)
    shutil.copy(REPOSITORY / "README.md", tmp_path)
    return tmp_path


def test_pages_say_what_the_files_say():
    run = figures("--check")
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_changed_number_of_a_page_is_found(copy):
    page = copy / "docs" / "results" / "zoo.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("| .383 |", "| .384 |", 1), encoding="utf-8")
    run = figures("--check", root=copy)
    assert run.returncode != 0
    assert "figures.py --write" in run.stdout + run.stderr


def test_a_changed_file_is_found_and_written_with_a_new_date(copy):
    file = copy / "docs" / "validity" / "fdp.csv"
    file.write_text(file.read_text(encoding="utf-8").replace("0.194", "0.195"), encoding="utf-8")
    run = figures("--check", root=copy)
    assert run.returncode == 1
    assert "docs/validity/fdp.csv" in run.stderr
    assert figures("--write", root=copy).returncode == 0
    assert figures("--check", root=copy).returncode == 0
    text = (copy / "docs" / "results" / "validity.md").read_text(encoding="utf-8")
    assert "| .195 |" in text
    assert "made,sha256" in (copy / "docs" / "made.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", RESULTS, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_tables_of_figures_come_from_files(page):
    text = page.read_text(encoding="utf-8")
    rest = re.sub(r"\[\[\[cog.*?\[\[\[end\]\]\]", "", text, flags=re.DOTALL)
    by_hand = re.findall(r"^\|.*[\s(]\.\d.*\|$", rest, flags=re.MULTILINE)
    allowed = str(page.relative_to(REPOSITORY)) in BY_HAND
    assert allowed or not by_hand, by_hand[:3]
