"""What the documentation shows is run: Python, shell lines and configurations.

Examples with prompts are doctests; this is about the others.
"""

import re
import shlex

import pytest
from typer.main import get_command

from cornac_mle.cli import app
from forked_python import run_program
from paths import REPOSITORY

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINES = re.compile(r"^(?: {4}|\$ )?(cornac-mle (?:[^\n\\]|\\\n)*)$", re.MULTILINE)


def snippets(page):
    found = CODE.findall(page.read_text(encoding="utf-8"))
    return [code for code in found if ">>>" not in code]


WITH_CODE = [page for page in PAGES if snippets(page)]


def name_of(page):
    return str(page.relative_to(REPOSITORY))


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_code_runs(page, tmp_path):
    code = "\n".join(snippets(page))
    run = run_program(code, name_of(page), tmp_path, 240, every=3)  # households, for speed
    assert run.status == 0, run.errors


def commands(page):
    found = LINES.findall(page.read_text(encoding="utf-8"))
    words = [shlex.split(one.replace("\\\n", " ").split("|")[0], comments=True) for one in found]
    return [one[1:] for one in words if "..." not in one]


WITH_COMMANDS = [page for page in PAGES if commands(page)]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name_of)
def test_commands_and_their_options_exist(page):
    known = get_command(app).commands
    for name, *arguments in commands(page):
        if name.startswith("--"):
            continue
        options = {
            option for one in known[name].params for option in (*one.opts, *one.secondary_opts)
        }
        asked = {word.split("=")[0] for word in arguments if word.startswith("--")}
        assert asked - {"--help"} <= options, (name, asked - options)
