"""Each notebook of the documentation runs as it stands, fast enough to be tried.

One is run by Jupyter, in a kernel that imports everything anew; of the others IPython runs the
cells, as a kernel has it do, in a process that need not.
"""

import json
import re
import time

import nbformat
import pytest
from nbclient import NotebookClient

from forked_python import run_program
from paths import REPOSITORY

NOTEBOOKS = REPOSITORY / "docs" / "notebooks"
MOST_SECONDS = 60


def written(name):
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


IN_A_KERNEL = "audit_and_compare"
CELLS = """
import json
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
shown = {}
for source in %r:
    done = shell.run_cell(source)
    done.raise_error()
    if done.result is not None:
        kinds, _ = shell.display_formatter.format(done.result)
        shown[source.splitlines()[-1]] = kinds.get("text/html", "")
Path(%r).write_text(json.dumps(shown), encoding="utf-8")
"""


def sources(name):
    return [cell.source for cell in written(name).cells if cell.cell_type == "code"]


def shown_by(name, folder):
    """What cells show, by their last line."""
    if name == IN_A_KERNEL:
        client = NotebookClient(written(name), timeout=4 * MOST_SECONDS, kernel_name="python3")
        return html_of(client.execute(cwd=str(REPOSITORY)).cells)
    program = CELLS % (sources(name), str(folder / "shown.json"))
    run = run_program(program, f"{name}.ipynb", REPOSITORY, 4 * MOST_SECONDS)
    assert run.status == 0, run.output + run.errors
    return json.loads((folder / "shown.json").read_text(encoding="utf-8"))


def html_of(cells):
    """What cells that a kernel ran show, by their last line."""
    shown = {}
    for cell in cells:
        for output in cell.get("outputs", []):
            if output.output_type == "execute_result":
                shown[cell.source.splitlines()[-1]] = output.data.get("text/html", "")
    return shown


def figure_one_says_what_the_text_beside_it_says(shown):
    tables = [text for text in shown.values() if "<th>maximum likelihood" in text]
    assert [re.findall(r"<td>([-.\d]+)</td>", text)[:2] for text in tables] == [
        ["8.0", "8.06"],
        ["0.76", "0.00"],
    ]


def training_users_who_were_smuggled_in_are_named(shown):
    # Twenty are; at a false discovery rate of .1 some others may be among those named.
    assert re.search(r"<th>True</th>\s*<td>(19|2[0-4])</td>", list(shown.values())[-1])


def faces_show_what_they_are_of(shown):
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


def pictures_are_inline_and_take_the_colour_of_the_text(shown):
    pictures = {line: text for line, text in shown.items() if ".plot." in line}
    assert len(pictures) == 6
    for text in pictures.values():
        assert text.count("<svg ") == 1
        assert "currentColor" in text
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    ids = [one for text in pictures.values() for one in re.findall(r'\bid="([^"]+)"', text)]
    assert len(ids) == len(set(ids))


# Beside the run, so that no second process runs the notebook again.
SAYS = {
    "audit_and_compare": (
        faces_show_what_they_are_of,
        pictures_are_inline_and_take_the_colour_of_the_text,
    ),
    "figure_one": (figure_one_says_what_the_text_beside_it_says,),
    "look_at_users": (training_users_who_were_smuggled_in_are_named,),
}


def test_all_notebooks_are_tried():
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")) == sorted(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_no_output_is_kept_in_the_repository(name):
    notebook = written(name)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("name", SAYS)
def test_it_runs_and_every_cell_shows_something(name, tmp_path):
    shown = shown_by(name, tmp_path)
    assert len(shown) == len(sources(name))
    assert all(shown.values())
    for check in SAYS[name]:
        check(shown)


@pytest.mark.benchmark
@pytest.mark.parametrize("name", SAYS)
def test_it_runs_within_a_minute(name, tmp_path):
    start = time.perf_counter()
    shown_by(name, tmp_path)
    assert time.perf_counter() - start < MOST_SECONDS
