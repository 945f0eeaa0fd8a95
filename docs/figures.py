"""Tables of the documentation, from the CSV files that the experiments wrote.

A page says `figures.show("zoo")` between cog's marks, and cog writes the table below it. Which
tables there are is in `docs/building/figures_of_*.py`.

Command: python docs/figures.py --write (or --check, which changes nothing and fails if it would)
"""

import argparse
import csv
import hashlib
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import cogapp
import pandas as pd
from building.registry import FIGURES, ROOT

MADE = ROOT / "docs" / "made.csv"
"""When each file was made: a new date is written where its content has changed."""
for module in ("models", "validity", "membership", "judges", "speed"):
    import_module(f"building.figures_of_{module}")


def show(*names: str) -> None:
    """Write figures and where they come from; called by cog."""
    import cog

    lines = "\n".join(text(name) for name in names)
    cog.outl(f"\n{lines}\n")


def text(name: str) -> str:
    """Return a figure as Markdown, with its command and its date."""
    found = FIGURES[name]
    made = found.make(*(pd.read_csv(ROOT / file) for file in found.files))
    dates = " and ".join(sorted({row["made"] for row in entries() if row["file"] in found.files}))
    away = found.command.startswith("../")
    command = found.command.removeprefix("../") if away else f"experiments/{found.command}"
    command = f"`python {command}`"
    return f"{made} ({command}, {dates})" if "|" not in made else f"{made}\n\n{command}, {dates}."


def entries() -> list[dict[str, str]]:
    """Return files, dates and hashes as they are written down."""
    with MADE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def renewed() -> list[dict[str, str]]:
    """Return the same for the files as they are: today where one has changed."""
    known = {row["file"]: row for row in entries()}
    today = datetime.now(UTC).date().isoformat()
    found = []
    for file in sorted({file for one in FIGURES.values() for file in one.files}):
        content = (ROOT / file).read_bytes().replace(b"\r\n", b"\n")
        sha256 = hashlib.sha256(content).hexdigest()[:16]
        old = known.get(file, {"sha256": "", "made": today})
        found.append(
            {
                "file": file,
                "made": old["made"] if old["sha256"] in ("", sha256) else today,
                "sha256": sha256,
            }
        )
    return found


def pages() -> list[Path]:
    """Return the pages in which cog has work."""
    folders = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "experiments" / "README.md"]
    return [
        page
        for page in [ROOT / "README.md", *folders]
        if "[[[cog" in page.read_text(encoding="utf-8")
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the figures into the pages, or check that they are there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--write", action="store_true", help="write what the files say")
    group.add_argument("--check", action="store_true", help="fail where a page says otherwise")
    asked = parser.parse_args(arguments)
    rows = renewed()
    if asked.write:
        with MADE.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["file", "made", "sha256"], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    elif rows != entries():
        changed = [row["file"] for row in rows if row not in entries()]
        parser.exit(1, f"changed, or no longer used: {', '.join(changed)}\n")
    options = ["-p", "import figures", "-I", str(ROOT / "docs"), "-n", "UTF-8"]
    mode = ["-r"] if asked.write else ["--check", "--check-fail-msg=python docs/figures.py --write"]
    status: int = cogapp.Cog().main(["cog", *options, *mode, *(str(page) for page in pages())])
    return status


if __name__ == "__main__":
    sys.exit(main())
