"""A matplotlib figure as SVG that stands inside a page, in the page's own colours and fonts."""

import io
import re
from typing import Final

import matplotlib
from markupsafe import Markup, escape
from matplotlib.figure import Figure

INK: Final = "#010101"
MUTED: Final = "#010102"
GRID: Final = "#010103"
ACCENT: Final = "#010104"
SECOND: Final = "#010105"
"""Stand-ins, replaced by the page's CSS variables."""

_VARIABLES: Final = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    ACCENT: "var(--accent)",
    SECOND: "var(--second)",
}
_FONT = re.compile(r"font-family: [^;\"]*;? ?|font: (?=\d)")
_PREAMBLE = re.compile(r"^.*?(?=<svg )", re.DOTALL)
_DROPPED = re.compile(r"<metadata>.*?</metadata>|<style type=\"text/css\">.*?</style>", re.DOTALL)
_GROUP_ID = re.compile(r"<g id=\"[^\"]*\"")
_COORDINATES = re.compile(r"\b(d|x|y|transform)=\"([^\"]*)\"")
_LONG_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
_SIZE = re.compile(r"<svg ([^>]*?)width=\"[\d.]+pt\" height=\"[\d.]+pt\"")


def inline(figure: Figure, label: str) -> Markup:
    """Return the figure as an `<svg>` element.

    Args:
        figure: drawn in the stand-in colours of this file.
        label: what it shows, for readers who do not see it; makes the ids of its clips its own.
    """
    buffer = io.StringIO()
    figure.patch.set_alpha(0.0)
    for axes in figure.axes:
        axes.patch.set_alpha(0.0)
    # Text stays text: the page's fonts draw it, whatever its script.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": label}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = _DROPPED.sub("", _PREAMBLE.sub("", buffer.getvalue()))
    svg = _FONT.sub("", _GROUP_ID.sub("<g", svg))
    svg = _COORDINATES.sub(lambda found: _LONG_NUMBER.sub(r"\1", found[0]), svg)
    for stand_in, variable in _VARIABLES.items():
        svg = svg.replace(stand_in, variable)
    named = rf'<svg \1role="img" aria-label="{escape(label)}"'
    return Markup(_SIZE.sub(lambda found: found.expand(named), svg, count=1))  # noqa: S704  every text in it is escaped by matplotlib
