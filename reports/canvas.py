"""Turns a matplotlib figure into inline SVG that follows the page: its text stays text, its colours become the page's.

A figure is drawn in sentinel colours, which stand for a role (foreground, a series). They are then replaced by
`currentColor` and CSS variables with a fallback, so one drawing serves the light page, the dark one and a file.
"""

import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from reports.placement import Anchor, Box

#: Points. On a phone of 360 px, with margins, the figure gets 0.94 px a point, which keeps text above 10 px.
WIDTH = 350.0
FONT_SIZE = 11.0
#: Width of an average character of matplotlib's DejaVu Sans over the font size; page fonts are narrower.
CHARACTER = 0.56
_POINTS_PER_PIXEL = 0.72  # of a matplotlib figure of 100 dots an inch

FOREGROUND, MUTED, GRID = "#010101", "#020202", "#030303"
#: Okabe & Ito's palette, safe for colour-blind readers, without yellow (unreadable on white); the last is the text's.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", FOREGROUND)
#: A series differs in marker and line as well, for print in black and white.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))

_ROLES = {FOREGROUND: "currentColor", MUTED: "var(--muted, #5c5c5c)", GRID: "var(--rule, #d9d9d9)"} | {
    colour: f"var(--series-{index}, {colour})" for index, colour in enumerate(SERIES[:-1], start=1)
}
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "svg.fonttype": "none",
    "svg.hashsalt": "pinchpoint",
    "font.size": FONT_SIZE,
    "text.parse_math": False,
    "text.color": FOREGROUND,
    "axes.labelcolor": FOREGROUND,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": FOREGROUND,
    "ytick.labelcolor": FOREGROUND,
    "ytick.minor.left": False,
    "xtick.minor.bottom": False,
    "legend.frameon": False,
}
_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"


@contextmanager
def style() -> Iterator[None]:
    """Our style for the figures made inside, and nobody else's."""
    with mpl.rc_context(_STYLE):
        yield


def places(axes: Axes, data: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Where data stands in the figure, in points from its lower left corner."""
    return [(float(x), float(y)) for x, y in axes.transData.transform(data) * _POINTS_PER_PIXEL]


def edges(axes: Axes) -> tuple[float, float, float, float]:
    """Left, bottom, right and top of the frame, in points from the figure's lower left corner."""
    left, bottom, right, top = (float(edge) * _POINTS_PER_PIXEL for edge in axes.bbox.extents)
    return left, bottom, right, top


def lead(axes: Axes, anchor: Anchor, box: Box) -> None:
    """A thin line from a mark to the nearest edge of its label."""
    end = (min(max(anchor.x, box.left), box.right), min(max(anchor.y, box.bottom), box.top))
    axes.annotate(
        "", end, xytext=(anchor.x, anchor.y), xycoords="figure points", textcoords="figure points",
        arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.6, "shrinkA": 4, "shrinkB": 0},
    )  # fmt: skip


def write(axes: Axes, text: str, anchor: Anchor, box: Box, size: float, colour: str, spacing: float = 1.2) -> None:
    """A mark's label in its box. One to the left of the mark ends there, however wide the page's font is."""
    side = "right" if box.right < anchor.x else "left"
    axes.annotate(
        text, (box.right if side == "right" else box.left, (box.bottom + box.top) / 2), xycoords="figure points",
        ha=side, va="center", fontsize=size, color=colour, linespacing=spacing,
    )  # fmt: skip


def panel(height: float, left: float, bottom: float, top: float = 26, right: float = 14) -> tuple[Figure, Axes]:
    """A figure of the common width with one set of axes; `height` and the margins in points."""
    figure = Figure(figsize=(WIDTH / 72, height / 72), facecolor="none")
    FigureCanvasSVG(figure)
    box = (left / WIDTH, bottom / height, 1 - (left + right) / WIDTH, 1 - (bottom + top) / height)
    return figure, figure.add_axes(box, facecolor="none")


def svg(figure: Figure) -> str:
    """The figure as inline SVG: no prologue, no style sheet of its own, ids that no other figure has."""
    buffer = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", metadata=nothing)
    root = ET.fromstring(buffer.getvalue())  # noqa: S314 - matplotlib wrote it a line above
    _strip(root)
    _recolour(root)
    _rename(root, hashlib.sha256(buffer.getvalue().encode()).hexdigest()[:8])
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    # What matplotlib's style sheet would set for every element of the page that the figure stands in.
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    return ET.tostring(root, encoding="unicode")


def _strip(root: ET.Element) -> None:
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)


def _recolour(root: ET.Element) -> None:
    pattern = re.compile("|".join(_ROLES))
    for element in root.iter():
        for name in ("style", "fill", "stroke"):
            if name in element.attrib:
                told = pattern.sub(lambda found: _ROLES[found[0]], element.attrib[name])
                element.set(name, re.sub(r"'DejaVu Sans'[^;]*", "system-ui, sans-serif", told))


def _rename(root: ET.Element, prefix: str) -> None:
    """Give ids that are referred to a prefix of this figure's own, and drop the others."""
    link = re.compile(r"url\(#([^)]+)\)")
    used = {element.get(_HREF, "")[1:] for element in root.iter()}
    used |= {found for element in root.iter() for value in element.attrib.values() for found in link.findall(value)}
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            if name == "id" and value not in used:
                del element.attrib[name]
            elif name == "id":
                element.set(name, f"{prefix}-{value}")
            elif name == _HREF:
                element.set(name, f"#{prefix}-{value[1:]}")
            else:
                element.set(name, link.sub(rf"url(#{prefix}-\1)", value))


def width(text: str) -> float:
    """About how many points `text` takes."""
    return len(text) * CHARACTER * FONT_SIZE


def shorten(text: str, most: int) -> str:
    """`text`, or its beginning and an ellipsis where it has more than `most` characters."""
    return text if len(text) <= most else text[: most - 1].rstrip(" ,") + "…"
