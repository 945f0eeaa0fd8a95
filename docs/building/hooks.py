"""What the site takes from outside of docs/, and formulas that need no script.

Links in the sources are those of the repository, so that they work in a checkout; here they become
those of the site.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

import latex2mathml.converter
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "CITATION.cff",
    "examples/*",
    "experiments/README.md",
    "experiments/*.py",
    "experiments/pictures/*.png",
    "cornac_mle/datasets/complete_journey.md",
    "cornac_mle/datasets/complete_journey.LICENSE",
)
LINK = re.compile(r"(?<=\]\()([^)#\s:]+)(?=[#)])")
CODE = re.compile(r"^( *```).*?^\1", re.DOTALL | re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Have formulas set."""
    settings = config.mdx_configs
    fences = [{"name": "math", "class": "formula", "format": block}]
    settings.setdefault("pymdownx.superfences", {})["custom_fences"] = fences
    inline = [{"name": "math", "class": "formula", "format": in_line}]
    settings.setdefault("pymdownx.inlinehilite", {})["custom_inline"] = inline
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, pictures and scripts that stand elsewhere in the repository."""
    for pattern in OUTSIDE:
        for path in sorted(ROOT.glob(pattern)):
            uri = path.relative_to(ROOT).as_posix()
            inclusion = InclusionLevel.INCLUDED
            files.append(File.generated(config, uri, abs_src_path=str(path), inclusion=inclusion))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make links of the repository links of the site."""
    del config, files
    uri = page.file.src_uri
    here = uri if (ROOT / uri).is_file() else f"docs/{uri}"

    def of_site(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(here), match[1]))
        return posixpath.relpath(target.removeprefix("docs/"), posixpath.dirname(uri) or ".")

    parts, end = [], 0
    for code in CODE.finditer(markdown):
        parts += [LINK.sub(of_site, markdown[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, LINK.sub(of_site, markdown[end:])])


def on_post_build(config: MkDocsConfig) -> None:
    """Leave out what nobody reads: maps of minified scripts, and search in other languages."""
    assets = Path(config.site_dir) / "assets"
    for unread in [*assets.rglob("*.map"), *assets.rglob("lunr/**/*.js")]:
        unread.unlink()


def block(source: str, *_: Any, **__: Any) -> str:
    """Give a displayed formula as MathML, which browsers set themselves."""
    formula = latex2mathml.converter.convert(" ".join(source.split()), display="block")
    return f'<div class="formula">{formula}</div>'


def in_line(source: str, *_: Any, **__: Any) -> str:
    """Give a formula of a line as MathML."""
    return latex2mathml.converter.convert(source)
