"""Write a figure as SVG that stands inside a page and takes the page's colours."""

import hashlib
import io
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from cornac_mle.report.style import GRID, INK, PAPER, POPULARITY, REAL, SYNTHETIC, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VARIABLES = {
    REAL: "--real",
    POPULARITY: "--popularity",
    **{colour: f"--synthetic-{place}" for place, colour in enumerate(SYNTHETIC, 1)},
    INK: "--ink",
    GRID: "--grid",
    PAPER: "--paper",
}
"""The page's colours by those of a figure; a figure's own hold where the page sets none."""
NO_DATE = {"Date": None, "Creator": None, "Format": None, "Type": None}
PIXELS_PER_POINT = 4 / 3


def as_svg(figure: "Figure", *, prefix: str | None = None, themed: bool = True) -> str:
    """Write a figure as SVG to be put into HTML as it is.

    Colours are CSS variables (``--real``, ``--popularity``, ``--synthetic-1`` to
    ``--synthetic-6``, ``--ink``, ``--grid``, ``--paper``), text is text. There is no ``<style>``,
    which would reach the whole page, no date, and nothing is loaded.

    Parameters
    ----------
    figure : Figure
        What is drawn; its label, where it has one, becomes the title that screen readers read.
    prefix : str, optional
        What ids start with. None: a hash of the drawing, so that ids differ between figures.
    themed : bool
        Whether colours are variables; False for a file that stands alone.

    Returns
    -------
    str
        ``<svg ...>...</svg>``, the same for the same figure.
    """
    import matplotlib as mpl

    written = io.StringIO()
    with styled(), mpl.rc_context({"svg.hashsalt": "cornac_mle"}):
        figure.savefig(written, format="svg", metadata=NO_DATE)
    text = written.getvalue()
    root = ET.fromstring(text)
    if prefix is None:
        prefix = f"f{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    _plain(root)
    _rename(root, prefix)
    for element in root.iter():
        if "style" in element.attrib:
            element.set("style", _css(element.attrib["style"], themed=themed))
    label = str(figure.get_label() or "")
    _head(root, label, prefix)
    return ET.tostring(root, encoding="unicode")


def _plain(root: ET.Element) -> None:
    """Drop namespaces, style sheets and white space, and make one form of attributes."""
    for parent in list(root.iter()):
        for child in list(parent):
            has_sheet = any(one.tag.endswith("}style") for one in child)
            if has_sheet or child.tag.endswith("}metadata"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name in list(element.attrib):
            if "}" in name:
                element.set(name.rpartition("}")[2], element.attrib.pop(name))
        for name in ("fill", "stroke"):
            if element.get(name, "").startswith("#"):
                own = f"{name}: {element.attrib.pop(name)}"
                element.set("style", f"{own}; {element.get('style', '')}".strip("; "))
        if "d" in element.attrib:
            element.set("d", " ".join(element.attrib["d"].split()))
        if element.tag != "text" and not (element.text or "").strip():
            element.text = None
        element.tail = None


def _rename(root: ET.Element, prefix: str) -> None:
    """Keep only the ids that are used, under names of this figure's own."""
    used = set()
    for element in root.iter():
        for value in element.attrib.values():
            used.update(re.findall(r"url\(#([^)]+)\)", value))
        used.update([element.get("href", "")[1:]])
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            if name == "id":
                if value in used:
                    element.set(name, f"{prefix}-{value}")
                else:
                    del element.attrib[name]
            elif name == "href":
                element.set(name, f"#{prefix}-{value[1:]}")
            else:
                element.set(name, re.sub(r"url\(#", f"url(#{prefix}-", value))


def _css(style: str, *, themed: bool) -> str:
    """Take the page's font and colours."""
    style = re.sub(r"font-family: [^;]*", "font-family: inherit", style)
    style = re.sub(r"'DejaVu Sans'[^;]*", "sans-serif", style)
    if not themed:
        return style
    return re.sub(
        r"#[0-9a-f]{6}",
        lambda found: (
            f"var({VARIABLES[found[0]]}, {found[0]})" if found[0] in VARIABLES else found[0]
        ),
        style,
    )


def _head(root: ET.Element, label: str, prefix: str) -> None:
    """Let the figure shrink with the page, and say what it shows."""
    width = float(root.get("viewBox", "0 0 0 0").split()[2]) * PIXELS_PER_POINT
    root.attrib = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "style": (
            f"width: 100%; max-width: {width:.0f}px; height: auto; font-family: inherit; "
            "stroke-linejoin: round; stroke-linecap: butt"
        ),
    }
    if label:
        root.set("aria-labelledby", f"{prefix}-title")
        title = ET.Element("title", {"id": f"{prefix}-title"})
        title.text = label
        root.insert(0, title)
    else:
        root.set("aria-hidden", "true")
