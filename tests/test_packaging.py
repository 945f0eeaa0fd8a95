"""What is published: bounds that are tested, links that lead somewhere, types that others see."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from paths import REPOSITORY

TOOLS = {
    *("build", "mypy", "pandas-stubs", "reuse", "ruff", "twine"),
    *("codespell", "cogapp", "latex2mathml", "mkdocs-material", "mkdocstrings-python"),
}
"""What checks, packs and builds the site, in one version: that of constraints.txt."""

UNTESTED = {"torch"}
"""Older releases bring gigabytes of GPU libraries."""

PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CHANGELOG.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    REPOSITORY / "examples" / "README.md",
    REPOSITORY / "experiments" / "README.md",
]


def lower_bounds():
    """Lowest version of each package that setup.cfg names, by name."""
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    extras = setup["options.extras_require"]
    lines = "\n".join([setup["options"]["install_requires"], *extras.values()]).split("\n")
    named = [Requirement(line) for line in lines if line.strip()]
    return {
        each.name: next(iter(each.specifier)).version for each in named if each.name != "cornac-mle"
    }


def pinned(file):
    """Version of each package that a constraints file names."""
    lines = (REPOSITORY / file).read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line.partition("#")[0]) for line in lines if line.partition("#")[0].strip()]
    return {pin.name.lower(): next(iter(pin.specifier)).version for pin in pins}


def test_each_lower_bound_is_a_version_that_is_tested():
    lowest, newest = pinned("constraints-lowest.txt"), pinned("constraints.txt")
    bounds = lower_bounds()
    assert {"cornac", "typer", "torch", "pyarrow", "pytest", "ruff", "twine"} <= set(bounds)
    for name, bound in bounds.items():
        if name in UNTESTED:
            assert Version(bound) < Version(newest[name])
        elif name in TOOLS:
            assert f"{newest[name]}.".startswith(f"{bound}."), name
        else:
            assert Version(bound) == Version(lowest[name]), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_to_files_of_the_repository(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    missing = [
        link
        for link in links
        if not link.startswith(("http://", "https://")) and not (page.parent / link).exists()
    ]
    assert not missing


def test_the_readme_is_short_and_shows_on_a_package_index():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    if setup.has_option("metadata", "project_urls"):
        # A page of an index is not beside the files, so that links must say where they are.
        relative = re.findall(r"\]\((?!https://|#)[^)]*\)", text)
        assert not relative


def test_mypy_sees_an_editable_install(tmp_path):
    # setuptools' import hooks are invisible to mypy; a path in a .pth file is not.
    pytest.importorskip("setuptools", minversion="77.0.3")
    pytest.importorskip("mypy")
    source, built, project = tmp_path / "source", tmp_path / "built", tmp_path / "project"
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "cornac_mle", source / "cornac_mle", ignore=skipped)
    shutil.copytree(REPOSITORY / "LICENSES", source / "LICENSES")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    built.mkdir()
    build = "import sys; from setuptools import build_meta; build_meta.build_editable(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", build, built], cwd=source, check=True, capture_output=True
    )
    python = environment(project / ".venv")
    [wheel] = built.glob("*.whl")
    [site] = (project / ".venv").glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (project / "user.py").write_text(
        "from cornac_mle.models import Popularity\n"
        "reveal_type(Popularity().name)\n"
        "reveal_type(Popularity().sample)\n"
        "Popularity().sample('many', rng=1)\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "user.py"]
    elsewhere = {"PYTHONPATH", "MYPYPATH"}  # where mypy might find the package too
    run = subprocess.run(
        command,
        cwd=project,
        env={name: value for name, value in os.environ.items() if name not in elsewhere},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "import-untyped" not in run.stdout
    assert "import-not-found" not in run.stdout
    assert 'Revealed type is "def (n_users: int, *, rng: ' in run.stdout
    assert 'Argument 1 to "sample"' in run.stdout
    assert run.returncode == 1


def environment(folder: Path):
    """Make an empty environment; gives its interpreter."""
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"
